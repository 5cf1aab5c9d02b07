#ifndef TDSD_SECURITY_H
#define TDSD_SECURITY_H

#include "exec/server.h"

/* sp_configure: 0, or -1 when there is no option of that name. */
int server_config_set(struct server *srv, const char *name, int64_t value,
		      int64_t *old);
int64_t server_config_get(struct server *srv, const char *name);

/* The options one by one; false behind the end. */
struct config_row {
	int id;
	const char *name;
	int64_t value, min, max;
	const char *description;
	bool dynamic, advanced;
};
bool server_config_at(struct server *srv, int index, struct config_row *out);

#endif
