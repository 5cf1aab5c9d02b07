#include "dml/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/log.h"
#include "dml/history.h"
#include "exec/run.h"
#include "exec/tran.h"
#include "value/collation.h"
#include "value/decimal.h"

static const char *verb_of(char op)
{
	return op == 'I' ? "INSERT" : op == 'U' ? "UPDATE" : "DELETE";
}

int write_begin(struct write *w, struct session *s, struct table *t, char op,
		struct diag *d)
{
	memset(w, 0, sizeof(*w));
	w->s = s;
	w->t = t;
	w->op = op;
	w->verb = verb_of(op);
	w->fire_triggers = w->check_constraints = true;
	strbuf_init_max(&w->mem, (size_t)1 << 31);
	strbuf_init_max(&w->fit, (size_t)1 << 31);
	w->row = mem_calloc((size_t)t->count + 1, sizeof(*w->row));
	rows_init(&w->new_rows, t->count);
	rows_init(&w->old_rows, t->count);
	rows_init(&w->self_keys, t->count);
	if (history_begin(w, d) < 0 ||
	    (op != 'D' && large_limit_init(&w->large, s, t, d) < 0))
		return -1;
	if (tran_note_write(s, t->db, t->id, t->name, d) < 0)
		return -1;
	w->ops = ops_get(s, t, d);
	if (!w->ops)
		return -1;
	if (s->trancount || s->stmt_depth > 1) {
		snprintf(w->mark, sizeof(w->mark), "w%d", s->stmt_depth);
		if (tran_mark(s, w->mark, d) < 0) {
			w->mark[0] = '\0';
			return -1;
		}
	}
	w->keep_new = (trigger_wanted(t, op) && op != 'D') ||
		      (op == 'U' && w->ops->in_count);
	w->keep_old = (trigger_wanted(t, op) && op != 'I') ||
		      (op != 'I' && w->ops->in_count);
	w->command = log_next_command(s, t->home);
	return 0;
}

bool write_needs_old(const struct write *w)
{
	const struct table *t = w->t;

	return w->keep_old || t->tracked_by_cdc || t->change_tracking ||
	       w->key_change || w->history ||
	       (w->op == 'U' && (w->ops->check_count ||
				 w->ops->computed_count || w->ops->out_count));
}

/* --- converting into columns --- */

static int truncated(struct session *s, const struct table *t,
		     const struct column *c, const struct val *in,
		     struct type from, struct diag *d)
{
	struct arena pool;
	struct convert cv = session_convert(s);
	struct val shown;
	struct diag ignored;
	struct strbuf mem;

	strbuf_init(&mem);
	cv.mem = &mem;
	arena_init(&pool, 0);
	if (convert_value(&cv, in, from, c->type, &shown, &ignored) < 0 ||
	    shown.cls != VAL_TEXT)
		shown = val_text("", 0);
	diag_free_text(d, 2628, 16, 1,
		       "String or binary data would be truncated in table "
		       "'%s', column '%s'. Truncated value: '%.*s'.",
		       table_full_name(t, &pool), c->name,
		       (int)(shown.n > 100 ? 100 : shown.n), shown.p);
	arena_release(&pool);
	strbuf_release(&mem);
	return -1;
}

int write_convert(struct session *s, const struct table *t, int column,
		  const struct val *in, struct type from, struct strbuf *mem,
		  struct val *out, struct diag *d)
{
	const struct column *c = &t->columns[column];
	struct convert cv = session_convert(s);

	*out = *in;
	if (in->cls == VAL_NULL || type_same_storage(from, c->type))
		return 0;
	if (type_is_clr(c->type))
		return diag_set(d, 40517, type_name(c->type));
	switch (convert_rule(from, c->type)) {
	case CONVERT_NEVER:
		return diag_set(d, 206, type_name(from), type_name(c->type));
	case CONVERT_EXPLICIT:
		return diag_set(d, 257, type_name(from), type_name(c->type));
	default:
		break;
	}
	cv.strict_length = s->set.ansi_warnings;
	cv.mem = mem;
	if (convert_value(&cv, in, from, c->type, out, d) == 0)
		return 0;
	if (d->number == 8152)
		return truncated(s, t, c, in, from, d);
	return -1;
}

int write_check_nulls(struct write *w, const struct val *row, struct diag *d)
{
	struct table *t = w->t;
	struct arena pool;
	int i;

	for (i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];

		if (c->nullable || row[i].cls != VAL_NULL || !c->stored)
			continue;
		arena_init(&pool, 0);
		diag_set(d, 515, c->name, table_full_name(t, &pool), w->verb);
		arena_release(&pool);
		return -1;
	}
	return 0;
}

/* --- counters --- */

static int load_identity(struct write *w, struct diag *d)
{
	struct table *t = w->t;
	const struct column *c = &t->columns[t->identity_column];
	int64_t last = c->seed - c->increment;
	bool known = false;

	w->identity_loaded = true;
	if (t->db)
		last = identity_get(t->db, t->id, &known);
	if (!known) {
		last = c->seed - c->increment;
		if (catalog_int(w->s, d, &last,
				"SELECT last FROM %s._identity WHERE"
				" object_id = %d",
				t->home->prefix, t->id) < 0)
			return -1;
	}
	w->identity_last = last;
	return 0;
}

static int next_identity(struct write *w, struct val *out, struct diag *d)
{
	struct table *t = w->t;
	const struct column *c = &t->columns[t->identity_column];
	int64_t max = type_is_decimal(c->type)
			      ? INT64_MAX
			      : type_int_max((enum type_kind)c->type.kind);

	if (!w->identity_loaded && load_identity(w, d) < 0)
		return -1;
	if (w->identity_last > max - (c->increment > 0 ? c->increment : 0))
		return diag_set(d, 8115, "IDENTITY", type_name(c->type));
	w->identity_last += c->increment;
	w->identity_used = true;
	*out = val_int(w->identity_last);
	return 0;
}

/* An explicit value moves the counter when it lies beyond. */
static int note_identity(struct write *w, const struct val *v, struct diag *d)
{
	const struct column *c = &w->t->columns[w->t->identity_column];
	int64_t n = (int64_t)decimal_load(v);

	if (!w->identity_loaded && load_identity(w, d) < 0)
		return -1;
	if (c->increment > 0 ? n > w->identity_last : n < w->identity_last)
		w->identity_last = n;
	w->identity_used = true;
	w->s->identity = val_int(n);
	if (w->s->frame)
		w->s->frame->scope_identity = val_int(n);
	return 0;
}

static int store_identity(struct write *w, struct diag *d)
{
	struct table *t = w->t;

	if (!w->identity_used)
		return 0;
	if (t->db)
		identity_put(t->db, t->id, w->identity_last);
	return catalog_exec(w->s, d,
			    "INSERT OR REPLACE INTO %s._identity VALUES(%d,"
			    " %lld)",
			    t->home->prefix, t->id,
			    (long long)w->identity_last);
}

static int next_rowversion(struct write *w, struct val *out, struct diag *d)
{
	char *p;
	int i;

	if (!w->rowversion_loaded) {
		if (catalog_int(w->s, d, &w->rowversion,
				"SELECT rowversion FROM %s._cat WHERE id = 1",
				w->t->home->prefix) < 0)
			return -1;
		w->rowversion_loaded = true;
	}
	w->rowversion++;
	p = strbuf_reserve(&w->mem, 8);
	w->mem.len += 8;
	for (i = 0; i < 8; i++)
		p[i] = (char)((uint64_t)w->rowversion >> (56 - 8 * i));
	*out = val_blob(p, 8);
	return 0;
}

static int store_rowversion(struct write *w, struct diag *d)
{
	if (!w->rowversion_loaded)
		return 0;
	return catalog_exec(w->s, d,
			    "UPDATE %s._cat SET rowversion = %lld WHERE id = 1",
			    w->t->home->prefix, (long long)w->rowversion);
}

/* --- constraints of a row --- */

static int check_error(struct write *w, const struct check *c, struct diag *d)
{
	struct table *t = w->t;
	int column = table_column_by_id(t, c->column);
	char tail[300] = "";

	if (c->column && column >= 0)
		snprintf(tail, sizeof(tail), ", column '%s'",
			 t->columns[column].name);
	return diag_free_text(d, 547, 16, 0,
			      "The %s statement conflicted with the CHECK "
			      "constraint \"%s\". The conflict occurred in "
			      "database \"%s\", table \"%s.%s\"%s.",
			      w->verb, c->name, t->db ? t->db->name : "tempdb",
			      t->schema, t->name, tail);
}

static int check_row(struct write *w, const struct val *row,
		     const struct val *old, struct diag *d)
{
	const struct check *violated;
	bool bad;

	if (write_check_nulls(w, row, d) < 0)
		return -1;
	if (!w->check_constraints)
		return 0;
	violated = ops_check(w->s, w->ops, row, &bad, d);
	if (bad)
		return -1;
	if (violated)
		return check_error(w, violated, d);
	return fk_check_row(w, row, old, d);
}

/* --- insert --- */

static void bind_row(struct write *w, sqlite3_stmt *st, const struct val *row)
{
	int i;

	for (i = 0; i < w->ops->stored_count; i++) {
		const struct val *v = &row[w->ops->stored[i]];

		/* the row stays where it is until the statement has run */
		if (v->cls == VAL_TEXT)
			sqlite3_bind_text64(st, i + 1, v->p, v->n,
					    SQLITE_STATIC, SQLITE_UTF8);
		else if (v->cls == VAL_BLOB)
			sqlite3_bind_blob64(st, i + 1, v->p, v->n,
					    SQLITE_STATIC);
		else
			run_bind_val(st, i + 1, v);
	}
}

static int put_row(struct write *w, sqlite3_stmt *st, const struct val *row,
		   struct diag *d)
{
	int rc;

	bind_row(w, st, row);
	rc = sqlite3_step(st);
	sqlite3_reset(st);
	if (rc == SQLITE_DONE)
		return 0;
	if ((rc & 0xFF) == SQLITE_CONSTRAINT)
		return unique_error(w, row, rc, d);
	return session_sqlite_error(w->s, rc, d);
}

/* Identity, rowversion, computed: what the statement does not give. */
static int complete_new(struct write *w, bool is_insert, struct diag *d)
{
	struct table *t = w->t;
	struct val *v;

	if (is_insert && t->identity_column >= 0) {
		v = &w->row[t->identity_column];
		if (w->keep_identity && v->cls != VAL_NULL) {
			if (note_identity(w, v, d) < 0)
				return -1;
		} else {
			const struct column *c =
				&t->columns[t->identity_column];

			if (next_identity(w, v, d) < 0)
				return -1;
			w->s->identity = *v;
			if (w->s->frame)
				w->s->frame->scope_identity = *v;
			if (type_is_decimal(c->type) && c->type.prec > 18) {
				char *p = strbuf_reserve(&w->mem, 17);

				*v = decimal_store(v->i, c->type.prec, p);
				w->mem.len += 17;
			}
		}
	}
	if (t->rowversion_column >= 0 &&
	    next_rowversion(w, &w->row[t->rowversion_column], d) < 0)
		return -1;
	history_stamp(w);
	if (large_limit_check(&w->large, t, w->row, is_insert ? NULL : w->set,
			      d) < 0)
		return -1;
	return ops_compute(w->s, w->ops, w->row, &w->mem, d);
}

int write_insert(struct write *w, const struct val *values, struct diag *d)
{
	int rc;

	memcpy(w->row, values, (size_t)w->t->count * sizeof(*values));
	strbuf_reset(&w->mem);
	strbuf_reserve(&w->mem, 64);
	if (complete_new(w, true, d) < 0 || check_row(w, w->row, NULL, d) < 0)
		return -1;
	rc = put_row(w, w->ops->insert, w->row, d);
	if (rc > 0) { /* a duplicate that the index lets pass by */
		w->ignored = true;
		return 0;
	}
	if (rc < 0)
		return -1;
	w->rows++;
	if (w->keep_new)
		rows_add(&w->new_rows, w->row);
	return log_row(w->s, w->t, w->command, 'I', NULL, w->row, NULL, d);
}

/* --- delete --- */

static int remove_row(struct write *w, int64_t rowid, struct diag *d)
{
	int rc;

	sqlite3_bind_int64(w->ops->delete_, 1, rowid);
	rc = sqlite3_step(w->ops->delete_);
	sqlite3_reset(w->ops->delete_);
	if (rc == SQLITE_DONE)
		return 0;
	return session_sqlite_error(w->s, rc, d);
}

int write_delete(struct write *w, int64_t rowid, const struct val *old,
		 struct diag *d)
{
	if (remove_row(w, rowid, d) < 0)
		return -1;
	w->rows++;
	if (!old)
		return 0;
	if (w->keep_old)
		rows_add(&w->old_rows, old);
	if (history_keep(w, old, d) < 0)
		return -1;
	return log_row(w->s, w->t, w->command, 'D', old, NULL, NULL, d);
}

/* --- update --- */

/* Is a column of a unique index, or of a referenced key, among those set? */
static bool touches_key(const struct table *t, const bool *set)
{
	int i, k;

	for (i = 0; i < t->index_count; i++) {
		const struct index *x = &t->indexes[i];

		for (k = 0; k < x->keys && x->unique; k++)
			if (x->columns[k].column >= 0 &&
			    set[x->columns[k].column])
				return true;
	}
	return false;
}

int write_set_columns(struct write *w, const bool *set, struct diag *d)
{
	struct table *t = w->t;
	struct strbuf sb;
	char phys[64];
	int i;

	w->set = mem_calloc((size_t)t->count + 1, sizeof(bool));
	w->update_columns = mem_calloc((size_t)t->count + 1, sizeof(int));
	for (i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];

		w->set[i] = set[i] || i == t->rowversion_column ||
			    c->generated || (c->computed && c->stored);
	}
	w->key_change = touches_key(t, w->set);
	strbuf_init(&sb);
	for (i = 0; i < t->count; i++) {
		if (!w->set[i] || !t->columns[i].stored)
			continue;
		strbuf_addf(&sb, "%sc%d = ?%d", w->update_count ? "," : "",
			    t->columns[i].phys, w->update_count + 1);
		w->update_columns[w->update_count++] = i;
	}
	if (w->update_count)
		w->update = catalog_prepare(
			w->s, d, "UPDATE %s SET %s WHERE rowid = ?%d",
			table_phys(t, phys, sizeof(phys)), sb.data,
			w->update_count + 1);
	strbuf_release(&sb);
	return w->update || !w->update_count ? 0 : -1;
}

static int after_update(struct write *w, const struct val *old, struct diag *d)
{
	w->rows++;
	if (w->keep_new)
		rows_add(&w->new_rows, w->row);
	if (w->keep_old && old)
		rows_add(&w->old_rows, old);
	if (!old)
		return 0;
	if (history_keep(w, old, d) < 0)
		return -1;
	return log_row(w->s, w->t, w->command, 'U', old, w->row, w->set, d);
}

/* NOT NULL of the columns that are set, when the others are not known. */
static int check_set_nulls(struct write *w, struct diag *d)
{
	struct arena pool;
	int i;

	for (i = 0; i < w->update_count; i++) {
		int at = w->update_columns[i];
		const struct column *c = &w->t->columns[at];

		if (c->nullable || w->row[at].cls != VAL_NULL)
			continue;
		arena_init(&pool, 0);
		diag_set(d, 515, c->name, table_full_name(w->t, &pool),
			 w->verb);
		arena_release(&pool);
		return -1;
	}
	return 0;
}

int write_update(struct write *w, int64_t rowid, const struct val *old,
		 const struct val *values, struct diag *d)
{
	int i, rc;

	memcpy(w->row, values, (size_t)w->t->count * sizeof(*values));
	strbuf_reset(&w->mem);
	strbuf_reserve(&w->mem, 64);
	if (complete_new(w, false, d) < 0)
		return -1;
	if (old ? check_row(w, w->row, old, d) < 0 : check_set_nulls(w, d) < 0)
		return -1;
	if (!w->update)
		return after_update(w, old, d);
	for (i = 0; i < w->update_count; i++)
		run_bind_val(w->update, i + 1, &w->row[w->update_columns[i]]);
	sqlite3_bind_int64(w->update, w->update_count + 1, rowid);
	rc = sqlite3_step(w->update);
	sqlite3_reset(w->update);
	if (rc != SQLITE_DONE) {
		if ((rc & 0xFF) == SQLITE_CONSTRAINT)
			return unique_error(w, w->row, rc, d);
		return session_sqlite_error(w->s, rc, d);
	}
	return after_update(w, old, d);
}

int write_update_insert(struct write *w, int64_t rowid, const struct val *old,
			const struct val *values, struct diag *d)
{
	memcpy(w->row, values, (size_t)w->t->count * sizeof(*values));
	strbuf_reset(&w->mem);
	strbuf_reserve(&w->mem, 64);
	if (complete_new(w, false, d) < 0 || check_row(w, w->row, old, d) < 0)
		return -1;
	sqlite3_bind_int64(w->ops->insert_at, w->ops->stored_count + 1, rowid);
	if (put_row(w, w->ops->insert_at, w->row, d) != 0)
		return -1;
	return after_update(w, old, d);
}

/* --- the end --- */

int write_finish(struct write *w, struct diag *d)
{
	if (store_identity(w, d) < 0 || store_rowversion(w, d) < 0)
		return -1;
	if (fk_finish(w, d) < 0)
		return -1;
	if (w->ignored) {
		struct diag info;

		diag_set(&info, 3604);
		run_info(w->s, &info);
	}
	return 0;
}

int write_end(struct write *w, bool failed, struct diag *d)
{
	struct diag ignored;
	int ret = 0;

	if (w->identity_used && failed && w->t->db) /* numbers are lost */
		identity_put(w->t->db, w->t->id, w->identity_last);
	if (w->mark[0])
		ret = tran_unmark(w->s, w->mark, failed, failed ? &ignored : d);
	sqlite3_finalize(w->update);
	rows_release(&w->new_rows);
	rows_release(&w->old_rows);
	rows_release(&w->self_keys);
	history_release(w);
	large_limit_release(&w->large);
	strbuf_release(&w->mem);
	strbuf_release(&w->fit);
	free(w->set);
	free(w->update_columns);
	free(w->row);
	memset(w, 0, sizeof(*w));
	return failed ? -1 : ret;
}
