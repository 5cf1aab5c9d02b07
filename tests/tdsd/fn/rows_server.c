/* Rows about the server itself: databases, sessions, settings, logins. */
#include "fn/rows.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "exec/proc.h"
#include "exec/security.h"
#include "exec/server.h"
#include "fault/counter.h"
#include "net/conn.h"
#include "plan/sysviews.h"
#include "store/catalog.h"
#include "value/collation.h"
#include "value/convert.h"

/* --- what SQL Server brings along: our catalog views and procedures --- */

static int schema_number(const char *schema)
{
	if (!strcasecmp(schema, "INFORMATION_SCHEMA"))
		return 3;
	return strcasecmp(schema, "sys") ? 1 : 4;
}

/* name, object_id, schema_id, type */
static int system_objects(struct session *s, const struct val *args, int count,
			  struct row_store *out, struct diag *d)
{
	const struct sysview *v;
	const struct sysproc *p;
	int i;

	(void)s;
	(void)args;
	(void)count;
	(void)d;
	for (i = 0; (v = sysview_at(i)); i++) {
		struct row_builder b = {.n = 0};

		if (strcasecmp(v->schema, "sys") != 0 &&
		    strcasecmp(v->schema, "INFORMATION_SCHEMA") != 0)
			continue; /* those are objects of the database */
		rb_text(&b, v->name);
		rb_int(&b, -(100 + i));
		rb_int(&b, schema_number(v->schema));
		rb_text(&b, "V");
		rows_add(out, b.v);
	}
	for (i = 0; (p = sysproc_at(i)); i++) {
		struct row_builder b = {.n = 0};

		rb_text(&b, p->name);
		rb_int(&b, -(10000 + i));
		rb_int(&b, 4);
		rb_text(&b, "P");
		rows_add(out, b.v);
	}
	return 0;
}

/* --- expressions of constraints --- */

/* Do the parentheses at both ends belong together? */
static bool is_wrapped(const char *p, size_t n)
{
	size_t i, depth = 0;
	char quote = 0;

	if (n < 2 || p[0] != '(' || p[n - 1] != ')')
		return false;
	for (i = 0; i < n; i++) {
		if (quote) {
			if (p[i] == quote)
				quote = 0;
		} else if (p[i] == '\'' || p[i] == '"') {
			quote = p[i];
		} else if (p[i] == '[') {
			quote = ']';
		} else if (p[i] == '(') {
			depth++;
		} else if (p[i] == ')' && --depth == 0) {
			return i == n - 1;
		}
	}
	return false;
}

static bool is_number(const char *p, size_t n)
{
	size_t i = n && (*p == '-' || *p == '+');

	if (i == n)
		return false;
	for (; i < n; i++)
		if ((p[i] < '0' || p[i] > '9') && p[i] != '.')
			return false;
	return true;
}

/*
 * The server writes an expression anew: one pair of parentheses around it
 * and one around each number. We do the outer ones and leave the rest as it
 * was written.
 */
static int definition(struct session *s, const struct val *args, int count,
		      struct row_store *out, struct diag *d)
{
	struct row_builder b = {.n = 0};
	struct strbuf sb;
	const char *p;
	size_t n;
	bool number;

	(void)s;
	(void)d;
	if (count < 1 || args[0].cls != VAL_TEXT)
		return 0;
	p = args[0].p;
	n = args[0].n;
	for (;;) {
		while (n && isspace((unsigned char)*p))
			p++, n--;
		while (n && isspace((unsigned char)p[n - 1]))
			n--;
		if (!is_wrapped(p, n))
			break;
		p++;
		n -= 2;
	}
	number = is_number(p, n);
	strbuf_init(&sb);
	strbuf_addf(&sb, "%s%.*s%s", number ? "((" : "(", (int)n, p,
		    number ? "))" : ")");
	rb_text(&b, sb.data);
	rows_add(out, b.v);
	strbuf_release(&sb);
	return 0;
}

/* --- rows and counters of tables --- */

static int64_t arg_int(const struct val *args, int count, int n)
{
	return n < count && args[n].cls == VAL_INT ? args[n].i : 0;
}

/* A prefix as sysviews.c wrote it: "d5", "temp". Quoted all the same. */
static int arg_prefix(const struct val *args, int count, char *buf, size_t size)
{
	if (count < 1 || args[0].cls != VAL_TEXT || args[0].n >= size)
		return -1;
	memcpy(buf, args[0].p, args[0].n);
	buf[args[0].n] = '\0';
	return 0;
}

/* The condition of a filtered index in SQLite's words; "" when it has none. */
static int index_condition(struct session *s, const char *prefix, int table,
			   int index, struct strbuf *out, struct diag *d)
{
	sqlite3_stmt *st = catalog_prepare(
		s, d,
		"SELECT m.sql FROM %s._indexes i JOIN %s.sqlite_schema m ON"
		" m.name = i.phys WHERE i.object_id = %d AND i.id = %d AND"
		" i.filter IS NOT NULL",
		prefix, prefix, table, index);
	const char *where;

	if (!st)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW &&
	    (where = strstr((const char *)sqlite3_column_text(st, 0),
			    " WHERE ")))
		strbuf_addstr(out, where);
	sqlite3_finalize(st);
	return 0;
}

/* prefix, object_id, index_id: how many rows the index has */
static int row_count(struct session *s, const struct val *args, int count,
		     struct row_store *out, struct diag *d)
{
	struct row_builder b = {.n = 0};
	int table = (int)arg_int(args, count, 1);
	int64_t phys = 0, rows = 0;
	struct strbuf where;
	char prefix[32];
	int ret = -1;

	if (arg_prefix(args, count, prefix, sizeof(prefix)) < 0)
		return 0;
	strbuf_init(&where);
	if (catalog_int(s, d, &phys,
			"SELECT phys FROM %s._objects WHERE id = %d", prefix,
			table) < 0 ||
	    index_condition(s, prefix, table, (int)arg_int(args, count, 2),
			    &where, d) < 0)
		goto done;
	if (phys &&
	    catalog_int(s, d, &rows, "SELECT count(*) FROM %s.t%lld%s", prefix,
			(long long)phys, where.len ? where.data : "") < 0)
		goto done;
	rb_int(&b, rows);
	rows_add(out, b.v);
	ret = 0;
done:
	strbuf_release(&where);
	return ret;
}

/*
 * prefix, object_id, kind of the column, value: the value as a sql_variant of
 * the column's type; without one, the last value that was given out.
 */
static int identity(struct session *s, const struct val *args, int count,
		    struct row_store *out, struct diag *d)
{
	struct row_builder b = {.n = 0};
	enum type_kind kind = (enum type_kind)arg_int(args, count, 2);
	struct type t = type_of(kind);
	struct attached *a;
	struct strbuf mem;
	struct val v, packed;
	bool known = false;
	char prefix[32];

	if (count < 4 || arg_prefix(args, count, prefix, sizeof(prefix)) < 0)
		return 0;
	v = args[3];
	for (a = s->attached; v.cls == VAL_NULL && a; a = a->next)
		if (a->db && !strcmp(a->prefix, prefix)) {
			int64_t n = identity_get(
				a->db, (int)arg_int(args, count, 1), &known);

			if (known)
				v = val_int(n);
		}
	if (v.cls == VAL_NULL) {
		int64_t n = INT64_MIN;

		if (catalog_int(s, d, &n,
				"SELECT last FROM %s._identity WHERE object_id"
				" = %lld",
				prefix, (long long)arg_int(args, count, 1)) < 0)
			return -1;
		if (n == INT64_MIN)
			return 0;
		v = val_int(n);
	}
	if (type_is_decimal(t))
		t = type_decimal(18, 0);
	strbuf_init(&mem);
	variant_pack(&v, t, &mem, &packed);
	rb_val(&b, &packed);
	rows_add(out, b.v);
	strbuf_release(&mem);
	return 0;
}

/* --- the server --- */

/* "2024-05-06 07:08:09.123" as a datetime. */
static void rb_datetime(struct row_builder *b, const char *text)
{
	struct type t = type_of(TY_DATETIME);
	struct moment m;
	struct val v;
	char buf[DATETIMEOFFSET_BLOB];

	memset(&m, 0, sizeof(m));
	if (!*text ||
	    moment_parse(&m, text, strlen(text), DATE_YMD, true, 121) !=
		    PARSE_OK ||
	    !moment_store(&m, t, &v, buf))
		rb_null(b);
	else
		rb_val(b, &v);
}

/* name, id, created, compatibility, access, collation, read_only, offline,
 * snapshot, rcsi, recovery, cdc, change tracking, retention, cleanup, file,
 * pages */
static int databases(struct session *s, const struct val *args, int count,
		     struct row_store *out, struct diag *d)
{
	struct registry *r = &s->server->registry;
	struct database *db = NULL;
	struct stat st;

	(void)args;
	(void)count;
	(void)d;
	while ((db = database_next(r, db))) {
		struct row_builder b = {.n = 0};
		char name[sizeof(db->name)];

		database_name(r, db, name, sizeof(name));
		rb_text(&b, name);
		rb_int(&b, db->id);
		rb_datetime(&b, db->created);
		rb_int(&b, db->compatibility);
		rb_int(&b, db->user_access);
		rb_text(&b, collation_get(db->collation)->name);
		rb_int(&b, db->read_only);
		rb_int(&b, db->offline);
		rb_int(&b, db->snapshot_isolation);
		rb_int(&b, db->read_committed_snapshot);
		rb_int(&b, db->recovery);
		rb_int(&b, db->cdc_enabled);
		rb_int(&b, db->change_tracking);
		rb_int(&b, db->ct_retention);
		rb_int(&b, db->ct_auto_cleanup);
		rb_text(&b, db->file);
		rb_int(&b,
		       stat(db->file, &st) ? 0 : (st.st_size + 8191) / 8192);
		rows_add(out, b.v);
	}
	return 0;
}

/*
 * What belongs to another session's thread is read without its lock where it
 * is a number or a constant, old or new; texts change under the lock, or
 * before the session has a login.
 * ThreadSanitizer need not tell us.
 */
__attribute__((no_sanitize("thread"))) static void one_session(
	struct session *o, struct row_store *out)
{
	struct row_builder b = {.n = 0};
	struct database *db = __atomic_load_n(&o->db, __ATOMIC_RELAXED);
	int trancount = __atomic_load_n(&o->trancount, __ATOMIC_RELAXED);

	rb_int(&b, o->spid);
	rb_datetime(&b, o->login_time);
	rb_text(&b, o->host);
	rb_text(&b, o->app);
	rb_int(&b, o->client_pid);
	rb_text(&b, o->login);
	rb_int(&b, __atomic_load_n(&o->stmt_status, __ATOMIC_RELAXED));
	rb_int(&b, trancount);
	rb_int(&b, o->set.isolation);
	rb_int(&b, db ? db->id : DB_MASTER);
	rb_int(&b, o->conn != NULL && !o->internal);
	rb_text(&b, o->address);
	rb_text(&b, o->last_statement);
	rb_int(&b, o->tran_id);
	rb_datetime(&b, trancount ? o->tran_begin : "");
	rb_int(&b, lock_blocker(o));
	rb_text(&b, o->original_login);
	rb_int(&b, o->set.lock_timeout);
	rb_int(&b, o->set.deadlock_priority);
	rb_int(&b, o->rowcount);
	rb_int(&b, o->error);
	rb_int(&b, o->set.datefirst);
	rb_int(&b, o->set.textsize);
	rb_int(&b, o->conn ? (int64_t)o->conn->packet_size : 0);
	rb_int(&b, o->conn ? o->conn->tds_version : 0);
	rb_int(&b, o->conn && o->conn->tls_active);
	rb_text(&b, o->client);
	rb_text(&b, o->set.language);
	rb_int(&b, o->nest);
	rb_int(&b, o->login_id);
	rb_int(&b, o->set.quoted_identifier);
	rb_int(&b, o->set.arithabort);
	rb_int(&b, o->set.ansi_null_dflt_on);
	rb_int(&b, o->set.ansi_warnings);
	rb_int(&b, o->set.concat_null);
	rows_add(out, b.v);
}

static int sessions(struct session *s, const struct val *args, int count,
		    struct row_store *out, struct diag *d)
{
	struct session *o;

	(void)args;
	(void)count;
	(void)d;
	pthread_mutex_lock(&s->server->lock);
	for (o = s->server->sessions; o; o = o->next)
		if (s->sysadmin || s->internal || o == s)
			if (o->login[0] || o->internal)
				one_session(o, out);
	pthread_mutex_unlock(&s->server->lock);
	return 0;
}

/* program_name, database, text, count */
static int statements(struct session *s, const struct val *args, int count,
		      struct row_store *out, struct diag *d)
{
	const struct statement_count *c;

	(void)args;
	(void)count;
	(void)d;
	pthread_mutex_lock(&s->server->lock);
	for (c = s->server->statements; c; c = c->next) {
		struct row_builder b = {.n = 0};

		rb_text(&b, c->app);
		rb_text(&b, c->database);
		rb_text(&b, c->text);
		rb_int(&b, c->count);
		rows_add(out, b.v);
	}
	pthread_mutex_unlock(&s->server->lock);
	return 0;
}

/* id, name, value, min, max, description, dynamic, advanced: as sql_variant */
static int configurations(struct session *s, const struct val *args, int count,
			  struct row_store *out, struct diag *d)
{
	struct config_row c;
	struct strbuf mem[3];
	int i, k;

	(void)args;
	(void)count;
	(void)d;
	for (k = 0; k < 3; k++)
		strbuf_init(&mem[k]);
	for (i = 0; server_config_at(s->server, i, &c); i++) {
		struct row_builder b = {.n = 0};
		int64_t numbers[3] = {c.value, c.min, c.max};

		rb_int(&b, c.id);
		rb_text(&b, c.name);
		for (k = 0; k < 3; k++) {
			struct val v = val_int(numbers[k]), packed;

			variant_pack(&v, type_of(TY_INT), &mem[k], &packed);
			rb_val(&b, &packed);
		}
		rb_text(&b, c.description);
		rb_int(&b, c.dynamic);
		rb_int(&b, c.advanced);
		rows_add(out, b.v);
	}
	for (k = 0; k < 3; k++)
		strbuf_release(&mem[k]);
	return 0;
}

/* name, id, disabled, default database */
static int logins(struct session *s, const struct val *args, int count,
		  struct row_store *out, struct diag *d)
{
	struct login l;

	(void)args;
	(void)count;
	(void)d;
	for (l.id = 0; login_next(&s->server->registry, l.id, &l) == 0;) {
		struct row_builder b = {.n = 0};

		rb_text(&b, l.name);
		rb_int(&b, l.id);
		rb_int(&b, l.disabled);
		rb_text(&b, l.default_database);
		rows_add(out, b.v);
	}
	return 0;
}

/* login, role: who is in which fixed server role */
static int login_roles(struct session *s, const struct val *args, int count,
		       struct row_store *out, struct diag *d)
{
	static const struct {
		const char *name;
		int id;
	} roles[] = {{"sysadmin", 3},	  {"securityadmin", 4},
		     {"serveradmin", 5},  {"setupadmin", 6},
		     {"processadmin", 7}, {"diskadmin", 8},
		     {"dbcreator", 9},	  {"bulkadmin", 10}};
	struct login l;
	size_t i;

	(void)args;
	(void)count;
	(void)d;
	for (l.id = 0; login_next(&s->server->registry, l.id, &l) == 0;)
		for (i = 0; i < LENGTH_OF(roles); i++) {
			struct row_builder b = {.n = 0};

			if (!login_in_role(&s->server->registry, l.id,
					   roles[i].name))
				continue;
			rb_int(&b, l.id);
			rb_int(&b, roles[i].id);
			rows_add(out, b.v);
		}
	return 0;
}

static void see_lock(void *arg, const struct lock_seen *l)
{
	static const char *const modes[] = {"IS", "IX", "S", "U", "X"};
	struct row_builder b = {.n = 0};
	const char *id = strchr(l->resource, ':');
	bool app = !strncmp(l->resource, "app:", 4);

	rb_text(&b, app ? "APPLICATION" : "DATABASE");
	rb_int(&b, id ? atoi(id + 1) : 0);
	rb_text(&b, modes[l->mode]);
	rb_text(&b, l->granted ? "GRANT" : "WAIT");
	rb_int(&b, l->spid);
	rb_text(&b, l->owner == LOCK_OF_SESSION ? "SESSION" : "TRANSACTION");
	rb_int(&b, l->count);
	id = id ? strchr(id + 1, ':') : NULL;
	rb_text(&b, app && id ? id + 1 : "");
	rows_add(arg, b.v);
}

/* resource type, database, mode, status, session, owner, count, name */
static int locks(struct session *s, const struct val *args, int count,
		 struct row_store *out, struct diag *d)
{
	(void)s;
	(void)args;
	(void)count;
	(void)d;
	lock_walk(see_lock, out);
	return 0;
}

/* name, host name, started, port, processors, memory in KB, address, spid */
static int server_facts(struct session *s, const struct val *args, int count,
			struct row_store *out, struct diag *d)
{
	struct row_builder b = {.n = 0};

	(void)args;
	(void)count;
	(void)d;
	rb_text(&b, s->server->name);
	rb_text(&b, s->server->host_name);
	rb_datetime(&b, s->server->started);
	rb_int(&b, s->server->port);
	rb_int(&b, sysconf(_SC_NPROCESSORS_ONLN));
	rb_int(&b, (int64_t)sysconf(_SC_PHYS_PAGES) *
			   (sysconf(_SC_PAGESIZE) / 1024));
	rb_text(&b, s->server->host);
	rb_int(&b, s->spid);
	rows_add(out, b.v);
	return 0;
}

/*
 * database: name, kind, length, precision, scale, collation, number of each
 * type as it is when declared without a size
 */
static int types(struct session *s, const struct val *args, int count,
		 struct row_store *out, struct diag *d)
{
	struct database *db = database_by_id(&s->server->registry,
					     (int)arg_int(args, count, 0));
	const char *collation =
		collation_get(db ? db->collation : COLLATION_DEFAULT)->name;
	int kind;

	(void)d;
	for (kind = TY_BINARY; kind <= TY_TABLE; kind++) {
		struct row_builder b = {.n = 0};
		struct type t = type_of(
			kind == TY_TABLE ? TY_NVARCHAR : (enum type_kind)kind);
		bool sysname = kind == TY_TABLE;

		if (sysname)
			t = type_sysname();
		else if (type_has_length(t.kind))
			t.len = 8000;
		rb_text(&b, sysname ? "sysname" : type_name(t));
		rb_int(&b, t.kind);
		rb_int(&b, t.len);
		rb_int(&b, type_is_decimal(t) ? 38 : t.prec);
		rb_int(&b, type_is_decimal(t) ? 38 : t.scale);
		rb_text(&b,
			type_is_text(t) && t.kind != TY_XML ? collation : NULL);
		rb_int(&b, sysname ? 256 : type_info(t.kind)->system_id);
		rows_add(out, b.v);
	}
	return 0;
}

const struct row_maker row_makers_server[] = {
	{"system_objects", 4, system_objects},
	{"definition", 1, definition},
	{"dependencies", 7, rows_dependencies},
	{"row_count", 1, row_count},
	{"identity", 1, identity},
	{"types", 7, types},
	{"databases", 17, databases},
	{"sessions", 35, sessions},
	{"statements", 4, statements},
	{"configurations", 8, configurations},
	{"logins", 4, logins},
	{"login_roles", 2, login_roles},
	{"locks", 8, locks},
	{"server_facts", 8, server_facts},
	{"services", 3, rows_services},
	{"volumes", 5, rows_volumes},
	{NULL, 0, NULL},
};
