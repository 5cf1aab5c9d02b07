#ifndef TDSD_TVF_H
#define TDSD_TVF_H

#include "plan/translate.h"

/*
 * Table-valued functions that are built in. An entry translates a call:
 * `make` returns what stands in FROM, or NULL with t->failed. `args` are the
 * call's; their number has been checked.
 */
struct tvf {
	const char *schema; /* "sys", "cdc", …; NULL: called without one */
	/* a trailing '*' takes every name that starts so */
	const char *name;
	int min, max; /* arguments */
	struct rel *(*make)(struct tr *t, const struct table_ref *ref);
};

extern const struct tvf tvfs_cdc[]; /* ends with a NULL name */

/* CHANGETABLE(…) */
struct rel *tvf_changetable(struct tr *t, const struct table_ref *ref);

/* NULL (not failed): none such. */
struct rel *tvf_builtin(struct tr *t, const struct table_ref *ref);

/*
 * The rel of SELECT … FROM rows('maker' args): `columns` as a sysview has
 * them (plan/sysviews.h), `args` each with a comma in front.
 */
struct rel *tvf_rows(struct tr *t, const char *maker, const char *columns,
		     const char *args);

/* The n-th argument from 0, converted as builtin_arg() does. */
struct ex tvf_arg(struct tr *t, const struct table_ref *ref, int n,
		  char letter);

#endif
