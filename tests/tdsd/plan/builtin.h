#ifndef TDSD_BUILTIN_H
#define TDSD_BUILTIN_H

#include "plan/translate.h"

/*
 * The built-in functions. Most are one line: what each argument is converted
 * to, the result's type and the SQLite function to call.
 *
 *   args   one letter each, the last repeats:
 *          s  text (numbers become varchar)    n  nvarchar(max)
 *          i  int        I  bigint       f  float       b  varbinary(max)
 *          x  as it is   X  as it is, and its packed type behind it
 *          S  text, and its packed type behind it
 *          D  any date or time: text becomes datetime2; with packed type
 *   ret    i int, I bigint, f float, b bit, t tinyint, h smallint,
 *          s sysname, N nvarchar(max), g uniqueidentifier, d datetime,
 *          0 text like the first argument, and of variable length,
 *          nNN nvarchar(NN), vNN varchar(NN), V varbinary(max),
 *          BNN varbinary(NN), a sql_variant, m numeric(38,0)
 *   custom does everything itself instead
 */
struct builtin {
	const char *name;
	int min, max; /* arguments; max -1: any number */
	const char *args, *ret;
	const char *sqlite;
	struct ex (*custom)(struct tr *t, const struct expr *e);
	bool volatile_; /* not deterministic */
	bool not_null;
};

extern const struct builtin builtins_text[];
extern const struct builtin builtins_math[];
extern const struct builtin builtins_date[];
extern const struct builtin builtins_logic[];
extern const struct builtin builtins_meta[];
extern const struct builtin builtins_cdc[]; /* sys.fn_cdc_…: cdc/ */

/* Translate argument `e` and convert it as the letter says. */
struct ex builtin_arg(struct tr *t, const struct expr *e, char letter, int n,
		      const char *function);

/* The n-th argument, from 0. */
const struct expr *call_arg(const struct expr *e, int n);

/* An ex that calls an SQLite function with ready arguments. */
struct ex builtin_call(struct tr *t, struct type type, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Text for functions of text: numbers and dates become varchar. */
struct ex tr_as_text(struct tr *t, struct ex a);

/* The same text type, of variable length and `chars` characters long. */
struct type text_type_like(struct type t, int64_t chars);

#endif
