/*
 * Changes of which some rows are refused (drivers/refused.h).
 *
 * The window is applied in one transaction, as ever, but each step stands
 * behind a savepoint. Deferred constraints are looked at in each step, or the
 * commit would fail and nobody know for which row.
 *
 * Trying every row in a statement of its own would be simpler, and take a
 * thousand times as long for the one bad row of a window of a thousand. So many
 * savepoints that change something in one transaction also slow down whoever
 * reads the table.
 */
#include "drivers/postgresql/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/uuid.h"
#include "drivers/postgresql/quote.h"
#include "drivers/refused.h"

struct told {
	struct told *next;
	struct target_exception row;
};

struct pg_isolate {
	struct pg_target *target;
	struct refused refused;
	struct strbuf changes;	  /* the table, quoted */
	uint64_t applied[PHASES]; /* rows */
	uint64_t again; /* put aside before, and now anew, without settle() */
	struct arena arena; /* what is told after the commit */
	struct told *told, **told_end;
};

void pg_isolate_free(struct pg_isolate *isolate)
{
	if (!isolate)
		return;
	refused_release(&isolate->refused);
	strbuf_release(&isolate->changes);
	arena_release(&isolate->arena);
	free(isolate);
}

bool pg_isolate_depends_on_order(const struct error *why)
{
	return !strcmp(why->sqlstate, "23503") ||
	       !strcmp(why->sqlstate, "23505") ||
	       !strcmp(why->sqlstate, "23P01");
}

/* A SQLSTATE that is a number; the message has it in any case. */
static int number_of(const struct error *why)
{
	long number;

	return text_to_long(why->sqlstate, &number) ? (int)number : 0;
}

/* ----------------------------------------------------------------- a step */

static int run_phase(struct pg_isolate *isolate, enum refused_phase phase,
		     int64_t low, int64_t high, int64_t too, uint64_t *rows,
		     struct error *err)
{
	struct pg_param params[] = {pg_int(low), pg_int(high), pg_int(too)};
	struct pg_merge m = {
		.target = isolate->target,
		.from = isolate->changes.data,
		.changes = true,
		.range = " AND (s.\"" LOADER_SEQ_COLUMN
			 "\" BETWEEN $1::bigint AND $2::bigint "
			 "OR s.\"" LOADER_SEQ_COLUMN "\" = $3::bigint)",
		.params = params,
		.param_count = 3,
	};

	switch (phase) {
	case PHASE_DELETE:
		return pg_merge_delete(&m, rows, err);
	case PHASE_UPDATE:
		return pg_merge_update(&m, rows, err);
	default:
		return pg_merge_insert(&m, rows, err);
	}
}

static int step(void *context, enum refused_phase phase, int64_t low,
		int64_t high, int64_t too, struct error *err)
{
	struct pg_isolate *isolate = context;
	struct pg *conn = isolate->target->conn;
	uint64_t rows = 0;

	if (pg_exec(conn, "SAVEPOINT dataflow_step", err) < 0)
		return -1;
	if (run_phase(isolate, phase, low, high, too, &rows, err) == 0) {
		isolate->applied[phase] += rows;
		return pg_exec(conn, "RELEASE SAVEPOINT dataflow_step", err) < 0
			       ? -1
			       : STEP_APPLIED;
	}
	if (err->kind != ERROR_DATA || !pg_usable(conn))
		return -1;
	isolate->refused.why = *err;
	isolate->refused.why.native = number_of(err);
	error_clear(err);
	return pg_exec(conn,
		       "ROLLBACK TO SAVEPOINT dataflow_step; "
		       "RELEASE SAVEPOINT dataflow_step",
		       err) < 0
		       ? -1
		       : STEP_REFUSED;
}

/* ------------------------------------------------------------ putting aside */

static int mark(struct pg_isolate *isolate, int64_t seq, struct error *err)
{
	struct pg_param param = pg_int(seq);
	struct strbuf sql;
	int64_t rows;

	strbuf_init(&sql);
	strbuf_addf(&sql,
		    "UPDATE %s SET \"" LOADER_OP_COLUMN "\" = "
		    "\"" LOADER_OP_COLUMN "\" + %d "
		    "WHERE \"" LOADER_SEQ_COLUMN "\" = $1::bigint",
		    isolate->changes.data, LOADER_REFUSED);
	rows = pg_target_run(isolate->target, &sql, &param, 1, err);
	strbuf_release(&sql);
	return rows < 0 ? -1 : 0;
}

/*
 * A later change of its key took its place. 1: one that does not tell all of the
 * row, so what this one told never arrives; 0: it does.
 */
static int look_up_later(struct pg_isolate *isolate,
			 const struct refused_row *row,
			 struct target_exception *out, struct error *err)
{
	const struct pg_target *target = isolate->target;
	struct pg_param key = pg_text(row->key);
	struct strbuf sql;
	int64_t rows;

	if (!row->key || !pg_loader_kept(target->loader, LOADER_ANY_COLUMN))
		return 0;
	strbuf_init(&sql);
	strbuf_addf(&sql,
		    "SELECT 1 FROM %s AS s "
		    "WHERE s.\"" LOADER_KEY_COLUMN "\" = $1 AND ",
		    isolate->changes.data);
	pg_sql_partial(&sql);
	rows = pg_target_run(target, &sql, &key, 1, err);
	strbuf_release(&sql);
	out->op = row->op;
	out->key = row->key;
	return rows < 0 ? -1 : rows > 0;
}

/* What the table of changes has of a row. 1: found; 0: it is over. */
static int look_up(struct pg_isolate *isolate, const struct refused_row *row,
		   struct target_exception *out, struct error *err)
{
	struct pg *conn = isolate->target->conn;
	struct pg_param seq = pg_int(row->seq);
	struct strbuf sql;
	int64_t rows = -1;

	if (!row->seq) {
		out->op = row->op;
		out->key = row->key;
		return 1;
	}
	strbuf_init(&sql);
	strbuf_addf(&sql,
		    "SELECT \"" LOADER_OP_COLUMN "\" %% %d, "
		    "\"" LOADER_KEY_COLUMN "\" FROM %s "
		    "WHERE \"" LOADER_SEQ_COLUMN "\" = $1::bigint",
		    LOADER_REFUSED, isolate->changes.data);
	if (strbuf_check(&sql, err) == 0)
		rows = pg_query(conn, sql.data, &seq, 1, err);
	strbuf_release(&sql);
	if (rows < 0)
		return -1;
	if (!rows)
		return look_up_later(isolate, row, out, err);
	out->op = (enum row_op)pg_get_int(conn, 0, 0);
	out->key = pg_copy_text(conn, 0, 1, &isolate->arena);
	pg_finish(conn);
	return out->key ? 1 : error_memory(err, "refused rows");
}

static int keep(struct pg_isolate *isolate, struct target_exception *row,
		struct error *err)
{
	static const char sql[] =
		"INSERT INTO dataflow.exceptions (installation_id, mapping_id, "
		"exception_id, operation, row_key, position, error_number, "
		"reason, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
		"$9::text::timestamp)";
	char created[CLOCK_TEXT_MAX];
	struct pg_target *target = isolate->target;
	struct pg_param params[9];
	int64_t rows;

	uuid_make(row->id);
	clock_format(created, row->created_us);
	params[0] = pg_text(target->installation);
	params[1] = pg_int(target->mapping_id);
	params[2] = pg_text(row->id);
	params[3] = pg_int(row->op);
	params[4] = pg_text(row->key);
	params[5] = pg_text(row->position);
	params[6] = pg_int(row->number);
	params[7] = pg_text(row->reason);
	params[8] = pg_text(created);
	rows = pg_query(target->conn, sql, params, 9, err);
	pg_finish(target->conn);
	return rows < 0 ? -1 : 0;
}

/* Of one that is not in the table of changes, for settle() to find. */
static int forget_key(struct pg_isolate *isolate, const char *key,
		      struct error *err)
{
	static const char sql[] = "DELETE FROM dataflow.exceptions "
				  "WHERE " CHECKPOINT_WHOSE " AND row_key = $3";
	struct pg_checkpoint_params p;
	int64_t rows;

	pg_checkpoint_identify(&p, isolate->target);
	p.params[p.count++] = pg_text(key);
	rows = pg_query(isolate->target->conn, sql, p.params, p.count, err);
	pg_finish(isolate->target->conn);
	if (rows < 0)
		return -1;
	isolate->again += (uint64_t)rows;
	return 0;
}

/* 1: the row is told of and kept; 0: a later change told all of it. */
static int put_aside(struct pg_isolate *isolate, const struct refused_row *row,
		     const char *position, struct error *err)
{
	struct told *told = arena_calloc(&isolate->arena, 1, sizeof(*told));
	int rc;

	if (!told)
		return error_memory(err, "refused rows");
	rc = look_up(isolate, row, &told->row, err);
	if (rc <= 0)
		return rc;
	told->row.position = position;
	told->row.number = row->number;
	told->row.reason = row->reason;
	told->row.created_us = clock_utc_us();
	if (isolate->refused.how->keep &&
	    ((told->row.key == row->key &&
	      forget_key(isolate, row->key, err) < 0) ||
	     keep(isolate, &told->row, err) < 0))
		return -1;
	*isolate->told_end = told;
	isolate->told_end = &told->next;
	return 1;
}

/*
 * Those of earlier windows whose keys are in this one are over: either the row
 * went in, or it is put aside anew. One that is only left out ends none.
 */
static int settle(struct pg_isolate *isolate, uint64_t *settled,
		  struct error *err)
{
	bool keep_them = isolate->refused.how->keep;
	int rc = 0;

	for (size_t i = 0; i < isolate->refused.count && !rc; i++)
		if (!isolate->refused.rows[i].fixed)
			rc = mark(isolate, isolate->refused.rows[i].seq, err);
	if (rc < 0)
		return -1;
	return pg_exceptions_settle(
		isolate->target,
		keep_them ? "" : " AND s.\"" LOADER_OP_COLUMN "\" < 2", settled,
		err);
}

static int put_all_aside(struct pg_isolate *isolate, const char *position,
			 struct error *err)
{
	for (size_t i = 0; i < isolate->refused.count; i++) {
		struct refused_row *row = &isolate->refused.rows[i];
		int rc = put_aside(isolate, row, position, err);

		if (rc < 0)
			return -1;
		isolate->refused.how->count += (uint64_t)rc;
		if (isolate->refused.how->count > isolate->refused.how->limit)
			return refused_too_many(&isolate->refused, row->reason,
						err);
	}
	return 0;
}

/* ------------------------------------------------------------ the transaction */

/* What is done once for all that went in. */
static int end_merge(struct pg_isolate *isolate, const struct checkpoint *from,
		     struct error *err)
{
	struct pg_merge m = {
		.target = isolate->target,
		.from = isolate->changes.data,
		.changes = true,
		.range = "",
	};

	if (isolate->applied[PHASE_INSERT] && pg_merge_sequences(&m, err) < 0)
		return -1;
	return pg_merge_check_missing(&m, from, err);
}

/* The number of a change is what a step goes by. */
static int make_index(struct pg_isolate *isolate, struct error *err)
{
	struct strbuf sql;
	int64_t rows;

	strbuf_init(&sql);
	strbuf_addf(&sql,
		    "CREATE INDEX IF NOT EXISTS %s_seq ON %s "
		    "(\"" LOADER_SEQ_COLUMN "\")",
		    isolate->target->staging, isolate->changes.data);
	rows = pg_target_run(isolate->target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	return rows < 0 ? -1 : 0;
}

static int apply_steps(struct pg_isolate *isolate, uint64_t sent,
		       struct target_counts *counts, struct error *err)
{
	if (make_index(isolate, err) < 0 ||
	    pg_exec(isolate->target->conn, "SET CONSTRAINTS ALL IMMEDIATE",
		    err) < 0 ||
	    refused_apply(&isolate->refused, (int64_t)sent, err) < 0)
		return -1;
	counts->deleted = isolate->applied[PHASE_DELETE];
	counts->updated = isolate->applied[PHASE_UPDATE];
	counts->inserted = isolate->applied[PHASE_INSERT];
	return 0;
}

static void tell_refused(struct pg_isolate *isolate)
{
	struct isolation *how = isolate->refused.how;

	for (const struct told *t = isolate->told; t; t = t->next)
		how->refused(how->context, &t->row);
	if (how->keep)
		isolate->target->exceptions += how->count;
}

int pg_isolate_commit(struct pg_target *target, const struct checkpoint *from,
		      const struct checkpoint *to, struct target_counts *counts,
		      struct error *err)
{
	struct pg_isolate *isolate = target->isolate;
	char position[POSITION_TEXT_MAX];
	uint64_t sent, rows;

	position_format(position, &to->position);
	if (pg_loader_end(target->loader, &sent, err) < 0)
		return -1;
	rows = sent;
	if ((rows > 1 && pg_apply_keep_last(target, &rows, err) < 0) ||
	    pg_checkpoint_move(target, from, to, err) < 0 ||
	    apply_steps(isolate, sent, counts, err) < 0 ||
	    settle(isolate, &counts->settled, err) < 0 ||
	    put_all_aside(isolate, position, err) < 0 ||
	    end_merge(isolate, from, err) < 0 ||
	    pg_target_commit(target, err) < 0)
		return -1;
	counts->settled += isolate->again;
	tell_refused(isolate);
	return 0;
}

static int make(struct pg_target *target, struct isolation *how,
		struct error *err)
{
	struct pg_isolate *isolate = calloc(1, sizeof(*isolate));

	if (!isolate)
		return error_memory(err, "refused rows");
	isolate->target = target;
	refused_init(&isolate->refused, how);
	isolate->refused.step = step;
	isolate->refused.ordered = pg_isolate_depends_on_order;
	isolate->refused.context = isolate;
	isolate->told_end = &isolate->told;
	arena_init(&isolate->arena, 0);
	strbuf_init(&isolate->changes);
	target->isolate = isolate;
	return 0;
}

int pg_isolate_begin(struct pg_target *target, struct isolation *how,
		     struct error *err)
{
	if (make(target, how, err) < 0 || pg_apply_begin(target, err) < 0)
		return -1;
	pg_staging_name(&target->isolate->changes, target);
	pg_loader_leave_out(target->loader, refused_does_not_fit,
			    &target->isolate->refused);
	return strbuf_check(&target->isolate->changes, err);
}

int pg_isolate_in_order(struct pg_target *target, uint64_t sent,
			struct target_counts *counts, struct error *err)
{
	struct isolation none = {.keep = false}; /* and a limit of 0 */
	int ret = -1;

	if (make(target, &none, err) == 0) {
		const struct refused *refused = &target->isolate->refused;

		pg_staging_name(&target->isolate->changes, target);
		if (strbuf_check(&target->isolate->changes, err) == 0)
			ret = apply_steps(target->isolate, sent, counts, err);
		if (ret == 0 && refused->count)
			ret = error_set(err, ERROR_DATA, "%s",
					refused->rows[0].reason);
	}
	pg_isolate_free(target->isolate);
	target->isolate = NULL;
	return ret;
}
