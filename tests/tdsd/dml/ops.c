#include "dml/ops.h"

#include <stdlib.h>
#include <string.h>

#include "exec/run.h"
#include "sql/parse.h"
#include "value/collation.h"

void ops_free(struct table_ops *o)
{
	int i;

	if (!o)
		return;
	sqlite3_finalize(o->insert);
	sqlite3_finalize(o->insert_at);
	sqlite3_finalize(o->delete_);
	sqlite3_finalize(o->read);
	plan_free(o->computed);
	plan_free(o->checks);
	for (i = 0; i < o->out_count; i++)
		sqlite3_finalize(o->out[i].find);
	for (i = 0; i < o->in_count; i++) {
		sqlite3_finalize(o->in[i].find);
		sqlite3_finalize(o->in[i].self);
	}
	free(o->computed_columns);
	free(o->check_list);
	free(o->out);
	free(o->in);
	free(o->stored);
	free(o);
}

void ops_bind(struct session *s, struct plan *p, sqlite3_stmt *st,
	      const struct val *row, const struct val *old,
	      const struct val *extra)
{
	int i;

	for (i = 0; i < p->needs.param_count; i++) {
		const struct param *pm = &p->needs.params[i];

		switch (pm->kind) {
		case PARAM_ROW:
			if (row)
				run_bind_val(st, i + 1, &row[pm->index]);
			break;
		case PARAM_OLD:
			if (old)
				run_bind_val(st, i + 1, &old[pm->index]);
			break;
		case PARAM_EXTRA:
			if (extra)
				run_bind_val(st, i + 1, &extra[pm->index]);
			break;
		default:
			run_bind_param(s, st, i + 1, pm);
			break;
		}
	}
}

/* --- compiling --- */

static int build_computed(struct session *s, struct plan *p, void *arg,
			  struct diag *d)
{
	struct table_ops *o = arg;
	struct row_scope row = {.kind = PARAM_ROW, .table = o->table};
	struct strbuf sb;
	struct tr t;
	int i;

	plan_tr(s, p, &t, d);
	t.row = &row;
	t.in_check = true;
	strbuf_init(&sb);
	strbuf_addstr(&sb, "SELECT ");
	for (i = 0; i < o->computed_count && !t.failed; i++) {
		const struct column *c =
			&o->table->columns[o->computed_columns[i]];
		struct expr *e = parse_expression(&p->pool, c->computed,
						  strlen(c->computed), d);
		struct ex x;

		if (!e) {
			t.failed = true;
			break;
		}
		x = tr_convert(&t, tr_expr(&t, e), c->type);
		strbuf_addf(&sb, "%s%s", i ? "," : "", x.sql);
	}
	p->sql = pool_strndup(&p->pool, sb.data, sb.len);
	strbuf_release(&sb);
	return t.failed ? -1 : 0;
}

static int build_checks(struct session *s, struct plan *p, void *arg,
			struct diag *d)
{
	struct table_ops *o = arg;
	struct row_scope row = {.kind = PARAM_ROW, .table = o->table};
	struct strbuf sb;
	struct tr t;
	int i;

	plan_tr(s, p, &t, d);
	t.row = &row;
	t.in_check = true;
	strbuf_init(&sb);
	strbuf_addstr(&sb, "SELECT ");
	for (i = 0; i < o->check_count && !t.failed; i++) {
		const struct check *c = o->check_list[i];
		struct expr *e =
			parse_condition(&p->pool, c->text, strlen(c->text), d);

		if (!e) {
			t.failed = true;
			break;
		}
		strbuf_addf(&sb, "%s%s", i ? "," : "", tr_cond(&t, e));
	}
	p->sql = pool_strndup(&p->pool, sb.data, sb.len);
	strbuf_release(&sb);
	return t.failed ? -1 : 0;
}

static int compile_exprs(struct session *s, struct table_ops *o, struct diag *d)
{
	struct table *t = o->table;
	int i;

	o->computed_columns = mem_calloc((size_t)t->count + 1, sizeof(int));
	o->check_list =
		mem_calloc((size_t)t->check_count + 1, sizeof(*o->check_list));
	for (i = 0; i < t->count; i++)
		if (t->columns[i].computed && t->columns[i].stored)
			o->computed_columns[o->computed_count++] = i;
	for (i = 0; i < t->check_count; i++)
		if (!t->checks[i].disabled)
			o->check_list[o->check_count++] = &t->checks[i];
	if (o->computed_count) {
		o->computed = plan_new(s, build_computed, o, d);
		if (!o->computed)
			return -1;
	}
	if (o->check_count) {
		o->checks = plan_new(s, build_checks, o, d);
		if (!o->checks)
			return -1;
	}
	return 0;
}

static int compile_statements(struct session *s, struct table_ops *o,
			      struct diag *d)
{
	struct table *t = o->table;
	struct strbuf names, marks;
	char phys[64];
	int i, ret = -1;

	table_phys(t, phys, sizeof(phys));
	strbuf_init(&names);
	strbuf_init(&marks);
	o->stored = mem_calloc((size_t)t->count + 1, sizeof(int));
	for (i = 0; i < t->count; i++) {
		if (!t->columns[i].stored)
			continue;
		strbuf_addf(&names, "%sc%d", o->stored_count ? "," : "",
			    t->columns[i].phys);
		o->stored[o->stored_count++] = i;
		strbuf_addf(&marks, "%s?%d", o->stored_count > 1 ? "," : "",
			    o->stored_count);
	}
	o->insert = catalog_prepare(s, d, "INSERT INTO %s(%s) VALUES(%s)", phys,
				    names.data, marks.data);
	if (!o->insert)
		goto done;
	/* a key that is the row id says itself where the row goes */
	if (t->rowid_col)
		o->insert_at =
			catalog_prepare(s, d, "INSERT INTO %s(%s) VALUES(%s)",
					phys, names.data, marks.data);
	else
		o->insert_at = catalog_prepare(
			s, d, "INSERT INTO %s(%s,rowid) VALUES(%s,?%d)", phys,
			names.data, marks.data, o->stored_count + 1);
	if (!o->insert_at)
		goto done;
	o->delete_ =
		catalog_prepare(s, d, "DELETE FROM %s WHERE rowid = ?1", phys);
	if (!o->delete_)
		goto done;
	o->read = catalog_prepare(s, d, "SELECT %s FROM %s WHERE rowid = ?1",
				  names.data, phys);
	if (!o->read)
		goto done;
	ret = 0;
done:
	strbuf_release(&names);
	strbuf_release(&marks);
	return ret;
}

/* "c1 = ?1 COLLATE x AND c2 = ?2" over some columns of a table. */
static void key_condition(const struct table *t, const int *ids, int count,
			  struct strbuf *sb)
{
	int i;

	for (i = 0; i < count; i++) {
		int at = table_column_by_id(t, ids[i]);
		const struct column *c = &t->columns[at < 0 ? 0 : at];

		strbuf_addf(sb, "%sc%d", i ? " AND " : "", c->phys);
		if (type_is_text(c->type))
			strbuf_addf(sb, " COLLATE \"%s\"",
				    collation_get(c->type.coll)->name);
		strbuf_addf(sb, " = ?%d", i + 1);
	}
}

static int compile_out(struct session *s, struct table_ops *o, struct fk_ops *f,
		       struct diag *d)
{
	struct table *parent =
		catalog_table(s, o->table->home, f->fk->referenced, d);
	struct strbuf sb;
	char phys[64];

	if (!parent)
		return -1;
	strbuf_init(&sb);
	key_condition(parent, f->fk->ref_columns, f->fk->count, &sb);
	f->find = catalog_prepare(s, d, "SELECT 1 FROM %s WHERE %s LIMIT 1",
				  table_phys(parent, phys, sizeof(phys)),
				  sb.data);
	strbuf_release(&sb);
	table_unref(parent);
	return f->find ? 0 : -1;
}

static int compile_in(struct session *s, struct table_ops *o, struct fk_ops *f,
		      struct diag *d)
{
	struct table *child =
		catalog_table(s, o->table->home, f->fk->parent, d);
	struct strbuf sb;
	char phys[64];

	if (!child)
		return -1;
	strbuf_init(&sb);
	key_condition(child, f->fk->parent_columns, f->fk->count, &sb);
	f->find =
		catalog_prepare(s, d, "SELECT rowid FROM %s WHERE %s",
				table_phys(child, phys, sizeof(phys)), sb.data);
	strbuf_reset(&sb);
	key_condition(o->table, f->fk->ref_columns, f->fk->count, &sb);
	f->self = catalog_prepare(s, d, "SELECT 1 FROM %s WHERE %s LIMIT 1",
				  table_phys(o->table, phys, sizeof(phys)),
				  sb.data);
	strbuf_release(&sb);
	table_unref(child);
	return f->find && f->self ? 0 : -1;
}

static int compile_fks(struct session *s, struct table_ops *o, struct diag *d)
{
	struct table *t = o->table;
	int i;

	o->out = mem_calloc((size_t)t->out_count + 1, sizeof(*o->out));
	o->in = mem_calloc((size_t)t->in_count + 1, sizeof(*o->in));
	for (i = 0; i < t->out_count; i++) {
		if (t->out[i].disabled)
			continue;
		o->out[o->out_count].fk = &t->out[i];
		if (compile_out(s, o, &o->out[o->out_count++], d) < 0)
			return -1;
	}
	for (i = 0; i < t->in_count; i++) {
		if (t->in[i].disabled)
			continue;
		o->in[o->in_count].fk = &t->in[i];
		if (compile_in(s, o, &o->in[o->in_count++], d) < 0)
			return -1;
	}
	return 0;
}

struct table_ops *ops_get(struct session *s, struct table *t, struct diag *d)
{
	struct table_ops *o;

	if (t->ops)
		return t->ops;
	o = mem_calloc(1, sizeof(*o));
	o->table = t;
	if (compile_statements(s, o, d) < 0 || compile_exprs(s, o, d) < 0 ||
	    compile_fks(s, o, d) < 0) {
		ops_free(o);
		return NULL;
	}
	t->ops = o;
	return o;
}

/* --- using --- */

int ops_compute(struct session *s, struct table_ops *o, struct val *row,
		struct strbuf *mem, struct diag *d)
{
	sqlite3_stmt *st;
	int i, ret = -1;
	size_t size = 0, at;

	if (!o->computed)
		return 0;
	st = plan_start(s, o->computed, d);
	if (!st)
		return -1;
	ops_bind(s, o->computed, st, row, NULL, NULL);
	if (run_step(s, st, d) < 0)
		goto done;
	for (i = 0; i < o->computed_count; i++)
		size += (size_t)sqlite3_column_bytes(st, i) + 32;
	strbuf_reserve(mem, size);
	for (i = 0; i < o->computed_count; i++) {
		struct val v = run_column(st, i);

		if (v.cls == VAL_TEXT || v.cls == VAL_BLOB) {
			at = mem->len;
			strbuf_add(mem, v.p, v.n);
			v.p = mem->data + at;
		}
		row[o->computed_columns[i]] = v;
	}
	ret = 0;
done:
	plan_done(o->computed, st);
	return ret;
}

const struct check *ops_check(struct session *s, struct table_ops *o,
			      const struct val *row, bool *bad, struct diag *d)
{
	const struct check *violated = NULL;
	sqlite3_stmt *st;
	int i;

	*bad = false;
	if (!o->checks)
		return NULL;
	st = plan_start(s, o->checks, d);
	if (!st) {
		*bad = true;
		return NULL;
	}
	ops_bind(s, o->checks, st, row, NULL, NULL);
	if (run_step(s, st, d) < 0)
		*bad = true;
	for (i = 0; i < o->check_count && !*bad && !violated; i++)
		if (sqlite3_column_type(st, i) != SQLITE_NULL &&
		    !sqlite3_column_int(st, i))
			violated = o->check_list[i];
	plan_done(o->checks, st);
	return violated;
}
