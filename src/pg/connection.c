/*
 * libpq made to obey: nothing here waits but in pg_await(), which looks at the
 * cancel and the time-out ten times a second. What remains is what libpq does
 * before there is a socket: it asks the system's resolver for the host's
 * address, which takes as long as that allows (resolv.conf: 5 s for each try of
 * a name server), reads .pgpass, service and certificate files, and asks a
 * Kerberos or LDAP server when the connection string wants that.
 *
 * A statement that nobody waits for any more is ended on the server by a
 * connection of its own, which waits in pg_await() as well. PQcancel() would do
 * that cheaper, but waits without end on a dead network. If that does not work
 * in a second, the connection is closed and the server finds out when it writes
 * to it.
 */
#include "pg/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <libpq-fe.h>

#include "base/clock.h"
#include "base/platform.h"
#include "base/text.h"
#include "pg/hosts.h"
#include "pg/message.h"

/* How long a cancel is not seen. */
#define SLICE_MS 100

/* What ending a statement on the server may take. */
#define CANCEL_MS 1000

#define OLDEST_VERSION 100000

#define KEYWORDS_MAX 128

/* Two minutes until either end finds out that the other one's host is gone. */
#define KEEPALIVES_IDLE	    "60"
#define KEEPALIVES_INTERVAL "10"
#define KEEPALIVES_COUNT    "6"

/*
 * What makes values unambiguous, keeps settings of a role or database from
 * ending what takes long, and keeps policies from hiding rows: reading such a
 * table fails instead. A server that lacks a setting does not need it.
 * Keepalives are its own: it would wait for two hours to let go of our locks.
 */
static const char session_options[] =
	"SELECT pg_catalog.set_config(s.name, v.value, false) "
	"FROM pg_catalog.pg_settings AS s JOIN (VALUES "
	"('DateStyle', 'ISO, MDY'), ('IntervalStyle', 'postgres'), "
	"('TimeZone', 'UTC'), ('bytea_output', 'hex'), "
	"('xmloption', 'content'), ('extra_float_digits', '3'), "
	"('standard_conforming_strings', 'on'), ('row_security', 'off'), "
	"('default_transaction_isolation', 'read committed'), "
	"('statement_timeout', '0'), ('lock_timeout', '0'), "
	"('transaction_timeout', '0'), ('idle_session_timeout', '0'), "
	"('idle_in_transaction_session_timeout', '0'), ('jit', 'off'), "
	"('tcp_keepalives_idle', '" KEEPALIVES_IDLE "'), "
	"('tcp_keepalives_interval', '" KEEPALIVES_INTERVAL "'), "
	"('tcp_keepalives_count', '" KEEPALIVES_COUNT "'), "
	"('search_path', 'pg_catalog, pg_temp')) AS v (name, value) "
	"ON s.name = v.name";

/* ------------------------------------------------------------------ errors */

int pg_lost(struct pg *conn, struct error *err)
{
	conn->unusable = true;
	return error_set(err, ERROR_CONNECTION,
			 "server '%s': the connection was lost; if it happens "
			 "again, the server's log tells more",
			 conn->address);
}

int pg_server_said(struct pg *conn, const PGresult *result, struct error *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (!state) { /* libpq's own words */
		if (PQstatus(conn->db) == CONNECTION_BAD)
			return pg_lost(conn, err);
		pg_message_to_error(err, NULL, PQerrorMessage(conn->db), NULL);
		err->message[strcspn(err->message, "\n")] = '\0';
		return -1;
	}
	pg_message_to_error(err, state,
			    PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
			    PQresultErrorField(result, PG_DIAG_MESSAGE_HINT));
	if (err->kind == ERROR_CONNECTION) {
		conn->unusable = true;
		error_wrap(err, "server '%s'", conn->address);
	}
	return -1;
}

void pg_begin_call(struct pg *conn)
{
	conn->deadline_ms =
		conn->query_timeout_s
			? clock_ms() + (int64_t)conn->query_timeout_s * 1000
			: 0;
}

int pg_await(struct pg *conn, bool write, int64_t until_ms, struct error *err)
{
	int64_t now = clock_ms();

	for (;; now = clock_ms()) {
		int64_t left = SLICE_MS;

		if (conn->cancel && cancel_check_now(conn->cancel, err) < 0)
			return -1;
		if (conn->deadline_ms && now > conn->deadline_ms)
			return error_set(
				err, ERROR_CONNECTION,
				"server '%s': no answer within %d s; are "
				"server "
				"and network up, or does a statement wait for "
				"others? 'query timeout' or "
				"query_timeout_seconds allow more",
				conn->address, conn->query_timeout_s);
		if (until_ms && until_ms - now < left)
			left = until_ms > now ? until_ms - now : 0;
		if (platform_wait_socket(PQsocket(conn->db), write, (int)left))
			break;
		if (until_ms && clock_ms() >= until_ms)
			return 0;
	}
	pg_begin_call(conn);
	return 1;
}

/* ------------------------------------------------------------------ log in */

static void ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

/* libpq's own two lists, of which the strings are borrowed. */
struct keywords {
	const char *names[KEYWORDS_MAX + 1], *values[KEYWORDS_MAX + 1];
	size_t count;
};

static void put(struct keywords *list, const char *name, const char *value)
{
	size_t i = 0;

	while (i < list->count && strcmp(list->names[i], name) != 0)
		i++;
	if (i == KEYWORDS_MAX)
		return;
	list->names[i] = name;
	list->values[i] = value;
	list->count += i == list->count;
}

/* What the other end does not have to say before it is found to be dead. */
static void put_default(struct keywords *list, const struct pg_login *login,
			const char *name, const char *value)
{
	if (!pg_login_value(login, name))
		put(list, name, value);
}

static void make_keywords(struct keywords *list, const struct pg_login *login,
			  enum pg_kind kind, const char *database)
{
	for (size_t i = 0; login->keywords[i]; i++)
		put(list, login->keywords[i], login->values[i]);
	if (database && *database)
		put(list, "dbname", database);
	if (kind == PG_REPLICATION)
		put(list, "replication", "database");
	put(list, "client_encoding", "UTF8");
	put(list, "fallback_application_name", "dbaops-dataflow");
	put_default(list, login, "keepalives_idle", KEEPALIVES_IDLE);
	put_default(list, login, "keepalives_interval", KEEPALIVES_INTERVAL);
	put_default(list, login, "keepalives_count", KEEPALIVES_COUNT);
}

/* The login is right, but may not come in. */
static void name_right(const struct pg *conn, struct error *err)
{
	const char *user = PQuser(conn->db), *database = PQdb(conn->db);
	char right[320];

	if (conn->kind == PG_REPLICATION)
		snprintf(right, sizeof(right),
			 "to read the log takes ALTER ROLE \"%.100s\" "
			 "REPLICATION, and GRANT CONNECT ON DATABASE "
			 "\"%.100s\"",
			 user ? user : "", database ? database : "");
	else
		snprintf(right, sizeof(right),
			 "run GRANT CONNECT ON DATABASE \"%.100s\" TO "
			 "\"%.100s\"",
			 database ? database : "", user ? user : "");
	error_append(err, right);
}

static int login_failed(struct pg *conn, struct error *err)
{
	pg_login_failed_to_error(err, PQerrorMessage(conn->db));
	if (!strcmp(err->sqlstate, "28P01") || !strcmp(err->sqlstate, "28000"))
		error_append(err, "check 'user id' and 'password', and the "
				  "server's pg_hba.conf");
	else if (!strcmp(err->sqlstate, "3D000"))
		error_append(err, "create that database, or name another");
	else if (!strcmp(err->sqlstate, "42501"))
		name_right(conn, err);
	else if (!*err->sqlstate)
		error_append(err, "check name and port, that the server "
				  "listens there (listen_addresses), the "
				  "firewall, and sslmode");
	return error_wrap(err, "server '%s'", conn->address);
}

static int too_slow(struct pg *conn, int seconds, struct error *err)
{
	return error_set(err, ERROR_CONNECTION,
			 "server '%s': no answer within %d s; check name and "
			 "port, that the server listens there "
			 "(listen_addresses), and the firewall",
			 conn->address, seconds);
}

/*
 * Log in, within `ms` for each host that libpq tries one after the other; 0: the
 * one that it is at takes longer.
 */
static int connect_within(struct pg *conn, const struct keywords *list,
			  int64_t ms, struct error *err)
{
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	int64_t until = clock_ms() + ms;
	const char *host;
	int rc;

	conn->db = PQconnectStartParams(list->names, list->values, 0);
	if (!conn->db)
		return error_memory(err, "a connection");
	PQsetNoticeProcessor(conn->db, ignore_notice, NULL);
	PQsetErrorVerbosity(conn->db, PQERRORS_VERBOSE);
	host = PQhost(conn->db);
	while (PQstatus(conn->db) != CONNECTION_BAD) {
		rc = pg_await(conn, state == PGRES_POLLING_WRITING, until, err);
		if (rc <= 0)
			return rc;
		state = PQconnectPoll(conn->db);
		if (state == PGRES_POLLING_OK) {
			PQsetErrorVerbosity(conn->db, PQERRORS_DEFAULT);
			PQsetnonblocking(conn->db, 1);
			return 1;
		}
		if (state == PGRES_POLLING_FAILED)
			break;
		if (PQhost(conn->db) != host) { /* not the text: which one */
			host = PQhost(conn->db);
			until = clock_ms() + ms;
		}
	}
	return login_failed(conn, err);
}

/* With their passwords. */
static void free_options(PQconninfoOption *options)
{
	for (PQconninfoOption *o = options; o && o->keyword; o++)
		if (o->val)
			OPENSSL_cleanse(o->val, strlen(o->val));
	PQconninfoFree(options);
}

/* NULL in `out` when it is not given; false without memory. */
static bool copy_option(const PQconninfoOption *options, const char *keyword,
			char **out)
{
	*out = NULL;
	for (; options->keyword; options++) {
		if (strcmp(options->keyword, keyword) != 0)
			continue;
		if (!options->val || !*options->val)
			return true;
		*out = strdup(options->val);
		return *out != NULL;
	}
	return true;
}

/* All that there are, wherever libpq has them from. */
static int read_hosts(PGconn *db, struct pg_hosts *out, struct error *err)
{
	PQconninfoOption *options = PQconninfo(db);
	bool done = options && copy_option(options, "host", &out->host) &&
		    copy_option(options, "hostaddr", &out->hostaddr) &&
		    copy_option(options, "port", &out->port);

	free_options(options);
	return done ? 0 : error_memory(err, "a connection");
}

/*
 * libpq goes on to the next host when one refuses, but waits for a silent one
 * without end. 1: it may try again with the others; 0: there are none.
 */
static int leave_out_host(struct pg *conn, struct pg_hosts *hosts,
			  struct keywords *list, struct error *err)
{
	if (!hosts->host && !hosts->hostaddr &&
	    read_hosts(conn->db, hosts, err) < 0)
		return -1;
	if (!pg_hosts_leave_out(hosts, PQhost(conn->db), PQhostaddr(conn->db),
				PQport(conn->db)))
		return 0;
	PQfinish(conn->db);
	conn->db = NULL;
	if (hosts->host)
		put(list, "host", hosts->host);
	if (hosts->hostaddr)
		put(list, "hostaddr", hosts->hostaddr);
	if (hosts->port)
		put(list, "port", hosts->port);
	return 1;
}

static int connect_to_any(struct pg *conn, struct keywords *list, int seconds,
			  struct error *err)
{
	struct pg_hosts hosts = {.host = NULL};
	bool silent = false;
	int rc;

	for (;; silent = true) {
		rc = connect_within(conn, list, (int64_t)seconds * 1000, err);
		if (rc < 0 && silent && err->kind != ERROR_CANCELLED)
			error_append(err, "others did not answer in time");
		if (rc != 0)
			break;
		rc = leave_out_host(conn, &hosts, list, err);
		if (rc == 0)
			rc = too_slow(conn, seconds, err);
		if (rc < 0)
			break;
	}
	pg_hosts_release(&hosts);
	return rc;
}

static int begin_session(struct pg *conn, struct error *err)
{
	if (PQserverVersion(conn->db) < OLDEST_VERSION)
		return error_set(err, ERROR_CONFIG,
				 "server '%s' is PostgreSQL %s; 10 or later is "
				 "needed",
				 conn->address,
				 PQparameterStatus(conn->db, "server_version"));
	if (pg_query(conn, session_options, NULL, 0, err) < 0)
		return error_wrap(err, "server '%s'", conn->address);
	pg_finish(conn);
	return 0;
}

int pg_open(struct pg **out, const struct pg_login *login, enum pg_kind kind,
	    const char *database, struct cancel *cancel, struct error *err)
{
	struct keywords list = {.count = 0};
	struct pg *conn = calloc(1, sizeof(*conn));
	int rc;

	if (!conn)
		return error_memory(err, "a connection");
	conn->cancel = cancel;
	conn->kind = kind;
	pg_login_address(login, conn->address, sizeof(conn->address));
	make_keywords(&list, login, kind, database);
	rc = connect_to_any(conn, &list, login->login_timeout_s, err);
	conn->query_timeout_s = login->query_timeout_s;
	if (rc < 0 || begin_session(conn, err) < 0) {
		pg_close(conn);
		return -1;
	}
	*out = conn;
	return 0;
}

void pg_close(struct pg *conn)
{
	if (!conn)
		return;
	pg_finish(conn);
	PQfreemem(conn->row);
	PQfinish(conn->db);
	free(conn);
}

/* ------------------------------------------------- ending what nobody wants */

int pg_consume(struct pg *conn, struct error *err)
{
	return PQconsumeInput(conn->db) ? 0 : pg_lost(conn, err);
}

int pg_flush(struct pg *conn, struct error *err)
{
	int rc;

	while ((rc = PQflush(conn->db)) > 0)
		if (pg_await(conn, true, 0, err) < 0 ||
		    pg_consume(conn, err) < 0)
			return -1;
	return rc < 0 ? pg_lost(conn, err) : 0;
}

int pg_next_result(struct pg *conn, PGresult **out, struct error *err)
{
	*out = NULL;
	while (PQisBusy(conn->db))
		if (pg_await(conn, false, 0, err) < 0 ||
		    pg_consume(conn, err) < 0)
			return -1;
	*out = PQgetResult(conn->db);
	return 0;
}

/* Everything as it is, but from the very address. */
static void keywords_of(const PQconninfoOption *options, const PGconn *db,
			struct keywords *list)
{
	const char *address = PQhostaddr(db);

	for (; options->keyword; options++)
		if (options->val && *options->val &&
		    strcmp(options->keyword, "replication") != 0)
			put(list, options->keyword, options->val);
	if (address && *address)
		put(list, "hostaddr", address);
	put(list, "port", PQport(db));
	if (PQhost(db) && *PQhost(db))
		put(list, "host", PQhost(db));
	put(list, "target_session_attrs", "any");
	put(list, "fallback_application_name", "dbaops-dataflow");
}

static void run_cancel(struct pg *helper, int pid)
{
	struct error ignored = ERROR_INIT;
	struct pg_result *result;
	char sql[80];

	snprintf(sql, sizeof(sql), "SELECT pg_catalog.pg_cancel_backend(%d)",
		 pid);
	helper->query_timeout_s = 1;
	pg_begin_call(helper);
	if (!PQsendQuery(helper->db, sql) || pg_flush(helper, &ignored) < 0)
		return;
	while (pg_next_result(helper, &result, &ignored) == 0 && result)
		PQclear(result);
}

bool pg_cancel_statement(struct pg *conn)
{
	PQconninfoOption *options = PQconninfo(conn->db);
	struct error ignored = ERROR_INIT;
	struct keywords list = {.count = 0};
	struct pg helper = {.kind = PG_ORDINARY};
	bool done = false;

	if (options && PQbackendPID(conn->db)) {
		keywords_of(options, conn->db, &list);
		done = connect_within(&helper, &list, CANCEL_MS, &ignored) > 0;
		if (done)
			run_cancel(&helper, PQbackendPID(conn->db));
		PQfinish(helper.db);
	}
	free_options(options);
	return done;
}

int pg_give_up(struct pg *conn)
{
	if (!conn->unusable && PQstatus(conn->db) == CONNECTION_OK &&
	    PQtransactionStatus(conn->db) == PQTRANS_ACTIVE)
		pg_cancel_statement(conn);
	conn->copying = COPY_NONE;
	conn->unusable = true;
	return -1;
}

/* -------------------------------------------------------------- statements */

void pg_set_cancel(struct pg *conn, struct cancel *cancel)
{
	conn->cancel = cancel;
}

int pg_set_query_timeout(struct pg *conn, int seconds)
{
	int before = conn->query_timeout_s;

	conn->query_timeout_s = seconds;
	return before;
}

bool pg_usable(const struct pg *conn)
{
	return !conn->unusable && PQstatus(conn->db) == CONNECTION_OK;
}

bool pg_in_transaction(const struct pg *conn)
{
	PGTransactionStatusType state = PQtransactionStatus(conn->db);

	return state == PQTRANS_INTRANS || state == PQTRANS_INERROR ||
	       state == PQTRANS_ACTIVE;
}

bool pg_in_failed_transaction(const struct pg *conn)
{
	return PQtransactionStatus(conn->db) == PQTRANS_INERROR;
}

int pg_server_version(const struct pg *conn)
{
	return PQserverVersion(conn->db);
}

bool pg_checks_text(const struct pg *conn)
{
	const char *encoding = PQparameterStatus(conn->db, "server_encoding");

	return !encoding || strcmp(encoding, "SQL_ASCII") != 0;
}

struct pg_param pg_int(int64_t value)
{
	struct pg_param param = {.type = PG_PARAM_INT};

	snprintf(param.number, sizeof(param.number), "%lld", (long long)value);
	return param;
}

struct pg_param pg_text(const char *value)
{
	struct pg_param param = {.type = PG_PARAM_TEXT, .data = value};

	return param;
}

struct pg_param pg_bytes(const void *value, size_t len)
{
	struct pg_param param = {
		.type = PG_PARAM_BYTES,
		.data = value,
		.len = len,
	};

	return param;
}

void pg_finish(struct pg *conn)
{
	PQclear(conn->result);
	conn->result = NULL;
}

static int send_failed(struct pg *conn, struct error *err)
{
	if (PQstatus(conn->db) == CONNECTION_BAD)
		return pg_lost(conn, err);
	pg_message_to_error(err, NULL, PQerrorMessage(conn->db), NULL);
	err->message[strcspn(err->message, "\n")] = '\0';
	return -1;
}

static int send_params(struct pg *conn, const char *sql,
		       const struct pg_param *params, size_t count,
		       struct error *err)
{
	const char **values = calloc(count, sizeof(*values));
	int *lengths = calloc(count, sizeof(*lengths));
	int *formats = calloc(count, sizeof(*formats));
	int ret = 0;

	if (!values || !lengths || !formats) {
		ret = error_memory(err, "a statement");
		goto done;
	}
	for (size_t i = 0; i < count; i++) {
		values[i] = params[i].type == PG_PARAM_INT ? params[i].number
							   : params[i].data;
		lengths[i] = (int)params[i].len;
		formats[i] = params[i].type == PG_PARAM_BYTES;
	}
	if (!PQsendQueryParams(conn->db, sql, (int)count, NULL, values, lengths,
			       formats, 0))
		ret = send_failed(conn, err);
done:
	free(values);
	free(lengths);
	free(formats);
	return ret;
}

int pg_start(struct pg *conn, const char *sql, const struct pg_param *params,
	     size_t count, struct error *err)
{
	pg_finish(conn);
	if (conn->copying == COPY_DONE)
		conn->copying = COPY_NONE;
	pg_begin_call(conn);
	if (!pg_usable(conn))
		return pg_lost(conn, err);
	if (conn->cancel && cancel_check_now(conn->cancel, err) < 0)
		return -1;
	if (count && send_params(conn, sql, params, count, err) < 0)
		return -1;
	if (!count && !PQsendQuery(conn->db, sql))
		return send_failed(conn, err);
	return pg_flush(conn, err) < 0 ? pg_give_up(conn) : 0;
}

int pg_skip_copied(struct pg *conn, struct error *err)
{
	char *row;
	int got;

	while ((got = PQgetCopyData(conn->db, &row, 1)) >= 0) {
		if (got > 0)
			PQfreemem(row);
		else if (pg_await(conn, false, 0, err) < 0 ||
			 pg_consume(conn, err) < 0)
			return -1;
	}
	return 0;
}

int pg_take_results(struct pg *conn, struct error *err)
{
	bool failed = false;
	struct error later;
	struct pg_result *result;

	for (;;) {
		if (pg_next_result(conn, &result, failed ? &later : err) < 0)
			return pg_give_up(conn);
		if (!result)
			break;
		switch (PQresultStatus(result)) {
		case PGRES_FATAL_ERROR:
		case PGRES_BAD_RESPONSE:
		case PGRES_NONFATAL_ERROR:
			pg_server_said(conn, result, failed ? &later : err);
			failed = true;
			break;
		case PGRES_COPY_IN:
			PQputCopyEnd(conn->db, "not expected");
			break;
		case PGRES_COPY_OUT:
		case PGRES_COPY_BOTH:
			if (pg_skip_copied(conn, failed ? &later : err) < 0) {
				PQclear(result);
				return pg_give_up(conn);
			}
			break;
		default:
			if (conn->result &&
			    PQresultStatus(conn->result) == PGRES_TUPLES_OK &&
			    PQresultStatus(result) != PGRES_TUPLES_OK)
				break;
			pg_finish(conn);
			conn->result = result;
			continue;
		}
		PQclear(result);
	}
	if (failed)
		pg_finish(conn);
	return failed ? -1 : 0;
}

int64_t pg_affected(const struct pg *conn)
{
	if (PQresultStatus(conn->result) == PGRES_TUPLES_OK)
		return PQntuples(conn->result);
	return strtoll(PQcmdTuples(conn->result), NULL, 10);
}

int64_t pg_query(struct pg *conn, const char *sql,
		 const struct pg_param *params, size_t count, struct error *err)
{
	if (pg_start(conn, sql, params, count, err) < 0 ||
	    pg_take_results(conn, err) < 0)
		return -1;
	return pg_affected(conn);
}

int pg_exec(struct pg *conn, const char *sql, struct error *err)
{
	int64_t rows = pg_query(conn, sql, NULL, 0, err);

	pg_finish(conn);
	return rows < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------ values */

bool pg_null(const struct pg *conn, int64_t row, int col)
{
	return PQgetisnull(conn->result, (int)row, col);
}

const char *pg_get_text(const struct pg *conn, int64_t row, int col)
{
	const char *text = PQgetvalue(conn->result, (int)row, col);

	return text ? text : "";
}

int64_t pg_get_int(const struct pg *conn, int64_t row, int col)
{
	return strtoll(pg_get_text(conn, row, col), NULL, 10);
}

bool pg_get_bool(const struct pg *conn, int64_t row, int col)
{
	return pg_get_text(conn, row, col)[0] == 't';
}

char *pg_copy_text(const struct pg *conn, int64_t row, int col,
		   struct arena *arena)
{
	return arena_strdup(arena, pg_get_text(conn, row, col));
}
