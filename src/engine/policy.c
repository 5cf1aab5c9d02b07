#include "engine/policy.h"

void policy_init(struct policy *policy, const struct settings *settings,
		 const struct mapping *mapping)
{
	for (int i = 0; i < ERROR_CLASSES; i++)
		policy->actions[i] = (enum error_action)(
			mapping->on_error[i] >= 0 ? mapping->on_error[i]
						  : settings->on_error[i]);
	policy->suspend_after_failures = settings->suspend_after_failures;
}

enum error_class policy_class(const struct error *err)
{
	switch (err->kind) {
	case ERROR_DATA:
		return ERROR_CLASS_ROW;
	case ERROR_SCHEMA:
	case ERROR_PERMISSION:
	case ERROR_GAP:
		return ERROR_CLASS_TABLE;
	case ERROR_CONNECTION:
		return ERROR_CLASS_CONNECTION;
	case ERROR_CONFLICT:
		return ERROR_CLASS_CONFLICT;
	case ERROR_SERVER:
		/* A deadlock, a lock: others. The rest is about the table. */
		return err->retryable ? ERROR_CLASS_CONFLICT
				      : ERROR_CLASS_TABLE;
	case ERROR_NONE:
	case ERROR_CANCELLED:
	case ERROR_CONFIG:
	case ERROR_FENCED:
	case ERROR_MEMORY:
	case ERROR_SYSTEM:
	case ERROR_INTERNAL:
		break;
	}
	return ERROR_CLASS_NONE;
}

static bool leaves_rows_out(enum error_action action)
{
	return action == ERROR_ACTION_LOG || action == ERROR_ACTION_PARK;
}

bool policy_isolates(const struct policy *policy, const struct policy_case *c,
		     bool *keep)
{
	enum error_action action = policy->actions[ERROR_CLASS_ROW];

	*keep = action == ERROR_ACTION_PARK;
	return policy_class(c->err) == ERROR_CLASS_ROW &&
	       leaves_rows_out(action) && c->applying && c->can_isolate &&
	       !c->isolated;
}

/* A row is to be left out, and was not. */
static struct policy_verdict judge_row(const struct policy_case *c)
{
	struct policy_verdict verdict = {.action = ERROR_ACTION_RETRY};

	if (c->exceeded)
		verdict.action = ERROR_ACTION_SUSPEND;
	else if (!c->applying)
		verdict.note = "no row is left out of a full sync, whatever "
			       "on_row_error says";
	else if (!c->can_isolate)
		verdict.note = "this destination cannot leave rows out, "
			       "whatever on_row_error says";
	else
		verdict.note = "which row it is could not be found out, so "
			       "none was left out";
	return verdict;
}

struct policy_verdict policy_judge(const struct policy *policy,
				   const struct policy_case *c)
{
	struct policy_verdict verdict = {.action = ERROR_ACTION_RETRY};
	enum error_class class = policy_class(c->err);

	if (!c->recorded || c->healed || class == ERROR_CLASS_NONE)
		return verdict;
	verdict.action = policy->actions[class];
	if (leaves_rows_out(verdict.action))
		verdict = judge_row(c);
	if (verdict.action == ERROR_ACTION_RETRY &&
	    policy->suspend_after_failures > 0 &&
	    c->records >= policy->suspend_after_failures)
		verdict.action = ERROR_ACTION_SUSPEND;
	return verdict;
}
