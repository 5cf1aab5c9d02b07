#ifndef ROW_SCHEMA_H
#define ROW_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "row/type.h"

/* Which table; every part is UTF-8 as the DBA wrote it, none is quoted. */
struct table_name {
	const char *database; /* "" where the system has no such level */
	const char *schema;
	const char *table;
};

struct column {
	const char *name;
	enum row_type type;
	int length;    /* characters of text, bytes of bytes; 0: unlimited */
	int precision; /* decimal digits; digits of a fraction of a second */
	int scale;     /* of a decimal */
	/*
	 * Digits of which every number fits, where that is less than
	 * `precision`: money holds 922337203685477.5807 but no 15 nines.
	 */
	int sure_precision; /* 0: precision */
	bool coarse;	    /* a time that is rounded to the type's own steps */
	/*
	 * A time that has as many digits as its system can keep: finer ones are
	 * rounded to it, and said to be, instead of being refused.
	 */
	bool finest;
	bool offsetless; /* a moment that forgets in which zone it was given */
	bool nullable;
	bool identity;
	bool computed;	  /* from other columns of its row */
	bool generated;	  /* by the server at each write */
	bool unsupported; /* its values cannot be carried */
	bool has_default;
	bool fixed; /* text or bytes of a fixed length */
	/*
	 * Text that its system makes into the type's own form, and cuts or
	 * rounds to the limits that `native` has in parentheses, as in
	 * interval(0) or varchar(3)[]; and what is shorter may be padded.
	 */
	bool cuts, pads;
	/*
	 * Its values may be such as most systems have no room for. A decimal
	 * may be ROW_DECIMAL_NAN; a date may be any number of days, or
	 * ROW_INFINITE_PAST or _FUTURE; a time may be 24:00; a timestamp, with
	 * a zone or without, counts microseconds since 2000-01-01 instead, and
	 * may be infinite, too. Only between two ends of the same system.
	 */
	bool extended;
	/*
	 * The encoding of the text that travels in batches, an iconv name;
	 * NULL is UTF-8. Set by a source that was asked for native text.
	 */
	const char *charset;
	const char *native;    /* the type in its own system's words */
	const char *collation; /* likewise, NULL if it has none */
	/* The rules by which its database sorts it, if these can be others
	 * elsewhere though the words are the same; "": nobody knows which. */
	const char *sorting;
};

/*
 * The definition of a table as one side sees it. Owns its strings and arrays
 * through `arena`; immutable once described, so any thread may read it.
 */
struct table {
	struct arena arena;
	struct table_name name;
	const char *system; /* the driver whose words `native` speaks */
	struct column *columns;
	size_t column_count;
	size_t *key; /* indexes of the key columns, in key order */
	size_t key_count;
	/* A person has named the key, and no unique index of the source's vouches
	 * for it: rows may share one. */
	bool key_unsure;
};

void table_init(struct table *table);
void table_release(struct table *table); /* safe to call twice */

/*
 * Copy a definition into an initialised `to`, under another name (NULL: its
 * own); with table_project() only the columns for which `keep` is set.
 */
int table_copy(struct table *to, const struct table *from,
	       const struct table_name *name, struct error *err)
	__attribute__((warn_unused_result));
int table_project(struct table *to, const struct table *from,
		  const struct table_name *name, const bool *keep,
		  struct error *err) __attribute__((warn_unused_result));

/* The column of that name, case ignored as SQL Server does; NULL if none. */
struct column *table_column(const struct table *table, const char *name);

/* Is column number `i` part of the key? */
bool table_is_key(const struct table *table, size_t i);

/*
 * Make the key the columns that `list` names, separated by commas; brackets or
 * double quotes around a name are allowed. -1 and ERROR_SCHEMA that names the
 * first one the table does not have.
 */
int table_set_key(struct table *table, const char *list, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Everything about columns and key, one line each: two tables whose texts are
 * the same can hold each other's rows.
 */
void table_signature(const struct table *table, struct strbuf *out);

/* Three names of 128 UTF-16 units each, which are three bytes at most. */
#define TABLE_NAME_TEXT_MAX 1160

/* "database.schema.table", for messages; parts that are empty are left out. */
const char *table_name_format(char out[TABLE_NAME_TEXT_MAX],
			      const struct table_name *name);

#endif
