/*
 * A full load beside the live table, then the swap.
 *
 * Rows go into dataflow.load_…, a table of our own. Where SQL Server allows
 * it, that one gets the same columns, indexes and checks as the destination
 * and is switched in: TRUNCATE and ALTER TABLE … SWITCH change nothing but
 * metadata, keep grants and triggers, and are undone by a rollback. Otherwise
 * (foreign keys, computed columns, partitions, system versioning …) the
 * difference is applied in one transaction, under a table lock, so that a
 * reader sees the old rows or the new ones and never some of each; rows that
 * are the same are not touched, and leave nothing in a history. Renaming was
 * rejected: grants, triggers and references stay with the old table.
 */
#include "drivers/sqlserver/target.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "drivers/sqlserver/clone.h"
#include "drivers/sqlserver/sql.h"

/*
 * The switch waits for those who read the table, and whoever comes to read it
 * then waits for the switch. Not longer than this; it is tried again.
 */
#define SWITCH_TIMEOUT_S 60

#define ENDS "#dataflow_ends"

/*
 * Enough of the installation's id to keep two of them apart. The epoch keeps
 * us away from a daemon that lost its lease and still loads.
 */
static void choose_name(struct sqlserver_target *target)
{
	snprintf(target->load_table, sizeof(target->load_table),
		 "load_%.8s_%d_%lld", target->installation, target->mapping_id,
		 (long long)target->epoch);
}

void replace_table(struct strbuf *sql, const struct sqlserver_target *target)
{
	sql_table(sql, "dataflow", target->load_table);
}

/*
 * Loads of earlier epochs were cut off. Whoever still writes into one keeps
 * it, which is none of our business.
 */
static void drop_leftovers(struct sqlserver_target *target)
{
	static const char sql[] =
		"SET LOCK_TIMEOUT 0; DECLARE @drop nvarchar(max) = N''; "
		"SELECT @drop = @drop + N'DROP TABLE dataflow.' "
		"+ QUOTENAME(t.name) + N'; ' FROM sys.tables AS t "
		"WHERE t.schema_id = SCHEMA_ID(N'dataflow') "
		"AND t.name LIKE @pattern; "
		"EXEC sys.sp_executesql @drop";
	struct tds_param pattern;
	struct error ignored;
	struct strbuf text;

	strbuf_init(&text);
	strbuf_addf(&text, "load[_]%.8s[_]%d[_]%%", target->installation,
		    target->mapping_id);
	pattern = tds_text("@pattern", text.data);
	if (!text.failed &&
	    (tds_query(target->conn, sql, &pattern, 1, &ignored) < 0 ||
	     tds_finish(target->conn, &ignored) < 0))
		log_debug("cannot drop what loads left behind: %s",
			  ignored.message);
	strbuf_release(&text);
}

/*
 * The clone has the destination's columns in its order. That works when the
 * load fills every one of them as it is.
 */
static bool columns_allow_switch(const struct sqlserver_target *target)
{
	const struct catalog_table *dest = &target->dest;
	const struct table *shape = target->shape;

	if (dest->column_count != shape->column_count)
		return false;
	for (size_t i = 0; i < dest->column_count; i++) {
		const struct catalog_column *column = &dest->columns[i];

		if (column->computed || column->generated ||
		    !strcmp(column->type, "xml") ||
		    catalog_column(dest, shape->columns[i].name) != column)
			return false;
	}
	return true;
}

static int read_clone(struct sqlserver_target *target, const char *name,
		      struct clone *clone, struct error *err)
{
	clone_init(clone);
	if (!columns_allow_switch(target))
		return 0;
	return clone_read(target->conn, target->dest.object_id, name, clone,
			  err);
}

int replace_make_table(struct sqlserver_target *target, bool heap,
		       struct error *err)
{
	struct strbuf name, sql;
	struct clone clone;
	int ret = -1;

	strbuf_init(&name);
	strbuf_init(&sql);
	choose_name(target);
	replace_table(&name, target);
	drop_leftovers(target);
	if (read_clone(target, name.data, &clone, err) < 0)
		goto done;
	strbuf_addstr(&sql, PLAN_REMOVE);
	strbuf_addf(&sql, "DROP TABLE IF EXISTS %s; CREATE TABLE %s (",
		    name.data, name.data);
	loader_columns(&sql, &target->dest, target->shape, false);
	strbuf_addch(&sql, ')');
	if (clone.possible && clone.filegroup.len)
		strbuf_addf(&sql, " ON %s", clone.filegroup.data);
	strbuf_addstr(&sql, "; ");
	if (clone.possible && !heap)
		strbuf_addstr(&sql, clone.clustered.data);
	if (strbuf_check(&sql, err) == 0)
		ret = checkpoint_run(target, sql.data, err);
done:
	clone_release(&clone);
	strbuf_release(&sql);
	strbuf_release(&name);
	return ret;
}

static int begin_loader(struct sqlserver_target *target, struct error *err)
{
	struct strbuf name;

	strbuf_init(&name);
	replace_table(&name, target);
	if (strbuf_check(&name, err) == 0)
		target->loader =
			loader_new(target->conn, name.data, &target->dest,
				   target->shape, false, err);
	strbuf_release(&name);
	return target->loader ? 0 : -1;
}

int replace_begin(struct sqlserver_target *target, struct error *err)
{
	if (replace_make_table(target, false, err) < 0)
		return -1;
	return begin_loader(target, err);
}

/* ---------------------------------------------------------------- the swap */

static const struct catalog_column *find_identity(
	const struct sqlserver_target *target)
{
	for (size_t i = 0; i < target->dest.column_count; i++)
		if (target->dest.columns[i].identity)
			return &target->dest.columns[i];
	return NULL;
}

/*
 * TRUNCATE sets an identity back to its seed, and rows that are switched in do
 * not move it: the next row of an application would get a number that is
 * taken. So the rows with the first and the last number come after the switch,
 * by INSERT, which does. DBCC CHECKIDENT wants the owner of the schema.
 */
static void take_ends(struct strbuf *sql, const char *name,
		      const struct catalog_column *identity)
{
	strbuf_addf(sql, "SELECT s.* INTO " ENDS " FROM %s AS s WHERE ", name);
	sql_names(sql, "s.%n IN (SELECT MIN(m.%n) FROM ", identity->name, NULL);
	strbuf_addf(sql, "%s AS m UNION ALL ", name);
	sql_names(sql, "SELECT MAX(m.%n) FROM ", identity->name, NULL);
	strbuf_addf(sql, "%s AS m); DELETE s FROM %s AS s ", name, name);
	sql_names(sql, "INNER JOIN " ENDS " AS e ON s.%n = e.%n; ",
		  identity->name, NULL);
}

static int try_switch(struct sqlserver_target *target, const char *name,
		      const struct checkpoint *from,
		      const struct checkpoint *to, struct target_counts *counts,
		      struct error *err)
{
	int timeout = tds_set_query_timeout(target->conn, SWITCH_TIMEOUT_S);
	const struct catalog_column *identity = find_identity(target);
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "BEGIN TRANSACTION; ");
	checkpoint_sql(&sql, from != NULL);
	strbuf_addstr(&sql, PLAN_REMOVE EXCEPTIONS_REMOVE);
	if (identity)
		take_ends(&sql, name, identity);
	strbuf_addstr(&sql, "TRUNCATE TABLE ");
	sql_table(&sql, target->name.schema, target->name.table);
	strbuf_addf(&sql, "; ALTER TABLE %s SWITCH TO ", name);
	sql_table(&sql, target->name.schema, target->name.table);
	strbuf_addstr(&sql, "; ");
	if (identity)
		target_sql_insert(&sql, target, ENDS, "", "");
	strbuf_addstr(&sql, "COMMIT TRANSACTION; SELECT 0, 0, 0, 0");
	if (strbuf_check(&sql, err) == 0)
		ret = target_transact(target, sql.data, from, to, counts, err);
	strbuf_release(&sql);
	tds_set_query_timeout(target->conn, timeout);
	return ret;
}

/* An identity cannot be updated: a row with another one is made anew. */
static void add_same_identity(struct strbuf *sql,
			      const struct sqlserver_target *target)
{
	for (size_t i = 0; i < target->shape->column_count; i++) {
		const struct catalog_column *column = catalog_column(
			&target->dest, target->shape->columns[i].name);

		if (column->identity && !table_is_key(target->shape, i))
			sql_names(sql, " AND d.%n = s.%n", column->name, NULL);
	}
}

/* Rows that the load does not have; all, when none has a key. */
static void add_delete(struct strbuf *sql, struct sqlserver_target *target,
		       const char *name, bool keyed)
{
	strbuf_addstr(sql, "DELETE d FROM ");
	sql_table(sql, target->name.schema, target->name.table);
	strbuf_addstr(sql, " AS d WITH (TABLOCKX)");
	if (keyed) {
		strbuf_addf(sql,
			    " WHERE NOT EXISTS (SELECT 1 FROM %s AS s WHERE ",
			    name);
		target_sql_key_match(sql, target);
		add_same_identity(sql, target);
		strbuf_addch(sql, ')');
	}
	strbuf_addstr(sql, "; ");
}

static void add_update(struct strbuf *sql, struct sqlserver_target *target,
		       const char *name)
{
	struct strbuf set;

	strbuf_init(&set);
	if (target_sql_assignments(&set, target)) {
		strbuf_addf(sql, "UPDATE d SET %s FROM ", set.data);
		sql_table(sql, target->name.schema, target->name.table);
		strbuf_addf(sql, " AS d INNER JOIN %s AS s ON ", name);
		target_sql_key_match(sql, target);
		strbuf_addstr(sql, " WHERE ");
		target_sql_differs(sql, target);
		strbuf_addstr(sql, "; ");
	}
	if (set.failed)
		sql->failed = set.failed;
	strbuf_release(&set);
}

static void add_insert(struct strbuf *sql, struct sqlserver_target *target,
		       const char *name, bool keyed)
{
	struct strbuf where;

	strbuf_init(&where);
	if (keyed) {
		strbuf_addstr(&where, "WHERE NOT EXISTS (SELECT 1 FROM ");
		sql_table(&where, target->name.schema, target->name.table);
		strbuf_addstr(&where, " AS d WHERE ");
		target_sql_key_match(&where, target);
		strbuf_addch(&where, ')');
	}
	target_sql_insert(sql, target, name, where.data, "");
	if (where.failed)
		sql->failed = where.failed;
	strbuf_release(&where);
}

/* `keyed`: the difference alone; otherwise all rows go and come. */
static int exchange(struct sqlserver_target *target, const char *name,
		    bool keyed, const struct checkpoint *from,
		    const struct checkpoint *to, struct target_counts *counts,
		    struct error *err)
{
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "BEGIN TRANSACTION; ");
	checkpoint_sql(&sql, from != NULL);
	strbuf_addstr(&sql, PLAN_REMOVE EXCEPTIONS_REMOVE);
	add_delete(&sql, target, name, keyed);
	if (keyed)
		add_update(&sql, target, name);
	add_insert(&sql, target, name, keyed);
	strbuf_addstr(&sql, "COMMIT TRANSACTION; SELECT 0, 0, 0, 0");
	if (strbuf_check(&sql, err) == 0)
		ret = target_transact(target, sql.data, from, to, counts, err);
	strbuf_release(&sql);
	return ret;
}

static int drop_load_table(struct sqlserver_target *target, const char *name,
			   struct error *err)
{
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addf(&sql, "DROP TABLE IF EXISTS %s", name);
	if (strbuf_check(&sql, err) == 0)
		ret = tds_exec(target->conn, sql.data, err);
	strbuf_release(&sql);
	return ret;
}

static void add_shared(struct strbuf *sql,
		       const struct sqlserver_target *target)
{
	const struct table *shape = target->shape;

	strbuf_addstr(sql, " AS s GROUP BY ");
	for (size_t k = 0; k < shape->key_count; k++)
		sql_names(sql, k ? ", s.%n" : "s.%n",
			  catalog_column(&target->dest,
					 shape->columns[shape->key[k]].name)
				  ->name,
			  NULL);
	strbuf_addstr(sql, " HAVING COUNT(*) > 1)");
}

/* 1: rows of the load, or of the destination, share a key; 0: none do. */
static int shares_keys(struct sqlserver_target *target, const char *name,
		       struct error *err)
{
	struct strbuf sql;
	int rc = -1;

	strbuf_init(&sql);
	strbuf_addf(&sql, "SELECT 1 WHERE EXISTS (SELECT 1 FROM %s", name);
	add_shared(&sql, target);
	strbuf_addstr(&sql, " OR EXISTS (SELECT 1 FROM ");
	sql_table(&sql, target->name.schema, target->name.table);
	add_shared(&sql, target);
	if (strbuf_check(&sql, err) == 0)
		rc = tds_query_row(target->conn, sql.data, NULL, 0, err);
	strbuf_release(&sql);
	if (rc <= 0)
		return rc;
	log_info("rows of %s share a key: all rows are exchanged",
		 target->name.table);
	return tds_finish(target->conn, err) < 0 ? -1 : 1;
}

/* Can the trouble of a SWITCH be avoided by not switching? */
static bool is_refusal(const struct sqlserver_target *target,
		       const struct error *err)
{
	return tds_usable(target->conn) && !err->retryable &&
	       err->kind != ERROR_CANCELLED && err->kind != ERROR_CONFLICT;
}

/* A load in parts went into a heap: several can write one at a time. */
static int build_indexes(struct sqlserver_target *target,
			 const struct clone *clone, struct error *err)
{
	if (target->in_parts && clone->clustered.len &&
	    tds_exec(target->conn, clone->clustered.data, err) < 0)
		return -1;
	if (!clone->others.len)
		return 0;
	return tds_exec(target->conn, clone->others.data, err);
}

static int swap(struct sqlserver_target *target, const char *name,
		const struct checkpoint *from, const struct checkpoint *to,
		struct target_counts *counts, struct error *err)
{
	bool keyed = target->shape->key_count > 0;
	struct clone clone;
	int ret = -1, shared;

	FAILPOINT(BEFORE_SWAP);
	if (read_clone(target, name, &clone, err) < 0)
		goto done;
	if (clone.possible) {
		if (build_indexes(target, &clone, err) < 0)
			goto done;
		ret = try_switch(target, name, from, to, counts, err);
		if (ret == 0 || !is_refusal(target, err))
			goto done;
		log_info("the load is applied row by row: %s", err->message);
	}
	shared = target->shape->key_unsure ? shares_keys(target, name, err) : 0;
	if (shared < 0)
		goto done;
	keyed = keyed && !shared;
	ret = exchange(target, name, keyed, from, to, counts, err);
	/* A row cannot go before those that refer to it, nor come after them. */
	if (ret < 0 && keyed && target->dest.refers_to_itself &&
	    tds_usable(target->conn) && isolate_depends_on_order(err))
		ret = exchange(target, name, false, from, to, counts, err);
done:
	clone_release(&clone);
	return ret;
}

/* All rows are in the load table; how many. */
static int end_load(struct sqlserver_target *target, uint64_t *rows,
		    struct error *err)
{
	if (target->in_parts)
		return plan_count(target, rows, err);
	return loader_end(target->loader, rows, err);
}

int replace_commit(struct sqlserver_target *target,
		   const struct checkpoint *from, const struct checkpoint *to,
		   struct target_counts *counts, struct error *err)
{
	struct error ignored;
	struct strbuf name;
	uint64_t rows;
	int ret = -1;

	strbuf_init(&name);
	replace_table(&name, target);
	if (strbuf_check(&name, err) == 0 &&
	    end_load(target, &rows, err) == 0 &&
	    swap(target, name.data, from, to, counts, err) == 0) {
		FAILPOINT(AFTER_SWAP);
		counts->inserted = rows;
		ret = 0;
		/* If this fails, the next load drops it. */
		if (drop_load_table(target, name.data, &ignored) < 0)
			log_warning("cannot drop %s: %s", name.data,
				    ignored.message);
	}
	strbuf_release(&name);
	return ret;
}

void replace_rollback(struct sqlserver_target *target)
{
	struct error ignored;
	struct strbuf name;

	if (!tds_usable(target->conn) || target->in_parts)
		return;
	strbuf_init(&name);
	replace_table(&name, target);
	if (!name.failed && drop_load_table(target, name.data, &ignored) < 0)
		log_debug("cannot drop %s: %s", name.data, ignored.message);
	strbuf_release(&name);
}
