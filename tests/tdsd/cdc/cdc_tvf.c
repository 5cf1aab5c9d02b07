/*
 * cdc.fn_cdc_get_all_changes_… and …_net_changes_…, made for each capture
 * instance from its change table. A row maker checks the range before any row
 * is read, so that the error comes even from an empty table.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cdc/capture.h"
#include "cdc/log.h"
#include "cdc/views.h"
#include "exec/server.h"
#include "fn/rows.h"
#include "plan/builtin.h"
#include "plan/tvf.h"
#include "value/collation.h"

#define ALL_PREFIX "fn_cdc_get_all_changes_"
#define NET_PREFIX "fn_cdc_get_net_changes_"

struct found {
	struct table *ct;
	struct attached *home;
	const char *instance, *tables, *keys;
	int id, source;
	bool net;
};

static struct rel *no_such(struct tr *t, const struct table_ref *ref)
{
	return tr_fail(t, 208,
		       tr_printf(t, "cdc.%s",
				 ref->name.part[ref->name.count - 1]),
		       NULL),
	       NULL;
}

/* The row of change_tables; false: there is none. */
static bool read_instance(struct tr *t, struct found *f)
{
	sqlite3_stmt *st = catalog_prepare(
		t->s, t->d,
		"SELECT c1, c3, c7 FROM %s WHERE c4 = %Q COLLATE cat",
		f->tables, f->instance);
	bool there = false;

	if (!st) {
		t->failed = true;
		return false;
	}
	if (sqlite3_step(st) == SQLITE_ROW) {
		f->id = sqlite3_column_int(st, 0);
		f->source = sqlite3_column_int(st, 1);
		f->net = sqlite3_column_int(st, 2);
		there = true;
	}
	sqlite3_finalize(st);
	return there;
}

/* Find the instance; false: not there, or failed. */
static bool find(struct tr *t, const struct table_ref *ref, size_t prefix,
		 struct found *f)
{
	const char *ignored;
	char phys[64], keys[64];

	memset(f, 0, sizeof(*f));
	f->instance = ref->name.part[ref->name.count - 1] + prefix;
	f->home = catalog_home(t->s, &ref->name, &ignored, t->d);
	if (!f->home) {
		t->failed = true;
		return false;
	}
	tr_use_home(t, f->home, 0);
	if (t->failed ||
	    cdc_table_name(t->s, f->home, "change_tables", phys, sizeof(phys),
			   t->d) <= 0 ||
	    cdc_table_name(t->s, f->home, "index_columns", keys, sizeof(keys),
			   t->d) <= 0)
		return false;
	f->tables = tr_printf(t, "%s", phys);
	f->keys = tr_printf(t, "%s", keys);
	if (!read_instance(t, f))
		return false;
	f->ct = catalog_table(t->s, f->home, f->id, t->d);
	if (!f->ct) {
		t->failed = true;
		return false;
	}
	tr_use_table(t, f->ct); /* the plan's from now on */
	return true;
}

static void set_column(struct out_column *o, const char *name, struct type type,
		       bool nullable)
{
	o->name = name;
	o->type = type;
	o->nullable = nullable;
}

/* Captured columns as they leave the function, behind the first `n`. */
static const char *captured(struct tr *t, const struct found *f,
			    struct rel *rel, const char *alias)
{
	const char *list = "";
	int i;

	for (i = 5; i < f->ct->count - 1; i++) {
		const struct column *c = &f->ct->columns[i];

		set_column(&rel->columns[rel->count++], c->name, c->type, true);
		list = tr_printf(t, "%s,%s.c%d AS x%d", list, alias, c->phys,
				 rel->count);
	}
	return list;
}

/* Arguments: LSNs as binary, the filter as text. */
static const char *range(struct tr *t, const struct table_ref *ref,
			 const struct found *f, bool net)
{
	struct ex from = tvf_arg(t, ref, 0, 'b'), to = tvf_arg(t, ref, 1, 'b');
	struct ex how = tvf_arg(t, ref, 2, 'n');
	struct val name = val_text(f->instance, strlen(f->instance));

	if (t->failed)
		return NULL;
	return tr_printf(t, "rows('cdc_range',%s,%s,%s,%s,%d,%d) AS k",
			 from.sql, to.sql, how.sql, tr_quote_val(t, &name), net,
			 f->home->db->id);
}

static struct rel *all_changes(struct tr *t, const struct table_ref *ref)
{
	struct rel *rel = pool_alloc(t->pool, sizeof(*rel));
	const char *from, *columns;
	struct found f;
	char phys[64];

	if (!find(t, ref, strlen(ALL_PREFIX), &f))
		return t->failed ? NULL : no_such(t, ref);
	from = range(t, ref, &f, false);
	if (!from)
		return NULL;
	rel->columns = pool_alloc(t->pool, (size_t)(f.ct->count + 4) *
						   sizeof(*rel->columns));
	set_column(&rel->columns[0], "__$start_lsn", f.ct->columns[0].type,
		   true);
	set_column(&rel->columns[1], "__$seqval", f.ct->columns[2].type, true);
	set_column(&rel->columns[2], "__$operation", type_of(TY_INT), true);
	set_column(&rel->columns[3], "__$update_mask",
		   type_char(TY_VARBINARY, 128, 0), true);
	rel->count = 4;
	columns = captured(t, &f, rel, "c");
	rel->sql = tr_printf(
		t,
		"SELECT c.c1 AS x1, c.c3 AS x2, c.c4 AS x3, c.c5 AS x4%s FROM"
		" %s CROSS JOIN %s AS c WHERE c.c1 BETWEEN k.c0 AND k.c1 AND"
		" (c.c4 <> 3 OR k.c2 = 2)",
		columns, from, table_phys(f.ct, phys, sizeof(phys)));
	return rel;
}

/* The columns that identify a row: "a.c6 COLLATE x" after each other, and the
 * condition that two rows are versions of one. */
static bool key_columns(struct tr *t, const struct found *f, const char **list,
			const char **same)
{
	sqlite3_stmt *st = catalog_prepare(
		t->s, t->d, "SELECT c2 FROM %s WHERE c1 = %d ORDER BY c3",
		f->keys, f->id);
	int n = 0;

	*list = *same = "";
	while (st && sqlite3_step(st) == SQLITE_ROW) {
		int at = table_column(f->ct,
				      (const char *)sqlite3_column_text(st, 0));
		const struct column *c;
		const char *coll = "";

		if (at < 0)
			continue;
		c = &f->ct->columns[at];
		if (type_is_text(c->type))
			coll = tr_printf(t, " COLLATE \"%s\"",
					 collation_get(c->type.coll)->name);
		*list = tr_printf(t, "%s%sc.c%d%s", *list, n ? "," : "",
				  c->phys, coll);
		*same = tr_printf(t, "%s AND m.c%d IS l.c%d%s", *same, c->phys,
				  c->phys, coll);
		n++;
	}
	sqlite3_finalize(st);
	return n > 0;
}

/*
 * The last change of each key tells its values. Its operation also depends on
 * the first: inserted and deleted within the range is nothing at all.
 */
static struct rel *net_changes(struct tr *t, const struct table_ref *ref)
{
	struct rel *rel = pool_alloc(t->pool, sizeof(*rel));
	const char *from, *columns, *keys, *same, *phys, *cmd;
	struct found f;
	char buf[64];

	if (!find(t, ref, strlen(NET_PREFIX), &f) || !f.net ||
	    !key_columns(t, &f, &keys, &same))
		return t->failed ? NULL : no_such(t, ref);
	from = range(t, ref, &f, true);
	if (!from)
		return NULL;
	phys = tr_printf(t, "%s", table_phys(f.ct, buf, sizeof(buf)));
	cmd = tr_printf(t, "c.c1, c.c%d, c.c3, c.c4",
			f.ct->columns[f.ct->count - 1].phys);
	rel->columns = pool_alloc(t->pool, (size_t)(f.ct->count + 4) *
						   sizeof(*rel->columns));
	set_column(&rel->columns[0], "__$start_lsn", f.ct->columns[0].type,
		   true);
	set_column(&rel->columns[1], "__$operation", type_of(TY_INT), true);
	set_column(&rel->columns[2], "__$update_mask",
		   type_char(TY_VARBINARY, 128, 0), true);
	rel->count = 3;
	columns = captured(t, &f, rel, "l");
	rel->sql = tr_printf(
		t,
		"SELECT l.c1 AS x1, CASE WHEN l.c4 = 1 THEN 1 WHEN l.k2 = 3"
		" THEN 5 WHEN l.f = 2 THEN 2 ELSE 4 END AS x2, CASE WHEN l.k2"
		" = 4 AND l.c4 <> 1 AND l.f <> 2 THEN (SELECT cdc_or_(m.c5)"
		" FROM %s AS m WHERE m.c1 BETWEEN l.k0 AND l.k1 AND m.c4 = 4%s"
		") END AS x3%s FROM (SELECT c.*, k.c0 AS k0, k.c1 AS k1, k.c2"
		" AS k2, first_value(c.c4) OVER (PARTITION BY %s ORDER BY %s)"
		" AS f, row_number() OVER (PARTITION BY %s ORDER BY c.c1 DESC,"
		" c.c%d DESC, c.c3 DESC, c.c4 DESC) AS n FROM %s CROSS JOIN %s"
		" AS c WHERE c.c1 BETWEEN k.c0 AND k.c1 AND c.c4 <> 3) AS l"
		" WHERE l.n = 1 AND NOT (l.f = 2 AND l.c4 = 1)",
		phys, same, columns, keys, cmd, keys,
		f.ct->columns[f.ct->count - 1].phys, from, phys);
	return rel;
}

const struct tvf tvfs_cdc[] = {
	{"cdc", ALL_PREFIX "*", 3, 3, all_changes},
	{"cdc", NET_PREFIX "*", 3, 3, net_changes},
	{NULL, NULL, 0, 0, NULL},
};

/* --- the check of the range --- */

/* 1 all, 2 all update old; net: 1 all, 3 all with merge, 4 all with mask. */
static int filter_number(const struct val *v, bool net)
{
	static const char *const names[] = {"all", "all update old",
					    "all with merge", "all with mask"};
	size_t i;

	if (v->cls != VAL_TEXT)
		return 0;
	for (i = 0; i < LENGTH_OF(names); i++)
		if (strlen(names[i]) == v->n &&
		    !strncasecmp(names[i], v->p, v->n))
			return i == 0 || net == (i >= 2) ? (int)i + 1 : 0;
	return 0;
}

static bool in_range(struct session *s, struct attached *home,
		     const struct val *from, const struct val *to,
		     const char *instance)
{
	char tables[64], times[64];
	sqlite3_stmt *st;
	struct diag d;
	bool yes = false;

	if (from->cls != VAL_BLOB || to->cls != VAL_BLOB)
		return false;
	if (cdc_table_name(s, home, "change_tables", tables, sizeof(tables),
			   &d) <= 0 ||
	    cdc_table_name(s, home, "lsn_time_mapping", times, sizeof(times),
			   &d) <= 0)
		return false;
	st = catalog_prepare(
		s, &d,
		"SELECT ?1 >= c5 AND ?1 <= ?2 AND ?2 <= (SELECT max(c1) FROM"
		" %s) FROM %s WHERE c4 = %Q COLLATE cat AND cdc_allowed_(c3,"
		" c9)",
		times, tables, instance);
	if (!st)
		return false;
	sqlite3_bind_blob64(st, 1, from->p, from->n, SQLITE_STATIC);
	sqlite3_bind_blob64(st, 2, to->p, to->n, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW)
		yes = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return yes;
}

int cdc_fill_range(struct session *s, const struct val *args, int count,
		   struct row_store *out, struct diag *d)
{
	bool net = count > 4 && args[4].i;
	int filter = count > 2 ? filter_number(&args[2], net) : 0;
	struct row_builder b = {.n = 0};
	struct database *db = NULL;
	struct attached *home;
	char name[130 * 4];

	if (count > 5)
		db = database_by_id(&s->server->registry, (int)args[5].i);
	home = session_attach(s, db ? db : s->db, d);
	if (!home)
		return -1;
	snprintf(name, sizeof(name), "%.*s", (int)args[3].n, args[3].p);
	if (!filter || !in_range(s, home, &args[0], &args[1], name)) {
		char shown[200];

		snprintf(shown, sizeof(shown),
			 "cdc.fn_cdc_get_%s_changes_ ... ",
			 net ? "net" : "all");
		return diag_set(d, 313, shown);
	}
	rb_val(&b, &args[0]);
	rb_val(&b, &args[1]);
	rb_int(&b, filter);
	rows_add(out, b.v);
	return 0;
}
