/*
 * Rows of a table of ours come into the destination, set by set.
 *
 * PostgreSQL looks at a unique index row by row, while an UPDATE is under way:
 * two rows that exchange their unique values, or a thousand that move theirs up
 * by one, fail although all is well at the end. So when an UPDATE fails for
 * that, the rows whose unique values change go and come back in one statement,
 * at the end of which foreign keys look: in two, by way of a temporary table,
 * no row could go to which another table refers. The same way goes a row whose
 * GENERATED ALWAYS identity changed, which no UPDATE may set. Not when others
 * are deleted along with a row (ON DELETE CASCADE and the like).
 */
#include "drivers/postgresql/target.h"

#include <string.h>

#include "drivers/postgresql/encode.h"
#include "drivers/postgresql/quote.h"

int64_t pg_target_run(const struct pg_target *target, const struct strbuf *sql,
		      const struct pg_param *params, size_t count,
		      struct error *err)
{
	int64_t rows;

	if (strbuf_check(sql, err) < 0)
		return -1;
	rows = pg_query(target->conn, sql->data, params, count, err);
	pg_finish(target->conn);
	return rows;
}

/* ----------------------------------------------------------- pieces of SQL */

static const struct pg_dest_column *column_of(const struct pg_target *target,
					      size_t i)
{
	return pg_dest_column(&target->dest, target->shape->columns[i].name);
}

void pg_sql_dest(struct strbuf *sql, const struct pg_target *target)
{
	quote_table(sql, target->name.schema, target->name.table);
}

void pg_sql_own(struct strbuf *sql, const struct pg_target *target)
{
	if (target->dest.kind == 'r')
		strbuf_addstr(sql, "ONLY ");
	pg_sql_dest(sql, target);
}

void pg_sql_key_match(struct strbuf *sql, const struct pg_target *target)
{
	const struct table *shape = target->shape;

	for (size_t k = 0; k < shape->key_count; k++) {
		const struct pg_dest_column *column =
			column_of(target, shape->key[k]);

		strbuf_addstr(sql, k ? " AND (d." : "(d.");
		quote_name(sql, column->name);
		strbuf_addf(sql, " %s ", column->equal);
		pg_sql_loaded(sql, target, shape->key[k]);
		if (!column->not_null) {
			quote_names(sql, " OR (d.%n IS NULL AND s.%n IS NULL)",
				    column->name);
		}
		strbuf_addch(sql, ')');
	}
}

void pg_sql_loaded(struct strbuf *sql, const struct pg_target *target, size_t i)
{
	const struct pg_dest_column *column = column_of(target, i);

	strbuf_addstr(sql, "s.");
	quote_name(sql, column->name);
	if (encode_staged_as_text(&target->shape->columns[i], column)) {
		/* Its text depends on the locale, that of a number does not. */
		if (!strcmp(column->receive, "cash_recv"))
			strbuf_addstr(sql, "::numeric");
		strbuf_addf(sql, "::%s", column->type);
	} else if (strcmp(column->base, column->type) != 0) {
		strbuf_addf(sql, "::%s", column->type);
	}
}

void pg_sql_columns(struct strbuf *sql, const struct pg_target *target,
		    const char *prefix)
{
	for (size_t i = 0; i < target->shape->column_count; i++) {
		strbuf_addf(sql, "%s%s", i ? ", " : "", prefix);
		quote_name(sql, column_of(target, i)->name);
	}
}

static void add_all_loaded(struct strbuf *sql, const struct pg_target *target)
{
	for (size_t i = 0; i < target->shape->column_count; i++) {
		strbuf_addstr(sql, i ? ", " : "");
		pg_sql_loaded(sql, target, i);
	}
}

/*
 * By the bytes of their values, which is what *<> compares of two records: to =
 * 1.0 is 1.00, and some types know no equality at all.
 */
void pg_sql_differs(struct strbuf *sql, const struct pg_target *target)
{
	strbuf_addstr(sql, "ROW(");
	pg_sql_columns(sql, target, "d.");
	strbuf_addstr(sql, ")::record *<> ROW(");
	add_all_loaded(sql, target);
	strbuf_addstr(sql, ")::record");
}

/* What a row has afterwards: what was loaded, or what it has, where a change
 * leaves that as it was. */
static void add_new_value(struct strbuf *sql, const struct pg_target *target,
			  size_t i)
{
	bool kept = target->loader && pg_loader_kept(target->loader, i);

	if (kept) {
		strbuf_addf(sql,
			    "CASE WHEN substr(s.\"" LOADER_KEPT_COLUMN
			    "\", %zu, 1) = '1' ",
			    i + 1);
		quote_names(sql, "THEN d.%n ELSE ", column_of(target, i)->name);
	}
	pg_sql_loaded(sql, target, i);
	strbuf_addstr(sql, kept ? " END" : "");
}

static void add_changed(struct strbuf *sql, const struct pg_target *target,
			size_t i)
{
	quote_names(sql,
		    sql->len ? " OR ROW(d.%n)::record *<> ROW("
			     : "ROW(d.%n)::record *<> ROW(",
		    column_of(target, i)->name);
	add_new_value(sql, target, i);
	strbuf_addstr(sql, ")::record");
}

/* What an UPDATE sets; false: nothing. */
static bool add_assignments(struct strbuf *sql, const struct pg_target *target)
{
	bool any = false;

	for (size_t i = 0; i < target->shape->column_count; i++) {
		const struct pg_dest_column *column = column_of(target, i);

		if (column->always ||
		    (table_is_key(target->shape, i) && column->exact))
			continue;
		quote_names(sql, any ? ", %n = " : "%n = ", column->name);
		add_new_value(sql, target, i);
		any = true;
	}
	return any;
}

/* ------------------------------------------------------------------ deleting */

static int run(const struct pg_merge *merge, const struct strbuf *sql,
	       uint64_t *rows, struct error *err)
{
	int64_t got = pg_target_run(merge->target, sql, merge->params,
				    merge->param_count, err);

	if (got < 0)
		return -1;
	*rows += (uint64_t)got;
	return 0;
}

static void add_op(struct strbuf *sql, const struct pg_merge *merge,
		   enum row_op op)
{
	if (merge->changes)
		strbuf_addf(sql, " AND s.\"" LOADER_OP_COLUMN "\" = %d", op);
	strbuf_addstr(sql, merge->range);
}

int pg_merge_check_reach(const struct pg_target *target, struct error *err)
{
	struct strbuf keys, table;
	int ret = -1;

	strbuf_init(&keys);
	strbuf_init(&table);
	pg_sql_dest(&table, target);
	if (strbuf_check(&table, err) == 0 &&
	    pg_dest_reach(target->conn, &target->dest, PG_DEST_REACHES, &keys,
			  err) == 0)
		ret = !keys.len ? 0
				: error_set(err, ERROR_SCHEMA,
					    "all rows of %s would be deleted "
					    "and come again, and take rows of "
					    "other tables along by foreign key "
					    "%s; make it ON DELETE NO ACTION, "
					    "or ALTER TABLE %s DISABLE TRIGGER "
					    "ALL for the load",
					    table.data, keys.data, table.data);
	strbuf_release(&table);
	strbuf_release(&keys);
	return ret;
}

static bool knows_in_part(const struct pg_target *target)
{
	return target->loader &&
	       pg_loader_kept(target->loader, LOADER_ANY_COLUMN);
}

void pg_sql_partial(struct strbuf *sql)
{
	strbuf_addf(sql,
		    "s.\"" LOADER_OP_COLUMN "\" = %d "
		    "AND COALESCE(strpos(s.\"" LOADER_KEPT_COLUMN
		    "\", '1'), 0) > 0",
		    ROW_UPSERT);
}

/* Of changes `s`: a row that is not there, of which they do not tell all. */
static void add_missing(struct strbuf *sql, const struct pg_target *target)
{
	pg_sql_partial(sql);
	strbuf_addstr(sql, " AND NOT EXISTS (SELECT 1 FROM ");
	pg_sql_own(sql, target);
	strbuf_addstr(sql, " AS d WHERE ");
	pg_sql_key_match(sql, target);
	strbuf_addch(sql, ')');
}

/* Those that are put aside are known to be missing. */
static int64_t count_missing(const struct pg_merge *merge, struct error *err)
{
	struct pg_target *target = merge->target;
	struct pg_checkpoint_params p;
	struct strbuf sql;
	int64_t rows = -1;

	pg_checkpoint_identify(&p, target);
	strbuf_init(&sql);
	strbuf_addf(&sql, "SELECT count(*) FROM %s AS s WHERE ", merge->from);
	add_missing(&sql, target);
	if (target->keyed)
		strbuf_addstr(&sql, " AND NOT EXISTS (SELECT 1 FROM "
				    "dataflow.exceptions AS e "
				    "WHERE e.installation_id = $1 "
				    "AND e.mapping_id = $2 AND e.row_key = "
				    "s.\"" LOADER_KEY_COLUMN "\")");
	if (strbuf_check(&sql, err) == 0)
		rows = pg_query(target->conn, sql.data, p.params,
				target->keyed ? p.count : 0, err);
	strbuf_release(&sql);
	if (rows > 0)
		rows = pg_get_int(target->conn, 0, 0);
	pg_finish(target->conn);
	return rows;
}

int pg_merge_check_missing(const struct pg_merge *merge,
			   const struct checkpoint *from, struct error *err)
{
	struct pg_target *target = merge->target;
	struct strbuf keys;
	int64_t missing;
	int ret;

	if (!from || from->consistent_after_us || !knows_in_part(target))
		return 0;
	missing = count_missing(merge, err);
	if (missing <= 0)
		return (int)missing;
	strbuf_init(&keys);
	ret = pg_dest_reach(target->conn, &target->dest, PG_DEST_DELETED_BY,
			    &keys, err);
	if (ret == 0 && keys.len)
		ret = error_set(err, ERROR_GAP,
				"rows of destination '%s' are gone that were "
				"changed, %lld of them, and the log does not "
				"tell all of their values: they were deleted "
				"along with rows of another table by foreign "
				"key %s",
				target->name.table, (long long)missing,
				keys.data);
	strbuf_release(&keys);
	return ret;
}

/* A foreign key within the table, or a trigger, may delete more. */
static int delete_changed(const struct pg_merge *merge,
			  const struct strbuf *sql, uint64_t *rows,
			  struct error *err)
{
	int64_t before, after;

	if (!knows_in_part(merge->target))
		return run(merge, sql, rows, err);
	before = count_missing(merge, err);
	if (before < 0 || run(merge, sql, rows, err) < 0)
		return -1;
	after = count_missing(merge, err);
	if (after < 0)
		return -1;
	return after <= before
		       ? 0
		       : error_set(err, ERROR_GAP,
				   "%lld rows of destination '%s' were deleted "
				   "along with others by it itself (ON DELETE "
				   "CASCADE, or a trigger), and the log does "
				   "not tell all of their values",
				   (long long)(after - before),
				   merge->target->name.table);
}

int pg_merge_delete(const struct pg_merge *merge, uint64_t *rows,
		    struct error *err)
{
	const struct pg_target *target = merge->target;
	struct strbuf sql;
	int ret;

	if (!merge->changes && !target->shape->key_count &&
	    pg_merge_check_reach(target, err) < 0)
		return -1;
	strbuf_init(&sql);
	strbuf_addstr(&sql, "DELETE FROM ");
	pg_sql_own(&sql, target);
	strbuf_addstr(&sql, " AS d");
	if (merge->changes) {
		strbuf_addf(&sql, " USING %s AS s WHERE ", merge->from);
		pg_sql_key_match(&sql, target);
		add_op(&sql, merge, ROW_DELETE);
	} else if (target->shape->key_count) {
		strbuf_addf(&sql,
			    " WHERE NOT EXISTS (SELECT 1 FROM %s AS s "
			    "WHERE ",
			    merge->from);
		pg_sql_key_match(&sql, target);
		strbuf_addch(&sql, ')');
	}
	ret = merge->changes ? delete_changed(merge, &sql, rows, err)
			     : run(merge, &sql, rows, err);
	strbuf_release(&sql);
	return ret;
}

/* ------------------------------------------------------------------ updating */

/* The conditions under which an UPDATE cannot change a row, or might not. */
static void add_aside_conditions(struct strbuf *sql,
				 const struct pg_target *target, bool unique)
{
	for (size_t i = 0; i < target->shape->column_count; i++) {
		const struct pg_dest_column *column = column_of(target, i);
		bool in_unique =
			column->in_unique || target->dest.unique_expressions;

		if (!table_is_key(target->shape, i) &&
		    (column->always || (unique && in_unique)))
			add_changed(sql, target, i);
	}
}

/* All rows, or those that are not `changed`. */
static int update_in_place(const struct pg_merge *merge,
			   const struct strbuf *changed, uint64_t *rows,
			   struct error *err)
{
	const struct pg_target *target = merge->target;
	struct strbuf sql;
	int ret = 0;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "UPDATE ");
	pg_sql_own(&sql, target);
	strbuf_addstr(&sql, " AS d SET ");
	if (add_assignments(&sql, target)) {
		strbuf_addf(&sql, " FROM %s AS s WHERE ", merge->from);
		pg_sql_key_match(&sql, target);
		add_op(&sql, merge, ROW_UPSERT);
		if (changed)
			strbuf_addf(&sql, " AND NOT (%s)", changed->data);
		if (merge->differing) {
			strbuf_addstr(&sql, " AND ");
			pg_sql_differs(&sql, target);
		}
		ret = run(merge, &sql, rows, err);
	}
	strbuf_release(&sql);
	return ret;
}

/* The column of the shape that goes into a destination's; false: none does. */
static bool find_loaded(const struct pg_target *target,
			const struct pg_dest_column *column, size_t *i)
{
	for (*i = 0; *i < target->shape->column_count; ++*i)
		if (column_of(target, *i) == column)
			return true;
	return false;
}

/* Of `d`, and with `values` what they are afterwards. */
static void add_whole_row(struct strbuf *sql, const struct pg_target *target,
			  bool values)
{
	bool any = false;
	size_t i;

	for (size_t c = 0; c < target->dest.column_count; c++) {
		const struct pg_dest_column *column = &target->dest.columns[c];

		if (column->generated)
			continue;
		strbuf_addstr(sql, any ? ", " : "");
		any = true;
		if (values && find_loaded(target, column, &i)) {
			add_new_value(sql, target, i);
			strbuf_addstr(sql, " AS ");
		} else if (values) {
			strbuf_addstr(sql, "d.");
		}
		quote_name(sql, column->name);
	}
}

/* Rows that are `changed` go and come: what is sorted, is gone as a whole before
 * the first one comes. */
static int exchange(const struct pg_merge *merge, const struct strbuf *changed,
		    uint64_t *rows, struct error *err)
{
	const struct pg_target *target = merge->target;
	struct strbuf sql;
	int ret;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "WITH gone AS (DELETE FROM ");
	pg_sql_own(&sql, target);
	strbuf_addf(&sql, " AS d USING %s AS s WHERE ", merge->from);
	pg_sql_key_match(&sql, target);
	add_op(&sql, merge, ROW_UPSERT);
	strbuf_addf(&sql, " AND (%s) RETURNING d.ctid AS \"__$dataflow_at\", ",
		    changed->data);
	add_whole_row(&sql, target, true);
	strbuf_addstr(&sql, ") INSERT INTO ");
	pg_sql_dest(&sql, target);
	strbuf_addstr(&sql, " (");
	add_whole_row(&sql, target, false);
	strbuf_addstr(&sql, ") OVERRIDING SYSTEM VALUE SELECT ");
	add_whole_row(&sql, target, false);
	strbuf_addstr(&sql, " FROM gone ORDER BY \"__$dataflow_at\"");
	ret = run(merge, &sql, rows, err);
	strbuf_release(&sql);
	return ret;
}

static int update_aside(const struct pg_merge *merge,
			const struct strbuf *changed, uint64_t *rows,
			struct error *err)
{
	if (update_in_place(merge, changed, rows, err) < 0)
		return -1;
	return exchange(merge, changed, rows, err);
}

static int begin_try(struct pg *conn, struct error *err)
{
	return pg_exec(conn, "SAVEPOINT dataflow_update", err);
}

static int end_try(struct pg *conn, bool undo, struct error *err)
{
	return pg_exec(conn,
		       undo ? "ROLLBACK TO SAVEPOINT dataflow_update; "
			      "RELEASE SAVEPOINT dataflow_update"
			    : "RELEASE SAVEPOINT dataflow_update",
		       err);
}

static bool is_collision(const struct error *err)
{
	return !strcmp(err->sqlstate, "23505") ||
	       !strcmp(err->sqlstate, "23P01");
}

static bool may_set_aside(const struct pg_merge *merge)
{
	return !merge->target->dest.delete_reaches_others;
}

/* Plainly, and if that collides, in the other way. */
static int update_unique(const struct pg_merge *merge,
			 const struct strbuf *changed, uint64_t *rows,
			 struct error *err)
{
	struct pg *conn = merge->target->conn;
	struct error later = ERROR_INIT;
	uint64_t before = *rows;

	if (begin_try(conn, err) < 0)
		return -1;
	if (update_in_place(merge, NULL, rows, err) == 0)
		return end_try(conn, false, err);
	if (!is_collision(err) || !may_set_aside(merge) ||
	    end_try(conn, true, &later) < 0)
		return -1;
	*rows = before;
	/* What the second way fails for may be the way's own affair. */
	if (update_aside(merge, changed, rows, &later) == 0) {
		error_clear(err);
		return 0;
	}
	if (later.kind != ERROR_DATA)
		*err = later;
	return -1;
}

int pg_merge_update(const struct pg_merge *merge, uint64_t *rows,
		    struct error *err)
{
	const struct pg_target *target = merge->target;
	struct strbuf always, changed;
	int ret = -1;

	if (!target->shape->key_count)
		return 0;
	strbuf_init(&always);
	strbuf_init(&changed);
	add_aside_conditions(&always, target, false);
	add_aside_conditions(&changed, target, true);
	if (strbuf_check(&changed, err) < 0)
		goto done;
	if (always.len && may_set_aside(merge))
		ret = update_aside(merge, &changed, rows, err);
	else if (changed.len)
		ret = update_unique(merge, &changed, rows, err);
	else
		ret = update_in_place(merge, NULL, rows, err);
done:
	strbuf_release(&changed);
	strbuf_release(&always);
	return ret;
}

/* ----------------------------------------------------------------- inserting */

/*
 * Is there nothing in the destination? A table without a page is planned as one
 * that is read for nothing, so it would be read again for each row that comes,
 * with all those that came before: 30,000 rows took eight seconds, and ten times
 * as many a hundred times that. A partitioned table has no pages itself.
 */
static int is_empty(const struct pg_target *target, bool *empty,
		    struct error *err)
{
	struct pg_param id = pg_int(target->dest.oid);
	struct strbuf sql;
	int64_t rows = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "SELECT CASE WHEN pg_relation_size($1::oid) = 0 "
			    "THEN NOT EXISTS (SELECT 1 FROM ");
	pg_sql_own(&sql, target);
	strbuf_addstr(&sql, ") ELSE false END");
	if (strbuf_check(&sql, err) == 0)
		rows = pg_query(target->conn, sql.data, &id, 1, err);
	strbuf_release(&sql);
	if (rows < 0)
		return -1;
	*empty = pg_get_bool(target->conn, 0, 0);
	pg_finish(target->conn);
	return 0;
}

int pg_merge_insert(const struct pg_merge *merge, uint64_t *rows,
		    struct error *err)
{
	const struct pg_target *target = merge->target;
	bool whole = merge->whole;
	struct strbuf sql;
	int ret;

	if (!whole && merge->many && is_empty(target, &whole, err) < 0)
		return -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "INSERT INTO ");
	pg_sql_dest(&sql, target);
	strbuf_addstr(&sql, " (");
	pg_sql_columns(&sql, target, "");
	strbuf_addstr(&sql, ") OVERRIDING SYSTEM VALUE SELECT ");
	add_all_loaded(&sql, target);
	strbuf_addf(&sql, " FROM %s AS s WHERE true", merge->from);
	add_op(&sql, merge, ROW_UPSERT);
	/* What is known in part is no new row. */
	if (knows_in_part(target))
		strbuf_addstr(&sql,
			      " AND COALESCE(strpos(s.\"" LOADER_KEPT_COLUMN
			      "\", '1'), 0) = 0");
	if (target->shape->key_count && !whole) {
		strbuf_addstr(&sql, " AND NOT EXISTS (SELECT 1 FROM ");
		pg_sql_own(&sql, target);
		strbuf_addstr(&sql, " AS d WHERE ");
		pg_sql_key_match(&sql, target);
		strbuf_addch(&sql, ')');
	}
	ret = run(merge, &sql, rows, err);
	strbuf_release(&sql);
	return ret;
}

int pg_merge_all(const struct pg_merge *merge, uint64_t *rows,
		 struct error *err)
{
	const struct pg_target *target = merge->target;
	struct strbuf sql;
	int ret;

	if (pg_merge_check_reach(target, err) < 0)
		return -1;
	strbuf_init(&sql);
	strbuf_addstr(&sql, "WITH gone AS (DELETE FROM ");
	pg_sql_own(&sql, target);
	strbuf_addstr(&sql, " RETURNING 1) INSERT INTO ");
	pg_sql_dest(&sql, target);
	strbuf_addstr(&sql, " (");
	pg_sql_columns(&sql, target, "");
	strbuf_addstr(&sql, ") OVERRIDING SYSTEM VALUE SELECT ");
	add_all_loaded(&sql, target);
	/* Counted, all are gone before the first one comes. */
	strbuf_addf(&sql, " FROM %s AS s, (SELECT count(*) FROM gone) AS g",
		    merge->from);
	ret = run(merge, &sql, rows, err);
	strbuf_release(&sql);
	return ret;
}

/* ----------------------------------------------------------------- sequences */

static int move_sequence(const struct pg_merge *merge, size_t i,
			 struct error *err)
{
	const struct pg_dest_column *column = column_of(merge->target, i);
	struct pg_param sequence = pg_text(column->sequence);
	struct strbuf sql;
	int64_t rows;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "SELECT setval($1::text::regclass, m.most) "
			    "FROM (SELECT max(");
	pg_sql_loaded(&sql, merge->target, i);
	strbuf_addf(&sql,
		    ")::bigint AS most FROM %s AS s) AS m, %s AS q, "
		    "pg_sequence AS z WHERE z.seqrelid = $1::text::regclass "
		    "AND m.most BETWEEN q.last_value + (q.is_called)::int "
		    "AND z.seqmax",
		    merge->from, column->sequence);
	rows = pg_target_run(merge->target, &sql, &sequence, 1, err);
	strbuf_release(&sql);
	return rows < 0 ? -1 : 0;
}

int pg_merge_sequences(const struct pg_merge *merge, struct error *err)
{
	const struct pg_target *target = merge->target;

	for (size_t i = 0; i < target->shape->column_count; i++)
		if (*column_of(target, i)->sequence &&
		    move_sequence(merge, i, err) < 0)
			return -1;
	return 0;
}
