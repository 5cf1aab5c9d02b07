#include "drivers/postgresql/target.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define UTC_NOW "(now() AT TIME ZONE 'UTC')"

/*
 * Two workers may get here at the same time: whoever comes second waits for the
 * lock and finds everything made. What exists is not made again, since CREATE …
 * IF NOT EXISTS asks for rights that nobody needs any more then.
 */
static const char home_sql[] =
	"DO $do$ BEGIN "
	"PERFORM pg_advisory_xact_lock("
	"hashtext('dbaops dataflow: the schema dataflow')); "
	"IF NOT EXISTS (SELECT 1 FROM pg_namespace "
	"WHERE nspname = 'dataflow') THEN CREATE SCHEMA dataflow; END IF; "
	"IF NOT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'dataflow' "
	"AND tablename = 'checkpoints') THEN "
	"CREATE TABLE dataflow.checkpoints ("
	"installation_id varchar(36) NOT NULL, mapping_id int NOT NULL, "
	"origin text NOT NULL, position bytea, "
	"consistent_after timestamp, epoch bigint NOT NULL, "
	"updated_at timestamp NOT NULL, CONSTRAINT pk_checkpoints "
	"PRIMARY KEY (installation_id, mapping_id)) WITH (fillfactor = 50); "
	"END IF; "
	"IF NOT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'dataflow' "
	"AND tablename = 'loads') THEN "
	"CREATE TABLE dataflow.loads ("
	"installation_id varchar(36) NOT NULL, mapping_id int NOT NULL, "
	"load_table varchar(128) NOT NULL, signature text NOT NULL, "
	"position bytea, started_at timestamp NOT NULL, CONSTRAINT pk_loads "
	"PRIMARY KEY (installation_id, mapping_id)); END IF; "
	"IF NOT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'dataflow' "
	"AND tablename = 'load_parts') THEN "
	"CREATE TABLE dataflow.load_parts ("
	"installation_id varchar(36) NOT NULL, mapping_id int NOT NULL, "
	"part int NOT NULL, low bytea, high bytea, is_done boolean NOT NULL, "
	"rows_loaded bigint NOT NULL, CONSTRAINT pk_load_parts "
	"PRIMARY KEY (installation_id, mapping_id, part)); END IF; "
	"IF NOT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'dataflow' "
	"AND tablename = 'exceptions') THEN "
	"CREATE TABLE dataflow.exceptions ("
	"installation_id varchar(36) NOT NULL, mapping_id int NOT NULL, "
	"exception_id varchar(36) NOT NULL, operation smallint NOT NULL, "
	"row_key text COLLATE \"C\" NOT NULL, position text NOT NULL, "
	"error_number int NOT NULL, reason text NOT NULL, "
	"created_at timestamp NOT NULL, CONSTRAINT pk_exceptions "
	"PRIMARY KEY (installation_id, mapping_id, exception_id)); END IF; "
	"END $do$";

static const char has_home_sql[] =
	"SELECT count(*) FROM pg_tables WHERE schemaname = 'dataflow' "
	"AND tablename IN ('checkpoints', 'loads', 'load_parts', 'exceptions')";

#define HOME_TABLES 4

/*
 * The row is there from the first look on, with an empty origin, so that a
 * daemon which still loads under an earlier epoch cannot commit either.
 */
static const char fence_sql[] =
	"INSERT INTO dataflow.checkpoints AS c "
	"(installation_id, mapping_id, origin, epoch, updated_at) "
	"VALUES ($1, $2, '', $3, " UTC_NOW ") "
	"ON CONFLICT (installation_id, mapping_id) "
	"DO UPDATE SET epoch = EXCLUDED.epoch WHERE c.epoch < EXCLUDED.epoch";

static const char epoch_sql[] = "SELECT epoch FROM dataflow.checkpoints "
				"WHERE " CHECKPOINT_WHOSE;

static const char read_sql[] =
	"SELECT encode(position, 'hex'), "
	"to_char(consistent_after, 'YYYY-MM-DD\"T\"HH24:MI:SS.US') "
	"FROM dataflow.checkpoints WHERE " CHECKPOINT_WHOSE " AND origin = $3";

static const char move_sql[] =
	"UPDATE dataflow.checkpoints SET origin = $4, position = $5, "
	"consistent_after = $6::text::timestamp, updated_at = " UTC_NOW
	" WHERE " CHECKPOINT_WHOSE " AND epoch = $3";

static const char move_from_sql[] =
	"UPDATE dataflow.checkpoints SET origin = $4, position = $5, "
	"consistent_after = $6::text::timestamp, updated_at = " UTC_NOW
	" WHERE " CHECKPOINT_WHOSE " AND epoch = $3 AND origin = $4 "
	"AND position IS NOT DISTINCT FROM $7";

static const char guard_sql[] =
	"SELECT 1 FROM dataflow.checkpoints WHERE " CHECKPOINT_WHOSE
	" AND epoch = $3 FOR SHARE";

static const char forget_sql[] =
	"UPDATE dataflow.checkpoints SET origin = '', position = NULL "
	"WHERE " CHECKPOINT_WHOSE " AND epoch = $3";

void pg_checkpoint_identify(struct pg_checkpoint_params *out,
			    const struct pg_target *target)
{
	out->params[0] = pg_text(target->installation);
	out->params[1] = pg_int(target->mapping_id);
	out->count = 2;
}

struct pg_param pg_checkpoint_position(const struct position *position)
{
	return pg_bytes(position->len ? position->bytes : NULL, position->len);
}

int pg_checkpoint_run(struct pg_target *target, const char *sql,
		      struct error *err)
{
	struct pg_checkpoint_params p;
	int64_t rows;

	pg_checkpoint_identify(&p, target);
	rows = pg_query(target->conn, sql, p.params, p.count, err);
	pg_finish(target->conn);
	return rows < 0 ? -1 : 0;
}

static int moved(struct error *err)
{
	return error_set(err, ERROR_CONFLICT, "the checkpoint moved");
}

/* A statement for exactly one row, ours. */
static int run_for_one(struct pg_target *target, const char *sql,
		       const struct pg_checkpoint_params *p, struct error *err)
{
	int64_t rows = pg_query(target->conn, sql, p->params, p->count, err);

	pg_finish(target->conn);
	if (rows < 0)
		return -1;
	return rows == 1 ? 0 : moved(err);
}

static int run_for_epoch(struct pg_target *target, const char *sql,
			 struct error *err)
{
	struct pg_checkpoint_params p;

	pg_checkpoint_identify(&p, target);
	p.params[p.count++] = pg_int(target->epoch);
	return run_for_one(target, sql, &p, err);
}

int pg_checkpoint_guard(struct pg_target *target, struct error *err)
{
	return run_for_epoch(target, guard_sql, err);
}

int pg_checkpoint_forget(struct pg_target *target, struct error *err)
{
	return run_for_epoch(target, forget_sql, err);
}

int pg_checkpoint_move(struct pg_target *target, const struct checkpoint *from,
		       const struct checkpoint *to, struct error *err)
{
	char after[CLOCK_TEXT_MAX];
	struct pg_checkpoint_params p;

	if (to->consistent_after_us)
		clock_format(after, to->consistent_after_us);
	pg_checkpoint_identify(&p, target);
	p.params[p.count++] = pg_int(target->epoch);
	p.params[p.count++] = pg_text(target->origin);
	p.params[p.count++] = pg_checkpoint_position(&to->position);
	p.params[p.count++] = pg_text(to->consistent_after_us ? after : NULL);
	if (from)
		p.params[p.count++] = pg_checkpoint_position(&from->position);
	return run_for_one(target, from ? move_from_sql : move_sql, &p, err);
}

/* ------------------------------------------------------------------- a home */

static int make_home(struct pg_target *target, struct error *err)
{
	bool found;

	if (pg_query(target->conn, has_home_sql, NULL, 0, err) < 0)
		return -1;
	found = pg_get_int(target->conn, 0, 0) == HOME_TABLES;
	pg_finish(target->conn);
	if (found)
		return 0;
	if (pg_exec(target->conn, home_sql, err) < 0)
		return error_wrap(err,
				  "cannot make the tables of schema 'dataflow' "
				  "in database '%s'",
				  target->name.database);
	return 0;
}

int pg_checkpoint_fence(struct pg_target *target, struct error *err)
{
	struct pg_checkpoint_params p;
	int64_t epoch, rows;

	if (make_home(target, err) < 0)
		return -1;
	pg_checkpoint_identify(&p, target);
	p.params[p.count++] = pg_int(target->epoch);
	if (pg_query(target->conn, fence_sql, p.params, p.count, err) < 0)
		return -1;
	pg_checkpoint_identify(&p, target);
	rows = pg_query(target->conn, epoch_sql, p.params, p.count, err);
	if (rows < 0)
		return -1;
	epoch = rows ? pg_get_int(target->conn, 0, 0) : 0;
	pg_finish(target->conn);
	if (epoch == target->epoch)
		return 0;
	target->base.later_epoch = epoch;
	return error_set(err, ERROR_FENCED,
			 "another daemon works on this mapping now");
}

/* ----------------------------------------------------------------- reading */

static int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

int pg_position_parse(const char *hex, struct position *out, struct error *err)
{
	size_t len = strlen(hex) / 2;
	unsigned char bytes[POSITION_MAX];

	for (size_t i = 0; i < len && i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 |
					   hex_digit(hex[2 * i + 1]));
	return position_set(out, bytes, len, err);
}

int pg_checkpoint_read(struct pg_target *target, struct checkpoint *out,
		       struct error *err)
{
	struct pg_checkpoint_params p;
	int64_t rows;
	int rc = 1;

	memset(out, 0, sizeof(*out));
	rows = pg_query(target->conn, has_home_sql, NULL, 0, err);
	if (rows < 0)
		return -1;
	if (pg_get_int(target->conn, 0, 0) < HOME_TABLES) {
		pg_finish(target->conn);
		return 0;
	}
	pg_checkpoint_identify(&p, target);
	p.params[p.count++] = pg_text(target->origin);
	rows = pg_query(target->conn, read_sql, p.params, p.count, err);
	if (rows <= 0)
		return (int)rows;
	if (pg_position_parse(pg_get_text(target->conn, 0, 0), &out->position,
			      err) < 0)
		rc = -1;
	if (!pg_null(target->conn, 0, 1) &&
	    clock_parse(pg_get_text(target->conn, 0, 1),
			&out->consistent_after_us) < 0)
		out->consistent_after_us = clock_utc_us();
	pg_finish(target->conn);
	return rc;
}
