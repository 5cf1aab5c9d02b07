#include "exec/rows.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

void rows_init(struct row_store *r, int columns)
{
	memset(r, 0, sizeof(*r));
	r->columns = columns;
}

void rows_release(struct row_store *r)
{
	free(r->mem);
	free(r->row);
	if (r->file)
		fclose(r->file);
	memset(r, 0, sizeof(*r));
}

static void put(struct row_store *r, const void *data, size_t n)
{
	if (r->len + n > r->room) {
		r->room = r->room ? r->room * 2 : 4096;
		while (r->room < r->len + n)
			r->room *= 2;
		r->mem = mem_realloc(r->mem, r->room);
	}
	memcpy(r->mem + r->len, data, n);
	r->len += n;
}

/* Memory is used up: what is there goes to the file. */
static void spill(struct row_store *r)
{
	if (!r->file) {
		r->file = tmpfile();
		if (!r->file) {
			r->failed = true;
			return;
		}
	}
	if (fwrite(r->mem, 1, r->len, r->file) != r->len)
		r->failed = true;
	r->len = 0;
}

/* A row: its size, then class and value of each column. */
void rows_add(struct row_store *r, const struct val *values)
{
	uint32_t size = 0;
	int i;

	for (i = 0; i < r->columns; i++) {
		size += 1;
		if (values[i].cls == VAL_TEXT || values[i].cls == VAL_BLOB)
			size += 4 + (uint32_t)values[i].n;
		else if (values[i].cls != VAL_NULL)
			size += 8;
	}
	put(r, &size, 4);
	for (i = 0; i < r->columns; i++) {
		unsigned char cls = (unsigned char)values[i].cls;

		put(r, &cls, 1);
		if (cls == VAL_TEXT || cls == VAL_BLOB) {
			uint32_t n = (uint32_t)values[i].n;

			put(r, &n, 4);
			put(r, values[i].p, n);
		} else if (cls != VAL_NULL) {
			put(r, &values[i].i, 8);
		}
	}
	r->count++;
	if (r->len > ROW_STORE_MEMORY)
		spill(r);
}

void rows_rewind(struct row_store *r)
{
	if (r->file && r->len)
		spill(r);
	if (r->file)
		rewind(r->file);
	r->pos = 0;
}

static const unsigned char *next_bytes(struct row_store *r)
{
	uint32_t size;
	const unsigned char *p;

	if (!r->file) {
		if (r->pos + 4 > r->len)
			return NULL;
		memcpy(&size, r->mem + r->pos, 4);
		p = r->mem + r->pos + 4;
		r->pos += 4 + size;
		return p;
	}
	if (fread(&size, 1, 4, r->file) != 4)
		return NULL;
	if (size > r->row_room) {
		r->row_room = size * 2;
		r->row = mem_realloc(r->row, r->row_room);
	}
	if (fread(r->row, 1, size, r->file) != size)
		return NULL;
	return r->row;
}

bool rows_next(struct row_store *r, struct val *values)
{
	const unsigned char *p = next_bytes(r);
	int i;

	if (!p)
		return false;
	for (i = 0; i < r->columns; i++) {
		values[i].cls = (enum val_class) * p++;
		if (values[i].cls == VAL_TEXT || values[i].cls == VAL_BLOB) {
			uint32_t n;

			memcpy(&n, p, 4);
			values[i].n = n;
			values[i].p = (const char *)p + 4;
			p += 4 + n;
		} else if (values[i].cls != VAL_NULL) {
			memcpy(&values[i].i, p, 8);
			p += 8;
		}
	}
	return true;
}

void sink_columns(struct row_sink *k, const struct out_column *cols, int n)
{
	int i;

	if (n != k->wanted) {
		k->mismatch = true;
		return;
	}
	if (k->have_columns) {
		/* more than one result: they must be alike; values carry on */
		for (i = 0; i < n; i++)
			if (k->types[i].kind != cols[i].type.kind)
				k->mismatch = true;
		return;
	}
	k->have_columns = true;
	k->types = mem_calloc((size_t)n, sizeof(*k->types));
	for (i = 0; i < n; i++)
		k->types[i] = cols[i].type;
	rows_init(&k->rows, n);
}

void sink_row(struct row_sink *k, const struct val *values, int n)
{
	if (!k->mismatch && n == k->wanted)
		rows_add(&k->rows, values);
}
