#ifndef TDSD_SYSVIEWS_SQL_H
#define TDSD_SYSVIEWS_SQL_H

#include "value/type.h"

/*
 * What the definitions of catalog views share: pieces of SQLite text, and of
 * the lists of columns that go with them.
 */

/*
 * The three digits of system_type_id for an enum type_kind, side by side. The
 * table follows the order of the enum.
 */
#define SYSTEM_TYPE(kind)                                                     \
	"CAST(substr('000173165175167239231036189034035099104048052056127122" \
	"060106108059062041040058061042043241098243000240240240', 3 * (" kind \
	") + 1,"                                                              \
	" 3) AS INTEGER)"
_Static_assert(TY_BINARY == 1 && TY_ROWVERSION == 8 && TY_BIT == 12 &&
		       TY_DECIMAL == 19 && TY_DATETIMEOFFSET == 28 &&
		       TY_XML == 29 && TY_TABLE == 31 && TY_COUNT == 36,
	       "SYSTEM_TYPE and its like know the kinds by number");

/* user_type is 0 for a system type. */
#define USER_TYPE(kind, user) \
	"CASE WHEN " user " > 0 THEN " user " ELSE " SYSTEM_TYPE(kind) " END"

/* xml is text to us, and has no collation to the server */
#define COLLATION_OF(kind, name) "CASE WHEN " kind " <> 29 THEN " name " END"

/* The name of a kind. */
#define TYPE_NAME(kind)                                                        \
	"CASE " kind " WHEN 1 THEN 'binary' WHEN 2 THEN 'varbinary' WHEN 3"    \
	" THEN 'char' WHEN 4 THEN 'varchar' WHEN 5 THEN 'nchar' WHEN 6 THEN"   \
	" 'nvarchar' WHEN 7 THEN 'uniqueidentifier' WHEN 8 THEN 'timestamp'"   \
	" WHEN 9 THEN 'image' WHEN 10 THEN 'text' WHEN 11 THEN 'ntext' WHEN"   \
	" 12 THEN 'bit' WHEN 13 THEN 'tinyint' WHEN 14 THEN 'smallint' WHEN"   \
	" 15 THEN 'int' WHEN 16 THEN 'bigint' WHEN 17 THEN 'smallmoney' WHEN"  \
	" 18 THEN 'money' WHEN 19 THEN 'decimal' WHEN 20 THEN 'numeric' WHEN"  \
	" 21 THEN 'real' WHEN 22 THEN 'float' WHEN 23 THEN 'time' WHEN 24"     \
	" THEN 'date' WHEN 25 THEN 'smalldatetime' WHEN 26 THEN 'datetime'"    \
	" WHEN 27 THEN 'datetime2' WHEN 28 THEN 'datetimeoffset' WHEN 29 THEN" \
	" 'xml' WHEN 30 THEN 'sql_variant' WHEN 31 THEN 'table type' WHEN 33"  \
	" THEN 'hierarchyid' WHEN 34 THEN 'geometry' WHEN 35 THEN 'geography'" \
	" END"

/* Milliseconds since 1970, as _objects keeps them, to a stored datetime. */
#define DATETIME_OF(ms) "(((" ms ") + 2208988800000) * 3 + 5) / 10"

/* When SQL Server's own things were made. */
#define SHIPPED_DATE DATETIME_OF("1049793042287")

#define TYPE_CODE(type) "substr(" type " || '  ', 1, 2)"
#define TYPE_DESC(type)                                                        \
	"CASE " type " WHEN 'U' THEN 'USER_TABLE' WHEN 'V' THEN 'VIEW' WHEN"   \
	" 'P' THEN 'SQL_STORED_PROCEDURE' WHEN 'TR' THEN 'SQL_TRIGGER' WHEN"   \
	" 'FN' THEN 'SQL_SCALAR_FUNCTION' WHEN 'IF' THEN"                      \
	" 'SQL_INLINE_TABLE_VALUED_FUNCTION' WHEN 'TF' THEN"                   \
	" 'SQL_TABLE_VALUED_FUNCTION' WHEN 'SN' THEN 'SYNONYM' WHEN 'PK' THEN" \
	" 'PRIMARY_KEY_CONSTRAINT' WHEN 'UQ' THEN 'UNIQUE_CONSTRAINT' WHEN"    \
	" 'C' THEN 'CHECK_CONSTRAINT' WHEN 'D' THEN 'DEFAULT_CONSTRAINT' WHEN" \
	" 'F' THEN 'FOREIGN_KEY_CONSTRAINT' WHEN 'SO' THEN 'SEQUENCE_OBJECT'"  \
	" WHEN 'TT' THEN 'TYPE_TABLE' WHEN 'S' THEN 'SYSTEM_TABLE' WHEN 'X'"   \
	" THEN 'EXTENDED_STORED_PROCEDURE' END"

/* The server keeps the expressions of constraints in parentheses. */
#define DEFINITION(text) "(SELECT c0 FROM rows('definition', " text "))"

/* Kept by cdc/ for each table that has a capture instance; see catalog.c. */
#define TRACKED_BY_CDC(id) \
	"EXISTS(SELECT 1 FROM %p%._meta m WHERE m.k = 'cdc:' || " id ")"

/* The columns that all views of objects begin with; _objects is "o". */
#define OBJECT_COLUMNS                                              \
	"name:s!,object_id:i!,principal_id:i,schema_id:i!,"         \
	"parent_object_id:i!,type:c2,type_desc:n60,create_date:d!," \
	"modify_date:d!,is_ms_shipped:b!,is_published:b!,"          \
	"is_schema_published:b!"
#define OBJECT_SELECT                                                                                                                                            \
	"SELECT o.name AS name, o.id AS object_id, NULL AS principal_id,"                                                                                        \
	" CASE o.type WHEN 'TT' THEN 4 ELSE o.schema_id END AS schema_id,"                                                                                       \
	" o.parent_id AS parent_object_id, " TYPE_CODE(                                                                                                          \
		"o.type") " AS type, " TYPE_DESC("o.type") " AS "                                                                                                \
							   "type_desc,"                                                                                          \
							   " " DATETIME_OF(                                                                                      \
								   "o"                                                                                           \
								   "."                                                                                           \
								   "c"                                                                                           \
								   "r"                                                                                           \
								   "e"                                                                                           \
								   "a"                                                                                           \
								   "t"                                                                                           \
								   "e"                                                                                           \
								   "d") " AS "                                                                                   \
									"crea"                                                                                   \
									"te_"                                                                                    \
									"date"                                                                                   \
									","                                                                                      \
									" " DATETIME_OF(                                                                         \
										"o.modified") " AS modify_date,"                                                 \
											      " o.is_ms AND o.type <> 'TT' AS is_ms_shipped, 0 AS is_published," \
											      " 0 AS is_schema_published"
#define OBJECT_FROM " FROM %p%._objects o"

/* The same columns of what SQL Server brings along; "y" has the rows. */
#define SYSTEM_OBJECT_SELECT                                                   \
	"SELECT y.c0 AS name, y.c1 AS object_id, NULL AS principal_id, y.c2"   \
	" AS schema_id, 0 AS parent_object_id, " TYPE_CODE(                    \
		"y.c3") " AS type,"                                            \
			" " TYPE_DESC(                                         \
				"y.c3") " AS type_desc, " SHIPPED_DATE " AS"   \
					" create_date, " SHIPPED_DATE          \
					" AS modify_date, 1 AS is_ms_shipped," \
					" 0 AS is_published, 0 AS "            \
					"is_schema_published"
#define SYSTEM_OBJECT_FROM " FROM rows('system_objects') y"

#endif
