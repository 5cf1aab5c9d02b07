#include "ddl/temporal.h"

#include <string.h>
#include <strings.h>

static const char *full(struct ddl *x, const struct table *t)
{
	return table_full_name(t, x->pool);
}

static int reload(struct ddl *x, struct table **t)
{
	if (catalog_touch(x->s, x->home, x->d) < 0)
		return -1;
	*t = ddl_reload(x, *t);
	return *t ? 0 : -1;
}

/* --- the period --- */

static int check_period_column(struct ddl *x, const struct column *c)
{
	if (c->type.kind != TY_DATETIME2)
		return diag_set(x->d, 13501, c->name);
	if (c->nullable)
		return diag_set(x->d, 13587, c->name);
	return 0;
}

/* The two columns, and that the period names them. */
static int check_period(struct ddl *x, const struct table *t,
			const struct period_def *period)
{
	const struct column *start, *end;
	int starts = 0, ends = 0, i;

	for (i = 0; i < t->count; i++) {
		starts += t->columns[i].generated == GENERATED_START;
		ends += t->columns[i].generated == GENERATED_END;
	}
	if (starts > 1 || ends > 1)
		return diag_set(x->d, starts > 1 ? 13502 : 13503);
	if (!period)
		return starts || ends ? diag_set(x->d, 13509) : 0;
	if (!starts || !ends)
		return diag_set(x->d, starts ? 13505 : 13504);
	start = &t->columns[t->start_column];
	end = &t->columns[t->end_column];
	if (strcasecmp(start->name, period->start) != 0)
		return diag_set(x->d, 13506);
	if (strcasecmp(end->name, period->end) != 0)
		return diag_set(x->d, 13507);
	if (check_period_column(x, start) < 0 ||
	    check_period_column(x, end) < 0)
		return -1;
	if (start->type.scale != end->type.scale)
		return diag_set(x->d, 13513);
	return 0;
}

/* A column that is there already becomes a bound of the period. */
static int make_generated(struct ddl *x, const struct table *t,
			  const char *name, int generated)
{
	int at = table_column(t, name);
	struct column c;

	if (at < 0)
		return diag_set(x->d, 13750, name);
	c = t->columns[at];
	if (c.generated == generated)
		return 0;
	c.generated = generated;
	return ddl_store_column(x, t, &c);
}

/* Rows that are there must be current ones. */
static int check_rows(struct ddl *x, const struct table *t)
{
	struct type type = t->columns[t->end_column].type;
	struct moment now, last;
	struct val v;
	char buf[DATETIMEOFFSET_BLOB], phys[64];
	int64_t bad = 0;

	table_phys(t, phys, sizeof(phys));
	moment_last(&last, type.scale);
	moment_store(&last, type, &v, buf);
	if (catalog_int(x->s, x->d, &bad, "SELECT 1 FROM %s WHERE c%d <> %lld",
			phys, t->columns[t->end_column].phys,
			(long long)v.i) < 0)
		return -1;
	if (bad)
		return diag_set(x->d, 13575, full(x, t));
	moment_now(&now, true);
	moment_store(&now, type, &v, buf);
	if (catalog_int(x->s, x->d, &bad, "SELECT 1 FROM %s WHERE c%d > %lld",
			phys, t->columns[t->start_column].phys,
			(long long)v.i) < 0)
		return -1;
	return bad ? diag_set(x->d, 13542, full(x, t)) : 0;
}

int temporal_added(struct ddl *x, struct table **t, const struct alter_table *a)
{
	if (!a->period)
		return (*t)->start_column >= 0 && (*t)->end_column >= 0
			       ? 0
			       : check_period(x, *t, NULL);
	x->d->line = a->period->line;
	if (make_generated(x, *t, a->period->start, GENERATED_START) < 0 ||
	    make_generated(x, *t, a->period->end, GENERATED_END) < 0 ||
	    reload(x, t) < 0 || check_period(x, *t, a->period) < 0)
		return -1;
	return check_rows(x, *t);
}

int temporal_drop_period(struct ddl *x, struct table **t)
{
	int i;

	if ((*t)->start_column < 0)
		return diag_set(x->d, 13593, full(x, *t));
	if ((*t)->temporal == TEMPORAL_VERSIONED)
		return diag_set(x->d, 13592, full(x, *t));
	for (i = 0; i < (*t)->count; i++) {
		struct column c = (*t)->columns[i];

		if (!c.generated)
			continue;
		c.generated = 0;
		c.hidden = false; /* which only generated ones can be */
		if (ddl_store_column(x, *t, &c) < 0)
			return -1;
	}
	return reload(x, t);
}

/* --- the history table --- */

static int check_history_column(struct ddl *x, const struct table *t,
				const struct table *h, int i)
{
	const struct column *c = &t->columns[i], *k = &h->columns[i];
	char ta[64], tb[64];

	if (strcasecmp(c->name, k->name) != 0)
		return diag_set(x->d, 13524, k->name, i + 1, full(x, h),
				c->name, full(x, t));
	if (c->type.kind != k->type.kind || c->type.len != k->type.len ||
	    c->type.prec != k->type.prec || c->type.scale != k->type.scale)
		return diag_set(x->d, 13525, k->name,
				type_text(k->type, ta, sizeof(ta)), full(x, h),
				type_text(c->type, tb, sizeof(tb)), full(x, t));
	if (c->type.coll != k->type.coll)
		return diag_set(x->d, 13526, k->name, full(x, t), full(x, h));
	if (c->nullable != k->nullable)
		return diag_set(x->d, 13531, k->name, full(x, t), full(x, h));
	if (c->sparse != k->sparse)
		return diag_set(x->d, 13533, k->name, full(x, t), full(x, h));
	return 0;
}

/* A table that somebody else made: can it be the history of `t`? */
static int check_history(struct ddl *x, const struct table *t,
			 const struct table *h)
{
	int i;

	if (h->temporal || h->id == t->id)
		return diag_set(x->d, h->id == t->id ? 13511 : 13514,
				full(x, h));
	if (h->start_column >= 0)
		return diag_set(x->d, 13574, full(x, h));
	for (i = 0; i < h->index_count; i++)
		if (h->indexes[i].unique)
			return diag_set(x->d, 13515, full(x, h));
	if (h->out_count || h->in_count)
		return diag_set(x->d, 13516, full(x, h));
	if (h->check_count)
		return diag_set(x->d, 13517, full(x, h));
	if (h->identity_column >= 0)
		return diag_set(x->d, 13518, full(x, h));
	for (i = 0; i < h->count; i++)
		if (h->columns[i].computed)
			return diag_set(x->d, 13519, full(x, h));
	if (h->tracked_by_cdc)
		return diag_set(x->d, 13521, full(x, h));
	if (h->trigger_count)
		return diag_set(x->d, 13522, full(x, h));
	if (h->count != t->count)
		return diag_set(x->d, 13523, full(x, t), t->count, full(x, h),
				h->count);
	for (i = 0; i < t->count; i++)
		if (check_history_column(x, t, h, i) < 0)
			return -1;
	return 0;
}

/* The same columns, with nothing that hangs on them, and an index by time. */
static int make_history(struct ddl *x, const struct table *t, int schema_id,
			const char *name, int *id)
{
	struct out_column *columns =
		pool_alloc(x->pool, (size_t)(t->count + 1) * sizeof(*columns));
	struct key_column end = {.name = t->columns[t->end_column].name};
	struct key_column start = {.name = t->columns[t->start_column].name};
	struct index_def by_time = {.clustered = true};
	struct table *h;
	int i, ret = -1;

	for (i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];

		if (c->computed && !c->stored)
			return diag_set(x->d, 40517,
					"history of a computed column that is "
					"not deterministic");
		columns[i].name = c->name;
		columns[i].type = c->type;
		columns[i].nullable = c->nullable;
	}
	if (ddl_create_like(x, schema_id, name, columns, t->count, id) < 0)
		return -1;
	h = catalog_table(x->s, x->home, *id, x->d);
	if (!h)
		return -1;
	end.next = &start;
	by_time.columns = &end;
	ret = ddl_add_index(x, h, &by_time, false, false, 0,
			    pool_printf(x->pool, "ix_%s", name));
	table_unref(h);
	return ret;
}

static int find_history(struct ddl *x, const struct table *t,
			const struct versioning *v, int *id)
{
	struct object o;
	struct table *h;
	int schema_id, found, ret;

	if (!v->has_history)
		return make_history(x, t, t->schema_id,
				    pool_printf(x->pool,
						"MSSQL_TemporalHistoryFor_%d",
						t->id),
				    id);
	if (v->history.count != 2)
		return diag_set(x->d, 13539, v->history.part[0]);
	found = catalog_find_in(x->s, x->home, v->history.part[0],
				v->history.part[1], &o, x->d);
	if (found < 0)
		return -1;
	if (!found) {
		schema_id =
			catalog_schema_id(x->s, x->home, v->history.part[0]);
		if (!schema_id)
			return diag_set(x->d, 2760, v->history.part[0]);
		return make_history(x, t, schema_id, v->history.part[1], id);
	}
	if (strcmp(o.type, "U") != 0)
		return diag_set(x->d, 13511, o.name);
	h = catalog_table(x->s, x->home, o.id, x->d);
	if (!h)
		return -1;
	ret = check_history(x, t, h);
	*id = o.id;
	table_unref(h);
	return ret;
}

static int set_temporal(struct ddl *x, int id, enum temporal_type type,
			int history)
{
	return catalog_exec(x->s, x->d,
			    "UPDATE %s._objects SET temporal = %d, history ="
			    " nullif(%d, 0), modified = %lld WHERE id = %d",
			    x->home->prefix, (int)type, history,
			    (long long)catalog_now(), id);
}

static int switch_on(struct ddl *x, struct table **t,
		     const struct versioning *v)
{
	int id, i;

	if ((*t)->temporal == TEMPORAL_VERSIONED)
		return diag_set(x->d, 13596, full(x, *t));
	if ((*t)->temporal == TEMPORAL_HISTORY)
		return diag_set(x->d, 13566, full(x, *t));
	if (!(*t)->db)
		return diag_set(x->d, 13568, (*t)->name);
	if ((*t)->start_column < 0)
		return diag_set(x->d, 13510);
	if (!table_primary_key(*t))
		return diag_set(x->d, 13553, full(x, *t));
	for (i = 0; i < (*t)->out_count; i++)
		if ((*t)->out[i].on_delete != FK_NO_ACTION ||
		    (*t)->out[i].on_update != FK_NO_ACTION)
			return diag_set(x->d, 13582, full(x, *t));
	if (find_history(x, *t, v, &id) < 0 ||
	    set_temporal(x, id, TEMPORAL_HISTORY, 0) < 0 ||
	    set_temporal(x, (*t)->id, TEMPORAL_VERSIONED, id) < 0)
		return -1;
	return reload(x, t);
}

int temporal_set(struct ddl *x, struct table **t, const struct versioning *v)
{
	if (!v)
		return 0;
	if (v->on)
		return switch_on(x, t, v);
	if ((*t)->temporal != TEMPORAL_VERSIONED)
		return diag_set(x->d, 13591, full(x, *t));
	if (set_temporal(x, (*t)->history_id, TEMPORAL_NONE, 0) < 0 ||
	    set_temporal(x, (*t)->id, TEMPORAL_NONE, 0) < 0)
		return -1;
	return reload(x, t);
}

int temporal_created(struct ddl *x, int id, const struct create_table *c)
{
	struct table *t = catalog_table(x->s, x->home, id, x->d);
	int ret;

	if (!t)
		return -1;
	ret = check_period(x, t, c->period);
	if (ret == 0 && c->in_memory)
		ret = catalog_exec(x->s, x->d,
				   "UPDATE %s._objects SET in_memory = 1 "
				   "WHERE id = %d",
				   x->home->prefix, id);
	if (ret == 0 && c->versioning && c->versioning->on)
		ret = temporal_set(x, &t, c->versioning);
	table_unref(t);
	return ret;
}

/* --- what is not allowed --- */

static int refuse_in_history(struct ddl *x, const struct table *t,
			     const struct alter_table *a)
{
	if (a->kind == ALTER_ADD && a->period)
		return diag_set(x->d, 13598, full(x, t));
	if (a->kind == ALTER_ADD && a->columns)
		return diag_set(x->d, 13550, full(x, t));
	if (a->kind == ALTER_ADD && a->constraints)
		switch (a->constraints->kind) {
		case CON_PRIMARY:
			return diag_set(x->d, 13558, full(x, t));
		case CON_UNIQUE:
			return diag_set(x->d, 13583, full(x, t));
		case CON_CHECK:
			return diag_set(x->d, 13564, full(x, t));
		case CON_FOREIGN:
			return diag_set(x->d, 13565,
					a->constraints->name
						? a->constraints->name
						: "");
		default:
			break;
		}
	if (a->kind == ALTER_DROP && a->drops && a->drops->column)
		return diag_set(x->d, 13551, full(x, t));
	if (a->kind == ALTER_COLUMN)
		return diag_set(x->d, 13548, a->columns->name, full(x, t));
	if (a->kind == ALTER_TRACKING && a->enable)
		return diag_set(x->d, 13563, full(x, t));
	return 0;
}

static bool drops_primary_key(const struct table *t,
			      const struct alter_table *a)
{
	const struct index *key = table_primary_key(t);
	const struct drop_item *d;

	for (d = a->drops; d && key; d = d->next)
		if (!d->column && !strcasecmp(d->name, key->name))
			return true;
	return false;
}

/* The server would alter the history as well, which nobody needed so far. */
static int refuse_in_versioned(struct ddl *x, const struct table *t,
			       const struct alter_table *a)
{
	const struct constraint_def *k;

	for (k = a->constraints; k; k = k->next)
		if (k->kind == CON_FOREIGN && (k->on_delete != FK_NO_ACTION ||
					       k->on_update != FK_NO_ACTION))
			return diag_set(x->d, 13758, k->name ? k->name : "",
					full(x, t));
	if (a->kind == ALTER_DROP && drops_primary_key(t, a))
		return diag_set(x->d, 13557, full(x, t));
	if ((a->kind == ALTER_ADD && a->columns) ||
	    (a->kind == ALTER_DROP && a->drops && a->drops->column) ||
	    (a->kind == ALTER_COLUMN && !a->alter_flag))
		return diag_set(x->d, 40517,
				"changing columns of a system-versioned table");
	return 0;
}

/* Columns of the period, versioned or not. */
static int refuse_in_period(struct ddl *x, const struct table *t,
			    const struct alter_table *a)
{
	const struct drop_item *d;
	int at;

	for (d = a->drops; d; d = d->next) {
		at = d->column ? table_column(t, d->name) : -1;
		if (at >= 0 && t->columns[at].generated)
			return diag_set(x->d, 13588, d->name, full(x, t));
	}
	if (a->kind != ALTER_COLUMN)
		return 0;
	at = table_column(t, a->columns->name);
	if (at < 0)
		return 0;
	if (a->alter_flag)
		return a->columns->hidden_ && !t->columns[at].generated
			       ? diag_set(x->d, 13735, a->columns->name,
					  full(x, t))
			       : 0;
	if (a->columns->generated)
		return diag_set(x->d, 13589, a->columns->name, full(x, t));
	return t->columns[at].generated
		       ? diag_set(x->d, 13599, a->columns->name)
		       : 0;
}

int temporal_check_alter(struct ddl *x, const struct table *t,
			 const struct alter_table *a)
{
	if (t->temporal == TEMPORAL_HISTORY && refuse_in_history(x, t, a) < 0)
		return -1;
	if (a->period && t->start_column >= 0)
		return diag_set(x->d, 13597, full(x, t));
	if (refuse_in_period(x, t, a) < 0)
		return -1;
	return t->temporal == TEMPORAL_VERSIONED ? refuse_in_versioned(x, t, a)
						 : 0;
}

int temporal_check_switch(struct ddl *x, const struct table *from,
			  const struct table *to)
{
	int i;

	if (from->temporal == TEMPORAL_VERSIONED)
		return diag_set(x->d, 13546, full(x, from));
	if (to->temporal == TEMPORAL_HISTORY)
		return diag_set(x->d, 13547, full(x, to));
	if (to->start_column >= 0 && from->start_column < 0)
		return diag_set(x->d, 13577, full(x, from));
	for (i = 0; i < from->count && i < to->count; i++)
		if (from->columns[i].generated != to->columns[i].generated)
			return diag_set(x->d, 13736, full(x, from),
					from->columns[i].name);
	return 0;
}
