#ifndef TDSD_STMTS_H
#define TDSD_STMTS_H

#include "exec/run.h"

/* One function for each kind of statement. */
enum flow exec_select(struct session *s, struct stmt *st);
enum flow exec_insert(struct session *s, struct stmt *st);
enum flow exec_update(struct session *s, struct stmt *st);
enum flow exec_delete(struct session *s, struct stmt *st);
enum flow exec_truncate(struct session *s, struct stmt *st);
enum flow exec_insert_bulk(struct session *s, struct stmt *st);
enum flow exec_set_option(struct session *s, struct stmt *st);
enum flow exec_set_identity(struct session *s, struct stmt *st);
enum flow exec_exec(struct session *s, struct stmt *st);
enum flow exec_ddl(struct session *s, struct stmt *st);
enum flow exec_security(struct session *s, struct stmt *st);
enum flow exec_grant(struct session *s, struct stmt *st);
enum flow exec_dbcc(struct session *s, struct stmt *st);
enum flow exec_kill(struct session *s, struct stmt *st);
enum flow exec_execute_as(struct session *s, struct stmt *st);
enum flow exec_raiserror(struct session *s, struct stmt *st);
enum flow exec_throw(struct session *s, struct stmt *st);
enum flow exec_print(struct session *s, struct stmt *st);

/* The error after which a doomed transaction takes no more writes. */
int exec_check_doomed(struct session *s, struct diag *d);

#endif
