#ifndef TESTS_CONTRACT_CONTRACT_H
#define TESTS_CONTRACT_CONTRACT_H

/*
 * What drivers/driver.h promises, as tests that every driver has to pass. They
 * know nothing of the system behind the driver: what an application and a DBA
 * would do to it goes through a laboratory, which each driver's own test
 * program brings.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "drivers/driver.h"
#include "drivers/pool.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* -------------------------------------------------------------- laboratory */

/* The tables there can be; their columns are the same everywhere. */
enum lab_table {
	LAB_MAIN,  /* id INT64 key, name TEXT(50), n INT32, sync BOOL */
	LAB_OTHER, /* the same, for changes that concern nobody */
	LAB_PAIR,  /* a INT32, b TEXT(20), v INT32; key (b, a) */
	LAB_BARE,  /* as LAB_MAIN, without a key */
	LAB_WIDE,  /* id INT64 key, body TEXT of any length */
	LAB_TABLES,
};

enum lab_side { LAB_SOURCE, LAB_DEST };

struct laboratory {
	const char *driver; /* its name in the registry */
	const char *source_string, *target_string;

	/* Once, before all; NULL: nothing. False: it cannot be used. */
	bool (*prepare)(void);

	/* A clean room: no table, no checkpoint, a log that begins now. */
	void (*begin)(void);
	void (*end)(void);

	/* What a table is called on a side, made or not. */
	struct table_name (*name)(enum lab_side side, enum lab_table table);

	/* Make it; on the source its changes are captured from now on. */
	void (*make)(enum lab_side side, enum lab_table table);

	/*
	 * Change a source table as an application would, in one transaction:
	 * "+1|a|10|0" puts a row, whether there is one with its key or not,
	 * "-1" deletes by key, "=1>7|a|10|0" makes row 1 row 7. Columns that
	 * are left out become NULL; "NULL" is NULL, "~" a blank. A blank
	 * between two.
	 */
	void (*change)(enum lab_table table, const char *changes);

	/*
	 * The destination's LAB_MAIN refuses rows whose n is 13 from now on,
	 * or does no longer.
	 */
	void (*refuse)(bool refuse);

	/*
	 * All rows in the order of their columns, a line each, columns
	 * separated by "|", NULL as "NULL"; by other means than the driver. To
	 * be freed.
	 */
	char *(*rows)(enum lab_side side, enum lab_table table);

	/* Wait until the change log has everything that was committed. */
	void (*settle)(void);

	/* Drop the change log up to now, as retention does. */
	void (*purge_log)(void);

	/* Make of a position one that the log will not reach for long. */
	void (*far_ahead)(struct position *position);

	/* What this system has of its own; NULL: nothing. Failed tests. */
	int (*more)(void);

	/* A table has room for what one mapping writes, and refuses others. */
	bool one_mapping;
	/* It keeps what is told, and does not know what a row was before. */
	bool log_only;
};

/* Run everything there is; the number of failed tests. */
int contract_run(const struct laboratory *lab);

/* The two halves of it. */
int contract_run_source(void);
int contract_run_choices(void); /* a part of that */
int contract_run_target(void);
int contract_run_checkpoint(void); /* a part of that, as is the next */
int contract_run_plan(void);
int contract_run_isolate(void);
int contract_run_check(void); /* of both ends */

/* ----------------------------------------------------------------- fixture */

/* What each test starts with: a clean room and both ends, connected. */
struct contract {
	const struct laboratory *lab;
	const struct driver *driver;
	struct pool pool;
	struct pool_share *share;
	struct cancel cancel;
	struct server *from, *to;
	struct source *src;
	struct target *dst;
	int64_t epoch; /* under which targets are opened; 1 at first */
	struct table_name src_name, dst_name; /* of LAB_MAIN at first */
};

extern struct contract contract;

int contract_setup(void **state);
int contract_teardown(void **state);

/* Close the end at hand and open it anew, connected. */
void contract_open_source(enum lab_table table, const char *trigger_column,
			  bool native_text);
void contract_open_target(enum lab_table table, const char *installation,
			  int mapping_id, const char *origin);

/* The call has to succeed; `err` is the caller's struct error. */
#define MUST(call)                                              \
	do {                                                    \
		if ((call) < 0)                                 \
			fail_msg("%s: %s", #call, err.message); \
	} while (0)

/* The call has to fail with this kind, and with a message. */
#define MUST_FAIL(call, wanted)                                           \
	do {                                                              \
		error_clear(&err);                                        \
		if ((call) >= 0)                                          \
			fail_msg("%s: did not fail", #call);              \
		if (err.kind != (wanted))                                 \
			fail_msg("%s: is %s: %s", #call,                  \
				 error_kind_name(err.kind), err.message); \
		assert_true(err.message[0] != '\0');                      \
	} while (0)

/* Make a source table without rows, and open it. */
void contract_open_plain(enum lab_table table);

/* Describe the source of the moment into an initialised table. */
void describe_source(struct table *shape);

/* A shape as a source would describe that table, without one. */
void shape_of(struct table *shape, enum lab_table table);

/* Put the rows of a text as lab->change() takes it into a batch; "*" is a value
 * that stays as it is. */
void put_changes(struct batch *batch, const char *changes);

/* One row of a batch as "+ 1|a|10|0" and a line break. */
void row_text(struct strbuf *out, const struct batch *batch, size_t row);

/* Read what was begun to its end, in batches of that size. To be freed. */
char *read_all(struct table *shape, size_t rows, size_t bytes);

/* Put the lines of such a text into the order of their first numbers. */
void sort_lines(char *text);

void assert_text(const char *got, const char *want);
void assert_lab(enum lab_side side, enum lab_table table, const char *want);

/* --------------------------------------------------------------- a model */

/*
 * A table in its simplest form: what a destination has to hold after rows and
 * changes went into it. Keys are texts.
 */
struct model {
	struct model_row {
		char *key, *text;
	} * rows;
	size_t count;
};

void model_release(struct model *model);

/* Take over a batch: upserts and deletes by the key of its table. */
void model_apply(struct model *model, const struct batch *batch);

/* Read what was begun to its end into it. */
void model_read(struct model *model, struct table *shape, size_t rows);

/* Its rows, sorted like lab->rows() does when keys are numbers. */
void assert_model(const struct model *model, const char *want);

#endif
