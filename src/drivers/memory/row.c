#include "drivers/memory/store.h"

#include <stdlib.h>
#include <string.h>

#include "row/text.h"

static void value_free(enum row_store store, struct memory_value *value)
{
	if (store == ROW_STORE_SLICE && !value->null)
		free((void *)(uintptr_t)value->slice.data);
}

static bool value_set_slice(struct memory_value *value,
			    const struct row_slice *slice)
{
	unsigned char *copy = malloc(slice->len + 1);

	if (!copy)
		return false;
	if (slice->len)
		memcpy(copy, slice->data, slice->len);
	value->null = false;
	value->slice.data = copy;
	value->slice.len = slice->len;
	return true;
}

static bool value_from_batch(struct memory_value *value,
			     const struct batch *batch, size_t col, size_t row)
{
	const struct batch_column *column = &batch->columns[col];

	value->kept = batch_unchanged(batch, col, row);
	if (batch_null(batch, col, row))
		return true;
	switch (column->store) {
	case ROW_STORE_I64:
		value->i64 = column->i64[row];
		break;
	case ROW_STORE_F64:
		value->f64 = column->f64[row];
		break;
	case ROW_STORE_WIDE:
		value->wide = column->wide[row];
		break;
	case ROW_STORE_SLICE:
		return value_set_slice(value, &column->slice[row]);
	}
	value->null = false;
	return true;
}

/* The bytes of the key's values, each with its length, so that they differ
 * when the values do. */
static void add_key_value(struct strbuf *key, enum row_type type,
			  const struct memory_value *value)
{
	const void *data = &value->i64;
	size_t len = sizeof(value->i64);

	switch (row_type_store(type)) {
	case ROW_STORE_I64:
		break;
	case ROW_STORE_F64:
		data = &value->f64;
		break;
	case ROW_STORE_WIDE:
		data = &value->wide;
		len = type == ROW_DECIMAL ? sizeof(value->wide.decimal)
		      : type == ROW_UUID  ? sizeof(value->wide.uuid)
					  : sizeof(value->wide.timestamptz.utc);
		break;
	case ROW_STORE_SLICE:
		data = value->slice.data;
		len = value->slice.len;
		break;
	}
	if (value->null)
		len = 0;
	strbuf_addf(key, "%c%zu:", value->null ? 'n' : 'v', len);
	strbuf_add(key, data, len);
}

bool row_make_key(const struct memory_table *table, struct memory_row *row)
{
	struct strbuf key;

	strbuf_init(&key);
	for (size_t k = 0; k < table->def.key_count; k++) {
		size_t i = table->def.key[k];

		add_key_value(&key, table->def.columns[i].type,
			      &row->values[i]);
	}
	if (!table->def.key_count)
		strbuf_addf(&key, "%020llu",
			    (unsigned long long)table->next_row_id);
	row->key_len = key.len;
	row->key = (unsigned char *)strbuf_detach(&key);
	return row->key != NULL;
}

static struct memory_row *row_new(const struct memory_table *table)
{
	struct memory_row *row;

	row = calloc(1, sizeof(*row) +
				table->def.column_count * sizeof(*row->values));
	if (!row)
		return NULL;
	for (size_t i = 0; i < table->def.column_count; i++)
		row->values[i].null = true;
	return row;
}

void row_free(const struct memory_table *table, struct memory_row *row)
{
	if (!row)
		return;
	for (size_t i = 0; i < table->def.column_count; i++)
		value_free(row_type_store(table->def.columns[i].type),
			   &row->values[i]);
	free(row->key);
	free(row);
}

struct memory_row *row_from_batch(const struct memory_table *table,
				  const struct batch *batch, size_t at)
{
	struct memory_row *row = row_new(table);

	for (size_t i = 0; row && i < batch->table->column_count; i++) {
		struct column *to = table_column(&table->def,
						 batch->table->columns[i].name);

		if (to &&
		    !value_from_batch(&row->values[to - table->def.columns],
				      batch, i, at))
			goto failed;
	}
	if (row && row_make_key(table, row))
		return row;
failed:
	row_free(table, row);
	return NULL;
}

struct memory_row *row_copy(const struct memory_table *table,
			    const struct memory_row *from)
{
	struct memory_row *row = row_new(table);

	for (size_t i = 0; row && i < table->def.column_count; i++) {
		row->values[i].kept = from->values[i].kept;
		if (from->values[i].null)
			continue;
		if (row_type_store(table->def.columns[i].type) !=
		    ROW_STORE_SLICE)
			row->values[i] = from->values[i];
		else if (!value_set_slice(&row->values[i],
					  &from->values[i].slice))
			goto failed;
	}
	if (!row)
		return NULL;
	row->key = malloc(from->key_len);
	if (!row->key)
		goto failed;
	memcpy(row->key, from->key, from->key_len);
	row->key_len = from->key_len;
	return row;
failed:
	row_free(table, row);
	return NULL;
}

static int value_to_batch(const struct memory_value *value, struct batch *batch,
			  size_t col)
{
	unsigned char *to;

	if (value->null) {
		batch_put_null(batch, col);
		return 1;
	}
	switch (batch->columns[col].store) {
	case ROW_STORE_I64:
		batch_put_i64(batch, col, value->i64);
		break;
	case ROW_STORE_F64:
		batch_put_f64(batch, col, value->f64);
		break;
	case ROW_STORE_WIDE:
		*batch_put_wide(batch, col) = value->wide;
		break;
	case ROW_STORE_SLICE:
		to = batch_put_slice(batch, col, value->slice.len);
		if (!to)
			return 0;
		memcpy(to, value->slice.data, value->slice.len);
		break;
	}
	return 1;
}

int row_to_batch(const struct memory_table *table, const struct memory_row *row,
		 bool key_only, struct batch *batch)
{
	static const struct memory_value null = {.null = true};

	for (size_t i = 0; i < batch->table->column_count; i++) {
		const struct column *from = table_column(
			&table->def, batch->table->columns[i].name);
		const struct memory_value *value = &null;

		if (from && (!key_only || table_is_key(batch->table, i)))
			value = &row->values[from - table->def.columns];
		if (!value_to_batch(value, batch, i))
			return 0;
	}
	return 1;
}

int row_key_text(struct strbuf *out, const struct memory_table *table,
		 const struct memory_row *row, struct error *err)
{
	struct batch batch;

	if (batch_init(&batch, &table->def, 1, (size_t)1 << 20, err) < 0)
		return -1;
	if (row_to_batch(table, row, true, &batch)) {
		batch_add_row(&batch, ROW_UPSERT);
		row_format_key(out, &batch, 0);
	}
	batch_release(&batch);
	return strbuf_check(out, err);
}

size_t value_length(const struct column *column,
		    const struct memory_value *value)
{
	size_t length = 0;

	if (value->null || row_type_store(column->type) != ROW_STORE_SLICE)
		return 0;
	for (size_t i = 0; i < value->slice.len; i++)
		length += column->type != ROW_TEXT ||
			  (value->slice.data[i] & 0xc0) != 0x80;
	return length;
}

bool row_is_partial(const struct memory_table *table,
		    const struct memory_row *row)
{
	for (size_t i = 0; i < table->def.column_count; i++)
		if (row->values[i].kept)
			return true;
	return false;
}

int row_fill(const struct memory_table *table, struct memory_row *row,
	     const struct memory_row *old)
{
	for (size_t i = 0; i < table->def.column_count; i++) {
		struct memory_value *value = &row->values[i];
		const struct memory_value *kept = &old->values[i];

		if (!value->kept)
			continue;
		value->kept = false;
		if (kept->null)
			continue;
		if (row_type_store(table->def.columns[i].type) !=
		    ROW_STORE_SLICE)
			*value = *kept;
		else if (!value_set_slice(value, &kept->slice))
			return -1;
	}
	return 0;
}
