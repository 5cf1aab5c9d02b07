#ifndef TDS_LOGIN_H
#define TDS_LOGIN_H

#include <stdbool.h>

#include "base/error.h"

enum tds_encryption {
	TDS_ENCRYPT_OFF,     /* not even the login */
	TDS_ENCRYPT_REQUEST, /* if the server can; nobody is checked */
	TDS_ENCRYPT_REQUIRE, /* all of it, or no connection */
};

/*
 * How to log in to a SQL Server. Owns its strings, wipes the password.
 * Database and application name are the caller's to choose for each
 * connection; the others come from a connection string.
 */
struct tds_login {
	char *host;
	int port;	/* 0: the default, or what the instance says */
	char *instance; /* NULL: none */
	char *user;
	char *password;
	char *database; /* NULL: the login's default */
	char *app_name;
	enum tds_encryption encryption;
	bool trust_certificate; /* encrypted, but whoever it is */
	char *ca_file;		/* NULL: the system's */
	bool read_only;		/* ApplicationIntent=ReadOnly */
	int login_timeout_s;
	int query_timeout_s; /* without a byte from the server; 0: none */
};

/*
 * Read a connection string: server (host; host,port; host\instance;
 * tcp:host), port, user id, password, database, encrypt, trust server
 * certificate, ca file, application name, application intent, connect
 * timeout, query timeout, and their usual other spellings. Time-outs that it
 * does not name stay as they are in `login`; everything else is overwritten.
 * On -1 `err` is ERROR_CONFIG and nothing needs a release.
 */
int tds_login_parse(struct tds_login *login, const char *connection_string,
		    struct error *err) __attribute__((warn_unused_result));

/* Set host, port and instance from "host", "host,port" or "host\instance". */
int tds_login_set_server(struct tds_login *login, const char *server,
			 struct error *err) __attribute__((warn_unused_result));

/* A deep copy that names another database (NULL: the same). */
int tds_login_copy(struct tds_login *to, const struct tds_login *from,
		   const char *database, struct error *err)
	__attribute__((warn_unused_result));

void tds_login_release(struct tds_login *login); /* safe on zeroed memory */

/* "host,port" or "host\instance", for messages. */
void tds_login_address(const struct tds_login *login, char *out, int size);

#endif
