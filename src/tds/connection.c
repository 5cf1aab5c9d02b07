/*
 * FreeTDS's db-lib made safe.
 *
 * db-lib reports through process-wide handlers, which may run in any thread.
 * They find the connection by its user data, or, during a login, through a
 * thread-local pointer, and keep the first error there: what follows it
 * ("statement has been terminated", "login failed") is less exact.
 *
 * Waiting is interrupted through db-lib's interrupt hook, which it calls once
 * a second while the server is silent. An interrupted connection is closed
 * rather than cancelled, because on a dead network dbcancel() fails too and
 * the server rolls back what a closed connection left open.
 *
 * FreeTDS takes TLS off after the login if the answer to its PRELOGIN says that
 * only the login is to be encrypted, `encryption = require` or not; and whoever
 * can change a byte on the network can have that answer given. db-lib does not
 * tell, and once in the clear everything that comes in may be made up. So it is
 * what we send that is looked at: the first statement, which holds no secret,
 * is caught on its way to the network, and leaves if it is a TLS record. FreeTDS
 * takes TLS off nowhere else. Counting the bytes that the kernel has sent was
 * rejected: the other side has a say in that, by what it acknowledges.
 */
#include "tds/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sybfront.h>
#include <sybdb.h>
#include <syberror.h>

#include "base/clock.h"
#include "base/platform.h"
#include "base/strbuf.h"
#include "tds/advice.h"
#include "tds/conf.h"
#include "tds/message.h"

/* Half the system calls of the usual 4096; a server takes memory from another,
 * scarcer place for more than 8060 (its option "network packet size"). */
#define PACKET_BYTES 8000

/* What TLS puts in front of all that it carries; of TDS it is no packet's. */
#define TLS_APPLICATION_DATA 23

/* What db-lib can send as one nvarchar parameter. */
#define PARAM_TEXT_MAX 4000

struct tds {
	DBPROCESS *db;
	struct cancel *cancel;
	char address[320]; /* for messages */
	int query_timeout_s;
	int64_t deadline_ms; /* 0: none */
	bool unusable;
	bool in_rows; /* a result has rows that were not fetched yet */
	bool interrupted;
	bool failed; /* `error` was filled since tds_begin_call() */
	struct error error;
};

/* db-lib takes what the server's 'user options' say, which may be that every
 * statement begins a transaction. */
static const char session_options[] = "SET IMPLICIT_TRANSACTIONS OFF; "
				      "SET ROWCOUNT 0; "
				      "SET ANSI_NULLS ON; "
				      "SET ANSI_NULL_DFLT_ON ON; "
				      "SET ANSI_PADDING ON; "
				      "SET ANSI_WARNINGS ON; "
				      "SET ARITHABORT ON; "
				      "SET CONCAT_NULL_YIELDS_NULL ON; "
				      "SET NUMERIC_ROUNDABORT OFF; "
				      "SET QUOTED_IDENTIFIER ON; "
				      "SET XACT_ABORT ON; "
				      "SET NOCOUNT ON";

static _Thread_local struct tds *logging_in;

static struct tds *find_connection(DBPROCESS *db)
{
	struct tds *conn = db ? (struct tds *)dbgetuserdata(db) : NULL;

	return conn ? conn : logging_in;
}

static int on_message(DBPROCESS *db, DBINT number, int state, int severity,
		      char *text, char *server, char *procedure, int line)
{
	struct tds *conn = find_connection(db);

	(void)state;
	(void)server;
	(void)procedure;
	(void)line;
	if (severity > 10 && conn && !conn->failed) {
		tds_message_to_error(&conn->error, number, severity, text);
		conn->failed = true;
	}
	return 0;
}

static int on_error(DBPROCESS *db, int severity, int number, int os_error,
		    char *text, char *os_text)
{
	struct tds *conn = find_connection(db);

	(void)severity;
	if (number != SYBESMSG && conn && !conn->failed) {
		tds_library_to_error(&conn->error, number, os_error, text,
				     os_text);
		conn->failed = true;
	}
	return INT_CANCEL;
}

/* db-lib asks once a second, while it waits, whether it shall go on. */
static int is_interrupted(void *handle)
{
	struct tds *conn = (struct tds *)dbgetuserdata((DBPROCESS *)handle);

	if (conn->cancel && cancel_level(conn->cancel) >= CANCEL_NOW)
		conn->interrupted = true;
	return conn->interrupted ||
	       (conn->deadline_ms && clock_ms() > conn->deadline_ms);
}

static int on_interrupt(void *handle)
{
	(void)handle;
	return INT_CANCEL;
}

int tds_init(struct error *err)
{
	if (dbinit() == FAIL)
		return error_set(err, ERROR_SYSTEM, "cannot start FreeTDS");
	dberrhandle(on_error);
	dbmsghandle(on_message);
	dbsetifile((char *)(uintptr_t)tds_conf_path());
	return 0;
}

void tds_exit(void)
{
	dbexit();
}

void tds_begin_call(struct tds *conn)
{
	conn->failed = false;
	conn->interrupted = false;
	conn->deadline_ms =
		conn->query_timeout_s
			? clock_ms() + (int64_t)conn->query_timeout_s * 1000
			: 0;
}

bool tds_failed(const struct tds *conn)
{
	return conn->failed;
}

void tds_mark_unusable(struct tds *conn)
{
	conn->unusable = true;
}

bool tds_usable(const struct tds *conn)
{
	return !conn->unusable && !DBDEAD(conn->db);
}

void *tds_handle(struct tds *conn)
{
	return conn->db;
}

int tds_set_query_timeout(struct tds *conn, int seconds)
{
	int before = conn->query_timeout_s;

	conn->query_timeout_s = seconds;
	return before;
}

void tds_set_cancel(struct tds *conn, struct cancel *cancel)
{
	conn->cancel = cancel;
}

int tds_call_failed(struct tds *conn, const char *what, struct error *err)
{
	if (conn->interrupted) {
		conn->unusable = true;
		return error_set(err, ERROR_CANCELLED, "asked to stop");
	}
	if (conn->failed)
		*err = conn->error;
	else if (DBDEAD(conn->db))
		error_set(err, ERROR_CONNECTION, "the connection was lost");
	else
		error_set(err, ERROR_SERVER, "%s failed without a reason",
			  what);
	tds_advise_session(conn->address, conn->query_timeout_s, err);
	return -1;
}

static RETCODE send_batch(struct tds *conn, const char *sql)
{
	dbfreebuf(conn->db);
	if (dbcmd(conn->db, sql) == FAIL)
		return FAIL;
	return dbsqlsend(conn->db);
}

/*
 * Go to the next result that has columns. 1: found; 0: there is none; -1: an
 * error came first.
 */
static int next_result(struct tds *conn)
{
	RETCODE rc;

	while ((rc = dbresults(conn->db)) == SUCCEED) {
		if (conn->failed)
			return -1;
		conn->in_rows = dbnumcols(conn->db) > 0;
		if (conn->in_rows)
			return 1;
	}
	return rc == NO_MORE_RESULTS && !conn->failed ? 0 : -1;
}

/* A failed statement: leave the session ready for the next one. */
static int statement_failed(struct tds *conn, struct error *err)
{
	tds_call_failed(conn, "a statement", err);
	tds_abandon(conn);
	return -1;
}

/* Stand before the first row that a statement returns, once it was sent. */
static int await_result(struct tds *conn, struct error *err)
{
	if (dbsqlok(conn->db) == FAIL || conn->failed || next_result(conn) < 0)
		return statement_failed(conn, err);
	return 0;
}

/* ------------------------------------------------------------ log in */

static LOGINREC *make_login(const struct tds_login *login)
{
	LOGINREC *rec = dblogin();

	if (!rec)
		return NULL;
	DBSETLUSER(rec, login->user);
	if (login->password)
		DBSETLPWD(rec, login->password);
	if (login->app_name)
		DBSETLAPP(rec, login->app_name);
	if (login->database)
		DBSETLDBNAME(rec, login->database);
	DBSETLNATLANG(rec, "us_english"); /* of messages */
	DBSETLPACKET(rec, PACKET_BYTES);
	BCP_SETL(rec, TRUE);
	return rec;
}

static int connect_failed(struct tds *conn, const struct tds_login *login,
			  struct error *err)
{
	if (conn->failed)
		*err = conn->error;
	else
		error_set(err, ERROR_CONNECTION, "cannot connect");
	tds_advise_login(login, err);
	return -1;
}

/* What `sql` looks like on the wire, instead of sending it. */
static int catch_batch(struct tds *conn, const char *sql, unsigned char *out,
		       size_t size, struct error *err)
{
	struct platform_detour detour;
	RETCODE rc;
	int len;

	if (platform_begin_detour(&detour, dbiordesc(conn->db), err) < 0)
		return -1;
	rc = send_batch(conn, sql);
	if (DBDEAD(conn->db)) {
		platform_drop_detour(&detour);
		return tds_call_failed(conn, "a statement", err);
	}
	len = platform_end_detour(&detour, out, size, err);
	if (len >= 0 && rc == FAIL)
		return tds_call_failed(conn, "a statement", err);
	return len;
}

/* Send the first statement, unless it would go in the clear. */
static int send_encrypted(struct tds *conn, const struct tds_login *login,
			  const char *sql, struct error *err)
{
	unsigned char wire[PACKET_BYTES] = {0};
	int len = catch_batch(conn, sql, wire, sizeof(wire), err);

	if (len >= 0 && wire[0] != TLS_APPLICATION_DATA)
		return error_set(
			err, ERROR_CONNECTION,
			"server '%s', login '%s': encryption was turned off "
			"after the login, though encrypt=true is for all of "
			"it; somebody in between has changed what passes, or "
			"the server is set to encrypt logins alone; set Force "
			"Encryption on the server, and find out who is in "
			"between",
			conn->address, login->user);
	if (len >= 0 &&
	    platform_send(dbiordesc(conn->db), wire, (size_t)len, err) == 0)
		return 0;
	/* What this machine is short of now it may have again. */
	if (err->kind == ERROR_SYSTEM) {
		err->kind = ERROR_CONNECTION;
		err->retryable = true;
		error_wrap(err, "server '%s'", conn->address);
	}
	return -1;
}

static int begin_session(struct tds *conn, const struct tds_login *login,
			 struct error *err)
{
	if (login->encryption != TDS_ENCRYPT_REQUIRE)
		return tds_exec(conn, session_options, err);
	tds_begin_call(conn);
	if (conn->cancel && cancel_check_now(conn->cancel, err) < 0)
		return -1;
	if (send_encrypted(conn, login, session_options, err) < 0 ||
	    await_result(conn, err) < 0)
		return -1;
	return tds_finish(conn, err);
}

int tds_open(struct tds **out, const struct tds_login *login,
	     struct cancel *cancel, struct error *err)
{
	char section[TDS_CONF_NAME_MAX];
	LOGINREC *rec = NULL;
	struct tds *conn;
	int ret = -1;

	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return error_memory(err, "a connection");
	conn->cancel = cancel;
	conn->query_timeout_s = login->query_timeout_s;
	tds_login_address(login, conn->address, sizeof(conn->address));
	if (tds_conf_section(login, section, err) < 0)
		goto done;
	rec = make_login(login);
	if (!rec) {
		error_memory(err, "a login");
		goto done;
	}
	logging_in = conn;
	conn->db = dbopen(rec, section);
	logging_in = NULL;
	if (!conn->db) {
		connect_failed(conn, login, err);
		goto done;
	}
	dbsetuserdata(conn->db, (BYTE *)conn);
	dbsetinterrupt(conn->db, is_interrupted, on_interrupt);
	if (begin_session(conn, login, err) < 0)
		goto done;
	*out = conn;
	ret = 0;
done:
	dbloginfree(rec);
	if (ret < 0)
		tds_close(conn);
	return ret;
}

void tds_close(struct tds *conn)
{
	if (!conn)
		return;
	if (conn->db) {
		dbsetuserdata(conn->db, NULL);
		dbsetinterrupt(conn->db, NULL, NULL);
		dbclose(conn->db);
	}
	free(conn);
}

/* --------------------------------------------------------- statements */

struct tds_param tds_int(const char *name, int64_t value)
{
	struct tds_param param = {
		.name = name,
		.type = TDS_PARAM_INT,
		.number = value,
	};

	return param;
}

struct tds_param tds_text(const char *name, const char *value)
{
	struct tds_param param = {
		.name = name,
		.type = TDS_PARAM_TEXT,
		.null = !value,
		.data = value,
		.len = value ? strlen(value) : 0,
	};

	return param;
}

struct tds_param tds_bytes(const char *name, const void *value, size_t len)
{
	struct tds_param param = {
		.name = name,
		.type = TDS_PARAM_BYTES,
		.null = !value,
		.data = value,
		.len = len,
	};

	return param;
}

static bool is_empty_text(const struct tds_param *param)
{
	return param->type != TDS_PARAM_INT && !param->null && !param->len;
}

/*
 * Text is nvarchar(4000) as far as that goes: the server seeks no index by a
 * (max) value alone, and puts none into a sql_variant. One length for all keeps
 * the plans of a statement few.
 */
static const char *declared_type(const struct tds_param *param)
{
	switch (param->type) {
	case TDS_PARAM_INT:
		return "bigint";
	case TDS_PARAM_TEXT:
		return param->len <= PARAM_TEXT_MAX ? "nvarchar(4000)"
						    : "nvarchar(max)";
	case TDS_PARAM_BYTES:
		return "varbinary(8000)";
	}
	return NULL;
}

/*
 * The statement as sp_executesql gets it, and the declaration of its
 * parameters. db-lib cannot send an empty string or binary (length 0 is NULL
 * to it), so those become variables of the statement itself.
 */
static void declare_params(struct strbuf *stmt, struct strbuf *decl,
			   const char *sql, const struct tds_param *params,
			   size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *type = declared_type(&params[i]);

		if (is_empty_text(&params[i]))
			strbuf_addf(stmt, "DECLARE %s %s = %s; ",
				    params[i].name, type,
				    params[i].type == TDS_PARAM_TEXT ? "N''"
								     : "0x");
		else
			strbuf_addf(decl, "%s%s %s", decl->len ? ", " : "",
				    params[i].name, type);
	}
	strbuf_addstr(stmt, sql);
}

/* Text beyond the limit of nvarchar(4000) travels as ntext. */
static RETCODE add_text(struct tds *conn, const char *name, const void *data,
			size_t len)
{
	return dbrpcparam(conn->db, name, 0,
			  len <= PARAM_TEXT_MAX ? SYBVARCHAR : SYBNTEXT, -1,
			  (DBINT)len, (BYTE *)(uintptr_t)data);
}

static RETCODE add_param(struct tds *conn, const struct tds_param *param)
{
	switch (param->type) {
	case TDS_PARAM_INT:
		return dbrpcparam(conn->db, param->name, 0, SYBINT8, -1,
				  param->null ? 0 : -1,
				  (BYTE *)(uintptr_t)&param->number);
	case TDS_PARAM_TEXT:
		return add_text(conn, param->name, param->data, param->len);
	case TDS_PARAM_BYTES:
		return dbrpcparam(conn->db, param->name, 0, SYBVARBINARY, -1,
				  (DBINT)param->len,
				  (BYTE *)(uintptr_t)param->data);
	}
	return FAIL;
}

static RETCODE send_rpc(struct tds *conn, const char *sql,
			const struct tds_param *params, size_t count)
{
	struct strbuf stmt, decl;
	RETCODE rc = FAIL;

	strbuf_init(&stmt);
	strbuf_init(&decl);
	declare_params(&stmt, &decl, sql, params, count);
	if (stmt.failed || decl.failed ||
	    dbrpcinit(conn->db, "sp_executesql", 0) == FAIL ||
	    add_text(conn, NULL, stmt.data, stmt.len) == FAIL ||
	    (decl.len && add_text(conn, NULL, decl.data, decl.len) == FAIL))
		goto done;
	for (size_t i = 0; i < count; i++)
		if (!is_empty_text(&params[i]) &&
		    add_param(conn, &params[i]) == FAIL)
			goto done;
	rc = dbrpcsend(conn->db);
done:
	if (rc == FAIL)
		dbrpcinit(conn->db, "", DBRPCRESET);
	strbuf_release(&stmt);
	strbuf_release(&decl);
	return rc;
}

int tds_query(struct tds *conn, const char *sql, const struct tds_param *params,
	      size_t count, struct error *err)
{
	RETCODE rc;

	tds_begin_call(conn);
	if (conn->cancel && cancel_check_now(conn->cancel, err) < 0)
		return -1;
	rc = count ? send_rpc(conn, sql, params, count) : send_batch(conn, sql);
	return rc == FAIL ? statement_failed(conn, err)
			  : await_result(conn, err);
}

int tds_fetch(struct tds *conn, struct error *err)
{
	if (!conn->in_rows)
		return 0;
	if (conn->deadline_ms)
		conn->deadline_ms =
			clock_ms() + (int64_t)conn->query_timeout_s * 1000;
	switch (dbnextrow(conn->db)) {
	case REG_ROW:
		return 1;
	case NO_MORE_ROWS:
		conn->in_rows = false;
		if (!conn->failed)
			return 0;
		break;
	default:
		break;
	}
	return statement_failed(conn, err);
}

int tds_finish(struct tds *conn, struct error *err)
{
	int rc;

	do {
		while ((rc = tds_fetch(conn, err)) > 0)
			;
		if (rc < 0)
			return -1;
		rc = next_result(conn);
	} while (rc > 0);
	return rc < 0 ? statement_failed(conn, err) : 0;
}

bool tds_in_rows(const struct tds *conn)
{
	return conn->in_rows;
}

void tds_abandon(struct tds *conn)
{
	conn->in_rows = false;
	if (!DBDEAD(conn->db) && dbcancel(conn->db) == FAIL)
		conn->unusable = true;
	if (DBDEAD(conn->db))
		conn->unusable = true;
}

int tds_exec(struct tds *conn, const char *sql, struct error *err)
{
	if (tds_query(conn, sql, NULL, 0, err) < 0)
		return -1;
	return tds_finish(conn, err);
}

int tds_query_row(struct tds *conn, const char *sql,
		  const struct tds_param *params, size_t count,
		  struct error *err)
{
	int rc;

	if (tds_query(conn, sql, params, count, err) < 0)
		return -1;
	rc = tds_fetch(conn, err);
	if (rc != 0)
		return rc;
	return tds_finish(conn, err);
}

/* -------------------------------------------------------------- values */

bool tds_null(struct tds *conn, size_t col)
{
	return dbdata(conn->db, (int)col + 1) == NULL;
}

int64_t tds_get_int(struct tds *conn, size_t col)
{
	size_t len;
	const void *data = tds_get_bytes(conn, col, &len);
	union {
		DBTINYINT i1;
		DBSMALLINT i2;
		DBINT i4;
		DBBIGINT i8;
	} value = {.i8 = 0};

	if (!data || len > sizeof(value))
		return 0;
	memcpy(&value, data, len);
	switch (dbcoltype(conn->db, (int)col + 1)) {
	case SYBBIT:
	case SYBINT1:
		return value.i1;
	case SYBINT2:
		return value.i2;
	case SYBINT4:
		return value.i4;
	default:
		return value.i8;
	}
}

const void *tds_get_bytes(struct tds *conn, size_t col, size_t *len)
{
	const void *data = dbdata(conn->db, (int)col + 1);

	/* Of a column that the result does not have the length is -1. */
	*len = data ? (size_t)dbdatlen(conn->db, (int)col + 1) : 0;
	return data;
}

char *tds_get_text(struct tds *conn, size_t col, struct arena *arena)
{
	size_t len;
	const void *data = tds_get_bytes(conn, col, &len);
	char *text = arena_alloc(arena, len + 1);

	if (!text)
		return NULL;
	if (len)
		memcpy(text, data, len);
	text[len] = '\0';
	return text;
}
