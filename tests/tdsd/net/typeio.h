#ifndef TDSD_TYPEIO_H
#define TDSD_TYPEIO_H

#include "mem.h"
#include "net/conn.h"
#include "value/type.h"
#include "value/val.h"

/* T-SQL types and values as TDS carries them, both ways. */

/* Can this client take it, or must it travel as something older? */
struct type wire_type(const struct conn *c, struct type t);

/* TYPE_INFO of a column or parameter. */
void wire_put_type(struct conn *c, struct type t, bool nullable);

/* A value of that type. `scratch` is used up. */
void wire_put_value(struct conn *c, struct type t, bool nullable,
		    const struct val *v, struct strbuf *scratch);

/* Where input comes from: a message in memory, or one that still arrives. */
struct reader {
	struct conn *c; /* NULL: memory */
	const unsigned char *p;
	size_t left;
	bool failed;
};

unsigned rd8(struct reader *r);
unsigned rd16(struct reader *r);
uint32_t rd32(struct reader *r);
uint64_t rd64(struct reader *r);
void rd_bytes(struct reader *r, void *out, size_t n);
void rd_skip(struct reader *r, size_t n);

/* What TYPE_INFO says. */
struct wire_info {
	unsigned token; /* the TDS type */
	struct type type;
	uint32_t size; /* as sent */
	bool plp;
	bool is_null; /* NULLTYPE */
	bool unknown;
};

void rd_type(struct reader *r, struct wire_info *out);

/*
 * A value; its bytes are appended to `mem`, and `out` points there, so `mem`
 * must not grow before it is used. PLP values are limited to `limit` bytes.
 */
void rd_value(struct reader *r, const struct wire_info *info,
	      struct strbuf *mem, struct val *out);

/* UTF-16LE text with a length in characters, as UTF-8. */
char *rd_text16(struct reader *r, size_t chars, struct arena *pool);

#endif
