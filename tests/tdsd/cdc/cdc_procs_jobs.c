/* The jobs: sp_cdc_add_job and its like, sp_cdc_scan, and msdb's sp_start_job
 * and sp_stop_job for them. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cdc/capture.h"
#include "cdc/cdc_procs.h"
#include "cdc/job.h"
#include "cdc/proc.h"
#include "exec/perm.h"
#include "exec/server.h"

static const char *const kinds[] = {"capture", "cleanup"};

/* @job_type. -1: no such type; then the error was sent. */
static int job_type(struct call *c, const char *dflt, enum flow *flow)
{
	struct arena pool;
	const char *text;
	struct diag d = {0};
	int type = -1;

	arena_init(&pool, 0);
	text = call_text(c, 0, "@job_type", &pool);
	if (!text)
		text = dflt;
	if (text && !strcasecmp(text, kinds[CDC_CAPTURE]))
		type = CDC_CAPTURE;
	else if (text && !strcasecmp(text, kinds[CDC_CLEANUP]))
		type = CDC_CLEANUP;
	if (type < 0) {
		diag_set(&d, 22992, text ? text : "NULL");
		c->status = 1;
		*flow = call_error(c, &d);
	}
	arena_release(&pool);
	return type;
}

static enum flow fail(struct call *c, int number, const char *arg)
{
	struct diag d = {0};

	diag_set(&d, number, arg);
	c->status = 1;
	return call_error(c, &d);
}

/* Parameters of the other kind of job; counted from the `n`-th. 0: none. */
static int check_kind(struct call *c, int n, int type)
{
	if (type == CDC_CAPTURE)
		return call_given(c, n + 4, "@retention") ? 22995 : 0;
	return call_given(c, n, "@maxtrans") ||
			       call_given(c, n + 1, "@maxscans") ||
			       call_given(c, n + 2, "@continuous") ||
			       call_given(c, n + 3, "@pollinginterval")
		       ? 22996
		       : 0;
}

/* Values that are given and out of range. */
static int check_values(const struct cdc_job_config *j, enum cdc_job_type type)
{
	if (type == CDC_CLEANUP)
		return j->retention < 1 || j->retention > 52594800 ? 22994 : 0;
	if (j->maxtrans < 1)
		return 22991;
	if (j->maxscans < 1)
		return 22970;
	if (j->continuous != 0 && j->continuous != 1)
		return 22998;
	return j->pollinginterval < 0 || j->pollinginterval > 86399 ? 22990 : 0;
}

/* Take the parameters that are given, counted from the `n`-th. */
static void take_values(struct call *c, int n, struct cdc_job_config *j)
{
	j->maxtrans = call_int(c, n, "@maxtrans", j->maxtrans);
	j->maxscans = call_int(c, n + 1, "@maxscans", j->maxscans);
	j->continuous = call_int(c, n + 2, "@continuous", j->continuous);
	j->pollinginterval =
		call_int(c, n + 3, "@pollinginterval", j->pollinginterval);
	j->retention = call_int(c, n + 4, "@retention", j->retention);
	j->threshold = call_int(c, n + 5, "@threshold", j->threshold);
}

enum flow cdc_proc_add_job(struct call *c)
{
	static const char *const names[] = {
		"@job_type",  "@start_job",  "@maxtrans",
		"@maxscans",  "@continuous", "@pollinginterval",
		"@retention", "@threshold",  "@check_for_logreader",
		NULL};
	enum flow flow = cdc_check(c, "sp_cdc_add_job", names, CDC_OWNER, true);
	struct server *srv = c->s->server;
	struct cdc_job_config j;
	int type, bad;

	if (flow != FLOW_OK)
		return FLOW_OK;
	type = job_type(c, NULL, &flow);
	if (type < 0)
		return flow;
	job_config(srv, c->s->db, (enum cdc_job_type)type, &j);
	if (j.there) {
		struct diag d = {0};

		diag_free_text(&d, 14261, 16, 1,
			       "The specified @name ('cdc.%s_%s') already "
			       "exists.",
			       c->s->db->name, kinds[type]);
		c->status = 1;
		return call_error(c, &d);
	}
	job_defaults((enum cdc_job_type)type, &j);
	take_values(c, 2, &j);
	bad = check_kind(c, 2, type);
	if (!bad)
		bad = check_values(&j, (enum cdc_job_type)type);
	if (bad)
		return fail(c, bad, NULL);
	job_set(srv, c->s->db, (enum cdc_job_type)type, &j);
	if (call_int(c, 1, "@start_job", 1) && type == CDC_CAPTURE)
		job_start(srv, c->s->db, CDC_CAPTURE);
	cdc_info(c, "Job 'cdc.%s_%s' started successfully.", c->s->db->name,
		 kinds[type]);
	return FLOW_OK;
}

/* The job of @job_type, which must be there. */
static bool existing(struct call *c, const char *dflt, int *type,
		     struct cdc_job_config *j, enum flow *flow)
{
	*type = job_type(c, dflt, flow);
	if (*type < 0)
		return false;
	job_config(c->s->server, c->s->db, (enum cdc_job_type) * type, j);
	if (j->there)
		return true;
	*flow = fail(c, 22997, kinds[*type]);
	return false;
}

enum flow cdc_proc_drop_job(struct call *c)
{
	static const char *const names[] = {"@job_type", NULL};
	enum flow flow =
		cdc_check(c, "sp_cdc_drop_job", names, CDC_OWNER, true);
	struct cdc_job_config j;
	int type;

	if (flow != FLOW_OK)
		return FLOW_OK;
	if (!existing(c, NULL, &type, &j, &flow))
		return flow;
	job_stop(c->s->server, c->s->db, (enum cdc_job_type)type,
		 !c->s->trancount);
	j.there = false;
	job_set(c->s->server, c->s->db, (enum cdc_job_type)type, &j);
	return FLOW_OK;
}

enum flow cdc_proc_change_job(struct call *c)
{
	static const char *const names[] = {
		"@job_type",	    "@maxtrans",  "@maxscans",	"@continuous",
		"@pollinginterval", "@retention", "@threshold", NULL};
	enum flow flow =
		cdc_check(c, "sp_cdc_change_job", names, CDC_OWNER, true);
	struct cdc_job_config j;
	int type, bad;

	if (flow != FLOW_OK)
		return FLOW_OK;
	if (!existing(c, "capture", &type, &j, &flow))
		return flow;
	take_values(c, 1, &j);
	bad = check_kind(c, 1, type);
	if (!bad)
		bad = check_values(&j, (enum cdc_job_type)type);
	if (bad)
		return fail(c, bad, NULL);
	job_set(c->s->server, c->s->db, (enum cdc_job_type)type, &j);
	return FLOW_OK;
}

static const char *const type_names[] = {"@job_type", NULL};

enum flow cdc_proc_start_job(struct call *c)
{
	enum flow flow =
		cdc_check(c, "sp_cdc_start_job", type_names, CDC_OWNER, true);
	struct cdc_job_config j;
	int type;

	if (flow != FLOW_OK)
		return FLOW_OK;
	if (!existing(c, "capture", &type, &j, &flow))
		return flow;
	job_start(c->s->server, c->s->db, (enum cdc_job_type)type);
	return FLOW_OK;
}

enum flow cdc_proc_stop_job(struct call *c)
{
	enum flow flow =
		cdc_check(c, "sp_cdc_stop_job", type_names, CDC_OWNER, true);
	struct cdc_job_config j;
	int type;

	if (flow != FLOW_OK)
		return FLOW_OK;
	if (!existing(c, "capture", &type, &j, &flow))
		return flow;
	job_stop(c->s->server, c->s->db, (enum cdc_job_type)type,
		 !c->s->trancount);
	return FLOW_OK;
}

/* --- msdb.dbo.sp_start_job, sp_stop_job --- */

/* "cdc.<database>_capture" */
static struct database *job_database(struct server *srv, const char *name,
				     enum cdc_job_type *type)
{
	struct database *db;
	char expected[700], shown[130 * 4];
	int i;

	for (db = database_next(&srv->registry, NULL); db;
	     db = database_next(&srv->registry, db))
		for (i = CDC_CAPTURE; i <= CDC_CLEANUP; i++) {
			struct cdc_job_config j;

			database_name(&srv->registry, db, shown, sizeof(shown));
			snprintf(expected, sizeof(expected), "cdc.%s_%s", shown,
				 kinds[i]);
			job_config(srv, db, (enum cdc_job_type)i, &j);
			*type = (enum cdc_job_type)i;
			if (j.there && !strcasecmp(expected, name))
				return db;
		}
	return NULL;
}

static enum flow agent_job(struct call *c, bool start)
{
	static const char *const names[] = {
		"@job_name",  "@job_id",      "@error_flag", "@server_name",
		"@step_name", "@output_flag", NULL};
	struct arena pool;
	struct database *db = NULL;
	enum cdc_job_type type = CDC_CAPTURE;
	struct diag d = {0};
	const char *name;
	int ret = call_check(c, start ? "sp_start_job" : "sp_stop_job", names,
			     &d);

	arena_init(&pool, 0);
	name = call_text(c, 0, "@job_name", &pool);
	c->has_status = true;
	if (ret == 0 && name)
		db = job_database(c->s->server, name, &type);
	if (ret == 0 && (!db || !c->s->sysadmin))
		ret = diag_free_text(&d, 14262, 16, 1,
				     "The specified @job_name ('%s') does not "
				     "exist.",
				     name ? name : "");
	if (ret == 0 && !start && type == CDC_CAPTURE && !job_running(db))
		ret = diag_free_text(&d, 22022, 16, 1,
				     "SQLServerAgent Error: Request to stop "
				     "job %s (from User %s) refused because "
				     "the job is not currently running.",
				     name, c->s->login);
	if (ret == 0 && start && type == CDC_CAPTURE && job_running(db))
		ret = diag_free_text(&d, 22022, 16, 1,
				     "SQLServerAgent Error: Request to run job "
				     "%s (from User %s) refused because the "
				     "job is already running from a start "
				     "request.",
				     name, c->s->login);
	if (ret == 0 && start)
		job_start(c->s->server, db, type);
	else if (ret == 0)
		job_stop(c->s->server, db, type, !c->s->trancount);
	if (ret == 0)
		cdc_info(c, "Job '%s' %s successfully.", name,
			 start ? "started" : "stopped");
	arena_release(&pool);
	c->status = ret < 0;
	return ret < 0 ? call_error(c, &d) : FLOW_OK;
}

enum flow cdc_proc_agent_start(struct call *c)
{
	return agent_job(c, true);
}

enum flow cdc_proc_agent_stop(struct call *c)
{
	return agent_job(c, false);
}

/* --- sp_cdc_scan --- */

static int scan(struct cdc_call *k)
{
	int64_t scans = call_int(k->c, 1, "@maxscans", 10);
	struct scan one;

	do {
		memset(&one, 0, sizeof(one));
		one.max_trans = (int)call_int(k->c, 0, "@maxtrans", 500);
		if (one.max_trans < 1)
			return diag_set(&k->d, 22991);
		if (cdc_scan(k->x.s, k->x.home, &one, &k->d) < 0)
			return -1;
	} while (one.more && --scans > 0);
	return 0;
}

enum flow cdc_proc_scan(struct call *c)
{
	static const char *const names[] = {"@maxtrans",    "@maxscans",
					    "@continuous",  "@pollinginterval",
					    "@is_from_job", NULL};

	/* continuous, it would not return before it is stopped */
	if (call_int(c, 2, "@continuous", 0))
		return fail(c, 40517, "@continuous = 1");
	if (call_int(c, 3, "@pollinginterval", 0))
		return fail(c, 22999, NULL);
	return cdc_run(c, "sp_cdc_scan", names, CDC_OWNER, true, scan);
}
