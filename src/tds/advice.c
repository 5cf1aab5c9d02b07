/*
 * FreeTDS gives one number for everything that ends a login before the server
 * has said a word: a certificate that is refused, a server without encryption,
 * another program on that port. So where encryption was asked for, a probe
 * looks for the reason.
 */
#include "tds/advice.h"

#include <stdio.h>

#include <sybfront.h>
#include <sybdb.h>
#include <syberror.h>

#include "base/platform.h"
#include "base/text.h"
#include "tds/probe.h"

/* Somebody who is not whom he says would be refused. */
static bool checks_certificate(const struct tds_login *login)
{
	return login->ca_file || (login->encryption == TDS_ENCRYPT_REQUIRE &&
				  !login->trust_certificate);
}

static bool is_about_encryption(const struct tds_login *login, int number)
{
	if (number != SYBEFCON && number != SYBESEOF && number != SYBEREAD &&
	    number != SYBEWRIT)
		return false;
	return login->encryption == TDS_ENCRYPT_REQUIRE ||
	       (login->encryption == TDS_ENCRYPT_REQUEST && login->ca_file);
}

static void append(struct error *err, const char *text)
{
	text_append(err->message, sizeof(err->message), text);
}

/*
 * The server hung up, or we did, before it said why, and the probe found
 * nothing.
 */
static void advise_handshake(const struct tds_login *login, struct error *err)
{
	if (login->encryption == TDS_ENCRYPT_OFF)
		append(err, "; is it a SQL Server, and does it take "
			    "connections without encryption? If not, leave "
			    "encrypt=disable out");
	else if (checks_certificate(login))
		append(err, "; is it a SQL Server whose certificate is valid, "
			    "made for that name, and from a CA in 'ca file'?");
	else
		append(err, "; is it a SQL Server? Its error log may tell "
			    "more");
}

static void advise_address(const struct tds_login *login, struct error *err)
{
	if (login->instance && !login->port)
		append(err, "; the port of an instance is asked from SQL "
			    "Server Browser: is the instance's name right, "
			    "does the Browser run, and is its UDP port 1434 "
			    "open? Or give the port, as server=host,port");
	else
		append(err, "; check name and port, that TCP/IP is enabled "
			    "there, and the firewall");
}

static void advise(const struct tds_login *login, struct error *err)
{
	switch (err->native) {
	case 4060:
	case 911:
	case 916:
		append(err, "; create that database, or a user for this login "
			    "in it");
		break;
	case 978:
		append(err, "; set application intent=ReadOnly");
		break;
	case 18456:
	case 18470:
	case 18486:
	case 18487:
	case 18488:
		append(err, "; check 'user id' and 'password', and that the "
			    "server still takes this login");
		break;
	case 18452:
		append(err, "; use a login of SQL Server, and let the server "
			    "take such logins (mixed mode)");
		break;
	case SYBETIME:
	case SYBECONN:
		advise_address(login, err);
		break;
	case SYBEFCON:
	case SYBESEOF:
	case SYBEREAD:
	case SYBEWRIT:
		advise_handshake(login, err);
		break;
	default:
		break;
	}
}

void tds_advise_login(const struct tds_login *login, struct error *err)
{
	char address[320];
	bool explained;

	if (err->kind != ERROR_CONNECTION)
		return;
	tds_login_address(login, address, sizeof(address));
	if (err->native == SYBETIME) {
		error_set(err, ERROR_CONNECTION, "no answer within %d s",
			  login->login_timeout_s);
		err->native = SYBETIME;
	} else if (err->native == SYBEFCON) {
		error_set(err, ERROR_CONNECTION,
			  "the login came to no end (FreeTDS error %d)",
			  SYBEFCON);
		err->native = SYBEFCON;
	}
	/* FreeTDS does not say that a name has no address. */
	if (err->retryable)
		platform_check_host(login->host, err);
	explained = is_about_encryption(login, err->native) &&
		    tds_probe_encryption(login, err);
	error_wrap(err, "server '%s', login '%s'", address, login->user);
	if (!err->native)
		append(err, "; check the server's name");
	else if (!explained)
		advise(login, err);
}

void tds_advise_session(const char *address, int query_timeout_s,
			struct error *err)
{
	if (err->kind != ERROR_CONNECTION)
		return;
	if (err->native == SYBETIME) {
		error_set(err, ERROR_CONNECTION,
			  "no answer within %d s; are server and network up, "
			  "or does a statement wait for others? 'query "
			  "timeout' or query_timeout_seconds allow more",
			  query_timeout_s);
		err->native = SYBETIME;
	} else if (err->retryable) {
		append(err, "; if it happens again, the server's error log "
			    "tells more");
	}
	error_wrap(err, "server '%s'", address);
}
