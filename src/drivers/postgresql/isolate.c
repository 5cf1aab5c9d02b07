/*
 * Changes of which some rows are refused.
 *
 * The window is applied in one transaction, as ever, but in steps: each is a
 * statement over a range of the changes' numbers, behind a savepoint. A step
 * that fails for what a row holds is undone and cut in two, down to the row.
 * What fails only because of the order (a unique value that another row has
 * still got) is tried again at the end, alone, and in pairs, which exchange
 * their values. What is left then is left out. Deferred constraints are looked
 * at in each step, or the commit would fail and nobody know for which row.
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

/* So many rows are remembered: the limit, whatever was asked for. */
#define REFUSED_MAX 20000

/* Rows that are tried in pairs are no more than these. */
#define PAIRED_MAX 32

/* Rounds over rows that failed for the order, before the rest is left out. */
#define ROUNDS_MAX 20

enum phase { PHASE_DELETE, PHASE_UPDATE, PHASE_INSERT, PHASES };

struct refused {
	int64_t seq; /* 0: it is not in the table of changes */
	enum phase phase;
	enum row_op op; /* of one without a seq */
	bool fixed;	/* will not go in whatever happens */
	bool ordered;	/* it might, after others */
	int number;
	char *reason;
	char *key; /* of one without a seq */
};

struct told {
	struct told *next;
	struct target_exception row;
};

struct pg_isolate {
	struct pg_target *target;
	struct isolation *how;
	struct refused *rows;
	size_t count, capacity;
	struct strbuf changes;	  /* the table, quoted */
	uint64_t applied[PHASES]; /* rows */
	uint64_t final;		  /* refused rows that no order helps */
	struct error why;	  /* of the last step that was refused */
	struct arena arena;	  /* what is told after the commit */
	struct told *told, **told_end;
};

enum outcome { APPLIED, REFUSED };

/* ------------------------------------------------------------ refused rows */

static void forget(struct refused *row)
{
	free(row->reason);
	free(row->key);
}

void pg_isolate_free(struct pg_isolate *isolate)
{
	if (!isolate)
		return;
	for (size_t i = 0; i < isolate->count; i++)
		forget(&isolate->rows[i]);
	strbuf_release(&isolate->changes);
	free(isolate->rows);
	arena_release(&isolate->arena);
	free(isolate);
}

/* A foreign key, a unique value or an exclusion: others may make room. */
static bool depends_on_order(const struct error *why)
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

static int too_many(struct pg_isolate *isolate, const char *why,
		    struct error *err)
{
	isolate->how->count = isolate->how->limit + 1;
	return error_set(err, ERROR_DATA, "more than %llu rows are refused: %s",
			 (unsigned long long)isolate->how->limit, why);
}

static struct refused *add_refused(struct pg_isolate *isolate, int64_t seq,
				   const struct error *why, struct error *err)
{
	struct refused *row;

	if (isolate->count >= REFUSED_MAX) {
		too_many(isolate, why->message, err);
		return NULL;
	}
	if (isolate->count == isolate->capacity) {
		size_t capacity =
			isolate->capacity ? isolate->capacity * 2 : 16;
		struct refused *grown =
			realloc(isolate->rows, capacity * sizeof(*grown));

		if (!grown) {
			error_memory(err, "refused rows");
			return NULL;
		}
		isolate->rows = grown;
		isolate->capacity = capacity;
	}
	row = &isolate->rows[isolate->count];
	*row = (struct refused){
		.seq = seq,
		.number = number_of(why),
		.ordered = depends_on_order(why),
		.reason = strdup(why->message),
	};
	if (!row->reason) {
		error_memory(err, "refused rows");
		return NULL;
	}
	isolate->count++;
	return row;
}

static void remove_refused(struct pg_isolate *isolate, size_t i)
{
	forget(&isolate->rows[i]);
	memmove(&isolate->rows[i], &isolate->rows[i + 1],
		(isolate->count - i - 1) * sizeof(*isolate->rows));
	isolate->count--;
}

/* The loader found a value that does not fit. */
static int does_not_fit(void *context, int64_t seq, enum row_op op,
			const char *key, const struct error *why,
			struct error *err)
{
	struct pg_isolate *isolate = context;
	struct refused *row;

	for (size_t i = 0; !seq && i < isolate->count; i++)
		if (isolate->rows[i].key && !strcmp(isolate->rows[i].key, key))
			remove_refused(isolate, i--); /* the last counts */
	row = add_refused(isolate, seq, why, err);
	if (!row)
		return -1;
	row->fixed = true;
	row->op = op;
	row->key = seq ? NULL : strdup(key);
	return seq || row->key ? 0 : error_memory(err, "refused rows");
}

/* ----------------------------------------------------------------- a step */

static int run_phase(struct pg_isolate *isolate, enum phase phase, int64_t low,
		     int64_t high, int64_t too, uint64_t *rows,
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

/*
 * What became of a step; `isolate->why` says more. -1: something that is not
 * about rows.
 */
static int step(struct pg_isolate *isolate, enum phase phase, int64_t low,
		int64_t high, int64_t too, struct error *err)
{
	struct pg *conn = isolate->target->conn;
	uint64_t rows = 0;

	if (pg_exec(conn, "SAVEPOINT dataflow_step", err) < 0)
		return -1;
	if (run_phase(isolate, phase, low, high, too, &rows, err) == 0) {
		isolate->applied[phase] += rows;
		return pg_exec(conn, "RELEASE SAVEPOINT dataflow_step", err) < 0
			       ? -1
			       : APPLIED;
	}
	if (err->kind != ERROR_DATA || !pg_usable(conn))
		return -1;
	isolate->why = *err;
	error_clear(err);
	return pg_exec(conn,
		       "ROLLBACK TO SAVEPOINT dataflow_step; "
		       "RELEASE SAVEPOINT dataflow_step",
		       err) < 0
		       ? -1
		       : REFUSED;
}

/* ---------------------------------------------------------- cutting in two */

static int refuse(struct pg_isolate *isolate, enum phase phase, int64_t seq,
		  struct error *err)
{
	struct refused *row = add_refused(isolate, seq, &isolate->why, err);

	if (!row)
		return -1;
	row->phase = phase;
	if (!row->ordered && ++isolate->final > isolate->how->limit)
		return too_many(isolate, isolate->why.message, err);
	return 0;
}

/* 0: all but those that were refused. */
static int bisect(struct pg_isolate *isolate, enum phase phase, int64_t low,
		  int64_t high, struct error *err)
{
	int64_t middle = low + (high - low) / 2;
	int rc = step(isolate, phase, low, high, 0, err);

	if (rc != REFUSED)
		return rc;
	if (low == high)
		return refuse(isolate, phase, low, err);
	if (bisect(isolate, phase, low, middle, err) < 0)
		return -1;
	return bisect(isolate, phase, middle + 1, high, err);
}

/* ------------------------------------------------- what depends on the order */

static bool may_try_again(const struct refused *row)
{
	return !row->fixed && row->ordered;
}

/*
 * Each of them once more, alone, forwards and backwards in turns: in a row of
 * values that were shifted one of the two finds them all.
 */
static int try_again(struct pg_isolate *isolate, bool forwards, bool *progress,
		     struct error *err)
{
	size_t i = forwards ? 0 : isolate->count;

	*progress = false;
	while (forwards ? i < isolate->count : i-- > 0) {
		struct refused *row = &isolate->rows[i];
		int rc = REFUSED;

		if (may_try_again(row))
			rc = step(isolate, row->phase, row->seq, row->seq, 0,
				  err);
		if (rc < 0)
			return -1;
		if (rc == APPLIED) {
			remove_refused(isolate, i);
			*progress = true;
		} else if (forwards) {
			i++;
		}
	}
	return 0;
}

/* One of these with one of the others behind it. */
static int try_pairs_of(struct pg_isolate *isolate, size_t i, bool *progress,
			struct error *err)
{
	for (size_t j = i + 1; j < isolate->count; j++) {
		struct refused *one = &isolate->rows[i];
		struct refused *two = &isolate->rows[j];
		int rc = REFUSED;

		if (may_try_again(one) && may_try_again(two) &&
		    one->phase == two->phase)
			rc = step(isolate, one->phase, one->seq, one->seq,
				  two->seq, err);
		if (rc < 0)
			return -1;
		if (rc == APPLIED) {
			remove_refused(isolate, j);
			remove_refused(isolate, i);
			*progress = true;
			break;
		}
	}
	return 0;
}

static int try_pairs(struct pg_isolate *isolate, bool *progress,
		     struct error *err)
{
	size_t open = 0;
	int rc = 0;

	*progress = false;
	for (size_t i = 0; i < isolate->count; i++)
		open += may_try_again(&isolate->rows[i]);
	for (size_t i = 0; open <= PAIRED_MAX && i + 1 < isolate->count &&
			   rc == 0 && !*progress;
	     i++)
		rc = try_pairs_of(isolate, i, progress, err);
	return rc;
}

static int try_order(struct pg_isolate *isolate, struct error *err)
{
	bool progress = true;
	int rc = 0;

	for (int i = 0; i < ROUNDS_MAX && progress && rc == 0; i++) {
		bool backwards;

		rc = try_again(isolate, false, &backwards, err);
		if (rc == 0)
			rc = try_again(isolate, true, &progress, err);
		progress |= backwards;
		if (rc == 0 && !progress)
			rc = try_pairs(isolate, &progress, err);
	}
	return rc;
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
 * What the table of changes has of a row. 1: found; 0: a later change of its
 * key took its place.
 */
static int look_up(struct pg_isolate *isolate, const struct refused *row,
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
	if (rows <= 0)
		return (int)rows;
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

/* Of one whose key never came into the table of changes. */
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
	return rows < 0 ? -1 : 0;
}

/* 1: the row is told of and kept; 0: a later change came after it. */
static int put_aside(struct pg_isolate *isolate, const struct refused *row,
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
	if (!row->seq && forget_key(isolate, row->key, err) < 0)
		return -1;
	if (isolate->how->keep && keep(isolate, &told->row, err) < 0)
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
	bool keep_them = isolate->how->keep;
	int rc = 0;

	for (size_t i = 0; !keep_them && i < isolate->count && !rc; i++)
		if (!isolate->rows[i].fixed)
			rc = mark(isolate, isolate->rows[i].seq, err);
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
	for (size_t i = 0; i < isolate->count; i++) {
		struct refused *row = &isolate->rows[i];
		int rc = put_aside(isolate, row, position, err);

		if (rc < 0)
			return -1;
		isolate->how->count += (uint64_t)rc;
		if (isolate->how->count > isolate->how->limit)
			return too_many(isolate, row->reason, err);
	}
	return 0;
}

/* ------------------------------------------------------------ the transaction */

static int apply_rows(struct pg_isolate *isolate, int64_t last,
		      struct error *err)
{
	for (int phase = 0; phase < PHASES && last; phase++)
		if (bisect(isolate, (enum phase)phase, 1, last, err) < 0)
			return -1;
	return try_order(isolate, err);
}

static int move_sequences(struct pg_isolate *isolate, struct error *err)
{
	struct pg_merge m = {
		.target = isolate->target,
		.from = isolate->changes.data,
		.changes = true,
		.range = "",
	};

	return isolate->applied[PHASE_INSERT] ? pg_merge_sequences(&m, err) : 0;
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

static void tell_refused(struct pg_isolate *isolate)
{
	struct isolation *how = isolate->how;

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
	    make_index(isolate, err) < 0 ||
	    pg_exec(target->conn, "SET CONSTRAINTS ALL IMMEDIATE", err) < 0 ||
	    pg_checkpoint_move(target, from, to, err) < 0 ||
	    apply_rows(isolate, (int64_t)sent, err) < 0 ||
	    settle(isolate, &counts->settled, err) < 0 ||
	    put_all_aside(isolate, position, err) < 0 ||
	    move_sequences(isolate, err) < 0 ||
	    pg_target_commit(target, err) < 0)
		return -1;
	counts->deleted = isolate->applied[PHASE_DELETE];
	counts->updated = isolate->applied[PHASE_UPDATE];
	counts->inserted = isolate->applied[PHASE_INSERT];
	tell_refused(isolate);
	return 0;
}

int pg_isolate_begin(struct pg_target *target, struct isolation *how,
		     struct error *err)
{
	struct pg_isolate *isolate = calloc(1, sizeof(*isolate));

	if (!isolate)
		return error_memory(err, "refused rows");
	isolate->target = target;
	isolate->how = how;
	isolate->told_end = &isolate->told;
	arena_init(&isolate->arena, 0);
	strbuf_init(&isolate->changes);
	how->count = 0;
	if (how->limit > REFUSED_MAX)
		how->limit = REFUSED_MAX;
	target->isolate = isolate;
	if (pg_apply_begin(target, err) < 0)
		return -1;
	pg_staging_name(&isolate->changes, target);
	pg_loader_leave_out(target->loader, does_not_fit, isolate);
	return strbuf_check(&isolate->changes, err);
}
