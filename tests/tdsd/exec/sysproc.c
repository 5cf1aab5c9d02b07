/* The table of system procedures. */
#include "exec/proc.h"

#include <strings.h>

#include "cdc/cdc_procs.h"
#include "cdc/tracking.h"
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
	{"sp_flush_CT_internal_table_on_demand", tracking_proc_flush},
	{"sp_start_job", cdc_proc_agent_start},
	{"sp_stop_job", cdc_proc_agent_stop},
	{"sp_configure", sysproc_configure},
};

const struct sysproc *sysproc_find(const char *name)
{
	size_t i;

	for (i = 0; i < LENGTH_OF(procs); i++)
		if (!strcasecmp(procs[i].name, name))
			return &procs[i];
	return NULL;
}

const struct sysproc *sysproc_at(int index)
{
	return (size_t)index < LENGTH_OF(procs) ? &procs[index] : NULL;
}
