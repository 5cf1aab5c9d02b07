/*
 * Table variables have no catalog rows: their description lives in memory
 * only, their rows in SQLite's temp schema. So a rollback, which takes the
 * SQLite table back, must be survived by hand: rows out before, table and
 * rows in again after.
 */
#include "exec/tablevar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ddl/ddl.h"
#include "dml/ops.h"
#include "exec/rows.h"
#include "exec/run.h"
#include "exec/tran.h"
#include "value/collation.h"

struct table_keep {
	struct table *t;
	struct row_store rows;
	struct table_keep *next;
};

static struct table *blank(struct session *s, const char *name, int room,
			   struct diag *d)
{
	struct attached *home = session_temp(s, d);
	struct arena pool;
	struct table *t;

	if (!home)
		return NULL;
	arena_init(&pool, 0);
	t = pool_alloc(&pool, sizeof(*t));
	t->pool = pool;
	t->refs = 1;
	t->home = home;
	t->id = -(++s->temp_next_id);
	t->phys = 1000000000 + s->temp_next_id;
	t->schema = "dbo";
	t->schema_id = 1;
	t->name = pool_strdup(&t->pool, name);
	memcpy(t->type, "U", 2);
	t->identity_column = t->rowversion_column = -1;
	t->start_column = t->end_column = t->set_column = -1;
	t->columns =
		pool_alloc(&t->pool, (size_t)(room + 1) * sizeof(*t->columns));
	return t;
}

/* CREATE TABLE and its indexes, from the description. */
static int make_sqlite(struct session *s, struct table *t, struct diag *d)
{
	struct strbuf sb;
	struct ddl x = {.s = s, .home = t->home, .pool = &t->pool, .d = d};
	int i, n = 0, ret;

	strbuf_init(&sb);
	for (i = 0; i < t->count; i++)
		if (t->columns[i].stored)
			strbuf_addf(&sb, "%sc%d", n++ ? "," : "",
				    t->columns[i].phys);
	ret = catalog_exec(s, d, "CREATE TABLE temp.t%d(%s)", t->phys, sb.data);
	strbuf_release(&sb);
	for (i = 0; i < t->index_count && ret == 0; i++)
		ret = ddl_make_physical(&x, t, &t->indexes[i]);
	return ret;
}

static void add_key(struct table *t, const struct key_column *k, bool primary,
		    bool clustered)
{
	struct index *ix = &t->indexes[t->index_count];
	int room = 0;
	const struct key_column *c;

	for (c = k; c; c = c->next)
		room++;
	memset(ix, 0, sizeof(*ix));
	ix->id = t->index_count + 1;
	ix->name = pool_printf(&t->pool, "%s__%s__%d", primary ? "PK" : "UQ",
			       t->name + 1, t->phys);
	ix->unique = true;
	ix->primary = primary;
	ix->constraint = true;
	ix->clustered = clustered;
	ix->phys = pool_printf(&t->pool, "x%d_%d", t->phys, ix->id);
	ix->columns =
		pool_alloc(&t->pool, (size_t)(room + 1) * sizeof(*ix->columns));
	for (; k; k = k->next) {
		int at = table_column(t, k->name);

		if (at < 0)
			continue;
		if (primary)
			t->columns[at].nullable = false;
		ix->columns[ix->count].column = at;
		ix->columns[ix->count++].desc = k->desc;
	}
	ix->keys = ix->count;
	t->index_count++;
}

static void add_check(struct table *t, const char *text, int column)
{
	struct check *c = &t->checks[t->check_count++];

	memset(c, 0, sizeof(*c));
	c->id = -t->check_count;
	c->name = pool_printf(&t->pool, "CK__%s__%d", t->name + 1,
			      t->check_count);
	c->text = pool_strdup(&t->pool, text);
	c->column = column;
}

static void add_constraints(struct table *t, const struct constraint_def *list)
{
	for (; list; list = list->next) {
		if (list->kind == CON_PRIMARY || list->kind == CON_UNIQUE) {
			add_key(t, list->columns, list->kind == CON_PRIMARY,
				list->clustered > 0);
		} else if (list->kind == CON_CHECK) {
			add_check(t, list->text, 0);
		} else if (list->kind == CON_DEFAULT) {
			int at = table_column(t, list->for_column);

			if (at >= 0) {
				t->columns[at].default_text =
					pool_strdup(&t->pool, list->text);
				t->columns[at].default_id = -1;
			}
		}
	}
}

static int count_constraints(const struct column_def *columns,
			     const struct constraint_def *list)
{
	int n = 0;

	for (; list; list = list->next)
		n++;
	for (; columns; columns = columns->next)
		for (list = columns->constraints; list; list = list->next)
			n++;
	return n;
}

static struct table *from_definition(struct session *s, const char *name,
				     const struct column_def *columns,
				     const struct constraint_def *constraints,
				     struct diag *d)
{
	const struct column_def *c;
	struct table *t;
	struct ddl x = {.s = s, .d = d};
	int room = 0, n;

	for (c = columns; c; c = c->next)
		room++;
	t = blank(s, name, room, d);
	if (!t)
		return NULL;
	x.home = t->home;
	x.pool = &t->pool;
	for (c = columns; c; c = c->next) {
		if (ddl_make_column(&x, t, c, t->count + 1,
				    &t->columns[t->count]) < 0) {
			table_unref(t);
			return NULL;
		}
		if (t->columns[t->count].identity)
			t->identity_column = t->count;
		if (t->columns[t->count].type.kind == TY_ROWVERSION)
			t->rowversion_column = t->count;
		t->count++;
	}
	n = count_constraints(columns, constraints);
	t->indexes =
		pool_alloc(&t->pool, (size_t)(n + 1) * sizeof(*t->indexes));
	t->checks = pool_alloc(&t->pool, (size_t)(n + 1) * sizeof(*t->checks));
	t->triggers = pool_alloc(&t->pool, sizeof(*t->triggers));
	for (c = columns; c; c = c->next)
		add_constraints(t, c->constraints);
	add_constraints(t, constraints);
	if (make_sqlite(s, t, d) < 0) {
		table_unref(t);
		return NULL;
	}
	return t;
}

/* Its catalog must be there: identity counters are kept in it. */
static int ready(struct session *s, struct diag *d)
{
	struct attached *home = session_temp(s, d);
	struct ddl x = {.s = s, .d = d};
	int ret;

	if (!home)
		return -1;
	if (home->ready)
		return 0;
	if (tran_begin_statement(s, d) < 0)
		return -1;
	ret = ddl_begin(&x, s, home, NULL, d);
	if (tran_end_statement(s, ret < 0, d) < 0)
		ret = -1;
	return ret;
}

int tablevar_create(struct session *s, struct variable *v,
		    const struct param_def *def, struct diag *d)
{
	if (ready(s, d) < 0)
		return -1;
	v->table = from_definition(s, v->name, def->table,
				   def->table_constraints, d);
	return v->table ? 0 : -1;
}

static int find_type(struct session *s, const struct type_ref *type,
		     int64_t *table_id)
{
	const struct name *n = &type->name;
	struct attached *home;
	struct diag d;

	*table_id = 0;
	if (type->args || type_kind_find(n->part[n->count - 1]) != TY_NONE)
		return 0;
	home = session_attach(s, s->db, &d);
	if (!home)
		return -1;
	return catalog_int(s, &d, table_id,
			   "SELECT t.table_id FROM %s._types t JOIN"
			   " %s._schemas s ON s.id = t.schema_id WHERE t.name ="
			   " %Q AND s.name = %Q",
			   home->prefix, home->prefix, n->part[n->count - 1],
			   n->count > 1 ? n->part[n->count - 2] : "dbo");
}

int tablevar_is_type(struct session *s, const struct type_ref *type)
{
	int64_t id;

	if (find_type(s, type, &id) < 0)
		return -1;
	return id > 0;
}

/* A copy of a table's description as a temporary one. */
static struct table *copy_table(struct session *s, const struct table *from,
				const char *name, bool everything,
				struct diag *d)
{
	struct table *t = blank(s, name, from->count, d);
	int i, k;

	if (!t)
		return NULL;
	for (i = 0; i < from->count; i++) {
		struct column *c = &t->columns[i];

		*c = from->columns[i];
		c->name = pool_strdup(&t->pool, c->name);
		c->phys = i + 1;
		c->default_text =
			c->default_text && everything
				? pool_strdup(&t->pool, c->default_text)
				: NULL;
		c->computed = c->computed && everything
				      ? pool_strdup(&t->pool, c->computed)
				      : NULL;
		if (!everything) {
			c->identity = false;
			c->stored = true;
		}
	}
	t->count = from->count;
	if (everything) {
		t->identity_column = from->identity_column;
		t->rowversion_column = from->rowversion_column;
	}
	t->indexes = pool_alloc(&t->pool, (size_t)(from->index_count + 1) *
						  sizeof(*t->indexes));
	t->checks = pool_alloc(&t->pool, (size_t)(from->check_count + 1) *
						 sizeof(*t->checks));
	t->triggers = pool_alloc(&t->pool, sizeof(*t->triggers));
	for (i = 0; everything && i < from->index_count; i++) {
		struct index *ix = &t->indexes[t->index_count];

		*ix = from->indexes[i];
		ix->name = pool_strdup(&t->pool, ix->name);
		ix->filter = NULL;
		ix->phys = pool_printf(&t->pool, "x%d_%d", t->phys, ix->id);
		ix->columns =
			pool_alloc(&t->pool, (size_t)(ix->count + 1) *
						     sizeof(*ix->columns));
		for (k = 0; k < ix->count; k++)
			ix->columns[k] = from->indexes[i].columns[k];
		t->index_count++;
	}
	for (i = 0; everything && i < from->check_count; i++)
		add_check(t, from->checks[i].text, from->checks[i].column);
	if (make_sqlite(s, t, d) < 0) {
		table_unref(t);
		return NULL;
	}
	return t;
}

int tablevar_create_typed(struct session *s, struct variable *v,
			  const struct type_ref *type, struct diag *d)
{
	struct attached *home = session_attach(s, s->db, d);
	struct table *model;
	int64_t id;

	if (!home || ready(s, d) < 0 || find_type(s, type, &id) < 0)
		return -1;
	model = catalog_table(s, home, (int)id, d);
	if (!model)
		return -1;
	v->table = copy_table(s, model, v->name, true, d);
	table_unref(model);
	return v->table ? 0 : -1;
}

struct table *tablevar_like(struct session *s, const struct table *from,
			    struct diag *d)
{
	return copy_table(s, from, from->name, false, d);
}

struct table *tablevar_columns(struct session *s,
			       const struct out_column *columns, int count,
			       struct diag *d)
{
	struct table *t = blank(s, "", count, d);
	int i;

	if (!t)
		return NULL;
	for (i = 0; i < count; i++) {
		struct column *c = &t->columns[i];

		c->id = c->phys = i + 1;
		c->name = pool_strdup(&t->pool, columns[i].name);
		c->type = columns[i].type;
		c->type.null = false;
		c->nullable = true;
		c->stored = true;
	}
	t->count = count;
	t->indexes = pool_alloc(&t->pool, sizeof(*t->indexes));
	t->checks = pool_alloc(&t->pool, sizeof(*t->checks));
	t->triggers = pool_alloc(&t->pool, sizeof(*t->triggers));
	if (make_sqlite(s, t, d) < 0) {
		table_unref(t);
		return NULL;
	}
	return t;
}

void tablevar_drop(struct session *s, struct table *t)
{
	struct diag ignored;

	if (!t)
		return;
	ops_free(t->ops);
	t->ops = NULL;
	catalog_exec(s, &ignored, "DROP TABLE IF EXISTS temp.t%d", t->phys);
	table_unref(t);
}

/* --- rollback --- */

static void keep(struct session *s, struct table *t)
{
	struct table_keep *k = mem_calloc(1, sizeof(*k));
	struct diag d;
	sqlite3_stmt *st;
	struct val *row;
	int i;

	k->t = t;
	rows_init(&k->rows, t->count);
	k->next = s->keep;
	s->keep = k;
	st = catalog_prepare(s, &d, "SELECT * FROM temp.t%d", t->phys);
	row = mem_calloc((size_t)t->count + 1, sizeof(*row));
	while (st && sqlite3_step(st) == SQLITE_ROW) {
		for (i = 0; i < t->count; i++)
			row[i] = i < sqlite3_column_count(st)
					 ? run_column(st, i)
					 : val_null();
		rows_add(&k->rows, row);
	}
	sqlite3_finalize(st);
	free(row);
}

void tablevar_save(struct session *s)
{
	struct frame *f;
	int i;

	for (f = s->frame; f; f = f->outer)
		for (i = 0; i < f->var_count; i++)
			if (f->vars[i].table)
				keep(s, f->vars[i].table);
}

void tablevar_restore(struct session *s)
{
	struct table_keep *k;
	struct diag d;

	while ((k = s->keep)) {
		sqlite3_stmt *st;
		struct val *row;
		struct strbuf sb;
		int i, n = 0;

		s->keep = k->next;
		for (i = 0; i < k->t->count; i++)
			n += k->t->columns[i].stored;
		catalog_exec(s, &d, "DROP TABLE IF EXISTS temp.t%d",
			     k->t->phys);
		ops_free(k->t->ops);
		k->t->ops = NULL;
		make_sqlite(s, k->t, &d);
		strbuf_init(&sb);
		for (i = 0; i < n; i++)
			strbuf_addf(&sb, "%s?%d", i ? "," : "", i + 1);
		st = catalog_prepare(s, &d, "INSERT INTO temp.t%d VALUES(%s)",
				     k->t->phys, sb.data);
		strbuf_release(&sb);
		row = mem_calloc((size_t)k->t->count + 1, sizeof(*row));
		rows_rewind(&k->rows);
		while (st && rows_next(&k->rows, row)) {
			for (i = 0; i < n; i++)
				run_bind_val(st, i + 1, &row[i]);
			sqlite3_step(st);
			sqlite3_reset(st);
		}
		sqlite3_finalize(st);
		free(row);
		rows_release(&k->rows);
		free(k);
	}
}

/* --- #tables --- */

void temp_note(struct session *s, int id)
{
	(void)id;
	s->temp_count++;
}

/* Does the temp catalog still exist? A rollback may have taken it back. */
void temp_after_rollback(struct session *s)
{
	struct attached *a;
	struct diag d;
	int64_t there = 0;

	for (a = s->attached; a; a = a->next)
		if (!a->db)
			break;
	if (!a || !a->ready)
		return;
	if (catalog_int(s, &d, &there,
			"SELECT 1 FROM sqlite_temp_master WHERE name ="
			" '_objects'") < 0 ||
	    !there)
		a->ready = false;
}

static void drop_where(struct session *s, int level)
{
	struct attached *a;
	struct diag d;
	sqlite3_stmt *st;
	int ids[256], n = 0, i;

	for (a = s->attached; a; a = a->next)
		if (!a->db)
			break;
	if (!a || !a->ready || !s->temp_count)
		return;
	st = catalog_prepare(s, &d,
			     "SELECT id FROM temp._objects WHERE type = 'U' AND"
			     " level >= %d ORDER BY id DESC",
			     level);
	while (st && n < 256 && sqlite3_step(st) == SQLITE_ROW)
		ids[n++] = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	for (i = 0; i < n; i++) {
		struct ddl x = {.s = s};
		struct arena pool;
		struct table *t;

		arena_init(&pool, 0);
		if (tran_begin_statement(s, &d) == 0 &&
		    ddl_begin(&x, s, a, &pool, &d) == 0) {
			t = catalog_table(s, a, ids[i], &d);
			if (t) {
				ops_free(t->ops);
				t->ops = NULL;
				ddl_drop_table(&x, t);
				table_unref(t);
				s->temp_count--;
			}
		}
		tran_end_statement(s, false, &d);
		arena_release(&pool);
	}
}

void temp_drop_level(struct session *s, int level)
{
	if (level > 0)
		drop_where(s, level);
}

void temp_drop_all(struct session *s)
{
	drop_where(s, 0);
}
