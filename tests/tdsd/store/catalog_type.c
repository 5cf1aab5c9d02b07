/* Types by their names: system types, and the aliases of a database. */
#include "store/catalog.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "base/text.h"
#include "dml/ops.h"
#include "exec/perm.h"
#include "exec/server.h"
#include "value/collation.h"

static int alias_type(struct session *s, const struct type_ref *ref,
		      struct type *out, bool *not_null, struct diag *d)
{
	const struct name *n = &ref->name;
	struct attached *home = session_attach(s, s->db, d);
	const char *schema = n->count > 1 ? n->part[n->count - 2] : "dbo";
	sqlite3_stmt *st;
	int found = 0;

	if (!home)
		return -1;
	st = catalog_prepare(
		s, d,
		"SELECT t.kind, t.prec, t.scale, t.len, t.collation, t.id,"
		" t.nullable FROM %s._types t JOIN %s._schemas s"
		" ON s.id = t.schema_id WHERE t.name = %Q AND s.name = %Q",
		home->prefix, home->prefix, n->part[n->count - 1], schema);
	if (!st)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW) {
		*out = catalog_read_type(st, 0);
		if (not_null && !sqlite3_column_int(st, 6))
			*not_null = true;
		found = 1;
	}
	sqlite3_finalize(st);
	return found;
}

/* Length, precision and scale as written, checked. */
static int sized_type(const struct type_ref *ref, int ordinal, const char *what,
		      enum type_kind kind, struct type *out, struct diag *d)
{
	const char *name = ref->name.part[ref->name.count - 1];
	int limit = kind == TY_NCHAR || kind == TY_NVARCHAR ? 4000 : 8000;

	*out = type_of(kind);
	if (type_has_length(kind)) {
		bool variable = kind == TY_VARBINARY || kind == TY_VARCHAR ||
				kind == TY_NVARCHAR;
		int n = ref->args ? ref->a : 1;

		if (ref->max && variable) {
			out->len = TYPE_MAX;
			return 0;
		}
		if (ref->max || ref->args > 1 || n < 1)
			return diag_set(d, 1001, ref->name.line, n);
		if (n > limit)
			return limit == 4000
				       ? diag_set(d, 2717, n, what, name, 4000)
				       : diag_set(d, 131, n, what, name);
		out->len = limit == 4000 ? n * 2 : n;
		return 0;
	}
	if (type_is_decimal(*out)) {
		int prec = ref->args ? ref->a : 18;
		int scale = ref->args > 1 ? ref->b : 0;

		if (prec > 38)
			return diag_set(d, 2750, ordinal, prec);
		if (prec < 1)
			return diag_set(d, 1001, ref->name.line, prec);
		if (scale > prec || scale < 0)
			return diag_set(d, 2751, ordinal, scale, prec);
		*out = type_decimal(prec, scale);
		out->kind = (uint8_t)kind;
		return 0;
	}
	if (kind == TY_FLOAT && ref->args) {
		if (ref->a < 1 || ref->a > 53)
			return diag_set(d, 1001, ref->name.line, ref->a);
		*out = type_of(ref->a <= 24 ? TY_REAL : TY_FLOAT);
		return 0;
	}
	if (kind == TY_TIME || kind == TY_DATETIME2 ||
	    kind == TY_DATETIMEOFFSET) {
		if (ref->args && (ref->a < 0 || ref->a > 7))
			return diag_set(d, 1002, ref->name.line, ref->a);
		*out = type_scaled(kind, ref->args ? ref->a : 7);
		return 0;
	}
	if (ref->args && kind != TY_XML)
		return diag_set(d, 2716, ordinal, name);
	return 0;
}

int catalog_type(struct session *s, const struct type_ref *ref, int ordinal,
		 const char *what, struct type *out, bool *not_null,
		 struct diag *d)
{
	const char *name = ref->name.part[ref->name.count - 1];
	bool system = ref->name.count == 1 ||
		      !strcasecmp(ref->name.part[ref->name.count - 2], "sys");
	enum type_kind kind = system ? type_kind_find(name) : TY_NONE;
	int found;

	if (kind >= TY_HIERARCHYID) {
		if (!ordinal || strcmp(what, "column") != 0)
			return diag_set(d, 40517, name);
		*out = type_of(kind);
		out->user = (uint16_t)(128 + kind - TY_HIERARCHYID);
		return 0;
	}
	if (kind != TY_NONE) {
		if (sized_type(ref, ordinal, what, kind, out, d) < 0) {
			d->line = ref->name.line;
			return -1;
		}
		if (!strcasecmp(name, "sysname"))
			*out = type_sysname();
		if (type_is_text(*out) && s->db)
			out->coll = (uint16_t)s->db->collation;
		if (not_null && !strcasecmp(name, "sysname"))
			*not_null = true;
		return 0;
	}
	found = alias_type(s, ref, out, not_null, d);
	if (found > 0)
		return 0;
	if (!found) {
		if (ordinal)
			diag_set(d, 2715, ordinal, name);
		else
			diag_set(d, 243, name);
		d->line = ref->name.line;
	}
	return -1;
}
