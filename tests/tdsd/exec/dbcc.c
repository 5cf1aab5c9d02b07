/* DBCC, KILL, EXECUTE AS. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/output.h"
#include "exec/perm.h"
#include "exec/server.h"
#include "exec/stmts.h"
#include "exec/tran.h"
#include "net/conn.h"
#include "sql/lex.h"
#include "sql/parse.h"
#include "value/decimal.h"

static void finished(struct session *s)
{
	struct diag d;

	diag_set(&d, 2528);
	d.severity = 0;
	run_info(s, &d);
}

/* The table that the first argument names, with an identity; NULL: `d`. */
static struct table *identity_table(struct session *s, const struct stmt *st,
				    struct diag *d)
{
	const struct expr *a = st->dbcc.args;
	struct arena pool;
	struct object o;
	struct name n;
	struct table *t;
	int found;

	arena_init(&pool, 0);
	if (!a || !parse_name(&pool, a->text, a->len, &n)) {
		arena_release(&pool);
		diag_set(d, 2526);
		return NULL;
	}
	n.line = st->line;
	found = catalog_find(s, &n, &o, d);
	if (!found)
		diag_set(d, 2501, a->text);
	arena_release(&pool);
	if (found <= 0 || tran_write(s, o.home, d) < 0)
		return NULL;
	t = catalog_table(s, o.home, o.id, d);
	if (t && t->identity_column < 0) {
		diag_set(d, 7997, o.name);
		table_unref(t);
		return NULL;
	}
	return t;
}

static int64_t last_identity(struct session *s, const struct table *t,
			     struct diag *d)
{
	const struct column *c = &t->columns[t->identity_column];
	int64_t last = 0;
	bool known = false;

	if (t->db)
		last = identity_get(t->db, t->id, &known);
	if (known)
		return last;
	last = c->seed - c->increment;
	catalog_int(s, d, &last,
		    "SELECT last FROM %s._identity WHERE object_id = %d",
		    t->home->prefix, t->id);
	return last;
}

/* Was a value of it ever given out? */
static bool is_used(struct session *s, const struct table *t, struct diag *d)
{
	int64_t there = 0;
	bool used = false;

	if (t->db)
		identity_get(t->db, t->id, &used);
	if (!used)
		catalog_int(s, d, &there,
			    "SELECT 1 FROM %s._identity WHERE object_id = %d",
			    t->home->prefix, t->id);
	return used || there;
}

static int set_identity(struct session *s, const struct table *t, int64_t value,
			struct diag *d)
{
	if (t->db)
		identity_put(t->db, t->id, value);
	return catalog_exec(s, d,
			    "INSERT OR REPLACE INTO %s._identity VALUES"
			    "(%d, %lld)",
			    t->home->prefix, t->id, (long long)value);
}

/* `value` is the third argument, NULL without one. */
static int reseed(struct session *s, const struct table *t,
		  const struct expr *value, int64_t last, int64_t highest,
		  int64_t rows, struct diag *d)
{
	const struct column *c = &t->columns[t->identity_column];
	int64_t set = highest > last ? highest : last;

	if (value) {
		set = strtoll(value->text, NULL, 10);
		if (value->negated)
			set = -set;
		/* an unused table gives the new seed itself first */
		if (!rows && !is_used(s, t, d))
			set -= c->increment;
	}
	return set_identity(s, t, set, d);
}

/* DBCC CHECKIDENT (table [, RESEED [, value] | NORESEED]) */
static int check_ident(struct session *s, const struct stmt *st, struct diag *d)
{
	const struct expr *how = st->dbcc.args ? st->dbcc.args->next : NULL;
	int64_t last, highest = 0, rows = 0;
	struct table *t = identity_table(s, st, d);
	struct diag info;
	char phys[64];
	int ret = 0;

	if (!t)
		return -1;
	last = last_identity(s, t, d);
	table_phys(t, phys, sizeof(phys));
	catalog_int(s, d, &rows, "SELECT count(*) FROM %s", phys);
	catalog_int(s, d, &highest, "SELECT max(c%d) FROM %s",
		    t->columns[t->identity_column].phys, phys);
	diag_free_text(&info, 7998, 0, 1,
		       "Checking identity information: current identity value "
		       "'%lld', current column value '%lld'.",
		       (long long)last, (long long)highest);
	run_info(s, &info);
	if (!how || !strcasecmp(how->text, "reseed"))
		ret = reseed(s, t, how ? how->next : NULL, last, highest, rows,
			     d);
	table_unref(t);
	if (ret == 0)
		finished(s);
	return ret;
}

enum flow exec_dbcc(struct session *s, struct stmt *st)
{
	const char *name = st->dbcc.name;
	struct diag d, ignored;
	int ret;

	d.line = 0;
	d.proc[0] = '\0';
	if (!strcasecmp(name, "checkident")) {
		ret = tran_begin_statement(s, &d);
		if (ret == 0)
			ret = check_ident(s, st, &d);
		if (tran_end_statement(s, ret < 0, ret < 0 ? &ignored : &d) < 0)
			ret = -1;
		if (ret < 0)
			return run_error(s, &d, st, false);
		output_done(s, CMD_OTHER, -1, false);
		return FLOW_OK;
	}
	diag_set(&d, 2526);
	return run_error(s, &d, st, false);
}

enum flow exec_kill(struct session *s, struct stmt *st)
{
	struct cell cell = {0};
	struct session *o;
	struct diag d;
	int spid;
	bool found = false;

	d.line = 0;
	d.proc[0] = '\0';
	if (run_value(s, st->call.args, type_of(TY_INT), &cell, &d) < 0)
		return run_error(s, &d, st, false);
	spid = (int)cell.v.i;
	cell_release(&cell);
	if (!s->sysadmin) {
		diag_set(&d, 6102);
		return run_error(s, &d, st, false);
	}
	if (spid == s->spid) {
		diag_set(&d, 6104);
		return run_error(s, &d, st, false);
	}
	pthread_mutex_lock(&s->server->lock);
	for (o = s->server->sessions; o; o = o->next)
		if (o->spid == spid && o->conn) {
			__atomic_store_n(&o->killed, 1, __ATOMIC_RELAXED);
			conn_shutdown(o->conn);
			found = true;
		}
	pthread_mutex_unlock(&s->server->lock);
	if (!found) {
		diag_set(&d, 6106, spid);
		return run_error(s, &d, st, false);
	}
	output_done(s, CMD_OTHER, -1, false);
	return FLOW_OK;
}

/* EXECUTE AS LOGIN/USER = 'x', REVERT */
enum flow exec_execute_as(struct session *s, struct stmt *st)
{
	struct attached *home;
	struct login login;
	struct diag d;
	int64_t id = 0;

	d.line = 0;
	d.proc[0] = '\0';
	if (!st->option.name || !st->option.value) { /* REVERT, CALLER */
		if (login_find(&s->server->registry, s->original_login,
			       &login) == 0)
			session_become(s, &login);
		return FLOW_OK;
	}
	if (!s->sysadmin) {
		diag_set(&d, 15406, st->option.value);
		return run_error(s, &d, st, false);
	}
	if (!strcasecmp(st->option.name, "user")) {
		home = session_attach(s, s->db, &d);
		if (!home ||
		    catalog_int(s, &d, &id,
				"SELECT login FROM %s._principals WHERE name ="
				" %Q",
				home->prefix, st->option.value) < 0)
			return run_error(s, &d, st, false);
		if (!id ||
		    login_by_id(&s->server->registry, (int)id, &login) < 0) {
			diag_set(&d, 15517, st->option.value);
			return run_error(s, &d, st, false);
		}
	} else if (login_find(&s->server->registry, st->option.value, &login) <
		   0) {
		diag_set(&d, 15406, st->option.value);
		return run_error(s, &d, st, false);
	}
	session_become(s, &login);
	return FLOW_OK;
}
