/*
 * Change data capture.
 *
 * A position is an LSN: ten bytes, ordered as bytes. Changes are read from the
 * capture instance's own table rather than through fn_cdc_get_all_changes_…,
 * because the function has no __$command_id, without which several changes of
 * one row in one transaction can come in the wrong order. The price is that
 * nothing warns of rows that the clean-up job removed, so the instance's
 * lowest LSN is looked at before and after each read: clean-up moves it before
 * it deletes.
 *
 * A window ends with a transaction: at the N-th entry of lsn_time_mapping that
 * stands for one (tran_id 0x00 is the capture job saying that it is alive), or
 * at the newest.
 */
#include "drivers/sqlserver/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "drivers/sqlserver/sql.h"

#define LSN_BYTES 10

/* The operations of a change table. */
enum { CDC_DELETE = 1, CDC_INSERT = 2, CDC_BEFORE = 3, CDC_AFTER = 4 };

/* ---------------------------------------------------------------- instances */

/* Is capture on at all? Without it the cdc schema does not even exist. */
static int check_enabled(struct sqlserver_source *source, struct error *err)
{
	static const char sql[] =
		"SELECT CAST(d.is_cdc_enabled AS int), "
		"(SELECT CAST(t.is_tracked_by_cdc AS int) FROM sys.tables AS t "
		"WHERE t.object_id = @id) "
		"FROM sys.databases AS d WHERE d.database_id = DB_ID()";
	struct tds_param id = tds_int("@id", source->catalog.object_id);
	char name[TABLE_NAME_TEXT_MAX];
	bool database, table;
	int rc;

	rc = tds_query_row(source->conn, sql, &id, 1, err);
	if (rc < 0)
		return -1;
	database = rc > 0 && tds_get_int(source->conn, 0);
	table = rc > 0 && tds_get_int(source->conn, 1);
	if (rc > 0 && tds_finish(source->conn, err) < 0)
		return -1;
	if (!database)
		return error_set(
			err, ERROR_SCHEMA,
			"change data capture is not enabled in source "
			"database '%s'; run EXEC sys.sp_cdc_enable_db "
			"there, then EXEC sys.sp_cdc_enable_table "
			"@source_schema = N'%s', @source_name = N'%s', "
			"@role_name = NULL",
			source->name.database, source->name.schema,
			source->name.table);
	if (!table)
		return error_set(
			err, ERROR_SCHEMA,
			"change data capture is not enabled for source "
			"table '%s'; run EXEC sys.sp_cdc_enable_table "
			"@source_schema = N'%s', @source_name = N'%s', "
			"@role_name = NULL",
			table_name_format(name, &source->name),
			source->name.schema, source->name.table);
	return 0;
}

static int keep_instance(struct sqlserver_source *source, struct error *err)
{
	const void *name;
	size_t len;

	name = tds_get_bytes(source->conn, 0, &len);
	free(source->instance);
	source->instance = strndup(name ? name : "", len);
	return source->instance ? 0 : error_memory(err, "a capture instance");
}

/*
 * Choose the newest instance that reaches back to `from` (NULL: just the
 * newest); if none does, the oldest, which then shows the gap.
 */
static int choose_instance(struct sqlserver_source *source,
			   const struct position *from, struct error *err)
{
	static const char sql[] =
		"SELECT TOP (1) c.capture_instance "
		"FROM cdc.change_tables AS c "
		"WHERE c.source_object_id = @id "
		"ORDER BY CASE WHEN @from IS NULL "
		"OR sys.fn_cdc_get_min_lsn(c.capture_instance) "
		"<= sys.fn_cdc_increment_lsn(@from) THEN 0 ELSE 1 END, "
		"CASE WHEN @from IS NULL "
		"OR sys.fn_cdc_get_min_lsn(c.capture_instance) "
		"<= sys.fn_cdc_increment_lsn(@from) "
		"THEN c.start_lsn END DESC, c.start_lsn";
	struct tds_param params[] = {
		tds_int("@id", source->catalog.object_id),
		tds_bytes("@from", from ? from->bytes : NULL,
			  from ? from->len : 0),
	};
	int rc;

	rc = tds_query_row(source->conn, sql, params, 2, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return error_set(err, ERROR_PERMISSION,
				 "the login may not see a capture instance of "
				 "'%s.%s'; GRANT SELECT ON SCHEMA::cdc to it",
				 source->name.schema, source->name.table);
	if (keep_instance(source, err) < 0) {
		tds_abandon(source->conn);
		return -1;
	}
	return tds_finish(source->conn, err);
}

static bool is_zero(const void *lsn, size_t len)
{
	static const unsigned char zero[LSN_BYTES];

	return !lsn || len != LSN_BYTES || !memcmp(lsn, zero, LSN_BYTES);
}

static int no_minimum(struct sqlserver_source *source, struct error *err)
{
	return error_set(err, ERROR_PERMISSION,
			 "capture instance '%s' is unknown to "
			 "sys.fn_cdc_get_min_lsn, or the login may not see it; "
			 "GRANT SELECT on the captured columns and on "
			 "SCHEMA::cdc to it",
			 source->instance);
}

/* ----------------------------------------------------------------- position */

/*
 * While nothing was captured yet there is no highest LSN, or it lies before
 * the instance; then the instance's own start is where the log begins.
 */
int cdc_position(struct source *src, struct position *out, struct error *err)
{
	static const char sql[] =
		"DECLARE @min binary(10) = sys.fn_cdc_get_min_lsn(@instance); "
		"DECLARE @max binary(10) = sys.fn_cdc_get_max_lsn(); "
		"SELECT @min, "
		"CASE WHEN @max > @min THEN @max ELSE @min END";
	struct sqlserver_source *source = (struct sqlserver_source *)src;
	struct tds_param instance;
	const void *lsn;
	size_t len;
	int rc;

	if (source_know_table(source, err) < 0 ||
	    check_enabled(source, err) < 0 ||
	    choose_instance(source, NULL, err) < 0)
		return -1;
	instance = tds_text("@instance", source->instance);
	rc = tds_query_row(source->conn, sql, &instance, 1, err);
	if (rc <= 0)
		return rc;
	lsn = tds_get_bytes(source->conn, 0, &len);
	rc = is_zero(lsn, len) ? no_minimum(source, err) : 0;
	lsn = tds_get_bytes(source->conn, 1, &len);
	if (rc == 0)
		rc = position_set(out, lsn, len, err);
	if (rc < 0) {
		tds_abandon(source->conn);
		return -1;
	}
	return tds_finish(source->conn, err);
}

/* ------------------------------------------------------------------- window */

/*
 * One statement finds the window, so that an idle poll costs one. The times
 * are differences on the server's own clock, which runs in local time.
 */
static void window_sql(const struct sqlserver_source *source,
		       struct strbuf *sql)
{
	struct strbuf table;

	strbuf_init(&table);
	strbuf_addf(&table, "%s_CT", source->instance);
	strbuf_addstr(
		sql,
		"DECLARE @min binary(10) = sys.fn_cdc_get_min_lsn(@instance); "
		"DECLARE @max binary(10) = sys.fn_cdc_get_max_lsn(); "
		"DECLARE @to binary(10), @count int, @rows int = 0; "
		"SELECT @to = MAX(w.start_lsn), @count = COUNT(*) FROM ("
		"SELECT TOP (@limit) m.start_lsn "
		"FROM cdc.lsn_time_mapping AS m "
		"WHERE m.start_lsn > @from AND m.start_lsn <= @max "
		"AND m.tran_id <> CONVERT(varbinary(1), 0) ORDER BY "
		"m.start_lsn) AS w; "
		"IF @count < @limit SET @to = @max; "
		"IF @to > @from AND EXISTS (SELECT 1 FROM ");
	sql_table(sql, "cdc", table.data);
	strbuf_addstr(
		sql,
		" AS c WHERE c.[__$start_lsn] > @from "
		"AND c.[__$start_lsn] <= @to) SET @rows = 1; "
		"SELECT @min, @max, @to, "
		"CASE WHEN @min > sys.fn_cdc_increment_lsn(@from) THEN 1 "
		"WHEN @max < @from AND @min < @from THEN 2 ELSE 0 END, "
		"CASE WHEN @to > @from THEN 1 ELSE 0 END, @rows, "
		"CASE WHEN @to = @max THEN 1 ELSE 0 END, "
		"(SELECT DATEDIFF_BIG(MILLISECOND, m.tran_end_time, GETDATE()) "
		"FROM cdc.lsn_time_mapping AS m WHERE m.start_lsn = @to)");
	if (table.failed)
		sql->failed = table.failed;
	strbuf_release(&table);
}

static int gap(const struct sqlserver_source *source,
	       const struct position *from, struct error *err)
{
	char text[POSITION_TEXT_MAX];

	position_format(text, from);
	return error_set(err, ERROR_GAP,
			 "changes after LSN %s are gone from capture instance "
			 "'%s': they were cleaned up before they could be read "
			 "(retention), or capture was enabled anew",
			 text, source->instance);
}

static int went_back(const struct sqlserver_source *source,
		     const struct position *from, struct error *err)
{
	char text[POSITION_TEXT_MAX];

	position_format(text, from);
	return error_set(err, ERROR_GAP,
			 "database '%s' has captured less than the LSN %s that "
			 "was read from it before: it was restored or replaced",
			 source->name.database, text);
}

/* Take the answer of window_sql() apart. 1: a window; 0: nothing new. */
static int read_window(struct sqlserver_source *source,
		       const struct position *from, int64_t asked_us,
		       struct window *window, struct error *err)
{
	const void *lsn;
	size_t len;
	bool is_new;

	lsn = tds_get_bytes(source->conn, 0, &len);
	if (is_zero(lsn, len))
		return no_minimum(source, err);
	switch (tds_get_int(source->conn, 3)) {
	case 1:
		return gap(source, from, err);
	case 2:
		return went_back(source, from, err);
	default:
		break;
	}
	is_new = tds_get_int(source->conn, 4) != 0;
	lsn = tds_get_bytes(source->conn, 2, &len);
	if (position_set(&window->to, lsn, is_new ? len : 0, err) < 0)
		return -1;
	if (!is_new)
		window->to = *from;
	window->has_rows = tds_get_int(source->conn, 5) != 0;
	window->newest = !is_new || tds_get_int(source->conn, 6) != 0;
	window->commit_us = 0;
	if (!tds_null(source->conn, 7))
		window->commit_us =
			asked_us - tds_get_int(source->conn, 7) * 1000;
	window->complete_us = window->commit_us;
	return is_new;
}

static int find_window(struct sqlserver_source *source,
		       const struct position *from, unsigned limit,
		       struct window *window, struct error *err)
{
	struct tds_param params[] = {
		tds_text("@instance", source->instance),
		tds_bytes("@from", from->bytes, from->len),
		tds_int("@limit", limit),
	};
	int64_t asked_us = clock_utc_us();
	struct strbuf sql;
	int rc = -1;

	strbuf_init(&sql);
	window_sql(source, &sql);
	if (strbuf_check(&sql, err) == 0)
		rc = tds_query_row(source->conn, sql.data, params, 3, err);
	strbuf_release(&sql);
	if (rc <= 0)
		return rc;
	rc = read_window(source, from, asked_us, window, err);
	if (rc < 0) {
		tds_abandon(source->conn);
		return -1;
	}
	return tds_finish(source->conn, err) < 0 ? -1 : rc;
}

/* ------------------------------------------------------------------ changes */

/*
 * What the change table has to have: every column of the shape, and whether
 * it has __$command_id, which older builds lack. The ordinals are the bits of
 * __$update_mask.
 */
static int read_captured(struct sqlserver_source *source, struct table *shape,
			 int *ordinals, bool *has_command, struct error *err)
{
	static const char sql[] =
		"SELECT k.column_ordinal, k.column_name, "
		"CASE WHEN COL_LENGTH(N'cdc.' + QUOTENAME(@instance + N'_CT'), "
		"N'__$command_id') IS NULL THEN 0 ELSE 1 END "
		"FROM cdc.captured_columns AS k "
		"INNER JOIN cdc.change_tables AS c "
		"ON k.object_id = c.object_id "
		"WHERE c.capture_instance = @instance";
	struct tds_param instance = tds_text("@instance", source->instance);
	struct arena arena;
	int rc;

	arena_init(&arena, 0);
	rc = tds_query(source->conn, sql, &instance, 1, err);
	while (rc >= 0 && (rc = tds_fetch(source->conn, err)) > 0) {
		char *name = tds_get_text(source->conn, 1, &arena);
		struct column *column = name ? table_column(shape, name) : NULL;

		if (!name) {
			rc = error_memory(err, "captured columns");
			break;
		}
		*has_command = tds_get_int(source->conn, 2) != 0;
		if (column)
			ordinals[column - shape->columns] =
				(int)tds_get_int(source->conn, 0);
	}
	if (rc < 0)
		tds_abandon(source->conn);
	else
		rc = tds_finish(source->conn, err);
	arena_release(&arena);
	return rc;
}

static int check_captured(const struct sqlserver_source *source,
			  const struct table *shape, const int *ordinals,
			  struct error *err)
{
	for (size_t i = 0; i < shape->column_count; i++)
		if (!ordinals[i])
			return error_set(err, ERROR_SCHEMA,
					 "column '%s' is not captured by "
					 "instance '%s'; create a second "
					 "instance that captures it",
					 shape->columns[i].name,
					 source->instance);
	return 0;
}

/*
 * An update that changes a key is captured as a delete and an insert, as a
 * rule. Should it come as before and after, the row before is read as the
 * delete of the old key: its bit in the mask, which counts from the last byte,
 * tells.
 */
static void add_key_changed(struct strbuf *sql, const struct table *shape,
			    const int *ordinals)
{
	strbuf_addf(sql, "(c.[__$operation] = %d AND (", CDC_BEFORE);
	for (size_t k = 0; k < shape->key_count; k++) {
		int bit = ordinals[shape->key[k]] - 1;

		strbuf_addf(
			sql,
			"%sCONVERT(tinyint, SUBSTRING(c.[__$update_mask], "
			"DATALENGTH(c.[__$update_mask]) - %d, 1)) & %d <> 0",
			k ? " OR " : "", bit / 8, 1 << bit % 8);
	}
	strbuf_addstr(sql, "))");
}

static void add_columns(const struct sqlserver_source *source,
			const struct table *shape, struct strbuf *sql)
{
	for (size_t i = 0; i < shape->column_count; i++) {
		strbuf_addstr(sql, ", ");
		decode_expression(sql,
				  catalog_column(&source->catalog,
						 shape->columns[i].name),
				  "c", source->native_text, false);
	}
}

static int build_changes(struct sqlserver_source *source, struct table *shape,
			 struct strbuf *sql, struct error *err)
{
	bool has_command = false;
	struct strbuf table;
	int *ordinals;
	int ret = -1;

	strbuf_init(&table);
	ordinals = calloc(shape->column_count, sizeof(*ordinals));
	if (!ordinals) {
		error_memory(err, "captured columns");
		goto done;
	}
	if (source_know_table(source, err) < 0 ||
	    read_captured(source, shape, ordinals, &has_command, err) < 0 ||
	    check_captured(source, shape, ordinals, err) < 0)
		goto done;
	strbuf_addf(&table, "%s_CT", source->instance);
	strbuf_addstr(sql, "SELECT c.[__$operation]");
	add_columns(source, shape, sql);
	strbuf_addstr(sql, " FROM ");
	sql_table(sql, "cdc", table.data);
	strbuf_addf(sql,
		    " AS c WHERE c.[__$start_lsn] > @from "
		    "AND c.[__$start_lsn] <= @to "
		    "AND (c.[__$operation] IN (%d, %d, %d) OR ",
		    CDC_DELETE, CDC_INSERT, CDC_AFTER);
	add_key_changed(sql, shape, ordinals);
	strbuf_addf(sql,
		    ") ORDER BY c.[__$start_lsn], %sc.[__$seqval], "
		    "c.[__$operation]",
		    has_command ? "c.[__$command_id], " : "");
	ret = strbuf_check(sql, err);
done:
	strbuf_release(&table);
	free(ordinals);
	return ret;
}

static int begin_reading(struct sqlserver_source *source, struct table *shape,
			 const struct position *from, const struct position *to,
			 struct error *err)
{
	struct tds_param params[] = {
		tds_bytes("@from", from->bytes, from->len),
		tds_bytes("@to", to->bytes, to->len),
	};
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	if (build_changes(source, shape, &sql, err) < 0 ||
	    tds_query(source->conn, sql.data, params, 2, err) < 0)
		goto done;
	source->reading = READ_CHANGES;
	source->from = *from;
	source_set_charsets(source, shape);
	source->decoder = decoder_new(source->conn, 1, &source->catalog, shape,
				      source->native_text, err);
	if (source->decoder)
		ret = 0;
	else
		sqlserver_source_ops.end(&source->base);
done:
	strbuf_release(&sql);
	return ret;
}

int cdc_changes_begin(struct source *src, struct table *shape,
		      const struct position *from, unsigned limit,
		      struct window *window, struct error *err)
{
	struct sqlserver_source *source = (struct sqlserver_source *)src;
	int rc;

	if (!source->instance && (source_know_table(source, err) < 0 ||
				  check_enabled(source, err) < 0 ||
				  choose_instance(source, from, err) < 0))
		return -1;
	rc = find_window(source, from, limit, window, err);
	if (rc < 0) {
		/* Look for another instance the next time. */
		free(source->instance);
		source->instance = NULL;
	}
	if (rc <= 0 || !window->has_rows)
		return rc;
	return begin_reading(source, shape, from, &window->to, err) < 0 ? -1
									: 1;
}

int cdc_read_change(struct sqlserver_source *source, struct batch *batch,
		    struct error *err)
{
	int64_t operation = tds_get_int(source->conn, 0);
	bool gone = operation == CDC_DELETE || operation == CDC_BEFORE;
	int rc = decoder_read(source->decoder, batch, gone, err);

	if (rc > 0)
		batch_add_row(batch, gone ? ROW_DELETE : ROW_UPSERT);
	return rc;
}

int cdc_check_gap(struct sqlserver_source *source, struct error *err)
{
	static const char sql[] =
		"SELECT CASE WHEN sys.fn_cdc_get_min_lsn(@instance) "
		"> sys.fn_cdc_increment_lsn(@from) THEN 1 ELSE 0 END";
	struct tds_param params[] = {
		tds_text("@instance", source->instance),
		tds_bytes("@from", source->from.bytes, source->from.len),
	};
	int rc = tds_query_row(source->conn, sql, params, 2, err);
	bool moved;

	if (rc <= 0)
		return rc;
	moved = tds_get_int(source->conn, 0) != 0;
	if (tds_finish(source->conn, err) < 0)
		return -1;
	return moved ? gap(source, &source->from, err) : 0;
}
