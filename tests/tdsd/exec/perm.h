#ifndef TDSD_PERM_H
#define TDSD_PERM_H

#include "diag.h"
#include "exec/session.h"

struct table;

/*
 * Permissions. Members of sysadmin and db_owner may do everything; the
 * server's own sessions are not asked.
 */
enum permission {
	PERM_SELECT = 1,
	PERM_INSERT,
	PERM_UPDATE,
	PERM_DELETE,
	PERM_EXECUTE,
	PERM_ALTER,
	PERM_CONTROL,
	PERM_REFERENCES,
	PERM_VIEW_DEFINITION,
	PERM_VIEW_CHANGE_TRACKING,
};

/* May the session's login enter the database? 916 when not. */
int perm_enter(struct session *s, struct database *db, struct diag *d);

/* May it do this to the object? 229 when not. */
int perm_check(struct session *s, const struct table *t, enum permission p,
	       struct diag *d);
int perm_check_object(struct session *s, struct attached *home, int id,
		      int schema_id, const char *schema, const char *name,
		      enum permission p, struct diag *d);

/* UPDATE of one column, by its place in the table: 229, or 230 when the user has
 * the right on other columns. */
int perm_check_column(struct session *s, const struct table *t, int column,
		      enum permission p, struct diag *d);

/* ALTER on the table: 1088 when not. */
int perm_alter(struct session *s, const struct table *t, struct diag *d);

/* Making objects in a schema: the right in the database, and ALTER on the
 * schema, or 2760. */
int perm_create(struct session *s, struct attached *home, int schema_id,
		const char *schema, const char *what, struct diag *d);

/* A right in the database: "CREATE TABLE" and its like. 262 when not. */
int perm_database(struct session *s, struct attached *home, const char *what,
		  struct diag *d);

/* Has the current user it, on the whole object? For HAS_PERMS_BY_NAME. */
bool perm_has(struct session *s, struct attached *home, int class_, int id,
	      int schema_id, const char *permission);

/* On this column of it? */
bool perm_has_column(struct session *s, const struct table *t, int column,
		     const char *permission);

/* Is the user in sysadmin, or in db_owner here? */
bool perm_is_owner(struct session *s, struct attached *home);
bool perm_in_role(struct session *s, struct attached *home, const char *role);

/* The principal in this database, 0 when the login has none. */
int perm_user_id(struct session *s, struct attached *home);
void perm_user_name(struct session *s, struct attached *home, int id, char *buf,
		    size_t size);

/* Where names without a schema are looked for first. */
const char *perm_default_schema(struct session *s, struct attached *home);

#endif
