#include "plan/apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/run.h"

struct apply *apply_new(struct tr *t)
{
	struct apply *a = mem_calloc(1, sizeof(*a));
	struct plan_needs *n = t->needs;

	arena_init(&a->pool, 0);
	MEM_GROW(n->applies, n->apply_count, n->apply_room);
	n->applies[n->apply_count++] = a;
	return a;
}

void apply_free(struct apply *a)
{
	sqlite3_finalize(a->idle);
	plan_needs_release(&a->needs);
	arena_release(&a->pool);
	free(a);
}

static int add_arg(struct tr *t, struct apply *a, const char *sql)
{
	int i;

	for (i = 0; i < a->arg_count; i++)
		if (!strcmp(a->args[i], sql))
			return i;
	if (a->arg_count >= APPLY_ARGS) {
		tr_fail_text(t, 8623, 16,
			     "too many outer columns in one APPLY");
		return 0;
	}
	a->args[a->arg_count] = pool_strdup(&a->pool, sql);
	return a->arg_count++;
}

/* From the outermost boundary inwards. */
static const char *lift(struct tr *t, struct scope *at, struct scope *found,
			struct ex *x)
{
	struct plan_needs *save;
	const char *sql;
	int arg;

	if (at == found)
		return x->sql;
	sql = lift(t, at->outer, found, x);
	if (!at->lateral)
		return sql;
	arg = add_arg(t, at->apply, sql);
	save = t->needs;
	t->needs = &at->apply->needs;
	sql = tr_param(t, PARAM_OUTER, arg, x->type);
	t->needs = save;
	return sql;
}

struct ex apply_outer_column(struct tr *t, struct scope *found, struct ex x)
{
	const char *sql = lift(t, t->scope, found, &x);

	if (sql != x.sql) {
		x.sql = sql;
		x.source_alias = NULL;
	}
	return x;
}

static const int sizes[] = {4, 16, 64, 256, 1100};

const char *apply_call(struct tr *t, struct apply *a)
{
	struct strbuf sb;
	const char *text;
	size_t i;
	int k;

	for (i = 0; i + 1 < LENGTH_OF(sizes) && sizes[i] < a->columns; i++)
		;
	strbuf_init(&sb);
	strbuf_addf(&sb, "apply%d(%lld", sizes[i], (long long)(intptr_t)a);
	for (k = 0; k < a->arg_count; k++)
		strbuf_addf(&sb, ",%s", a->args[k]);
	strbuf_addch(&sb, ')');
	text = pool_strndup(t->pool, sb.data, sb.len);
	strbuf_release(&sb);
	return text;
}

/* --- the virtual table --- */

struct apply_vtab {
	sqlite3_vtab base;
	struct session *session;
	int columns;
};

struct apply_cursor {
	sqlite3_vtab_cursor base;
	struct apply *apply;
	sqlite3_stmt *st;
	sqlite3_int64 row;
	int count;
	bool eof;
};

static int vt_connect(sqlite3 *sql, void *aux, int argc,
		      const char *const *argv, sqlite3_vtab **out, char **err)
{
	struct apply_vtab *v;
	struct strbuf sb;
	int i, rc, columns;

	(void)argc;
	(void)err;
	columns = atoi(argv[0] + 5);
	strbuf_init(&sb);
	strbuf_addstr(&sb, "CREATE TABLE x(");
	for (i = 1; i <= columns; i++)
		strbuf_addf(&sb, "x%d,", i);
	strbuf_addstr(&sb, "id HIDDEN");
	for (i = 0; i < APPLY_ARGS; i++)
		strbuf_addf(&sb, ",p%d HIDDEN", i);
	strbuf_addch(&sb, ')');
	rc = sqlite3_declare_vtab(sql, sb.data);
	strbuf_release(&sb);
	if (rc != SQLITE_OK)
		return rc;
	v = sqlite3_malloc(sizeof(*v));
	if (!v)
		return SQLITE_NOMEM;
	memset(v, 0, sizeof(*v));
	v->session = aux;
	v->columns = columns;
	*out = &v->base;
	return SQLITE_OK;
}

static int vt_disconnect(sqlite3_vtab *base)
{
	sqlite3_free(base);
	return SQLITE_OK;
}

/* All hidden columns that are given must be usable: else another join order. */
static int vt_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	struct apply_vtab *v = (struct apply_vtab *)base;
	int i, seen = 0;

	for (i = 0; i < info->nConstraint; i++) {
		int col = info->aConstraint[i].iColumn - v->columns;

		if (col < 0 ||
		    info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		if (!info->aConstraint[i].usable)
			return SQLITE_CONSTRAINT;
		info->aConstraintUsage[i].argvIndex = col + 1;
		info->aConstraintUsage[i].omit = 1;
		seen++;
	}
	if (!seen)
		return SQLITE_CONSTRAINT;
	info->estimatedCost = 100;
	info->estimatedRows = 10;
	return SQLITE_OK;
}

static int vt_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
	struct apply_cursor *c = sqlite3_malloc(sizeof(*c));

	(void)base;
	if (!c)
		return SQLITE_NOMEM;
	memset(c, 0, sizeof(*c));
	*out = &c->base;
	return SQLITE_OK;
}

static void give_back(struct apply_cursor *c)
{
	if (!c->st)
		return;
	sqlite3_reset(c->st);
	if (c->apply->idle)
		sqlite3_finalize(c->st);
	else
		c->apply->idle = c->st;
	c->st = NULL;
}

static int vt_close(sqlite3_vtab_cursor *base)
{
	give_back((struct apply_cursor *)base);
	sqlite3_free(base);
	return SQLITE_OK;
}

static int vt_next(sqlite3_vtab_cursor *base)
{
	struct apply_cursor *c = (struct apply_cursor *)base;
	int rc = sqlite3_step(c->st);

	c->row++;
	c->eof = rc != SQLITE_ROW;
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return SQLITE_OK;
	return rc;
}

static int vt_filter(sqlite3_vtab_cursor *base, int num, const char *str,
		     int argc, sqlite3_value **argv)
{
	struct apply_cursor *c = (struct apply_cursor *)base;
	struct apply_vtab *v = (struct apply_vtab *)base->pVtab;
	const struct plan_needs *n;
	int i, rc;

	(void)num;
	(void)str;
	give_back(c);
	if (argc < 1)
		return SQLITE_ERROR;
	c->apply = (struct apply *)(intptr_t)sqlite3_value_int64(argv[0]);
	n = &c->apply->needs;
	c->st = c->apply->idle;
	c->apply->idle = NULL;
	if (!c->st) {
		rc = sqlite3_prepare_v2(v->session->sql, c->apply->sql, -1,
					&c->st, NULL);
		if (rc != SQLITE_OK)
			return rc;
	}
	for (i = 0; i < n->param_count; i++) {
		int arg = n->params[i].index + 1;

		if (n->params[i].kind == PARAM_OUTER) {
			if (arg < argc)
				sqlite3_bind_value(c->st, i + 1, argv[arg]);
			else
				sqlite3_bind_null(c->st, i + 1);
		} else {
			run_bind_param(v->session, c->st, i + 1, &n->params[i]);
		}
	}
	c->row = 0;
	c->count = sqlite3_column_count(c->st);
	return vt_next(base);
}

static int vt_eof(sqlite3_vtab_cursor *base)
{
	return ((struct apply_cursor *)base)->eof;
}

static int vt_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int col)
{
	struct apply_cursor *c = (struct apply_cursor *)base;

	if (col < c->count)
		sqlite3_result_value(ctx, sqlite3_column_value(c->st, col));
	else
		sqlite3_result_null(ctx);
	return SQLITE_OK;
}

static int vt_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
	*out = ((struct apply_cursor *)base)->row;
	return SQLITE_OK;
}

static const sqlite3_module module = {
	.iVersion = 0,
	.xConnect = vt_connect,
	.xBestIndex = vt_best_index,
	.xDisconnect = vt_disconnect,
	.xOpen = vt_open,
	.xClose = vt_close,
	.xFilter = vt_filter,
	.xNext = vt_next,
	.xEof = vt_eof,
	.xColumn = vt_column,
	.xRowid = vt_rowid,
};

void apply_register(struct session *s)
{
	char name[16];
	size_t i;

	for (i = 0; i < LENGTH_OF(sizes); i++) {
		snprintf(name, sizeof(name), "apply%d", sizes[i]);
		sqlite3_create_module(s->sql, name, &module, s);
	}
}
