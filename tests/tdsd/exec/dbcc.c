/* DBCC, KILL, EXECUTE AS. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
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

/* DBCC CHECKIDENT (table [, RESEED [, value] | NORESEED]) */
static int check_ident(struct session *s, const struct stmt *st, struct diag *d)
{
	const struct expr *a = st->dbcc.args;
	bool reseed = false, have_value = false, known;
	int64_t value = 0, last, highest = 0, rows = 0;
	struct arena pool;
	struct object o;
	struct name n;
	struct table *t;
	struct diag info;
	char phys[64];
	int found;

	arena_init(&pool, 0);
	if (!a || !parse_name(&pool, a->text, a->len, &n)) {
		arena_release(&pool);
		return diag_set(d, 2526);
	}
	n.line = st->line;
	found = catalog_find(s, &n, &o, d);
	if (found <= 0) {
		if (!found)
			diag_set(d, 2501, a->text);
		arena_release(&pool);
		return -1;
	}
	arena_release(&pool);
	if (tran_write(s, o.home, d) < 0)
		return -1;
	t = catalog_table(s, o.home, o.id, d);
	if (!t)
		return -1;
	if (t->identity_column < 0) {
		diag_set(d, 7997, o.name);
		table_unref(t);
		return -1;
	}
	if (a->next) {
		reseed = !strcasecmp(a->next->text, "reseed");
		if (a->next->next) {
			have_value = true;
			value = strtoll(a->next->next->text, NULL, 10);
			if (a->next->next->negated)
				value = -value;
		}
	} else {
		reseed = true;
	}
	last = t->db ? identity_get(t->db, t->id, &known) : 0;
	if (!t->db || !known) {
		const struct column *c = &t->columns[t->identity_column];

		last = c->seed - c->increment;
		catalog_int(s, d, &last,
			    "SELECT last FROM %s._identity WHERE object_id ="
			    " %d",
			    o.home->prefix, t->id);
	}
	table_phys(t, phys, sizeof(phys));
	catalog_int(s, d, &rows, "SELECT count(*) FROM %s", phys);
	catalog_int(s, d, &highest, "SELECT max(c%d) FROM %s",
		    t->columns[t->identity_column].phys, phys);
	diag_free_text(&info, 7998, 0, 1,
		       "Checking identity information: current identity value "
		       "'%lld', current column value '%lld'.",
		       (long long)last, (long long)highest);
	run_info(s, &info);
	if (reseed) {
		const struct column *c = &t->columns[t->identity_column];
		int64_t set = have_value       ? value
			      : highest > last ? highest
					       : last;
		bool used = false;

		/* an unused table gives the new seed itself first */
		if (t->db)
			identity_get(t->db, t->id, &used);
		if (!used) {
			int64_t there = 0;

			catalog_int(s, d, &there,
				    "SELECT 1 FROM %s._identity WHERE object_id"
				    " = %d",
				    o.home->prefix, t->id);
			used = there;
		}
		if (have_value && !used && !rows)
			set = value - c->increment;
		if (t->db)
			identity_put(t->db, t->id, set);
		if (catalog_exec(s, d,
				 "INSERT OR REPLACE INTO %s._identity VALUES"
				 "(%d, %lld)",
				 o.home->prefix, t->id, (long long)set) < 0) {
			table_unref(t);
			return -1;
		}
	}
	table_unref(t);
	finished(s);
	return 0;
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
			       &login) == 0) {
			s->login_id = login.id;
			s->sysadmin = login.sysadmin;
			text_copy(s->login, sizeof(s->login), login.name);
		}
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
	s->login_id = login.id;
	s->sysadmin = login.sysadmin;
	text_copy(s->login, sizeof(s->login), login.name);
	return FLOW_OK;
}
