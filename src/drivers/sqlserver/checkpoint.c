#include "drivers/sqlserver/target.h"

#include <string.h>

#include "base/clock.h"

/*
 * Two workers may get here at the same time, hence the second look when it
 * fails.
 */
static const char home_sql[] =
	"IF OBJECT_ID(N'dataflow.checkpoints', N'U') IS NULL "
	"BEGIN BEGIN TRY "
	"IF SCHEMA_ID(N'dataflow') IS NULL "
	"EXEC sys.sp_executesql N'CREATE SCHEMA dataflow'; "
	"CREATE TABLE dataflow.checkpoints ("
	"installation_id nvarchar(36) NOT NULL, "
	"mapping_id int NOT NULL, "
	"origin nvarchar(1000) NOT NULL, "
	"position varbinary(512) NULL, "
	"consistent_after datetime2 NULL, "
	"updated_at datetime2 NOT NULL, "
	"CONSTRAINT pk_checkpoints PRIMARY KEY (installation_id, mapping_id)); "
	"END TRY "
	"BEGIN CATCH "
	"IF OBJECT_ID(N'dataflow.checkpoints', N'U') IS NULL THROW; "
	"END CATCH END";

static const char read_sql[] =
	"IF OBJECT_ID(N'dataflow.checkpoints', N'U') IS NOT NULL "
	"SELECT position, CONVERT(nvarchar(40), consistent_after, 126) "
	"FROM dataflow.checkpoints "
	"WHERE installation_id = @installation AND mapping_id = @mapping "
	"AND origin = @origin";

static const char remove_sql[] =
	"DELETE FROM dataflow.checkpoints "
	"WHERE installation_id = @installation AND mapping_id = @mapping";

int target_make_home(struct sqlserver_target *target, struct error *err)
{
	if (target->has_home)
		return 0;
	if (tds_exec(target->conn, home_sql, err) < 0)
		return error_wrap(err,
				  "cannot make table 'dataflow.checkpoints' in "
				  "database '%s'",
				  target->name.database);
	target->has_home = true;
	return 0;
}

static void identify(struct checkpoint_params *out,
		     const struct sqlserver_target *target)
{
	out->count = 0;
	out->params[out->count++] =
		tds_text("@installation", target->installation);
	out->params[out->count++] = tds_int("@mapping", target->mapping_id);
	out->params[out->count++] = tds_text("@origin", target->origin);
}

static struct tds_param position_param(const char *name,
				       const struct position *position)
{
	return tds_bytes(name, position->len ? position->bytes : NULL,
			 position->len);
}

void checkpoint_fill(struct checkpoint_params *out,
		     const struct sqlserver_target *target,
		     const struct checkpoint *from, const struct checkpoint *to)
{
	identify(out, target);
	out->params[out->count++] = position_param("@to", &to->position);
	if (to->consistent_after_us)
		clock_format(out->consistent_after, to->consistent_after_us);
	out->params[out->count++] = tds_text(
		"@consistent_after",
		to->consistent_after_us ? out->consistent_after : NULL);
	if (from)
		out->params[out->count++] =
			position_param("@from", &from->position);
}

void checkpoint_sql(struct strbuf *sql, bool with_from)
{
	strbuf_addstr(sql, "UPDATE dataflow.checkpoints "
			   "SET position = @to, origin = @origin, "
			   "consistent_after = @consistent_after, "
			   "updated_at = SYSUTCDATETIME() "
			   "WHERE installation_id = @installation "
			   "AND mapping_id = @mapping");
	if (with_from)
		strbuf_addstr(sql,
			      " AND origin = @origin AND (position = @from "
			      "OR (position IS NULL AND @from IS NULL)); "
			      "IF @@ROWCOUNT <> 1 "
			      "THROW 51000, 'the checkpoint moved', 1; ");
	else
		strbuf_addstr(sql,
			      "; IF @@ROWCOUNT = 0 "
			      "INSERT INTO dataflow.checkpoints ("
			      "installation_id, mapping_id, origin, position, "
			      "consistent_after, updated_at) "
			      "VALUES (@installation, @mapping, @origin, @to, "
			      "@consistent_after, SYSUTCDATETIME()); ");
}

int checkpoint_read(struct sqlserver_target *target, struct checkpoint *out,
		    struct error *err)
{
	struct checkpoint_params id;
	const void *bytes;
	const char *after;
	size_t len;
	char text[CLOCK_TEXT_MAX] = "";
	int rc;

	identify(&id, target);
	memset(out, 0, sizeof(*out));
	rc = tds_query_row(target->conn, read_sql, id.params, id.count, err);
	if (rc <= 0)
		return rc;
	bytes = tds_get_bytes(target->conn, 0, &len);
	if (position_set(&out->position, bytes, len, err) < 0) {
		tds_abandon(target->conn);
		return -1;
	}
	after = tds_get_bytes(target->conn, 1, &len);
	if (after) {
		memcpy(text, after,
		       len < sizeof(text) ? len : sizeof(text) - 1);
		if (clock_parse(text, &out->consistent_after_us) < 0)
			out->consistent_after_us = clock_utc_us();
	}
	return tds_finish(target->conn, err) < 0 ? -1 : 1;
}

int checkpoint_remove(struct sqlserver_target *target, struct error *err)
{
	struct checkpoint_params id;

	identify(&id, target);
	if (tds_query(target->conn, remove_sql, id.params, 2, err) < 0)
		return -1;
	return tds_finish(target->conn, err);
}
