#include "engine/survey.h"

#include "base/clock.h"

/* A bound for what a monitor may make us copy, far above any real need. */
#define OVERVIEW_BYTES_MAX ((size_t)256 << 20)

/* A mapping that is fine has its lag measured at least every interval. */
static int64_t lag_grace_ms(struct engine *engine)
{
	struct settings settings;

	engine_get_settings(engine, &settings);
	return settings.check_interval_s * INT64_C(2000) + 30000;
}

/* NULL: ready to be told so. */
static const char *why_not_ready(const struct pulse *pulse)
{
	if (!pulse->control_read_us)
		return "the control tables have not been read yet";
	if (pulse->running < pulse->due)
		return "not all mappings could be started";
	return NULL;
}

static int look(void *arg, struct overview *out)
{
	struct engine *engine = arg;
	struct settings settings;
	struct pool_usage usage;
	struct budget_usage memory;
	struct pulse pulse;

	overview_init(out, OVERVIEW_BYTES_MAX);
	engine_get_pulse(engine, &pulse);
	engine_get_settings(engine, &settings);
	pool_count(&engine->pool, &usage);
	budget_count(&engine->memory, &memory);
	out->lag_warning_s = settings.lag_warning_s;
	out->taken_us = clock_utc_us();
	out->not_ready = why_not_ready(&pulse);
	out->control_readable = pulse.control_readable;
	out->control_read_us = pulse.control_read_us;
	out->connections_max = usage.max;
	out->connections_reserved = usage.reserved;
	out->connections_taken = usage.taken;
	out->connections_idle = usage.idle;
	out->memory_size = memory.size;
	out->memory_used = memory.used;
	out->memory_wanted = memory.wanted;
	if (reporter_look(engine->reporter, lag_grace_ms(engine), out) == 0)
		return 0;
	overview_release(out);
	return -1;
}

static void sample(void *arg)
{
	struct engine *engine = arg;

	reporter_sample(engine->reporter, lag_grace_ms(engine));
}

void survey_begin(struct engine *engine, struct monitor_source *out)
{
	*out = (struct monitor_source){
		.look = look,
		.sample = sample,
		.arg = engine,
	};
}
