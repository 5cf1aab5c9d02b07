#include "contract/postgresql_log.h"

#include <string.h>
#include <time.h>

#include "contract/postgresql.h"

/* So long a walsender may take to end, or to send what there is. */
#define TRIES  1000
#define TRY_MS 5

static struct pg *source;

static void pause(void)
{
	const struct timespec ts = {.tv_nsec = TRY_MS * 1000000L};

	nanosleep(&ts, NULL);
}

/* One number; "" reads as 0. */
static int64_t number(const char *sql)
{
	struct error err = ERROR_INIT;
	int64_t value;

	if (pg_query(source, sql, NULL, 0, &err) < 0)
		fail_msg("%s: %s", sql, err.message);
	value = pg_get_int(source, 0, 0);
	pg_finish(source);
	return value;
}

static void await(const char *sql)
{
	for (int i = 0; i < TRIES; i++) {
		if (number(sql))
			return;
		pause();
	}
	fail_msg("does not become true: %s", sql);
}

static void drop_slots(void)
{
	struct error err = ERROR_INIT;

	MUST(pg_exec(source,
		     "SELECT pg_drop_replication_slot(slot_name) "
		     "FROM pg_replication_slots "
		     "WHERE database = current_database() AND NOT active",
		     &err));
}

void postgresql_log_begin(struct pg *conn)
{
	struct error err = ERROR_INIT;

	source = conn;
	await("SELECT (count(*) = 0)::int FROM pg_replication_slots "
	      "WHERE database = current_database() AND active");
	drop_slots();
	MUST(pg_exec(source,
		     "DO $$ DECLARE p record; BEGIN FOR p IN SELECT "
		     "quote_ident(pubname) AS name FROM pg_publication LOOP "
		     "EXECUTE 'DROP PUBLICATION ' || p.name; END LOOP; END $$",
		     &err));
}

/* A driver that follows the log says how far it is; one that does not, reads
 * all of it when it is asked. */
void postgresql_settle(void)
{
	struct error err = ERROR_INIT;

	/* Commits that nobody waits for are flushed by the next one that is. */
	MUST(pg_exec(source,
		     "SET synchronous_commit = on; SELECT txid_current()",
		     &err));
	/* One that has only begun has told nothing yet. */
	await("SELECT bool_and(COALESCE(r.write_lsn >= l.lsn, r.pid IS NULL))"
	      "::int "
	      "FROM (SELECT pg_current_wal_flush_lsn() AS lsn) AS l "
	      "LEFT JOIN pg_stat_replication AS r ON true");
}

/* Somebody else reads the slot to its end. */
void postgresql_purge_log(void)
{
	struct error err = ERROR_INIT;

	MUST(pg_exec(source,
		     "SELECT pg_terminate_backend(active_pid) "
		     "FROM pg_replication_slots WHERE active AND database = "
		     "current_database()",
		     &err));
	for (int i = 0; i < TRIES; i++) {
		if (pg_exec(source,
			    "SELECT pg_replication_slot_advance(slot_name, "
			    "pg_current_wal_flush_lsn()) "
			    "FROM pg_replication_slots "
			    "WHERE database = current_database()",
			    &err) == 0)
			return;
		assert_string_equal(err.sqlstate, "55006");
		pause();
	}
	fail_msg("%s", err.message);
}

void postgresql_far_ahead(struct position *position)
{
	position->bytes[0] |= 0x40;
}
