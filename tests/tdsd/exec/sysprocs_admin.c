/* Configuration, members, properties, descriptions of results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/output.h"
#include "exec/perm.h"
#include "exec/security.h"
#include "exec/server.h"
#include "exec/sysprocs.h"
#include "exec/tran.h"
#include "value/collation.h"

enum flow sysproc_configure(struct call *c)
{
	struct arena pool;
	const char *name;
	enum flow flow = FLOW_OK;
	struct diag d, info;

	arena_init(&pool, 0);
	name = call_text(c, 0, "@configname", &pool);
	if (call_given(c, 1, "@configvalue")) {
		int64_t value = call_int(c, 1, "@configvalue", 0), old;

		if (!c->s->sysadmin) {
			diag_set(&d, 15247);
			flow = call_error(c, &d);
		} else if (server_config_set(c->s->server, name, value, &old) <
			   0) {
			diag_free_text(&d, 15123, 16, 1,
				       "The configuration option '%s' does not "
				       "exist, or it may be an advanced "
				       "option.",
				       name);
			flow = call_error(c, &d);
		} else {
			diag_free_text(&info, 15457, 0, 1,
				       "Configuration option '%s' changed from "
				       "%lld to %lld. Run the RECONFIGURE "
				       "statement to install.",
				       name, (long long)old, (long long)value);
			run_info(c->s, &info);
		}
	} else {
		flow = call_sql(
			c,
			"SELECT CAST(name AS nvarchar(35)) AS name,"
			" CAST(minimum AS int) AS minimum, CAST(maximum AS int)"
			" AS maximum, CAST(value AS int) AS config_value,"
			" CAST(value_in_use AS int) AS run_value FROM"
			" sys.configurations WHERE name LIKE N%Q ORDER BY name",
			name ? pool_printf(&pool, "%s%%", name) : "%");
	}
	c->has_status = true;
	arena_release(&pool);
	return flow;
}

static enum flow member(struct call *c, const char *verb, bool role_first)
{
	struct arena pool;
	const char *role, *name;
	enum flow flow;

	arena_init(&pool, 0);
	role = call_text(c, role_first ? 0 : 1, "@rolename", &pool);
	name = call_text(c, role_first ? 1 : 0, "@membername", &pool);
	if (!name)
		name = call_text(c, 0, "@loginame", &pool);
	flow = call_sql(c, "ALTER %sROLE [%w] %s MEMBER [%w]",
			role_first ? "" : "SERVER ", role ? role : "", verb,
			name ? name : "");
	arena_release(&pool);
	return flow;
}

enum flow sysproc_addrolemember(struct call *c)
{
	return member(c, "ADD", true);
}

enum flow sysproc_droprolemember(struct call *c)
{
	return member(c, "DROP", true);
}

static enum flow server_member(struct call *c, bool add)
{
	struct arena pool;
	const char *role, *name;

	arena_init(&pool, 0);
	name = call_text(c, 0, "@loginame", &pool);
	role = call_text(c, 1, "@rolename", &pool);
	if (role && name)
		login_role(&c->s->server->registry, role, name, add);
	c->has_status = true;
	arena_release(&pool);
	return FLOW_OK;
}

enum flow sysproc_addsrvrolemember(struct call *c)
{
	return server_member(c, true);
}

enum flow sysproc_dropsrvrolemember(struct call *c)
{
	return server_member(c, false);
}

enum flow sysproc_addlogin(struct call *c)
{
	struct arena pool;
	const char *name, *password, *db;
	struct diag d;
	enum flow flow = FLOW_OK;

	arena_init(&pool, 0);
	name = call_text(c, 0, "@loginame", &pool);
	password = call_text(c, 1, "@passwd", &pool);
	db = call_text(c, 2, "@defdb", &pool);
	if (!c->s->sysadmin) {
		diag_set(&d, 15247);
		flow = call_error(c, &d);
	} else if (login_create(&c->s->server->registry, name ? name : "",
				password ? password : "", db, &d) < 0) {
		flow = call_error(c, &d);
	}
	arena_release(&pool);
	return flow;
}

enum flow sysproc_password(struct call *c)
{
	struct arena pool;
	const char *name, *password;
	struct diag d;
	enum flow flow = FLOW_OK;

	arena_init(&pool, 0);
	password = call_text(c, 1, "@new", &pool);
	name = call_text(c, 2, "@loginame", &pool);
	if (login_alter(&c->s->server->registry, name ? name : c->s->login,
			password ? password : "", -1, NULL, NULL, &d) < 0)
		flow = call_error(c, &d);
	arena_release(&pool);
	return flow;
}

enum flow sysproc_grantdbaccess(struct call *c)
{
	struct arena pool;
	const char *login, *name;
	enum flow flow;

	arena_init(&pool, 0);
	login = call_text(c, 0, "@loginame", &pool);
	name = call_text(c, 1, "@name_in_db", &pool);
	flow = call_sql(c, "CREATE USER [%w] FOR LOGIN [%w]",
			name ? name : login ? login : "", login ? login : "");
	arena_release(&pool);
	return flow;
}

/* --- extended properties --- */

/* What @level0type … name; class and ids as sys.extended_properties. */
static int property_target(struct call *c, struct attached *home,
			   struct arena *pool, int *class_, int *major,
			   int *minor, struct diag *d)
{
	const char *schema = call_text(c, 3, "@level0name", pool);
	const char *object = call_text(c, 5, "@level1name", pool);
	const char *column = call_text(c, 7, "@level2name", pool);
	struct object o;
	struct table *t;
	int found;

	*class_ = *major = *minor = 0;
	if (!schema)
		return 0;
	if (!object) {
		*class_ = 3;
		*major = catalog_schema_id(c->s, home, schema);
		return *major ? 0 : diag_set(d, 15135, schema);
	}
	found = catalog_find_in(c->s, home, schema, object, &o, d);
	if (found < 0)
		return -1;
	if (!found)
		return diag_free_text(d, 15135, 16, 8,
				      "Object is invalid. Extended properties "
				      "are not permitted on '%s.%s', or the "
				      "object does not exist.",
				      schema, object);
	*class_ = 1;
	*major = o.id;
	if (!column)
		return 0;
	t = catalog_table(c->s, home, o.id, d);
	if (!t)
		return -1;
	found = table_column(t, column);
	*minor = found < 0 ? 0 : t->columns[found].id;
	table_unref(t);
	return 0;
}

static enum flow property(struct call *c, char verb)
{
	struct session *s = c->s;
	struct attached *home;
	struct call_arg *value = call_get(c, 1, "@value");
	struct arena pool;
	const char *name;
	struct diag d, ignored;
	int class_ = 0, major = 0, minor = 0, ret;
	int64_t there = 0;
	enum flow flow = FLOW_OK;

	arena_init(&pool, 0);
	d.line = 0;
	d.proc[0] = '\0';
	name = call_text(c, 0, "@name", &pool);
	ret = tran_begin_statement(s, &d);
	home = session_attach(s, s->db, &d);
	if (ret == 0 && (!home || tran_write(s, home, &d) < 0))
		ret = -1;
	if (ret == 0)
		ret = property_target(c, home, &pool, &class_, &major, &minor,
				      &d);
	if (ret == 0)
		ret = catalog_int(s, &d, &there,
				  "SELECT 1 FROM %s._properties WHERE class ="
				  " %d AND major = %d AND minor = %d AND name ="
				  " %Q",
				  home->prefix, class_, major, minor,
				  name ? name : "");
	if (ret == 0 && verb == 'A' && there)
		ret = diag_set(&d, 15233, name, "object specified");
	if (ret == 0 && verb != 'A' && !there)
		ret = diag_free_text(&d, 15217, 16, 2,
				     "Property cannot be updated or deleted. "
				     "Property '%s' does not exist for 'object "
				     "specified'.",
				     name ? name : "");
	if (ret == 0)
		ret = catalog_exec(s, &d,
				   "DELETE FROM %s._properties WHERE class ="
				   " %d AND major = %d AND minor = %d AND name ="
				   " %Q",
				   home->prefix, class_, major, minor,
				   name ? name : "");
	if (ret == 0 && verb != 'D') {
		struct strbuf mem;
		struct val packed = val_null();
		sqlite3_stmt *st;

		strbuf_init(&mem);
		if (value && value->value.cls != VAL_NULL)
			variant_pack(&value->value, value->type, &mem, &packed);
		st = catalog_prepare(s, &d,
				     "INSERT INTO %s._properties VALUES(%d, %d,"
				     " %d, %Q, ?)",
				     home->prefix, class_, major, minor,
				     name ? name : "");
		if (st) {
			run_bind_val(st, 1, &packed);
			sqlite3_step(st);
		}
		sqlite3_finalize(st);
		strbuf_release(&mem);
	}
	if (tran_end_statement(s, ret < 0, ret < 0 ? &ignored : &d) < 0)
		ret = -1;
	if (ret < 0)
		flow = call_error(c, &d);
	c->has_status = true;
	arena_release(&pool);
	return flow;
}

enum flow sysproc_addproperty(struct call *c)
{
	return property(c, 'A');
}

enum flow sysproc_updateproperty(struct call *c)
{
	return property(c, 'U');
}

enum flow sysproc_dropproperty(struct call *c)
{
	return property(c, 'D');
}

enum flow sysproc_describe(struct call *c)
{
	struct diag d;

	diag_set(&d, 40517, "sp_describe_first_result_set");
	return call_error(c, &d);
}
