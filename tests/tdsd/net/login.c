#include "net/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "exec/output.h"
#include "exec/security.h"
#include "exec/server.h"
#include "fault/fault.h"
#include "net/typeio.h"
#include "value/utf.h"

enum { ENCRYPT_OFF, ENCRYPT_ON, ENCRYPT_NOT_SUP, ENCRYPT_REQ };

/* --- PRELOGIN --- */

/* The client's wish for encryption, out of the option table. */
static int client_encryption(const unsigned char *p, size_t len)
{
	size_t at = 0;

	while (at + 5 <= len && p[at] != 0xFF) {
		size_t offset = (size_t)p[at + 1] << 8 | p[at + 2];
		size_t size = (size_t)p[at + 3] << 8 | p[at + 4];

		if (p[at] == 1 && size >= 1 && offset < len)
			return p[offset];
		at += 5;
	}
	return ENCRYPT_NOT_SUP;
}

static void prelogin_reply(struct conn *c, int encryption)
{
	/* version, encryption, instance, thread id, MARS */
	static const unsigned char table[] = {0, 0, 26, 0,  6,	1, 0, 32,  0,
					      1, 2, 0,	33, 0,	1, 3, 0,   34,
					      0, 0, 4,	0,  34, 0, 1, 0xFF};
	const unsigned char version[6] = {15, 0, 4322 >> 8, 4322 & 0xFF, 0, 0};

	conn_put(c, table, sizeof(table));
	conn_put(c, version, 6);
	conn_put8(c, (unsigned)encryption);
	conn_put8(c, 0);
	conn_put8(c, 0);
	conn_flush(c, true);
}

/* What we answer to what the client wants. */
static int agree(const struct conn *c, int wanted)
{
	if (!c->server->tls)
		return ENCRYPT_NOT_SUP;
	switch (wanted) {
	case ENCRYPT_ON:
	case ENCRYPT_REQ:
		return ENCRYPT_ON;
	case ENCRYPT_OFF:
		return ENCRYPT_OFF;
	default:
		return ENCRYPT_NOT_SUP;
	}
}

/* --- LOGIN7 --- */

struct login7 {
	uint32_t version, packet_size, pid;
	unsigned flags2, flags3;
	char *host, *user, *password, *app, *server, *library, *language,
		*database;
};

static uint32_t le32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

/* A string of the variable part; NULL when it lies outside the message. */
static char *field(struct arena *pool, const unsigned char *p, size_t len,
		   size_t at, bool password)
{
	size_t offset = (size_t)p[at] | (size_t)p[at + 1] << 8;
	size_t chars = (size_t)p[at + 2] | (size_t)p[at + 3] << 8;
	unsigned char *raw;
	struct strbuf sb;
	char *text;
	size_t i;

	if (!chars)
		return pool_strdup(pool, "");
	if (chars > 4000 || offset > len || chars * 2 > len - offset)
		return NULL;
	raw = mem_alloc(chars * 2);
	memcpy(raw, p + offset, chars * 2);
	for (i = 0; password && i < chars * 2; i++) {
		unsigned char b = raw[i] ^ 0xA5;

		raw[i] = (unsigned char)(b << 4 | b >> 4);
	}
	strbuf_init(&sb);
	utf_from_16le(&sb, raw, chars * 2);
	text = pool_strndup(pool, sb.data, sb.len);
	strbuf_release(&sb);
	free(raw);
	return text;
}

static bool parse_login7(struct arena *pool, const unsigned char *p, size_t len,
			 struct login7 *l)
{
	memset(l, 0, sizeof(*l));
	if (len < 94 || le32(p) > len)
		return false;
	l->version = le32(p + 4);
	l->packet_size = le32(p + 8);
	l->pid = le32(p + 16);
	l->flags2 = p[25];
	l->flags3 = p[27];
	l->host = field(pool, p, len, 36, false);
	l->user = field(pool, p, len, 40, false);
	l->password = field(pool, p, len, 44, true);
	l->app = field(pool, p, len, 48, false);
	l->server = field(pool, p, len, 52, false);
	l->library = field(pool, p, len, 60, false);
	l->language = field(pool, p, len, 64, false);
	l->database = field(pool, p, len, 68, false);
	return l->host && l->user && l->password && l->app && l->server &&
	       l->library && l->language && l->database;
}

/* The version we will speak: the client's, between 7.1 and 7.4. */
static bool choose_version(struct conn *c, uint32_t wanted)
{
	switch (wanted) {
	case 0x71000001:
	case 0x72090002:
	case 0x730A0003:
	case 0x730B0003:
	case 0x74000004:
		c->tds_version = wanted;
		return true;
	case 0x71000000:
	case 0x01000071:
		c->tds_version = 0x71000001;
		return true;
	default:
		if (wanted > 0x74000004) {
			c->tds_version = 0x74000004;
			return true;
		}
		if (wanted >= 0x72000000 && wanted < 0x73000000) {
			c->tds_version = 0x72090002;
			return true;
		}
		return wanted >= 0x71000000;
	}
}

static void refuse(struct session *s, const struct diag *first, int number,
		   const char *user)
{
	struct diag d;

	if (first) {
		struct diag copy = *first;

		copy.line = 1;
		output_message(s, &copy);
	}
	diag_set(&d, number, user);
	d.line = 1;
	output_message(s, &d);
	output_done(s, CMD_NONE, -1, true);
	output_end(s);
}

static void take_identity(struct session *s, const struct login7 *l,
			  const struct login *login)
{
	text_copy(s->original_login, sizeof(s->original_login), login->name);
	text_copy(s->host, sizeof(s->host), l->host);
	text_copy(s->client, sizeof(s->client), l->library);
	s->client_pid = (int)l->pid;
	text_copy(s->address, sizeof(s->address), s->conn->address);
	session_become(s, login); /* last: from now on others see it */
}

static void packet_size(struct session *s, uint32_t wanted)
{
	struct conn *c = s->conn;
	size_t size = wanted ? wanted : 4096;

	if (size < PACKET_MIN)
		size = PACKET_MIN;
	if (size > PACKET_MAX)
		size = PACKET_MAX;
	output_packet_size(s, c->packet_size, size);
	conn_flush(c, false);
	c->packet_size = size;
}

static bool open_database(struct session *s, const struct login7 *l,
			  const struct login *login)
{
	const char *name = *l->database		      ? l->database
			   : *login->default_database ? login->default_database
						      : "master";
	struct diag d;

	if (session_open(s, name, &d) == 0)
		return true;
	if (d.number == 911 || d.number == 916 || d.number == 942)
		diag_set(&d, *l->database ? 4060 : 4064, name);
	refuse(s, &d, 18456, l->user);
	return false;
}

static void ansi_defaults(struct session *s, bool odbc)
{
	/*
	 * Clients that do not speak ODBC start with the old behaviour, except
	 * for ANSI_NULLS and ANSI_PADDING, which know no OFF here. Of 'user
	 * options' there is IMPLICIT_TRANSACTIONS.
	 */
	s->set.implicit_tran =
		!odbc && (server_config_get(s->server, "user options") & 2);
	s->set.ansi_warnings = s->set.arithabort = odbc;
	s->set.ansi_null_dflt_on = odbc;
	s->set.concat_null = s->set.quoted_identifier = odbc;
	s->login_set = s->set;
}

static bool authenticate(struct session *s, const struct login7 *l)
{
	struct login login;
	struct diag fault;

	text_copy(s->app, sizeof(s->app), l->app); /* faults ask for it */
	if (fault_login(s, &fault) < 0) {
		if (!s->broken)
			refuse(s, &fault, 18456, l->user);
		return false;
	}
	if (login_find(&s->server->registry, l->user, &login) < 0 ||
	    !login_check(&login, l->password)) {
		refuse(s, NULL, 18456, l->user);
		return false;
	}
	if (login.disabled) {
		refuse(s, NULL, 18470, l->user);
		return false;
	}
	take_identity(s, l, &login);
	ansi_defaults(s, (l->flags2 & 2) != 0);
	if (!open_database(s, l, &login))
		return false;
	{
		char name[130 * 4];

		database_name(&s->server->registry, s->db, name, sizeof(name));
		output_database(s, "master", name);
		output_collation(s);
		output_language(s, "us_english");
	}
	output_login_ack(s);
	packet_size(s, l->packet_size);
	output_done(s, CMD_NONE, -1, false);
	output_end(s);
	return true;
}

bool login_run(struct session *s)
{
	struct conn *c = s->conn;
	struct strbuf msg;
	struct arena pool;
	struct login7 l;
	bool ok = false;
	int encryption = ENCRYPT_NOT_SUP, type;

	strbuf_init_max(&msg, 128 * 1024);
	arena_init(&pool, 1 << 20);
	if (!conn_wait(c, 30000))
		goto done;
	type = conn_next_message(c);
	if (type == PKT_PRELOGIN) {
		if (conn_read_all(c, &msg) < 0)
			goto done;
		encryption =
			agree(c, client_encryption((unsigned char *)msg.data,
						   msg.len));
		prelogin_reply(c, encryption);
		if ((encryption == ENCRYPT_ON || encryption == ENCRYPT_OFF) &&
		    conn_start_tls(c) < 0)
			goto done;
		if (!conn_wait(c, 30000))
			goto done;
		type = conn_next_message(c);
	}
	strbuf_reset(&msg);
	if (type != PKT_LOGIN7 || conn_read_all(c, &msg) < 0)
		goto done;
	if (encryption == ENCRYPT_OFF) /* only the login was to be hidden */
		conn_stop_tls(c);
	if (!parse_login7(&pool, (unsigned char *)msg.data, msg.len, &l) ||
	    !choose_version(c, l.version))
		goto done;
	if (l.flags2 & 0x80) { /* integrated security */
		refuse(s, NULL, 18456, l.user);
		goto done;
	}
	ok = authenticate(s, &l);
done:
	strbuf_release(&msg);
	arena_release(&pool);
	return ok;
}
