/* What could keep changes from being told; see slot.h. */
#include "drivers/postgresql/check.h"

#include <string.h>

#include "drivers/postgresql/changes.h"
#include "drivers/postgresql/publication.h"
#include "drivers/postgresql/slot.h"
#include "drivers/postgresql/streams.h"

#define MEGABYTES(bytes) ((unsigned long long)((bytes) >> 20))

/* ---------------------------------------------------------------- the table */

/* It takes somebody else to put the table into the publication. */
static void tell_statement(struct postgresql_source *source,
			   const struct slot_names *names,
			   const struct publication *found,
			   struct findings *out)
{
	bool exists = found->state != PUBLICATION_NONE;
	struct strbuf sql;

	strbuf_init(&sql);
	publication_add_sql(&sql, source->conn, names, &source->name, exists);
	if (exists)
		finding_add(out, FINDING_FAIL, "publication",
			    "the table is not in publication '%s', and the "
			    "login does not own both" FINDING_REMEDY
			    "as a superuser, or as owner of both, run "
			    "%s" PG_SOURCE_SCRIPT,
			    names->publication, sql.data);
	else
		finding_add(out, FINDING_FAIL, "publication",
			    "there is no publication '%s', and the login may "
			    "not make it: it takes CREATE on the database and "
			    "the ownership of the table" FINDING_REMEDY
			    "as a superuser, run %s (for the next tables ALTER "
			    "PUBLICATION … ADD TABLE ONLY …)" PG_SOURCE_SCRIPT,
			    names->publication, sql.data);
	strbuf_release(&sql);
}

static void tell_publication(struct postgresql_source *source,
			     const struct slot_names *names,
			     const struct publication *found,
			     struct findings *out)
{
	if (found->state == PUBLICATION_WITH)
		finding_add(out, FINDING_OK, "publication",
			    "the table is in '%s'", names->publication);
	else if (found->state == PUBLICATION_PARTLY)
		finding_error(out, FINDING_FAIL, "publication", &found->flaw);
	else if (found->ours && found->owns_table)
		finding_add(out, FINDING_OK, "publication",
			    "the table is put into '%s' when the mapping "
			    "starts",
			    names->publication);
	else
		tell_statement(source, names, found, out);
}

int pg_check_table_changes(struct postgresql_source *source,
			   const struct table *table, struct findings *out,
			   struct error *err)
{
	struct publication found;
	struct slot_names names;

	if (slot_check_identity(source->conn, source->catalog.oid, table, err) <
	    0) {
		/* With a key it was told by the check of that. */
		if (table->key_count && pg_usable(source->conn))
			return 0;
		return pg_check_failed(source->conn, out, "replica identity",
				       err);
	}
	finding_add(out, FINDING_OK, "replica identity",
		    "the log tells which row a change concerns");
	if (streams_names(source->server->streams, source->conn, &names, err) <
		    0 ||
	    publication_look(source->conn, &names, source->catalog.oid, &found,
			     err) < 0)
		return pg_check_failed(source->conn, out, "publication", err);
	tell_publication(source, &names, &found, out);
	return 0;
}

/* ------------------------------------------------------------- the database */

static void tell_slot(const struct slot_names *names,
		      const struct slot_state *slot, struct findings *out)
{
	if (!slot->exists)
		finding_add(out, FINDING_OK, "slot",
			    "replication slot '%s' is made when the first "
			    "mapping starts",
			    names->slot);
	else if (!strcmp(slot->status, "lost"))
		finding_add(out, FINDING_FAIL, "slot",
			    "replication slot '%s' is lost: the server removed "
			    "log that was still needed" FINDING_REMEDY
			    "raise max_slot_wal_keep_size; its mappings are "
			    "loaded anew unless resync_on_gap is 0",
			    names->slot);
	else if (!strcmp(slot->status, "unreserved"))
		finding_add(out, FINDING_WARN, "slot",
			    "replication slot '%s' keeps %llu MB of log, more "
			    "than max_slot_wal_keep_size allows: the server "
			    "may remove it (wal_status is "
			    "unreserved)" FINDING_REMEDY
			    "raise max_slot_wal_keep_size, or see which "
			    "mapping does not get on",
			    names->slot, MEGABYTES(slot->retained));
	else if (slot->retained > SLOT_RETAINED_WARN)
		finding_add(out, FINDING_WARN, "slot",
			    "replication slot '%s' keeps %llu MB of "
			    "log" FINDING_REMEDY
			    "start the daemon; see which mapping keeps it, as "
			    "told here, and whether a transaction is open for "
			    "long (pg_stat_activity)",
			    names->slot, MEGABYTES(slot->retained));
	else
		finding_add(out, FINDING_OK, "slot",
			    "replication slot '%s' keeps %llu MB of log; %s",
			    names->slot, MEGABYTES(slot->retained),
			    slot->active ? "it is being read"
					 : "nobody reads it now");
}

/* See find_writers() in slot.c. */
static int check_sight(struct postgresql_source *source, struct findings *out,
		       struct error *err)
{
	static const char sql[] =
		"SELECT pg_has_role('pg_read_all_stats', 'USAGE'), "
		"current_setting('synchronous_standby_names') <> '', "
		"quote_ident(current_user)";

	if (pg_query(source->conn, sql, NULL, 0, err) < 0)
		return pg_check_failed(source->conn, out, "rights", err);
	if (pg_get_bool(source->conn, 0, 0))
		finding_add(out, FINDING_OK, "rights",
			    "it can be seen what other sessions wait for");
	else
		finding_add(
			out, FINDING_WARN, "rights",
			"the login cannot see what other sessions wait for, so "
			"a load waits up to %s for transactions that have "
			"changed its table, idle ones too%s" FINDING_REMEDY
			"GRANT pg_read_all_stats TO %s" PG_SOURCE_SCRIPT,
			pg_get_bool(source->conn, 0, 1) ? "a minute"
							: "two seconds",
			pg_get_bool(source->conn, 0, 1) ? ", and then fails"
							: "",
			pg_get_text(source->conn, 0, 2));
	pg_finish(source->conn);
	return 0;
}

/*
 * What a mapping keeps, where that is much, or nobody works on it. The control
 * tables may be a little behind.
 */
static void tell_kept(const struct server_mapping *mapping,
		      const struct slot_state *slot, uint64_t end,
		      struct findings *out)
{
	struct lsn_position stored;
	struct error ignored;
	char name[TABLE_NAME_TEXT_MAX];
	uint64_t kept;

	if (!mapping->stored ||
	    lsn_from_position(&stored, mapping->stored, &ignored) < 0)
		return;
	if (stored.lsn < slot->confirmed)
		stored.lsn = slot->confirmed;
	kept = stored.lsn < end ? end - stored.lsn : 0;
	if (mapping->enabled && kept <= SLOT_RETAINED_WARN)
		return;
	table_name_format(name, &mapping->name);
	finding_add(out, kept > SLOT_RETAINED_WARN ? FINDING_WARN : FINDING_OK,
		    "slot",
		    "mapping %d ('%s')%s keeps %llu MB of it" FINDING_REMEDY
		    "%s; or, if nobody needs it any more, delete its row, or "
		    "set cdc_enabled to 0",
		    mapping->id, name,
		    mapping->enabled ? "" : ", which is switched off,",
		    MEGABYTES(kept),
		    mapping->enabled ? "see what holds it up" : "switch it on");
}

static int tell_all_kept(struct postgresql_source *source,
			 const struct source_check *what,
			 const struct slot_state *slot, struct findings *out,
			 struct error *err)
{
	struct slot_end end;

	if (!slot->exists)
		return 0;
	if (slot_find_end(source->conn, &end, err) < 0)
		return pg_check_failed(source->conn, out, "slot", err);
	for (size_t i = 0; i < what->mapping_count; i++)
		if (!strcmp(what->mappings[i].name.database,
			    source->name.database))
			tell_kept(&what->mappings[i], slot, end.written, out);
	return 0;
}

int pg_check_log(struct postgresql_source *source,
		 const struct source_check *what, struct findings *out,
		 struct error *err)
{
	struct slot_names names;
	struct slot_state slot;

	if (streams_names(source->server->streams, source->conn, &names, err) <
	    0)
		return pg_check_failed(source->conn, out, "log", err);
	if (slot_check_server(source->conn, &names, err) < 0) {
		if (pg_check_failed(source->conn, out, "log", err) < 0)
			return -1;
	} else {
		finding_add(out, FINDING_OK, "log",
			    "the server and the login can tell changes");
	}
	error_clear(err);
	if (check_sight(source, out, err) < 0)
		return -1;
	if (slot_look(source->conn, &names, &slot, err) < 0)
		return pg_check_failed(source->conn, out, "slot", err);
	tell_slot(&names, &slot, out);
	return tell_all_kept(source, what, &slot, out, err);
}
