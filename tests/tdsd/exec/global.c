#include "exec/global.h"

#include <string.h>
#include <strings.h>

#include "exec/frame.h"
#include "exec/server.h"
#include "plan/translate.h"
#include "store/catalog.h"
#include "value/collation.h"
#include "value/decimal.h"

enum global {
	G_ROWCOUNT,
	G_ERROR,
	G_TRANCOUNT,
	G_IDENTITY,
	G_SPID,
	G_VERSION,
	G_SERVERNAME,
	G_SERVICENAME,
	G_LANGUAGE,
	G_LANGID,
	G_NESTLEVEL,
	G_DBTS,
	G_DATEFIRST,
	G_LOCK_TIMEOUT,
	G_MAX_PRECISION,
	G_MAX_CONNECTIONS,
	G_MICROSOFTVERSION,
	G_OPTIONS,
	G_PROCID,
	G_TEXTSIZE,
};

static const struct {
	const char *name;
	enum global id;
	enum type_kind kind;
	int len;
} globals[] = {
	{"@@rowcount", G_ROWCOUNT, TY_INT, 0},
	{"@@error", G_ERROR, TY_INT, 0},
	{"@@trancount", G_TRANCOUNT, TY_INT, 0},
	{"@@identity", G_IDENTITY, TY_NUMERIC, 0},
	{"@@spid", G_SPID, TY_SMALLINT, 0},
	{"@@version", G_VERSION, TY_NVARCHAR, 600},
	{"@@servername", G_SERVERNAME, TY_NVARCHAR, 256},
	{"@@servicename", G_SERVICENAME, TY_NVARCHAR, 256},
	{"@@language", G_LANGUAGE, TY_NVARCHAR, 256},
	{"@@langid", G_LANGID, TY_SMALLINT, 0},
	{"@@nestlevel", G_NESTLEVEL, TY_INT, 0},
	{"@@dbts", G_DBTS, TY_VARBINARY, 8},
	{"@@datefirst", G_DATEFIRST, TY_TINYINT, 0},
	{"@@lock_timeout", G_LOCK_TIMEOUT, TY_INT, 0},
	{"@@max_precision", G_MAX_PRECISION, TY_TINYINT, 0},
	{"@@max_connections", G_MAX_CONNECTIONS, TY_INT, 0},
	{"@@microsoftversion", G_MICROSOFTVERSION, TY_INT, 0},
	{"@@options", G_OPTIONS, TY_INT, 0},
	{"@@procid", G_PROCID, TY_INT, 0},
	{"@@textsize", G_TEXTSIZE, TY_INT, 0},
};

struct type global_type(const char *name)
{
	size_t i;

	for (i = 0; i < LENGTH_OF(globals); i++) {
		if (strcasecmp(globals[i].name, name) != 0)
			continue;
		if (globals[i].kind == TY_NUMERIC) {
			struct type t = type_decimal(38, 0);

			t.kind = TY_NUMERIC;
			return t;
		}
		if (globals[i].len)
			return type_char(globals[i].kind, globals[i].len,
					 COLLATION_DEFAULT);
		return type_of(globals[i].kind);
	}
	return type_of(TY_NONE);
}

static int options(const struct session *s)
{
	return (s->set.implicit_tran ? 2 : 0) | (s->set.ansi_warnings ? 8 : 0) |
	       16 /* ANSI_PADDING */ | 32 /* ANSI_NULLS */ |
	       (s->set.arithabort ? 64 : 0) |
	       (s->set.quoted_identifier ? 256 : 0) |
	       (s->set.nocount ? 512 : 0) |
	       (s->set.ansi_null_dflt_on ? 1024 : 0) |
	       (s->set.concat_null ? 4096 : 0) |
	       (s->set.xact_abort ? 16384 : 0);
}

static struct val text(const char *p)
{
	return val_text(p, strlen(p));
}

static struct val dbts(struct session *s)
{
	static _Thread_local char bytes[8];
	struct diag d;
	struct attached *home = session_attach(s, s->db, &d);
	int64_t n = 0;
	int i;

	if (home)
		catalog_int(s, &d, &n,
			    "SELECT rowversion FROM %s._cat WHERE id = 1",
			    home->prefix);
	for (i = 0; i < 8; i++)
		bytes[i] = (char)((uint64_t)n >> (56 - 8 * i));
	return val_blob(bytes, 8);
}

/* The value is numeric(38,0): stored as a blob. */
static struct val identity(struct session *s)
{
	static _Thread_local char buf[DECIMAL_BLOB];

	if (s->identity.cls != VAL_INT)
		return val_null();
	return decimal_store(s->identity.i, 38, buf);
}

struct val global_value(struct session *s, const char *name)
{
	enum global id = G_ROWCOUNT;
	size_t i;

	for (i = 0; i < LENGTH_OF(globals); i++)
		if (!strcasecmp(globals[i].name, name))
			id = globals[i].id;
	switch (id) {
	case G_ROWCOUNT:
		return val_int(s->rowcount);
	case G_ERROR:
		return val_int(s->error);
	case G_TRANCOUNT:
		return val_int(s->trancount);
	case G_IDENTITY:
		return identity(s);
	case G_SPID:
		return val_int(s->spid);
	case G_VERSION:
		return text(VERSION_TEXT);
	case G_SERVERNAME:
		return text(s->server->name);
	case G_SERVICENAME:
		return text("MSSQLSERVER");
	case G_LANGUAGE:
		return text(s->set.language);
	case G_LANGID:
		return val_int(0);
	case G_NESTLEVEL:
		return val_int(s->nest);
	case G_DBTS:
		return dbts(s);
	case G_DATEFIRST:
		return val_int(s->set.datefirst);
	case G_LOCK_TIMEOUT:
		return val_int(s->set.lock_timeout);
	case G_MAX_PRECISION:
		return val_int(38);
	case G_MAX_CONNECTIONS:
		return val_int(32767);
	case G_MICROSOFTVERSION:
		return val_int(0x0F0010E2);
	case G_OPTIONS:
		return val_int(options(s));
	case G_PROCID:
		return val_int(s->frame ? s->frame->proc_id : 0);
	case G_TEXTSIZE:
		return val_int(s->set.textsize < 0 ? -1 : s->set.textsize);
	default:
		return val_int(0);
	}
}

struct ex tr_global(struct tr *t, const struct expr *e)
{
	struct type type = global_type(e->text);

	if (type.kind == TY_NONE)
		return tr_fail(t, 137, e->text, NULL);
	t->deterministic = false;
	return tr_ex(tr_printf(t, "gv('%s')", e->text), type,
		     !strcasecmp(e->text, "@@identity"));
}
