#ifndef TDSD_GLOBAL_H
#define TDSD_GLOBAL_H

#include "exec/session.h"
#include "value/type.h"

/* @@ROWCOUNT and its like: the type by name (TY_NONE: no such), the value. */
struct type global_type(const char *name);
struct val global_value(struct session *s, const char *name);

#define VERSION_TEXT                                                           \
	"Microsoft SQL Server 2019 (RTM-CU22) (KB5027702) - 15.0.4322.2 (X64)" \
	" \n\tJul 27 2023 18:11:00 \n\tCopyright (C) 2019 Microsoft "          \
	"Corporation\n\tDeveloper Edition (64-bit) on Linux (tdsd, a stand-in" \
	" for tests) <X64>"

#endif
