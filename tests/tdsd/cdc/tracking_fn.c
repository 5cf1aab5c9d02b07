/* CHANGETABLE and the functions of change tracking. */
#include <string.h>
#include <strings.h>

#include "cdc/log.h"
#include "cdc/tracking_fn.h"
#include "exec/perm.h"
#include "fn/fn.h"
#include "plan/builtin.h"
#include "plan/tvf.h"
#include "value/collation.h"

static void set_column(struct rel *rel, const char *name, struct type type,
		       bool nullable)
{
	struct out_column *o = &rel->columns[rel->count++];

	o->name = name;
	o->type = type;
	o->nullable = nullable;
}

static struct rel *changes(struct tr *t, const struct table_ref *ref,
			   struct table *table)
{
	const struct index *pk = table_primary_key(table);
	struct rel *rel = pool_alloc(t->pool, sizeof(*rel));
	struct ex version = tvf_arg(t, ref, 0, 'I');
	const char *list = "";
	int i;

	if (t->failed)
		return NULL;
	rel->columns = pool_alloc(t->pool, 40 * sizeof(*rel->columns));
	set_column(rel, "SYS_CHANGE_VERSION", type_of(TY_BIGINT), true);
	set_column(rel, "SYS_CHANGE_CREATION_VERSION", type_of(TY_BIGINT),
		   true);
	set_column(rel, "SYS_CHANGE_OPERATION",
		   type_char(TY_NCHAR, 2, COLLATION_DEFAULT), true);
	set_column(rel, "SYS_CHANGE_COLUMNS", type_char(TY_VARBINARY, 4100, 0),
		   true);
	set_column(rel, "SYS_CHANGE_CONTEXT", type_char(TY_VARBINARY, 128, 0),
		   true);
	for (i = 0; pk && i < pk->keys; i++) {
		const struct column *c = &table->columns[pk->columns[i].column];

		set_column(rel, c->name, c->type, false);
	}
	for (i = 0; i < rel->count; i++)
		list = tr_printf(t, "%s%sc%d AS x%d", list, i ? "," : "", i,
				 i + 1);
	rel->sql = tr_printf(t, "SELECT %s FROM rows('ct_changes',%d,%d,%s)",
			     list, table->db->id, table->id, version.sql);
	return rel;
}

struct rel *tvf_changetable(struct tr *t, const struct table_ref *ref)
{
	struct table *table = tr_find_table(t, &ref->name);
	struct diag d;

	if (!table)
		return NULL;
	if (strcmp(table->type, "U") != 0)
		return tr_fail(t, 22107, table->name, NULL), NULL;
	if (!table->change_tracking)
		return tr_fail(t, 22105, table->name, NULL), NULL;
	if (!ref->alias)
		return tr_fail(t, 22104, NULL), NULL;
	if (perm_check(t->s, table, PERM_SELECT, &d) < 0 ||
	    perm_check(t->s, table, PERM_VIEW_CHANGE_TRACKING, &d) < 0) {
		*t->d = d;
		t->failed = true;
		return NULL;
	}
	if (ref->changes_version)
		return tr_fail(t, 40517, "CHANGETABLE(VERSION …)", NULL), NULL;
	return changes(t, ref, table);
}

/* --- functions --- */

static struct attached *here(struct tr *t)
{
	struct attached *home = session_attach(t->s, t->s->db, t->d);

	if (!home)
		t->failed = true;
	else
		tr_use_home(t, home, 0);
	t->deterministic = false;
	return t->failed ? NULL : home;
}

struct ex tracking_current_version(struct tr *t, const struct expr *e)
{
	struct attached *home = here(t);

	(void)e;
	if (!home)
		return tr_nothing();
	return builtin_call(t, type_of(TY_BIGINT), "ct_current_(%d)",
			    home->db->id);
}

struct ex tracking_min_version(struct tr *t, const struct expr *e)
{
	struct ex id = builtin_arg(t, e->args, 'i', 1,
				   "change_tracking_min_valid_version");
	struct attached *home = here(t);

	if (!home || t->failed)
		return tr_nothing();
	return builtin_call(t, type_of(TY_BIGINT),
			    "(SELECT ct_min FROM %s._objects WHERE id = %s AND"
			    " ct = 1 AND ct_allowed_(id, schema_id,"
			    " 'VIEW CHANGE TRACKING'))",
			    home->prefix, id.sql);
}

struct ex tracking_in_mask(struct tr *t, const struct expr *e)
{
	struct ex id = builtin_arg(t, e->args, 'i', 1,
				   "change_tracking_is_column_in_mask");
	struct ex mask = builtin_arg(t, call_arg(e, 1), 'b', 2,
				     "change_tracking_is_column_in_mask");

	if (t->failed)
		return tr_nothing();
	return builtin_call(t, type_of(TY_BIT), "ct_in_mask_(%s, %s)", id.sql,
			    mask.sql);
}

/* What is committed: a change of the caller's own transaction is not. */
static void fn_current(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	int64_t version = 0;
	struct attached *a;
	struct diag d;

	(void)argc;
	for (a = s->attached; a; a = a->next)
		if (a->db && a->db->id == sqlite3_value_int(argv[0]))
			break;
	if (!a || !a->db->change_tracking)
		return;
	if (log_tracking_committed(s, a, &version, &d) < 0)
		fn_fail(ctx, &d);
	else
		sqlite3_result_int64(ctx, version);
}

static void fn_in_mask(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const unsigned char *mask = sqlite3_value_blob(argv[1]);
	int n = sqlite3_value_bytes(argv[1]), id = sqlite3_value_int(argv[0]);
	int i, yes = sqlite3_value_type(argv[1]) == SQLITE_NULL;

	(void)argc;
	for (i = 0; mask && i + 4 <= n; i += 4)
		if ((mask[i] | mask[i + 1] << 8) == id)
			yes = 1;
	sqlite3_result_int(ctx, yes);
}

/* ct_allowed_(id, schema, permission): has the caller got that on the table? */
static void fn_allowed(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	int id = sqlite3_value_int(argv[0]);
	int schema = sqlite3_value_int(argv[1]);
	struct diag d;
	struct attached *home = session_attach(s, s->db, &d);

	(void)argc;
	sqlite3_result_int(
		ctx,
		home && perm_has(s, home, 1, id, schema,
				 (const char *)sqlite3_value_text(argv[2])));
}

void fn_register_tracking(struct session *s)
{
	static const struct fn_def defs[] = {
		{"ct_current_", 1, 0, fn_current},
		{"ct_in_mask_", 2, FN_PURE, fn_in_mask},
		{"ct_allowed_", 3, 0, fn_allowed},
	};

	fn_register(s, defs, (int)LENGTH_OF(defs));
}
