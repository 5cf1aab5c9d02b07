#ifndef DRIVERS_FILES_LAYOUT_H
#define DRIVERS_FILES_LAYOUT_H

#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "row/batch.h"
#include "row/position.h"
#include "row/schema.h"

/*
 * What files are called. Below a table's own folder:
 *
 *	full/<run>/[column=value/]part-00000.parquet
 *	full/<run>/_manifest.json
 *	latest.json
 *	changes/[dt=2026-01-31/[hour=13/]]<from>-<to>-00000.parquet
 *	changes/[dt=2026-01-31/[hour=13/]]<from>-<to>-00000_00007.parquet
 *	_dataflow/
 *
 * What comes from a database is written so that it means nothing to a file
 * system, a URL or a reader of `column=value`: a percent sign and two digits
 * for each byte that is no letter, digit, `-` or `_`. Letters beyond ASCII stay
 * as they are. What is too long for a file's name is cut, and has a piece of
 * its SHA-256 behind it.
 *
 * Pure functions; failures of memory stick to the strbuf.
 */
#define LAYOUT_STATE	"_dataflow/state.json"
#define LAYOUT_LATEST	"latest.json"
#define LAYOUT_MANIFEST "_manifest.json"
#define LAYOUT_FULL	"full/"
#define LAYOUT_CHANGES	"changes/"

/* "sales.dbo.orders"; what has no name is left out. */
void layout_table(struct strbuf *out, const struct table_name *name);

/*
 * Is a template for what names of files begin with all right? Words in braces
 * are {database}, {schema}, {table}, {date} and {time}, the last two of when the
 * name is given, in UTC. ERROR_CONFIG.
 */
int layout_check_naming(const char *naming, struct error *err)
	__attribute__((warn_unused_result));

#define LAYOUT_RUN_MAX 64

/* A load's own name; later ones are greater, as long as the clock goes on. */
void layout_run(char out[LAYOUT_RUN_MAX], int64_t now_us, int64_t epoch);

/* How names are made for one table. Strings are borrowed. */
struct layout {
	const char *naming;    /* NULL: nothing */
	const char *extension; /* ".parquet" */
	struct table_name table;
};

/* `partition` is "", or as layout_partition() makes it. */
void layout_part(struct strbuf *out, const struct layout *layout,
		 const char *run, const char *partition, uint64_t number,
		 int64_t now_us);

enum layout_times {
	LAYOUT_TIMES_NONE,
	LAYOUT_TIMES_DAY,
	LAYOUT_TIMES_HOUR,
};

/* "dt=2026-01-31/hour=13/" of a moment, or a part of that. */
void layout_times(struct strbuf *out, enum layout_times times, int64_t at_us);

/* Changes of (from, to], committed at some time; `times` as above. */
struct layout_changes {
	const struct position *from, *to;
	const char *times;
	uint64_t number; /* of all files of changes that the table has had */
};

void layout_changes(struct strbuf *out, const struct layout *layout,
		    const struct layout_changes *changes, int64_t now_us);

/* The number in such a name, both of a merged file; false: it is none of ours. */
bool layout_changes_numbers(const char *key, uint64_t *first, uint64_t *last);

/*
 * What a file is called that has the changes of two such files, and of those
 * between them: the position that the first one begins after, the one that the
 * last one ends with, and both numbers:
 *
 *	changes/[dt=2026-01-31/]<from>-<to>-00000_00007.parquet
 *
 * ERROR_INTERNAL: these are no such names.
 */
int layout_merged(struct strbuf *out, const char *first, const char *last,
		  struct error *err) __attribute__((warn_unused_result));

/*
 * "country=DE/year=2026/": the values that a row has in these columns, which
 * partition_columns names. NULL, and an empty text, are
 * __HIVE_DEFAULT_PARTITION__, as readers know it: the files have the values.
 */
void layout_partition(struct strbuf *out, const struct batch *batch, size_t row,
		      const size_t *columns, size_t count);

/* ERROR_CONFIG: the values of a column are no good as names of folders. */
int layout_check_partition(const struct column *column, struct error *err)
	__attribute__((warn_unused_result));

#endif
