#ifndef ENGINE_SURVEY_H
#define ENGINE_SURVEY_H

#include "engine/engine.h"
#include "monitor/monitor.h"

/*
 * The engine as the monitor sees it: `out` begins to look at `engine`, whose
 * reporter runs. Valid until either is gone.
 */
void survey_begin(struct engine *engine, struct monitor_source *out);

#endif
