#include "drivers/postgresql/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "drivers/postgresql/catalog.h"

static struct pg_target *self_of(struct target *dst)
{
	return (struct pg_target *)dst;
}

/* -------------------------------------------------------------- open, close */

static int target_open(const struct target_spec *spec, struct target **out,
		       struct error *err)
{
	struct pg_target *target = calloc(1, sizeof(*target));

	if (!target)
		return error_memory(err, "a target");
	target->base.ops = &postgresql_target_ops;
	target->server = (struct postgresql *)spec->server;
	target->name = spec->name;
	target->origin = target_origin(spec);
	target->mapping_id = spec->mapping_id;
	target->epoch = spec->epoch;
	target->lease_s = spec->lease_s;
	target->installation = strdup(spec->installation);
	if (!target->installation || !target->origin) {
		free(target->installation);
		free(target->origin);
		free(target);
		return error_memory(err, "a target");
	}
	*out = &target->base;
	return 0;
}

static int target_connect(struct target *dst, struct cancel *cancel,
			  struct error *err)
{
	struct pg_target *target = self_of(dst);

	target->staging[0] = '\0';
	target->cancel = cancel;
	return postgresql_take(target->server, target->name.database, cancel,
			       &target->conn, err);
}

void pg_target_abandon(struct pg_target *target)
{
	struct error ignored = ERROR_INIT;

	/* What fails here leaves a connection that its giver closes. */
	if (pg_usable(target->conn) && pg_in_transaction(target->conn) &&
	    pg_exec(target->conn, "ROLLBACK", &ignored) < 0)
		pg_finish(target->conn);
}

static void end_writing(struct pg_target *target)
{
	pg_isolate_free(target->isolate);
	target->isolate = NULL;
	pg_loader_free(target->loader);
	target->loader = NULL;
	target->begun = false;
}

static void target_rollback(struct target *dst)
{
	struct pg_target *target = self_of(dst);

	if (!target->begun)
		return;
	end_writing(target);
	pg_target_abandon(target);
}

static void target_release(struct target *dst)
{
	struct pg_target *target = self_of(dst);

	if (!target->conn)
		return;
	target_rollback(dst);
	pg_target_abandon(target);
	postgresql_give(target->server, target->name.database, target->conn);
	target->conn = NULL;
}

static void target_close(struct target *dst)
{
	struct pg_target *target = self_of(dst);

	target_release(dst);
	pg_dest_release(&target->dest);
	free(target->origin);
	free(target->installation);
	free(target);
}

/* ------------------------------------------------------------- the table */

/* 1: there is one; 0: there is none. */
static int read_dest(struct pg_target *target, struct error *err)
{
	int rc;

	pg_dest_release(&target->dest);
	target->described = false;
	target->stale = false;
	rc = pg_dest_read(target->conn, target->name.schema, target->name.table,
			  &target->dest, err);
	target->described = rc > 0;
	return rc;
}

static int target_describe(struct target *dst, struct table *out,
			   struct error *err)
{
	struct pg_target *target = self_of(dst);
	struct catalog_table table;
	int rc = read_dest(target, err);

	if (rc <= 0)
		return rc;
	rc = pg_catalog_read(target->conn, target->name.schema,
			     target->name.table, &table, err);
	if (rc <= 0)
		return rc;
	if (pg_catalog_describe(&table, true, &target->name, out, err) < 0)
		rc = -1;
	pg_catalog_release(&table);
	return rc;
}

static int target_create(struct target *dst, const struct table *shape,
			 struct error *err)
{
	return pg_create_table(self_of(dst), shape, err);
}

static int target_fence(struct target *dst, struct error *err)
{
	return pg_checkpoint_fence(self_of(dst), err);
}

static int target_checkpoint(struct target *dst, struct checkpoint *out,
			     struct error *err)
{
	return pg_checkpoint_read(self_of(dst), out, err);
}

/* ------------------------------------------------------------- transactions */

int pg_target_transaction(struct pg_target *target, struct error *err)
{
	char sql[160];

	snprintf(sql, sizeof(sql),
		 "BEGIN; SET LOCAL idle_in_transaction_session_timeout = "
		 "'%ds'; SET CONSTRAINTS ALL DEFERRED",
		 target->lease_s);
	return pg_exec(target->conn, sql, err);
}

int pg_target_commit(struct pg_target *target, struct error *err)
{
	int rc;

	FAILPOINT(BEFORE_COMMIT);
	rc = pg_exec(target->conn, "COMMIT", err);
	FAILPOINT(AFTER_COMMIT);
	return rc;
}

/* Others queue up behind us for a try, and are let go for LOCK_PAUSE_MS. */
#define LOCK_PAUSE_MS 1000
#define LOCK_TRY_MS   60000

static int try_lock(struct pg_target *target, const char *mode,
		    int (*before)(void *context, struct error *err),
		    void *context, struct error *err)
{
	struct strbuf sql;
	int64_t rows;

	if (pg_exec(target->conn, "SAVEPOINT dataflow_lock", err) < 0 ||
	    (before && before(context, err) < 0))
		return -1;
	strbuf_init(&sql);
	strbuf_addstr(&sql, PG_LOCK_WAIT "; LOCK TABLE ");
	pg_sql_dest(&sql, target);
	strbuf_addf(&sql,
		    " IN %s MODE; SET LOCAL lock_timeout = 0; "
		    "RELEASE SAVEPOINT dataflow_lock",
		    mode);
	rows = pg_target_run(target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	return rows < 0 ? -1 : 0;
}

int pg_target_lock(struct pg_target *target, const char *mode,
		   int (*before)(void *context, struct error *err),
		   void *context, struct error *err)
{
	int64_t until = clock_ms() + LOCK_TRY_MS;

	while (try_lock(target, mode, before, context, err) < 0) {
		if (strcmp(err->sqlstate, "55P03") != 0 || clock_ms() > until)
			return error_wrap(err, "the destination is in use");
		error_clear(err);
		if (pg_exec(target->conn,
			    "ROLLBACK TO SAVEPOINT dataflow_lock; "
			    "RELEASE SAVEPOINT dataflow_lock",
			    err) < 0)
			return -1;
		cancel_sleep(target->cancel, LOCK_PAUSE_MS);
		if (cancel_check_now(target->cancel, err) < 0)
			return -1;
	}
	return 0;
}

/* ----------------------------------------------------------------- writing */

static int start(struct pg_target *target, enum target_mode mode,
		 const struct table *shape, struct error *err)
{
	if (!target->described)
		return error_set(err, ERROR_INTERNAL,
				 "begin without a described table");
	if (target->stale && read_dest(target, err) <= 0)
		return err->kind == ERROR_NONE
			       ? error_set(err, ERROR_SCHEMA,
					   "the destination table is gone")
			       : -1;
	target->mode = mode;
	target->shape = shape;
	target->begun = true;
	target->in_parts = false;
	target->is_part = false;
	return 0;
}

/* What was begun stands, or is undone. */
static int began(struct pg_target *target, int rc)
{
	if (rc < 0)
		target_rollback(&target->base);
	else if (target->loader)
		target->base.held = pg_loader_held(target->loader);
	return rc;
}

/* Said with each load, since nobody may have asked for a check. */
static int warn_reached(struct pg_target *target, struct error *err)
{
	struct strbuf keys;
	int rc;

	strbuf_init(&keys);
	rc = pg_dest_reach(target->conn, &target->dest, PG_DEST_REACHED, &keys,
			   err);
	if (rc == 0 && keys.len)
		log_warning("deletes in another table delete or change rows of "
			    "destination '%s' by foreign key %s, at another "
			    "moment than the source's own changes do: make it "
			    "ON DELETE NO ACTION DEFERRABLE",
			    target->name.table, keys.data);
	strbuf_release(&keys);
	return rc;
}

static int target_begin(struct target *dst, enum target_mode mode,
			const struct table *shape, struct error *err)
{
	struct pg_target *target = self_of(dst);
	int rc = -1;

	if (start(target, mode, shape, err) < 0 ||
	    (mode != TARGET_APPLY && warn_reached(target, err) < 0))
		return -1;
	switch (mode) {
	case TARGET_REPLACE:
		rc = pg_replace_begin(target, err);
		break;
	case TARGET_REFILL:
		rc = pg_refill_begin(target, err);
		break;
	case TARGET_APPLY:
		rc = pg_apply_begin(target, err);
		break;
	}
	return began(target, rc);
}

static int target_begin_isolated(struct target *dst, const struct table *shape,
				 struct isolation *how, struct error *err)
{
	struct pg_target *target = self_of(dst);

	if (start(target, TARGET_APPLY, shape, err) < 0)
		return -1;
	return began(target, pg_isolate_begin(target, how, err));
}

static int target_exceptions(struct target *dst,
			     void (*tell)(void *context,
					  const struct target_exception *row),
			     void *context, struct error *err)
{
	return pg_exceptions_tell(self_of(dst), tell, context, err);
}

static int target_plan_begin(struct target *dst, const struct table *shape,
			     struct load_plan *plan, bool fresh,
			     struct error *err)
{
	struct pg_target *target = self_of(dst);

	if (start(target, TARGET_REPLACE, shape, err) < 0 ||
	    warn_reached(target, err) < 0)
		return -1;
	target->in_parts = true;
	return began(target, pg_plan_begin(target, plan, fresh, err));
}

/* A helper's target was never described: it looks for itself. */
static int know_table(struct pg_target *target, struct error *err)
{
	int rc;

	if (target->described && !target->stale)
		return 0;
	rc = read_dest(target, err);
	if (rc == 0)
		return error_set(err, ERROR_SCHEMA,
				 "the destination table is gone");
	return rc > 0 ? 0 : -1;
}

static int target_part_begin(struct target *dst, const struct table *shape,
			     size_t part, struct error *err)
{
	struct pg_target *target = self_of(dst);

	(void)part;
	if (know_table(target, err) < 0 ||
	    start(target, TARGET_REPLACE, shape, err) < 0)
		return -1;
	target->in_parts = true;
	target->is_part = true;
	return began(target, pg_plan_part_begin(target, err));
}

static int target_part_end(struct target *dst, size_t part, struct error *err)
{
	struct pg_target *target = self_of(dst);

	if (pg_plan_part_end(target, part, err) < 0)
		return -1;
	end_writing(target);
	return 0;
}

static int target_write(struct target *dst, const struct batch *batch,
			struct error *err)
{
	struct pg_target *target = self_of(dst);

	if (target->mode == TARGET_REFILL)
		return pg_refill_write(target, batch, err);
	return pg_loader_write(target->loader, batch, err);
}

static int target_commit(struct target *dst, const struct checkpoint *from,
			 const struct checkpoint *to,
			 struct target_counts *counts, struct error *err)
{
	struct pg_target *target = self_of(dst);
	int rc = -1;

	memset(counts, 0, sizeof(*counts));
	switch (target->mode) {
	case TARGET_REPLACE:
		rc = pg_replace_commit(target, from, to, counts, err);
		break;
	case TARGET_REFILL:
		rc = pg_refill_commit(target, to, counts, err);
		break;
	case TARGET_APPLY:
		rc = target->isolate
			     ? pg_isolate_commit(target, from, to, counts, err)
			     : pg_apply_commit(target, from, to, counts, err);
		break;
	}
	if (rc < 0)
		return -1;
	if (target->mode != TARGET_APPLY ||
	    counts->settled > target->exceptions)
		target->exceptions = 0;
	else
		target->exceptions -= counts->settled;
	end_writing(target);
	return 0;
}

static int target_advance(struct target *dst, const struct checkpoint *from,
			  const struct checkpoint *to, struct error *err)
{
	return pg_checkpoint_move(self_of(dst), from, to, err);
}

static int target_check(struct target *dst, const struct target_check *what,
			struct findings *out, struct error *err)
{
	return pg_check_target(self_of(dst), what, out, err);
}

const struct target_ops postgresql_target_ops = {
	.connections = 1,
	.open = target_open,
	.connect = target_connect,
	.release = target_release,
	.close = target_close,
	.describe = target_describe,
	.create = target_create,
	.fence = target_fence,
	.checkpoint = target_checkpoint,
	.begin = target_begin,
	.write = target_write,
	.commit = target_commit,
	.rollback = target_rollback,
	.plan_begin = target_plan_begin,
	.part_begin = target_part_begin,
	.part_end = target_part_end,
	.begin_isolated = target_begin_isolated,
	.exceptions = target_exceptions,
	.advance = target_advance,
	.check = target_check,
};
