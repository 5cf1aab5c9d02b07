#ifndef TDS_ADVICE_H
#define TDS_ADVICE_H

#include "base/error.h"
#include "tds/login.h"

/*
 * db-lib says little about a connection that fails, and a DBA who reads its
 * words in the error log at night needs to know which server it was and what
 * to do. These put the server in front of such an error and the remedy behind
 * it; errors of other kinds they leave alone.
 */

/* A login failed. May ask the name service; not for a hot path. */
void tds_advise_login(const struct tds_login *login, struct error *err);

/* A session failed: `address` as tds_login_address() writes it. */
void tds_advise_session(const char *address, int query_timeout_s,
			struct error *err);

#endif
