/* The table of system procedures. */
#include "exec/proc.h"

#include <strings.h>

#include "cdc/cdc_procs.h"
#include "exec/prepared.h"
#include "exec/sysprocs.h"
#include "fault/fault.h"

static const struct sysproc procs[] = {
	{"sp_executesql", prepared_executesql},
	{"sp_prepare", prepared_prepare},
	{"sp_execute", prepared_execute},
	{"sp_prepexec", prepared_prepexec},
	{"sp_unprepare", prepared_unprepare},
	{"sp_rename", sysproc_rename},
	{"sp_reset_connection", sysproc_reset},
	{"sp_getapplock", sysproc_getapplock},
	{"sp_releaseapplock", sysproc_releaseapplock},
	{"sp_set_session_context", sysproc_set_context},
	{"sp_tdsd_fault", fault_proc_set},
	{"sp_tdsd_fault_clear", fault_proc_clear},
	{"sp_tdsd_option", fault_proc_option},
	{"sp_cdc_enable_db", cdc_proc_enable_db},
	{"sp_cdc_disable_db", cdc_proc_disable_db},
	{"sp_cdc_enable_table", cdc_proc_enable_table},
	{"sp_cdc_disable_table", cdc_proc_disable_table},
	{"sp_cdc_help_change_data_capture", cdc_proc_help},
	{"sp_cdc_help_jobs", cdc_proc_help_jobs},
	{"sp_cdc_add_job", cdc_proc_add_job},
	{"sp_cdc_drop_job", cdc_proc_drop_job},
	{"sp_cdc_change_job", cdc_proc_change_job},
	{"sp_cdc_start_job", cdc_proc_start_job},
	{"sp_cdc_stop_job", cdc_proc_stop_job},
	{"sp_cdc_scan", cdc_proc_scan},
	{"sp_cdc_cleanup_change_table", cdc_proc_cleanup},
	{"sp_cdc_get_captured_columns", cdc_proc_captured_columns},
	{"sp_cdc_get_ddl_history", cdc_proc_ddl_history},
	{"sp_flush_commit_table_on_demand", sysproc_nothing},
	{"sp_flush_CT_internal_table_on_demand", sysproc_nothing},
	{"sp_tables", sysproc_tables},
	{"sp_columns", sysproc_columns},
	{"sp_columns_100", sysproc_columns},
	{"sp_pkeys", sysproc_pkeys},
	{"sp_fkeys", sysproc_fkeys},
	{"sp_statistics", sysproc_statistics},
	{"sp_stored_procedures", sysproc_stored_procedures},
	{"sp_databases", sysproc_databases},
	{"sp_server_info", sysproc_server_info},
	{"sp_datatype_info", sysproc_datatype_info},
	{"sp_datatype_info_100", sysproc_datatype_info},
	{"sp_helptext", sysproc_helptext},
	{"sp_helpdb", sysproc_helpdb},
	{"sp_help", sysproc_help},
	{"sp_helpindex", sysproc_helpindex},
	{"sp_helpconstraint", sysproc_helpconstraint},
	{"sp_who", sysproc_who},
	{"sp_who2", sysproc_who},
	{"sp_lock", sysproc_lock},
	{"sp_spaceused", sysproc_spaceused},
	{"sp_configure", sysproc_configure},
	{"sp_addrolemember", sysproc_addrolemember},
	{"sp_droprolemember", sysproc_droprolemember},
	{"sp_addsrvrolemember", sysproc_addsrvrolemember},
	{"sp_dropsrvrolemember", sysproc_dropsrvrolemember},
	{"sp_addlogin", sysproc_addlogin},
	{"sp_password", sysproc_password},
	{"sp_grantdbaccess", sysproc_grantdbaccess},
	{"sp_adduser", sysproc_grantdbaccess},
	{"sp_dboption", sysproc_nothing},
	{"sp_settriggerorder", sysproc_nothing},
	{"sp_updatestats", sysproc_nothing},
	{"sp_recompile", sysproc_nothing},
	{"sp_refreshview", sysproc_nothing},
	{"sp_refreshsqlmodule", sysproc_nothing},
	{"sp_changedbowner", sysproc_nothing},
	{"sp_changeobjectowner", sysproc_nothing},
	{"sp_tableoption", sysproc_nothing},
	{"sp_indexoption", sysproc_nothing},
	{"sp_trace_setstatus", sysproc_nothing},
	{"sp_addmessage", sysproc_nothing},
	{"sp_dropmessage", sysproc_nothing},
	{"sp_autostats", sysproc_nothing},
	{"sp_MScleanupmergepublisher", sysproc_nothing},
	{"sp_addextendedproperty", sysproc_addproperty},
	{"sp_updateextendedproperty", sysproc_updateproperty},
	{"sp_dropextendedproperty", sysproc_dropproperty},
	{"sp_describe_first_result_set", sysproc_describe},
	{"sp_MSforeachtable", sysproc_foreachtable},
	{"sp_MSforeachdb", sysproc_foreachdb},
	{"sp_oledb_ro_usrname", sysproc_ro_usrname},
	{"sp_sproc_columns", sysproc_sproc_columns},
	{"sp_special_columns", sysproc_special_columns},
	{"sp_start_job", sysproc_job},
	{"sp_stop_job", sysproc_job},
};

const struct sysproc *sysproc_find(const char *name)
{
	size_t i;

	for (i = 0; i < LENGTH_OF(procs); i++)
		if (!strcasecmp(procs[i].name, name))
			return &procs[i];
	return NULL;
}
