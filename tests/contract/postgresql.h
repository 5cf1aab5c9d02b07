#ifndef TESTS_CONTRACT_POSTGRESQL_H
#define TESTS_CONTRACT_POSTGRESQL_H

#include "contract/contract.h"
#include "pg/connection.h"

/*
 * A laboratory on a PostgreSQL server, over connections of its own. Its
 * databases are contract_src and contract_dst.
 */

#define PG_LAB_SOURCE_DATABASE "contract_src"
#define PG_LAB_DEST_DATABASE   "contract_dst"

/* "server=…;user id=…;password=…" */
void postgresql_lab_init(const char *connection_string);

const struct laboratory *postgresql_lab(void);

/* Run statements in a database; fails the test on an error. */
void postgresql_exec(enum lab_side side, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The first value of the first row, as text; valid until the next of these. */
const char *postgresql_text(enum lab_side side, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One more connection, the caller's to close. */
struct pg *postgresql_log_in(enum pg_kind kind, const char *database);

/* Tests that only make sense here; how many failed. */
int postgresql_types(void);
int postgresql_session(void);
int postgresql_target(void);

#endif
