#ifndef TESTS_CONTRACT_POSTGRESQL_LOG_H
#define TESTS_CONTRACT_POSTGRESQL_LOG_H

#include "pg/connection.h"
#include "row/position.h"

/* What a laboratory does to the log of its source; see struct laboratory. */

/*
 * Before a clean room is made: no slot and no publication is left. The
 * connection is the laboratory's until the room is left.
 */
void postgresql_log_begin(struct pg *source);

void postgresql_settle(void);
void postgresql_purge_log(void);
void postgresql_far_ahead(struct position *position);

#endif
