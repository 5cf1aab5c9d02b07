#include "exec/server.h"

struct server the_server;

int64_t server_next_tran(struct server *srv)
{
	int64_t id;

	pthread_mutex_lock(&srv->lock);
	id = ++srv->next_tran;
	pthread_mutex_unlock(&srv->lock);
	return id;
}
