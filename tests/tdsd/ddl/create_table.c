#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ddl/ddl.h"
#include "exec/tablevar.h"
#include "plan/column_set.h"
#include "value/collation.h"

/* A table in memory, to which columns are added one by one. */
static struct table *blank(struct ddl *x, int schema_id, const char *name,
			   int room)
{
	struct arena pool;
	struct table *t;

	arena_init(&pool, 0);
	t = pool_alloc(&pool, sizeof(*t));
	t->pool = pool;
	t->refs = 1;
	t->home = x->home;
	t->db = x->home->db;
	t->schema_id = schema_id;
	t->schema = "dbo";
	t->name = pool_strdup(&t->pool, name);
	memcpy(t->type, "U", 2);
	t->identity_column = t->rowversion_column = -1;
	t->start_column = t->end_column = t->set_column = -1;
	t->columns =
		pool_alloc(&t->pool, (size_t)(room + 1) * sizeof(*t->columns));
	return t;
}

static void note(struct table *t)
{
	struct column *c = &t->columns[t->count];

	if (c->identity)
		t->identity_column = t->count;
	if (c->type.kind == TY_ROWVERSION)
		t->rowversion_column = t->count;
	if (c->column_set)
		t->set_column = t->count;
	t->count++;
}

/* Columns of the primary key cannot be NULL, said or not. */
static int key_not_null(struct ddl *x, struct table *t,
			const struct constraint_def *list,
			const struct column_def *defs)
{
	const struct key_column *k;

	for (; list; list = list->next) {
		if (list->kind != CON_PRIMARY)
			continue;
		for (k = list->columns; k; k = k->next) {
			int at = table_column(t, k->name);
			const struct column_def *def = defs;
			int i;

			if (at < 0)
				return diag_set(x->d, 1911, k->name);
			for (i = 0; i < at && def; i++)
				def = def->next;
			if (def && def->nullable == 1)
				return diag_set(x->d, 8111, t->name);
			t->columns[at].nullable = false;
		}
	}
	return 0;
}

static const struct constraint_def *primary_of(
	const struct column_def *columns,
	const struct constraint_def *constraints)
{
	const struct constraint_def *c;

	for (c = constraints; c; c = c->next)
		if (c->kind == CON_PRIMARY)
			return c;
	for (; columns; columns = columns->next)
		for (c = columns->constraints; c; c = c->next)
			if (c->kind == CON_PRIMARY)
				return c;
	return NULL;
}

/* Can the primary key be SQLite's row id? One integer column, ascending. */
static int rowid_key(const struct table *t, const struct constraint_def *pk)
{
	int at;

	if (!pk || !pk->columns || pk->columns->next || pk->columns->desc ||
	    pk->clustered == 0 || pk->ignore_dup_key)
		return 0;
	at = table_column(t, pk->columns->name);
	if (at < 0 || !type_is_integer(t->columns[at].type) ||
	    t->columns[at].type.kind == TY_BIT || t->columns[at].computed)
		return 0;
	return t->columns[at].phys;
}

static int physical_table(struct ddl *x, struct table *t)
{
	struct strbuf sb;
	int i, n = 0, ret;

	strbuf_init(&sb);
	for (i = 0; i < t->count; i++) {
		if (!t->columns[i].stored)
			continue;
		strbuf_addf(&sb, "%sc%d%s", n++ ? "," : "", t->columns[i].phys,
			    t->columns[i].phys == t->rowid_col
				    ? " INTEGER PRIMARY KEY"
				    : "");
	}
	if (!n)
		strbuf_addstr(&sb, "c0");
	ret = catalog_exec(x->s, x->d, "CREATE TABLE %s.t%d(%s)",
			   x->home->prefix, t->phys, sb.data);
	strbuf_release(&sb);
	return ret;
}

static int store_table(struct ddl *x, struct table *t)
{
	int i;

	if (catalog_exec(x->s, x->d,
			 "UPDATE %s._objects SET phys = %d, rowid_col = %d,"
			 " next_col = %d WHERE id = %d",
			 x->home->prefix, t->phys, t->rowid_col, t->count + 1,
			 t->id) < 0)
		return -1;
	for (i = 0; i < t->count; i++)
		if (ddl_store_column(x, t, &t->columns[i]) < 0)
			return -1;
	return physical_table(x, t);
}

static int add_constraints(struct ddl *x, struct table **t,
			   const struct constraint_def *list,
			   enum constraint_kind first,
			   enum constraint_kind last)
{
	for (; list; list = list->next)
		if (list->kind >= first && list->kind <= last &&
		    ddl_add_constraint(x, t, list, false, true) < 0)
			return -1;
	return 0;
}

/* Defaults, then keys, then checks and foreign keys. */
static int add_all(struct ddl *x, struct table **t,
		   const struct column_def *columns,
		   const struct constraint_def *constraints)
{
	static const struct {
		enum constraint_kind first, last;
	} rounds[] = {{CON_DEFAULT, CON_DEFAULT},
		      {CON_PRIMARY, CON_PRIMARY},
		      {CON_UNIQUE, CON_UNIQUE},
		      {CON_CHECK, CON_CHECK},
		      {CON_FOREIGN, CON_FOREIGN}};
	const struct column_def *c;
	size_t i;

	for (i = 0; i < LENGTH_OF(rounds); i++) {
		for (c = columns; c; c = c->next)
			if (add_constraints(x, t, c->constraints,
					    rounds[i].first,
					    rounds[i].last) < 0)
				return -1;
		if (add_constraints(x, t, constraints, rounds[i].first,
				    rounds[i].last) < 0)
			return -1;
	}
	return 0;
}

static int add_indexes(struct ddl *x, struct table **t,
		       const struct index_def *list)
{
	for (; list; list = list->next) {
		if (ddl_add_index(x, *t, list, false, false, 0, list->name) <
			    0 ||
		    catalog_touch(x->s, x->home, x->d) < 0)
			return -1;
		*t = ddl_reload(x, *t);
		if (!*t)
			return -1;
	}
	return 0;
}

static int make_columns(struct ddl *x, struct table *t,
			const struct column_def *columns)
{
	const struct column_def *c;
	int ordinal = 0;

	for (c = columns; c; c = c->next) {
		if (++ordinal > 1024)
			return diag_set(x->d, 1702, c->name, t->name);
		if (ddl_make_column(x, t, c, ordinal, &t->columns[t->count]) <
		    0) {
			if (!x->d->line)
				x->d->line = c->line;
			return -1;
		}
		note(t);
	}
	return 0;
}

static int check_set(struct ddl *x, const struct table *t)
{
	int i;

	for (i = 0; i < t->count && t->set_column >= 0; i++)
		if (t->columns[i].sparse &&
		    !column_set_allows(t->columns[i].type))
			return diag_set(x->d, 40517,
					"a column set over binary columns");
	return 0;
}

/* Two PRIMARY KEYs in one CREATE TABLE. */
static int check_keys(struct ddl *x, const char *name,
		      const struct column_def *columns,
		      const struct constraint_def *constraints)
{
	const struct constraint_def *c;
	int keys = 0;

	for (c = constraints; c; c = c->next)
		keys += c->kind == CON_PRIMARY;
	for (; columns; columns = columns->next)
		for (c = columns->constraints; c; c = c->next)
			keys += c->kind == CON_PRIMARY;
	return keys > 1 ? diag_set(x->d, 8110, name) : 0;
}

int ddl_create_table(struct ddl *x, int schema_id, const char *name,
		     struct column_def *columns,
		     struct constraint_def *constraints,
		     struct index_def *indexes, int *id)
{
	const struct column_def *c;
	struct table *t;
	int room = 0, ret = -1;

	if (ddl_check_free(x, schema_id, name) < 0 ||
	    check_keys(x, name, columns, constraints) < 0)
		return -1;
	for (c = columns; c; c = c->next)
		room++;
	if (!room) {
		return diag_free_text(x->d, 1786, 15, 1,
				      "A table must have at least one column.");
	}
	t = blank(x, schema_id, name, room);
	if (make_columns(x, t, columns) < 0 || check_set(x, t) < 0 ||
	    key_not_null(x, t, constraints, columns) < 0)
		goto done;
	for (c = columns; c; c = c->next)
		if (key_not_null(x, t, c->constraints, columns) < 0)
			goto done;
	t->id = ddl_add_object(x, schema_id, 0, 0, name, "U", NULL, NULL,
			       false);
	if (t->id < 0)
		goto done;
	t->phys = t->id;
	t->rowid_col = rowid_key(t, primary_of(columns, constraints));
	*id = t->id;
	if (store_table(x, t) < 0 || catalog_touch(x->s, x->home, x->d) < 0)
		goto done;
	t = ddl_reload(x, t);
	if (!t || add_all(x, &t, columns, constraints) < 0)
		goto done;
	for (c = columns; c; c = c->next)
		if (add_indexes(x, &t, c->indexes) < 0)
			goto done;
	if (add_indexes(x, &t, indexes) < 0)
		goto done;
	if (!x->home->db)
		temp_note(x->s, *id);
	ret = 0;
done:
	if (t)
		table_unref(t);
	return ret;
}

int ddl_create_like(struct ddl *x, int schema_id, const char *name,
		    const struct out_column *columns, int count, int *id)
{
	struct table *t;
	int i, ret = -1;

	if (ddl_check_free(x, schema_id, name) < 0)
		return -1;
	t = blank(x, schema_id, name, count);
	for (i = 0; i < count; i++) {
		const struct out_column *o = &columns[i];
		struct column *c = &t->columns[t->count];

		if (!o->name[0]) {
			diag_set(x->d, 1038);
			goto done;
		}
		if (table_column(t, o->name) >= 0) {
			diag_set(x->d, 2705, o->name, name);
			goto done;
		}
		c->id = c->phys = i + 1;
		c->name = pool_strdup(&t->pool, o->name);
		c->type = o->type;
		c->type.null = false;
		if (c->type.user && c->type.user != 256)
			c->type.user = o->base ? c->type.user : 0;
		c->nullable = o->nullable;
		c->stored = true;
		if (o->identity && t->identity_column < 0) {
			c->identity = true;
			c->nullable = false;
			c->seed = o->seed;
			c->increment = o->increment;
		}
		if (type_is_text(c->type) && !c->type.coll)
			c->type.coll = COLLATION_DEFAULT;
		note(t);
	}
	t->id = ddl_add_object(x, schema_id, 0, 0, name, "U", NULL, NULL,
			       false);
	if (t->id < 0)
		goto done;
	t->phys = t->id;
	*id = t->id;
	if (store_table(x, t) < 0 || catalog_touch(x->s, x->home, x->d) < 0)
		goto done;
	if (!x->home->db)
		temp_note(x->s, *id);
	ret = 0;
done:
	table_unref(t);
	return ret;
}

int ddl_rebuild(struct ddl *x, struct table *t, bool use_rowid_key)
{
	struct strbuf names;
	int old = t->phys, i, n = 0, ret = -1;

	strbuf_init(&names);
	for (i = 0; i < t->count; i++)
		if (t->columns[i].stored)
			strbuf_addf(&names, "%sc%d", n++ ? "," : "",
				    t->columns[i].phys);
	t->phys = catalog_new_id(x->s, x->home, x->d);
	if (!use_rowid_key)
		t->rowid_col = 0;
	if (t->phys < 0 || physical_table(x, t) < 0 ||
	    catalog_exec(x->s, x->d,
			 "INSERT INTO %s.t%d(%s) SELECT %s FROM %s.t%d",
			 x->home->prefix, t->phys, names.data, names.data,
			 x->home->prefix, old) < 0 ||
	    catalog_exec(x->s, x->d, "DROP TABLE %s.t%d", x->home->prefix,
			 old) < 0 ||
	    catalog_exec(x->s, x->d,
			 "UPDATE %s._objects SET phys = %d, rowid_col = %d"
			 " WHERE id = %d",
			 x->home->prefix, t->phys, t->rowid_col, t->id) < 0)
		goto done;
	for (i = 0; i < t->index_count; i++)
		if (!t->indexes[i].disabled &&
		    ddl_make_physical(x, t, &t->indexes[i]) < 0)
			goto done;
	ret = 0;
done:
	strbuf_release(&names);
	return ret;
}

/* --- dropping --- */

static int drop_children(struct ddl *x, const struct table *t)
{
	int i;

	for (i = 0; i < t->out_count; i++)
		if (catalog_exec(x->s, x->d,
				 "DELETE FROM %s._fks WHERE id = %d",
				 x->home->prefix, t->out[i].id) < 0 ||
		    catalog_exec(x->s, x->d,
				 "DELETE FROM %s._fk_columns WHERE fk = %d",
				 x->home->prefix, t->out[i].id) < 0)
			return -1;
	return catalog_exec(x->s, x->d,
			    "DELETE FROM %s._objects WHERE parent_id = %d",
			    x->home->prefix, t->id);
}

int ddl_drop_table(struct ddl *x, struct table *t)
{
	int i;

	if (t->temporal)
		return diag_set(x->d, 13552, table_full_name(t, x->pool));
	for (i = 0; i < t->in_count; i++)
		if (t->in[i].parent != t->id)
			return diag_set(x->d, 3726, t->name);
	if (drop_children(x, t) < 0 || ddl_remove_object(x, t->id) < 0)
		return -1;
	if (catalog_exec(x->s, x->d,
			 "DELETE FROM %s._identity WHERE object_id = %d",
			 x->home->prefix, t->id) < 0)
		return -1;
	if (t->db)
		identity_forget(t->db, t->id);
	return catalog_exec(x->s, x->d, "DROP TABLE %s.t%d", x->home->prefix,
			    t->phys);
}
