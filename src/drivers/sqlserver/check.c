#include "drivers/sqlserver/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define OLDEST_MAJOR 13	  /* SQL Server 2016 … */
#define OLDEST_BUILD 4001 /* … SP1, the first with all features everywhere */

int check_ask(struct tds *conn, struct findings *out, const char *check,
	      const char *remedy, const char *sql,
	      const struct tds_param *params, size_t count, struct error *err)
{
	int rc = tds_query_row(conn, sql, params, count, err);

	if (rc >= 0)
		return rc;
	if (err->kind == ERROR_CANCELLED || !tds_usable(conn))
		return -1;
	if (remedy)
		finding_add(out, FINDING_WARN, check,
			    "cannot tell: %s" FINDING_REMEDY "%s", err->message,
			    remedy);
	return 0;
}

int check_failed(struct tds *conn, struct findings *out, const char *check,
		 const struct error *err)
{
	if (err->kind == ERROR_CANCELLED || !tds_usable(conn))
		return -1;
	finding_error(out, FINDING_FAIL, check, err);
	return 0;
}

const char *check_size(char out[CHECK_SIZE_MAX], int64_t bytes)
{
	static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
	double size = (double)bytes;
	size_t unit = 0;

	for (; size >= 1024 && unit + 1 < sizeof(units) / sizeof(*units);
	     unit++)
		size /= 1024;
	snprintf(out, CHECK_SIZE_MAX, unit ? "%.1f %s" : "%.0f %s", size,
		 units[unit]);
	return out;
}

void check_lag(struct findings *out, int64_t lag_ms, int64_t kept_s)
{
	int64_t lag_s = lag_ms / 1000;

	if (lag_ms < 0 || kept_s <= 0)
		return;
	if (lag_s >= kept_s)
		finding_add(out, FINDING_FAIL, "retention",
			    "the mapping is %" PRId64
			    " minutes behind, but changes are kept for "
			    "%" PRId64 " minutes only" FINDING_REMEDY
			    "let the source keep changes for longer, and load "
			    "the table again: dbaops-dataflow sync",
			    lag_s / 60, kept_s / 60);
	else if (lag_s >= kept_s / 2)
		finding_add(out, FINDING_WARN, "retention",
			    "the mapping is %" PRId64
			    " minutes behind; after %" PRId64
			    " minutes changes are removed" FINDING_REMEDY
			    "let the source keep changes for longer, and see "
			    "what holds the mapping up",
			    lag_s / 60, kept_s / 60);
	else
		finding_add(out, FINDING_OK, "retention",
			    "%" PRId64 " s behind, changes are kept for "
			    "%" PRId64 " minutes",
			    lag_s, kept_s / 60);
}

/* The parts of "15.0.4430.1". */
static void tell_version(struct findings *out, const char *version,
			 const char *edition)
{
	char *end;
	long major = strtol(version, &end, 10), build = 0;

	if (*end == '.')
		(void)strtol(end + 1, &end, 10);
	if (*end == '.')
		build = strtol(end + 1, &end, 10);
	if (major < OLDEST_MAJOR ||
	    (major == OLDEST_MAJOR && build < OLDEST_BUILD))
		finding_add(out, FINDING_FAIL, "version",
			    "SQL Server %s, %s, is older than 2016 "
			    "SP1" FINDING_REMEDY "upgrade it",
			    version, edition);
	else
		finding_add(out, FINDING_OK, "version", "SQL Server %s, %s",
			    version, edition);
}

/* Azure SQL Database keeps the version number of 2014 for ever. */
static const char version_sql[] =
	"SELECT CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')), "
	"CONVERT(nvarchar(128), SERVERPROPERTY('Edition')), "
	"CASE WHEN " CHECK_IS_AZURE " THEN 1 ELSE 0 END, SUSER_SNAME()";

static int read_version(struct tds *conn, struct findings *out,
			struct error *err)
{
	char *version, *edition, *login;
	struct arena arena;
	int rc;

	rc = tds_query_row(conn, version_sql, NULL, 0, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return error_set(err, ERROR_SERVER,
				 "the server does not tell its version");
	arena_init(&arena, 0);
	version = tds_get_text(conn, 0, &arena);
	edition = tds_get_text(conn, 1, &arena);
	login = tds_get_text(conn, 3, &arena);
	if (!version || !edition || !login) {
		rc = error_memory(err, "a check");
	} else {
		finding_add(out, FINDING_OK, "connection", "login '%s'", login);
		if (tds_get_int(conn, 2))
			finding_add(out, FINDING_OK, "version",
				    "Azure SQL Database");
		else
			tell_version(out, version, edition);
		rc = tds_finish(conn, err);
	}
	arena_release(&arena);
	return rc < 0 ? -1 : 0;
}

int check_server(struct sqlserver *server, struct cancel *cancel,
		 struct findings *out, struct error *err)
{
	struct tds *conn;
	int ret;

	if (sqlserver_take(server, "", cancel, &conn, err) < 0)
		return -1;
	ret = read_version(conn, out, err);
	sqlserver_give(server, "", conn);
	return ret;
}
