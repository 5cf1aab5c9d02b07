/*
 * Loads in parts.
 *
 * All parts go into one load table, a heap, into which several bulk loads can
 * write at the same time. Each is one transaction, which also marks the part
 * as done in dataflow.load_parts, so that a crash leaves whole parts or
 * nothing of them. The transaction looks whether the mapping is still ours
 * before it commits: so an older epoch cannot add rows to a load that a later
 * one has taken over.
 */
#include "drivers/sqlserver/target.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "drivers/sqlserver/sql.h"

#define IN_USE_WAIT_MS	120000
#define IN_USE_PAUSE_MS 1000 /* others get in */
#define LOCK_TIMED_OUT	1222

/* And what the load table was made for. */
static void add_signature(const struct sqlserver_target *target,
			  const struct load_plan *plan, struct strbuf *out)
{
	load_plan_sign(plan, target->origin, target->shape, out);
	for (size_t i = 0; i < target->shape->column_count; i++) {
		const struct catalog_column *to = catalog_column(
			&target->dest, target->shape->columns[i].name);

		if (!to)
			continue; /* the loader will say so */
		strbuf_addf(out, "%s ", to->name);
		catalog_type(to, out);
		strbuf_addf(out, " %s %d\n",
			    to->collation ? to->collation : "-", to->nullable);
	}
}

/* ------------------------------------------------------------ what broke off */

/* 1: there is a load with this signature (NULL: any); 0: none. */
static int find_load(struct sqlserver_target *target, const char *signature,
		     struct position *position, struct error *err)
{
	static const char sql[] =
		"SELECT l.load_table, l.position FROM dataflow.loads AS l "
		"WHERE l.installation_id = @installation "
		"AND l.mapping_id = @mapping "
		"AND (@signature IS NULL OR l.signature = @signature) "
		"AND OBJECT_ID(N'dataflow.' + QUOTENAME(l.load_table), N'U') "
		"IS NOT NULL";
	struct checkpoint_params id;
	const void *bytes;
	size_t len;
	int rc;

	checkpoint_identify(&id, target);
	id.params[id.count++] = tds_text("@signature", signature);
	rc = tds_query_row(target->conn, sql, id.params, id.count, err);
	if (rc <= 0)
		return rc;
	bytes = tds_get_bytes(target->conn, 0, &len);
	if (!len || len >= sizeof(target->load_table)) {
		tds_abandon(target->conn);
		return 0; /* no name of ours */
	}
	memcpy(target->load_table, bytes, len);
	target->load_table[len] = '\0';
	bytes = tds_get_bytes(target->conn, 1, &len);
	if (position_set(position, bytes, len, err) < 0) {
		tds_abandon(target->conn);
		return -1;
	}
	return tds_finish(target->conn, err) < 0 ? -1 : 1;
}

static int read_part(struct sqlserver_target *target, struct load_part *part,
		     struct error *err)
{
	const void *bytes;
	size_t len;

	bytes = tds_get_bytes(target->conn, 0, &len);
	if (position_set(&part->range.low, bytes, len, err) < 0)
		return -1;
	bytes = tds_get_bytes(target->conn, 1, &len);
	if (position_set(&part->range.high, bytes, len, err) < 0)
		return -1;
	part->done = tds_get_int(target->conn, 2) != 0;
	part->rows = (uint64_t)tds_get_int(target->conn, 3);
	return 0;
}

/*
 * 1: the plan is whole; 0: parts of it are missing, because somebody cleaned
 * up by hand.
 */
static int read_parts(struct sqlserver_target *target, struct load_plan *plan,
		      struct error *err)
{
	static const char sql[] =
		"SELECT p.low, p.high, CAST(p.is_done AS int), p.rows_loaded, "
		"COUNT(*) OVER (), p.part FROM dataflow.load_parts AS p "
		"WHERE p.installation_id = @installation "
		"AND p.mapping_id = @mapping ORDER BY p.part";
	struct checkpoint_params id;
	bool counted = true;
	size_t rows = 0;
	int rc;

	checkpoint_identify(&id, target);
	rc = tds_query(target->conn, sql, id.params, id.count, err);
	while (rc >= 0 && (rc = tds_fetch(target->conn, err)) > 0) {
		int64_t count = tds_get_int(target->conn, 4);

		if (rows == 0 && count > 0 && count <= LOAD_PARTS_MAX)
			rc = load_plan_init(plan, (size_t)count, err);
		if (rc >= 0 && rows < plan->count)
			rc = read_part(target, &plan->parts[rows], err);
		counted &= tds_get_int(target->conn, 5) == (int64_t)rows++;
	}
	if (rc < 0)
		tds_abandon(target->conn);
	else
		rc = tds_finish(target->conn, err);
	if (rc < 0)
		return -1;
	return rows > 0 && rows == plan->count && counted &&
	       load_plan_is_whole(plan);
}

/*
 * A part that nobody will commit may still hold locks, which keep the swap out:
 * the server rolls it back after its daemon was killed, or somebody who was shut
 * out goes on writing. The parts that are done are worth a wait. 1: it is in use
 * all the same; 0: it is not.
 */
static int is_in_use(struct sqlserver_target *target, struct error *err)
{
	int64_t until = clock_ms() + IN_USE_WAIT_MS;
	bool told = false;
	struct strbuf sql;
	int rc = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "SET LOCK_TIMEOUT 1000; BEGIN TRANSACTION; "
			    "SELECT TOP (1) 1 FROM ");
	replace_table(&sql, target);
	strbuf_addstr(&sql, " WITH (TABLOCKX, HOLDLOCK); COMMIT TRANSACTION");
	if (strbuf_check(&sql, err) < 0)
		goto done;
	while ((rc = checkpoint_run(target, sql.data, err)) < 0 &&
	       err->native == LOCK_TIMED_OUT && clock_ms() < until) {
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
	if (rc < 0 && tds_usable(target->conn) &&
	    err->kind != ERROR_CANCELLED) {
		log_info("%s is in use (%s): loading from the start",
			 target->load_table, err->message);
		error_clear(err);
		rc = 1;
	}
done:
	strbuf_release(&sql);
	return rc;
}

/*
 * An attempt that came as far as the swap has built indexes and checks; they
 * are built again, as the destination has them then.
 */
static int strip(struct sqlserver_target *target, struct error *err)
{
	static const char sql[] =
		"DECLARE @strip nvarchar(max) = N'', "
		"@load nvarchar(300) = N'dataflow.' + QUOTENAME(@table); "
		"SELECT @strip = @strip + N'ALTER TABLE ' + @load "
		"+ N' DROP CONSTRAINT ' + QUOTENAME(o.name) + N'; ' "
		"FROM sys.objects AS o "
		"WHERE o.parent_object_id = OBJECT_ID(@load, N'U') "
		"AND o.type IN ('PK', 'UQ', 'C'); "
		"SELECT @strip = @strip + N'DROP INDEX ' + QUOTENAME(i.name) "
		"+ N' ON ' + @load + N'; ' FROM sys.indexes AS i "
		"WHERE i.object_id = OBJECT_ID(@load, N'U') "
		"AND i.index_id > 0 AND i.is_primary_key = 0 "
		"AND i.is_unique_constraint = 0; "
		"EXEC sys.sp_executesql @strip";
	struct tds_param table = tds_text("@table", target->load_table);

	if (tds_query(target->conn, sql, &table, 1, err) < 0)
		return -1;
	return tds_finish(target->conn, err);
}

static int go_on(struct sqlserver_target *target, const char *signature,
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
	rc = strip(target, err);
	if (rc == 0)
		rc = read_parts(target, &found, err);
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

static int add_part(struct sqlserver_target *target, size_t part,
		    const struct key_range *range, struct error *err)
{
	static const char sql[] =
		"INSERT INTO dataflow.load_parts (installation_id, mapping_id, "
		"part, low, high, is_done, rows_loaded) "
		"VALUES (@installation, @mapping, @part, @low, @high, 0, 0)";
	struct checkpoint_params id;

	checkpoint_identify(&id, target);
	id.params[id.count++] = tds_int("@part", (int64_t)part);
	id.params[id.count++] = checkpoint_position("@low", &range->low);
	id.params[id.count++] = checkpoint_position("@high", &range->high);
	if (tds_query(target->conn, sql, id.params, id.count, err) < 0)
		return -1;
	return tds_finish(target->conn, err);
}

/* The load itself comes last: without it the parts are nobody's. */
static int add_load(struct sqlserver_target *target, const char *signature,
		    const struct load_plan *plan, struct error *err)
{
	static const char sql[] =
		"BEGIN TRANSACTION; " CHECKPOINT_GUARD
		"INSERT INTO dataflow.loads (installation_id, mapping_id, "
		"load_table, signature, position, started_at) "
		"VALUES (@installation, @mapping, @table, @signature, "
		"@position, SYSUTCDATETIME()); COMMIT TRANSACTION";
	struct checkpoint_params id;

	for (size_t i = 0; i < plan->count; i++)
		if (add_part(target, i, &plan->parts[i].range, err) < 0)
			return -1;
	checkpoint_identify(&id, target);
	id.params[id.count++] = tds_text("@table", target->load_table);
	id.params[id.count++] = tds_text("@signature", signature);
	id.params[id.count++] =
		checkpoint_position("@position", &plan->position);
	if (tds_query(target->conn, sql, id.params, id.count, err) < 0 ||
	    tds_finish(target->conn, err) < 0)
		return checkpoint_failed(err);
	return 0;
}

int plan_begin(struct sqlserver_target *target, struct load_plan *plan,
	       bool fresh, struct error *err)
{
	struct strbuf signature;
	int rc = -1;

	strbuf_init(&signature);
	add_signature(target, plan, &signature);
	if (strbuf_check(&signature, err) == 0)
		rc = fresh ? 0 : go_on(target, signature.data, plan, err);
	if (rc == 0 && (replace_make_table(target, true, err) < 0 ||
			add_load(target, signature.data, plan, err) < 0))
		rc = -1;
	strbuf_release(&signature);
	return rc;
}

/* -------------------------------------------------------------------- parts */

int plan_part_begin(struct sqlserver_target *target, size_t part,
		    struct error *err)
{
	struct position ignored;
	struct strbuf name;
	int rc;

	(void)part;
	rc = find_load(target, NULL, &ignored, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return error_set(err, ERROR_CONFLICT,
				 "the load was given up by another daemon");
	if (tds_exec(target->conn, "BEGIN TRANSACTION", err) < 0)
		return -1;
	strbuf_init(&name);
	replace_table(&name, target);
	if (strbuf_check(&name, err) == 0)
		target->loader =
			loader_new(target->conn, name.data, &target->dest,
				   target->shape, false, err);
	strbuf_release(&name);
	return target->loader ? 0 : -1;
}

/*
 * What a batch with parameters has begun it must end itself, and no more: it
 * runs as a procedure. So those of the batch that ends the part stand in the
 * session.
 */
static int keep_in_session(struct sqlserver_target *target, size_t part,
			   uint64_t rows, struct error *err)
{
	static const char sql[] =
		"EXEC sys.sp_set_session_context N'dataflow installation', "
		"@installation; "
		"EXEC sys.sp_set_session_context N'dataflow mapping', "
		"@mapping; "
		"EXEC sys.sp_set_session_context N'dataflow epoch', @epoch; "
		"EXEC sys.sp_set_session_context N'dataflow part', @part; "
		"EXEC sys.sp_set_session_context N'dataflow rows', @rows";
	struct checkpoint_params id;

	checkpoint_identify(&id, target);
	id.params[id.count++] = tds_int("@part", (int64_t)part);
	id.params[id.count++] = tds_int("@rows", (int64_t)rows);
	if (tds_query(target->conn, sql, id.params, id.count, err) < 0)
		return -1;
	return tds_finish(target->conn, err);
}

/*
 * The checkpoint is locked and let go by one batch. If that took two, and the
 * daemon stood still between them, its successor could not get in.
 */
int plan_part_end(struct sqlserver_target *target, size_t part,
		  struct error *err)
{
	static const char sql[] =
		"DECLARE @installation nvarchar(36) = CONVERT(nvarchar(36), "
		"SESSION_CONTEXT(N'dataflow installation')), "
		"@mapping int = CONVERT(int, "
		"SESSION_CONTEXT(N'dataflow mapping')), "
		"@epoch bigint = CONVERT(bigint, "
		"SESSION_CONTEXT(N'dataflow epoch')), "
		"@part int = CONVERT(int, SESSION_CONTEXT(N'dataflow part')), "
		"@rows bigint = CONVERT(bigint, "
		"SESSION_CONTEXT(N'dataflow rows')); " CHECKPOINT_GUARD
		"UPDATE dataflow.load_parts SET is_done = 1, "
		"rows_loaded = @rows WHERE installation_id = @installation "
		"AND mapping_id = @mapping AND part = @part; "
		"COMMIT TRANSACTION";
	uint64_t rows;

	if (loader_end(target->loader, &rows, err) < 0 ||
	    keep_in_session(target, part, rows, err) < 0)
		return -1;
	return tds_exec(target->conn, sql, err) < 0 ? checkpoint_failed(err)
						    : 0;
}

int plan_count(struct sqlserver_target *target, uint64_t *rows,
	       struct error *err)
{
	static const char sql[] =
		"SELECT COALESCE(SUM(CASE WHEN p.is_done = 1 THEN 0 ELSE 1 "
		"END), 1), COALESCE(SUM(p.rows_loaded), 0) "
		"FROM dataflow.load_parts AS p "
		"WHERE p.installation_id = @installation "
		"AND p.mapping_id = @mapping";
	struct checkpoint_params id;
	int64_t missing = 1;
	int rc;

	checkpoint_identify(&id, target);
	rc = tds_query_row(target->conn, sql, id.params, id.count, err);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		missing = tds_get_int(target->conn, 0);
		*rows = (uint64_t)tds_get_int(target->conn, 1);
		if (tds_finish(target->conn, err) < 0)
			return -1;
	}
	if (!missing)
		return 0;
	return error_set(err, ERROR_CONFLICT,
			 "%lld parts of the load are missing",
			 (long long)missing);
}
