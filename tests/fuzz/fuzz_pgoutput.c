/*
 * Messages of logical replication, drivers/postgresql/pgoutput.h.
 *
 * What is accepted can be walked over to its end: as many values and columns as
 * were told, each within the message, names with an end; a row that is kept
 * reads back as the same one.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "drivers/postgresql/pgoutput.h"

static bool is_within(const void *part, size_t part_len, const void *data,
		      size_t len)
{
	const unsigned char *inner = part, *outer = data;

	return inner >= outer && inner + part_len <= outer + len;
}

static void walk_tuple(struct pgoutput_tuple tuple, const void *data,
		       size_t len)
{
	unsigned columns = tuple.columns, count = 0;
	struct pgoutput_value value;

	if (!tuple.data)
		return;
	while (pgoutput_value_next(&tuple, &value)) {
		count++;
		if (value.kind == PGOUTPUT_TEXT ||
		    value.kind == PGOUTPUT_BINARY)
			HOLDS(is_within(value.data, value.len, data, len));
		else
			HOLDS(!value.len);
	}
	HOLDS(count == columns);
	HOLDS(tuple.len == 0);
}

static void walk_relation(struct pgoutput_relation table, const void *data,
			  size_t len)
{
	unsigned columns = table.columns, count = 0;
	struct pgoutput_column column;

	while (pgoutput_column_next(&table, &column)) {
		count++;
		HOLDS(is_within(column.name, strlen(column.name) + 1, data,
				len));
	}
	HOLDS(count == columns);
	HOLDS(table.len == 0);
	HOLDS(is_within(table.name, strlen(table.name) + 1, data, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	bool in_stream = take_byte(&in) & 1;
	struct pgoutput_message message;
	struct error err = ERROR_INIT;
	unsigned char *bytes;
	size_t len;

	bytes = take_bytes(&in, in.len, &len);
	if (pgoutput_read(&message, bytes, len, in_stream, &err) < 0) {
		check_error(&err);
		free(bytes);
		return 0;
	}
	walk_tuple(message.before, bytes, len);
	walk_tuple(message.after, bytes, len);
	if (message.body) {
		struct pgoutput_message again;

		HOLDS(pgoutput_row_read(&again, message.type, message.body,
					message.body_len, &err) == 0);
		HOLDS(again.before.len == message.before.len);
		HOLDS(again.after.len == message.after.len);
		HOLDS(pgoutput_row_read(&again, message.type, message.body,
					message.body_len - 1, &err) < 0);
	}
	if (message.type == PGOUTPUT_RELATION)
		walk_relation(message.table, bytes, len);
	for (unsigned i = 0; i < message.truncated_count; i++)
		(void)pgoutput_truncated(&message, i);
	free(bytes);
	return 0;
}
