#ifndef PG_LOGIN_H
#define PG_LOGIN_H

#include "base/error.h"

/*
 * How to log in to a PostgreSQL server: libpq's keywords and their values. Owns
 * its strings, wipes the password. Database and application name are the
 * caller's to choose for each connection; the others come from a connection
 * string, or, as with every libpq program, from a service file, a password file
 * and the PG… variables of the environment.
 */
struct pg_login {
	char **keywords; /* libpq's, ended by NULL */
	char **values;
	int login_timeout_s;
	int query_timeout_s; /* without a byte from the server; 0: none */
};

/*
 * Read a connection string: `key=value;…` as every driver takes it (server or
 * host, port, database, user id, password, sslmode, ssl root cert, ssl cert, ssl
 * key, service, passfile, application name, connect timeout, query timeout and
 * any other keyword of libpq's), or a URL `postgresql://…`. In either a value
 * may be ${env:…}, ${file:…} or enc:…. Time-outs that it does not name stay as
 * they are in `login`. A list has to name the server, or a service, unless the
 * environment does. On -1 `err` is ERROR_CONFIG and never repeats a value;
 * nothing needs a release then.
 */
int pg_login_parse(struct pg_login *login, const char *connection_string,
		   struct error *err) __attribute__((warn_unused_result));

void pg_login_release(struct pg_login *login); /* safe on zeroed memory */

/* What it says about one of libpq's keywords; NULL: nothing. */
const char *pg_login_value(const struct pg_login *login, const char *keyword);

/* "host,5432", for messages and to tell whether two are the same server. */
void pg_login_address(const struct pg_login *login, char *out, int size);

#endif
