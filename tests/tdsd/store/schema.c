#include "store/schema.h"

#include <stdarg.h>
#include <stddef.h>

#include "mem.h"

int schema_exec(sqlite3 *sql, struct diag *d, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int rc;

	va_start(ap, fmt);
	text = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	if (!text)
		return diag_set(d, 701, "default");
	rc = sqlite3_exec(sql, text, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		diag_free_text(d, 823, 21, 2, "storage: %s (%s)",
			       sqlite3_errmsg(sql), text);
	sqlite3_free(text);
	return rc == SQLITE_OK ? 0 : -1;
}

void schema_try(sqlite3 *sql, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	if (text)
		sqlite3_exec(sql, text, NULL, NULL, NULL);
	sqlite3_free(text);
}

/* %s is the prefix. Names compare without case: collation "cat". */
static const char *const tables[] = {
	"CREATE TABLE %s._cat(id INTEGER PRIMARY KEY, version INTEGER,"
	" next_id INTEGER, rowversion INTEGER, lsn INTEGER,"
	" ct_version INTEGER, guid INTEGER)",
	"INSERT INTO %s._cat VALUES(1, 1, 245575913, 2000, 4096, 0, 0)",
	"CREATE TABLE %s._meta(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
	"CREATE TABLE %s._schemas(id INTEGER PRIMARY KEY,"
	" name TEXT COLLATE cat UNIQUE, owner INTEGER)",
	/*
	 * type: as sys.objects has it, without the trailing blank. text: of
	 * modules, checks and defaults. extra: by type; view: column list,
	 * trigger: events "IUD", synonym: target. temporal: 1 holds the rows
	 * that were of another table, 2 has its own in table "history".
	 */
	"CREATE TABLE %s._objects(id INTEGER PRIMARY KEY, schema_id INTEGER,"
	" parent_id INTEGER, parent_col INTEGER, name TEXT COLLATE cat,"
	" type TEXT, created INTEGER, modified INTEGER, text TEXT,"
	" extra TEXT, phys INTEGER, rowid_col INTEGER, level INTEGER,"
	" disabled INTEGER, untrusted INTEGER, system_named INTEGER,"
	" is_ms INTEGER, quoted INTEGER, ansi_nulls INTEGER, next_col INTEGER,"
	" ct INTEGER, ct_columns INTEGER, ct_begin INTEGER, ct_min INTEGER,"
	" ct_log INTEGER,"
	" temporal INTEGER DEFAULT 0, history INTEGER,"
	" in_memory INTEGER DEFAULT 0)",
	"CREATE INDEX %s._objects_name ON _objects(name, schema_id)",
	"CREATE INDEX %s._objects_parent ON _objects(parent_id)",
	"CREATE TABLE %s._columns(object_id INTEGER, id INTEGER,"
	" name TEXT COLLATE cat, kind INTEGER, prec INTEGER, scale INTEGER,"
	" len INTEGER, collation TEXT, user_type INTEGER, nullable INTEGER,"
	" identity INTEGER, seed INTEGER, increment INTEGER, computed TEXT,"
	" persisted INTEGER, stored INTEGER, default_id INTEGER,"
	" phys INTEGER, rowguid INTEGER, sparse INTEGER, hidden INTEGER,"
	" generated INTEGER, column_set INTEGER, masked INTEGER,"
	" PRIMARY KEY(object_id, id)) WITHOUT ROWID",
	"CREATE TABLE %s._indexes(object_id INTEGER, id INTEGER,"
	" name TEXT COLLATE cat, clustered INTEGER, is_unique INTEGER,"
	" is_primary INTEGER, is_constraint INTEGER, constraint_id INTEGER,"
	" disabled INTEGER, filter TEXT, ignore_dup INTEGER, phys TEXT,"
	" compression INTEGER DEFAULT 0, partitioned INTEGER DEFAULT 0,"
	" PRIMARY KEY(object_id, id)) WITHOUT ROWID",
	"CREATE TABLE %s._index_columns(object_id INTEGER, index_id INTEGER,"
	" id INTEGER, column_id INTEGER, key_ordinal INTEGER,"
	" descending INTEGER, included INTEGER,"
	" PRIMARY KEY(object_id, index_id, id)) WITHOUT ROWID",
	"CREATE TABLE %s._fks(id INTEGER PRIMARY KEY, parent INTEGER,"
	" referenced INTEGER, on_delete INTEGER, on_update INTEGER,"
	" key_index INTEGER, phys TEXT)",
	"CREATE INDEX %s._fks_parent ON _fks(parent)",
	"CREATE INDEX %s._fks_referenced ON _fks(referenced)",
	"CREATE TABLE %s._fk_columns(fk INTEGER, ordinal INTEGER,"
	" parent_col INTEGER, ref_col INTEGER, PRIMARY KEY(fk, ordinal))"
	" WITHOUT ROWID",
	"CREATE TABLE %s._params(object_id INTEGER, id INTEGER,"
	" name TEXT COLLATE cat, kind INTEGER, prec INTEGER, scale INTEGER,"
	" len INTEGER, collation TEXT, user_type INTEGER, output INTEGER,"
	" has_default INTEGER, readonly INTEGER, PRIMARY KEY(object_id, id))"
	" WITHOUT ROWID",
	"CREATE TABLE %s._types(id INTEGER PRIMARY KEY, schema_id INTEGER,"
	" name TEXT COLLATE cat, kind INTEGER, prec INTEGER, scale INTEGER,"
	" len INTEGER, collation TEXT, nullable INTEGER, table_id INTEGER)",
	"CREATE TABLE %s._principals(id INTEGER PRIMARY KEY,"
	" name TEXT COLLATE cat UNIQUE, type TEXT, login INTEGER,"
	" default_schema TEXT, owner INTEGER, fixed INTEGER,"
	" created INTEGER)",
	"CREATE TABLE %s._members(role INTEGER, member INTEGER,"
	" PRIMARY KEY(role, member)) WITHOUT ROWID",
	"CREATE TABLE %s._permissions(class INTEGER, major INTEGER,"
	" minor INTEGER, grantee INTEGER, grantor INTEGER, permission TEXT,"
	" state TEXT, PRIMARY KEY(class, major, minor, grantee, permission))"
	" WITHOUT ROWID",
	"CREATE TABLE %s._identity(object_id INTEGER PRIMARY KEY,"
	" last INTEGER)",
	/* committed changes that capture has not fetched yet: cdc/log.c */
	"CREATE TABLE %s._log(id INTEGER PRIMARY KEY, command INTEGER,"
	" object_id INTEGER, op INTEGER, data BLOB)",
	"CREATE TABLE %s._log_tran(id INTEGER PRIMARY KEY, first INTEGER,"
	" began INTEGER, ended INTEGER, ended_ms INTEGER, tran_id BLOB)",
	/* changes of tracked tables: cdc/tracking.c */
	"CREATE TABLE %s._ct(object_id INTEGER, key BLOB, version INTEGER,"
	" op INTEGER, creation INTEGER, columns BLOB, context BLOB,"
	" PRIMARY KEY(object_id, key, version)) WITHOUT ROWID",
	"CREATE TABLE %s._ct_tran(version INTEGER PRIMARY KEY,"
	" ended_ms INTEGER)",
	"CREATE TABLE %s._properties(class INTEGER, major INTEGER,"
	" minor INTEGER, name TEXT COLLATE cat, value BLOB,"
	" PRIMARY KEY(class, major, minor, name)) WITHOUT ROWID",
};

static const char *const first_rows[] = {
	"INSERT INTO %s._schemas VALUES(1, 'dbo', 1), (2, 'guest', 2),"
	" (3, 'INFORMATION_SCHEMA', 3), (4, 'sys', 4),"
	" (16384, 'db_owner', 16384), (16385, 'db_accessadmin', 16385),"
	" (16386, 'db_securityadmin', 16386), (16387, 'db_ddladmin', 16387),"
	" (16389, 'db_backupoperator', 16389),"
	" (16390, 'db_datareader', 16390), (16391, 'db_datawriter', 16391),"
	" (16392, 'db_denydatareader', 16392),"
	" (16393, 'db_denydatawriter', 16393)",
	"INSERT INTO %s._principals VALUES"
	" (0, 'public', 'R', NULL, NULL, 1, 0, 0),"
	" (1, 'dbo', 'S', 1, 'dbo', NULL, 0, 0),"
	" (2, 'guest', 'S', NULL, 'guest', NULL, 0, 0),"
	" (3, 'INFORMATION_SCHEMA', 'S', NULL, NULL, NULL, 0, 0),"
	" (4, 'sys', 'S', NULL, NULL, NULL, 0, 0),"
	" (16384, 'db_owner', 'R', NULL, NULL, 1, 1, 0),"
	" (16385, 'db_accessadmin', 'R', NULL, NULL, 1, 1, 0),"
	" (16386, 'db_securityadmin', 'R', NULL, NULL, 1, 1, 0),"
	" (16387, 'db_ddladmin', 'R', NULL, NULL, 1, 1, 0),"
	" (16389, 'db_backupoperator', 'R', NULL, NULL, 1, 1, 0),"
	" (16390, 'db_datareader', 'R', NULL, NULL, 1, 1, 0),"
	" (16391, 'db_datawriter', 'R', NULL, NULL, 1, 1, 0),"
	" (16392, 'db_denydatareader', 'R', NULL, NULL, 1, 1, 0),"
	" (16393, 'db_denydatawriter', 'R', NULL, NULL, 1, 1, 0)",
	"INSERT INTO %s._members VALUES(16384, 1)",
};

int schema_create(sqlite3 *sql, const char *prefix, struct diag *d)
{
	size_t i;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
	for (i = 0; i < LENGTH_OF(tables); i++)
		if (schema_exec(sql, d, tables[i], prefix) < 0)
			return -1;
	for (i = 0; i < LENGTH_OF(first_rows); i++)
		if (schema_exec(sql, d, first_rows[i], prefix) < 0)
			return -1;
#pragma GCC diagnostic pop
	return 0;
}
