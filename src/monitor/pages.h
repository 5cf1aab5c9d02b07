#ifndef MONITOR_PAGES_H
#define MONITOR_PAGES_H

#include "monitor/http.h"
#include "monitor/overview.h"

/*
 * The pages of the monitor. What changes is made anew for whoever asks, but
 * not more than once a second, and not while many older ones are still under
 * way to clients that take their time: then the last one has to do. For the
 * monitor's thread alone.
 */
struct pages {
	/* Look again; -1 without memory. */
	int (*look)(void *arg, struct overview *out);
	void *arg;

	struct pages_shelf {
		struct http_page *page;
		int64_t made_ms;
		unsigned status;
		int alive; /* of this shelf, on their way */
	} metrics, status, ready;
	struct http_page *front, *healthy, *unknown;
	char *policy; /* of the front page */
};

/* With `look` and `arg` set and all else zero. */
int pages_init(struct pages *pages, struct error *err)
	__attribute__((warn_unused_result));
/* When no connection is left. */
void pages_release(struct pages *pages);

/* For struct http_handler, whose argument is a struct pages. */
unsigned pages_answer(void *arg, const char *path, struct http_page **page);

#endif
