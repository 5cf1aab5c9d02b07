/* Schemas, types and synonyms. */
#include "ddl/schema.h"

#include <string.h>
#include <strings.h>

#include "exec/perm.h"
#include "value/collation.h"

/* The principal that shall own a schema: nobody may put it on others. */
static int find_owner(struct ddl *x, const char *owner, int *id)
{
	int64_t found = -1;

	if (!owner) {
		*id = perm_user_id(x->s, x->home);
		return 0;
	}
	if (catalog_int(x->s, x->d, &found,
			"SELECT id FROM %s._principals WHERE name = %Q",
			x->home->prefix, owner) < 0)
		return -1;
	if (found < 0 || (found != perm_user_id(x->s, x->home) &&
			  !perm_in_role(x->s, x->home, owner) &&
			  !perm_is_owner(x->s, x->home)))
		return diag_set(x->d, 15151, "find", "principal", owner);
	*id = (int)found;
	return 0;
}

/* ALTER AUTHORIZATION ON SCHEMA:: */
int ddl_give_schema(struct ddl *x, const char *name, const char *owner)
{
	struct attached *home = session_attach(x->s, x->s->db, x->d);
	int id, owner_id;

	if (!home || ddl_begin(x, x->s, home, x->pool, x->d) < 0)
		return -1;
	id = catalog_schema_id(x->s, home, name);
	if (!id || !perm_has(x->s, home, 3, id, id, "TAKE OWNERSHIP"))
		return diag_set(x->d, 15151, "find", "schema", name);
	if (find_owner(x, owner, &owner_id) < 0)
		return -1;
	return catalog_exec(x->s, x->d,
			    "UPDATE %s._schemas SET owner = %d WHERE id = %d",
			    home->prefix, owner_id, id);
}

int ddl_create_schema(struct ddl *x, const char *name, const char *owner)
{
	struct attached *home = session_attach(x->s, x->s->db, x->d);
	int64_t id = 0;
	int owner_id;

	if (!home || ddl_begin(x, x->s, home, x->pool, x->d) < 0 ||
	    perm_database(x->s, home, "CREATE SCHEMA", x->d) < 0 ||
	    find_owner(x, owner, &owner_id) < 0)
		return -1;
	if (catalog_schema_id(x->s, home, name)) {
		return diag_free_text(x->d, 2714, 16, 6,
				      "There is already an object named '%s' "
				      "in the database.",
				      name);
	}
	if (catalog_int(x->s, x->d, &id,
			"SELECT max(id) + 1 FROM %s._schemas WHERE id < 16384",
			home->prefix) < 0)
		return -1;
	if (catalog_exec(x->s, x->d,
			 "INSERT INTO %s._schemas VALUES(%lld, %Q, %d)",
			 home->prefix, (long long)id, name, owner_id) < 0)
		return -1;
	return catalog_touch(x->s, home, x->d);
}

int ddl_transfer(struct ddl *x, const char *schema, const struct name *object)
{
	struct object o;
	int found = catalog_find(x->s, object, &o, x->d), id;

	if (found < 0)
		return -1;
	if (!found || !perm_has(x->s, o.home, 1, o.id, o.schema_id, "CONTROL"))
		return diag_set(x->d, 15151, "find", "object",
				object->part[object->count - 1]);
	if (ddl_begin(x, x->s, o.home, x->pool, x->d) < 0)
		return -1;
	id = catalog_schema_id(x->s, o.home, schema);
	if (!id || !perm_has(x->s, o.home, 3, id, id, "ALTER"))
		return diag_set(x->d, 15151, "alter", "schema", schema);
	if (ddl_check_free(x, id, o.name) < 0)
		return -1;
	if (catalog_exec(x->s, x->d,
			 "UPDATE %s._objects SET schema_id = %d WHERE id = %d"
			 " OR parent_id = %d",
			 o.home->prefix, id, o.id, o.id) < 0)
		return -1;
	return catalog_touch(x->s, o.home, x->d);
}

int ddl_create_type(struct ddl *x, const struct stmt *st)
{
	const char *name = st->type.name.part[st->type.name.count - 1];
	int schema_id, table = 0;
	int64_t id = 0;
	struct type t = type_of(TY_TABLE);
	bool not_null = false;

	if (ddl_place(x, &st->type.name, "CREATE TYPE", &schema_id) < 0)
		return -1;
	if (catalog_int(x->s, x->d, &id,
			"SELECT id FROM %s._types WHERE name = %Q AND"
			" schema_id = %d",
			x->home->prefix, name, schema_id) < 0)
		return -1;
	if (id || type_kind_find(name) != TY_NONE)
		return diag_set(x->d, 219, pool_printf(x->pool, "%s", name));
	if (st->type.table) {
		const char *hidden = ddl_name(x, "TT", name, "");

		if (ddl_create_table(x, schema_id, hidden, st->type.table,
				     st->type.constraints, NULL, &table) < 0)
			return -1;
		if (catalog_exec(x->s, x->d,
				 "UPDATE %s._objects SET type = 'TT', is_ms = 1"
				 " WHERE id = %d",
				 x->home->prefix, table) < 0)
			return -1;
	} else if (catalog_type(x->s, &st->type.base, 0, "type", &t, &not_null,
				x->d) < 0) {
		return -1;
	}
	return catalog_exec(
		       x->s, x->d,
		       "INSERT INTO %s._types VALUES((SELECT max(257,"
		       " ifnull(max(id) + 1, 0)) FROM %s._types), %d, %Q, %d,"
		       " %d, %d, %d, %Q, %d, %d)",
		       x->home->prefix, x->home->prefix, schema_id, name,
		       t.kind, t.prec, t.scale, (int)t.len,
		       type_is_text(t) ? collation_get(t.coll)->name : NULL,
		       st->type.nullable != 0, table) < 0
		       ? -1
		       : catalog_touch(x->s, x->home, x->d);
}

int ddl_create_synonym(struct ddl *x, const struct stmt *st)
{
	const char *name = st->type.name.part[st->type.name.count - 1];
	const struct name *base = &st->type.base_name;
	const char *target = "";
	int schema_id, i;

	if (ddl_place(x, &st->type.name, "CREATE SYNONYM", &schema_id) < 0 ||
	    ddl_check_free(x, schema_id, name) < 0)
		return -1;
	for (i = 0; i < base->count; i++)
		target = pool_printf(x->pool, "%s%s[%s]", target, i ? "." : "",
				     base->part[i]);
	if (ddl_add_object(x, schema_id, 0, 0, name, "SN", NULL, target,
			   false) < 0)
		return -1;
	return catalog_touch(x->s, x->home, x->d);
}
