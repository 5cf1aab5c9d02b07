/* What can be read about capture and change tracking, besides tables. */
#include "cdc/job.h"

#include <stdio.h>
#include <string.h>

#include "cdc/log.h"
#include "cdc/views.h"
#include "exec/perm.h"
#include "exec/server.h"
#include "fn/rows.h"
#include "plan/sysviews.h"
#include "plan/sysviews_sql.h"
#include "store/catalog.h"

/* The databases that a row maker goes through: all with a job. */
/* The owner of a database sees them by way of sp_cdc_help_jobs. */
static int may_see_jobs(struct session *s, struct diag *d)
{
	struct attached *home = session_attach(s, s->db, d);
	struct object o;

	if (!home)
		return -1;
	if (perm_is_owner(s, home))
		return 0;
	home = session_attach(s, database_find(&s->server->registry, "msdb"),
			      d);
	if (!home || catalog_find_in(s, home, "dbo", "cdc_jobs", &o, d) < 1)
		return -1;
	return perm_check_object(s, home, o.id, o.schema_id, o.schema, o.name,
				 PERM_SELECT, d);
}

static int fill_jobs(struct session *s, const struct val *args, int count,
		     struct row_store *out, struct diag *d)
{
	static const char *const kinds[] = {"capture", "cleanup"};
	struct server *srv = s->server;
	struct cdc_job_config c;
	struct database *db;
	int type;

	(void)args;
	(void)count;
	if (may_see_jobs(s, d) < 0)
		return -1;
	for (db = database_next(&srv->registry, NULL); db;
	     db = database_next(&srv->registry, db))
		for (type = CDC_CAPTURE; type <= CDC_CLEANUP; type++) {
			struct row_builder b = {.n = 0};
			struct val id = val_blob(c.id, sizeof(c.id));

			job_config(srv, db, (enum cdc_job_type)type, &c);
			if (!c.there)
				continue;
			rb_int(&b, db->id);
			rb_text(&b, kinds[type]);
			rb_val(&b, &id);
			rb_int(&b, c.maxtrans);
			rb_int(&b, c.maxscans);
			rb_int(&b, c.continuous);
			rb_int(&b, c.pollinginterval);
			rb_int(&b, c.retention);
			rb_int(&b, c.threshold);
			rows_add(out, b.v);
		}
	return 0;
}

static void add_lsn(struct row_builder *b, int64_t number, char *buf)
{
	unsigned char lsn[LSN_SIZE] = {0};
	int i;

	if (number)
		lsn_make(lsn, number);
	/* "00000020:00001004:0001" */
	for (i = 0; i < 4; i++)
		snprintf(buf + 2 * i, 3, "%02x", lsn[i]);
	buf[8] = ':';
	for (i = 0; i < 4; i++)
		snprintf(buf + 9 + 2 * i, 3, "%02x", lsn[4 + i]);
	snprintf(buf + 17, 6, ":%02x%02x", lsn[8], lsn[9]);
	rb_text(b, buf);
}

static void add_session(struct row_store *out, const struct cdc_session *c)
{
	struct row_builder b = {.n = 0};
	char text[3][24];

	rb_int(&b, c->id);
	rb_int(&b, c->started);
	if (c->ended)
		rb_int(&b, c->ended);
	else
		rb_null(&b);
	rb_int(&b, (c->ended - c->started) / 300);
	rb_text(&b, "Done");
	rb_int(&b, c->errors);
	add_lsn(&b, c->first, text[0]);
	add_lsn(&b, c->last, text[1]);
	add_lsn(&b, c->last, text[2]);
	rb_int(&b, c->transactions);
	rb_int(&b, c->commands);
	rb_int(&b, c->latency_ms / 1000);
	rb_int(&b, c->empty_scans);
	rows_add(out, b.v);
}

static int fill_sessions(struct session *s, const struct val *args, int count,
			 struct row_store *out, struct diag *d)
{
	struct cdc_session list[CDC_KEPT], total;
	int n = job_sessions(s->db, list, &total), i;
	struct attached *home = session_attach(s, s->db, d);

	(void)args;
	(void)count;
	if (!home || perm_database(s, home, "VIEW DATABASE STATE", d) < 0)
		return -1;
	if (!__atomic_load_n(&s->db->cdc, __ATOMIC_ACQUIRE))
		return 0;
	add_session(out, &total);
	for (i = 0; i < n; i++)
		add_session(out, &list[i]);
	return 0;
}

static int fill_errors(struct session *s, const struct val *args, int count,
		       struct row_store *out, struct diag *d)
{
	struct cdc_error list[CDC_KEPT];
	int n = job_errors(s->db, list), i;

	(void)args;
	(void)count;
	(void)d;
	for (i = 0; i < n; i++) {
		struct row_builder b = {.n = 0};
		char lsn[24];

		rb_int(&b, list[i].session);
		rb_int(&b, 1);
		rb_int(&b, list[i].time);
		rb_int(&b, list[i].number);
		rb_int(&b, list[i].severity);
		rb_int(&b, list[i].state);
		rb_text(&b, list[i].message);
		add_lsn(&b, 0, lsn);
		rb_text(&b, "00000000:00000000:0000");
		rows_add(out, b.v);
	}
	return 0;
}

const struct row_maker row_makers_cdc[] = {
	{"cdc_jobs", 9, fill_jobs},
	{"cdc_sessions", 13, fill_sessions},
	{"cdc_errors", 9, fill_errors},
	{"cdc_range", 3, cdc_fill_range},
	{"ct_databases", 5, tracking_fill_databases},
	{"ct_changes", 40, tracking_fill_changes},
	{NULL, 0, NULL},
};

/* The table's: when its change tracking was enabled is not kept. */
#define CREATED DATETIME_OF("created")

const struct sysview sysviews_cdc[] = {
	{"msdb", "cdc_jobs",
	 "database_id:i!,job_type:n20!,job_id:g,maxtrans:i,maxscans:i,"
	 "continuous:b,pollinginterval:I,retention:I,threshold:I",
	 "SELECT c0 database_id, c1 job_type, c2 job_id, c3 maxtrans,"
	 " c4 maxscans, c5 continuous, c6 pollinginterval, c7 retention,"
	 " c8 threshold FROM rows('cdc_jobs')",
	 true},
	{"sys", "dm_cdc_log_scan_sessions",
	 "session_id:i,start_time:d,end_time:d,duration:i,scan_phase:n200,"
	 "error_count:i,start_lsn:n23,current_lsn:n23,end_lsn:n23,"
	 "tran_count:I,last_commit_lsn:n23,last_commit_time:d,"
	 "log_record_count:I,schema_change_count:I,command_count:I,"
	 "first_begin_cdc_lsn:n23,last_commit_cdc_lsn:n23,"
	 "last_commit_cdc_time:d,latency:i,empty_scan_count:i,"
	 "failed_sessions_count:i",
	 "SELECT c0 session_id, c1 start_time, c2 end_time, c3 duration,"
	 " c4 scan_phase, c5 error_count, c6 start_lsn, c7 current_lsn,"
	 " c8 end_lsn, c9 tran_count, c8 last_commit_lsn, c2 last_commit_time,"
	 " c10 log_record_count, 0 schema_change_count, c10 command_count,"
	 " c6 first_begin_cdc_lsn, c8 last_commit_cdc_lsn,"
	 " c2 last_commit_cdc_time, c11 latency, c12 empty_scan_count,"
	 " c5 failed_sessions_count FROM rows('cdc_sessions')",
	 false},
	{"sys", "dm_cdc_errors",
	 "session_id:i,phase_number:i,entry_time:d,error_number:i,"
	 "error_severity:i,error_state:i,error_message:n1024,start_lsn:n23,"
	 "begin_lsn:n23,sequence_value:n23",
	 "SELECT c0 session_id, c1 phase_number, c2 entry_time,"
	 " c3 error_number, c4 error_severity, c5 error_state,"
	 " c6 error_message, c7 start_lsn, c8 begin_lsn, c8 sequence_value"
	 " FROM rows('cdc_errors')",
	 false},
	{"sys", "change_tracking_databases",
	 "database_id:i!,is_auto_cleanup_on:t,retention_period:i,"
	 "retention_period_units:t,retention_period_units_desc:n60,"
	 "max_cleanup_version:I",
	 "SELECT c0 database_id, c1 is_auto_cleanup_on, c2 retention_period,"
	 " c3 retention_period_units, c4 retention_period_units_desc,"
	 " NULL max_cleanup_version FROM rows('ct_databases')",
	 true},
	{"sys", "change_tracking_tables",
	 "object_id:i!,is_track_columns_updated_on:b!,min_valid_version:I,"
	 "begin_version:I,cleanup_version:I",
	 "SELECT id object_id, ct_columns is_track_columns_updated_on,"
	 " ct_min min_valid_version, ct_begin begin_version,"
	 " ct_min cleanup_version FROM %p%._objects WHERE ct = 1",
	 false},
	/* the only internal tables; nobody has a right on them by itself */
	{"sys", "internal_tables",
	 OBJECT_COLUMNS ",internal_type:t,internal_type_desc:n60,parent_id:i!,"
			"parent_minor_id:i!,lob_data_space_id:i!,"
			"filestream_data_space_id:i",
	 "SELECT 'change_tracking_' || id name, ct_log object_id,"
	 " NULL principal_id, 4 schema_id, id parent_object_id, 'IT' type,"
	 " 'INTERNAL_TABLE' type_desc, " CREATED " create_date,"
	 " " CREATED " modify_date, 1 is_ms_shipped, 0 is_published,"
	 " 0 is_schema_published, 209 internal_type,"
	 " 'CHANGE_TRACKING' internal_type_desc, id parent_id,"
	 " 0 parent_minor_id, 0 lob_data_space_id,"
	 " NULL filestream_data_space_id FROM %p%._objects"
	 " WHERE ct = 1 AND ct_allowed_(id, schema_id, 'VIEW DEFINITION')",
	 false},
	{NULL, NULL, NULL, NULL, false},
};
