/*
 * INSERT: a SELECT gives the rows, with the defaults of the columns that were
 * left out behind its own columns; each row is converted, checked and stored.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dml/dml.h"
#include "exec/output.h"
#include "exec/perm.h"
#include "exec/proc.h"
#include "exec/tran.h"
#include "plan/views.h"
#include "sql/lex.h"
#include "sql/parse.h"

/* --- building --- */

static int identity_insert_on(const struct session *s, const struct table *t)
{
	return s->identity_insert_table == t->id &&
	       s->identity_insert_db == (t->db ? t->db->id : 0);
}

/* The columns that values are given for; the target's own order by default. */
static void target_columns(struct tr *t, const struct dml *dml,
			   struct dml_plan *m, int given)
{
	const struct table *table = m->target;
	const struct name_list *n;
	int i, k = 0;

	m->map = mem_calloc((size_t)table->count * 2 + (size_t)given + 8,
			    sizeof(int));
	if (!dml->columns) {
		if (table->set_column >= 0)
			tr_fail(t, 40517, "writing a column set", NULL);
		for (i = 0; i < table->count; i++) {
			const struct column *c = &table->columns[i];

			if (c->computed || (c->generated && c->hidden))
				continue;
			if (c->identity && !identity_insert_on(t->s, table))
				continue;
			if (c->type.kind == TY_ROWVERSION &&
			    given < table->count)
				continue;
			m->map[k++] = i;
		}
		if (k != given)
			tr_fail(t, 213, NULL);
		if (table->identity_column >= 0 &&
		    identity_insert_on(t->s, table) && !t->failed)
			tr_fail_text(t, 8101, 16,
				     "An explicit value for the identity column"
				     " in table '%s' can only be specified when"
				     " a column list is used and "
				     "IDENTITY_INSERT is ON.",
				     table->name);
		m->set_count = k;
		return;
	}
	for (n = dml->columns; n; n = n->next) {
		t->line = n->line;
		i = table_column(table, n->name);
		if (i < 0) {
			tr_fail(t, 207, n->name, NULL);
			return;
		}
		for (int j = 0; j < k; j++)
			if (m->map[j] == i) {
				tr_fail(t, 264, n->name, NULL);
				return;
			}
		if (table->columns[i].column_set) {
			tr_fail(t, 40517, "writing a column set", NULL);
			return;
		}
		if (table->columns[i].computed) {
			tr_fail(t, 271, n->name, NULL);
			return;
		}
		if (table->columns[i].identity)
			m->identity_given = true;
		m->map[k++] = i;
	}
	m->set_count = k;
	if (m->identity_given && !identity_insert_on(t->s, table))
		tr_fail(t, 544, table->name, NULL);
	else if (!m->identity_given && table->identity_column >= 0 &&
		 identity_insert_on(t->s, table))
		tr_fail(t, 545, table->name, NULL);
}

/* VALUES: DEFAULT becomes the column's default. */
static struct query *with_defaults(struct tr *t, const struct query *q,
				   const struct dml_plan *m)
{
	struct query *copy = pool_alloc(t->pool, sizeof(*copy));
	struct row_list **row = &copy->rows;
	const struct row_list *r;

	*copy = *q;
	for (r = q->rows; r; r = r->next) {
		const struct expr *e;
		struct expr **link;
		int i = 0;

		*row = pool_alloc(t->pool, sizeof(**row));
		**row = *r;
		link = &(*row)->values;
		for (e = r->values; e; e = e->next, i++) {
			*link = pool_alloc(t->pool, sizeof(**link));
			**link = *e;
			if (e->kind == EX_DEFAULT && i < m->set_count) {
				struct expr *d = dml_default(
					t, &m->target->columns[m->map[i]]);

				**link = *d;
			}
			(*link)->next = NULL;
			link = &(*link)->next;
		}
		row = &(*row)->next;
		*row = NULL;
	}
	return copy;
}

static bool has_default(const struct query *q)
{
	const struct row_list *r;
	const struct expr *e;

	for (r = q->rows; r; r = r->next)
		for (e = r->values; e; e = e->next)
			if (e->kind == EX_DEFAULT)
				return true;
	return false;
}

/* Columns of a period take nothing but DEFAULT. `q` NULL: rows of EXEC. */
static void check_generated(struct tr *t, const struct query *q,
			    const struct dml_plan *m)
{
	const struct table *table = m->target;
	const struct row_list *r;
	int i;

	for (i = 0; i < m->set_count && !t->failed; i++) {
		bool given = !q || q->kind != Q_VALUES;

		if (!table->columns[m->map[i]].generated)
			continue;
		for (r = q ? q->rows : NULL; r && !given; r = r->next) {
			const struct expr *e = r->values;
			int k;

			for (k = 0; e && k < i; k++)
				e = e->next;
			given = e && e->kind != EX_DEFAULT;
		}
		if (given)
			tr_fail(t, 13536, table_full_name(table, t->pool),
				NULL);
	}
}

static int given_count(struct tr *t, const struct query *q, struct rel **rel)
{
	if (q->kind == Q_VALUES) {
		const struct row_list *r;
		int rows = 0;

		for (r = q->rows; r; r = r->next)
			rows++;
		if (rows > 1000)
			tr_fail(t, 10738, NULL);
		return q->rows->count;
	}
	*rel = tr_top_query(t, q);
	return (*rel)->count;
}

/* Columns that nobody gave: their defaults, behind the query's columns. */
static void add_defaults(struct tr *t, struct plan *p, struct dml_plan *m,
			 struct rel *rel, struct strbuf *sb)
{
	const struct table *table = m->target;
	int i, k, n = rel->count;

	for (i = 0; i < table->count && !t->failed; i++) {
		const struct column *c = &table->columns[i];
		struct ex x;
		bool check = t->in_check;

		for (k = 0; k < m->set_count; k++)
			if (m->map[k] == i)
				break;
		if (k < m->set_count || !c->default_text || c->identity ||
		    c->computed)
			continue;
		t->in_check = true;
		x = tr_expr(t, dml_default(t, c));
		t->in_check = check;
		strbuf_addf(sb, ",%s", x.sql);
		m->map[n] = i;
		p->columns[n].type = x.type;
		n++;
	}
	p->count = n;
}

/* Does the query read its own target? That is one need by itself. */
static bool reads(const struct plan *p, const struct table *t)
{
	int i, times = 0;

	for (i = 0; i < p->needs.table_count; i++)
		times += p->needs.tables[i]->id == t->id &&
			 p->needs.tables[i]->home == t->home;
	return times > 1;
}

static void build_outputs(struct tr *t, const struct dml *dml,
			  struct dml_plan *m, char op, struct extras *extras)
{
	if (dml->output && !t->failed)
		m->outputs[m->output_count++] =
			output_build(t, dml->output, m->target, op, extras);
	if (dml->output_into && !t->failed)
		m->outputs[m->output_count++] = output_build(
			t, dml->output_into, m->target, op, extras);
}

/* A view as target: its base table and the columns mapped to it. */
static void through_view(struct tr *t, struct dml_plan *m, struct dml *dml)
{
	struct table *view = m->target;
	struct rel *rel;
	struct name_list *n, **link, *list = NULL;
	int i;

	t->want_rowids = true;
	rel = views_user(t, view);
	t->want_rowids = false;
	if (t->failed)
		return;
	if (rel->base_count != 1) {
		tr_fail(t, rel->base_count ? 4405 : 4403, view->name, NULL);
		return;
	}
	link = &list;
	for (n = dml->columns, i = 0; dml->columns ? n != NULL : i < rel->count;
	     i++) {
		int at = i;

		if (dml->columns) {
			for (at = 0; at < rel->count; at++)
				if (!strcasecmp(rel->columns[at].name, n->name))
					break;
			if (at == rel->count) {
				tr_fail(t, 207, n->name, NULL);
				return;
			}
			n = n->next;
		}
		if (!rel->columns[at].base) {
			tr_fail(t, 4406, view->name, NULL);
			return;
		}
		*link = pool_alloc(t->pool, sizeof(**link));
		(*link)->name = rel->columns[at].base->name;
		link = &(*link)->next;
	}
	m->target = table_ref(rel->bases[0]);
	table_unref(view);
	dml->columns = list;
}

/* DEFAULT VALUES: one row with one column, which goes nowhere. */
static struct rel *default_row(struct tr *t, struct dml_plan *m)
{
	struct row_list *row = pool_alloc(t->pool, sizeof(*row));
	struct query *none = pool_alloc(t->pool, sizeof(*none));

	none->kind = Q_VALUES;
	none->rows = row;
	row->values = pool_alloc(t->pool, sizeof(struct expr));
	row->values->kind = EX_NULL;
	row->count = 1;
	m->map = mem_calloc((size_t)m->target->count * 2 + 8, sizeof(int));
	m->map[0] = -1;
	m->set_count = 1;
	return tr_query(t, none);
}

/* As many columns as values? */
static void check_counts(struct tr *t, const struct dml *dml, int given)
{
	bool values = dml->query->kind == Q_VALUES;
	const struct name_list *n;
	int k = 0;

	for (n = dml->columns; n; n = n->next)
		k++;
	if (dml->columns && k > given)
		tr_fail(t, values ? 109 : 120, NULL);
	else if (dml->columns && k < given)
		tr_fail(t, values ? 110 : 121, NULL);
}

static struct rel *given_rows(struct tr *t, const struct dml *dml,
			      struct dml_plan *m)
{
	const struct query *q = dml->query;
	struct rel *rel = NULL;
	int given = given_count(t, q, &rel);

	if (!t->failed)
		check_counts(t, dml, given);
	if (!t->failed)
		target_columns(t, dml, m, given);
	if (!t->failed)
		check_generated(t, q, m);
	if (!t->failed && q->kind == Q_VALUES)
		rel = tr_query(t, has_default(q) ? with_defaults(t, q, m) : q);
	return rel;
}

/* The query that drives the insert: what is given, and defaults behind it. */
static void driving_query(struct tr *t, struct plan *p, struct dml_plan *m,
			  const struct dml *dml, struct rel *rel,
			  const struct strbuf *with)
{
	struct strbuf text;
	int i;

	p->columns = pool_alloc(&p->pool,
				(size_t)(rel->count + m->target->count + 1) *
					sizeof(*p->columns));
	memcpy(p->columns, rel->columns,
	       (size_t)rel->count * sizeof(*rel->columns));
	strbuf_init_max(&text, (size_t)512 << 20);
	if (with->len)
		strbuf_addf(&text, "WITH RECURSIVE %s ", with->data);
	strbuf_addstr(&text, "SELECT ");
	for (i = 0; i < rel->count; i++)
		strbuf_addf(&text, "%sx%d", i ? "," : "", i + 1);
	add_defaults(t, p, m, rel, &text);
	strbuf_addf(&text, " FROM (%s)", rel->sql);
	if (dml->top) {
		struct ex n = tr_implicit(t, tr_expr(t, dml->top),
					  type_of(TY_BIGINT));

		strbuf_addf(&text, " LIMIT topn(%s)", n.sql);
	}
	p->sql = pool_strndup(&p->pool, text.data, text.len);
	strbuf_release(&text);
}

static int build_insert(struct session *s, struct plan *p, void *arg,
			struct diag *d)
{
	struct stmt *st = arg;
	struct dml copy = *st->dml, *dml = &copy;
	struct dml_plan *m = mem_calloc(1, sizeof(*m));
	struct rel *rel = NULL;
	struct strbuf with;
	struct tr t;

	p->more = m;
	p->more_free = dml_plan_free;
	plan_tr(s, p, &t, d);
	t.line = st->line;
	if (dml->max_recursion >= 0)
		t.max_recursion = dml->max_recursion ? dml->max_recursion : -1;
	tr_push_ctes(&t, dml->ctes);
	strbuf_init_max(&with, (size_t)512 << 20);
	t.with = &with;
	m->target = dml_target(&t, &dml->target, dml->target_var);
	if (m->target)
		table_ref(m->target);
	if (!t.failed && perm_check(s, m->target, PERM_INSERT, d) < 0)
		t.failed = true;
	if (!t.failed && !strcmp(m->target->type, "V"))
		through_view(&t, m, dml);
	if (!t.failed)
		rel = dml->default_values || !dml->query
			      ? default_row(&t, m)
			      : given_rows(&t, dml, m);
	if (!t.failed) {
		driving_query(&t, p, m, dml, rel, &with);
		build_outputs(&t, dml, m, 'I', NULL);
		m->from_target = reads(p, m->target);
	}
	strbuf_release(&with);
	return t.failed ? -1 : 0;
}

/* --- running --- */

/* One source row, by target column; NULL where nothing was given. */
static int make_row(struct session *s, struct dml_plan *m, const struct val *in,
		    const struct out_column *columns, int count,
		    struct strbuf *mem, struct val *row, struct diag *d)
{
	int i;

	for (i = 0; i < m->target->count; i++)
		row[i] = val_null();
	for (i = 0; i < count; i++) {
		int at = m->map[i];

		if (at < 0)
			continue;
		if (write_convert(s, m->target, at, &in[i], columns[i].type,
				  &mem[i], &row[at], d) < 0)
			return -1;
		if (at == m->target->rowversion_column) {
			if (row[at].cls != VAL_NULL)
				return diag_set(d, 273);
		}
	}
	return 0;
}

static int insert_one(struct session *s, struct write *w, struct dml_plan *m,
		      const struct val *row, struct diag *d)
{
	int i;

	if (write_insert(w, row, d) < 0)
		return -1;
	for (i = 0; i < m->output_count; i++)
		if (output_plan_row(s, m->outputs[i], w->row, NULL, NULL, d) <
		    0)
			return -1;
	return 0;
}

static int insert_all(struct session *s, struct plan *p, struct write *w,
		      struct diag *d)
{
	struct dml_plan *m = p->more;
	sqlite3_stmt *st = plan_start(s, p, d);
	struct strbuf *mem;
	struct val *in, *row;
	struct row_store kept;
	int got, i, ret = -1;

	if (!st)
		return -1;
	in = mem_calloc((size_t)(p->count + m->target->count) + 2, sizeof(*in));
	row = in + p->count + 1;
	mem = mem_calloc((size_t)p->count + 1, sizeof(*mem));
	for (i = 0; i < p->count; i++)
		strbuf_init_max(&mem[i], (size_t)1 << 31);
	rows_init(&kept, p->count);
	while ((got = run_step(s, st, d)) > 0) {
		for (i = 0; i < p->count; i++)
			in[i] = run_column(st, i);
		if (m->from_target) {
			rows_add(&kept, in);
			continue;
		}
		if (make_row(s, m, in, p->columns, p->count, mem, row, d) < 0 ||
		    insert_one(s, w, m, row, d) < 0)
			goto done;
	}
	if (got < 0)
		goto done;
	if (m->from_target) {
		sqlite3_reset(st);
		rows_rewind(&kept);
		while (rows_next(&kept, in))
			if (make_row(s, m, in, p->columns, p->count, mem, row,
				     d) < 0 ||
			    insert_one(s, w, m, row, d) < 0)
				goto done;
	}
	ret = 0;
done:
	plan_done(p, st);
	for (i = 0; i < p->count; i++)
		strbuf_release(&mem[i]);
	rows_release(&kept);
	free(mem);
	free(in);
	return ret;
}

static int outputs_into(struct session *s, struct dml_plan *m, struct diag *d)
{
	int i;

	for (i = 0; i < m->output_count; i++)
		if (output_plan_into(s, m->outputs[i], d) < 0)
			return -1;
	return 0;
}

/* INSERT … EXEC: catch the rows first, then insert them. */
static enum flow insert_exec(struct session *s, struct stmt *st);

enum flow exec_insert(struct session *s, struct stmt *st)
{
	struct write w;
	struct plan *p = NULL;
	struct diag d;
	bool compile = false, ok = false, began = false;
	int64_t rows = 0;

	if (st->dml->exec)
		return insert_exec(s, st);
	if (exec_check_doomed(s, &d) < 0)
		return run_error(s, &d, st, false);
	if (tran_begin_statement(s, &d) == 0)
		p = dml_get(s, st, build_insert, &d, &compile);
	if (p) {
		struct dml_plan *m = p->more;

		began = true;
		if (write_begin(&w, s, m->target, 'I', &d) == 0) {
			w.keep_identity = m->identity_given;
			ok = insert_all(s, p, &w, &d) == 0 &&
			     write_finish(&w, &d) == 0 &&
			     trigger_fire(&w, &d) == 0 &&
			     outputs_into(s, m, &d) == 0;
		}
		rows = w.rows;
	}
	if (began && write_end(&w, !ok, &d) < 0)
		ok = false;
	return dml_done(s, st, ok, compile, rows, CMD_INSERT, p, &d);
}

/* --- rows that were kept --- */

int insert_rows_from_store(struct session *s, struct table *t,
			   struct row_store *store, const struct type *types,
			   const int *map, int count, int64_t *inserted,
			   struct diag *d)
{
	struct val *in =
		mem_calloc((size_t)(count + t->count) + 2, sizeof(*in));
	struct val *row = in + count + 1;
	struct cell *defaults =
		mem_calloc((size_t)t->count + 1, sizeof(*defaults));
	struct strbuf *mem = mem_calloc((size_t)count + 1, sizeof(*mem));
	struct write w;
	bool *given = mem_calloc((size_t)t->count + 1, sizeof(bool));
	int i, ret = -1;

	for (i = 0; i < count; i++) {
		strbuf_init_max(&mem[i], (size_t)1 << 31);
		if (map[i] >= 0 && map[i] < t->count)
			given[map[i]] = true;
	}
	if (write_begin(&w, s, t, 'I', d) < 0)
		goto done;
	w.keep_identity = t->identity_column >= 0 && given[t->identity_column];
	for (i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];
		struct arena pool;
		struct expr *e;

		if (given[i] || !c->default_text)
			continue;
		arena_init(&pool, 0);
		e = parse_expression(&pool, c->default_text,
				     strlen(c->default_text), d);
		if (!e || run_value(s, e, c->type, &defaults[i], d) < 0) {
			arena_release(&pool);
			goto done;
		}
		arena_release(&pool);
	}
	rows_rewind(store);
	while (rows_next(store, in)) {
		for (i = 0; i < t->count; i++)
			row[i] = defaults[i].v;
		for (i = 0; i < count; i++)
			if (write_convert(s, t, map[i], &in[i], types[i],
					  &mem[i], &row[map[i]], d) < 0)
				goto done;
		if (write_insert(&w, row, d) < 0)
			goto done;
	}
	*inserted = w.rows;
	ret = 0;
	if (write_finish(&w, d) < 0 || trigger_fire(&w, d) < 0)
		ret = -1;
done:
	if (write_end(&w, ret < 0, d) < 0)
		ret = -1;
	for (i = 0; i < count; i++)
		strbuf_release(&mem[i]);
	for (i = 0; i < t->count; i++)
		cell_release(&defaults[i]);
	free(defaults);
	free(mem);
	free(given);
	free(in);
	return ret;
}

/* The target's columns for what EXEC returns. */
static int build_target(struct session *s, struct plan *p, void *arg,
			struct diag *d)
{
	struct stmt *st = arg;
	struct dml_plan *m = mem_calloc(1, sizeof(*m));
	struct tr t;
	const struct name_list *n;
	int i;

	p->more = m;
	p->more_free = dml_plan_free;
	p->sql = "SELECT 1";
	plan_tr(s, p, &t, d);
	t.line = st->line;
	m->target = dml_target(&t, &st->dml->target, st->dml->target_var);
	if (m->target)
		table_ref(m->target);
	if (t.failed)
		return -1;
	if (perm_check(s, m->target, PERM_INSERT, d) < 0)
		return -1;
	for (n = st->dml->columns, i = 0; n; n = n->next)
		i++;
	if (!st->dml->columns) {
		m->map = mem_calloc((size_t)m->target->count + 1, sizeof(int));
		for (i = 0; i < m->target->count; i++) {
			const struct column *c = &m->target->columns[i];

			if (c->computed || c->type.kind == TY_ROWVERSION ||
			    (c->identity && !identity_insert_on(s, m->target)))
				continue;
			m->map[m->set_count++] = i;
		}
		return 0;
	}
	target_columns(&t, st->dml, m, i);
	if (!t.failed)
		check_generated(&t, NULL, m);
	return t.failed ? -1 : 0;
}

static enum flow insert_exec(struct session *s, struct stmt *st)
{
	struct row_sink sink, *outer = s->frame->sink;
	struct plan *p = NULL;
	struct diag d;
	bool compile = false, ok = false;
	int64_t rows = 0;
	enum flow flow;
	struct dml_plan *m;

	if (outer) {
		diag_set(&d, 8164);
		return run_error(s, &d, st, false);
	}
	if (exec_check_doomed(s, &d) < 0)
		return run_error(s, &d, st, false);
	if (tran_begin_statement(s, &d) == 0)
		p = plan_get(s, &st->plan, &st->plan_free, build_target, st, &d,
			     &compile);
	if (!p)
		return dml_done(s, st, false, compile, 0, CMD_INSERT, NULL, &d);
	m = p->more;
	memset(&sink, 0, sizeof(sink));
	sink.wanted = m->set_count;
	tran_end_statement(s, false, &d);
	s->frame->sink = &sink;
	flow = exec_exec(s, st->dml->exec);
	s->frame->sink = NULL;
	if (flow == FLOW_OK && sink.mismatch) {
		diag_set(&d, 213);
		flow = run_error(s, &d, st, false);
	} else if (flow == FLOW_OK) {
		if (tran_begin_statement(s, &d) == 0)
			p = dml_get(s, st, build_target, &d, &compile);
		if (p) {
			m = p->more;
			ok = !sink.have_columns ||
			     insert_rows_from_store(
				     s, m->target, &sink.rows, sink.types,
				     m->map, m->set_count, &rows, &d) == 0;
		}
		flow = dml_done(s, st, ok, compile, rows, CMD_INSERT, NULL, &d);
	}
	rows_release(&sink.rows);
	free(sink.types);
	return flow;
}
