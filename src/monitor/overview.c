#include "monitor/overview.h"

#include <string.h>

static const char *const error_names[OVERVIEW_ERROR_TYPES] = {
	"CONNECTION", "SYNC", "SCHEMA", "VERIFICATION", "OTHER",
};

static const char *const result_names[OVERVIEW_RESULTS] = {
	"PASSED",
	"FAILED",
	"PARTIAL",
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
	switch (health) {
	case OVERVIEW_OK:
		return "OK";
	case OVERVIEW_LOADING:
		return "LOADING";
	case OVERVIEW_PAUSED:
		return "PAUSED";
	case OVERVIEW_WARNING:
		return "WARNING";
	case OVERVIEW_ERROR:
		break;
	}
	return "ERROR";
}

static bool is_one_of(const char *state, const char *const *states)
{
	for (; *states; states++)
		if (!strcmp(state, *states))
			return true;
	return false;
}

/* A state that this does not know is no reason to be content. */
void overview_judge(struct overview_mapping *mapping)
{
	static const char *const good[] = {"CDC", "IDLE", NULL};
	static const char *const loading[] = {"STARTING", "FULL_SYNC", NULL};
	static const char *const bad[] = {"ERROR", "SUSPENDED", NULL};
	const char *state = mapping->state;
	const char *result = mapping->verification.status;
	bool differs = result && !strcmp(result, "FAILED");
	bool loads = is_one_of(state, loading) ||
		     (!strcmp(state, "CDC") && !mapping->consistent);
	bool fine = is_one_of(state, good) && !*mapping->reason;

	if (is_one_of(state, bad))
		mapping->health = OVERVIEW_ERROR;
	else if (!strcmp(state, "PAUSED"))
		mapping->health = OVERVIEW_PAUSED;
	else if (differs || (!loads && !fine))
		mapping->health = OVERVIEW_WARNING;
	else
		mapping->health = loads ? OVERVIEW_LOADING : OVERVIEW_OK;
}
