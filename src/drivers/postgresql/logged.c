/*
 * The log has rows of permanent tables. Those of partitions are told as the
 * partitioned table's, which PostgreSQL 13 was the first to do; those of children
 * by inheritance as their own, although whoever reads the parent sees them, too.
 * Such a parent could be followed by its own rows alone, and that is how it would
 * be read; but most that are made so have none, and the destination would stay
 * empty without a word.
 */
#include "drivers/postgresql/logged.h"

#define VERSION_OF_ROOTS 130000

static const char logged_sql[] =
	"WITH RECURSIVE tree AS (SELECT $1::oid AS oid UNION ALL "
	"SELECT i.inhrelid FROM tree AS t "
	"INNER JOIN pg_class AS p ON p.oid = t.oid AND p.relkind = 'p' "
	"INNER JOIN pg_inherits AS i ON i.inhparent = t.oid) "
	"SELECT c.relkind, c.relpersistence, "
	"quote_ident(n.nspname) || '.' || quote_ident(c.relname) "
	"FROM tree AS t INNER JOIN pg_class AS c ON c.oid = t.oid "
	"INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace "
	"WHERE c.relkind NOT IN ('r', 'p') OR c.relpersistence <> 'p' "
	"ORDER BY t.oid <> $1::oid, t.oid LIMIT 1";

static const char children_sql[] =
	"SELECT count(*), min(i.inhrelid::regclass::text) "
	"FROM pg_inherits AS i INNER JOIN pg_class AS p ON p.oid = i.inhparent "
	"WHERE i.inhparent = $1::oid AND p.relkind = 'r'";

static int not_logged(const struct postgresql_source *source, char kind,
		      char persistence, const char *part, struct error *err)
{
	const char *what = kind == 'f'		? "a foreign table"
			   : persistence == 't' ? "temporary"
						: "unlogged";
	char name[TABLE_NAME_TEXT_MAX];

	table_name_format(name, &source->name);
	if (source->catalog.kind == 'p')
		return error_set(err, ERROR_SCHEMA,
				 "partition %s of '%s' is %s, so its changes "
				 "are in no log; %s, or set cdc_enabled to 0",
				 part, name, what,
				 kind == 'f' ? "detach it"
					     : "run ALTER TABLE … SET LOGGED "
					       "on it");
	if (persistence == 'u')
		return error_set(err, ERROR_SCHEMA,
				 "'%s' is unlogged, so its changes are in no "
				 "log; run ALTER TABLE %s SET LOGGED, or set "
				 "cdc_enabled to 0",
				 name, part);
	return error_set(err, ERROR_SCHEMA,
			 "'%s' is a %s%s, whose changes are in no log; set "
			 "cdc_enabled to 0",
			 name, persistence == 't' ? "temporary " : "",
			 pg_catalog_kind(&source->catalog));
}

static int check_persistence(struct postgresql_source *source,
			     struct error *err)
{
	struct pg_param id = pg_int(source->catalog.oid);
	int64_t rows = pg_query(source->conn, logged_sql, &id, 1, err);

	if (rows < 0)
		return -1;
	if (rows > 0)
		not_logged(source, *pg_get_text(source->conn, 0, 0),
			   *pg_get_text(source->conn, 0, 1),
			   pg_get_text(source->conn, 0, 2), err);
	pg_finish(source->conn);
	return rows > 0 ? -1 : 0;
}

static int check_children(struct postgresql_source *source, struct error *err)
{
	struct pg_param id = pg_int(source->catalog.oid);
	char name[TABLE_NAME_TEXT_MAX];
	long count;

	if (pg_query(source->conn, children_sql, &id, 1, err) < 0)
		return -1;
	count = (long)pg_get_int(source->conn, 0, 0);
	if (count)
		error_set(err, ERROR_SCHEMA,
			  "'%s' has %ld %s by inheritance (%s%s), whose "
			  "changes are told under their own names; map "
			  "each of them, or set cdc_enabled to 0, or run ALTER "
			  "TABLE … NO INHERIT",
			  table_name_format(name, &source->name), count,
			  count > 1 ? "children" : "child",
			  pg_get_text(source->conn, 0, 1),
			  count > 1 ? ", …" : "");
	pg_finish(source->conn);
	return count ? -1 : 0;
}

int pg_logged_check(struct postgresql_source *source, struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];

	if (check_persistence(source, err) < 0)
		return -1;
	if (source->catalog.kind != 'p')
		return check_children(source, err);
	if (pg_server_version(source->conn) >= VERSION_OF_ROOTS)
		return 0;
	return error_set(err, ERROR_SCHEMA,
			 "'%s' is partitioned, and this server tells changes "
			 "under the names of partitions alone, as all before "
			 "PostgreSQL 13; map each partition, or set "
			 "cdc_enabled to 0",
			 table_name_format(name, &source->name));
}
