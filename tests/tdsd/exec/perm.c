/*
 * A login maps to a user of a database by its id, or to guest where guest may
 * connect, or to nobody. Roles are followed all the way up. A DENY anywhere
 * beats every GRANT, but not the owner of a schema.
 */
#include "exec/perm.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "exec/frame.h"
#include "exec/server.h"
#include "store/catalog.h"

enum { DBO = 1, GUEST = 2 };

static int find_user(struct session *s, struct attached *home)
{
	struct diag d;
	int64_t id = 0;

	catalog_int(s, &d, &id,
		    "SELECT id FROM %s._principals WHERE login = %d AND id > 4",
		    home->prefix, s->login_id);
	if (!id) { /* guest, if it was let in */
		int64_t guest = 0;

		catalog_int(s, &d, &guest,
			    "SELECT 1 FROM %s._permissions WHERE class = 0 AND"
			    " grantee = 2 AND permission = 'CONNECT' AND state"
			    " = 'G'",
			    home->prefix);
		if (guest || (home->db && home->db->id < DB_USER &&
			      home->db->id != DB_MODEL))
			id = GUEST;
	}
	return (int)id;
}

int perm_user_id(struct session *s, struct attached *home)
{
	if (s->sysadmin || s->internal || !home->db)
		return DBO;
	return find_user(s, home);
}

int perm_enter(struct session *s, struct database *db, struct diag *d)
{
	struct attached *home;

	if (s->sysadmin || s->internal || db->id == DB_TEMPDB)
		return 0;
	home = session_attach(s, db, d);
	if (!home)
		return -1;
	if (!find_user(s, home))
		return diag_set(d, 916, s->login, db->name);
	return 0;
}

void perm_user_name(struct session *s, struct attached *home, int id, char *buf,
		    size_t size)
{
	struct diag d;
	sqlite3_stmt *st = catalog_prepare(
		s, &d, "SELECT name FROM %s._principals WHERE id = %d",
		home->prefix, id);

	text_copy(buf, size, "");
	if (st && sqlite3_step(st) == SQLITE_ROW)
		text_copy(buf, size, (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
}

const char *perm_default_schema(struct session *s, struct attached *home)
{
	struct diag d;
	sqlite3_stmt *st;
	int id;

	if (s->sysadmin || s->internal || !home->db)
		return "dbo";
	id = find_user(s, home);
	st = catalog_prepare(s, &d,
			     "SELECT default_schema FROM %s._principals WHERE"
			     " id = %d",
			     home->prefix, id);
	text_copy(s->default_schema, sizeof(s->default_schema), "dbo");
	if (st && sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 0))
		text_copy(s->default_schema, sizeof(s->default_schema),
			  (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	if (id == GUEST)
		text_copy(s->default_schema, sizeof(s->default_schema), "dbo");
	return s->default_schema;
}

/* The user's roles and itself, and public, as a SQLite sub-query. */
#define ALL_ROLES                                                              \
	"(WITH RECURSIVE r(id) AS (SELECT %d UNION SELECT 0 UNION SELECT"      \
	" m.role FROM %s._members m JOIN r ON m.member = r.id) SELECT id FROM" \
	" r)"

bool perm_in_role(struct session *s, struct attached *home, const char *role)
{
	struct diag d;
	int64_t in = 0;
	int id = perm_user_id(s, home);

	if (!home->db)
		return true;
	catalog_int(s, &d, &in,
		    "SELECT 1 FROM %s._principals p WHERE p.name = %Q AND p.id"
		    " IN " ALL_ROLES,
		    home->prefix, role, id, home->prefix);
	return in;
}

bool perm_is_owner(struct session *s, struct attached *home)
{
	if (s->sysadmin || s->internal || !home->db)
		return true;
	return perm_in_role(s, home, "db_owner");
}

static const char *permission_name(enum permission p)
{
	switch (p) {
	case PERM_SELECT:
		return "SELECT";
	case PERM_INSERT:
		return "INSERT";
	case PERM_UPDATE:
		return "UPDATE";
	case PERM_DELETE:
		return "DELETE";
	case PERM_EXECUTE:
		return "EXECUTE";
	case PERM_ALTER:
		return "ALTER";
	case PERM_REFERENCES:
		return "REFERENCES";
	case PERM_VIEW_DEFINITION:
		return "VIEW DEFINITION";
	case PERM_VIEW_CHANGE_TRACKING:
		return "VIEW CHANGE TRACKING";
	default:
		return "CONTROL";
	}
}

/* Rights that a fixed role brings along. */
static bool role_gives(struct session *s, struct attached *home,
		       const char *permission)
{
	if (!strcmp(permission, "SELECT"))
		return perm_in_role(s, home, "db_datareader");
	if (!strcmp(permission, "INSERT") || !strcmp(permission, "UPDATE") ||
	    !strcmp(permission, "DELETE"))
		return perm_in_role(s, home, "db_datawriter");
	if (!strcmp(permission, "ALTER") || !strncmp(permission, "CREATE ", 7))
		return perm_in_role(s, home, "db_ddladmin");
	return false;
}

static bool role_denies(struct session *s, struct attached *home,
			const char *permission)
{
	if (!strcmp(permission, "SELECT"))
		return perm_in_role(s, home, "db_denydatareader");
	if (!strcmp(permission, "INSERT") || !strcmp(permission, "UPDATE") ||
	    !strcmp(permission, "DELETE"))
		return perm_in_role(s, home, "db_denydatawriter");
	return false;
}

static bool owns_schema(struct session *s, struct attached *home, int user,
			int schema_id)
{
	struct diag d;
	int64_t owns = 0;

	catalog_int(s, &d, &owns,
		    "SELECT 1 FROM %s._schemas WHERE id = %d AND owner "
		    "IN " ALL_ROLES,
		    home->prefix, schema_id, user, home->prefix);
	return owns;
}

bool perm_has(struct session *s, struct attached *home, int class_, int id,
	      int schema_id, const char *permission)
{
	struct diag d;
	int64_t denied = 0, granted = 0;
	int user;

	if (perm_is_owner(s, home))
		return true;
	user = perm_user_id(s, home);
	if (!user)
		return false;
	if (schema_id && owns_schema(s, home, user, schema_id))
		return true;
	if (class_ == 1 && role_denies(s, home, permission))
		return false;
	/* on the object, its schema, the whole database */
	catalog_int(s, &d, &denied,
		    "SELECT 1 FROM %s._permissions WHERE state = 'D' AND"
		    " permission IN (%Q, 'CONTROL') AND grantee IN " ALL_ROLES
		    " AND ((class = 1 AND major = %d AND minor = 0) OR (class"
		    " = 3 AND major = %d) OR class = 0)",
		    home->prefix, permission, user, home->prefix,
		    class_ == 1 ? id : -1, schema_id);
	if (denied)
		return false;
	if (role_gives(s, home, permission))
		return true;
	catalog_int(
		s, &d, &granted,
		"SELECT 1 FROM %s._permissions WHERE state IN ('G', 'W')"
		" AND permission IN (%Q, 'CONTROL') AND grantee IN " ALL_ROLES
		" AND ((class = 1 AND major = %d AND minor = 0) OR (class = 3"
		" AND major = %d) OR class = 0)",
		home->prefix, permission, user, home->prefix,
		class_ == 1 ? id : -1, schema_id);
	return granted;
}

/*
 * What a module's own statements touch was granted with the module, if both
 * have the same owner: that of their schemas. Dynamic SQL in it is another
 * matter.
 */
static bool chained(struct session *s, struct attached *home, int schema_id)
{
	const struct frame *f = s->frame;
	struct diag d;
	int64_t same = 0;

	if (!f || !strchr("PTF", f->kind) || f->proc_home != home)
		return false;
	catalog_int(s, &d, &same,
		    "SELECT m.owner = o.owner FROM %s._objects p JOIN"
		    " %s._schemas m ON m.id = p.schema_id, %s._schemas o WHERE"
		    " p.id = %d AND o.id = %d",
		    home->prefix, home->prefix, home->prefix, f->proc_id,
		    schema_id);
	return same;
}

/* Was it granted ('G') or denied ('D') on a column, or on any (-1)? */
static bool on_columns(struct session *s, struct attached *home, int id,
		       int column, const char *permission, char state)
{
	struct diag d;
	int64_t found = 0;

	catalog_int(s, &d, &found,
		    "SELECT 1 FROM %s._permissions WHERE class = 1 AND major ="
		    " %d AND minor > 0 AND (%d < 0 OR minor = %d) AND"
		    " permission = %Q AND (state = 'D') = %d AND grantee "
		    "IN " ALL_ROLES,
		    home->prefix, id, column, column, permission, state == 'D',
		    perm_user_id(s, home), home->prefix);
	return found;
}

int perm_check_object(struct session *s, struct attached *home, int id,
		      int schema_id, const char *schema, const char *name,
		      enum permission p, struct diag *d)
{
	const char *what = permission_name(p);

	if (s->sysadmin || s->internal || !home->db)
		return 0;
	if (perm_has(s, home, 1, id, schema_id, what) ||
	    (p <= PERM_EXECUTE && chained(s, home, schema_id)))
		return 0;
	/* which columns are read is not known here */
	if (p == PERM_SELECT && on_columns(s, home, id, -1, what, 'G'))
		return 0;
	return diag_set(d, 229, what, name, home->db->name, schema);
}

int perm_check(struct session *s, const struct table *t, enum permission p,
	       struct diag *d)
{
	if (s->sysadmin || s->internal || !t->db)
		return 0;
	return perm_check_object(s, t->home, t->id, t->schema_id, t->schema,
				 t->name, p, d);
}

bool perm_has_column(struct session *s, const struct table *t, int column,
		     const char *permission)
{
	int id = t->columns[column].id;

	if (perm_is_owner(s, t->home))
		return true;
	if (on_columns(s, t->home, t->id, id, permission, 'D'))
		return false;
	return perm_has(s, t->home, 1, t->id, t->schema_id, permission) ||
	       on_columns(s, t->home, t->id, id, permission, 'G');
}

int perm_check_column(struct session *s, const struct table *t, int column,
		      enum permission p, struct diag *d)
{
	const char *what = permission_name(p);

	if (s->sysadmin || s->internal || !t->db ||
	    chained(s, t->home, t->schema_id) ||
	    perm_has_column(s, t, column, what))
		return 0;
	if (on_columns(s, t->home, t->id, -1, what, 'G') ||
	    on_columns(s, t->home, t->id, t->columns[column].id, what, 'D'))
		return diag_set(d, 230, what, t->columns[column].name, t->name,
				t->db->name, t->schema);
	return diag_set(d, 229, what, t->name, t->db->name, t->schema);
}

int perm_alter(struct session *s, const struct table *t, struct diag *d)
{
	struct diag denied;

	if (perm_check(s, t, PERM_ALTER, &denied) == 0)
		return 0;
	return diag_free_text(d, 1088, 16, 13,
			      "Cannot find the object \"%s\" because it does "
			      "not exist or you do not have permissions.",
			      t->name);
}

int perm_create(struct session *s, struct attached *home, int schema_id,
		const char *schema, const char *what, struct diag *d)
{
	if (!home->db)
		return 0;
	if (perm_database(s, home, what, d) < 0)
		return -1;
	return perm_has(s, home, 3, schema_id, schema_id, "ALTER")
		       ? 0
		       : diag_set(d, 2760, schema);
}

int perm_database(struct session *s, struct attached *home, const char *what,
		  struct diag *d)
{
	if (s->sysadmin || s->internal || !home->db)
		return 0;
	if (perm_has(s, home, 0, 0, 0, what))
		return 0;
	return diag_set(d, 262, what, home->db->name);
}
