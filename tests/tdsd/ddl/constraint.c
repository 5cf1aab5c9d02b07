#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cdc/cdc.h"
#include "ddl/ddl.h"
#include "sql/parse.h"
#include "value/collation.h"

const char *ddl_name(struct ddl *x, const char *prefix, const char *table,
		     const char *column)
{
	unsigned char r[8];
	char hex[17];
	int i, bytes = column ? 4 : 8;

	sqlite3_randomness(sizeof(r), r);
	for (i = 0; i < bytes; i++)
		snprintf(hex + 2 * i, 3, "%02X", r[i]);
	if (*table == '#')
		table++;
	if (column)
		return pool_printf(x->pool, "%s__%.9s__%.5s__%s", prefix, table,
				   column, hex);
	return pool_printf(x->pool, "%s__%.8s__%s", prefix, table, hex);
}

/* Give a constraint its name, or take the one it has; 2714 when taken. */
static const char *name_of(struct ddl *x, const struct table *t,
			   const struct constraint_def *def, const char *prefix,
			   const char *column)
{
	if (!def->name)
		return ddl_name(x, prefix, t->name, column);
	if (ddl_check_free(x, t->schema_id, def->name) < 0)
		return NULL;
	return def->name;
}

static int add_key(struct ddl *x, struct table *t,
		   const struct constraint_def *def)
{
	bool primary = def->kind == CON_PRIMARY;
	const char *name = name_of(x, t, def, primary ? "PK" : "UQ", NULL);
	struct index_def ix;
	const struct key_column *k;
	int i, id, clustered = def->clustered;

	if (!name)
		return -1;
	if (primary && table_primary_key(t))
		return diag_set(x->d, 1779, t->name);
	for (k = def->columns; k; k = k->next) {
		i = table_column(t, k->name);
		if (i < 0)
			return diag_set(x->d, 1911, k->name);
		if (primary && t->columns[i].nullable)
			return diag_set(x->d, 8111, t->name);
	}
	if (clustered < 0) {
		clustered = primary;
		for (i = 0; i < t->index_count; i++)
			if (t->indexes[i].clustered)
				clustered = 0;
	}
	id = ddl_add_object(x, t->schema_id, t->id, 0, name,
			    primary ? "PK" : "UQ", NULL, NULL, !def->name);
	if (id < 0)
		return -1;
	memset(&ix, 0, sizeof(ix));
	ix.name = name;
	ix.unique = true;
	ix.clustered = clustered;
	ix.columns = def->columns;
	ix.ignore_dup_key = def->ignore_dup_key;
	ix.compression = def->compression;
	ix.partitioned = def->partitioned;
	return ddl_add_index(x, t, &ix, primary, true, id, name);
}

/* A check must bind; column checks name their column in messages. */
static int bind_check(struct ddl *x, struct table *t, const char *text)
{
	struct row_scope row = {.kind = PARAM_ROW, .table = t};
	struct plan_needs needs;
	struct expr *e = parse_condition(x->pool, text, strlen(text), x->d);
	struct tr tr;
	int ret;

	if (!e)
		return -1;
	memset(&needs, 0, sizeof(needs));
	tr_init(&tr, x->s, x->pool, &needs, x->d);
	tr.row = &row;
	tr.in_check = true;
	tr_cond(&tr, e);
	ret = tr.failed ? -1 : 0;
	plan_needs_release(&needs);
	return ret;
}

int ddl_check_rows(struct ddl *x, struct table *t, const struct check *c)
{
	struct plan_needs needs;
	struct tr tr;
	struct scope scope;
	struct source *src;
	struct expr *e =
		parse_condition(x->pool, c->text, strlen(c->text), x->d);
	char phys[64];
	const char *cond;
	int64_t bad = 0;
	int ret = -1;

	if (!e)
		return -1;
	memset(&needs, 0, sizeof(needs));
	tr_init(&tr, x->s, x->pool, &needs, x->d);
	tr.in_check = true;
	tr_push_scope(&tr, &scope);
	src = tr_table_source(&tr, t, NULL);
	tr_add_source(&tr, src);
	cond = tr_cond(&tr, e);
	if (!tr.failed)
		ret = catalog_int(x->s, x->d, &bad,
				  "SELECT 1 FROM %s %s WHERE NOT %s LIMIT 1",
				  table_phys(t, phys, sizeof(phys)),
				  src->sql_alias, cond);
	plan_needs_release(&needs);
	if (ret == 0 && bad)
		return diag_free_text(
			x->d, 547, 16, 0,
			"The ALTER TABLE statement conflicted with the CHECK "
			"constraint \"%s\". The conflict occurred in database "
			"\"%s\", table \"%s.%s\".",
			c->name, t->db ? t->db->name : "tempdb", t->schema,
			t->name);
	return ret;
}

static int add_check(struct ddl *x, struct table *t,
		     const struct constraint_def *def, bool no_check,
		     bool new_table)
{
	const char *column = def->for_column;
	const char *name = name_of(x, t, def, "CK", column ? column : "");
	int at = column ? table_column(t, column) : -1;
	struct check c;
	int id;

	if (!name)
		return -1;
	if (bind_check(x, t, def->text) < 0)
		return -1;
	id = ddl_add_object(x, t->schema_id, t->id,
			    at >= 0 ? t->columns[at].id : 0, name, "C",
			    def->text, NULL, !def->name);
	if (id < 0)
		return -1;
	memset(&c, 0, sizeof(c));
	c.name = name;
	c.text = def->text;
	if (!no_check && !new_table && ddl_check_rows(x, t, &c) < 0)
		return -1;
	if (no_check)
		return catalog_exec(x->s, x->d,
				    "UPDATE %s._objects SET untrusted = 1"
				    " WHERE id = %d",
				    x->home->prefix, id);
	return 0;
}

static int add_default(struct ddl *x, struct table *t,
		       const struct constraint_def *def)
{
	int at = table_column(t, def->for_column), id;
	const char *name;

	if (at < 0)
		return diag_set(x->d, 1752, def->for_column, t->name);
	if (t->columns[at].default_id)
		return diag_set(x->d, 1781);
	if (t->columns[at].identity)
		return diag_set(x->d, 1754, t->name, def->for_column);
	name = name_of(x, t, def, "DF", def->for_column);
	if (!name)
		return -1;
	{ /* it must bind, and convert to the column */
		struct plan_needs needs;
		struct tr tr;
		struct expr *e = parse_expression(x->pool, def->text,
						  strlen(def->text), x->d);
		bool failed;

		if (!e)
			return -1;
		memset(&needs, 0, sizeof(needs));
		tr_init(&tr, x->s, x->pool, &needs, x->d);
		tr.in_check = true;
		tr_implicit(&tr, tr_expr(&tr, e), t->columns[at].type);
		failed = tr.failed;
		plan_needs_release(&needs);
		if (failed)
			return -1;
	}
	id = ddl_add_object(x, t->schema_id, t->id, t->columns[at].id, name,
			    "D", def->text, NULL, !def->name);
	if (id < 0)
		return -1;
	t->columns[at].default_id = id;
	t->columns[at].default_text = pool_strdup(&t->pool, def->text);
	return catalog_exec(x->s, x->d,
			    "UPDATE %s._columns SET default_id = %d WHERE"
			    " object_id = %d AND id = %d",
			    x->home->prefix, id, t->id, t->columns[at].id);
}

/* --- foreign keys --- */

/* The unique index of the parent whose columns are these, in any order. */
static const struct index *candidate_key(const struct table *parent,
					 const int *columns, int count)
{
	int i, k, c;

	for (i = 0; i < parent->index_count; i++) {
		const struct index *ix = &parent->indexes[i];
		int hits = 0;

		if (!ix->unique || ix->disabled || ix->filter ||
		    ix->keys != count)
			continue;
		for (k = 0; k < count; k++)
			for (c = 0; c < count; c++)
				hits += ix->columns[k].column == columns[c];
		if (hits == count)
			return ix;
	}
	return NULL;
}

static int fk_types(struct ddl *x, const struct table *child, int a,
		    const struct table *parent, int b, const char *name)
{
	struct type ta = child->columns[a].type, tb = parent->columns[b].type;

	if (ta.kind != tb.kind)
		return diag_set(x->d, 1778,
				pool_printf(x->pool, "%s", parent->name),
				parent->columns[b].name, child->name,
				child->columns[a].name, name);
	if (ta.len != tb.len || ta.scale != tb.scale || ta.prec != tb.prec)
		return diag_set(x->d, 1753, parent->name,
				parent->columns[b].name, child->name,
				child->columns[a].name, name);
	return 0;
}

int ddl_check_fk(struct ddl *x, struct table *t, const struct fkey *f)
{
	struct table *parent =
		catalog_table(x->s, x->home, f->referenced, x->d);
	struct strbuf on, not_null;
	char child_phys[64], parent_phys[64];
	int64_t bad = 0;
	int i, ret;

	if (!parent)
		return -1;
	strbuf_init(&on);
	strbuf_init(&not_null);
	for (i = 0; i < f->count; i++) {
		const struct column *a = &t->columns[table_column_by_id(
			t, f->parent_columns[i])];
		const struct column *b = &parent->columns[table_column_by_id(
			parent, f->ref_columns[i])];

		strbuf_addf(&on, "%sp.c%d", i ? " AND " : "", b->phys);
		if (type_is_text(b->type))
			strbuf_addf(&on, " COLLATE \"%s\"",
				    collation_get(b->type.coll)->name);
		strbuf_addf(&on, " = c.c%d", a->phys);
		strbuf_addf(&not_null, " AND c.c%d IS NOT NULL", a->phys);
	}
	ret = catalog_int(x->s, x->d, &bad,
			  "SELECT 1 FROM %s c WHERE NOT EXISTS(SELECT 1 FROM"
			  " %s p WHERE %s)%s LIMIT 1",
			  table_phys(t, child_phys, sizeof(child_phys)),
			  table_phys(parent, parent_phys, sizeof(parent_phys)),
			  on.data, not_null.data);
	if (ret == 0 && bad) {
		const char *col =
			f->count == 1
				? parent
					  ->columns[table_column_by_id(
						  parent, f->ref_columns[0])]
					  .name
				: NULL;

		ret = diag_free_text(
			x->d, 547, 16, 0,
			"The ALTER TABLE statement conflicted with the FOREIGN"
			" KEY constraint \"%s\". The conflict occurred in "
			"database \"%s\", table \"%s.%s\"%s%s%s.",
			f->name, t->db ? t->db->name : "tempdb", parent->schema,
			parent->name, col ? ", column '" : "", col ? col : "",
			col ? "'" : "");
	}
	strbuf_release(&on);
	strbuf_release(&not_null);
	table_unref(parent);
	return ret;
}

static int parent_columns(struct ddl *x, const struct table *parent,
			  const struct constraint_def *def, const char *name,
			  int *out, int *count)
{
	const struct index *pk = table_primary_key(parent);
	const struct key_column *k;
	int i;

	*count = 0;
	if (def->ref_columns) {
		for (k = def->ref_columns; k && *count < 32; k = k->next) {
			i = table_column(parent, k->name);
			if (i < 0)
				return diag_set(x->d, 1770, name, k->name,
						parent->name);
			out[(*count)++] = i;
		}
		return 0;
	}
	if (!pk)
		return diag_set(x->d, 1773, name, parent->name);
	for (i = 0; i < pk->keys; i++)
		out[(*count)++] = pk->columns[i].column;
	return 0;
}

static int store_fk(struct ddl *x, const struct table *t,
		    const struct table *parent,
		    const struct constraint_def *def, const char *name,
		    const int *child_cols, const int *parent_cols, int count,
		    int key_index, int *id)
{
	struct strbuf keys;
	int i, ret;

	*id = ddl_add_object(x, t->schema_id, t->id, 0, name, "F", NULL, NULL,
			     !def->name);
	if (*id < 0)
		return -1;
	/* an index over the child's columns: the server may have none, but
	 * then it has a hash join to look for them */
	strbuf_init(&keys);
	for (i = 0; i < count; i++) {
		const struct column *c = &t->columns[child_cols[i]];

		strbuf_addf(&keys, "%sc%d", i ? "," : "", c->phys);
		if (type_is_text(c->type))
			strbuf_addf(&keys, " COLLATE \"%s\"",
				    collation_get(c->type.coll)->name);
	}
	ret = catalog_exec(x->s, x->d, "CREATE INDEX %s.f%d ON t%d(%s)",
			   x->home->prefix, *id, t->phys, keys.data);
	strbuf_release(&keys);
	if (ret == 0)
		ret = catalog_exec(x->s, x->d,
				   "INSERT INTO %s._fks VALUES(%d, %d, %d, %d,"
				   " %d, %d, 'f%d')",
				   x->home->prefix, *id, t->id, parent->id,
				   def->on_delete, def->on_update, key_index,
				   *id);
	for (i = 0; i < count && ret == 0; i++)
		ret = catalog_exec(x->s, x->d,
				   "INSERT INTO %s._fk_columns VALUES(%d, %d,"
				   " %d, %d)",
				   x->home->prefix, *id, i + 1,
				   t->columns[child_cols[i]].id,
				   parent->columns[parent_cols[i]].id);
	return ret;
}

static int add_foreign(struct ddl *x, struct table *t,
		       const struct constraint_def *def, bool no_check,
		       bool new_table)
{
	const char *first = def->columns ? def->columns->name : "";
	const char *name = name_of(x, t, def, "FK", first);
	struct name ref = def->ref_table;
	int child_cols[32], parent_cols[32], count = 0, ref_count, i, id, ret;
	const struct index *key;
	const struct key_column *k;
	struct object o;
	struct table *parent;

	if (!name)
		return -1;
	if (t->db == NULL) { /* temporary tables: skipped with a message */
		struct diag info;

		diag_free_text(&info, 4790, 10, 1,
			       "Skipping FOREIGN KEY constraint '%s' "
			       "definition for temporary table. FOREIGN KEY "
			       "constraints are not enforced on local or "
			       "global temporary tables.",
			       name);
		run_info(x->s, &info);
		return 0;
	}
	if (ref.count >= 3 && ref.part[ref.count - 3][0] &&
	    strcasecmp(ref.part[ref.count - 3], x->home->db->name) != 0)
		return diag_set(x->d, 1763, name);
	for (k = def->columns; k && count < 32; k = k->next) {
		i = table_column(t, k->name);
		if (i < 0)
			return diag_set(x->d, 1769, name, k->name, t->name);
		child_cols[count++] = i;
	}
	if (!strcasecmp(ref.part[ref.count - 1], t->name) &&
	    (ref.count == 1 ||
	     !strcasecmp(ref.part[ref.count - 2], t->schema))) {
		parent = table_ref(t);
	} else {
		int found = catalog_find(x->s, &ref, &o, x->d);

		if (found < 0)
			return -1;
		if (!found || strcmp(o.type, "U") != 0)
			return diag_set(x->d, 1767, name,
					ref.part[ref.count - 1]);
		parent = catalog_table(x->s, o.home, o.id, x->d);
		if (!parent)
			return -1;
	}
	ret = parent_columns(x, parent, def, name, parent_cols, &ref_count);
	if (ret == 0 && ref_count != count)
		ret = diag_free_text(x->d, 8139, 16, 0,
				     "Number of referencing columns in foreign "
				     "key differs from number of referenced "
				     "columns, table '%s'.",
				     t->name);
	key = ret == 0 ? candidate_key(parent, parent_cols, count) : NULL;
	if (ret == 0 && !key)
		ret = diag_set(x->d, 1776, parent->name, name);
	for (i = 0; i < count && ret == 0; i++)
		ret = fk_types(x, t, child_cols[i], parent, parent_cols[i],
			       name);
	if (ret == 0)
		ret = store_fk(x, t, parent, def, name, child_cols, parent_cols,
			       count, key->id, &id);
	if (ret == 0 && !new_table && !no_check) {
		struct fkey f = {
			.name = name, .referenced = parent->id, .count = count};
		int a[32], b[32];

		for (i = 0; i < count; i++) {
			a[i] = t->columns[child_cols[i]].id;
			b[i] = parent->columns[parent_cols[i]].id;
		}
		f.parent_columns = a;
		f.ref_columns = b;
		ret = ddl_check_fk(x, t, &f);
	}
	if (ret == 0 && no_check)
		ret = catalog_exec(x->s, x->d,
				   "UPDATE %s._objects SET untrusted = 1 WHERE"
				   " id = %d",
				   x->home->prefix, id);
	table_unref(parent);
	return ret;
}

int ddl_add_constraint(struct ddl *x, struct table **t,
		       const struct constraint_def *def, bool no_check,
		       bool new_table)
{
	int ret;

	switch (def->kind) {
	case CON_PRIMARY:
	case CON_UNIQUE:
		ret = add_key(x, *t, def);
		break;
	case CON_CHECK:
		ret = add_check(x, *t, def, no_check, new_table);
		break;
	case CON_DEFAULT:
		ret = add_default(x, *t, def);
		break;
	default:
		ret = add_foreign(x, *t, def, no_check, new_table);
		break;
	}
	if (ret < 0) {
		if (!x->d->line)
			x->d->line = def->line;
		return -1;
	}
	if (catalog_touch(x->s, x->home, x->d) < 0)
		return -1;
	*t = ddl_reload(x, *t);
	return *t ? 0 : -1;
}

/* --- dropping --- */

static int drop_key(struct ddl *x, struct table *t, int constraint_id)
{
	int i, k;

	for (i = 0; i < t->index_count; i++) {
		const struct index *ix = &t->indexes[i];

		if (ix->constraint_id != constraint_id)
			continue;
		if (cdc_check_index(x, t, ix) < 0)
			return -1;
		for (k = 0; k < t->in_count; k++) {
			struct object child;
			int64_t key = 0;

			if (catalog_int(x->s, x->d, &key,
					"SELECT key_index FROM %s._fks WHERE"
					" id = %d",
					x->home->prefix, t->in[k].id) < 0)
				return -1;
			if (key != ix->id)
				continue;
			if (catalog_find_id(x->s, x->home, t->in[k].parent,
					    &child, x->d) < 0)
				return -1;
			return diag_set(x->d, 3725, ix->name, child.name,
					t->in[k].name);
		}
		if (!ix->phys[0]) { /* the row id: it becomes a column again */
			if (ddl_rebuild(x, t, false) < 0)
				return -1;
		}
		return ddl_drop_index(x, t, ix);
	}
	return 0;
}

static int drop_foreign(struct ddl *x, int id)
{
	if (catalog_exec(x->s, x->d, "DROP INDEX IF EXISTS %s.f%d",
			 x->home->prefix, id) < 0 ||
	    catalog_exec(x->s, x->d, "DELETE FROM %s._fks WHERE id = %d",
			 x->home->prefix, id) < 0)
		return -1;
	return catalog_exec(x->s, x->d,
			    "DELETE FROM %s._fk_columns WHERE fk = %d",
			    x->home->prefix, id);
}

int ddl_drop_constraint(struct ddl *x, struct table **t, const char *name,
			bool if_exists)
{
	struct object o;
	int found =
		catalog_find_in(x->s, x->home, (*t)->schema, name, &o, x->d);
	int ret = 0;

	if (found < 0)
		return -1;
	if (!found || o.parent_id != (*t)->id) {
		if (!found && if_exists)
			return 0;
		diag_set(x->d, found ? 3733 : 3728, name, (*t)->name);
		return -1;
	}
	if (!strcmp(o.type, "PK") || !strcmp(o.type, "UQ"))
		ret = drop_key(x, *t, o.id);
	else if (!strcmp(o.type, "F"))
		ret = drop_foreign(x, o.id);
	else if (!strcmp(o.type, "D"))
		ret = catalog_exec(x->s, x->d,
				   "UPDATE %s._columns SET default_id = 0"
				   " WHERE default_id = %d",
				   x->home->prefix, o.id);
	else if (strcmp(o.type, "C") != 0)
		ret = diag_set(x->d, 3728, name);
	if (ret < 0 || ddl_remove_object(x, o.id) < 0 ||
	    catalog_touch(x->s, x->home, x->d) < 0)
		return -1;
	*t = ddl_reload(x, *t);
	return *t ? 0 : -1;
}
