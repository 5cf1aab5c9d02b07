/*
 * The control store on SQL Server.
 *
 * Installing runs the same schema-dataflow.sql, views/ and procedures/ that a
 * DBA would run with sqlcmd, split at its GO lines. Only the batches that name
 * the database are left out: they create it and switch to it, which here is done
 * by a login to master and another one to the database, because Azure SQL
 * Database has no USE and because the database may have another name.
 */
#include "control/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "control_schema.h" /* made by the build: schema_sqlserver[] */
#include "tds/connection.h"

#define PARAMS_MAX 16

/* Somebody's open transaction must not keep the heart from beating. */
#define LOCK_TIMEOUT_MS "5000"

struct sqlserver_session {
	struct session base;
	struct tds *conn;
};

static struct tds *conn_of(struct session *session)
{
	return ((struct sqlserver_session *)session)->conn;
}

static void sqlserver_close(struct session *session)
{
	tds_close(conn_of(session));
	free(session);
}

static int sqlserver_query(struct session *session, const char *sql,
			   const struct session_param *params, size_t count,
			   struct error *err)
{
	struct tds_param converted[PARAMS_MAX];

	if (count > PARAMS_MAX)
		return error_set(err, ERROR_INTERNAL,
				 "a control statement has %zu parameters",
				 count);
	for (size_t i = 0; i < count; i++) {
		converted[i].name = params[i].name;
		converted[i].type = params[i].type == PARAM_INT ? TDS_PARAM_INT
				    : params[i].type == PARAM_TEXT
					    ? TDS_PARAM_TEXT
					    : TDS_PARAM_BYTES;
		converted[i].null = params[i].null;
		converted[i].number = params[i].number;
		converted[i].data = params[i].data;
		converted[i].len = params[i].len;
	}
	return tds_query(conn_of(session), sql, converted, count, err);
}

static int sqlserver_fetch(struct session *session, struct error *err)
{
	int rc = tds_fetch(conn_of(session), err);

	return rc ? rc : tds_finish(conn_of(session), err);
}

static void sqlserver_finish(struct session *session)
{
	tds_abandon(conn_of(session));
}

static bool sqlserver_null(struct session *session, size_t col)
{
	return tds_null(conn_of(session), col);
}

static int64_t sqlserver_get_int(struct session *session, size_t col)
{
	return tds_get_int(conn_of(session), col);
}

static char *sqlserver_get_text(struct session *session, size_t col,
				struct arena *arena)
{
	return tds_get_text(conn_of(session), col, arena);
}

static const struct session_ops sqlserver_ops = {
	.close = sqlserver_close,
	.query = sqlserver_query,
	.fetch = sqlserver_fetch,
	.finish = sqlserver_finish,
	.null = sqlserver_null,
	.get_int = sqlserver_get_int,
	.get_text = sqlserver_get_text,
};

/* Errors 18450 to 18489 are refused logins of one kind or another. */
static enum control_trouble classify(const struct error *err)
{
	if (err->kind == ERROR_CONFIG)
		return CONTROL_BAD_SETTINGS;
	if (err->native >= 18450 && err->native <= 18489)
		return CONTROL_REFUSED;
	if (err->native == 4060 || err->native == 911 || err->native == 916)
		return CONTROL_NO_DATABASE;
	return err->kind == ERROR_CONNECTION ? CONTROL_UNREACHABLE
					     : CONTROL_OTHER;
}

static void advise(enum control_trouble trouble, const char *database,
		   struct error *err)
{
	switch (trouble) {
	case CONTROL_REFUSED:
		text_append(err->message, sizeof(err->message),
			    " (DEST_USER and DEST_PASS)");
		break;
	case CONTROL_UNREACHABLE:
		text_append(err->message, sizeof(err->message),
			    " (DEST_SERVER, DEST_PORT, DEST_OPTIONS)");
		break;
	case CONTROL_NO_DATABASE:
		error_wrap(
			err,
			"the control database '%s' does not exist or this "
			"login may not use it; run 'dbaops-dataflow init' or "
			"schema-dataflow.sql",
			database);
		break;
	default:
		break;
	}
}

static int log_in(const struct control_spec *spec, const char *database,
		  struct cancel *cancel, struct tds **out,
		  enum control_trouble *trouble, struct error *err)
{
	struct tds_login given = {
		.login_timeout_s = spec->login_timeout_s,
		.query_timeout_s = spec->query_timeout_s,
	};
	struct tds_login login;
	int ret = -1;

	if (tds_login_parse(&given, spec->connection_string, err) < 0) {
		*trouble = CONTROL_BAD_SETTINGS;
		return -1;
	}
	if (tds_login_copy(&login, &given, database, err) == 0) {
		ret = tds_open(out, &login, cancel, err);
		tds_login_release(&login);
	}
	tds_login_release(&given);
	if (ret < 0) {
		*trouble = classify(err);
		advise(*trouble, database, err);
	}
	return ret;
}

int session_open_sqlserver(const struct control_spec *spec,
			   struct cancel *cancel, struct session **out,
			   enum control_trouble *trouble, struct error *err)
{
	struct sqlserver_session *session = calloc(1, sizeof(*session));

	if (!session) {
		*trouble = CONTROL_OTHER;
		return error_memory(err, "the control store");
	}
	session->base.ops = &sqlserver_ops;
	if (log_in(spec, spec->database, cancel, &session->conn, trouble, err) <
	    0) {
		free(session);
		return -1;
	}
	if (tds_exec(session->conn, "SET LOCK_TIMEOUT " LOCK_TIMEOUT_MS, err) <
	    0) {
		*trouble = classify(err);
		sqlserver_close(&session->base);
		return -1;
	}
	*out = &session->base;
	return 0;
}

/* ---------------------------------------------------------- installation */

/*
 * Cut the next batch, up to a line that is GO, off `script` into `batch`.
 * Returns what follows.
 */
static const char *next_batch(const char *script, struct strbuf *batch)
{
	size_t len;

	strbuf_reset(batch);
	for (; *script; script += len + (script[len] == '\n')) {
		len = strcspn(script, "\n");
		if (len == 2 && text_istarts(script, "GO")) {
			script += len + (script[len] == '\n');
			break;
		}
		strbuf_add(batch, script, len);
		strbuf_addch(batch, '\n');
	}
	return script;
}

static bool is_blank(const char *s)
{
	return s[strspn(s, " \t\r\n")] == '\0';
}

/* CREATE DATABASE and USE, for those who run the scripts by hand. */
static bool names_database(const char *batch)
{
	return strstr(batch, "dbaops_dataflow") != NULL;
}

static int create_database(struct tds *conn, const char *name,
			   struct error *err)
{
	static const char sql[] = "IF DB_ID(@name) IS NULL "
				  "BEGIN "
				  "DECLARE @create nvarchar(300) = "
				  "N'CREATE DATABASE ' + QUOTENAME(@name); "
				  "EXEC sys.sp_executesql @create; "
				  "END";
	struct tds_param param = tds_text("@name", name);

	if (tds_query(conn, sql, &param, 1, err) < 0)
		return -1;
	return tds_finish(conn, err);
}

static int run_script(struct tds *conn, const char *script, struct error *err)
{
	struct strbuf batch;
	int ret = -1;

	strbuf_init(&batch);
	while (*script) {
		script = next_batch(script, &batch);
		if (strbuf_check(&batch, err) < 0)
			goto done;
		if (is_blank(batch.data) || names_database(batch.data))
			continue;
		if (tds_exec(conn, batch.data, err) < 0)
			goto done;
	}
	ret = 0;
done:
	strbuf_release(&batch);
	return ret;
}

int session_install_sqlserver(const struct control_spec *spec,
			      enum control_trouble *trouble, struct error *err)
{
	struct tds *conn = NULL;
	int ret = -1;

	*trouble = CONTROL_OTHER;
	if (log_in(spec, "master", NULL, &conn, trouble, err) < 0)
		return -1;
	ret = create_database(conn, spec->database, err);
	tds_close(conn);
	if (ret < 0)
		return error_wrap(err, "cannot create database '%s'",
				  spec->database);
	if (log_in(spec, spec->database, NULL, &conn, trouble, err) < 0)
		return -1;
	ret = run_script(conn, schema_sqlserver, err);
	if (ret < 0)
		error_wrap(err, "cannot make the control tables in '%s'",
			   spec->database);
	tds_close(conn);
	return ret;
}
