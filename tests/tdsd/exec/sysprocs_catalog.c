/*
 * System procedures that only read the catalog: each is a query over the
 * catalog views, in T-SQL.
 */
#include <string.h>
#include <strings.h>

#include "exec/output.h"
#include "exec/sysprocs.h"

/* A pattern argument, or '%'. */
static const char *like(struct call *c, int n, const char *name,
			struct arena *pool)
{
	const char *s = call_text(c, n, name, pool);

	return s && *s ? s : "%";
}

enum flow sysproc_tables(struct call *c)
{
	struct arena pool;
	enum flow flow;

	arena_init(&pool, 0);
	flow = call_sql(
		c,
		"SELECT DB_NAME() AS TABLE_QUALIFIER, s.name AS TABLE_OWNER,"
		" o.name AS TABLE_NAME, CAST(CASE o.type WHEN 'U' THEN 'TABLE'"
		" WHEN 'V' THEN 'VIEW' ELSE 'SYSTEM TABLE' END AS varchar(32))"
		" AS TABLE_TYPE, CAST(NULL AS varchar(254)) AS REMARKS"
		" FROM sys.objects o JOIN sys.schemas s ON s.schema_id ="
		" o.schema_id WHERE o.type IN ('U', 'V') AND o.name LIKE N%Q"
		" AND s.name LIKE N%Q ORDER BY 4, 1, 2, 3",
		like(c, 0, "@table_name", &pool),
		like(c, 1, "@table_owner", &pool));
	arena_release(&pool);
	return flow;
}

enum flow sysproc_columns(struct call *c)
{
	struct arena pool;
	enum flow flow;

	arena_init(&pool, 0);
	flow = call_sql(
		c,
		"SELECT DB_NAME() AS TABLE_QUALIFIER, s.name AS TABLE_OWNER,"
		" o.name AS TABLE_NAME, c.name AS COLUMN_NAME, CAST(CASE t.name"
		" WHEN 'bigint' THEN -5 WHEN 'binary' THEN -2 WHEN 'bit' THEN"
		" -7 WHEN 'char' THEN 1 WHEN 'date' THEN -9 WHEN 'datetime'"
		" THEN 11 WHEN 'datetime2' THEN -9 WHEN 'datetimeoffset' THEN"
		" -9 WHEN 'decimal' THEN 3 WHEN 'float' THEN 6 WHEN 'image'"
		" THEN -4 WHEN 'int' THEN 4 WHEN 'money' THEN 3 WHEN 'nchar'"
		" THEN -8 WHEN 'ntext' THEN -10 WHEN 'numeric' THEN 2 WHEN"
		" 'nvarchar' THEN -9 WHEN 'real' THEN 7 WHEN 'smalldatetime'"
		" THEN 11 WHEN 'smallint' THEN 5 WHEN 'smallmoney' THEN 3 WHEN"
		" 'text' THEN -1 WHEN 'time' THEN -9 WHEN 'timestamp' THEN -2"
		" WHEN 'tinyint' THEN -6 WHEN 'uniqueidentifier' THEN -11 WHEN"
		" 'varbinary' THEN -3 WHEN 'varchar' THEN 12 WHEN 'xml' THEN"
		" -10 ELSE -150 END AS smallint) AS DATA_TYPE,"
		" CASE WHEN c.is_identity = 1 THEN t.name + N' identity' ELSE"
		" t.name END AS TYPE_NAME, CASE WHEN t.name IN ('nchar',"
		" 'nvarchar') THEN c.max_length / 2 WHEN c.precision > 0 THEN"
		" c.precision ELSE c.max_length END AS [PRECISION],"
		" CAST(c.max_length AS int) AS LENGTH, CAST(CASE WHEN"
		" c.precision > 0 THEN c.scale END AS smallint) AS SCALE,"
		" CAST(CASE WHEN c.precision > 0 THEN 10 END AS smallint) AS"
		" RADIX, CAST(c.is_nullable AS smallint) AS NULLABLE,"
		" CAST(NULL AS varchar(254)) AS REMARKS, d.definition AS"
		" COLUMN_DEF, CAST(0 AS smallint) AS SQL_DATA_TYPE, CAST(NULL"
		" AS smallint) AS SQL_DATETIME_SUB, CASE WHEN t.name LIKE"
		" '%%char' THEN CAST(c.max_length AS int) END AS"
		" CHAR_OCTET_LENGTH, c.column_id AS ORDINAL_POSITION,"
		" CAST(CASE c.is_nullable WHEN 1 THEN 'YES' ELSE 'NO' END AS"
		" varchar(254)) AS IS_NULLABLE, CAST(0 AS tinyint) AS"
		" SS_DATA_TYPE FROM sys.columns c JOIN sys.objects o ON"
		" o.object_id = c.object_id JOIN sys.schemas s ON s.schema_id"
		" = o.schema_id JOIN sys.types t ON t.user_type_id ="
		" c.system_type_id LEFT JOIN sys.default_constraints d ON"
		" d.object_id = c.default_object_id WHERE o.name LIKE N%Q AND"
		" s.name LIKE N%Q AND c.name LIKE N%Q ORDER BY 2, 3, 17",
		like(c, 0, "@table_name", &pool),
		like(c, 1, "@table_owner", &pool),
		like(c, 3, "@column_name", &pool));
	arena_release(&pool);
	return flow;
}

enum flow sysproc_pkeys(struct call *c)
{
	struct arena pool;
	enum flow flow;

	arena_init(&pool, 0);
	flow = call_sql(
		c,
		"SELECT DB_NAME() AS TABLE_QUALIFIER, s.name AS TABLE_OWNER,"
		" o.name AS TABLE_NAME, c.name AS COLUMN_NAME,"
		" CAST(ic.key_ordinal AS smallint) AS KEY_SEQ, i.name AS"
		" PK_NAME FROM sys.indexes i JOIN sys.index_columns ic ON"
		" ic.object_id = i.object_id AND ic.index_id = i.index_id JOIN"
		" sys.columns c ON c.object_id = ic.object_id AND c.column_id ="
		" ic.column_id JOIN sys.objects o ON o.object_id = i.object_id"
		" JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE"
		" i.is_primary_key = 1 AND o.name = N%Q AND s.name LIKE N%Q"
		" ORDER BY 1, 2, 3, 5",
		like(c, 0, "@table_name", &pool),
		like(c, 1, "@table_owner", &pool));
	arena_release(&pool);
	return flow;
}

enum flow sysproc_fkeys(struct call *c)
{
	struct arena pool;
	enum flow flow;

	arena_init(&pool, 0);
	flow = call_sql(
		c,
		"SELECT DB_NAME() AS PKTABLE_QUALIFIER, ps.name AS"
		" PKTABLE_OWNER, p.name AS PKTABLE_NAME, pc.name AS"
		" PKCOLUMN_NAME, DB_NAME() AS FKTABLE_QUALIFIER, fs.name AS"
		" FKTABLE_OWNER, f.name AS FKTABLE_NAME, fc.name AS"
		" FKCOLUMN_NAME, CAST(k.constraint_column_id AS smallint) AS"
		" KEY_SEQ, CAST(1 - SIGN(fk.update_referential_action) AS"
		" smallint) AS UPDATE_RULE, CAST(1 -"
		" SIGN(fk.delete_referential_action) AS smallint) AS"
		" DELETE_RULE, fk.name AS FK_NAME, CAST(NULL AS sysname) AS"
		" PK_NAME, CAST(7 AS smallint) AS DEFERRABILITY FROM"
		" sys.foreign_keys fk JOIN sys.foreign_key_columns k ON"
		" k.constraint_object_id = fk.object_id JOIN sys.tables p ON"
		" p.object_id = fk.referenced_object_id JOIN sys.schemas ps ON"
		" ps.schema_id = p.schema_id JOIN sys.tables f ON f.object_id"
		" = fk.parent_object_id JOIN sys.schemas fs ON fs.schema_id ="
		" f.schema_id JOIN sys.columns pc ON pc.object_id ="
		" p.object_id AND pc.column_id = k.referenced_column_id JOIN"
		" sys.columns fc ON fc.object_id = f.object_id AND fc.column_id"
		" = k.parent_column_id WHERE p.name LIKE N%Q AND f.name LIKE"
		" N%Q ORDER BY 5, 6, 7, 9",
		like(c, 0, "@pktable_name", &pool),
		like(c, 3, "@fktable_name", &pool));
	arena_release(&pool);
	return flow;
}

enum flow sysproc_statistics(struct call *c)
{
	struct arena pool;
	enum flow flow;

	arena_init(&pool, 0);
	flow = call_sql(
		c,
		"SELECT DB_NAME() AS TABLE_QUALIFIER, s.name AS TABLE_OWNER,"
		" o.name AS TABLE_NAME, CAST(1 - i.is_unique AS smallint) AS"
		" NON_UNIQUE, o.name AS INDEX_QUALIFIER, i.name AS INDEX_NAME,"
		" CAST(CASE i.type WHEN 1 THEN 1 ELSE 3 END AS smallint) AS"
		" TYPE, CAST(ic.key_ordinal AS smallint) AS SEQ_IN_INDEX,"
		" c.name AS COLUMN_NAME, CAST(CASE ic.is_descending_key WHEN 1"
		" THEN 'D' ELSE 'A' END AS char(1)) AS COLLATION, CAST(NULL AS"
		" int) AS CARDINALITY, CAST(NULL AS int) AS PAGES, CAST(NULL AS"
		" varchar(128)) AS FILTER_CONDITION FROM sys.indexes i JOIN"
		" sys.index_columns ic ON ic.object_id = i.object_id AND"
		" ic.index_id = i.index_id JOIN sys.columns c ON c.object_id ="
		" ic.object_id AND c.column_id = ic.column_id JOIN sys.objects"
		" o ON o.object_id = i.object_id JOIN sys.schemas s ON"
		" s.schema_id = o.schema_id WHERE o.name LIKE N%Q AND"
		" ic.is_included_column = 0 ORDER BY 4, 7, 6, 8",
		like(c, 0, "@table_name", &pool));
	arena_release(&pool);
	return flow;
}

enum flow sysproc_special_columns(struct call *c)
{
	struct arena pool;
	enum flow flow;

	arena_init(&pool, 0);
	flow = call_sql(
		c,
		"SELECT CAST(1 AS smallint) AS SCOPE, c.name AS COLUMN_NAME,"
		" CAST(c.system_type_id AS smallint) AS DATA_TYPE, t.name AS"
		" TYPE_NAME, CAST(c.precision AS int) AS [PRECISION],"
		" CAST(c.max_length AS int) AS LENGTH, CAST(c.scale AS"
		" smallint) AS SCALE, CAST(1 AS smallint) AS PSEUDO_COLUMN"
		" FROM sys.indexes i JOIN sys.index_columns ic ON ic.object_id"
		" = i.object_id AND ic.index_id = i.index_id JOIN sys.columns"
		" c ON c.object_id = ic.object_id AND c.column_id ="
		" ic.column_id JOIN sys.types t ON t.user_type_id ="
		" c.user_type_id JOIN sys.objects o ON o.object_id ="
		" i.object_id WHERE i.is_primary_key = 1 AND o.name = N%Q"
		" ORDER BY ic.key_ordinal",
		like(c, 0, "@table_name", &pool));
	arena_release(&pool);
	return flow;
}

enum flow sysproc_stored_procedures(struct call *c)
{
	struct arena pool;
	enum flow flow;

	arena_init(&pool, 0);
	flow = call_sql(
		c,
		"SELECT DB_NAME() AS PROCEDURE_QUALIFIER, s.name AS"
		" PROCEDURE_OWNER, CAST(o.name + N';1' AS nvarchar(134)) AS"
		" PROCEDURE_NAME, -1 AS NUM_INPUT_PARAMS, -1 AS"
		" NUM_OUTPUT_PARAMS, -1 AS NUM_RESULT_SETS, CAST(NULL AS"
		" varchar(254)) AS REMARKS, CAST(CASE o.type WHEN 'P' THEN 2"
		" ELSE 1 END AS smallint) AS PROCEDURE_TYPE FROM sys.objects o"
		" JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type"
		" IN ('P', 'FN', 'IF', 'TF') AND o.name LIKE N%Q ORDER BY 1, 2,"
		" 3",
		like(c, 0, "@sp_name", &pool));
	arena_release(&pool);
	return flow;
}

enum flow sysproc_sproc_columns(struct call *c)
{
	struct arena pool;
	enum flow flow;

	arena_init(&pool, 0);
	flow = call_sql(
		c,
		"SELECT DB_NAME() AS PROCEDURE_QUALIFIER, s.name AS"
		" PROCEDURE_OWNER, CAST(o.name + N';1' AS nvarchar(134)) AS"
		" PROCEDURE_NAME, p.name AS COLUMN_NAME, CAST(CASE"
		" p.is_output WHEN 1 THEN 2 ELSE 1 END AS smallint) AS"
		" COLUMN_TYPE, CAST(p.system_type_id AS smallint) AS DATA_TYPE,"
		" t.name AS TYPE_NAME, CAST(p.precision AS int) AS [PRECISION],"
		" CAST(p.max_length AS int) AS LENGTH, CAST(p.scale AS"
		" smallint) AS SCALE, CAST(10 AS smallint) AS RADIX, CAST(1 AS"
		" smallint) AS NULLABLE, CAST(NULL AS varchar(254)) AS"
		" REMARKS, p.parameter_id AS ORDINAL_POSITION FROM"
		" sys.parameters p JOIN sys.objects o ON o.object_id ="
		" p.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id"
		" JOIN sys.types t ON t.user_type_id = p.user_type_id WHERE"
		" o.name LIKE N%Q ORDER BY 2, 3, 14",
		like(c, 0, "@procedure_name", &pool));
	arena_release(&pool);
	return flow;
}

enum flow sysproc_databases(struct call *c)
{
	return call_sql(c, "SELECT name AS DATABASE_NAME, 8192 AS"
			   " DATABASE_SIZE, CAST(NULL AS varchar(254)) AS"
			   " REMARKS FROM sys.databases WHERE"
			   " HAS_DBACCESS(name) = 1 ORDER BY 1");
}

enum flow sysproc_server_info(struct call *c)
{
	return call_sql(
		c,
		"SELECT attribute_id, attribute_name, attribute_value FROM"
		" (VALUES (1, 'DBMS_NAME', 'Microsoft SQL Server'), (2,"
		" 'DBMS_VER', 'Microsoft SQL Server 2019 - 15.0.4322.2'), (10,"
		" 'OWNER_TERM', 'owner'), (11, 'TABLE_TERM', 'table'), (12,"
		" 'MAX_OWNER_NAME_LENGTH', '128'), (13, 'TABLE_LENGTH',"
		" '128'), (14, 'MAX_QUAL_LENGTH', '128'), (15,"
		" 'COLUMN_LENGTH', '128'), (16, 'IDENTIFIER_CASE', 'MIXED'),"
		" (17, 'TX_ISOLATION', '2'), (18, 'COLLATION_SEQ',"
		" 'charset=iso_1 sort_order=nocase_iso charset_num=1"
		" sort_order_num=52'), (500, 'SYS_SPROC_VERSION',"
		" '15.00.4322')) v(attribute_id, attribute_name,"
		" attribute_value)");
}

enum flow sysproc_datatype_info(struct call *c)
{
	return call_sql(
		c,
		"SELECT name AS TYPE_NAME, CAST(system_type_id AS smallint) AS"
		" DATA_TYPE, CAST(CASE WHEN precision > 0 THEN precision ELSE"
		" max_length END AS int) AS [PRECISION], CAST(NULL AS"
		" varchar(32)) AS LITERAL_PREFIX, CAST(NULL AS varchar(32)) AS"
		" LITERAL_SUFFIX, CAST(NULL AS varchar(32)) AS CREATE_PARAMS,"
		" CAST(is_nullable AS smallint) AS NULLABLE FROM sys.types"
		" WHERE is_user_defined = 0 ORDER BY 2, 1");
}

enum flow sysproc_helptext(struct call *c)
{
	struct arena pool;
	const char *name;
	enum flow flow;

	arena_init(&pool, 0);
	name = call_text(c, 0, "@objname", &pool);
	flow = call_sql(
		c,
		"IF OBJECT_ID(N%Q) IS NULL BEGIN DECLARE @db sysname ="
		" DB_NAME(); RAISERROR(N'The object ''%%s'' does not exist in"
		" database ''%%s'' or is invalid for this operation.', 16, 1,"
		" N%Q, @db); END ELSE IF OBJECT_DEFINITION(OBJECT_ID(N%Q)) IS"
		" NULL RAISERROR(N'There is no text for object ''%%s''.', 16,"
		" 1, N%Q) ELSE SELECT CAST(value + CHAR(13) + CHAR(10) AS"
		" nvarchar(255)) AS [Text] FROM"
		" STRING_SPLIT(REPLACE(OBJECT_DEFINITION(OBJECT_ID(N%Q)),"
		" CHAR(13), N''), CHAR(10))",
		name ? name : "", name ? name : "", name ? name : "",
		name ? name : "", name ? name : "");
	arena_release(&pool);
	return flow;
}

enum flow sysproc_helpdb(struct call *c)
{
	struct arena pool;
	enum flow flow;

	arena_init(&pool, 0);
	flow = call_sql(
		c,
		"SELECT name, CAST('     8.00 MB' AS nvarchar(13)) AS db_size,"
		" CAST('sa' AS sysname) AS owner, CAST(database_id AS smallint)"
		" AS dbid, CONVERT(nvarchar(11), create_date) AS created,"
		" CAST('Status=' + state_desc + ', Updateability=' + CASE"
		" is_read_only WHEN 1 THEN 'READ_ONLY' ELSE 'READ_WRITE' END +"
		" ', UserAccess=' + user_access_desc + ', Recovery=' +"
		" recovery_model_desc + ', Collation=' + collation_name AS"
		" nvarchar(600)) AS status, compatibility_level FROM"
		" sys.databases WHERE name LIKE N%Q ORDER BY name",
		like(c, 0, "@dbname", &pool));
	arena_release(&pool);
	return flow;
}

enum flow sysproc_help(struct call *c)
{
	struct arena pool;
	const char *name;
	enum flow flow;

	arena_init(&pool, 0);
	name = call_text(c, 0, "@objname", &pool);
	if (!name) {
		flow = call_sql(
			c,
			"SELECT o.name AS Name, s.name AS Owner, CAST(CASE"
			" o.type WHEN 'U' THEN 'user table' WHEN 'V' THEN"
			" 'view' WHEN 'P' THEN 'stored procedure' ELSE"
			" LOWER(o.type_desc) END AS nvarchar(31)) AS"
			" Object_type FROM sys.objects o JOIN sys.schemas s ON"
			" s.schema_id = o.schema_id WHERE o.type NOT IN ('S',"
			" 'IT') ORDER BY 2, 3 DESC, 1");
	} else {
		flow = call_sql(
			c,
			"SELECT o.name AS Name, s.name AS Owner,"
			" LOWER(o.type_desc) AS Type, o.create_date AS"
			" Created_datetime FROM sys.objects o JOIN sys.schemas"
			" s ON s.schema_id = o.schema_id WHERE o.object_id ="
			" OBJECT_ID(N%Q); SELECT c.name AS Column_name, t.name"
			" AS Type, CASE c.is_computed WHEN 1 THEN 'yes' ELSE"
			" 'no' END AS Computed, CAST(c.max_length AS int) AS"
			" Length, CAST(c.precision AS char(5)) AS Prec,"
			" CAST(c.scale AS char(5)) AS Scale, CASE"
			" c.is_nullable WHEN 1 THEN 'yes' ELSE 'no' END AS"
			" Nullable, c.collation_name AS Collation FROM"
			" sys.columns c JOIN sys.types t ON t.user_type_id ="
			" c.user_type_id WHERE c.object_id = OBJECT_ID(N%Q)"
			" ORDER BY c.column_id",
			name, name);
		if (flow == FLOW_OK)
			flow = sysproc_helpindex(c);
	}
	arena_release(&pool);
	return flow;
}

enum flow sysproc_helpindex(struct call *c)
{
	struct arena pool;
	const char *name;
	enum flow flow;

	arena_init(&pool, 0);
	name = call_text(c, 0, "@objname", &pool);
	flow = call_sql(
		c,
		"SELECT i.name AS index_name, CAST(LOWER(i.type_desc) + CASE"
		" WHEN i.is_unique = 1 THEN ', unique' ELSE '' END + CASE WHEN"
		" i.is_primary_key = 1 THEN ', primary key' WHEN"
		" i.is_unique_constraint = 1 THEN ', unique key' ELSE '' END +"
		" ' located on PRIMARY' AS varchar(210)) AS index_description,"
		" (SELECT STRING_AGG(c.name + CASE ic.is_descending_key WHEN 1"
		" THEN N'(-)' ELSE N'' END, N', ') WITHIN GROUP (ORDER BY"
		" ic.key_ordinal) FROM sys.index_columns ic JOIN sys.columns c"
		" ON c.object_id = ic.object_id AND c.column_id = ic.column_id"
		" WHERE ic.object_id = i.object_id AND ic.index_id ="
		" i.index_id AND ic.is_included_column = 0) AS index_keys FROM"
		" sys.indexes i WHERE i.object_id = OBJECT_ID(N%Q) AND"
		" i.index_id > 0 ORDER BY i.name",
		name ? name : "");
	arena_release(&pool);
	return flow;
}

enum flow sysproc_helpconstraint(struct call *c)
{
	struct arena pool;
	const char *name;
	enum flow flow;

	arena_init(&pool, 0);
	name = call_text(c, 0, "@objname", &pool);
	flow = call_sql(c,
			"SELECT type_desc AS constraint_type, name AS"
			" constraint_name FROM sys.objects WHERE"
			" parent_object_id = OBJECT_ID(N%Q) AND type IN ('C',"
			" 'D', 'F', 'PK', 'UQ') ORDER BY 1, 2",
			name ? name : "");
	arena_release(&pool);
	return flow;
}

enum flow sysproc_who(struct call *c)
{
	return call_sql(
		c,
		"SELECT session_id AS spid, CAST(0 AS smallint) AS ecid,"
		" CAST(status AS nchar(30)) AS status, login_name AS"
		" loginame, host_name AS hostname, CAST(blocking AS char(5)) AS"
		" blk, DB_NAME(database_id) AS dbname, CAST('' AS nvarchar(16))"
		" AS cmd, 0 AS request_id FROM (SELECT s.*,"
		" ISNULL(r.blocking_session_id, 0) AS blocking FROM"
		" sys.dm_exec_sessions s LEFT JOIN sys.dm_exec_requests r ON"
		" r.session_id = s.session_id) q ORDER BY 1");
}

enum flow sysproc_lock(struct call *c)
{
	return call_sql(c, "SELECT CAST(0 AS smallint) AS spid, CAST(0 AS"
			   " smallint) AS dbid, 0 AS ObjId, CAST(0 AS"
			   " smallint) AS IndId, CAST('' AS nvarchar(4)) AS"
			   " Type WHERE 1 = 0");
}

enum flow sysproc_spaceused(struct call *c)
{
	struct arena pool;
	const char *name;
	enum flow flow;

	arena_init(&pool, 0);
	name = call_text(c, 0, "@objname", &pool);
	if (name)
		flow = call_sql(
			c,
			"SELECT o.name, CAST(SUM(p.rows) AS varchar(20)) AS"
			" rows, CAST('8 KB' AS varchar(18)) AS reserved,"
			" CAST('8 KB' AS varchar(18)) AS data, CAST('0 KB' AS"
			" varchar(18)) AS index_size, CAST('0 KB' AS"
			" varchar(18)) AS unused FROM sys.objects o JOIN"
			" sys.partitions p ON p.object_id = o.object_id AND"
			" p.index_id IN (0, 1) WHERE o.object_id ="
			" OBJECT_ID(N%Q) GROUP BY o.name",
			name);
	else
		flow = call_sql(c, "SELECT DB_NAME() AS database_name,"
				   " CAST('8.00 MB' AS varchar(18)) AS"
				   " database_size, CAST('0.00 MB' AS"
				   " varchar(18)) AS [unallocated space]");
	arena_release(&pool);
	return flow;
}

enum flow sysproc_foreachtable(struct call *c)
{
	struct arena pool;
	const char *command;
	enum flow flow;

	arena_init(&pool, 0);
	command = call_text(c, 0, "@command1", &pool);
	flow = call_sql(
		c,
		"DECLARE @n nvarchar(600), @s nvarchar(max); DECLARE"
		" tdsd_each CURSOR LOCAL FOR SELECT QUOTENAME(s.name) + N'.' +"
		" QUOTENAME(t.name) FROM sys.tables t JOIN sys.schemas s ON"
		" s.schema_id = t.schema_id WHERE t.is_ms_shipped = 0 ORDER BY"
		" 1; OPEN tdsd_each; FETCH NEXT FROM tdsd_each INTO @n; WHILE"
		" @@FETCH_STATUS = 0 BEGIN SET @s = REPLACE(N%Q, N'?', @n);"
		" EXEC (@s); FETCH NEXT FROM tdsd_each INTO @n; END CLOSE"
		" tdsd_each DEALLOCATE tdsd_each",
		command ? command : "");
	arena_release(&pool);
	return flow;
}

enum flow sysproc_foreachdb(struct call *c)
{
	struct arena pool;
	const char *command;
	enum flow flow;

	arena_init(&pool, 0);
	command = call_text(c, 0, "@command1", &pool);
	flow = call_sql(
		c,
		"DECLARE @n nvarchar(600), @s nvarchar(max); DECLARE"
		" tdsd_each CURSOR LOCAL FOR SELECT name FROM sys.databases"
		" ORDER BY 1; OPEN tdsd_each; FETCH NEXT FROM tdsd_each INTO"
		" @n; WHILE @@FETCH_STATUS = 0 BEGIN SET @s = REPLACE(N%Q,"
		" N'?', @n); EXEC (@s); FETCH NEXT FROM tdsd_each INTO @n; END"
		" CLOSE tdsd_each DEALLOCATE tdsd_each",
		command ? command : "");
	arena_release(&pool);
	return flow;
}
