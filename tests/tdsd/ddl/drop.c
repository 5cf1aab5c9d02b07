#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ddl/ddl.h"
#include "dml/ops.h"
#include "exec/perm.h"
#include "cdc/cdc.h"
#include "cdc/tracking.h"

static const char *last(const struct name *n)
{
	return n->part[n->count - 1];
}

static const char *shown(struct ddl *x, const struct name *n)
{
	const char *text = n->part[0];
	int i;

	for (i = 1; i < n->count; i++)
		text = pool_printf(x->pool, "%s.%s", text, n->part[i]);
	return text;
}

static bool type_fits(const char *kind, const char *type)
{
	if (!strcmp(kind, "TABLE"))
		return !strcmp(type, "U");
	if (!strcmp(kind, "VIEW"))
		return !strcmp(type, "V");
	if (!strcmp(kind, "PROCEDURE"))
		return !strcmp(type, "P");
	if (!strcmp(kind, "TRIGGER"))
		return !strcmp(type, "TR");
	if (!strcmp(kind, "SYNONYM"))
		return !strcmp(type, "SN");
	return !strcmp(type, "FN") || !strcmp(type, "IF");
}

static const char *lower_kind(const char *kind)
{
	static const struct {
		const char *kind, *word;
	} words[] = {{"TABLE", "table"},	 {"VIEW", "view"},
		     {"PROCEDURE", "procedure"}, {"FUNCTION", "function"},
		     {"TRIGGER", "trigger"},	 {"SCHEMA", "schema"},
		     {"TYPE", "type"},		 {"SYNONYM", "synonym"},
		     {"DATABASE", "database"}};
	size_t i;

	for (i = 0; i < LENGTH_OF(words); i++)
		if (!strcmp(words[i].kind, kind))
			return words[i].word;
	return kind;
}

static int missing(struct ddl *x, const struct drop *drop,
		   const struct name *name)
{
	if (drop->if_exists)
		return 0;
	return diag_set(x->d, 3701, "drop", lower_kind(drop->kind),
			shown(x, name));
}

static int drop_object(struct ddl *x, const struct drop *drop,
		       const struct name *name)
{
	struct object o;
	struct table *t;
	int found = catalog_find(x->s, name, &o, x->d), ret;

	if (found < 0) {
		/* an unknown database is no reason when it need not exist */
		if (drop->if_exists && x->d->number == 208)
			return 0;
		return -1;
	}
	if (!found)
		return missing(x, drop, name);
	if (!type_fits(drop->kind, o.type)) {
		if (drop->if_exists)
			return 0;
		return diag_set(x->d, 3705, drop->kind, shown(x, name),
				!strcmp(o.type, "U")   ? "table"
				: !strcmp(o.type, "V") ? "view"
				: !strcmp(o.type, "P") ? "procedure"
						       : "function",
				!strcmp(o.type, "U")   ? "DROP TABLE"
				: !strcmp(o.type, "V") ? "DROP VIEW"
				: !strcmp(o.type, "P") ? "DROP PROCEDURE"
						       : "DROP FUNCTION");
	}
	if (ddl_begin(x, x->s, o.home, x->pool, x->d) < 0)
		return -1;
	found = catalog_find(x->s, name, &o, x->d);
	if (found <= 0)
		return missing(x, drop, name);
	if (!perm_has(x->s, o.home, 1, o.id, o.schema_id, "CONTROL") &&
	    !perm_has(x->s, o.home, 3, o.schema_id, o.schema_id, "ALTER"))
		return diag_set(x->d, 3701, "drop", lower_kind(drop->kind),
				shown(x, name));
	if (strcmp(o.type, "U") != 0) {
		if (ddl_remove_object(x, o.id) < 0)
			return -1;
		return catalog_touch(x->s, x->home, x->d);
	}
	t = catalog_table(x->s, o.home, o.id, x->d);
	if (!t)
		return -1;
	ops_free(t->ops); /* its prepared statements hold the table */
	t->ops = NULL;
	ret = t->tracked_by_cdc ? cdc_table_dropped(x, t) : 0;
	if (ret == 0)
		ret = ddl_drop_table(x, t);
	table_unref(t);
	return ret < 0 ? -1 : catalog_touch(x->s, x->home, x->d);
}

static int own_home(struct ddl *x, const struct name *name)
{
	struct attached *home = session_attach(x->s, x->s->db, x->d);

	(void)name;
	return home ? ddl_begin(x, x->s, home, x->pool, x->d) : -1;
}

static int drop_schema(struct ddl *x, const struct drop *drop,
		       const struct name *name)
{
	int id;
	int64_t used = 0;

	if (own_home(x, name) < 0)
		return -1;
	id = catalog_schema_id(x->s, x->home, last(name));
	if (!id && drop->if_exists)
		return 0;
	if (!id || !perm_has(x->s, x->home, 3, id, id, "CONTROL"))
		return diag_set(x->d, 15151, "drop", "schema", last(name));
	if (catalog_int(x->s, x->d, &used,
			"SELECT id FROM %s._objects WHERE schema_id = %d LIMIT"
			" 1",
			x->home->prefix, id) < 0)
		return -1;
	if (used) {
		struct object o;

		if (catalog_find_id(x->s, x->home, (int)used, &o, x->d) < 0)
			return -1;
		return diag_set(x->d, 3729, "drop schema", last(name), o.name);
	}
	if (id <= 4 || id >= 16384)
		return diag_set(x->d, 15150, "drop", "schema", last(name));
	if (catalog_exec(x->s, x->d, "DELETE FROM %s._schemas WHERE id = %d",
			 x->home->prefix, id) < 0)
		return -1;
	return catalog_touch(x->s, x->home, x->d);
}

static int drop_type(struct ddl *x, const struct drop *drop,
		     const struct name *name)
{
	const char *schema =
		name->count > 1 ? name->part[name->count - 2] : "dbo";
	int64_t id = 0, table = 0, used = 0;

	if (own_home(x, name) < 0 ||
	    catalog_int(x->s, x->d, &id,
			"SELECT t.id FROM %s._types t JOIN %s._schemas s ON"
			" s.id = t.schema_id WHERE t.name = %Q AND s.name = %Q",
			x->home->prefix, x->home->prefix, last(name),
			schema) < 0)
		return -1;
	if (!id) {
		if (drop->if_exists)
			return 0;
		return diag_set(x->d, 218, last(name));
	}
	if (catalog_int(x->s, x->d, &used,
			"SELECT object_id FROM %s._columns WHERE user_type ="
			" %lld LIMIT 1",
			x->home->prefix, (long long)id) < 0 ||
	    catalog_int(x->s, x->d, &table,
			"SELECT table_id FROM %s._types WHERE id = %lld",
			x->home->prefix, (long long)id) < 0)
		return -1;
	if (used) {
		struct object o;

		if (catalog_find_id(x->s, x->home, (int)used, &o, x->d) < 0)
			return -1;
		return diag_set(x->d, 3732, last(name), o.name);
	}
	if (table) {
		struct table *t =
			catalog_table(x->s, x->home, (int)table, x->d);
		int ret = t ? ddl_drop_table(x, t) : -1;

		table_unref(t);
		if (ret < 0)
			return -1;
	}
	if (catalog_exec(x->s, x->d, "DELETE FROM %s._types WHERE id = %lld",
			 x->home->prefix, (long long)id) < 0)
		return -1;
	return catalog_touch(x->s, x->home, x->d);
}

int ddl_drop(struct ddl *x, const struct drop *drop)
{
	const struct name_ref *n;

	for (n = drop->names; n; n = n->next) {
		int ret;

		if (!strcmp(drop->kind, "SCHEMA"))
			ret = drop_schema(x, drop, &n->name);
		else if (!strcmp(drop->kind, "TYPE"))
			ret = drop_type(x, drop, &n->name);
		else if (!strcmp(drop->kind, "STATISTICS"))
			ret = 0;
		else if (!strcmp(drop->kind, "SEQUENCE"))
			ret = drop->if_exists ? 0
					      : diag_set(x->d, 3701, "drop",
							 "sequence object",
							 shown(x, &n->name));
		else
			ret = drop_object(x, drop, &n->name);
		if (ret < 0)
			return -1;
	}
	return 0;
}

int ddl_truncate(struct ddl *x, struct table *t)
{
	char phys[64];
	int i;

	if (t->temporal)
		return diag_set(x->d, 13545, table_full_name(t, x->pool));
	if (t->tracked_by_cdc)
		return diag_set(x->d, 4711, t->name);
	for (i = 0; i < t->in_count; i++)
		if (t->in[i].parent != t->id)
			return diag_set(x->d, 4712, t->name);
	if (catalog_exec(x->s, x->d, "DELETE FROM %s",
			 table_phys(t, phys, sizeof(phys))) < 0)
		return -1;
	if (t->change_tracking && tracking_truncated(x, t) < 0)
		return -1;
	if (t->identity_column < 0)
		return 0;
	if (t->db)
		identity_forget(t->db, t->id);
	return catalog_exec(x->s, x->d,
			    "DELETE FROM %s._identity WHERE object_id = %d",
			    x->home->prefix, t->id);
}
