#include "fn/rows.h"

#include <stdlib.h>
#include <string.h>

#include "fn/fn.h"

void rb_text(struct row_builder *b, const char *s)
{
	b->v[b->n++] = s ? val_text(s, strlen(s)) : val_null();
}

void rb_int(struct row_builder *b, int64_t n)
{
	b->v[b->n++] = val_int(n);
}

void rb_null(struct row_builder *b)
{
	b->v[b->n++] = val_null();
}

void rb_val(struct row_builder *b, const struct val *v)
{
	b->v[b->n++] = *v;
}

struct rows_vtab {
	sqlite3_vtab base;
	struct session *session;
};

struct rows_cursor {
	sqlite3_vtab_cursor base;
	struct row_store rows;
	struct val v[ROWS_COLUMNS];
	int64_t row;
	bool open, eof;
};

static int vt_connect(sqlite3 *sql, void *aux, int argc,
		      const char *const *argv, sqlite3_vtab **out, char **err)
{
	struct rows_vtab *v;
	struct strbuf sb;
	int i, rc;

	(void)argc;
	(void)argv;
	(void)err;
	strbuf_init(&sb);
	strbuf_addstr(&sb, "CREATE TABLE x(");
	for (i = 0; i < ROWS_COLUMNS; i++)
		strbuf_addf(&sb, "c%d,", i);
	for (i = 0; i < ROWS_ARGS; i++)
		strbuf_addf(&sb, "%sp%d HIDDEN", i ? "," : "", i);
	strbuf_addch(&sb, ')');
	rc = sqlite3_declare_vtab(sql, sb.data);
	strbuf_release(&sb);
	if (rc != SQLITE_OK)
		return rc;
	v = sqlite3_malloc(sizeof(*v));
	if (!v)
		return SQLITE_NOMEM;
	memset(v, 0, sizeof(*v));
	v->session = aux;
	*out = &v->base;
	return SQLITE_OK;
}

static int vt_disconnect(sqlite3_vtab *base)
{
	sqlite3_free(base);
	return SQLITE_OK;
}

static int vt_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	int i, seen = 0;

	(void)base;
	for (i = 0; i < info->nConstraint; i++) {
		int arg = info->aConstraint[i].iColumn - ROWS_COLUMNS;

		if (arg < 0 ||
		    info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		if (!info->aConstraint[i].usable)
			return SQLITE_CONSTRAINT;
		info->aConstraintUsage[i].argvIndex = arg + 1;
		info->aConstraintUsage[i].omit = 1;
		seen++;
	}
	if (!seen)
		return SQLITE_CONSTRAINT;
	info->estimatedCost = 100;
	info->estimatedRows = 100;
	return SQLITE_OK;
}

static int vt_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
	struct rows_cursor *c = sqlite3_malloc(sizeof(*c));

	(void)base;
	if (!c)
		return SQLITE_NOMEM;
	memset(c, 0, sizeof(*c));
	*out = &c->base;
	return SQLITE_OK;
}

static int vt_close(sqlite3_vtab_cursor *base)
{
	struct rows_cursor *c = (struct rows_cursor *)base;

	if (c->open)
		rows_release(&c->rows);
	sqlite3_free(c);
	return SQLITE_OK;
}

static int vt_next(sqlite3_vtab_cursor *base)
{
	struct rows_cursor *c = (struct rows_cursor *)base;

	c->row++;
	c->eof = !rows_next(&c->rows, c->v);
	return SQLITE_OK;
}

static const struct row_maker *find_maker(const struct val *name)
{
	static const struct row_maker *const lists[] = {
		row_makers_server, row_makers_text, row_makers_cdc};
	const struct row_maker *m;
	size_t i;

	for (i = 0; i < LENGTH_OF(lists); i++)
		for (m = lists[i]; m->name; m++)
			if (name->cls == VAL_TEXT &&
			    strlen(m->name) == name->n &&
			    !memcmp(m->name, name->p, name->n))
				return m;
	return NULL;
}

static int vt_filter(sqlite3_vtab_cursor *base, int num, const char *str,
		     int argc, sqlite3_value **argv)
{
	struct rows_cursor *c = (struct rows_cursor *)base;
	struct session *s = ((struct rows_vtab *)base->pVtab)->session;
	struct val args[ROWS_ARGS];
	const struct row_maker *m;
	struct diag d;
	int i;

	(void)num;
	(void)str;
	for (i = 0; i < argc && i < ROWS_ARGS; i++)
		args[i] = fn_val(argv[i]);
	m = argc ? find_maker(&args[0]) : NULL;
	if (!m)
		return SQLITE_ERROR;
	if (c->open)
		rows_release(&c->rows);
	rows_init(&c->rows, m->columns);
	c->open = true;
	c->row = 0;
	for (i = 0; i < ROWS_COLUMNS; i++)
		c->v[i] = val_null();
	if (m->fill(s, args + 1, argc - 1, &c->rows, &d) < 0) {
		if (!s->fn_set) {
			s->fn = d;
			s->fn_set = true;
		}
		return SQLITE_ERROR;
	}
	rows_rewind(&c->rows);
	return vt_next(base);
}

static int vt_eof(sqlite3_vtab_cursor *base)
{
	return ((struct rows_cursor *)base)->eof;
}

static int vt_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int col)
{
	struct rows_cursor *c = (struct rows_cursor *)base;

	if (col < ROWS_COLUMNS)
		fn_result(ctx, &c->v[col]);
	return SQLITE_OK;
}

static int vt_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
	*out = ((struct rows_cursor *)base)->row;
	return SQLITE_OK;
}

static const sqlite3_module module = {
	.iVersion = 0,
	.xConnect = vt_connect,
	.xBestIndex = vt_best_index,
	.xDisconnect = vt_disconnect,
	.xOpen = vt_open,
	.xClose = vt_close,
	.xFilter = vt_filter,
	.xNext = vt_next,
	.xEof = vt_eof,
	.xColumn = vt_column,
	.xRowid = vt_rowid,
};

void fn_register_rows(struct session *s)
{
	sqlite3_create_module(s->sql, "rows", &module, s);
}
