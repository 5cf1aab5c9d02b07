#include "store/database.h"

#include <openssl/rand.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "mem.h"
#include "store/functions.h"
#include "store/schema.h"
#include "value/collation.h"
#include "value/datetime.h"

static const char *const server_tables[] = {
	"CREATE TABLE IF NOT EXISTS databases(id INTEGER PRIMARY KEY,"
	" name TEXT, created TEXT, collation TEXT, snapshot INTEGER,"
	" rcsi INTEGER, recovery INTEGER, compatibility INTEGER,"
	" access INTEGER, read_only INTEGER, cdc INTEGER, ct INTEGER,"
	" ct_retention INTEGER, ct_cleanup INTEGER, offline INTEGER)",
	"CREATE TABLE IF NOT EXISTS logins(id INTEGER PRIMARY KEY,"
	" name TEXT COLLATE NOCASE UNIQUE, hash BLOB, salt BLOB,"
	" disabled INTEGER, default_database TEXT)",
	("CREATE TABLE IF NOT EXISTS role_members(role TEXT COLLATE NOCASE,"
	 " login INTEGER, PRIMARY KEY(role, login))"),
	"CREATE TABLE IF NOT EXISTS settings(k TEXT PRIMARY KEY, v)",
};

void database_name(struct registry *r, const struct database *db, char *buf,
		   size_t size)
{
	pthread_mutex_lock(&r->lock);
	text_copy(buf, size, db->name);
	pthread_mutex_unlock(&r->lock);
}

void database_lock_name(const struct database *db, char *buf, size_t size)
{
	snprintf(buf, size, "db:%d", db->id);
}

struct database *database_by_id(struct registry *r, int id)
{
	struct database *db;

	pthread_mutex_lock(&r->lock);
	for (db = r->first; db; db = db->next)
		if (db->id == id && !db->dropped)
			break;
	pthread_mutex_unlock(&r->lock);
	return db;
}

struct database *database_next(struct registry *r, struct database *after)
{
	struct database *db;

	pthread_mutex_lock(&r->lock);
	db = after ? after->next : r->first;
	while (db && db->dropped)
		db = db->next;
	pthread_mutex_unlock(&r->lock);
	return db;
}

/* Lock held. */
static struct database *find_locked(struct registry *r, const char *name)
{
	const struct collation *c = collation_get(COLLATION_DEFAULT);
	struct database *db;

	for (db = r->first; db; db = db->next)
		if (!db->dropped &&
		    !collation_compare(c, db->name, strlen(db->name), name,
				       strlen(name)))
			return db;
	return NULL;
}

struct database *database_find(struct registry *r, const char *name)
{
	struct database *db;

	pthread_mutex_lock(&r->lock);
	db = find_locked(r, name);
	pthread_mutex_unlock(&r->lock);
	return db;
}

/* Lock held. Ids are never used twice, so the list stays in their order. */
static struct database *add_locked(struct registry *r, int id, const char *name)
{
	struct database *db = mem_calloc(1, sizeof(*db));
	struct database **link = &r->first;

	db->id = id;
	text_copy(db->name, sizeof(db->name), name);
	snprintf(db->file, sizeof(db->file), "%s/%d.db", r->dir, id);
	db->collation = COLLATION_DEFAULT;
	db->recovery =
		id == DB_MASTER || id == DB_TEMPDB || id == DB_MSDB ? 3 : 1;
	db->compatibility = 150;
	/* as a fresh server has them: on in master and msdb only */
	db->snapshot_isolation = id == DB_MASTER || id == DB_MSDB;
	db->ct_retention = 2880;
	pthread_mutex_init(&db->identity_lock, NULL);
	pthread_mutex_init(&db->written_lock, NULL);
	while (*link)
		link = &(*link)->next;
	*link = db;
	if (id >= r->next_id)
		r->next_id = id + 1;
	return db;
}

static void save_locked(struct registry *r, const struct database *db)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(r->sql,
			       "INSERT OR REPLACE INTO databases VALUES"
			       "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
			       -1, &st, NULL) != SQLITE_OK)
		return;
	sqlite3_bind_int(st, 1, db->id);
	sqlite3_bind_text(st, 2, db->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 3, db->created, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 4, collation_get(db->collation)->name, -1,
			  SQLITE_STATIC);
	sqlite3_bind_int(st, 5, db->snapshot_isolation);
	sqlite3_bind_int(st, 6, db->read_committed_snapshot);
	sqlite3_bind_int(st, 7, db->recovery);
	sqlite3_bind_int(st, 8, db->compatibility);
	sqlite3_bind_int(st, 9, db->user_access);
	sqlite3_bind_int(st, 10, db->read_only);
	sqlite3_bind_int(st, 11, db->cdc_enabled);
	sqlite3_bind_int(st, 12, db->change_tracking);
	sqlite3_bind_int(st, 13, db->ct_retention);
	sqlite3_bind_int(st, 14, db->ct_auto_cleanup);
	sqlite3_bind_int(st, 15, db->offline);
	sqlite3_step(st);
	sqlite3_finalize(st);
}

void database_save(struct registry *r, struct database *db)
{
	pthread_mutex_lock(&r->lock);
	save_locked(r, db);
	pthread_mutex_unlock(&r->lock);
}

/* Make the file with its catalog. */
/* What it shows is a view's (cdc/cdc_views.c); rights on it need an object. */
static int add_jobs(const struct database *db, sqlite3 *sql, struct diag *d)
{
	return db->id != DB_MSDB
		       ? 0
		       : schema_exec(sql, d,
				     "INSERT INTO main._objects(id, schema_id,"
				     " parent_id, parent_col, name, type,"
				     " created, modified, phys, rowid_col,"
				     " level, disabled, untrusted,"
				     " system_named, is_ms, quoted,"
				     " ansi_nulls, next_col, ct, ct_columns)"
				     " VALUES(117575457, 1, 0, 0, 'cdc_jobs',"
				     " 'U', 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0,"
				     " 0, 0)");
}

static int create_file(struct database *db, struct diag *d)
{
	sqlite3 *sql = NULL;
	int ret = -1;

	if (sqlite3_open(db->file, &sql) != SQLITE_OK) {
		diag_free_text(d, 5133, 16, 1,
			       "Directory lookup for the file \"%s\" failed "
			       "with the operating system error %s.",
			       db->file, sqlite3_errmsg(sql));
		goto done;
	}
	functions_register_collation(sql, "cat", COLLATION_DEFAULT);
	schema_try(sql, "PRAGMA page_size=8192");
	schema_try(sql, "PRAGMA journal_mode=WAL");
	schema_try(sql, "PRAGMA synchronous=NORMAL");
	if (schema_exec(sql, d, "BEGIN") < 0 ||
	    schema_create(sql, "main", d) < 0 || add_jobs(db, sql, d) < 0 ||
	    schema_exec(sql, d, "COMMIT") < 0)
		goto done;
	ret = 0;
done:
	sqlite3_close(sql);
	return ret;
}

static void remove_files(const struct database *db)
{
	char path[600];

	unlink(db->file);
	snprintf(path, sizeof(path), "%s-wal", db->file);
	unlink(path);
	snprintf(path, sizeof(path), "%s-shm", db->file);
	unlink(path);
}

static void set_created(struct database *db)
{
	struct moment now;

	moment_now(&now, false);
	moment_format(&now, type_of(TY_DATETIME), 121, db->created,
		      sizeof(db->created));
}

struct database *database_create(struct registry *r, const char *name,
				 int collation, struct diag *d)
{
	struct database *db;

	pthread_mutex_lock(&r->lock);
	db = find_locked(r, name);
	if (db) {
		diag_set(d, 1801, name);
		db = NULL;
		goto done;
	}
	db = add_locked(r, r->next_id < DB_USER ? DB_USER : r->next_id, name);
	if (collation)
		db->collation = collation;
	set_created(db);
	remove_files(db);
	if (create_file(db, d) < 0) {
		db->dropped = 1;
		db = NULL;
		goto done;
	}
	save_locked(r, db);
done:
	pthread_mutex_unlock(&r->lock);
	return db;
}

void database_drop(struct registry *r, struct database *db)
{
	pthread_mutex_lock(&r->lock);
	db->dropped = 1;
	schema_try(r->sql, "DELETE FROM databases WHERE id=%d", db->id);
	/* sessions that still have it attached hold the open file */
	remove_files(db);
	pthread_mutex_unlock(&r->lock);
}

int database_rename(struct registry *r, struct database *db, const char *name,
		    struct diag *d)
{
	int ret = 0;

	pthread_mutex_lock(&r->lock);
	if (find_locked(r, name)) {
		ret = diag_set(d, 1801, name);
	} else {
		text_copy(db->name, sizeof(db->name), name);
		save_locked(r, db);
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static void load_row(struct registry *r, sqlite3_stmt *st)
{
	struct database *db =
		add_locked(r, sqlite3_column_int(st, 0),
			   (const char *)sqlite3_column_text(st, 1));

	text_copy(db->created, sizeof(db->created),
		  (const char *)sqlite3_column_text(st, 2));
	db->collation =
		collation_find((const char *)sqlite3_column_text(st, 3));
	db->snapshot_isolation = sqlite3_column_int(st, 4);
	db->read_committed_snapshot = sqlite3_column_int(st, 5);
	db->recovery = sqlite3_column_int(st, 6);
	db->compatibility = sqlite3_column_int(st, 7);
	db->user_access = sqlite3_column_int(st, 8);
	db->read_only = sqlite3_column_int(st, 9);
	db->cdc_enabled = sqlite3_column_int(st, 10);
	db->change_tracking = sqlite3_column_int(st, 11);
	db->ct_retention = sqlite3_column_int(st, 12);
	db->ct_auto_cleanup = sqlite3_column_int(st, 13);
	db->offline = sqlite3_column_int(st, 14);
}

static int load_all(struct registry *r, struct diag *d)
{
	static const char *const system_names[] = {"master", "tempdb", "model",
						   "msdb"};
	sqlite3_stmt *st = NULL;
	int i;

	if (sqlite3_prepare_v2(r->sql, "SELECT * FROM databases ORDER BY id",
			       -1, &st, NULL) != SQLITE_OK)
		return diag_free_text(d, 823, 21, 1, "%s",
				      sqlite3_errmsg(r->sql));
	while (sqlite3_step(st) == SQLITE_ROW)
		load_row(r, st);
	sqlite3_finalize(st);
	for (i = 0; i < 4; i++) {
		struct database *db = find_locked(r, system_names[i]);
		struct stat info;

		if (!db) {
			db = add_locked(r, i + 1, system_names[i]);
			set_created(db);
			save_locked(r, db);
		}
		if (i + 1 == DB_TEMPDB) /* starts empty each time */
			remove_files(db);
		if (stat(db->file, &info) != 0 && create_file(db, d) < 0)
			return -1;
	}
	return 0;
}

int registry_open(struct registry *r, const char *dir, struct diag *d)
{
	char path[500];
	size_t i;
	int ret = -1;

	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
	text_copy(r->dir, sizeof(r->dir), dir);
	mkdir(dir, 0777);
	snprintf(path, sizeof(path), "%s/server.db", dir);
	if (sqlite3_open(path, &r->sql) != SQLITE_OK)
		return diag_free_text(d, 5133, 16, 1, "cannot open '%s': %s",
				      path, sqlite3_errmsg(r->sql));
	schema_try(r->sql, "PRAGMA journal_mode=WAL");
	schema_try(r->sql, "PRAGMA synchronous=NORMAL");
	pthread_mutex_lock(&r->lock);
	for (i = 0; i < LENGTH_OF(server_tables); i++)
		if (schema_exec(r->sql, d, "%s", server_tables[i]) < 0)
			goto done;
	ret = load_all(r, d);
done:
	pthread_mutex_unlock(&r->lock);
	return ret;
}

void registry_close(struct registry *r)
{
	sqlite3_close(r->sql);
	r->sql = NULL;
}

/* --- counters that outlive a rollback --- */

struct identity_slot {
	int object_id;
	int64_t value;
	struct identity_slot *next;
};

struct written_slot {
	int object_id;
	int64_t commit;
	struct written_slot *next;
};

int64_t identity_get(struct database *db, int object_id, bool *known)
{
	struct identity_slot *slot;
	int64_t value = 0;

	*known = false;
	pthread_mutex_lock(&db->identity_lock);
	for (slot = db->identities; slot; slot = slot->next)
		if (slot->object_id == object_id) {
			value = slot->value;
			*known = true;
		}
	pthread_mutex_unlock(&db->identity_lock);
	return value;
}

void identity_put(struct database *db, int object_id, int64_t value)
{
	struct identity_slot *slot;

	pthread_mutex_lock(&db->identity_lock);
	for (slot = db->identities; slot; slot = slot->next)
		if (slot->object_id == object_id)
			break;
	if (!slot) {
		slot = mem_calloc(1, sizeof(*slot));
		slot->object_id = object_id;
		slot->next = db->identities;
		db->identities = slot;
	}
	slot->value = value;
	pthread_mutex_unlock(&db->identity_lock);
}

void identity_forget(struct database *db, int object_id)
{
	struct identity_slot **link = &db->identities, *slot;

	pthread_mutex_lock(&db->identity_lock);
	while ((slot = *link)) {
		if (slot->object_id == object_id) {
			*link = slot->next;
			free(slot);
			break;
		}
		link = &slot->next;
	}
	pthread_mutex_unlock(&db->identity_lock);
}

int64_t written_get(struct database *db, int object_id)
{
	struct written_slot *slot;
	int64_t commit = 0;

	pthread_mutex_lock(&db->written_lock);
	for (slot = db->written; slot; slot = slot->next)
		if (slot->object_id == object_id)
			commit = slot->commit;
	pthread_mutex_unlock(&db->written_lock);
	return commit;
}

void written_put(struct database *db, int object_id, int64_t commit)
{
	struct written_slot *slot;

	pthread_mutex_lock(&db->written_lock);
	for (slot = db->written; slot; slot = slot->next)
		if (slot->object_id == object_id)
			break;
	if (!slot) {
		slot = mem_calloc(1, sizeof(*slot));
		slot->object_id = object_id;
		slot->next = db->written;
		db->written = slot;
	}
	slot->commit = commit;
	pthread_mutex_unlock(&db->written_lock);
}
