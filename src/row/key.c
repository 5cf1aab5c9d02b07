/* Each value is its length, or 0xffffffff for NULL, and its bytes. */
#include "row/key.h"

#include <stdlib.h>
#include <string.h>

#define NULL_LENGTH UINT32_MAX

static size_t value_size(enum row_store store)
{
	switch (store) {
	case ROW_STORE_I64:
		return sizeof(int64_t);
	case ROW_STORE_F64:
		return sizeof(double);
	case ROW_STORE_WIDE:
		return sizeof(union row_wide);
	case ROW_STORE_SLICE:
		break;
	}
	return 0;
}

static const void *value_of(const struct batch_column *column, size_t row,
			    size_t *len)
{
	*len = value_size(column->store);
	switch (column->store) {
	case ROW_STORE_I64:
		return &column->i64[row];
	case ROW_STORE_F64:
		return &column->f64[row];
	case ROW_STORE_WIDE:
		return &column->wide[row];
	case ROW_STORE_SLICE:
		break;
	}
	*len = column->slice[row].len;
	return column->slice[row].data;
}

static void add_value(struct strbuf *out, const struct batch *keys, size_t col,
		      size_t row)
{
	uint32_t length = NULL_LENGTH;
	const void *data = NULL;
	size_t len = 0;

	if (!batch_null(keys, col, row)) {
		data = value_of(&keys->columns[col], row, &len);
		length = (uint32_t)len;
	}
	strbuf_add(out, &length, sizeof(length));
	if (len)
		strbuf_add(out, data, len);
}

int row_key_take(struct row_key *key, const struct batch *keys, size_t row,
		 struct error *err)
{
	struct strbuf out;

	row_key_release(key);
	strbuf_init(&out);
	for (size_t i = 0; i < keys->table->column_count; i++)
		add_value(&out, keys, i, row);
	key->len = out.len;
	key->bytes = (unsigned char *)strbuf_detach(&out);
	strbuf_release(&out);
	return key->bytes ? 0 : error_memory(err, "a key");
}

int row_key_copy(struct row_key *to, const struct row_key *from,
		 struct error *err)
{
	row_key_release(to);
	if (!from->bytes)
		return 0;
	to->bytes = malloc(from->len + 1);
	if (!to->bytes)
		return error_memory(err, "a key");
	memcpy(to->bytes, from->bytes, from->len);
	to->len = from->len;
	return 0;
}

void row_key_release(struct row_key *key)
{
	free(key->bytes);
	memset(key, 0, sizeof(*key));
}

static int broken(struct error *err)
{
	return error_set(err, ERROR_DATA, "a key is not one of this table");
}

static int put_value(struct batch *keys, size_t col, const void *data,
		     size_t len, struct error *err)
{
	struct batch_column *column = &keys->columns[col];
	unsigned char *room;

	if (column->store == ROW_STORE_SLICE) {
		room = batch_put_slice(keys, col, len);
		if (!room)
			return error_memory(err, "a key");
		memcpy(room, data, len);
		return 0;
	}
	if (len != value_size(column->store))
		return broken(err);
	batch_mark(keys, col, false);
	if (column->store == ROW_STORE_I64)
		memcpy(&column->i64[keys->rows], data, len);
	else if (column->store == ROW_STORE_F64)
		memcpy(&column->f64[keys->rows], data, len);
	else
		memcpy(&column->wide[keys->rows], data, len);
	return 0;
}

int row_key_put(const struct row_key *key, struct batch *keys,
		struct error *err)
{
	size_t at = 0;

	for (size_t i = 0; i < keys->table->column_count; i++) {
		uint32_t length;

		if (key->len - at < sizeof(length))
			return broken(err);
		memcpy(&length, key->bytes + at, sizeof(length));
		at += sizeof(length);
		if (length == NULL_LENGTH) {
			batch_put_null(keys, i);
			continue;
		}
		if (key->len - at < length)
			return broken(err);
		if (put_value(keys, i, key->bytes + at, length, err) < 0)
			return -1;
		at += length;
	}
	if (at != key->len)
		return broken(err);
	batch_add_row(keys, ROW_UPSERT);
	return 0;
}

void row_key_format(const struct row_key *key, struct strbuf *out)
{
	for (size_t i = 0; i < key->len; i++)
		strbuf_addf(out, "%02x", key->bytes[i]);
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int row_key_parse(struct row_key *key, const char *text, struct error *err)
{
	size_t len = strlen(text);

	row_key_release(key);
	key->bytes = malloc(len / 2 + 1);
	if (!key->bytes)
		return error_memory(err, "a key");
	for (size_t i = 0; i + 1 < len; i += 2) {
		int high = digit(text[i]), low = digit(text[i + 1]);

		if (high < 0 || low < 0)
			break;
		key->bytes[key->len++] = (unsigned char)(high << 4 | low);
	}
	if (key->len * 2 == len)
		return 0;
	row_key_release(key);
	return error_set(err, ERROR_DATA, "a key is not written as one");
}
