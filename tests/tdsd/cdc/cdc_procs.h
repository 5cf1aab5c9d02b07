#ifndef TDSD_CDC_PROCS_H
#define TDSD_CDC_PROCS_H

#include "exec/proc.h"

/* sys.sp_cdc_…; what each does is in SQL Server's documentation. */
enum flow cdc_proc_enable_db(struct call *c);
enum flow cdc_proc_disable_db(struct call *c);
enum flow cdc_proc_enable_table(struct call *c);
enum flow cdc_proc_disable_table(struct call *c);
enum flow cdc_proc_help(struct call *c);
enum flow cdc_proc_help_jobs(struct call *c);
enum flow cdc_proc_add_job(struct call *c);
enum flow cdc_proc_drop_job(struct call *c);
enum flow cdc_proc_change_job(struct call *c);
enum flow cdc_proc_start_job(struct call *c);
enum flow cdc_proc_stop_job(struct call *c);
enum flow cdc_proc_scan(struct call *c);
enum flow cdc_proc_cleanup(struct call *c);
enum flow cdc_proc_captured_columns(struct call *c);
enum flow cdc_proc_ddl_history(struct call *c);
/* msdb.dbo.sp_start_job and sp_stop_job, which know these jobs only. */
enum flow cdc_proc_agent_start(struct call *c);
enum flow cdc_proc_agent_stop(struct call *c);

#endif
