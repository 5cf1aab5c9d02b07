#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cdc/tracking.h"
#include "ddl/ddl.h"
#include "ddl/temporal.h"
#include "exec/perm.h"
#include "plan/column_set.h"
#include "sql/parse.h"
#include "value/collation.h"

static int64_t row_exists(struct ddl *x, struct table *t)
{
	int64_t there = 0;
	char phys[64];

	if (catalog_int(x->s, x->d, &there, "SELECT 1 FROM %s LIMIT 1",
			table_phys(t, phys, sizeof(phys))) < 0)
		return -1;
	return there;
}

static int reload(struct ddl *x, struct table **t)
{
	if (catalog_touch(x->s, x->home, x->d) < 0)
		return -1;
	*t = ddl_reload(x, *t);
	return *t ? 0 : -1;
}

/* --- ADD --- */

static const struct constraint_def *default_of(const struct column_def *def)
{
	const struct constraint_def *c;

	for (c = def->constraints; c; c = c->next)
		if (c->kind == CON_DEFAULT)
			return c;
	return NULL;
}

/* Numbers for the rows that are there already. */
static int fill_identity(struct ddl *x, struct table *t, const struct column *c)
{
	char phys[64];
	int64_t n = 0;

	table_phys(t, phys, sizeof(phys));
	if (catalog_int(x->s, x->d, &n, "SELECT count(*) FROM %s", phys) < 0)
		return -1;
	if (catalog_exec(x->s, x->d,
			 "UPDATE %s SET c%d = %lld + %lld * (n - 1) FROM"
			 " (SELECT rowid AS r, row_number() OVER (ORDER BY"
			 " rowid) AS n FROM %s) q WHERE q.r = t%d.rowid",
			 phys, c->phys, (long long)c->seed,
			 (long long)c->increment, phys, t->phys) < 0)
		return -1;
	if (!n)
		return 0;
	if (t->db)
		identity_put(t->db, t->id, c->seed + c->increment * (n - 1));
	return catalog_exec(x->s, x->d,
			    "INSERT OR REPLACE INTO %s._identity VALUES(%d,"
			    " %lld)",
			    x->home->prefix, t->id,
			    (long long)(c->seed + c->increment * (n - 1)));
}

static int fill_rowversion(struct ddl *x, struct table *t,
			   const struct column *c)
{
	char phys[64];

	table_phys(t, phys, sizeof(phys));
	if (catalog_exec(x->s, x->d,
			 "UPDATE %s SET c%d = rowversion_(rowid,"
			 " (SELECT rowversion FROM %s._cat))",
			 phys, c->phys, x->home->prefix) < 0)
		return -1;
	return catalog_exec(x->s, x->d,
			    "UPDATE %s._cat SET rowversion = rowversion +"
			    " ifnull((SELECT max(rowid) FROM %s), 0)",
			    x->home->prefix, phys);
}

static int add_column(struct ddl *x, struct table **tp,
		      const struct column_def *def)
{
	struct table *t = *tp;
	const struct constraint_def *dflt = default_of(def);
	struct column c;
	int64_t rows;
	int ordinal = t->next_col;

	if (ddl_make_column(x, t, def, ordinal, &c) < 0)
		return -1;
	if (c.sparse && t->set_column >= 0 && !column_set_allows(c.type))
		return diag_set(x->d, 40517,
				"a column set over binary columns");
	rows = row_exists(x, t);
	if (rows < 0)
		return -1;
	{
		const struct constraint_def *k;

		for (k = def->constraints; k; k = k->next)
			if (k->kind == CON_PRIMARY && def->nullable != 1)
				c.nullable = false;
	}
	if (rows && !c.nullable && !dflt && !c.identity && !c.computed &&
	    c.type.kind != TY_ROWVERSION)
		return diag_set(x->d, 4901, c.name, t->name);
	if (ddl_store_column(x, t, &c) < 0 ||
	    catalog_exec(x->s, x->d,
			 "UPDATE %s._objects SET next_col = %d, modified ="
			 " %lld WHERE id = %d",
			 x->home->prefix, ordinal + 1, (long long)catalog_now(),
			 t->id) < 0)
		return -1;
	if (c.stored &&
	    catalog_exec(x->s, x->d, "ALTER TABLE %s.t%d ADD COLUMN c%d",
			 x->home->prefix, t->phys, c.phys) < 0)
		return -1;
	if (reload(x, tp) < 0)
		return -1;
	t = *tp;
	if (!rows || !c.stored)
		return 0;
	c = t->columns[table_column_by_id(t, ordinal)];
	if (c.computed)
		return ddl_fill_column(x, t, &c, c.computed);
	if (c.identity)
		return fill_identity(x, t, &c);
	if (c.type.kind == TY_ROWVERSION)
		return fill_rowversion(x, t, &c);
	if (dflt && (!c.nullable || dflt->with_values))
		return ddl_fill_column(x, t, &c, dflt->text);
	return 0;
}

static int alter_add(struct ddl *x, struct table **t,
		     const struct alter_table *a)
{
	const struct column_def *c;
	const struct constraint_def *k;
	const struct index_def *ix;

	for (c = a->columns; c; c = c->next) {
		if (add_column(x, t, c) < 0) {
			if (!x->d->line)
				x->d->line = c->line;
			return -1;
		}
		for (k = c->constraints; k; k = k->next)
			if (ddl_add_constraint(x, t, k, a->no_check, false) < 0)
				return -1;
	}
	for (k = a->constraints; k; k = k->next)
		if (ddl_add_constraint(x, t, k, a->no_check, false) < 0)
			return -1;
	for (ix = a->indexes; ix; ix = ix->next)
		if (ddl_add_index(x, *t, ix, false, false, 0, ix->name) < 0 ||
		    reload(x, t) < 0)
			return -1;
	return temporal_added(x, t, a);
}

/* --- DROP --- */

static bool mentions(const struct expr *e, const char *column)
{
	const struct expr *arg;

	if (!e)
		return false;
	if (e->kind == EX_COLUMN &&
	    !strcasecmp(e->name.part[e->name.count - 1], column))
		return true;
	for (arg = e->args; arg; arg = arg->next)
		if (mentions(arg, column))
			return true;
	return mentions(e->a, column) || mentions(e->b, column) ||
	       mentions(e->c, column);
}

static bool text_mentions(struct ddl *x, const char *text, const char *column,
			  bool condition)
{
	struct diag d;
	const struct expr *e =
		condition ? parse_condition(x->pool, text, strlen(text), &d)
			  : parse_expression(x->pool, text, strlen(text), &d);

	return e && mentions(e, column);
}

/* What hangs on a column: 5074 for each, then 4922. */
static int dependencies(struct ddl *x, const struct table *t, int at,
			const char *what, bool types_only)
{
	const struct column *c = &t->columns[at];
	const char *kind = NULL, *name = NULL;
	int i, k;

	for (i = 0; i < t->index_count && !name; i++)
		for (k = 0; k < t->indexes[i].count && !name; k++)
			if (t->indexes[i].columns[k].column == at) {
				name = t->indexes[i].name;
				kind = t->indexes[i].constraint ? "object"
								: "index";
			}
	for (i = 0; i < t->check_count && !name; i++)
		if (text_mentions(x, t->checks[i].text, c->name, true)) {
			kind = "object";
			name = t->checks[i].name;
		}
	if (c->default_id && !name && !types_only) {
		kind = "object";
		name = c->default_name;
	}
	for (i = 0; i < t->out_count && !name; i++)
		for (k = 0; k < t->out[i].count && !name; k++)
			if (t->out[i].parent_columns[k] == c->id) {
				kind = "object";
				name = t->out[i].name;
			}
	for (i = 0; i < t->in_count && !name; i++)
		for (k = 0; k < t->in[i].count && !name; k++)
			if (t->in[i].ref_columns[k] == c->id) {
				kind = "object";
				name = t->in[i].name;
			}
	for (i = 0; i < t->count && !name; i++)
		if (t->columns[i].computed && i != at &&
		    text_mentions(x, t->columns[i].computed, c->name, false)) {
			kind = "column";
			name = t->columns[i].name;
		}
	if (!name)
		return 0;
	{
		struct diag first;

		diag_free_text(&first, 5074, 16, 1,
			       "The %s '%s' is dependent on column '%s'.", kind,
			       name, c->name);
		run_info(x->s, &first);
	}
	return diag_set(x->d, 4922, what, c->name);
}

static int drop_column(struct ddl *x, struct table **tp,
		       const struct drop_item *item)
{
	struct table *t = *tp;
	int at = table_column(t, item->name), i, plain = 0;

	if (at < 0) {
		if (item->if_exists)
			return 0;
		return diag_set(x->d, 4924, "ALTER TABLE DROP COLUMN",
				item->name, t->name);
	}
	for (i = 0; i < t->count; i++)
		plain += !t->columns[i].computed;
	if (plain == 1 && !t->columns[at].computed)
		return diag_set(x->d, 4923, item->name, t->name);
	if (dependencies(x, t, at, "ALTER TABLE DROP COLUMN", false) < 0)
		return -1;
	/* the values go; the SQLite column stays behind, as pages do there */
	if (t->columns[at].stored && t->columns[at].phys != t->rowid_col &&
	    type_is_lob(t->columns[at].type) &&
	    catalog_exec(x->s, x->d, "UPDATE %s.t%d SET c%d = NULL",
			 x->home->prefix, t->phys, t->columns[at].phys) < 0)
		return -1;
	if (catalog_exec(
		    x->s, x->d,
		    "DELETE FROM %s._columns WHERE object_id = %d AND id ="
		    " %d; UPDATE %s._objects SET modified = %lld WHERE id ="
		    " %d",
		    x->home->prefix, t->id, t->columns[at].id, x->home->prefix,
		    (long long)catalog_now(), t->id) < 0)
		return -1;
	return reload(x, tp);
}

static int alter_drop(struct ddl *x, struct table **t,
		      const struct alter_table *a)
{
	const struct drop_item *item;

	if (a->drop_period)
		return temporal_drop_period(x, t);
	for (item = a->drops; item; item = item->next) {
		x->d->line = 0;
		/* "DROP name" without a word is a constraint */
		if (item->column ? drop_column(x, t, item) < 0
				 : ddl_drop_constraint(x, t, item->name,
						       item->if_exists) < 0) {
			if (!x->d->line)
				x->d->line = item->line;
			return -1;
		}
	}
	return 0;
}

/* --- ALTER COLUMN --- */

static int convert_rows(struct ddl *x, struct table *t, const struct column *c,
			struct type to)
{
	int64_t bad = 0;
	char phys[64];

	table_phys(t, phys, sizeof(phys));
	/* a shorter type must not cut what is there */
	if ((type_is_text(to) || type_is_binary(to)) && to.len != TYPE_MAX) {
		if (catalog_int(x->s, x->d, &bad,
				"SELECT 1 FROM %s WHERE fits_(c%d, %lld, %lld)"
				" = 0 LIMIT 1",
				phys, c->phys, (long long)type_pack(c->type),
				(long long)type_pack(to)) < 0)
			return -1;
		if (bad)
			return diag_free_text(
				x->d, 2628, 16, 1,
				"String or binary data would be truncated in "
				"table '%s', column '%s'. Truncated value: ''.",
				table_full_name(t, x->pool), c->name);
	}
	return catalog_exec(x->s, x->d,
			    "UPDATE %s SET c%d = cv(c%d, %lld, %lld, -1)", phys,
			    c->phys, c->phys, (long long)type_pack(c->type),
			    (long long)type_pack(to));
}

static bool widens(struct type from, struct type to)
{
	if (from.kind != to.kind)
		return false;
	if (type_has_length((enum type_kind)from.kind))
		return to.len == TYPE_MAX || to.len >= from.len;
	return false;
}

static int check_alterable(struct ddl *x, const struct table *t, int at,
			   struct type to)
{
	const struct column *c = &t->columns[at];

	if (c->computed)
		return diag_set(x->d, 4928, c->name, "COMPUTED");
	if (c->type.kind == TY_ROWVERSION)
		return diag_set(x->d, 4928, c->name, "timestamp");
	if (convert_rule(c->type, to) == CONVERT_NEVER)
		return diag_set(x->d, 206, type_name(c->type), type_name(to));
	if (convert_rule(c->type, to) == CONVERT_EXPLICIT)
		return diag_set(x->d, 257, type_name(c->type), type_name(to));
	/* keys may only grow */
	if (!(widens(c->type, to) && c->type.coll == to.coll) &&
	    !(c->type.kind == to.kind && c->type.len == to.len &&
	      c->type.prec == to.prec && c->type.scale == to.scale &&
	      c->type.coll == to.coll))
		return dependencies(x, t, at, "ALTER TABLE ALTER COLUMN", true);
	return 0;
}

static int set_not_null(struct ddl *x, const struct table *t,
			const struct column *c)
{
	int64_t bad = 0;
	char phys[64];

	if (catalog_int(x->s, x->d, &bad,
			"SELECT 1 FROM %s WHERE c%d IS NULL LIMIT 1",
			table_phys(t, phys, sizeof(phys)), c->phys) < 0)
		return -1;
	if (bad)
		return diag_set(x->d, 515, c->name, table_full_name(t, x->pool),
				"UPDATE");
	return 0;
}

static int alter_flag(struct ddl *x, struct table **tp, int at,
		      const struct alter_table *a)
{
	struct column c = (*tp)->columns[at];
	bool on = a->alter_flag == 'A';

	if (a->columns->rowguid)
		c.rowguid = on;
	if (a->columns->sparse)
		c.sparse = on;
	if (a->columns->hidden_)
		c.hidden = on;
	if (a->columns->masked)
		c.masked = on;
	if (a->columns->persisted) {
		if (!c.computed)
			return diag_set(x->d, 4928, c.name, "not computed");
		c.persisted = on;
	}
	if (ddl_store_column(x, *tp, &c) < 0)
		return -1;
	return reload(x, tp);
}

static int alter_column(struct ddl *x, struct table **tp,
			const struct alter_table *a)
{
	struct table *t = *tp;
	int at = table_column(t, a->columns->name), i, k;
	struct column c, made;
	struct column_def def = *a->columns;
	bool touched = false;

	if (at < 0)
		return diag_set(x->d, 4924, "ALTER TABLE ALTER COLUMN",
				a->columns->name, t->name);
	if (a->alter_flag)
		return alter_flag(x, tp, at, a);
	c = t->columns[at];
	{ /* resolve the type as for a new column of another name */
		struct table none = *t;

		none.count = 0;
		none.identity_column = none.rowversion_column = -1;
		if (ddl_make_column(x, &none, &def, c.id, &made) < 0)
			return -1;
	}
	if (check_alterable(x, t, at, made.type) < 0)
		return -1;
	if (!made.nullable && c.nullable && set_not_null(x, t, &c) < 0)
		return -1;
	for (i = 0; i < t->index_count; i++)
		for (k = 0; k < t->indexes[i].keys; k++)
			if (t->indexes[i].columns[k].column == at)
				touched = true;
	if (made.nullable && touched && table_primary_key(t)) {
		const struct index *pk = table_primary_key(t);

		for (k = 0; k < pk->keys; k++)
			if (pk->columns[k].column == at)
				return dependencies(x, t, at,
						    "ALTER TABLE ALTER COLUMN",
						    true);
	}
	if (!type_same_storage(c.type, made.type) &&
	    convert_rows(x, t, &c, made.type) < 0) {
		return -1;
	}
	c.type = made.type;
	c.nullable = c.identity ? false : made.nullable;
	if (ddl_store_column(x, t, &c) < 0 || reload(x, tp) < 0)
		return -1;
	t = *tp;
	for (i = 0; i < t->index_count && touched; i++)
		if (!t->indexes[i].disabled &&
		    (ddl_drop_physical(x, t, &t->indexes[i]) < 0 ||
		     ddl_make_physical(x, t, &t->indexes[i]) < 0))
			return -1;
	return 0;
}

/* --- CHECK / NOCHECK, triggers --- */

static int set_state(struct ddl *x, int id, bool enable, bool trusted)
{
	return catalog_exec(x->s, x->d,
			    "UPDATE %s._objects SET disabled = %d, untrusted ="
			    " %d WHERE id = %d",
			    x->home->prefix, !enable, !trusted, id);
}

static bool named(const struct alter_table *a, const char *name)
{
	const struct name_list *n;

	if (a->all)
		return true;
	for (n = a->names; n; n = n->next)
		if (!strcasecmp(n->name, name))
			return true;
	return false;
}

static int alter_check(struct ddl *x, struct table *t,
		       const struct alter_table *a)
{
	/* WITH CHECK CHECK CONSTRAINT looks at the rows, CHECK alone not */
	bool verify = a->enable && a->check_said && !a->no_check;
	const struct name_list *n;
	int i, hits = 0;

	for (i = 0; i < t->check_count; i++) {
		if (!named(a, t->checks[i].name))
			continue;
		hits++;
		if (verify && ddl_check_rows(x, t, &t->checks[i]) < 0)
			return -1;
		if (set_state(x, t->checks[i].id, a->enable, verify) < 0)
			return -1;
	}
	for (i = 0; i < t->out_count; i++) {
		if (!named(a, t->out[i].name))
			continue;
		hits++;
		if (verify && ddl_check_fk(x, t, &t->out[i]) < 0)
			return -1;
		if (set_state(x, t->out[i].id, a->enable, verify) < 0)
			return -1;
	}
	for (n = a->names, i = 0; n; n = n->next)
		i++;
	if (hits < i)
		return diag_set(x->d, 4917, a->names->name);
	return 0;
}

static int alter_trigger(struct ddl *x, struct table *t,
			 const struct alter_table *a)
{
	int i, hits = 0;

	for (i = 0; i < t->trigger_count; i++) {
		if (!named(a, t->triggers[i].name))
			continue;
		hits++;
		if (set_state(x, t->triggers[i].id, a->enable, true) < 0)
			return -1;
	}
	if (!hits && !a->all)
		return diag_set(x->d, 4920, a->names->name, t->name);
	return 0;
}

static int switch_to(struct ddl *x, struct table *t,
		     const struct alter_table *a)
{
	struct object o;
	struct table *to;
	int found = catalog_find(x->s, &a->target, &o, x->d), ret;

	if (found < 0)
		return -1;
	if (!found)
		return diag_set(x->d, 4902,
				a->target.part[a->target.count - 1]);
	if (o.home != x->home)
		return diag_set(x->d, 4948, t->name, t->db->name, o.name,
				o.home->db ? o.home->db->name : "tempdb");
	if (strcmp(o.type, "U") != 0)
		return diag_set(x->d, 4949, o.name);
	to = catalog_table(x->s, o.home, o.id, x->d);
	if (!to)
		return -1;
	ret = perm_alter(x->s, to, x->d);
	if (ret == 0)
		ret = ddl_switch(x, t, to);
	table_unref(to);
	return ret;
}

int ddl_alter_table(struct ddl *x, const struct alter_table *a)
{
	struct object o;
	struct table *t;
	int found = catalog_find(x->s, &a->name, &o, x->d), ret = 0;

	if (found < 0)
		return -1;
	if (!found || strcmp(o.type, "U") != 0)
		return diag_set(x->d, 4902, a->name.part[a->name.count - 1]);
	if (ddl_begin(x, x->s, o.home, x->pool, x->d) < 0)
		return -1;
	/* the lock may have brought a newer catalog */
	found = catalog_find(x->s, &a->name, &o, x->d);
	if (found <= 0)
		return diag_set(x->d, 4902, a->name.part[a->name.count - 1]);
	t = catalog_table(x->s, o.home, o.id, x->d);
	if (!t)
		return -1;
	if (perm_alter(x->s, t, x->d) < 0 ||
	    temporal_check_alter(x, t, a) < 0) {
		table_unref(t);
		return -1;
	}
	switch (a->kind) {
	case ALTER_ADD:
		ret = alter_add(x, &t, a);
		break;
	case ALTER_DROP:
		ret = alter_drop(x, &t, a);
		break;
	case ALTER_COLUMN:
		ret = alter_column(x, &t, a);
		break;
	case ALTER_SWITCH:
		ret = switch_to(x, t, a);
		break;
	case ALTER_CHECK:
		ret = alter_check(x, t, a);
		break;
	case ALTER_TRIGGER:
		ret = alter_trigger(x, t, a);
		break;
	case ALTER_TRACKING:
		ret = tracking_enable(x, t, a->enable, a->columns_updated);
		break;
	case ALTER_SET:
		ret = temporal_set(x, &t, a->versioning);
		break;
	default:
		break;
	}
	if (ret == 0 && t && t->tracked_by_cdc)
		ret = ddl_record_cdc(x, t, "ALTER TABLE");
	table_unref(t);
	return ret;
}
