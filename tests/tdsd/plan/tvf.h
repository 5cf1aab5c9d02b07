#ifndef TDSD_TVF_H
#define TDSD_TVF_H

#include "plan/translate.h"

/* Table-valued functions that are built in. NULL (not failed): none such. */
struct rel *tvf_builtin(struct tr *t, const struct table_ref *ref);

/* A multi-statement function of the user's. */
struct rel *tvf_module(struct tr *t, struct table *fn,
		       const struct expr *args);

#endif
