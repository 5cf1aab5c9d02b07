#include "control/control.h"

#include <stdlib.h>
#include <string.h>

#include "control/session.h"
#include "control_sql.h" /* made by the build from control/sql/ */

#ifndef HAVE_FREETDS
static int no_freetds(enum control_trouble *trouble, struct error *err)
{
	*trouble = CONTROL_BAD_SETTINGS;
	return error_set(err, ERROR_CONFIG,
			 "this program was built without FreeTDS, so the "
			 "control tables can only be in SQLite "
			 "(--control sqlite:FILE)");
}
#endif

void control_default_target(const struct control_spec *spec, const char **type,
			    const char **connection_string)
{
	bool has_one = spec->kind == CONTROL_SQLSERVER;

	*type = has_one ? "sqlserver" : NULL;
	*connection_string = has_one ? spec->connection_string : NULL;
}

static int open_session(const struct control_spec *spec, struct cancel *cancel,
			struct session **out, enum control_trouble *trouble,
			struct error *err)
{
	if (spec->kind == CONTROL_SQLITE)
		return session_open_sqlite(spec, cancel, out, trouble, err);
#ifdef HAVE_FREETDS
	return session_open_sqlserver(spec, cancel, out, trouble, err);
#else
	(void)cancel;
	return no_freetds(trouble, err);
#endif
}

static const char *store_name(const struct control_spec *spec)
{
	return spec->kind == CONTROL_SQLITE ? spec->file : spec->database;
}

/* 1: the tables are there, `version` says which; 0: they are not. */
static int read_version(struct session *session, int64_t *version,
			struct error *err)
{
	int rc;

	*version = 0;
	if (session->ops->query(session, sql_read_installation, NULL, 0, err) <
	    0)
		return err->kind == ERROR_CONNECTION || err->retryable ? -1 : 0;
	rc = session->ops->fetch(session, err);
	if (rc > 0) {
		*version = session->ops->get_int(session, 1);
		session->ops->finish(session);
	}
	return rc;
}

static int check_version(const struct control_spec *spec,
			 struct session *session, enum control_trouble *trouble,
			 struct error *err)
{
	int64_t version;

	*trouble = CONTROL_UNREACHABLE;
	if (read_version(session, &version, err) < 0)
		return -1;
	if (version < CONTROL_SCHEMA_VERSION) {
		*trouble = CONTROL_NO_TABLES;
		return error_set(err, ERROR_CONFIG,
				 "the control tables are missing in '%s', or "
				 "older than this program; run "
				 "'dbaops-dataflow init', or "
				 "schema-dataflow.sql and the files of views/ "
				 "and procedures/",
				 store_name(spec));
	}
	if (version > CONTROL_SCHEMA_VERSION) {
		*trouble = CONTROL_TOO_NEW;
		return error_set(err, ERROR_CONFIG,
				 "the control tables in '%s' are of version "
				 "%d, newer than this program's %d; install "
				 "the newer program",
				 store_name(spec), (int)version,
				 CONTROL_SCHEMA_VERSION);
	}
	*trouble = CONTROL_FINE;
	return 0;
}

/* Tables of a later version are not ours to change. */
static int refuse_newer(const struct control_spec *spec,
			enum control_trouble *trouble, struct error *err)
{
	struct session *session;
	int ret;

	if (open_session(spec, NULL, &session, trouble, err) < 0)
		return 0; /* there is nothing yet, or making it will tell */
	ret = check_version(spec, session, trouble, err);
	session->ops->close(session);
	return ret < 0 && *trouble == CONTROL_TOO_NEW ? -1 : 0;
}

int control_init(const struct control_spec *spec, enum control_trouble *trouble,
		 struct error *err)
{
	int ret;

	if (refuse_newer(spec, trouble, err) < 0)
		return -1;
	if (spec->kind == CONTROL_SQLITE)
		ret = session_install_sqlite(spec, trouble, err);
	else
#ifdef HAVE_FREETDS
		ret = session_install_sqlserver(spec, trouble, err);
#else
		ret = no_freetds(trouble, err);
#endif
	if (ret == 0)
		*trouble = CONTROL_FINE;
	return ret;
}

int control_open(const struct control_spec *spec, struct cancel *cancel,
		 struct control **out, enum control_trouble *trouble,
		 struct error *err)
{
	struct control *control = calloc(1, sizeof(*control));

	*trouble = CONTROL_OTHER;
	if (!control)
		return error_memory(err, "the control store");
	if (spec->kind == CONTROL_SQLITE && spec->create &&
	    control_init(spec, trouble, err) < 0)
		goto failed;
	if (open_session(spec, cancel, &control->session, trouble, err) < 0 ||
	    check_version(spec, control->session, trouble, err) < 0)
		goto failed;
	*out = control;
	return 0;
failed:
	control_close(control);
	return -1;
}

void control_close(struct control *control)
{
	if (control && control->session)
		control->session->ops->close(control->session);
	free(control);
}
