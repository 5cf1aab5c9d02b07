/* Logins, users, roles, members, GRANT, DENY, REVOKE; and sp_configure. */
#include "exec/security.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/output.h"
#include "exec/perm.h"
#include "exec/stmts.h"
#include "exec/tran.h"
#include "store/catalog.h"

/* --- configuration --- */

static struct config_row options[] = {
	{103, "user connections", 0, 0, 32767,
	 "Number of user connections allowed", false, true},
	{106, "locks", 0, 5000, 2147483647, "Number of locks for all users",
	 false, true},
	{115, "nested triggers", 1, 0, 1,
	 "Allow triggers to be invoked within triggers", true, false},
	{124, "default language", 0, 0, 9999, "default language", true, false},
	{503, "max worker threads", 0, 128, 65535, "Maximum worker threads",
	 true, true},
	{505, "network packet size (B)", 4096, 512, 32767,
	 "Network packet size", true, true},
	{518, "show advanced options", 0, 0, 1, "show advanced options", true,
	 false},
	{1534, "user options", 0, 0, 32767, "user options", true, false},
	{1535, "affinity mask", 0, -2147483648LL, 2147483647, "affinity mask",
	 true, true},
	{1536, "max text repl size (B)", 65536, -1, 2147483647,
	 "Maximum size of a text field in replication.", true, false},
	{1538, "cost threshold for parallelism", 5, 0, 32767,
	 "cost threshold for parallelism", true, true},
	{1539, "max degree of parallelism", 0, 0, 32767,
	 "maximum degree of parallelism", true, true},
	{1543, "min server memory (MB)", 0, 0, 2147483647,
	 "Minimum size of server memory (MB)", true, true},
	{1544, "max server memory (MB)", 2147483647, 128, 2147483647,
	 "Maximum size of server memory (MB)", true, true},
	{1562, "clr enabled", 0, 0, 1,
	 "CLR user code execution enabled in the server", true, false},
	{1579, "backup compression default", 0, 0, 1,
	 "Enable compression of backups by default", true, false},
	{16384, "Agent XPs", 1, 0, 1, "Enable or disable Agent XPs", true,
	 true},
	{16390, "xp_cmdshell", 0, 0, 1, "Enable or disable command shell", true,
	 true},
};

static pthread_mutex_t options_lock = PTHREAD_MUTEX_INITIALIZER;

int server_config_set(struct server *srv, const char *name, int64_t value,
		      int64_t *old)
{
	size_t i, n = name ? strlen(name) : 0;
	int ret = -1;

	(void)srv;
	pthread_mutex_lock(&options_lock);
	for (i = 0; i < LENGTH_OF(options) && ret < 0; i++)
		if (n && !strncasecmp(options[i].name, name, n)) {
			*old = options[i].value;
			options[i].value = value;
			ret = 0;
		}
	pthread_mutex_unlock(&options_lock);
	return ret;
}

int64_t server_config_get(struct server *srv, const char *name)
{
	size_t i;
	int64_t value = 0;

	(void)srv;
	pthread_mutex_lock(&options_lock);
	for (i = 0; i < LENGTH_OF(options); i++)
		if (!strcasecmp(options[i].name, name))
			value = options[i].value;
	pthread_mutex_unlock(&options_lock);
	return value;
}

bool server_config_at(struct server *srv, int index, struct config_row *out)
{
	(void)srv;
	if (index < 0 || (size_t)index >= LENGTH_OF(options))
		return false;
	pthread_mutex_lock(&options_lock);
	*out = options[index];
	pthread_mutex_unlock(&options_lock);
	return true;
}

/* --- logins --- */

static int login_statement(struct session *s, const struct security *y,
			   struct diag *d)
{
	struct registry *r = &s->server->registry;

	if (!s->sysadmin && strcasecmp(y->name, s->login) != 0)
		return diag_set(d, 15247);
	if (!strcmp(y->verb, "CREATE")) {
		if (!y->password)
			return diag_set(d, 40517,
					"CREATE LOGIN without a password");
		return login_create(r, y->name, y->password,
				    y->default_database, d);
	}
	if (!strcmp(y->verb, "ALTER"))
		return login_alter(r, y->name, y->password, y->disabled,
				   y->new_name, y->default_database, d);
	return login_drop(r, y->name, d);
}

static int server_role(struct session *s, const struct security *y,
		       struct diag *d)
{
	if (!s->sysadmin)
		return diag_set(d, 15247);
	if (y->add_member)
		login_role(&s->server->registry, y->name, y->add_member, true);
	else if (y->drop_member)
		login_role(&s->server->registry, y->name, y->drop_member,
			   false);
	else if (strcmp(y->verb, "ALTER") != 0)
		return diag_set(d, 40517, "user-defined server role");
	return 0;
}

/* --- users and roles, within a transaction --- */

static int64_t principal(struct session *s, struct attached *home,
			 const char *name, struct diag *d)
{
	int64_t id = -1;

	if (catalog_int(s, d, &id,
			"SELECT id FROM %s._principals WHERE name = %Q",
			home->prefix, name) < 0)
		return -2;
	return id;
}

static int create_principal(struct session *s, struct attached *home,
			    const struct security *y, const char *type,
			    struct diag *d)
{
	struct login login;
	const char *login_name = y->for_login ? y->for_login : y->name;
	int login_id = 0;
	int64_t there, taken = 0;

	there = principal(s, home, y->name, d);
	if (there == -2)
		return -1;
	if (there >= 0)
		return diag_set(d, 15023, y->name);
	if (*type == 'S' && !y->without_login) {
		if (login_find(&s->server->registry, login_name, &login) < 0)
			return diag_set(d, 15007, login_name);
		login_id = login.id;
		if (catalog_int(s, d, &taken,
				"SELECT 1 FROM %s._principals WHERE login = %d",
				home->prefix, login_id) < 0)
			return -1;
		if (taken)
			return diag_set(d, 15063);
	}
	if (catalog_exec(s, d,
			 "INSERT INTO %s._principals VALUES((SELECT max(5,"
			 " ifnull(max(id) + 1, 5)) FROM %s._principals WHERE id"
			 " < 16384), %Q, %Q, %d, %Q, 1, 0, %lld)",
			 home->prefix, home->prefix, y->name, type, login_id,
			 *type == 'R'	     ? NULL
			 : y->default_schema ? y->default_schema
					     : "dbo",
			 (long long)catalog_now()) < 0)
		return -1;
	if (*type == 'R')
		return 0;
	return catalog_exec(s, d,
			    "INSERT OR IGNORE INTO %s._permissions SELECT 0,"
			    " 0, 0, id, 1, 'CONNECT', 'G' FROM %s._principals"
			    " WHERE name = %Q",
			    home->prefix, home->prefix, y->name);
}

static int members(struct session *s, struct attached *home, int64_t role,
		   const char *name, bool add, struct diag *d)
{
	int64_t id = principal(s, home, name, d);

	if (id == -2)
		return -1;
	if (id < 0)
		return diag_set(d, 15151, add ? "add" : "drop", "principal",
				name);
	return catalog_exec(s, d,
			    add ? "INSERT OR IGNORE INTO %s._members"
				  " VALUES(%lld, %lld)"
				: "DELETE FROM %s._members WHERE role = %lld"
				  " AND member = %lld",
			    home->prefix, (long long)role, (long long)id);
}

static int alter_principal(struct session *s, struct attached *home,
			   const struct security *y, struct diag *d)
{
	int64_t id = principal(s, home, y->name, d);
	struct login login;

	if (id == -2)
		return -1;
	if (id < 0)
		return diag_set(d, 15151, "alter",
				!strcmp(y->what, "ROLE") ? "role" : "user",
				y->name);
	if (y->add_member)
		return members(s, home, id, y->add_member, true, d);
	if (y->drop_member)
		return members(s, home, id, y->drop_member, false, d);
	if (y->for_login) {
		if (login_find(&s->server->registry, y->for_login, &login) < 0)
			return diag_set(d, 15007, y->for_login);
		if (catalog_exec(s, d,
				 "UPDATE %s._principals SET login = %d WHERE id"
				 " = %lld",
				 home->prefix, login.id, (long long)id) < 0)
			return -1;
	}
	if (y->default_schema &&
	    catalog_exec(s, d,
			 "UPDATE %s._principals SET default_schema = %Q WHERE"
			 " id = %lld",
			 home->prefix, y->default_schema, (long long)id) < 0)
		return -1;
	if (y->new_name)
		return catalog_exec(s, d,
				    "UPDATE %s._principals SET name = %Q WHERE"
				    " id = %lld",
				    home->prefix, y->new_name, (long long)id);
	return 0;
}

static int drop_principal(struct session *s, struct attached *home,
			  const struct security *y, struct diag *d)
{
	int64_t id = principal(s, home, y->name, d), used = 0;

	if (id == -2)
		return -1;
	if (id < 0) {
		if (y->if_exists)
			return 0;
		return diag_set(d, 15151, "drop",
				!strcmp(y->what, "ROLE") ? "role" : "user",
				y->name);
	}
	if (!strcmp(y->what, "ROLE")) {
		if (catalog_int(s, d, &used,
				"SELECT 1 FROM %s._members WHERE role = %lld",
				home->prefix, (long long)id) < 0)
			return -1;
		if (used)
			return diag_free_text(
				d, 15144, 16, 1,
				"The role has members. It must be empty before "
				"it can be dropped.");
	}
	if (catalog_int(s, d, &used,
			"SELECT 1 FROM %s._schemas WHERE owner = %lld",
			home->prefix, (long long)id) < 0)
		return -1;
	if (used)
		return diag_set(d, 15138, "schema");
	if (catalog_exec(s, d, "DELETE FROM %s._members WHERE member = %lld",
			 home->prefix, (long long)id) < 0 ||
	    catalog_exec(s, d,
			 "DELETE FROM %s._permissions WHERE grantee = %lld",
			 home->prefix, (long long)id) < 0)
		return -1;
	return catalog_exec(s, d, "DELETE FROM %s._principals WHERE id = %lld",
			    home->prefix, (long long)id);
}

static int database_principal(struct session *s, const struct security *y,
			      struct diag *d)
{
	struct attached *home = session_attach(s, s->db, d);

	if (!home || tran_write(s, home, d) < 0)
		return -1;
	if (!perm_is_owner(s, home) &&
	    !perm_in_role(s, home, "db_securityadmin") &&
	    !perm_in_role(s, home, "db_accessadmin"))
		return diag_set(d, 15247);
	if (catalog_touch(s, home, d) < 0)
		return -1;
	if (!strcmp(y->verb, "CREATE"))
		return create_principal(
			s, home, y, !strcmp(y->what, "ROLE") ? "R" : "S", d);
	if (!strcmp(y->verb, "ALTER"))
		return alter_principal(s, home, y, d);
	return drop_principal(s, home, y, d);
}

static enum flow finish(struct session *s, struct stmt *st, int ret,
			bool in_tran, struct diag *d)
{
	struct diag ignored;

	if (in_tran &&
	    tran_end_statement(s, ret < 0, ret < 0 ? &ignored : d) < 0)
		ret = -1;
	if (ret < 0)
		return run_error(s, d, st, false);
	s->error = 0;
	output_done(s, CMD_OTHER, -1, false);
	return FLOW_OK;
}

enum flow exec_security(struct session *s, struct stmt *st)
{
	const struct security *y = st->security;
	struct diag d;
	int ret;

	d.line = 0;
	d.proc[0] = '\0';
	if (!strcmp(y->what, "LOGIN"))
		return finish(s, st, login_statement(s, y, &d), false, &d);
	if (!strcmp(y->what, "SERVER ROLE"))
		return finish(s, st, server_role(s, y, &d), false, &d);
	ret = tran_begin_statement(s, &d);
	if (ret == 0)
		ret = database_principal(s, y, &d);
	return finish(s, st, ret, true, &d);
}

/* --- GRANT, DENY, REVOKE --- */

struct securable {
	int class_, major;
	const char *name;
};

static int find_securable(struct session *s, const struct grant *g,
			  struct attached **home, struct securable *out,
			  struct diag *d)
{
	struct object o;
	int found;

	memset(out, 0, sizeof(*out));
	*home = session_attach(s, s->db, d);
	if (!*home)
		return -1;
	if (!g->on.count)
		return 0;
	if (g->class_ && !strcasecmp(g->class_, "schema")) {
		out->class_ = 3;
		out->major = catalog_schema_id(s, *home,
					       g->on.part[g->on.count - 1]);
		return out->major ? 0
				  : diag_set(d, 15151, "find", "schema",
					     g->on.part[g->on.count - 1]);
	}
	if (g->class_ && !strcasecmp(g->class_, "database"))
		return 0;
	if (g->class_ && strcasecmp(g->class_, "object") != 0)
		return 0; /* logins, types, …: nothing we check */
	found = catalog_find(s, &g->on, &o, d);
	if (found < 0)
		return -1;
	if (!found)
		return diag_set(d, 15151, "find", "object",
				g->on.part[g->on.count - 1]);
	*home = o.home;
	out->class_ = 1;
	out->major = o.id;
	return 0;
}

static const char *permission_word(struct arena *pool, const char *name)
{
	char *copy = pool_strdup(pool, name), *p;

	for (p = copy; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 32);
	return !strcmp(copy, "EXEC") ? "EXECUTE" : copy;
}

static int set_permission(struct session *s, struct attached *home,
			  const struct grant *g, const struct securable *sec,
			  int64_t grantee, int minor, const char *name,
			  struct diag *d)
{
	const char *state = g->verb == 'D' ? "D" : g->with_grant ? "W" : "G";

	if (catalog_exec(s, d,
			 "DELETE FROM %s._permissions WHERE class = %d AND"
			 " major = %d AND minor = %d AND grantee = %lld AND"
			 " permission = %Q",
			 home->prefix, sec->class_, sec->major, minor,
			 (long long)grantee, name) < 0)
		return -1;
	if (g->verb == 'R')
		return 0;
	return catalog_exec(s, d,
			    "INSERT INTO %s._permissions VALUES(%d, %d, %d,"
			    " %lld, 1, %Q, %Q)",
			    home->prefix, sec->class_, sec->major, minor,
			    (long long)grantee, name, state);
}

/* ALL means the classic five. */
static int one_permission(struct session *s, struct attached *home,
			  const struct grant *g, const struct securable *sec,
			  int64_t grantee, const struct perm *p,
			  struct arena *pool, struct diag *d)
{
	static const char *const all[] = {"SELECT", "INSERT",	  "UPDATE",
					  "DELETE", "REFERENCES", "EXECUTE"};
	const char *word = permission_word(pool, p->name);
	const struct name_list *c;
	struct table *t;
	size_t i;

	if (!strcmp(word, "ALL") || !strcmp(word, "ALL PRIVILEGES")) {
		for (i = 0; i < LENGTH_OF(all); i++)
			if (set_permission(s, home, g, sec, grantee, 0, all[i],
					   d) < 0)
				return -1;
		return 0;
	}
	if (!p->columns || sec->class_ != 1)
		return set_permission(s, home, g, sec, grantee, 0, word, d);
	t = catalog_table(s, home, sec->major, d);
	if (!t)
		return -1;
	for (c = p->columns; c; c = c->next) {
		int at = table_column(t, c->name);

		if (at < 0) {
			diag_set(d, 1911, c->name);
			table_unref(t);
			return -1;
		}
		if (set_permission(s, home, g, sec, grantee, t->columns[at].id,
				   word, d) < 0) {
			table_unref(t);
			return -1;
		}
	}
	table_unref(t);
	return 0;
}

static int grant(struct session *s, const struct grant *g, struct arena *pool,
		 struct diag *d)
{
	struct attached *home;
	struct securable sec;
	const struct name_list *n;
	const struct perm *p;

	if (find_securable(s, g, &home, &sec, d) < 0 ||
	    tran_write(s, home, d) < 0)
		return -1;
	if (!perm_is_owner(s, home) &&
	    !perm_in_role(s, home, "db_securityadmin"))
		return diag_set(d, 15247);
	for (n = g->to; n; n = n->next) {
		int64_t id = principal(s, home, n->name, d);
		struct login login;

		if (id == -2)
			return -1;
		if (id < 0) {
			/* server rights go to logins */
			if (!g->on.count &&
			    !login_find(&s->server->registry, n->name, &login))
				continue;
			return diag_set(d, 15151, "find", "user", n->name);
		}
		for (p = g->perms; p; p = p->next)
			if (one_permission(s, home, g, &sec, id, p, pool, d) <
			    0)
				return -1;
	}
	return catalog_touch(s, home, d);
}

enum flow exec_grant(struct session *s, struct stmt *st)
{
	struct arena pool;
	struct diag d;
	enum flow flow;
	int ret;

	d.line = 0;
	d.proc[0] = '\0';
	arena_init(&pool, 0);
	ret = tran_begin_statement(s, &d);
	if (ret == 0)
		ret = grant(s, st->grant, &pool, &d);
	flow = finish(s, st, ret, true, &d);
	arena_release(&pool);
	return flow;
}
