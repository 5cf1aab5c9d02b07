/*
 * Which module names which object, for sys.sql_expression_dependencies. The
 * text of each module is cut into tokens and names are taken from where only
 * objects are named (behind FROM, JOIN, INTO, EXEC …) or where a schema stands
 * in front of them. Names that mean nothing are left out: they may be CTEs or
 * aliases, and telling them apart would take the module's whole scope.
 */
#include "fn/rows.h"

#include <string.h>
#include <strings.h>

#include "sql/lex.h"
#include "store/catalog.h"

struct module_text {
	int id, schema_id, parent;
	bool bound, quoted;
	const char *text;
};

struct reference {
	const char *part[4]; /* server, database, schema, name; "" or set */
	int at;		     /* first token */
	int next;	     /* behind the name */
};

static bool is_name(const struct token *t)
{
	return t->kind == T_QUOTED || (t->kind == T_WORD && !t->word);
}

static bool is_dot(const struct token *t)
{
	return t->kind == T_OP && t->len == 1 && t->text[0] == '.';
}

/* "a", "a.b", "a..b": the last part is the name. False when it is no name. */
static bool read_reference(const struct tokens *t, int at, struct reference *r)
{
	const char *seen[4];
	int count = 0, i;

	if (!is_name(&t->at[at]))
		return false;
	r->at = at;
	for (;;) {
		if (count == 4)
			return false;
		if (is_name(&t->at[at]))
			seen[count++] = t->at[at++].text;
		else
			seen[count++] = "";
		if (!is_dot(&t->at[at]))
			break;
		at++;
		if (!is_name(&t->at[at]) && !is_dot(&t->at[at]))
			return false; /* a.* */
	}
	for (i = 0; i < 4; i++)
		r->part[i] = i < 4 - count ? "" : seen[i - (4 - count)];
	r->next = at;
	return true;
}

/* Does an object's name follow this token? */
static bool names_object(const struct token *t)
{
	if (t->kind != T_WORD)
		return false;
	switch (t->word) {
	case K_FROM:
	case K_JOIN:
	case K_INTO:
	case K_UPDATE:
	case K_DELETE:
	case K_MERGE:
	case K_EXEC:
	case K_EXECUTE:
		return true;
	default:
		return t->len == 5 && !strncasecmp(t->text, "apply", 5);
	}
}

/* Add a row unless it is there already. */
static void add(struct row_store *out, const struct module_text *m,
		const struct reference *r, int64_t id, int64_t *seen,
		int *seen_count, int seen_max)
{
	struct row_builder b = {.n = 0};
	int i;

	for (i = 0; id && i < *seen_count; i++)
		if (seen[i] == id)
			return;
	if (id && *seen_count < seen_max)
		seen[(*seen_count)++] = id;
	rb_int(&b, m->id);
	rb_text(&b, r->part[0][0] ? r->part[0] : NULL);
	rb_text(&b, r->part[1][0] ? r->part[1] : NULL);
	rb_text(&b, r->part[2][0] ? r->part[2] : NULL);
	rb_text(&b, r->part[3]);
	if (id)
		rb_int(&b, id);
	else
		rb_null(&b);
	rb_int(&b, m->bound);
	rows_add(out, b.v);
}

static int one_module(struct session *s, const char *prefix,
		      const struct module_text *m, struct arena *pool,
		      struct row_store *out, struct diag *d)
{
	int64_t seen[256];
	struct tokens t;
	int i, count = 0;

	if (lex_batch(pool, m->text, strlen(m->text), m->quoted, &t, d) < 0)
		return 0; /* it was made by a version that could read it */
	for (i = 0; i + 1 < t.count; i++) {
		struct reference r;
		bool object = i && names_object(&t.at[i - 1]);
		int64_t id = 0;

		if (!read_reference(&t, i, &r))
			continue;
		i = r.next - 1;
		if (r.part[1][0]) { /* another database's */
			if (object)
				add(out, m, &r, 0, seen, &count, 256);
			continue;
		}
		if (!object && !r.part[2][0])
			continue;
		if (catalog_int(s, d, &id,
				"SELECT o.id FROM %s._objects o JOIN"
				" %s._schemas c ON c.id = o.schema_id WHERE"
				" o.name = %Q AND (c.name = %Q OR (%Q = '' AND"
				" c.id IN (1, %d))) AND o.type IN ('U', 'V',"
				" 'P', 'FN', 'IF', 'TF', 'SN') ORDER BY c.id ="
				" %d DESC LIMIT 1",
				prefix, prefix, r.part[3], r.part[2], r.part[2],
				m->schema_id, m->schema_id) < 0)
			return -1;
		if (!id || id == m->id)
			continue;
		/* CREATE TRIGGER … ON table */
		if (!object && id == m->parent && r.at &&
		    t.at[r.at - 1].word == K_ON)
			continue;
		add(out, m, &r, id, seen, &count, 256);
	}
	return 0;
}

/*
 * prefix: module, server, database, schema, name, object_id or NULL,
 * schema-bound
 */
int rows_dependencies(struct session *s, const struct val *args, int count,
		      struct row_store *out, struct diag *d)
{
	sqlite3_stmt *st;
	struct arena pool;
	char prefix[32];
	int ret = 0;

	if (count < 1 || args[0].cls != VAL_TEXT || args[0].n >= sizeof(prefix))
		return 0;
	memcpy(prefix, args[0].p, args[0].n);
	prefix[args[0].n] = '\0';
	st = catalog_prepare(s, d,
			     "SELECT id, schema_id, parent_id, extra IS"
			     " 'schemabinding', quoted, text FROM %s._objects"
			     " WHERE type IN ('V', 'P', 'FN', 'IF', 'TF',"
			     " 'TR') AND text IS NOT NULL ORDER BY id",
			     prefix);
	if (!st)
		return -1;
	arena_init(&pool, 0);
	while (ret == 0 && sqlite3_step(st) == SQLITE_ROW) {
		struct module_text m = {
			.id = sqlite3_column_int(st, 0),
			.schema_id = sqlite3_column_int(st, 1),
			.parent = sqlite3_column_int(st, 2),
			.bound = sqlite3_column_int(st, 3),
			.quoted = sqlite3_column_int(st, 4),
			.text = (const char *)sqlite3_column_text(st, 5)};

		ret = one_module(s, prefix, &m, &pool, out, d);
	}
	sqlite3_finalize(st);
	arena_release(&pool);
	return ret;
}
