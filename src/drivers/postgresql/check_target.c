/*
 * A destination before anything is written to it: may we, will it take rows as
 * they are, and how will a full sync come in? How much room there is on the
 * server's disks no statement tells, so nothing is said about that.
 */
#include "drivers/postgresql/target.h"

#include <string.h>

#include "base/text.h"
#include "drivers/postgresql/clone.h"
#include "drivers/postgresql/quote.h"

#define SCRIPT                                                             \
	"; least-privilege-postgresql-destination.sql grants all that is " \
	"needed"

/*
 * Ask the catalog. 1: there is an answer, to be read and then finished; 0: none,
 * and that was told; -1: the connection is lost, or it was cancelled.
 */
static int ask(struct pg *conn, struct findings *out, const char *check,
	       const char *sql, const struct pg_param *params, size_t count,
	       struct error *err)
{
	int64_t rows = pg_query(conn, sql, params, count, err);

	if (rows > 0)
		return 1;
	pg_finish(conn);
	if (rows == 0)
		return 0;
	if (err->kind == ERROR_CANCELLED || !pg_usable(conn))
		return -1;
	finding_add(out, FINDING_WARN, check,
		    "cannot tell: %s" FINDING_REMEDY
		    "ask the server's administrator",
		    err->message);
	error_clear(err);
	return 0;
}

/* ---------------------------------------------------------------- database */

static const char database_sql[] =
	"SELECT pg_is_in_recovery() "
	"OR current_setting('default_transaction_read_only') = 'on', "
	"has_database_privilege(current_database(), 'TEMPORARY'), "
	"COALESCE((SELECT has_schema_privilege(n.oid, 'USAGE') "
	"AND has_schema_privilege(n.oid, 'CREATE') FROM pg_namespace AS n "
	"WHERE n.nspname = 'dataflow'), "
	"has_database_privilege(current_database(), 'CREATE')), "
	"EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'dataflow'), "
	"NOT EXISTS (SELECT 1 FROM pg_class AS c INNER JOIN pg_namespace AS n "
	"ON n.oid = c.relnamespace WHERE n.nspname = 'dataflow' "
	"AND c.relname IN ('checkpoints', 'loads', 'load_parts', 'exceptions') "
	"AND NOT (has_table_privilege(c.oid, 'SELECT') "
	"AND has_table_privilege(c.oid, 'INSERT') "
	"AND has_table_privilege(c.oid, 'UPDATE') "
	"AND has_table_privilege(c.oid, 'DELETE'))), "
	"quote_ident(current_user), quote_ident(current_database()), "
	"current_setting('server_encoding')";

static void tell_database(const struct pg *conn, struct findings *out)
{
	const char *user = pg_get_text(conn, 0, 5);
	const char *database = pg_get_text(conn, 0, 6);
	const char *encoding = pg_get_text(conn, 0, 7);
	bool temporary = pg_get_bool(conn, 0, 1);
	bool schema = pg_get_bool(conn, 0, 2);
	bool tables = pg_get_bool(conn, 0, 4);

	if (pg_get_bool(conn, 0, 0)) {
		finding_add(out, FINDING_FAIL, "rights",
			    "database %s is read-only" FINDING_REMEDY
			    "of a standby, name the primary; else ALTER "
			    "DATABASE %s RESET default_transaction_read_only, "
			    "or ALTER ROLE %s RESET "
			    "default_transaction_read_only",
			    database, database, user);
		return;
	}
	if (!temporary)
		finding_add(out, FINDING_FAIL, "rights",
			    "in database %s the login may not make temporary "
			    "tables" FINDING_REMEDY
			    "GRANT TEMPORARY ON DATABASE %s TO %s" SCRIPT,
			    database, database, user);
	if (!schema && pg_get_bool(conn, 0, 3))
		finding_add(out, FINDING_FAIL, "rights",
			    "in database %s the login may not work in the "
			    "schema dataflow" FINDING_REMEDY
			    "GRANT USAGE, CREATE ON SCHEMA dataflow TO "
			    "%s" SCRIPT,
			    database, user);
	else if (!schema)
		finding_add(out, FINDING_FAIL, "rights",
			    "in database %s the login may not make the schema "
			    "dataflow" FINDING_REMEDY
			    "CREATE SCHEMA dataflow AUTHORIZATION %s" SCRIPT,
			    database, user);
	if (!tables)
		finding_add(out, FINDING_FAIL, "rights",
			    "the login may not write to the tables of the "
			    "schema dataflow" FINDING_REMEDY
			    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL "
			    "TABLES IN SCHEMA dataflow TO %s" SCRIPT,
			    user);
	if (temporary && schema && tables)
		finding_add(out, FINDING_OK, "rights",
			    "tables can be made in database %s", database);
	if (strcmp(encoding, "UTF8") != 0)
		finding_add(out, FINDING_WARN, "encoding",
			    "database %s keeps its text as %s: characters that "
			    "this lacks stop a mapping" FINDING_REMEDY
			    "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE "
			    "template0, and map to that",
			    database, encoding);
}

/* ------------------------------------------------------------------- table */

static const char table_sql[] =
	"SELECT has_table_privilege(c.oid, 'SELECT'), "
	"has_table_privilege(c.oid, 'INSERT'), "
	"has_table_privilege(c.oid, 'UPDATE'), "
	"has_table_privilege(c.oid, 'DELETE'), "
	"row_security_active(c.oid), "
	"(SELECT string_agg(quote_ident(g.tgname), ', ') FROM pg_trigger AS g "
	"WHERE g.tgrelid = c.oid AND NOT g.tgisinternal "
	"AND g.tgenabled IN ('O', 'A')), "
	"quote_ident(current_user), quote_ident(pg_get_userbyid(c.relowner)), "
	"has_schema_privilege(c.relnamespace, 'USAGE') "
	"FROM pg_class AS c WHERE c.oid = $1::oid";

static const char schema_sql[] =
	"SELECT COALESCE((SELECT has_schema_privilege(n.oid, 'CREATE') "
	"FROM pg_namespace AS n WHERE n.nspname = $1), "
	"has_database_privilege(current_database(), 'CREATE')), "
	"EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1), "
	"quote_ident($1), quote_ident(current_user), "
	"quote_ident(current_database())";

/* A table that is not there yet needs a schema that we may work in. */
static int check_missing(struct pg_target *target, struct findings *out,
			 struct error *err)
{
	struct pg_param schema = pg_text(target->name.schema);
	struct pg *conn = target->conn;
	int rc = ask(conn, out, "rights", schema_sql, &schema, 1, err);
	const char *name, *user;

	if (rc <= 0)
		return rc;
	name = pg_get_text(conn, 0, 2);
	user = pg_get_text(conn, 0, 3);
	if (pg_get_bool(conn, 0, 0))
		finding_add(out, FINDING_OK, "rights",
			    "the table can be made in schema %s", name);
	else if (pg_get_bool(conn, 0, 1))
		finding_add(out, FINDING_FAIL, "rights",
			    "the login may not make a table in schema "
			    "%s" FINDING_REMEDY
			    "GRANT USAGE, CREATE ON SCHEMA %s TO %s" SCRIPT,
			    name, name, user);
	else
		finding_add(out, FINDING_FAIL, "rights",
			    "there is no schema %s, and the login may not make "
			    "it" FINDING_REMEDY
			    "CREATE SCHEMA %s AUTHORIZATION %s" SCRIPT,
			    name, name, user);
	pg_finish(conn);
	return 0;
}

static void tell_rights(const struct pg *conn, const char *table,
			struct findings *out)
{
	static const char *const names[] = {"SELECT", "INSERT", "UPDATE",
					    "DELETE"};
	const char *user = pg_get_text(conn, 0, 6);
	struct strbuf missing;

	strbuf_init(&missing);
	for (int i = 0; i < 4; i++)
		if (!pg_get_bool(conn, 0, i))
			strbuf_addf(&missing, "%s%s", missing.len ? ", " : "",
				    names[i]);
	if (!pg_get_bool(conn, 0, 8))
		finding_add(out, FINDING_FAIL, "rights",
			    "the login may not use the schema of table "
			    "%s" FINDING_REMEDY
			    "GRANT USAGE ON SCHEMA of that table TO %s" SCRIPT,
			    table, user);
	else if (missing.len)
		finding_add(out, FINDING_FAIL, "rights",
			    "on table %s the login lacks %s" FINDING_REMEDY
			    "GRANT %s ON %s TO %s" SCRIPT,
			    table, missing.data, missing.data, table, user);
	else
		finding_add(out, FINDING_OK, "rights",
			    "table %s can be written", table);
	strbuf_release(&missing);
}

static void tell_odd(const struct pg *conn, const char *table,
		     struct findings *out)
{
	const char *user = pg_get_text(conn, 0, 6);

	if (pg_get_bool(conn, 0, 4))
		finding_add(out, FINDING_FAIL, "row security",
			    "policies of table %s hide rows from the "
			    "login" FINDING_REMEDY
			    "ALTER ROLE %s BYPASSRLS, or ALTER TABLE %s "
			    "DISABLE ROW LEVEL SECURITY",
			    table, user, table);
	if (!pg_null(conn, 0, 5))
		finding_add(out, FINDING_WARN, "triggers",
			    "triggers of table %s fire when changes are "
			    "applied: %s" FINDING_REMEDY
			    "ALTER TABLE %s DISABLE TRIGGER for those that "
			    "repeat what the source's have done; leave the "
			    "others",
			    table, pg_get_text(conn, 0, 5), table);
}

static int check_rights(struct pg_target *target, const char *table,
			struct findings *out, struct error *err)
{
	struct pg_param oid = pg_int(target->dest.oid);
	int rc = ask(target->conn, out, "rights", table_sql, &oid, 1, err);

	if (rc <= 0)
		return rc;
	tell_rights(target->conn, table, out);
	tell_odd(target->conn, table, out);
	pg_finish(target->conn);
	return 0;
}

/* How a full sync comes in, which is worth to know, and nothing bad. */
static int check_swap(struct pg_target *target, const char *table,
		      struct findings *out, struct error *err)
{
	char why[CLONE_OBSTACLE_MAX] =
		"the login has not the rights of its owner";
	int rc = 1;

	if (target->dest.ours)
		rc = pg_clone_obstacle(target->conn, target->dest.oid, why,
				       err);
	if (rc < 0)
		return !pg_usable(target->conn) || err->kind == ERROR_CANCELLED
			       ? -1
			       : 0;
	if (rc)
		finding_add(out, FINDING_OK, "full sync",
			    "applies to table %s what differs, row by row: %s",
			    table, why);
	else
		finding_add(out, FINDING_OK, "full sync",
			    "swaps a new table %s in", table);
	return 0;
}

/* Foreign keys by which one mapping's deletes become another one's. */
static int check_reach(struct pg_target *target, bool keyed, const char *table,
		       struct findings *out, struct error *err)
{
	struct pg *conn = target->conn;
	struct strbuf reached, reaches;
	int ret = -1;

	strbuf_init(&reached);
	strbuf_init(&reaches);
	if (pg_dest_reach(conn, &target->dest, PG_DEST_REACHED, &reached, err) <
		    0 ||
	    pg_dest_reach(conn, &target->dest, PG_DEST_REACHES, &reaches, err) <
		    0)
		goto done;
	if (reached.len)
		finding_add(out, FINDING_WARN, "foreign keys",
			    "rows of table %s are deleted or changed when rows "
			    "of another table are deleted, which the source's "
			    "own changes say at another moment: "
			    "%s" FINDING_REMEDY
			    "make it ON DELETE NO ACTION DEFERRABLE",
			    table, reached.data);
	if (reaches.len && !keyed)
		finding_add(out, FINDING_FAIL, "foreign keys",
			    "a full sync replaces all rows of table %s, since "
			    "the source has no key, and is refused, since rows "
			    "of other tables would go along: "
			    "%s" FINDING_REMEDY
			    "make it ON DELETE NO ACTION, or name a key in "
			    "primary_key_column",
			    table, reaches.data);
	ret = 0;
done:
	strbuf_release(&reaches);
	strbuf_release(&reached);
	return ret == 0 || (pg_usable(conn) && err->kind != ERROR_CANCELLED)
		       ? 0
		       : -1;
}

/* ------------------------------------------------------------------- its key */

/* Changes find their rows by the source's key. */
static int check_key(struct pg_target *target, const struct table *source,
		     const char *table, struct findings *out, struct error *err)
{
	struct pg_param oid = pg_int(target->dest.oid);
	struct strbuf sql, list;
	int64_t rows = -1;

	strbuf_init(&sql);
	strbuf_init(&list);
	strbuf_addstr(
		&sql,
		"SELECT 1 FROM pg_index AS i INNER JOIN pg_attribute AS a "
		"ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
		"WHERE i.indrelid = $1::oid AND i.indisvalid "
		"AND i.indpred IS NULL AND a.attname IN (");
	for (size_t k = 0; k < source->key_count; k++) {
		const char *key = source->columns[source->key[k]].name;
		const struct pg_dest_column *to =
			pg_dest_column(&target->dest, key);

		strbuf_addstr(&sql, k ? ", " : "");
		quote_text(&sql, to ? to->name : key);
		quote_names(&list, k ? ", %n" : "%n", to ? to->name : key);
	}
	strbuf_addch(&sql, ')');
	if (strbuf_check(&list, err) == 0)
		rows = pg_target_run(target, &sql, &oid, 1, err);
	if (rows == 0)
		finding_add(out, FINDING_WARN, "index",
			    "table %s has no index that finds a row by its "
			    "key, so that each window of changes reads the "
			    "whole table" FINDING_REMEDY
			    "CREATE UNIQUE INDEX ON %s (%s)",
			    table, table, list.data);
	strbuf_release(&list);
	strbuf_release(&sql);
	if (rows >= 0)
		return 0;
	return pg_usable(target->conn) && err->kind != ERROR_CANCELLED ? 0 : -1;
}

static int check_table(struct pg_target *target,
		       const struct target_check *what, struct findings *out,
		       struct error *err)
{
	struct strbuf table;
	int ret = -1;

	strbuf_init(&table);
	pg_sql_dest(&table, target);
	if (strbuf_check(&table, err) == 0 &&
	    check_rights(target, table.data, out, err) == 0 &&
	    check_swap(target, table.data, out, err) == 0 &&
	    check_reach(target, what->source->key_count > 0, table.data, out,
			err) == 0)
		ret = what->source->key_count ? check_key(target, what->source,
							  table.data, out, err)
					      : 0;
	strbuf_release(&table);
	return ret;
}

int pg_check_target(struct pg_target *target, const struct target_check *what,
		    struct findings *out, struct error *err)
{
	int rc;

	if (!what->source) {
		if (!what->rights)
			return 0;
		rc = ask(target->conn, out, "rights", database_sql, NULL, 0,
			 err);
		if (rc > 0) {
			tell_database(target->conn, out);
			pg_finish(target->conn);
		}
		return rc < 0 ? -1 : 0;
	}
	return what->dest && target->described
		       ? check_table(target, what, out, err)
		       : check_missing(target, out, err);
}
