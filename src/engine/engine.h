#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <pthread.h>

#include "base/budget.h"
#include "control/settings.h"
#include "drivers/pool.h"
#include "engine/mapping.h"
#include "engine/reporter.h"

/* How the scheduler is, for those who look on. Plain data. */
struct pulse {
	int64_t control_read_us; /* when the tables were read last; 0: never */
	bool control_readable;	 /* it worked when it was tried last */
	size_t due;		 /* mappings that are ours to work on */
	size_t running;		 /* those that have a worker */
};

/* What all workers share. */
struct engine {
	struct pool pool;
	struct budget memory; /* see memory.h */
	struct reporter *reporter;
	char installation[64]; /* set before the first worker starts */

	pthread_mutex_t lock; /* guards what follows */
	struct settings settings;
	size_t own_memory; /* of each run */
	struct engine_server *servers;
	struct pulse pulse;
};

int engine_init(struct engine *engine, struct error *err)
	__attribute__((warn_unused_result));
void engine_release(struct engine *engine);

/*
 * For so many mappings. -1 and ERROR_CONFIG: memory_limit_mb is too small for
 * them; work goes on with the least that there must be.
 */
int engine_set_settings(struct engine *engine, const struct settings *settings,
			size_t mappings, struct error *err)
	__attribute__((warn_unused_result));
void engine_get_settings(struct engine *engine, struct settings *out);

/* What a run that begins now has of its own. */
size_t engine_own_memory(struct engine *engine);

void engine_set_pulse(struct engine *engine, const struct pulse *pulse);
void engine_get_pulse(struct engine *engine, struct pulse *out);

/*
 * The server object for one end of a mapping: the same one for all mappings
 * whose rows say the same. Give it back when the worker ends; the last one
 * closes its idle connections.
 */
int engine_get_server(struct engine *engine, const struct mapping_server *which,
		      struct server **out, struct error *err)
	__attribute__((warn_unused_result));
void engine_put_server(struct engine *engine, struct server *server);

/* Are servers' objects, and what is opened on them, the same under both? Else
 * have yours made anew. */
bool engine_serves_alike(const struct settings *a, const struct settings *b);

#endif
