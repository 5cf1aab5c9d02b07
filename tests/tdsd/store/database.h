#ifndef TDSD_DATABASE_H
#define TDSD_DATABASE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "diag.h"

struct session;

/*
 * The server's databases: the registry of their names and settings in
 * server.db, one SQLite file for each, and what all sessions share about one
 * while the process lives. A struct database is never freed, so pointers to
 * it stay good; `dropped` says that it is gone.
 */
enum { DB_MASTER = 1, DB_TEMPDB = 2, DB_MODEL = 3, DB_MSDB = 4, DB_USER = 5 };

struct database {
	int id;
	char name[130 * 4]; /* guarded by registry->lock */
	char file[512];
	char created[32]; /* "yyyy-mm-dd hh:mm:ss.mmm" */
	int collation;
	/* settings, read without the lock: single words */
	int snapshot_isolation; /* ALLOW_SNAPSHOT_ISOLATION */
	int read_committed_snapshot;
	int recovery; /* 1 full, 2 bulk-logged, 3 simple */
	int compatibility;
	int user_access; /* 0 multi, 1 single, 2 restricted */
	int read_only;
	int cdc_enabled;
	int change_tracking; /* 0, 1 */
	int ct_retention;    /* minutes; 0 = never cleaned */
	int ct_auto_cleanup;
	int64_t ct_cleaned_ms; /* when last; under the writer's lock */
	int dropped;
	int offline;
	int64_t commits; /* counts commits that wrote, under the db's lock */
	/* identity counters survive a rollback, so they live here */
	pthread_mutex_t identity_lock;
	struct identity_slot *identities;
	/* which tables were written by which commit: snapshot conflicts */
	pthread_mutex_t written_lock;
	struct written_slot *written;
	void *cdc; /* the capture job's, owned by cdc/ */
	struct database *next;
};

struct registry {
	pthread_mutex_t lock;
	sqlite3 *sql; /* server.db, used with the lock held */
	char dir[400];
	struct database *first;
	int next_id;
};

int registry_open(struct registry *r, const char *dir, struct diag *d);
void registry_close(struct registry *r);

/* By name (any case) or number; NULL when there is none. */
struct database *database_find(struct registry *r, const char *name);
struct database *database_by_id(struct registry *r, int id);

/* Copy the name under the lock. */
void database_name(struct registry *r, const struct database *db, char *buf,
		   size_t size);

/* The next database in the order of ids, NULL at the end; starts with NULL. */
struct database *database_next(struct registry *r, struct database *after);

struct database *database_create(struct registry *r, const char *name,
				 int collation, struct diag *d);
void database_drop(struct registry *r, struct database *db);
int database_rename(struct registry *r, struct database *db, const char *name,
		    struct diag *d);

/* Write the settings of `db` to server.db. */
void database_save(struct registry *r, struct database *db);

/* The lock name of a database's writer. */
void database_lock_name(const struct database *db, char *buf, size_t size);

/*
 * The last identity value given out for a table, as all sessions see it.
 * `known` tells whether the process has one already.
 */
int64_t identity_get(struct database *db, int object_id, bool *known);
void identity_put(struct database *db, int object_id, int64_t value);
void identity_forget(struct database *db, int object_id);

/* Which commit last wrote a table; 0 when none did since the start. */
int64_t written_get(struct database *db, int object_id);
void written_put(struct database *db, int object_id, int64_t commit);

/* --- logins, in server.db too --- */

struct login {
	int id;
	char name[130 * 4];
	unsigned char hash[32], salt[16];
	bool disabled;
	bool sysadmin;
	char default_database[130 * 4];
};

/* 0 and fills `out`; -1 when there is none. */
int login_find(struct registry *r, const char *name, struct login *out);
int login_by_id(struct registry *r, int id, struct login *out);
/* The login with the next higher id, for lists. */
int login_next(struct registry *r, int after, struct login *out);
bool login_check(const struct login *l, const char *password);
int login_create(struct registry *r, const char *name, const char *password,
		 const char *default_database, struct diag *d);
int login_alter(struct registry *r, const char *name, const char *password,
		int disabled, const char *new_name,
		const char *default_database, struct diag *d);
int login_drop(struct registry *r, const char *name, struct diag *d);
/* Membership in a server role such as sysadmin. */
void login_role(struct registry *r, const char *role, const char *member,
		bool add);
bool login_in_role(struct registry *r, int login_id, const char *role);

#endif
