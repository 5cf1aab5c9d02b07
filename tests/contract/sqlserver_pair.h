#ifndef TESTS_CONTRACT_SQLSERVER_PAIR_H
#define TESTS_CONTRACT_SQLSERVER_PAIR_H

#include "contract/sqlserver.h"

/*
 * The table "dbo.t" on both sides, with a source and a target on it: what the
 * tests of SQL Server's driver beyond the contract work with.
 */
struct pair {
	struct source *src;
	struct target *dst;
	struct table shape;
};

extern struct pair pair;

int pair_setup(void **state);
int pair_teardown(void **state);

/* A table "dbo.t" of these columns on a side; captured on the source. */
void pair_make(enum lab_side side, const char *columns);

void pair_open_both(bool native);

/* Look at both; makes the destination if there is none. */
void pair_describe_both(void);

int pair_load(enum target_mode mode, const struct position *at,
	      struct error *err);

/* Apply all that changed since; `at` moves on. */
int pair_apply(struct position *at, struct error *err);

/* The same, which have to succeed; a load begins with the position. */
void pair_must_load(enum target_mode mode, struct position *at);
void pair_must_apply(struct position *at);

/* Move what was begun to be read into what was begun to be written. */
int pair_move(const struct table *rows, struct error *err);

/*
 * Every value is the same, byte for byte, as the server has it. A column, or
 * an expression in which %s stands for a table's alias.
 */
void pair_assert_same(const char *column);

#define PAIR_TEST(name) \
	cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

#endif
