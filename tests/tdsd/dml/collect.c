/* The rows of a driving query, kept until the statement changes them. */
#include <stdlib.h>
#include <string.h>

#include "dml/dml.h"
#include "plan/query.h"

/* Row ids seen: a row is changed once, however often the join finds it. */
struct seen {
	int64_t *slots;
	size_t size, count;
};

static bool seen_add(struct seen *set, int64_t id)
{
	size_t i;

	if (set->count * 2 >= set->size) {
		struct seen bigger = {NULL, set->size ? set->size * 2 : 256, 0};

		bigger.slots = mem_alloc(bigger.size * sizeof(int64_t));
		for (i = 0; i < bigger.size; i++)
			bigger.slots[i] = INT64_MIN;
		for (i = 0; i < set->size; i++)
			if (set->slots[i] != INT64_MIN)
				seen_add(&bigger, set->slots[i]);
		free(set->slots);
		*set = bigger;
	}
	i = (size_t)((uint64_t)id * UINT64_C(0x9E3779B97F4A7C15) >> 20) %
	    set->size;
	while (set->slots[i] != INT64_MIN) {
		if (set->slots[i] == id)
			return false;
		i = (i + 1) % set->size;
	}
	set->slots[i] = id;
	set->count++;
	return true;
}

int dml_collect(struct session *s, struct plan *p, struct row_store *rows,
		struct diag *d)
{
	struct dml_plan *m = p->more;
	sqlite3_stmt *st = plan_start(s, p, d);
	int n = p->count + m->extra_count, got = 0, i;
	struct seen seen = {NULL, 0, 0};
	struct val *row;

	if (!st)
		return -1;
	row = mem_calloc((size_t)n + 1, sizeof(*row));
	rows_init(rows, n);
	while ((got = run_step(s, st, d)) > 0) {
		if (sqlite3_column_type(st, 0) == SQLITE_NULL)
			continue; /* the outer side of a join */
		if (m->many_sources &&
		    !seen_add(&seen, sqlite3_column_int64(st, 0)))
			continue;
		for (i = 0; i < n; i++)
			row[i] = run_column(st, i);
		rows_add(rows, row);
	}
	plan_done(p, st);
	free(seen.slots);
	free(row);
	if (got < 0)
		rows_release(rows);
	else
		rows_rewind(rows);
	return got;
}
