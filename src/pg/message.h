#ifndef PG_MESSAGE_H
#define PG_MESSAGE_H

#include "base/error.h"

/*
 * A PostgreSQL server's refusal as an error. SQLSTATE decides on kind and
 * whether it may be tried again; an unknown one, or NULL, is the server's
 * refusal and final. Values that a message repeats are left out of it. `hint`
 * may be NULL.
 */
void pg_message_to_error(struct error *err, const char *sqlstate,
			 const char *text, const char *hint);

/*
 * What libpq says when a login fails, several lines of it, as an
 * ERROR_CONNECTION. A SQLSTATE, which it holds if the server was asked to be
 * verbose, decides whether it may be tried again.
 */
void pg_login_failed_to_error(struct error *err, const char *text);

#endif
