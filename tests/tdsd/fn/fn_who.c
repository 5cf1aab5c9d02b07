/*
 * Logins, users and roles; and what the session knows of itself: its
 * transaction, locks, identity values and the error it is handling.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "exec/applock.h"
#include "exec/context.h"
#include "exec/frame.h"
#include "exec/perm.h"
#include "exec/server.h"
#include "fn/meta.h"
#include "fn/who.h"

/* --- logins --- */

size_t login_sid(int id, unsigned char sid[16])
{
	static const unsigned char tail[12] = {0x54, 0x44, 0x53, 0x44,
					       0x80, 0x41, 0x73, 0x69,
					       0x64, 0x2E, 0x30, 0x31};
	int i;

	sid[0] = 1;
	if (id == 1)
		return 1;
	for (i = 0; i < 4; i++)
		sid[i] = (unsigned char)((unsigned)id >> (8 * i));
	memcpy(sid + 4, tail, sizeof(tail));
	return 16;
}

static int sid_login(const char *p, size_t n)
{
	unsigned char sid[16];
	int id = 0, i;

	if (n == 1 && p[0] == 1)
		return 1;
	if (n != 16)
		return 0;
	for (i = 3; i >= 0; i--)
		id = id << 8 | (unsigned char)p[i];
	return login_sid(id, sid) == 16 && !memcmp(sid, p, 16) ? id : 0;
}

static void result_login(sqlite3_context *ctx, int id)
{
	struct session *s = fn_session(ctx);
	struct login l;

	if (id && login_by_id(&s->server->registry, id, &l) == 0)
		meta_result(ctx, l.name);
}

static void suser_sname(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	if (fn_null(ctx, argc, argv))
		return;
	if (!argc)
		meta_result(ctx, fn_session(ctx)->login);
	else
		result_login(ctx,
			     sid_login(sqlite3_value_blob(argv[0]),
				       (size_t)sqlite3_value_bytes(argv[0])));
}

static void suser_name(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	if (fn_null(ctx, argc, argv))
		return;
	if (!argc)
		meta_result(ctx, fn_session(ctx)->login);
	else
		result_login(ctx, sqlite3_value_int(argv[0]));
}

/* The login an argument names, or the session's own; 0 when none. */
static int login_arg(struct session *s, int argc, sqlite3_value **argv)
{
	struct arena pool;
	struct login l;
	int id = s->login_id;

	if (!argc)
		return id;
	arena_init(&pool, 0);
	id = login_find(&s->server->registry, meta_text(&pool, argc, argv, 0),
			&l) == 0
		     ? l.id
		     : 0;
	arena_release(&pool);
	return id;
}

static void suser_id(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	int id;

	if (fn_null(ctx, argc, argv))
		return;
	id = login_arg(fn_session(ctx), argc, argv);
	if (id)
		sqlite3_result_int(ctx, id);
}

static void suser_sid(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	unsigned char sid[16];
	int id;

	if (fn_null(ctx, argc, argv))
		return;
	id = login_arg(fn_session(ctx), argc, argv);
	if (id)
		sqlite3_result_blob64(ctx, sid, login_sid(id, sid),
				      SQLITE_TRANSIENT);
}

/* login_sid_(id): for the views that show logins and users. */
static void fn_login_sid(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	unsigned char sid[16];

	if (fn_null(ctx, argc, argv))
		return;
	sqlite3_result_blob64(ctx, sid,
			      login_sid(sqlite3_value_int(argv[0]), sid),
			      SQLITE_TRANSIENT);
}

static void original_login(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);

	(void)argc;
	(void)argv;
	meta_result(ctx, s->original_login[0] ? s->original_login : s->login);
}

static bool is_server_role(const char *name)
{
	static const char *const roles[] = {
		"sysadmin",   "securityadmin", "serveradmin",
		"setupadmin", "processadmin",  "diskadmin",
		"dbcreator",  "bulkadmin",     "public"};
	size_t i;

	for (i = 0; i < LENGTH_OF(roles); i++)
		if (!strcasecmp(roles[i], name))
			return true;
	return false;
}

static void is_srvrolemember(sqlite3_context *ctx, int argc,
			     sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct arena pool;
	const char *role;
	int login;

	if (fn_null(ctx, argc, argv))
		return;
	arena_init(&pool, 0);
	role = meta_text(&pool, argc, argv, 0);
	login = login_arg(s, argc - 1, argv + 1);
	if (login && is_server_role(role))
		sqlite3_result_int(ctx,
				   !strcasecmp(role, "public") ||
					   login_in_role(&s->server->registry,
							 login, role));
	arena_release(&pool);
}

/* --- users --- */

static void user_name(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct attached *home = meta_home(s);
	char buf[130 * 4];

	if (fn_null(ctx, argc, argv) || !home)
		return;
	perm_user_name(s, home,
		       argc ? sqlite3_value_int(argv[0])
			    : perm_user_id(s, home),
		       buf, sizeof(buf));
	meta_result(ctx, buf[0] ? buf : NULL);
}

/* A principal's id by its name, -1 when there is none. */
static int principal_id(struct session *s, struct attached *home,
			const char *name)
{
	struct diag d;
	int64_t id = -1;

	catalog_int(s, &d, &id, "SELECT id FROM %s._principals WHERE name = %Q",
		    home->prefix, name);
	return (int)id;
}

static void user_id(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct attached *home = meta_home(s);
	struct arena pool;
	int id;

	if (fn_null(ctx, argc, argv) || !home)
		return;
	arena_init(&pool, 0);
	id = argc ? principal_id(s, home, meta_text(&pool, argc, argv, 0))
		  : perm_user_id(s, home);
	if (id >= 0)
		sqlite3_result_int(ctx, id);
	arena_release(&pool);
}

static bool member_of(struct session *s, struct attached *home, int user,
		      int role)
{
	struct diag d;
	int64_t in = 0;

	catalog_int(s, &d, &in,
		    "WITH RECURSIVE r(id) AS (SELECT %d UNION SELECT 0 UNION"
		    " SELECT m.role FROM %s._members m JOIN r ON m.member ="
		    " r.id) SELECT 1 FROM r WHERE id = %d",
		    user, home->prefix, role);
	return in;
}

/* IS_MEMBER(role), IS_ROLEMEMBER(role [, user]) */
static void is_rolemember(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct attached *home = meta_home(s);
	struct arena pool;
	int role, user;
	int64_t is_role = 0;
	struct diag d;

	if (fn_null(ctx, argc, argv) || !home)
		return;
	arena_init(&pool, 0);
	role = principal_id(s, home, meta_text(&pool, argc, argv, 0));
	user = argc > 1 ? principal_id(s, home, meta_text(&pool, argc, argv, 1))
			: perm_user_id(s, home);
	if (role >= 0 && user >= 0)
		catalog_int(s, &d, &is_role,
			    "SELECT type = 'R' FROM %s._principals WHERE id ="
			    " %d",
			    home->prefix, role);
	if (is_role)
		sqlite3_result_int(ctx, member_of(s, home, user, role));
	arena_release(&pool);
}

static void has_dbaccess(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct database *db;
	struct arena pool;
	struct diag d;

	arena_init(&pool, 0);
	db = meta_database(s, meta_text(&pool, argc, argv, 0));
	if (db)
		sqlite3_result_int(ctx,
				   !db->offline && perm_enter(s, db, &d) == 0);
	arena_release(&pool);
}

/* 1, 0, or -1 when the securable is not there. */
/* A name in brackets, out of them; another as it is. */
static const char *without_brackets(const char *name, char out[260])
{
	size_t len = 0;

	if (!name || *name != '[')
		return name;
	for (name++; *name && len < 259; name++) {
		if (*name == ']' && *++name != ']')
			break;
		out[len++] = *name;
	}
	out[len] = '\0';
	return out;
}

/* The right on one column of an object. */
static int has_column_perm(struct session *s, const struct object *o,
			   const char *column, const char *right)
{
	struct diag d;
	struct table *t = catalog_table(s, o->home, o->id, &d);
	int at = t ? table_column(t, column) : -1;
	int has = at < 0 ? -1 : perm_has_column(s, t, at, right);

	table_unref(t);
	return has;
}

static int has_perms(struct session *s, const char *what, const char *class_,
		     const char *right, const char *column)
{
	struct attached *home = meta_home(s);
	struct database *db;
	struct object o;
	struct diag d;
	char name[260];
	int id;

	if (!class_ || !*class_) {
		/* the server itself */
		if (what)
			return -1;
		return s->sysadmin || !strcasecmp(right, "CONNECT SQL") ||
		       !strcasecmp(right, "VIEW ANY DATABASE");
	}
	if (!strcasecmp(class_, "DATABASE") || !strcasecmp(class_, "SCHEMA"))
		what = without_brackets(what, name);
	if (!strcasecmp(class_, "DATABASE")) {
		db = what ? meta_database(s, what) : s->db;
		if (!db)
			return -1;
		if (perm_enter(s, db, &d) < 0)
			return 0;
		home = session_attach(s, db, &d);
		if (!home)
			return -1;
		return !strcasecmp(right, "CONNECT") ||
				       !strcasecmp(right, "ANY")
			       ? 1
			       : perm_has(s, home, 0, 0, 0, right);
	}
	if (!what || !home)
		return -1;
	if (!strcasecmp(class_, "SCHEMA")) {
		id = catalog_schema_id(s, home, what);
		return id ? perm_has(s, home, 3, id, id, right) : -1;
	}
	if (strcasecmp(class_, "OBJECT") != 0 || !meta_object(s, what, &o))
		return -1;
	if (column)
		return has_column_perm(s, &o, column, right);
	return !strcasecmp(right, "ANY") ||
	       perm_has(s, o.home, 1, o.id, o.schema_id, right);
}

static void has_perms_by_name(sqlite3_context *ctx, int argc,
			      sqlite3_value **argv)
{
	struct arena pool;
	const char *right;
	char upper[128];
	size_t i;
	int has;

	arena_init(&pool, 0);
	right = meta_text(&pool, argc, argv, 2);
	if (right) {
		text_copy(upper, sizeof(upper), right);
		for (i = 0; upper[i]; i++)
			if (upper[i] >= 'a' && upper[i] <= 'z')
				upper[i] = (char)(upper[i] - 32);
		has = has_perms(fn_session(ctx),
				meta_text(&pool, argc, argv, 0),
				meta_text(&pool, argc, argv, 1), upper,
				meta_text(&pool, argc, argv, 3));
		if (has >= 0)
			sqlite3_result_int(ctx, has);
	}
	arena_release(&pool);
}

/* --- the session --- */

static void scope_identity(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);

	(void)argc;
	(void)argv;
	if (s->frame && s->frame->scope_identity.cls == VAL_INT)
		meta_result_numeric(ctx, s->frame->scope_identity.i);
}

static void app_name(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	(void)argv;
	meta_result(ctx, fn_session(ctx)->app);
}

static void host_name(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);

	(void)argc;
	(void)argv;
	meta_result(ctx, s->host[0] ? s->host : NULL);
}

/* char(10): the client's process */
static void host_id(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	char buf[16];

	(void)argc;
	(void)argv;
	snprintf(buf, sizeof(buf), "%-10d", fn_session(ctx)->client_pid);
	meta_result(ctx, buf);
}

static void session_context(sqlite3_context *ctx, int argc,
			    sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	const struct val *v;
	struct arena pool;
	const char *key;
	struct type t;

	arena_init(&pool, 0);
	key = meta_text(&pool, argc, argv, 0);
	v = key ? context_get(s, key, &t) : NULL;
	if (v && t.kind == TY_VARIANT)
		fn_result(ctx, v);
	else if (v)
		meta_variant(ctx, v, t);
	arena_release(&pool);
}

static void context_info(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);

	(void)argc;
	(void)argv;
	if (s->context_info_len)
		sqlite3_result_blob(ctx, s->context_info, s->context_info_len,
				    SQLITE_TRANSIENT);
}

static void xact_state(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);

	(void)argc;
	(void)argv;
	sqlite3_result_int(ctx, !s->trancount ? 0 : s->doomed ? -1 : 1);
}

static void current_transaction(sqlite3_context *ctx, int argc,
				sqlite3_value **argv)
{
	(void)argc;
	(void)argv;
	sqlite3_result_int64(ctx, fn_session(ctx)->tran_id);
}

static void rowcount_big(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	(void)argv;
	sqlite3_result_int64(ctx, fn_session(ctx)->rowcount);
}

static void trigger_nestlevel(sqlite3_context *ctx, int argc,
			      sqlite3_value **argv)
{
	(void)argc;
	(void)argv;
	sqlite3_result_int(ctx, fn_session(ctx)->trigger_depth);
}

/* columns_updated_(bytes) */
static void columns_updated(sqlite3_context *ctx, int argc,
			    sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	int n = sqlite3_value_int(argv[0]);
	unsigned char all[128];

	(void)argc;
	if (n > (int)sizeof(all))
		n = (int)sizeof(all);
	memset(all, 0xFF, sizeof(all)); /* INSERT: every one */
	sqlite3_result_blob(ctx,
			    s->frame && s->frame->columns_updated
				    ? s->frame->columns_updated
				    : all,
			    n, SQLITE_TRANSIENT);
}

/* --- application locks --- */

static bool lock_arg(struct session *s, sqlite3_value **argv, char *buf,
		     size_t size)
{
	struct arena pool;
	const char *resource;

	arena_init(&pool, 0);
	resource = meta_text(&pool, 2, argv, 1);
	if (resource)
		applock_name(s, resource, buf, size);
	arena_release(&pool);
	return resource != NULL;
}

/* (principal, resource, owner) */
static void applock_mode(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	char name[LOCK_NAME_MAX];
	const char *mode;

	(void)argc;
	if (!lock_arg(s, argv, name, sizeof(name)))
		return;
	mode = lock_mode_held(s, name);
	meta_result(ctx, mode ? mode : "NoLock");
}

/* (principal, resource, mode, owner): could it be had at once? */
static void applock_test(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	char name[LOCK_NAME_MAX];
	struct arena pool;
	enum lock_mode mode;
	struct diag d;
	bool can;

	if (!lock_arg(s, argv, name, sizeof(name)))
		return;
	arena_init(&pool, 0);
	if (applock_mode_find(meta_text(&pool, argc, argv, 2), &mode)) {
		can = lock_acquire(s, name, mode, LOCK_OF_SESSION, 0, &d) == 0;
		if (can)
			lock_release(s, name, LOCK_OF_SESSION);
		sqlite3_result_int(ctx, can);
	}
	arena_release(&pool);
}

/* --- the error in hand --- */

static const struct diag *caught(sqlite3_context *ctx)
{
	const struct frame *f;

	/* a procedure that a CATCH block calls sees the block's error */
	for (f = fn_session(ctx)->frame; f; f = f->outer)
		if (f->caught)
			return &f->caught->d;
	return NULL;
}

#define ERROR_PART(name, member)                                               \
	static void name(sqlite3_context *ctx, int argc, sqlite3_value **argv) \
	{                                                                      \
		const struct diag *d = caught(ctx);                            \
                                                                               \
		(void)argc;                                                    \
		(void)argv;                                                    \
		if (d)                                                         \
			sqlite3_result_int(ctx, d->member);                    \
	}

ERROR_PART(error_number, number)
ERROR_PART(error_severity, severity)
ERROR_PART(error_state, state)
ERROR_PART(error_line, line)

static void error_procedure(sqlite3_context *ctx, int argc,
			    sqlite3_value **argv)
{
	const struct diag *d = caught(ctx);

	(void)argc;
	(void)argv;
	if (d && d->proc[0])
		meta_result(ctx, d->proc);
}

static void error_message(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct diag *d = caught(ctx);

	(void)argc;
	(void)argv;
	if (d)
		meta_result(ctx, d->message);
}

static const struct fn_def defs[] = {
	{"suser_sname_", -1, 0, suser_sname},
	{"suser_name_", -1, 0, suser_name},
	{"suser_id_", -1, 0, suser_id},
	{"suser_sid_", -1, 0, suser_sid},
	{"login_sid_", 1, FN_PURE, fn_login_sid},
	{"original_login_", 0, 0, original_login},
	{"is_srvrolemember_", -1, 0, is_srvrolemember},
	{"user_name_", -1, 0, user_name},
	{"user_id_", -1, 0, user_id},
	{"is_rolemember_", -1, 0, is_rolemember},
	{"has_dbaccess_", 1, 0, has_dbaccess},
	{"has_perms_by_name_", -1, 0, has_perms_by_name},
	{"scope_identity_", 0, 0, scope_identity},
	{"app_name_", 0, 0, app_name},
	{"host_name_", 0, 0, host_name},
	{"host_id_", 0, 0, host_id},
	{"session_context_", 1, 0, session_context},
	{"context_info_", 0, 0, context_info},
	{"xact_state_", 0, 0, xact_state},
	{"current_transaction_", 0, 0, current_transaction},
	{"rowcount_big_", 0, 0, rowcount_big},
	{"trigger_nestlevel_", 0, 0, trigger_nestlevel},
	{"columns_updated_", 1, 0, columns_updated},
	{"applock_mode_", 3, 0, applock_mode},
	{"applock_test_", 4, 0, applock_test},
	{"error_number_", 0, 0, error_number},
	{"error_severity_", 0, 0, error_severity},
	{"error_state_", 0, 0, error_state},
	{"error_line_", 0, 0, error_line},
	{"error_procedure_", 0, 0, error_procedure},
	{"error_message_", 0, 0, error_message},
};

void fn_register_who(struct session *s)
{
	fn_register(s, defs, (int)LENGTH_OF(defs));
}
