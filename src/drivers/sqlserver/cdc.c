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
 * at the newest. It never goes beyond the beginning of a newer instance, which
 * takes over from there.
 */
#include "drivers/sqlserver/capture.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "drivers/sqlserver/sql.h"

#define LSN_BYTES      10
#define NO_SUCH_OBJECT 208

/* An idle capture job writes an entry about every five minutes. */
#define CAPTURE_SILENCE_MS (15 * 60 * 1000)
/* A job that has just been made may take a moment to begin. */
#define NOTE_AFTER_MS 10000
#define NOTE_EVERY_MS 60000

/* A century. */
#define AGE_MAX_MS (INT64_C(100) * 366 * 86400 * 1000)

/* The operations of a change table. */
enum { CDC_DELETE = 1, CDC_INSERT = 2, CDC_BEFORE = 3, CDC_AFTER = 4 };

static bool is_zero(const void *lsn, size_t len)
{
	static const unsigned char zero[LSN_BYTES];

	return !lsn || len != LSN_BYTES || !memcmp(lsn, zero, LSN_BYTES);
}

/* ----------------------------------------------------------------- position */

/*
 * While nothing was captured yet there is no highest LSN, or it lies before
 * the instance; then the instance's own start is where the log begins.
 */
static int cdc_position(struct sqlserver_source *source, struct position *out,
			struct error *err)
{
	static const char sql[] =
		"DECLARE @min binary(10) = sys.fn_cdc_get_min_lsn(@instance); "
		"DECLARE @max binary(10) = sys.fn_cdc_get_max_lsn(); "
		"SELECT @min, "
		"CASE WHEN @max > @min THEN @max ELSE @min END";
	struct tds_param instance;
	const void *lsn;
	size_t len;
	int rc;

	if (source_know_table(source, err) < 0 ||
	    capture_check_enabled(source, err) < 0 ||
	    capture_choose(source, NULL, err) < 0)
		return -1;
	instance = tds_text("@instance", source->instance);
	rc = tds_query_row(source->conn, sql, &instance, 1, err);
	if (rc <= 0)
		return rc;
	lsn = tds_get_bytes(source->conn, 0, &len);
	rc = is_zero(lsn, len) ? capture_no_minimum(source, err) : 0;
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

/* Columns of what window_sql() answers. */
enum {
	WINDOW_MIN,	 /* lowest LSN of the instance */
	WINDOW_TO,	 /* end of the window, or NULL */
	WINDOW_GAP,	 /* 1: cleaned up, 2: went back */
	WINDOW_IS_NEW,	 /* `to` lies after `from` */
	WINDOW_HAS_ROWS, /* of this table */
	WINDOW_NEWEST,	 /* nothing is known after `to` */
	WINDOW_AGE_MS,	 /* since the last commit up to `to` */
	WINDOW_LOG_MS,	 /* since the last entry of all */
	WINDOW_HAS_NEXT, /* a newer instance waits */
	WINDOW_DRAINED,	 /* it begins right here */
	WINDOW_ALTERED,	 /* the table is not as it was described */
};

/*
 * One statement finds the window, so that an idle poll costs one. It ends
 * before the LSN at which the table's next instance begins. The times are
 * differences on the server's own clock, which runs in local time.
 */
static void window_sql(const struct sqlserver_source *source,
		       struct strbuf *sql)
{
	strbuf_addstr(
		sql,
		"DECLARE @min binary(10) = sys.fn_cdc_get_min_lsn(@instance); "
		"DECLARE @max binary(10) = sys.fn_cdc_get_max_lsn(); "
		"DECLARE @next binary(10) = (SELECT MIN(n.start_lsn) "
		"FROM cdc.change_tables AS n INNER JOIN cdc.change_tables AS c "
		"ON n.source_object_id = c.source_object_id "
		"AND n.start_lsn > c.start_lsn "
		"WHERE c.capture_instance = @instance); "
		"DECLARE @end binary(10) = sys.fn_cdc_decrement_lsn(@next); "
		"DECLARE @to binary(10), @count int, @rows int = 0; "
		"SELECT @to = MAX(w.start_lsn), @count = COUNT(*) FROM ("
		"SELECT TOP (@limit) m.start_lsn "
		"FROM cdc.lsn_time_mapping AS m "
		"WHERE m.start_lsn > @from AND m.start_lsn <= @max "
		"AND m.tran_id <> CONVERT(varbinary(1), 0) ORDER BY "
		"m.start_lsn) AS w; "
		"IF @count < @limit SET @to = @max; "
		"IF @to > @end SET @to = @end; "
		"IF @to > @from AND EXISTS (SELECT 1 FROM ");
	sql_change_table(sql, source->instance);
	strbuf_addstr(
		sql,
		" AS c WHERE c.[__$start_lsn] > @from "
		"AND c.[__$start_lsn] <= @to) SET @rows = 1; "
		"SELECT @min, @to, "
		"CASE WHEN @min > sys.fn_cdc_increment_lsn(@from) THEN 1 "
		"WHEN @max < @from AND @min < @from THEN 2 ELSE 0 END, "
		"CASE WHEN @to > @from THEN 1 ELSE 0 END, @rows, "
		"CASE WHEN @to = @max THEN 1 ELSE 0 END, "
		"(SELECT TOP (1) DATEDIFF_BIG(MILLISECOND, m.tran_end_time, "
		"GETDATE()) FROM cdc.lsn_time_mapping AS m "
		"WHERE m.start_lsn <= @to ORDER BY m.start_lsn DESC), "
		"(SELECT DATEDIFF_BIG(MILLISECOND, m.tran_end_time, GETDATE()) "
		"FROM cdc.lsn_time_mapping AS m WHERE m.start_lsn = @max), "
		"CASE WHEN @next IS NULL THEN 0 ELSE 1 END, "
		"CASE WHEN @from >= @end THEN 1 ELSE 0 END, "
		"CASE WHEN EXISTS (SELECT 1 FROM sys.objects AS o "
		"WHERE o.object_id = @id AND DATEDIFF_BIG(MILLISECOND, "
		"'20000101', o.modify_date) = @modified) THEN 0 ELSE 1 END");
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

/* By a clock that may say anything. */
static int64_t age_ms(struct tds *conn)
{
	int64_t age = tds_get_int(conn, WINDOW_AGE_MS);

	return age > AGE_MAX_MS	   ? AGE_MAX_MS
	       : age < -AGE_MAX_MS ? -AGE_MAX_MS
				   : age;
}

/* Take the answer of window_sql() apart. 1: a window; 0: nothing new. */
static int read_window(struct sqlserver_source *source,
		       const struct position *from, int64_t asked_us,
		       struct window *window, struct error *err)
{
	struct tds *conn = source->conn;
	const void *lsn;
	size_t len;

	window->altered = tds_get_int(conn, WINDOW_ALTERED) != 0;
	if (window->altered)
		return 0;
	lsn = tds_get_bytes(conn, WINDOW_MIN, &len);
	if (is_zero(lsn, len))
		return capture_no_minimum(source, err);
	switch (tds_get_int(conn, WINDOW_GAP)) {
	case 1:
		return gap(source, from, err);
	case 2:
		return went_back(source, from, err);
	default:
		break;
	}
	source->log_silent =
		tds_null(conn, WINDOW_LOG_MS) ||
		tds_get_int(conn, WINDOW_LOG_MS) > CAPTURE_SILENCE_MS;
	source->has_next = tds_get_int(conn, WINDOW_HAS_NEXT) != 0;
	source->drained = tds_get_int(conn, WINDOW_DRAINED) != 0;
	window->to = *from;
	window->newest = !source->drained;
	if (!tds_null(conn, WINDOW_AGE_MS)) {
		window->complete_us = asked_us - age_ms(conn) * 1000;
		window->commit_us = clock_to_utc(window->complete_us);
	}
	if (!tds_get_int(conn, WINDOW_IS_NEW))
		return 0;
	window->has_rows = tds_get_int(conn, WINDOW_HAS_ROWS) != 0;
	window->newest = tds_get_int(conn, WINDOW_NEWEST) != 0;
	lsn = tds_get_bytes(conn, WINDOW_TO, &len);
	return position_set(&window->to, lsn, len, err) < 0 ? -1 : 1;
}

static int find_window(struct sqlserver_source *source,
		       const struct position *from, unsigned limit,
		       struct window *window, struct error *err)
{
	struct tds_param params[] = {
		tds_text("@instance", source->instance),
		tds_bytes("@from", from->bytes, from->len),
		tds_int("@limit", limit),
		tds_int("@id", source->catalog.object_id),
		tds_int("@modified", source->catalog.modified_ms),
	};
	int64_t asked_us = clock_us();
	struct strbuf sql;
	int rc = -1;

	*window = (struct window){.shape = NULL};
	strbuf_init(&sql);
	window_sql(source, &sql);
	if (strbuf_check(&sql, err) == 0)
		rc = tds_query_row(source->conn, sql.data, params, 5, err);
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
 * The instance lacks some columns. As long as a newer one waits for its turn,
 * rows from before those columns were added are read without them; a row that
 * changed after that, but is known to this instance alone, is lost in part.
 */
static int narrow(struct sqlserver_source *source, const struct table *shape,
		  const int *ordinals, const struct position *from,
		  const struct position *to, struct error *err)
{
	bool *keep = calloc(shape->column_count, sizeof(*keep));
	int rc = 0;

	if (!keep)
		return error_memory(err, "captured columns");
	for (size_t i = 0; i < shape->column_count && rc == 0; i++) {
		const char *name = shape->columns[i].name;

		keep[i] = ordinals[i] != 0;
		if (keep[i])
			continue;
		if (!source->has_next || table_is_key(shape, i))
			rc = error_set(err, ERROR_SCHEMA,
				       "column '%s' is not captured by "
				       "instance '%s'; create a second "
				       "instance that captures it",
				       name, source->instance);
		else
			rc = capture_missed(source, name, from, to, err);
		if (rc > 0)
			rc = error_set(
				err, ERROR_GAP,
				"values of column '%s' were not captured "
				"by instance '%s', which is older than "
				"the column, while rows changed already",
				name, source->instance);
	}
	if (rc == 0)
		rc = table_project(&source->narrow, shape, NULL, keep, err);
	free(keep);
	return rc;
}

/*
 * Which columns of the shape the instance has; without some of them *window
 * gets a shape of its own. `ordinals` has room for all of them, and is for
 * those of that shape afterwards.
 */
static int find_columns(struct sqlserver_source *source, struct table *shape,
			const struct position *from, struct window *window,
			int *ordinals, bool *has_command, struct error *err)
{
	size_t kept = 0;

	if (capture_columns(source, shape, ordinals, has_command, err) < 0)
		return -1;
	for (size_t i = 0; i < shape->column_count; i++)
		kept += ordinals[i] != 0;
	if (kept == shape->column_count)
		return 0;
	if (narrow(source, shape, ordinals, from, &window->to, err) < 0)
		return -1;
	kept = 0;
	for (size_t i = 0; i < shape->column_count; i++)
		if (ordinals[i])
			ordinals[kept++] = ordinals[i];
	window->shape = &source->narrow;
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

static int build_from(const struct sqlserver_source *source,
		      const struct table *shape, const int *ordinals,
		      struct strbuf *sql, struct error *err)
{
	strbuf_addstr(sql, " FROM ");
	sql_change_table(sql, source->instance);
	strbuf_addf(sql,
		    " AS c WHERE c.[__$start_lsn] > @from "
		    "AND c.[__$start_lsn] <= @to "
		    "AND (c.[__$operation] IN (%d, %d, %d) OR ",
		    CDC_DELETE, CDC_INSERT, CDC_AFTER);
	add_key_changed(sql, shape, ordinals);
	strbuf_addch(sql, ')');
	return strbuf_check(sql, err);
}

static int build_changes(const struct sqlserver_source *source,
			 const struct table *shape, const char *from,
			 bool has_command, struct strbuf *sql,
			 struct error *err)
{
	strbuf_addstr(sql, "SELECT c.[__$operation]");
	add_columns(source, shape, sql);
	strbuf_addf(sql,
		    "%s ORDER BY c.[__$start_lsn], %sc.[__$seqval], "
		    "c.[__$operation]",
		    from, has_command ? "c.[__$command_id], " : "");
	return strbuf_check(sql, err);
}

static int begin_reading(struct sqlserver_source *source, struct table *shape,
			 const struct position *from, struct window *window,
			 struct error *err)
{
	struct tds_param params[] = {
		tds_bytes("@from", from->bytes, from->len),
		tds_bytes("@to", window->to.bytes, window->to.len),
	};
	int *ordinals = calloc(shape->column_count, sizeof(*ordinals));
	bool has_command = false;
	struct strbuf sql, rows;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_init(&rows);
	if (!ordinals) {
		error_memory(err, "captured columns");
		goto done;
	}
	if (find_columns(source, shape, from, window, ordinals, &has_command,
			 err) < 0)
		goto done;
	if (window->shape)
		shape = &source->narrow;
	if (build_from(source, shape, ordinals, &rows, err) < 0 ||
	    build_changes(source, shape, rows.data, has_command, &sql, err) <
		    0 ||
	    source_measure(source, shape, "c", "", rows.data, params, 2, err) <
		    0 ||
	    tds_query(source->conn, sql.data, params, 2, err) < 0)
		goto done;
	source->reading = READ_CHANGES;
	source->from = *from;
	source_set_charsets(source, shape);
	source->decoder = decoder_new(source->conn, 1, &source->catalog, shape,
				      source->native_text, err);
	ret = source->decoder ? 0 : -1;
done:
	strbuf_release(&rows);
	strbuf_release(&sql);
	free(ordinals);
	return ret;
}

/* Another look now and then is enough; the last finding stands meanwhile. */
static void add_note(struct sqlserver_source *source, struct window *window)
{
	if (!source->log_silent || !source->noted_ms) {
		source->note[0] = '\0';
		source->noted_ms = clock_ms() - NOTE_EVERY_MS + NOTE_AFTER_MS;
	} else if (clock_ms() - source->noted_ms >= NOTE_EVERY_MS) {
		capture_diagnose(source, source->note, sizeof(source->note));
		source->noted_ms = clock_ms();
	}
	text_copy(window->note, sizeof(window->note), source->note);
}

/* With an instance chosen. 1: a window, 0: nothing new. */
static int begin_window(struct sqlserver_source *source, struct table *shape,
			const struct position *from, unsigned limit,
			struct window *window, struct error *err)
{
	int rc = find_window(source, from, limit, window, err);

	if (rc < 0 || window->altered)
		return rc;
	add_note(source, window);
	if (rc > 0 && window->has_rows &&
	    begin_reading(source, shape, from, window, err) < 0)
		return -1;
	return rc;
}

/* A dropped table takes its change tables with it: say what is really gone. */
static void explain(struct sqlserver_source *source, struct error *err)
{
	struct error reason = ERROR_INIT;

	if (err->native != NO_SUCH_OBJECT || !tds_usable(source->conn))
		return;
	source->described = false;
	if (source_know_table(source, &reason) < 0)
		*err = reason;
}

static int cdc_begin(struct sqlserver_source *source, struct table *shape,
		     const struct position *from, unsigned limit,
		     struct window *window, struct error *err)
{
	int rc = 0;

	/* Twice when the instance turns out to be drained. */
	for (int tries = 0; tries < 2; tries++) {
		source->drained = false;
		if (source_know_table(source, err) < 0 ||
		    (!source->instance &&
		     (capture_check_enabled(source, err) < 0 ||
		      capture_choose(source, from, err) < 0)))
			return -1;
		rc = begin_window(source, shape, from, limit, window, err);
		if (rc < 0 || source->drained)
			capture_forget(source);
		if (rc < 0) {
			sqlserver_source_ops.end(&source->base);
			explain(source, err);
		}
		if (rc != 0 || !source->drained)
			break;
	}
	return rc;
}

static int cdc_read(struct sqlserver_source *source, struct batch *batch,
		    struct error *err)
{
	int64_t operation = tds_get_int(source->conn, 0);
	bool gone = operation == CDC_DELETE || operation == CDC_BEFORE;
	int rc = decoder_read(source->decoder, batch, gone, err);

	if (rc > 0)
		batch_add_row(batch, gone ? ROW_DELETE : ROW_UPSERT);
	return rc;
}

static int cdc_check(struct sqlserver_source *source, struct error *err)
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

const struct change_log cdc_log = {
	.name = "cdc",
	.position = cdc_position,
	.begin = cdc_begin,
	.read = cdc_read,
	.check = cdc_check,
	.until = capture_until,
};
