#ifndef ENGINE_SCHEDULER_H
#define ENGINE_SCHEDULER_H

#include <stdbool.h>

#include "base/error.h"
#include "control/control.h"
#include "monitor/monitor.h"

/*
 * The daemon's main loop: reads the control tables on each tick, brings the
 * workers in line with them, hands out requests, and ends everything when the
 * operating system asks. Runs in the main thread.
 *
 * `monitor` is shown what happens, and told where to listen unless `listens`
 * says that this is settled; it was asked to stop when this returns.
 *
 * Takes `control` over, which was opened with `cancel`: a stop interrupts it.
 * Returns when stopped: 0, or -1 when it could not even
 * start. `clean` is false when a thread could not be brought to an end in
 * time; then the process must end without cleaning up.
 */
int scheduler_run(const struct control_spec *spec, struct control *control,
		  struct cancel *cancel, struct monitor *monitor, bool listens,
		  bool *clean, struct error *err)
	__attribute__((warn_unused_result));

#endif
