#include "engine/lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/platform.h"

/* What we saw of another daemon, and since when it is like that. */
struct lease_watch {
	struct lease_watch *next;
	int64_t beats;
	int64_t since_ms;
	bool seen; /* in the round at hand */
	char daemon[];
};

static void free_watches(struct leases *leases, bool all)
{
	struct lease_watch **link = &leases->watches, *watch;

	while ((watch = *link)) {
		if (watch->seen && !all) {
			watch->seen = false;
			link = &watch->next;
			continue;
		}
		*link = watch->next;
		free(watch);
	}
}

void leases_release(struct leases *leases)
{
	free_watches(leases, true);
	free(leases->own);
	free(leases->before);
	leases->own = NULL;
	leases->before = NULL;
	leases->own_count = 0;
	leases->before_count = 0;
}

static struct lease_watch *find_watch(struct leases *leases, const char *daemon)
{
	struct lease_watch *watch = leases->watches;
	size_t size = strlen(daemon) + 1;

	while (watch && strcmp(watch->daemon, daemon))
		watch = watch->next;
	if (watch)
		return watch;
	watch = calloc(1, sizeof(*watch) + size);
	if (!watch)
		return NULL;
	memcpy(watch->daemon, daemon, size);
	watch->beats = -1;
	watch->next = leases->watches;
	leases->watches = watch;
	return watch;
}

/* For how long has it not moved? Without memory we just wait longer. */
static int64_t silence(struct leases *leases,
		       const struct control_holder *holder)
{
	struct lease_watch *watch = find_watch(leases, holder->daemon);

	if (!watch)
		return 0;
	watch->seen = true;
	if (watch->beats != holder->beats) {
		watch->beats = holder->beats;
		watch->since_ms = clock_ms();
	}
	return clock_ms() - watch->since_ms;
}

static int take_over(struct leases *leases, struct control *control,
		     const struct control_holders *holders, int64_t lease_ms,
		     struct error *err)
{
	int ret = 0;

	for (size_t i = 0; i < holders->count && ret == 0; i++) {
		const struct control_holder *holder = &holders->holders[i];

		if (silence(leases, holder) < lease_ms && !holder->gone &&
		    !platform_identity_is_gone(holder->daemon))
			continue;
		log_info("taking over from daemon '%s'", holder->daemon);
		ret = control_take_leases(control, leases->daemon, holder, err);
	}
	free_watches(leases, false);
	return ret;
}

int leases_update(struct leases *leases, struct control *control,
		  int64_t lease_ms, struct error *err)
{
	struct control_holders holders;
	struct control_lease *own;
	size_t count;
	int ret;

	if (control_read_holders(control, leases->daemon, &holders, err) < 0)
		return -1;
	ret = take_over(leases, control, &holders, lease_ms, err);
	control_holders_release(&holders);
	if (ret < 0 || control_claim_leases(control, leases->daemon, err) < 0 ||
	    control_read_leases(control, leases->daemon, &own, &count, err) < 0)
		return -1;
	free(leases->before);
	leases->before = leases->own;
	leases->before_count = leases->own_count;
	leases->own = own;
	leases->own_count = count;
	return 0;
}

static int by_mapping(const void *a, const void *b)
{
	const struct control_lease *x = a, *y = b;

	return (x->mapping_id > y->mapping_id) -
	       (x->mapping_id < y->mapping_id);
}

static int64_t find_epoch(const struct control_lease *leases, size_t count,
			  int mapping_id)
{
	struct control_lease key = {.mapping_id = mapping_id}, *found;

	if (!count)
		return 0;
	found = bsearch(&key, leases, count, sizeof(key), by_mapping);
	return found ? found->epoch : 0;
}

int64_t leases_epoch(const struct leases *leases, int mapping_id)
{
	return find_epoch(leases->own, leases->own_count, mapping_id);
}

bool leases_is_gained(const struct leases *leases,
		      const struct control_lease *lease)
{
	return find_epoch(leases->before, leases->before_count,
			  lease->mapping_id) != lease->epoch;
}

int leases_raise(struct leases *leases, struct control *control, int mapping_id,
		 int64_t past, struct error *err)
{
	int64_t from = leases_epoch(leases, mapping_id);
	int64_t to = (past > from ? past : from) + 1;
	struct control_lease *own;
	size_t count;

	if (control_raise_lease(control, leases->daemon, mapping_id, from, to,
				err) < 0 ||
	    control_read_leases(control, leases->daemon, &own, &count, err) < 0)
		return -1;
	free(leases->own);
	leases->own = own;
	leases->own_count = count;
	return 0;
}
