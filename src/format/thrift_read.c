#include "format/thrift.h"

#include <string.h>

#include "format/varint.h"

void thrift_reader_init(struct thrift_reader *reader, const void *data,
			size_t len)
{
	memset(reader, 0, sizeof(*reader));
	reader->at = data;
	reader->end = reader->at + len;
}

void thrift_refuse(struct thrift_reader *reader)
{
	reader->broken = true;
	reader->at = reader->end;
}

static unsigned next_byte(struct thrift_reader *reader)
{
	if (reader->at == reader->end) {
		reader->broken = true;
		return 0;
	}
	return *reader->at++;
}

static uint64_t next_varint(struct thrift_reader *reader)
{
	uint64_t value;

	if (varint_get(&reader->at, reader->end, &value))
		return value;
	thrift_refuse(reader);
	return 0;
}

int64_t thrift_next_int(struct thrift_reader *reader)
{
	int64_t value;

	if (varint_get_signed(&reader->at, reader->end, &value))
		return value;
	thrift_refuse(reader);
	return 0;
}

const char *thrift_next_binary(struct thrift_reader *reader, size_t *len)
{
	uint64_t want = next_varint(reader);
	const unsigned char *data = reader->at;

	*len = 0;
	if (reader->broken || want > (uint64_t)(reader->end - reader->at)) {
		thrift_refuse(reader);
		return "";
	}
	reader->at += want;
	*len = (size_t)want;
	return (const char *)data;
}

bool thrift_next(struct thrift_reader *reader, struct thrift_field *field)
{
	unsigned head = next_byte(reader);
	int64_t id;

	field->type = (enum thrift_type)(head & 15);
	if (reader->broken || field->type > THRIFT_STRUCT ||
	    (field->type == THRIFT_STOP && head)) {
		thrift_refuse(reader);
		return false;
	}
	if (field->type == THRIFT_STOP) {
		reader->depth -= reader->depth > 0;
		return false;
	}
	id = head >> 4 ? field->id + (int)(head >> 4) : thrift_next_int(reader);
	if (reader->broken || id < 1 || id > INT16_MAX) {
		thrift_refuse(reader);
		return false;
	}
	field->id = (int)id;
	return true;
}

bool thrift_get_bool(struct thrift_reader *reader,
		     const struct thrift_field *field)
{
	if (field->type != THRIFT_TRUE && field->type != THRIFT_FALSE)
		thrift_refuse(reader);
	return field->type == THRIFT_TRUE && !reader->broken;
}

int64_t thrift_get_int(struct thrift_reader *reader,
		       const struct thrift_field *field, int64_t min,
		       int64_t max)
{
	int64_t value = min;

	if (field->type == THRIFT_BYTE)
		value = (int64_t)(next_byte(reader) ^ 0x80) - 0x80;
	else if (field->type >= THRIFT_I16 && field->type <= THRIFT_I64)
		value = thrift_next_int(reader);
	else
		thrift_refuse(reader);
	if (value >= min && value <= max)
		return value;
	thrift_refuse(reader);
	return min;
}

const char *thrift_get_binary(struct thrift_reader *reader,
			      const struct thrift_field *field, size_t *len)
{
	if (field->type != THRIFT_BINARY)
		thrift_refuse(reader);
	return thrift_next_binary(reader, len);
}

bool thrift_get_struct(struct thrift_reader *reader,
		       const struct thrift_field *field)
{
	if (field->type != THRIFT_STRUCT || reader->depth == THRIFT_DEPTH_MAX)
		thrift_refuse(reader);
	reader->depth++;
	return !reader->broken;
}

static size_t next_list(struct thrift_reader *reader, enum thrift_type *type)
{
	unsigned head = next_byte(reader);
	uint64_t count = head >> 4;

	*type = (enum thrift_type)(head & 15);
	if (count == 15)
		count = next_varint(reader);
	if (*type == THRIFT_STOP || *type > THRIFT_STRUCT ||
	    count > (uint64_t)(reader->end - reader->at))
		thrift_refuse(reader);
	return reader->broken ? 0 : (size_t)count;
}

size_t thrift_get_list(struct thrift_reader *reader,
		       const struct thrift_field *field, enum thrift_type type)
{
	enum thrift_type found;
	size_t count;

	if (field->type != THRIFT_LIST)
		thrift_refuse(reader);
	count = next_list(reader, &found);
	/* Some writers say FALSE for bools. */
	if (found == THRIFT_FALSE)
		found = THRIFT_TRUE;
	if (count && found != type)
		thrift_refuse(reader);
	return reader->broken ? 0 : count;
}

/* --------------------------------------------------------------- skipping */

static void skip_value(struct thrift_reader *reader, enum thrift_type type,
		       bool element, int depth);

static void skip_elements(struct thrift_reader *reader, int depth)
{
	enum thrift_type type;
	size_t count = next_list(reader, &type);

	while (count-- && !reader->broken)
		skip_value(reader, type, true, depth + 1);
}

static void skip_map(struct thrift_reader *reader, int depth)
{
	uint64_t count = next_varint(reader);
	unsigned types = count ? next_byte(reader) : 0;

	while (count-- && !reader->broken) {
		skip_value(reader, (enum thrift_type)(types >> 4), true,
			   depth + 1);
		skip_value(reader, (enum thrift_type)(types & 15), true,
			   depth + 1);
	}
}

static void skip_struct(struct thrift_reader *reader, int depth)
{
	struct thrift_field field = {0};

	reader->depth++;
	while (thrift_next(reader, &field))
		skip_value(reader, field.type, false, depth + 1);
}

static void skip_bytes(struct thrift_reader *reader, size_t len)
{
	if (len > (size_t)(reader->end - reader->at))
		thrift_refuse(reader);
	else
		reader->at += len;
}

static void skip_value(struct thrift_reader *reader, enum thrift_type type,
		       bool element, int depth)
{
	size_t len;

	if (depth > THRIFT_DEPTH_MAX) {
		thrift_refuse(reader);
		return;
	}
	switch (type) {
	case THRIFT_TRUE:
	case THRIFT_FALSE: /* of a field, it was all in the type */
		skip_bytes(reader, element);
		break;
	case THRIFT_BYTE:
		skip_bytes(reader, 1);
		break;
	case THRIFT_I16:
	case THRIFT_I32:
	case THRIFT_I64:
		next_varint(reader);
		break;
	case THRIFT_DOUBLE:
		skip_bytes(reader, 8);
		break;
	case THRIFT_BINARY:
		thrift_next_binary(reader, &len);
		break;
	case THRIFT_LIST:
	case THRIFT_SET:
		skip_elements(reader, depth);
		break;
	case THRIFT_MAP:
		skip_map(reader, depth);
		break;
	case THRIFT_STRUCT:
		skip_struct(reader, depth);
		break;
	default:
		thrift_refuse(reader);
	}
}

void thrift_skip(struct thrift_reader *reader, const struct thrift_field *field)
{
	skip_value(reader, field->type, false, reader->depth);
}

int thrift_check(const struct thrift_reader *reader, const char *what,
		 struct error *err)
{
	if (!reader->broken)
		return 0;
	return error_set(err, ERROR_DATA, "%s cannot be read: it is damaged",
			 what);
}
