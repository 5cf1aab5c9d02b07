/*
 * Changes by key, exactly once.
 *
 * One transaction: a window's changes go into a temporary table by COPY, of
 * several changes of one key the last one stays, the checkpoint moves, if it is
 * where we left it, and then rows of deleted keys go, first, or their old
 * values could collide with new ones in a unique index; rows that exist are
 * updated, the others inserted. A crash anywhere leaves the table with the
 * checkpoint that belongs to it. INSERT … ON CONFLICT would need a unique index
 * over just the key, and MERGE a server of version 15; neither is faster.
 *
 * Triggers of the destination fire for these rows as they do for any others:
 * what is not to happen twice is disabled there.
 */
#include "drivers/postgresql/target.h"

#include <string.h>

#include "base/failpoint.h"
#include "drivers/postgresql/quote.h"

static int begin_copy(struct pg_target *target, enum pg_loader_kind kind,
		      struct error *err)
{
	struct strbuf name;

	strbuf_init(&name);
	pg_staging_name(&name, target);
	if (strbuf_check(&name, err) == 0)
		target->loader =
			pg_loader_new(target->conn, name.data, &target->dest,
				      target->shape, kind, "", err);
	strbuf_release(&name);
	return target->loader ? 0 : -1;
}

int pg_apply_begin(struct pg_target *target, struct error *err)
{
	/* Keys as text only where something may have to be found by them. */
	bool keyed = target->isolate || target->exceptions;
	enum pg_loader_kind kind = keyed ? PG_LOADER_KEYED_CHANGES
					 : PG_LOADER_CHANGES;

	target->keyed = keyed;
	if (pg_staging_make(target, kind, err) < 0 ||
	    pg_target_transaction(target, err) < 0)
		return -1;
	return begin_copy(target, kind, err);
}

int pg_apply_keep_last(struct pg_target *target, uint64_t *rows,
		       struct error *err)
{
	const struct table *shape = target->shape;
	struct strbuf sql;
	int64_t gone;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "DELETE FROM ");
	pg_staging_name(&sql, target);
	strbuf_addstr(&sql, " AS a USING (SELECT s.ctid AS at, row_number() "
			    "OVER (PARTITION BY ");
	for (size_t k = 0; k < shape->key_count; k++) {
		strbuf_addstr(&sql, k ? ", " : "");
		pg_sql_loaded(&sql, target, shape->key[k]);
	}
	strbuf_addstr(&sql,
		      " ORDER BY s.\"" LOADER_SEQ_COLUMN "\" DESC) AS n FROM ");
	pg_staging_name(&sql, target);
	strbuf_addstr(&sql, " AS s) AS r WHERE a.ctid = r.at AND r.n > 1");
	gone = pg_target_run(target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	if (gone < 0)
		return -1;
	*rows -= (uint64_t)gone;
	return 0;
}

/* `rows` changes of different keys; `deletes` is 0 if none of them deletes. */
static int merge(struct pg_target *target, uint64_t rows, uint64_t deletes,
		 struct target_counts *counts, struct error *err)
{
	struct pg_merge m = {.target = target, .changes = true, .range = ""};
	struct strbuf name;
	int ret = -1;

	strbuf_init(&name);
	pg_staging_name(&name, target);
	m.from = name.data;
	if (strbuf_check(&name, err) < 0 ||
	    (deletes && pg_merge_delete(&m, &counts->deleted, err) < 0) ||
	    pg_merge_update(&m, &counts->updated, err) < 0)
		goto done;
	if (deletes || counts->updated < rows) {
		if (pg_merge_insert(&m, &counts->inserted, err) < 0 ||
		    (counts->inserted && pg_merge_sequences(&m, err) < 0))
			goto done;
	}
	ret = 0;
done:
	strbuf_release(&name);
	return ret;
}

int pg_apply_commit(struct pg_target *target, const struct checkpoint *from,
		    const struct checkpoint *to, struct target_counts *counts,
		    struct error *err)
{
	uint64_t deletes = pg_loader_deletes(target->loader), rows;

	if (pg_loader_end(target->loader, &rows, err) < 0 ||
	    (rows > 1 && pg_apply_keep_last(target, &rows, err) < 0))
		return -1;
	FAILPOINT(WINDOW_STAGED);
	if (pg_checkpoint_move(target, from, to, err) < 0 ||
	    (rows && merge(target, rows, deletes, counts, err) < 0) ||
	    (target->keyed &&
	     pg_exceptions_settle(target, "", &counts->settled, err) < 0))
		return -1;
	return pg_target_commit(target, err);
}
