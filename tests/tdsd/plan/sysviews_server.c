/* Databases, principals, settings, and what runs: sys.databases, dm_exec_*. */
#include "plan/sysviews.h"

#include <stddef.h>

#include "plan/sysviews_sql.h"

/* --- databases; see databases() in fn/rows_server.c for c0, c1, … --- */

#define FILE_COLUMNS                                                     \
	"file_id:i!,file_guid:g,type:t!,type_desc:n60,data_space_id:i!," \
	"name:s!,physical_name:n260,state:t,state_desc:n60,size:i!,"     \
	"max_size:i!,growth:i!,is_media_read_only:b!,is_read_only:b!,"   \
	"is_sparse:b!,is_percent_growth:b!"
#define FILE_SELECT                                                           \
	"f.column1 AS file_id, NULL AS file_guid, f.column1 - 1 AS type,"     \
	" CASE f.column1 WHEN 1 THEN 'ROWS' ELSE 'LOG' END AS type_desc, 2 -" \
	" f.column1 AS data_space_id, b.c0 || CASE f.column1 WHEN 1 THEN ''"  \
	" ELSE '_log' END AS name, b.c15 || CASE f.column1 WHEN 1 THEN ''"    \
	" ELSE '-wal' END AS physical_name, 0 AS state, 'ONLINE' AS"          \
	" state_desc, b.c16 AS size, -1 AS max_size, 8192 AS growth, 0 AS"    \
	" is_media_read_only, b.c6 AS is_read_only, 0 AS is_sparse, 0 AS"     \
	" is_percent_growth FROM rows('databases') b JOIN (VALUES(1), (2)) f"

/* --- principals --- */

#define PRINCIPAL_TYPE(type)                                                   \
	"CASE " type " WHEN 'R' THEN 'DATABASE_ROLE' WHEN 'S' THEN 'SQL_USER'" \
	" WHEN 'A' THEN 'APPLICATION_ROLE' ELSE 'WINDOWS_USER' END"

/* The server's fixed roles: their number and name. */
#define SERVER_ROLES                                                       \
	"(VALUES(2, 'public'), (3, 'sysadmin'), (4, 'securityadmin'), (5," \
	" 'serveradmin'), (6, 'setupadmin'), (7, 'processadmin'), (8,"     \
	" 'diskadmin'), (9, 'dbcreator'), (10, 'bulkadmin'))"

/* GRANT's words and the four letters of sys.database_permissions. */
#define PERMISSION_CODE(name)                                                  \
	"CASE " name " WHEN 'SELECT' THEN 'SL' WHEN 'INSERT' THEN 'IN' WHEN"   \
	" 'UPDATE' THEN 'UP' WHEN 'DELETE' THEN 'DL' WHEN 'EXECUTE' THEN 'EX'" \
	" WHEN 'ALTER' THEN 'AL' WHEN 'CONTROL' THEN 'CL' WHEN 'REFERENCES'"   \
	" THEN 'RF' WHEN 'VIEW DEFINITION' THEN 'VW' WHEN 'CONNECT' THEN 'CO'" \
	" WHEN 'CREATE TABLE' THEN 'CRTB' WHEN 'CREATE VIEW' THEN 'CRVW' WHEN" \
	" 'CREATE PROCEDURE' THEN 'CRPR' WHEN 'CREATE FUNCTION' THEN 'CRFN'"   \
	" WHEN 'CREATE SCHEMA' THEN 'CRSM' WHEN 'TAKE OWNERSHIP' THEN 'TO'"    \
	" WHEN 'VIEW DATABASE STATE' THEN 'VWDS' ELSE '' END"

/* --- sessions; see one_session() in fn/rows_server.c --- */

#define SESSIONS     "FROM rows('sessions') s"
#define HANDLE(spid) "CAST('s' || " spid " AS BLOB)"
#define USER_SESSION "s.c10"

const struct sysview sysviews_server[] = {
	{"sys", "databases",
	 "name:s!,database_id:i!,source_database_id:i,owner_sid:x85,"
	 "create_date:d!,compatibility_level:t!,collation_name:s,"
	 "user_access:t,user_access_desc:n60,is_read_only:b,"
	 "is_auto_close_on:b!,is_auto_shrink_on:b,state:t,state_desc:n60,"
	 "is_in_standby:b,is_cleanly_shutdown:b,"
	 "is_supplemental_logging_enabled:b,snapshot_isolation_state:t,"
	 "snapshot_isolation_state_desc:n60,is_read_committed_snapshot_on:b,"
	 "recovery_model:t,recovery_model_desc:n60,page_verify_option:t,"
	 "page_verify_option_desc:n60,is_auto_create_stats_on:b,"
	 "is_auto_create_stats_incremental_on:b,is_auto_update_stats_on:b,"
	 "is_auto_update_stats_async_on:b,is_ansi_null_default_on:b,"
	 "is_ansi_nulls_on:b,is_ansi_padding_on:b,is_ansi_warnings_on:b,"
	 "is_arithabort_on:b,is_concat_null_yields_null_on:b,"
	 "is_numeric_roundabort_on:b,is_quoted_identifier_on:b,"
	 "is_recursive_triggers_on:b,is_cursor_close_on_commit_on:b,"
	 "is_local_cursor_default:b,is_fulltext_enabled:b,"
	 "is_trustworthy_on:b,is_db_chaining_on:b,"
	 "is_parameterization_forced:b,is_master_key_encrypted_by_server:b!,"
	 "is_query_store_on:b,is_published:b!,is_subscribed:b!,"
	 "is_merge_published:b!,is_distributor:b!,is_sync_with_backup:b!,"
	 "service_broker_guid:g!,is_broker_enabled:b!,log_reuse_wait:t,"
	 "log_reuse_wait_desc:n60,is_date_correlation_on:b!,"
	 "is_cdc_enabled:b!,is_encrypted:b,is_honor_broker_priority_on:b,"
	 "replica_id:g,group_database_id:g,resource_pool_id:i,"
	 "default_language_lcid:h,default_language_name:n128,"
	 "default_fulltext_language_lcid:i,"
	 "default_fulltext_language_name:n128,is_nested_triggers_on:b,"
	 "is_transform_noise_words_on:b,two_digit_year_cutoff:h,"
	 "containment:t,containment_desc:n60,"
	 "target_recovery_time_in_seconds:i,delayed_durability:i,"
	 "delayed_durability_desc:n60,"
	 "is_memory_optimized_elevate_to_snapshot_on:b,"
	 "is_federation_member:b,is_remote_data_archive_enabled:b,"
	 "is_mixed_page_allocation_on:b,is_temporal_history_retention_enabled"
	 ":b,catalog_collation_type:i!,catalog_collation_type_desc:n60,"
	 "physical_database_name:n128,is_result_set_caching_on:b,"
	 "is_accelerated_database_recovery_on:b,is_tempdb_spill_to_remote_store"
	 ":b,is_stale_page_detection_on:b,is_memory_optimized_enabled:b",
	 "SELECT c0 AS name, c1 AS database_id, NULL AS source_database_id,"
	 " x'01' AS owner_sid, c2 AS create_date, c3 AS compatibility_level,"
	 " c5 AS collation_name, c4 AS user_access, CASE c4 WHEN 1 THEN"
	 " 'SINGLE_USER' WHEN 2 THEN 'RESTRICTED_USER' ELSE 'MULTI_USER' END"
	 " AS user_access_desc, c6 AS is_read_only, 0 AS is_auto_close_on, 0"
	 " AS is_auto_shrink_on, CASE WHEN c7 THEN 6 ELSE 0 END AS state,"
	 " CASE WHEN c7 THEN 'OFFLINE' ELSE 'ONLINE' END AS state_desc, 0 AS"
	 " is_in_standby, 0 AS is_cleanly_shutdown, 0 AS"
	 " is_supplemental_logging_enabled, c8 AS snapshot_isolation_state,"
	 " CASE WHEN c8 THEN 'ON' ELSE 'OFF' END AS"
	 " snapshot_isolation_state_desc, c9 AS is_read_committed_snapshot_on,"
	 " c10 AS recovery_model, CASE c10 WHEN 1 THEN 'FULL' WHEN 2 THEN"
	 " 'BULK_LOGGED' ELSE 'SIMPLE' END AS recovery_model_desc, 2 AS"
	 " page_verify_option, 'CHECKSUM' AS page_verify_option_desc, 1 AS"
	 " is_auto_create_stats_on, 0 AS is_auto_create_stats_incremental_on,"
	 " 1 AS is_auto_update_stats_on, 0 AS is_auto_update_stats_async_on, 0"
	 " AS is_ansi_null_default_on, 0 AS is_ansi_nulls_on, 0 AS"
	 " is_ansi_padding_on, 0 AS is_ansi_warnings_on, 0 AS is_arithabort_on"
	 ", 0 AS is_concat_null_yields_null_on, 0 AS is_numeric_roundabort_on,"
	 " 0 AS is_quoted_identifier_on, 0 AS is_recursive_triggers_on, 0 AS"
	 " is_cursor_close_on_commit_on, 0 AS is_local_cursor_default, 0 AS"
	 " is_fulltext_enabled, c1 = 4 AS is_trustworthy_on, 0 AS"
	 " is_db_chaining_on, 0 AS is_parameterization_forced, 0 AS"
	 " is_master_key_encrypted_by_server, 0 AS is_query_store_on, 0 AS"
	 " is_published, 0 AS is_subscribed, 0 AS is_merge_published, 0 AS"
	 " is_distributor, 0 AS is_sync_with_backup, zeroblob(16) AS"
	 " service_broker_guid, 0 AS is_broker_enabled, 0 AS log_reuse_wait,"
	 " 'NOTHING' AS log_reuse_wait_desc, 0 AS is_date_correlation_on, c11"
	 " AS is_cdc_enabled, 0 AS is_encrypted, 0 AS"
	 " is_honor_broker_priority_on, NULL AS replica_id, NULL AS"
	 " group_database_id, NULL AS resource_pool_id, NULL AS"
	 " default_language_lcid, NULL AS default_language_name, NULL AS"
	 " default_fulltext_language_lcid, NULL AS"
	 " default_fulltext_language_name, NULL AS is_nested_triggers_on, NULL"
	 " AS is_transform_noise_words_on, NULL AS two_digit_year_cutoff, 0 AS"
	 " containment, 'NONE' AS containment_desc, 60 AS"
	 " target_recovery_time_in_seconds, 0 AS delayed_durability,"
	 " 'DISABLED' AS delayed_durability_desc, 0 AS"
	 " is_memory_optimized_elevate_to_snapshot_on, 0 AS"
	 " is_federation_member, 0 AS is_remote_data_archive_enabled, 0 AS"
	 " is_mixed_page_allocation_on, 1 AS"
	 " is_temporal_history_retention_enabled, 0 AS catalog_collation_type,"
	 " 'DATABASE_DEFAULT' AS catalog_collation_type_desc, c0 AS"
	 " physical_database_name, 0 AS is_result_set_caching_on, 0 AS"
	 " is_accelerated_database_recovery_on, 0 AS"
	 " is_tempdb_spill_to_remote_store, 0 AS is_stale_page_detection_on, 1"
	 " AS is_memory_optimized_enabled FROM rows('databases')",
	 true},
	{"sys", "master_files", "database_id:i!," FILE_COLUMNS,
	 "SELECT b.c1 AS database_id, " FILE_SELECT, true},
	{"sys", "database_files", FILE_COLUMNS,
	 "SELECT " FILE_SELECT " WHERE b.c1 = %d%", false},
	{"sys", "configurations",
	 "configuration_id:i!,name:n35!,value:V,minimum:V,maximum:V,"
	 "value_in_use:V,description:n255!,is_dynamic:b!,is_advanced:b!",
	 "SELECT c0 AS configuration_id, c1 AS name, c2 AS value, c3 AS"
	 " minimum, c4 AS maximum, c2 AS value_in_use, c5 AS description, c6"
	 " AS is_dynamic, c7 AS is_advanced FROM rows('configurations')",
	 true},
	{"sys", "servers",
	 "server_id:i!,name:s!,product:s!,provider:s!,data_source:n4000,"
	 "location:n4000,provider_string:n4000,catalog:s,connect_timeout:i,"
	 "query_timeout:i,is_linked:b!,is_remote_login_enabled:b!,"
	 "is_rpc_out_enabled:b!,is_data_access_enabled:b!",
	 "SELECT 0 AS server_id, c0 AS name, 'SQL Server' AS product,"
	 " 'SQLNCLI' AS provider, c0 AS data_source, NULL AS location, NULL AS"
	 " provider_string, NULL AS catalog, 0 AS connect_timeout, 0 AS"
	 " query_timeout, 0 AS is_linked, 1 AS is_remote_login_enabled, 1 AS"
	 " is_rpc_out_enabled, 0 AS is_data_access_enabled FROM"
	 " rows('server_facts')",
	 true},
	{"sys", "server_principals",
	 "name:s!,principal_id:i!,sid:x85,type:c1!,type_desc:n60,"
	 "is_disabled:b,create_date:d!,modify_date:d!,"
	 "default_database_name:s,default_language_name:s,credential_id:i,"
	 "owning_principal_id:i,is_fixed_role:b!",
	 "SELECT c0 AS name, c1 AS principal_id, login_sid_(c1) AS sid, 'S' AS "
	 "type, 'SQL_LOGIN' AS type_desc, c2 AS"
	 " is_disabled, " SHIPPED_DATE " AS create_date, " SHIPPED_DATE " AS"
	 " modify_date, c3 AS default_database_name, 'us_english' AS"
	 " default_language_name, NULL AS credential_id, NULL AS"
	 " owning_principal_id, 0 AS is_fixed_role FROM rows('logins') UNION"
	 " ALL SELECT column2, column1, CAST('role ' || column1 AS BLOB), 'R',"
	 " 'SERVER_ROLE', 0, " SHIPPED_DATE ", " SHIPPED_DATE ", NULL, NULL,"
	 " NULL, 1, column1 <> 2 FROM " SERVER_ROLES,
	 true},
	{"sys", "sql_logins",
	 "name:s!,principal_id:i!,sid:x85,type:c1!,type_desc:n60,"
	 "is_disabled:b,create_date:d!,modify_date:d!,"
	 "default_database_name:s,default_language_name:s,credential_id:i,"
	 "is_policy_checked:b,is_expiration_checked:b,password_hash:x256",
	 "SELECT c0 AS name, c1 AS principal_id, login_sid_(c1) AS sid, 'S' AS "
	 "type, 'SQL_LOGIN' AS type_desc, c2 AS"
	 " is_disabled, " SHIPPED_DATE " AS create_date, " SHIPPED_DATE " AS"
	 " modify_date, c3 AS default_database_name, 'us_english' AS"
	 " default_language_name, NULL AS credential_id, 0 AS"
	 " is_policy_checked, 0 AS is_expiration_checked, NULL AS"
	 " password_hash FROM rows('logins')",
	 true},
	{"sys", "server_role_members",
	 "role_principal_id:i!,member_principal_id:i!",
	 "SELECT c1 AS role_principal_id, c0 AS member_principal_id FROM "
	 "rows('login_roles')",
	 true},
	{"sys", "database_principals",
	 "name:s!,principal_id:i!,type:c1!,type_desc:n60,"
	 "default_schema_name:s,create_date:d!,modify_date:d!,"
	 "owning_principal_id:i,sid:x85,is_fixed_role:b!,"
	 "authentication_type:i!,authentication_type_desc:n60,"
	 "default_language_name:s,default_language_lcid:i,"
	 "allow_encrypted_value_modifications:b!",
	 "SELECT name, id AS principal_id, type, " PRINCIPAL_TYPE(
		 "type") " AS"
			 " type_desc, default_schema AS default_schema_name, "
			 "CASE WHEN created"
			 " THEN " DATETIME_OF(
				 "created") " ELSE " SHIPPED_DATE " END AS"
					    " create_date, CASE WHEN created "
					    "THEN " DATETIME_OF(
						    "created") " ELSE"
							       " " SHIPPED_DATE
							       " END AS "
							       "modify_date, "
							       "owner AS"
							       " owning_"
							       "principal_id, "
							       "CASE WHEN "
							       "login > 0 THEN"
							       " login_sid_("
							       "login) WHEN id "
							       "= 2 THEN x'00' "
							       "WHEN id"
							       " > 4 OR id = 0 "
							       "THEN "
							       "CAST('user ' "
							       "|| id AS BLOB) "
							       "END AS sid, "
							       "fixed IS"
							       " 1 AS "
							       "is_fixed_role, "
							       "login > 0 AS "
							       "authentication_"
							       "type, CASE WHEN"
							       " login > 0 "
							       "THEN "
							       "'INSTANCE' "
							       "ELSE 'NONE' "
							       "END AS"
							       " authentication"
							       "_type_desc, "
							       "NULL AS "
							       "default_"
							       "language_name, "
							       "NULL AS"
							       " default_"
							       "language_lcid, "
							       "0 AS "
							       "allow_"
							       "encrypted_"
							       "value_"
							       "modifications"
							       " FROM "
							       "%p%._"
							       "principals",
	 false},
	{"sys", "database_role_members",
	 "role_principal_id:i!,member_principal_id:i!",
	 "SELECT role AS role_principal_id, member AS member_principal_id FROM"
	 " %p%._members",
	 false},
	{"sys", "database_permissions",
	 "class:t!,class_desc:n60,major_id:i!,minor_id:i!,"
	 "grantee_principal_id:i!,grantor_principal_id:i!,type:c4!,"
	 "permission_name:n128,state:c1!,state_desc:n60",
	 "SELECT class, CASE class WHEN 0 THEN 'DATABASE' WHEN 1 THEN"
	 " 'OBJECT_OR_COLUMN' WHEN 3 THEN 'SCHEMA' END AS class_desc, major AS"
	 " major_id, minor AS minor_id, grantee AS grantee_principal_id,"
	 " grantor AS grantor_principal_id, substr(" PERMISSION_CODE(
		 "permission") " || '    ', 1, 4) AS type, permission"
			       " AS permission_name, state, CASE state WHEN "
			       "'G' THEN 'GRANT' WHEN"
			       " 'W' THEN 'GRANT_WITH_GRANT_OPTION' ELSE "
			       "'DENY' END AS state_desc"
			       " FROM %p%._permissions",
	 false},
	{"sys", "extended_properties",
	 "class:t!,class_desc:n60,major_id:i!,minor_id:i!,name:s!,value:V",
	 "SELECT class, CASE class WHEN 0 THEN 'DATABASE' WHEN 1 THEN"
	 " 'OBJECT_OR_COLUMN' WHEN 3 THEN 'SCHEMA' END AS class_desc, major AS"
	 " major_id, minor AS minor_id, name, value FROM %p%._properties",
	 false},
	{"sys", "dm_exec_sessions",
	 "session_id:h!,login_time:d!,host_name:n128,program_name:n128,"
	 "host_process_id:i,client_version:i,client_interface_name:n32,"
	 "security_id:x85!,login_name:n128!,nt_domain:n128,nt_user_name:n128,"
	 "status:n30!,context_info:x128,cpu_time:i!,memory_usage:i!,"
	 "total_scheduled_time:i!,total_elapsed_time:i!,endpoint_id:i!,"
	 "last_request_start_time:d!,last_request_end_time:d,reads:I!,"
	 "writes:I!,logical_reads:I!,is_user_process:b!,text_size:i!,"
	 "language:n128,date_format:n3,date_first:h!,quoted_identifier:b!,"
	 "arithabort:b!,ansi_null_dflt_on:b!,ansi_defaults:b!,"
	 "ansi_warnings:b!,ansi_padding:b!,ansi_nulls:b!,"
	 "concat_null_yields_null:b!,transaction_isolation_level:h!,"
	 "lock_timeout:i!,deadlock_priority:i!,row_count:I!,prev_error:i!,"
	 "original_security_id:x85!,original_login_name:n128!,"
	 "last_successful_logon:d,last_unsuccessful_logon:d,"
	 "unsuccessful_logons:I,group_id:i!,database_id:h!,"
	 "authenticating_database_id:i,open_transaction_count:i!,"
	 "page_server_reads:I!",
	 "SELECT s.c0 AS session_id, s.c1 AS login_time, s.c2 AS host_name,"
	 " s.c3 AS program_name, s.c4 AS host_process_id, 7 AS client_version,"
	 " s.c26 AS client_interface_name, login_sid_(s.c29) AS"
	 " security_id, s.c5 AS login_name, '' AS nt_domain, '' AS"
	 " nt_user_name, CASE WHEN s.c6 THEN 'running' ELSE 'sleeping' END AS"
	 " status, x'' AS context_info, 0 AS cpu_time, 4 AS memory_usage, 0 AS"
	 " total_scheduled_time, 0 AS total_elapsed_time, 4 AS endpoint_id,"
	 " s.c1 AS last_request_start_time, s.c1 AS last_request_end_time, 0"
	 " AS reads, 0 AS writes, 0 AS logical_reads, s.c10 AS is_user_process"
	 ", s.c22 AS text_size, s.c27 AS language, 'mdy' AS date_format, s.c21"
	 " AS date_first, s.c30 AS quoted_identifier, s.c31 AS arithabort,"
	 " s.c32 AS ansi_null_dflt_on, 0 AS ansi_defaults, s.c33 AS"
	 " ansi_warnings, 1 AS ansi_padding, 1 AS ansi_nulls, s.c34 AS"
	 " concat_null_yields_null, s.c8 AS transaction_isolation_level, s.c17"
	 " AS lock_timeout, s.c18 AS deadlock_priority, s.c19 AS row_count,"
	 " s.c20 AS prev_error, login_sid_(s.c29) AS"
	 " original_security_id, s.c16 AS original_login_name, NULL AS"
	 " last_successful_logon, NULL AS last_unsuccessful_logon, NULL AS"
	 " unsuccessful_logons, 2 AS group_id, s.c9 AS database_id, 1 AS"
	 " authenticating_database_id, s.c7 AS open_transaction_count, 0 AS"
	 " page_server_reads " SESSIONS,
	 true},
	{"sys", "dm_exec_connections",
	 "session_id:i,most_recent_session_id:i,connect_time:d!,"
	 "net_transport:n40!,protocol_type:n40,protocol_version:i,"
	 "endpoint_id:i,encrypt_option:n40!,auth_scheme:n40!,"
	 "node_affinity:h!,num_reads:i,num_writes:i,last_read:d,last_write:d,"
	 "net_packet_size:i,client_net_address:v48,client_tcp_port:i,"
	 "local_net_address:v48,local_tcp_port:i,connection_id:g!,"
	 "parent_connection_id:g,most_recent_sql_handle:x64",
	 "SELECT s.c0 AS session_id, s.c0 AS most_recent_session_id, s.c1 AS"
	 " connect_time, 'TCP' AS net_transport, 'TSQL' AS protocol_type,"
	 " s.c24 AS protocol_version, 4 AS endpoint_id, CASE WHEN s.c25 THEN"
	 " 'TRUE' ELSE 'FALSE' END AS encrypt_option, 'SQL' AS auth_scheme, 0"
	 " AS node_affinity, 0 AS num_reads, 0 AS num_writes, s.c1 AS"
	 " last_read, s.c1 AS last_write, s.c23 AS net_packet_size, s.c11 AS"
	 " client_net_address, NULL AS client_tcp_port, f.c6 AS"
	 " local_net_address, f.c3 AS local_tcp_port, zeroblob(16) AS"
	 " connection_id, NULL AS parent_connection_id, " HANDLE(
		 "s.c0") " AS most_recent_sql_handle " SESSIONS
			 " JOIN rows('server_facts') f"
			 " WHERE " USER_SESSION,
	 true},
	{"sys", "dm_exec_requests",
	 "session_id:h!,request_id:i!,start_time:d!,status:n30!,command:n32!,"
	 "sql_handle:x64,statement_start_offset:i,statement_end_offset:i,"
	 "plan_handle:x64,database_id:h!,user_id:i!,connection_id:g,"
	 "blocking_session_id:h,wait_type:n60,wait_time:i!,last_wait_type:n60!"
	 ",wait_resource:n256!,open_transaction_count:i!,"
	 "open_resultset_count:i!,transaction_id:I!,context_info:x128,"
	 "percent_complete:r!,estimated_completion_time:I!,cpu_time:i!,"
	 "total_elapsed_time:i!,scheduler_id:i,reads:I!,writes:I!,"
	 "logical_reads:I!,text_size:i!,language:n128,"
	 "transaction_isolation_level:h!,lock_timeout:i!,deadlock_priority:i!,"
	 "row_count:I!,prev_error:i!,nest_level:i!,granted_query_memory:i!",
	 "SELECT s.c0 AS session_id, 0 AS request_id, s.c1 AS start_time, CASE"
	 " WHEN s.c15 THEN 'suspended' ELSE 'running' END AS status, upper("
	 "substr(ltrim(s.c12), 1, instr(ltrim(s.c12) || ' ', ' ') - 1)) AS"
	 " command, " HANDLE(
		 "s.c0") " AS sql_handle, 0 AS"
			 " statement_start_offset, -1 AS statement_end_offset, "
			 "NULL AS"
			 " plan_handle, s.c9 AS database_id, 1 AS user_id, "
			 "NULL AS"
			 " connection_id, s.c15 AS blocking_session_id, CASE "
			 "WHEN s.c15 THEN"
			 " 'LCK_M_X' END AS wait_type, 0 AS wait_time, "
			 "'MISCELLANEOUS' AS"
			 " last_wait_type, '' AS wait_resource, s.c7 AS"
			 " open_transaction_count, 1 AS open_resultset_count, "
			 "s.c13 AS"
			 " transaction_id, x'' AS context_info, 0.0 AS "
			 "percent_complete, 0 AS"
			 " estimated_completion_time, 0 AS cpu_time, 0 AS "
			 "total_elapsed_time,"
			 " 0 AS scheduler_id, 0 AS reads, 0 AS writes, 0 AS "
			 "logical_reads,"
			 " s.c22 AS text_size, s.c27 AS language, s.c8 AS"
			 " transaction_isolation_level, s.c17 AS lock_timeout, "
			 "s.c18 AS"
			 " deadlock_priority, s.c19 AS row_count, s.c20 AS "
			 "prev_error, s.c28"
			 " AS nest_level, 0 AS granted_query_memory " SESSIONS
			 " WHERE s.c6",
	 true},
	{"sys", "dm_tran_locks",
	 "resource_type:n60!,resource_subtype:n60!,resource_database_id:i!,"
	 "resource_description:n256!,resource_associated_entity_id:I,"
	 "resource_lock_partition:i!,request_mode:n60!,request_type:n60!,"
	 "request_status:n60!,request_reference_count:h!,"
	 "request_lifetime:i!,request_session_id:i!,"
	 "request_exec_context_id:i!,request_request_id:i!,"
	 "request_owner_type:n60!,request_owner_id:I",
	 "SELECT c0 AS resource_type, '' AS resource_subtype, c1 AS"
	 " resource_database_id, c7 AS resource_description, 0 AS"
	 " resource_associated_entity_id, 0 AS resource_lock_partition, c2 AS"
	 " request_mode, 'LOCK' AS request_type, c3 AS request_status, c6 AS"
	 " request_reference_count, 0 AS request_lifetime, c4 AS"
	 " request_session_id, 0 AS request_exec_context_id, 0 AS"
	 " request_request_id, c5 AS request_owner_type, 0 AS request_owner_id"
	 " FROM rows('locks')",
	 true},
	{"sys", "dm_tran_active_transactions",
	 "transaction_id:I!,name:n32!,transaction_begin_time:d!,"
	 "transaction_type:i!,transaction_uow:g,transaction_state:i!,"
	 "transaction_status:i!,transaction_status2:i!,dtc_state:i!,"
	 "dtc_status:i!,dtc_isolation_level:i!",
	 "SELECT c13 AS transaction_id, 'user_transaction' AS name, c14 AS"
	 " transaction_begin_time, 1 AS transaction_type, NULL AS"
	 " transaction_uow, 2 AS transaction_state, 0 AS transaction_status, 0"
	 " AS transaction_status2, 0 AS dtc_state, 0 AS dtc_status, -1 AS"
	 " dtc_isolation_level FROM rows('sessions') WHERE c7 > 0",
	 true},
	{"sys", "dm_tran_session_transactions",
	 "session_id:i!,transaction_id:I!,transaction_descriptor:B8!,"
	 "enlist_count:i!,is_user_transaction:b!,is_local:b!,is_enlisted:b!,"
	 "is_bound:b!,open_transaction_count:i!",
	 "SELECT c0 AS session_id, c13 AS transaction_id, zeroblob(8) AS"
	 " transaction_descriptor, 1 AS enlist_count, 1 AS"
	 " is_user_transaction, 1 AS is_local, 0 AS is_enlisted, 0 AS is_bound"
	 ", c7 AS open_transaction_count FROM rows('sessions') WHERE c7 > 0",
	 true},
	{"sys", "dm_os_sys_info",
	 "cpu_ticks:I!,ms_ticks:I!,cpu_count:i!,hyperthread_ratio:i!,"
	 "physical_memory_kb:I!,virtual_memory_kb:I!,committed_kb:I!,"
	 "committed_target_kb:I!,max_workers_count:i!,scheduler_count:i!,"
	 "sqlserver_start_time:d!,virtual_machine_type:i!,"
	 "virtual_machine_type_desc:n60!",
	 "SELECT 0 AS cpu_ticks, 0 AS ms_ticks, c4 AS cpu_count, 1 AS"
	 " hyperthread_ratio, c5 AS physical_memory_kb, c5 AS"
	 " virtual_memory_kb, 0 AS committed_kb, c5 AS committed_target_kb, 512"
	 " AS max_workers_count, c4 AS scheduler_count, c2 AS"
	 " sqlserver_start_time, 0 AS virtual_machine_type, 'NONE' AS"
	 " virtual_machine_type_desc FROM rows('server_facts')",
	 true},
	{"sys", "dm_server_services",
	 "servicename:n256!,startup_type:i,startup_type_desc:n256!,status:i,"
	 "status_desc:n256!,process_id:i,service_account:n256!,"
	 "filename:n256!,is_clustered:n1!,cluster_nodename:n256",
	 "SELECT c0 AS servicename, 2 AS startup_type, 'Automatic' AS"
	 " startup_type_desc, c1 AS status, c2 AS status_desc, NULL AS"
	 " process_id, 'mssql' AS service_account, '' AS filename, 'N' AS"
	 " is_clustered, NULL AS cluster_nodename FROM rows('services')",
	 true},
	/* no view of SQL Server's: which application sent what how often */
	{"sys", "dm_tdsd_statements",
	 "program_name:n128!,database_name:n128!,statement_text:N,"
	 "execution_count:I!",
	 "SELECT c0 AS program_name, c1 AS database_name, c2 AS"
	 " statement_text, c3 AS execution_count FROM rows('statements')",
	 true},
	{NULL, NULL, NULL, NULL, false},
};
