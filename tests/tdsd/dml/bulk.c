#include "dml/bulk.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dml/dml.h"
#include "exec/output.h"
#include "exec/perm.h"
#include "exec/tran.h"
#include "fault/fault.h"
#include "net/conn.h"
#include "net/typeio.h"
#include "sql/parse.h"

enum {
	TOK_COLMETADATA = 0x81,
	TOK_ROW = 0xD1,
	TOK_NBCROW = 0xD2,
	TOK_DONE = 0xFD
};

/* What INSERT BULK announced. */
struct bulk {
	struct arena pool;
	struct name table;
	int count;
	const char **names;
	bool keep_identity, keep_nulls, check, triggers;
	int line;
};

void bulk_cancel(struct session *s)
{
	if (!s->bulk)
		return;
	arena_release(&s->bulk->pool);
	free(s->bulk);
	s->bulk = NULL;
}

static void copy_name(struct arena *pool, struct name *to,
		      const struct name *from)
{
	int i;

	*to = *from;
	for (i = 0; i < from->count; i++)
		to->part[i] = pool_strdup(pool, from->part[i]);
}

/* Do table and columns exist? The client is told before it sends data. */
static int check_target(struct session *s, const struct insert_bulk *b,
			struct diag *d)
{
	const struct bulk_column *c;
	struct object o;
	struct table *t;
	struct arena pool;
	int found = catalog_find(s, &b->table, &o, d), ret = 0;

	if (found < 0)
		return -1;
	if (!found)
		return diag_set(d, 208, b->table.part[b->table.count - 1]);
	t = catalog_table(s, o.home, o.id, d);
	if (!t)
		return -1;
	arena_init(&pool, 0);
	if (strcmp(t->type, "U") != 0)
		ret = diag_set(d, 40517, "INSERT BULK into a view");
	for (c = b->columns; c && ret == 0; c = c->next) {
		int at = table_column(t, c->name);

		if (at < 0)
			ret = diag_set(d, 207, c->name);
		else if (t->columns[at].computed)
			ret = diag_set(d, 271, c->name);
		else if (t->columns[at].generated)
			ret = diag_set(d, 13536, table_full_name(t, &pool));
	}
	if (ret == 0)
		ret = perm_check(s, t, PERM_INSERT, d);
	arena_release(&pool);
	table_unref(t);
	return ret;
}

static int take_options(struct bulk *b, const struct option_item *o,
			struct diag *d)
{
	static const char *const unseen[] = {
		"tablock", "order", "rows_per_batch", "kilobytes_per_batch"};
	size_t i;

	for (; o; o = o->next) {
		if (!strcasecmp(o->name, "keep_nulls"))
			b->keep_nulls = true;
		else if (!strcasecmp(o->name, "check_constraints"))
			b->check = true;
		else if (!strcasecmp(o->name, "fire_triggers"))
			b->triggers = true;
		else if (!strcasecmp(o->name, "keep_identity"))
			b->keep_identity = true;
		else {
			for (i = 0; i < LENGTH_OF(unseen); i++)
				if (!strcasecmp(o->name, unseen[i]))
					break;
			if (i == LENGTH_OF(unseen))
				return diag_set(d, 102, o->name);
		}
	}
	return 0;
}

enum flow exec_insert_bulk(struct session *s, struct stmt *st)
{
	const struct bulk_column *c;
	struct bulk *b;
	struct diag d;
	int ret, i = 0;

	d.line = 0;
	d.proc[0] = '\0';
	bulk_cancel(s);
	if (exec_check_doomed(s, &d) < 0)
		return run_error(s, &d, st, false);
	ret = tran_begin_statement(s, &d);
	if (ret == 0)
		ret = check_target(s, st->bulk, &d);
	if (tran_end_statement(s, false, &d) < 0)
		ret = -1;
	if (ret < 0)
		return run_error(s, &d, st, false);
	b = mem_calloc(1, sizeof(*b));
	arena_init(&b->pool, 0);
	copy_name(&b->pool, &b->table, &st->bulk->table);
	b->line = st->line;
	for (c = st->bulk->columns; c; c = c->next)
		b->count++;
	b->names = pool_alloc(&b->pool,
			      ((size_t)b->count + 1) * sizeof(*b->names));
	for (c = st->bulk->columns; c; c = c->next)
		b->names[i++] = pool_strdup(&b->pool, c->name);
	s->bulk = b;
	if (take_options(b, st->bulk->options, &d) < 0) {
		bulk_cancel(s);
		return run_error(s, &d, st, false);
	}
	output_done(s, CMD_OTHER, -1, false);
	return FLOW_OK;
}

/* --- receiving --- */

struct incoming {
	struct reader r;
	struct wire_info *info;
	int count;
	struct row_store rows;
	struct strbuf *mem;
};

static int read_columns(struct session *s, struct incoming *in, struct diag *d)
{
	bool old = s->conn->tds_version >> 24 < 0x72;
	int i;

	if (rd8(&in->r) != TOK_COLMETADATA)
		return diag_set(d, 4804);
	in->count = (int)rd16(&in->r);
	if (in->count > 1024 || in->r.failed)
		return diag_set(d, 4804);
	in->info = mem_calloc((size_t)in->count + 1, sizeof(*in->info));
	in->mem = mem_calloc((size_t)in->count + 1, sizeof(*in->mem));
	for (i = 0; i < in->count; i++) {
		struct wire_info *w = &in->info[i];

		strbuf_init_max(&in->mem[i], MESSAGE_LIMIT);
		rd_skip(&in->r, old ? 2 : 4); /* user type */
		rd_skip(&in->r, 2);	      /* flags */
		rd_type(&in->r, w);
		if (w->unknown)
			return diag_set(d, 4816, i + 1);
		if (w->type.kind == TY_TEXT || w->type.kind == TY_NTEXT ||
		    w->type.kind == TY_IMAGE)
			rd_skip(&in->r, rd16(&in->r) * 2u); /* table name */
		rd_skip(&in->r, rd8(&in->r) * 2u);	    /* column name */
		if (in->r.failed)
			return diag_set(d, 4804);
	}
	rows_init(&in->rows, in->count);
	return 0;
}

/* text and image travel with a text pointer in front. */
static void read_value(struct incoming *in, int i, struct val *v)
{
	struct wire_info *w = &in->info[i];

	strbuf_reset(&in->mem[i]);
	if (w->type.kind == TY_TEXT || w->type.kind == TY_NTEXT ||
	    w->type.kind == TY_IMAGE) {
		unsigned n = rd8(&in->r);

		if (!n) {
			*v = val_null();
			return;
		}
		rd_skip(&in->r, n + 8);
	}
	rd_value(&in->r, w, &in->mem[i], v);
}

static int read_rows(struct session *s, struct incoming *in, struct diag *d)
{
	struct val *row = mem_calloc((size_t)in->count + 1, sizeof(*row));
	unsigned char bits[130];
	int i, ret = 0;

	for (;;) {
		unsigned token;

		if (conn_at_end(s->conn))
			break;
		token = rd8(&in->r);
		if (token == TOK_DONE || token == 0xFE || token == 0xFF) {
			conn_drain(s->conn);
			break;
		}
		if (token == TOK_NBCROW) {
			rd_bytes(&in->r, bits, ((size_t)in->count + 7) / 8);
		} else if (token == TOK_ROW) {
			memset(bits, 0, sizeof(bits));
		} else {
			ret = diag_set(d, 4804);
			break;
		}
		for (i = 0; i < in->count && !in->r.failed; i++) {
			if (bits[i / 8] >> (i % 8) & 1)
				row[i] = val_null();
			else
				read_value(in, i, &row[i]);
			if (in->r.failed)
				ret = diag_set(d, 4815, i + 1);
		}
		if (in->r.failed)
			break;
		rows_add(&in->rows, row);
		if (in->rows.failed) {
			ret = diag_free_text(d, 1105, 17, 2,
					     "Could not allocate space for the "
					     "rows of a bulk load.");
			break;
		}
	}
	free(row);
	return ret;
}

/* --- storing --- */

static int map_columns(const struct table *t, const struct bulk *b,
		       const struct incoming *in, int *map, struct diag *d)
{
	int i, at = 0;

	for (i = 0; i < in->count; i++) {
		if (b->count) {
			map[i] = i < b->count ? table_column(t, b->names[i])
					      : -1;
			if (map[i] < 0)
				return diag_set(d, 207,
						i < b->count ? b->names[i]
							     : "");
			continue;
		}
		while (at < t->count &&
		       (t->columns[at].computed || t->columns[at].generated))
			at++;
		map[i] = at < t->count ? at++ : -1;
		if (map[i] < 0)
			return diag_set(d, 4816, i + 1);
	}
	return 0;
}

/* Columns that are not sent, or sent NULL without KEEP_NULLS. */
static int load_defaults(struct session *s, const struct table *t,
			 struct cell *out, struct diag *d)
{
	int i;

	for (i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];
		struct arena pool;
		struct expr *e;
		int ret = -1;

		if (!c->default_text)
			continue;
		arena_init(&pool, 0);
		e = parse_expression(&pool, c->default_text,
				     strlen(c->default_text), d);
		if (e)
			ret = run_value(s, e, c->type, &out[i], d);
		arena_release(&pool);
		if (ret < 0)
			return -1;
	}
	return 0;
}

static int store_rows(struct session *s, struct bulk *b, struct incoming *in,
		      struct table *t, int64_t *rows, struct diag *d)
{
	struct cell *defaults =
		mem_calloc((size_t)t->count + 1, sizeof(*defaults));
	struct val *row =
		mem_calloc((size_t)(t->count + in->count) + 2, sizeof(*row));
	struct val *sent = row + t->count + 1;
	int *map = mem_calloc((size_t)in->count + 1, sizeof(*map));
	struct write w;
	int i, ret = -1, n = 0;

	if (write_begin(&w, s, t, 'I', d) < 0)
		goto done;
	w.bulk = true;
	w.check_constraints = b->check;
	w.fire_triggers = b->triggers;
	w.keep_new = w.keep_new && b->triggers;
	if (map_columns(t, b, in, map, d) < 0 ||
	    load_defaults(s, t, defaults, d) < 0)
		goto done;
	for (i = 0; i < in->count; i++)
		if (map[i] == t->identity_column)
			w.keep_identity = true;
	rows_rewind(&in->rows);
	while (rows_next(&in->rows, sent)) {
		for (i = 0; i < t->count; i++)
			row[i] = defaults[i].v;
		for (i = 0; i < in->count; i++) {
			int at = map[i];

			if (at == t->rowversion_column)
				continue;
			if (sent[i].cls == VAL_NULL) {
				if (b->keep_nulls || !defaults[at].v.cls)
					row[at] = val_null();
				continue;
			}
			if (write_convert(s, t, at, &sent[i], in->info[i].type,
					  &in->mem[i], &row[at], d) < 0)
				goto done;
		}
		if (write_insert(&w, row, d) < 0)
			goto done;
		if ((++n & 1023) == 0 && session_cancelled(s)) {
			diag_free_text(d, 3617, 11, 1,
				       "Operation cancelled by user.");
			goto done;
		}
	}
	*rows = w.rows;
	ret = write_finish(&w, d) < 0 || trigger_fire(&w, d) < 0 ? -1 : 0;
done:
	if (write_end(&w, ret < 0, d) < 0)
		ret = -1;
	for (i = 0; i < t->count; i++)
		cell_release(&defaults[i]);
	free(defaults);
	free(map);
	free(row);
	return ret;
}

/* Find the table again, with the lock held. */
static int store(struct session *s, struct bulk *b, struct incoming *in,
		 int64_t *rows, struct diag *d)
{
	struct object o;
	struct table *t;
	int found, ret;

	found = catalog_find(s, &b->table, &o, d);
	if (found > 0 && tran_write(s, o.home, d) < 0)
		return -1;
	if (found > 0)
		found = catalog_find(s, &b->table, &o, d);
	if (found < 0)
		return -1;
	if (!found)
		return diag_set(d, 208, b->table.part[b->table.count - 1]);
	t = catalog_table(s, o.home, o.id, d);
	if (!t)
		return -1;
	ret = store_rows(s, b, in, t, rows, d);
	table_unref(t);
	return ret;
}

static void release(struct incoming *in)
{
	int i;

	for (i = 0; in->mem && i < in->count; i++)
		strbuf_release(&in->mem[i]);
	rows_release(&in->rows);
	free(in->info);
	free(in->mem);
}

void bulk_receive(struct session *s)
{
	struct incoming in;
	struct frame f;
	struct stmt st = {.kind = ST_INSERT_BULK, .line = 1};
	struct diag d, ignored;
	int64_t rows = 0;
	int ret;

	memset(&in, 0, sizeof(in));
	in.r.c = s->conn;
	d.line = 0;
	d.proc[0] = '\0';
	if (!s->bulk) {
		conn_drain(s->conn);
		diag_set(&d, 4022);
		output_message(s, &d);
		output_done(s, CMD_OTHER, -1, true);
		return;
	}
	ret = conn_at_end(s->conn) ? 0 : read_columns(s, &in, &d);
	if (ret == 0 && in.count)
		ret = read_rows(s, &in, &d);
	conn_drain(s->conn);
	if (s->conn->attention || s->conn->dead || s->conn->ignore) {
		s->attention = s->conn->attention;
		release(&in);
		bulk_cancel(s);
		return;
	}
	frame_init(&f, s, 'B');
	frame_seal(&f);
	if (ret == 0 && fault_event(s, "bulk", true, &d) < 0)
		ret = -1;
	if (ret == 0) {
		ret = tran_begin_statement(s, &d);
		if (ret == 0 && in.count)
			ret = store(s, s->bulk, &in, &rows, &d);
		if (tran_end_statement(s, ret < 0, ret < 0 ? &ignored : &d) < 0)
			ret = -1;
	}
	if (s->attention || s->broken)
		; /* the reply is DONE with the attention bit */
	else if (ret < 0)
		run_error(s, &d, &st, false);
	else {
		s->rowcount = rows;
		s->error = 0;
		output_done(s, CMD_BULK, rows, false);
	}
	frame_release(&f);
	release(&in);
	bulk_cancel(s);
}
