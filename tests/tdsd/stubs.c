#include "cdc/cdc.h"
#include "cdc/cdc_procs.h"
#include "cdc/log.h"
#include "cdc/tracking.h"
#include "dml/merge.h"
#include "exec/stmts.h"
#include "fn/fn.h"
#include "fn/rows.h"
#include "plan/builtin.h"
#include "plan/sysviews.h"
#include "plan/tvf.h"
const struct row_maker row_makers_cdc[] = {{NULL,0,NULL}};
const struct sysview sysviews_cdc[] = {{NULL,NULL,NULL,NULL,false}};
void merge_plan_free(struct merge_plan *m){(void)m;}
enum flow exec_merge(struct session *s, struct stmt *st){struct diag d; diag_set(&d,40517,"MERGE"); return run_error(s,&d,st,false);}
int64_t log_next_command(struct session *s, struct attached *home){(void)s;(void)home;return 0;}
int log_row(struct session *s, struct table *t, int64_t command, char op,
	    const struct val *old, const struct val *row, const bool *set,
	    struct diag *d){(void)s;(void)t;(void)command;(void)op;(void)old;(void)row;(void)set;(void)d;return 0;}
int log_commit(struct session *s, struct attached *home, struct diag *d){(void)s;(void)home;(void)d;return 0;}
void log_committed(struct session *s, struct attached *home){(void)s;(void)home;}
void cdc_start(struct server *srv){(void)srv;}
void cdc_stop(struct server *srv){(void)srv;}
int cdc_table_dropped(struct ddl *x, struct table *t){(void)x;(void)t;return 0;}
void cdc_forget_database(struct server *srv, struct database *db){(void)srv;(void)db;}
int ddl_record_cdc(struct ddl *x, const struct table *t, const char *command){(void)x;(void)t;(void)command;return 0;}
int tracking_enable(struct ddl *x, struct table *t, bool e, bool c){(void)x;(void)t;(void)e;(void)c;return 0;}
#define P(n) enum flow n(struct call *c){struct diag d; diag_set(&d,40517,#n); return call_error(c,&d);}
P(cdc_proc_enable_db) P(cdc_proc_disable_db) P(cdc_proc_enable_table) P(cdc_proc_disable_table) P(cdc_proc_help) P(cdc_proc_help_jobs) P(cdc_proc_add_job) P(cdc_proc_drop_job) P(cdc_proc_change_job) P(cdc_proc_start_job) P(cdc_proc_stop_job) P(cdc_proc_scan) P(cdc_proc_cleanup) P(cdc_proc_captured_columns) P(cdc_proc_ddl_history)
const struct tvf tvfs_cdc[] = {{NULL,NULL,0,0,NULL}};
struct rel *tvf_changetable(struct tr *t, const struct table_ref *ref){(void)ref; tr_fail(t,40517,"CHANGETABLE",NULL);return NULL;}
const struct builtin builtins_cdc[] = {{NULL, 0, 0, NULL, NULL, NULL, NULL, false, false}};
void fn_register_cdc(struct session *s){(void)s;}
