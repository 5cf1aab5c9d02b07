#ifndef TDSD_CDC_PROC_H
#define TDSD_CDC_PROC_H

#include "ddl/ddl.h"
#include "exec/proc.h"

/* What the procedures of sp_cdc_… have in common. */
struct cdc_call {
	struct call *c;
	struct ddl x;
	struct arena pool;
	struct diag d;
};

enum cdc_right { CDC_ANYONE, CDC_OWNER, CDC_SYSADMIN };

/*
 * Run `body` as one statement that writes the current database: names of the
 * parameters, rights and (`need_on`) whether capture is on are checked first.
 */
enum flow cdc_run(struct call *c, const char *proc, const char *const *names,
		  enum cdc_right right, bool need_on,
		  int (*body)(struct cdc_call *k));

/* Only the checks, for procedures that read; the statement is not open. */
enum flow cdc_check(struct call *c, const char *proc, const char *const *names,
		    enum cdc_right right, bool need_on);

/* A message of the server's that is no error. */
void cdc_info(struct call *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The two jobs as the first enabled table makes them. */
void cdc_add_default_jobs(struct call *c);

#endif
