#include "drivers/sqlserver/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "drivers/sqlserver/check.h"
#include "drivers/sqlserver/sql.h"

static struct sqlserver_target *self_of(struct target *dst)
{
	return (struct sqlserver_target *)dst;
}

/* -------------------------------------------------------------- open, close */

static int target_open(const struct target_spec *spec, struct target **out,
		       struct error *err)
{
	struct sqlserver_target *target = calloc(1, sizeof(*target));

	if (!target)
		return error_memory(err, "a target");
	target->base.ops = &sqlserver_target_ops;
	target->server = (struct sqlserver *)spec->server;
	target->name = spec->name;
	target->origin = target_origin(spec);
	target->mapping_id = spec->mapping_id;
	target->epoch = spec->epoch;
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
	struct sqlserver_target *target = self_of(dst);

	target->has_changes_table = false;
	target->cancel = cancel;
	return sqlserver_take(target->server, target->name.database, cancel,
			      &target->conn, err);
}

void target_abandon(struct sqlserver_target *target)
{
	struct error ignored;

	if (tds_usable(target->conn) &&
	    tds_exec(target->conn, "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION",
		     &ignored) < 0)
		tds_mark_unusable(target->conn);
}

static void target_rollback(struct target *dst)
{
	struct sqlserver_target *target = self_of(dst);

	if (!target->begun)
		return;
	/* A bulk load that is under way can only be cut off. */
	if (target->loader)
		tds_mark_unusable(target->conn);
	loader_free(target->loader);
	target->loader = NULL;
	isolate_free(target->isolate);
	target->isolate = NULL;
	if (target->is_part)
		target_abandon(target);
	else if (target->mode == TARGET_REPLACE)
		replace_rollback(target);
	target->begun = false;
}

static void target_release(struct target *dst)
{
	struct sqlserver_target *target = self_of(dst);
	struct error ignored;

	if (!target->conn)
		return;
	target_rollback(dst);
	if (target->has_changes_table && tds_usable(target->conn) &&
	    tds_exec(target->conn, "DROP TABLE IF EXISTS #dataflow_changes",
		     &ignored) < 0)
		tds_mark_unusable(target->conn);
	sqlserver_give(target->server, target->name.database, target->conn);
	target->conn = NULL;
}

static void target_close(struct target *dst)
{
	struct sqlserver_target *target = self_of(dst);

	target_release(dst);
	catalog_release(&target->dest);
	free(target->origin);
	free(target->installation);
	free(target);
}

/* ------------------------------------------------------------- the table */

/*
 * IGNORE_DUP_KEY takes a row for refused without an error: it would be lost,
 * and counted as written.
 */
static int check_ignored(struct sqlserver_target *target, struct error *err)
{
	static const char sql[] =
		"SELECT TOP (1) QUOTENAME(i.name), CASE WHEN "
		"i.is_primary_key = 1 OR i.is_unique_constraint = 1 "
		"THEN 1 ELSE 0 END FROM sys.indexes AS i "
		"WHERE i.object_id = @id AND i.is_unique = 1 "
		"AND i.ignore_dup_key = 1 ORDER BY i.index_id";
	struct tds_param id = tds_int("@id", target->dest.object_id);
	int rc = tds_query_row(target->conn, sql, &id, 1, err);
	struct strbuf table;
	struct arena arena;
	const char *index;

	if (rc <= 0)
		return rc;
	arena_init(&arena, 0);
	strbuf_init(&table);
	sql_table(&table, target->name.schema, target->name.table);
	index = tds_get_text(target->conn, 0, &arena);
	if (!index)
		error_memory(err, "an index's name");
	else if (tds_get_int(target->conn, 1))
		error_set(err, ERROR_SCHEMA,
			  "destination table %s has the constraint %s with "
			  "IGNORE_DUP_KEY = ON, by which rows vanish without "
			  "an error; drop it and add it without that",
			  table.data, index);
	else
		error_set(err, ERROR_SCHEMA,
			  "destination table %s has the index %s with "
			  "IGNORE_DUP_KEY = ON, by which rows vanish without "
			  "an error; ALTER INDEX %s ON %s SET "
			  "(IGNORE_DUP_KEY = OFF)",
			  table.data, index, index, table.data);
	tds_abandon(target->conn);
	strbuf_release(&table);
	arena_release(&arena);
	return -1;
}

static int target_describe(struct target *dst, struct table *out,
			   struct error *err)
{
	struct sqlserver_target *target = self_of(dst);
	char name[TABLE_NAME_TEXT_MAX];
	int rc;

	catalog_release(&target->dest);
	target->described = false;
	rc = catalog_read(target->conn, target->name.schema, target->name.table,
			  &target->dest, err);
	if (rc <= 0)
		return rc;
	if (target->dest.is_history)
		return error_set(err, ERROR_SCHEMA,
				 "destination table '%s' is the history of a "
				 "system-versioned table, which the server "
				 "alone writes; map the table it belongs to",
				 table_name_format(name, &target->name));
	if (target->dest.in_memory)
		return error_set(err, ERROR_SCHEMA,
				 "destination table '%s' is memory-optimized, "
				 "which can be neither locked, truncated nor "
				 "written in the transaction of a checkpoint; "
				 "map a table on disk",
				 table_name_format(name, &target->name));
	if (check_ignored(target, err) < 0)
		return -1;
	target->described = true;
	if (catalog_describe(&target->dest, &target->name, out, err) < 0)
		return -1;
	return 1;
}

/* A type for rows that come from another system. */
static void add_type(struct strbuf *sql, const struct column *column)
{
	switch (column->type) {
	case ROW_BOOL:
		strbuf_addstr(sql, "bit");
		break;
	case ROW_UINT8:
		strbuf_addstr(sql, "tinyint");
		break;
	case ROW_INT8:
	case ROW_INT16:
		strbuf_addstr(sql, "smallint");
		break;
	case ROW_INT32:
		strbuf_addstr(sql, "int");
		break;
	case ROW_INT64:
		strbuf_addstr(sql, "bigint");
		break;
	case ROW_UINT64:
		strbuf_addstr(sql, "decimal(20, 0)");
		break;
	case ROW_FLOAT32:
		strbuf_addstr(sql, "real");
		break;
	case ROW_FLOAT64:
		strbuf_addstr(sql, "float");
		break;
	case ROW_DECIMAL:
		strbuf_addf(sql, "decimal(%d, %d)", column->precision,
			    column->scale);
		break;
	case ROW_TEXT:
	case ROW_JSON:
		if (column->length > 0 && column->length <= 4000)
			strbuf_addf(sql, "nvarchar(%d)", column->length);
		else
			strbuf_addstr(sql, "nvarchar(max)");
		break;
	case ROW_BYTES:
		if (column->length > 0 && column->length <= 8000)
			strbuf_addf(sql, "varbinary(%d)", column->length);
		else
			strbuf_addstr(sql, "varbinary(max)");
		break;
	case ROW_DATE:
		strbuf_addstr(sql, "date");
		break;
	case ROW_TIME:
		strbuf_addf(sql, "time(%d)", column->precision);
		break;
	case ROW_TIMESTAMP:
		strbuf_addf(sql, "datetime2(%d)", column->precision);
		break;
	case ROW_TIMESTAMPTZ:
		strbuf_addf(sql, "datetimeoffset(%d)", column->precision);
		break;
	case ROW_UUID:
		strbuf_addstr(sql, "uniqueidentifier");
		break;
	case ROW_XML:
		strbuf_addstr(sql, "xml");
		break;
	}
}

/* The most that the clustered index of a primary key can have, in bytes. */
#define KEY_BYTES_MAX 900

/*
 * Keys of other systems tell upper case from lower case. One that may be of any
 * length is as long as a key can be here; what is longer is refused, value by
 * value.
 */
static void add_key_type(struct strbuf *sql, const struct column *column)
{
	if (column->type == ROW_TEXT && !column->length)
		strbuf_addf(sql, "nvarchar(%d)", KEY_BYTES_MAX / 2);
	else if (column->type == ROW_BYTES && !column->length)
		strbuf_addf(sql, "varbinary(%d)", KEY_BYTES_MAX);
	else
		add_type(sql, column);
	if (column->type == ROW_TEXT)
		strbuf_addstr(sql, " COLLATE Latin1_General_100_BIN2");
}

static void add_table_columns(struct strbuf *sql, const struct table *shape)
{
	bool same = shape->system && !strcmp(shape->system, "sqlserver");

	for (size_t i = 0; i < shape->column_count; i++) {
		const struct column *column = &shape->columns[i];

		sql_names(sql, i ? ", %n " : "%n ", column->name, NULL);
		if (same)
			strbuf_addstr(sql, column->native);
		else if (table_is_key(shape, i))
			add_key_type(sql, column);
		else
			add_type(sql, column);
		if (same && column->collation)
			strbuf_addf(sql, " COLLATE %s", column->collation);
		strbuf_addstr(sql, column->nullable ? " NULL" : " NOT NULL");
	}
}

static void add_table_key(struct strbuf *sql, const struct table *shape)
{
	if (!shape->key_count)
		return;
	for (size_t k = 0; k < shape->key_count; k++)
		if (shape->columns[shape->key[k]].nullable)
			return; /* not a primary key then */
	strbuf_addstr(sql, ", PRIMARY KEY (");
	for (size_t k = 0; k < shape->key_count; k++)
		sql_names(sql, k ? ", %n" : "%n",
			  shape->columns[shape->key[k]].name, NULL);
	strbuf_addch(sql, ')');
}

static int create_schema(struct sqlserver_target *target, struct error *err)
{
	static const char sql[] = "IF SCHEMA_ID(@name) IS NULL "
				  "BEGIN "
				  "DECLARE @create nvarchar(300) = "
				  "N'CREATE SCHEMA ' + QUOTENAME(@name); "
				  "EXEC sys.sp_executesql @create; "
				  "END";
	struct tds_param name = tds_text("@name", target->name.schema);

	if (tds_query(target->conn, sql, &name, 1, err) < 0)
		return -1;
	return tds_finish(target->conn, err);
}

/* What the checkpoint tells is of an earlier table. */
static int target_create(struct target *dst, const struct table *shape,
			 struct error *err)
{
	struct sqlserver_target *target = self_of(dst);
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql,
		      "BEGIN TRANSACTION; " CHECKPOINT_FORGET "CREATE TABLE ");
	sql_table(&sql, target->name.schema, target->name.table);
	strbuf_addstr(&sql, " (");
	add_table_columns(&sql, shape);
	add_table_key(&sql, shape);
	strbuf_addstr(&sql, "); COMMIT TRANSACTION");
	if (strbuf_check(&sql, err) == 0 && create_schema(target, err) == 0)
		ret = checkpoint_run(target, sql.data, err);
	strbuf_release(&sql);
	return ret;
}

static int target_fence(struct target *dst, struct error *err)
{
	return checkpoint_fence(self_of(dst), err);
}

static int target_checkpoint(struct target *dst, struct checkpoint *out,
			     struct error *err)
{
	return checkpoint_read(self_of(dst), out, err);
}

/* ----------------------------------------------------------------- writing */

static int start(struct sqlserver_target *target, enum target_mode mode,
		 const struct table *shape, struct error *err)
{
	if (!target->described)
		return error_set(err, ERROR_INTERNAL,
				 "begin without a described table");
	target->mode = mode;
	target->shape = shape;
	target->begun = true;
	target->in_parts = false;
	target->is_part = false;
	return 0;
}

static int target_begin(struct target *dst, enum target_mode mode,
			const struct table *shape, struct error *err)
{
	struct sqlserver_target *target = self_of(dst);
	int ret = -1;

	if (start(target, mode, shape, err) < 0)
		return -1;
	switch (mode) {
	case TARGET_REPLACE:
		ret = replace_begin(target, err);
		break;
	case TARGET_REFILL:
		ret = refill_begin(target, err);
		break;
	case TARGET_APPLY:
		ret = apply_begin(target, err);
		break;
	}
	if (ret < 0)
		target_rollback(dst);
	else
		dst->held = loader_held(target->loader);
	return ret;
}

static int target_begin_isolated(struct target *dst, const struct table *shape,
				 struct isolation *how, struct error *err)
{
	struct sqlserver_target *target = self_of(dst);

	if (start(target, TARGET_APPLY, shape, err) < 0)
		return -1;
	if (isolate_begin(target, how, err) < 0) {
		target_rollback(dst);
		return -1;
	}
	dst->held = loader_held(target->loader);
	return 0;
}

static int target_exceptions(struct target *dst,
			     void (*tell)(void *context,
					  const struct target_exception *row),
			     void *context, struct error *err)
{
	return exceptions_tell(self_of(dst), tell, context, err);
}

static int target_plan_begin(struct target *dst, const struct table *shape,
			     struct load_plan *plan, bool fresh,
			     struct error *err)
{
	struct sqlserver_target *target = self_of(dst);
	int rc;

	if (start(target, TARGET_REPLACE, shape, err) < 0)
		return -1;
	target->in_parts = true;
	rc = plan_begin(target, plan, fresh, err);
	if (rc < 0)
		target_rollback(dst);
	return rc;
}

/* A helper's target was never described: it looks for itself. */
static int know_table(struct sqlserver_target *target, struct error *err)
{
	int rc;

	if (target->described)
		return 0;
	rc = catalog_read(target->conn, target->name.schema, target->name.table,
			  &target->dest, err);
	if (rc == 0)
		return error_set(err, ERROR_SCHEMA,
				 "the destination table is gone");
	target->described = rc > 0;
	return rc > 0 ? 0 : -1;
}

static int target_part_begin(struct target *dst, const struct table *shape,
			     size_t part, struct error *err)
{
	struct sqlserver_target *target = self_of(dst);

	if (know_table(target, err) < 0 ||
	    start(target, TARGET_REPLACE, shape, err) < 0)
		return -1;
	target->in_parts = true;
	target->is_part = true;
	if (plan_part_begin(target, part, err) < 0) {
		target_rollback(dst);
		return -1;
	}
	dst->held = loader_held(target->loader);
	return 0;
}

static int target_part_end(struct target *dst, size_t part, struct error *err)
{
	struct sqlserver_target *target = self_of(dst);

	if (plan_part_end(target, part, err) < 0)
		return -1;
	loader_free(target->loader);
	target->loader = NULL;
	target->begun = false;
	return 0;
}

static int target_write(struct target *dst, const struct batch *batch,
			struct error *err)
{
	struct sqlserver_target *target = self_of(dst);

	if (target->mode == TARGET_REFILL)
		return refill_write(target, batch, err);
	return loader_write(target->loader, batch, err);
}

static int target_commit(struct target *dst, const struct checkpoint *from,
			 const struct checkpoint *to,
			 struct target_counts *counts, struct error *err)
{
	struct sqlserver_target *target = self_of(dst);
	int ret = -1;

	memset(counts, 0, sizeof(*counts));
	switch (target->mode) {
	case TARGET_REPLACE:
		ret = replace_commit(target, from, to, counts, err);
		break;
	case TARGET_REFILL:
		ret = refill_commit(target, to, counts, err);
		break;
	case TARGET_APPLY:
		ret = target->isolate
			      ? isolate_commit(target, from, to, counts, err)
			      : apply_commit(target, from, to, counts, err);
		break;
	}
	if (ret < 0)
		return -1;
	if (target->mode != TARGET_APPLY ||
	    counts->settled > target->exceptions)
		target->exceptions = 0;
	else
		target->exceptions -= counts->settled;
	isolate_free(target->isolate);
	target->isolate = NULL;
	loader_free(target->loader);
	target->loader = NULL;
	target->begun = false;
	return 0;
}

static int target_advance(struct target *dst, const struct checkpoint *from,
			  const struct checkpoint *to, struct error *err)
{
	struct sqlserver_target *target = self_of(dst);
	struct target_counts counts;
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "BEGIN TRANSACTION; ");
	checkpoint_sql(&sql, from != NULL);
	strbuf_addstr(&sql, "COMMIT TRANSACTION; SELECT 0, 0, 0, 0");
	if (strbuf_check(&sql, err) == 0)
		ret = target_transact(target, sql.data, from, to, &counts, err);
	strbuf_release(&sql);
	return ret;
}

/*
 * `sql` ends with a SELECT of the rows deleted, updated and inserted, and of
 * those put aside earlier that are over now. It runs
 * in sp_executesql, at whose end, good or bad, the server puts back options
 * like IDENTITY_INSERT.
 */
int target_transact(struct sqlserver_target *target, const char *sql,
		    const struct checkpoint *from, const struct checkpoint *to,
		    struct target_counts *counts, struct error *err)
{
	struct checkpoint_params params;
	int rc;

	checkpoint_fill(&params, target, from, to);
	FAILPOINT(BEFORE_COMMIT);
	rc = tds_query_row(target->conn, sql, params.params, params.count, err);
	FAILPOINT(AFTER_COMMIT);
	if (rc > 0) {
		counts->deleted = (uint64_t)tds_get_int(target->conn, 0);
		counts->updated = (uint64_t)tds_get_int(target->conn, 1);
		counts->inserted = (uint64_t)tds_get_int(target->conn, 2);
		counts->settled = (uint64_t)tds_get_int(target->conn, 3);
		rc = tds_finish(target->conn, err);
	} else if (rc == 0) {
		rc = error_set(err, ERROR_SERVER,
			       "a transaction did not report its end");
	}
	return rc < 0 ? checkpoint_failed(err) : rc;
}

/* ----------------------------------------------------------- pieces of SQL */

void target_sql_key_match(struct strbuf *sql,
			  const struct sqlserver_target *target)
{
	const struct table *shape = target->shape;

	for (size_t k = 0; k < shape->key_count; k++) {
		const struct catalog_column *column = catalog_column(
			&target->dest, shape->columns[shape->key[k]].name);

		strbuf_addstr(sql, k ? " AND " : "");
		if (column->nullable)
			sql_names(sql,
				  "(d.%n = s.%n OR (d.%n IS NULL AND "
				  "s.%n IS NULL))",
				  column->name, NULL);
		else
			sql_names(sql, "d.%n = s.%n", column->name, NULL);
	}
}

/*
 * The value that was loaded. xml comes as text, and would lose the blanks
 * between its tags if it were converted in the plain way.
 */
static void add_loaded(struct strbuf *sql, const struct catalog_column *column)
{
	bool xml = !strcmp(column->type, "xml");

	sql_names(sql, xml ? "CONVERT(xml, s.%n, 1)" : "s.%n", column->name,
		  NULL);
}

static void add_columns(struct strbuf *sql,
			const struct sqlserver_target *target, bool loaded)
{
	for (size_t i = 0; i < target->shape->column_count; i++) {
		const struct catalog_column *column = catalog_column(
			&target->dest, target->shape->columns[i].name);

		strbuf_addstr(sql, i ? ", " : "");
		if (loaded)
			add_loaded(sql, column);
		else
			sql_name(sql, column->name);
	}
}

bool target_sql_assignments(struct strbuf *sql,
			    const struct sqlserver_target *target)
{
	bool any = false;

	for (size_t i = 0; i < target->shape->column_count; i++) {
		const struct catalog_column *column = catalog_column(
			&target->dest, target->shape->columns[i].name);

		if (column->identity ||
		    (table_is_key(target->shape, i) && !column->collation))
			continue;
		strbuf_addstr(sql, any ? ", " : "");
		sql_names(sql, "%n = ", column->name, NULL);
		if (target->loader && loader_kept(target->loader, i)) {
			strbuf_addf(sql,
				    "CASE WHEN SUBSTRING(s."
				    "[" LOADER_KEPT_COLUMN "], %zu, 1) = '1' ",
				    i + 1);
			sql_names(sql, "THEN d.%n ELSE ", column->name, NULL);
			add_loaded(sql, column);
			strbuf_addstr(sql, " END");
		} else {
			add_loaded(sql, column);
		}
		any = true;
	}
	return any;
}

void target_sql_insert(struct strbuf *sql,
		       const struct sqlserver_target *target, const char *from,
		       const char *where, const char *after)
{
	bool identity = false;

	for (size_t i = 0; i < target->shape->column_count; i++)
		if (catalog_column(&target->dest,
				   target->shape->columns[i].name)
			    ->identity)
			identity = true;
	if (identity) {
		strbuf_addstr(sql, "SET IDENTITY_INSERT ");
		sql_table(sql, target->name.schema, target->name.table);
		strbuf_addstr(sql, " ON; ");
	}
	strbuf_addstr(sql, "INSERT INTO ");
	sql_table(sql, target->name.schema, target->name.table);
	strbuf_addstr(sql, " (");
	add_columns(sql, target, false);
	strbuf_addstr(sql, ") SELECT ");
	add_columns(sql, target, true);
	strbuf_addf(sql, " FROM %s AS s %s; %s", from, where, after);
	if (identity) {
		strbuf_addstr(sql, "SET IDENTITY_INSERT ");
		sql_table(sql, target->name.schema, target->name.table);
		strbuf_addstr(sql, " OFF; ");
	}
}

static int target_check(struct target *dst, const struct target_check *what,
			struct findings *out, struct error *err)
{
	return check_target(self_of(dst), what, out, err);
}

const struct target_ops sqlserver_target_ops = {
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
