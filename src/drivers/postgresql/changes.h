#ifndef DRIVERS_POSTGRESQL_CHANGES_H
#define DRIVERS_POSTGRESQL_CHANGES_H

#include "drivers/postgresql/publication.h"
#include "drivers/postgresql/source.h"
#include "drivers/postgresql/stream.h"

/* Of a window that is being read: how a row of the log becomes one of a batch. */
struct change_rows {
	struct table *shape;
	size_t *places; /* of the shape's columns in the log's rows */
	struct pgoutput_value *before, *after; /* as many as those have */
	unsigned columns;

	struct backlog_reader reader;
	struct pgoutput_message row; /* the change at hand */
	bool pending;		     /* a part of it has no batch yet */
	bool settled; /* what the window tells of can be seen by reads */
	bool deleted; /* its old key is in one, its new row is not */
};

/* What a source knows of the log. Its own, as the source is. */
struct changes {
	int mapping_id;
	struct cancel *sleeper;	      /* or NULL */
	struct cancel *cancel;	      /* of this run */
	struct stream *stream;	      /* NULL: not yet looked for */
	struct stream_mapping *place; /* in it */

	uint64_t stored; /* what has to be passed on to it; 0: nothing */

	struct change_rows rows;
	struct table narrow; /* a window's own shape */
	bool altered;	     /* told, so that the table was described anew */
	unsigned altered_version;

	int64_t proof_ms;   /* until when to wait for a stream that begins */
	int64_t watched_ms; /* when the set-up was looked at; 0: never */
	char publication[PUBLICATION_VERSION_MAX]; /* as it was then, or "" */
	char note[WINDOW_NOTE_MAX];

	/* Up to where the log went at a moment, and the last one that came. */
	uint64_t asked_lsn;
	int64_t asked_us;
	int64_t complete_us;
};

/*
 * Begin to read `shape` from changes of a definition, which lies in `version`
 * as the server told it. ERROR_GAP when the key is not in it.
 */
int change_rows_begin(struct postgresql_source *source,
		      const struct backlog_version *version,
		      struct table *shape, struct error *err)
	__attribute__((warn_unused_result));
int change_rows_next(struct postgresql_source *source, struct batch *batch,
		     struct error *err) __attribute__((warn_unused_result));
void change_rows_end(struct postgresql_source *source);

/* The ops' slots, as source.h has them for the others. */
void pg_changes_stored(struct postgresql_source *source,
		       const struct position *position);
int pg_changes_until(struct postgresql_source *source, int64_t *until_us,
		     struct error *err) __attribute__((warn_unused_result));

/* When the source is made, and when it ends. */
int pg_changes_open(struct postgresql_source *source,
		    const struct source_spec *spec, struct error *err)
	__attribute__((warn_unused_result));
void pg_changes_close(struct postgresql_source *source);

#endif
