#include "engine/retry.h"

#define DATA_WAIT_MAX_MS (5 * 60 * 1000)

static int64_t data_wait(const struct retry *retry, int64_t interval_ms)
{
	int64_t wait = interval_ms;

	for (int i = 1; i < retry->failures && wait < DATA_WAIT_MAX_MS; i++)
		wait *= 2;
	if (wait > DATA_WAIT_MAX_MS)
		wait = DATA_WAIT_MAX_MS;
	return wait > interval_ms ? wait : interval_ms;
}

/* Whoever has lost the mapping to another daemon learns so by the next attempt,
 * and nobody would ever resolve what he recorded. */
static bool may_be_fenced(const struct retry *retry, const struct error *err)
{
	return err->kind == ERROR_CONFLICT && retry->failures == 1;
}

struct retry_decision retry_failed(struct retry *retry, const struct error *err,
				   const struct retry_policy *policy)
{
	struct retry_decision decision = {.wait_ms = policy->interval_ms};

	retry->failures++;
	if (may_be_fenced(retry, err) ||
	    (err->retryable && !retry->recorded &&
	     retry->failures < policy->max_attempts)) {
		decision.wait_ms = policy->delay_ms;
		return decision;
	}
	if (err->kind == ERROR_DATA)
		decision.wait_ms = data_wait(retry, policy->interval_ms);
	retry->recorded = true;
	retry->records++;
	decision.record = true;
	decision.retry_count =
		err->retryable ? retry->failures : retry->failures - 1;
	return decision;
}

bool retry_succeeded(struct retry *retry)
{
	bool recorded = retry->recorded;

	retry->failures = 0;
	retry->records = 0;
	retry->recorded = false;
	return recorded;
}

const char *retry_error_type(enum error_kind kind)
{
	switch (kind) {
	case ERROR_CONNECTION:
		return "CONNECTION";
	case ERROR_SCHEMA:
		return "SCHEMA";
	case ERROR_DATA:
	case ERROR_GAP:
	case ERROR_CONFLICT:
	case ERROR_FENCED:
	case ERROR_SERVER:
	case ERROR_PERMISSION:
		return "SYNC";
	case ERROR_NONE:
	case ERROR_CANCELLED:
	case ERROR_CONFIG:
	case ERROR_MEMORY:
	case ERROR_SYSTEM:
	case ERROR_INTERNAL:
		break;
	}
	return "OTHER";
}
