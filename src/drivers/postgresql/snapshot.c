/*
 * Nobody holds the lock while a server is asked. The first reader of a load says
 * that it will export a snapshot; the others look again until it has, or has
 * failed. An import fails when the one who exported has just left: then another
 * one's is taken.
 */
#include "drivers/postgresql/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "drivers/postgresql/quote.h"

#define NAME_MAX_BYTES 64

/* How often the others look. */
#define LOOK_MS 20

struct pg_shared {
	struct pg_shared *next;
	unsigned char load[PG_LOAD_BYTES];
	const void *reader;
	enum { SHARED_SOON, SHARED_READY, SHARED_GONE } state;
	char name[NAME_MAX_BYTES];
};

int pg_snapshots_init(struct pg_snapshots *all, struct error *err)
{
	int rc = pthread_mutex_init(&all->lock, NULL);

	all->first = NULL;
	return rc ? error_errno(err, rc, "cannot make a lock") : 0;
}

void pg_snapshots_release(struct pg_snapshots *all)
{
	while (all->first)
		pg_snapshot_leave(all, all->first->reader);
	pthread_mutex_destroy(&all->lock);
}

void pg_snapshot_name_load(unsigned char load[PG_LOAD_BYTES],
			   const void *divider)
{
	int64_t now = clock_utc_us();
	uintptr_t who = (uintptr_t)divider;

	memset(load, 0, PG_LOAD_BYTES);
	memcpy(load, &now, sizeof(now));
	memcpy(load + sizeof(now), &who, sizeof(who));
}

/* With the lock held. One that is ready comes before one that will be. */
static struct pg_shared *find(struct pg_snapshots *all,
			      const unsigned char *load)
{
	struct pg_shared *found = NULL;

	for (struct pg_shared *s = all->first; s; s = s->next)
		if (s->state != SHARED_GONE &&
		    !memcmp(s->load, load, PG_LOAD_BYTES) &&
		    (!found || s->state == SHARED_READY))
			found = s;
	return found;
}

static struct pg_shared *find_reader(struct pg_snapshots *all,
				     const void *reader)
{
	struct pg_shared *s = all->first;

	while (s && s->reader != reader)
		s = s->next;
	return s;
}

void pg_snapshot_leave(struct pg_snapshots *all, const void *reader)
{
	struct pg_shared **at = &all->first, *left = NULL;

	pthread_mutex_lock(&all->lock);
	while (*at && (*at)->reader != reader)
		at = &(*at)->next;
	if (*at) {
		left = *at;
		*at = left->next;
	}
	pthread_mutex_unlock(&all->lock);
	free(left);
}

static void set_state(struct pg_snapshots *all, const void *reader, int state,
		      const char *name)
{
	struct pg_shared *own;

	pthread_mutex_lock(&all->lock);
	own = find_reader(all, reader);
	if (own) {
		own->state = state;
		text_copy(own->name, sizeof(own->name), name);
	}
	pthread_mutex_unlock(&all->lock);
}

/*
 * What this reader has to do: take the snapshot `name`, or, if that is "",
 * make one. 0: look again later.
 */
static int look(struct pg_snapshots *all, const unsigned char *load,
		struct pg_shared *own, char name[NAME_MAX_BYTES],
		const void **exporter)
{
	struct pg_shared *other;
	int found = 1;

	pthread_mutex_lock(&all->lock);
	other = find(all, load);
	name[0] = '\0';
	if (other && other->state == SHARED_SOON) {
		found = 0;
	} else {
		if (other) {
			text_copy(name, NAME_MAX_BYTES, other->name);
			*exporter = other->reader;
		}
		/* One that imports is no help to others before it has. */
		own->state = other ? SHARED_GONE : SHARED_SOON;
		own->next = all->first;
		all->first = own;
	}
	pthread_mutex_unlock(&all->lock);
	return found;
}

static int import(struct pg *conn, const char *name, struct error *err)
{
	struct strbuf sql;
	int ret;

	strbuf_init(&sql);
	strbuf_addstr(&sql, PG_BEGIN_SNAPSHOT "; SET TRANSACTION SNAPSHOT ");
	quote_text(&sql, name);
	ret = strbuf_check(&sql, err);
	if (ret == 0)
		ret = pg_exec(conn, sql.data, err);
	strbuf_release(&sql);
	return ret;
}

static int export(struct pg_snapshots *all, const void *reader, struct pg *conn,
		  struct error *err)
{
	if (pg_query(conn, "SELECT pg_export_snapshot()", NULL, 0, err) < 0)
		return -1;
	set_state(all, reader, SHARED_READY, pg_get_text(conn, 0, 0));
	pg_finish(conn);
	return 0;
}

/* Begin the transaction. 0: that snapshot is gone. */
static int begin(struct pg *conn, const char *name, struct error *err)
{
	struct error ignored;

	if (!*name)
		return pg_exec(conn, PG_BEGIN_SNAPSHOT, err) < 0 ? -1 : 1;
	if (import(conn, name, err) == 0)
		return 1;
	if (!pg_usable(conn) || err->kind == ERROR_CANCELLED ||
	    pg_exec(conn, "ROLLBACK", &ignored) < 0)
		return -1;
	return 0;
}

int pg_snapshot_join(struct pg_snapshots *all,
		     const unsigned char load[PG_LOAD_BYTES],
		     const void *reader, struct pg *conn, struct cancel *cancel,
		     struct error *err)
{
	for (;;) {
		struct pg_shared *own = calloc(1, sizeof(*own));
		const void *exporter = NULL;
		char name[NAME_MAX_BYTES];
		int rc;

		if (!own)
			return error_memory(err, "a snapshot");
		memcpy(own->load, load, PG_LOAD_BYTES);
		own->reader = reader;
		if (!look(all, load, own, name, &exporter)) {
			free(own);
			if (cancel_check(cancel, err) < 0)
				return -1;
			cancel_sleep(cancel, LOOK_MS);
			continue;
		}
		rc = begin(conn, name, err);
		if (rc > 0 && export(all, reader, conn, err) == 0)
			return 0;
		pg_snapshot_leave(all, reader);
		if (rc != 0)
			return -1;
		set_state(all, exporter, SHARED_GONE, "");
	}
}
