/* CREATE, ALTER and DROP DATABASE: not part of any transaction. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cdc/cdc.h"
#include "ddl/ddl.h"
#include "exec/perm.h"
#include "exec/server.h"
#include "net/conn.h"
#include "value/collation.h"

static int outside_transaction(struct session *s, const char *what,
			       struct diag *d)
{
	if (s->trancount)
		return diag_free_text(d, 226, 16, 6,
				      "%s statement not allowed within "
				      "multi-statement transaction.",
				      what);
	return 0;
}

int ddl_create_database(struct session *s, const struct create_database *c,
			struct diag *d)
{
	int coll = 0;

	if (outside_transaction(s, "CREATE DATABASE", d) < 0)
		return -1;
	if (!s->sysadmin)
		return diag_set(d, 262, "CREATE DATABASE", "master");
	if (c->collation) {
		coll = collation_find(c->collation);
		if (!coll)
			return diag_set(d, 448, c->collation);
	}
	return database_create(&s->server->registry, c->name, coll, d) ? 0 : -1;
}

/* Sessions that are in the database, ours not counted. */
static int users_of(struct session *s, const struct database *db)
{
	struct session *o;
	int n = 0;

	pthread_mutex_lock(&s->server->lock);
	for (o = s->server->sessions; o; o = o->next)
		if (o != s && o->conn &&
		    __atomic_load_n(&o->db, __ATOMIC_ACQUIRE) == db)
			n++;
	pthread_mutex_unlock(&s->server->lock);
	return n;
}

/* Wait at most `tries` × 10 ms until nobody else is in the database. */
static void wait_unused(struct session *s, const struct database *db, int tries)
{
	for (; tries > 0 && users_of(s, db); tries--) {
		struct timespec nap = {0, 10000000};

		nanosleep(&nap, NULL);
	}
}

static void throw_out(struct session *s, const struct database *db)
{
	struct session *o;

	pthread_mutex_lock(&s->server->lock);
	for (o = s->server->sessions; o; o = o->next)
		if (o != s && o->conn &&
		    __atomic_load_n(&o->db, __ATOMIC_ACQUIRE) == db) {
			__atomic_store_n(&o->killed, 1, __ATOMIC_RELAXED);
			conn_shutdown(o->conn);
		}
	pthread_mutex_unlock(&s->server->lock);
	wait_unused(s, db, 200);
}

int ddl_drop_database(struct session *s, const char *name, bool if_exists,
		      struct diag *d)
{
	struct database *db = database_find(&s->server->registry, name);

	if (outside_transaction(s, "DROP DATABASE", d) < 0)
		return -1;
	if (!db) {
		if (if_exists)
			return 0;
		return diag_set(d, 3701, "drop", "database", name);
	}
	if (db->id < DB_USER)
		return diag_set(d, 3708, "drop", "database", name, "database");
	if (!s->sysadmin)
		return diag_set(d, 3701, "drop", "database", name);
	/* a client that has just gone may still be on its way out */
	if (s->db != db)
		wait_unused(s, db, 30);
	if (s->db == db || users_of(s, db))
		return diag_set(d, 3702, db->name);
	cdc_forget_database(s->server, db);
	database_drop(&s->server->registry, db);
	return 0;
}

/* --- ALTER DATABASE --- */

static bool is_on(const struct option_item *o)
{
	return o->value && !strcasecmp(o->value, "on");
}

/* "2 HOURS": which unit? */
static bool contains(const char *text, const char *word)
{
	for (; *text; text++)
		if (!strncasecmp(text, word, strlen(word)))
			return true;
	return false;
}

static int change_tracking(struct session *s, struct database *db,
			   const struct option_item *o, struct diag *d)
{
	const struct option_item *sub;

	if (o->value && !strcasecmp(o->value, "off")) {
		struct attached *home = session_attach(s, db, d);
		int64_t used = 0;

		if (!home || catalog_int(s, d, &used,
					 "SELECT count(*) FROM %s._objects"
					 " WHERE ct = 1",
					 home->prefix) < 0)
			return -1;
		if (used)
			return diag_set(d, 22115, db->name);
		db->change_tracking = 0;
		return 0;
	}
	if (db->change_tracking && o->value && !strcasecmp(o->value, "on"))
		return diag_set(d, 5088, db->name);
	if (!db->change_tracking && !(o->value && !strcasecmp(o->value, "on")))
		return diag_set(d, 5089, db->name);
	db->change_tracking = 1;
	for (sub = o->sub; sub; sub = sub->next) {
		if (!strcasecmp(sub->name, "auto_cleanup")) {
			db->ct_auto_cleanup = is_on(sub);
		} else if (!strcasecmp(sub->name, "change_retention")) {
			int n = sub->value ? atoi(sub->value) : 2;

			if (sub->value && contains(sub->value, "hour"))
				n *= 60;
			else if (!sub->value || !contains(sub->value, "minute"))
				n *= 1440;
			db->ct_retention = n;
		}
	}
	return 0;
}

static int set_option(struct session *s, struct database *db,
		      const struct option_item *o, struct diag *d)
{
	/* what is taken and changes nothing that a client can see */
	static const char *const unseen[] = {"auto_close",
					     "auto_shrink",
					     "auto_create_statistics",
					     "auto_update_statistics",
					     "auto_update_statistics_async",
					     "page_verify",
					     "parameterization",
					     "trustworthy",
					     "db_chaining"};
	size_t i;

	if (!strcasecmp(o->name, "allow_snapshot_isolation")) {
		db->snapshot_isolation = is_on(o);
	} else if (!strcasecmp(o->name, "read_committed_snapshot")) {
		db->read_committed_snapshot = is_on(o);
	} else if (!strcasecmp(o->name, "recovery")) {
		if (!o->value)
			return diag_set(d, 102, "RECOVERY");
		db->recovery = !strcasecmp(o->value, "full")	 ? 1
			       : !strcasecmp(o->value, "simple") ? 3
								 : 2;
	} else if (!strcasecmp(o->name, "compatibility_level")) {
		db->compatibility = o->value ? atoi(o->value) : 150;
	} else if (!strcasecmp(o->name, "single_user")) {
		throw_out(s, db);
		db->user_access = 1;
	} else if (!strcasecmp(o->name, "multi_user")) {
		db->user_access = 0;
	} else if (!strcasecmp(o->name, "restricted_user")) {
		db->user_access = 2;
	} else if (!strcasecmp(o->name, "read_only")) {
		db->read_only = 1;
	} else if (!strcasecmp(o->name, "read_write")) {
		db->read_only = 0;
	} else if (!strcasecmp(o->name, "offline")) {
		throw_out(s, db);
		db->offline = 1;
	} else if (!strcasecmp(o->name, "online")) {
		db->offline = 0;
	} else if (!strcasecmp(o->name, "change_tracking")) {
		return change_tracking(s, db, o, d);
	} else {
		for (i = 0; i < LENGTH_OF(unseen); i++)
			if (!strcasecmp(o->name, unseen[i]))
				return 0;
		return diag_set(d, 40517, o->name);
	}
	return 0;
}

int ddl_alter_database(struct session *s, const struct create_database *c,
		       struct diag *d)
{
	struct database *db =
		*c->name ? database_find(&s->server->registry, c->name) : s->db;
	const struct option_item *o;
	int ret = 0;

	if (outside_transaction(s, "ALTER DATABASE", d) < 0)
		return -1;
	if (!db)
		return diag_set(d, 5011, c->name);
	if (!s->sysadmin)
		return diag_set(d, 5011, c->name);
	if (c->rename)
		return database_rename(&s->server->registry, db, c->rename, d);
	if (c->collation) {
		int coll = collation_find(c->collation);

		if (!coll)
			return diag_set(d, 448, c->collation);
		db->collation = coll;
	}
	for (o = c->options; o && ret == 0; o = o->next)
		ret = set_option(s, db, o, d);
	database_save(&s->server->registry, db);
	return ret;
}
