#include "drivers/postgresql/pgoutput.h"

#include <string.h>

/* From 1970 to 2000, which PostgreSQL counts from. */
#define EPOCH_US INT64_C(946684800000000)

/* What is left of a message; `failed` once more was wanted than there is. */
struct reader {
	const unsigned char *data;
	size_t len;
	bool failed;
};

static const unsigned char *take(struct reader *in, size_t len)
{
	const unsigned char *data = in->data;

	if (in->failed || in->len < len) {
		in->failed = true;
		return NULL;
	}
	in->data += len;
	in->len -= len;
	return data;
}

static uint64_t take_number(struct reader *in, size_t len)
{
	const unsigned char *data = take(in, len);
	uint64_t number = 0;

	for (size_t i = 0; data && i < len; i++)
		number = number << 8 | data[i];
	return number;
}

static unsigned char take_byte(struct reader *in)
{
	return (unsigned char)take_number(in, 1);
}

static uint32_t take_u32(struct reader *in)
{
	return (uint32_t)take_number(in, 4);
}

static const char *take_string(struct reader *in)
{
	const unsigned char *end =
		in->failed || !in->len ? NULL : memchr(in->data, 0, in->len);

	if (!end) {
		in->failed = true;
		return "";
	}
	return (const char *)take(in, (size_t)(end - in->data) + 1);
}

int64_t pgoutput_time_us(uint64_t wire)
{
	int64_t us = (int64_t)wire;

	return us > INT64_MAX - EPOCH_US ? INT64_MAX : us + EPOCH_US;
}

/* ------------------------------------------------------------------- values */

static void take_value(struct reader *in, struct pgoutput_value *out)
{
	*out = (struct pgoutput_value){.kind = PGOUTPUT_NULL};
	switch (take_byte(in)) {
	case 'n':
		return;
	case 'u':
		out->kind = PGOUTPUT_UNCHANGED;
		return;
	case 't':
		out->kind = PGOUTPUT_TEXT;
		break;
	case 'b':
		out->kind = PGOUTPUT_BINARY;
		break;
	default:
		in->failed = true;
		return;
	}
	out->len = take_u32(in);
	out->data = take(in, out->len);
}

static void take_tuple(struct reader *in, struct pgoutput_tuple *out)
{
	struct pgoutput_value value;

	out->columns = (unsigned)take_number(in, 2);
	out->data = in->data;
	for (unsigned i = 0; i < out->columns && !in->failed; i++)
		take_value(in, &value);
	out->len = (size_t)(in->data - out->data);
}

bool pgoutput_value_next(struct pgoutput_tuple *tuple,
			 struct pgoutput_value *out)
{
	struct reader in = {.data = tuple->data, .len = tuple->len};

	if (!tuple->columns)
		return false;
	take_value(&in, out);
	tuple->data = in.data;
	tuple->len = in.len;
	tuple->columns--;
	return true;
}

/* ---------------------------------------------------------------- relations */

static void take_column(struct reader *in, struct pgoutput_column *out)
{
	out->is_key = take_byte(in) & 1;
	out->name = take_string(in);
	out->type = take_u32(in);
	out->modifier = (int32_t)take_u32(in);
}

static void take_relation(struct reader *in, struct pgoutput_relation *out)
{
	struct pgoutput_column column;

	out->id = take_u32(in);
	out->schema = take_string(in);
	/* The system's own schema goes without its name. */
	if (!*out->schema)
		out->schema = "pg_catalog";
	out->name = take_string(in);
	out->identity = (char)take_byte(in);
	out->columns = (unsigned)take_number(in, 2);
	out->data = in->data;
	for (unsigned i = 0; i < out->columns && !in->failed; i++)
		take_column(in, &column);
	out->len = (size_t)(in->data - out->data);
}

bool pgoutput_column_next(struct pgoutput_relation *relation,
			  struct pgoutput_column *out)
{
	struct reader in = {.data = relation->data, .len = relation->len};

	if (!relation->columns)
		return false;
	take_column(&in, out);
	relation->data = in.data;
	relation->len = in.len;
	relation->columns--;
	return true;
}

/* ----------------------------------------------------------------- messages */

static void take_insert(struct reader *in, struct pgoutput_message *out)
{
	if (take_byte(in) != 'N')
		in->failed = true;
	take_tuple(in, &out->after);
}

static void take_before(struct reader *in, struct pgoutput_message *out,
			unsigned char kind)
{
	out->old_kind = (char)kind;
	take_tuple(in, &out->before);
}

static void take_update(struct reader *in, struct pgoutput_message *out)
{
	unsigned char kind = take_byte(in);

	if (kind == 'K' || kind == 'O') {
		take_before(in, out, kind);
		kind = take_byte(in);
	}
	if (kind != 'N')
		in->failed = true;
	take_tuple(in, &out->after);
	if (out->old_kind && out->before.columns != out->after.columns)
		in->failed = true;
}

static void take_delete(struct reader *in, struct pgoutput_message *out)
{
	unsigned char kind = take_byte(in);

	if (kind != 'K' && kind != 'O')
		in->failed = true;
	take_before(in, out, kind);
}

static void take_row(struct reader *in, enum pgoutput_type type,
		     struct pgoutput_message *out)
{
	if (type == PGOUTPUT_INSERT)
		take_insert(in, out);
	else if (type == PGOUTPUT_UPDATE)
		take_update(in, out);
	else
		take_delete(in, out);
}

static void take_relation_row(struct reader *in, struct pgoutput_message *out)
{
	out->relation = take_u32(in);
	out->body = in->data;
	out->body_len = in->len;
	take_row(in, out->type, out);
}

static void take_truncate(struct reader *in, struct pgoutput_message *out)
{
	uint32_t count = take_u32(in);

	take_byte(in); /* CASCADE, RESTART IDENTITY */
	if (count > in->len / 4)
		in->failed = true;
	else
		out->truncated = take(in, (size_t)count * 4);
	out->truncated_count = in->failed ? 0 : (unsigned)count;
}

uint32_t pgoutput_truncated(const struct pgoutput_message *message, unsigned i)
{
	struct reader in = {.data = message->truncated + (size_t)i * 4,
			    .len = 4};

	return take_u32(&in);
}

static void take_commit(struct reader *in, struct pgoutput_message *out)
{
	take_byte(in);	    /* flags: none are defined */
	take_number(in, 8); /* where the commit record begins */
	out->end_lsn = take_number(in, 8);
	out->commit_us = pgoutput_time_us(take_number(in, 8));
}

static void take_begin(struct reader *in, struct pgoutput_message *out)
{
	out->end_lsn = take_number(in, 8);
	out->commit_us = pgoutput_time_us(take_number(in, 8));
	out->xid = take_u32(in);
}

/* Types, origins and logical messages are of no use to us. */
static void take_rest(struct reader *in, struct pgoutput_message *out)
{
	out->type = PGOUTPUT_OTHER;
	take(in, in->len);
}

static void take_body(struct reader *in, unsigned char type,
		      struct pgoutput_message *out)
{
	switch (type) {
	case PGOUTPUT_BEGIN:
		take_begin(in, out);
		break;
	case PGOUTPUT_COMMIT:
		take_commit(in, out);
		break;
	case PGOUTPUT_RELATION:
		take_relation(in, &out->table);
		break;
	case PGOUTPUT_INSERT:
	case PGOUTPUT_UPDATE:
	case PGOUTPUT_DELETE:
		take_relation_row(in, out);
		break;
	case PGOUTPUT_TRUNCATE:
		take_truncate(in, out);
		break;
	case PGOUTPUT_STREAM_START:
		out->xid = take_u32(in);
		out->first = take_byte(in) == 1;
		break;
	case PGOUTPUT_STREAM_STOP:
		break;
	case PGOUTPUT_STREAM_COMMIT:
		out->xid = take_u32(in);
		take_commit(in, out);
		break;
	case PGOUTPUT_STREAM_ABORT:
		out->xid = take_u32(in);
		out->subxid = take_u32(in);
		break;
	case 'Y':
	case 'O':
	case 'M':
		take_rest(in, out);
		break;
	default:
		in->failed = true;
		break;
	}
}

/* In a stream these say which subtransaction they belong to. */
static bool has_xid(unsigned char type)
{
	return type && strchr("RYIUDTM", type);
}

int pgoutput_read(struct pgoutput_message *out, const void *data, size_t len,
		  bool in_stream, struct error *err)
{
	struct reader in = {.data = data, .len = len};
	unsigned char type = take_byte(&in);

	memset(out, 0, sizeof(*out));
	out->type = (enum pgoutput_type)type;
	if (in_stream && has_xid(type))
		out->xid = take_u32(&in);
	take_body(&in, type, out);
	if (!in.failed && !in.len)
		return 0;
	return error_set(err, ERROR_SERVER,
			 "the server sent a replication message of type 0x%02x "
			 "and %zu bytes that makes no sense",
			 type, len);
}

int pgoutput_row_read(struct pgoutput_message *out, enum pgoutput_type type,
		      const void *body, size_t len, struct error *err)
{
	struct reader in = {.data = body, .len = len};

	memset(out, 0, sizeof(*out));
	out->type = type;
	take_row(&in, type, out);
	if (!in.failed && !in.len)
		return 0;
	return error_set(err, ERROR_INTERNAL,
			 "a change that was kept cannot be read back");
}
