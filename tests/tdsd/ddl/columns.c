#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ddl/ddl.h"
#include "exec/plan.h"
#include "sql/parse.h"
#include "value/collation.h"

static int plain_type(struct ddl *x, const struct column_def *def, int ordinal,
		      struct column *c)
{
	bool not_null = false;

	if (catalog_type(x->s, &def->type, ordinal, "column", &c->type,
			 &not_null, x->d) < 0)
		return -1;
	if (type_is_text(c->type) && x->home->db)
		c->type.coll = (uint16_t)x->home->db->collation;
	if (def->collation) {
		int coll = collation_find(def->collation);

		if (!strcasecmp(def->collation, "database_default"))
			coll = x->s->db->collation;
		if (!coll)
			return diag_set(x->d, 448, def->collation);
		if (!type_is_text(c->type))
			return diag_set(x->d, 447, type_name(c->type));
		c->type.coll = (uint16_t)coll;
	}
	c->nullable = !not_null;
	if (def->nullable >= 0)
		c->nullable = def->nullable;
	else if (!x->s->set.ansi_null_dflt_on && !not_null)
		c->nullable = false;
	if ((c->type.kind == TY_ROWVERSION || def->generated) &&
	    def->nullable != 1)
		c->nullable = false;
	if (c->type.kind == TY_CURSOR || c->type.kind == TY_TABLE)
		return diag_set(x->d, 2715, ordinal, type_name(c->type));
	return 0;
}

static int identity(struct ddl *x, const struct table *t,
		    const struct column_def *def, struct column *c)
{
	if (!def->identity)
		return 0;
	if (!((type_is_integer(c->type) && c->type.kind != TY_BIT) ||
	      (type_is_decimal(c->type) && c->type.scale == 0)))
		return diag_set(x->d, 2749, c->name);
	if (def->nullable == 1)
		return diag_set(x->d, 8147, c->name, t->name);
	if (t->identity_column >= 0)
		return diag_set(x->d, 2744, t->name);
	c->identity = true;
	c->nullable = false;
	c->seed = strtoll(def->seed, NULL, 10);
	c->increment = strtoll(def->increment, NULL, 10);
	if (!c->increment)
		return diag_free_text(x->d, 2748, 16, 1,
				      "Identity column '%s' contains invalid "
				      "INCREMENT.",
				      c->name);
	return 0;
}

/* A computed column's type is that of its expression. */
static int computed(struct ddl *x, struct table *t,
		    const struct column_def *def, struct column *c)
{
	struct row_scope row = {.kind = PARAM_ROW, .table = t};
	struct plan_needs needs;
	struct tr tr;
	struct ex e;
	int ret = 0;

	memset(&needs, 0, sizeof(needs));
	tr_init(&tr, x->s, x->pool, &needs, x->d);
	tr.row = &row;
	tr.in_check = true;
	e = tr_expr(&tr, def->computed);
	if (tr.failed) {
		ret = -1;
	} else if (def->persisted && !tr.deterministic) {
		ret = diag_set(x->d, 4936, c->name, t->name);
	} else {
		c->type = e.type;
		c->type.null = false;
		c->type.user = 0;
		c->nullable = def->nullable == 0 ? false : true;
		c->computed = pool_strdup(&t->pool, def->computed_text);
		c->persisted = def->persisted;
		c->stored =
			tr.deterministic && !tr.uses_udf && !tr.uses_subquery;
	}
	plan_needs_release(&needs);
	return ret;
}

/* It is made anew from the table's sparse columns whenever it is read. */
static int column_set(struct ddl *x, const struct table *t,
		      const struct column_def *def, struct column *c)
{
	int i;

	if (c->type.kind != TY_XML || def->nullable == 0 || def->constraints)
		return diag_set(x->d, 1733, c->name, t->name);
	if (t->set_column >= 0)
		return diag_set(x->d, 1732, c->name, t->name);
	for (i = 0; i < t->count && t->id; i++)
		if (t->columns[i].sparse)
			return diag_set(x->d, 1734, c->name, t->name);
	c->column_set = true;
	c->computed = "NULL";
	c->stored = false;
	return 0;
}

/* The sparse column takes no NOT NULL, no default, and not every type. */
static bool may_be_sparse(const struct column_def *def, const struct column *c)
{
	const struct constraint_def *k;

	if (!c->nullable || c->identity || c->rowguid || c->generated)
		return false;
	for (k = def->constraints; k; k = k->next)
		if (k->kind == CON_DEFAULT || k->kind == CON_PRIMARY)
			return false;
	return c->type.user <= 256 && c->type.kind != TY_TEXT &&
	       c->type.kind != TY_GEOMETRY && c->type.kind != TY_GEOGRAPHY &&
	       c->type.kind != TY_NTEXT && c->type.kind != TY_IMAGE &&
	       c->type.kind != TY_ROWVERSION;
}

int ddl_make_column(struct ddl *x, struct table *t,
		    const struct column_def *def, int ordinal, struct column *c)
{
	memset(c, 0, sizeof(*c));
	if (table_column(t, def->name) >= 0)
		return diag_set(x->d, 2705, def->name, t->name);
	c->id = ordinal;
	c->phys = ordinal;
	c->name = pool_strdup(&t->pool, def->name);
	c->stored = true;
	c->rowguid = def->rowguid;
	c->sparse = def->sparse;
	c->hidden = def->hidden_;
	c->masked = def->masked;
	c->generated = def->generated;
	if (def->computed)
		return computed(x, t, def, c);
	if (plain_type(x, def, ordinal, c) < 0 || identity(x, t, def, c) < 0)
		return -1;
	if (def->column_set)
		return column_set(x, t, def, c);
	if (c->type.kind == TY_ROWVERSION && t->rowversion_column >= 0)
		return diag_set(x->d, 2738, t->name, c->name);
	if (c->sparse && !may_be_sparse(def, c))
		return diag_set(x->d, 1731, c->name, t->name);
	return 0;
}

int ddl_store_column(struct ddl *x, const struct table *t,
		     const struct column *c)
{
	const char *coll = type_is_text(c->type)
				   ? collation_get(c->type.coll)->name
				   : NULL;

	return catalog_exec(
		x->s, x->d,
		"INSERT OR REPLACE INTO %s._columns VALUES(%d, %d, %Q, %d, %d,"
		" %d, %d, %Q, %d, %d, %d, %lld, %lld, %Q, %d, %d, %d, %d, %d,"
		" %d, %d, %d, %d, %d)",
		x->home->prefix, t->id, c->id, c->name, c->type.kind,
		c->type.prec, c->type.scale, (int)c->type.len, coll,
		c->type.user, c->nullable, c->identity, (long long)c->seed,
		(long long)c->increment, c->computed, c->persisted, c->stored,
		c->default_id, c->phys, c->rowguid, c->sparse, c->hidden,
		c->generated, c->column_set, c->masked);
}

int ddl_fill_column(struct ddl *x, struct table *t, const struct column *c,
		    const char *text)
{
	struct plan_needs needs;
	struct tr tr;
	struct scope scope;
	struct source *src;
	struct expr *e;
	struct ex v;
	char phys[64];
	int ret = -1;

	memset(&needs, 0, sizeof(needs));
	e = parse_expression(x->pool, text, strlen(text), x->d);
	if (!e)
		return -1;
	tr_init(&tr, x->s, x->pool, &needs, x->d);
	tr.in_check = true;
	tr_push_scope(&tr, &scope);
	src = tr_table_source(&tr, t, NULL);
	src->sql_alias = table_phys(t, phys, sizeof(phys));
	{
		int i;

		/* UPDATE knows no alias: plain column names */
		for (i = 0; i < src->count; i++)
			if (t->columns[i].stored)
				src->columns[i].sql = tr_printf(
					&tr, "c%d", t->columns[i].phys);
	}
	tr_add_source(&tr, src);
	v = tr_implicit(&tr, tr_expr(&tr, e), c->type);
	if (!tr.failed)
		ret = catalog_exec(x->s, x->d, "UPDATE %s SET c%d = %s", phys,
				   c->phys, v.sql);
	plan_needs_release(&needs);
	return ret;
}
