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
 * A foreign key is looked at after each statement. Where one leads from the table
 * to itself, new rows come first, before others refer to them, and deleted ones go
 * last, when nothing refers to them any more. A unique value may stand in the way
 * then; what is refused in this order is taken row by row, in the order that the
 * server allows.
 *
 * A change that leaves a value as it was gets it from the row's earlier changes
 * of the window, before only the last of each key is kept; what none of them
 * told stays as the table has it.
 *
 * The server has no statistics of the temporary table, on purpose: it takes the
 * changes for few, and looks each up in the index of the destination's key.
 * Analyzed, it would read the whole of a table of a million rows for a window of
 * some thousand changes, three times, which takes longer than to apply them.
 *
 * Triggers of the destination fire for these rows as they do for any others:
 * what is not to happen twice is disabled there.
 */
#include "drivers/postgresql/target.h"

#include <string.h>

#include "base/failpoint.h"
#include "drivers/postgresql/quote.h"

#define COUNTED_ROWS_MAX 1000000

/* From so many on rows are not looked up one by one in a table without any. */
#define MANY_ROWS 1000

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
	bool keyed = target->isolate || target->exceptions ||
		     target->dest.refers_to_itself;
	enum pg_loader_kind kind =
		keyed ? PG_LOADER_KEYED_CHANGES : PG_LOADER_CHANGES;

	target->keyed = keyed;
	if (pg_staging_make(target, kind, err) < 0 ||
	    pg_target_transaction(target, err) < 0)
		return -1;
	return begin_copy(target, kind, err);
}

static void add_key_list(struct strbuf *sql, const struct pg_target *target)
{
	const struct table *shape = target->shape;

	for (size_t k = 0; k < shape->key_count; k++) {
		strbuf_addstr(sql, k ? ", " : "");
		pg_sql_loaded(sql, target, shape->key[k]);
	}
}

/*
 * Of column `i`: a change that tells it begins a group, in which all that leave
 * it as it was come after it. A row that was deleted tells nothing.
 */
static int fill_column(struct pg_target *target, size_t i, struct error *err)
{
	const char *name =
		pg_dest_column(&target->dest, target->shape->columns[i].name)
			->name;
	struct strbuf sql, bit;
	int64_t rows;

	strbuf_init(&sql);
	strbuf_init(&bit);
	strbuf_addf(&bit,
		    "COALESCE(substr(s.\"" LOADER_KEPT_COLUMN
		    "\", %zu, 1), '0')",
		    i + 1);
	strbuf_addstr(&sql, "UPDATE ");
	pg_staging_name(&sql, target);
	quote_names(&sql, " AS a SET %n = r.told, ", name);
	strbuf_addf(&sql,
		    "\"" LOADER_KEPT_COLUMN "\" = overlay(a."
		    "\"" LOADER_KEPT_COLUMN "\" placing '0' from %zu for 1) "
		    "FROM (SELECT g.at, g.bit, first_value(g.value) OVER w "
		    "AS told, first_value(g.bit) OVER w AS first_bit, "
		    "first_value(g.op) OVER w AS first_op FROM (SELECT "
		    "s.ctid AS at, %s AS bit, s.\"" LOADER_OP_COLUMN
		    "\" AS op, s.\"" LOADER_SEQ_COLUMN "\" AS seq, ",
		    i + 1, bit.data);
	quote_names(&sql, "s.%n AS value, dense_rank() OVER (ORDER BY ", name);
	add_key_list(&sql, target);
	strbuf_addf(&sql,
		    ") AS key, sum(CASE WHEN %s = '0' THEN 1 ELSE 0 END) "
		    "OVER (PARTITION BY ",
		    bit.data);
	add_key_list(&sql, target);
	strbuf_addstr(&sql, " ORDER BY s.\"" LOADER_SEQ_COLUMN
			    "\") AS told_by FROM ");
	pg_staging_name(&sql, target);
	strbuf_addf(&sql,
		    " AS s) AS g WINDOW w AS (PARTITION BY g.key, g.told_by "
		    "ORDER BY g.seq)) AS r WHERE a.ctid = r.at "
		    "AND r.bit = '1' AND r.first_bit = '0' AND r.first_op = %d",
		    ROW_UPSERT);
	rows = pg_target_run(target, &sql, NULL, 0, err);
	strbuf_release(&bit);
	strbuf_release(&sql);
	return rows < 0 ? -1 : 0;
}

static int fill(struct pg_target *target, struct error *err)
{
	if (!pg_loader_kept(target->loader, LOADER_ANY_COLUMN))
		return 0;
	for (size_t i = 0; i < target->shape->column_count; i++)
		if (pg_loader_kept(target->loader, i) &&
		    fill_column(target, i, err) < 0)
			return -1;
	return 0;
}

/*
 * Does any key have several changes? Most windows have none such, and counting
 * is a fraction of the work of sorting. But a server of version 12 or older
 * keeps all that it counts in memory.
 */
static int has_repeated_keys(struct pg_target *target, uint64_t rows,
			     struct error *err)
{
	struct strbuf sql;
	int64_t found;

	if (rows > COUNTED_ROWS_MAX)
		return 1;
	strbuf_init(&sql);
	strbuf_addstr(&sql, "SELECT 1 FROM ");
	pg_staging_name(&sql, target);
	strbuf_addstr(&sql, " AS s GROUP BY ");
	add_key_list(&sql, target);
	strbuf_addstr(&sql, " HAVING count(*) > 1 LIMIT 1");
	found = pg_target_run(target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	return found < 0 ? -1 : found > 0;
}

int pg_apply_keep_last(struct pg_target *target, uint64_t *rows,
		       struct error *err)
{
	struct strbuf sql;
	int64_t gone;
	int repeated;

	if (fill(target, err) < 0)
		return -1;
	repeated = has_repeated_keys(target, *rows, err);
	if (repeated <= 0)
		return repeated;
	strbuf_init(&sql);
	strbuf_addstr(&sql, "DELETE FROM ");
	pg_staging_name(&sql, target);
	strbuf_addstr(&sql, " WHERE ctid = ANY (ARRAY(SELECT r.at FROM (SELECT "
			    "s.ctid AS at, row_number() OVER (PARTITION BY ");
	add_key_list(&sql, target);
	strbuf_addstr(&sql,
		      " ORDER BY s.\"" LOADER_SEQ_COLUMN "\" DESC) AS n FROM ");
	pg_staging_name(&sql, target);
	strbuf_addstr(&sql, " AS s) AS r WHERE r.n > 1))");
	gone = pg_target_run(target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	if (gone < 0)
		return -1;
	*rows -= (uint64_t)gone;
	return 0;
}

/* What a window's changes are, of each key the last one. */
struct changes_seen {
	uint64_t sent; /* before that: the highest number of one */
	uint64_t rows, deletes;
};

static int merge_plainly(struct pg_merge *m, const struct changes_seen *seen,
			 struct target_counts *counts, struct error *err)
{
	if ((seen->deletes && pg_merge_delete(m, &counts->deleted, err) < 0) ||
	    pg_merge_update(m, &counts->updated, err) < 0)
		return -1;
	m->many = seen->rows >= MANY_ROWS && !counts->updated;
	if (!seen->deletes && counts->updated >= seen->rows)
		return 0;
	return pg_merge_insert(m, &counts->inserted, err);
}

/* Rows that are inserted must not be updated after that. */
static int mark_new(const struct pg_merge *m, struct error *err)
{
	struct strbuf sql;
	int64_t rows;

	strbuf_init(&sql);
	strbuf_addf(&sql,
		    "UPDATE %s AS s SET \"" LOADER_SEQ_COLUMN
		    "\" = -s.\"" LOADER_SEQ_COLUMN
		    "\" WHERE NOT EXISTS (SELECT 1 FROM ",
		    m->from);
	pg_sql_own(&sql, m->target);
	strbuf_addstr(&sql, " AS d WHERE ");
	pg_sql_key_match(&sql, m->target);
	strbuf_addch(&sql, ')');
	rows = pg_target_run(m->target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	return rows < 0 ? -1 : 0;
}

static int merge_new_first(struct pg_merge *m, const struct changes_seen *seen,
			   struct target_counts *counts, struct error *err)
{
	m->many = seen->rows >= MANY_ROWS;
	if (mark_new(m, err) < 0 ||
	    pg_merge_insert(m, &counts->inserted, err) < 0)
		return -1;
	m->range = " AND s.\"" LOADER_SEQ_COLUMN "\" > 0";
	if (pg_merge_update(m, &counts->updated, err) < 0)
		return -1;
	m->range = "";
	return seen->deletes ? pg_merge_delete(m, &counts->deleted, err) : 0;
}

static int merge_itself(struct pg_merge *m, const struct changes_seen *seen,
			struct target_counts *counts, struct error *err)
{
	struct pg *conn = m->target->conn;

	if (pg_exec(conn, "SAVEPOINT dataflow_order", err) < 0)
		return -1;
	if (merge_new_first(m, seen, counts, err) == 0)
		return pg_exec(conn, "RELEASE SAVEPOINT dataflow_order", err);
	if (!pg_isolate_depends_on_order(err))
		return -1;
	error_clear(err);
	memset(counts, 0, sizeof(*counts));
	if (pg_exec(conn,
		    "ROLLBACK TO SAVEPOINT dataflow_order; "
		    "RELEASE SAVEPOINT dataflow_order",
		    err) < 0)
		return -1;
	return pg_isolate_in_order(m->target, seen->sent, counts, err);
}

static int merge(struct pg_target *target, const struct changes_seen *seen,
		 const struct checkpoint *from, struct target_counts *counts,
		 struct error *err)
{
	struct pg_merge m = {.target = target, .changes = true, .range = ""};
	struct strbuf name;
	int ret = -1;

	strbuf_init(&name);
	pg_staging_name(&name, target);
	m.from = name.data;
	if (strbuf_check(&name, err) == 0)
		ret = target->dest.refers_to_itself
			      ? merge_itself(&m, seen, counts, err)
			      : merge_plainly(&m, seen, counts, err);
	if (ret == 0 && counts->inserted)
		ret = pg_merge_sequences(&m, err);
	if (ret == 0 && (seen->deletes || counts->updated < seen->rows))
		ret = pg_merge_check_missing(&m, from, err);
	strbuf_release(&name);
	return ret;
}

int pg_apply_commit(struct pg_target *target, const struct checkpoint *from,
		    const struct checkpoint *to, struct target_counts *counts,
		    struct error *err)
{
	struct changes_seen seen = {
		.deletes = pg_loader_deletes(target->loader),
	};

	if (pg_loader_end(target->loader, &seen.sent, err) < 0)
		return -1;
	seen.rows = seen.sent;
	if (seen.rows > 1 && pg_apply_keep_last(target, &seen.rows, err) < 0)
		return -1;
	FAILPOINT(WINDOW_STAGED);
	if (pg_checkpoint_move(target, from, to, err) < 0 ||
	    (seen.rows && merge(target, &seen, from, counts, err) < 0) ||
	    (target->keyed &&
	     pg_exceptions_settle(target, "", &counts->settled, err) < 0))
		return -1;
	return pg_target_commit(target, err);
}
