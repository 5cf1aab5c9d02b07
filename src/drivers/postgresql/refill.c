/*
 * The plain way: empty the table, then fill it in place. For those who have no
 * room for a second copy; readers see it grow. Rows go through a temporary
 * table, so that they come in as with any INSERT, which takes types that a COPY
 * does not know.
 *
 * The checkpoint is forgotten first: a load that breaks off leaves a table that
 * says it was never loaded.
 */
#include "drivers/postgresql/target.h"

#include "base/log.h"

/* Rows that become visible together; all, where one may refer to another. */
#define CHUNK_ROWS 50000

static int try_truncate(struct pg_target *target, struct error *err)
{
	struct strbuf sql;
	int64_t rows;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "TRUNCATE TABLE ");
	pg_sql_own(&sql, target);
	rows = pg_target_run(target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	return rows < 0 ? -1 : 0;
}

static int truncate(struct pg_target *target, struct error *err)
{
	if (pg_target_transaction(target, err) < 0 ||
	    pg_checkpoint_guard(target, err) < 0 ||
	    pg_target_lock(target, "ACCESS EXCLUSIVE", NULL, NULL, err) < 0 ||
	    try_truncate(target, err) < 0)
		return -1;
	return pg_exec(target->conn, "COMMIT", err);
}

static int delete_all(struct pg_target *target, struct error *err)
{
	struct strbuf sql;
	int64_t rows = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "DELETE FROM ");
	pg_sql_own(&sql, target);
	/* The lock keeps foreign keys from being added behind the look. */
	if (pg_target_transaction(target, err) == 0 &&
	    pg_checkpoint_guard(target, err) == 0 &&
	    pg_target_lock(target, "ROW EXCLUSIVE", NULL, NULL, err) == 0 &&
	    pg_merge_check_reach(target, err) == 0)
		rows = pg_target_run(target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	return rows < 0 ? -1 : pg_exec(target->conn, "COMMIT", err);
}

static int empty_table(struct pg_target *target, struct error *err)
{
	if (truncate(target, err) == 0)
		return 0;
	pg_target_abandon(target);
	if (!pg_usable(target->conn) || err->retryable ||
	    err->kind == ERROR_CANCELLED || err->kind == ERROR_CONFLICT)
		return -1;
	/* Referenced by a foreign key, or no right to truncate. */
	log_info("the table is emptied row by row: %s", err->message);
	error_clear(err);
	return delete_all(target, err);
}

static int begin_chunk(struct pg_target *target, struct error *err)
{
	struct strbuf name;

	if (pg_target_transaction(target, err) < 0)
		return -1;
	strbuf_init(&name);
	pg_staging_name(&name, target);
	if (strbuf_check(&name, err) == 0)
		target->loader =
			pg_loader_new(target->conn, name.data, &target->dest,
				      target->shape, PG_LOADER_ROWS, "", err);
	strbuf_release(&name);
	return target->loader ? 0 : -1;
}

int pg_refill_begin(struct pg_target *target, struct error *err)
{
	target->refilled = 0;
	if (pg_staging_make(target, PG_LOADER_ROWS, err) < 0 ||
	    pg_checkpoint_forget(target, err) < 0 ||
	    empty_table(target, err) < 0)
		return -1;
	return begin_chunk(target, err);
}

/* What stands in the temporary table goes into the other. */
static int move_chunk(struct pg_target *target, struct error *err)
{
	struct pg_merge m = {.target = target, .range = "", .whole = true};
	struct strbuf name;
	int ret = -1;

	strbuf_init(&name);
	pg_staging_name(&name, target);
	m.from = name.data;
	if (strbuf_check(&name, err) == 0 &&
	    pg_merge_insert(&m, &target->refilled, err) == 0)
		ret = pg_merge_sequences(&m, err);
	strbuf_release(&name);
	return ret;
}

static int end_chunk(struct pg_target *target, struct error *err)
{
	uint64_t rows;

	if (pg_loader_end(target->loader, &rows, err) < 0)
		return -1;
	pg_loader_free(target->loader);
	target->loader = NULL;
	return move_chunk(target, err);
}

int pg_refill_write(struct pg_target *target, const struct batch *batch,
		    struct error *err)
{
	if (pg_loader_write(target->loader, batch, err) < 0)
		return -1;
	if (target->dest.refers_to_itself ||
	    pg_loader_rows(target->loader) < CHUNK_ROWS)
		return 0;
	if (end_chunk(target, err) < 0 ||
	    pg_checkpoint_guard(target, err) < 0 ||
	    pg_exec(target->conn, "COMMIT", err) < 0)
		return -1;
	return begin_chunk(target, err);
}

int pg_refill_commit(struct pg_target *target, const struct checkpoint *to,
		     struct target_counts *counts, struct error *err)
{
	if (end_chunk(target, err) < 0 ||
	    pg_checkpoint_move(target, NULL, to, err) < 0 ||
	    pg_exceptions_remove(target, err) < 0 ||
	    pg_target_commit(target, err) < 0)
		return -1;
	counts->inserted = target->refilled;
	return 0;
}
