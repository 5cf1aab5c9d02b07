#include "contract/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "row/text.h"

struct contract contract;

/* ----------------------------------------------------------------- fixture */

static struct server *make_server(int id, const char *string)
{
	struct error err = ERROR_INIT;
	struct server_spec spec = {
		.id = id,
		.name = "contract",
		.connection_string = string,
		.login_timeout_s = 15,
		.query_timeout_s = 60,
		.pool = &contract.pool,
	};
	struct server *server;

	MUST(contract.driver->server_new(&spec, &server, &err));
	return server;
}

void contract_open_source(enum lab_table table, const char *trigger_column,
			  bool native_text)
{
	struct error err = ERROR_INIT;
	struct source_spec spec = {
		.server = contract.from,
		.trigger_column = trigger_column,
		.native_text = native_text,
	};

	if (contract.src)
		contract.src->ops->close(contract.src);
	contract.src_name = contract.lab->name(LAB_SOURCE, table);
	spec.name = contract.src_name;
	MUST(contract.driver->source->open(&spec, &contract.src, &err));
	MUST(contract.src->ops->connect(contract.src, &contract.cancel, &err));
}

void contract_open_target(enum lab_table table, const char *installation,
			  int mapping_id, const char *origin)
{
	struct error err = ERROR_INIT;
	struct target_spec spec = {
		.server = contract.to,
		.installation = installation,
		.mapping_id = mapping_id,
		.origin = origin,
		.epoch = contract.epoch,
	};

	if (contract.dst)
		contract.dst->ops->close(contract.dst);
	contract.dst_name = contract.lab->name(LAB_DEST, table);
	spec.name = contract.dst_name;
	MUST(contract.driver->target->open(&spec, &contract.dst, &err));
	MUST(contract.dst->ops->connect(contract.dst, &contract.cancel, &err));
	MUST(contract.dst->ops->fence(contract.dst, &err));
}

int contract_setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	contract.lab->begin();
	contract.epoch = 1;
	contract.driver = driver_find(contract.lab->driver, &err);
	assert_non_null(contract.driver);
	MUST(cancel_init(&contract.cancel, &err));
	MUST(pool_init(&contract.pool, 10, &err));
	contract.share = pool_join(&contract.pool, NULL, NULL);
	assert_non_null(contract.share);
	MUST(pool_reserve(&contract.pool, contract.share, 10, &contract.cancel,
			  &err));
	contract.from = make_server(1, contract.lab->source_string);
	contract.to = make_server(2, contract.lab->target_string);
	return 0;
}

int contract_teardown(void **state)
{
	(void)state;
	if (contract.src)
		contract.src->ops->close(contract.src);
	if (contract.dst)
		contract.dst->ops->close(contract.dst);
	contract.src = NULL;
	contract.dst = NULL;
	contract.driver->server_free(contract.from);
	contract.driver->server_free(contract.to);
	pool_unreserve(&contract.pool, contract.share, 10);
	pool_leave(&contract.pool, contract.share);
	pool_release(&contract.pool);
	cancel_release(&contract.cancel);
	contract.lab->end();
	return 0;
}

int contract_run(const struct laboratory *lab)
{
	struct error err = ERROR_INIT;
	int failed = 1;

	contract.lab = lab;
	if (drivers_init(&err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	if (!lab->prepare || lab->prepare()) {
		const struct driver *driver = driver_find(lab->driver, &err);

		failed = driver && driver->source ? contract_run_source() : 0;
		failed += contract_run_target();
		failed += contract_run_check();
		if (lab->more)
			failed += lab->more();
	}
	drivers_exit();
	return failed;
}

/* ------------------------------------------------------------------- rows */

void contract_open_plain(enum lab_table table)
{
	contract.lab->make(LAB_SOURCE, table);
	contract_open_source(table, NULL, false);
}

void describe_source(struct table *shape)
{
	struct error err = ERROR_INIT;

	table_init(shape);
	MUST(contract.src->ops->describe(contract.src, shape, &err));
}

static const struct column main_columns[] = {
	{.name = "id", .type = ROW_INT64, .native = "bigint"},
	{.name = "name",
	 .type = ROW_TEXT,
	 .length = 50,
	 .nullable = true,
	 .native = "nvarchar(50)"},
	{.name = "n", .type = ROW_INT32, .nullable = true, .native = "int"},
	{.name = "sync", .type = ROW_BOOL, .nullable = true, .native = "bit"},
};

static const struct column pair_columns[] = {
	{.name = "a", .type = ROW_INT32, .native = "int"},
	{.name = "b", .type = ROW_TEXT, .length = 20, .native = "nvarchar(20)"},
	{.name = "v", .type = ROW_INT32, .nullable = true, .native = "int"},
};

static const struct column wide_columns[] = {
	{.name = "id", .type = ROW_INT64, .native = "bigint"},
	{.name = "body",
	 .type = ROW_TEXT,
	 .nullable = true,
	 .native = "nvarchar(max)"},
};

void shape_of(struct table *shape, enum lab_table table)
{
	struct column columns[4];
	struct error err = ERROR_INIT;
	struct table from = {
		.name = {"", "", "shape"},
		.columns = columns,
		.column_count = COUNT_OF(main_columns),
	};
	const struct column *source = main_columns;

	if (table == LAB_PAIR) {
		source = pair_columns;
		from.column_count = COUNT_OF(pair_columns);
	} else if (table == LAB_WIDE) {
		source = wide_columns;
		from.column_count = COUNT_OF(wide_columns);
	}
	memcpy(columns, source, from.column_count * sizeof(*columns));
	table_init(shape);
	MUST(table_copy(shape, &from, NULL, &err));
	if (table == LAB_PAIR)
		MUST(table_set_key(shape, "b,a", &err));
	else if (table != LAB_BARE)
		MUST(table_set_key(shape, "id", &err));
}

static void put_value(struct batch *batch, size_t col, const char *text)
{
	unsigned char *to;

	if (!text || !strcmp(text, "NULL")) {
		batch_put_null(batch, col);
	} else if (!strcmp(text, "*")) {
		batch_put_unchanged(batch, col);
	} else if (batch->columns[col].store == ROW_STORE_SLICE) {
		to = batch_put_slice(batch, col, strlen(text));
		assert_non_null(to);
		for (size_t i = 0; text[i]; i++)
			to[i] = (unsigned char)(text[i] == '~' ? ' ' : text[i]);
	} else {
		batch_put_i64(batch, col, strtoll(text, NULL, 10));
	}
}

/* The values of one change; `text` is taken apart. */
static void put_values(struct batch *batch, char *text)
{
	size_t count = batch->table->column_count;

	for (size_t col = 0; col < count; col++) {
		char *next = text ? strchr(text, '|') : NULL;

		if (next)
			*next++ = '\0';
		put_value(batch, col, text);
		text = next;
	}
}

void put_changes(struct batch *batch, const char *changes)
{
	char *copy = strdup(changes), *text = copy;

	assert_non_null(copy);
	for (char *next = text; next; text = next) {
		char *gone;

		next = strchr(text, ' ');
		if (next)
			*next++ = '\0';
		if (!*text)
			continue;
		gone = *text == '=' ? strchr(text, '>') : NULL;
		if (gone) { /* the old key goes first */
			*gone++ = '\0';
			put_values(batch, text + 1);
			batch_add_row(batch, ROW_DELETE);
			put_values(batch, gone);
			batch_add_row(batch, ROW_UPSERT);
			continue;
		}
		put_values(batch, text + 1);
		batch_add_row(batch, *text == '-' ? ROW_DELETE : ROW_UPSERT);
	}
	free(copy);
}

static void values_text(struct strbuf *out, const struct batch *batch,
			size_t row)
{
	for (size_t col = 0; col < batch->table->column_count; col++) {
		strbuf_addstr(out, col ? "|" : "");
		if (batch_unchanged(batch, col, row))
			strbuf_addch(out, '*');
		else
			row_format(out, batch, col, row);
	}
}

void row_text(struct strbuf *out, const struct batch *batch, size_t row)
{
	strbuf_addstr(out, batch_op(batch, row) == ROW_DELETE ? "- " : "+ ");
	values_text(out, batch, row);
	strbuf_addch(out, '\n');
}

char *read_all(struct table *shape, size_t rows, size_t bytes)
{
	struct error err = ERROR_INIT;
	struct batch batch;
	struct strbuf out;
	int rc;

	strbuf_init(&out);
	MUST(batch_init(&batch, shape, rows, bytes, &err));
	while ((rc = contract.src->ops->next(contract.src, &batch, &err)) > 0) {
		assert_true(batch.rows > 0 && batch.rows <= rows);
		for (size_t i = 0; i < batch.rows; i++)
			row_text(&out, &batch, i);
		batch_reset(&batch);
	}
	if (rc < 0)
		fail_msg("%s", err.message);
	assert_int_equal(batch.rows, 0);
	batch_release(&batch);
	return strbuf_detach(&out);
}

static int by_line(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	long long m = strtoll(x + 2, NULL, 10), n = strtoll(y + 2, NULL, 10);

	return m != n ? (m > n) - (m < n) : strcmp(x, y);
}

void sort_lines(char *text)
{
	size_t len = strlen(text), count = 0;
	char *copy = strdup(text), *lines[2000], *line = copy;

	assert_non_null(copy);
	for (char *end; (end = strchr(line, '\n')); line = end + 1) {
		assert_true(count < COUNT_OF(lines));
		lines[count++] = line;
		*end = '\0';
	}
	qsort(lines, count, sizeof(*lines), by_line);
	*text = '\0';
	for (size_t i = 0, at = 0; i < count; i++)
		at += (size_t)snprintf(text + at, len + 1 - at, "%s\n",
				       lines[i]);
	free(copy);
}

void assert_text(const char *got, const char *want)
{
	if (strcmp(got, want))
		fail_msg("it is\n%sbut should be\n%s", got, want);
}

void assert_lab(enum lab_side side, enum lab_table table, const char *want)
{
	char *got = contract.lab->rows(side, table);

	assert_text(got, want);
	free(got);
}

/* ------------------------------------------------------------------ model */

void model_release(struct model *model)
{
	for (size_t i = 0; i < model->count; i++) {
		free(model->rows[i].key);
		free(model->rows[i].text);
	}
	free(model->rows);
	memset(model, 0, sizeof(*model));
}

static struct model_row *model_find(struct model *model, const char *key)
{
	for (size_t i = 0; i < model->count; i++)
		if (!strcmp(model->rows[i].key, key))
			return &model->rows[i];
	return NULL;
}

static void model_row_apply(struct model *model, char *key, char *text)
{
	struct model_row *row = model_find(model, key);

	if (row) {
		free(row->key);
		free(row->text);
	}
	if (!text) {
		if (row)
			*row = model->rows[--model->count];
		free(key);
		return;
	}
	if (!row) {
		model->rows =
			realloc(model->rows, (model->count + 1) * sizeof(*row));
		assert_non_null(model->rows);
		row = &model->rows[model->count++];
	}
	row->key = key;
	row->text = text;
}

void model_apply(struct model *model, const struct batch *batch)
{
	for (size_t i = 0; i < batch->rows; i++) {
		struct strbuf key, text;

		strbuf_init(&key);
		strbuf_init(&text);
		row_format_key(&key, batch, i);
		values_text(&text, batch, i);
		if (batch_op(batch, i) == ROW_DELETE)
			model_row_apply(model, strbuf_detach(&key), NULL);
		else
			model_row_apply(model, strbuf_detach(&key),
					strbuf_detach(&text));
		strbuf_release(&text);
	}
}

void model_read(struct model *model, struct table *shape, size_t rows)
{
	struct error err = ERROR_INIT;
	struct batch batch;
	int rc;

	MUST(batch_init(&batch, shape, rows, (size_t)4 << 20, &err));
	while ((rc = contract.src->ops->next(contract.src, &batch, &err)) > 0) {
		model_apply(model, &batch);
		batch_reset(&batch);
	}
	if (rc < 0)
		fail_msg("%s", err.message);
	batch_release(&batch);
}

static int by_number(const void *a, const void *b)
{
	long long x = strtoll(((const struct model_row *)a)->key, NULL, 10);
	long long y = strtoll(((const struct model_row *)b)->key, NULL, 10);

	return (x > y) - (x < y);
}

void assert_model(const struct model *model, const char *want)
{
	struct strbuf text;

	if (model->count)
		qsort(model->rows, model->count, sizeof(*model->rows),
		      by_number);
	strbuf_init(&text);
	for (size_t i = 0; i < model->count; i++)
		strbuf_addf(&text, "%s\n", model->rows[i].text);
	assert_text(text.data, want);
	strbuf_release(&text);
}
