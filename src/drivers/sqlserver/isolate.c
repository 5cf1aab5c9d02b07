/*
 * Changes of which some rows are refused (drivers/refused.h).
 *
 * The window is applied in one transaction, as ever, but each step stands
 * behind a savepoint.
 *
 * Some errors doom the whole transaction (those in triggers, and conversions).
 * Then the row is sought in transactions that are rolled back, marked, and all
 * of it begins anew.
 *
 * Trying every row in a statement of its own would be simpler, and take a
 * thousand times as long for the one bad row of a window of a thousand.
 */
#include "drivers/sqlserver/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "drivers/refused.h"
#include "drivers/sqlserver/sql.h"
#include "tds/message.h"

struct told {
	struct told *next;
	struct target_exception row;
};

struct isolate {
	struct sqlserver_target *target;
	struct refused refused;
	struct strbuf sql[PHASES];
	uint64_t applied[PHASES]; /* rows */
	uint64_t doomed;	  /* rows that took a transaction with them */
	uint64_t again; /* put aside before, and now anew, without settle() */
	/* The range of the last step that did. */
	enum refused_phase doomed_phase;
	int64_t doomed_low, doomed_high;
	struct arena arena; /* what is told after the commit */
	struct told *told, **told_end;
};

void isolate_free(struct isolate *isolate)
{
	if (!isolate)
		return;
	refused_release(&isolate->refused);
	for (int i = 0; i < PHASES; i++)
		strbuf_release(&isolate->sql[i]);
	arena_release(&isolate->arena);
	free(isolate);
}

bool isolate_depends_on_order(const struct error *why)
{
	return why->native == 547 || why->native == 2601 || why->native == 2627;
}

/* ----------------------------------------------------------------- a step */

static void add_step(struct strbuf *sql, const struct strbuf *statement)
{
	strbuf_addf(sql,
		    "SET XACT_ABORT OFF; "
		    "DECLARE @number int = 0, @severity int = 0, "
		    "@state int = 1, @message nvarchar(4000) = N'', "
		    "@rows bigint = 0; "
		    "BEGIN TRY SAVE TRANSACTION dataflow_step; %s"
		    "END TRY BEGIN CATCH "
		    "SELECT @number = ERROR_NUMBER(), "
		    "@severity = ERROR_SEVERITY(), "
		    "@message = ERROR_MESSAGE(), @state = XACT_STATE(); "
		    "IF @state = 1 ROLLBACK TRANSACTION dataflow_step; "
		    "END CATCH; "
		    "SELECT @number, @severity, @state, @rows, @message",
		    statement->data);
	if (statement->failed)
		sql->failed = statement->failed;
}

/* What is made anew is not updated, or it might be half done. */
static void add_same_identity(struct strbuf *sql,
			      const struct sqlserver_target *target)
{
	for (size_t i = 0; i < target->shape->column_count; i++) {
		const struct catalog_column *column = catalog_column(
			&target->dest, target->shape->columns[i].name);

		if (column->identity && !table_is_key(target->shape, i))
			sql_names(sql, " AND d.%n = s.%n", column->name,
				  column->name);
	}
}

static int build_steps(struct isolate *isolate, struct error *err)
{
	static const char range[] =
		" AND (s.[" LOADER_SEQ_COLUMN "] BETWEEN @low AND @high "
		"OR s.[" LOADER_SEQ_COLUMN "] = @too)";
	static const char count[] = "SET @rows = @@ROWCOUNT; ";
	struct sqlserver_target *target = isolate->target;
	struct strbuf statement, same;
	int ret;

	strbuf_init(&statement);
	strbuf_init(&same);
	strbuf_addstr(&same, range);
	add_same_identity(&same, target);
	apply_sql_delete(&statement, target, range);
	strbuf_addstr(&statement, count);
	add_step(&isolate->sql[PHASE_DELETE], &statement);
	strbuf_reset(&statement);
	if (apply_sql_update(&statement, target, same.data))
		strbuf_addstr(&statement, count);
	add_step(&isolate->sql[PHASE_UPDATE], &statement);
	strbuf_reset(&statement);
	/* A row that is made anew goes and comes in the same step. */
	apply_sql_remake(&statement, target, range);
	apply_sql_insert(&statement, target, range, count);
	add_step(&isolate->sql[PHASE_INSERT], &statement);
	ret = strbuf_check(&same, err);
	strbuf_release(&same);
	strbuf_release(&statement);
	for (int i = 0; i < PHASES && ret == 0; i++)
		ret = strbuf_check(&isolate->sql[i], err);
	return ret;
}

/*
 * What became of a step; `isolate->refused.why` says more. -1: something that is not
 * about rows. The end of a statement in a doomed transaction is an error of
 * its own, which tells nothing new.
 */
static int judge_step(struct isolate *isolate, enum refused_phase phase,
		      struct error *err)
{
	struct tds *conn = isolate->target->conn;
	int number = (int)tds_get_int(conn, 0);
	int severity = (int)tds_get_int(conn, 1);
	int64_t state = tds_get_int(conn, 2);
	bool doomed = state < 0;
	uint64_t rows = (uint64_t)tds_get_int(conn, 3);
	struct error late = ERROR_INIT;
	struct arena arena;
	char *message;

	if (!number) {
		if (tds_finish(conn, err) < 0)
			return -1;
		isolate->applied[phase] += rows;
		return STEP_APPLIED;
	}
	arena_init(&arena, 0);
	message = tds_get_text(conn, 4, &arena);
	tds_message_to_error(&isolate->refused.why, number, severity,
			     message ? message : "");
	arena_release(&arena);
	if (tds_finish(conn, &late) < 0 && !doomed) {
		*err = late;
		return -1;
	}
	/* A trigger may have ended the transaction: nothing can go on then. */
	if (isolate->refused.why.kind != ERROR_DATA || !state) {
		*err = isolate->refused.why;
		return -1;
	}
	return doomed ? STEP_DOOMED : STEP_REFUSED;
}

static int step(void *context, enum refused_phase phase, int64_t low,
		int64_t high, int64_t too, struct error *err)
{
	struct isolate *isolate = context;
	struct tds *conn = isolate->target->conn;
	struct tds_param params[] = {
		tds_int("@low", low),
		tds_int("@high", high),
		tds_int("@too", too),
	};
	int rc;

	rc = tds_query_row(conn, isolate->sql[phase].data, params, 3, err);
	if (rc == 0)
		return error_set(err, ERROR_SERVER,
				 "a step did not report its end");
	if (rc > 0)
		rc = judge_step(isolate, phase, err);
	if (rc == STEP_DOOMED) {
		isolate->doomed_phase = phase;
		isolate->doomed_low = low;
		isolate->doomed_high = high;
	}
	return rc;
}

/* ------------------------------------------------------- doomed transactions */

static int probe(struct isolate *isolate, int64_t low, int64_t high,
		 struct error *err)
{
	int rc;

	if (tds_exec(isolate->target->conn, "BEGIN TRANSACTION", err) < 0)
		return -1;
	rc = step(isolate, isolate->doomed_phase, low, high, 0, err);
	target_abandon(isolate->target);
	return rc;
}

static int mark(struct isolate *isolate, int64_t seq, struct error *err)
{
	static const char sql[] =
		"UPDATE " APPLY_CHANGES " SET [" LOADER_OP_COLUMN "] = "
		"[" LOADER_OP_COLUMN "] + 2 WHERE [" LOADER_SEQ_COLUMN
		"] = @seq";
	struct tds_param param = tds_int("@seq", seq);

	if (tds_query(isolate->target->conn, sql, &param, 1, err) < 0)
		return -1;
	return tds_finish(isolate->target->conn, err);
}

static bool is_marked(const struct isolate *isolate, int64_t seq)
{
	for (size_t i = 0; i < isolate->refused.count; i++)
		if (isolate->refused.rows[i].fixed &&
		    isolate->refused.rows[i].seq == seq)
			return true;
	return false;
}

/* Find the row that dooms what is done with it, and leave it out for good. */
static int find_doomed(struct isolate *isolate, struct error *err)
{
	int64_t low = isolate->doomed_low, high = isolate->doomed_high;
	struct error why = isolate->refused.why;
	struct refused_row *row;
	int rc;

	while (low < high) {
		int64_t middle = low + (high - low) / 2;

		rc = probe(isolate, low, middle, err);
		if (rc < 0)
			return -1;
		if (rc == STEP_DOOMED)
			high = middle;
		else
			low = middle + 1;
	}
	rc = probe(isolate, low, low, err);
	if (rc < 0)
		return -1;
	if (rc != STEP_DOOMED || is_marked(isolate, low)) {
		*err = why;
		return error_wrap(err, "no single row is refused");
	}
	if (mark(isolate, low, err) < 0)
		return -1;
	row = refused_add(&isolate->refused, low, &isolate->refused.why, err);
	if (!row)
		return -1;
	row->fixed = true;
	if (++isolate->doomed > isolate->refused.how->limit)
		return refused_too_many(&isolate->refused,
					isolate->refused.why.message, err);
	return 0;
}

/* ------------------------------------------------------------ putting aside */

/* 1: the row is told of and kept; 0: a later change told all of it. */
static int put_aside(struct isolate *isolate, const struct refused_row *row,
		     const char *position, struct error *err)
{
	static const char sql[] =
		"DECLARE @absent bit = 0, @again int = 0; "
		"DECLARE @out TABLE (exception_id nvarchar(36), "
		"operation tinyint, row_key nvarchar(4000)); "
		"INSERT INTO @out (exception_id, operation, row_key) "
		"SELECT CONVERT(nvarchar(36), NEWID()), "
		"s.[" LOADER_OP_COLUMN "] % 2, s.[" LOADER_KEY_COLUMN "] "
		"FROM " APPLY_CHANGES " AS s "
		"WHERE s.[" LOADER_SEQ_COLUMN "] = @seq; "
		"IF @@ROWCOUNT = 0 SET @absent = 1; "
		/* What it told never arrives when a later one left it out. */
		"IF @seq <> 0 AND @absent = 1 INSERT INTO @out "
		"(exception_id, operation, row_key) "
		"SELECT CONVERT(nvarchar(36), NEWID()), @op, "
		"s.[" LOADER_KEY_COLUMN "] FROM " APPLY_CHANGES " AS s "
		"WHERE s.[" LOADER_KEY_COLUMN "] = @key AND " APPLY_PARTIAL "; "
		"IF @seq = 0 INSERT INTO @out (exception_id, operation, "
		"row_key) VALUES (CONVERT(nvarchar(36), NEWID()), @op, @key); "
		"IF @absent = 1 AND @keep = 1 BEGIN "
		"DELETE FROM dataflow.exceptions "
		"WHERE installation_id = @installation "
		"AND mapping_id = @mapping AND row_key = @key; "
		"SET @again = @@ROWCOUNT; END; "
		"IF @keep = 1 INSERT INTO dataflow.exceptions "
		"(installation_id, mapping_id, exception_id, operation, "
		"row_key, position, error_number, reason, created_at) "
		"SELECT @installation, @mapping, o.exception_id, o.operation, "
		"o.row_key, @position, @number, @reason, @created "
		"FROM @out AS o; "
		"SELECT o.exception_id, CAST(o.operation AS int), o.row_key, "
		"@again FROM @out AS o";
	struct sqlserver_target *target = isolate->target;
	char created[CLOCK_TEXT_MAX];
	struct checkpoint_params p;
	struct told *told;
	const char *id;
	int rc;

	told = arena_calloc(&isolate->arena, 1, sizeof(*told));
	if (!told)
		return error_memory(err, "refused rows");
	told->row.created_us = clock_utc_us();
	clock_format(created, told->row.created_us);
	checkpoint_identify(&p, target);
	p.params[p.count++] = tds_int("@seq", row->seq);
	p.params[p.count++] = tds_int("@op", row->op);
	p.params[p.count++] = tds_text("@key", row->key);
	p.params[p.count++] = tds_int("@keep", isolate->refused.how->keep);
	p.params[p.count++] = tds_text("@position", position);
	p.params[p.count++] = tds_int("@number", row->number);
	p.params[p.count++] = tds_text("@reason", row->reason);
	p.params[p.count++] = tds_text("@created", created);
	rc = tds_query_row(target->conn, sql, p.params, p.count, err);
	if (rc <= 0)
		return rc;
	id = tds_get_text(target->conn, 0, &isolate->arena);
	told->row.op = (enum row_op)tds_get_int(target->conn, 1);
	told->row.key = exceptions_text(target->conn, 2, &isolate->arena);
	isolate->again += (uint64_t)tds_get_int(target->conn, 3);
	told->row.position = position;
	told->row.number = row->number;
	told->row.reason = row->reason;
	if (tds_finish(target->conn, err) < 0)
		return -1;
	if (!id || !told->row.key)
		return error_memory(err, "refused rows");
	if (isolate->refused.how->keep)
		text_copy(told->row.id, sizeof(told->row.id), id);
	*isolate->told_end = told;
	isolate->told_end = &told->next;
	return 1;
}

/*
 * Those of earlier windows whose keys are in this one are over: either the row
 * went in, or it is put aside anew. One that is only left out ends none.
 */
static int settle(struct isolate *isolate, uint64_t *settled, struct error *err)
{
	static const char sql[] =
		APPLY_SETTLE("AND (@keep = 1 OR s.[" LOADER_OP_COLUMN
			     "] < 2)") "SELECT CAST(@@ROWCOUNT AS bigint)";
	struct sqlserver_target *target = isolate->target;
	struct checkpoint_params id;
	int rc = 0;

	for (size_t i = 0; i < isolate->refused.count && !rc; i++)
		if (!isolate->refused.rows[i].fixed)
			rc = mark(isolate, isolate->refused.rows[i].seq, err);
	if (rc < 0)
		return -1;
	checkpoint_identify(&id, target);
	id.params[id.count++] = tds_int("@keep", isolate->refused.how->keep);
	rc = tds_query_row(target->conn, sql, id.params, id.count, err);
	if (rc <= 0)
		return rc;
	*settled = (uint64_t)tds_get_int(target->conn, 0);
	return tds_finish(target->conn, err);
}

static int put_all_aside(struct isolate *isolate, const char *position,
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

static int move_checkpoint(struct isolate *isolate,
			   const struct checkpoint *from,
			   const struct checkpoint *to, struct error *err)
{
	struct target_counts ignored;
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	checkpoint_sql(&sql, from != NULL);
	strbuf_addstr(&sql, "SELECT 0, 0, 0, 0");
	if (strbuf_check(&sql, err) == 0)
		ret = target_transact(isolate->target, sql.data, from, to,
				      &ignored, err);
	strbuf_release(&sql);
	return ret;
}

static void begin_round(struct isolate *isolate)
{
	refused_begin_round(&isolate->refused);
	isolate->refused.how->count = 0;
	isolate->again = 0;
	memset(isolate->applied, 0, sizeof(isolate->applied));
	arena_reset(&isolate->arena);
	isolate->told = NULL;
	isolate->told_end = &isolate->told;
}

static int commit(struct tds *conn, struct error *err)
{
	int rc;

	FAILPOINT(BEFORE_COMMIT);
	rc = tds_exec(conn, "COMMIT TRANSACTION", err);
	FAILPOINT(AFTER_COMMIT);
	return rc;
}

static int transaction(struct isolate *isolate, uint64_t rows,
		       const struct checkpoint *from,
		       const struct checkpoint *to, const char *position,
		       struct target_counts *counts, struct error *err)
{
	struct tds *conn = isolate->target->conn;
	int rc;

	begin_round(isolate);
	if (tds_exec(conn, "BEGIN TRANSACTION", err) < 0)
		return -1;
	rc = move_checkpoint(isolate, from, to, err);
	if (rc == 0)
		rc = refused_apply(&isolate->refused, (int64_t)rows, err);
	if (rc == STEP_APPLIED)
		rc = settle(isolate, &counts->settled, err);
	if (rc == STEP_APPLIED)
		rc = put_all_aside(isolate, position, err);
	if (rc == STEP_APPLIED)
		rc = commit(conn, err);
	if (rc != STEP_APPLIED)
		target_abandon(isolate->target);
	return rc;
}

static void tell_refused(struct isolate *isolate)
{
	struct isolation *how = isolate->refused.how;

	for (const struct told *t = isolate->told; t; t = t->next)
		how->refused(how->context, &t->row);
	if (how->keep)
		isolate->target->exceptions += how->count;
}

/* The number of a change is what a step goes by. */
static int make_index(struct sqlserver_target *target, struct error *err)
{
	target->has_changes_table = false; /* TRUNCATE would keep it */
	return tds_exec(target->conn,
			"CREATE UNIQUE INDEX by_seq ON " APPLY_CHANGES
			" ([" LOADER_SEQ_COLUMN "])",
			err);
}

/* What has been loaded, of each key the last change. */
static int apply_rows(struct isolate *isolate, uint64_t rows,
		      const struct checkpoint *from,
		      const struct checkpoint *to, struct target_counts *counts,
		      struct error *err)
{
	char position[POSITION_TEXT_MAX];
	int rc;

	position_format(position, &to->position);
	if (make_index(isolate->target, err) < 0 ||
	    build_steps(isolate, err) < 0)
		return -1;
	do {
		rc = transaction(isolate, rows, from, to, position, counts,
				 err);
		if (rc == STEP_DOOMED && find_doomed(isolate, err) < 0)
			rc = -1;
	} while (rc == STEP_DOOMED);
	if (rc < 0)
		return -1;
	counts->deleted = isolate->applied[PHASE_DELETE];
	counts->updated = isolate->applied[PHASE_UPDATE];
	counts->inserted = isolate->applied[PHASE_INSERT];
	counts->settled += isolate->again;
	tell_refused(isolate);
	return 0;
}

int isolate_commit(struct sqlserver_target *target,
		   const struct checkpoint *from, const struct checkpoint *to,
		   struct target_counts *counts, struct error *err)
{
	uint64_t rows;

	if (loader_end(target->loader, &rows, err) < 0 ||
	    (rows > 1 && apply_keep_last(target, rows, err) < 0))
		return -1;
	return apply_rows(target->isolate, rows, from, to, counts, err);
}

static int make(struct sqlserver_target *target, struct isolation *how,
		struct error *err)
{
	struct isolate *isolate = calloc(1, sizeof(*isolate));

	if (!isolate)
		return error_memory(err, "refused rows");
	isolate->target = target;
	refused_init(&isolate->refused, how);
	isolate->refused.step = step;
	isolate->refused.ordered = isolate_depends_on_order;
	isolate->refused.context = isolate;
	arena_init(&isolate->arena, 0);
	for (int i = 0; i < PHASES; i++)
		strbuf_init(&isolate->sql[i]);
	target->isolate = isolate;
	return 0;
}

int isolate_begin(struct sqlserver_target *target, struct isolation *how,
		  struct error *err)
{
	if (make(target, how, err) < 0 || apply_begin(target, err) < 0)
		return -1;
	loader_leave_out(target->loader, refused_does_not_fit,
			 &target->isolate->refused);
	return 0;
}

int isolate_in_order(struct sqlserver_target *target, uint64_t rows,
		     const struct checkpoint *from, const struct checkpoint *to,
		     struct target_counts *counts, struct error *err)
{
	struct isolation none = {.keep = false}; /* and a limit of 0 */
	int ret = -1;

	if (make(target, &none, err) == 0)
		ret = apply_rows(target->isolate, rows, from, to, counts, err);
	isolate_free(target->isolate);
	target->isolate = NULL;
	return ret;
}
