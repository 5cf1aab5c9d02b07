/* What could keep changes from being told; see slot.h. */
#include "drivers/postgresql/check.h"

#include <string.h>

#include "drivers/postgresql/changes.h"
#include "drivers/postgresql/quote.h"
#include "drivers/postgresql/slot.h"
#include "drivers/postgresql/streams.h"

#define MEGABYTES(bytes) ((unsigned long long)((bytes) >> 20))

/* A slot that keeps more than this is worth a word. */
#define RETAINED_WARN ((uint64_t)1 << 30)

/* ---------------------------------------------------------------- the table */

/* Who may put a table into a publication? */
static int check_ownership(struct postgresql_source *source,
			   struct findings *out, struct error *err)
{
	struct pg_param id = pg_int(source->catalog.oid);
	struct strbuf name;
	bool owns;

	if (pg_query(source->conn,
		     "SELECT pg_has_role(c.relowner, 'USAGE'), "
		     "quote_ident(pg_get_userbyid(c.relowner)), "
		     "quote_ident(current_user) "
		     "FROM pg_class AS c WHERE c.oid = $1::oid",
		     &id, 1, err) < 0)
		return pg_check_failed(source->conn, out, "publication", err);
	owns = pg_get_bool(source->conn, 0, 0);
	strbuf_init(&name);
	quote_table(&name, source->name.schema, source->name.table);
	if (owns)
		finding_add(out, FINDING_OK, "publication",
			    "the table is put into it when the mapping "
			    "starts");
	else
		finding_add(out, FINDING_FAIL, "publication",
			    "the login does not own %s, which only its owner "
			    "puts into a publication" FINDING_REMEDY
			    "GRANT %s TO %s, or put the table into the "
			    "publication as its owner",
			    name.data, pg_get_text(source->conn, 0, 1),
			    pg_get_text(source->conn, 0, 2));
	strbuf_release(&name);
	pg_finish(source->conn);
	return 0;
}

int pg_check_table_changes(struct postgresql_source *source,
			   const struct table *table, struct findings *out,
			   struct error *err)
{
	struct slot_names names;
	int found;

	if (pg_changes_check_table(source, err) < 0)
		return pg_check_failed(source->conn, out, "changes", err);
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
	    (found = slot_has_table(source->conn, &names, source->catalog.oid,
				    err)) < 0)
		return pg_check_failed(source->conn, out, "publication", err);
	if (!found)
		return check_ownership(source, out, err);
	finding_add(out, FINDING_OK, "publication", "the table is in '%s'",
		    names.publication);
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
	else if (slot->retained > RETAINED_WARN)
		finding_add(out, FINDING_WARN, "slot",
			    "replication slot '%s' keeps %llu MB of log, for "
			    "the mapping that is least far, those that are "
			    "switched off included" FINDING_REMEDY
			    "start the daemon, see which mapping lags, or "
			    "delete those that are not needed any more",
			    names->slot, MEGABYTES(slot->retained));
	else
		finding_add(out, FINDING_OK, "slot",
			    "replication slot '%s' keeps %llu MB of log, for "
			    "the mapping that is least far, those that are "
			    "switched off included; %s",
			    names->slot, MEGABYTES(slot->retained),
			    slot->active ? "it is being read"
					 : "nobody reads it now");
}

int pg_check_log(struct postgresql_source *source, struct findings *out,
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
	if (slot_look(source->conn, &names, &slot, err) < 0)
		return pg_check_failed(source->conn, out, "slot", err);
	tell_slot(&names, &slot, out);
	return 0;
}
