#include "engine/memory.h"

#include "base/log.h"
#include "base/text.h"

#define KB ((size_t)1024)
#define MB (KB * 1024)

/*
 * Measured from outside (`make bench`, tests/integration/test_bounds.py), with
 * some room: a daemon with nothing to do, then what each mapping and each open
 * connection adds.
 */
#define PROGRAM_BYTES	 (24 * MB)
#define MAPPING_BYTES	 (128 * KB)
#define CONNECTION_BYTES (64 * KB)

/* A run's own piece. */
#define OWN_MAX (768 * KB)
#define OWN_MIN (64 * KB)

/* The least that shall be left for all. */
#define SHARED_MIN (16 * MB)

/* Every run has a connection to either end; see CONTROL_CONNECTIONS. */
static size_t most_runs(const struct settings *settings)
{
	return (size_t)(settings->max_connections - 2) / 2;
}

int memory_plan_make(struct memory_plan *plan, const struct settings *settings,
		     size_t mappings, struct error *err)
{
	size_t limit = (size_t)settings->memory_limit_mb * MB;
	size_t runs = most_runs(settings), least, rest;
	size_t fixed = PROGRAM_BYTES + mappings * MAPPING_BYTES +
		       (size_t)settings->max_connections * CONNECTION_BYTES;
	int ret = 0;

	least = (fixed + runs * OWN_MIN + SHARED_MIN + MB - 1) / MB * MB;
	if (limit < least) {
		ret = error_set(err, ERROR_CONFIG,
				"table config: 'memory_limit_mb' is %d, but "
				"%zu mappings and %d connections need at least "
				"%zu; raise it",
				settings->memory_limit_mb, mappings,
				settings->max_connections, least / MB);
		limit = least;
	}
	rest = limit - fixed;
	plan->own = (rest - SHARED_MIN) / 4 / runs;
	if (plan->own > OWN_MAX)
		plan->own = OWN_MAX;
	if (plan->own < OWN_MIN)
		plan->own = OWN_MIN;
	plan->shared = rest - runs * plan->own;
	return ret;
}

/* ------------------------------------------------------------------ large rows */

static size_t held_by(const struct target *dst)
{
	return dst && dst->held ? dst->held : 1;
}

/*
 * Beside the batch. The target may hold two rows at a time, the one before it
 * too, but for rows which come alone.
 */
static size_t need_of(const struct memory *memory, const struct source *src,
		      const struct target *dst)
{
	uint64_t row = src->rows.bytes;
	size_t times = held_by(dst);

	if (row > SIZE_MAX / 32)
		return SIZE_MAX / 2;
	return (size_t)row *
	       (1 + (row > 2 * (uint64_t)memory->own ? times : 2 * times));
}

static bool fits_own(const struct memory *memory, size_t need)
{
	return need <= memory->own / 2;
}

size_t memory_batch(const struct memory *memory, const struct source *src,
		    const struct target *dst)
{
	size_t need = need_of(memory, src, dst);
	size_t own = memory->own - memory->lent_own;

	return fits_own(memory, need) && need < own ? own - need : own;
}

/* Which row is it? Text may count in characters of two bytes. */
static void find_row(struct source *src, const struct table *shape,
		     const char *column, uint64_t longest,
		     struct cancel *cancel, struct strbuf *key)
{
	struct error why = ERROR_INIT;
	int rc;

	src->ops->release(src);
	rc = src->ops->connect(src, cancel, &why);
	for (int unit = 1; unit <= 2 && rc == 0; unit++)
		rc = longest / (unsigned)unit > INT32_MAX
			     ? 0
			     : src->ops->find_longer(
				       src, shape, column,
				       (int)(longest / (unsigned)unit) - 1, key,
				       &why);
	if (rc < 0)
		log_debug("seeking a row that is too large: %s", why.message);
}

int memory_too_large(struct source *src, const struct table *shape, size_t need,
		     size_t size, struct cancel *cancel, struct error *err)
{
	/* Of what is added a quarter goes to the runs' own pieces. */
	size_t more = need / 3 * 4 - size / 3 * 4;
	uint64_t longest = src->rows.longest;
	char column[256] = "?";
	struct strbuf key;

	if (src->rows.column)
		text_copy(column, sizeof(column), src->rows.column);
	src->ops->end(src);
	strbuf_init(&key);
	if (longest && src->ops->find_longer)
		find_row(src, shape, column, longest, cancel, &key);
	error_set(
		err, ERROR_DATA,
		"column '%s' has a value of %llu bytes%s%s, which takes %zu MB "
		"on its way; 'memory_limit_mb' leaves %zu: raise it by %zu or "
		"more",
		column, (unsigned long long)longest,
		key.len ? " in the row with key " : "", key.data,
		(need + MB - 1) / MB, size / MB, more / MB + 1);
	strbuf_release(&key);
	return -1;
}

/* Wait for so much, with nothing held. */
static int reserve(struct memory *memory, struct source *src,
		   const struct table *shape, size_t need,
		   struct cancel *cancel, struct error *err)
{
	struct budget_usage usage;

	budget_count(memory->budget, &usage);
	if (need > usage.size)
		return memory_too_large(src, shape, need, usage.size, cancel,
					err);
	if (!budget_try(memory->budget, need)) {
		if (memory->make_room)
			memory->make_room(memory->arg);
		if (budget_reserve(memory->budget, need, cancel, err) < 0)
			return -1;
	}
	memory->held = need;
	return 0;
}

bool memory_suffices(const struct memory *memory, const struct source *src,
		     const struct target *dst)
{
	size_t need = need_of(memory, src, dst);

	return !memory->budget || fits_own(memory, need) ||
	       need <= memory->held - memory->lent;
}

int memory_for_rows(struct memory *memory, struct source *src,
		    const struct target *dst, const struct table *shape,
		    struct cancel *cancel, struct error *err)
{
	if (memory_suffices(memory, src, dst))
		return 0;
	memory_give(memory);
	return reserve(memory, src, shape, need_of(memory, src, dst), cancel,
		       err);
}

/* As much as can be had, from `most` down. */
static size_t take_more(struct memory *memory, size_t most)
{
	while (most > memory->own / 2 && !budget_try(memory->budget, most))
		most /= 2;
	if (most <= memory->own / 2)
		return 0;
	memory->held += most;
	return most;
}

int memory_for_target(struct memory *memory, struct source *src,
		      struct target *dst, const struct table *shape,
		      struct cancel *cancel, struct error *err)
{
	size_t rows = need_of(memory, src, dst), need, more;

	dst->room = dst->room_most;
	if (!memory->budget || !dst->room_most)
		return 0;
	memory_give(memory);
	need = (fits_own(memory, rows) ? 0 : rows) + dst->room_least;
	if (need && reserve(memory, src, shape, need, cancel, err) < 0)
		return -1;
	more = take_more(memory, dst->room_most - dst->room_least);
	memory->lent = dst->room_least + more;
	memory->lent_own = memory->lent ? 0 : memory->own / 2;
	dst->room = memory->lent + memory->lent_own;
	return 0;
}

void memory_give(struct memory *memory)
{
	if (memory->held)
		budget_give(memory->budget, memory->held);
	memory->held = 0;
	memory->lent = memory->lent_own = 0;
}
