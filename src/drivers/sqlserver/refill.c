/*
 * The plain way: empty the table, then fill it in place. For those who have no
 * room for a second copy; readers see it grow. Rows go through a temporary
 * table, so that the destination's identities, defaults, triggers and
 * computed columns behave as with any INSERT.
 *
 * The checkpoint is forgotten first: a load that breaks off leaves a table that
 * says it was never loaded.
 */
#include "drivers/sqlserver/target.h"

#include "drivers/sqlserver/sql.h"

#define ROWS "#dataflow_rows"

/* Rows that become visible together; all, where one may refer to another. */
#define CHUNK_ROWS 50000

static int empty_table(struct sqlserver_target *target, struct error *err)
{
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql,
		      "BEGIN TRANSACTION; " CHECKPOINT_GUARD "TRUNCATE TABLE ");
	sql_table(&sql, target->name.schema, target->name.table);
	strbuf_addstr(&sql, "; COMMIT TRANSACTION");
	if (strbuf_check(&sql, err) < 0)
		goto done;
	ret = checkpoint_run(target, sql.data, err);
	if (ret == 0 || !tds_usable(target->conn) || err->retryable ||
	    err->kind == ERROR_CONFLICT)
		goto done;
	/* Referenced by a foreign key, replicated, or no right to truncate. */
	strbuf_reset(&sql);
	strbuf_addf(&sql,
		    "DECLARE @rows int = 1; WHILE @rows > 0 BEGIN "
		    "BEGIN TRANSACTION; " CHECKPOINT_GUARD "DELETE %sFROM ",
		    target->dest.refers_to_itself ? "" : "TOP (10000) ");
	sql_table(&sql, target->name.schema, target->name.table);
	strbuf_addstr(&sql, "; SET @rows = @@ROWCOUNT; COMMIT TRANSACTION; "
			    "END");
	if (strbuf_check(&sql, err) == 0)
		ret = checkpoint_run(target, sql.data, err);
done:
	strbuf_release(&sql);
	return ret;
}

static int begin_chunk(struct sqlserver_target *target, struct error *err)
{
	target->loader = loader_new(target->conn, ROWS, &target->dest,
				    target->shape, false, err);
	return target->loader ? 0 : -1;
}

int refill_begin(struct sqlserver_target *target, struct error *err)
{
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql,
		      "DROP TABLE IF EXISTS " ROWS "; CREATE TABLE " ROWS " (");
	loader_columns(&sql, &target->dest, target->shape, false);
	strbuf_addch(&sql, ')');
	if (strbuf_check(&sql, err) == 0 &&
	    checkpoint_run(target, CHECKPOINT_FORGET, err) == 0 &&
	    empty_table(target, err) == 0 &&
	    tds_exec(target->conn, sql.data, err) == 0)
		ret = begin_chunk(target, err);
	strbuf_release(&sql);
	target->refilled = 0;
	return ret;
}

static int end_chunk(struct sqlserver_target *target, struct error *err)
{
	struct strbuf sql;
	uint64_t rows;
	int ret = -1;

	strbuf_init(&sql);
	if (loader_end(target->loader, &rows, err) < 0)
		goto done;
	loader_free(target->loader);
	target->loader = NULL;
	strbuf_addstr(&sql, "BEGIN TRANSACTION; " CHECKPOINT_GUARD);
	target_sql_insert(&sql, target, ROWS, "", "");
	strbuf_addstr(&sql, "TRUNCATE TABLE " ROWS "; COMMIT TRANSACTION");
	if (strbuf_check(&sql, err) < 0)
		goto done;
	if (checkpoint_run(target, sql.data, err) < 0)
		goto done;
	target->refilled += rows;
	ret = 0;
done:
	strbuf_release(&sql);
	return ret;
}

int refill_write(struct sqlserver_target *target, const struct batch *batch,
		 struct error *err)
{
	if (loader_write(target->loader, batch, err) < 0)
		return -1;
	if (target->dest.refers_to_itself ||
	    loader_rows(target->loader) < CHUNK_ROWS)
		return 0;
	if (end_chunk(target, err) < 0)
		return -1;
	return begin_chunk(target, err);
}

int refill_commit(struct sqlserver_target *target, const struct checkpoint *to,
		  struct target_counts *counts, struct error *err)
{
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "BEGIN TRANSACTION; ");
	checkpoint_sql(&sql, false);
	strbuf_addstr(&sql,
		      EXCEPTIONS_REMOVE "COMMIT TRANSACTION; DROP TABLE " ROWS
					"; SELECT 0, 0, 0, 0");
	if (strbuf_check(&sql, err) == 0 && end_chunk(target, err) == 0)
		ret = target_transact(target, sql.data, NULL, to, counts, err);
	counts->inserted = target->refilled;
	strbuf_release(&sql);
	return ret;
}
