#include "monitor/overview.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"

static const char *const error_names[OVERVIEW_ERROR_TYPES] = {
	"CONNECTION", "SYNC", "SCHEMA", "VERIFICATION", "OTHER",
};

static const char *const result_names[OVERVIEW_RESULTS] = {
	"PASSED",
	"FAILED",
	"PARTIAL",
};

static const char *const health_names[OVERVIEW_HEALTHS] = {
	[OVERVIEW_HEALTHY] = "HEALTHY",	    [OVERVIEW_LAGGING] = "LAGGING",
	[OVERVIEW_MISMATCH] = "MISMATCH",   [OVERVIEW_WAITING] = "WAITING",
	[OVERVIEW_RETRYING] = "RETRYING",   [OVERVIEW_ERROR] = "ERROR",
	[OVERVIEW_LOADING] = "LOADING",	    [OVERVIEW_PAUSED] = "PAUSED",
	[OVERVIEW_SUSPENDED] = "SUSPENDED",
};

void overview_init(struct overview *overview, size_t cap)
{
	memset(overview, 0, sizeof(*overview));
	arena_init(&overview->arena, cap);
}

void overview_release(struct overview *overview)
{
	arena_release(&overview->arena);
	memset(overview, 0, sizeof(*overview));
}

const char *overview_error_name(enum overview_error_type type)
{
	return error_names[type];
}

enum overview_error_type overview_error_type(const char *name)
{
	for (int i = 0; i < OVERVIEW_OTHER; i++)
		if (!strcmp(error_names[i], name))
			return (enum overview_error_type)i;
	return OVERVIEW_OTHER;
}

const char *overview_result_name(enum overview_result result)
{
	return result_names[result];
}

enum overview_result overview_result(const char *name)
{
	for (int i = 0; i < OVERVIEW_PARTIAL; i++)
		if (!strcmp(result_names[i], name))
			return (enum overview_result)i;
	return OVERVIEW_PARTIAL;
}

const char *overview_health_name(enum overview_health health)
{
	return health_names[health];
}

static bool is(const struct overview_mapping *mapping, const char *state)
{
	return strcmp(mapping->state, state) == 0;
}

/* The same as the CASE of the view, in its order. */
static enum overview_health judge(const struct overview *overview,
				  const struct overview_mapping *mapping)
{
	if (mapping->suspended || is(mapping, "SUSPENDED"))
		return OVERVIEW_SUSPENDED;
	if (mapping->paused || is(mapping, "PAUSED"))
		return OVERVIEW_PAUSED;
	if (is(mapping, "FULL_SYNC"))
		return OVERVIEW_LOADING;
	if (is(mapping, "ERROR") || mapping->error)
		return OVERVIEW_ERROR;
	if (is(mapping, "RETRYING"))
		return OVERVIEW_RETRYING;
	if (!is(mapping, "CDC") && !is(mapping, "IDLE"))
		return OVERVIEW_WAITING;
	if (mapping->verification_error || mapping->parked)
		return OVERVIEW_MISMATCH;
	if (mapping->behind_s > overview->lag_warning_s)
		return OVERVIEW_LAGGING;
	return OVERVIEW_HEALTHY;
}

static const char *or_else(const char *reason, const char *other)
{
	return *reason ? reason : other;
}

static const char *tell_parked(struct arena *arena,
			       const struct overview_mapping *mapping)
{
	char text[80];

	snprintf(text, sizeof(text),
		 "%llu rows were put aside in apply_exceptions",
		 (unsigned long long)mapping->parked);
	return arena_strdup(arena, text);
}

static const char *tell_lag(struct arena *arena,
			    const struct overview_mapping *mapping)
{
	struct strbuf text;
	const char *kept;

	strbuf_init(&text);
	strbuf_addf(&text, "%.0f seconds behind its source%s%s",
		    mapping->behind_s, *mapping->reason ? ": " : "",
		    mapping->reason);
	kept = text.failed ? NULL : arena_strdup(arena, text.data);
	strbuf_release(&text);
	return kept;
}

/* Why the word is what it is; NULL without memory. */
static const char *tell_why(struct arena *arena,
			    const struct overview_mapping *mapping)
{
	const char *reason = mapping->reason;

	switch (mapping->health) {
	case OVERVIEW_SUSPENDED:
		return or_else(is(mapping, "SUSPENDED") ? reason : "",
			       "suspended; a RESUME request lets it go on");
	case OVERVIEW_PAUSED:
		return "is_paused is 1; a RESUME request lets it go on";
	case OVERVIEW_LOADING:
		return or_else(reason, "a full sync is under way");
	case OVERVIEW_ERROR:
		return mapping->error ? mapping->error : reason;
	case OVERVIEW_WAITING:
		return or_else(reason, "it starts");
	case OVERVIEW_MISMATCH:
		return mapping->verification_error
			       ? mapping->verification_error
			       : tell_parked(arena, mapping);
	case OVERVIEW_LAGGING:
		return tell_lag(arena, mapping);
	case OVERVIEW_RETRYING:
	case OVERVIEW_HEALTHY:
	case OVERVIEW_HEALTHS:
		break;
	}
	return reason;
}

int overview_judge(struct overview *overview, struct overview_mapping *mapping)
{
	mapping->health = judge(overview, mapping);
	mapping->reason = tell_why(&overview->arena, mapping);
	return mapping->reason ? 0 : -1;
}
