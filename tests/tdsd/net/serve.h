#ifndef TDSD_SERVE_H
#define TDSD_SERVE_H

#include "exec/server.h"

/*
 * Listen and serve: a thread for each connection. serve_open() binds and
 * returns the port (0 asks for any), serve_run() accepts until the server is
 * told to stop and then waits for its threads.
 */
int serve_open(struct server *srv, const char *host, int port, char *err,
	       size_t err_size);
void serve_run(struct server *srv);

/* Serve one client that has connected, until it has gone; closes `fd`. */
void serve_client(struct server *srv, int fd, const char *address);

#endif
