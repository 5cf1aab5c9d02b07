/*
 * The rows of a mapping that were put aside and stand, in a table beside the
 * data. isolate.c puts them there; apply.c, and every load, ends them.
 */
#include "drivers/postgresql/target.h"

#include "base/clock.h"
#include "base/text.h"
#include "drivers/postgresql/quote.h"

int pg_exceptions_remove(struct pg_target *target, struct error *err)
{
	return pg_checkpoint_run(
		target,
		"DELETE FROM dataflow.exceptions WHERE " CHECKPOINT_WHOSE, err);
}

int pg_exceptions_settle(struct pg_target *target, const char *also,
			 uint64_t *settled, struct error *err)
{
	struct pg_checkpoint_params p;
	struct strbuf sql;
	int64_t rows;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "DELETE FROM dataflow.exceptions AS e "
			    "WHERE e.installation_id = $1 "
			    "AND e.mapping_id = $2 "
			    "AND EXISTS (SELECT 1 FROM ");
	pg_staging_name(&sql, target);
	strbuf_addf(&sql, " AS s WHERE s.\"%s\" = e.row_key%s",
		    LOADER_KEY_COLUMN, also);
	/* What a change leaves out may be what was put aside. */
	if (pg_loader_kept(target->loader, LOADER_ANY_COLUMN)) {
		strbuf_addstr(&sql, " AND NOT (");
		pg_sql_partial(&sql);
		strbuf_addch(&sql, ')');
	}
	strbuf_addch(&sql, ')');
	pg_checkpoint_identify(&p, target);
	rows = pg_target_run(target, &sql, p.params, p.count, err);
	strbuf_release(&sql);
	if (rows < 0)
		return -1;
	*settled = (uint64_t)rows;
	return 0;
}

static void read_exception(const struct pg *conn, int64_t row,
			   struct target_exception *out)
{
	text_copy(out->id, sizeof(out->id), pg_get_text(conn, row, 0));
	out->op = (enum row_op)pg_get_int(conn, row, 1);
	out->key = pg_get_text(conn, row, 2);
	out->position = pg_get_text(conn, row, 3);
	out->number = (int)pg_get_int(conn, row, 4);
	out->reason = pg_get_text(conn, row, 5);
	if (clock_parse(pg_get_text(conn, row, 6), &out->created_us) < 0)
		out->created_us = clock_utc_us();
}

int pg_exceptions_tell(struct pg_target *target,
		       void (*tell)(void *context,
				    const struct target_exception *row),
		       void *context, struct error *err)
{
	static const char sql[] =
		"SELECT exception_id, operation, row_key, position, "
		"error_number, reason, "
		"to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US') "
		"FROM dataflow.exceptions WHERE " CHECKPOINT_WHOSE
		" ORDER BY created_at";
	struct pg_checkpoint_params p;
	int64_t rows;

	target->exceptions = 0;
	pg_checkpoint_identify(&p, target);
	rows = pg_query(target->conn, sql, p.params, p.count, err);
	for (int64_t i = 0; i < rows; i++) {
		struct target_exception row;

		read_exception(target->conn, i, &row);
		target->exceptions++;
		tell(context, &row);
	}
	pg_finish(target->conn);
	return rows < 0 ? -1 : 0;
}
