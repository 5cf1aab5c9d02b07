/*
 * Loads in parts.
 *
 * All parts go into one load table, into which several COPYs can write at the
 * same time. Each is one transaction, which also marks the part as done in
 * dataflow.load_parts, so that a crash leaves whole parts or nothing of them.
 * The transaction looks whether the mapping is still ours before it commits: so
 * an older epoch cannot add rows to a load that a later one has taken over.
 *
 * A load table that is not to become the table itself is not logged: a crash of
 * the server, unlike one of the daemon, empties it. So its rows are counted
 * before a load goes on.
 */
#include "drivers/postgresql/target.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "drivers/postgresql/quote.h"

#define IN_USE_WAIT_MS	60000
#define IN_USE_PAUSE_MS 1000 /* others get in */
#define LOCK_TIMED_OUT	"55P03"

/* And what the load table was made for. */
static void add_signature(const struct pg_target *target,
			  const struct load_plan *plan, struct strbuf *out)
{
	load_plan_sign(plan, target->origin, target->shape, out);
	for (size_t i = 0; i < target->shape->column_count; i++) {
		const struct pg_dest_column *to = pg_dest_column(
			&target->dest, target->shape->columns[i].name);

		if (to) /* else the loader will say so */
			strbuf_addf(out, "%s %s%s %d\n", to->name, to->type,
				    to->collation, to->not_null);
	}
}

/* ------------------------------------------------------------ what broke off */

/* 1: there is a load with this signature (NULL: any); 0: none. */
static int find_load(struct pg_target *target, const char *signature,
		     struct position *position, struct error *err)
{
	static const char sql[] =
		"SELECT l.load_table, encode(l.position, 'hex'), "
		"c.relpersistence = 'p' FROM dataflow.loads AS l "
		"INNER JOIN pg_class AS c ON c.relname = l.load_table "
		"AND c.relnamespace = 'dataflow'::regnamespace "
		"WHERE l.installation_id = $1 AND l.mapping_id = $2 "
		"AND ($3::text IS NULL OR l.signature = $3::text)";
	struct pg_checkpoint_params p;
	int64_t rows;
	int rc;

	pg_checkpoint_identify(&p, target);
	p.params[p.count++] = pg_text(signature);
	rows = pg_query(target->conn, sql, p.params, p.count, err);
	if (rows <= 0)
		return (int)rows;
	text_copy(target->load_table, sizeof(target->load_table),
		  pg_get_text(target->conn, 0, 0));
	target->swaps = pg_get_bool(target->conn, 0, 2);
	rc = pg_position_parse(pg_get_text(target->conn, 0, 1), position, err);
	pg_finish(target->conn);
	return rc < 0 ? -1 : 1;
}

static int read_part(struct pg *conn, int64_t row, struct load_part *part,
		     struct error *err)
{
	if (pg_position_parse(pg_get_text(conn, row, 0), &part->range.low,
			      err) < 0 ||
	    pg_position_parse(pg_get_text(conn, row, 1), &part->range.high,
			      err) < 0)
		return -1;
	part->done = pg_get_bool(conn, row, 2);
	part->rows = (uint64_t)pg_get_int(conn, row, 3);
	return 0;
}

/*
 * 1: the plan is whole; 0: parts of it are missing, because somebody cleaned
 * up by hand.
 */
static int read_parts(struct pg_target *target, struct load_plan *plan,
		      struct error *err)
{
	static const char sql[] =
		"SELECT encode(low, 'hex'), encode(high, 'hex'), is_done, "
		"rows_loaded, part FROM dataflow.load_parts "
		"WHERE " CHECKPOINT_WHOSE " ORDER BY part";
	struct pg *conn = target->conn;
	struct pg_checkpoint_params p;
	int64_t rows;
	int rc = 1;

	pg_checkpoint_identify(&p, target);
	rows = pg_query(conn, sql, p.params, p.count, err);
	if (rows < 0)
		return -1;
	if (rows == 0 || rows > LOAD_PARTS_MAX)
		rc = 0;
	else if (load_plan_init(plan, (size_t)rows, err) < 0)
		rc = -1;
	for (int64_t i = 0; i < rows && rc > 0; i++) {
		rc = read_part(conn, i, &plan->parts[i], err) < 0
			     ? -1
			     : pg_get_int(conn, i, 4) == i;
	}
	pg_finish(conn);
	return rc > 0 ? load_plan_is_whole(plan) : rc;
}

/*
 * A part that nobody will commit may still hold locks, which keep the swap out:
 * until the server notices that its daemon was killed, or because somebody who
 * was shut out goes on writing. The parts that are done are worth a wait. 1: it
 * is in use all the same; 0: it is not.
 */
static int is_in_use(struct pg_target *target, struct error *err)
{
	int64_t until = clock_ms() + IN_USE_WAIT_MS;
	bool told = false;
	struct strbuf sql;
	int rc = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql,
		      "BEGIN; SET LOCAL lock_timeout = '1s'; LOCK TABLE ");
	pg_replace_table(&sql, target);
	strbuf_addstr(&sql, " IN ACCESS EXCLUSIVE MODE; ROLLBACK");
	if (strbuf_check(&sql, err) < 0)
		goto done;
	while ((rc = pg_exec(target->conn, sql.data, err)) < 0) {
		pg_target_abandon(target);
		if (strcmp(err->sqlstate, LOCK_TIMED_OUT) != 0 ||
		    clock_ms() >= until)
			break;
		if (!told)
			log_info("waiting for %s: a part of it is written, or "
				 "rolled back",
				 target->load_table);
		told = true;
		error_clear(err);
		cancel_sleep(target->cancel, IN_USE_PAUSE_MS);
		if (cancel_check(target->cancel, err) < 0)
			goto done;
	}
	if (rc < 0 && pg_usable(target->conn) && err->kind != ERROR_CANCELLED) {
		log_info("%s is in use (%s): loading from the start",
			 target->load_table, err->message);
		error_clear(err);
		rc = 1;
	}
done:
	strbuf_release(&sql);
	return rc;
}

/* 1: the load table has the rows of the parts that are done. */
static int has_all_rows(struct pg_target *target, const struct load_plan *plan,
			struct error *err)
{
	uint64_t want = 0;
	struct strbuf sql;
	int64_t got = -1;

	for (size_t i = 0; i < plan->count; i++)
		want += plan->parts[i].done ? plan->parts[i].rows : 0;
	if (target->swaps)
		return 1;
	strbuf_init(&sql);
	strbuf_addstr(&sql, "SELECT count(*) FROM ");
	pg_replace_table(&sql, target);
	if (strbuf_check(&sql, err) == 0 &&
	    pg_query(target->conn, sql.data, NULL, 0, err) >= 0) {
		got = pg_get_int(target->conn, 0, 0);
		pg_finish(target->conn);
	}
	strbuf_release(&sql);
	return got < 0 ? -1 : (uint64_t)got == want;
}

static int go_on(struct pg_target *target, const char *signature,
		 struct load_plan *plan, struct error *err)
{
	struct load_plan found = {.parts = NULL};
	struct position position;
	int rc;

	rc = find_load(target, signature, &position, err);
	if (rc <= 0)
		return rc;
	rc = is_in_use(target, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	rc = read_parts(target, &found, err);
	if (rc > 0)
		rc = has_all_rows(target, &found, err);
	if (rc == 0)
		log_info("parts of %s are missing: loading from the start",
			 target->load_table);
	if (rc <= 0) {
		load_plan_release(&found);
		return rc;
	}
	found.position = position;
	load_plan_release(plan);
	*plan = found;
	return 1;
}

/* ---------------------------------------------------------------- a new one */

static int run(struct pg_target *target, const char *sql,
	       const struct pg_checkpoint_params *p, struct error *err)
{
	int64_t rows = pg_query(target->conn, sql, p->params, p->count, err);

	pg_finish(target->conn);
	return rows < 0 ? -1 : 0;
}

static int add_part(struct pg_target *target, size_t part,
		    const struct key_range *range, struct error *err)
{
	static const char sql[] =
		"INSERT INTO dataflow.load_parts (installation_id, mapping_id, "
		"part, low, high, is_done, rows_loaded) "
		"VALUES ($1, $2, $3, $4, $5, false, 0)";
	struct pg_checkpoint_params p;

	pg_checkpoint_identify(&p, target);
	p.params[p.count++] = pg_int((int64_t)part);
	p.params[p.count++] = pg_checkpoint_position(&range->low);
	p.params[p.count++] = pg_checkpoint_position(&range->high);
	return run(target, sql, &p, err);
}

static int add_load(struct pg_target *target, const char *signature,
		    const struct load_plan *plan, struct error *err)
{
	static const char sql[] =
		"INSERT INTO dataflow.loads (installation_id, mapping_id, "
		"load_table, signature, position, started_at) "
		"VALUES ($1, $2, $3, $4, $5, now() AT TIME ZONE 'UTC')";
	struct pg_checkpoint_params p;

	pg_checkpoint_identify(&p, target);
	p.params[p.count++] = pg_text(target->load_table);
	p.params[p.count++] = pg_text(signature);
	p.params[p.count++] = pg_checkpoint_position(&plan->position);
	return run(target, sql, &p, err);
}

/* The table and what is written down of it come as one. */
static int make(struct pg_target *target, const char *signature,
		const struct load_plan *plan, struct error *err)
{
	if (pg_replace_clear(target, err) < 0 ||
	    pg_target_transaction(target, err) < 0 ||
	    pg_checkpoint_guard(target, err) < 0 ||
	    pg_replace_make(target, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->count; i++)
		if (add_part(target, i, &plan->parts[i].range, err) < 0)
			return -1;
	if (add_load(target, signature, plan, err) < 0)
		return -1;
	return pg_exec(target->conn, "COMMIT", err);
}

int pg_plan_begin(struct pg_target *target, struct load_plan *plan, bool fresh,
		  struct error *err)
{
	struct strbuf signature;
	int rc = -1;

	strbuf_init(&signature);
	add_signature(target, plan, &signature);
	if (strbuf_check(&signature, err) == 0)
		rc = fresh ? 0 : go_on(target, signature.data, plan, err);
	if (rc == 0 && make(target, signature.data, plan, err) < 0)
		rc = -1;
	strbuf_release(&signature);
	return rc;
}

/* -------------------------------------------------------------------- parts */

int pg_plan_part_begin(struct pg_target *target, struct error *err)
{
	struct position ignored;
	struct strbuf name;
	int rc;

	rc = find_load(target, NULL, &ignored, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return error_set(err, ERROR_CONFLICT,
				 "the load was given up by another daemon");
	if (pg_target_transaction(target, err) < 0)
		return -1;
	strbuf_init(&name);
	pg_replace_table(&name, target);
	if (strbuf_check(&name, err) == 0)
		target->loader = pg_loader_new(
			target->conn, name.data, &target->dest, target->shape,
			target->swaps ? PG_LOADER_CLONE : PG_LOADER_ROWS, "",
			err);
	strbuf_release(&name);
	return target->loader ? 0 : -1;
}

/*
 * The checkpoint is locked last, in front of the commit: a daemon that stands
 * still in between must not keep its successor out for long.
 */
int pg_plan_part_end(struct pg_target *target, size_t part, struct error *err)
{
	static const char sql[] =
		"UPDATE dataflow.load_parts SET is_done = true, "
		"rows_loaded = $4 WHERE " CHECKPOINT_WHOSE " AND part = $3";
	struct pg_checkpoint_params p;
	uint64_t rows;

	if (pg_loader_end(target->loader, &rows, err) < 0)
		return -1;
	pg_checkpoint_identify(&p, target);
	p.params[p.count++] = pg_int((int64_t)part);
	p.params[p.count++] = pg_int((int64_t)rows);
	if (run(target, sql, &p, err) < 0 ||
	    pg_checkpoint_guard(target, err) < 0)
		return -1;
	return pg_exec(target->conn, "COMMIT", err);
}

int pg_plan_count(struct pg_target *target, uint64_t *rows, struct error *err)
{
	static const char sql[] =
		"SELECT COALESCE(sum((NOT is_done)::int), 1), "
		"COALESCE(sum(rows_loaded), 0) FROM dataflow.load_parts "
		"WHERE " CHECKPOINT_WHOSE;
	struct pg_checkpoint_params p;
	int64_t missing;

	pg_checkpoint_identify(&p, target);
	if (pg_query(target->conn, sql, p.params, p.count, err) < 0)
		return -1;
	missing = pg_get_int(target->conn, 0, 0);
	*rows = (uint64_t)pg_get_int(target->conn, 0, 1);
	pg_finish(target->conn);
	if (!missing)
		return 0;
	return error_set(err, ERROR_CONFLICT,
			 "%lld parts of the load are missing",
			 (long long)missing);
}

int pg_plan_remove(struct pg_target *target, struct error *err)
{
	if (pg_checkpoint_run(target,
			      "DELETE FROM dataflow.loads "
			      "WHERE " CHECKPOINT_WHOSE,
			      err) < 0)
		return -1;
	return pg_checkpoint_run(target,
				 "DELETE FROM dataflow.load_parts "
				 "WHERE " CHECKPOINT_WHOSE,
				 err);
}
