#ifndef TDSD_SYSPROCS_H
#define TDSD_SYSPROCS_H

#include "exec/proc.h"

/* System procedures; what each does is in SQL Server's documentation. */
enum flow sysproc_rename(struct call *c);
enum flow sysproc_reset(struct call *c);
enum flow sysproc_getapplock(struct call *c);
enum flow sysproc_releaseapplock(struct call *c);
enum flow sysproc_set_context(struct call *c);
enum flow sysproc_configure(struct call *c);

#endif
