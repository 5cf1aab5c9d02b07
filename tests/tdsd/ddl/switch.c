/*
 * ALTER TABLE … SWITCH: the rows change their owner, that is, the two tables
 * exchange the SQLite tables behind them. Everything the server compares
 * before is compared here, in its order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ddl/ddl.h"
#include "ddl/temporal.h"
#include "value/collation.h"

static const char *full(struct ddl *x, const struct table *t)
{
	return table_full_name(t, x->pool);
}

static int same_columns(struct ddl *x, const struct table *a,
			const struct table *b)
{
	char ta[64], tb[64];
	int i;

	if (a->count != b->count)
		return diag_free_text(x->d, 4943, 16, 1,
				      "ALTER TABLE SWITCH statement failed "
				      "because table '%s' has %d columns and "
				      "table '%s' has %d columns.",
				      full(x, a), a->count, full(x, b),
				      b->count);
	for (i = 0; i < a->count; i++) {
		const struct column *c = &a->columns[i], *k = &b->columns[i];

		if (strcasecmp(c->name, k->name) != 0)
			return diag_free_text(
				x->d, 4942, 16, 1,
				"ALTER TABLE SWITCH statement failed because "
				"column '%s' at ordinal %d in table '%s' has a "
				"different name than the column '%s' at the "
				"same ordinal in table '%s'.",
				c->name, i + 1, full(x, a), k->name,
				full(x, b));
		if (c->type.kind != k->type.kind ||
		    c->type.len != k->type.len ||
		    c->type.prec != k->type.prec ||
		    c->type.scale != k->type.scale)
			return diag_set(
				x->d, 4944, c->name,
				type_text(c->type, ta, sizeof(ta)), full(x, a),
				type_text(k->type, tb, sizeof(tb)), full(x, b));
		if (c->type.coll != k->type.coll)
			return diag_set(x->d, 4945, c->name, full(x, a),
					full(x, b));
		if (c->sparse != k->sparse)
			return diag_set(x->d, 11412, c->name, full(x, a),
					full(x, b));
		if (!c->computed != !k->computed)
			return diag_set(x->d, 4965, c->name, full(x, a),
					full(x, b));
		if (c->computed && strcmp(c->computed, k->computed) != 0)
			return diag_set(x->d, 4966, c->name, c->computed,
					full(x, a), full(x, b), k->computed);
		if (c->persisted != k->persisted)
			return diag_set(x->d, 4946, c->name, full(x, a),
					full(x, b));
		if (c->nullable != k->nullable) {
			if (c->nullable)
				return diag_set(x->d, 4961, c->name, full(x, a),
						full(x, b));
			return diag_free_text(
				x->d, 4961, 16, 1,
				"ALTER TABLE SWITCH statement failed. Column "
				"'%s' in table '%s' is not nullable and it is "
				"nullable in '%s'.",
				c->name, full(x, a), full(x, b));
		}
	}
	return 0;
}

static bool same_index(const struct table *a, const struct index *x,
		       const struct table *b, const struct index *y)
{
	int i;

	if (x->clustered != y->clustered || x->unique != y->unique ||
	    x->keys != y->keys || x->count != y->count ||
	    x->disabled != y->disabled || !x->filter != !y->filter)
		return false;
	if (x->filter && strcmp(x->filter, y->filter) != 0)
		return false;
	for (i = 0; i < x->count; i++)
		if (x->columns[i].column != y->columns[i].column ||
		    x->columns[i].desc != y->columns[i].desc ||
		    x->columns[i].included != y->columns[i].included)
			return false;
	(void)a;
	(void)b;
	return true;
}

static const struct index *clustered(const struct table *t)
{
	int i;

	for (i = 0; i < t->index_count; i++)
		if (t->indexes[i].clustered)
			return &t->indexes[i];
	return NULL;
}

/* Each index of the target needs a twin in the source. */
static int same_indexes(struct ddl *x, const struct table *from,
			const struct table *to)
{
	const struct index *a = clustered(from), *b = clustered(to);
	int i, k;

	if (!a != !b)
		return diag_set(x->d, 4913, a ? full(x, from) : full(x, to),
				a ? a->name : b->name,
				a ? full(x, to) : full(x, from));
	for (i = 0; i < to->index_count; i++) {
		for (k = 0; k < from->index_count; k++)
			if (same_index(to, &to->indexes[i], from,
				       &from->indexes[k]))
				break;
		if (k == from->index_count)
			return diag_set(x->d, 4947, full(x, from),
					to->indexes[i].name, full(x, to));
		if (to->indexes[i].compression != from->indexes[k].compression)
			return diag_free_text(
				x->d, 11406, 16, 1,
				"ALTER TABLE SWITCH statement failed. Source "
				"and target partitions have different values "
				"for the DATA_COMPRESSION option.");
	}
	for (i = 0; i < from->index_count; i++) {
		for (k = 0; k < to->index_count; k++)
			if (same_index(from, &from->indexes[i], to,
				       &to->indexes[k]))
				break;
		if (k == to->index_count)
			return diag_set(x->d, 4947, full(x, to),
					from->indexes[i].name, full(x, from));
	}
	return 0;
}

/* The target's checks must hold for the source's rows: it has the same. */
static int same_checks(struct ddl *x, const struct table *from,
		       const struct table *to)
{
	int i, k;

	for (i = 0; i < to->check_count; i++) {
		const struct check *c = &to->checks[i];

		if (c->disabled)
			continue;
		for (k = 0; k < from->check_count; k++)
			if (!strcmp(from->checks[k].text, c->text))
				break;
		if (k == from->check_count)
			return diag_set(x->d, c->column ? 4971 : 4970,
					full(x, to), c->name, full(x, from));
		if (from->checks[k].disabled || from->checks[k].untrusted)
			return diag_set(x->d, 4960, from->checks[k].name,
					full(x, from), c->name, full(x, to));
	}
	return 0;
}

static bool same_fk(const struct table *a, const struct fkey *x,
		    const struct table *b, const struct fkey *y)
{
	int i;

	if (x->referenced != y->referenced || x->count != y->count)
		return false;
	for (i = 0; i < x->count; i++)
		if (table_column_by_id(a, x->parent_columns[i]) !=
			    table_column_by_id(b, y->parent_columns[i]) ||
		    x->ref_columns[i] != y->ref_columns[i])
			return false;
	return true;
}

static int same_fks(struct ddl *x, const struct table *from,
		    const struct table *to)
{
	int i, k;

	if (from->in_count)
		return diag_free_text(
			x->d, 4967, 16, 1,
			"ALTER TABLE SWITCH statement failed. SWITCH is not "
			"allowed because source table '%s' contains primary key"
			" for constraint '%s'.",
			full(x, from), from->in[0].name);
	for (i = 0; i < to->out_count; i++) {
		const struct fkey *f = &to->out[i];

		if (f->disabled)
			continue;
		for (k = 0; k < from->out_count; k++)
			if (same_fk(from, &from->out[k], to, f))
				break;
		if (k == from->out_count)
			return diag_set(x->d, 4968, full(x, to), f->name,
					full(x, from));
		if (from->out[k].disabled || from->out[k].untrusted)
			return diag_set(x->d, 4969, from->out[k].name,
					full(x, from), f->name, full(x, to));
	}
	return 0;
}

static int target_empty(struct ddl *x, struct table *to)
{
	int64_t there = 0;
	char phys[64];

	if (catalog_int(x->s, x->d, &there, "SELECT 1 FROM %s LIMIT 1",
			table_phys(to, phys, sizeof(phys))) < 0)
		return -1;
	return there ? diag_set(x->d, 4905, full(x, to)) : 0;
}

/* --- exchanging --- */

static int set_phys(struct ddl *x, int id, const struct table *from)
{
	return catalog_exec(x->s, x->d,
			    "UPDATE %s._objects SET phys = %d, rowid_col = %d,"
			    " next_col = max(next_col, %d), modified = %lld"
			    " WHERE id = %d",
			    x->home->prefix, from->phys, from->rowid_col,
			    from->next_col, (long long)catalog_now(), id);
}

static int set_columns(struct ddl *x, const struct table *owner,
		       const struct table *from)
{
	int i;

	for (i = 0; i < owner->count; i++)
		if (catalog_exec(x->s, x->d,
				 "UPDATE %s._columns SET phys = %d WHERE"
				 " object_id = %d AND id = %d",
				 x->home->prefix, from->columns[i].phys,
				 owner->id, owner->columns[i].id) < 0)
			return -1;
	return 0;
}

static int set_indexes(struct ddl *x, const struct table *owner,
		       const struct table *from, bool *used)
{
	int i, k;

	memset(used, 0, (size_t)from->index_count * sizeof(*used));
	for (i = 0; i < owner->index_count; i++) {
		for (k = 0; k < from->index_count; k++)
			if (!used[k] && same_index(owner, &owner->indexes[i],
						   from, &from->indexes[k]))
				break;
		if (k == from->index_count)
			continue;
		used[k] = true;
		if (catalog_exec(x->s, x->d,
				 "UPDATE %s._indexes SET phys = %Q WHERE"
				 " object_id = %d AND id = %d",
				 x->home->prefix, from->indexes[k].phys,
				 owner->id, owner->indexes[i].id) < 0)
			return -1;
	}
	return 0;
}

/*
 * The helper indexes of foreign keys are named after the key and belong to
 * the SQLite table: make them anew on what each key's table has now.
 */
static int move_fk_indexes(struct ddl *x, const struct table *owner,
			   const struct table *from)
{
	int i, k;

	for (i = 0; i < owner->out_count; i++) {
		struct strbuf keys;
		int ret;

		strbuf_init(&keys);
		for (k = 0; k < owner->out[i].count; k++) {
			int at = table_column_by_id(
				owner, owner->out[i].parent_columns[k]);
			const struct column *c = &from->columns[at];

			strbuf_addf(&keys, "%sc%d", k ? "," : "", c->phys);
			if (type_is_text(c->type))
				strbuf_addf(&keys, " COLLATE \"%s\"",
					    collation_get(c->type.coll)->name);
		}
		ret = catalog_exec(x->s, x->d, "DROP INDEX IF EXISTS %s.f%d",
				   x->home->prefix, owner->out[i].id);
		if (ret == 0)
			ret = catalog_exec(x->s, x->d,
					   "CREATE INDEX %s.f%d ON t%d(%s)",
					   x->home->prefix, owner->out[i].id,
					   from->phys, keys.data);
		strbuf_release(&keys);
		if (ret < 0)
			return -1;
	}
	return 0;
}

int ddl_switch(struct ddl *x, struct table *from, struct table *to)
{
	bool *used;
	int ret;

	if (!from->db)
		return diag_set(x->d, 40517, "SWITCH of temporary tables");
	if (from->tracked_by_cdc || to->tracked_by_cdc ||
	    from->change_tracking || to->change_tracking)
		return diag_set(x->d, 4914,
				from->tracked_by_cdc || from->change_tracking
					? full(x, from)
					: full(x, to));
	if (temporal_check_switch(x, from, to) < 0 ||
	    same_columns(x, from, to) < 0 || same_indexes(x, from, to) < 0 ||
	    same_checks(x, from, to) < 0 || same_fks(x, from, to) < 0 ||
	    target_empty(x, to) < 0)
		return -1;
	if (from->id == to->id)
		return 0;
	used = mem_calloc((size_t)from->index_count + (size_t)to->index_count +
				  1,
			  sizeof(*used));
	ret = set_phys(x, from->id, to) < 0 || set_phys(x, to->id, from) < 0 ||
			      set_columns(x, from, to) < 0 ||
			      set_columns(x, to, from) < 0 ||
			      set_indexes(x, from, to, used) < 0 ||
			      set_indexes(x, to, from, used) < 0 ||
			      move_fk_indexes(x, from, to) < 0 ||
			      move_fk_indexes(x, to, from) < 0
		      ? -1
		      : 0;
	free(used);
	return ret < 0 ? -1 : catalog_touch(x->s, x->home, x->d);
}
