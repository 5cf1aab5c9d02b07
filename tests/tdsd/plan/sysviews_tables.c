/* What tables consist of: columns, types, indexes, rows. */
#include "plan/sysviews.h"

#include <stddef.h>

#include "plan/sysviews_sql.h"

/* --- columns; _columns is "c" --- */

#define COLUMN_COLUMNS                                                        \
	"object_id:i!,name:s,column_id:i!,system_type_id:t!,user_type_id:i!," \
	"max_length:h!,precision:t!,scale:t!,collation_name:s,is_nullable:b," \
	"is_ansi_padded:b!,is_rowguidcol:b!,is_identity:b!,"
#define COLUMN_COLUMNS_2                                               \
	"is_filestream:b!,is_replicated:b,is_non_sql_subscribed:b,"    \
	"is_merge_published:b,is_dts_replicated:b,is_xml_document:b!," \
	"xml_collection_id:i!,default_object_id:i!,rule_object_id:i!,"
#define COLUMN_COLUMNS_3                                                    \
	"is_sparse:b,is_column_set:b,generated_always_type:t,"              \
	"generated_always_type_desc:n60,encryption_type:i,"                 \
	"encryption_type_desc:n64,encryption_algorithm_name:s,"             \
	"column_encryption_key_id:i,column_encryption_key_database_name:s," \
	"is_hidden:b,is_masked:b!,graph_type:i,graph_type_desc:n60"
/* clang-format off */
#define COLUMN_SELECT \
	"SELECT c.object_id AS object_id, c.name AS name, c.id AS column_id, " \
	SYSTEM_TYPE("c.kind") " AS system_type_id, " \
	USER_TYPE("c.kind", "c.user_type") " AS user_type_id, c.len AS" \
	" max_length, c.prec AS precision, c.scale AS scale, " \
	COLLATION_OF("c.kind", "c.collation") " AS collation_name, c.nullable" \
	" AS is_nullable, c.kind IN (1, 2, 3, 4, 5, 6, 30) AS is_ansi_padded," \
	" c.rowguid AS is_rowguidcol, c.identity AS is_identity, c.computed" \
	" IS NOT NULL AND NOT c.column_set AS is_computed, 0 AS is_filestream, 0 AS is_replicated," \
	" 0 AS is_non_sql_subscribed, 0 AS is_merge_published, 0 AS" \
	" is_dts_replicated, 0 AS is_xml_document, 0 AS xml_collection_id," \
	" c.default_id AS default_object_id, 0 AS rule_object_id, c.sparse AS" \
	" is_sparse, c.column_set AS is_column_set, c.generated AS" \
	" generated_always_type, CASE c.generated WHEN 1 THEN" \
	" 'AS_ROW_START' WHEN 2 THEN 'AS_ROW_END' ELSE 'NOT_APPLICABLE' END" \
	" AS generated_always_type_desc, NULL AS encryption_type, NULL AS" \
	" encryption_type_desc, NULL AS encryption_algorithm_name, NULL AS" \
	" column_encryption_key_id, NULL AS" \
	" column_encryption_key_database_name, c.hidden AS is_hidden, c.masked AS" \
	" is_masked, NULL AS graph_type, NULL AS graph_type_desc"
/* clang-format on */
#define COLUMN_FROM " FROM %p%._columns c"

#define ALL_COLUMNS \
	COLUMN_COLUMNS "is_computed:b!," COLUMN_COLUMNS_2 COLUMN_COLUMNS_3

/* --- types --- */

/*
 * The server's own: name, system_type_id, user_type_id, max_length,
 * precision, scale, whether it has a collation; nullable all but sysname.
 */
#define SYSTEM_TYPES                                                           \
	"(VALUES('image', 34, 34, 16, 0, 0, 0), ('text', 35, 35, 16, 0, 0, 1)" \
	", ('uniqueidentifier', 36, 36, 16, 0, 0, 0), ('date', 40, 40, 3, 10," \
	" 0, 0), ('time', 41, 41, 5, 16, 7, 0), ('datetime2', 42, 42, 8, 27,"  \
	" 7, 0), ('datetimeoffset', 43, 43, 10, 34, 7, 0), ('tinyint', 48, 48" \
	", 1, 3, 0, 0), ('smallint', 52, 52, 2, 5, 0, 0), ('int', 56, 56, 4,"  \
	" 10, 0, 0), ('smalldatetime', 58, 58, 4, 16, 0, 0), ('real', 59, 59," \
	" 4, 24, 0, 0), ('money', 60, 60, 8, 19, 4, 0), ('datetime', 61, 61,"  \
	" 8, 23, 3, 0), ('float', 62, 62, 8, 53, 0, 0), ('sql_variant', 98,"   \
	" 98, 8016, 0, 0, 0), ('ntext', 99, 99, 16, 0, 0, 1), ('bit', 104,"    \
	" 104, 1, 1, 0, 0), ('decimal', 106, 106, 17, 38, 38, 0), ('numeric'"  \
	", 108, 108, 17, 38, 38, 0), ('smallmoney', 122, 122, 4, 10, 4, 0),"   \
	" ('bigint', 127, 127, 8, 19, 0, 0), ('hierarchyid', 240, 128, 892, 0" \
	", 0, 0), ('geometry', 240, 129, -1, 0, 0, 0), ('geography', 240, 130" \
	", -1, 0, 0, 0), ('varbinary', 165, 165, 8000, 0, 0, 0), ('varchar',"  \
	" 167, 167, 8000, 0, 0, 1), ('binary', 173, 173, 8000, 0, 0, 0),"      \
	" ('char', 175, 175, 8000, 0, 0, 1), ('timestamp', 189, 189, 8, 0, 0," \
	" 0), ('nvarchar', 231, 231, 8000, 0, 0, 1), ('nchar', 239, 239, 8000" \
	", 0, 0, 1), ('xml', 241, 241, -1, 0, 0, 0), ('sysname', 231, 256,"    \
	" 256, 0, 0, 1))"

#define TYPE_COLUMNS                                                           \
	"name:s!,system_type_id:t!,user_type_id:i!,schema_id:i!,"              \
	"principal_id:i,max_length:h!,precision:t!,scale:t!,collation_name:s," \
	"is_nullable:b,is_user_defined:b!,is_assembly_type:b!,"                \
	"default_object_id:i!,rule_object_id:i!,is_table_type:b!"
#define ALIAS_SELECT                                                           \
	"SELECT t.name AS name, " SYSTEM_TYPE(                                 \
		"t.kind") " AS system_type_id,"                                \
			  " t.id AS user_type_id, t.schema_id AS schema_id, "  \
			  "NULL AS"                                            \
			  " principal_id, t.len AS max_length, t.prec AS "     \
			  "precision, t.scale AS"                              \
			  " scale, " COLLATION_OF(                             \
				  "t.kind",                                    \
				  "t.collation") " AS collation_name,"         \
						 " t.nullable AND t.kind <> "  \
						 "31 AS is_nullable, 1 AS "    \
						 "is_user_defined, 0"          \
						 " AS is_assembly_type, 0 AS " \
						 "default_object_id, 0 AS "    \
						 "rule_object_id,"             \
						 " t.kind = 31 AS "            \
						 "is_table_type"

/* --- indexes; a table without a clustered index is a heap, number 0 --- */

#define INDEX_FROM                                                            \
	" FROM (SELECT i.object_id, i.id, i.name, i.clustered, i.is_unique,"  \
	" i.is_primary, i.is_constraint, i.disabled, i.filter, i.ignore_dup," \
	" i.compression, i.partitioned"                                       \
	" FROM %p%._indexes i UNION ALL SELECT o.id, 0, NULL, 0, 0, 0, 0, 0," \
	" NULL, 0, 0, 0 FROM %p%._objects o WHERE"                            \
	" o.type IN ('U', 'TT', 'TF') AND"                                    \
	" NOT EXISTS(SELECT 1 FROM %p%._indexes h WHERE h.object_id = o.id"   \
	" AND h.clustered)) x"

/* One partition for each index; filtered ones have fewer rows. */
#define ROW_COUNT                                                              \
	"ifnull((SELECT c0 FROM rows('row_count', '%p%', x.object_id, x.id))," \
	" 0)"
/* Made of the numbers of the table and the index, as the server's are. */
#define PARTITION_ID "72057594000000000 + x.object_id * 256 + x.id"

#define PAGES "(" ROW_COUNT " + 99) / 100"

#define SPACE_COLUMNS                                                    \
	"name:s!,data_space_id:i!,type:c2!,type_desc:n60,is_default:b!," \
	"is_system:b"
#define SPACE_SELECT                                                  \
	"SELECT 'PRIMARY' AS name, 1 AS data_space_id, 'FG' AS type," \
	" 'ROWS_FILEGROUP' AS type_desc, 1 AS is_default, 0 AS is_system"

const struct sysview sysviews_tables[] = {
	{"sys", "columns", ALL_COLUMNS, COLUMN_SELECT COLUMN_FROM, false},
	{"sys", "all_columns", ALL_COLUMNS, COLUMN_SELECT COLUMN_FROM, false},
	{"sys", "computed_columns",
	 COLUMN_COLUMNS COLUMN_COLUMNS_2
	 "definition:N,uses_database_collation:b!,is_persisted:b!,"
	 "is_computed:b!," COLUMN_COLUMNS_3,
	 COLUMN_SELECT
	 ", " DEFINITION("c.computed") " AS definition, 1 AS "
				       "uses_database_collation, c.persisted AS"
				       " is_persisted" COLUMN_FROM
				       " WHERE c.computed IS NOT NULL AND"
				       " NOT c.column_set",
	 false},
	{"sys", "identity_columns",
	 COLUMN_COLUMNS COLUMN_COLUMNS_2
	 "seed_value:V,increment_value:V,last_value:V,"
	 "is_not_for_replication:b,is_computed:b!," COLUMN_COLUMNS_3,
	 COLUMN_SELECT
	 ", (SELECT c0 FROM rows('identity', '%p%', c.object_id, c.kind,"
	 " c.seed)) AS seed_value, (SELECT c0 FROM rows('identity', '%p%',"
	 " c.object_id, c.kind, c.increment)) AS increment_value, (SELECT c0"
	 " FROM rows('identity', '%p%', c.object_id, c.kind, NULL)) AS"
	 " last_value, 0 AS is_not_for_replication" COLUMN_FROM
	 " WHERE c.identity",
	 false},
	{"sys", "types", TYPE_COLUMNS,
	 "SELECT column1 AS name, column2 AS system_type_id, column3 AS"
	 " user_type_id, 4 AS schema_id, NULL AS principal_id, column4 AS"
	 " max_length, column5 AS precision, column6 AS scale, CASE column7"
	 " WHEN 1 THEN (SELECT c5 FROM rows('databases') WHERE c1 = %d%) END"
	 " AS collation_name, column3 <> 256 AS is_nullable, 0 AS"
	 " is_user_defined, column2 = 240 AS is_assembly_type, 0 AS"
	 " default_object_id, 0 AS rule_object_id, 0 AS is_table_type"
	 " FROM " SYSTEM_TYPES " UNION ALL " ALIAS_SELECT " FROM %p%._types t"
	 /* rights on a table do not show the types of its columns */
	 " WHERE ifnull(has_perms_by_name_((SELECT s.name FROM %p%._schemas s"
	 " WHERE s.id = t.schema_id), 'SCHEMA', 'VIEW DEFINITION'), 1)",
	 false},
	{"sys", "table_types",
	 TYPE_COLUMNS ",type_table_object_id:i!,is_memory_optimized:b",
	 ALIAS_SELECT
	 ", t.table_id AS type_table_object_id, 0 AS is_memory_optimized"
	 " FROM %p%._types t WHERE t.kind = 31",
	 false},
	{"sys", "indexes",
	 "object_id:i!,name:s,index_id:i!,type:t!,type_desc:n60,is_unique:b,"
	 "data_space_id:i,ignore_dup_key:b,is_primary_key:b,"
	 "is_unique_constraint:b,fill_factor:t!,is_padded:b,is_disabled:b,"
	 "is_hypothetical:b,is_ignored_in_optimization:b,allow_row_locks:b,"
	 "allow_page_locks:b,has_filter:b,filter_definition:N,"
	 "compression_delay:i,suppress_dup_key_messages:b,auto_created:b,"
	 "optimize_for_sequential_key:b",
	 "SELECT x.object_id AS object_id, x.name AS name, x.id AS index_id,"
	 " CASE WHEN x.id = 0 THEN 0 WHEN x.clustered THEN 1 ELSE 2 END AS"
	 " type, CASE WHEN x.id = 0 THEN 'HEAP' WHEN x.clustered THEN"
	 " 'CLUSTERED' ELSE 'NONCLUSTERED' END AS type_desc, x.is_unique AS"
	 " is_unique, CASE WHEN x.partitioned THEN 65601 ELSE 1 END AS "
	 "data_space_id, x.ignore_dup AS ignore_dup_key,"
	 " x.is_primary AS is_primary_key, x.is_constraint AND NOT"
	 " x.is_primary AS is_unique_constraint, 0 AS fill_factor, 0 AS"
	 " is_padded, x.disabled AS is_disabled, 0 AS is_hypothetical, 0 AS"
	 " is_ignored_in_optimization, 1 AS allow_row_locks, 1 AS"
	 " allow_page_locks, x.filter IS NOT NULL AS has_filter, CASE WHEN"
	 " sees_definition_(x.object_id) THEN " DEFINITION(
		 "x.filter") " END AS filter_definition, NULL AS"
			     " compression_delay, 0 AS "
			     "suppress_dup_key_messages, 0 AS"
			     " auto_created, 0 AS "
			     "optimize_for_sequential_key" INDEX_FROM,
	 false},
	{"sys", "index_columns",
	 "object_id:i!,index_id:i!,index_column_id:i!,column_id:i!,"
	 "key_ordinal:t!,partition_ordinal:t!,is_descending_key:b,"
	 "is_included_column:b,column_store_order_ordinal:t",
	 "SELECT object_id, index_id, id AS index_column_id, column_id,"
	 " key_ordinal, 0 AS partition_ordinal, descending AS"
	 " is_descending_key, included AS is_included_column, 0 AS"
	 " column_store_order_ordinal FROM %p%._index_columns",
	 false},
	{"sys", "stats",
	 "object_id:i!,name:s,stats_id:i!,auto_created:b,user_created:b,"
	 "no_recompute:b,has_filter:b,filter_definition:N,is_temporary:b,"
	 "is_incremental:b,has_persisted_sample:b,"
	 "stats_generation_method:i!,stats_generation_method_desc:v80!",
	 /* those that come with an index; there are no others */
	 "SELECT i.object_id AS object_id, i.name AS name, i.id AS stats_id,"
	 " 0 AS auto_created, 0 AS user_created, 0 AS no_recompute, i.filter"
	 " IS NOT NULL AS has_filter, " DEFINITION(
		 "i.filter") " AS"
			     " filter_definition, 0 AS is_temporary, 0 AS "
			     "is_incremental, 0 AS"
			     " has_persisted_sample, 0 AS "
			     "stats_generation_method, 'Sort based"
			     " statistics' AS stats_generation_method_desc "
			     "FROM %p%._indexes i",
	 false},
	{"sys", "stats_columns",
	 "object_id:i!,stats_id:i!,stats_column_id:i,column_id:i",
	 "SELECT object_id, index_id AS stats_id, id AS stats_column_id,"
	 " column_id FROM %p%._index_columns WHERE NOT included",
	 false},
	{"sys", "partitions",
	 "partition_id:I!,object_id:i!,index_id:i!,partition_number:i!,"
	 "hobt_id:I!,rows:I,filestream_filegroup_id:h!,data_compression:t!,"
	 "data_compression_desc:n60",
	 "SELECT " PARTITION_ID " AS partition_id, x.object_id AS object_id,"
	 " x.id AS index_id, 1 AS partition_number, " PARTITION_ID " AS"
	 " hobt_id, " ROW_COUNT " AS rows, 0 AS filestream_filegroup_id,"
	 " x.compression AS data_compression, CASE x.compression WHEN 1 THEN"
	 " 'ROW' WHEN 2 THEN 'PAGE' ELSE 'NONE' END AS "
	 "data_compression_desc" INDEX_FROM,
	 false},
	{"sys", "dm_db_partition_stats",
	 "partition_id:I,object_id:i!,index_id:i!,partition_number:i!,"
	 "in_row_data_page_count:I,in_row_used_page_count:I,"
	 "in_row_reserved_page_count:I,lob_used_page_count:I,"
	 "lob_reserved_page_count:I,row_overflow_used_page_count:I,"
	 "row_overflow_reserved_page_count:I,used_page_count:I,"
	 "reserved_page_count:I,row_count:I",
	 "SELECT " PARTITION_ID " AS partition_id, x.object_id AS object_id,"
	 " x.id AS index_id, 1 AS partition_number, " PAGES " AS"
	 " in_row_data_page_count, " PAGES " AS in_row_used_page_count, " PAGES
	 " AS in_row_reserved_page_count, 0 AS lob_used_page_count, 0"
	 " AS lob_reserved_page_count, 0 AS row_overflow_used_page_count, 0"
	 " AS row_overflow_reserved_page_count, " PAGES " AS used_page_count,"
	 " " PAGES " AS reserved_page_count, " ROW_COUNT
	 " AS row_count" INDEX_FROM,
	 false},
	{"sys", "allocation_units",
	 "allocation_unit_id:I!,type:t!,type_desc:n60,container_id:I!,"
	 "data_space_id:i,total_pages:I!,used_pages:I!,data_pages:I!",
	 "SELECT " PARTITION_ID " AS allocation_unit_id, 1 AS type,"
	 " 'IN_ROW_DATA' AS type_desc, " PARTITION_ID " AS container_id, 1 AS"
	 " data_space_id, " PAGES " AS total_pages, " PAGES
	 " AS used_pages, " PAGES " AS data_pages" INDEX_FROM,
	 false},
	{"sys", "data_spaces", SPACE_COLUMNS,
	 SPACE_SELECT " UNION ALL SELECT 'scheme', 65601, 'PS',"
		      " 'PARTITION_SCHEME', 0, 0",
	 true},
	{"sys", "filegroups",
	 SPACE_COLUMNS ",filegroup_guid:g,log_filegroup_id:i,is_read_only:b,"
		       "is_autogrow_all_files:b",
	 SPACE_SELECT ", NULL AS filegroup_guid, NULL AS log_filegroup_id, 0 AS"
		      " is_read_only, 0 AS is_autogrow_all_files",
	 true},
	{"sys", "periods",
	 "name:s!,period_type:t,period_type_desc:n60,object_id:i!,"
	 "start_column_id:i!,end_column_id:i!",
	 "SELECT 'SYSTEM_TIME' AS name, 1 AS period_type,"
	 " 'SYSTEM_TIME_PERIOD' AS period_type_desc, c.object_id AS object_id,"
	 " c.id AS start_column_id, e.id AS end_column_id FROM %p%._columns c"
	 " JOIN %p%._columns e ON e.object_id = c.object_id AND e.generated ="
	 " 2 WHERE c.generated = 1",
	 false},
	{NULL, NULL, NULL, NULL, false},
};
