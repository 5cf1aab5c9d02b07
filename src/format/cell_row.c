#include "format/cell_row.h"

#include <stdlib.h>
#include <string.h>

int cell_row_init(struct cell_row *row, const struct table *table,
		  const struct format_options *options, size_t max_bytes,
		  struct error *err)
{
	memset(row, 0, sizeof(*row));
	row->table = table;
	strbuf_init_max(&row->bytes, max_bytes);
	row->values = calloc(table->column_count + 1, sizeof(*row->values));
	row->cells = row->values ? cells_new(table, options, NULL, err) : NULL;
	if (row->cells)
		return 0;
	if (!row->values)
		error_memory(err, "a row of a file");
	cell_row_release(row);
	return -1;
}

void cell_row_release(struct cell_row *row)
{
	cells_free(row->cells, row->table ? row->table->column_count : 0);
	free(row->values);
	if (row->bytes.data)
		strbuf_release(&row->bytes);
	memset(row, 0, sizeof(*row));
}

void cell_row_reset(struct cell_row *row)
{
	strbuf_reset(&row->bytes);
	for (size_t i = 0; i < row->table->column_count; i++)
		row->values[i] = (struct cell_value){.null = true};
	row->loaded = false;
}

static int put_value(struct cell_row *row, struct batch *batch, size_t col,
		     struct error *err)
{
	const struct cell_value *value = &row->values[col];

	if (!value->null)
		return cell_read(&row->cells[col],
				 row->bytes.data + value->start, value->len,
				 batch, col, err);
	batch_put_null(batch, col);
	if (row->cells[col].optional)
		return 1;
	return error_set(err, ERROR_DATA,
			 "column '%s' has no value in a row of a file, but is "
			 "NOT NULL",
			 row->cells[col].column->name);
}

static int put_values(struct cell_row *row, struct batch *batch,
		      struct error *err)
{
	for (size_t i = 0; i < row->table->column_count; i++) {
		int rc = put_value(row, batch, i, err);

		if (rc <= 0)
			return rc;
	}
	batch_add_row(batch, ROW_UPSERT);
	row->loaded = false;
	return 1;
}

int cell_row_put(struct cell_row *row, struct batch *batch, struct error *err)
{
	int rc = put_values(row, batch, err);

	if (rc || batch->rows)
		return rc;
	batch_make_lone(batch); /* it is larger than a whole batch */
	rc = put_values(row, batch, err);
	return rc ? rc : error_memory(err, "a row of a file");
}
