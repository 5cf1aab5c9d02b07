#ifndef DRIVERS_POSTGRESQL_PGOUTPUT_H
#define DRIVERS_POSTGRESQL_PGOUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The messages of PostgreSQL's output plug-in pgoutput, protocol versions 1 and
 * 2. Pure functions: a message is looked at where it lies, nothing is copied or
 * allocated, and everything in it is checked before any of it is handed out, so
 * that what walks over its values later cannot fail.
 *
 * Version 2 (server 14) adds transactions that are streamed while they run. The
 * later ones add two-phase commits and streams for parallel workers, neither of
 * which is asked for.
 */

/* A value of a row. */
enum pgoutput_kind {
	PGOUTPUT_NULL,
	PGOUTPUT_UNCHANGED, /* an out-of-line value that was not written */
	PGOUTPUT_TEXT,
	PGOUTPUT_BINARY,
};

struct pgoutput_value {
	enum pgoutput_kind kind;
	const unsigned char *data;
	size_t len;
};

/* The values of a row, one for each column of its relation. */
struct pgoutput_tuple {
	const unsigned char *data; /* NULL: there is none */
	size_t len;
	unsigned columns;
};

struct pgoutput_column {
	const char *name;
	uint32_t type; /* its OID */
	int32_t modifier;
	bool is_key; /* of the replica identity */
};

/* What a table looks like from here on. Strings lie in the message. */
struct pgoutput_relation {
	uint32_t id; /* its OID */
	const char *schema;
	const char *name;
	char identity; /* as pg_class.relreplident has it */
	unsigned columns;
	const unsigned char *data; /* of the columns */
	size_t len;
};

enum pgoutput_type {
	PGOUTPUT_BEGIN = 'B',
	PGOUTPUT_COMMIT = 'C',
	PGOUTPUT_RELATION = 'R',
	PGOUTPUT_INSERT = 'I',
	PGOUTPUT_UPDATE = 'U',
	PGOUTPUT_DELETE = 'D',
	PGOUTPUT_TRUNCATE = 'T',
	PGOUTPUT_STREAM_START = 'S',
	PGOUTPUT_STREAM_STOP = 'E',
	PGOUTPUT_STREAM_COMMIT = 'c',
	PGOUTPUT_STREAM_ABORT = 'A',
	PGOUTPUT_OTHER = 0, /* nothing that concerns rows: types, origins, … */
};

struct pgoutput_message {
	enum pgoutput_type type;
	/*
	 * The transaction of BEGIN and of the messages about streams. In a
	 * stream, of everything else: the subtransaction that did it.
	 */
	uint32_t xid;
	uint32_t subxid;   /* of STREAM_ABORT; `xid` itself: all of it */
	bool first;	   /* of STREAM_START: the first of its transaction */
	uint64_t end_lsn;  /* of a commit: where the next thing begins; of
			     * BEGIN: where its commit begins, before that */
	int64_t commit_us; /* of BEGIN and commits: by the server's clock */
	uint32_t relation; /* of rows */
	const unsigned char *body; /* of rows: what pgoutput_row_read() reads */
	size_t body_len;
	char old_kind; /* of `before`: 'K' key alone, 'O' all; or 0 */
	struct pgoutput_tuple before, after;
	struct pgoutput_relation table; /* of RELATION */
	const unsigned char *truncated; /* of TRUNCATE: OIDs, 4 bytes each */
	unsigned truncated_count;
};

/*
 * Read one message. `in_stream`: it came between STREAM_START and STREAM_STOP.
 * ERROR_SERVER when it is none.
 */
int pgoutput_read(struct pgoutput_message *out, const void *data, size_t len,
		  bool in_stream, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Read the body of a row's message that was kept: `type` is INSERT, UPDATE or
 * DELETE. Only the tuples and `old_kind` are filled in.
 */
int pgoutput_row_read(struct pgoutput_message *out, enum pgoutput_type type,
		      const void *body, size_t len, struct error *err)
	__attribute__((warn_unused_result));

/* Take the next value, or column, off; false: there are no more. */
bool pgoutput_value_next(struct pgoutput_tuple *tuple,
			 struct pgoutput_value *out);
bool pgoutput_column_next(struct pgoutput_relation *relation,
			  struct pgoutput_column *out);

/* Number `i` of them. */
uint32_t pgoutput_truncated(const struct pgoutput_message *message, unsigned i);

/* Microseconds UTC of a time on the wire. */
int64_t pgoutput_time_us(uint64_t wire);

#endif
