/*
 * Foreign keys. A new child row is checked at once, except onto its own
 * table, where the parent may come in the same statement; parents that went
 * are checked, or cascade, when the statement is over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dml/write.h"
#include "exec/run.h"
#include "sql/parse.h"

#define CASCADE_MAX 32

static const char *db_name(const struct table *t)
{
	return t->db ? t->db->name : "tempdb";
}

static int child_error(struct write *w, const struct fkey *f, struct diag *d)
{
	struct table *parent =
		catalog_table(w->s, w->t->home, f->referenced, d);
	char tail[300] = "";

	if (!parent)
		return -1;
	if (f->count == 1) {
		int c = table_column_by_id(parent, f->ref_columns[0]);

		snprintf(tail, sizeof(tail), ", column '%s'",
			 c < 0 ? "" : parent->columns[c].name);
	}
	diag_free_text(d, 547, 16, 0,
		       "The %s statement conflicted with the FOREIGN KEY %s"
		       "constraint \"%s\". The conflict occurred in database "
		       "\"%s\", table \"%s.%s\"%s.",
		       w->verb, parent->id == w->t->id ? "SAME TABLE " : "",
		       f->name, db_name(parent), parent->schema, parent->name,
		       tail);
	table_unref(parent);
	return -1;
}

/* 1: no key column is NULL; the values are bound. */
static int bind_key(const struct table *t, sqlite3_stmt *st, const int *ids,
		    int count, const struct val *row)
{
	int i;

	for (i = 0; i < count; i++) {
		int at = table_column_by_id(t, ids[i]);

		if (at < 0 || row[at].cls == VAL_NULL)
			return 0;
		run_bind_val(st, i + 1, &row[at]);
	}
	return 1;
}

static bool same_key(const struct table *t, const int *ids, int count,
		     const struct val *a, const struct val *b)
{
	int i;

	for (i = 0; i < count; i++) {
		int at = table_column_by_id(t, ids[i]);

		if (at >= 0 && !val_same(&a[at], &b[at]))
			return false;
	}
	return true;
}

static int look_up(struct write *w, struct fk_ops *f, const struct val *row,
		   struct diag *d)
{
	int rc;

	if (!bind_key(w->t, f->find, f->fk->parent_columns, f->fk->count, row))
		return 0;
	rc = sqlite3_step(f->find);
	sqlite3_reset(f->find);
	if (rc == SQLITE_ROW)
		return 0;
	if (rc == SQLITE_DONE)
		return child_error(w, f->fk, d);
	return session_sqlite_error(w->s, rc, d);
}

int fk_check_row(struct write *w, const struct val *row, const struct val *old,
		 struct diag *d)
{
	bool self = false;
	int i;

	for (i = 0; i < w->ops->out_count; i++) {
		struct fk_ops *f = &w->ops->out[i];

		if (old && same_key(w->t, f->fk->parent_columns, f->fk->count,
				    row, old))
			continue;
		if (f->fk->referenced == w->t->id) {
			self = true;
			continue;
		}
		if (look_up(w, f, row, d) < 0)
			return -1;
	}
	if (self)
		rows_add(&w->self_keys, row);
	return 0;
}

/* --- parents that went --- */

static int reference_error(struct write *w, const struct fkey *f,
			   const struct table *child, struct diag *d)
{
	char tail[300] = "";

	if (f->count == 1) {
		int c = table_column_by_id(child, f->parent_columns[0]);

		snprintf(tail, sizeof(tail), ", column '%s'",
			 c < 0 ? "" : child->columns[c].name);
	}
	return diag_free_text(
		d, 547, 16, 0,
		"The %s statement conflicted with the %s"
		"REFERENCE constraint \"%s\". The conflict "
		"occurred in database \"%s\", table \"%s.%s\"%s.",
		w->verb, child->id == w->t->id ? "SAME TABLE " : "", f->name,
		db_name(child), child->schema, child->name, tail);
}

static int read_row(struct write *w, int64_t rowid, struct val *out,
		    struct diag *d)
{
	sqlite3_stmt *st = w->ops->read;
	int rc, i;

	sqlite3_bind_int64(st, 1, rowid);
	rc = sqlite3_step(st);
	strbuf_reset(&w->fit);
	if (rc == SQLITE_ROW) {
		size_t size = 0;

		for (i = 0; i < w->ops->stored_count; i++)
			size += (size_t)sqlite3_column_bytes(st, i) + 32;
		strbuf_reserve(&w->fit, size);
		for (i = 0; i < w->t->count; i++)
			out[i] = val_null();
		for (i = 0; i < w->ops->stored_count; i++) {
			struct val v = run_column(st, i);

			if (v.cls == VAL_TEXT || v.cls == VAL_BLOB) {
				size_t at = w->fit.len;

				strbuf_add(&w->fit, v.p, v.n);
				v.p = w->fit.data + at;
			}
			out[w->ops->stored[i]] = v;
		}
	}
	sqlite3_reset(st);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : session_sqlite_error(w->s, rc, d);
}

/* The child's new values for the columns of the key. */
static int new_child_row(struct write *cw, const struct fkey *f,
			 enum fk_action action, const struct table *parent,
			 const struct val *parent_new, struct val *row,
			 struct cell *cells, struct diag *d)
{
	int i;

	for (i = 0; i < f->count; i++) {
		int at = table_column_by_id(cw->t, f->parent_columns[i]);
		const struct column *c = &cw->t->columns[at];

		if (action == FK_CASCADE) {
			int from =
				table_column_by_id(parent, f->ref_columns[i]);

			row[at] = parent_new[from];
		} else if (action == FK_SET_DEFAULT && c->default_text) {
			struct arena pool;
			struct expr *e;
			int rc = -1;

			arena_init(&pool, 0);
			e = parse_expression(&pool, c->default_text,
					     strlen(c->default_text), d);
			if (e)
				rc = run_value(cw->s, e, c->type, &cells[i], d);
			arena_release(&pool);
			if (rc < 0)
				return -1;
			row[at] = cells[i].v;
		} else {
			row[at] = val_null();
		}
	}
	return 0;
}

/* Carry a delete or a change of key over to the child's rows. */
static int cascade(struct write *w, const struct fkey *f, struct table *child,
		   enum fk_action action, char op, const struct val *parent_new,
		   const int64_t *rowids, int count, struct diag *d)
{
	char child_op = op == 'D' && action == FK_CASCADE ? 'D' : 'U';
	struct write cw;
	struct cell cells[32];
	struct val *old, *row;
	bool *set;
	int i, k, ret = -1;

	if (w->depth >= CASCADE_MAX)
		return diag_set(d, 217);
	memset(cells, 0, sizeof(cells));
	if (write_begin(&cw, w->s, child, child_op, d) < 0) {
		write_end(&cw, true, d);
		return -1;
	}
	cw.depth = w->depth + 1;
	cw.verb = w->verb;
	old = mem_calloc((size_t)child->count * 2 + 2, sizeof(*old));
	row = old + child->count + 1;
	set = mem_calloc((size_t)child->count + 1, sizeof(bool));
	for (i = 0; i < f->count; i++) {
		k = table_column_by_id(child, f->parent_columns[i]);
		if (k >= 0)
			set[k] = true;
	}
	if (child_op == 'U' && write_set_columns(&cw, set, d) < 0)
		goto done;
	for (i = 0; i < count; i++) {
		int got = read_row(&cw, rowids[i], old, d);

		if (got < 0)
			goto done;
		if (!got)
			continue; /* already gone, by another way */
		if (child_op == 'D') {
			if (write_delete(&cw, rowids[i], old, d) < 0)
				goto done;
			continue;
		}
		memcpy(row, old, (size_t)child->count * sizeof(*row));
		if (new_child_row(&cw, f, action, w->t, parent_new, row, cells,
				  d) < 0 ||
		    write_update(&cw, rowids[i], old, row, d) < 0)
			goto done;
	}
	if (write_finish(&cw, d) < 0 || trigger_fire(&cw, d) < 0)
		goto done;
	ret = 0;
done:
	if (write_end(&cw, ret < 0, d) < 0)
		ret = -1;
	for (i = 0; i < 32; i++)
		cell_release(&cells[i]);
	free(old);
	free(set);
	return ret;
}

/* One old parent row against one foreign key. */
static int parent_gone(struct write *w, struct fk_ops *f, const struct val *old,
		       const struct val *new_row, struct diag *d)
{
	enum fk_action action =
		w->op == 'D' ? f->fk->on_delete : f->fk->on_update;
	struct table *child;
	int64_t *rowids = NULL;
	int count = 0, room = 0, rc, ret = 0;

	if (new_row &&
	    same_key(w->t, f->fk->ref_columns, f->fk->count, old, new_row))
		return 0;
	if (!bind_key(w->t, f->self, f->fk->ref_columns, f->fk->count, old))
		return 0;
	rc = sqlite3_step(f->self);
	sqlite3_reset(f->self);
	if (rc == SQLITE_ROW)
		return 0; /* another row has the key now */
	bind_key(w->t, f->find, f->fk->ref_columns, f->fk->count, old);
	while ((rc = sqlite3_step(f->find)) == SQLITE_ROW) {
		MEM_GROW(rowids, count, room);
		rowids[count++] = sqlite3_column_int64(f->find, 0);
		if (action == FK_NO_ACTION)
			break;
	}
	sqlite3_reset(f->find);
	if (count) {
		child = catalog_table(w->s, w->t->home, f->fk->parent, d);
		if (!child)
			ret = -1;
		else if (action == FK_NO_ACTION)
			ret = reference_error(w, f->fk, child, d);
		else
			ret = cascade(w, f->fk, child, action, w->op, new_row,
				      rowids, count, d);
		table_unref(child);
	}
	free(rowids);
	return ret;
}

static int check_parents(struct write *w, struct diag *d)
{
	struct val *old, *new_row;
	int i, ret = 0;

	if (!w->ops->in_count || w->op == 'I')
		return 0;
	old = mem_calloc((size_t)w->t->count * 2 + 2, sizeof(*old));
	new_row = old + w->t->count + 1;
	rows_rewind(&w->old_rows);
	rows_rewind(&w->new_rows);
	while (ret == 0 && rows_next(&w->old_rows, old)) {
		bool have_new =
			w->op == 'U' && rows_next(&w->new_rows, new_row);

		for (i = 0; i < w->ops->in_count && ret == 0; i++)
			ret = parent_gone(w, &w->ops->in[i], old,
					  have_new ? new_row : NULL, d);
	}
	free(old);
	return ret;
}

static int check_self(struct write *w, struct diag *d)
{
	struct val *row;
	int i, ret = 0;

	if (!w->self_keys.count)
		return 0;
	row = mem_calloc((size_t)w->t->count + 1, sizeof(*row));
	rows_rewind(&w->self_keys);
	while (ret == 0 && rows_next(&w->self_keys, row))
		for (i = 0; i < w->ops->out_count && ret == 0; i++)
			if (w->ops->out[i].fk->referenced == w->t->id)
				ret = look_up(w, &w->ops->out[i], row, d);
	free(row);
	return ret;
}

int fk_finish(struct write *w, struct diag *d)
{
	if (check_self(w, d) < 0)
		return -1;
	return check_parents(w, d);
}
