#ifndef TDSD_PREPARED_H
#define TDSD_PREPARED_H

#include "exec/proc.h"

/*
 * sp_executesql, and sp_prepare, sp_execute, sp_prepexec and sp_unprepare:
 * text with a list of parameters.
 */
enum flow prepared_executesql(struct call *c);
enum flow prepared_prepare(struct call *c);
enum flow prepared_execute(struct call *c);
enum flow prepared_prepexec(struct call *c);
enum flow prepared_unprepare(struct call *c);

/* The text behind a handle; NULL when there is none. */
const char *prepared_text(const struct session *s, int64_t handle);

void prepared_free(struct session *s);
void context_free(struct session *s); /* session context */

#endif
