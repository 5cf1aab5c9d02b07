#include "plan/sysviews.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/perm.h"
#include "exec/server.h"
#include "value/collation.h"

static const struct sysview *const lists[] = {sysviews_objects, sysviews_tables,
					      sysviews_server,	sysviews_schema,
					      sysviews_compat,	sysviews_cdc};

const struct sysview *sysview_at(int index)
{
	size_t i;
	const struct sysview *v;

	for (i = 0; i < LENGTH_OF(lists); i++)
		for (v = lists[i]; v->name; v++)
			if (index-- == 0)
				return v;
	return NULL;
}

static struct type column_type(const char *spec)
{
	int n = atoi(spec + 1);
	struct type t;

	switch (spec[0]) {
	case 'i':
		return type_of(TY_INT);
	case 'I':
		return type_of(TY_BIGINT);
	case 'h':
		return type_of(TY_SMALLINT);
	case 't':
		return type_of(TY_TINYINT);
	case 'b':
		return type_of(TY_BIT);
	case 's':
		return type_sysname();
	case 'n':
		return type_char(TY_NVARCHAR, n * 2, COLLATION_DEFAULT);
	case 'N':
		return type_char(TY_NVARCHAR, TYPE_MAX, COLLATION_DEFAULT);
	case 'v':
		return type_char(TY_VARCHAR, n, COLLATION_DEFAULT);
	case 'c':
		return type_char(TY_CHAR, n, COLLATION_DEFAULT);
	case 'd':
		return type_of(TY_DATETIME);
	case 'D':
		return type_scaled(TY_DATETIME2, 7);
	case 'g':
		return type_of(TY_GUID);
	case 'x':
		return type_char(TY_VARBINARY, n, 0);
	case 'X':
		return type_char(TY_VARBINARY, TYPE_MAX, 0);
	case 'B':
		return type_char(TY_BINARY, n, 0);
	case 'V':
		return type_of(TY_VARIANT);
	case 'm':
		t = type_decimal(25, 0);
		t.kind = TY_NUMERIC;
		return t;
	case 'r':
		return type_of(TY_REAL);
	default:
		return type_of(TY_FLOAT);
	}
}

int sysview_columns(struct arena *pool, const char *spec,
		    struct out_column **out)
{
	int n = 1, i = 0;
	const char *p;

	for (p = spec; *p; p++)
		n += *p == ',';
	*out = pool_alloc(pool, (size_t)(n + 1) * sizeof(**out));
	while (*spec) {
		size_t name = strcspn(spec, ":");
		struct out_column *c = &(*out)[i++];
		const char *type = spec + name + 1;
		size_t len = strcspn(type, ",");

		c->name = pool_strndup(pool, spec, name);
		c->type = column_type(type);
		c->nullable = !(len && type[len - 1] == '!');
		spec = type + len;
		if (*spec == ',')
			spec++;
	}
	return i;
}

const char *sysview_sql(struct arena *pool, const char *sql,
			const struct attached *home)
{
	struct strbuf sb;
	const char *text;

	strbuf_init(&sb);
	while (*sql) {
		if (!strncmp(sql, "%p%", 3)) {
			strbuf_addstr(&sb, home->prefix);
			sql += 3;
		} else if (!strncmp(sql, "%d%", 3)) {
			strbuf_addf(&sb, "%d", home->db ? home->db->id : 2);
			sql += 3;
		} else {
			strbuf_addch(&sb, *sql++);
		}
	}
	text = pool_strndup(pool, sb.data, sb.len);
	strbuf_release(&sb);
	return text;
}

static const struct sysview *find(const char *schema, const char *name)
{
	const struct sysview *v;
	size_t i;

	for (i = 0; i < LENGTH_OF(lists); i++)
		for (v = lists[i]; v->name; v++)
			if (!strcasecmp(v->name, name) &&
			    !strcasecmp(v->schema, schema))
				return v;
	return NULL;
}

static bool is_compat(const struct sysview *v)
{
	const struct sysview *c;

	for (c = sysviews_compat; c->name; c++)
		if (c == v)
			return true;
	return false;
}

/* Which view a name means: its schema is needed, except for the old ones. */
static const struct sysview *resolve(const struct name *n,
				     const struct database *db)
{
	const char *last = n->part[n->count - 1];
	const char *schema = n->count > 1 ? n->part[n->count - 2] : "";
	const struct sysview *v;

	if (!*schema || !strcasecmp(schema, "dbo")) {
		/* master..sysdatabases, sysobjects, msdb.dbo.cdc_jobs */
		if (!strncasecmp(last, "sys", 3)) {
			v = find("sys", last);
			if (v && is_compat(v))
				return v;
		}
		v = find("msdb", last);
		if (v && db && db->id == DB_MSDB)
			return v;
		v = find("master", last);
		if (v && db && db->id == DB_MASTER)
			return v;
		return NULL;
	}
	return find(schema, last);
}

/* The rows of the view in one file, its columns named x1, x2, … */
static const char *named(struct tr *t, const struct sysview *v,
			 const struct attached *home, const struct rel *rel)
{
	struct strbuf sb;
	const char *text;
	int i;

	strbuf_init(&sb);
	strbuf_addstr(&sb, "SELECT ");
	for (i = 0; i < rel->count; i++)
		strbuf_addf(&sb, "%s\"%s\" AS x%d", i ? "," : "",
			    rel->columns[i].name, i + 1);
	strbuf_addf(&sb, " FROM (%s)", sysview_sql(t->pool, v->sql, home));
	text = pool_strndup(t->pool, sb.data, sb.len);
	strbuf_release(&sb);
	return text;
}

/*
 * tempdb shows the session's own #tables besides what is in its file. The two
 * catalogs agree in all rows that both have from the start, which UNION folds.
 */
struct rel *sysview_find(struct tr *t, const struct name *name)
{
	const struct sysview *v;
	struct attached *home;
	struct database *db = t->s->db;
	const char *ignored;
	struct rel *rel;

	if (name->count >= 3 && name->part[name->count - 3][0])
		db = database_find(&t->s->server->registry,
				   name->part[name->count - 3]);
	v = resolve(name, db);
	if (!v)
		return NULL;
	home = catalog_home(t->s, name, &ignored, t->d);
	if (!home) {
		t->failed = true;
		t->d->line = t->line;
		return NULL;
	}
	/* the one that SELECT has to be granted on, which nobody does */
	if (!strcmp(v->name, "sql_expression_dependencies") &&
	    !perm_is_owner(t->s, home)) {
		tr_fail(t, 229, "SELECT", v->name, "mssqlsystemresource", "sys",
			NULL);
		return NULL;
	}
	tr_use_home(t, home, 0);
	rel = pool_alloc(t->pool, sizeof(*rel));
	rel->count = sysview_columns(t->pool, v->columns, &rel->columns);
	rel->sql = named(t, v, home, rel);
	if (home->db && home->db->id == DB_TEMPDB && !v->server_wide) {
		struct attached *temp = session_temp(t->s, t->d);

		/* a plan made before the first #table is made anew after it */
		tr_use_home(t, temp, 0);
		if (temp->ready)
			rel->sql = tr_printf(t, "%s UNION %s", rel->sql,
					     named(t, v, temp, rel));
	}
	return rel;
}
