/* What all DDL needs: places, objects, generated rows of the catalog. */
#include "ddl/ddl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exec/perm.h"
#include "exec/tran.h"
#include "store/schema.h"

/* The catalog of temporary tables is made with the first of them. */
static int ready_temp(struct ddl *x)
{
	if (x->home->db || x->home->ready)
		return 0;
	if (schema_create(x->s->sql, "temp", x->d) < 0)
		return -1;
	x->home->ready = true;
	if (catalog_exec(x->s, x->d,
			 "UPDATE temp._cat SET next_id = 1500000000"))
		return -1;
	return 0;
}

int ddl_begin(struct ddl *x, struct session *s, struct attached *home,
	      struct arena *pool, struct diag *d)
{
	x->s = s;
	x->home = home;
	x->pool = pool;
	x->d = d;
	if (s->set.isolation == ISO_SNAPSHOT && s->tran_snapshot && home->db)
		return diag_set(d, 3964);
	if (tran_write(s, home, d) < 0 || ready_temp(x) < 0)
		return -1;
	return catalog_touch(s, home, d);
}

int ddl_place(struct ddl *x, const struct name *name, const char *right,
	      int *schema_id)
{
	const char *schema;
	struct attached *home = catalog_home(x->s, name, &schema, x->d);

	if (!home)
		return -1;
	x->home = home;
	if (!schema[0])
		schema = perm_default_schema(x->s, home);
	if (ddl_begin(x, x->s, home, x->pool, x->d) < 0)
		return -1;
	*schema_id = catalog_schema_id(x->s, home, schema);
	if (!*schema_id)
		return diag_set(x->d, 2760, schema);
	return right ? perm_create(x->s, home, *schema_id, schema, right, x->d)
		     : 0;
}

int ddl_check_free(struct ddl *x, int schema_id, const char *name)
{
	int64_t id = 0;

	if (catalog_int(x->s, x->d, &id,
			"SELECT id FROM %s._objects WHERE name = %Q AND"
			" schema_id = %d AND (level = %d OR %d)",
			x->home->prefix, name, schema_id,
			x->s->frame ? x->s->frame->level : 0,
			x->home->db != NULL) < 0)
		return -1;
	if (id)
		return diag_set(x->d, 2714, name);
	return 0;
}

int ddl_add_object(struct ddl *x, int schema_id, int parent_id, int parent_col,
		   const char *name, const char *type, const char *text,
		   const char *extra, bool system_named)
{
	int id = catalog_new_id(x->s, x->home, x->d);
	long long now = (long long)catalog_now();

	if (id < 0)
		return -1;
	if (catalog_exec(
		    x->s, x->d,
		    "INSERT INTO %s._objects(id, schema_id, parent_id,"
		    " parent_col, name, type, created, modified, text, extra,"
		    " phys, rowid_col, level, disabled, untrusted,"
		    " system_named, is_ms, quoted, ansi_nulls, next_col, ct,"
		    " ct_columns) VALUES(%d, %d, %d, %d, %Q, %Q, %lld, %lld,"
		    " %Q, %Q, 0, 0, %d, 0, 0, %d, %d, %d, %d, 0, 0, 0)",
		    x->home->prefix, id, schema_id, parent_id, parent_col, name,
		    type, now, now, text, extra,
		    x->s->frame ? x->s->frame->level : 0, system_named,
		    x->s->internal, x->s->set.quoted_identifier, true) < 0)
		return -1;
	return id;
}

int ddl_remove_object(struct ddl *x, int id)
{
	static const char *const tables[] = {"_columns", "_indexes",
					     "_index_columns", "_params"};
	size_t i;

	for (i = 0; i < LENGTH_OF(tables); i++)
		if (catalog_exec(x->s, x->d,
				 "DELETE FROM %s.%s WHERE object_id = %d",
				 x->home->prefix, tables[i], id) < 0)
			return -1;
	if (catalog_exec(x->s, x->d,
			 "DELETE FROM %s._permissions WHERE class = 1 AND"
			 " major = %d",
			 x->home->prefix, id) < 0)
		return -1;
	return catalog_exec(x->s, x->d, "DELETE FROM %s._objects WHERE id = %d",
			    x->home->prefix, id);
}

struct table *ddl_reload(struct ddl *x, struct table *t)
{
	int id = t->id;

	table_unref(t);
	return catalog_table(x->s, x->home, id, x->d);
}
