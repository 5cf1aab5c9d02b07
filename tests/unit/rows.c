#include "unit/rows.h"

#include <string.h>

#include "row/text.h"
#include "unit/helper.h"

void table_make(struct table *table, const char *name,
		const struct column *columns, size_t count, const char *key)
{
	struct error err = ERROR_INIT;
	struct column copy[32];
	struct table from = {
		.name = {"db", "dbo", name},
		.columns = copy,
		.column_count = count,
	};

	assert_true(count <= 32);
	for (size_t i = 0; i < count; i++) {
		copy[i] = columns[i];
		if (!copy[i].native)
			copy[i].native = row_type_name(copy[i].type);
	}
	table_init(table);
	MUST(table_copy(table, &from, NULL, &err));
	if (key)
		MUST(table_set_key(table, key, &err));
}

void batch_make(struct batch *batch, const struct table *table)
{
	struct error err = ERROR_INIT;

	MUST(batch_init(batch, table, 5000, (size_t)8 << 20, &err));
}

void put_text(struct batch *batch, size_t col, const char *text)
{
	unsigned char *to = batch_put_slice(batch, col, strlen(text));

	assert_non_null(to);
	memcpy(to, text, strlen(text));
}

void rows_text(struct strbuf *out, const struct batch *batch)
{
	for (size_t row = 0; row < batch->rows; row++) {
		strbuf_addstr(out,
			      batch_op(batch, row) == ROW_DELETE ? "- " : "+ ");
		for (size_t col = 0; col < batch->table->column_count; col++) {
			strbuf_addstr(out, col ? "|" : "");
			row_format(out, batch, col, row);
		}
		strbuf_addch(out, '\n');
	}
}

void assert_rows(const struct batch *batch, const char *want)
{
	struct strbuf text;

	strbuf_init(&text);
	rows_text(&text, batch);
	if (strcmp(text.data, want))
		fail_msg("the rows are\n%sbut should be\n%s", text.data, want);
	strbuf_release(&text);
}
