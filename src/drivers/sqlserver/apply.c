/*
 * Changes by key, exactly once.
 *
 * A window's changes are loaded into a temporary table of the session, which
 * vanishes with it, so a crash leaves nothing behind. Then, in one
 * transaction: the checkpoint moves, if it is where we left it; rows of
 * deleted keys go, first, or their old values could collide with new ones in
 * a unique index; rows that exist are updated, the others inserted. MERGE
 * would be shorter, but has too many known defects.
 *
 * Rows of a table with a foreign key to itself come in the order that such a key
 * allows: those that are new, before others refer to them; what refers to a row
 * that goes, before it does. A unique value may stand in the way then; what the
 * server refuses in this order is taken row by row, in the order that it finds.
 *
 * A change that leaves a value as it was gets it from the row's earlier changes
 * of the window, before only the last of each key is kept; what none of them
 * told stays as the table has it.
 */
#include "drivers/sqlserver/target.h"

#include <string.h>

#include "base/failpoint.h"
#include "drivers/sqlserver/sql.h"

#define CHANGES APPLY_CHANGES

/* Below this many rows an index costs more than it saves. */
#define INDEX_FROM_ROWS 500

#define CLUSTERED_KEY_BYTES 900

/* The changes have the names of the destination, which may differ in case. */
static const struct catalog_column *column_of(
	const struct sqlserver_target *target, size_t i)
{
	return catalog_column(&target->dest, target->shape->columns[i].name);
}

static void add_key_list(struct strbuf *sql,
			 const struct sqlserver_target *target)
{
	const struct table *shape = target->shape;

	for (size_t k = 0; k < shape->key_count; k++)
		sql_names(sql, k ? ", %n" : "%n",
			  column_of(target, shape->key[k])->name, NULL);
}

int apply_begin(struct sqlserver_target *target, struct error *err)
{
	/* Keys as text only where something may have to be found by them. */
	bool keyed = target->isolate || target->exceptions ||
		     target->dest.refers_to_itself;
	enum loader_kind kind = keyed ? LOADER_KEYED_CHANGES : LOADER_CHANGES;
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	if (target->has_changes_table && target->changes_keyed == keyed &&
	    target->changes_columns == target->shape->column_count) {
		strbuf_addstr(&sql, "TRUNCATE TABLE " CHANGES);
	} else {
		strbuf_addstr(&sql, "DROP TABLE IF EXISTS " CHANGES
				    "; CREATE TABLE " CHANGES " (");
		loader_columns(&sql, &target->dest, target->shape, kind);
		strbuf_addstr(&sql, ")");
	}
	if (strbuf_check(&sql, err) < 0 ||
	    tds_exec(target->conn, sql.data, err) < 0)
		goto done;
	target->has_changes_table = true;
	target->changes_keyed = keyed;
	target->changes_columns = target->shape->column_count;
	target->loader = loader_new(target->conn, CHANGES, &target->dest,
				    target->shape, kind, err);
	ret = target->loader ? 0 : -1;
done:
	strbuf_release(&sql);
	return ret;
}

/* A clustered index serves best, but its keys must be shorter than others. */
static const char *kind_of_index(const struct sqlserver_target *target)
{
	const struct table *shape = target->shape;
	int bytes = 0;

	for (size_t k = 0; k < shape->key_count; k++)
		bytes += column_of(target, shape->key[k])->max_length;
	return bytes <= CLUSTERED_KEY_BYTES ? "CLUSTERED" : "NONCLUSTERED";
}

static void add_same_key(struct strbuf *sql,
			 const struct sqlserver_target *target,
			 const char *format)
{
	const struct table *shape = target->shape;

	for (size_t k = 0; k < shape->key_count; k++) {
		const char *name = column_of(target, shape->key[k])->name;

		strbuf_addstr(sql, k ? " AND " : "");
		sql_names(sql, format, name, name);
	}
}

/*
 * What a change leaves as it was, and an earlier one of its row told: the last
 * of those that did, unless the row was deleted after that.
 */
static void add_fill(struct strbuf *sql, const struct sqlserver_target *target,
		     size_t i)
{
	const char *name = column_of(target, i)->name;

	strbuf_addstr(sql, "UPDATE s SET ");
	sql_names(sql, "%n = p.%n, ", name, name);
	strbuf_addf(sql,
		    "[" LOADER_KEPT_COLUMN "] = STUFF(s.[" LOADER_KEPT_COLUMN
		    "], %zu, 1, '0') FROM " CHANGES " AS s INNER JOIN " CHANGES
		    " AS p ON ",
		    i + 1);
	add_same_key(sql, target, "p.%n = s.%n");
	strbuf_addstr(sql,
		      " AND p.[" LOADER_SEQ_COLUMN "] = (SELECT MAX(q."
		      "[" LOADER_SEQ_COLUMN "]) FROM " CHANGES " AS q WHERE ");
	add_same_key(sql, target, "q.%n = s.%n");
	strbuf_addf(sql,
		    " AND q.[" LOADER_SEQ_COLUMN "] < s.[" LOADER_SEQ_COLUMN
		    "] AND (q.[" LOADER_OP_COLUMN "] = %d "
		    "OR q.[" LOADER_KEPT_COLUMN "] IS NULL "
		    "OR SUBSTRING(q.[" LOADER_KEPT_COLUMN
		    "], %zu, 1) = '0')) WHERE p.[" LOADER_OP_COLUMN
		    "] = %d AND SUBSTRING(s.[" LOADER_KEPT_COLUMN
		    "], %zu, 1) = '1'; ",
		    ROW_DELETE, i + 1, ROW_UPSERT, i + 1);
}

static int fill(struct sqlserver_target *target, uint64_t rows,
		struct error *err)
{
	const struct table *shape = target->shape;
	struct strbuf sql;
	int ret = -1;

	if (!loader_kept(target->loader, LOADER_ANY_COLUMN))
		return 0;
	strbuf_init(&sql);
	if (rows >= INDEX_FROM_ROWS &&
	    !strcmp(kind_of_index(target), "CLUSTERED")) {
		strbuf_addstr(&sql, "CREATE INDEX by_change ON " CHANGES " (");
		add_key_list(&sql, target);
		strbuf_addstr(&sql, ", [" LOADER_SEQ_COLUMN "]); ");
		target->has_changes_table = false;
	}
	for (size_t i = 0; i < shape->column_count; i++)
		if (loader_kept(target->loader, i))
			add_fill(&sql, target, i);
	if (strbuf_check(&sql, err) == 0)
		ret = tds_exec(target->conn, sql.data, err);
	strbuf_release(&sql);
	return ret;
}

int apply_keep_last(struct sqlserver_target *target, uint64_t rows,
		    struct error *err)
{
	struct strbuf sql;
	int ret = -1;

	if (fill(target, rows, err) < 0)
		return -1;
	strbuf_init(&sql);
	strbuf_addstr(
		&sql,
		"WITH ranked AS (SELECT ROW_NUMBER() OVER (PARTITION BY ");
	add_key_list(&sql, target);
	strbuf_addstr(&sql, " ORDER BY [" LOADER_SEQ_COLUMN "] DESC) AS n "
			    "FROM " CHANGES ") DELETE FROM ranked WHERE n > 1");
	if (rows >= INDEX_FROM_ROWS) {
		strbuf_addf(&sql,
			    "; CREATE UNIQUE %s INDEX by_key ON " CHANGES " (",
			    kind_of_index(target));
		add_key_list(&sql, target);
		strbuf_addstr(&sql, ")");
		/* TRUNCATE would keep it, and the next load be slow. */
		target->has_changes_table = false;
	}
	if (strbuf_check(&sql, err) == 0)
		ret = tds_exec(target->conn, sql.data, err);
	strbuf_release(&sql);
	return ret;
}

static void add_delete_head(struct strbuf *sql,
			    const struct sqlserver_target *target)
{
	strbuf_addstr(sql, "DELETE d FROM ");
	sql_table(sql, target->name.schema, target->name.table);
	strbuf_addstr(sql, " AS d INNER JOIN " CHANGES " AS s ON ");
	target_sql_key_match(sql, target);
}

void apply_sql_delete(struct strbuf *sql, const struct sqlserver_target *target,
		      const char *range)
{
	add_delete_head(sql, target);
	strbuf_addf(sql, " WHERE s.[" LOADER_OP_COLUMN "] = %d%s; ", ROW_DELETE,
		    range);
}

bool apply_sql_remake(struct strbuf *sql, const struct sqlserver_target *target,
		      const char *range)
{
	bool any = false;

	for (size_t i = 0; i < target->shape->column_count; i++) {
		const struct catalog_column *column = column_of(target, i);

		if (!column->identity || table_is_key(target->shape, i))
			continue;
		if (!any)
			add_delete_head(sql, target);
		sql_names(sql,
			  any ? " OR d.%n <> s.%n" : " WHERE (d.%n <> s.%n",
			  column->name, column->name);
		any = true;
	}
	if (any)
		strbuf_addf(sql, ")%s; ", range);
	return any;
}

bool apply_sql_update(struct strbuf *sql, const struct sqlserver_target *target,
		      const char *range)
{
	struct strbuf set;
	bool any;

	strbuf_init(&set);
	any = target_sql_assignments(&set, target);
	if (any) {
		strbuf_addf(sql, "UPDATE d SET %s FROM ", set.data);
		sql_table(sql, target->name.schema, target->name.table);
		strbuf_addstr(sql, " AS d INNER JOIN " CHANGES " AS s ON ");
		target_sql_key_match(sql, target);
		strbuf_addf(sql, " WHERE s.[" LOADER_OP_COLUMN "] = %d%s",
			    ROW_UPSERT, range);
		/* What is applied twice must not be in the history twice. */
		if (target->dest.versioned) {
			strbuf_addstr(sql, " AND ");
			target_sql_differs(sql, target);
		}
		strbuf_addstr(sql, "; ");
	}
	if (set.failed)
		sql->failed = set.failed;
	strbuf_release(&set);
	return any;
}

void apply_sql_insert(struct strbuf *sql, const struct sqlserver_target *target,
		      const char *range, const char *after)
{
	struct strbuf where;

	strbuf_init(&where);
	strbuf_addf(&where,
		    "WHERE s.[" LOADER_OP_COLUMN "] = %d%s "
		    "AND NOT EXISTS (SELECT 1 FROM ",
		    ROW_UPSERT, range);
	sql_table(&where, target->name.schema, target->name.table);
	strbuf_addstr(&where, " AS d WHERE ");
	target_sql_key_match(&where, target);
	strbuf_addch(&where, ')');
	/* What is known in part is no new row. */
	if (loader_kept(target->loader, LOADER_ANY_COLUMN))
		strbuf_addstr(&where, " AND (s.[" LOADER_KEPT_COLUMN
				      "] IS NULL OR s.[" LOADER_KEPT_COLUMN
				      "] NOT LIKE '%1%')");
	target_sql_insert(sql, target, CHANGES, where.data, after);
	if (where.failed)
		sql->failed = where.failed;
	strbuf_release(&where);
}

static void add_delete(struct strbuf *sql,
		       const struct sqlserver_target *target)
{
	apply_sql_delete(sql, target, "");
	strbuf_addstr(sql, "SET @deleted = @deleted + @@ROWCOUNT; ");
}

static void add_remake(struct strbuf *sql,
		       const struct sqlserver_target *target)
{
	if (apply_sql_remake(sql, target, ""))
		strbuf_addstr(sql, "SET @deleted = @deleted + @@ROWCOUNT; ");
}

static void add_update(struct strbuf *sql,
		       const struct sqlserver_target *target, const char *range)
{
	if (apply_sql_update(sql, target, range))
		strbuf_addstr(sql, "SET @updated = @@ROWCOUNT; ");
}

static void add_insert(struct strbuf *sql,
		       const struct sqlserver_target *target)
{
	apply_sql_insert(sql, target, "", "SET @inserted = @@ROWCOUNT; ");
}

/* Rows that are inserted must not be updated after that. */
static void add_mark_new(struct strbuf *sql,
			 const struct sqlserver_target *target)
{
	strbuf_addstr(sql, "UPDATE s SET [" LOADER_SEQ_COLUMN
			   "] = -s.[" LOADER_SEQ_COLUMN "] FROM " CHANGES
			   " AS s WHERE NOT EXISTS (SELECT 1 FROM ");
	sql_table(sql, target->name.schema, target->name.table);
	strbuf_addstr(sql, " AS d WHERE ");
	target_sql_key_match(sql, target);
	strbuf_addstr(sql, "); ");
}

static void add_changes(struct strbuf *sql,
			const struct sqlserver_target *target)
{
	if (!target->dest.refers_to_itself) {
		add_delete(sql, target);
		add_remake(sql, target);
		add_update(sql, target, "");
		add_insert(sql, target);
		return;
	}
	add_remake(sql, target);
	add_mark_new(sql, target);
	add_insert(sql, target);
	add_update(sql, target, " AND s.[" LOADER_SEQ_COLUMN "] > 0");
	add_delete(sql, target);
}

int apply_commit(struct sqlserver_target *target, const struct checkpoint *from,
		 const struct checkpoint *to, struct target_counts *counts,
		 struct error *err)
{
	struct strbuf sql;
	uint64_t rows;
	int ret = -1;

	strbuf_init(&sql);
	if (loader_end(target->loader, &rows, err) < 0 ||
	    (rows > 1 && apply_keep_last(target, rows, err) < 0))
		goto done;
	FAILPOINT(WINDOW_STAGED);
	strbuf_addstr(&sql, "DECLARE @deleted bigint = 0, @updated bigint = 0, "
			    "@inserted bigint = 0, @settled bigint = 0; "
			    "BEGIN TRANSACTION; ");
	checkpoint_sql(&sql, from != NULL);
	add_changes(&sql, target);
	if (target->changes_keyed)
		strbuf_addstr(&sql,
			      APPLY_SETTLE("") "SET @settled = @@ROWCOUNT; ");
	strbuf_addstr(&sql, "COMMIT TRANSACTION; "
			    "SELECT @deleted, @updated, @inserted, @settled");
	if (strbuf_check(&sql, err) == 0)
		ret = target_transact(target, sql.data, from, to, counts, err);
	if (ret < 0 && target->dest.refers_to_itself &&
	    tds_usable(target->conn) && isolate_depends_on_order(err))
		ret = isolate_in_order(target, rows, from, to, counts, err);
done:
	strbuf_release(&sql);
	return ret;
}
