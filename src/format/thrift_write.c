#include "format/thrift.h"

#include <string.h>

#include "format/varint.h"

void thrift_writer_init(struct thrift_writer *writer, struct strbuf *out)
{
	memset(writer, 0, sizeof(*writer));
	writer->out = out;
}

void thrift_begin(struct thrift_writer *writer)
{
	if (writer->depth == THRIFT_DEPTH_MAX) {
		writer->out->failed = ERROR_MEMORY;
		return;
	}
	writer->last[writer->depth++] = 0;
}

void thrift_end(struct thrift_writer *writer)
{
	strbuf_addch(writer->out, THRIFT_STOP);
	writer->depth -= writer->depth > 0;
}

static void add_field(struct thrift_writer *writer, int id,
		      enum thrift_type type)
{
	int *last = &writer->last[writer->depth ? writer->depth - 1 : 0];
	int step = id - *last;

	if (step > 0 && step <= 15) {
		strbuf_addch(writer->out, (char)(step << 4 | (int)type));
	} else {
		strbuf_addch(writer->out, (char)type);
		varint_put_signed(writer->out, id);
	}
	*last = id;
}

void thrift_put_bool(struct thrift_writer *writer, int id, bool value)
{
	add_field(writer, id, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_put_byte(struct thrift_writer *writer, int id, int value)
{
	add_field(writer, id, THRIFT_BYTE);
	strbuf_addch(writer->out, (char)value);
}

void thrift_put_i16(struct thrift_writer *writer, int id, int value)
{
	add_field(writer, id, THRIFT_I16);
	varint_put_signed(writer->out, value);
}

void thrift_put_i32(struct thrift_writer *writer, int id, int32_t value)
{
	add_field(writer, id, THRIFT_I32);
	varint_put_signed(writer->out, value);
}

void thrift_put_i64(struct thrift_writer *writer, int id, int64_t value)
{
	add_field(writer, id, THRIFT_I64);
	varint_put_signed(writer->out, value);
}

void thrift_put_binary(struct thrift_writer *writer, int id, const void *data,
		       size_t len)
{
	add_field(writer, id, THRIFT_BINARY);
	thrift_add_binary(writer, data, len);
}

void thrift_put_string(struct thrift_writer *writer, int id, const char *s)
{
	thrift_put_binary(writer, id, s, strlen(s));
}

void thrift_put_struct(struct thrift_writer *writer, int id)
{
	add_field(writer, id, THRIFT_STRUCT);
	thrift_begin(writer);
}

void thrift_put_list(struct thrift_writer *writer, int id,
		     enum thrift_type type, size_t count)
{
	add_field(writer, id, THRIFT_LIST);
	if (count < 15) {
		strbuf_addch(writer->out, (char)(count << 4 | type));
		return;
	}
	strbuf_addch(writer->out, (char)(0xf0 | type));
	varint_put(writer->out, count);
}

void thrift_put_written(struct thrift_writer *writer, int id, const void *data,
			size_t len)
{
	add_field(writer, id, THRIFT_STRUCT);
	strbuf_add(writer->out, data, len);
}

void thrift_add_bool(struct thrift_writer *writer, bool value)
{
	strbuf_addch(writer->out, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_add_int(struct thrift_writer *writer, int64_t value)
{
	varint_put_signed(writer->out, value);
}

void thrift_add_binary(struct thrift_writer *writer, const void *data,
		       size_t len)
{
	varint_put(writer->out, len);
	strbuf_add(writer->out, data, len);
}
