/* Properties of tables, columns and indexes. */
#include <string.h>
#include <strings.h>

#include "exec/perm.h"
#include "fn/meta.h"
#include "value/convert.h"

static bool is(const char *a, const char *b)
{
	return !strcasecmp(a, b);
}

/* A table or view with its columns, by id in the current database. */
static struct table *table_by_id(struct session *s, sqlite3_value *id)
{
	struct object o;
	struct diag d;

	if (sqlite3_value_type(id) == SQLITE_NULL ||
	    !meta_object_id(s, meta_home(s), sqlite3_value_int(id), &o))
		return NULL;
	return catalog_table(s, o.home, o.id, &d);
}

static struct table *table_by_name(struct session *s, sqlite3_value *name)
{
	struct arena pool;
	struct object o;
	struct diag d;
	struct table *t = NULL;

	arena_init(&pool, 0);
	if (meta_object(s, meta_text(&pool, 1, &name, 0), &o))
		t = catalog_table(s, o.home, o.id, &d);
	arena_release(&pool);
	return t;
}

/* --- columns --- */

static void col_length(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct table *t = table_by_name(fn_session(ctx), argv[0]);
	struct arena pool;
	const char *name;
	int at;

	if (!t)
		return;
	arena_init(&pool, 0);
	name = meta_text(&pool, argc, argv, 1);
	at = name ? table_column(t, name) : -1;
	if (at >= 0)
		sqlite3_result_int(ctx, t->columns[at].type.len);
	arena_release(&pool);
	table_unref(t);
}

static void col_name(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct table *t = table_by_id(fn_session(ctx), argv[0]);
	int at;

	(void)argc;
	if (!t)
		return;
	at = table_column_by_id(t, sqlite3_value_int(argv[1]));
	if (at >= 0)
		meta_result(ctx, t->columns[at].name);
	table_unref(t);
}

enum { NO_SUCH = -1000 }; /* the result is NULL */

/* Characters for text, bytes for the like, digits for numbers. */
static int type_property(struct type t, const char *name)
{
	bool sized = type_is_text(t) || type_is_binary(t);

	if (is(name, "Precision"))
		return !sized		    ? t.prec
		       : t.len == TYPE_MAX  ? -1
		       : type_is_unicode(t) ? t.len / 2
					    : t.len;
	if (is(name, "Scale"))
		return sized || type_is_float(t) || t.kind == TY_GUID ? NO_SUCH
								      : t.scale;
	if (is(name, "CharMaxLen"))
		return !type_is_text(t)	    ? NO_SUCH
		       : t.len == TYPE_MAX  ? -1
		       : type_is_unicode(t) ? t.len / 2
					    : t.len;
	if (is(name, "UsesAnsiTrim"))
		return sized ? 1 : NO_SUCH;
	return NO_SUCH;
}

static int column_property(const struct column *c, const char *name)
{
	static const char *const never[] = {
		"IsIdNotForRepl", "IsCursorType",	  "IsFulltextIndexed",
		"IsXmlIndexable", "StatisticalSemantics", "FullTextTypeColumn",
		"IsOutParam"};
	size_t i;

	if (is(name, "AllowsNull"))
		return c->nullable;
	if (is(name, "IsIdentity"))
		return c->identity;
	if (is(name, "IsComputed"))
		return c->computed != NULL && !c->column_set;
	if (is(name, "IsColumnSet"))
		return c->column_set;
	if (is(name, "ColumnId"))
		return c->id;
	if (is(name, "IsRowGuidCol"))
		return c->rowguid;
	if (is(name, "IsSparse"))
		return c->sparse;
	if (is(name, "IsHidden"))
		return c->hidden;
	if (is(name, "GeneratedAlwaysType"))
		return c->generated;
	if (is(name, "IsIndexable"))
		return !type_is_lob(c->type);
	if (is(name, "IsPrecise"))
		return !type_is_float(c->type);
	if (is(name, "IsDeterministic"))
		return c->computed ? c->stored : NO_SUCH;
	for (i = 0; i < LENGTH_OF(never); i++)
		if (is(name, never[i]))
			return 0;
	return type_property(c->type, name);
}

/* A procedure's or function's parameter is asked for with its @. */
static int parameter_property(struct session *s, int object, const char *param,
			      const char *name)
{
	struct attached *home = meta_home(s);
	struct object o;
	struct diag d;
	sqlite3_stmt *st;
	int n = NO_SUCH;

	if (!meta_object_id(s, home, object, &o))
		return n;
	st = catalog_prepare(s, &d,
			     "SELECT kind, prec, scale, len, output, id FROM"
			     " %s._params WHERE object_id = %d AND name = %Q",
			     home->prefix, object, param);
	if (st && sqlite3_step(st) == SQLITE_ROW) {
		struct type t = {.kind = (uint8_t)sqlite3_column_int(st, 0),
				 .prec = (uint8_t)sqlite3_column_int(st, 1),
				 .scale = (uint8_t)sqlite3_column_int(st, 2),
				 .len = sqlite3_column_int(st, 3)};

		if (is(name, "IsOutParam"))
			n = sqlite3_column_int(st, 4);
		else if (is(name, "ColumnId"))
			n = sqlite3_column_int(st, 5);
		else if (is(name, "AllowsNull"))
			n = 1;
		else
			n = type_property(t, name);
	}
	sqlite3_finalize(st);
	return n;
}

static void columnproperty(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct arena pool;
	const char *column, *property;
	struct table *t;
	int n = NO_SUCH, at;

	if (fn_null(ctx, argc, argv))
		return;
	arena_init(&pool, 0);
	column = meta_text(&pool, argc, argv, 1);
	property = meta_text(&pool, argc, argv, 2);
	if (column[0] == '@') {
		n = parameter_property(s, sqlite3_value_int(argv[0]), column,
				       property);
	} else if ((t = table_by_id(s, argv[0]))) {
		at = table_column(t, column);
		if (at >= 0)
			n = column_property(&t->columns[at], property);
		table_unref(t);
	}
	if (n != NO_SUCH)
		sqlite3_result_int(ctx, n);
	arena_release(&pool);
}

/* --- indexes --- */

static int index_property(const struct index *x, const char *name)
{
	static const char *const never[] = {
		"IndexFillFactor",     "IsPadIndex",
		"IsStatistics",	       "IsHypothetical",
		"IsAutoStatistics",    "IsColumnstore",
		"IsFulltextKey",       "IsPageLockDisallowed",
		"IsRowLockDisallowed", "IsOptimizedForSequentialKey"};
	size_t i;

	if (is(name, "IndexID"))
		return x->id;
	if (is(name, "IsUnique"))
		return x->unique;
	if (is(name, "IsClustered"))
		return x->clustered;
	if (is(name, "IsDisabled"))
		return x->disabled;
	if (is(name, "IndexDepth"))
		return 1;
	for (i = 0; i < LENGTH_OF(never); i++)
		if (is(name, never[i]))
			return 0;
	return NO_SUCH;
}

static void indexproperty(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct table *t;
	struct arena pool;
	const char *name;
	int i, n = NO_SUCH;

	if (fn_null(ctx, argc, argv))
		return;
	t = table_by_id(s, argv[0]);
	if (!t)
		return;
	arena_init(&pool, 0);
	name = meta_text(&pool, argc, argv, 1);
	for (i = 0; i < t->index_count; i++)
		if (t->indexes[i].name && is(t->indexes[i].name, name))
			n = index_property(&t->indexes[i],
					   meta_text(&pool, argc, argv, 2));
	if (n != NO_SUCH)
		sqlite3_result_int(ctx, n);
	arena_release(&pool);
	table_unref(t);
}

static void index_col(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct table *t;
	int i, key;

	if (fn_null(ctx, argc, argv))
		return;
	t = table_by_name(fn_session(ctx), argv[0]);
	if (!t)
		return;
	key = sqlite3_value_int(argv[2]);
	for (i = 0; i < t->index_count; i++) {
		const struct index *x = &t->indexes[i];

		if (x->id == sqlite3_value_int(argv[1]) && key >= 1 &&
		    key <= x->keys && x->columns[key - 1].column >= 0)
			meta_result(
				ctx,
				t->columns[x->columns[key - 1].column].name);
	}
	table_unref(t);
}

/* --- objects --- */

static bool has_column(const struct table *t, const char *name)
{
	int i;

	for (i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];

		if ((is(name, "TableHasDefaultCnst") && c->default_id) ||
		    (is(name, "TableHasRowGuidCol") && c->rowguid) ||
		    (is(name, "TableHasTextImage") && type_is_lob(c->type)))
			return true;
	}
	return false;
}

static bool has_index(const struct table *t, const char *name)
{
	int i;

	for (i = 0; i < t->index_count; i++) {
		const struct index *x = &t->indexes[i];

		if (is(name, "TableHasIndex") || is(name, "IsIndexed") ||
		    (is(name, "TableHasPrimaryKey") && x->primary) ||
		    (is(name, "TableHasClustIndex") && x->clustered) ||
		    (is(name, "TableHasNonclustIndex") && !x->clustered) ||
		    (is(name, "TableHasUniqueCnst") && x->constraint &&
		     !x->primary))
			return true;
	}
	return false;
}

static bool has_trigger(const struct table *t, const char *name)
{
	int i;

	for (i = 0; i < t->trigger_count; i++) {
		const struct trigger *g = &t->triggers[i];

		if ((is(name, "TableHasInsertTrigger") && g->on_insert) ||
		    (is(name, "TableHasUpdateTrigger") && g->on_update) ||
		    (is(name, "TableHasDeleteTrigger") && g->on_delete))
			return true;
	}
	return false;
}

static int table_property(const struct table *t, const char *name)
{
	static const char *const with_index[] = {
		"TableHasIndex",      "IsIndexed",
		"TableHasPrimaryKey", "TableHasClustIndex",
		"TableHasUniqueCnst", "TableHasNonclustIndex"};
	static const char *const with_column[] = {"TableHasDefaultCnst",
						  "TableHasRowGuidCol",
						  "TableHasTextImage"};
	static const char *const with_trigger[] = {"TableHasInsertTrigger",
						   "TableHasUpdateTrigger",
						   "TableHasDeleteTrigger"};
	static const char *const never[] = {
		"TableIsFake", "TableIsPinned", "TableHasActiveFulltextIndex",
		"TableIsMemoryOptimized", "TableHasVarDecimalStorageFormat"};
	size_t i;

	if (is(name, "TableHasColumnSet"))
		return t->set_column >= 0;
	if (is(name, "TableTemporalType"))
		return t->temporal;
	if (is(name, "TableHasIdentity"))
		return t->identity_column >= 0;
	if (is(name, "TableHasTimestamp"))
		return t->rowversion_column >= 0;
	if (is(name, "TableHasCheckCnst"))
		return t->check_count > 0;
	if (is(name, "TableHasForeignKey"))
		return t->out_count > 0;
	if (is(name, "TableHasForeignRef"))
		return t->in_count > 0;
	for (i = 0; i < LENGTH_OF(with_index); i++)
		if (is(name, with_index[i]))
			return has_index(t, name);
	for (i = 0; i < LENGTH_OF(with_column); i++)
		if (is(name, with_column[i]))
			return has_column(t, name);
	for (i = 0; i < LENGTH_OF(with_trigger); i++)
		if (is(name, with_trigger[i]))
			return has_trigger(t, name);
	for (i = 0; i < LENGTH_OF(never); i++)
		if (is(name, never[i]))
			return 0;
	return NO_SUCH;
}

/* Properties that say what kind of object it is. */
static const struct {
	const char *name, *types; /* blanks around each */
} kinds[] = {
	{"IsTable", " U S "},
	{"IsUserTable", " U "},
	{"IsSystemTable", " S "},
	{"IsView", " V "},
	{"IsProcedure", " P "},
	{"IsScalarFunction", " FN "},
	{"IsInlineFunction", " IF "},
	{"IsTableFunction", " IF TF "},
	{"IsTrigger", " TR "},
	{"IsConstraint", " C D F PK UQ "},
	{"IsPrimaryKey", " PK "},
	{"IsUniqueCnst", " UQ "},
	{"IsForeignKey", " F "},
	{"IsCheckCnst", " C "},
	{"IsDefaultCnst", " D "},
	{"IsExtendedProc", " X "},
	{"IsExecuted", " P V FN IF TF TR "},
	{"IsDeterministic", "  "},
	{"IsReplProc", "  "},
};

/* What the catalog has a column for: its expression in SQLite. */
static const struct {
	const char *name, *sql;
} flags[] = {
	{"IsMSShipped", "is_ms"},
	{"SchemaId", "schema_id"},
	{"OwnerId", "1"},
	{"CnstIsDisabled", "disabled"},
	{"CnstIsNotTrusted", "untrusted"},
	{"ExecIsTriggerDisabled", "disabled"},
	{"IsSchemaBound", "coalesce(extra = 'schemabinding', 0)"},
	{"IsQuotedIdentOn", "coalesce(quoted, 1)"},
	{"ExecIsQuotedIdentOn", "quoted"},
	{"IsAnsiNullsOn", "coalesce(ansi_nulls, 1)"},
	{"ExecIsAnsiNullsOn", "ansi_nulls"},
	{"IsSystemNamed", "system_named"},
};

static int object_property(struct session *s, const struct object *o,
			   const char *name)
{
	struct table *t;
	struct diag d;
	char type[8];
	int64_t n = NO_SUCH;
	size_t i;

	sqlite3_snprintf(sizeof(type), type, " %s ", o->type);
	for (i = 0; i < LENGTH_OF(kinds); i++)
		if (is(name, kinds[i].name))
			return strstr(kinds[i].types, type) != NULL;
	for (i = 0; i < LENGTH_OF(flags); i++)
		if (is(name, flags[i].name)) {
			catalog_int(s, &d, &n,
				    "SELECT %s FROM %s._objects WHERE id = %d",
				    flags[i].sql, o->home->prefix, o->id);
			return (int)n;
		}
	if (strcmp(o->type, "U") != 0 && strcmp(o->type, "V") != 0)
		return NO_SUCH;
	t = catalog_table(s, o->home, o->id, &d);
	if (!t)
		return NO_SUCH;
	n = table_property(t, name);
	table_unref(t);
	return (int)n;
}

static void objectproperty(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct arena pool;
	struct object o;
	int n;

	if (fn_null(ctx, argc, argv) ||
	    !meta_object_id(s, meta_home(s), sqlite3_value_int(argv[0]), &o))
		return;
	arena_init(&pool, 0);
	n = object_property(s, &o, meta_text(&pool, argc, argv, 1));
	if (n != NO_SUCH)
		sqlite3_result_int(ctx, n);
	arena_release(&pool);
}

/* The same as sql_variant, and two more. */
static void objectpropertyex(sqlite3_context *ctx, int argc,
			     sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct arena pool;
	struct object o;
	struct table *t;
	struct diag d;
	const char *name;
	char phys[64];
	int64_t n = NO_SUCH;

	if (fn_null(ctx, argc, argv) ||
	    !meta_object_id(s, meta_home(s), sqlite3_value_int(argv[0]), &o))
		return;
	arena_init(&pool, 0);
	name = meta_text(&pool, argc, argv, 1);
	if (is(name, "BaseType")) {
		struct val v = val_text(o.type, strlen(o.type));

		meta_variant(ctx, &v, type_char(TY_CHAR, 2, 1));
	} else if (is(name, "Cardinality") && !strcmp(o.type, "U")) {
		t = catalog_table(s, o.home, o.id, &d);
		if (t && catalog_int(s, &d, &n, "SELECT count(*) FROM %s",
				     table_phys(t, phys, sizeof(phys))) == 0) {
			struct val v = val_int(n);

			meta_variant(ctx, &v, type_of(TY_BIGINT));
		}
		table_unref(t);
	} else {
		n = object_property(s, &o, name);
		if (n != NO_SUCH)
			meta_variant_int(ctx, n);
	}
	arena_release(&pool);
}

/* --- identity --- */

static const struct column *identity_of(const struct table *t)
{
	return t && t->identity_column >= 0 ? &t->columns[t->identity_column]
					    : NULL;
}

/* The last value given out by anyone; the seed when there was none. */
static void ident_current(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct table *t = table_by_name(s, argv[0]);
	const struct column *c = identity_of(t);
	bool known = false;
	struct diag d;
	int64_t n = 0;

	(void)argc;
	if (c) {
		n = c->seed;
		if (t->db)
			n = identity_get(t->db, t->id, &known);
		if (!known) {
			n = c->seed;
			catalog_int(s, &d, &n,
				    "SELECT last FROM %s._identity WHERE"
				    " object_id = %d AND last IS NOT NULL",
				    t->home->prefix, t->id);
		}
		meta_result_numeric(ctx, n);
	}
	table_unref(t);
}

static void ident_part(sqlite3_context *ctx, sqlite3_value *name, bool seed)
{
	struct table *t = table_by_name(fn_session(ctx), name);
	const struct column *c = identity_of(t);

	if (c)
		meta_result_numeric(ctx, seed ? c->seed : c->increment);
	table_unref(t);
}

static void ident_seed(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	ident_part(ctx, argv[0], true);
}

static void ident_incr(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	ident_part(ctx, argv[0], false);
}

static const struct fn_def defs[] = {
	{"col_length_", 2, 0, col_length},
	{"col_name_", 2, 0, col_name},
	{"columnproperty_", 3, 0, columnproperty},
	{"indexproperty_", 3, 0, indexproperty},
	{"index_col_", 3, 0, index_col},
	{"objectproperty_", 2, 0, objectproperty},
	{"objectpropertyex_", 2, 0, objectpropertyex},
	{"ident_current_", 1, 0, ident_current},
	{"ident_seed_", 1, 0, ident_seed},
	{"ident_incr_", 1, 0, ident_incr},
};

void fn_register_columns(struct session *s)
{
	fn_register(s, defs, (int)LENGTH_OF(defs));
}
