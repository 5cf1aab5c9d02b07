#ifndef TESTS_CONTRACT_SQLSERVER_H
#define TESTS_CONTRACT_SQLSERVER_H

#include "contract/contract.h"
#include "tds/connection.h"

/*
 * A laboratory on a SQL Server, over connections of its own. Its databases are
 * contract_src, where changes are captured, and contract_dst.
 */

#define LAB_SOURCE_DATABASE "contract_src"
#define LAB_DEST_DATABASE   "contract_dst"

/* "server=…;user id=…;password=…" */
void sqlserver_lab_init(const char *connection_string);

const struct laboratory *sqlserver_lab(void);

/* Run statements in a database; fails the test on an error. */
void sqlserver_exec(enum lab_side side, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The first value of the first row, an integer. */
int64_t sqlserver_number(enum lab_side side, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One more connection, the caller's to close. */
struct tds *sqlserver_log_in(const char *database);

/* Wait until what was committed so far has been captured. */
void sqlserver_settle(void);

/* Tests that only make sense here; how many failed. */
int sqlserver_more(void);
int sqlserver_types(void);
int sqlserver_session(void);

#endif
