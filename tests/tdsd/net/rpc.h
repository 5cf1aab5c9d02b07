#ifndef TDSD_RPC_H
#define TDSD_RPC_H

#include "exec/session.h"
#include "base/strbuf.h"

/* Run a message of remote procedure calls; the reply is not yet ended. */
void rpc_run(struct session *s, const unsigned char *msg, size_t len);

/* Transaction manager request: BEGIN, COMMIT, ROLLBACK, SAVE. */
void tm_run(struct session *s, const unsigned char *msg, size_t len);

/* Skip ALL_HEADERS; returns how many bytes, SIZE_MAX when broken. */
size_t all_headers(const struct session *s, const unsigned char *msg,
		   size_t len);

#endif
