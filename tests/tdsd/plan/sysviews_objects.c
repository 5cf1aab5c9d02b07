/* sys.objects and the views of one kind of object each. */
#include "plan/sysviews_sql.h"

#include <stddef.h>

#include "plan/sysviews.h"

#define ACTION(action)                                                        \
	"CASE " action " WHEN 1 THEN 'CASCADE' WHEN 2 THEN 'SET_NULL' WHEN 3" \
	" THEN 'SET_DEFAULT' ELSE 'NO_ACTION' END"

#define VIEW_COLUMNS                                                        \
	",is_replicated:b,has_replication_filter:b,has_opaque_metadata:b!," \
	"has_unchecked_assembly_data:b!,with_check_option:b!,"              \
	"is_date_correlation_view:b!,is_tracked_by_cdc:b,has_snapshot:b"
#define VIEW_SELECT                                                    \
	", 0 AS is_replicated, 0 AS has_replication_filter, 0 AS"      \
	" has_opaque_metadata, 0 AS has_unchecked_assembly_data, 0 AS" \
	" with_check_option, 0 AS is_date_correlation_view, 0 AS"      \
	" is_tracked_by_cdc, 0 AS has_snapshot"

#define MODULE_COLUMNS                                                         \
	"object_id:i!,definition:N,uses_ansi_nulls:b,"                         \
	"uses_quoted_identifier:b,is_schema_bound:b,uses_database_collation:b" \
	",is_recompiled:b,null_on_null_input:b,execute_as_principal_id:i,"     \
	"uses_native_compilation:b,inline_type:b,is_inlineable:b"
#define MODULE_SQL                                                           \
	"SELECT o.id AS object_id, o.text AS definition, o.ansi_nulls AS"    \
	" uses_ansi_nulls, o.quoted AS uses_quoted_identifier,"              \
	" o.type = 'V' AND o.extra IS 'schemabinding' AS is_schema_bound, 0" \
	" AS uses_database_collation, 0 AS is_recompiled, 0 AS"              \
	" null_on_null_input, NULL AS execute_as_principal_id, 0 AS"         \
	" uses_native_compilation, 0 AS inline_type, 0 AS "                  \
	"is_inlineable" OBJECT_FROM                                          \
	" WHERE o.type IN ('P', 'V', 'TR', 'FN', 'IF', 'TF')"

const struct sysview sysviews_objects[] = {
	{"sys", "schemas", "name:s!,schema_id:i!,principal_id:i",
	 "SELECT name, id AS schema_id, owner AS principal_id FROM"
	 " %p%._schemas",
	 false},
	{"sys", "objects", OBJECT_COLUMNS, OBJECT_SELECT OBJECT_FROM, false},
	{"sys", "all_objects", OBJECT_COLUMNS,
	 OBJECT_SELECT OBJECT_FROM
	 " UNION ALL " SYSTEM_OBJECT_SELECT SYSTEM_OBJECT_FROM,
	 false},
	{"sys", "system_objects", OBJECT_COLUMNS,
	 SYSTEM_OBJECT_SELECT SYSTEM_OBJECT_FROM, true},
	{"sys", "tables",
	 OBJECT_COLUMNS
	 ",lob_data_space_id:i!,filestream_data_space_id:i,"
	 "max_column_id_used:i!,lock_on_bulk_load:b!,uses_ansi_nulls:b,"
	 "is_replicated:b,has_replication_filter:b,is_merge_published:"
	 "b,"
	 "is_sync_tran_subscribed:b,has_unchecked_assembly_data:b!,"
	 "text_in_row_limit:i,large_value_types_out_of_row:b,"
	 "is_tracked_by_cdc:b,lock_escalation:t,lock_escalation_desc:"
	 "n60,"
	 "is_filetable:b,is_memory_optimized:b,durability:t,"
	 "durability_desc:n60,temporal_type:t,temporal_type_desc:n60,"
	 "history_table_id:i,is_remote_data_archive_enabled:b,is_"
	 "external:b,"
	 "history_retention_period:i,history_retention_period_unit:i,"
	 "history_retention_period_unit_desc:n10,is_node:b,is_edge:b",
	 /* file tables and the like are refused */
	 OBJECT_SELECT
	 ", EXISTS(SELECT 1 FROM %p%._columns c WHERE c.object_id = "
	 "o.id AND"
	 " (c.len = -1 OR c.kind IN (9, 10, 11, 29))) AS "
	 "lob_data_space_id,"
	 " NULL AS filestream_data_space_id, o.next_col - 1 AS"
	 " max_column_id_used, 0 AS lock_on_bulk_load, 1 AS "
	 "uses_ansi_nulls,"
	 " 0 AS is_replicated, 0 AS has_replication_filter, 0 AS"
	 " is_merge_published, 0 AS is_sync_tran_subscribed, 0 AS"
	 " has_unchecked_assembly_data, 0 AS text_in_row_limit, 0 AS"
	 " large_value_types_out_of_row, " TRACKED_BY_CDC(
		 "o.id") " AS is_tracked_by_cdc, 0 AS lock_escalation, "
			 "'TABLE' AS"
			 " lock_escalation_desc, 0 AS is_filetable, "
			 "o.in_memory AS is_memory_optimized,"
			 " 0 AS durability, 'SCHEMA_AND_DATA' AS "
			 "durability_desc, o.temporal AS"
			 " temporal_type, CASE o.temporal WHEN 1 THEN"
			 " 'HISTORY_TABLE' WHEN 2 THEN"
			 " 'SYSTEM_VERSIONED_TEMPORAL_TABLE' ELSE"
			 " 'NON_TEMPORAL_TABLE' END AS "
			 "temporal_type_desc, o.history AS"
			 " history_table_id, 0 AS "
			 "is_remote_data_archive_enabled, 0 AS"
			 " is_external, NULL AS "
			 "history_retention_period, NULL AS"
			 " history_retention_period_unit, NULL AS"
			 " history_retention_period_unit_desc, 0 AS "
			 "is_node, 0 AS is_edge" OBJECT_FROM
			 " WHERE o.type = 'U'",
	 false},
	{"sys", "views", OBJECT_COLUMNS VIEW_COLUMNS,
	 OBJECT_SELECT VIEW_SELECT OBJECT_FROM " WHERE o.type = 'V'", false},
	{"sys", "all_views", OBJECT_COLUMNS VIEW_COLUMNS,
	 OBJECT_SELECT VIEW_SELECT OBJECT_FROM
	 " WHERE o.type = 'V' UNION ALL " SYSTEM_OBJECT_SELECT VIEW_SELECT
		 SYSTEM_OBJECT_FROM " WHERE y.c3 = 'V'",
	 false},
	{"sys", "procedures",
	 OBJECT_COLUMNS ",is_auto_executed:b!,is_execution_replicated:b,"
			"is_repl_serializable_only:b,skips_repl_constraints:b",
	 OBJECT_SELECT
	 ", 0 AS is_auto_executed, 0 AS is_execution_replicated, 0 AS"
	 " is_repl_serializable_only, 0 AS "
	 "skips_repl_constraints" OBJECT_FROM " WHERE o.type = 'P'",
	 false},
	{"sys", "triggers",
	 "name:s!,object_id:i!,parent_class:t!,parent_class_desc:n60,"
	 "parent_id:i!,type:c2!,type_desc:n60,create_date:d!,modify_"
	 "date:d!,"
	 "is_ms_shipped:b!,is_disabled:b!,is_not_for_replication:b!,"
	 "is_instead_of_trigger:b!",
	 "SELECT o.name AS name, o.id AS object_id, 1 AS parent_class,"
	 " 'OBJECT_OR_COLUMN' AS parent_class_desc, o.parent_id AS "
	 "parent_id,"
	 " " TYPE_CODE("o.type") " AS type, " TYPE_DESC(
		 "o.type") " AS"
			   " type_desc, " DATETIME_OF(
				   "o.created") " AS "
						"create_date,"
						" " DATETIME_OF(
							"o."
							"modifi"
							"ed") " AS "
							      "modify_date, "
							      "o.is_ms AS"
							      " is_ms_shipped, "
							      "o.disabled AS "
							      "is_disabled, 0 "
							      "AS"
							      " is_not_for_"
							      "replication, 0 "
							      "AS "
							      "is_instead_of_"
							      "trigge"
							      "r" OBJECT_FROM
							      " WHERE o.type = "
							      "'TR'",
	 false},
	{"sys", "trigger_events",
	 "object_id:i!,type:i!,type_desc:n128!,is_first:b!,is_last:b!,"
	 "event_group_type:i,event_group_type_desc:n128,is_trigger_"
	 "event:b!",
	 "SELECT o.id AS object_id, e.column1 AS type, e.column2 AS "
	 "type_desc,"
	 " 0 AS is_first, 0 AS is_last, NULL AS event_group_type, NULL "
	 "AS"
	 " event_group_type_desc, 1 AS is_trigger_event" OBJECT_FROM
	 " JOIN (VALUES(1, 'INSERT', 'I'), (2, 'UPDATE', 'U'), (3, "
	 "'DELETE',"
	 " 'D')) e ON instr(o.extra, e.column3) > 0 WHERE o.type = "
	 "'TR'",
	 false},
	{"sys", "sql_modules", MODULE_COLUMNS, MODULE_SQL, false},
	{"sys", "all_sql_modules", MODULE_COLUMNS, MODULE_SQL, false},
	{"sys", "synonyms", OBJECT_COLUMNS ",base_object_name:n1035",
	 OBJECT_SELECT ", o.extra AS base_object_name" OBJECT_FROM
		       " WHERE o.type = 'SN'",
	 false},
	{"sys", "key_constraints",
	 OBJECT_COLUMNS ",unique_index_id:i,is_system_named:b!,is_enforced:b!",
	 OBJECT_SELECT ", (SELECT i.id FROM %p%._indexes i WHERE "
		       "i.object_id = o.parent_id"
		       " AND i.constraint_id = o.id) AS "
		       "unique_index_id, o.system_named AS"
		       " is_system_named, 1 AS is_enforced" OBJECT_FROM
		       " WHERE o.type IN ('PK', 'UQ')",
	 false},
	{"sys", "check_constraints",
	 OBJECT_COLUMNS
	 ",is_disabled:b!,is_not_for_replication:b!,is_not_trusted:b!,"
	 "parent_column_id:i!,definition:N,uses_database_collation:b,"
	 "is_system_named:b!",
	 OBJECT_SELECT
	 ", o.disabled AS is_disabled, 0 AS is_not_for_replication,"
	 " o.untrusted OR o.disabled AS is_not_trusted, o.parent_col AS"
	 " parent_column_id, CASE WHEN sees_definition_(o.parent_id) THEN"
	 " " DEFINITION("o.text") " END AS definition, 1 AS"
				  " uses_database_collation, o.system_named "
				  "AS is_system_named" OBJECT_FROM
				  " WHERE o.type = 'C'",
	 false},
	{"sys", "default_constraints",
	 OBJECT_COLUMNS ",parent_column_id:i!,definition:N,is_system_named:b!",
	 OBJECT_SELECT ", o.parent_col AS parent_column_id, " DEFINITION(
		 "o.text") " AS"
			   " definition, o.system_named AS "
			   "is_system_named" OBJECT_FROM " WHERE o.type = 'D'",
	 false},
	{"sys", "foreign_keys",
	 OBJECT_COLUMNS
	 ",referenced_object_id:i,key_index_id:i,is_disabled:b!,"
	 "is_not_for_replication:b!,is_not_trusted:b!,"
	 "delete_referential_action:t,delete_referential_action_desc:"
	 "n60,"
	 "update_referential_action:t,update_referential_action_desc:"
	 "n60,"
	 "is_system_named:b!",
	 OBJECT_SELECT
	 ", f.referenced AS referenced_object_id, f.key_index AS "
	 "key_index_id,"
	 " o.disabled AS is_disabled, 0 AS is_not_for_replication,"
	 " o.untrusted OR o.disabled AS is_not_trusted, f.on_delete AS"
	 " delete_referential_action, " ACTION(
		 "f.on_delete") " AS"
				" delete_referential_action_desc, "
				"f.on_update AS"
				" update_referential_action, " ACTION(
					"f.on_update") " AS"
						       " update_"
						       "referential_"
						       "action_desc, "
						       "o.system_named "
						       "AS "
						       "is_system_"
						       "name"
						       "d" OBJECT_FROM
						       " JOIN %p%._fks "
						       "f ON f.id = "
						       "o.id",
	 false},
	{"sys", "foreign_key_columns",
	 "constraint_object_id:i!,constraint_column_id:i!,"
	 "parent_object_id:i!,parent_column_id:i!,referenced_object_id:"
	 "i!,"
	 "referenced_column_id:i!",
	 "SELECT c.fk AS constraint_object_id, c.ordinal AS"
	 " constraint_column_id, f.parent AS parent_object_id, "
	 "c.parent_col AS"
	 " parent_column_id, f.referenced AS referenced_object_id, "
	 "c.ref_col"
	 " AS referenced_column_id FROM %p%._fk_columns c JOIN "
	 "%p%._fks f ON"
	 " f.id = c.fk",
	 false},
	{"sys", "parameters",
	 "object_id:i!,name:s,parameter_id:i!,system_type_id:t!,"
	 "user_type_id:i!,max_length:h!,precision:t!,scale:t!,is_"
	 "output:b!,"
	 "is_cursor_ref:b!,has_default_value:b!,is_xml_document:b!,"
	 "default_value:V,xml_collection_id:i!,is_readonly:b!,is_"
	 "nullable:b,"
	 "encryption_type:i,encryption_type_desc:n64,"
	 "encryption_algorithm_name:s,column_encryption_key_id:i,"
	 "column_encryption_key_database_name:s",
	 /* has_default_value is for CLR modules only */
	 "SELECT p.object_id AS object_id, p.name AS name, p.id AS"
	 " parameter_id, " SYSTEM_TYPE(
		 "p.kind") " AS system_type_id, " USER_TYPE("p.kind",
							    "p.user_"
							    "type") " A"
								    "S "
								    "us"
								    "er"
								    "_t"
								    "yp"
								    "e_"
								    "id"
								    ", "
								    "p."
								    "le"
								    "n "
								    "AS"
								    " m"
								    "ax"
								    "_l"
								    "en"
								    "gt"
								    "h,"
								    " p"
								    ".p"
								    "re"
								    "c "
								    "AS"
								    " p"
								    "re"
								    "ci"
								    "si"
								    "on"
								    ", "
								    "p."
								    "sc"
								    "al"
								    "e "
								    "AS"
								    " s"
								    "ca"
								    "le"
								    ", "
								    "p."
								    "ou"
								    "tp"
								    "ut"
								    " A"
								    "S"
								    " i"
								    "s_"
								    "ou"
								    "tp"
								    "ut"
								    ", "
								    "0 "
								    "AS"
								    " i"
								    "s_"
								    "cu"
								    "rs"
								    "or"
								    "_r"
								    "ef"
								    ", "
								    "0 "
								    "AS"
								    " h"
								    "as"
								    "_d"
								    "ef"
								    "au"
								    "lt"
								    "_v"
								    "al"
								    "ue"
								    ", "
								    "0 "
								    "AS"
								    " i"
								    "s_"
								    "xm"
								    "l_"
								    "do"
								    "cu"
								    "me"
								    "nt"
								    ", "
								    "NU"
								    "LL"
								    " A"
								    "S "
								    "de"
								    "fa"
								    "ul"
								    "t_"
								    "va"
								    "lu"
								    "e,"
								    " 0"
								    " A"
								    "S "
								    "xm"
								    "l_"
								    "co"
								    "ll"
								    "ec"
								    "ti"
								    "on"
								    "_i"
								    "d,"
								    " p"
								    ".r"
								    "ea"
								    "do"
								    "nl"
								    "y "
								    "AS"
								    " i"
								    "s_"
								    "re"
								    "ad"
								    "on"
								    "ly"
								    ", "
								    "1 "
								    "AS"
								    " i"
								    "s_"
								    "nu"
								    "ll"
								    "ab"
								    "le"
								    ", "
								    "NU"
								    "LL"
								    " A"
								    "S"
								    " e"
								    "nc"
								    "ry"
								    "pt"
								    "io"
								    "n_"
								    "ty"
								    "pe"
								    ", "
								    "NU"
								    "LL"
								    " A"
								    "S "
								    "en"
								    "cr"
								    "yp"
								    "ti"
								    "on"
								    "_t"
								    "yp"
								    "e_"
								    "de"
								    "sc"
								    ", "
								    "NU"
								    "LL"
								    " A"
								    "S"
								    " e"
								    "nc"
								    "ry"
								    "pt"
								    "io"
								    "n_"
								    "al"
								    "go"
								    "ri"
								    "th"
								    "m_"
								    "na"
								    "me"
								    ", "
								    "NU"
								    "LL"
								    " A"
								    "S "
								    "co"
								    "lu"
								    "mn"
								    "_e"
								    "nc"
								    "ry"
								    "pt"
								    "io"
								    "n_"
								    "ke"
								    "y_"
								    "id"
								    ", "
								    "NU"
								    "LL"
								    " A"
								    "S "
								    "co"
								    "lu"
								    "mn"
								    "_e"
								    "nc"
								    "ry"
								    "pt"
								    "io"
								    "n_"
								    "ke"
								    "y_"
								    "da"
								    "ta"
								    "ba"
								    "se"
								    "_n"
								    "am"
								    "e "
								    "FR"
								    "OM"
								    " %"
								    "p%"
								    "._"
								    "pa"
								    "ra"
								    "ms"
								    " "
								    "p",
	 false},
	{"sys", "sequences", OBJECT_COLUMNS,
	 OBJECT_SELECT OBJECT_FROM " WHERE o.type = 'SO'", false},
	{"sys", "sql_expression_dependencies",
	 "referencing_id:i!,referencing_minor_id:i!,referencing_class:t,"
	 "referencing_class_desc:n60,is_schema_bound_reference:b!,"
	 "referenced_class:t,referenced_class_desc:n60,"
	 "referenced_server_name:s,referenced_database_name:s,"
	 "referenced_schema_name:s,referenced_entity_name:s,referenced_id:i,"
	 "referenced_minor_id:i!,is_caller_dependent:b!,is_ambiguous:b!",
	 "SELECT c0 AS referencing_id, 0 AS referencing_minor_id, 1 AS"
	 " referencing_class, 'OBJECT_OR_COLUMN' AS referencing_class_desc,"
	 " c6 AS is_schema_bound_reference, 1 AS referenced_class,"
	 " 'OBJECT_OR_COLUMN' AS referenced_class_desc, c1 AS"
	 " referenced_server_name, c2 AS referenced_database_name, c3 AS"
	 " referenced_schema_name, c4 AS referenced_entity_name, c5 AS"
	 " referenced_id, 0 AS referenced_minor_id, 0 AS is_caller_dependent,"
	 " 0 AS is_ambiguous FROM rows('dependencies', '%p%')",
	 false},
	{NULL, NULL, NULL, NULL, false},
};
