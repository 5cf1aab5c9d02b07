/*
 * The server tells a table's definition once, before its first change, and
 * again when it has changed. It counts a definition that was told within a
 * streamed transaction as told to all once that is committed, and as never told
 * when it came to nothing. So those belong to the transaction until then; and
 * if the table changes meanwhile, which a ROLLBACK TO SAVEPOINT allows, what was
 * told to all since stays.
 */
#include "drivers/postgresql/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Who gets a table's changes, and under which number they know it. */
struct taker {
	struct stream_mapping *mapping;
	unsigned version;
};

struct feed_route {
	struct feed_route *next; /* of its bucket */
	uint32_t table;		 /* its OID */
	uint32_t top;  /* of the streamed transaction that told it; or 0 */
	uint64_t told; /* which of all definitions it is, by when they came */
	unsigned char *message; /* what the table looks like */
	size_t len;
	struct taker *takers;
	size_t taker_count;
};

/* ------------------------------------------------------------------- routes */

static struct feed_route **bucket_of(struct stream_feed *feed, uint32_t table)
{
	return &feed->routes[table % FEED_BUCKETS];
}

static struct feed_route *find_route(struct stream_feed *feed, uint32_t table,
				     uint32_t top)
{
	struct feed_route *route = *bucket_of(feed, table);

	while (route && (route->table != table || route->top != top))
		route = route->next;
	return route;
}

static void route_free(struct feed_route *route)
{
	free(route->message);
	free(route->takers);
	free(route);
}

static void routes_free(struct stream_feed *feed)
{
	for (size_t i = 0; i < FEED_BUCKETS; i++) {
		struct feed_route *route;

		while ((route = feed->routes[i])) {
			feed->routes[i] = route->next;
			route_free(route);
		}
	}
}

/* A table that was renamed is still told, so that this is seen. */
static bool is_table(const struct stream_mapping *mapping,
		     const struct pgoutput_relation *table)
{
	return mapping->oid == table->id ||
	       (!strcmp(mapping->schema, table->schema) &&
		!strcmp(mapping->table, table->name));
}

/* Its takers anew: those mappings of the table that are fed. */
static int direct(struct stream *stream, struct feed_route *route,
		  struct error *err)
{
	struct pgoutput_message message;
	struct stream_mapping *mapping;
	struct taker *grown;
	int version;

	route->taker_count = 0;
	if (pgoutput_read(&message, route->message, route->len, false, err) < 0)
		return -1;
	for (mapping = stream->mappings; mapping; mapping = mapping->next) {
		if (!mapping->fed || !is_table(mapping, &message.table))
			continue;
		version = backlog_add_version(&mapping->backlog, route->message,
					      route->len);
		grown = version < 0
				? NULL
				: realloc(route->takers, (route->taker_count +
							  1) * sizeof(*grown));
		if (!grown)
			return error_memory(err, "the change log");
		route->takers = grown;
		grown[route->taker_count++] =
			(struct taker){mapping, (unsigned)version};
	}
	return 0;
}

static struct feed_route *route_new(struct stream_feed *feed, uint32_t table,
				    uint32_t top)
{
	struct feed_route **bucket = bucket_of(feed, table);
	struct feed_route *route = calloc(1, sizeof(*route));

	if (!route)
		return NULL;
	route->table = table;
	route->top = top;
	route->next = *bucket;
	*bucket = route;
	return route;
}

/*
 * `len` bytes behind the type are the definition, without a transaction's
 * number: so the same one is the same.
 */
static int set_route(struct stream *stream, uint32_t table, uint32_t top,
		     uint64_t told, const unsigned char *definition, size_t len,
		     struct error *err)
{
	struct feed_route *route = find_route(stream->feed, table, top);
	unsigned char *message = malloc(len + 1);

	if (!route)
		route = route_new(stream->feed, table, top);
	if (!route || !message) {
		free(message);
		return error_memory(err, "the change log");
	}
	message[0] = PGOUTPUT_RELATION;
	memcpy(message + 1, definition, len);
	free(route->message);
	route->message = message;
	route->len = len + 1;
	route->told = told;
	return direct(stream, route, err);
}

int feed_refresh(struct stream *stream, struct error *err)
{
	struct stream_feed *feed = stream->feed;

	for (size_t i = 0; i < FEED_BUCKETS; i++)
		for (struct feed_route *r = feed->routes[i]; r; r = r->next)
			if (direct(stream, r, err) < 0)
				return -1;
	return 0;
}

/* The first one that a streamed transaction told, out of its bucket. */
static struct feed_route *take_told(struct stream_feed *feed, uint32_t top)
{
	for (size_t i = 0; i < FEED_BUCKETS; i++) {
		struct feed_route **link = &feed->routes[i];
		struct feed_route *route;

		while (*link && (*link)->top != top)
			link = &(*link)->next;
		route = *link;
		if (!route)
			continue;
		*link = route->next;
		return route;
	}
	return NULL;
}

/* Unless all were told a newer one since. */
static int tell_all(struct stream *stream, const struct feed_route *route,
		    struct error *err)
{
	const struct feed_route *common =
		find_route(stream->feed, route->table, 0);

	if (common && common->told > route->told)
		return 0;
	return set_route(stream, route->table, 0, route->told,
			 route->message + 1, route->len - 1, err);
}

/* What a streamed transaction told of tables, when it is over. */
static int end_routes(struct stream *stream, uint32_t top, bool committed,
		      struct error *err)
{
	struct feed_route *route;
	int ret = 0;

	while ((route = take_told(stream->feed, top))) {
		if (committed && ret == 0)
			ret = tell_all(stream, route, err);
		route_free(route);
	}
	return ret;
}

/* ------------------------------------------------------------- transactions */

static bool is_streamed(const struct stream_feed *feed, uint32_t top)
{
	for (size_t i = 0; i < feed->streamed_count; i++)
		if (feed->streamed[i] == top)
			return true;
	return false;
}

static int begin_streamed(struct stream_feed *feed, uint32_t top,
			  struct error *err)
{
	uint32_t *grown;

	feed->in_stream = true;
	feed->top = top;
	feed->commit_lsn = 0;
	if (is_streamed(feed, top))
		return 0;
	grown = realloc(feed->streamed,
			(feed->streamed_count + 1) * sizeof(*grown));
	if (!grown)
		return error_memory(err, "the change log");
	feed->streamed = grown;
	grown[feed->streamed_count++] = top;
	return 0;
}

static void end_streamed(struct stream_feed *feed, uint32_t top)
{
	for (size_t i = 0; i < feed->streamed_count; i++) {
		if (feed->streamed[i] != top)
			continue;
		feed->streamed[i] = feed->streamed[--feed->streamed_count];
		return;
	}
}

static void wake(struct stream_mapping *mapping)
{
	if (mapping->sleeper && !mapping->poked)
		cancel_poke(mapping->sleeper);
	mapping->poked = true;
}

/* Everything up to its end has come. */
static void pass(struct stream *stream, const struct pgoutput_message *message)
{
	if (message->end_lsn > stream->passed)
		stream->passed = message->end_lsn;
	stream->commit_us = message->commit_us + stream->offset_us;
}

static void commit_to(struct stream_mapping *mapping, uint32_t top,
		      const struct pgoutput_message *message)
{
	if (backlog_commit(&mapping->backlog, top, message->end_lsn,
			   message->commit_us + mapping->stream->offset_us))
		wake(mapping);
}

static void commit(struct stream *stream,
		   const struct pgoutput_message *message)
{
	struct stream_feed *feed = stream->feed;
	struct stream_mapping *mapping;

	while ((mapping = feed->touched)) {
		feed->touched = mapping->next_touched;
		mapping->touched = false;
		commit_to(mapping, feed->top, message);
	}
	feed->in_txn = false;
	pass(stream, message);
}

static int commit_streamed(struct stream *stream,
			   const struct pgoutput_message *message,
			   struct error *err)
{
	struct stream_mapping *mapping;

	for (mapping = stream->mappings; mapping; mapping = mapping->next)
		commit_to(mapping, message->xid, message);
	end_streamed(stream->feed, message->xid);
	pass(stream, message);
	return end_routes(stream, message->xid, true, err);
}

static int abort_streamed(struct stream *stream,
			  const struct pgoutput_message *message,
			  struct error *err)
{
	struct stream_mapping *mapping;

	for (mapping = stream->mappings; mapping; mapping = mapping->next)
		backlog_abort(&mapping->backlog, message->xid, message->subxid);
	if (message->xid != message->subxid)
		return 0;
	end_streamed(stream->feed, message->xid);
	return end_routes(stream, message->xid, false, err);
}

/* ------------------------------------------------------------------ changes */

static void give(struct stream_feed *feed, const struct taker *taker,
		 struct backlog_change *change)
{
	struct stream_mapping *mapping = taker->mapping;

	/* It has it already, from before the stream began anew. */
	if (!feed->in_stream && feed->commit_lsn < mapping->floor)
		return;
	change->version = taker->version;
	backlog_add(&mapping->backlog, feed->top, change);
	if (feed->in_stream || mapping->touched)
		return;
	mapping->touched = true;
	mapping->next_touched = feed->touched;
	feed->touched = mapping;
}

static int deal_out(struct stream *stream, uint32_t table,
		    struct backlog_change *change, struct error *err)
{
	struct stream_feed *feed = stream->feed;
	struct feed_route *route = NULL;

	if (!feed->in_txn && !feed->in_stream)
		return error_set(err, ERROR_SERVER,
				 "the server sent a change that belongs to no "
				 "transaction");
	if (feed->in_stream)
		route = find_route(feed, table, feed->top);
	if (!route)
		route = find_route(feed, table, 0);
	if (!route)
		return error_set(err, ERROR_SERVER,
				 "the server sent a change of a table that it "
				 "has not described");
	for (size_t i = 0; i < route->taker_count; i++)
		give(feed, &route->takers[i], change);
	return 0;
}

static int deal_out_row(struct stream *stream,
			const struct pgoutput_message *message,
			struct error *err)
{
	struct backlog_change change = {
		.type = message->type,
		.xid = message->xid,
		.body = message->body,
		.len = message->body_len,
	};

	return deal_out(stream, message->relation, &change, err);
}

static int deal_out_truncate(struct stream *stream,
			     const struct pgoutput_message *message,
			     struct error *err)
{
	struct backlog_change change = {
		.type = PGOUTPUT_TRUNCATE,
		.xid = message->xid,
	};

	for (unsigned i = 0; i < message->truncated_count; i++)
		if (deal_out(stream, pgoutput_truncated(message, i), &change,
			     err) < 0)
			return -1;
	return 0;
}

static int take_definition(struct stream *stream,
			   const struct pgoutput_message *message,
			   const unsigned char *data, size_t len,
			   struct error *err)
{
	struct stream_feed *feed = stream->feed;
	size_t skip = feed->in_stream ? 5 : 1; /* type, and transaction */

	return set_route(stream, message->table.id,
			 feed->in_stream ? feed->top : 0, ++feed->told,
			 data + skip, len - skip, err);
}

static void begin_txn(struct stream_feed *feed,
		      const struct pgoutput_message *message)
{
	feed->in_txn = true;
	feed->top = message->xid;
	feed->commit_lsn = message->end_lsn;
}

int feed_message(struct stream *stream, const void *data, size_t len,
		 struct error *err)
{
	struct stream_feed *feed = stream->feed;
	struct pgoutput_message message;

	if (pgoutput_read(&message, data, len, feed->in_stream, err) < 0)
		return -1;
	switch (message.type) {
	case PGOUTPUT_BEGIN:
		begin_txn(feed, &message);
		return 0;
	case PGOUTPUT_COMMIT:
		commit(stream, &message);
		return 0;
	case PGOUTPUT_RELATION:
		return take_definition(stream, &message, data, len, err);
	case PGOUTPUT_INSERT:
	case PGOUTPUT_UPDATE:
	case PGOUTPUT_DELETE:
		return deal_out_row(stream, &message, err);
	case PGOUTPUT_TRUNCATE:
		return deal_out_truncate(stream, &message, err);
	case PGOUTPUT_STREAM_START:
		return begin_streamed(feed, message.xid, err);
	case PGOUTPUT_STREAM_STOP:
		feed->in_stream = false;
		return 0;
	case PGOUTPUT_STREAM_COMMIT:
		return commit_streamed(stream, &message, err);
	case PGOUTPUT_STREAM_ABORT:
		return abort_streamed(stream, &message, err);
	case PGOUTPUT_OTHER:
		break;
	}
	return 0;
}

bool feed_is_between(const struct stream *stream)
{
	const struct stream_feed *feed = stream->feed;

	return feed && !feed->in_txn && !feed->in_stream &&
	       !feed->streamed_count;
}

/* -------------------------------------------------------------- begin, end */

void feed_begin(struct stream *stream)
{
	struct stream_feed *feed = stream->feed;
	struct stream_mapping *mapping;

	for (mapping = stream->mappings; mapping; mapping = mapping->next) {
		backlog_abort_all(&mapping->backlog);
		mapping->touched = false;
	}
	routes_free(feed);
	free(feed->streamed);
	memset(feed, 0, sizeof(*feed));
}

void feed_release(struct stream *stream)
{
	if (!stream->feed)
		return;
	routes_free(stream->feed);
	free(stream->feed->streamed);
	free(stream->feed);
	stream->feed = NULL;
}
