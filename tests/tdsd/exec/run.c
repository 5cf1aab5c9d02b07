#include "exec/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "exec/output.h"
#include "exec/planner.h"
#include "exec/server.h"
#include "exec/stmts.h"
#include "exec/tablevar.h"
#include "exec/tran.h"

#define NEST_MAX 32

/* --- values in and out of SQLite --- */

void run_bind_val(sqlite3_stmt *st, int at, const struct val *v)
{
	switch (v->cls) {
	case VAL_NULL:
		sqlite3_bind_null(st, at);
		break;
	case VAL_INT:
		sqlite3_bind_int64(st, at, v->i);
		break;
	case VAL_REAL:
		sqlite3_bind_double(st, at, v->r);
		break;
	case VAL_TEXT:
		sqlite3_bind_text64(st, at, v->p, v->n, SQLITE_TRANSIENT,
				    SQLITE_UTF8);
		break;
	case VAL_BLOB:
		sqlite3_bind_blob64(st, at, v->p, v->n, SQLITE_TRANSIENT);
		break;
	}
}

void run_bind_param(struct session *s, sqlite3_stmt *st, int at,
		    const struct param *p)
{
	if (p->kind == PARAM_VAR && s->frame && p->index < s->frame->var_count)
		run_bind_val(st, at, &s->frame->vars[p->index].cell.v);
}

struct val run_column(sqlite3_stmt *st, int col)
{
	const char *p;

	switch (sqlite3_column_type(st, col)) {
	case SQLITE_INTEGER:
		return val_int(sqlite3_column_int64(st, col));
	case SQLITE_FLOAT:
		return val_real(sqlite3_column_double(st, col));
	case SQLITE_TEXT:
		p = (const char *)sqlite3_column_text(st, col);
		return val_text(p ? p : "",
				(size_t)sqlite3_column_bytes(st, col));
	case SQLITE_BLOB:
		p = sqlite3_column_blob(st, col);
		return val_blob(p ? p : "",
				(size_t)sqlite3_column_bytes(st, col));
	default:
		return val_null();
	}
}

int run_step(struct session *s, sqlite3_stmt *st, struct diag *d)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return session_sqlite_error(s, rc, d);
}

int run_assign(struct session *s, struct variable *v, const struct val *val,
	       struct type from, struct diag *d)
{
	struct convert c = session_convert(s);
	struct val out = *val;

	if (val->cls != VAL_NULL && !type_same_storage(from, v->type)) {
		if (convert_rule(from, v->type) == CONVERT_NEVER)
			return diag_set(d, 206, type_name(from),
					type_name(v->type));
		if (convert_rule(from, v->type) == CONVERT_EXPLICIT)
			return diag_set(d, 257, type_name(from),
					type_name(v->type));
		if (convert_value(&c, val, from, v->type, &out, d) < 0)
			return -1;
	}
	cell_set(&v->cell, &out);
	return 0;
}

int run_value(struct session *s, const struct expr *e, struct type want,
	      struct cell *out, struct diag *d)
{
	void *plan = NULL;
	void (*release)(void *) = NULL;
	struct cell cell = {0};
	struct type type;
	struct variable v = {.type = want};
	bool compile;
	int ret;

	ret = eval_list(s, &plan, &release, &e, 1, &cell, &type, d, &compile);
	if (!ret) {
		ret = run_assign(s, &v, &cell.v, type, d);
		if (!ret)
			cell_set(out, &v.cell.v);
	}
	plan_free(plan);
	cell_release(&cell);
	cell_release(&v.cell);
	return ret;
}

/* --- errors --- */

/* Errors after which the batch ends and the transaction is rolled back. */
static bool aborts_batch(const struct session *s, const struct diag *d)
{
	switch (d->number) {
	case 241:
	case 242:
	case 245:
	case 295:
	case 1205:
	case 3930:
	case 3960:
	case 3961:
	case 3952:
	case 8114:
	case 8169:
	case 823:
		return true;
	default:
		break;
	}
	return d->severity >= 17 || s->set.xact_abort;
}

static void fill_place(struct session *s, struct diag *d, const struct stmt *st)
{
	if (!d->line && st)
		d->line = st->line;
	if (!d->proc[0] && s->frame && s->frame->proc)
		text_copy(d->proc, sizeof(d->proc), s->frame->proc);
}

/* A TRY that may catch what happens now; its own frame not for compile errors */
static bool in_try(const struct session *s, bool compile)
{
	const struct frame *f = s->frame;

	if (f && compile)
		f = f->kind == 'B' ? NULL : f->outer;
	for (; f; f = f->outer)
		if (f->try_depth)
			return true;
	return false;
}

static bool is_constraint(int number)
{
	return number == 515 || number == 547 || number == 2601 ||
	       number == 2627 || number == 2628 || number == 8152 ||
	       number == 220 || number == 8115 || number == 544 ||
	       number == 512 || number == 530;
}

enum flow run_error(struct session *s, struct diag *d, const struct stmt *st,
		    bool compile)
{
	bool abort_batch = aborts_batch(s, d);

	fill_place(s, d, st);
	s->error = d->number;
	s->rowcount = 0;
	if (d->number == 3617 || s->attention || s->broken)
		return FLOW_ABORT;
	if (in_try(s, compile) && d->severity < 20) {
		if (abort_batch && s->trancount) {
			s->doomed = true;
			if (d->number == 1205 || d->number == 3960)
				s->doomed = true;
		}
		s->thrown = *d;
		return FLOW_THROW;
	}
	output_message(s, d);
	if (abort_batch) {
		if (s->trancount || s->sqlite_tx)
			tran_abort(s);
		output_done(s, CMD_OTHER, -1, true);
		if (d->severity >= 20)
			s->broken = true;
		return FLOW_ABORT;
	}
	if (is_constraint(d->number) && st &&
	    (st->kind == ST_INSERT || st->kind == ST_UPDATE ||
	     st->kind == ST_DELETE || st->kind == ST_INSERT_BULK)) {
		struct diag end;

		diag_set(&end, 3621);
		end.line = d->line;
		memcpy(end.proc, d->proc, sizeof(end.proc));
		output_message(s, &end);
	}
	output_done(s, CMD_OTHER, -1, true);
	if (compile && s->frame)
		return s->frame->kind == 'B' ? FLOW_ABORT : FLOW_RETURN;
	return FLOW_OK;
}

void run_info(struct session *s, const struct diag *d)
{
	struct diag copy = *d;

	fill_place(s, &copy, NULL);
	output_message(s, &copy);
}

/* --- simple statements --- */

static enum flow set_variable(struct session *s, struct stmt *st)
{
	int slot = frame_find(s->frame, st->set.var);
	const struct expr *e = st->set.value;
	struct expr binary, var;
	struct cell out = {0};
	struct type type;
	struct diag d;
	bool compile = true;
	int ret;

	if (slot < 0 || s->frame->vars[slot].is_table) {
		diag_set(&d, 137, st->set.var);
		return run_error(s, &d, st, true);
	}
	if (st->set.assign != '=') {
		/* @x += e is @x = @x + e */
		memset(&binary, 0, sizeof(binary));
		memset(&var, 0, sizeof(var));
		var.kind = EX_VAR;
		var.text = st->set.var;
		binary.kind = EX_BINARY;
		binary.op = st->set.assign;
		binary.a = &var;
		binary.b = st->set.value;
		binary.line = st->line;
		e = &binary;
	}
	ret = eval_list(s, &st->plan, &st->plan_free, &e, 1, &out, &type, &d,
			&compile);
	if (!ret) {
		compile = false;
		ret = run_assign(s, &s->frame->vars[slot], &out.v, type, &d);
	}
	cell_release(&out);
	if (ret < 0)
		return run_error(s, &d, st, compile);
	s->error = 0;
	s->rowcount = 1;
	return FLOW_OK;
}

static enum flow declare(struct session *s, struct stmt *st)
{
	const struct expr *list[64];
	struct cell cells[64];
	struct type types[64];
	int slots[64], n = 0, i;
	struct param_def *p;
	struct diag d;
	bool compile = false;
	enum flow flow = FLOW_OK;

	/* several initial values may refer to each other: one at a time then */
	for (p = st->declare; p && n < 64; p = p->next)
		if (p->has_default) {
			slots[n] = frame_find(s->frame, p->name);
			list[n++] = p->default_value;
		}
	memset(cells, 0, sizeof(cells));
	if (n == 1) {
		if (eval_list(s, &st->plan, &st->plan_free, list, 1, cells,
			      types, &d, &compile) < 0 ||
		    run_assign(s, &s->frame->vars[slots[0]], &cells[0].v,
			       types[0], &d) < 0)
			flow = run_error(s, &d, st, compile);
		cell_release(&cells[0]);
		return flow;
	}
	for (i = 0; i < n && flow == FLOW_OK; i++)
		if (run_value(s, list[i], s->frame->vars[slots[i]].type,
			      &s->frame->vars[slots[i]].cell, &d) < 0)
			flow = run_error(s, &d, st, false);
	return flow;
}

static enum flow if_stmt(struct session *s, struct stmt *st)
{
	struct diag d;
	bool compile;
	int yes = eval_condition(s, &st->plan, &st->plan_free, st->flow.cond,
				 &d, &compile);

	if (yes < 0)
		return run_error(s, &d, st, compile);
	if (yes)
		return run_block(s, st->flow.then);
	return st->flow.otherwise ? run_block(s, st->flow.otherwise) : FLOW_OK;
}

static enum flow while_stmt(struct session *s, struct stmt *st)
{
	struct diag d;
	bool compile;

	for (;;) {
		enum flow flow;
		int yes = eval_condition(s, &st->plan, &st->plan_free,
					 st->flow.cond, &d, &compile);

		if (yes < 0)
			return run_error(s, &d, st, compile);
		if (!yes)
			return FLOW_OK;
		if (session_cancelled(s))
			return FLOW_ABORT;
		flow = run_block(s, st->flow.then);
		if (flow == FLOW_BREAK)
			return FLOW_OK;
		if (flow != FLOW_OK && flow != FLOW_CONTINUE)
			return flow;
	}
}

static enum flow try_stmt(struct session *s, struct stmt *st)
{
	struct frame *f = s->frame;
	struct caught *caught;
	enum flow flow;

	f->try_depth++;
	flow = run_block(s, st->flow.then);
	f->try_depth--;
	if (flow != FLOW_THROW)
		return flow;
	caught = mem_calloc(1, sizeof(*caught));
	caught->d = s->thrown;
	caught->outer = f->caught;
	f->caught = caught;
	s->error = caught->d.number;
	flow = run_block(s, st->flow.otherwise);
	f->caught = caught->outer;
	free(caught);
	return flow;
}

static enum flow return_stmt(struct session *s, struct stmt *st)
{
	struct frame *f = s->frame;
	struct cell out = {0};
	struct type type;
	struct variable v;
	struct diag d;
	bool compile;

	f->returned = true;
	if (!st->call.args)
		return FLOW_RETURN;
	if (f->kind == 'B' || f->kind == 'E') {
		diag_set(&d, 178);
		return run_error(s, &d, st, true);
	}
	if (eval_list(s, &st->plan, &st->plan_free,
		      (const struct expr *const *)&st->call.args, 1, &out,
		      &type, &d, &compile) < 0)
		return run_error(s, &d, st, compile);
	memset(&v, 0, sizeof(v));
	v.type = f->kind == 'F' ? f->result_type : type_of(TY_INT);
	if (run_assign(s, &v, &out.v, type, &d) < 0) {
		cell_release(&out);
		return run_error(s, &d, st, false);
	}
	cell_set(&f->result, &v.cell.v);
	if (v.cell.v.cls == VAL_INT)
		f->return_value = (int)v.cell.v.i;
	cell_release(&v.cell);
	cell_release(&out);
	return FLOW_RETURN;
}

/* Sleep, but notice a cancel. */
static void sleep_until(struct session *s, const struct timespec *limit)
{
	for (;;) {
		struct timespec now, nap = {0, 10000000};

		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > limit->tv_sec ||
		    (now.tv_sec == limit->tv_sec &&
		     now.tv_nsec >= limit->tv_nsec))
			return;
		if (limit->tv_sec == now.tv_sec &&
		    limit->tv_nsec - now.tv_nsec < nap.tv_nsec)
			nap.tv_nsec = limit->tv_nsec - now.tv_nsec;
		nanosleep(&nap, NULL);
		if (session_cancelled(s))
			return;
	}
}

static enum flow waitfor(struct session *s, struct stmt *st)
{
	struct cell out = {0};
	struct type type, want = type_scaled(TY_TIME, 7);
	struct convert c = session_convert(s);
	struct timespec limit;
	struct val v;
	struct diag d;
	bool compile = false;
	int64_t ticks;

	if (eval_list(s, &st->plan, &st->plan_free,
		      (const struct expr *const *)&st->call.args, 1, &out,
		      &type, &d, &compile) < 0)
		return run_error(s, &d, st, compile);
	if (out.v.cls == VAL_NULL ||
	    convert_value(&c, &out.v, type, want, &v, &d) < 0) {
		diag_set(&d, 148, out.v.cls == VAL_TEXT ? out.mem : "");
		cell_release(&out);
		return run_error(s, &d, st, false);
	}
	cell_release(&out);
	ticks = v.i;
	if (st->call.is_time) {
		struct moment now;

		moment_now(&now, false);
		ticks -= now.ticks;
		if (ticks < 0)
			ticks += TICKS_PER_DAY;
	}
	output_flush(s);
	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += ticks / TICKS_PER_SECOND;
	limit.tv_nsec += (ticks % TICKS_PER_SECOND) * 100;
	if (limit.tv_nsec >= 1000000000L) {
		limit.tv_nsec -= 1000000000L;
		limit.tv_sec++;
	}
	sleep_until(s, &limit);
	s->error = 0;
	return session_cancelled(s) ? FLOW_ABORT : FLOW_OK;
}

static const char *tran_name(struct session *s, struct stmt *st)
{
	int slot;

	if (!st->tran.var)
		return st->tran.name;
	slot = frame_find(s->frame, st->tran.var);
	if (slot < 0 || s->frame->vars[slot].cell.v.cls != VAL_TEXT)
		return NULL;
	return s->frame->vars[slot].cell.mem;
}

static enum flow tran_stmt(struct session *s, struct stmt *st)
{
	const char *name = tran_name(s, st);
	struct diag d;
	int ret;

	switch (st->tran.verb) {
	case 'B':
		ret = tran_begin(s, name, &d);
		break;
	case 'C':
		ret = tran_commit(s, &d);
		break;
	case 'S':
		ret = tran_save(s, name ? name : "", &d);
		break;
	default:
		ret = tran_rollback(s, name, &d);
		break;
	}
	if (ret < 0)
		return run_error(s, &d, st, false);
	s->error = 0;
	s->rowcount = 0;
	output_done(s, CMD_OTHER, -1, false);
	return FLOW_OK;
}

static enum flow use_stmt(struct session *s, struct stmt *st)
{
	char old[130 * 4], now[130 * 4];
	struct diag d;

	database_name(&s->server->registry, s->db, old, sizeof(old));
	if (session_use(s, st->name->part[0], &d) < 0)
		return run_error(s, &d, st, false);
	database_name(&s->server->registry, s->db, now, sizeof(now));
	output_database(s, old, now);
	s->error = 0;
	output_done(s, CMD_OTHER, -1, false);
	return FLOW_OK;
}

static enum flow unsupported(struct session *s, struct stmt *st)
{
	struct diag d;

	diag_set(&d, 40517, st->text);
	return run_error(s, &d, st, false);
}

int exec_check_doomed(struct session *s, struct diag *d)
{
	if (s->doomed)
		return diag_set(d, 3930);
	return tran_implicit(s, d);
}

static enum flow dispatch(struct session *s, struct stmt *st)
{
	switch (st->kind) {
	case ST_SELECT:
		return exec_select(s, st);
	case ST_INSERT:
		return exec_insert(s, st);
	case ST_UPDATE:
		return exec_update(s, st);
	case ST_DELETE:
		return exec_delete(s, st);
	case ST_TRUNCATE:
		return exec_truncate(s, st);
	case ST_INSERT_BULK:
		return exec_insert_bulk(s, st);
	case ST_DECLARE:
		return declare(s, st);
	case ST_SET_VAR:
		return set_variable(s, st);
	case ST_SET_OPTION:
		return exec_set_option(s, st);
	case ST_SET_IDENTITY:
		return exec_set_identity(s, st);
	case ST_IF:
		return if_stmt(s, st);
	case ST_WHILE:
		return while_stmt(s, st);
	case ST_BLOCK:
		return run_block(s, st->block);
	case ST_TRY:
		return try_stmt(s, st);
	case ST_BREAK:
		return FLOW_BREAK;
	case ST_CONTINUE:
		return FLOW_CONTINUE;
	case ST_RETURN:
		return return_stmt(s, st);
	case ST_GOTO:
		s->frame->goto_label = st->label;
		return FLOW_GOTO;
	case ST_LABEL:
		return FLOW_OK;
	case ST_PRINT:
		return exec_print(s, st);
	case ST_RAISERROR:
		return exec_raiserror(s, st);
	case ST_THROW:
		return exec_throw(s, st);
	case ST_WAITFOR:
		return waitfor(s, st);
	case ST_EXEC:
		return exec_exec(s, st);
	case ST_TRAN:
		return tran_stmt(s, st);
	case ST_USE:
		return use_stmt(s, st);
	case ST_SECURITY:
		return exec_security(s, st);
	case ST_GRANT:
		return exec_grant(s, st);
	case ST_DBCC:
		return exec_dbcc(s, st);
	case ST_KILL:
		return exec_kill(s, st);
	case ST_EXECUTE_AS:
		return exec_execute_as(s, st);
	case ST_NOTHING:
		output_done(s, CMD_OTHER, -1, false);
		return FLOW_OK;
	case ST_UNSUPPORTED:
		return unsupported(s, st);
	default:
		return exec_ddl(s, st);
	}
}

enum flow run_stmt(struct session *s, struct stmt *st)
{
	if (session_cancelled(s))
		return FLOW_ABORT;
	if (s->set.noexec && (st->kind != ST_SET_OPTION ||
			      strcasecmp(st->option.name, "NOEXEC") != 0))
		return FLOW_OK;
	return dispatch(s, st);
}

/* The label a GOTO looks for, among these statements. */
static struct stmt *find_label(struct stmt *first, const char *label)
{
	for (; first; first = first->next)
		if (first->kind == ST_LABEL && !strcasecmp(first->label, label))
			return first;
	return NULL;
}

enum flow run_block(struct session *s, struct stmt *first)
{
	struct stmt *st = first;

	while (st) {
		enum flow flow = run_stmt(s, st);

		if (flow == FLOW_GOTO) {
			struct stmt *to =
				find_label(first, s->frame->goto_label);

			if (!to)
				return flow;
			st = to;
			continue;
		}
		if (flow != FLOW_OK)
			return flow;
		st = st->next;
	}
	return FLOW_OK;
}

/* --- batches --- */

/* What is left when a frame ends: jumps to nowhere, doomed transactions. */
static enum flow after_block(struct session *s, enum flow flow)
{
	struct diag d;

	if (flow == FLOW_GOTO) {
		diag_set(&d, 133, s->frame->goto_label);
		return run_error(s, &d, NULL, false);
	}
	return flow;
}

enum flow run_text(struct session *s, const char *sql, size_t len, char kind)
{
	struct cached_batch *b;
	struct frame f;
	struct diag d;
	enum flow flow;

	if (s->nest >= NEST_MAX) {
		diag_set(&d, 217);
		return run_error(s, &d, NULL, false);
	}
	d.line = 0;
	d.proc[0] = '\0';
	b = plan_cache_take(s, sql, len, &d);
	if (!b) {
		if (kind != 'B')
			return run_error(s, &d, NULL, false);
		s->error = d.number;
		output_message(s, &d);
		output_done(s, CMD_OTHER, -1, true);
		return FLOW_ABORT;
	}
	frame_init(&f, s, kind);
	f.ast = &b->ast;
	if (kind != 'B')
		s->nest++;
	if (run_declare_all(s, b->ast.first, &d) < 0)
		flow = run_error(s, &d, NULL, true);
	else
		flow = after_block(s, run_block(s, b->ast.first));
	if (kind != 'B')
		s->nest--;
	frame_release(&f);
	plan_cache_put(s, b);
	if (flow == FLOW_RETURN || flow == FLOW_BREAK || flow == FLOW_CONTINUE)
		flow = FLOW_OK;
	return flow;
}

void run_batch(struct session *s, const char *sql, size_t len)
{
	enum flow flow = run_text(s, sql, len, 'B');
	struct diag d;

	if (flow == FLOW_THROW) { /* nobody was there to catch it */
		output_message(s, &s->thrown);
		output_done(s, CMD_OTHER, -1, true);
	}
	if (s->attention || s->broken) {
		/* a cancelled statement is undone; XACT_ABORT undoes all */
		if (s->set.xact_abort || s->broken)
			tran_abort(s);
	}
	if (s->doomed && !s->attention && !s->broken) {
		diag_set(&d, 3998);
		output_message(s, &d);
		output_done(s, CMD_OTHER, -1, true);
		tran_abort(s);
	}
	if (s->stmt_depth) /* cannot be; but never carry it on */
		s->stmt_depth = 0;
}
