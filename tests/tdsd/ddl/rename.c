/* sp_rename: objects, columns, indexes, types. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ddl/ddl.h"
#include "exec/perm.h"
#include "exec/server.h"
#include "sql/parse.h"

static int wrong(struct ddl *x, const char *object, const char *type)
{
	return diag_set(x->d, 15225, object, x->s->db->name,
			type ? type : "(null)");
}

/* What one may not alter is as good as not there. */
static bool may_rename(struct ddl *x, const struct object *o)
{
	return perm_has(x->s, o->home, 1, o->parent_id ? o->parent_id : o->id,
			o->schema_id, "ALTER");
}

static int find_parent(struct ddl *x, struct name *n, struct object *o)
{
	int found;

	n->count--;
	found = catalog_find(x->s, n, o, x->d);
	n->count++;
	return found > 0 && !may_rename(x, o) ? 0 : found;
}

static int rename_column(struct ddl *x, struct name *n, const char *object,
			 const char *new_name)
{
	const char *old = n->part[n->count - 1];
	struct object o;
	struct table *t;
	int at, ret;

	if (n->count < 2 || find_parent(x, n, &o) <= 0)
		return diag_set(x->d, 15248, "COLUMN");
	if (ddl_begin(x, x->s, o.home, x->pool, x->d) < 0)
		return -1;
	t = catalog_table(x->s, o.home, o.id, x->d);
	if (!t)
		return -1;
	at = table_column(t, old);
	if (at < 0)
		ret = diag_set(x->d, 15248, "COLUMN");
	else if (table_column(t, new_name) >= 0)
		ret = diag_set(x->d, 15335, new_name, "COLUMN");
	else
		ret = catalog_exec(x->s, x->d,
				   "UPDATE %s._columns SET name = %Q WHERE"
				   " object_id = %d AND id = %d",
				   x->home->prefix, new_name, t->id,
				   t->columns[at].id);
	(void)object;
	table_unref(t);
	return ret < 0 ? -1 : catalog_touch(x->s, x->home, x->d);
}

static int rename_index(struct ddl *x, struct name *n, const char *new_name)
{
	struct object o;
	struct table *t;
	int i, ret;

	if (n->count < 2 || find_parent(x, n, &o) <= 0)
		return diag_set(x->d, 15248, "INDEX");
	if (ddl_begin(x, x->s, o.home, x->pool, x->d) < 0)
		return -1;
	t = catalog_table(x->s, o.home, o.id, x->d);
	if (!t)
		return -1;
	ret = diag_set(x->d, 15248, "INDEX");
	for (i = 0; i < t->index_count; i++) {
		const struct index *ix = &t->indexes[i];

		if (strcasecmp(ix->name, n->part[n->count - 1]) != 0)
			continue;
		ret = catalog_exec(x->s, x->d,
				   "UPDATE %s._indexes SET name = %Q WHERE"
				   " object_id = %d AND id = %d",
				   x->home->prefix, new_name, t->id, ix->id);
		if (ret == 0 && ix->constraint_id)
			ret = catalog_exec(x->s, x->d,
					   "UPDATE %s._objects SET name = %Q"
					   " WHERE id = %d",
					   x->home->prefix, new_name,
					   ix->constraint_id);
		break;
	}
	table_unref(t);
	return ret < 0 ? -1 : catalog_touch(x->s, x->home, x->d);
}

static int rename_object(struct ddl *x, const struct object *o,
			 const char *new_name)
{
	struct object taken;
	int found;

	if (ddl_begin(x, x->s, o->home, x->pool, x->d) < 0)
		return -1;
	found = catalog_find_in(x->s, o->home, o->schema, new_name, &taken,
				x->d);
	if (found < 0)
		return -1;
	if (found && taken.id != o->id)
		return diag_set(x->d, 15335, new_name, "OBJECT");
	if (catalog_exec(x->s, x->d,
			 "UPDATE %s._objects SET name = %Q, modified = %lld"
			 " WHERE id = %d",
			 x->home->prefix, new_name, (long long)catalog_now(),
			 o->id) < 0)
		return -1;
	/* keys carry their name in the index as well */
	if (catalog_exec(x->s, x->d,
			 "UPDATE %s._indexes SET name = %Q WHERE constraint_id"
			 " = %d",
			 x->home->prefix, new_name, o->id) < 0)
		return -1;
	return catalog_touch(x->s, x->home, x->d);
}

int ddl_rename(struct ddl *x, const char *object, const char *new_name,
	       const char *type)
{
	struct diag caution;
	struct object o;
	struct name n;
	int ret, found;

	if (!parse_name(x->pool, object, strlen(object), &n) || !*new_name)
		return wrong(x, object, type);
	if (type && !strcasecmp(type, "column")) {
		ret = rename_column(x, &n, object, new_name);
	} else if (type && !strcasecmp(type, "index")) {
		ret = rename_index(x, &n, new_name);
	} else if (type && !strcasecmp(type, "database")) {
		struct database *db =
			database_find(&x->s->server->registry, object);

		if (!db)
			return diag_set(x->d, 911, object);
		return database_rename(&x->s->server->registry, db, new_name,
				       x->d);
	} else if (type && strcasecmp(type, "object") != 0 &&
		   strcasecmp(type, "userdatatype") != 0) {
		return diag_free_text(x->d, 15249, 11, 1,
				      "Error: Explicit @itemtype '%s' is "
				      "unrecognized (%d).",
				      type, 0);
	} else {
		found = catalog_find(x->s, &n, &o, x->d);
		if (found < 0)
			return -1;
		if (!found && n.count > 1 && !type) {
			/* without a type it may be a column or an index */
			if (find_parent(x, &n, &o) > 0) {
				ret = rename_column(x, &n, object, new_name);
				if (ret == 0)
					goto done;
				return rename_index(x, &n, new_name);
			}
		}
		if (!found || !may_rename(x, &o))
			return wrong(x, object, type);
		ret = rename_object(x, &o, new_name);
	}
	if (ret < 0)
		return -1;
done:
	diag_free_text(&caution, 15477, 0, 1,
		       "Caution: Changing any part of an object name could "
		       "break scripts and stored procedures.");
	run_info(x->s, &caution);
	return 0;
}
