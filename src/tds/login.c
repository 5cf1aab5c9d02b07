#include "tds/login.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/connstr.h"
#include "base/secret.h"
#include "base/text.h"

#define DEFAULT_APP_NAME "dbaops-dataflow"

static int copy_string(char **to, const char *from, struct error *err)
{
	free(*to);
	*to = NULL;
	if (!from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : error_memory(err, "a login");
}

void tds_login_release(struct tds_login *login)
{
	free(login->host);
	free(login->instance);
	free(login->user);
	secret_free(login->password);
	free(login->database);
	free(login->app_name);
	free(login->ca_file);
	memset(login, 0, sizeof(*login));
}

/*
 * The address ends up in a line of a configuration file that FreeTDS reads,
 * where a line break or a comment sign would mean something else.
 */
static bool address_is_sane(const char *s)
{
	for (; *s; s++)
		if (isspace((unsigned char)*s) || iscntrl((unsigned char)*s) ||
		    strchr(";#[]=,\\", *s))
			return false;
	return true;
}

static int set_port(struct tds_login *login, const char *text,
		    struct error *err)
{
	long port;

	if (!text_to_long(text, &port) || port < 1 || port > 65535)
		return error_set(err, ERROR_CONFIG,
				 "the server's port must be a number from 1 to "
				 "65535");
	login->port = (int)port;
	return 0;
}

int tds_login_set_server(struct tds_login *login, const char *server,
			 struct error *err)
{
	char buffer[512], *host = buffer, *comma, *backslash;
	const char *name;

	if (strlen(server) >= sizeof(buffer))
		return error_set(err, ERROR_CONFIG,
				 "the server's name is too long");
	text_copy(buffer, sizeof(buffer), server);
	if (text_istarts(host, "tcp:"))
		host += 4;
	login->port = 0;
	comma = strrchr(host, ',');
	if (comma) {
		*comma = '\0';
		if (set_port(login, comma + 1, err) < 0)
			return -1;
	}
	backslash = strchr(host, '\\');
	if (backslash)
		*backslash++ = '\0';
	name = text_trim(host);
	if (!*name || !strcmp(name, ".") || text_iequal(name, "(local)"))
		name = "localhost";
	if (!address_is_sane(name) ||
	    (backslash && !address_is_sane(backslash)))
		return error_set(err, ERROR_CONFIG,
				 "the server's name has characters that no "
				 "host name has");
	if (copy_string(&login->host, name, err) < 0 ||
	    copy_string(&login->instance,
			backslash && *backslash ? backslash : NULL, err) < 0)
		return -1;
	return 0;
}

static int read_encryption(struct tds_login *login, struct connstr *cs,
			   struct error *err)
{
	const char *value = connstr_get(cs, "encrypt|encryption");
	const char *ca_file = connstr_get(cs, "ca file|certificate");

	login->encryption = TDS_ENCRYPT_REQUEST;
	login->trust_certificate = false;
	if (connstr_get_bool(cs, "trust server certificate",
			     &login->trust_certificate, err) < 0 ||
	    copy_string(&login->ca_file, ca_file && *ca_file ? ca_file : NULL,
			err) < 0)
		return -1;
	if (!value)
		return 0;
	if (text_iequal(value, "disable"))
		login->encryption = TDS_ENCRYPT_OFF;
	else if (text_iequal(value, "false") || text_iequal(value, "no") ||
		 text_iequal(value, "optional") || !strcmp(value, "0"))
		login->encryption = TDS_ENCRYPT_REQUEST;
	else if (text_iequal(value, "true") || text_iequal(value, "yes") ||
		 text_iequal(value, "mandatory") || !strcmp(value, "1"))
		login->encryption = TDS_ENCRYPT_REQUIRE;
	else if (text_iequal(value, "strict"))
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'encrypt=strict' (TDS 8) "
				 "is not possible with this FreeTDS; use "
				 "encrypt=true");
	else
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'encrypt' must be "
				 "disable, false or true");
	return 0;
}

static int read_intent(struct tds_login *login, struct connstr *cs,
		       struct error *err)
{
	const char *value = connstr_get(cs, "application intent");

	login->read_only = false;
	if (!value || text_iequal(value, "readwrite"))
		return 0;
	if (!text_iequal(value, "readonly"))
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'application intent' must "
				 "be ReadOnly or ReadWrite");
	login->read_only = true;
	return 0;
}

static int read_all(struct tds_login *login, struct connstr *cs,
		    struct error *err)
{
	const char *server = connstr_get(
		cs, "server|data source|address|addr|network address|host");
	const char *port = connstr_get(cs, "port");
	const char *user = connstr_get(cs, "user id|uid|user|username");
	const char *app = connstr_get(cs, "application name|app name|app");

	if (!server || !*server)
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'server' is missing");
	if (!user || !*user)
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'user id' is missing");
	if (tds_login_set_server(login, server, err) < 0 ||
	    (port && set_port(login, port, err) < 0) ||
	    copy_string(&login->user, user, err) < 0 ||
	    copy_string(&login->password, connstr_get(cs, "password|pwd"),
			err) < 0 ||
	    copy_string(&login->database,
			connstr_get(cs, "database|initial catalog"), err) < 0 ||
	    copy_string(&login->app_name, app ? app : DEFAULT_APP_NAME, err) <
		    0 ||
	    read_encryption(login, cs, err) < 0 ||
	    read_intent(login, cs, err) < 0 ||
	    connstr_get_int(cs,
			    "connect timeout|connection timeout|login timeout|"
			    "dial timeout",
			    1, 3600, &login->login_timeout_s, err) < 0 ||
	    connstr_get_int(cs, "query timeout|command timeout", 0, 86400,
			    &login->query_timeout_s, err) < 0)
		return -1;
	if (connstr_check_unused(cs, err) == 0)
		return 0;
	text_append(err->message, sizeof(err->message),
		    "; known are server, port, user id, password, database, "
		    "encrypt, trust server certificate, ca file, application "
		    "name, application intent, connect timeout and query "
		    "timeout");
	return -1;
}

int tds_login_parse(struct tds_login *login, const char *connection_string,
		    struct error *err)
{
	struct connstr cs;
	int ret;

	if (connstr_parse(&cs, connection_string, err) < 0) {
		tds_login_release(login);
		return -1;
	}
	ret = read_all(login, &cs, err);
	if (ret < 0)
		tds_login_release(login);
	connstr_release(&cs);
	return ret;
}

int tds_login_copy(struct tds_login *to, const struct tds_login *from,
		   const char *database, struct error *err)
{
	memset(to, 0, sizeof(*to));
	to->port = from->port;
	to->encryption = from->encryption;
	to->trust_certificate = from->trust_certificate;
	to->read_only = from->read_only;
	to->login_timeout_s = from->login_timeout_s;
	to->query_timeout_s = from->query_timeout_s;
	if (copy_string(&to->host, from->host, err) < 0 ||
	    copy_string(&to->instance, from->instance, err) < 0 ||
	    copy_string(&to->user, from->user, err) < 0 ||
	    copy_string(&to->password, from->password, err) < 0 ||
	    copy_string(&to->database, database ? database : from->database,
			err) < 0 ||
	    copy_string(&to->app_name, from->app_name, err) < 0 ||
	    copy_string(&to->ca_file, from->ca_file, err) < 0) {
		tds_login_release(to);
		return -1;
	}
	return 0;
}

void tds_login_address(const struct tds_login *login, char *out, int size)
{
	if (login->instance && !login->port)
		snprintf(out, (size_t)size, "%s\\%s", login->host,
			 login->instance);
	else
		snprintf(out, (size_t)size, "%s,%d", login->host,
			 login->port ? login->port : 1433);
}
