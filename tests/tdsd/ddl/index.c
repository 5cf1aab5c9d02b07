/*
 * Indexes. SQLite's unique index lets any number of NULLs pass; the server
 * takes NULL for a value like any other. So a unique index over columns that
 * may be NULL gets a twin, which holds just the rows with a NULL and marks
 * the NULLs by a value of another storage class.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ddl/ddl.h"
#include "exec/perm.h"
#include "sql/parse.h"
#include "value/collation.h"

static const char *null_mark(const struct column *c)
{
	if (type_is_text(c->type))
		return "x'00'";
	if (type_is_integer(c->type) || type_is_float(c->type) ||
	    type_is_money(c->type) || type_is_temporal(c->type) ||
	    (type_is_decimal(c->type) && c->type.prec <= 18))
		return c->type.kind == TY_DATETIMEOFFSET ? "0" : "x'00'";
	return "0";
}

/* The WHERE of a filtered index, in SQLite's words. */
static const char *filter_sql(struct ddl *x, struct table *t,
			      const char *filter)
{
	struct plan_needs needs;
	struct tr tr;
	struct scope scope;
	struct source *src;
	struct expr *e = parse_condition(x->pool, filter, strlen(filter), x->d);
	const char *sql = NULL;
	int i;

	if (!e)
		return NULL;
	memset(&needs, 0, sizeof(needs));
	tr_init(&tr, x->s, x->pool, &needs, x->d);
	tr.in_check = true;
	tr_push_scope(&tr, &scope);
	src = tr_table_source(&tr, t, NULL);
	for (i = 0; i < src->count; i++)
		src->columns[i].sql = tr_printf(&tr, "c%d", t->columns[i].phys);
	tr_add_source(&tr, src);
	sql = tr_cond(&tr, e);
	plan_needs_release(&needs);
	return tr.failed ? NULL : sql;
}

static void key_list(const struct table *t, const struct index *ix,
		     struct strbuf *sb)
{
	int i;

	for (i = 0; i < ix->keys; i++) {
		const struct column *c = &t->columns[ix->columns[i].column];

		strbuf_addf(sb, "%sc%d", i ? "," : "", c->phys);
		if (type_is_text(c->type))
			strbuf_addf(sb, " COLLATE \"%s\"",
				    collation_get(c->type.coll)->name);
		if (ix->columns[i].desc)
			strbuf_addstr(sb, " DESC");
	}
}

static bool any_nullable(const struct table *t, const struct index *ix)
{
	int i;

	for (i = 0; i < ix->keys; i++)
		if (t->columns[ix->columns[i].column].nullable)
			return true;
	return false;
}

/* The twin: unique among the rows that have a NULL in the key. */
static int make_twin(struct ddl *x, struct table *t, const struct index *ix,
		     const char *where)
{
	struct strbuf keys, cond;
	int i, ret;

	strbuf_init(&keys);
	strbuf_init(&cond);
	for (i = 0; i < ix->keys; i++) {
		const struct column *c = &t->columns[ix->columns[i].column];

		strbuf_addstr(&keys, i ? "," : "");
		if (c->nullable)
			strbuf_addf(&keys, "ifnull(c%d,%s)", c->phys,
				    null_mark(c));
		else
			strbuf_addf(&keys, "c%d", c->phys);
		if (type_is_text(c->type))
			strbuf_addf(&keys, " COLLATE \"%s\"",
				    collation_get(c->type.coll)->name);
		if (c->nullable)
			strbuf_addf(&cond, "%sc%d IS NULL",
				    cond.len ? " OR " : "", c->phys);
	}
	ret = catalog_exec(x->s, x->d,
			   "CREATE UNIQUE INDEX %s.%sn ON t%d(%s) WHERE (%s)"
			   "%s%s",
			   x->home->prefix, ix->phys, t->phys, keys.data,
			   cond.data, where ? " AND " : "", where ? where : "");
	strbuf_release(&keys);
	strbuf_release(&cond);
	return ret;
}

/* 1505: the rows that are there are not unique. */
static int duplicate_error(struct ddl *x, const struct table *t,
			   const struct index *ix)
{
	sqlite3_stmt *st;
	struct strbuf keys, show;
	int i;

	strbuf_init(&keys);
	strbuf_init(&show);
	for (i = 0; i < ix->keys; i++)
		strbuf_addf(&keys, "%sc%d", i ? "," : "",
			    t->columns[ix->columns[i].column].phys);
	{
		struct strbuf group;

		strbuf_init(&group);
		for (i = 0; i < ix->keys; i++) {
			const struct column *c =
				&t->columns[ix->columns[i].column];

			strbuf_addf(&group, "%sc%d", i ? "," : "", c->phys);
			if (type_is_text(c->type))
				strbuf_addf(&group, " COLLATE \"%s\"",
					    collation_get(c->type.coll)->name);
		}
		st = catalog_prepare(x->s, x->d,
				     "SELECT %s FROM %s.t%d GROUP BY %s HAVING"
				     " count(*) > 1 LIMIT 1",
				     keys.data, x->home->prefix, t->phys,
				     group.data);
		strbuf_release(&group);
	}
	strbuf_addch(&show, '(');
	if (st && sqlite3_step(st) == SQLITE_ROW) {
		for (i = 0; i < ix->keys; i++) {
			const struct column *c =
				&t->columns[ix->columns[i].column];
			struct val v = run_column(st, i), out;
			struct convert cv = session_convert(x->s);
			struct diag ignored;

			strbuf_addstr(&show, i ? ", " : "");
			if (v.cls == VAL_NULL)
				strbuf_addstr(&show, "<NULL>");
			else if (!convert_value(&cv, &v, c->type,
						type_char(TY_NVARCHAR, 512, 1),
						&out, &ignored))
				strbuf_add(&show, out.p, out.n);
		}
	}
	strbuf_addch(&show, ')');
	sqlite3_finalize(st);
	diag_set(x->d, 1505, table_two_part(t, x->pool), ix->name, show.data);
	strbuf_release(&keys);
	strbuf_release(&show);
	return -1;
}

int ddl_make_physical(struct ddl *x, struct table *t, struct index *ix)
{
	struct strbuf keys;
	const char *where = NULL;
	int ret;

	if (!ix->phys[0])
		return 0; /* the row id itself */
	if (ix->filter) {
		where = filter_sql(x, t, ix->filter);
		if (!where)
			return -1;
	}
	strbuf_init(&keys);
	key_list(t, ix, &keys);
	ret = catalog_exec(x->s, x->d, "CREATE %sINDEX %s.%s ON t%d(%s)%s%s",
			   ix->unique ? "UNIQUE " : "", x->home->prefix,
			   ix->phys, t->phys, keys.data, where ? " WHERE " : "",
			   where ? where : "");
	strbuf_release(&keys);
	if (ret == 0 && ix->unique && any_nullable(t, ix))
		ret = make_twin(x, t, ix, where);
	if (ret < 0 && ix->unique &&
	    (sqlite3_errcode(x->s->sql) & 0xFF) == SQLITE_CONSTRAINT)
		return duplicate_error(x, t, ix);
	return ret;
}

int ddl_drop_physical(struct ddl *x, struct table *t, const struct index *ix)
{
	(void)t;
	if (!ix->phys[0])
		return 0;
	if (catalog_exec(x->s, x->d, "DROP INDEX IF EXISTS %s.%s",
			 x->home->prefix, ix->phys) < 0)
		return -1;
	return catalog_exec(x->s, x->d, "DROP INDEX IF EXISTS %s.%sn",
			    x->home->prefix, ix->phys);
}

/* --- the catalog's side --- */

static int store(struct ddl *x, const struct table *t, const struct index *ix)
{
	int i;

	if (catalog_exec(x->s, x->d,
			 "INSERT INTO %s._indexes VALUES(%d, %d, %Q, %d, %d,"
			 " %d, %d, %d, %d, %Q, %d, %Q, %d, %d)",
			 x->home->prefix, t->id, ix->id, ix->name,
			 ix->clustered, ix->unique, ix->primary, ix->constraint,
			 ix->constraint_id, ix->disabled, ix->filter,
			 ix->ignore_dup, ix->phys, ix->compression,
			 ix->partitioned) < 0)
		return -1;
	for (i = 0; i < ix->count; i++)
		if (catalog_exec(x->s, x->d,
				 "INSERT INTO %s._index_columns VALUES(%d, %d,"
				 " %d, %d, %d, %d, %d)",
				 x->home->prefix, t->id, ix->id, i + 1,
				 t->columns[ix->columns[i].column].id,
				 ix->columns[i].included ? 0 : i + 1,
				 ix->columns[i].desc,
				 ix->columns[i].included) < 0)
			return -1;
	return 0;
}

static bool indexable(struct type t)
{
	return !(type_is_lob(t) || t.kind == TY_XML);
}

static int key_columns(struct ddl *x, struct table *t,
		       const struct index_def *def, struct index *ix)
{
	const struct key_column *k;
	const struct name_list *n;
	int i;

	ix->columns = pool_alloc(x->pool, (size_t)(t->count + 40) *
						  sizeof(*ix->columns));
	for (k = def->columns; k; k = k->next) {
		int at = table_column(t, k->name);

		if (at < 0)
			return diag_set(x->d, 1911, k->name);
		for (i = 0; i < ix->count; i++)
			if (ix->columns[i].column == at)
				return diag_set(x->d, 1909, k->name);
		if (!indexable(t->columns[at].type))
			return diag_set(x->d, 1919, k->name, t->name);
		if (t->columns[at].computed && !t->columns[at].stored)
			return diag_free_text(
				x->d, 2729, 16, 1,
				"Column '%s' in table '%s' cannot be used in "
				"an index or statistics or as a partition key "
				"because it is non-deterministic.",
				k->name, table_two_part(t, x->pool));
		if (ix->count >= 32)
			return diag_set(x->d, 1904, ix->name, t->name, 33);
		ix->columns[ix->count].column = at;
		ix->columns[ix->count++].desc = k->desc;
	}
	ix->keys = ix->count;
	for (n = def->include; n; n = n->next) {
		int at = table_column(t, n->name);

		if (at < 0)
			return diag_set(x->d, 1911, n->name);
		for (i = 0; i < ix->count; i++)
			if (ix->columns[i].column == at)
				return diag_set(x->d, 1909, n->name);
		ix->columns[ix->count].column = at;
		ix->columns[ix->count++].included = true;
	}
	return 0;
}

static int next_index_id(const struct table *t, bool clustered)
{
	int i, id = 2;

	if (clustered)
		return 1;
	for (i = 0; i < t->index_count; i++)
		if (t->indexes[i].id >= id)
			id = t->indexes[i].id + 1;
	return id;
}

int ddl_add_index(struct ddl *x, struct table *t, const struct index_def *def,
		  bool primary, bool constraint, int constraint_id,
		  const char *name)
{
	struct index ix;
	int i;

	memset(&ix, 0, sizeof(ix));
	ix.name = name;
	ix.clustered = def->clustered;
	ix.unique = def->unique || primary;
	ix.primary = primary;
	ix.constraint = constraint;
	ix.constraint_id = constraint_id;
	ix.ignore_dup = def->ignore_dup_key;
	ix.compression = def->compression;
	ix.partitioned = def->partitioned;
	ix.filter = def->where_text;
	for (i = 0; i < t->index_count; i++) {
		if (!strcasecmp(t->indexes[i].name, name))
			return diag_set(x->d, 1913, name,
					table_two_part(t, x->pool));
		if (ix.clustered && t->indexes[i].clustered)
			return diag_set(x->d, 1902, "table",
					table_two_part(t, x->pool),
					t->indexes[i].name);
	}
	ix.id = next_index_id(t, ix.clustered);
	if (key_columns(x, t, def, &ix) < 0)
		return -1;
	/* a single integer key that is the row id needs no index of its own */
	if (t->rowid_col && primary && ix.keys == 1 &&
	    t->columns[ix.columns[0].column].phys == t->rowid_col)
		ix.phys = "";
	else
		ix.phys = pool_printf(x->pool, "x%d_%d_%d", t->phys, ix.id,
				      catalog_new_id(x->s, x->home, x->d));
	if (ddl_make_physical(x, t, &ix) < 0)
		return -1;
	return store(x, t, &ix);
}

int ddl_drop_index(struct ddl *x, struct table *t, const struct index *ix)
{
	if (ddl_drop_physical(x, t, ix) < 0)
		return -1;
	if (catalog_exec(x->s, x->d,
			 "DELETE FROM %s._indexes WHERE object_id = %d AND id"
			 " = %d",
			 x->home->prefix, t->id, ix->id) < 0)
		return -1;
	return catalog_exec(x->s, x->d,
			    "DELETE FROM %s._index_columns WHERE object_id ="
			    " %d AND index_id = %d",
			    x->home->prefix, t->id, ix->id);
}

static struct index *find_index(struct table *t, const char *name)
{
	int i;

	for (i = 0; i < t->index_count; i++)
		if (!strcasecmp(t->indexes[i].name, name))
			return &t->indexes[i];
	return NULL;
}

int ddl_create_index(struct ddl *x, const struct name *table,
		     const struct index_def *def)
{
	struct object o;
	struct table *t;
	struct index *old;
	int found = catalog_find(x->s, table, &o, x->d), ret;

	if (found < 0)
		return -1;
	if (!found || (strcmp(o.type, "U") != 0 && strcmp(o.type, "V") != 0))
		return diag_free_text(x->d, 1088, 16, 12,
				      "Cannot find the object \"%s\" because "
				      "it does not exist or you do not have "
				      "permissions.",
				      table->part[table->count - 1]);
	if (!strcmp(o.type, "V"))
		return diag_set(x->d, 40517, "indexed view");
	if (ddl_begin(x, x->s, o.home, x->pool, x->d) < 0)
		return -1;
	t = catalog_table(x->s, o.home, o.id, x->d);
	if (!t)
		return -1;
	if (perm_alter(x->s, t, x->d) < 0) {
		table_unref(t);
		return -1;
	}
	old = find_index(t, def->name);
	ret = 0;
	if (old && def->drop_existing) {
		ret = ddl_drop_index(x, t, old);
		if (ret == 0 && catalog_touch(x->s, x->home, x->d) < 0)
			ret = -1;
		if (ret == 0)
			t = ddl_reload(x, t);
		if (!t)
			return -1;
	}
	if (ret == 0)
		ret = ddl_add_index(x, t, def, false, false, 0, def->name);
	table_unref(t);
	return ret;
}
