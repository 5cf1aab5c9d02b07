#include "drivers/memory/choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ order */

static int compare_bytes(const void *a, size_t a_len, const void *b,
			 size_t b_len)
{
	int rc = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return rc ? rc : (a_len > b_len) - (a_len < b_len);
}

/* Numbers by size, text by its bytes, what is wider somehow; columns that
 * a database sorts by rules of its own the other way round. */
static int compare_rows(const struct memory_table *table,
			const struct memory_row *a, const struct memory_row *b)
{
	for (size_t k = 0; k < table->def.key_count; k++) {
		size_t i = table->def.key[k];
		const struct memory_value *left = &a->values[i];
		const struct memory_value *right = &b->values[i];
		enum row_store store =
			row_type_store(table->def.columns[i].type);
		int rc = (left->i64 > right->i64) - (left->i64 < right->i64);

		if (store == ROW_STORE_SLICE)
			rc = compare_bytes(left->slice.data, left->slice.len,
					   right->slice.data, right->slice.len);
		else if (store != ROW_STORE_I64)
			return compare_bytes(a->key, a->key_len, b->key,
					     b->key_len);
		if (rc)
			return table->def.columns[i].sorting ? -rc : rc;
	}
	return 0;
}

void memory_sort(struct memory_table *table)
{
#define BY_KEY(a, b) compare_rows(table, a, b)
	HASH_SORT(table->rows, BY_KEY);
#undef BY_KEY
}

/* ----------------------------------------------------------------- choices */

static int copy_keys(struct memory_choice *out,
		     const struct memory_table *table, const struct batch *keys,
		     struct error *err)
{
	out->keys = calloc(keys->rows + 1, sizeof(struct memory_row *));
	if (!out->keys)
		return error_memory(err, "keys");
	for (size_t i = 0; i < keys->rows; i++) {
		out->keys[i] = row_from_batch(table, keys, i);
		if (!out->keys[i])
			return error_memory(err, "keys");
		out->key_count++;
	}
	return 0;
}

static int copy_end(struct memory_row **out, const struct memory_table *table,
		    const struct batch *end, struct error *err)
{
	if (!end)
		return 0;
	*out = row_from_batch(table, end, 0);
	return *out ? 0 : error_memory(err, "the end of a span");
}

static int read_condition(struct memory_choice *out,
			  const struct memory_table *table, const char *text,
			  struct error *err)
{
	const struct column *column;
	char name[64], rest;
	long long number;

	if (sscanf(text, " %63[^= ] = %lld %c", name, &number, &rest) != 2)
		return error_set(err, ERROR_CONFIG,
				 "the WHERE condition makes no sense: write "
				 "NAME = NUMBER");
	column = table_column(&table->def, name);
	if (!column || row_type_store(column->type) != ROW_STORE_I64)
		return error_set(err, ERROR_CONFIG,
				 "the WHERE condition names '%s', which is no "
				 "integer column",
				 name);
	out->has_condition = true;
	out->column = (size_t)(column - table->def.columns);
	out->number = number;
	return 0;
}

int memory_choice_init(struct memory_choice *out,
		       const struct memory_table *table,
		       const struct row_choice *choice, struct error *err)
{
	memset(out, 0, sizeof(*out));
	if (!choice)
		return 0;
	out->range = choice->range;
	if (choice->span &&
	    (copy_end(&out->low, table, choice->span->low, err) < 0 ||
	     copy_end(&out->high, table, choice->span->high, err) < 0))
		return -1;
	if (choice->keys && copy_keys(out, table, choice->keys, err) < 0)
		return -1;
	return choice->condition
		       ? read_condition(out, table, choice->condition, err)
		       : 0;
}

void memory_choice_release(struct memory_choice *choice,
			   const struct memory_table *table)
{
	row_free(table, choice->low);
	row_free(table, choice->high);
	for (size_t i = 0; i < choice->key_count; i++)
		row_free(table, choice->keys[i]);
	free(choice->keys);
	memset(choice, 0, sizeof(*choice));
}

/* Rows are dealt out by their keys: see source_split(). */
static bool in_range(const struct memory_row *row,
		     const struct key_range *range)
{
	unsigned sum = 0;

	if (!range || !range->low.len)
		return true;
	for (size_t i = 0; i < row->key_len; i++)
		sum = sum * 31 + row->key[i];
	return sum % range->low.bytes[1] == range->low.bytes[0];
}

static bool has_key(const struct memory_choice *choice,
		    const struct memory_row *row)
{
	if (!choice->keys)
		return true;
	for (size_t i = 0; i < choice->key_count; i++)
		if (choice->keys[i]->key_len == row->key_len &&
		    !memcmp(choice->keys[i]->key, row->key, row->key_len))
			return true;
	return false;
}

bool memory_choice_has(const struct memory_choice *choice,
		       const struct memory_table *table,
		       const struct memory_row *row)
{
	if (choice->low && compare_rows(table, row, choice->low) < 0)
		return false;
	if (choice->high && compare_rows(table, row, choice->high) >= 0)
		return false;
	if (choice->has_condition &&
	    (row->values[choice->column].null ||
	     row->values[choice->column].i64 != choice->number))
		return false;
	return in_range(row, choice->range) && has_key(choice, row);
}
