/*
 * Names and numbers of databases, schemas, objects and types. They look into
 * the catalog with statements of their own on the session's connection, so
 * they see what the calling statement sees.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/perm.h"
#include "exec/server.h"
#include "fn/meta.h"
#include "sql/parse.h"
#include "value/convert.h"
#include "value/decimal.h"

const char *meta_text(struct arena *pool, int argc, sqlite3_value **argv, int n)
{
	size_t len;
	const char *p;

	if (n >= argc || sqlite3_value_type(argv[n]) == SQLITE_NULL)
		return NULL;
	p = fn_text(argv[n], &len);
	/* trailing blanks do not count in names */
	while (len && p[len - 1] == ' ')
		len--;
	return pool_strndup(pool, p, len);
}

void meta_result(sqlite3_context *ctx, const char *text)
{
	if (text)
		fn_result_text(ctx, text, strlen(text));
	else
		sqlite3_result_null(ctx);
}

void meta_result_numeric(sqlite3_context *ctx, int64_t n)
{
	char buf[DECIMAL_BLOB];
	struct val v = decimal_store(n, 38, buf);

	fn_result(ctx, &v);
}

void meta_variant(sqlite3_context *ctx, const struct val *v, struct type t)
{
	struct strbuf sb;
	struct val out;

	if (v->cls == VAL_NULL) {
		sqlite3_result_null(ctx);
		return;
	}
	strbuf_init(&sb);
	variant_pack(v, t, &sb, &out);
	fn_result(ctx, &out);
	strbuf_release(&sb);
}

void meta_variant_text(sqlite3_context *ctx, const char *text)
{
	struct val v = text ? val_text(text, strlen(text)) : val_null();

	meta_variant(ctx, &v, type_sysname());
}

void meta_variant_int(sqlite3_context *ctx, int64_t n)
{
	struct val v = val_int(n);

	meta_variant(ctx, &v, type_of(TY_INT));
}

struct attached *meta_home(struct session *s)
{
	struct diag d;

	return session_attach(s, s->db, &d);
}

struct database *meta_database(struct session *s, const char *name)
{
	return name ? database_find(&s->server->registry, name) : NULL;
}

/* --- objects --- */

/* Any right on an object shows it; a constraint shows with its table. */
static bool visible(struct session *s, const struct object *o)
{
	static const char *const rights[] = {
		"SELECT", "INSERT",	"UPDATE",	   "DELETE",
		"ALTER",  "REFERENCES", "VIEW DEFINITION", "EXECUTE"};
	int id = o->parent_id ? o->parent_id : o->id;
	size_t i;

	if (s->sysadmin || s->internal || !o->home->db)
		return true;
	for (i = 0; i < LENGTH_OF(rights); i++)
		if (perm_has(s, o->home, 1, id, o->schema_id, rights[i]))
			return true;
	return false;
}

bool meta_object_id(struct session *s, struct attached *home, int id,
		    struct object *o)
{
	struct diag d;

	if (home && catalog_find_id(s, home, id, o, &d) == 1)
		return visible(s, o);
	/* a temporary table, for who works in tempdb */
	return home && home->db && home->db->id == DB_TEMPDB &&
	       catalog_find_id(s, session_temp(s, &d), id, o, &d) == 1;
}

bool meta_object(struct session *s, const char *name, struct object *o)
{
	struct arena pool;
	struct name n;
	struct diag d;
	bool found = false;

	memset(&n, 0, sizeof(n));
	arena_init(&pool, 0);
	if (name && parse_name(&pool, name, strlen(name), &n) && n.count < 4) {
		const char *last = n.part[n.count - 1];
		struct database *db = s->db;

		if (n.count == 3 && n.part[0][0])
			db = meta_database(s, n.part[0]);
		/* #t is in tempdb: elsewhere it must be said */
		if (db && (last[0] != '#' || db->id == DB_TEMPDB))
			found = catalog_find(s, &n, o, &d) == 1 &&
				visible(s, o);
	}
	arena_release(&pool);
	return found;
}

static void object_id(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct arena pool;
	struct object o;
	const char *type;

	if (fn_null(ctx, argc, argv))
		return;
	arena_init(&pool, 0);
	type = meta_text(&pool, argc, argv, 1);
	if (meta_object(s, meta_text(&pool, argc, argv, 0), &o) &&
	    (!type || !strcasecmp(type, o.type)))
		sqlite3_result_int(ctx, o.id);
	arena_release(&pool);
}

/* (object [, database]) */
static bool by_id(sqlite3_context *ctx, int argc, sqlite3_value **argv,
		  struct object *o)
{
	struct session *s = fn_session(ctx);
	struct database *db = s->db;
	struct diag d;

	if (fn_null(ctx, argc, argv))
		return false;
	if (argc > 1)
		db = database_by_id(&s->server->registry,
				    sqlite3_value_int(argv[1]));
	if (!db || perm_enter(s, db, &d) < 0)
		return false;
	return meta_object_id(s, session_attach(s, db, &d),
			      sqlite3_value_int(argv[0]), o);
}

static void object_name(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct object o;

	if (by_id(ctx, argc, argv, &o))
		meta_result(ctx, o.name);
}

static void object_schema_name(sqlite3_context *ctx, int argc,
			       sqlite3_value **argv)
{
	struct object o;

	if (by_id(ctx, argc, argv, &o))
		meta_result(ctx, o.schema);
}

/* The first column of a query's first row is the result. */
static void query_result(sqlite3_context *ctx, sqlite3_stmt *st)
{
	if (st && sqlite3_step(st) == SQLITE_ROW)
		sqlite3_result_value(ctx, sqlite3_column_value(st, 0));
	sqlite3_finalize(st);
}

static void object_definition(sqlite3_context *ctx, int argc,
			      sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct object o;
	struct diag d;

	if (by_id(ctx, argc, argv, &o) &&
	    (!o.home->db ||
	     perm_has(s, o.home, 1, o.id, o.schema_id, "VIEW DEFINITION")))
		query_result(ctx, catalog_prepare(s, &d,
						  "SELECT text FROM %s._objects"
						  " WHERE id = %d",
						  o.home->prefix, o.id));
}

/* May the user see how that object is defined? ALTER is enough for that. */
static void sees_definition(sqlite3_context *ctx, int argc,
			    sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct object o;

	sqlite3_result_int(
		ctx,
		s->sysadmin || s->internal ||
			(by_id(ctx, argc, argv, &o) &&
			 (perm_has(s, o.home, 1, o.id, o.schema_id,
				   "VIEW DEFINITION") ||
			  perm_has(s, o.home, 1, o.id, o.schema_id, "ALTER"))));
}

/* --- databases and schemas --- */

static void db_id(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct database *db = s->db;
	struct arena pool;

	if (fn_null(ctx, argc, argv))
		return;
	arena_init(&pool, 0);
	if (argc)
		db = meta_database(s, meta_text(&pool, argc, argv, 0));
	if (db)
		sqlite3_result_int(ctx, db->id);
	arena_release(&pool);
}

static void db_name(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct registry *r = &s->server->registry;
	struct database *db = s->db;
	char buf[130 * 4];

	if (fn_null(ctx, argc, argv))
		return;
	if (argc && sqlite3_value_int(argv[0]))
		db = database_by_id(r, sqlite3_value_int(argv[0]));
	if (!db)
		return;
	database_name(r, db, buf, sizeof(buf));
	meta_result(ctx, buf);
}

static void schema_id(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct attached *home = meta_home(s);
	struct arena pool;
	const char *name;
	int id;

	if (fn_null(ctx, argc, argv) || !home)
		return;
	arena_init(&pool, 0);
	name = argc ? meta_text(&pool, argc, argv, 0)
		    : perm_default_schema(s, home);
	id = catalog_schema_id(s, home, name);
	if (id)
		sqlite3_result_int(ctx, id);
	arena_release(&pool);
}

static void schema_name(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct attached *home = meta_home(s);
	struct diag d;

	if (fn_null(ctx, argc, argv) || !home)
		return;
	if (!argc)
		meta_result(ctx, perm_default_schema(s, home));
	else
		query_result(ctx,
			     catalog_prepare(
				     s, &d,
				     "SELECT name FROM %s._schemas WHERE"
				     " id = %d",
				     home->prefix, sqlite3_value_int(argv[0])));
}

/* --- types --- */

enum { SYSNAME_ID = 256 };

/* A type by its name: its id as in sys.types, 0 when there is none. */
static int find_type(struct session *s, struct arena *pool, const char *text,
		     struct type *out, bool *not_null)
{
	struct type_ref ref;
	struct diag d;
	struct attached *home = meta_home(s);
	int64_t id = 0;
	const char *last;

	memset(&ref, 0, sizeof(ref));
	if (!text || !home ||
	    parse_type(pool, text, strlen(text), &ref, &d) < 0)
		return 0;
	last = ref.name.part[ref.name.count - 1];
	if (catalog_type(s, &ref, 1, "type", out, not_null, &d) < 0)
		memset(out, 0, sizeof(*out)); /* a table type, or nothing */
	if (out->kind)
		return out->user ? out->user : type_info(out->kind)->system_id;
	catalog_int(s, &d, &id, "SELECT id FROM %s._types WHERE name = %Q",
		    home->prefix, last);
	return (int)id;
}

static void type_id(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct arena pool;
	struct type t;
	int id;

	if (fn_null(ctx, argc, argv))
		return;
	arena_init(&pool, 0);
	id = find_type(fn_session(ctx), &pool, meta_text(&pool, argc, argv, 0),
		       &t, NULL);
	if (id)
		sqlite3_result_int(ctx, id);
	arena_release(&pool);
}

static void type_name_of(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct attached *home = meta_home(s);
	struct diag d;
	int id, k;

	if (fn_null(ctx, argc, argv))
		return;
	id = sqlite3_value_int(argv[0]);
	if (id == SYSNAME_ID) {
		meta_result(ctx, "sysname");
		return;
	}
	for (k = TY_NONE + 1; k < TY_TABLE; k++)
		if (type_info((enum type_kind)k)->system_id == id) {
			meta_result(ctx, type_info((enum type_kind)k)->name);
			return;
		}
	if (home)
		query_result(ctx, catalog_prepare(s, &d,
						  "SELECT name FROM %s._types"
						  " WHERE id = %d",
						  home->prefix, id));
}

static void typeproperty(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct arena pool;
	struct type t;
	bool not_null = false;
	const char *property;

	if (fn_null(ctx, argc, argv))
		return;
	arena_init(&pool, 0);
	property = meta_text(&pool, argc, argv, 1);
	memset(&t, 0, sizeof(t));
	if (!find_type(fn_session(ctx), &pool, meta_text(&pool, argc, argv, 0),
		       &t, &not_null) ||
	    !t.kind)
		;
	else if (!strcasecmp(property, "AllowsNull"))
		sqlite3_result_int(ctx, !not_null);
	else if (!strcasecmp(property, "Precision"))
		sqlite3_result_int(ctx, type_is_text(t) || type_is_binary(t)
						? type_chars(t)
						: t.prec);
	else if (!strcasecmp(property, "Scale") && !type_is_text(t) &&
		 !type_is_binary(t) && !type_is_float(t))
		sqlite3_result_int(ctx, t.scale);
	else if (!strcasecmp(property, "UsesAnsiTrim"))
		sqlite3_result_int(ctx, 1);
	arena_release(&pool);
}

/* PARSENAME(name, part): 1 is the last one. */
static void parsename(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct arena pool;
	struct name n;
	const char *text;
	int part;

	if (fn_null(ctx, argc, argv))
		return;
	arena_init(&pool, 0);
	memset(&n, 0, sizeof(n));
	text = meta_text(&pool, argc, argv, 0);
	part = sqlite3_value_int(argv[1]);
	if (parse_name(&pool, text, strlen(text), &n) && part >= 1 &&
	    part <= n.count && n.part[n.count - part][0])
		meta_result(ctx, n.part[n.count - part]);
	arena_release(&pool);
}

static const struct fn_def defs[] = {
	{"object_id_", -1, 0, object_id},
	{"object_name_", -1, 0, object_name},
	{"object_schema_name_", -1, 0, object_schema_name},
	{"object_definition_", 1, 0, object_definition},
	{"sees_definition_", 1, 0, sees_definition},
	{"db_id_", -1, 0, db_id},
	{"db_name_", -1, 0, db_name},
	{"schema_id_", -1, 0, schema_id},
	{"schema_name_", -1, 0, schema_name},
	{"type_id_", 1, 0, type_id},
	{"type_name_", 1, 0, type_name_of},
	{"typeproperty_", 2, 0, typeproperty},
	{"parsename_", 2, FN_PURE, parsename},
};

void fn_register_meta(struct session *s)
{
	fn_register(s, defs, (int)LENGTH_OF(defs));
	fn_register_columns(s);
	fn_register_server(s);
	fn_register_who(s);
}
