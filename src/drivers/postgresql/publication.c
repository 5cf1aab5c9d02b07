/*
 * What a person made may be made in another way than ours: for some kinds of
 * changes, some rows or some columns. Changes that are left out so are missed by
 * nobody, so each such thing is looked for by its name in the catalog. Columns
 * that older servers lack are read by way of JSON, where what is missing is NULL.
 *
 * ONLY: without it the children of a table, by inheritance, would be put in, too,
 * and PostgreSQL refuses updates of those that have no replica identity.
 */
#include "drivers/postgresql/publication.h"

#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "drivers/postgresql/quote.h"
#include "drivers/postgresql/server.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* The server's own SQLSTATEs. */
#define DUPLICATE_OBJECT "42710"
#define UNDEFINED_OBJECT "42704"
#define UNDEFINED_TABLE	 "42P01"
#define NO_PRIVILEGE	 "42501"

/* The writers of the table wait for us as long at most. */
#define LOCK_WAIT_MS 200

/* The first one that publishes a partitioned table as one. */
#define VERSION_OF_ROOTS 130000
/* And the first that tells a TRUNCATE. */
#define VERSION_OF_TRUNCATE 110000

/* -------------------------------------------------------------------- looking */

/* "above": the tables that it is a partition of. */
static const char look_sql[] =
	"WITH RECURSIVE above AS (SELECT i.inhparent AS oid "
	"FROM pg_inherits AS i INNER JOIN pg_class AS c ON c.oid = i.inhrelid "
	"AND c.relispartition WHERE c.oid = $2::oid UNION "
	"SELECT i.inhparent FROM pg_inherits AS i "
	"INNER JOIN above AS a ON a.oid = i.inhrelid) "
	"SELECT p.pubname IS NOT NULL, CASE WHEN p.pubname IS NULL "
	"THEN has_database_privilege(current_database(), 'CREATE') "
	"ELSE pg_has_role(p.pubowner, 'USAGE') END, "
	"pg_has_role(c.relowner, 'USAGE'), "
	"p.pubinsert AND p.pubupdate AND p.pubdelete "
	"AND COALESCE((to_jsonb(p) ->> 'pubtruncate')::boolean, true), "
	"c.relkind = 'p' "
	"AND NOT COALESCE((to_jsonb(p) ->> 'pubviaroot')::boolean, false), "
	"COALESCE(to_jsonb(r) ->> 'prqual', to_jsonb(r) ->> 'prattrs') "
	"IS NOT NULL, "
	"EXISTS (SELECT 1 FROM pg_publication_tables AS t WHERE t.pubname = $1 "
	"AND t.schemaname = n.nspname AND t.tablename = c.relname), "
	"(SELECT quote_ident(m.nspname) || '.' || quote_ident(k.relname) "
	"FROM above AS a INNER JOIN pg_class AS k ON k.oid = a.oid "
	"INNER JOIN pg_namespace AS m ON m.oid = k.relnamespace "
	"INNER JOIN pg_publication_tables AS t ON t.pubname = $1 "
	"AND t.schemaname = m.nspname AND t.tablename = k.relname LIMIT 1), "
	"quote_ident(n.nspname) || '.' || quote_ident(c.relname), "
	"quote_ident($1), concat(p.xmin, '/', r.xmin), c.relkind = 'p' "
	"FROM pg_class AS c "
	"INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace "
	"LEFT JOIN pg_publication AS p ON p.pubname = $1 "
	"LEFT JOIN pg_publication_rel AS r ON r.prpubid = p.oid "
	"AND r.prrelid = c.oid WHERE c.oid = $2::oid";

/* What does the publication leave out? */
static bool has_flaw(struct pg *conn, struct error *flaw)
{
	const char *root = pg_get_text(conn, 0, 7);
	const char *table = pg_get_text(conn, 0, 8);
	const char *name = pg_get_text(conn, 0, 9);

	if (!pg_get_bool(conn, 0, 3))
		error_set(flaw, ERROR_SCHEMA,
			  "publication %s leaves out some kinds of changes; "
			  "run ALTER PUBLICATION %s SET (publish = 'insert, "
			  "update, delete%s')",
			  name, name,
			  pg_server_version(conn) >= VERSION_OF_TRUNCATE
				  ? ", truncate"
				  : "");
	else if (*root)
		error_set(flaw, ERROR_SCHEMA,
			  "changes of partition %s are told as those of %s, "
			  "which is in publication %s as well; map one of the "
			  "two",
			  table, root, name);
	else if (pg_get_bool(conn, 0, 4))
		error_set(flaw, ERROR_SCHEMA,
			  "publication %s tells changes of %s under the names "
			  "of its partitions; run ALTER PUBLICATION %s SET "
			  "(publish_via_partition_root = true)",
			  name, table, name);
	else if (pg_get_bool(conn, 0, 5))
		error_set(flaw, ERROR_SCHEMA,
			  "publication %s has %s with a WHERE condition or a "
			  "list of columns, and leaves out the rest; run ALTER "
			  "PUBLICATION %s DROP TABLE %s and then ALTER "
			  "PUBLICATION %s ADD TABLE ONLY %s",
			  name, table, name, table, name, table);
	return flaw->kind != ERROR_NONE;
}

int publication_look(struct pg *conn, const struct slot_names *names,
		     uint32_t oid, struct publication *out, struct error *err)
{
	struct pg_param params[] = {pg_text(names->publication), pg_int(oid)};
	int64_t rows = pg_query(conn, look_sql, params, COUNT_OF(params), err);

	*out = (struct publication){.state = PUBLICATION_WITHOUT};
	if (rows < 0)
		return -1;
	if (rows > 0) {
		out->ours = pg_get_bool(conn, 0, 1);
		out->owns_table = pg_get_bool(conn, 0, 2);
		text_copy(out->version, sizeof(out->version),
			  pg_get_text(conn, 0, 10));
		out->partitioned = pg_get_bool(conn, 0, 11);
		if (!pg_get_bool(conn, 0, 0))
			out->state = PUBLICATION_NONE;
		else if (has_flaw(conn, &out->flaw))
			out->state = PUBLICATION_PARTLY;
		else if (pg_get_bool(conn, 0, 6))
			out->state = PUBLICATION_WITH;
	}
	pg_finish(conn);
	return 0;
}

/* --------------------------------------------------------------------- making */

void publication_add_sql(struct strbuf *sql, const struct pg *conn,
			 const struct slot_names *names,
			 const struct table_name *table, bool exists)
{
	strbuf_addstr(sql, exists ? "ALTER" : "CREATE");
	strbuf_addstr(sql, " PUBLICATION ");
	quote_name(sql, names->publication);
	strbuf_addstr(sql, exists ? " ADD TABLE ONLY " : " FOR TABLE ONLY ");
	quote_table(sql, table->schema, table->table);
	if (!exists && pg_server_version(conn) >= VERSION_OF_ROOTS)
		strbuf_addstr(sql, " WITH (publish_via_partition_root = true)");
}

/* What the DBA has to run, since we may not. */
static int explain_refusal(struct error *err, const char *sql)
{
	struct strbuf text;

	if (strcmp(err->sqlstate, NO_PRIVILEGE) != 0)
		return -1;
	err->kind = ERROR_PERMISSION;
	strbuf_init(&text);
	strbuf_addf(&text,
		    "as a superuser, or as owner of the table and the "
		    "publication, run %s" PG_SOURCE_SCRIPT,
		    sql);
	error_append(err, text.data);
	strbuf_release(&text);
	return -1;
}

static void lock_table(struct strbuf *sql, const struct table_name *table,
		       bool partitioned, const char *mode)
{
	strbuf_addf(sql, "LOCK TABLE %s", partitioned ? "" : "ONLY ");
	quote_table(sql, table->schema, table->table);
	strbuf_addf(sql, " IN %s MODE; ", mode);
}

/*
 * What a transaction has changed before it stays unpublished, though it commits
 * after: nobody must be in the middle of one. (Servers before the minor releases
 * of May 2025 could even go on to leave out what came later.)
 *
 * The first lock, which the statement takes anyway, keeps VACUUM and builds of
 * indexes out, and nobody waits behind it who writes; the second one has to wait
 * for those alone who do.
 */
static int add_to(struct pg *conn, const char *add_sql,
		  const struct table_name *table, bool partitioned,
		  struct error *err)
{
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "BEGIN; " PG_LOCK_WAIT "; ");
	lock_table(&sql, table, partitioned, "SHARE UPDATE EXCLUSIVE");
	strbuf_addf(&sql, "SET LOCAL lock_timeout = '%dms'; ", LOCK_WAIT_MS);
	lock_table(&sql, table, partitioned, "SHARE");
	strbuf_addf(&sql, "%s; COMMIT", add_sql);
	if (strbuf_check(&sql, err) == 0)
		ret = pg_exec(conn, sql.data, err);
	strbuf_release(&sql);
	if (ret < 0 && pg_usable(conn)) {
		struct error ignored;

		if (pg_exec(conn, "ROLLBACK", &ignored) < 0)
			log_debug("%s", ignored.message);
	}
	return ret;
}

int publication_add(struct pg *conn, const struct slot_names *names,
		    const struct table_name *table,
		    const struct publication *found, struct error *err)
{
	bool exists = found->state != PUBLICATION_NONE;
	struct strbuf sql;
	int ret = -1;

	if (found->state == PUBLICATION_PARTLY) {
		*err = found->flaw;
		return -1;
	}
	strbuf_init(&sql);
	publication_add_sql(&sql, conn, names, table, exists);
	if (strbuf_check(&sql, err) == 0)
		ret = exists ? add_to(conn, sql.data, table, found->partitioned,
				      err)
			     : pg_exec(conn, sql.data, err);
	/* Another daemon was faster. */
	if (ret < 0 && !strcmp(err->sqlstate, DUPLICATE_OBJECT)) {
		error_clear(err);
		ret = 0;
	}
	if (ret < 0)
		explain_refusal(err, sql.data);
	strbuf_release(&sql);
	return ret;
}

/* ---------------------------------------------------------------- what is left */

static bool is_among(const struct table_name *const *tables, size_t count,
		     const char *schema, const char *table)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(tables[i]->schema, schema) &&
		    !strcmp(tables[i]->table, table))
			return true;
	return false;
}

/* What was put into it by name; 0: nothing is to go. */
static int keep_sql(struct pg *conn, const struct slot_names *names,
		    const struct table_name *const *tables, size_t count,
		    struct strbuf *sql, struct error *err)
{
	struct pg_param name = pg_text(names->publication);
	int64_t rows = pg_query(
		conn,
		"SELECT n.nspname::text, c.relname::text "
		"FROM pg_publication AS p "
		"INNER JOIN pg_publication_rel AS r ON r.prpubid = p.oid "
		"INNER JOIN pg_class AS c ON c.oid = r.prrelid "
		"INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace "
		"WHERE p.pubname = $1 AND pg_has_role(p.pubowner, 'USAGE')",
		&name, 1, err);
	int gone = 0;

	if (rows < 0)
		return -1;
	strbuf_addstr(sql, "ALTER PUBLICATION ");
	quote_name(sql, names->publication);
	for (int64_t row = 0; row < rows; row++) {
		const char *schema = pg_get_text(conn, row, 0);
		const char *table = pg_get_text(conn, row, 1);

		if (is_among(tables, count, schema, table))
			continue;
		strbuf_addstr(sql, gone++ ? ", ONLY " : " DROP TABLE ONLY ");
		quote_table(sql, schema, table);
	}
	pg_finish(conn);
	return strbuf_check(sql, err) < 0 ? -1 : gone;
}

int publication_keep(struct pg *conn, const struct slot_names *names,
		     const struct table_name *const *tables, size_t count,
		     struct error *err)
{
	struct strbuf sql;
	int ret;

	strbuf_init(&sql);
	ret = keep_sql(conn, names, tables, count, &sql, err);
	if (ret > 0)
		ret = pg_exec(conn, sql.data, err);
	/* It went while we looked: the next time finds out. */
	if (ret < 0 && (!strcmp(err->sqlstate, UNDEFINED_OBJECT) ||
			!strcmp(err->sqlstate, UNDEFINED_TABLE))) {
		error_clear(err);
		ret = 0;
	}
	strbuf_release(&sql);
	return ret;
}

/* 1: there is one that we may drop; 0: none, or it is another's. */
static int may_drop(struct pg *conn, const struct slot_names *names,
		    struct error *err)
{
	struct pg_param name = pg_text(names->publication);
	int64_t rows = pg_query(conn,
				"SELECT pg_has_role(p.pubowner, 'USAGE') "
				"FROM pg_publication AS p WHERE p.pubname = $1",
				&name, 1, err);
	int ret;

	if (rows < 0)
		return -1;
	ret = rows > 0 && pg_get_bool(conn, 0, 0);
	pg_finish(conn);
	if (rows > 0 && !ret)
		log_info("publication '%s' was made by somebody else, and "
			 "stays: nobody needs it any more",
			 names->publication);
	return ret;
}

int publication_drop(struct pg *conn, const struct slot_names *names,
		     struct error *err)
{
	struct strbuf sql;
	int ret = may_drop(conn, names, err);

	if (ret <= 0)
		return ret;
	strbuf_init(&sql);
	strbuf_addstr(&sql, "DROP PUBLICATION IF EXISTS ");
	quote_name(&sql, names->publication);
	ret = strbuf_check(&sql, err);
	if (ret == 0)
		ret = pg_exec(conn, sql.data, err);
	strbuf_release(&sql);
	return ret;
}
