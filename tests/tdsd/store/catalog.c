/*
 * Loaded tables are kept per session and are good as long as the catalog's
 * version in their file stays what it was; a transaction that changed the
 * catalog itself bumps the version at each change, so its own later
 * statements load again, and a rollback puts the old version back.
 */
#include "store/catalog.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "dml/ops.h"
#include "exec/perm.h"
#include "exec/server.h"
#include "value/collation.h"

struct table_cache {
	struct table *first;
};

int64_t catalog_now(void)
{
	struct moment m;

	moment_now(&m, false);
	return (m.days - 719162) * INT64_C(86400000) + m.ticks / 10000;
}

sqlite3_stmt *catalog_prepare(struct session *s, struct diag *d,
			      const char *fmt, ...)
{
	sqlite3_stmt *st = NULL;
	va_list ap;
	char *text;
	int rc;

	va_start(ap, fmt);
	text = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	rc = sqlite3_prepare_v2(s->sql, text, -1, &st, NULL);
	if (rc != SQLITE_OK)
		diag_free_text(d, 823, 21, 3, "storage: %s (%s)",
			       sqlite3_errmsg(s->sql), text);
	sqlite3_free(text);
	return rc == SQLITE_OK ? st : NULL;
}

int catalog_exec(struct session *s, struct diag *d, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int rc;

	va_start(ap, fmt);
	text = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	s->fn_set = false;
	rc = sqlite3_exec(s->sql, text, NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		session_sqlite_error(s, rc, d);
		if (d->number == 823)
			diag_free_text(d, 823, 21, 2, "storage: %s (%s)",
				       sqlite3_errmsg(s->sql), text);
	}
	sqlite3_free(text);
	return rc == SQLITE_OK ? 0 : -1;
}

int catalog_int(struct session *s, struct diag *d, int64_t *out,
		const char *fmt, ...)
{
	sqlite3_stmt *st = NULL;
	va_list ap;
	char *text;
	int rc;

	va_start(ap, fmt);
	text = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	rc = sqlite3_prepare_v2(s->sql, text, -1, &st, NULL);
	sqlite3_free(text);
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW)
			*out = sqlite3_column_int64(st, 0);
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		session_sqlite_error(s, rc, d);
		sqlite3_finalize(st);
		return -1;
	}
	sqlite3_finalize(st);
	return 0;
}

/* --- versions --- */

int64_t catalog_version(struct session *s, struct attached *home,
			struct diag *d)
{
	int64_t version = -1;
	int rc;

	if (!home->db && !home->ready)
		return 0;
	if (!home->get_version) {
		home->get_version = catalog_prepare(
			s, d, "SELECT version FROM %s._cat WHERE id = 1",
			home->prefix);
		if (!home->get_version)
			return -1;
	}
	rc = sqlite3_step(home->get_version);
	if (rc == SQLITE_ROW)
		version = sqlite3_column_int64(home->get_version, 0);
	else
		session_sqlite_error(s, rc, d);
	sqlite3_reset(home->get_version);
	return version;
}

int catalog_touch(struct session *s, struct attached *home, struct diag *d)
{
	static int64_t counter;
	int64_t version = __atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);

	/*
	 * A number never used before in this process and, for the sake of a
	 * restart, larger than the stored one: a rolled-back version is not
	 * given out again with another meaning.
	 */
	home->version_bumped = true;
	return catalog_exec(s, d,
			    "UPDATE %s._cat SET version = max(version + 1,"
			    " %lld) WHERE id = 1",
			    home->prefix,
			    (long long)(catalog_now() * 1000 + version % 1000));
}

int catalog_new_id(struct session *s, struct attached *home, struct diag *d)
{
	int64_t id = 0;

	if (catalog_exec(s, d,
			 "UPDATE %s._cat SET next_id = next_id + 16"
			 " WHERE id = 1",
			 home->prefix) < 0 ||
	    catalog_int(s, d, &id, "SELECT next_id FROM %s._cat WHERE id = 1",
			home->prefix) < 0)
		return -1;
	return (int)id;
}

/* --- names --- */

static bool same_name(const char *a, const char *b)
{
	const struct collation *c = collation_get(COLLATION_DEFAULT);

	return !collation_compare(c, a, strlen(a), b, strlen(b));
}

struct attached *catalog_home(struct session *s, const struct name *name,
			      const char **schema, struct diag *d)
{
	const char *object = name->part[name->count - 1];
	struct database *db = s->db;

	*schema = name->count >= 2 ? name->part[name->count - 2] : "";
	if (name->count == 4 && name->part[0][0] &&
	    !same_name(name->part[0], s->server->name)) {
		diag_set(d, 7202, name->part[0]);
		return NULL;
	}
	if (object[0] == '#' && object[1] != '#') {
		*schema = "dbo";
		return session_temp(s, d);
	}
	if (object[0] == '#')
		db = database_by_id(&s->server->registry, DB_TEMPDB);
	else if (name->count >= 3 && name->part[name->count - 3][0]) {
		const char *wanted = name->part[name->count - 3];

		db = database_find(&s->server->registry, wanted);
		if (!db) {
			diag_free_text(d, 208, 16, 1,
				       "Invalid object name '%s.%s.%s'.",
				       wanted, *schema, object);
			return NULL;
		}
	}
	if (perm_enter(s, db, d) < 0)
		return NULL;
	return session_attach(s, db, d);
}

int catalog_schema_id(struct session *s, struct attached *home,
		      const char *name)
{
	struct diag d;
	int64_t id = 0;

	if (!home->db) /* temporary tables are all in dbo */
		return 1;
	if (!home->find_schema) {
		home->find_schema = catalog_prepare(
			s, &d, "SELECT id FROM %s._schemas WHERE name = ?",
			home->prefix);
		if (!home->find_schema)
			return 0;
	}
	sqlite3_bind_text(home->find_schema, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(home->find_schema) == SQLITE_ROW)
		id = sqlite3_column_int64(home->find_schema, 0);
	sqlite3_reset(home->find_schema);
	return (int)id;
}

#define OBJECT_COLUMNS "o.id, o.schema_id, o.parent_id, o.type, o.name, s.name"

static int read_object(struct session *s, sqlite3_stmt *st,
		       struct attached *home, struct object *out,
		       struct diag *d)
{
	int rc = sqlite3_step(st), ret = 0;

	if (rc == SQLITE_ROW) {
		memset(out, 0, sizeof(*out));
		out->id = sqlite3_column_int(st, 0);
		out->schema_id = sqlite3_column_int(st, 1);
		out->parent_id = sqlite3_column_int(st, 2);
		text_copy(out->type, sizeof(out->type),
			  (const char *)sqlite3_column_text(st, 3));
		text_copy(out->name, sizeof(out->name),
			  (const char *)sqlite3_column_text(st, 4));
		text_copy(out->schema, sizeof(out->schema),
			  sqlite3_column_text(st, 5)
				  ? (const char *)sqlite3_column_text(st, 5)
				  : "dbo");
		out->home = home;
		ret = 1;
	} else if (rc != SQLITE_DONE) {
		ret = session_sqlite_error(s, rc, d);
	}
	sqlite3_reset(st);
	return ret;
}

int catalog_find_in(struct session *s, struct attached *home,
		    const char *schema, const char *name, struct object *out,
		    struct diag *d)
{
	if (!home->db && !home->ready)
		return 0;
	if (!home->find_object) {
		home->find_object = catalog_prepare(
			s, d,
			"SELECT " OBJECT_COLUMNS " FROM %s._objects o"
			" LEFT JOIN %s._schemas s ON s.id = o.schema_id"
			" WHERE o.name = ?1 AND (s.name = ?2 OR ?2 IS NULL)"
			" ORDER BY o.id DESC LIMIT 1",
			home->prefix, home->prefix);
		if (!home->find_object)
			return -1;
	}
	sqlite3_bind_text(home->find_object, 1, name, -1, SQLITE_STATIC);
	if (home->db)
		sqlite3_bind_text(home->find_object, 2, schema, -1,
				  SQLITE_STATIC);
	else
		sqlite3_bind_null(home->find_object, 2);
	return read_object(s, home->find_object, home, out, d);
}

int catalog_find_id(struct session *s, struct attached *home, int id,
		    struct object *out, struct diag *d)
{
	sqlite3_stmt *st;
	int ret;

	if (!home->db && !home->ready)
		return 0;
	st = catalog_prepare(s, d,
			     "SELECT " OBJECT_COLUMNS " FROM %s._objects o"
			     " LEFT JOIN %s._schemas s ON s.id = o.schema_id"
			     " WHERE o.id = %d",
			     home->prefix, home->prefix, id);
	if (!st)
		return -1;
	ret = read_object(s, st, home, out, d);
	sqlite3_finalize(st);
	return ret;
}

int catalog_find(struct session *s, const struct name *name, struct object *out,
		 struct diag *d)
{
	const char *schema;
	struct attached *home = catalog_home(s, name, &schema, d);
	const char *object = name->part[name->count - 1];
	const char *own;
	int found;

	if (!home)
		return -1;
	if (schema[0])
		return catalog_find_in(s, home, schema, object, out, d);
	own = perm_default_schema(s, home);
	found = catalog_find_in(s, home, own, object, out, d);
	if (!found && strcasecmp(own, "dbo") != 0)
		found = catalog_find_in(s, home, "dbo", object, out, d);
	return found;
}

/* --- tables --- */

struct table *table_ref(struct table *t)
{
	t->refs++;
	return t;
}

void table_unref(struct table *t)
{
	if (t && --t->refs == 0) {
		struct arena pool;

		ops_free(t->ops);
		pool = t->pool;
		arena_release(&pool);
	}
}

static char *text_of(struct table *t, sqlite3_stmt *st, int col)
{
	const char *text = (const char *)sqlite3_column_text(st, col);

	return text ? pool_strdup(&t->pool, text) : NULL;
}

struct type catalog_read_type(sqlite3_stmt *st, int at)
{
	struct type ty = {.kind = (uint8_t)sqlite3_column_int(st, at),
			  .prec = (uint8_t)sqlite3_column_int(st, at + 1),
			  .scale = (uint8_t)sqlite3_column_int(st, at + 2),
			  .len = sqlite3_column_int(st, at + 3)};
	const char *coll = (const char *)sqlite3_column_text(st, at + 4);

	if (coll && *coll)
		ty.coll = (uint16_t)collation_find(coll);
	ty.user = (uint16_t)sqlite3_column_int(st, at + 5);
	return ty;
}

static int load_head(struct session *s, struct table *t, struct diag *d)
{
	sqlite3_stmt *st = catalog_prepare(
		s, d,
		"SELECT o.schema_id, o.name, o.type, o.phys, o.rowid_col,"
		" o.text, o.extra, o.is_ms, s.name, o.next_col, o.ct,"
		" o.ct_columns, o.temporal, o.history, o.in_memory FROM "
		"%s._objects o"
		" LEFT JOIN %s._schemas s ON s.id = o.schema_id"
		" WHERE o.id = %d",
		t->home->prefix, t->home->prefix, t->id);
	int ret = -1;

	if (!st)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW) {
		t->schema_id = sqlite3_column_int(st, 0);
		t->name = text_of(t, st, 1);
		text_copy(t->type, sizeof(t->type),
			  (const char *)sqlite3_column_text(st, 2));
		t->phys = sqlite3_column_int(st, 3);
		t->rowid_col = sqlite3_column_int(st, 4);
		t->text = text_of(t, st, 5);
		t->extra = text_of(t, st, 6);
		t->is_ms = sqlite3_column_int(st, 7);
		t->schema = text_of(t, st, 8);
		if (!t->schema)
			t->schema = "dbo";
		t->next_col = sqlite3_column_int(st, 9);
		t->change_tracking = sqlite3_column_int(st, 10);
		t->ct_columns = sqlite3_column_int(st, 11);
		t->temporal = (enum temporal_type)sqlite3_column_int(st, 12);
		t->history_id = sqlite3_column_int(st, 13);
		t->in_memory = sqlite3_column_int(st, 14);
		ret = 0;
	} else {
		diag_free_text(d, 208, 16, 1, "Invalid object name (id %d).",
			       t->id);
	}
	sqlite3_finalize(st);
	return ret;
}

static int load_columns(struct session *s, struct table *t, struct diag *d)
{
	sqlite3_stmt *st = catalog_prepare(
		s, d,
		"SELECT c.id, c.name, c.kind, c.prec, c.scale, c.len,"
		" c.collation, c.user_type, c.nullable, c.identity, c.seed,"
		" c.increment, c.computed, c.persisted, c.stored, c.phys,"
		" c.default_id, o.name, o.text, c.rowguid, c.sparse, c.hidden,"
		" c.generated, c.column_set, c.masked FROM %s._columns c"
		" LEFT JOIN %s._objects o ON o.id = c.default_id"
		" WHERE c.object_id = %d ORDER BY c.id",
		t->home->prefix, t->home->prefix, t->id);
	int room = 0;
	struct column *list = NULL;

	if (!st)
		return -1;
	t->identity_column = t->rowversion_column = -1;
	t->start_column = t->end_column = t->set_column = -1;
	while (sqlite3_step(st) == SQLITE_ROW) {
		struct column *c;

		MEM_GROW(list, t->count, room);
		c = &list[t->count];
		memset(c, 0, sizeof(*c));
		c->id = sqlite3_column_int(st, 0);
		c->name = text_of(t, st, 1);
		c->type = catalog_read_type(st, 2);
		c->nullable = sqlite3_column_int(st, 8);
		c->identity = sqlite3_column_int(st, 9);
		c->seed = sqlite3_column_int64(st, 10);
		c->increment = sqlite3_column_int64(st, 11);
		c->computed = text_of(t, st, 12);
		c->persisted = sqlite3_column_int(st, 13);
		c->stored = sqlite3_column_int(st, 14);
		c->phys = sqlite3_column_int(st, 15);
		c->default_id = sqlite3_column_int(st, 16);
		c->default_name = text_of(t, st, 17);
		c->default_text = text_of(t, st, 18);
		c->rowguid = sqlite3_column_int(st, 19);
		c->sparse = sqlite3_column_int(st, 20);
		c->hidden = sqlite3_column_int(st, 21);
		c->generated = sqlite3_column_int(st, 22);
		c->column_set = sqlite3_column_int(st, 23);
		c->masked = sqlite3_column_int(st, 24);
		if (c->identity)
			t->identity_column = t->count;
		if (c->type.kind == TY_ROWVERSION)
			t->rowversion_column = t->count;
		if (c->generated == GENERATED_START)
			t->start_column = t->count;
		else if (c->generated == GENERATED_END)
			t->end_column = t->count;
		if (c->column_set)
			t->set_column = t->count;
		t->count++;
	}
	sqlite3_finalize(st);
	t->columns = pool_alloc(&t->pool,
				(size_t)(t->count + 1) * sizeof(*t->columns));
	if (t->count)
		memcpy(t->columns, list, (size_t)t->count * sizeof(*list));
	free(list);
	return 0;
}

static int load_index_columns(struct session *s, struct table *t,
			      struct index *x, struct diag *d)
{
	sqlite3_stmt *st = catalog_prepare(
		s, d,
		"SELECT column_id, descending, included FROM"
		" %s._index_columns WHERE object_id = %d AND index_id = %d"
		" ORDER BY included, key_ordinal, id",
		t->home->prefix, t->id, x->id);

	if (!st)
		return -1;
	x->columns = pool_alloc(&t->pool,
				(size_t)(t->count + 1) * sizeof(*x->columns));
	while (sqlite3_step(st) == SQLITE_ROW && x->count < t->count) {
		struct index_column *c = &x->columns[x->count++];

		c->column = table_column_by_id(t, sqlite3_column_int(st, 0));
		c->desc = sqlite3_column_int(st, 1);
		c->included = sqlite3_column_int(st, 2);
		if (!c->included)
			x->keys++;
	}
	sqlite3_finalize(st);
	return 0;
}

static int load_indexes(struct session *s, struct table *t, struct diag *d)
{
	sqlite3_stmt *st = catalog_prepare(
		s, d,
		"SELECT id, name, clustered, is_unique, is_primary,"
		" is_constraint, constraint_id, disabled, filter, ignore_dup,"
		" phys, compression, partitioned FROM %s._indexes WHERE "
		"object_id = %d ORDER BY id",
		t->home->prefix, t->id);
	int room = 0, i;
	struct index *list = NULL;

	if (!st)
		return -1;
	while (sqlite3_step(st) == SQLITE_ROW) {
		struct index *x;

		MEM_GROW(list, t->index_count, room);
		x = &list[t->index_count++];
		memset(x, 0, sizeof(*x));
		x->id = sqlite3_column_int(st, 0);
		x->name = text_of(t, st, 1);
		x->clustered = sqlite3_column_int(st, 2);
		x->unique = sqlite3_column_int(st, 3);
		x->primary = sqlite3_column_int(st, 4);
		x->constraint = sqlite3_column_int(st, 5);
		x->constraint_id = sqlite3_column_int(st, 6);
		x->disabled = sqlite3_column_int(st, 7);
		x->filter = text_of(t, st, 8);
		x->ignore_dup = sqlite3_column_int(st, 9);
		x->phys = text_of(t, st, 10);
		x->compression = sqlite3_column_int(st, 11);
		x->partitioned = sqlite3_column_int(st, 12);
	}
	sqlite3_finalize(st);
	t->indexes = pool_alloc(&t->pool, (size_t)(t->index_count + 1) *
						  sizeof(*t->indexes));
	if (t->index_count)
		memcpy(t->indexes, list,
		       (size_t)t->index_count * sizeof(*list));
	free(list);
	for (i = 0; i < t->index_count; i++)
		if (load_index_columns(s, t, &t->indexes[i], d) < 0)
			return -1;
	return 0;
}

/* Check constraints and triggers: objects whose parent is the table. */
static int load_children(struct session *s, struct table *t, struct diag *d)
{
	sqlite3_stmt *st = catalog_prepare(
		s, d,
		"SELECT id, name, type, text, parent_col, disabled, untrusted,"
		" extra FROM %s._objects WHERE parent_id = %d AND type IN"
		" ('C', 'TR') ORDER BY id",
		t->home->prefix, t->id);
	int checks = 0, triggers = 0;
	struct check *clist = NULL;
	struct trigger *tlist = NULL;

	if (!st)
		return -1;
	while (sqlite3_step(st) == SQLITE_ROW) {
		const char *type = (const char *)sqlite3_column_text(st, 2);

		if (!strcmp(type, "C")) {
			struct check *c;

			MEM_GROW(clist, t->check_count, checks);
			c = &clist[t->check_count++];
			c->id = sqlite3_column_int(st, 0);
			c->name = text_of(t, st, 1);
			c->text = text_of(t, st, 3);
			c->column = sqlite3_column_int(st, 4);
			c->disabled = sqlite3_column_int(st, 5);
			c->untrusted = sqlite3_column_int(st, 6);
		} else {
			const char *events = text_of(t, st, 7);
			struct trigger *g;

			MEM_GROW(tlist, t->trigger_count, triggers);
			g = &tlist[t->trigger_count++];
			g->id = sqlite3_column_int(st, 0);
			g->name = text_of(t, st, 1);
			g->disabled = sqlite3_column_int(st, 5);
			g->on_insert = events && strchr(events, 'I');
			g->on_update = events && strchr(events, 'U');
			g->on_delete = events && strchr(events, 'D');
			g->instead = events && strchr(events, 'O');
		}
	}
	sqlite3_finalize(st);
	t->checks = pool_alloc(&t->pool, (size_t)(t->check_count + 1) *
						 sizeof(*t->checks));
	t->triggers = pool_alloc(&t->pool, (size_t)(t->trigger_count + 1) *
						   sizeof(*t->triggers));
	if (clist)
		memcpy(t->checks, clist,
		       (size_t)t->check_count * sizeof(*clist));
	if (tlist)
		memcpy(t->triggers, tlist,
		       (size_t)t->trigger_count * sizeof(*tlist));
	free(clist);
	free(tlist);
	return 0;
}

static int load_fk_columns(struct session *s, struct table *t, struct fkey *f,
			   struct diag *d)
{
	sqlite3_stmt *st = catalog_prepare(
		s, d,
		"SELECT parent_col, ref_col FROM %s._fk_columns WHERE fk = %d"
		" ORDER BY ordinal",
		t->home->prefix, f->id);

	if (!st)
		return -1;
	f->parent_columns = pool_alloc(&t->pool, 32 * sizeof(int));
	f->ref_columns = pool_alloc(&t->pool, 32 * sizeof(int));
	while (sqlite3_step(st) == SQLITE_ROW && f->count < 32) {
		f->parent_columns[f->count] = sqlite3_column_int(st, 0);
		f->ref_columns[f->count++] = sqlite3_column_int(st, 1);
	}
	sqlite3_finalize(st);
	return 0;
}

static int load_fks(struct session *s, struct table *t, const char *side,
		    struct fkey **out, int *count, struct diag *d)
{
	sqlite3_stmt *st = catalog_prepare(
		s, d,
		"SELECT f.id, o.name, f.parent, f.referenced, f.on_delete,"
		" f.on_update, o.disabled, o.untrusted FROM %s._fks f"
		" JOIN %s._objects o ON o.id = f.id WHERE f.%s = %d"
		" ORDER BY f.id",
		t->home->prefix, t->home->prefix, side, t->id);
	struct fkey *list = NULL;
	int room = 0, i;

	if (!st)
		return -1;
	while (sqlite3_step(st) == SQLITE_ROW) {
		struct fkey *f;

		MEM_GROW(list, *count, room);
		f = &list[(*count)++];
		memset(f, 0, sizeof(*f));
		f->id = sqlite3_column_int(st, 0);
		f->name = text_of(t, st, 1);
		f->parent = sqlite3_column_int(st, 2);
		f->referenced = sqlite3_column_int(st, 3);
		f->on_delete = (enum fk_action)sqlite3_column_int(st, 4);
		f->on_update = (enum fk_action)sqlite3_column_int(st, 5);
		f->disabled = sqlite3_column_int(st, 6);
		f->untrusted = sqlite3_column_int(st, 7);
	}
	sqlite3_finalize(st);
	*out = pool_alloc(&t->pool, (size_t)(*count + 1) * sizeof(**out));
	if (list)
		memcpy(*out, list, (size_t)*count * sizeof(*list));
	free(list);
	for (i = 0; i < *count; i++)
		if (load_fk_columns(s, t, &(*out)[i], d) < 0)
			return -1;
	return 0;
}

static int load(struct session *s, struct table *t, struct diag *d)
{
	int64_t tracked = 0;

	if (load_head(s, t, d) < 0 || load_columns(s, t, d) < 0)
		return -1;
	if (strcmp(t->type, "U") != 0)
		return load_children(s, t, d);
	if (load_indexes(s, t, d) < 0 || load_children(s, t, d) < 0 ||
	    load_fks(s, t, "parent", &t->out, &t->out_count, d) < 0 ||
	    load_fks(s, t, "referenced", &t->in, &t->in_count, d) < 0)
		return -1;
	if (t->db && catalog_int(s, d, &tracked,
				 "SELECT 1 FROM %s._meta WHERE k = 'cdc:%d'",
				 t->home->prefix, t->id) < 0)
		return -1;
	t->tracked_by_cdc = tracked;
	return 0;
}

struct table *catalog_table(struct session *s, struct attached *home, int id,
			    struct diag *d)
{
	int64_t version = catalog_version(s, home, d);
	struct table **link, *t;
	struct arena pool;

	if (version < 0)
		return NULL;
	if (!s->tables)
		s->tables = mem_calloc(1, sizeof(*s->tables));
	for (link = &s->tables->first; (t = *link); link = &t->next) {
		if (t->id != id || t->home != home)
			continue;
		if (t->version == version)
			return table_ref(t);
		*link = t->next;
		table_unref(t);
		break;
	}
	arena_init(&pool, 0);
	t = pool_alloc(&pool, sizeof(*t));
	t->pool = pool;
	t->refs = 1;
	t->home = home;
	t->db = home->db;
	t->id = id;
	t->version = version;
	if (load(s, t, d) < 0) {
		table_unref(t);
		return NULL;
	}
	t->next = s->tables->first;
	s->tables->first = t;
	return table_ref(t);
}

void catalog_forget(struct session *s)
{
	struct table *t;

	while (s->tables && (t = s->tables->first)) {
		s->tables->first = t->next;
		table_unref(t);
	}
}

void catalog_cache_free(struct session *s)
{
	catalog_forget(s);
	free(s->tables);
	s->tables = NULL;
}

int table_column(const struct table *t, const char *name)
{
	int i;

	for (i = 0; i < t->count; i++)
		if (!strcasecmp(t->columns[i].name, name))
			return i;
	for (i = 0; i < t->count; i++)
		if (same_name(t->columns[i].name, name))
			return i;
	return -1;
}

int table_column_by_id(const struct table *t, int id)
{
	int i;

	for (i = 0; i < t->count; i++)
		if (t->columns[i].id == id)
			return i;
	return -1;
}

const struct index *table_primary_key(const struct table *t)
{
	int i;

	for (i = 0; i < t->index_count; i++)
		if (t->indexes[i].primary)
			return &t->indexes[i];
	return NULL;
}

const char *table_full_name(const struct table *t, struct arena *pool)
{
	return pool_printf(pool, "%s.%s.%s", t->db ? t->db->name : "tempdb",
			   t->schema, t->name);
}

const char *table_two_part(const struct table *t, struct arena *pool)
{
	return pool_printf(pool, "%s.%s", t->schema, t->name);
}

const char *table_phys(const struct table *t, char *buf, size_t size)
{
	snprintf(buf, size, "%s.t%d", t->home->prefix, t->phys);
	return buf;
}
