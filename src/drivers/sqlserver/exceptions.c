/*
 * The rows of a mapping that were put aside and stand, in a table beside the
 * data. isolate.c puts them there; apply.c, and every load, ends them.
 */
#include "drivers/sqlserver/target.h"

#include "base/clock.h"
#include "base/text.h"

char *exceptions_text(struct tds *conn, size_t col, struct arena *arena)
{
	char *text = tds_get_text(conn, col, arena);

	if (text)
		text_make_utf8(text);
	return text;
}

static int read_exception(struct sqlserver_target *target, struct arena *arena,
			  struct target_exception *out, struct error *err)
{
	struct tds *conn = target->conn;
	const char *id = tds_get_text(conn, 0, arena);
	const char *created = tds_get_text(conn, 6, arena);

	out->op = (enum row_op)tds_get_int(conn, 1);
	out->key = exceptions_text(conn, 2, arena);
	out->position = exceptions_text(conn, 3, arena);
	out->number = (int)tds_get_int(conn, 4);
	out->reason = exceptions_text(conn, 5, arena);
	if (!id || !created || !out->key || !out->position || !out->reason)
		return error_memory(err, "rows that were put aside");
	text_copy(out->id, sizeof(out->id), id);
	if (clock_parse(created, &out->created_us) < 0)
		out->created_us = clock_utc_us();
	return 0;
}

int exceptions_tell(struct sqlserver_target *target,
		    void (*tell)(void *context,
				 const struct target_exception *row),
		    void *context, struct error *err)
{
	static const char sql[] =
		"SELECT exception_id, CAST(operation AS int), row_key, "
		"position, error_number, reason, "
		"CONVERT(nvarchar(40), created_at, 126) "
		"FROM dataflow.exceptions "
		"WHERE installation_id = @installation "
		"AND mapping_id = @mapping ORDER BY created_at";
	struct checkpoint_params id;
	struct arena arena;
	int rc;

	target->exceptions = 0;
	checkpoint_identify(&id, target);
	arena_init(&arena, 0);
	rc = tds_query(target->conn, sql, id.params, id.count, err);
	while (rc >= 0 && (rc = tds_fetch(target->conn, err)) > 0) {
		struct target_exception row;

		arena_reset(&arena);
		rc = read_exception(target, &arena, &row, err);
		if (rc < 0)
			break;
		target->exceptions++;
		tell(context, &row);
	}
	if (rc < 0)
		tds_abandon(target->conn);
	else
		rc = tds_finish(target->conn, err);
	arena_release(&arena);
	return rc < 0 ? -1 : 0;
}
