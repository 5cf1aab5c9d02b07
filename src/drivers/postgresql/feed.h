#ifndef DRIVERS_POSTGRESQL_FEED_H
#define DRIVERS_POSTGRESQL_FEED_H

#include "drivers/postgresql/stream.h"

#define FEED_BUCKETS 256

/*
 * Deals out what a stream brings: which table's changes go to which mappings.
 * The stream's thread alone has one; all functions want the stream's lock held.
 */
struct stream_feed {
	struct feed_route *routes[FEED_BUCKETS]; /* by table */
	bool in_txn, in_stream;			 /* where the messages are */
	uint32_t top;	     /* the transaction they belong to */
	uint64_t commit_lsn; /* where it was committed; in a stream: 0 */
	uint64_t told;	     /* definitions that came */
	uint32_t *streamed;  /* transactions that are streamed */
	size_t streamed_count;
	struct stream_mapping *touched; /* by that transaction */
};

/* A new session of the stream: it begins between transactions. */
void feed_begin(struct stream *stream);
void feed_release(struct stream *stream);

/* A message of pgoutput. ERROR_SERVER when it makes no sense. */
int feed_message(struct stream *stream, const void *data, size_t len,
		 struct error *err) __attribute__((warn_unused_result));

/* No transaction is under way, so that a mapping may come in. */
bool feed_is_between(const struct stream *stream);

/* Who is fed has changed. */
int feed_refresh(struct stream *stream, struct error *err)
	__attribute__((warn_unused_result));

#endif
