#ifndef DRIVERS_POSTGRESQL_SLOT_H
#define DRIVERS_POSTGRESQL_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/postgresql/lsn.h"
#include "pg/connection.h"
#include "row/schema.h"

/*
 * What the change log of a database needs on its server: one publication, which
 * says of which tables changes are told, and one logical replication slot, which
 * keeps the log until they were. Both are named after the installation, so that
 * two of them do not meet; a slot's name says the database, too, since slots
 * belong to the server as a whole.
 *
 * A table is in the publication before a position is taken for it: only changes
 * from then on are told. And never a table whose rows the log cannot tell apart,
 * for PostgreSQL would refuse the application's own updates of it.
 */
#define SLOT_NAME_MAX 64

/* A slot that keeps more than this is worth a word. */
#define SLOT_RETAINED_WARN ((uint64_t)1 << 30)

struct slot_names {
	char publication[SLOT_NAME_MAX];
	char slot[SLOT_NAME_MAX];
};

/*
 * `installation`: the control store's id; `server`: its id of the server, since
 * two rows may lead to the same one; `database`: its OID.
 */
void slot_names_make(struct slot_names *names, const char *installation,
		     int server, uint32_t database);

/* The OID of the connection's database; 0 and `err`: it cannot be asked. */
uint32_t slot_database(struct pg *conn, struct error *err);

/*
 * Can the server and the login do this at all? ERROR_CONFIG or ERROR_PERMISSION
 * with the statement that helps.
 */
int slot_check_server(struct pg *conn, const struct slot_names *names,
		      struct error *err) __attribute__((warn_unused_result));

/*
 * Does the log tell the rows of the table (its OID) apart by the columns of
 * `key`? ERROR_SCHEMA with the statement that helps; of a partitioned table each
 * partition is looked at.
 */
int slot_check_identity(struct pg *conn, uint32_t oid, const struct table *key,
			struct error *err) __attribute__((warn_unused_result));

/*
 * Make the slot and the publication unless they are there, and put the table
 * into that. With `anew` a slot that exists is made again. One thread of the
 * process at a time for each database.
 */
int slot_prepare(struct pg *conn, const struct slot_names *names, uint32_t oid,
		 const struct table_name *table, bool anew, struct error *err)
	__attribute__((warn_unused_result));

/* Where the log ends now: the end of its last record. */
int slot_log_end(struct pg *conn, struct lsn_position *out, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Where the log ends now, for a table. Whatever is not visible to a read begun
 * after this call comes after it, and is told: so it waits for those who are
 * just committing changes of the table, and for those who began before it was in
 * the publication. If they take too long, an error that is to be tried again:
 * ERROR_SERVER, or of the latter ERROR_CONFLICT.
 */
int slot_position(struct pg *conn, const struct slot_names *names, uint32_t oid,
		  struct cancel *cancel, struct lsn_position *out,
		  struct error *err) __attribute__((warn_unused_result));

/* Wait until those are over who have changed the table by now, likewise. */
int slot_outlast(struct pg *conn, const struct slot_names *names, uint32_t oid,
		 struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Where it ends now: what is `written`, and what is `flushed` and can be told.
 * Commits that are not waited for (synchronous_commit = off) are flushed after
 * `delay_ms`.
 */
struct slot_end {
	uint64_t written, flushed;
	int64_t delay_ms;
};

int slot_find_end(struct pg *conn, struct slot_end *out, struct error *err)
	__attribute__((warn_unused_result));

/* How the slot is. */
struct slot_state {
	bool exists;
	bool fits; /* it is one that we can read */
	bool active;
	int pid;	    /* of who uses it */
	uint64_t confirmed; /* what was committed up to here is not kept */
	char status[16];    /* wal_status, or "" before server 13 */
	uint64_t retained;  /* bytes of log that it keeps */
	uint64_t left;	    /* that it may keep more; 0: no limit */
};

int slot_look(struct pg *conn, const struct slot_names *names,
	      struct slot_state *out, struct error *err)
	__attribute__((warn_unused_result));

/* Is that still the table's name? 1, 0, -1. */
int slot_is_table(struct pg *conn, uint32_t oid, const struct table_name *table,
		  struct error *err) __attribute__((warn_unused_result));

/*
 * Nobody needs them any more: drop both, if they are there. ERROR_CONFLICT while
 * somebody uses the slot.
 */
int slot_drop(struct pg *conn, const struct slot_names *names,
	      struct error *err) __attribute__((warn_unused_result));

#endif
