#include "drivers/postgresql/slot.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "drivers/postgresql/publication.h"
#include "drivers/postgresql/quote.h"
#include "drivers/postgresql/server.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* So many characters of the installation's id are in a name. */
#define ID_CHARS 12

/* The server's own SQLSTATEs. */
#define DUPLICATE_OBJECT "42710"
#define OBJECT_IN_USE	 "55006"
#define UNDEFINED_OBJECT "42704"

/* How often to look whether those who are committing are done, and how long. */
#define COMMIT_LOOK_MS 20
#define COMMIT_WAIT_MS 2000
#define SYNC_WAIT_MS   60000

void slot_names_make(struct slot_names *names, const char *installation,
		     int server, uint32_t database)
{
	char id[ID_CHARS + 1];
	size_t len = 0;

	memset(names, 0, sizeof(*names));
	for (; *installation && len < ID_CHARS; installation++)
		if (isalnum((unsigned char)*installation))
			id[len++] = (char)tolower((unsigned char)*installation);
	id[len] = '\0';
	snprintf(names->publication, sizeof(names->publication),
		 "dataflow_%s_%d", id, server);
	snprintf(names->slot, sizeof(names->slot), "dataflow_%s_%d_%lu", id,
		 server, (unsigned long)database);
}

/* One row, or an error. */
static int query_row(struct pg *conn, const char *sql,
		     const struct pg_param *params, size_t count,
		     struct error *err)
{
	int64_t rows = pg_query(conn, sql, params, count, err);

	if (rows < 0)
		return -1;
	if (rows > 0)
		return 0;
	pg_finish(conn);
	return error_set(err, ERROR_SERVER, "the server answered nothing");
}

uint32_t slot_database(struct pg *conn, struct error *err)
{
	uint32_t oid;

	if (query_row(conn,
		      "SELECT oid::bigint FROM pg_database "
		      "WHERE datname = current_database()",
		      NULL, 0, err) < 0)
		return 0;
	oid = (uint32_t)pg_get_int(conn, 0, 0);
	pg_finish(conn);
	return oid;
}

/* ------------------------------------------------------------------- server */

static const char server_sql[] =
	"SELECT pg_is_in_recovery(), current_setting('wal_level'), "
	"current_setting('max_replication_slots')::int, "
	"(SELECT count(*) FROM pg_replication_slots), "
	"current_setting('max_wal_senders')::int, "
	"(SELECT r.rolsuper OR r.rolreplication FROM pg_roles AS r "
	"WHERE r.rolname = current_user) "
	"OR EXISTS (SELECT 1 FROM pg_roles AS g "
	"WHERE g.rolname IN ('rds_replication', 'cloudsqlreplica') "
	"AND pg_has_role(g.oid, 'MEMBER')), current_user::text, "
	"EXISTS (SELECT 1 FROM pg_replication_slots WHERE slot_name = $1)";

static int judge_server(struct pg *conn, struct error *err)
{
	const char *level = pg_get_text(conn, 0, 1);
	long slots = (long)pg_get_int(conn, 0, 2);
	long used = (long)pg_get_int(conn, 0, 3);
	bool exists = pg_get_bool(conn, 0, 7);

	if (pg_get_bool(conn, 0, 0))
		return error_set(err, ERROR_CONFIG,
				 "the server is a standby, which cannot be "
				 "set up to tell changes; name the primary in "
				 "the connection string");
	if (strcmp(level, "logical") != 0)
		return error_set(err, ERROR_CONFIG,
				 "wal_level is '%s', so changes are not logged "
				 "as rows; run ALTER SYSTEM SET wal_level = "
				 "'logical' and restart the server",
				 level);
	if (!pg_get_bool(conn, 0, 5))
		return error_set(err, ERROR_PERMISSION,
				 "login '%s' may not read the log; run ALTER "
				 "ROLE \"%s\" "
				 "REPLICATION" PG_SOURCE_SCRIPT,
				 pg_get_text(conn, 0, 6),
				 pg_get_text(conn, 0, 6));
	if (!exists && used >= slots)
		return error_set(err, ERROR_CONFIG,
				 "all %ld replication slots are taken; run "
				 "ALTER SYSTEM SET max_replication_slots = %ld "
				 "and restart the server, or drop one that "
				 "nobody needs (pg_replication_slots)",
				 slots, used + 5);
	if (pg_get_int(conn, 0, 4) < 1)
		return error_set(err, ERROR_CONFIG,
				 "max_wal_senders is 0; run ALTER SYSTEM SET "
				 "max_wal_senders = 10 and restart the server");
	return 0;
}

int slot_check_server(struct pg *conn, const struct slot_names *names,
		      struct error *err)
{
	struct pg_param slot = pg_text(names->slot);
	int ret;

	if (query_row(conn, server_sql, &slot, 1, err) < 0)
		return -1;
	ret = judge_server(conn, err);
	pg_finish(conn);
	return ret;
}

/* ----------------------------------------------------------------- identity */

/*
 * The tables that hold the rows, and the columns that the log tells of a row
 * that goes. A table without such columns has one line all the same.
 */
static const char identity_sql[] =
	"WITH RECURSIVE tree AS (SELECT $1::oid AS oid UNION "
	"SELECT i.inhrelid FROM pg_inherits AS i "
	"INNER JOIN tree AS t ON i.inhparent = t.oid "
	"INNER JOIN pg_class AS p ON p.oid = i.inhparent "
	"AND p.relkind = 'p') "
	"SELECT n.nspname::text, c.relname::text, c.relreplident::text, "
	"a.attname::text FROM tree AS t "
	"INNER JOIN pg_class AS c ON c.oid = t.oid AND c.relkind <> 'p' "
	"INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace "
	"LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisvalid "
	"AND i.indimmediate AND ((c.relreplident = 'd' AND i.indisprimary) "
	"OR (c.relreplident = 'i' AND i.indisreplident)) "
	"LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid "
	"AND a.attnum = ANY (i.indkey) ORDER BY c.oid";

static int no_identity(struct pg *conn, int64_t row, const char *what,
		       struct error *err)
{
	struct strbuf name;
	int ret;

	strbuf_init_max(&name, ERROR_MESSAGE_MAX / 4);
	quote_table(&name, pg_get_text(conn, row, 0),
		    pg_get_text(conn, row, 1));
	ret = error_set(err, ERROR_SCHEMA,
			"%s: the log does not tell which row of %s an update "
			"or a delete concerns; run ALTER TABLE %s REPLICA "
			"IDENTITY FULL, or give the table a primary key of "
			"the mapping's key columns",
			what, name.data, name.data);
	strbuf_release(&name);
	return ret;
}

static bool is_identity(struct pg *conn, int64_t from, int64_t to,
			const char *column)
{
	for (int64_t row = from; row < to; row++)
		if (!strcmp(pg_get_text(conn, row, 3), column))
			return true;
	return false;
}

/* One table: the lines from `from` on, before `to`. */
static int judge_identity(struct pg *conn, int64_t from, int64_t to,
			  const struct table *key, struct error *err)
{
	if (*pg_get_text(conn, from, 2) == 'f')
		return 0;
	if (pg_null(conn, from, 3))
		return no_identity(conn, from, "it has no replica identity",
				   err);
	for (size_t k = 0; k < key->key_count; k++)
		if (!is_identity(conn, from, to,
				 key->columns[key->key[k]].name))
			return no_identity(conn, from,
					   "its replica identity has not all "
					   "columns of the mapping's key",
					   err);
	return 0;
}

static bool same_table(struct pg *conn, int64_t a, int64_t b)
{
	char schema[4 * 64];

	text_copy(schema, sizeof(schema), pg_get_text(conn, a, 0));
	return !strcmp(schema, pg_get_text(conn, b, 0)) &&
	       !strcmp(pg_get_text(conn, a, 1), pg_get_text(conn, b, 1));
}

int slot_check_identity(struct pg *conn, uint32_t oid, const struct table *key,
			struct error *err)
{
	struct pg_param table = pg_int(oid);
	int64_t rows = pg_query(conn, identity_sql, &table, 1, err);
	int64_t from = 0, to;
	int ret = 0;

	if (rows < 0)
		return -1;
	for (; ret == 0 && from < rows; from = to) {
		for (to = from + 1; to < rows && same_table(conn, from, to);)
			to++;
		ret = judge_identity(conn, from, to, key, err);
	}
	pg_finish(conn);
	return ret;
}

/* -------------------------------------------------------------------- table */

int slot_is_table(struct pg *conn, uint32_t oid, const struct table_name *table,
		  struct error *err)
{
	struct pg_param params[] = {
		pg_int(oid),
		pg_text(table->schema),
		pg_text(table->table),
	};
	int64_t rows =
		pg_query(conn,
			 "SELECT 1 FROM pg_class AS c "
			 "INNER JOIN pg_namespace AS n "
			 "ON n.oid = c.relnamespace WHERE c.oid = $1::oid "
			 "AND n.nspname = $2 AND c.relname = $3",
			 params, COUNT_OF(params), err);

	pg_finish(conn);
	return rows < 0 ? -1 : rows > 0;
}

/* --------------------------------------------------------------------- slot */

int slot_look(struct pg *conn, const struct slot_names *names,
	      struct slot_state *out, struct error *err)
{
	bool has_status = pg_server_version(conn) >= 130000;
	struct strbuf sql;
	int64_t rows = -1;

	memset(out, 0, sizeof(*out));
	strbuf_init(&sql);
	/* Over a replication connection as well, which takes no parameters. */
	strbuf_addf(&sql,
		    "SELECT active, active_pid, "
		    "confirmed_flush_lsn::text, %s, CASE WHEN "
		    "pg_is_in_recovery() THEN 0 ELSE "
		    "pg_wal_lsn_diff(pg_current_wal_lsn(), "
		    "restart_lsn)::bigint END, %s, "
		    "COALESCE(plugin = 'pgoutput' "
		    "AND database = current_database(), false) "
		    "FROM pg_catalog.pg_replication_slots "
		    "WHERE slot_name = ",
		    has_status ? "wal_status" : "''",
		    has_status ? "safe_wal_size" : "NULL");
	quote_text(&sql, names->slot);
	if (strbuf_check(&sql, err) == 0)
		rows = pg_query(conn, sql.data, NULL, 0, err);
	strbuf_release(&sql);
	if (rows < 0)
		return -1;
	if (rows > 0) {
		out->exists = true;
		out->active = pg_get_bool(conn, 0, 0);
		out->pid = (int)pg_get_int(conn, 0, 1);
		out->confirmed = lsn_parse(pg_get_text(conn, 0, 2));
		text_copy(out->status, sizeof(out->status),
			  pg_get_text(conn, 0, 3));
		if (pg_get_int(conn, 0, 4) > 0)
			out->retained = (uint64_t)pg_get_int(conn, 0, 4);
		if (!pg_null(conn, 0, 5) && pg_get_int(conn, 0, 5) > 0)
			out->left = (uint64_t)pg_get_int(conn, 0, 5);
		out->fits = pg_get_bool(conn, 0, 6);
	}
	pg_finish(conn);
	return 0;
}

static int slot_create(struct pg *conn, const struct slot_names *names,
		       struct error *err)
{
	struct pg_param slot = pg_text(names->slot);
	/* Standbys that are set up for it keep it, too, and can take over. */
	const char *sql =
		pg_server_version(conn) >= 170000
			? "SELECT pg_create_logical_replication_slot($1, "
			  "'pgoutput', false, false, true)"
			: "SELECT pg_create_logical_replication_slot($1, "
			  "'pgoutput')";

	if (pg_query(conn, sql, &slot, 1, err) < 0) {
		if (!strcmp(err->sqlstate, DUPLICATE_OBJECT)) {
			error_clear(err);
			return 0;
		}
		return error_wrap(err, "replication slot '%s' cannot be made",
				  names->slot);
	}
	pg_finish(conn);
	return 0;
}

static int drop_slot(struct pg *conn, const struct slot_names *names,
		     struct error *err)
{
	struct pg_param slot = pg_text(names->slot);

	if (pg_query(conn,
		     "SELECT pg_drop_replication_slot(slot_name) "
		     "FROM pg_replication_slots WHERE slot_name = $1",
		     &slot, 1, err) < 0) {
		if (!strcmp(err->sqlstate, UNDEFINED_OBJECT)) {
			error_clear(err);
			return 0;
		}
		if (!strcmp(err->sqlstate, OBJECT_IN_USE)) {
			err->kind = ERROR_CONFLICT;
			err->retryable = true;
		}
		return error_wrap(err, "replication slot '%s'", names->slot);
	}
	pg_finish(conn);
	return 0;
}

/*
 * The log before the publication was made cannot be read with it, so a slot that
 * is older than its publication is made anew, and so is one that lost its part of
 * the log, or that somebody made with another plugin.
 */
int slot_prepare(struct pg *conn, const struct slot_names *names, uint32_t oid,
		 const struct table_name *table, bool anew, struct error *err)
{
	struct publication found;
	struct slot_state state;

	if (publication_look(conn, names, oid, &found, err) < 0 ||
	    slot_look(conn, names, &state, err) < 0)
		return -1;
	anew = anew || found.state == PUBLICATION_NONE || !state.fits ||
	       !state.confirmed || !strcmp(state.status, "lost");
	if ((!state.exists || anew) && slot_check_server(conn, names, err) < 0)
		return -1;
	if (found.state != PUBLICATION_WITH &&
	    publication_add(conn, names, table, &found, err) < 0)
		return -1;
	if (state.exists && !anew)
		return 0;
	if (state.exists && drop_slot(conn, names, err) < 0)
		return -1;
	return slot_create(conn, names, err);
}

/*
 * What is left of a database shows by its slot, so that goes last. One that is
 * in use will be found again.
 */
int slot_drop(struct pg *conn, const struct slot_names *names,
	      struct error *err)
{
	struct slot_state state;

	if (slot_look(conn, names, &state, err) < 0)
		return -1;
	if (state.active) {
		error_set(err, ERROR_CONFLICT,
			  "replication slot '%s' is still in use", names->slot);
		err->retryable = true;
		return -1;
	}
	if (publication_drop(conn, names, err) < 0)
		return -1;
	return drop_slot(conn, names, err);
}

/* ----------------------------------------------------------------- position */

int slot_find_end(struct pg *conn, struct slot_end *out, struct error *err)
{
	if (query_row(conn,
		      "SELECT pg_current_wal_flush_lsn()::text, "
		      "pg_current_wal_insert_lsn()::text, (SELECT 3 * "
		      "setting::int8 FROM pg_settings "
		      "WHERE name = 'wal_writer_delay')",
		      NULL, 0, err) < 0)
		return -1;
	out->flushed = lsn_parse(pg_get_text(conn, 0, 0));
	out->written = lsn_parse(pg_get_text(conn, 0, 1));
	out->delay_ms = pg_get_int(conn, 0, 2);
	pg_finish(conn);
	return 0;
}

/*
 * Where the last record ends with its page, the server says where the next one
 * will begin: behind the header of a page, or of a file.
 */
int slot_log_end(struct pg *conn, struct lsn_position *out, struct error *err)
{
	if (query_row(conn,
		      "SELECT l.lsn::text, "
		      "(SELECT system_identifier::text FROM "
		      "pg_control_system()), "
		      "left(pg_walfile_name(l.lsn), 8), "
		      "CASE WHEN o.file_offset = 40 THEN 40 "
		      "WHEN o.file_offset % "
		      "current_setting('wal_block_size')::int = 24 THEN 24 "
		      "ELSE 0 END "
		      "FROM (SELECT pg_current_wal_insert_lsn() AS lsn) AS l, "
		      "pg_walfile_name_offset(l.lsn) AS o",
		      NULL, 0, err) < 0)
		return -1;
	out->lsn = lsn_parse(pg_get_text(conn, 0, 0)) -
		   (uint64_t)pg_get_int(conn, 0, 3);
	out->system = strtoull(pg_get_text(conn, 0, 1), NULL, 10);
	out->timeline = (uint32_t)strtoul(pg_get_text(conn, 0, 2), NULL, 16);
	out->read_until = out->lsn;
	pg_finish(conn);
	return 0;
}

/*
 * Who has written to the table, in a transaction that is not over. A commit is
 * in the log some time before others can see it, and its locks go after that:
 * so who is among these may be before the position and not visible yet. `$2`:
 * only those among them. A login without pg_read_all_stats does not see what the
 * sessions of others do; then each may be one that waits for a standby. A
 * prepared transaction has no session, and any may be the one to commit it.
 *
 * And is the log flushed up to `$5`? See wait_for_writers().
 *
 * A session that is idle is not committing. But a change is published if the
 * table was in the publication (`$3`) when it was made, and not when it was
 * committed: so those who began before that are sought, too, or everybody (`$4`).
 * An entry that is older than half of all transaction ids has a negative age.
 */
#define WRITERS_SQL(namespaces)                                                \
	"WITH RECURSIVE tree AS (SELECT $1::oid AS oid UNION "                 \
	"SELECT i.inhrelid FROM pg_inherits AS i "                             \
	"INNER JOIN tree AS t ON i.inhparent = t.oid), "                       \
	"entry AS (SELECT min(age(e.xid)) AS age FROM ("                       \
	"SELECT p.xmin AS xid FROM pg_publication AS p "                       \
	"WHERE p.pubname = $3 UNION ALL SELECT r.xmin FROM pg_publication AS " \
	"p INNER JOIN pg_publication_rel AS r ON r.prpubid = p.oid "           \
	"WHERE p.pubname = $3 AND r.prrelid = $1::oid" namespaces              \
	") AS e WHERE age(e.xid) >= 0), "                                      \
	"writers AS (SELECT l.virtualtransaction AS id, l.pid, "               \
	"a.wait_event, a.state, COALESCE((SELECT max(age(x.transactionid)) "   \
	"FROM pg_locks AS x WHERE x.locktype = 'transactionid' "               \
	"AND x.mode = 'ExclusiveLock' AND x.granted "                          \
	"AND x.virtualtransaction = l.virtualtransaction) > "                  \
	"(SELECT age FROM entry), false) AS early "                            \
	"FROM pg_locks AS l INNER JOIN tree AS t ON t.oid = l.relation "       \
	"LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid "                    \
	"WHERE l.locktype = 'relation' AND l.granted "                         \
	"AND l.database = (SELECT d.oid FROM pg_database AS d "                \
	"WHERE d.datname = current_database()) "                               \
	"AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', "         \
	"'ExclusiveLock', 'AccessExclusiveLock') "                             \
	"AND l.pid IS DISTINCT FROM pg_backend_pid() "                         \
	"AND ($2 = '' OR l.virtualtransaction = ANY "                          \
	"(string_to_array($2, ',')))) "                                        \
	"SELECT string_agg(DISTINCT w.id, ','), "                              \
	"bool_or(CASE WHEN w.pid IS NULL THEN EXISTS (SELECT 1 "               \
	"FROM pg_stat_activity AS s WHERE s.wait_event = 'SyncRep' "           \
	"OR s.query = '<insufficient privilege>') "                            \
	"ELSE w.wait_event = 'SyncRep' OR w.state IS NULL END), "              \
	"current_setting('synchronous_standby_names') <> '', "                 \
	"left(string_agg(DISTINCT CASE WHEN w.early OR $4 = 1 THEN COALESCE("  \
	"'process ' || w.pid, 'a prepared one') END, ', '), 200), "            \
	"pg_current_wal_flush_lsn() >= $5::text::pg_lsn "                      \
	"FROM writers AS w WHERE w.early OR $4 = 1 OR COALESCE(w.state, '') "  \
	"NOT IN ('idle in transaction', 'idle in transaction (aborted)')"

static const char writers_sql[] = WRITERS_SQL("");

/* The first server that has publications of whole schemas. */
#define VERSION_OF_SCHEMAS 150000

static const char writers_of_schemas_sql[] = WRITERS_SQL(
	" UNION ALL SELECT n.xmin FROM pg_publication AS p "
	"INNER JOIN pg_publication_namespace AS n ON n.pnpubid = p.oid "
	"INNER JOIN pg_class AS c ON c.relnamespace = n.pnnspid "
	"WHERE p.pubname = $3 AND c.oid = $1::oid");

struct writers {
	const struct slot_names *names;
	uint64_t position; /* those who commit before it are sought */
	bool all;	   /* also those who are not committing */
	struct strbuf who; /* "" : nobody */
	bool flushed;	   /* the log is on disk up to the position */
	bool waiting;	   /* one waits, or may wait, for a standby */
	char early[256];   /* those who began too early, or "" */
};

static int find_writers(struct pg *conn, uint32_t oid, struct writers *writers,
			struct error *err)
{
	char position[LSN_TEXT_MAX];
	struct pg_param params[] = {
		pg_int(oid),
		pg_text(writers->who.data),
		pg_text(writers->names->publication),
		pg_int(writers->all),
		pg_text(lsn_format(position, writers->position)),
	};
	const char *sql = pg_server_version(conn) >= VERSION_OF_SCHEMAS
				  ? writers_of_schemas_sql
				  : writers_sql;

	if (query_row(conn, sql, params, COUNT_OF(params), err) < 0)
		return -1;
	strbuf_reset(&writers->who);
	strbuf_addstr(&writers->who, pg_get_text(conn, 0, 0));
	writers->waiting = pg_get_bool(conn, 0, 1) && pg_get_bool(conn, 0, 2);
	text_copy(writers->early, sizeof(writers->early),
		  pg_get_text(conn, 0, 3));
	writers->flushed = pg_get_bool(conn, 0, 4);
	pg_finish(conn);
	return strbuf_check(&writers->who, err);
}

static int are_too_early(const struct writers *writers, struct error *err)
{
	error_set(err, ERROR_CONFLICT,
		  "transactions that changed the table before it was in "
		  "publication '%s' are still open, after %d seconds: %s; what "
		  "they have done is not told when they commit, so the table "
		  "is loaded when they are over (see pg_stat_activity and "
		  "pg_prepared_xacts)",
		  writers->names->publication, SYNC_WAIT_MS / 1000,
		  writers->early);
	err->retryable = true;
	return -1;
}

static int not_visible(const struct writers *writers, struct error *err)
{
	if (writers->waiting)
		error_set(err, ERROR_SERVER,
			  "a transaction that changed the table waits for a "
			  "synchronous standby, for more than %d seconds, or "
			  "may do so, which only a login with "
			  "pg_read_all_stats can see; what it changed is in "
			  "the log but cannot be read yet (see "
			  "pg_stat_replication)",
			  SYNC_WAIT_MS / 1000);
	else
		error_set(err, ERROR_SERVER,
			  "the server has not written its log to disk for "
			  "%d seconds: a transaction that changed the table "
			  "may wait for that in its COMMIT, and what it "
			  "changed cannot be read yet (see wait_event in "
			  "pg_stat_activity)",
			  SYNC_WAIT_MS / 1000);
	err->retryable = true;
	return -1;
}

/*
 * A commit is visible after its record was put into the log, the log was flushed
 * up to that, and standbys have it, if any are waited for. Who is still there may
 * be anywhere on that way, or be working, and what a session waits for does not
 * tell: it may as well not get a processor. But nobody who comes before the
 * position is visible while the log is not flushed up to it, however long that
 * takes, so that is waited for in any case. (The server flushes what nobody waits
 * for in 15 seconds.) A standby is a wait that shows. What is left for a commit to
 * do besides is in memory and takes a moment: who is still there some time after
 * the flush is not committing but working, and comes after the position, unless
 * it began too early.
 *
 * To begin where the log was flushed to would need no wait, but that can be in the
 * middle of a commit, which the server then passes over.
 */
static int wait_for_writers(struct pg *conn, uint32_t oid,
			    struct writers *writers, struct cancel *cancel,
			    struct error *err)
{
	int64_t began = clock_ms(), now, flushed = began;

	do {
		if (find_writers(conn, oid, writers, err) < 0)
			return -1;
		if (!writers->who.len)
			return 0;
		if (cancel) {
			if (cancel_check(cancel, err) < 0)
				return -1;
			cancel_sleep(cancel, COMMIT_LOOK_MS);
		}
		now = clock_ms();
		if (!writers->flushed)
			flushed = now;
	} while (now - began < SYNC_WAIT_MS &&
		 (now - flushed < COMMIT_WAIT_MS || writers->waiting ||
		  *writers->early));
	if (*writers->early)
		return are_too_early(writers, err);
	if (writers->waiting || now - flushed < COMMIT_WAIT_MS)
		return not_visible(writers, err);
	return 0;
}

int slot_position(struct pg *conn, const struct slot_names *names, uint32_t oid,
		  struct cancel *cancel, struct lsn_position *out,
		  struct error *err)
{
	struct writers writers = {.names = names};
	int ret = slot_log_end(conn, out, err);

	strbuf_init(&writers.who);
	if (ret == 0) {
		writers.position = out->lsn;
		ret = wait_for_writers(conn, oid, &writers, cancel, err);
	}
	strbuf_release(&writers.who);
	return ret;
}

int slot_outlast(struct pg *conn, const struct slot_names *names, uint32_t oid,
		 struct cancel *cancel, struct error *err)
{
	struct writers writers = {.names = names, .all = true};
	int ret;

	strbuf_init(&writers.who);
	ret = wait_for_writers(conn, oid, &writers, cancel, err);
	strbuf_release(&writers.who);
	return ret;
}
