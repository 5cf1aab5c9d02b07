#ifndef TDSD_CDC_JOB_H
#define TDSD_CDC_JOB_H

#include "exec/server.h"
#include "exec/session.h"

/*
 * The jobs of one database: a thread that captures while the capture job
 * runs, and cleans up when told to. What msdb.dbo.cdc_jobs shows is kept in
 * server.db; whether a job runs is not, since the Agent starts them all.
 *
 * Everything here may be called from any thread.
 */
enum cdc_job_type { CDC_CAPTURE, CDC_CLEANUP };

struct cdc_job_config {
	bool there;
	unsigned char id[16]; /* job_id */
	int64_t maxtrans, maxscans, continuous, pollinginterval;
	int64_t retention, threshold;
};

/* One run over the log that found something, or failed. */
struct cdc_session {
	int64_t id, started, ended; /* datetime, stored form */
	int64_t first, last;	    /* commits */
	int64_t transactions, commands, latency_ms, scans, empty_scans;
	int64_t errors;
};

struct cdc_error {
	int64_t session, time; /* 0: the end of a list */
	int number, severity, state;
	char message[600];
};

#define CDC_KEPT 32 /* sessions and errors that are remembered */

void job_config(struct server *srv, struct database *db, enum cdc_job_type type,
		struct cdc_job_config *out);
void job_set(struct server *srv, struct database *db, enum cdc_job_type type,
	     const struct cdc_job_config *c);

/* Defaults of a job that is added. */
void job_defaults(enum cdc_job_type type, struct cdc_job_config *out);

/* Both jobs of the database, running: what enabling the first table does. */
void job_start(struct server *srv, struct database *db, enum cdc_job_type type);
/* `wait`: until it no longer works; not with the database's lock held. */
void job_stop(struct server *srv, struct database *db, enum cdc_job_type type,
	      bool wait);
bool job_running(struct database *db);

/* Copies of what is remembered; how many. The aggregate is `total`. */
int job_sessions(struct database *db, struct cdc_session *out,
		 struct cdc_session *total);
int job_errors(struct database *db, struct cdc_error *out);

#endif
