#ifndef TDSD_CONTEXT_H
#define TDSD_CONTEXT_H

#include "exec/session.h"

/* A key of sp_set_session_context; NULL when it is not set. */
const struct val *context_get(struct session *s, const char *name,
			      struct type *type);

#endif
