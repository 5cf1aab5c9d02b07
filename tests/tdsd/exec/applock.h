#ifndef TDSD_APPLOCK_H
#define TDSD_APPLOCK_H

#include "exec/session.h"

/* The application locks of sp_getapplock: their names and modes. */
void applock_name(struct session *s, const char *resource, char *buf,
		  size_t size);
bool applock_mode_find(const char *text, enum lock_mode *mode);

#endif
