#include "pg/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <libpq-fe.h>

#include "base/connstr.h"
#include "base/secret.h"
#include "base/text.h"

#define DEFAULT_PORT "5432"

/* Room for every keyword that a libpq has, and then some. */
#define KEYWORDS_MAX 96

/* What other systems' drivers call libpq's keywords. */
static const struct {
	const char *keyword, *names;
} spellings[] = {
	{"host", "host|server|data source|address|addr|network address"},
	{"dbname", "database|initial catalog|dbname"},
	{"user", "user id|uid|user|username"},
	{"password", "password|pwd"},
	{"application_name", "application name|app name|app"},
	{"connect_timeout",
	 "connect timeout|connection timeout|login timeout|dial timeout"},
};

/* Each connection says these itself. */
static bool is_ours(const char *keyword)
{
	return !strcmp(keyword, "replication") ||
	       !strcmp(keyword, "client_encoding") ||
	       !strcmp(keyword, "fallback_application_name");
}

void pg_login_release(struct pg_login *login)
{
	for (size_t i = 0; login->keywords && login->keywords[i]; i++) {
		free(login->keywords[i]);
		secret_free(login->values[i]);
	}
	free(login->keywords);
	free(login->values);
	login->keywords = NULL;
	login->values = NULL;
}

const char *pg_login_value(const struct pg_login *login, const char *keyword)
{
	for (size_t i = 0; login->keywords[i]; i++)
		if (!strcmp(login->keywords[i], keyword))
			return login->values[i];
	return NULL;
}

static int add(struct pg_login *login, const char *keyword, const char *value,
	       struct error *err)
{
	size_t count = 0;

	while (login->keywords[count])
		count++;
	if (count == KEYWORDS_MAX)
		return error_set(err, ERROR_CONFIG,
				 "connection string: more than %d keys",
				 KEYWORDS_MAX);
	login->values[count] = strdup(value);
	if (!login->values[count])
		return error_memory(err, "a login");
	login->keywords[count] = strdup(keyword);
	if (login->keywords[count])
		return 0;
	secret_free(login->values[count]);
	login->values[count] = NULL;
	return error_memory(err, "a login");
}

/* ------------------------------------------------------- key=value;key=value */

/* "host,port" has the port in it; "host,host" is libpq's own, a choice. */
static int add_host(struct pg_login *login, const char *value,
		    struct error *err)
{
	char host[512], *comma, *name;
	long port;

	if (strlen(value) >= sizeof(host))
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'server' is too long");
	text_copy(host, sizeof(host), value);
	name = text_istarts(host, "tcp:") ? host + 4 : host;
	comma = strrchr(name, ',');
	if (!comma || strchr(name, ',') != comma ||
	    !text_to_long(comma + 1, &port))
		return add(login, "host", text_trim(name), err);
	*comma = '\0';
	if (port < 1 || port > 65535)
		return error_set(err, ERROR_CONFIG,
				 "connection string: the server's port must be "
				 "a number from 1 to 65535");
	if (add(login, "host", text_trim(name), err) < 0)
		return -1;
	return add(login, "port", text_trim(comma + 1), err);
}

static const char *names_of(const char *keyword)
{
	for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++)
		if (!strcmp(spellings[i].keyword, keyword))
			return spellings[i].names;
	return keyword;
}

static int read_keyword(struct pg_login *login, struct connstr *cs,
			const char *keyword, struct error *err)
{
	const char *value;

	if (is_ours(keyword) || !strcmp(keyword, "connect_timeout"))
		return 0;
	value = connstr_get(cs, names_of(keyword));
	if (!value)
		return 0;
	if (!strcmp(keyword, "host"))
		return add_host(login, value, err);
	if (!strcmp(keyword, "port") && pg_login_value(login, "port"))
		return error_set(err, ERROR_CONFIG,
				 "connection string: the port is given twice, "
				 "in 'server' and in 'port'");
	return add(login, keyword, value, err);
}

/* It may come from where libpq's other programs have it. */
static int check_server(const struct pg_login *login, struct error *err)
{
	static const char *const keywords[] = {"host", "hostaddr", "service"};
	static const char *const variables[] = {"PGHOST", "PGHOSTADDR",
						"PGSERVICE"};

	for (int i = 0; i < 3; i++) {
		const char *value = pg_login_value(login, keywords[i]);

		if ((value && *value) || getenv(variables[i]))
			return 0;
	}
	return error_set(err, ERROR_CONFIG,
			 "connection string: 'server' is missing");
}

static int read_list(struct pg_login *login, struct connstr *cs,
		     const PQconninfoOption *known, struct error *err)
{
	for (; known->keyword; known++)
		if (read_keyword(login, cs, known->keyword, err) < 0)
			return -1;
	if (connstr_get_int(cs, names_of("connect_timeout"), 1, 3600,
			    &login->login_timeout_s, err) < 0 ||
	    connstr_get_int(cs, "query timeout|command timeout", 0, 86400,
			    &login->query_timeout_s, err) < 0)
		return -1;
	if (connstr_check_unused(cs, err) == 0)
		return check_server(login, err);
	text_append(err->message, sizeof(err->message),
		    "; known are server, port, user id, password, database, "
		    "sslmode, ssl root cert, ssl cert, ssl key, service, "
		    "passfile, application name, connect timeout, query "
		    "timeout, and the parameters of libpq");
	return -1;
}

static int parse_list(struct pg_login *login, const char *text,
		      struct error *err)
{
	PQconninfoOption *known = PQconndefaults();
	struct connstr cs;
	int ret;

	if (!known)
		return error_memory(err, "a login");
	ret = connstr_parse(&cs, text, err);
	if (ret == 0) {
		ret = read_list(login, &cs, known, err);
		connstr_release(&cs);
	}
	PQconninfoFree(known);
	return ret;
}

/* --------------------------------------------------------------------- URLs */

static void wipe_and_free(PQconninfoOption *options)
{
	for (PQconninfoOption *o = options; o && o->keyword; o++)
		if (o->val)
			OPENSSL_cleanse(o->val, strlen(o->val));
	PQconninfoFree(options);
}

static bool is_parameter(const char *name, size_t len)
{
	PQconninfoOption *known = PQconndefaults();
	bool found = !known || (len == 3 && !strncmp(name, "ssl", 3));

	for (PQconninfoOption *o = known; o && o->keyword && !found; o++)
		found = strlen(o->keyword) == len &&
			!strncmp(o->keyword, name, len);
	PQconninfoFree(known);
	return found;
}

/*
 * libpq's own message repeats what it does not understand, which may be a piece
 * of a password. A parameter's name is none when nothing before it could be
 * taken for one.
 */
static int url_failed(const char *url, struct error *err)
{
	const char *query = strchr(url, '?');
	const char *at = strrchr(url, '@');
	size_t len;

	while (query && !(at && at > query)) {
		query++;
		len = strcspn(query, "=&");
		if (len &&
		    len == strspn(query, "abcdefghijklmnopqrstuvwxyz_") &&
		    !is_parameter(query, len))
			return error_set(err, ERROR_CONFIG,
					 "connection string: '%.*s' is not a "
					 "parameter that libpq knows; see "
					 "'Parameter Key Words' in its manual",
					 (int)len, query);
		query = strchr(query, '&');
	}
	return error_set(err, ERROR_CONFIG,
			 "connection string: the URL cannot be taken apart; "
			 "write postgresql://user:password@host:5432/database"
			 "?sslmode=verify-full, and in each part "
			 "%%40 for @, %%3A for :, %%2F for /, %%3F for ?, "
			 "%%25 for %%");
}

/*
 * With an @ or a / in the password that is not written as %40 or %2F, libpq
 * takes a part of the password for the host, the port or the database, and
 * everybody would read it there. The first @ ends the password, and the first
 * / begins the database.
 */
static bool is_torn(const char *url, const PQconninfoOption *options)
{
	const char *s = strstr(url, "://") + 3, *end = s + strcspn(s, "?");
	const char *at = memchr(s, '@', (size_t)(end - s));

	if (at && (memchr(s, '/', (size_t)(at - s)) ||
		   memchr(at + 1, '@', (size_t)(end - at - 1))))
		return true;
	for (; options->keyword; options++)
		if (!strcmp(options->keyword, "port") && options->val &&
		    options->val[strspn(options->val, "0123456789,")])
			return true;
	return false;
}

static int take_options(struct pg_login *login, const PQconninfoOption *options,
			struct error *err)
{
	long seconds;

	for (const PQconninfoOption *o = options; o->keyword; o++) {
		if (!o->val || !strcmp(o->keyword, "fallback_application_name"))
			continue;
		if (is_ours(o->keyword))
			return error_set(err, ERROR_CONFIG,
					 "connection string: leave '%s' out, "
					 "the daemon sets it",
					 o->keyword);
		if (!strcmp(o->keyword, "connect_timeout")) {
			if (!text_to_long(o->val, &seconds) || seconds < 1 ||
			    seconds > 3600)
				return error_set(err, ERROR_CONFIG,
						 "connection string: "
						 "'connect_timeout' must be a "
						 "whole number from 1 to 3600");
			login->login_timeout_s = (int)seconds;
			continue;
		}
		if (add(login, o->keyword, o->val, err) < 0)
			return -1;
	}
	return 0;
}

static int parse_url(struct pg_login *login, const char *url, struct error *err)
{
	struct connstr_entry found = {.key = NULL};
	PQconninfoOption *options = NULL;
	char *message = NULL;
	struct strbuf text;
	int ret = -1;

	strbuf_init(&text);
	if (connstr_expand_url(url, &found, &text, err) < 0)
		goto done;
	options = PQconninfoParse(text.data, &message);
	if (options && !is_torn(text.data, options))
		ret = take_options(login, options, err);
	else if (options || message)
		url_failed(url, err);
	else
		error_memory(err, "a login");
done:
	if (message)
		OPENSSL_cleanse(message, strlen(message));
	PQfreemem(message);
	wipe_and_free(options);
	free(found.exposed);
	secret_release(&text);
	return ret;
}

/* ---------------------------------------------------------------- together */

int pg_login_parse(struct pg_login *login, const char *connection_string,
		   struct error *err)
{
	int ret = -1;

	login->keywords = calloc(KEYWORDS_MAX + 1, sizeof(*login->keywords));
	login->values = calloc(KEYWORDS_MAX + 1, sizeof(*login->values));
	if (!login->keywords || !login->values)
		error_memory(err, "a login");
	else if (!connstr_is_url(connection_string))
		ret = parse_list(login, connection_string, err);
	else if (text_istarts(connection_string, "postgresql://") ||
		 text_istarts(connection_string, "postgres://"))
		ret = parse_url(login, connection_string, err);
	else
		error_set(err, ERROR_CONFIG,
			  "connection string: the URL of a PostgreSQL server "
			  "begins with postgresql://");
	if (ret < 0)
		pg_login_release(login);
	return ret;
}

/* As libpq does: what the string leaves open comes from the environment. */
static const char *with_default(const struct pg_login *login,
				const char *keyword, const char *variable,
				const char *otherwise)
{
	const char *value = pg_login_value(login, keyword);

	if (!value || !*value)
		value = getenv(variable);
	return value && *value ? value : otherwise;
}

void pg_login_address(const struct pg_login *login, char *out, int size)
{
	const char *service = with_default(login, "service", "PGSERVICE", NULL);
	const char *host = with_default(login, "host", "PGHOST", NULL);

	if (!host)
		host = with_default(login, "hostaddr", "PGHOSTADDR", NULL);
	if (!host && service)
		snprintf(out, (size_t)size, "service %s", service);
	else
		snprintf(out, (size_t)size, "%s,%s", host ? host : "localhost",
			 with_default(login, "port", "PGPORT", DEFAULT_PORT));
}
