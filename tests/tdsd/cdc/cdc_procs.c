/* sys.sp_cdc_enable_db and its like: turning capture on and off. */
#include "cdc/cdc_procs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cdc/capture.h"
#include "cdc/cdc.h"
#include "cdc/job.h"
#include "cdc/log.h"
#include "cdc/proc.h"
#include "cdc/setup.h"
#include "exec/perm.h"
#include "exec/server.h"
#include "exec/stmts.h"
#include "exec/tran.h"

static int check_right(struct session *s, struct attached *home,
		       enum cdc_right right, struct diag *d)
{
	if (right == CDC_SYSADMIN && !s->sysadmin)
		return diag_set(d, 22902);
	if (right == CDC_OWNER && !perm_is_owner(s, home))
		return diag_set(d, 22904);
	return 0;
}

static int check_on(struct session *s, struct attached *home, struct diag *d)
{
	return cdc_is_on(s, home) ? 0 : diag_set(d, 22901, home->db->name);
}

enum flow cdc_run(struct call *c, const char *proc, const char *const *names,
		  enum cdc_right right, bool need_on,
		  int (*body)(struct cdc_call *k))
{
	struct cdc_call k = {.c = c};
	struct session *s = c->s;
	struct attached *home;
	enum flow flow = FLOW_OK;
	char mark[32] = "";
	struct diag ignored;
	int ret;

	arena_init(&k.pool, 0);
	c->has_status = true;
	ret = call_check(c, proc, names, &k.d);
	if (ret == 0)
		ret = exec_check_doomed(s, &k.d);
	if (ret < 0)
		goto failed;
	ret = tran_begin_statement(s, &k.d);
	home = ret == 0 ? session_attach(s, s->db, &k.d) : NULL;
	if (!home || check_right(s, home, right, &k.d) < 0 ||
	    (need_on && check_on(s, home, &k.d) < 0) ||
	    ddl_begin(&k.x, s, home, &k.pool, &k.d) < 0)
		ret = -1;
	if (ret == 0 && (s->trancount || s->stmt_depth > 1)) {
		snprintf(mark, sizeof(mark), "cdc%d", s->stmt_depth);
		if (tran_mark(s, mark, &k.d) < 0)
			mark[0] = '\0';
	}
	if (ret == 0)
		ret = body(&k);
	if (mark[0] &&
	    tran_unmark(s, mark, ret < 0, ret < 0 ? &ignored : &k.d) < 0)
		ret = -1;
	if (tran_end_statement(s, ret < 0, ret < 0 ? &ignored : &k.d) < 0)
		ret = -1;
failed:
	if (ret < 0) {
		catalog_forget(s);
		c->status = 1;
		flow = call_error(c, &k.d);
	}
	arena_release(&k.pool);
	return flow;
}

enum flow cdc_check(struct call *c, const char *proc, const char *const *names,
		    enum cdc_right right, bool need_on)
{
	struct session *s = c->s;
	struct attached *home;
	struct diag d = {0}, ignored;
	int ret = call_check(c, proc, names, &d);

	c->has_status = true;
	if (ret == 0 && (ret = tran_begin_statement(s, &d)) == 0) {
		home = session_attach(s, s->db, &d);
		if (!home || check_right(s, home, right, &d) < 0 ||
		    (need_on && check_on(s, home, &d) < 0))
			ret = -1;
		if (tran_end_statement(s, false, ret < 0 ? &ignored : &d) < 0)
			ret = -1;
	}
	if (ret == 0)
		return FLOW_OK;
	c->status = 1;
	call_error(c, &d);
	return FLOW_RETURN;
}

void cdc_info(struct call *c, const char *fmt, ...)
{
	char text[1200];
	struct diag info;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_free_text(&info, 0, 0, 1, "%s", text);
	run_info(c->s, &info);
}

void cdc_add_default_jobs(struct call *c)
{
	static const char *const kinds[] = {"capture", "cleanup"};
	struct server *srv = c->s->server;
	struct cdc_job_config config;
	int type;

	if (__atomic_load_n(&srv->agent_stopped, __ATOMIC_RELAXED))
		cdc_info(c, "SQLServerAgent is not currently running so it "
			    "cannot be notified of this action.");
	for (type = CDC_CAPTURE; type <= CDC_CLEANUP; type++) {
		job_config(srv, c->s->db, (enum cdc_job_type)type, &config);
		if (config.there)
			continue;
		job_defaults((enum cdc_job_type)type, &config);
		job_set(srv, c->s->db, (enum cdc_job_type)type, &config);
		if (type == CDC_CAPTURE)
			job_start(srv, c->s->db, CDC_CAPTURE);
		cdc_info(c, "Job 'cdc.%s_%s' started successfully.",
			 c->s->db->name, kinds[type]);
	}
}

/* --- the database --- */

static int enable_db(struct cdc_call *k)
{
	struct database *db = k->x.home->db;

	if (db->id < DB_USER)
		return diag_set(&k->d, 22989, db->name);
	if (cdc_is_on(k->x.s, k->x.home))
		return diag_set(&k->d, 22905, db->name);
	return cdc_make_schema(&k->x);
}

static int disable_db(struct cdc_call *k)
{
	struct session *s = k->x.s;
	struct cdc_job_config none = {.there = false};

	if (!cdc_is_on(s, k->x.home))
		return 0;
	if (cdc_drop_schema(&k->x) < 0)
		return -1;
	job_stop(s->server, s->db, CDC_CAPTURE, false);
	job_set(s->server, s->db, CDC_CAPTURE, &none);
	job_set(s->server, s->db, CDC_CLEANUP, &none);
	return 0;
}

static const char *const no_names[] = {NULL};

enum flow cdc_proc_enable_db(struct call *c)
{
	return cdc_run(c, "sp_cdc_enable_db", no_names, CDC_SYSADMIN, false,
		       enable_db);
}

enum flow cdc_proc_disable_db(struct call *c)
{
	return cdc_run(c, "sp_cdc_disable_db", no_names, CDC_SYSADMIN, false,
		       disable_db);
}

/* --- a table --- */

/* The table of @source_schema and @source_name; NULL with the error. */
static struct table *source_table(struct cdc_call *k, const char *schema,
				  const char *name)
{
	struct object o;
	struct table *t;
	int found;

	if (!schema || !*schema || !name || !*name) {
		diag_set(&k->d, 22963,
			 schema && *schema ? "@source_name" : "@source_schema");
		return NULL;
	}
	found = catalog_find_in(k->x.s, k->x.home, schema, name, &o, &k->d);
	if (found < 0)
		return NULL;
	if (!found || strcmp(o.type, "U") != 0) {
		diag_set(&k->d, 22931,
			 pool_printf(&k->pool, "%s.%s", schema, name));
		return NULL;
	}
	t = catalog_table(k->x.s, k->x.home, o.id, &k->d);
	if (t && t->is_ms) {
		diag_set(&k->d, 22974);
		table_unref(t);
		return NULL;
	}
	return t;
}

/* A parameter that must be given, NULL or not. */
static int required(struct cdc_call *k, const char *proc, int n,
		    const char *name)
{
	return call_get(k->c, n, name) ? 0 : diag_set(&k->d, 201, proc, name);
}

static int enable_table(struct cdc_call *k)
{
	struct call *c = k->c;
	const char *schema = call_text(c, 0, "@source_schema", &k->pool);
	const char *name = call_text(c, 1, "@source_name", &k->pool);
	struct cdc_new_instance n = {.partition_switch = true};
	int ret;

	if (required(k, "sp_cdc_enable_table", 0, "@source_schema") < 0 ||
	    required(k, "sp_cdc_enable_table", 1, "@source_name") < 0 ||
	    required(k, "sp_cdc_enable_table", 2, "@role_name") < 0)
		return -1;
	n.role = call_text(c, 2, "@role_name", &k->pool);
	if (n.role && !*n.role)
		return diag_set(&k->d, 22907);
	n.source = source_table(k, schema, name);
	if (!n.source)
		return -1;
	if (n.source->temporal == TEMPORAL_HISTORY) {
		diag_set(&k->d, 13571, table_full_name(n.source, &k->pool));
		table_unref(n.source);
		return -1;
	}
	n.name = call_text(c, 3, "@capture_instance", &k->pool);
	if (!n.name)
		n.name = pool_printf(&k->pool, "%s_%s", n.source->schema,
				     n.source->name);
	n.net_changes = (int)call_int(c, 4, "@supports_net_changes", -1);
	n.index_name = call_text(c, 5, "@index_name", &k->pool);
	n.columns = call_text(c, 6, "@captured_column_list", &k->pool);
	n.filegroup = call_text(c, 7, "@filegroup_name", &k->pool);
	n.partition_switch = call_int(c, 8, "@allow_partition_switch", 1) != 0;
	if (n.filegroup && strcasecmp(n.filegroup, "PRIMARY") != 0)
		ret = diag_set(&k->d, 22973, n.filegroup, k->x.home->db->name);
	else
		ret = cdc_make_instance(&k->x, &n);
	table_unref(n.source);
	if (ret == 0)
		cdc_add_default_jobs(c);
	return ret;
}

enum flow cdc_proc_enable_table(struct call *c)
{
	static const char *const names[] = {"@source_schema",
					    "@source_name",
					    "@role_name",
					    "@capture_instance",
					    "@supports_net_changes",
					    "@index_name",
					    "@captured_column_list",
					    "@filegroup_name",
					    "@allow_partition_switch",
					    NULL};

	return cdc_run(c, "sp_cdc_enable_table", names, CDC_OWNER, true,
		       enable_table);
}

static int disable_table(struct cdc_call *k)
{
	struct call *c = k->c;
	const char *schema = call_text(c, 0, "@source_schema", &k->pool);
	const char *name = call_text(c, 1, "@source_name", &k->pool);
	const char *instance = call_text(c, 2, "@capture_instance", &k->pool);
	struct table *t;
	int dropped = 0, ret = -1;
	bool all;

	if (required(k, "sp_cdc_disable_table", 0, "@source_schema") < 0 ||
	    required(k, "sp_cdc_disable_table", 1, "@source_name") < 0 ||
	    required(k, "sp_cdc_disable_table", 2, "@capture_instance") < 0)
		return -1;
	t = source_table(k, schema, name);
	if (!t)
		return -1;
	all = instance && !strcasecmp(instance, "all");
	if (!t->tracked_by_cdc)
		diag_set(&k->d, 22985, table_two_part(t, &k->pool));
	else
		ret = cdc_drop_instances(&k->x, t->id, all ? NULL : instance,
					 &dropped);
	if (ret == 0 && !dropped)
		ret = diag_set(&k->d, 22960, instance ? instance : "NULL",
			       table_two_part(t, &k->pool));
	table_unref(t);
	return ret;
}

enum flow cdc_proc_disable_table(struct call *c)
{
	static const char *const names[] = {"@source_schema", "@source_name",
					    "@capture_instance", NULL};

	return cdc_run(c, "sp_cdc_disable_table", names, CDC_OWNER, true,
		       disable_table);
}

int cdc_table_dropped(struct ddl *x, struct table *t)
{
	int dropped;

	return cdc_drop_instances(x, t->id, NULL, &dropped);
}

int cdc_check_index(struct ddl *x, const struct table *t,
		    const struct index *ix)
{
	char tables[64];
	int64_t used = 0;

	if (t->change_tracking && ix->primary)
		return diag_set(x->d, 3735, ix->name, t->name);
	if (!t->tracked_by_cdc)
		return 0;
	if (cdc_need_table(x->s, x->home, "change_tables", tables,
			   sizeof(tables), x->d) < 0 ||
	    catalog_int(x->s, x->d, &used,
			"SELECT 1 FROM %s WHERE c3 = %d AND c7 = 1 AND c10 ="
			" %Q COLLATE cat",
			tables, t->id, ix->name) < 0)
		return -1;
	return used ? diag_set(x->d, ix->constraint ? 22979 : 22983, ix->name,
			       t->name)
		    : 0;
}

/* --- clean-up of a change table --- */

static int find_instance(struct cdc_call *k, const char *name, int *id)
{
	char tables[64];
	int64_t found = 0;

	if (cdc_need_table(k->x.s, k->x.home, "change_tables", tables,
			   sizeof(tables), &k->d) < 0 ||
	    catalog_int(k->x.s, &k->d, &found,
			"SELECT c1 FROM %s WHERE c4 = %Q COLLATE cat", tables,
			name) < 0)
		return -1;
	*id = (int)found;
	return found ? 0 : diag_set(&k->d, 22920, name, k->x.home->db->name);
}

static int known_lsn(struct cdc_call *k, const unsigned char *lsn)
{
	char text[2 * LSN_SIZE + 1], times[64];
	int64_t found = 0;
	int i;

	for (i = 0; i < LSN_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02X", lsn[i]);
	if (cdc_need_table(k->x.s, k->x.home, "lsn_time_mapping", times,
			   sizeof(times), &k->d) < 0 ||
	    catalog_int(k->x.s, &k->d, &found,
			"SELECT 1 FROM %s WHERE c1 = x'%s'", times, text) < 0)
		return -1;
	return found ? 0
		     : diag_set(&k->d, 22964,
				pool_printf(&k->pool, "0x%s", text),
				k->x.home->db->name);
}

static int cleanup(struct cdc_call *k)
{
	struct call *c = k->c;
	const char *instance = call_text(c, 0, "@capture_instance", &k->pool);
	struct call_arg *low = call_get(c, 1, "@low_water_mark");
	unsigned char lsn[LSN_SIZE] = {0};
	bool given = low && low->value.cls == VAL_BLOB;
	int id;

	if (required(k, "sp_cdc_cleanup_change_table", 0, "@capture_instance") <
		    0 ||
	    required(k, "sp_cdc_cleanup_change_table", 1, "@low_water_mark") <
		    0)
		return -1;
	if (low->value.cls != VAL_NULL && !type_is_binary(low->type))
		return diag_set(&k->d, 8114, type_name(low->type), "binary");
	if (find_instance(k, instance ? instance : "", &id) < 0)
		return -1;
	if (given) {
		memcpy(lsn, low->value.p,
		       low->value.n > LSN_SIZE ? LSN_SIZE : low->value.n);
		if (known_lsn(k, lsn) < 0)
			return -1;
	}
	return cdc_cleanup(k->x.s, k->x.home, id, given ? lsn : NULL, &k->d);
}

enum flow cdc_proc_cleanup(struct call *c)
{
	static const char *const names[] = {"@capture_instance",
					    "@low_water_mark", "@threshold",
					    "@fCleanupFailed", NULL};

	return cdc_run(c, "sp_cdc_cleanup_change_table", names, CDC_OWNER, true,
		       cleanup);
}
