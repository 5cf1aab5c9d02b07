#ifndef DRIVERS_POSTGRESQL_STREAMS_H
#define DRIVERS_POSTGRESQL_STREAMS_H

#include "drivers/postgresql/server.h"
#include "drivers/postgresql/stream.h"

/*
 * The streams of a server, one for each database that changes are read of. A
 * server that is made twice, as when a setting changes while workers go on with
 * the old one, has the same ones: a slot has one reader. Any thread may call.
 */
int streams_new(struct streams **out, const struct server_spec *spec,
		struct error *err) __attribute__((warn_unused_result));
void streams_free(struct streams *streams); /* NULL is fine */

/*
 * That of a database, which `conn` is connected to; made unless it is there.
 * Lasts as long as the streams.
 */
int streams_find(struct streams *streams, const char *database, struct pg *conn,
		 struct stream **out, struct error *err)
	__attribute__((warn_unused_result));

/* What is, or will be, set up in the database that `conn` is connected to. */
int streams_names(const struct streams *streams, struct pg *conn,
		  struct slot_names *out, struct error *err)
	__attribute__((warn_unused_result));

/* The driver's mappings(). */
int streams_see(struct postgresql *server,
		const struct server_mapping *mappings, size_t count,
		struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));

#endif
