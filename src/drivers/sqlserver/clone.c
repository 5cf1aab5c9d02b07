#include "drivers/sqlserver/clone.h"

#include <string.h>

#include "drivers/sqlserver/sql.h"

/*
 * What rules a SWITCH out from the start: foreign keys in either direction
 * (TRUNCATE refuses one, SWITCH the other), partitions, temporal and
 * memory-optimised tables, change capture and replication, kinds of indexes
 * that we do not rebuild, a compressed heap, large values in a filegroup of
 * their own, and an identity that no index leads to: its ends have
 * to be found in no time. Who may not alter the table may not switch it, and is
 * not shown the definitions of its checks and filters. An indexed view is left
 * to TRUNCATE to refuse: looking for one takes rights on the database.
 */
static const char obstacles_sql[] =
	"SELECT CAST(CASE WHEN "
	"EXISTS (SELECT 1 FROM sys.foreign_keys "
	"WHERE parent_object_id = @id OR referenced_object_id = @id) "
	"OR EXISTS (SELECT 1 FROM sys.indexes "
	"WHERE object_id = @id AND (type > 2 OR is_disabled = 1)) "
	"OR EXISTS (SELECT 1 FROM sys.tables WHERE object_id = @id "
	"AND (temporal_type <> 0 OR is_memory_optimized = 1 "
	"OR is_replicated = 1 OR is_tracked_by_cdc = 1)) "
	"OR EXISTS (SELECT 1 FROM sys.columns "
	"WHERE object_id = @id AND is_sparse = 1) "
	"OR EXISTS (SELECT 1 FROM sys.columns AS c "
	"WHERE c.object_id = @id AND c.is_identity = 1 "
	"AND NOT EXISTS (SELECT 1 FROM sys.index_columns AS x "
	"INNER JOIN sys.indexes AS n "
	"ON x.object_id = n.object_id AND x.index_id = n.index_id "
	"WHERE x.object_id = @id AND x.column_id = c.column_id "
	"AND x.key_ordinal = 1 AND n.has_filter = 0)) "
	"OR NOT EXISTS (SELECT 1 FROM sys.indexes AS i "
	"INNER JOIN sys.data_spaces AS f ON i.data_space_id = f.data_space_id "
	"WHERE i.object_id = @id AND i.index_id IN (0, 1) AND f.type = 'FG') "
	"OR EXISTS (SELECT 1 FROM sys.indexes AS i "
	"INNER JOIN sys.data_spaces AS f ON i.data_space_id = f.data_space_id "
	"WHERE i.object_id = @id AND f.type <> 'FG') "
	"OR EXISTS (SELECT 1 FROM sys.tables AS t "
	"INNER JOIN sys.indexes AS i ON t.object_id = i.object_id "
	"WHERE t.object_id = @id AND i.index_id IN (0, 1) "
	"AND t.lob_data_space_id NOT IN (0, i.data_space_id)) "
	"OR EXISTS (SELECT 1 FROM sys.partitions "
	"WHERE object_id = @id AND index_id = 0 AND data_compression <> 0) "
	"OR COALESCE(HAS_PERMS_BY_NAME(QUOTENAME(OBJECT_SCHEMA_NAME(@id)) "
	"+ N'.' + QUOTENAME(OBJECT_NAME(@id)), N'OBJECT', N'ALTER'), 0) = 0 "
	"THEN 0 ELSE 1 END AS int), "
	"(SELECT f.name FROM sys.indexes AS i "
	"INNER JOIN sys.data_spaces AS f ON i.data_space_id = f.data_space_id "
	"WHERE i.object_id = @id AND i.index_id IN (0, 1))";

static const char indexes_sql[] =
	"SELECT i.index_id, c.name, CAST(i.type AS int), "
	"CAST(i.is_unique AS int), CAST(i.is_primary_key AS int), "
	"CAST(i.is_unique_constraint AS int), i.filter_definition, "
	"CAST(x.is_included_column AS int), CAST(x.is_descending_key AS int), "
	"f.name, (SELECT MAX(p.data_compression_desc) FROM sys.partitions AS p "
	"WHERE p.object_id = i.object_id AND p.index_id = i.index_id "
	"AND p.data_compression IN (1, 2)) "
	"FROM sys.indexes AS i "
	"INNER JOIN sys.data_spaces AS f ON i.data_space_id = f.data_space_id "
	"INNER JOIN sys.index_columns AS x "
	"ON i.object_id = x.object_id AND i.index_id = x.index_id "
	"INNER JOIN sys.columns AS c "
	"ON x.object_id = c.object_id AND x.column_id = c.column_id "
	"WHERE i.object_id = @id AND i.type IN (1, 2) "
	"AND i.is_hypothetical = 0 "
	"ORDER BY i.index_id, x.is_included_column, x.key_ordinal, "
	"x.index_column_id";

static const char checks_sql[] =
	"SELECT k.definition FROM sys.check_constraints AS k "
	"WHERE k.parent_object_id = @id AND k.is_disabled = 0 "
	"AND k.is_not_trusted = 0 ORDER BY k.object_id";

void clone_init(struct clone *clone)
{
	clone->possible = false;
	strbuf_init(&clone->filegroup);
	strbuf_init(&clone->clustered);
	strbuf_init(&clone->others);
}

void clone_release(struct clone *clone)
{
	strbuf_release(&clone->filegroup);
	strbuf_release(&clone->clustered);
	strbuf_release(&clone->others);
}

static int read_obstacles(struct tds *conn, const struct tds_param *id,
			  struct clone *out, struct arena *arena,
			  struct error *err)
{
	int rc = tds_query_row(conn, obstacles_sql, id, 1, err);
	char *filegroup;

	if (rc <= 0)
		return rc;
	out->possible = tds_get_int(conn, 0) != 0;
	if (!tds_null(conn, 1)) {
		filegroup = tds_get_text(conn, 1, arena);
		if (!filegroup) {
			tds_abandon(conn);
			return error_memory(err, "a table's definition");
		}
		sql_name(&out->filegroup, filegroup);
	}
	return tds_finish(conn, err);
}

/* An index while its columns come in, one row each. */
struct index {
	int64_t id; /* 0: none yet */
	bool clustered, unique, constraint, primary;
	struct strbuf keys, includes, filter, storage;
};

/* Where it lies and how it is compressed: SWITCH wants both the same. */
static int index_read_storage(struct index *index, struct tds *conn,
			      struct arena *arena, struct error *err)
{
	char *filegroup = tds_get_text(conn, 9, arena);
	const char *compression =
		tds_null(conn, 10) ? "" : tds_get_text(conn, 10, arena);

	if (!filegroup || !compression)
		return error_memory(err, "an index's definition");
	if (*compression)
		strbuf_addf(&index->storage, " WITH (DATA_COMPRESSION = %s)",
			    compression);
	sql_names(&index->storage, " ON %n", filegroup, NULL);
	return 0;
}

static void index_write(struct index *index, const char *table,
			struct clone *out)
{
	struct strbuf *sql = index->clustered ? &out->clustered : &out->others;
	const char *kind = index->clustered ? "CLUSTERED" : "NONCLUSTERED";

	if (!index->id)
		return;
	if (index->constraint) {
		strbuf_addf(sql, "ALTER TABLE %s ADD %s %s (%s)%s; ", table,
			    index->primary ? "PRIMARY KEY" : "UNIQUE", kind,
			    index->keys.data, index->storage.data);
		return;
	}
	strbuf_addf(sql, "CREATE %s%s INDEX ix_%d ON %s (%s)",
		    index->unique ? "UNIQUE " : "", kind, (int)index->id, table,
		    index->keys.data);
	if (index->includes.len)
		strbuf_addf(sql, " INCLUDE (%s)", index->includes.data);
	if (index->filter.len)
		strbuf_addf(sql, " WHERE %s", index->filter.data);
	strbuf_addf(sql, "%s; ", index->storage.data);
}

static int index_begin(struct index *index, struct tds *conn,
		       struct arena *arena, struct error *err)
{
	index->id = tds_get_int(conn, 0);
	index->clustered = tds_get_int(conn, 2) == 1;
	index->unique = tds_get_int(conn, 3) != 0;
	index->primary = tds_get_int(conn, 4) != 0;
	index->constraint = index->primary || tds_get_int(conn, 5) != 0;
	strbuf_reset(&index->keys);
	strbuf_reset(&index->includes);
	strbuf_reset(&index->filter);
	strbuf_reset(&index->storage);
	if (!tds_null(conn, 6)) {
		char *filter = tds_get_text(conn, 6, arena);

		if (!filter)
			return error_memory(err, "an index's definition");
		strbuf_addstr(&index->filter, filter);
	}
	return index_read_storage(index, conn, arena, err);
}

static int index_add_column(struct index *index, struct tds *conn,
			    struct arena *arena, struct error *err)
{
	bool included = tds_get_int(conn, 7) != 0;
	struct strbuf *list = included ? &index->includes : &index->keys;
	char *name = tds_get_text(conn, 1, arena);

	if (!name)
		return error_memory(err, "an index's definition");
	sql_names(list, list->len ? ", %n" : "%n", name, NULL);
	if (tds_get_int(conn, 8))
		strbuf_addstr(list, " DESC");
	return 0;
}

static int read_indexes(struct tds *conn, const struct tds_param *id,
			const char *table, struct clone *out,
			struct arena *arena, struct error *err)
{
	struct index index = {.id = 0};
	int rc;

	strbuf_init(&index.keys);
	strbuf_init(&index.includes);
	strbuf_init(&index.filter);
	strbuf_init(&index.storage);
	rc = tds_query(conn, indexes_sql, id, 1, err);
	while (rc >= 0 && (rc = tds_fetch(conn, err)) > 0) {
		if (tds_get_int(conn, 0) != index.id) {
			index_write(&index, table, out);
			rc = index_begin(&index, conn, arena, err);
		}
		if (rc >= 0)
			rc = index_add_column(&index, conn, arena, err);
	}
	if (rc < 0)
		tds_abandon(conn);
	else
		rc = tds_finish(conn, err);
	index_write(&index, table, out);
	strbuf_release(&index.keys);
	strbuf_release(&index.includes);
	strbuf_release(&index.filter);
	strbuf_release(&index.storage);
	return rc;
}

static int read_checks(struct tds *conn, const struct tds_param *id,
		       const char *table, struct clone *out,
		       struct arena *arena, struct error *err)
{
	int rc = tds_query(conn, checks_sql, id, 1, err);

	while (rc >= 0 && (rc = tds_fetch(conn, err)) > 0) {
		char *definition = tds_get_text(conn, 0, arena);

		if (!definition) {
			rc = error_memory(err, "a constraint's definition");
			break;
		}
		strbuf_addf(&out->others,
			    "ALTER TABLE %s WITH CHECK ADD CHECK %s; ", table,
			    definition);
	}
	if (rc < 0) {
		tds_abandon(conn);
		return -1;
	}
	return tds_finish(conn, err);
}

int clone_read(struct tds *conn, int object_id, const char *clone_name,
	       struct clone *out, struct error *err)
{
	struct tds_param id = tds_int("@id", object_id);
	struct arena arena;
	int ret = -1;

	arena_init(&arena, 0);
	if (read_obstacles(conn, &id, out, &arena, err) == 0 &&
	    read_indexes(conn, &id, clone_name, out, &arena, err) == 0 &&
	    read_checks(conn, &id, clone_name, out, &arena, err) == 0 &&
	    strbuf_check(&out->filegroup, err) == 0 &&
	    strbuf_check(&out->clustered, err) == 0)
		ret = strbuf_check(&out->others, err);
	arena_release(&arena);
	return ret;
}
