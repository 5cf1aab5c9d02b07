#ifndef TDSD_SYSPROCS_H
#define TDSD_SYSPROCS_H

#include "exec/proc.h"

/* System procedures; what each does is in SQL Server's documentation. */
enum flow sysproc_nothing(struct call *c);
enum flow sysproc_rename(struct call *c);
enum flow sysproc_reset(struct call *c);
enum flow sysproc_getapplock(struct call *c);
enum flow sysproc_releaseapplock(struct call *c);
enum flow sysproc_set_context(struct call *c);
enum flow sysproc_tables(struct call *c);
enum flow sysproc_columns(struct call *c);
enum flow sysproc_pkeys(struct call *c);
enum flow sysproc_fkeys(struct call *c);
enum flow sysproc_statistics(struct call *c);
enum flow sysproc_stored_procedures(struct call *c);
enum flow sysproc_sproc_columns(struct call *c);
enum flow sysproc_special_columns(struct call *c);
enum flow sysproc_databases(struct call *c);
enum flow sysproc_server_info(struct call *c);
enum flow sysproc_datatype_info(struct call *c);
enum flow sysproc_helptext(struct call *c);
enum flow sysproc_helpdb(struct call *c);
enum flow sysproc_help(struct call *c);
enum flow sysproc_helpindex(struct call *c);
enum flow sysproc_helpconstraint(struct call *c);
enum flow sysproc_who(struct call *c);
enum flow sysproc_lock(struct call *c);
enum flow sysproc_spaceused(struct call *c);
enum flow sysproc_configure(struct call *c);
enum flow sysproc_addrolemember(struct call *c);
enum flow sysproc_droprolemember(struct call *c);
enum flow sysproc_addsrvrolemember(struct call *c);
enum flow sysproc_dropsrvrolemember(struct call *c);
enum flow sysproc_addlogin(struct call *c);
enum flow sysproc_password(struct call *c);
enum flow sysproc_grantdbaccess(struct call *c);
enum flow sysproc_addproperty(struct call *c);
enum flow sysproc_updateproperty(struct call *c);
enum flow sysproc_dropproperty(struct call *c);
enum flow sysproc_describe(struct call *c);
enum flow sysproc_foreachtable(struct call *c);
enum flow sysproc_foreachdb(struct call *c);
enum flow sysproc_ro_usrname(struct call *c);
enum flow sysproc_job(struct call *c);

#endif
