/*
 * sys.fn_cdc_…: most are a subquery over the cdc tables, which SQLite then
 * runs once for a statement and not once for each row.
 */
#include <string.h>
#include <strings.h>

#include "cdc/capture.h"
#include "cdc/log.h"
#include "cdc/tracking_fn.h"
#include "exec/perm.h"
#include "fn/fn.h"
#include "plan/builtin.h"
#include "value/collation.h"

static struct type lsn_type(void)
{
	return type_char(TY_BINARY, LSN_SIZE, 0);
}

/* The SQLite name of a cdc table; NULL: failed, 208. */
static const char *table(struct tr *t, const char *name)
{
	struct attached *home = session_attach(t->s, t->s->db, t->d);
	char phys[64];
	int found;

	if (!home) {
		t->failed = true;
		return NULL;
	}
	tr_use_home(t, home, 0);
	if (t->failed)
		return NULL;
	found = cdc_table_name(t->s, home, name, phys, sizeof(phys), t->d);
	if (found < 0)
		t->failed = true;
	else if (!found)
		tr_fail(t, 208, tr_printf(t, "cdc.%s", name), NULL);
	t->deterministic = false;
	return t->failed ? NULL : tr_printf(t, "%s", phys);
}

/* An argument as some type. */
static struct ex arg(struct tr *t, const struct expr *e, int n,
		     struct type type)
{
	struct ex a = tr_expr(t, call_arg(e, n));

	if (!t->failed && type_is_binary(type) && type_is_text(a.type))
		return tr_convert(t, a, type);
	return t->failed ? a : tr_implicit(t, a, type);
}

static struct ex max_lsn(struct tr *t, const struct expr *e)
{
	const char *times = table(t, "lsn_time_mapping");

	(void)e;
	if (!times)
		return tr_nothing();
	return builtin_call(t, lsn_type(), "(SELECT max(c1) FROM %s)", times);
}

static struct ex min_lsn(struct tr *t, const struct expr *e)
{
	const char *tables = table(t, "change_tables");
	struct ex name = arg(t, e, 0, type_sysname());

	if (!tables || t->failed)
		return tr_nothing();
	return builtin_call(t, lsn_type(),
			    "ifnull((SELECT c5 FROM %s WHERE c4 = %s COLLATE"
			    " cat AND cdc_allowed_(c3, c9)), zeroblob(10))",
			    tables, name.sql);
}

static struct ex step_lsn(struct tr *t, const struct expr *e, int step)
{
	struct ex lsn = arg(t, e, 0, lsn_type());

	if (t->failed)
		return tr_nothing();
	return builtin_call(t, lsn_type(), "cdc_step_(%s, %d)", lsn.sql, step);
}

static struct ex increment_lsn(struct tr *t, const struct expr *e)
{
	return step_lsn(t, e, 1);
}

static struct ex decrement_lsn(struct tr *t, const struct expr *e)
{
	return step_lsn(t, e, -1);
}

static struct ex lsn_to_time(struct tr *t, const struct expr *e)
{
	const char *times = table(t, "lsn_time_mapping");
	struct ex lsn = arg(t, e, 0, lsn_type());

	if (!times || t->failed)
		return tr_nothing();
	return builtin_call(t, type_of(TY_DATETIME),
			    "(SELECT c3 FROM %s WHERE c1 = %s)", times,
			    lsn.sql);
}

static struct ex time_to_lsn(struct tr *t, const struct expr *e)
{
	const char *times = table(t, "lsn_time_mapping"), *how;
	struct ex op =
		arg(t, e, 0, type_char(TY_NVARCHAR, 60, COLLATION_DEFAULT));
	struct ex at = arg(t, e, 1, type_of(TY_DATETIME));

	if (!times || t->failed)
		return tr_nothing();
	how = tr_printf(t, "cdc_relation_(%s)", op.sql);
	return builtin_call(
		t, lsn_type(),
		"(CASE %s WHEN 1 THEN (SELECT max(c1) FROM %s WHERE c3 < %s)"
		" WHEN 2 THEN (SELECT max(c1) FROM %s WHERE c3 <= %s)"
		" WHEN 3 THEN (SELECT min(c1) FROM %s WHERE c3 > %s)"
		" WHEN 4 THEN (SELECT min(c1) FROM %s WHERE c3 >= %s) END)",
		how, times, at.sql, times, at.sql, times, at.sql, times,
		at.sql);
}

/* The place of a captured column in the mask, as SQL. */
static const char *ordinal(struct tr *t, const struct expr *e)
{
	const char *tables = table(t, "change_tables");
	const char *columns = table(t, "captured_columns");
	struct ex name = arg(t, e, 0, type_sysname());
	struct ex column = arg(t, e, 1, type_sysname());

	if (!tables || !columns || t->failed)
		return NULL;
	return tr_printf(t,
			 "(SELECT k.c5 FROM %s k JOIN %s i ON i.c1 = k.c1"
			 " WHERE i.c4 = %s COLLATE cat AND k.c2 = %s COLLATE"
			 " cat)",
			 columns, tables, name.sql, column.sql);
}

static struct ex column_ordinal(struct tr *t, const struct expr *e)
{
	const char *sql = ordinal(t, e);

	return sql ? tr_ex(sql, type_of(TY_INT), true) : tr_nothing();
}

static struct ex column_changed(struct tr *t, const struct expr *e)
{
	const char *sql = ordinal(t, e);
	struct ex mask = arg(t, e, 2, type_char(TY_VARBINARY, 128, 0));

	if (!sql || t->failed)
		return tr_nothing();
	return builtin_call(t, type_of(TY_BIT), "cdc_bit_(%s, %s)", sql,
			    mask.sql);
}

static struct ex is_bit_set(struct tr *t, const struct expr *e)
{
	struct ex at = arg(t, e, 0, type_of(TY_INT));
	struct ex mask = arg(t, e, 1, type_char(TY_VARBINARY, 128, 0));

	if (t->failed)
		return tr_nothing();
	return builtin_call(t, type_of(TY_BIT), "cdc_bit_(%s, %s)", at.sql,
			    mask.sql);
}

#define CUSTOM(name, min, max, fn)                           \
	{                                                    \
		name, min, max, "", "", "", fn, false, false \
	}

const struct builtin builtins_cdc[] = {
	CUSTOM("fn_cdc_get_max_lsn", 0, 0, max_lsn),
	CUSTOM("fn_cdc_get_min_lsn", 1, 1, min_lsn),
	CUSTOM("fn_cdc_increment_lsn", 1, 1, increment_lsn),
	CUSTOM("fn_cdc_decrement_lsn", 1, 1, decrement_lsn),
	CUSTOM("fn_cdc_map_lsn_to_time", 1, 1, lsn_to_time),
	CUSTOM("fn_cdc_map_time_to_lsn", 2, 2, time_to_lsn),
	CUSTOM("fn_cdc_get_column_ordinal", 2, 2, column_ordinal),
	CUSTOM("fn_cdc_has_column_changed", 3, 3, column_changed),
	CUSTOM("fn_cdc_is_bit_set", 2, 2, is_bit_set),
	CUSTOM("CHANGE_TRACKING_CURRENT_VERSION", 0, 0,
	       tracking_current_version),
	CUSTOM("CHANGE_TRACKING_MIN_VALID_VERSION", 1, 1, tracking_min_version),
	CUSTOM("CHANGE_TRACKING_IS_COLUMN_IN_MASK", 2, 2, tracking_in_mask),
	{NULL, 0, 0, NULL, NULL, NULL, NULL, false, false},
};

/* --- what they call --- */

/* cdc_allowed_(source, role): may the caller see the instance? */
static void fn_allowed(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	const char *role = (const char *)sqlite3_value_text(argv[1]);
	struct attached *home;
	struct object o;
	struct diag d;
	bool yes = false;

	(void)argc;
	home = session_attach(s, s->db, &d);
	if (home && perm_is_owner(s, home))
		yes = true;
	else if (home && (!role || perm_in_role(s, home, role)) &&
		 catalog_find_id(s, home, sqlite3_value_int(argv[0]), &o, &d) >
			 0)
		yes = perm_has(s, home, 1, o.id, o.schema_id, "SELECT");
	sqlite3_result_int(ctx, yes);
}

/* cdc_step_(lsn, 1 or -1) */
static void fn_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	unsigned char lsn[LSN_SIZE] = {0};
	int step = sqlite3_value_int(argv[1]);
	int n = sqlite3_value_bytes(argv[0]), i;

	if (fn_null(ctx, argc, argv))
		return;
	memcpy(lsn, sqlite3_value_blob(argv[0]),
	       (size_t)(n > LSN_SIZE ? LSN_SIZE : n));
	for (i = LSN_SIZE - 1; i >= 0; i--) {
		lsn[i] = (unsigned char)(lsn[i] + step);
		if (lsn[i] != (step > 0 ? 0 : 0xFF))
			break;
	}
	sqlite3_result_blob(ctx, lsn, LSN_SIZE, SQLITE_TRANSIENT);
}

/* cdc_relation_('largest less than' …) */
static void fn_relation(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	static const char *const names[] = {
		"largest less than", "largest less than or equal",
		"smallest greater than", "smallest greater than or equal"};
	const char *text = (const char *)sqlite3_value_text(argv[0]);
	size_t i;

	if (fn_null(ctx, argc, argv))
		return;
	for (i = 0; i < LENGTH_OF(names); i++)
		if (!strcasecmp(names[i], text))
			sqlite3_result_int(ctx, (int)i + 1);
}

/* cdc_bit_(place from 1, mask) */
static void fn_bit(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	int at = sqlite3_value_int(argv[0]) - 1;
	const unsigned char *mask = sqlite3_value_blob(argv[1]);
	int n = sqlite3_value_bytes(argv[1]);

	if (fn_null(ctx, argc, argv))
		return;
	sqlite3_result_int(ctx, at >= 0 && at / 8 < n &&
					(mask[n - 1 - at / 8] >> at % 8 & 1));
}

/* cdc_or_(mask): all bits of a group. */
struct or_state {
	unsigned char mask[128];
	int size;
};

static void or_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct or_state *o = sqlite3_aggregate_context(ctx, sizeof(*o));
	const unsigned char *mask = sqlite3_value_blob(argv[0]);
	int n = sqlite3_value_bytes(argv[0]), i;

	(void)argc;
	if (!o || !mask || n > (int)sizeof(o->mask))
		return;
	o->size = n;
	for (i = 0; i < n; i++)
		o->mask[i] |= mask[i];
}

static void or_final(sqlite3_context *ctx)
{
	struct or_state *o = sqlite3_aggregate_context(ctx, 0);

	if (o && o->size)
		sqlite3_result_blob(ctx, o->mask, o->size, SQLITE_TRANSIENT);
}

void fn_register_cdc(struct session *s)
{
	static const struct fn_def defs[] = {
		{"cdc_allowed_", 2, 0, fn_allowed},
		{"cdc_step_", 2, FN_PURE, fn_step},
		{"cdc_relation_", 1, FN_PURE, fn_relation},
		{"cdc_bit_", 2, FN_PURE, fn_bit},
	};

	fn_register(s, defs, (int)LENGTH_OF(defs));
	fn_register_tracking(s);
	sqlite3_create_function_v2(s->sql, "cdc_or_", 1, SQLITE_UTF8, s, NULL,
				   or_step, or_final, NULL);
}
