#include "row/batch.h"

#include <string.h>

static size_t store_size(enum row_store store)
{
	switch (store) {
	case ROW_STORE_I64:
		return sizeof(int64_t);
	case ROW_STORE_F64:
		return sizeof(double);
	case ROW_STORE_WIDE:
		return sizeof(union row_wide);
	case ROW_STORE_SLICE:
		return sizeof(struct row_slice);
	}
	return 0;
}

size_t batch_row_bytes(const struct table *table)
{
	size_t row = 1;

	for (size_t i = 0; i < table->column_count; i++)
		row += store_size(row_type_store(table->columns[i].type)) + 1;
	return row;
}

/* Half of the memory at most goes into arrays, the rest is for slices. */
static size_t capacity(const struct table *table, size_t max_rows,
		       size_t max_bytes)
{
	size_t rows = max_bytes / 2 / batch_row_bytes(table);

	if (rows > max_rows)
		rows = max_rows;
	return rows ? rows : 1;
}

int batch_init(struct batch *batch, const struct table *table, size_t max_rows,
	       size_t max_bytes, struct error *err)
{
	memset(batch, 0, sizeof(*batch));
	arena_init(&batch->frame, 0);
	batch->table = table;
	batch->capacity = capacity(table, max_rows, max_bytes);
	batch->ops = arena_alloc(&batch->frame, batch->capacity);
	batch->columns = arena_calloc(&batch->frame, table->column_count,
				      sizeof(*batch->columns));
	if (!batch->ops || !batch->columns)
		goto failed;
	for (size_t i = 0; i < table->column_count; i++) {
		struct batch_column *column = &batch->columns[i];

		column->store = row_type_store(table->columns[i].type);
		column->i64 = arena_alloc(&batch->frame,
					  batch->capacity *
						  store_size(column->store));
		column->nulls =
			arena_calloc(&batch->frame, 1, batch->capacity / 8 + 1);
		column->kept =
			arena_calloc(&batch->frame, 1, batch->capacity / 8 + 1);
		if (!column->i64 || !column->nulls || !column->kept)
			goto failed;
	}
	batch->values_cap = max_bytes > batch->frame.used
				    ? max_bytes - batch->frame.used
				    : 1;
	arena_init(&batch->values, batch->values_cap);
	return 0;
failed:
	batch_release(batch);
	return error_memory(err, "a batch of rows");
}

void batch_release(struct batch *batch)
{
	arena_release(&batch->frame);
	arena_release(&batch->values);
	memset(batch, 0, sizeof(*batch));
}

static void forget_kept(struct batch *batch)
{
	for (size_t i = 0; batch->keeps && i < batch->table->column_count; i++)
		memset(batch->columns[i].kept, 0, batch->capacity / 8 + 1);
	batch->keeps = false;
}

void batch_reset(struct batch *batch)
{
	forget_kept(batch);
	batch->rows = 0;
	batch->lone = false;
	arena_reset(&batch->values);
	batch->values.cap = batch->values_cap;
}

void batch_make_lone(struct batch *batch)
{
	batch_reset(batch);
	batch->lone = true;
	batch->values.cap = 0;
}

size_t batch_bytes(const struct batch *batch)
{
	size_t row = 0, bytes = batch->lone ? 0 : batch->values.used;

	for (size_t i = 0; i < batch->table->column_count; i++) {
		const struct batch_column *column = &batch->columns[i];

		if (column->store != ROW_STORE_SLICE)
			row += store_size(column->store);
		else if (batch->lone && batch->rows && !batch_null(batch, i, 0))
			bytes += column->slice[0].len;
	}
	return batch->rows * row + bytes;
}

unsigned char *batch_put_slice(struct batch *batch, size_t col, size_t len)
{
	unsigned char *data = arena_bytes(&batch->values, len);

	if (!data)
		return NULL;
	batch_mark(batch, col, false);
	batch->columns[col].slice[batch->rows].data = data;
	batch->columns[col].slice[batch->rows].len = len;
	return data;
}

void batch_put_borrowed(struct batch *batch, size_t col, const void *data,
			size_t len)
{
	struct row_slice *slice = &batch->columns[col].slice[batch->rows];

	batch_mark(batch, col, false);
	slice->data = data;
	slice->len = len;
}

bool batch_is_partial(const struct batch *batch, size_t row)
{
	bool partial = false;

	for (size_t i = 0;
	     batch->keeps && !partial && i < batch->table->column_count; i++)
		partial = batch_unchanged(batch, i, row);
	return partial;
}

bool batch_put_copy(struct batch *batch, size_t col, const struct batch *from,
		    size_t from_col, size_t from_row)
{
	const struct batch_column *values = &from->columns[from_col];
	const struct row_slice *slice;
	unsigned char *data;

	if (batch_null(from, from_col, from_row)) {
		batch_put_null(batch, col);
		return true;
	}
	switch (values->store) {
	case ROW_STORE_I64:
		batch_put_i64(batch, col, values->i64[from_row]);
		break;
	case ROW_STORE_F64:
		batch_put_f64(batch, col, values->f64[from_row]);
		break;
	case ROW_STORE_WIDE:
		*batch_put_wide(batch, col) = values->wide[from_row];
		break;
	case ROW_STORE_SLICE:
		slice = &values->slice[from_row];
		data = batch_put_slice(batch, col, slice->len);
		if (!data)
			return false;
		memcpy(data, slice->data, slice->len);
		break;
	}
	return true;
}
