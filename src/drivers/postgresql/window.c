/* The reader's side of backlog.h: windows, and the changes in them. */
#include "drivers/postgresql/segment.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ reading */

int segment_enter(struct backlog *backlog, struct backlog_reader *reader,
		  struct backlog_segment *segment, size_t offset,
		  struct error *err)
{
	backlog_read_end(reader);
	reader->at = segment;
	reader->offset = offset;
	if (segment->data) {
		segment->pinned = reader->pinned = true;
		reader->data = segment->data;
		return 0;
	}
	reader->loaded = malloc(segment->len);
	if (!reader->loaded)
		return error_memory(err, "changes that wait");
	reader->data = reader->loaded;
	return spill_read(backlog->store->spill, &segment->extent, 0,
			  reader->loaded, segment->len, err);
}

void backlog_read_end(struct backlog_reader *reader)
{
	if (reader->pinned)
		reader->at->pinned = false;
	free(reader->loaded);
	reader->loaded = NULL;
	reader->pinned = false;
	reader->at = NULL;
	reader->data = NULL;
}

/* Nobody adds to what lies before the end of a window. */
static size_t end_here(const struct backlog_reader *reader)
{
	return reader->at == reader->end ? reader->end_offset : reader->at->len;
}

/* In the segment at hand. False: it has no more. */
static bool take_record(struct backlog_reader *reader,
			struct backlog_change *change)
{
	struct record record;

	if (!reader->data || reader->offset >= end_here(reader))
		return false;
	memcpy(&record, reader->data + reader->offset, sizeof(record));
	reader->offset += sizeof(record);
	change->type = (enum pgoutput_type)record.type;
	change->xid = record.xid;
	change->version = record.version;
	change->body = reader->data + reader->offset;
	change->len = record.len;
	reader->offset += record.len;
	return true;
}

int segment_next(struct backlog *backlog, struct backlog_reader *reader,
		 struct backlog_change *change, struct error *err)
{
	struct backlog_segment *end = reader->end;

	while (!take_record(reader, change)) {
		struct backlog_segment *next = reader->at->next;

		if (reader->at == end || !next)
			return 0;
		if (segment_enter(backlog, reader, next, 0, err) < 0)
			return -1;
	}
	return 1;
}

int backlog_next(struct backlog *backlog, struct backlog_reader *reader,
		 struct backlog_change *change, struct error *err)
{
	int rc;

	if (!reader->at)
		return 0;
	if (take_record(reader, change))
		return 1;
	pthread_mutex_lock(backlog->store->lock);
	rc = segment_next(backlog, reader, change, err);
	pthread_mutex_unlock(backlog->store->lock);
	return rc;
}

/* ------------------------------------------------------------------ windows */

/* Of a segment, from disk into *loaded, which is to be freed, if need be. */
static const struct mark *marks_of(struct backlog *backlog,
				   const struct backlog_segment *segment,
				   struct mark **loaded, struct error *err)
{
	size_t bytes = segment->mark_count * sizeof(struct mark);

	*loaded = NULL;
	if (segment->marks || !bytes)
		return segment->marks;
	*loaded = malloc(bytes);
	if (!*loaded) {
		error_memory(err, "changes that wait");
		return NULL;
	}
	if (spill_read(backlog->store->spill, &segment->extent, segment->len,
		       *loaded, bytes, err) == 0)
		return *loaded;
	free(*loaded);
	*loaded = NULL;
	return NULL;
}

/* Does a transaction go into a window that has some already? */
static bool goes_with(const struct backlog_window *window,
		      const struct mark *mark)
{
	if (!window->transactions)
		return true;
	return !window->truncates && !mark->truncates &&
	       window->low == mark->low && window->high == mark->high &&
	       window->low == window->high;
}

static void take_into(struct backlog_window *window, const struct mark *mark)
{
	if (!window->transactions) {
		window->low = mark->low;
		window->high = mark->high;
		window->truncates = mark->truncates;
	}
	window->transactions++;
	window->to = mark->end_lsn;
	window->commit_us = mark->commit_us;
	if (mark->size.bytes > window->size.bytes)
		window->size = mark->size;
}

/* Where the transaction after `from` begins: behind the last mark before it. */
struct place {
	struct backlog_segment *segment;
	size_t offset;
};

/*
 * Go through the marks of a segment. 1: the window ends here; 0: on to the next
 * segment.
 */
static int look_at_marks(struct backlog *backlog,
			 struct backlog_segment *segment, uint64_t from,
			 unsigned limit, struct backlog_window *window,
			 struct backlog_reader *reader, struct place *begin,
			 struct error *err)
{
	struct mark *loaded;
	const struct mark *marks = marks_of(backlog, segment, &loaded, err);
	int rc = 0;

	if (!marks)
		return -1;
	for (size_t i = 0; i < segment->mark_count && rc == 0; i++) {
		const struct mark *mark = &marks[i];

		if (mark->end_lsn <= from) {
			*begin = (struct place){segment, mark->offset};
			continue;
		}
		if (window->transactions == limit || !goes_with(window, mark)) {
			window->more = true;
			rc = 1;
			continue;
		}
		take_into(window, mark);
		reader->end = segment;
		reader->end_offset = mark->offset;
	}
	free(loaded);
	return rc;
}

int backlog_read(struct backlog *backlog, uint64_t from, unsigned limit,
		 struct backlog_window *window, struct backlog_reader *reader,
		 struct error *err)
{
	struct backlog_segment *segment = backlog->first;
	struct place begin = {segment, 0};
	int rc = 0;

	memset(window, 0, sizeof(*window));
	for (; segment && rc == 0; segment = segment->next) {
		if (!segment->mark_count)
			continue;
		if (segment->last_lsn <= from)
			begin = (struct place){segment, segment->last_offset};
		else
			rc = look_at_marks(backlog, segment, from, limit,
					   window, reader, &begin, err);
	}
	if (rc < 0 || !window->transactions || !begin.segment)
		return rc < 0 ? -1 : 0;
	return segment_enter(backlog, reader, begin.segment, begin.offset,
			     err) < 0
		       ? -1
		       : 1;
}
