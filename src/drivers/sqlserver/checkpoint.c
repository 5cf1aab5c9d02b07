#include "drivers/sqlserver/target.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static const struct {
	const char *name;
	const char *columns; /* after the two that say whose row it is */
} home_tables[] = {
	{"checkpoints", "origin nvarchar(1000) NOT NULL, "
			"position varbinary(512) NULL, "
			"consistent_after datetime2 NULL, "
			"epoch bigint NOT NULL, "
			"updated_at datetime2 NOT NULL, "
			"CONSTRAINT pk_checkpoints "
			"PRIMARY KEY (installation_id, mapping_id)"},
	{"loads", "load_table nvarchar(128) NOT NULL, "
		  "signature nvarchar(max) NOT NULL, "
		  "position varbinary(512) NULL, "
		  "started_at datetime2 NOT NULL, "
		  "CONSTRAINT pk_loads "
		  "PRIMARY KEY (installation_id, mapping_id)"},
	{"load_parts", "part int NOT NULL, "
		       "low varbinary(512) NULL, "
		       "high varbinary(512) NULL, "
		       "is_done bit NOT NULL, "
		       "rows_loaded bigint NOT NULL, "
		       "CONSTRAINT pk_load_parts "
		       "PRIMARY KEY (installation_id, mapping_id, part)"},
	{"exceptions", "exception_id nvarchar(36) NOT NULL, "
		       "operation tinyint NOT NULL, "
		       "row_key nvarchar(4000) COLLATE Latin1_General_BIN2 "
		       "NOT NULL, "
		       "position nvarchar(1100) NOT NULL, "
		       "error_number int NOT NULL, "
		       "reason nvarchar(max) NOT NULL, "
		       "created_at datetime2 NOT NULL, CONSTRAINT "
		       "pk_exceptions PRIMARY KEY "
		       "(installation_id, mapping_id, exception_id)"},
};

static const char read_sql[] =
	"IF OBJECT_ID(N'dataflow.checkpoints', N'U') IS NOT NULL "
	"SELECT position, CONVERT(nvarchar(40), consistent_after, 126) "
	"FROM dataflow.checkpoints "
	"WHERE installation_id = @installation AND mapping_id = @mapping "
	"AND origin = @origin";

/*
 * The row is there from the first look on, with an empty origin, so that a
 * daemon which still loads under an earlier epoch cannot commit either.
 */
static const char fence_sql[] =
	"UPDATE dataflow.checkpoints SET epoch = @epoch "
	"WHERE installation_id = @installation AND mapping_id = @mapping "
	"AND epoch < @epoch; "
	"INSERT INTO dataflow.checkpoints "
	"(installation_id, mapping_id, origin, epoch, updated_at) "
	"SELECT @installation, @mapping, N'', @epoch, SYSUTCDATETIME() "
	"WHERE NOT EXISTS (SELECT 1 FROM dataflow.checkpoints AS c "
	"WHERE c.installation_id = @installation AND c.mapping_id = @mapping); "
	"SELECT epoch FROM dataflow.checkpoints "
	"WHERE installation_id = @installation AND mapping_id = @mapping";

/*
 * Two workers may get here at the same time, hence the second look when the
 * making of an object fails.
 */
static void make_once(struct strbuf *sql, const char *id, const char *statement)
{
	strbuf_addf(sql,
		    "IF %s IS NULL BEGIN BEGIN TRY %s END TRY "
		    "BEGIN CATCH IF %s IS NULL THROW; END CATCH END; ",
		    id, statement, id);
}

static void build_home(struct strbuf *sql)
{
	char id[64];
	char statement[640];

	make_once(sql, "SCHEMA_ID(N'dataflow')",
		  "EXEC sys.sp_executesql N'CREATE SCHEMA dataflow'");
	for (size_t i = 0; i < sizeof(home_tables) / sizeof(*home_tables);
	     i++) {
		snprintf(id, sizeof(id), "OBJECT_ID(N'dataflow.%s', N'U')",
			 home_tables[i].name);
		snprintf(statement, sizeof(statement),
			 "CREATE TABLE dataflow.%s ("
			 "installation_id nvarchar(36) NOT NULL, "
			 "mapping_id int NOT NULL, %s)",
			 home_tables[i].name, home_tables[i].columns);
		make_once(sql, id, statement);
	}
}

static int make_home(struct sqlserver_target *target, struct error *err)
{
	struct strbuf sql;
	int rc = -1;

	strbuf_init(&sql);
	build_home(&sql);
	if (strbuf_check(&sql, err) == 0)
		rc = tds_exec(target->conn, sql.data, err);
	strbuf_release(&sql);
	if (rc < 0)
		return error_wrap(err,
				  "cannot make the tables of schema 'dataflow' "
				  "in database '%s'",
				  target->name.database);
	return 0;
}

void checkpoint_identify(struct checkpoint_params *out,
			 const struct sqlserver_target *target)
{
	out->count = 0;
	out->params[out->count++] =
		tds_text("@installation", target->installation);
	out->params[out->count++] = tds_int("@mapping", target->mapping_id);
	out->params[out->count++] = tds_int("@epoch", target->epoch);
	out->params[out->count++] = tds_text("@origin", target->origin);
}

struct tds_param checkpoint_position(const char *name,
				     const struct position *position)
{
	return tds_bytes(name, position->len ? position->bytes : NULL,
			 position->len);
}

void checkpoint_fill(struct checkpoint_params *out,
		     const struct sqlserver_target *target,
		     const struct checkpoint *from, const struct checkpoint *to)
{
	checkpoint_identify(out, target);
	out->params[out->count++] = checkpoint_position("@to", &to->position);
	if (to->consistent_after_us)
		clock_format(out->consistent_after, to->consistent_after_us);
	out->params[out->count++] = tds_text(
		"@consistent_after",
		to->consistent_after_us ? out->consistent_after : NULL);
	if (from)
		out->params[out->count++] =
			checkpoint_position("@from", &from->position);
}

void checkpoint_sql(struct strbuf *sql, bool with_from)
{
	strbuf_addstr(sql, "UPDATE dataflow.checkpoints "
			   "SET position = @to, origin = @origin, "
			   "consistent_after = @consistent_after, "
			   "updated_at = SYSUTCDATETIME() "
			   "WHERE installation_id = @installation "
			   "AND mapping_id = @mapping AND epoch = @epoch");
	if (with_from)
		strbuf_addstr(sql,
			      " AND origin = @origin AND (position = @from "
			      "OR (position IS NULL AND @from IS NULL))");
	strbuf_addstr(sql, "; IF @@ROWCOUNT <> 1 "
			   "THROW 51000, 'the checkpoint moved', 1; ");
}

int checkpoint_failed(struct error *err)
{
	if (err->native == CHECKPOINT_MOVED)
		err->kind = ERROR_CONFLICT;
	return -1;
}

int checkpoint_run(struct sqlserver_target *target, const char *sql,
		   struct error *err)
{
	struct checkpoint_params id;

	checkpoint_identify(&id, target);
	if (tds_query(target->conn, sql, id.params, id.count, err) < 0 ||
	    tds_finish(target->conn, err) < 0)
		return checkpoint_failed(err);
	return 0;
}

int checkpoint_fence(struct sqlserver_target *target, struct error *err)
{
	struct checkpoint_params id;
	int64_t epoch;
	int rc;

	if (make_home(target, err) < 0)
		return -1;
	checkpoint_identify(&id, target);
	rc = tds_query_row(target->conn, fence_sql, id.params, id.count, err);
	if (rc < 0)
		return -1;
	epoch = rc > 0 ? tds_get_int(target->conn, 0) : 0;
	if (rc > 0 && tds_finish(target->conn, err) < 0)
		return -1;
	if (epoch == target->epoch)
		return 0;
	target->base.later_epoch = epoch;
	return error_set(err, ERROR_FENCED,
			 "another daemon works on this mapping now");
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

	checkpoint_identify(&id, target);
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
