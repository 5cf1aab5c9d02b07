#include "exec/plan.h"

#include <stdlib.h>
#include <string.h>

#include "exec/run.h"
#include "exec/tran.h"
#include "value/collation.h"

/* SET options that change what a translation looks like. */
static int64_t settings_of(const struct session *s)
{
	return (int64_t)s->set.isolation | (int64_t)(s->trancount > 0) << 4 |
	       (int64_t)s->set.date_order << 8 |
	       (int64_t)s->set.quoted_identifier << 12 |
	       (int64_t)s->login_id << 16; /* permissions were checked */
}

void plan_free(void *plan)
{
	struct plan *p = plan;

	if (!p)
		return;
	sqlite3_finalize(p->st);
	if (p->more_free)
		p->more_free(p->more);
	plan_needs_release(&p->needs);
	arena_release(&p->pool);
	free(p);
}

void plan_tr(struct session *s, struct plan *p, struct tr *t, struct diag *d)
{
	tr_init(t, s, &p->pool, &p->needs, d);
}

struct plan *plan_new(struct session *s, plan_build *build, void *arg,
		      struct diag *d)
{
	struct plan *p = mem_calloc(1, sizeof(*p));

	arena_init(&p->pool, 0);
	p->settings = settings_of(s);
	p->db = s->db;
	p->signature = s->frame ? s->frame->signature : 0;
	if (build(s, p, arg, d) < 0) {
		plan_free(p);
		return NULL;
	}
	return p;
}

int plan_valid(struct session *s, struct plan *p, struct diag *d)
{
	int i;

	if (p->settings != settings_of(s) || p->db != s->db ||
	    p->signature != (s->frame ? s->frame->signature : 0))
		return 0;
	for (i = 0; i < p->needs.home_count; i++) {
		struct plan_home *h = &p->needs.homes[i];
		int64_t version = catalog_version(s, h->home, d);

		if (version < 0)
			return -1;
		if (version != h->version)
			return 0;
	}
	return 1;
}

/* Take the locks that reading needs; they may bring a newer snapshot. */
static int take_locks(struct session *s, struct plan *p, struct diag *d)
{
	int i, taken = 0;

	for (i = 0; i < p->needs.home_count; i++) {
		struct plan_home *h = &p->needs.homes[i];

		if (tran_check_snapshot(s, h->home, d) < 0)
			return -1;
		if (h->lock < 0)
			continue;
		if (tran_lock_read(s, h->home, (enum lock_mode)h->lock, d) < 0)
			return -1;
		taken = 1;
	}
	for (i = 0; i < p->needs.read_count; i++) {
		const struct plan_read *r = &p->needs.reads[i];
		int waited = tran_wait_read(s, r->home, r->object_id, d);

		if (waited < 0)
			return -1;
		taken |= waited;
	}
	return taken;
}

struct plan *plan_get(struct session *s, void **slot,
		      void (**slot_free)(void *), plan_build *build, void *arg,
		      struct diag *d, bool *compile)
{
	struct plan *p = *slot;
	int valid, round;

	*compile = false;
	for (round = 0; round < 5; round++) {
		valid = p ? plan_valid(s, p, d) : 0;
		if (valid < 0)
			return NULL;
		if (!valid) {
			plan_free(p);
			*slot = NULL;
			p = plan_new(s, build, arg, d);
			if (!p) {
				*compile = true;
				return NULL;
			}
			*slot = p;
			*slot_free = plan_free;
		}
		valid = take_locks(s, p, d);
		if (valid < 0)
			return NULL;
		if (!valid || plan_valid(s, p, d) == 1)
			return p;
	}
	return p;
}

bool plan_is_free(const struct plan *p)
{
	return p && !p->needs.home_count && !p->needs.table_count;
}

sqlite3_stmt *plan_start(struct session *s, struct plan *p, struct diag *d)
{
	sqlite3_stmt *st = p->st;
	int rc, i;

	if (st)
		p->st = NULL; /* in use: a recursion makes its own */
	if (!st) {
		rc = sqlite3_prepare_v2(s->sql, p->sql, -1, &st, NULL);
		if (rc != SQLITE_OK) {
			session_sqlite_error(s, rc, d);
			if (d->number == 823)
				diag_free_text(d, 823, 21, 4, "storage: %s: %s",
					       sqlite3_errmsg(s->sql), p->sql);
			return NULL;
		}
	}
	for (i = 0; i < p->needs.param_count; i++)
		run_bind_param(s, st, i + 1, &p->needs.params[i]);
	s->fn_set = false;
	return st;
}

void plan_done(struct plan *p, sqlite3_stmt *st)
{
	if (!st)
		return;
	sqlite3_reset(st);
	if (p->st)
		sqlite3_finalize(st);
	else
		p->st = st;
}

/* --- expressions --- */

struct eval_arg {
	const struct expr *const *list;
	int count;
	bool condition;
};

static int build_eval(struct session *s, struct plan *p, void *arg,
		      struct diag *d)
{
	const struct eval_arg *ea = arg;
	struct strbuf sb;
	struct tr t;
	int i;

	plan_tr(s, p, &t, d);
	strbuf_init_max(&sb, (size_t)512 << 20);
	strbuf_addstr(&sb, "SELECT ");
	p->count = ea->count;
	p->columns = pool_alloc(&p->pool,
				(size_t)(ea->count + 1) * sizeof(*p->columns));
	for (i = 0; i < ea->count && !t.failed; i++) {
		struct ex x;

		if (ea->condition)
			x = tr_ex(tr_cond(&t, ea->list[i]), type_of(TY_BIT),
				  true);
		else
			x = tr_expr(&t, ea->list[i]);
		strbuf_addf(&sb, "%s%s", i ? "," : "", x.sql);
		p->columns[i].type = x.type;
		p->columns[i].name = "";
		p->columns[i].nullable = x.nullable;
	}
	p->sql = pool_strndup(&p->pool, sb.data, sb.len);
	strbuf_release(&sb);
	return t.failed ? -1 : 0;
}

/* Plans that read no table need no transaction; the first use finds out. */
static struct plan *get_for_eval(struct session *s, void **slot,
				 void (**slot_free)(void *),
				 struct eval_arg *arg, struct diag *d,
				 bool *compile, bool *in_tran)
{
	struct plan *p = *slot;

	*in_tran = false;
	*compile = false;
	if (!s->stmt_depth)
		s->now_set = false;
	if (plan_is_free(p) && plan_valid(s, p, d) == 1)
		return p;
	if (tran_begin_statement(s, d) < 0)
		return NULL;
	*in_tran = true;
	return plan_get(s, slot, slot_free, build_eval, arg, d, compile);
}

static int finish_eval(struct session *s, bool in_tran, int ret, struct diag *d)
{
	struct diag ignored;

	if (in_tran && tran_end_statement(s, false, ret < 0 ? &ignored : d) < 0)
		ret = -1;
	return ret;
}

int eval_list(struct session *s, void **slot, void (**slot_free)(void *),
	      const struct expr *const *list, int count, struct cell *out,
	      struct type *types, struct diag *d, bool *compile)
{
	struct eval_arg arg = {list, count, false};
	sqlite3_stmt *st = NULL;
	struct plan *p;
	bool in_tran;
	int ret = -1, i;

	p = get_for_eval(s, slot, slot_free, &arg, d, compile, &in_tran);
	if (p)
		st = plan_start(s, p, d);
	if (st && run_step(s, st, d) >= 0) {
		for (i = 0; i < count; i++) {
			struct val v = run_column(st, i);

			cell_set(&out[i], &v);
			if (types)
				types[i] = p->columns[i].type;
		}
		ret = 0;
	}
	if (p)
		plan_done(p, st);
	return finish_eval(s, in_tran, ret, d);
}

int eval_condition(struct session *s, void **slot, void (**slot_free)(void *),
		   const struct expr *e, struct diag *d, bool *compile)
{
	struct eval_arg arg = {&e, 1, true};
	sqlite3_stmt *st = NULL;
	struct plan *p;
	bool in_tran;
	int ret = -1;

	p = get_for_eval(s, slot, slot_free, &arg, d, compile, &in_tran);
	if (p)
		st = plan_start(s, p, d);
	if (st && run_step(s, st, d) >= 0)
		ret = sqlite3_column_int(st, 0) != 0;
	if (p)
		plan_done(p, st);
	if (finish_eval(s, in_tran, ret < 0 ? -1 : 0, d) < 0)
		return -1;
	return ret;
}
