/*
 * A full load beside the live table, then the swap.
 *
 * Rows go by COPY into dataflow.load_…, a table of our own, which is then given
 * everything that the live one has (clone.c) and takes its place: all in one
 * transaction, with the checkpoint. A crash leaves nothing behind; readers see
 * the old rows until the commit, and wait only while the names change. The rows
 * are frozen as they come, so that a reader with an older snapshot, who looks up
 * the name later, does not find an empty table.
 *
 * Names can be changed, identities cannot: views, foreign keys of other tables,
 * functions and publications would stay with the old table. They could be made
 * anew as well, but a foreign key would have to be checked while nobody may
 * read, subscribers of a publication would lose track, and what is forgotten is
 * lost for good. So where anything depends on the table, or we may not do what
 * its owner may, the load stays what it is, and the difference is applied in one
 * transaction: rows that the load lacks go, those that are not the same are
 * updated, others inserted. That takes longer and leaves dead rows, but under
 * PostgreSQL's snapshots readers see all of it at once, and wait for nothing.
 * TRUNCATE and INSERT were rejected: they shut readers out for as long as the
 * copy takes, and refuse tables that foreign keys point to.
 */
#include "drivers/postgresql/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "drivers/postgresql/clone.h"
#include "drivers/postgresql/quote.h"

/*
 * Enough of the installation's id to keep two of them apart. The epoch keeps
 * us away from a daemon that lost its lease and still loads.
 */
static void choose_name(struct pg_target *target)
{
	snprintf(target->load_table, sizeof(target->load_table),
		 "load_%.8s_%d_%lld", target->installation, target->mapping_id,
		 (long long)target->epoch);
}

void pg_replace_table(struct strbuf *sql, const struct pg_target *target)
{
	quote_table(sql, "dataflow", target->load_table);
}

/* ------------------------------------------------------------- the load table */

/* Whoever still writes into it keeps it, which is none of our business. */
static void drop_table(struct pg_target *target, const char *name)
{
	struct error ignored = ERROR_INIT;
	struct strbuf sql;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "BEGIN; SET LOCAL lock_timeout = '100ms'; "
			    "DROP TABLE IF EXISTS ");
	quote_table(&sql, "dataflow", name);
	strbuf_addstr(&sql, "; COMMIT");
	if (!sql.failed && pg_exec(target->conn, sql.data, &ignored) < 0) {
		log_debug("cannot drop what loads left behind: %s",
			  ignored.message);
		pg_target_abandon(target);
	}
	strbuf_release(&sql);
}

/*
 * Loads of our epoch and of earlier ones were cut off. One of a later epoch is
 * under way: we are shut out, and do not know it yet.
 */
static int drop_leftovers(struct pg_target *target, struct error *err)
{
	static const char sql[] =
		"SELECT t.tablename FROM pg_tables AS t "
		"WHERE t.schemaname = 'dataflow' "
		"AND left(t.tablename, length($1::text)) = $1::text";
	char prefix[sizeof(target->load_table)];
	struct pg_param param;
	struct arena arena;
	char **names;
	int64_t rows;

	snprintf(prefix, sizeof(prefix), "load_%.8s_%d_", target->installation,
		 target->mapping_id);
	param = pg_text(prefix);
	rows = pg_query(target->conn, sql, &param, 1, err);
	if (rows < 0)
		return -1;
	arena_init(&arena, 0);
	names = arena_calloc(&arena, (size_t)rows + 1, sizeof(*names));
	for (int64_t i = 0; names && i < rows; i++)
		names[i] = pg_copy_text(target->conn, i, 0, &arena);
	pg_finish(target->conn);
	for (int64_t i = 0; names && i < rows; i++)
		if (names[i] && strtoll(names[i] + strlen(prefix), NULL, 10) <=
					target->epoch)
			drop_table(target, names[i]);
	arena_release(&arena);
	return 0;
}

int pg_replace_clear(struct pg_target *target, struct error *err)
{
	choose_name(target);
	if (pg_target_transaction(target, err) < 0 ||
	    pg_checkpoint_guard(target, err) < 0 ||
	    pg_plan_remove(target, err) < 0 ||
	    pg_exec(target->conn, "COMMIT", err) < 0)
		return -1;
	return drop_leftovers(target, err);
}

/* 1: a load can take the table's place; 0: `why` says why not. */
static int can_swap(struct pg_target *target, char why[CLONE_OBSTACLE_MAX],
		    struct error *err)
{
	int rc;

	if (!target->dest.ours) {
		text_copy(why, CLONE_OBSTACLE_MAX,
			  "the login has not the rights of its owner");
		return 0;
	}
	if (pg_loader_casts(&target->dest, target->shape)) {
		text_copy(why, CLONE_OBSTACLE_MAX,
			  "a column has a type that only the server can make "
			  "of text");
		return 0;
	}
	rc = pg_clone_obstacle(target->conn, target->dest.oid, why, err);
	return rc < 0 ? -1 : !rc;
}

/* Only what is to become the table has to be logged. */
static int add_definition(struct pg_target *target, struct strbuf *sql,
			  struct error *err)
{
	if (target->swaps)
		return pg_clone_create(target->conn, target->dest.oid,
				       target->load_table, sql, err);
	strbuf_addstr(sql, "CREATE UNLOGGED TABLE ");
	pg_replace_table(sql, target);
	strbuf_addstr(sql, " (");
	if (pg_loader_columns(sql, &target->dest, target->shape, PG_LOADER_ROWS,
			      err) < 0)
		return -1;
	strbuf_addch(sql, ')');
	return 0;
}

int pg_replace_make(struct pg_target *target, struct error *err)
{
	char why[CLONE_OBSTACLE_MAX];
	struct strbuf sql;
	int64_t rows = -1;
	int rc = can_swap(target, why, err);

	if (rc < 0)
		return -1;
	target->swaps = rc;
	if (!target->swaps)
		log_info("the load will be applied row by row: %s", why);
	strbuf_init(&sql);
	strbuf_addstr(&sql, "SET LOCAL default_tablespace = ''; ");
	if (add_definition(target, &sql, err) == 0)
		rows = pg_target_run(target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	return rows < 0 ? -1 : 0;
}

int pg_replace_begin(struct pg_target *target, struct error *err)
{
	struct strbuf name;

	if (pg_replace_clear(target, err) < 0 ||
	    pg_target_transaction(target, err) < 0 ||
	    pg_replace_make(target, err) < 0)
		return -1;
	strbuf_init(&name);
	pg_replace_table(&name, target);
	if (strbuf_check(&name, err) == 0)
		target->loader = pg_loader_new(
			target->conn, name.data, &target->dest, target->shape,
			target->swaps ? PG_LOADER_CLONE : PG_LOADER_ROWS,
			", FREEZE", err);
	strbuf_release(&name);
	return target->loader ? 0 : -1;
}

/* ----------------------------------------------------------------- the end */

/* What belongs to the end of any load, in its transaction. */
static int settle(struct pg_target *target, const struct checkpoint *from,
		  const struct checkpoint *to, struct error *err)
{
	if (pg_checkpoint_move(target, from, to, err) < 0 ||
	    pg_plan_remove(target, err) < 0)
		return -1;
	return pg_exceptions_remove(target, err);
}

static int run_on_load(struct pg_target *target, const char *statement,
		       struct error *err)
{
	struct strbuf sql;
	int64_t rows;

	strbuf_init(&sql);
	strbuf_addstr(&sql, statement);
	pg_replace_table(&sql, target);
	rows = pg_target_run(target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	return rows < 0 ? -1 : 0;
}

/* ---------------------------------------------------------------- the swap */

struct swap {
	struct pg_target *target;
	struct pg_clone clone;
};

static int build_keys(void *context, struct error *err)
{
	struct swap *swap = context;

	return pg_clone_run(swap->target->conn, &swap->clone, CLONE_KEYS, err);
}

/* 1: the live table has the load's columns, and is the one that we know. */
static int has_same_columns(struct pg_target *target, struct error *err)
{
	static const char sql[] =
		"SELECT 1 WHERE $1::oid = to_regclass($3) AND ("
		"SELECT array_agg(ROW(a.attname, a.atttypid, a.atttypmod, "
		"a.attcollation, a.attnotnull, a.attidentity, "
		"pg_get_expr(d.adbin, d.adrelid))::text ORDER BY a.attnum) "
		"FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d "
		"ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
		"WHERE a.attrelid = $1::oid AND a.attnum > 0 "
		"AND NOT a.attisdropped) = ("
		"SELECT array_agg(ROW(a.attname, a.atttypid, a.atttypmod, "
		"a.attcollation, a.attnotnull, a.attidentity, "
		"pg_get_expr(d.adbin, d.adrelid))::text ORDER BY a.attnum) "
		"FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d "
		"ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
		"WHERE a.attrelid = to_regclass($2) AND a.attnum > 0 "
		"AND NOT a.attisdropped)";
	struct strbuf load, live;
	struct pg_param params[3];
	int64_t rows = -1;

	strbuf_init(&load);
	strbuf_init(&live);
	pg_replace_table(&load, target);
	pg_sql_dest(&live, target);
	if (strbuf_check(&load, err) == 0 && strbuf_check(&live, err) == 0) {
		params[0] = pg_int(target->dest.oid);
		params[1] = pg_text(load.data);
		params[2] = pg_text(live.data);
		rows = pg_query(target->conn, sql, params, 3, err);
		pg_finish(target->conn);
	}
	strbuf_release(&live);
	strbuf_release(&load);
	return (int)rows;
}

/* While it is locked: is all still as the load was made for it? */
static int check_unchanged(const struct swap *swap, struct error *err)
{
	struct pg_target *target = swap->target;
	char why[CLONE_OBSTACLE_MAX];
	struct pg_clone now;
	int rc;

	rc = pg_clone_obstacle(target->conn, target->dest.oid, why, err);
	if (rc)
		return rc < 0 ? -1 : error_set(err, ERROR_SCHEMA, "%s", why);
	if (pg_clone_read(target->conn, target->dest.oid, target->load_table,
			  &now, err) < 0)
		return -1;
	rc = pg_clone_equal(&now, &swap->clone);
	pg_clone_release(&now);
	if (rc)
		rc = has_same_columns(target, err);
	return rc ? rc
		  : error_set(err, ERROR_SCHEMA,
			      "it was altered during the load");
}

/* The old table gets out of the way, the new one takes its name. */
static int change_names(const struct swap *swap, struct error *err)
{
	struct pg_target *target = swap->target;
	const struct table_name *name = &target->name;
	struct pg *conn = target->conn;
	char old[sizeof(target->load_table) + 8];
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	snprintf(old, sizeof(old), "%s_old", target->load_table);
	strbuf_addstr(&sql, "ALTER TABLE ");
	pg_sql_dest(&sql, target);
	quote_names(&sql, " RENAME TO %n; ALTER TABLE ", old);
	pg_replace_table(&sql, target);
	quote_names(&sql, " SET SCHEMA %n; ALTER TABLE ", name->schema);
	quote_table(&sql, name->schema, target->load_table);
	quote_names(&sql, " RENAME TO %n", name->table);
	if (strbuf_check(&sql, err) < 0 || pg_exec(conn, sql.data, err) < 0 ||
	    pg_clone_run(conn, &swap->clone, CLONE_MOVED, err) < 0)
		goto done;
	strbuf_reset(&sql);
	strbuf_addstr(&sql, "DROP TABLE ");
	quote_table(&sql, name->schema, old);
	if (strbuf_check(&sql, err) == 0 && pg_exec(conn, sql.data, err) == 0)
		ret = pg_clone_run(conn, &swap->clone, CLONE_ALONE, err);
done:
	strbuf_release(&sql);
	return ret;
}

static int move_sequences(struct pg_target *target, struct error *err)
{
	struct pg_merge m = {.target = target, .range = "", .whole = true};
	struct strbuf name;
	int ret = -1;

	strbuf_init(&name);
	pg_sql_dest(&name, target);
	m.from = name.data;
	if (strbuf_check(&name, err) == 0)
		ret = pg_merge_sequences(&m, err);
	strbuf_release(&name);
	return ret;
}

static int swap_locked(struct swap *swap, const struct checkpoint *from,
		       const struct checkpoint *to, struct error *err)
{
	struct pg_target *target = swap->target;

	/* Statistics, or the first queries would be planned without any. */
	if (pg_clone_run(target->conn, &swap->clone, CLONE_BUILD, err) < 0 ||
	    run_on_load(target, "ANALYZE ", err) < 0 ||
	    pg_target_lock(target, "ACCESS EXCLUSIVE", build_keys, swap, err) <
		    0 ||
	    check_unchanged(swap, err) < 0 ||
	    settle(target, from, to, err) < 0 ||
	    pg_clone_run(target->conn, &swap->clone, CLONE_LOCKED, err) < 0 ||
	    change_names(swap, err) < 0)
		return -1;
	return move_sequences(target, err);
}

static int try_swap(struct pg_target *target, const struct checkpoint *from,
		    const struct checkpoint *to, struct error *err)
{
	struct swap swap = {.target = target};
	int ret = -1;

	if (pg_exec(target->conn, "SAVEPOINT dataflow_swap", err) < 0 ||
	    pg_clone_read(target->conn, target->dest.oid, target->load_table,
			  &swap.clone, err) < 0)
		return -1;
	ret = swap_locked(&swap, from, to, err);
	pg_clone_release(&swap.clone);
	return ret;
}

/* Can the trouble of a swap be avoided by not swapping? */
static bool is_refusal(const struct pg_target *target, const struct error *err)
{
	return pg_usable(target->conn) && !err->retryable &&
	       err->kind != ERROR_CANCELLED && err->kind != ERROR_CONFLICT &&
	       err->kind != ERROR_DATA && err->kind != ERROR_MEMORY;
}

/* ----------------------------------------------------------- the difference */

static int make_equal(const struct pg_merge *m, uint64_t *rows,
		      struct error *err)
{
	if (pg_merge_delete(m, rows, err) < 0 ||
	    pg_merge_update(m, rows, err) < 0)
		return -1;
	return pg_merge_insert(m, rows, err);
}

/* A row cannot go before those that refer to it, nor come after them. */
static int make_itself_equal(const struct pg_merge *m, uint64_t *rows,
			     struct error *err)
{
	struct pg *conn = m->target->conn;

	if (pg_exec(conn, "SAVEPOINT dataflow_order", err) < 0)
		return -1;
	if (make_equal(m, rows, err) == 0)
		return pg_exec(conn, "RELEASE SAVEPOINT dataflow_order", err);
	if (!pg_isolate_depends_on_order(err))
		return -1;
	error_clear(err);
	*rows = 0;
	if (pg_exec(conn,
		    "ROLLBACK TO SAVEPOINT dataflow_order; "
		    "RELEASE SAVEPOINT dataflow_order",
		    err) < 0)
		return -1;
	return pg_merge_all(m, rows, err);
}

static void add_shared(struct strbuf *sql, const struct pg_target *target)
{
	const struct table *shape = target->shape;

	strbuf_addstr(sql, " AS s GROUP BY ");
	for (size_t k = 0; k < shape->key_count; k++) {
		strbuf_addstr(sql, k ? ", " : "");
		pg_sql_loaded(sql, target, shape->key[k]);
	}
	strbuf_addstr(sql, " HAVING count(*) > 1)");
}

/* 1: rows of the load, or of the destination, share a key; 0: none do. */
static int shares_keys(const struct pg_merge *m, struct error *err)
{
	const struct pg_target *target = m->target;
	struct strbuf sql;
	int64_t rows;

	strbuf_init(&sql);
	strbuf_addf(&sql, "SELECT 1 WHERE EXISTS (SELECT 1 FROM %s", m->from);
	add_shared(&sql, target);
	strbuf_addstr(&sql, " OR EXISTS (SELECT 1 FROM ");
	pg_sql_own(&sql, target);
	add_shared(&sql, target);
	rows = pg_target_run(target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	if (rows > 0)
		log_info("rows of %s share a key: all rows are exchanged",
			 target->name.table);
	return (int)rows;
}

/* The destination becomes what was loaded. */
static int bring(const struct pg_merge *m, uint64_t *rows, struct error *err)
{
	const struct pg_target *target = m->target;
	int shared = 0;

	if (target->shape->key_unsure)
		shared = shares_keys(m, err);
	if (shared < 0)
		return -1;
	if (shared)
		return pg_merge_all(m, rows, err);
	return target->dest.refers_to_itself ? make_itself_equal(m, rows, err)
					     : make_equal(m, rows, err);
}

static int exchange(struct pg_target *target, const struct checkpoint *from,
		    const struct checkpoint *to, struct error *err)
{
	struct pg_merge m = {
		.target = target,
		.range = "",
		.differing = true,
		.many = true,
	};
	uint64_t rows = 0;
	struct strbuf name;
	int ret = -1;

	strbuf_init(&name);
	pg_replace_table(&name, target);
	m.from = name.data;
	/* Nobody else may write until the table is what was loaded. */
	if (strbuf_check(&name, err) == 0 &&
	    run_on_load(target, "ANALYZE ", err) == 0 &&
	    pg_target_lock(target, "SHARE ROW EXCLUSIVE", NULL, NULL, err) ==
		    0 &&
	    settle(target, from, to, err) == 0 && bring(&m, &rows, err) == 0 &&
	    pg_merge_sequences(&m, err) == 0)
		ret = run_on_load(target, "DROP TABLE ", err);
	strbuf_release(&name);
	if (ret == 0)
		log_debug("the load differed in %llu rows",
			  (unsigned long long)rows);
	return ret;
}

static int make_live(struct pg_target *target, const struct checkpoint *from,
		     const struct checkpoint *to, struct error *err)
{
	if (!target->swaps)
		return exchange(target, from, to, err);
	if (try_swap(target, from, to, err) == 0) {
		target->stale = true;
		return 0;
	}
	if (!is_refusal(target, err))
		return -1;
	log_info("the load is applied row by row: %s", err->message);
	if (pg_exec(target->conn, "ROLLBACK TO SAVEPOINT dataflow_swap", err) <
	    0)
		return -1;
	error_clear(err);
	return exchange(target, from, to, err);
}

/* All rows are in the load table, and a transaction is open; how many. */
static int end_load(struct pg_target *target, uint64_t *rows, struct error *err)
{
	if (target->in_parts)
		return pg_plan_count(target, rows, err) < 0
			       ? -1
			       : pg_target_transaction(target, err);
	if (pg_loader_end(target->loader, rows, err) < 0)
		return -1;
	pg_loader_free(target->loader);
	target->loader = NULL;
	return 0;
}

static int end_and_commit(struct pg_target *target,
			  const struct checkpoint *from,
			  const struct checkpoint *to,
			  struct target_counts *counts, struct error *err)
{
	uint64_t rows;

	if (end_load(target, &rows, err) < 0)
		return -1;
	FAILPOINT(BEFORE_SWAP);
	if (make_live(target, from, to, err) < 0 ||
	    pg_target_commit(target, err) < 0)
		return -1;
	FAILPOINT(AFTER_SWAP);
	counts->inserted = rows;
	return 0;
}

/*
 * Indexes of a large table are built for as long as it takes, and say nothing
 * in the meantime; nor does its difference. Locks have a time-out of their own.
 */
int pg_replace_commit(struct pg_target *target, const struct checkpoint *from,
		      const struct checkpoint *to, struct target_counts *counts,
		      struct error *err)
{
	int timeout = pg_set_query_timeout(target->conn, 0);
	int ret = end_and_commit(target, from, to, counts, err);

	pg_set_query_timeout(target->conn, timeout);
	return ret;
}
