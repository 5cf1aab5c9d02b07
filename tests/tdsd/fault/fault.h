#ifndef TDSD_FAULT_H
#define TDSD_FAULT_H

#include "exec/proc.h"

/*
 * Faults that tests order with EXEC sys.sp_tdsd_fault, and the switches of
 * sp_tdsd_option. README.md describes them.
 *
 * Each of these asks whether a fault is due at some point. 0: go on. -1: `d`
 * holds the error to raise, or the connection is to be closed (s->broken).
 */
int fault_login(struct session *s, struct diag *d);
int fault_batch(struct session *s, const char *text, size_t len, bool before,
		struct diag *d);
int fault_event(struct session *s, const char *event, bool before,
		struct diag *d);
int fault_row(struct session *s, struct diag *d);

enum flow fault_proc_set(struct call *c);
enum flow fault_proc_clear(struct call *c);
enum flow fault_proc_option(struct call *c);

void fault_clear(struct server *srv);

#endif
