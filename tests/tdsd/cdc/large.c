#include "cdc/large.h"

#include <stdlib.h>

#include "cdc/capture.h"
#include "exec/security.h"
#include "value/codepage.h"
#include "value/collation.h"
#include "value/utf.h"

static bool has_large(const struct table *t)
{
	int i;

	for (i = 0; i < t->count; i++)
		if (type_is_lob(t->columns[i].type))
			return true;
	return false;
}

int large_limit_init(struct large_limit *l, struct session *s, struct table *t,
		     struct diag *d)
{
	char tables[64], columns[64];
	sqlite3_stmt *st;
	int at;

	if (!t->tracked_by_cdc || !has_large(t))
		return 0;
	l->maximum = server_config_get(s->server, "max text repl size (B)");
	if (l->maximum < 0)
		return 0;
	if (cdc_need_table(s, t->home, "change_tables", tables, sizeof(tables),
			   d) < 0 ||
	    cdc_need_table(s, t->home, "captured_columns", columns,
			   sizeof(columns), d) < 0)
		return -1;
	st = catalog_prepare(s, d,
			     "SELECT k.c3 FROM %s k JOIN %s i ON k.c1 = i.c1"
			     " WHERE i.c3 = %d",
			     columns, tables, t->id);
	if (!st)
		return -1;
	l->columns = mem_calloc((size_t)t->count + 1, sizeof(bool));
	while (sqlite3_step(st) == SQLITE_ROW) {
		at = table_column_by_id(t, sqlite3_column_int(st, 0));
		if (at >= 0 && type_is_lob(t->columns[at].type))
			l->columns[at] = true;
	}
	sqlite3_finalize(st);
	return 0;
}

void large_limit_release(struct large_limit *l)
{
	free(l->columns);
	l->columns = NULL;
}

static int64_t bytes_of(struct type t, const struct val *v)
{
	if (v->cls == VAL_BLOB)
		return (int64_t)v->n;
	if (v->cls != VAL_TEXT)
		return 0;
	if (type_is_unicode(t))
		return (int64_t)utf_units(v->p, v->n) * 2;
	return (int64_t)codepage_bytes(collation_get(t.coll)->page, v->p, v->n);
}

int large_limit_check(const struct large_limit *l, const struct table *t,
		      const struct val *row, const bool *set, struct diag *d)
{
	int i;

	for (i = 0; l->columns && i < t->count; i++) {
		int64_t bytes;

		if (!l->columns[i] || (set && !set[i]))
			continue;
		bytes = bytes_of(t->columns[i].type, &row[i]);
		if (bytes > l->maximum)
			return diag_set(d, 7139, (int)bytes, (int)l->maximum);
	}
	return 0;
}
