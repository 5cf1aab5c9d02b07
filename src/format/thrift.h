#ifndef FORMAT_THRIFT_H
#define FORMAT_THRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

/*
 * Thrift's compact protocol, in which Parquet writes what is not rows: as much
 * of it as that needs. A field has an id and a type; a struct ends by itself.
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
enum thrift_type {
	THRIFT_STOP,
	THRIFT_TRUE, /* also the type of bools in a list */
	THRIFT_FALSE,
	THRIFT_BYTE,
	THRIFT_I16,
	THRIFT_I32,
	THRIFT_I64,
	THRIFT_DOUBLE,
	THRIFT_BINARY,
	THRIFT_LIST,
	THRIFT_SET,
	THRIFT_MAP,
	THRIFT_STRUCT,
};

#define THRIFT_DEPTH_MAX 16

/* ------------------------------------------------------------------ writing */

/* Failures stay in `out`, see base/strbuf.h. */
struct thrift_writer {
	struct strbuf *out;
	int depth;
	int last[THRIFT_DEPTH_MAX]; /* field of each open struct */
};

void thrift_writer_init(struct thrift_writer *writer, struct strbuf *out);

/* A struct that is the whole, or an element of a list. */
void thrift_begin(struct thrift_writer *writer);
void thrift_end(struct thrift_writer *writer);

/* Fields, by rising ids. */
void thrift_put_bool(struct thrift_writer *writer, int id, bool value);
void thrift_put_byte(struct thrift_writer *writer, int id, int value);
void thrift_put_i16(struct thrift_writer *writer, int id, int value);
void thrift_put_i32(struct thrift_writer *writer, int id, int32_t value);
void thrift_put_i64(struct thrift_writer *writer, int id, int64_t value);
void thrift_put_binary(struct thrift_writer *writer, int id, const void *data,
		       size_t len);
void thrift_put_string(struct thrift_writer *writer, int id, const char *s);
void thrift_put_struct(struct thrift_writer *writer, int id); /* begins it */
void thrift_put_list(struct thrift_writer *writer, int id,
		     enum thrift_type type, size_t count);
/* A struct that was written before, by another writer, whole. */
void thrift_put_written(struct thrift_writer *writer, int id, const void *data,
			size_t len);

/* Elements of a list. */
void thrift_add_bool(struct thrift_writer *writer, bool value);
void thrift_add_int(struct thrift_writer *writer, int64_t value);
void thrift_add_binary(struct thrift_writer *writer, const void *data,
		       size_t len);

/* ------------------------------------------------------------------ reading */

/*
 * Reads bytes that anybody may have written. The first thing that is wrong
 * sticks: every call gives nothing from then on, and thrift_check() tells.
 */
struct thrift_reader {
	const unsigned char *at, *end;
	int depth;
	bool broken;
};

/* The field that was read last; begin a struct with one that is all zeros. */
struct thrift_field {
	int id;
	enum thrift_type type;
};

void thrift_reader_init(struct thrift_reader *reader, const void *data,
			size_t len);

/* The next field of a struct; false: there is none. */
bool thrift_next(struct thrift_reader *reader, struct thrift_field *field);

/* Its value, whose type must be a fitting one. */
bool thrift_get_bool(struct thrift_reader *reader,
		     const struct thrift_field *field);
int64_t thrift_get_int(struct thrift_reader *reader,
		       const struct thrift_field *field, int64_t min,
		       int64_t max);
const char *thrift_get_binary(struct thrift_reader *reader,
			      const struct thrift_field *field, size_t *len);
/* May it be read as a struct, by thrift_next() with another field? */
bool thrift_get_struct(struct thrift_reader *reader,
		       const struct thrift_field *field);
/* How many elements there are, each at least a byte long. */
size_t thrift_get_list(struct thrift_reader *reader,
		       const struct thrift_field *field, enum thrift_type type);
void thrift_skip(struct thrift_reader *reader,
		 const struct thrift_field *field);

/* An element of a list of integers, or of binaries. */
int64_t thrift_next_int(struct thrift_reader *reader);
const char *thrift_next_binary(struct thrift_reader *reader, size_t *len);

/* For the caller who finds a value that cannot be. */
void thrift_refuse(struct thrift_reader *reader);

/* 0, or -1 and ERROR_DATA that names `what`. */
int thrift_check(const struct thrift_reader *reader, const char *what,
		 struct error *err) __attribute__((warn_unused_result));

#endif
