#include "exec/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/frame.h"
#include "exec/rows.h"
#include "exec/run.h"
#include "exec/server.h"
#include "net/conn.h"
#include "net/typeio.h"
#include "value/collation.h"
#include "value/utf.h"

enum token {
	TOK_RETURNSTATUS = 0x79,
	TOK_COLMETADATA = 0x81,
	TOK_ERROR = 0xAA,
	TOK_INFO = 0xAB,
	TOK_RETURNVALUE = 0xAC,
	TOK_LOGINACK = 0xAD,
	TOK_ROW = 0xD1,
	TOK_NBCROW = 0xD2,
	TOK_ENVCHANGE = 0xE3,
	TOK_DONE = 0xFD,
	TOK_DONEPROC = 0xFE,
	TOK_DONEINPROC = 0xFF,
};

enum done_bits {
	DONE_MORE = 0x01,
	DONE_ERROR = 0x02,
	DONE_INXACT = 0x04,
	DONE_COUNT = 0x10,
	DONE_ATTN = 0x20,
};

bool output_wanted(const struct session *s)
{
	return s->conn && !s->conn->dead;
}

/* The DONE that was held back is not the last token after all. */
static void more(struct session *s)
{
	struct conn *c = s->conn;

	if (!c->pending_done)
		return;
	c->pending_done = false;
	c->done[1] |= DONE_MORE;
	conn_put(c, c->done, c->done_len);
}

static struct conn *begin(struct session *s)
{
	if (!s->conn)
		return NULL;
	more(s);
	return s->conn;
}

static bool old_tds(const struct conn *c)
{
	return c->tds_version >> 24 < 0x72;
}

static void hold_done(struct session *s, unsigned token, unsigned status,
		      unsigned cmd, int64_t rows)
{
	struct conn *c = s->conn;
	int i;

	more(s);
	c->done[0] = (unsigned char)token;
	c->done[1] = (unsigned char)status;
	c->done[2] = 0;
	c->done[3] = (unsigned char)cmd;
	c->done[4] = 0;
	for (i = 0; i < 8; i++)
		c->done[5 + i] = (unsigned char)((uint64_t)rows >> (8 * i));
	c->done_len = old_tds(c) ? 9 : 13;
	c->pending_done = true;
}

/* --- text helpers --- */

static void put_utf16(struct conn *c, const char *s, size_t len)
{
	struct strbuf sb;

	strbuf_init(&sb);
	utf_to_16le(&sb, s, len);
	conn_put(c, sb.data, sb.len);
	strbuf_release(&sb);
}

/* B_VARCHAR: one byte of length in characters. */
static void put_bvarchar(struct conn *c, const char *s)
{
	size_t len = utf_offset(s, strlen(s), 255);

	conn_put8(c, (unsigned)utf_units(s, len));
	put_utf16(c, s, len);
}

static void put_usvarchar(struct conn *c, const char *s)
{
	size_t len = utf_offset(s, strlen(s), 4000);

	conn_put16(c, (unsigned)utf_units(s, len));
	put_utf16(c, s, len);
}

static size_t bvarchar_size(const char *s)
{
	return 1 + utf_units(s, utf_offset(s, strlen(s), 255)) * 2;
}

/* --- results --- */

static unsigned column_flags(const struct out_column *col)
{
	unsigned flags = col->nullable ? 1 : 0;

	if (type_is_text(col->type) &&
	    !collation_get(col->type.coll)->ignore_case)
		flags |= 2;
	if (col->identity)
		flags |= 0x10;
	else if (col->base && !col->base->computed &&
		 col->type.kind != TY_ROWVERSION)
		flags |= 8; /* may be updated, as far as is known */
	if (col->base && col->base->computed)
		flags |= 0x20;
	return flags;
}

void output_columns(struct session *s, const struct out_column *cols, int n)
{
	struct conn *c;
	int i;

	if (s->frame && s->frame->sink) {
		sink_columns(s->frame->sink, cols, n);
		return;
	}
	c = begin(s);
	if (!c)
		return;
	conn_put8(c, TOK_COLMETADATA);
	conn_put16(c, (unsigned)n);
	for (i = 0; i < n; i++) {
		struct type t = wire_type(c, cols[i].type);

		if (old_tds(c))
			conn_put16(c, t.kind == TY_ROWVERSION ? 80 : 0);
		else
			conn_put32(c, t.kind == TY_ROWVERSION ? 80 : 0);
		conn_put16(c, column_flags(&cols[i]));
		wire_put_type(c, t, cols[i].nullable);
		if (t.kind == TY_TEXT || t.kind == TY_NTEXT ||
		    t.kind == TY_IMAGE) {
			const char *name = cols[i].base_table
						   ? cols[i].base_table->name
						   : "";

			if (!old_tds(c))
				conn_put8(c, 1);
			put_usvarchar(c, name);
		}
		put_bvarchar(c, cols[i].name);
	}
}

/* SET TEXTSIZE cuts large values on their way out. */
static void cut(struct session *s, struct type t, struct val *v)
{
	int64_t limit = s->set.textsize;

	if (limit <= 0 || !type_is_lob(t) ||
	    (v->cls != VAL_TEXT && v->cls != VAL_BLOB))
		return;
	if (type_is_unicode(t))
		limit /= 2;
	if ((int64_t)v->n <= limit)
		return;
	v->n = v->cls == VAL_TEXT ? utf_offset(v->p, v->n, (size_t)limit)
				  : (size_t)limit;
}

static void put_row(struct session *s, const struct out_column *cols, int n,
		    struct val *values)
{
	struct conn *c = begin(s);
	bool nulls = false;
	int i;

	for (i = 0; i < n; i++)
		nulls |= values[i].cls == VAL_NULL;
	if (nulls && c->tds_version >> 24 >= 0x73) {
		unsigned char bits[256] = {0};

		conn_put8(c, TOK_NBCROW);
		for (i = 0; i < n && i < 2048; i++)
			if (values[i].cls == VAL_NULL)
				bits[i / 8] |= (unsigned char)(1 << i % 8);
		conn_put(c, bits, (size_t)(n + 7) / 8);
		for (i = 0; i < n; i++)
			if (values[i].cls != VAL_NULL) {
				cut(s, cols[i].type, &values[i]);
				wire_put_value(c, cols[i].type,
					       cols[i].nullable, &values[i],
					       &s->out_mem);
			}
		return;
	}
	conn_put8(c, TOK_ROW);
	for (i = 0; i < n; i++) {
		cut(s, cols[i].type, &values[i]);
		wire_put_value(c, cols[i].type, cols[i].nullable, &values[i],
			       &s->out_mem);
	}
}

void output_row_values(struct session *s, const struct out_column *cols, int n,
		       const struct val *values)
{
	struct val few[64], *copy = few;

	if (s->frame && s->frame->sink) {
		sink_row(s->frame->sink, values, n);
		return;
	}
	if (!s->conn)
		return;
	if (n > 64)
		copy = mem_alloc((size_t)n * sizeof(*copy));
	memcpy(copy, values, (size_t)n * sizeof(*copy));
	put_row(s, cols, n, copy);
	if (copy != few)
		free(copy);
}

void output_row(struct session *s, const struct out_column *cols, int n,
		sqlite3_stmt *st)
{
	struct val few[64], *values = few;
	int i;

	if (!s->conn && !(s->frame && s->frame->sink))
		return;
	if (n > 64)
		values = mem_alloc((size_t)n * sizeof(*values));
	for (i = 0; i < n; i++)
		values[i] = run_column(st, i);
	if (s->frame && s->frame->sink)
		sink_row(s->frame->sink, values, n);
	else
		put_row(s, cols, n, values);
	if (values != few)
		free(values);
}

/* --- DONE --- */

void output_done(struct session *s, enum done_command cmd, int64_t rows,
		 bool error)
{
	bool count = rows >= 0 && !s->set.nocount;
	bool in_proc = s->frame && (s->frame->kind != 'B');
	unsigned status = (error ? DONE_ERROR : 0) | (count ? DONE_COUNT : 0) |
			  (s->trancount ? DONE_INXACT : 0);

	if (!s->conn)
		return;
	/* a procedure's statements with NOCOUNT ON say nothing at all */
	if (in_proc && s->set.nocount && !error && cmd != CMD_SELECT)
		return;
	hold_done(s, in_proc ? TOK_DONEINPROC : TOK_DONE, status, cmd,
		  count ? rows : 0);
}

void output_done_proc(struct session *s, bool error)
{
	if (!s->conn)
		return;
	hold_done(s, TOK_DONEPROC,
		  (error ? DONE_ERROR : 0) | (s->trancount ? DONE_INXACT : 0),
		  CMD_EXEC, 0);
}

void output_end(struct session *s)
{
	struct conn *c = s->conn;

	if (!c->pending_done)
		hold_done(s, TOK_DONE, s->trancount ? DONE_INXACT : 0,
			  CMD_OTHER, 0);
	c->pending_done = false;
	conn_put(c, c->done, c->done_len);
	conn_flush(c, true);
}

void output_attention(struct session *s)
{
	struct conn *c = s->conn;

	more(s);
	hold_done(s, TOK_DONE, DONE_ATTN, 0, 0);
	c->pending_done = false;
	conn_put(c, c->done, c->done_len);
	conn_flush(c, true);
	c->attention = s->attention = false;
}

void output_flush(struct session *s)
{
	if (s->conn) {
		more(s);
		conn_flush(s->conn, false);
	}
}

/* --- messages --- */

void output_message(struct session *s, const struct diag *d)
{
	struct conn *c = begin(s);
	size_t len;

	if (!c)
		return;
	len = 4 + 1 + 1 + 2 +
	      utf_units(d->message,
			utf_offset(d->message, strlen(d->message), 4000)) *
		      2 +
	      bvarchar_size(s->server->name) + bvarchar_size(d->proc) +
	      (old_tds(c) ? 2 : 4);
	conn_put8(c, d->severity > 10 ? TOK_ERROR : TOK_INFO);
	conn_put16(c, (unsigned)len);
	conn_put32(c, (uint32_t)d->number);
	conn_put8(c, (unsigned)d->state);
	conn_put8(c, (unsigned)d->severity);
	put_usvarchar(c, d->message);
	put_bvarchar(c, s->server->name);
	put_bvarchar(c, d->proc);
	if (old_tds(c))
		conn_put16(c, (unsigned)d->line);
	else
		conn_put32(c, (uint32_t)d->line);
}

static void env_change(struct session *s, unsigned kind, const char *now,
		       const char *old)
{
	struct conn *c = begin(s);

	if (!c)
		return;
	conn_put8(c, TOK_ENVCHANGE);
	conn_put16(c, (unsigned)(1 + bvarchar_size(now) + bvarchar_size(old)));
	conn_put8(c, kind);
	put_bvarchar(c, now);
	put_bvarchar(c, old);
}

void output_database(struct session *s, const char *old, const char *name)
{
	struct diag d;

	env_change(s, 1, name, old);
	diag_set(&d, 5701, name);
	d.line = 1;
	output_message(s, &d);
}

void output_language(struct session *s, const char *name)
{
	struct diag d;

	env_change(s, 2, name, "");
	diag_set(&d, 5703, name);
	d.line = 1;
	output_message(s, &d);
}

void output_packet_size(struct session *s, size_t old, size_t size)
{
	char a[16], b[16];

	snprintf(a, sizeof(a), "%zu", size);
	snprintf(b, sizeof(b), "%zu", old);
	env_change(s, 4, a, b);
}

void output_collation(struct session *s)
{
	struct conn *c = begin(s);

	if (!c)
		return;
	conn_put8(c, TOK_ENVCHANGE);
	conn_put16(c, 8);
	conn_put8(c, 7);
	conn_put8(c, 5);
	conn_put(c, collation_get(s->db ? s->db->collation : 0)->tds, 5);
	conn_put8(c, 0);
}

void output_transaction(struct session *s, char verb)
{
	struct conn *c;
	unsigned kind = verb == 'B' ? 8 : verb == 'C' ? 9 : 10;

	if (!s->conn || old_tds(s->conn))
		return;
	c = begin(s);
	conn_put8(c, TOK_ENVCHANGE);
	conn_put16(c, 11);
	conn_put8(c, kind);
	if (verb == 'B') {
		conn_put8(c, 8);
		conn_put64(c, (uint64_t)s->tran_id);
		conn_put8(c, 0);
	} else {
		conn_put8(c, 0);
		conn_put8(c, 8);
		conn_put64(c, (uint64_t)s->tran_id);
	}
}

void output_reset_ack(struct session *s)
{
	struct conn *c = begin(s);

	conn_put8(c, TOK_ENVCHANGE);
	conn_put16(c, 3);
	conn_put8(c, 18);
	conn_put8(c, 0);
	conn_put8(c, 0);
}

void output_login_ack(struct session *s)
{
	struct conn *c = begin(s);
	static const char name[] = "Microsoft SQL Server";
	uint32_t v = c->tds_version;

	conn_put8(c, TOK_LOGINACK);
	conn_put16(c, (unsigned)(1 + 4 + bvarchar_size(name) + 4));
	conn_put8(c, 1);
	conn_put8(c, v >> 24);
	conn_put8(c, v >> 16);
	conn_put8(c, v >> 8);
	conn_put8(c, v);
	put_bvarchar(c, name);
	conn_put8(c, 15); /* 15.0.4298 */
	conn_put8(c, 0);
	conn_put8(c, 4298 >> 8);
	conn_put8(c, 4298 & 0xFF);
}

void output_return_status(struct session *s, int status)
{
	struct conn *c = begin(s);

	if (!c)
		return;
	conn_put8(c, TOK_RETURNSTATUS);
	conn_put32(c, (uint32_t)status);
}

void output_return_value(struct session *s, int ordinal, const char *name,
			 struct type t, const struct val *v)
{
	struct conn *c = begin(s);
	struct type sent;

	if (!c)
		return;
	sent = wire_type(c, t);
	conn_put8(c, TOK_RETURNVALUE);
	conn_put16(c, (unsigned)ordinal);
	put_bvarchar(c, name);
	conn_put8(c, 1); /* an output parameter */
	if (old_tds(c))
		conn_put16(c, 0);
	else
		conn_put32(c, 0);
	conn_put16(c, 0);
	wire_put_type(c, sent, true);
	wire_put_value(c, t, true, v, &s->out_mem);
}
