/* The configuration of the jobs: a table in server.db. */
#include <stdlib.h>
#include <string.h>

#include "cdc/job.h"
#include "store/schema.h"

static void make_table(struct registry *r)
{
	schema_try(r->sql, "CREATE TABLE IF NOT EXISTS cdc_jobs(db INTEGER,"
			   " type INTEGER, job_id BLOB, maxtrans INTEGER,"
			   " maxscans INTEGER, continuous INTEGER,"
			   " pollinginterval INTEGER, retention INTEGER,"
			   " threshold INTEGER, PRIMARY KEY(db, type))");
}

void job_defaults(enum cdc_job_type type, struct cdc_job_config *out)
{
	memset(out, 0, sizeof(*out));
	out->there = true;
	sqlite3_randomness(sizeof(out->id), out->id);
	if (type == CDC_CAPTURE) {
		out->maxtrans = 500;
		out->maxscans = 10;
		out->continuous = 1;
		out->pollinginterval = 5;
	} else {
		out->retention = 4320;
		out->threshold = 5000;
	}
}

void job_config(struct server *srv, struct database *db, enum cdc_job_type type,
		struct cdc_job_config *out)
{
	struct registry *r = &srv->registry;
	sqlite3_stmt *st = NULL;

	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&r->lock);
	make_table(r);
	if (sqlite3_prepare_v2(r->sql,
			       "SELECT * FROM cdc_jobs WHERE db = ?"
			       " AND type = ?",
			       -1, &st, NULL) == SQLITE_OK) {
		sqlite3_bind_int(st, 1, db->id);
		sqlite3_bind_int(st, 2, type);
		if (sqlite3_step(st) == SQLITE_ROW) {
			out->there = true;
			if (sqlite3_column_bytes(st, 2) == sizeof(out->id))
				memcpy(out->id, sqlite3_column_blob(st, 2),
				       sizeof(out->id));
			out->maxtrans = sqlite3_column_int64(st, 3);
			out->maxscans = sqlite3_column_int64(st, 4);
			out->continuous = sqlite3_column_int64(st, 5);
			out->pollinginterval = sqlite3_column_int64(st, 6);
			out->retention = sqlite3_column_int64(st, 7);
			out->threshold = sqlite3_column_int64(st, 8);
		}
		sqlite3_finalize(st);
	}
	pthread_mutex_unlock(&r->lock);
}

void job_set(struct server *srv, struct database *db, enum cdc_job_type type,
	     const struct cdc_job_config *c)
{
	struct registry *r = &srv->registry;
	sqlite3_stmt *st = NULL;

	pthread_mutex_lock(&r->lock);
	make_table(r);
	if (!c->there) {
		schema_try(r->sql,
			   "DELETE FROM cdc_jobs WHERE db = %d AND type = %d",
			   db->id, type);
	} else if (sqlite3_prepare_v2(r->sql,
				      "INSERT OR REPLACE INTO cdc_jobs"
				      " VALUES(?,?,?,?,?,?,?,?,?)",
				      -1, &st, NULL) == SQLITE_OK) {
		sqlite3_bind_int(st, 1, db->id);
		sqlite3_bind_int(st, 2, type);
		sqlite3_bind_blob(st, 3, c->id, sizeof(c->id), SQLITE_STATIC);
		sqlite3_bind_int64(st, 4, c->maxtrans);
		sqlite3_bind_int64(st, 5, c->maxscans);
		sqlite3_bind_int64(st, 6, c->continuous);
		sqlite3_bind_int64(st, 7, c->pollinginterval);
		sqlite3_bind_int64(st, 8, c->retention);
		sqlite3_bind_int64(st, 9, c->threshold);
		sqlite3_step(st);
		sqlite3_finalize(st);
	}
	pthread_mutex_unlock(&r->lock);
}
