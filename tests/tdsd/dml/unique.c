/*
 * SQLite says which columns were not unique; the server says which constraint
 * or index. So every unique index is asked for the row's key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dml/write.h"
#include "exec/run.h"
#include "value/collation.h"

/* "(1, abc)" as the server shows a key. */
static void show_key(struct write *w, const struct index *x,
		     const struct val *row, struct strbuf *sb)
{
	int i;

	strbuf_addch(sb, '(');
	for (i = 0; i < x->keys; i++) {
		const struct column *c = &w->t->columns[x->columns[i].column];
		const struct val *v = &row[x->columns[i].column];
		struct type text =
			type_char(TY_NVARCHAR, 512, COLLATION_DEFAULT);
		struct convert cv = session_convert(w->s);
		struct strbuf mem;
		struct val out;
		struct diag ignored;

		strbuf_init(&mem);
		cv.mem = &mem;
		cv.style = type_is_binary(c->type) ? 1 : -1;
		strbuf_addstr(sb, i ? ", " : "");
		if (v->cls == VAL_NULL)
			strbuf_addstr(sb, "<NULL>");
		else if (!convert_value(&cv, v, c->type, text, &out, &ignored))
			strbuf_add(sb, out.p, out.n);
		strbuf_release(&mem);
	}
	strbuf_addch(sb, ')');
}

/* Is there a row with this key already? */
static bool key_exists(struct write *w, const struct index *x,
		       const struct val *row)
{
	struct strbuf sb;
	struct diag d;
	sqlite3_stmt *st;
	char phys[64];
	bool found = false;
	int i;

	strbuf_init(&sb);
	for (i = 0; i < x->keys; i++) {
		const struct column *c = &w->t->columns[x->columns[i].column];

		strbuf_addf(&sb, "%sc%d", i ? " AND " : "", c->phys);
		if (type_is_text(c->type))
			strbuf_addf(&sb, " COLLATE \"%s\"",
				    collation_get(c->type.coll)->name);
		strbuf_addf(&sb, " IS ?%d", i + 1);
	}
	st = catalog_prepare(w->s, &d, "SELECT 1 FROM %s WHERE %s LIMIT 1",
			     table_phys(w->t, phys, sizeof(phys)), sb.data);
	strbuf_release(&sb);
	if (!st)
		return false;
	for (i = 0; i < x->keys; i++)
		run_bind_val(st, i + 1, &row[x->columns[i].column]);
	found = sqlite3_step(st) == SQLITE_ROW;
	sqlite3_finalize(st);
	return found;
}

int unique_error(struct write *w, const struct val *row, int rc, struct diag *d)
{
	struct table *t = w->t;
	struct strbuf key;
	int i;

	for (i = 0; i < t->index_count; i++) {
		const struct index *x = &t->indexes[i];

		if (!x->unique || x->disabled || !key_exists(w, x, row))
			continue;
		if (x->ignore_dup && w->op == 'I')
			return 1;
		strbuf_init(&key);
		show_key(w, x, row, &key);
		if (x->constraint)
			diag_free_text(d, 2627, 14, 1,
				       "Violation of %s constraint '%s'. "
				       "Cannot insert duplicate key in object "
				       "'%s.%s'. The duplicate key value is "
				       "%s.",
				       x->primary ? "PRIMARY KEY"
						  : "UNIQUE KEY",
				       x->name, t->schema, t->name, key.data);
		else
			diag_free_text(d, 2601, 14, 1,
				       "Cannot insert duplicate key row in "
				       "object '%s.%s' with unique index '%s'."
				       " The duplicate key value is %s.",
				       t->schema, t->name, x->name, key.data);
		strbuf_release(&key);
		return -1;
	}
	return session_sqlite_error(w->s, rc, d);
}
