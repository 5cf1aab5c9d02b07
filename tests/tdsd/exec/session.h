#ifndef TDSD_SESSION_H
#define TDSD_SESSION_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "diag.h"
#include "mem.h"
#include "store/database.h"
#include "store/lock.h"
#include "value/convert.h"

/*
 * A session: one client (or one job of the server's own) with its SQLite
 * connection, settings, transaction and caches. It belongs to one thread;
 * what others may read (sys.dm_exec_sessions, KILL) says so.
 */
struct server;
struct conn;
struct frame;
struct plan_cache;
struct module;
struct bulk;
struct table_keep;

enum isolation {
	ISO_READ_UNCOMMITTED = 1,
	ISO_READ_COMMITTED,
	ISO_REPEATABLE_READ,
	ISO_SERIALIZABLE,
	ISO_SNAPSHOT,
};

/* What SET changes; a copy is put back when a procedure ends. */
struct settings {
	bool ansi_warnings, ansi_null_dflt_on;
	bool arithabort, concat_null, quoted_identifier;
	bool nocount, fmtonly, noexec, xact_abort, implicit_tran;
	enum isolation isolation;
	enum date_order date_order;
	int datefirst;	  /* 1 = Monday … 7 = Sunday */
	int lock_timeout; /* ms, -1: for ever */
	int64_t textsize;
	int64_t rowcount; /* 0: no limit */
	int deadlock_priority;
	const char *language; /* a constant of ours */
};

/* A database file as this session's SQLite connection knows it. */
struct attached {
	struct database *db; /* NULL: the session's own temp tables */
	char prefix[16];     /* "d5", "temp" */
	sqlite3_stmt *get_version, *touch, *find_object, *find_schema;
	int64_t snapshot; /* SNAPSHOT: db->commits when it was taken */
	bool snapshot_known;
	int64_t used;	     /* for choosing which one to detach */
	bool ready;	     /* temp: the catalog tables exist */
	bool locked;	     /* we hold the writer's lock */
	bool written;	     /* in the current SQLite transaction */
	bool version_bumped; /* in the current SQLite transaction */
	struct log *log;     /* what cdc/log.c keeps; NULL: nothing yet */
	struct attached *next;
};

/* A named point in a transaction. */
struct save_point {
	char name[130];
	int trancount;
	struct save_point *next;
};

struct context_key;
struct log;
struct table;
struct written_table;

struct session {
	struct server *server;
	struct conn *conn; /* NULL for the server's own jobs */
	int spid;
	struct session *next; /* in the server's list, under its lock */

	/* who */
	char login[130 * 4];
	int login_id;
	bool sysadmin;
	char app[130 * 4], host[130 * 4], client[130 * 4];
	int client_pid;
	char login_time[32], address[64];
	bool internal; /* the server itself: no permission is checked */
	char default_schema[130 * 4];
	struct database *user_db;
	char original_login[130 * 4];

	/* where */
	struct database *db;
	struct attached *attached; /* all, temp first */
	sqlite3 *sql;
	struct settings set, login_set;

	/* transaction; see exec/tran.h */
	int trancount;
	bool sqlite_tx;	   /* BEGIN was sent to SQLite */
	bool doomed;	   /* XACT_STATE() = -1 */
	bool tran_wrote;   /* a database was written in it */
	bool tran_started; /* the snapshot of a SNAPSHOT transaction is taken */
	bool tran_snapshot; /* began to read under SNAPSHOT */
	int64_t tran_id;
	int64_t tran_seq; /* counts transactions: cached state of one */
	char tran_name[130];
	char tran_begin[32];
	struct moment tran_began; /* the same moment in UTC */
	struct save_point *saves;
	struct lock_holder locks;
	struct written_table *writes; /* tables written in it */

	/* the running statement */
	struct frame *frame; /* innermost */
	int nest;	     /* @@NESTLEVEL */
	int stmt_depth;	     /* statements that run inside each other */
	struct diag thrown;  /* FLOW_THROW: on its way to a CATCH */
	int trigger_depth;
	struct moment now, now_utc; /* GETDATE() of the statement */
	bool now_set;
	struct diag fn; /* error raised inside an SQLite function */
	bool fn_set;
	struct strbuf fn_mem;  /* its scratch */
	struct strbuf out_mem; /* of output.c */
	int64_t rowcount;      /* @@ROWCOUNT */
	int error;	       /* @@ERROR */
	struct val identity;   /* @@IDENTITY */
	bool attention;	       /* the client asked to cancel */
	bool broken;	       /* the connection is gone */
	int killed;	       /* atomic: KILL, shutdown */
	int fault_depth;
	uint64_t rand_state;
	bool rand_seeded;
	uint64_t poll_count;

	/* caches and state that lives as long as the session */
	struct plan_cache *plans;
	struct module *modules;
	struct table_cache *tables;
	struct context_key *context;
	unsigned char context_info[128];
	int context_info_len;
	int identity_insert_db, identity_insert_table; /* 0: OFF */
	char identity_insert_name[400];
	int prepared_next; /* sp_prepare handles */
	struct prepared *prepared;
	struct bulk *bulk; /* announced by INSERT BULK */
	int temp_next_id;
	int temp_count;		  /* #tables */
	struct table_keep *keep;  /* table variables during a rollback */
	char last_statement[512]; /* for dm_exec_requests; under server->lock */
	int stmt_status;	  /* atomic: 0 sleeping, 1 running */

	/* output; see exec/output.h */
	struct output *out;
};

struct session *session_new(struct server *srv, struct conn *conn);
void session_free(struct session *s);

/* Open the SQLite connection and set the current database. */
int session_open(struct session *s, const char *database, struct diag *d);

/* Act as this login from now on: LOGIN, EXECUTE AS, REVERT. */
void session_become(struct session *s, const struct login *login);

/* As after login: RESETCONNECTION. */
void session_reset(struct session *s);

/* Defaults of a fresh login. */
void settings_default(struct settings *set);

/* Should what runs now stop? Cheap enough to call every few microseconds. */
bool session_cancelled(struct session *s);

/* USE. */
int session_use(struct session *s, const char *name, struct diag *d);

/* Make GETDATE() stand still for one statement. */
void session_clock(struct session *s);

/* Take the error that an SQLite function raised, or SQLite's own. */
int session_sqlite_error(struct session *s, int rc, struct diag *d);

/* The file handle of a database, attached when needed. NULL: `d` is set. */
struct attached *session_attach(struct session *s, struct database *db,
				struct diag *d);
struct attached *session_temp(struct session *s, struct diag *d);

/* A converter with the session's date order that writes to fn_mem. */
struct convert session_convert(struct session *s);

#endif
