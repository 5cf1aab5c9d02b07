/*
 * The control store in a SQLite file. Write-ahead logging lets a DBA look
 * into the file with sqlite3 while the daemon writes, and the other way round;
 * whoever finds it locked waits a little.
 */
#include "control/session.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/platform.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "control_schema.h" /* made by the build: schema_sqlite[] */

#define BUSY_TIMEOUT_MS 5000
#define BUSY_SLEEP_MS	20

struct sqlite_session {
	struct session base;
	sqlite3 *db;
	sqlite3_stmt *stmt; /* under way, or NULL */
};

static struct sqlite_session *self_of(struct session *session)
{
	return (struct sqlite_session *)session;
}

/* Somebody else has the file: wait, unless we are in a hurry. */
static int on_busy(void *arg, int calls)
{
	struct cancel *cancel = arg;

	if (calls * BUSY_SLEEP_MS >= BUSY_TIMEOUT_MS ||
	    (cancel && cancel_level(cancel) >= CANCEL_NOW))
		return 0;
	sqlite3_sleep(BUSY_SLEEP_MS);
	return 1;
}

/* Of which it is not the statement, nor what it writes, that is at fault. */
static bool is_of_store(int code)
{
	switch (code) {
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_PROTOCOL:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return true;
	default:
		return false;
	}
}

static enum error_kind kind_of(int code)
{
	if (code == SQLITE_NOMEM)
		return ERROR_MEMORY;
	if (code == SQLITE_CONSTRAINT)
		return ERROR_DATA;
	return is_of_store(code) ? ERROR_CONNECTION : ERROR_SERVER;
}

static int sqlite_failed(sqlite3 *db, struct error *err)
{
	int code = sqlite3_errcode(db);

	error_set(err, kind_of(code), "%s (SQLite error %d)",
		  sqlite3_errmsg(db), code);
	err->native = code;
	/* A file that is none of SQLite's will not become one. */
	err->retryable = (is_of_store(code) && code != SQLITE_NOTADB) ||
			 code == SQLITE_NOMEM || code == SQLITE_BUSY ||
			 code == SQLITE_LOCKED;
	return -1;
}

static void sqlite_finish(struct session *session)
{
	sqlite3_finalize(self_of(session)->stmt);
	self_of(session)->stmt = NULL;
}

static void sqlite_close(struct session *session)
{
	sqlite_finish(session);
	sqlite3_close(self_of(session)->db);
	free(session);
}

static int bind(sqlite3_stmt *stmt, const struct session_param *param)
{
	int index = sqlite3_bind_parameter_index(stmt, param->name);

	if (!index)
		return SQLITE_OK; /* not every statement uses every one */
	if (param->null)
		return sqlite3_bind_null(stmt, index);
	switch (param->type) {
	case PARAM_INT:
		return sqlite3_bind_int64(stmt, index, param->number);
	case PARAM_TEXT:
		return sqlite3_bind_text64(stmt, index, param->data, param->len,
					   SQLITE_TRANSIENT, SQLITE_UTF8);
	case PARAM_BYTES:
		return sqlite3_bind_blob64(stmt, index, param->data, param->len,
					   SQLITE_TRANSIENT);
	}
	return SQLITE_MISUSE;
}

static int sqlite_query(struct session *session, const char *sql,
			const struct session_param *params, size_t count,
			struct error *err)
{
	struct sqlite_session *self = self_of(session);

	sqlite_finish(session);
	if (sqlite3_prepare_v2(self->db, sql, -1, &self->stmt, NULL))
		return sqlite_failed(self->db, err);
	for (size_t i = 0; i < count; i++) {
		if (bind(self->stmt, &params[i])) {
			sqlite_failed(self->db, err);
			sqlite_finish(session);
			return -1;
		}
	}
	return 0;
}

static int sqlite_fetch(struct session *session, struct error *err)
{
	struct sqlite_session *self = self_of(session);
	int ret = 0;

	switch (sqlite3_step(self->stmt)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		break;
	default:
		ret = sqlite_failed(self->db, err);
		break;
	}
	sqlite_finish(session);
	return ret;
}

static bool sqlite_null(struct session *session, size_t col)
{
	return sqlite3_column_type(self_of(session)->stmt, (int)col) ==
	       SQLITE_NULL;
}

static int64_t sqlite_get_int(struct session *session, size_t col)
{
	return sqlite3_column_int64(self_of(session)->stmt, (int)col);
}

/* Nobody keeps a program from writing text into the file that is none. */
static char *sqlite_get_text(struct session *session, size_t col,
			     struct arena *arena)
{
	const unsigned char *text =
		sqlite3_column_text(self_of(session)->stmt, (int)col);
	/* No NULL of the table's, or nobody would ask: no memory. */
	char *copy = text ? arena_strdup(arena, (const char *)text) : NULL;

	if (copy)
		text_make_utf8(copy);
	return copy;
}

static const struct session_ops sqlite_ops = {
	.close = sqlite_close,
	.query = sqlite_query,
	.fetch = sqlite_fetch,
	.finish = sqlite_finish,
	.null = sqlite_null,
	.get_int = sqlite_get_int,
	.get_text = sqlite_get_text,
};

static int run_sql(sqlite3 *db, const char *sql, struct error *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) ? sqlite_failed(db, err)
						       : 0;
}

static int open_file(const char *file, int flags, struct cancel *cancel,
		     sqlite3 **out, enum control_trouble *trouble,
		     struct error *err)
{
	*trouble = CONTROL_UNREACHABLE;
	*out = NULL;
	if (sqlite3_open_v2(file, out, flags, NULL)) {
		if (*out)
			sqlite_failed(*out, err);
		else
			error_memory(err, "the control store");
		goto failed;
	}
	sqlite3_busy_handler(*out, on_busy, cancel);
	if (run_sql(*out, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON",
		    err) == 0)
		return 0;
failed:
	sqlite3_close(*out);
	return error_wrap(err, "cannot open the control store '%s'", file);
}

/*
 * The columns that tables of an older version lack. SQLite has no ADD COLUMN
 * IF NOT EXISTS, so the same tables are made in memory, as `main`, and
 * compared with those in the file, `store`.
 */
static const char missing_sql[] =
	"SELECT 'ALTER TABLE store.' || t.name || ' ADD COLUMN ' || c.name "
	"|| ' ' || c.type || CASE c.\"notnull\" WHEN 1 THEN ' NOT NULL' "
	"ELSE '' END || COALESCE(' DEFAULT ' || c.dflt_value, '') "
	"FROM main.sqlite_schema AS t, pragma_table_info(t.name, 'main') AS c "
	"WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' "
	"AND EXISTS (SELECT 1 FROM store.sqlite_schema AS o "
	"WHERE o.type = 'table' AND o.name = t.name) "
	"AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name, 'store') AS o "
	"WHERE o.name = c.name COLLATE NOCASE)";

static int attach(sqlite3 *db, const char *file, struct error *err)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(db, "ATTACH ? AS store", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, file, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_DONE)
		sqlite_failed(db, err);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* The statements that are missing; what is read must not change meanwhile. */
static int read_missing(sqlite3 *db, struct strbuf *out, struct error *err)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(db, missing_sql, -1, &stmt, NULL);

	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(stmt, 0);

		rc = text ? SQLITE_OK : SQLITE_NOMEM;
		if (text)
			strbuf_addf(out, "%s; ", text);
	}
	if (rc != SQLITE_DONE)
		sqlite_failed(db, err);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? strbuf_check(out, err) : -1;
}

static int add_columns(sqlite3 *db, struct error *err)
{
	struct strbuf alter;
	int ret;

	strbuf_init(&alter);
	ret = read_missing(db, &alter, err);
	if (ret == 0)
		ret = run_sql(db, alter.data, err);
	strbuf_release(&alter);
	return ret;
}

static int upgrade(const char *file, enum control_trouble *trouble,
		   struct error *err)
{
	sqlite3 *db;
	int ret = 0;

	if (open_file(":memory:", SQLITE_OPEN_READWRITE, NULL, &db, trouble,
		      err) < 0)
		return -1;
	if (run_sql(db, schema_sqlite, err) < 0 || attach(db, file, err) < 0 ||
	    run_sql(db, "BEGIN IMMEDIATE", err) < 0 ||
	    add_columns(db, err) < 0 || run_sql(db, "COMMIT", err) < 0)
		ret = error_wrap(
			err, "cannot upgrade the control tables in '%s'", file);
	sqlite3_close(db);
	return ret;
}

int session_install_sqlite(const struct control_spec *spec,
			   enum control_trouble *trouble, struct error *err)
{
	sqlite3 *db;
	int ret = 0;

	/* Connection strings will be in it. */
	platform_make_private_file(spec->file);
	if (open_file(spec->file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		      NULL, &db, trouble, err) < 0)
		return -1;
	*trouble = CONTROL_OTHER;
	if (upgrade(spec->file, trouble, err) < 0) {
		sqlite3_close(db);
		return -1;
	}
	if (run_sql(db, "BEGIN IMMEDIATE", err) < 0 ||
	    run_sql(db, schema_sqlite, err) < 0 ||
	    run_sql(db, "COMMIT", err) < 0)
		ret = error_wrap(err, "cannot make the control tables in '%s'",
				 spec->file);
	sqlite3_close(db);
	return ret;
}

int session_open_sqlite(const struct control_spec *spec, struct cancel *cancel,
			struct session **out, enum control_trouble *trouble,
			struct error *err)
{
	struct sqlite_session *session = calloc(1, sizeof(*session));

	if (!session) {
		*trouble = CONTROL_OTHER;
		return error_memory(err, "the control store");
	}
	session->base.ops = &sqlite_ops;
	if (open_file(spec->file, SQLITE_OPEN_READWRITE, cancel, &session->db,
		      trouble, err) < 0) {
		free(session);
		return -1;
	}
	*out = &session->base;
	return 0;
}
