#include "drivers/postgresql/check.h"

#include <string.h>

#include "base/text.h"
#include "drivers/postgresql/quote.h"

int pg_check_failed(struct pg *conn, struct findings *out, const char *check,
		    const struct error *err)
{
	if (err->kind == ERROR_CANCELLED || !pg_usable(conn))
		return -1;
	finding_error(out, FINDING_FAIL, check, err);
	return 0;
}

/* -------------------------------------------------------------- the server */

static int read_version(struct pg *conn, struct findings *out,
			struct error *err)
{
	static const char sql[] =
		"SELECT current_setting('server_version'), current_user, "
		"pg_is_in_recovery(), current_setting('server_encoding')";

	if (pg_query(conn, sql, NULL, 0, err) < 0)
		return -1;
	finding_add(out, FINDING_OK, "connection", "login '%s'",
		    pg_get_text(conn, 0, 1));
	finding_add(out, FINDING_OK, "version", "PostgreSQL %s%s",
		    pg_get_text(conn, 0, 0),
		    pg_get_bool(conn, 0, 2) ? ", a standby" : "");
	if (!strcmp(pg_get_text(conn, 0, 3), "SQL_ASCII"))
		finding_add(out, FINDING_WARN, "encoding",
			    "the database does not say what its text is "
			    "(encoding SQL_ASCII); a text that is no UTF-8 "
			    "stops its mapping" FINDING_REMEDY
			    "move it to a database with ENCODING 'UTF8'");
	pg_finish(conn);
	return 0;
}

int pg_check_server(struct postgresql *server, struct cancel *cancel,
		    struct findings *out, struct error *err)
{
	struct pg *conn;
	int ret;

	if (postgresql_take(server, "", cancel, &conn, err) < 0)
		return -1;
	ret = read_version(conn, out, err);
	postgresql_give(server, "", conn);
	return ret;
}

/* --------------------------------------------------------------- the table */

/* What the login lacks, as statements. */
struct rights {
	bool schema, select, trigger, read_only, hidden;
	char user[256];
	char types[1024]; /* schemas of its columns' types */
};

static const char rights_sql[] =
	"SELECT has_schema_privilege(c.relnamespace, 'USAGE'), "
	"has_table_privilege(c.oid, 'SELECT') OR NOT EXISTS (SELECT 1 "
	"FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 "
	"AND NOT a.attisdropped "
	"AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')), "
	"$2::text IS NULL OR has_table_privilege(c.oid, 'UPDATE') "
	"OR EXISTS (SELECT 1 FROM pg_attribute AS a WHERE a.attrelid = c.oid "
	"AND a.attname = $2 "
	"AND has_column_privilege(c.oid, a.attnum, 'UPDATE')), "
	"pg_is_in_recovery(), row_security_active(c.oid), "
	"quote_ident(current_user), "
	"(SELECT string_agg(DISTINCT quote_ident(n.nspname), ', ') "
	"FROM pg_attribute AS a INNER JOIN pg_type AS y ON y.oid = a.atttypid "
	"INNER JOIN pg_proc AS f ON f.oid = y.typoutput "
	"INNER JOIN pg_namespace AS n ON n.oid = f.pronamespace "
	"WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
	"AND NOT has_schema_privilege(n.oid, 'USAGE')) "
	"FROM pg_class AS c WHERE c.oid = $1::oid";

static int read_rights(struct postgresql_source *source, const char *trigger,
		       struct rights *out, struct error *err)
{
	struct pg_param params[] = {pg_int(source->catalog.oid),
				    pg_text(trigger)};
	int64_t rows = pg_query(source->conn, rights_sql, params, 2, err);

	if (rows <= 0)
		return (int)rows;
	out->schema = pg_get_bool(source->conn, 0, 0);
	out->select = pg_get_bool(source->conn, 0, 1);
	out->trigger = pg_get_bool(source->conn, 0, 2);
	out->read_only = pg_get_bool(source->conn, 0, 3);
	out->hidden = pg_get_bool(source->conn, 0, 4);
	text_copy(out->user, sizeof(out->user),
		  pg_get_text(source->conn, 0, 5));
	text_copy(out->types, sizeof(out->types),
		  pg_get_text(source->conn, 0, 6));
	pg_finish(source->conn);
	return 1;
}

static void tell_trigger(struct postgresql_source *source,
			 const struct rights *rights, const char *table,
			 const char *column, struct findings *out)
{
	const char *trigger = source->trigger_column;

	if (rights->read_only)
		finding_add(out, FINDING_FAIL, "rights",
			    "the trigger column '%s' cannot be reset, since "
			    "the server is a standby" FINDING_REMEDY
			    "set full_sync_trigger_column to NULL, and use "
			    "sync_requests",
			    trigger);
	else if (!rights->trigger)
		finding_add(out, FINDING_FAIL, "rights",
			    "the login may not reset the trigger column "
			    "'%s'" FINDING_REMEDY
			    "GRANT UPDATE (%s) ON %s TO %s" PG_SOURCE_SCRIPT,
			    trigger, column, table, rights->user);
	else
		finding_add(out, FINDING_OK, "rights",
			    "column '%s' can be reset", trigger);
}

static void tell_rights(const struct rights *rights, const char *schema,
			const char *table, struct findings *out)
{
	if (!rights->schema)
		finding_add(out, FINDING_FAIL, "rights",
			    "the login may not use schema %s" FINDING_REMEDY
			    "GRANT USAGE ON SCHEMA %s TO %s" PG_SOURCE_SCRIPT,
			    schema, schema, rights->user);
	if (!rights->select)
		finding_add(out, FINDING_FAIL, "rights",
			    "the login may not read the whole table "
			    "%s" FINDING_REMEDY
			    "GRANT SELECT ON %s TO %s" PG_SOURCE_SCRIPT,
			    table, table, rights->user);
	if (*rights->types)
		finding_add(out, FINDING_FAIL, "rights",
			    "the login may not use schema %s, where the type "
			    "of a column is" FINDING_REMEDY
			    "GRANT USAGE ON SCHEMA %s TO %s" PG_SOURCE_SCRIPT,
			    rights->types, rights->types, rights->user);
	if (rights->hidden)
		finding_add(out, FINDING_FAIL, "rights",
			    "policies hide rows of %s from the "
			    "login" FINDING_REMEDY "ALTER ROLE %s BYPASSRLS",
			    table, rights->user);
	if (rights->schema && rights->select && !*rights->types &&
	    !rights->hidden)
		finding_add(out, FINDING_OK, "rights", "it can be read");
}

static void tell_no_trigger(struct postgresql_source *source, const char *table,
			    struct findings *out)
{
	finding_add(out, FINDING_FAIL, "trigger column",
		    "the table has no column '%s'" FINDING_REMEDY
		    "name another one in full_sync_trigger_column, or add it: "
		    "ALTER TABLE %s ADD %s boolean NOT NULL DEFAULT false",
		    source->trigger_column, table, source->trigger_column);
}

static int check_rights(struct postgresql_source *source, struct findings *out,
			struct error *err)
{
	const struct catalog_column *trigger = NULL;
	struct strbuf schema, table, column;
	struct rights rights;
	int rc;

	strbuf_init(&schema);
	strbuf_init(&table);
	strbuf_init(&column);
	quote_name(&schema, source->name.schema);
	quote_table(&table, source->name.schema, source->name.table);
	if (source->trigger_column)
		trigger = pg_catalog_column(&source->catalog,
					    source->trigger_column);
	quote_name(&column, trigger ? trigger->name : "");
	rc = read_rights(source, trigger ? trigger->name : NULL, &rights, err);
	if (rc > 0) {
		tell_rights(&rights, schema.data, table.data, out);
		if (trigger)
			tell_trigger(source, &rights, table.data, column.data,
				     out);
		else if (source->trigger_column)
			tell_no_trigger(source, table.data, out);
	}
	strbuf_release(&column);
	strbuf_release(&table);
	strbuf_release(&schema);
	return rc < 0 ? pg_check_failed(source->conn, out, "rights", err) : 0;
}

/* Columns that the other end, being another system, gets as text. */
static void check_types(struct postgresql_source *source, struct findings *out)
{
	struct strbuf words;

	if (source->native)
		return;
	strbuf_init(&words);
	for (size_t i = 0; i < source->catalog.column_count; i++) {
		const struct catalog_column *column =
			&source->catalog.columns[i];

		if (pg_type_form(&column->type) == PG_FORM_WORDS &&
		    !column->computed)
			strbuf_addf(&words, "%s'%s' (%s)",
				    words.len ? ", " : "", column->name,
				    column->type.words);
	}
	if (words.len)
		finding_add(out, FINDING_OK, "types",
			    "as PostgreSQL writes them, as text, go %s",
			    words.data);
	strbuf_release(&words);
}

/* A load needs about as much in the destination. */
static int read_size(struct postgresql_source *source, uint64_t *bytes,
		     struct findings *out, struct error *err)
{
	static const char sql[] = CATALOG_PARTS
		"SELECT COALESCE(sum(pg_table_size(c.oid)), 0)::int8 "
		"FROM part AS p INNER JOIN pg_class AS c ON c.oid = p.oid "
		"WHERE c.relkind IN ('r', 'm')";
	struct pg_param id = pg_int(source->catalog.oid);
	int64_t rows = pg_query(source->conn, sql, &id, 1, err);

	if (rows < 0)
		return pg_check_failed(source->conn, out, "space", err);
	*bytes = (uint64_t)pg_get_int(source->conn, 0, 0);
	pg_finish(source->conn);
	return 0;
}

static int check_table(struct postgresql_source *source,
		       struct source_check *what, struct findings *out,
		       struct error *err)
{
	if (pg_source_know_table(source, err) < 0)
		return pg_check_failed(source->conn, out, "table", err);
	if (check_rights(source, out, err) < 0)
		return -1;
	check_types(source, out);
	if (what->changes &&
	    pg_check_table_changes(source, what->table, out, err) < 0)
		return -1;
	return read_size(source, &what->bytes, out, err);
}

int pg_check_source(struct postgresql_source *source, struct source_check *what,
		    struct findings *out, struct error *err)
{
	what->bytes = 0;
	if (what->table)
		return check_table(source, what, out, err);
	if (what->database)
		finding_add(out, FINDING_OK, "snapshot",
			    "database '%s' is read without locks",
			    source->name.database);
	return what->changes ? pg_check_log(source, what, out, err) : 0;
}
