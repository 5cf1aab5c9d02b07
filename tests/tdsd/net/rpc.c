#include "net/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/output.h"
#include "exec/prepared.h"
#include "exec/proc.h"
#include "exec/tablevar.h"
#include "exec/tran.h"
#include "fault/counter.h"
#include "fault/fault.h"
#include "net/typeio.h"
#include "sql/parse.h"

size_t all_headers(const struct session *s, const unsigned char *msg,
		   size_t len)
{
	size_t total;

	if (s->conn->tds_version >> 24 < 0x72)
		return 0;
	if (len < 4)
		return SIZE_MAX;
	total = msg[0] | (size_t)msg[1] << 8 | (size_t)msg[2] << 16 |
		(size_t)msg[3] << 24;
	if (total < 4 || total > len)
		return SIZE_MAX;
	return total;
}

/* Procedures that have numbers. */
static const char *well_known(unsigned id)
{
	static const char *const names[] = {NULL,
					    "sp_cursor",
					    "sp_cursoropen",
					    "sp_cursorprepare",
					    "sp_cursorexecute",
					    "sp_cursorprepexec",
					    "sp_cursorunprepare",
					    "sp_cursorfetch",
					    "sp_cursoroption",
					    "sp_cursorclose",
					    "sp_executesql",
					    "sp_prepare",
					    "sp_execute",
					    "sp_prepexec",
					    "sp_prepexecrpc",
					    "sp_unprepare"};

	return id < LENGTH_OF(names) ? names[id] : NULL;
}

static int protocol_error(struct session *s, int number, int ordinal,
			  const char *name, unsigned token)
{
	struct diag d;

	diag_set(&d, number, ordinal, name, token);
	d.line = 1;
	output_message(s, &d);
	output_done(s, CMD_OTHER, -1, true);
	return -1;
}

struct rpc {
	struct session *s;
	struct reader r;
	struct arena pool;
	const char *name;
	unsigned options;
	struct call_arg *args;
	struct strbuf *mem; /* one for each argument */
	int count, room;
};

/* A table-valued parameter: columns, then rows, into a temporary table. */
static int read_tvp(struct rpc *x, struct call_arg *a, struct diag *d);

static int read_param(struct rpc *x, struct diag *d)
{
	struct call_arg *a;
	struct wire_info info;
	unsigned status;
	int ordinal = x->count + 1;

	if (x->count >= 2100)
		return diag_set(d, 8003);
	if (x->count >= x->room) {
		int room = x->room ? x->room * 2 : 16;

		x->args = mem_realloc(x->args, (size_t)room * sizeof(*x->args));
		x->mem = mem_realloc(x->mem, (size_t)room * sizeof(*x->mem));
		x->room = room;
	}
	a = &x->args[x->count];
	memset(a, 0, sizeof(*a));
	strbuf_init_max(&x->mem[x->count], MESSAGE_LIMIT * 2);
	a->name = rd_text16(&x->r, rd8(&x->r), &x->pool);
	status = rd8(&x->r);
	a->output = status & 1;
	a->is_default = status & 2;
	if (!x->r.failed && x->r.left && *x->r.p == 0xF3) {
		x->count++;
		return read_tvp(x, a, d);
	}
	rd_type(&x->r, &info);
	if (info.unknown) {
		x->count++;
		return diag_set(d, 8009, ordinal, a->name, info.token);
	}
	a->type = info.type;
	rd_value(&x->r, &info, &x->mem[x->count], &a->value);
	if (a->is_default)
		a->value = val_null();
	x->count++;
	if (x->r.failed)
		return diag_set(d, 8016, ordinal, a->name, info.token);
	return 0;
}

static int tvp_columns(struct rpc *x, struct out_column *cols,
		       struct wire_info *infos, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		rd32(&x->r); /* user type */
		cols[i].nullable = rd16(&x->r) & 1;
		rd_type(&x->r, &infos[i]);
		cols[i].type = infos[i].type;
		rd_skip(&x->r, rd8(&x->r) * 2u);
		cols[i].name = pool_printf(&x->pool, "c%d", i + 1);
		if (x->r.failed)
			return -1;
	}
	return 0;
}

static int tvp_rows(struct rpc *x, struct table *t, struct wire_info *infos,
		    int n, struct diag *d)
{
	struct strbuf sb, *mem = mem_calloc((size_t)n + 1, sizeof(*mem));
	sqlite3_stmt *st;
	char phys[64];
	int i, ret = 0;

	strbuf_init(&sb);
	for (i = 0; i < n; i++) {
		strbuf_addf(&sb, "%s?%d", i ? "," : "", i + 1);
		strbuf_init_max(&mem[i], MESSAGE_LIMIT);
	}
	st = catalog_prepare(x->s, d, "INSERT INTO %s VALUES(%s)",
			     table_phys(t, phys, sizeof(phys)), sb.data);
	strbuf_release(&sb);
	while (st && ret == 0 && !x->r.failed && rd8(&x->r) == 1) {
		for (i = 0; i < n; i++) {
			struct val v;

			strbuf_reset(&mem[i]);
			rd_value(&x->r, &infos[i], &mem[i], &v);
			run_bind_val(st, i + 1, &v);
		}
		if (x->r.failed)
			break;
		if (sqlite3_step(st) != SQLITE_DONE)
			ret = session_sqlite_error(x->s, SQLITE_ERROR, d);
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	for (i = 0; i < n; i++)
		strbuf_release(&mem[i]);
	free(mem);
	return st ? ret : -1;
}

static int read_tvp(struct rpc *x, struct call_arg *a, struct diag *d)
{
	struct out_column *cols;
	struct wire_info *infos;
	unsigned n, token;
	int ret = 0;

	rd8(&x->r);			 /* 0xF3 */
	rd_skip(&x->r, rd8(&x->r) * 2u); /* database */
	rd_skip(&x->r, rd8(&x->r) * 2u); /* schema */
	rd_skip(&x->r, rd8(&x->r) * 2u); /* type */
	n = rd16(&x->r);
	a->value = val_null();
	a->type = type_of(TY_TABLE);
	if (n == 0xFFFF || x->r.failed) {
		rd8(&x->r);
		return x->r.failed ? diag_set(d, 8016, x->count, a->name, 0xF3)
				   : 0;
	}
	if (n > 1024)
		return diag_set(d, 8016, x->count, a->name, 0xF3);
	cols = pool_alloc(&x->pool, (n + 1) * sizeof(*cols));
	infos = pool_alloc(&x->pool, (n + 1) * sizeof(*infos));
	if (tvp_columns(x, cols, infos, (int)n) < 0)
		return diag_set(d, 8016, x->count, a->name, 0xF3);
	/* optional: order and uniqueness, column order; then the end */
	while (!x->r.failed && (token = rd8(&x->r)) != 0) {
		unsigned count = rd16(&x->r);

		rd_skip(&x->r, count * (token == 0x10 ? 3u : 2u));
	}
	a->table = tablevar_columns(x->s, cols, (int)n, d);
	if (!a->table)
		return -1;
	ret = tvp_rows(x, a->table, infos, (int)n, d);
	if (x->r.failed)
		return diag_set(d, 8016, x->count, a->name, 0xF3);
	return ret;
}

static int read_head(struct rpc *x)
{
	unsigned n = rd16(&x->r);

	if (n == 0xFFFF) {
		x->name = well_known(rd16(&x->r));
	} else {
		if (n > 1046) {
			x->r.failed = true;
			return -1;
		}
		x->name = rd_text16(&x->r, n, &x->pool);
	}
	x->options = rd16(&x->r);
	return x->r.failed ? -1 : 0;
}

static bool at_separator(struct rpc *x)
{
	/* 0xFF or 0xFE (7.2) between calls; 0x80 before */
	return !x->r.left || *x->r.p == 0xFF || *x->r.p == 0xFE ||
	       (*x->r.p == 0x80 && x->s->conn->tds_version >> 24 < 0x72);
}

static void release_args(struct rpc *x)
{
	int i;

	for (i = 0; i < x->count; i++) {
		strbuf_release(&x->mem[i]);
		cell_release(&x->args[i].result);
		if (x->args[i].table)
			tablevar_drop(x->s, x->args[i].table);
	}
	free(x->args);
	free(x->mem);
	x->args = NULL;
	x->mem = NULL;
	x->count = x->room = 0;
}

static void send_results(struct rpc *x, const struct call *c, bool error)
{
	int i;

	if (c->has_status)
		output_return_status(x->s, c->status);
	for (i = 0; i < c->count; i++)
		if (c->args[i].output && c->args[i].has_result)
			output_return_value(x->s, i, c->args[i].name,
					    c->args[i].result_type,
					    &c->args[i].result.v);
	output_done_proc(x->s, error);
}

/* The statement that a call runs, or its procedure's name. */
static const char *call_statement(struct rpc *x, struct call *c)
{
	const char *text = NULL;

	if (!strcasecmp(x->name, "sp_executesql"))
		text = call_text(c, 0, "@stmt", &x->pool);
	else if (!strcasecmp(x->name, "sp_prepexec") ||
		 !strcasecmp(x->name, "sp_prepare"))
		text = call_text(c, 2, "@stmt", &x->pool);
	else if (!strcasecmp(x->name, "sp_execute"))
		text = prepared_text(x->s, call_int(c, 0, "@handle", 0));
	return text ? text : x->name;
}

static enum flow call_one(struct rpc *x)
{
	struct session *s = x->s;
	struct call c = {.s = s, .rpc = true};
	struct name name;
	struct frame f;
	const char *text;
	struct diag d;
	enum flow flow;

	c.args = x->args;
	c.count = x->count;
	if (!x->name ||
	    !parse_name(&x->pool, x->name, strlen(x->name), &name)) {
		diag_set(&d, 2812, x->name ? x->name : "");
		d.line = 1;
		output_message(s, &d);
		output_done_proc(s, true);
		return FLOW_OK;
	}
	name.line = 1;
	text = call_statement(x, &c);
	counter_note(s, text, strlen(text));
	if (fault_batch(s, text, strlen(text), true, &d) < 0) {
		if (!s->broken)
			output_message(s, &d);
		output_done_proc(s, true);
		return FLOW_ABORT;
	}
	frame_init(&f, s, 'B'); /* the place that the call comes from */
	frame_seal(&f);
	s->error = 0;
	flow = proc_call(s, &name, &c);
	if (flow == FLOW_THROW) {
		output_message(s, &s->thrown);
		s->error = s->thrown.number;
		flow = FLOW_OK;
	}
	frame_release(&f);
	if (s->attention || s->broken)
		return FLOW_ABORT;
	if (flow == FLOW_ABORT && !c.has_status) {
		/* an error that ended the batch still ends the call */
		output_done_proc(s, true);
		return flow;
	}
	if (s->doomed) {
		diag_set(&d, 3998);
		output_message(s, &d);
		tran_abort(s);
	}
	if (fault_batch(s, text, strlen(text), false, &d) < 0) {
		if (!s->broken)
			output_message(s, &d);
		output_done_proc(s, true);
		return FLOW_ABORT;
	}
	send_results(x, &c, s->error != 0);
	return flow;
}

void rpc_run(struct session *s, const unsigned char *msg, size_t len)
{
	struct rpc x = {.s = s};
	size_t skip = all_headers(s, msg, len);
	struct diag d;

	if (skip == SIZE_MAX) {
		protocol_error(s, 4002, 0, "", 0);
		return;
	}
	x.r.p = msg + skip;
	x.r.left = len - skip;
	while (x.r.left) {
		bool bad = false;

		arena_init(&x.pool, 0);
		if (read_head(&x) < 0) {
			protocol_error(s, 8004, 0, "", 0);
			bad = true;
		}
		while (!bad && !at_separator(&x))
			if (read_param(&x, &d) < 0) {
				d.line = 1;
				output_message(s, &d);
				output_done_proc(s, true);
				bad = true;
			}
		if (x.r.left && !bad) {
			x.r.p++;
			x.r.left--;
		}
		if (!bad && call_one(&x) == FLOW_ABORT)
			bad = true;
		release_args(&x);
		arena_release(&x.pool);
		if (bad)
			return;
	}
}

/* --- transaction manager --- */

static void tm_isolation(struct session *s, unsigned level)
{
	if (level >= 1 && level <= 5)
		s->set.isolation = (enum isolation)level;
}

void tm_run(struct session *s, const unsigned char *msg, size_t len)
{
	struct reader r = {0};
	size_t skip = all_headers(s, msg, len);
	struct arena pool;
	struct diag d;
	const char *name;
	unsigned request, flags;
	int ret = 0;

	if (skip == SIZE_MAX) {
		protocol_error(s, 4002, 0, "", 0);
		return;
	}
	r.p = msg + skip;
	r.left = len - skip;
	arena_init(&pool, 1 << 20);
	d.line = 0;
	d.proc[0] = '\0';
	request = rd16(&r);
	switch (request) {
	case 5: /* BEGIN */
		tm_isolation(s, rd8(&r));
		name = rd_text16(&r, rd8(&r) / 2u, &pool);
		ret = tran_begin(s, *name ? name : NULL, &d);
		break;
	case 7: /* COMMIT */
	case 8: /* ROLLBACK */
		name = rd_text16(&r, rd8(&r) / 2u, &pool);
		flags = r.left ? rd8(&r) : 0;
		ret = request == 7 ? tran_commit(s, &d)
				   : tran_rollback(s, *name ? name : NULL, &d);
		if (ret == 0 && (flags & 1)) { /* and begin a new one */
			tm_isolation(s, rd8(&r));
			name = rd_text16(&r, rd8(&r) / 2u, &pool);
			ret = tran_begin(s, *name ? name : NULL, &d);
		}
		break;
	case 9: /* SAVE */
		name = rd_text16(&r, rd8(&r) / 2u, &pool);
		ret = tran_save(s, name, &d);
		break;
	default:
		ret = diag_free_text(&d, 8525, 16, 1,
				     "Distributed transactions are not "
				     "supported.");
		break;
	}
	if (ret < 0) {
		d.line = 1;
		output_message(s, &d);
	}
	output_done(s, CMD_OTHER, -1, ret < 0);
	arena_release(&pool);
}
