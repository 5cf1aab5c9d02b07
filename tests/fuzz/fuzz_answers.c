/*
 * What a SQL Server answers, whatever it answers: the source and the target of
 * drivers/sqlserver over tests/fuzz/dblib.h, from the first look at a table to
 * the last commit.
 *
 * A catalog makes a table whose key is made of different columns of it, or an
 * error. Every call either does what driver.h says of its results or fails
 * with an error that blames nobody here; whatever failed, everything can be
 * ended, released and closed.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "drivers/driver.h"
#include "fuzz/dblib.h"
#include "unit/utf8.h"

#define RANGES	4
#define BATCHES 3
#define ROWS	16
#define MEMORY	65536

static const struct driver *driver;
static struct pool pool;
static struct server *server;
static struct cancel cancel;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct server_spec spec = {
		.id = 1,
		.name = "s",
		.connection_string = "server=h;user id=u;password=p",
		.login_timeout_s = 1,
		.query_timeout_s = 1,
		.pool = &pool,
	};
	struct error err = ERROR_INIT;

	(void)argc;
	(void)argv;
	private_folder();
	driver = driver_find("sqlserver", &err);
	HOLDS(driver && driver->library_init(&err) == 0);
	HOLDS(pool_init(&pool, 8, &err) == 0);
	HOLDS(driver->server_new(&spec, &server, &err) == 0);
	HOLDS(cancel_init(&cancel, &err) == 0);
	return 0;
}

/* The call worked, or else it said why. */
static bool worked(int rc, const struct error *err)
{
	if (rc < 0)
		check_error(err);
	return rc >= 0;
}

static void check_table(const struct table *table)
{
	HOLDS(table->key_count <= table->column_count);
	for (size_t k = 0; k < table->key_count; k++) {
		HOLDS(table->key[k] < table->column_count);
		for (size_t j = 0; j < k; j++)
			HOLDS(table->key[j] != table->key[k]);
	}
	for (size_t i = 0; i < table->column_count; i++)
		HOLDS(table->columns[i].name && table->columns[i].native);
}

static void check_position(const struct position *pos)
{
	HOLDS(pos->len <= POSITION_MAX);
}

static void check_rows(const struct batch *batch)
{
	HOLDS(batch->rows <= batch->capacity);
	for (size_t row = 0; row < batch->rows; row++)
		HOLDS(batch_op(batch, row) == ROW_UPSERT ||
		      batch_op(batch, row) == ROW_DELETE);
}

/* ------------------------------------------------------------------- source */

static void read_rows(struct source *src, const struct table *shape)
{
	struct error err = ERROR_INIT;
	struct batch batch;
	int rc = 1;

	HOLDS(batch_init(&batch, shape, ROWS, MEMORY, &err) == 0);
	for (int i = 0; i < BATCHES && rc > 0; i++) {
		batch_reset(&batch);
		rc = src->ops->next(src, &batch, &err);
		if (worked(rc, &err)) {
			HOLDS(!rc == !batch.rows);
			check_rows(&batch);
		}
	}
	batch_release(&batch);
}

static void read_table(struct source *src, struct table *shape)
{
	struct key_range ranges[RANGES];
	struct row_choice choice = {.span = NULL};
	struct error err = ERROR_INIT;
	int count = src->ops->split(src, shape, ranges, RANGES, &err);

	if (!worked(count, &err))
		return;
	HOLDS(count >= 1 && count <= RANGES);
	HOLDS(!ranges[0].low.len && !ranges[count - 1].high.len);
	for (int i = 1; i < count; i++)
		HOLDS(position_equal(&ranges[i - 1].high, &ranges[i].low));
	choice.range = &ranges[count - 1];
	if (worked(src->ops->read_begin(src, shape, &choice, &err), &err))
		read_rows(src, shape);
	src->ops->end(src);
}

static void read_changes(struct source *src, struct table *shape)
{
	struct error err = ERROR_INIT;
	struct position from = {.len = 0};
	struct window window;
	int rc;

	if (!worked(src->ops->position(src, &from, &err), &err))
		return;
	check_position(&from);
	rc = src->ops->changes_begin(src, shape, &from, 10, &window, &err);
	if (worked(rc, &err) && rc > 0) {
		check_position(&window.to);
		HOLDS(is_utf8(window.note));
		if (window.shape)
			check_table(window.shape);
		if (window.has_rows)
			read_rows(src, window.shape ? window.shape : shape);
	}
	src->ops->end(src);
}

static void seek(struct source *src, struct table *keys, const size_t *take,
		 size_t take_count, struct table *shape)
{
	struct error err = ERROR_INIT;
	struct key_span span = {NULL, NULL};
	struct row_choice choice = {.span = &span};
	struct row_sum sum;
	struct batch key;
	int rc;

	HOLDS(batch_init(&key, keys, 1, MEMORY, &err) == 0);
	rc = src->ops->seek(src, keys, &span, false, 3, &key, &err);
	if (worked(rc, &err) && rc > 0) {
		check_rows(&key);
		HOLDS(key.rows == 1);
		span.low = &key;
	}
	(void)worked(src->ops->digest(src, shape, take, take_count, keys, &span,
				      10, &sum, &err),
		     &err);
	if (worked(src->ops->read_begin(src, shape, &choice, &err), &err))
		read_rows(src, shape);
	src->ops->end(src);
	batch_release(&key);
}

static void look_up(struct source *src, struct table *shape)
{
	struct error err = ERROR_INIT;
	bool keep[64] = {false};
	size_t take[64];
	struct row_choice choice = {.span = NULL};
	struct table narrow;
	struct batch keys;

	if (!shape->key_count || shape->column_count > 64)
		return;
	for (size_t k = 0; k < shape->key_count; k++)
		keep[shape->key[k]] = true;
	for (size_t i = 0; i < shape->column_count; i++)
		take[i] = i;
	table_init(&narrow);
	HOLDS(table_project(&narrow, shape, NULL, keep, &err) == 0);
	HOLDS(batch_init(&keys, &narrow, 1, MEMORY, &err) == 0);
	for (size_t i = 0; i < narrow.column_count; i++)
		batch_put_null(&keys, i);
	batch_add_row(&keys, ROW_UPSERT);
	choice.keys = &keys;
	if (worked(src->ops->read_begin(src, shape, &choice, &err), &err))
		read_rows(src, shape);
	src->ops->end(src);
	seek(src, &narrow, take, shape->column_count, shape);
	batch_release(&keys);
	table_release(&narrow);
}

/* ------------------------------------------------------------------- checks */

static void take_finding(void *arg, const struct finding *finding)
{
	HOLDS(!arg && finding->check && finding->text);
	HOLDS((finding->level == FINDING_OK) == !finding->remedy);
}

static struct findings heard = {.take = take_finding, .subject = "it"};

static void check_source(struct source *src, const struct table *table)
{
	struct source_check what = {
		.database = true, .changes = true, .lag_ms = 5000};
	struct error err = ERROR_INIT;

	(void)worked(driver->check(server, &cancel, &heard, &err), &err);
	if (!worked(src->ops->check(src, &what, &heard, &err), &err))
		return;
	what.table = table;
	(void)worked(src->ops->check(src, &what, &heard, &err), &err);
}

static void check_target(struct target *dst, const struct table *source,
			 const struct table *dest)
{
	struct target_check what = {.rights = true, .space = true};
	struct error err = ERROR_INIT;

	if (!worked(dst->ops->check(dst, &what, &heard, &err), &err))
		return;
	what = (struct target_check){
		.source = source, .dest = dest, .bytes = 8192};
	(void)worked(dst->ops->check(dst, &what, &heard, &err), &err);
}

static void run_source(struct source *src, struct table *table, unsigned steps)
{
	struct error err = ERROR_INIT;
	uint64_t rows;
	bool locked;

	if (steps & 1)
		(void)worked(src->ops->estimate(src, &rows, &err), &err);
	if (steps & 2)
		(void)worked(src->ops->triggered(src, 9, &rows, &locked, &err),
			     &err);
	if (steps & 4)
		(void)worked(src->ops->trigger_reset(src, &rows, &err), &err);
	if (steps & 8)
		(void)worked(src->ops->check_key(src, table, &err), &err);
	if (steps & 16)
		read_table(src, table);
	if (steps & 32)
		read_changes(src, table);
	if (steps & 64)
		look_up(src, table);
	if (steps & 128)
		check_source(src, table);
}

static void try_source(struct input *in, struct table *table)
{
	unsigned steps = take_byte(in), how = take_byte(in);
	struct source_spec spec = {
		.server = server,
		.name = {"db", "dbo", "t"},
		.trigger_column = how & 1 ? "a" : NULL,
		.change_source = how & 2 ? "change_tracking" : "cdc",
		.native_text = how & 4,
	};
	struct error err = ERROR_INIT;
	struct source *src;

	if (!spec.trigger_column)
		steps &= ~6U;
	HOLDS(driver->source->open(&spec, &src, &err) == 0);
	if (worked(src->ops->connect(src, &cancel, &err), &err) &&
	    worked(src->ops->describe(src, table, &err), &err)) {
		check_table(table);
		run_source(src, table, steps);
	}
	src->ops->release(src);
	src->ops->close(src);
}

/* ------------------------------------------------------------------- target */

static void write_rows(struct target *dst, const struct table *shape)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	HOLDS(batch_init(&batch, shape, ROWS, MEMORY, &err) == 0);
	for (size_t i = 0; i < shape->column_count; i++)
		batch_put_null(&batch, i);
	batch_add_row(&batch, ROW_DELETE);
	(void)worked(dst->ops->write(dst, &batch, &err), &err);
	batch_release(&batch);
}

static void load(struct target *dst, const struct table *shape,
		 enum target_mode mode)
{
	struct checkpoint from = {.consistent_after_us = 0}, to = from;
	struct error err = ERROR_INIT;
	struct target_counts counts;

	if (worked(dst->ops->begin(dst, mode, shape, &err), &err)) {
		write_rows(dst, shape);
		(void)worked(dst->ops->commit(dst, &from, &to, &counts, &err),
			     &err);
	}
	dst->ops->rollback(dst);
}

static void check_exception(void *context, const struct target_exception *row)
{
	size_t *count = context;

	HOLDS(row->key && row->reason && row->position);
	HOLDS(memchr(row->id, '\0', sizeof(row->id)) != NULL);
	HOLDS(is_utf8(row->key) && is_utf8(row->reason));
	(*count)++;
}

/* Whatever it answers, as many rows are told as are counted. */
static void apply_isolated(struct target *dst, const struct table *shape)
{
	struct checkpoint from = {.consistent_after_us = 0}, to = from;
	struct error err = ERROR_INIT;
	struct target_counts counts;
	size_t told = 0;
	struct isolation how = {
		.keep = true,
		.limit = ROWS,
		.refused = check_exception,
		.context = &told,
	};

	if (worked(dst->ops->begin_isolated(dst, shape, &how, &err), &err)) {
		write_rows(dst, shape);
		if (worked(dst->ops->commit(dst, &from, &to, &counts, &err),
			   &err))
			HOLDS(told == how.count && told <= how.limit);
		else
			HOLDS(told == 0);
	}
	dst->ops->rollback(dst);
}

static void load_in_parts(struct target *dst, const struct table *shape)
{
	struct error err = ERROR_INIT;
	struct load_plan plan;
	int rc;

	HOLDS(load_plan_init(&plan, 2, &err) == 0);
	rc = dst->ops->plan_begin(dst, shape, &plan, false, &err);
	if (worked(rc, &err)) {
		check_position(&plan.position);
		for (size_t i = 0; i < plan.count; i++) {
			check_position(&plan.parts[i].range.low);
			check_position(&plan.parts[i].range.high);
		}
		HOLDS(rc == 1 || plan.count == 2);
	}
	load_plan_release(&plan);
	dst->ops->rollback(dst);
}

static void run_target(struct target *dst, const struct table *shape,
		       unsigned steps)
{
	struct checkpoint checkpoint, none = {.consistent_after_us = 0};
	struct error err = ERROR_INIT;

	if (steps & 1 &&
	    worked(dst->ops->checkpoint(dst, &checkpoint, &err), &err))
		check_position(&checkpoint.position);
	if (steps & 2)
		(void)worked(dst->ops->fence(dst, &err), &err);
	if (steps & 4)
		(void)worked(dst->ops->advance(dst, &none, &none, &err), &err);
	if (steps & 8)
		load_in_parts(dst, shape);
	if (steps & 16 && shape->key_count)
		load(dst, shape, TARGET_APPLY);
	if (steps & 32)
		load(dst, shape, TARGET_REPLACE);
	if (steps & 64)
		load(dst, shape, TARGET_REFILL);
	if (steps & 128 && shape->key_count) {
		size_t told = 0;

		(void)worked(
			dst->ops->exceptions(dst, check_exception, &told, &err),
			&err);
		apply_isolated(dst, shape);
	}
}

static void try_target(struct input *in, const struct table *shape)
{
	unsigned steps = take_byte(in);
	struct target_spec spec = {
		.server = server,
		.name = {"db", "dbo", "t"},
		.installation = "00000000-0000-0000-0000-000000000000",
		.mapping_id = 1,
		.origin = "1/db.dbo.t",
		.epoch = 1,
	};
	struct error err = ERROR_INIT;
	struct target *dst;
	struct table table;
	int rc;

	table_init(&table);
	HOLDS(driver->target->open(&spec, &dst, &err) == 0);
	if (worked(dst->ops->connect(dst, &cancel, &err), &err)) {
		rc = dst->ops->describe(dst, &table, &err);
		if (worked(rc, &err) && rc > 0) {
			check_table(&table);
			run_target(dst, shape ? shape : &table, steps);
			if (steps & 128)
				check_target(dst, shape ? shape : &table,
					     &table);
		}
	}
	dst->ops->release(dst);
	dst->ops->close(dst);
	table_release(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	unsigned which = take_byte(&in);
	struct table table;

	dblib_answer_from(&in);
	table_init(&table);
	if (which & 1)
		try_source(&in, &table);
	if (which & 2)
		try_target(&in, table.column_count ? &table : NULL);
	table_release(&table);
	pool_expire(&pool, NULL, 0);
	dblib_answer_from(NULL);
	return 0;
}
