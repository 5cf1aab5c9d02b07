#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "base/error.h"
#include "monitor/overview.h"

/*
 * Shows what the daemon does over HTTP, to be read and nothing else:
 *
 *     /             a status page for people
 *     /status.json  the same for programs
 *     /metrics      for Prometheus
 *     /healthz      200 as long as the process lives
 *     /readyz       200 when it works, otherwise 503 and why
 *
 * A thread of its own serves all of it from memory; nothing that a client does
 * can make anybody else wait. One that cannot listen tries again every few
 * seconds. One that listens nowhere has no thread.
 */
struct monitor;

/* What it looks at. */
struct monitor_source {
	/* Fill `out`, which is not initialized; -1 without memory. */
	int (*look)(void *arg, struct overview *out);
	/* Once in OVERVIEW_LAG_EVERY_MS. */
	void (*sample)(void *arg);
	void *arg;
};

/* Any thread may call any of these; none but monitor_free() waits. */
int monitor_new(struct monitor **out, struct error *err)
	__attribute__((warn_unused_result));

/* Look at this from now on; copied. */
void monitor_watch(struct monitor *monitor,
		   const struct monitor_source *source);

/* Listen there, see base/endpoint.h, and nowhere else. */
void monitor_listen(struct monitor *monitor, const char *address);

/* -1 when it cannot, and why. */
int monitor_check(struct monitor *monitor, struct error *err)
	__attribute__((warn_unused_result));

/* Ask it to end. When this returns, nothing is looked at any more. */
void monitor_stop(struct monitor *monitor);

/*
 * Wait a moment for its end, and free it. False when its thread hangs in the
 * search for a host name: then it stays, and the process must end without
 * cleaning up. NULL is fine.
 */
bool monitor_free(struct monitor *monitor) __attribute__((warn_unused_result));

#endif
