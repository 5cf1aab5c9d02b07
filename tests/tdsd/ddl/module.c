/*
 * CREATE and ALTER of views, procedures, functions and triggers. What is kept
 * is the text, as the server keeps it: "CREATE OR ALTER" and "ALTER" become
 * "CREATE".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ddl/ddl.h"
#include "exec/module.h"
#include "exec/perm.h"
#include "plan/views.h"
#include "value/collation.h"

static const char *type_of_kind(char kind)
{
	switch (kind) {
	case 'V':
		return "V";
	case 'P':
		return "P";
	case 'F':
		return "FN";
	case 'I':
		return "IF";
	default:
		return "TR";
	}
}

static const char *word_of_kind(char kind)
{
	switch (kind) {
	case 'V':
		return "VIEW";
	case 'P':
		return "PROCEDURE";
	case 'T':
		return "TRIGGER";
	default:
		return "FUNCTION";
	}
}

/* The text with "CREATE" in front, whatever was written. */
static const char *stored_text(struct ddl *x, const struct create_module *m,
			       const char *batch)
{
	const char *verb = m->alter || m->or_alter ? "CREATE " : NULL;

	if (!verb)
		return batch;
	return pool_printf(x->pool, "%.*sCREATE %s", (int)m->keyword_at, batch,
			   batch + m->keyword_at + m->keyword_len);
}

static int store_params(struct ddl *x, int id, const struct create_module *m)
{
	const struct param_def *p;
	int n = 0;
	struct type t;

	if (catalog_exec(x->s, x->d,
			 "DELETE FROM %s._params WHERE object_id ="
			 " %d",
			 x->home->prefix, id) < 0)
		return -1;
	if (m->kind == 'F') { /* the result is parameter 0 */
		if (catalog_type(x->s, &m->returns, 0, "type", &t, NULL, x->d) <
		    0)
			return -1;
		if (catalog_exec(x->s, x->d,
				 "INSERT INTO %s._params VALUES(%d, 0, '', %d,"
				 " %d, %d, %d, %Q, %d, 1, 0, 0)",
				 x->home->prefix, id, t.kind, t.prec, t.scale,
				 (int)t.len,
				 type_is_text(t) ? collation_get(t.coll)->name
						 : NULL,
				 t.user) < 0)
			return -1;
	}
	for (p = m->params; p; p = p->next) {
		n++;
		if (catalog_type(x->s, &p->type, n, "parameter", &t, NULL,
				 x->d) < 0) {
			int64_t table = 0;

			/* a table type? */
			if (catalog_int(
				    x->s, x->d, &table,
				    "SELECT id FROM %s._types WHERE name ="
				    " %Q AND table_id > 0",
				    x->home->prefix,
				    p->type.name.part[p->type.name.count - 1]) <
				    0 ||
			    !table)
				return -1;
			t = type_of(TY_TABLE);
			t.user = (uint16_t)table;
		}
		if (catalog_exec(x->s, x->d,
				 "INSERT INTO %s._params VALUES(%d, %d, %Q, %d,"
				 " %d, %d, %d, %Q, %d, %d, %d, %d)",
				 x->home->prefix, id, n, p->name, t.kind,
				 t.prec, t.scale, (int)t.len,
				 type_is_text(t) ? collation_get(t.coll)->name
						 : NULL,
				 t.user, p->output, p->has_default,
				 p->readonly) < 0)
			return -1;
	}
	return 0;
}

/* The columns that a view or inline function shows. */
static int store_columns(struct ddl *x, int id, const struct create_module *m)
{
	struct module_columns list;
	int i, ret = 0;

	if (module_columns(x->s, m, x->home, x->pool, &list, x->d) < 0)
		return -1;
	if (catalog_exec(x->s, x->d,
			 "DELETE FROM %s._columns WHERE object_id = %d",
			 x->home->prefix, id) < 0)
		return -1;
	for (i = 0; i < list.count && ret == 0; i++) {
		struct table owner = {.id = id, .home = x->home};
		struct column c;

		memset(&c, 0, sizeof(c));
		c.id = c.phys = i + 1;
		c.name = list.columns[i].name;
		c.type = list.columns[i].type;
		c.type.null = false;
		c.nullable = list.columns[i].nullable;
		ret = ddl_store_column(x, &owner, &c);
	}
	return ret;
}

/* The table a trigger belongs to. */
static int trigger_table(struct ddl *x, const struct create_module *m,
			 struct object *o)
{
	int found = catalog_find(x->s, &m->on, o, x->d);

	if (found < 0)
		return -1;
	if (!found || (strcmp(o->type, "U") != 0 && strcmp(o->type, "V") != 0))
		return diag_set(x->d, 8197, m->on.part[m->on.count - 1]);
	if (m->instead || !strcmp(o->type, "V"))
		return diag_set(x->d, 40517, "INSTEAD OF trigger");
	return 0;
}

static int replace(struct ddl *x, int id, const struct create_module *m,
		   const char *text, const char *extra)
{
	sqlite3_stmt *st = catalog_prepare(
		x->s, x->d,
		"UPDATE %s._objects SET text = ?, extra = ?, modified = %lld,"
		" quoted = %d, ansi_nulls = %d WHERE id = %d",
		x->home->prefix, (long long)catalog_now(),
		x->s->set.quoted_identifier, true, id);
	int rc;

	(void)m;
	if (!st)
		return -1;
	sqlite3_bind_text(st, 1, text, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, extra, -1, SQLITE_STATIC);
	rc = sqlite3_step(st);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : session_sqlite_error(x->s, rc, x->d);
}

static bool fits_alter(char kind, const char *type)
{
	if (kind == 'F' || kind == 'I')
		return !strcmp(type, "FN") || !strcmp(type, "IF");
	return !strcmp(type, type_of_kind(kind));
}

/* A trigger takes ALTER on its table alone; what is replaced, on itself. */
static int may_create(struct ddl *x, const struct create_module *m,
		      const struct object *old, int schema_id)
{
	const char *name = m->name.part[m->name.count - 1];
	char right[32];
	struct object on;

	if (m->kind == 'T') {
		if (catalog_find(x->s, &m->on, &on, x->d) < 1 ||
		    perm_has(x->s, on.home, 1, on.id, on.schema_id, "ALTER"))
			return 0;
		return diag_set(x->d, 8197, on.name);
	}
	if (old)
		return perm_has(x->s, old->home, 1, old->id, old->schema_id,
				"ALTER")
			       ? 0
			       : diag_set(x->d, 15151, "alter", "object", name);
	snprintf(right, sizeof(right), "CREATE %s", word_of_kind(m->kind));
	return perm_create(x->s, x->home, schema_id,
			   m->name.count > 1 ? m->name.part[0] : "dbo", right,
			   x->d);
}

int ddl_create_module(struct ddl *x, struct create_module *m, const char *batch)
{
	const char *name = m->name.part[m->name.count - 1];
	const char *text = stored_text(x, m, batch);
	const char *extra = NULL;
	struct object o, table;
	int schema_id, found, id;

	if (m->name.count > 2)
		return diag_free_text(x->d, 166, 15, 1,
				      "'CREATE/ALTER %s' does not allow "
				      "specifying the database name as a prefix"
				      " to the object name.",
				      word_of_kind(m->kind));
	memset(&table, 0, sizeof(table));
	if (m->kind == 'T' && m->name.count == 1 && m->on.count > 1) {
		/* a trigger lives in the schema of its table */
		m->name.part[1] = m->name.part[0];
		m->name.part[0] = m->on.part[m->on.count - 2];
		m->name.count = 2;
	}
	if (ddl_place(x, &m->name, NULL, &schema_id) < 0)
		return -1;
	found = catalog_find(x->s, &m->name, &o, x->d);
	if (found < 0 || may_create(x, m, found ? &o : NULL, schema_id) < 0)
		return -1;
	if (m->alter && !found)
		return diag_set(x->d, 208, name);
	if (found && !m->alter && !m->or_alter)
		return diag_set(x->d, 2714, name);
	if (found && !fits_alter(m->kind, o.type))
		return diag_set(x->d, 2010, name);
	if (m->kind == 'T') {
		if (trigger_table(x, m, &table) < 0)
			return -1;
		extra = pool_printf(x->pool, "%s%s%s", m->on_insert ? "I" : "",
				    m->on_update ? "U" : "",
				    m->on_delete ? "D" : "");
	}
	if (m->schema_binding && m->kind == 'V')
		extra = "schemabinding";
	if (found) {
		id = o.id;
		if (replace(x, id, m, text, extra) < 0)
			return -1;
		if (catalog_exec(x->s, x->d,
				 "UPDATE %s._objects SET type = %Q WHERE id ="
				 " %d",
				 x->home->prefix, type_of_kind(m->kind),
				 id) < 0)
			return -1;
	} else {
		id = ddl_add_object(x, schema_id, m->kind == 'T' ? table.id : 0,
				    0, name, type_of_kind(m->kind), text, extra,
				    false);
		if (id < 0)
			return -1;
	}
	if (m->kind != 'V' && m->kind != 'T' && store_params(x, id, m) < 0)
		return -1;
	if ((m->kind == 'V' || m->kind == 'I') && store_columns(x, id, m) < 0)
		return -1;
	return catalog_touch(x->s, x->home, x->d);
}
