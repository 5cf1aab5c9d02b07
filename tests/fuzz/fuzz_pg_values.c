/*
 * Values of PostgreSQL, drivers/postgresql/decode.h.
 *
 * Bytes that a server sends for a column of any type, in binary or as words,
 * become a value that its type can have, or an error that names the column. A
 * value that was read, written down as text, is read as the same value again.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "drivers/postgresql/decode.h"
#include "row/text.h"
#include "unit/utf8.h"

/* 9999-12-31, counted from 0001-01-01. */
#define LAST_DAY 3652058

static const struct {
	enum pg_form form;
	enum row_type type;
} types[] = {
	{PG_FORM_BOOL, ROW_BOOL},
	{PG_FORM_INT2, ROW_INT16},
	{PG_FORM_INT4, ROW_INT32},
	{PG_FORM_INT8, ROW_INT64},
	{PG_FORM_OID, ROW_INT64},
	{PG_FORM_FLOAT4, ROW_FLOAT32},
	{PG_FORM_FLOAT8, ROW_FLOAT64},
	{PG_FORM_NUMERIC, ROW_DECIMAL},
	{PG_FORM_MONEY, ROW_DECIMAL},
	{PG_FORM_DATE, ROW_DATE},
	{PG_FORM_TIME, ROW_TIME},
	{PG_FORM_TIMESTAMP, ROW_TIMESTAMP},
	{PG_FORM_TIMESTAMPTZ, ROW_TIMESTAMPTZ},
	{PG_FORM_UUID, ROW_UUID},
	{PG_FORM_BYTEA, ROW_BYTES},
	{PG_FORM_TEXT, ROW_TEXT},
	{PG_FORM_JSONB, ROW_JSON},
	{PG_FORM_WORDS, ROW_TEXT},
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void make_plan(struct input *in, struct column *column,
		      struct pg_column_plan *plan)
{
	size_t i = take_below(in, sizeof(types) / sizeof(*types));
	unsigned flags = take_byte(in);

	*column = (struct column){
		.name = "v", .type = types[i].type, .native = "fuzzed"};
	if (types[i].type == ROW_DECIMAL) {
		column->precision = (int)take_below(in, 38) + 1;
		column->scale =
			(int)take_below(in, (size_t)column->precision + 1);
	}
	if (types[i].form == PG_FORM_MONEY)
		column->precision = 38;
	column->extended = (flags & 1) != 0;
	*plan = (struct pg_column_plan){
		.name = "v",
		.form = types[i].form,
		.type = types[i].type,
		.precision = column->precision,
		.scale = column->scale,
		.end = 1,
		.extended = column->extended,
		.as_reset = (flags & 2) != 0,
		.checks_text = true,
	};
	for (int p = 0; p < column->precision; p++)
		plan->end *= 10;
}

/* What any other system can take for granted. */
static void check_value(const struct batch *batch,
			const struct pg_column_plan *plan)
{
	const struct batch_column *values = &batch->columns[0];
	int64_t ticks = plan->type == ROW_TIMESTAMPTZ
				? values->wide[0].timestamptz.utc
				: 0;

	switch (plan->type) {
	case ROW_BOOL:
		HOLDS(values->i64[0] == 0 || values->i64[0] == 1);
		break;
	case ROW_DECIMAL:
		if (values->wide[0].decimal == ROW_DECIMAL_NAN)
			HOLDS(plan->extended);
		else
			HOLDS(values->wide[0].decimal < plan->end &&
			      -values->wide[0].decimal < plan->end);
		break;
	case ROW_DATE:
		HOLDS(plan->extended ||
		      (values->i64[0] >= 0 && values->i64[0] <= LAST_DAY));
		break;
	case ROW_TIME:
		HOLDS(values->i64[0] >= 0 &&
		      values->i64[0] <
			      ROW_TICKS_PER_DAY + (plan->extended ? 1 : 0));
		break;
	case ROW_TIMESTAMP:
		ticks = values->i64[0];
		/* fall through */
	case ROW_TIMESTAMPTZ:
		HOLDS(plan->extended ||
		      (ticks >= 0 &&
		       ticks < (LAST_DAY + 1) * ROW_TICKS_PER_DAY));
		break;
	case ROW_TEXT:
	case ROW_JSON:
		HOLDS(is_utf8_bytes(values->slice[0].data,
				    values->slice[0].len));
		break;
	default:
		break;
	}
}

/* Whole numbers and texts, written and read, are the same. */
static void check_again(const struct batch *batch,
			const struct pg_column_plan *plan,
			const struct table *table)
{
	struct pg_column_plan again = *plan;
	struct error err = ERROR_INIT;
	struct strbuf first, second;
	struct batch other;

	again.as_reset = false;
	if (plan->type != ROW_INT64 && plan->type != ROW_UUID &&
	    plan->type != ROW_DATE && plan->type != ROW_TEXT &&
	    plan->type != ROW_DECIMAL)
		return;
	strbuf_init(&first);
	strbuf_init(&second);
	row_format(&first, batch, 0, 0);
	HOLDS(batch_init(&other, table, 1, 1 << 16, &err) == 0);
	HOLDS(pg_decode_words(&again, &other, first.data, first.len, &err) ==
	      1);
	batch_add_row(&other, ROW_UPSERT);
	row_format(&second, &other, 0, 0);
	HOLDS(first.len == second.len &&
	      !memcmp(first.data, second.data, first.len));
	batch_release(&other);
	strbuf_release(&first);
	strbuf_release(&second);
}

static void check_row(const struct pg_column_plan *plan, struct batch *batch,
		      const unsigned char *data, size_t len)
{
	struct error err = ERROR_INIT;
	int rc = pg_decode_row(plan, 1, batch, data, len, &err);

	if (rc < 0)
		check_error(&err);
	if (rc == 1 && !batch_null(batch, 0, batch->rows))
		check_value(batch, plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct table table, from = {.name = {"", "", "t"}, .column_count = 1};
	struct error err = ERROR_INIT;
	struct pg_column_plan plan;
	struct column column;
	struct batch batch;
	unsigned char *bytes;
	size_t len;
	bool words;
	int rc;

	make_plan(&in, &column, &plan);
	words = take_byte(&in) & 1;
	from.columns = &column;
	table_init(&table);
	HOLDS(table_copy(&table, &from, NULL, &err) == 0);
	HOLDS(batch_init(&batch, &table, 4, 1 << 16, &err) == 0);
	bytes = take_bytes(&in, 4000, &len);
	rc = words ? pg_decode_words(&plan, &batch, (const char *)bytes, len,
				     &err)
		   : pg_decode_value(&plan, &batch, bytes, len, &err);
	if (rc < 0) {
		check_error(&err);
		HOLDS(err.kind == ERROR_DATA && strstr(err.message, "'v'"));
	} else {
		HOLDS(rc == 1);
		batch_add_row(&batch, ROW_UPSERT);
		check_value(&batch, &plan);
		check_again(&batch, &plan, &table);
	}
	batch_reset(&batch);
	check_row(&plan, &batch, bytes, len);
	(void)!pg_decode_header(bytes, len, &err);
	free(bytes);
	batch_release(&batch);
	table_release(&table);
	return 0;
}
