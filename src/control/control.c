#include "control/control.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/session.h"
#include "control_sql.h" /* made by the build from control/sql/ */
#include "base/version.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

struct control {
	struct session *session;
};

/* ------------------------------------------------------------------- open */

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
				 "schema-dataflow.sql and the files of views/",
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

/* ------------------------------------------------------------------- read */

struct reader {
	struct session *session;
	struct arena *arena;
	bool out_of_memory;
};

static const char *read_text(struct reader *reader, size_t col)
{
	char *text;

	if (reader->session->ops->null(reader->session, col))
		return NULL;
	text = reader->session->ops->get_text(reader->session, col,
					      reader->arena);
	if (!text)
		reader->out_of_memory = true;
	return text;
}

static int64_t read_int(struct reader *reader, size_t col)
{
	if (reader->session->ops->null(reader->session, col))
		return 0;
	return reader->session->ops->get_int(reader->session, col);
}

/* Ids are INT; what is out of that range, as SQLite allows, is no id at all. */
static int read_id(struct reader *reader, size_t col)
{
	int64_t id = read_int(reader, col);

	return id < 0 || id > INT32_MAX ? -1 : (int)id;
}

static int64_t read_time(struct reader *reader, size_t col)
{
	const char *text = read_text(reader, col);
	int64_t us;

	return text && clock_parse(text, &us) == 0 ? us : 0;
}

/*
 * Run `sql` and let `read_row` fill an element for each row, in an array that
 * the arena holds.
 */
static int read_all_of(struct reader *reader, const char *sql,
		       const struct session_param *params, size_t param_count,
		       size_t size,
		       void (*read_row)(struct reader *reader, void *element),
		       void **elements, size_t *count, struct error *err)
{
	struct session *session = reader->session;
	size_t capacity = 0;
	char *grown;
	int rc;

	*elements = NULL;
	*count = 0;
	if (session->ops->query(session, sql, params, param_count, err) < 0)
		return -1;
	while ((rc = session->ops->fetch(session, err)) > 0) {
		if (*count == capacity) {
			capacity = capacity ? capacity * 2 : 16;
			grown = arena_calloc(reader->arena, capacity, size);
			if (!grown)
				goto no_memory;
			if (*count)
				memcpy(grown, *elements, *count * size);
			*elements = grown;
		}
		read_row(reader, (char *)*elements + *count * size);
		(*count)++;
		if (reader->out_of_memory)
			goto no_memory;
	}
	return rc;
no_memory:
	session->ops->finish(session);
	return error_memory(err, "the control tables' rows");
}

static int read_all(struct reader *reader, const char *sql, size_t size,
		    void (*read_row)(struct reader *reader, void *element),
		    void **elements, size_t *count, struct error *err)
{
	return read_all_of(reader, sql, NULL, 0, size, read_row, elements,
			   count, err);
}

static void read_setting(struct reader *reader, void *element)
{
	struct control_setting *setting = element;

	setting->key = read_text(reader, 0);
	setting->value = read_text(reader, 1);
}

static void read_server(struct reader *reader, void *element)
{
	struct control_server *server = element;

	server->id = read_id(reader, 0);
	server->name = read_text(reader, 1);
	server->type = read_text(reader, 2);
	server->connection_string = read_text(reader, 3);
	server->enabled = read_int(reader, 4) != 0;
}

static void read_mapping(struct reader *reader, void *element)
{
	struct control_mapping *mapping = element;

	mapping->id = read_id(reader, 0);
	mapping->server_id = read_id(reader, 1);
	mapping->target_id = read_id(reader, 2);
	mapping->enabled = read_int(reader, 3) != 0;
	mapping->paused = read_int(reader, 4) != 0;
	mapping->cdc_enabled = read_int(reader, 5) != 0;
	mapping->source_database = read_text(reader, 6);
	mapping->source_schema = read_text(reader, 7);
	mapping->source_table = read_text(reader, 8);
	mapping->dest_database = read_text(reader, 9);
	mapping->dest_schema = read_text(reader, 10);
	mapping->dest_table = read_text(reader, 11);
	mapping->key_columns = read_text(reader, 12);
	mapping->trigger_column = read_text(reader, 13);
	mapping->change_source = read_text(reader, 14);
}

static void read_request(struct reader *reader, void *element)
{
	struct control_request *request = element;

	request->id = read_id(reader, 0);
	request->mapping_id = read_id(reader, 1);
	request->type = read_text(reader, 2);
}

static void read_installation(struct reader *reader, void *element)
{
	*(const char **)element = read_text(reader, 0);
}

int control_load(struct control *control, struct control_snapshot *out,
		 struct error *err)
{
	struct reader reader = {
		.session = control->session,
		.arena = &out->arena,
	};
	const char **installation;
	size_t installations;

	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	if (read_all(&reader, sql_read_installation, sizeof(*installation),
		     read_installation, (void **)&installation, &installations,
		     err) < 0 ||
	    read_all(&reader, sql_read_config, sizeof(*out->settings),
		     read_setting, (void **)&out->settings, &out->setting_count,
		     err) < 0 ||
	    read_all(&reader, sql_read_sources, sizeof(*out->sources),
		     read_server, (void **)&out->sources, &out->source_count,
		     err) < 0 ||
	    read_all(&reader, sql_read_targets, sizeof(*out->targets),
		     read_server, (void **)&out->targets, &out->target_count,
		     err) < 0 ||
	    read_all(&reader, sql_read_mappings, sizeof(*out->mappings),
		     read_mapping, (void **)&out->mappings, &out->mapping_count,
		     err) < 0 ||
	    read_all(&reader, sql_read_requests, sizeof(*out->requests),
		     read_request, (void **)&out->requests, &out->request_count,
		     err) < 0)
		goto failed;
	if (!installations) {
		error_set(err, ERROR_CONFIG,
			  "the table 'installation' is empty; run "
			  "'dbaops-dataflow init'");
		goto failed;
	}
	out->installation_id = installation[0];
	return 0;
failed:
	control_snapshot_release(out);
	return -1;
}

void control_snapshot_release(struct control_snapshot *snapshot)
{
	arena_release(&snapshot->arena);
	memset(snapshot, 0, sizeof(*snapshot));
}

/* ----------------------------------------------------------------- leases */

/* A time as a parameter; 0 is NULL. `text` holds it until the statement ran. */
static struct session_param param_time(const char *name, int64_t us,
				       char text[CLOCK_TEXT_MAX])
{
	if (!us)
		return param_null(name);
	clock_format(text, us);
	return param_text(name, text);
}

static void read_holder(struct reader *reader, void *element)
{
	struct control_holder *holder = element;

	holder->daemon = read_text(reader, 0);
	holder->beats = read_int(reader, 1);
	holder->gone = read_int(reader, 2) != 0;
}

static void read_lease(struct reader *reader, void *element)
{
	struct control_lease *lease = element;

	lease->mapping_id = read_id(reader, 0);
	lease->epoch = read_int(reader, 1);
}

int control_read_holders(struct control *control, const char *daemon,
			 struct control_holders *out, struct error *err)
{
	struct session_param param = param_text("@daemon", daemon);
	struct reader reader = {
		.session = control->session,
		.arena = &out->arena,
	};

	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	if (read_all_of(&reader, sql_read_lease_holders, &param, 1,
			sizeof(*out->holders), read_holder,
			(void **)&out->holders, &out->count, err) == 0)
		return 0;
	control_holders_release(out);
	return -1;
}

void control_holders_release(struct control_holders *holders)
{
	arena_release(&holders->arena);
	memset(holders, 0, sizeof(*holders));
}

int control_read_leases(struct control *control, const char *daemon,
			struct control_lease **out, size_t *count,
			struct error *err)
{
	struct session_param param = param_text("@daemon", daemon);
	struct arena arena;
	struct reader reader = {.session = control->session, .arena = &arena};
	struct control_lease *rows;
	int ret;

	arena_init(&arena, 0);
	ret = read_all_of(&reader, sql_read_leases, &param, 1, sizeof(*rows),
			  read_lease, (void **)&rows, count, err);
	*out = NULL;
	if (ret == 0 && *count) {
		*out = malloc(*count * sizeof(*rows));
		if (*out)
			memcpy(*out, rows, *count * sizeof(*rows));
		else
			ret = error_memory(err, "leases");
	}
	arena_release(&arena);
	return ret;
}

int control_claim_leases(struct control *control, const char *daemon,
			 struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_text("@daemon", daemon),
		param_time("@now", clock_utc_us(), now),
	};

	return session_exec(control->session, sql_claim_leases, params,
			    COUNT(params), err);
}

int control_take_leases(struct control *control, const char *daemon,
			const struct control_holder *other, struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_text("@daemon", daemon),
		param_text("@other", other->daemon),
		param_int("@beats", other->beats),
		param_time("@now", clock_utc_us(), now),
	};

	return session_exec(control->session, sql_take_leases, params,
			    COUNT(params), err);
}

/* ------------------------------------------------------------------ write */

int control_save_run(struct control *control, const struct control_run *run,
		     struct error *err)
{
	char started[CLOCK_TEXT_MAX], updated[CLOCK_TEXT_MAX],
		completed[CLOCK_TEXT_MAX];
	struct session_param begin[] = {
		param_text("@run_id", run->id),
		param_int("@mapping_id", run->mapping_id),
		param_text("@sync_type", run->sync_type),
		param_time("@started_at", run->started_us, started),
	};
	struct session_param update[] = {
		param_text("@run_id", run->id),
		param_text("@status", run->status),
		param_int("@records_processed", run->processed),
		param_int("@records_failed", run->failed),
		param_int_or_null("@records_total", run->total),
		param_int("@rows_per_second",
			  (int64_t)llround(run->rows_per_second * 1000)),
		param_text("@last_processed_pk", run->last_key),
		param_text("@error_message", run->error),
		param_time("@updated_at", run->updated_us, updated),
		param_time("@completed_at", run->completed_us, completed),
	};

	if (session_exec(control->session, sql_begin_run, begin, COUNT(begin),
			 err) < 0)
		return -1;
	return session_exec(control->session, sql_update_run, update,
			    COUNT(update), err);
}

int control_end_stale_runs(struct control *control, int mapping_id,
			   struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_time("@now", clock_utc_us(), now),
	};

	return session_exec(control->session, sql_end_stale_runs, params,
			    COUNT(params), err);
}

int control_add_log(struct control *control, const struct control_log *log,
		    struct error *err)
{
	char created[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", log->mapping_id),
		param_text("@log_level", log_level_name(log->level)),
		param_text("@log_message", log->message),
		param_text("@sync_type", log->sync_type),
		param_int("@records_count", log->records),
		param_int("@execution_time_ms", log->duration_ms > INT32_MAX
							? INT32_MAX
							: log->duration_ms),
		param_time("@created_at", log->created_us, created),
	};

	if (log->records < 0)
		params[4] = param_null("@records_count");
	if (log->duration_ms < 0)
		params[5] = param_null("@execution_time_ms");
	return session_exec(control->session, sql_insert_log, params,
			    COUNT(params), err);
}

static int resolve(struct control *control, int mapping_id, int server_id,
		   const char *except_type, struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int_or_null("@mapping_id", mapping_id),
		param_int_or_null("@server_id", server_id),
		param_text("@except_type", except_type),
		param_time("@resolved_at", clock_utc_us(), now),
	};

	return session_exec(control->session, sql_resolve_errors, params,
			    COUNT(params), err);
}

int control_save_error(struct control *control,
		       const struct control_error *error, struct error *err)
{
	char created[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int_or_null("@mapping_id", error->mapping_id),
		param_int_or_null("@server_id", error->server_id),
		param_text("@error_type", error->type),
		param_text("@error_message", error->message),
		param_text("@error_details", error->details),
		param_int("@retry_count", error->retry_count),
		param_time("@created_at", error->created_us, created),
	};

	if (resolve(control, error->mapping_id, error->server_id, error->type,
		    err) < 0 ||
	    session_exec(control->session, sql_update_error, params,
			 COUNT(params) - 1, err) < 0)
		return -1;
	return session_exec(control->session, sql_open_error, params,
			    COUNT(params), err);
}

int control_resolve_errors(struct control *control, int mapping_id,
			   int server_id, struct error *err)
{
	return resolve(control, mapping_id, server_id, NULL, err);
}

int control_save_state(struct control *control,
		       const struct control_state *state, struct error *err)
{
	char next[CLOCK_TEXT_MAX], updated[CLOCK_TEXT_MAX];
	struct session_param insert[] = {
		param_int("@mapping_id", state->mapping_id),
		param_text("@state", state->state),
		param_time("@updated_at", state->updated_us, updated),
	};
	struct session_param update[] = {
		param_int("@mapping_id", state->mapping_id),
		param_text("@state", state->state),
		param_text("@reason", state->reason),
		param_int("@lag_ms", state->lag_ms),
		param_int("@is_consistent", state->consistent),
		param_text("@position", state->position),
		param_int("@rows_applied", state->rows_applied),
		param_time("@next_attempt_at", state->next_attempt_us, next),
		param_text("@daemon", state->daemon),
		param_time("@updated_at", state->updated_us, updated),
	};

	if (state->lag_ms < 0)
		update[3].null = true;
	if (session_exec(control->session, sql_insert_state, insert,
			 COUNT(insert), err) < 0)
		return -1;
	return session_exec(control->session, sql_update_state, update,
			    COUNT(update), err);
}

int control_mirror_position(struct control *control, int mapping_id,
			    const void *bytes, size_t len, struct error *err)
{
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_bytes("@last_cdc_lsn", bytes, len),
	};

	if (len != 10)
		return 0;
	return session_exec(control->session, sql_mirror_position, params,
			    COUNT(params), err);
}

int control_mirror_full_sync(struct control *control, int mapping_id,
			     int64_t at_us, struct error *err)
{
	char at[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_time("@last_full_sync_at", at_us, at),
	};

	return session_exec(control->session, sql_mirror_full_sync, params,
			    COUNT(params), err);
}

int control_mark_connected(struct control *control, bool is_target,
			   int server_id, struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@server_id", server_id),
		param_time("@now", clock_utc_us(), now),
	};

	return session_exec(control->session,
			    is_target ? sql_target_connected
				      : sql_source_connected,
			    params, COUNT(params), err);
}

int control_answer_request(struct control *control, int request_id,
			   const char *state, const char *answer,
			   struct error *err)
{
	char started[CLOCK_TEXT_MAX], completed[CLOCK_TEXT_MAX];
	int64_t now = clock_utc_us();
	bool running = !strcmp(state, "RUNNING");
	struct session_param params[] = {
		param_int("@request_id", request_id),
		param_text("@state", state),
		param_text("@answer", answer),
		param_time("@started_at", now, started),
		param_time("@completed_at", running ? 0 : now, completed),
	};

	return session_exec(control->session, sql_answer_request, params,
			    COUNT(params), err);
}

int control_set_paused(struct control *control, int mapping_id, bool paused,
		       struct error *err)
{
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_int("@is_paused", paused),
	};

	return session_exec(control->session, sql_set_paused, params,
			    COUNT(params), err);
}

int control_heartbeat(struct control *control, const char *daemon, bool stopped,
		      struct error *err)
{
	char now[CLOCK_TEXT_MAX], stop[CLOCK_TEXT_MAX];
	int64_t now_us = clock_utc_us();
	struct session_param params[] = {
		param_text("@daemon", daemon),
		param_time("@now", now_us, now),
		param_text("@version", DATAFLOW_VERSION),
		param_time("@stopped_at", stopped ? now_us : 0, stop),
	};

	if (session_exec(control->session, sql_insert_daemon, params, 3, err) <
	    0)
		return -1;
	params[2] = params[3];
	return session_exec(control->session, sql_update_daemon, params, 3,
			    err);
}

int control_purge(struct control *control, int64_t before_us, struct error *err)
{
	static const char *const statements[] = {
		sql_purge_logs,		 sql_purge_runs,     sql_purge_errors,
		sql_purge_verifications, sql_purge_requests, sql_purge_daemons,
	};
	char before[CLOCK_TEXT_MAX];
	struct session_param param = param_time("@before", before_us, before);

	for (size_t i = 0; i < COUNT(statements); i++)
		if (session_exec(control->session, statements[i], &param, 1,
				 err) < 0)
			return -1;
	return 0;
}

/* ----------------------------------------------------------------- report */

static void read_report_mapping(struct reader *reader, void *element)
{
	struct control_report_mapping *row = element;

	row->mapping.id = read_id(reader, 0);
	row->server_name = read_text(reader, 1);
	row->mapping.source_database = read_text(reader, 2);
	row->mapping.source_schema = read_text(reader, 3);
	row->mapping.source_table = read_text(reader, 4);
	row->mapping.dest_database = read_text(reader, 5);
	row->mapping.dest_schema = read_text(reader, 6);
	row->mapping.dest_table = read_text(reader, 7);
	row->mapping.enabled = read_int(reader, 8) != 0;
	row->mapping.paused = read_int(reader, 9) != 0;
	row->mapping.cdc_enabled = read_int(reader, 10) != 0;
	row->state = read_text(reader, 11);
	row->reason = read_text(reader, 12);
	row->lag_ms = reader->session->ops->null(reader->session, 13)
			      ? -1
			      : read_int(reader, 13);
	row->consistent = read_int(reader, 14) != 0;
	row->rows_applied = read_int(reader, 15);
	row->updated_us = read_time(reader, 16);
	row->running = read_text(reader, 17);
	row->processed = read_int(reader, 18);
	row->total = read_int(reader, 19);
	row->rows_per_second = read_int(reader, 20);
	row->error_type = read_text(reader, 21);
	row->error_message = read_text(reader, 22);
	row->retry_count = read_id(reader, 23);
}

struct daemon_row {
	const char *daemon, *version;
	int64_t started_us, heartbeat_us, stopped_us;
};

static void read_daemon(struct reader *reader, void *element)
{
	struct daemon_row *row = element;

	row->daemon = read_text(reader, 0);
	row->version = read_text(reader, 1);
	row->started_us = read_time(reader, 2);
	row->heartbeat_us = read_time(reader, 3);
	row->stopped_us = read_time(reader, 4);
}

int control_report(struct control *control, struct control_report *out,
		   struct error *err)
{
	struct reader reader = {
		.session = control->session,
		.arena = &out->arena,
	};
	struct daemon_row *daemons;
	size_t count;

	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	if (read_all(&reader, sql_report_mappings, sizeof(*out->mappings),
		     read_report_mapping, (void **)&out->mappings,
		     &out->mapping_count, err) < 0 ||
	    read_all(&reader, sql_report_daemons, sizeof(*daemons), read_daemon,
		     (void **)&daemons, &count, err) < 0) {
		control_report_release(out);
		return -1;
	}
	if (count) {
		out->daemon = daemons[0].daemon;
		out->daemon_version = daemons[0].version;
		out->started_us = daemons[0].started_us;
		out->heartbeat_us = daemons[0].heartbeat_us;
		out->stopped_us = daemons[0].stopped_us;
	}
	return 0;
}

void control_report_release(struct control_report *report)
{
	arena_release(&report->arena);
	memset(report, 0, sizeof(*report));
}
