/*
 * A log in segments. A transaction gathers its changes in segments of its own,
 * so that many can be under way at the same time and any can come to nothing;
 * when it is committed they are hung onto the log, or copied, if they are few,
 * into the log's last one. A mark behind each transaction says what it was. A
 * full segment goes to disk, marks and all, when there is no memory for it, and
 * is read back from there by whoever wants it: never more than one at a time.
 *
 * An index of all transactions in memory was not an option: a mapping that
 * stands still for days would fill it with millions of small ones.
 */
#include "drivers/postgresql/segment.h"

#include <stdlib.h>
#include <string.h>

/* A segment begins small, since there may be one for each of a thousand tables. */
#define SEGMENT_MIN ((size_t)4 * 1024)
#define SEGMENT_MAX ((size_t)256 * 1024)
/* When memory is short: all that each has of it is the last one. */
#define SEGMENT_SHORT ((size_t)32 * 1024)

struct backlog_txn {
	struct backlog_txn *next;
	uint32_t top;
	struct backlog_segment *first, *last;
	struct mark mark; /* what will be behind it */
	bool any;
	uint32_t *aborted; /* subtransactions that came to nothing */
	size_t aborted_count;
};

/* ----------------------------------------------------------------- segments */

static void charge(struct backlog *backlog, size_t more, size_t less)
{
	backlog->store->memory += more;
	backlog->store->memory -= less;
}

static bool is_short_of_memory(const struct backlog *backlog)
{
	return backlog->store->memory > backlog->store->memory_max;
}

static size_t segment_memory(const struct backlog_segment *segment)
{
	return (segment->data ? segment->size : 0) +
	       segment->mark_size * sizeof(struct mark);
}

/* Its memory, not what it has on disk. */
static void segment_empty(struct backlog *backlog,
			  struct backlog_segment *segment)
{
	charge(backlog, 0, segment_memory(segment));
	free(segment->data);
	free(segment->marks);
	segment->data = NULL;
	segment->marks = NULL;
	segment->mark_size = 0;
}

static void segment_free(struct backlog *backlog,
			 struct backlog_segment *segment)
{
	segment_empty(backlog, segment);
	if (segment->extent.bytes)
		backlog->disk -= spill_bytes(segment->extent.bytes);
	spill_drop(backlog->store->spill, &segment->extent);
	free(segment);
}

static void segments_free(struct backlog *backlog,
			  struct backlog_segment *segment)
{
	while (segment) {
		struct backlog_segment *next = segment->next;

		segment_free(backlog, segment);
		segment = next;
	}
}

static struct backlog_segment *segment_new(struct backlog *backlog, size_t size)
{
	struct backlog_segment *segment = calloc(1, sizeof(*segment));

	if (segment && size)
		segment->data = malloc(size);
	if (!segment || (size && !segment->data)) {
		free(segment);
		return NULL;
	}
	segment->size = size;
	charge(backlog, segment_memory(segment), 0);
	return segment;
}

/* How large the one behind `last` should be that takes `need` at first. */
static size_t next_size(const struct backlog *backlog,
			const struct backlog_segment *last, size_t need)
{
	size_t most = is_short_of_memory(backlog) ? SEGMENT_SHORT : SEGMENT_MAX;
	size_t size = last ? 2 * last->size : 0;

	if (size > most)
		size = most;
	if (size < SEGMENT_MIN)
		size = SEGMENT_MIN;
	return size < need ? need : size;
}

static bool has_room(const struct backlog_segment *segment, size_t need)
{
	return segment && segment->data && segment->size - segment->len >= need;
}

/* ------------------------------------------------------------- being cut off */

static void drop_txns(struct backlog *backlog)
{
	struct backlog_txn *txn;

	while ((txn = backlog->open)) {
		backlog->open = txn->next;
		segments_free(backlog, txn->first);
		free(txn->aborted);
		free(txn);
	}
}

/*
 * Somebody may be reading a segment: what is in the log stays until the reader,
 * who is told, lets go of it by a new start.
 */
static void cut_off(struct backlog *backlog, const struct error *err)
{
	if (backlog->cut_off.kind != ERROR_NONE)
		return;
	backlog->cut_off = *err;
	drop_txns(backlog);
}

static void no_memory(struct backlog *backlog)
{
	struct error err = ERROR_INIT;

	error_memory(&err, "changes that wait");
	cut_off(backlog, &err);
}

/* ------------------------------------------------------------------ to disk */

static int keep_on_disk(struct backlog *backlog,
			struct backlog_segment *segment,
			const struct spill_part *parts, size_t count)
{
	struct backlog_store *store = backlog->store;
	struct error err = ERROR_INIT;
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += parts[i].len;
	bytes = spill_bytes(bytes);
	if (backlog->disk + bytes > store->disk_max) {
		error_set(&err, ERROR_GAP,
			  "its changes come faster than they are applied, and "
			  "%llu MB of them wait, which is all that "
			  "spill_limit_mb allows; raise that, or see what "
			  "keeps the mapping",
			  (unsigned long long)(backlog->disk >> 20));
	} else if (spill_write(store->spill, parts, count, &segment->extent,
			       &err) == 0) {
		backlog->disk += bytes;
		return 0;
	}
	cut_off(backlog, &err);
	return -1;
}

/* It is full. */
static void seal(struct backlog *backlog, struct backlog_segment *segment)
{
	struct spill_part parts[] = {
		{segment->data, segment->len},
		{segment->marks, segment->mark_count * sizeof(struct mark)},
	};

	if (!segment->data || segment->pinned || !segment->len ||
	    !is_short_of_memory(backlog))
		return;
	if (keep_on_disk(backlog, segment, parts, 2) == 0)
		segment_empty(backlog, segment);
}

/* ------------------------------------------------------------- transactions */

static struct backlog_txn *txn_find(struct backlog *backlog, uint32_t top)
{
	struct backlog_txn *txn = backlog->open;

	while (txn && txn->top != top)
		txn = txn->next;
	return txn;
}

static struct backlog_txn *txn_get(struct backlog *backlog, uint32_t top)
{
	struct backlog_txn *txn = txn_find(backlog, top);

	if (txn)
		return txn;
	txn = calloc(1, sizeof(*txn));
	if (!txn) {
		no_memory(backlog);
		return NULL;
	}
	txn->top = top;
	txn->next = backlog->open;
	backlog->open = txn;
	return txn;
}

/* Take it out of the list of those that are open. */
static void txn_unlink(struct backlog *backlog, struct backlog_txn *txn)
{
	struct backlog_txn **link = &backlog->open;

	while (*link != txn)
		link = &(*link)->next;
	*link = txn->next;
}

static void txn_free(struct backlog *backlog, struct backlog_txn *txn)
{
	segments_free(backlog, txn->first);
	free(txn->aborted);
	free(txn);
}

static void append(struct backlog_segment **first,
		   struct backlog_segment **last,
		   struct backlog_segment *segment)
{
	if (*last)
		(*last)->next = segment;
	else
		*first = segment;
	*last = segment;
}

/* A segment with room for so much at the end of the transaction. */
static struct backlog_segment *txn_room(struct backlog *backlog,
					struct backlog_txn *txn, size_t need)
{
	struct backlog_segment *last = txn->last;

	if (has_room(last, need))
		return last;
	if (last)
		seal(backlog, last);
	if (backlog->cut_off.kind != ERROR_NONE)
		return NULL;
	last = segment_new(backlog, next_size(backlog, last, need));
	if (last)
		append(&txn->first, &txn->last, last);
	else
		no_memory(backlog);
	return last;
}

/* A change too large for a segment goes to disk by itself, without a copy. */
static void add_large(struct backlog *backlog, struct backlog_txn *txn,
		      const struct record *record, const void *body)
{
	struct spill_part parts[] = {
		{record, sizeof(*record)},
		{body, record->len},
	};
	struct backlog_segment *segment;

	if (txn->last)
		seal(backlog, txn->last);
	if (backlog->cut_off.kind != ERROR_NONE)
		return;
	segment = segment_new(backlog, 0);
	if (!segment) {
		no_memory(backlog);
	} else if (keep_on_disk(backlog, segment, parts, 2) < 0) {
		segment_free(backlog, segment);
	} else {
		segment->len = sizeof(*record) + record->len;
		append(&txn->first, &txn->last, segment);
	}
}

static void look_at_tuple(struct backlog_size *size,
			  struct pgoutput_tuple tuple)
{
	struct pgoutput_value value;

	for (unsigned i = 0; pgoutput_value_next(&tuple, &value); i++) {
		if (value.len < size->longest)
			continue;
		size->longest = value.len;
		size->column = i;
	}
}

/* Is this the largest so far? What a row has is what its message has. */
static void measure(struct mark *mark, const struct backlog_change *change)
{
	struct pgoutput_message row;
	struct error ignored;

	if (change->len <= mark->size.bytes ||
	    change->type == PGOUTPUT_TRUNCATE ||
	    pgoutput_row_read(&row, change->type, change->body, change->len,
			      &ignored) < 0)
		return;
	mark->size = (struct backlog_size){
		.bytes = change->len,
		.version = change->version,
	};
	look_at_tuple(&mark->size, row.before);
	look_at_tuple(&mark->size, row.after);
}

static void txn_see(struct backlog_txn *txn,
		    const struct backlog_change *change)
{
	struct mark *mark = &txn->mark;

	measure(mark, change);
	mark->truncates |= change->type == PGOUTPUT_TRUNCATE;
	if (!txn->any || change->version < mark->low)
		mark->low = change->version;
	if (!txn->any || change->version > mark->high)
		mark->high = change->version;
	txn->any = true;
}

static void txn_add(struct backlog *backlog, struct backlog_txn *txn,
		    const struct backlog_change *change)
{
	struct record record = {
		.len = (uint32_t)change->len,
		.xid = change->xid,
		.version = (uint16_t)change->version,
		.type = (uint8_t)change->type,
	};
	size_t need = sizeof(record) + change->len;
	struct backlog_segment *segment;

	txn_see(txn, change);
	if (need > SEGMENT_MAX) {
		add_large(backlog, txn, &record, change->body);
		return;
	}
	segment = txn_room(backlog, txn, need);
	if (!segment || !segment->data)
		return;
	memcpy(segment->data + segment->len, &record, sizeof(record));
	segment->len += sizeof(record);
	if (change->len)
		memcpy(segment->data + segment->len, change->body, change->len);
	segment->len += change->len;
}

void backlog_add(struct backlog *backlog, uint32_t top,
		 const struct backlog_change *change)
{
	struct backlog_txn *txn;

	if (backlog->cut_off.kind != ERROR_NONE)
		return;
	txn = txn_get(backlog, top);
	if (txn)
		txn_add(backlog, txn, change);
}

void backlog_abort(struct backlog *backlog, uint32_t top, uint32_t xid)
{
	struct backlog_txn *txn = txn_find(backlog, top);
	uint32_t *grown;

	if (!txn)
		return;
	if (xid == top) {
		txn_unlink(backlog, txn);
		txn_free(backlog, txn);
		return;
	}
	grown = realloc(txn->aborted,
			(txn->aborted_count + 1) * sizeof(*grown));
	if (!grown) {
		no_memory(backlog);
		return;
	}
	txn->aborted = grown;
	txn->aborted[txn->aborted_count++] = xid;
}

void backlog_abort_all(struct backlog *backlog)
{
	drop_txns(backlog);
}

/* ------------------------------------------------------------------- commit */

static bool is_aborted(const struct backlog_txn *txn, uint32_t xid)
{
	for (size_t i = 0; i < txn->aborted_count; i++)
		if (txn->aborted[i] == xid)
			return true;
	return false;
}

/* Rewrite it without what came to nothing: seldom. */
static void filter(struct backlog *backlog, struct backlog_txn *txn)
{
	struct backlog_txn kept = {.top = txn->top};
	struct backlog_reader reader = {.end = txn->last};
	struct backlog_segment *first = txn->first;
	struct backlog_change change;
	struct error err = ERROR_INIT;
	int rc;

	if (!txn->aborted_count || !first)
		return;
	reader.end_offset = txn->last->len;
	rc = segment_enter(backlog, &reader, first, 0, &err);
	while (rc == 0 && backlog->cut_off.kind == ERROR_NONE) {
		rc = segment_next(backlog, &reader, &change, &err);
		if (rc <= 0)
			break;
		if (!is_aborted(txn, change.xid))
			txn_add(backlog, &kept, &change);
		rc = 0;
	}
	backlog_read_end(&reader);
	if (rc < 0)
		cut_off(backlog, &err);
	segments_free(backlog, first);
	txn->first = kept.first;
	txn->last = kept.last;
	txn->mark = kept.mark;
	txn->any = kept.any;
}

/* Few changes are copied to where the others are. */
static bool copy_over(struct backlog *backlog, const struct backlog_txn *txn)
{
	const struct backlog_segment *from = txn->first;
	struct backlog_segment *to = backlog->last;

	if (from->next || !from->data || from->len > SEGMENT_MAX / 2)
		return false;
	if (!has_room(to, from->len)) {
		if (to)
			seal(backlog, to);
		if (backlog->cut_off.kind != ERROR_NONE)
			return true;
		to = segment_new(backlog, next_size(backlog, to, from->len));
		if (!to)
			return false;
		append(&backlog->first, &backlog->last, to);
	}
	if (!to->data)
		return false;
	memcpy(to->data + to->len, from->data, from->len);
	to->len += from->len;
	return true;
}

static void hang_over(struct backlog *backlog, struct backlog_txn *txn)
{
	if (copy_over(backlog, txn))
		return;
	if (backlog->last) {
		seal(backlog, backlog->last);
		backlog->last->next = txn->first;
	} else {
		backlog->first = txn->first;
	}
	backlog->last = txn->last;
	txn->first = txn->last = NULL;
}

static bool grow_marks(struct backlog *backlog, struct backlog_segment *segment)
{
	size_t size = segment->mark_size ? segment->mark_size * 2 : 4;
	struct mark *grown;

	if (segment->mark_count < segment->mark_size)
		return true;
	grown = realloc(segment->marks, size * sizeof(*grown));
	if (!grown)
		return false;
	charge(backlog, (size - segment->mark_size) * sizeof(*grown), 0);
	segment->marks = grown;
	segment->mark_size = size;
	return true;
}

static void put_mark(struct backlog *backlog, struct mark *mark)
{
	struct backlog_segment *last = backlog->last;

	if (!last->data) { /* on disk already */
		last = segment_new(backlog, next_size(backlog, last, 0));
		if (last)
			append(&backlog->first, &backlog->last, last);
	}
	if (!last || !grow_marks(backlog, last)) {
		no_memory(backlog);
		return;
	}
	mark->offset = last->len;
	last->marks[last->mark_count++] = *mark;
	last->last_lsn = mark->end_lsn;
	last->last_offset = mark->offset;
	backlog->end = mark->end_lsn;
}

bool backlog_commit(struct backlog *backlog, uint32_t top, uint64_t end_lsn,
		    int64_t commit_us)
{
	struct backlog_txn *txn = txn_find(backlog, top);
	struct mark mark;
	bool is_new;

	if (!txn)
		return false;
	txn_unlink(backlog, txn);
	is_new = end_lsn > backlog->begin && end_lsn > backlog->end;
	if (is_new)
		filter(backlog, txn);
	is_new = is_new && txn->any && backlog->cut_off.kind == ERROR_NONE;
	if (is_new) {
		mark = txn->mark;
		mark.end_lsn = end_lsn;
		mark.commit_us = commit_us;
		hang_over(backlog, txn);
		if (backlog->cut_off.kind == ERROR_NONE)
			put_mark(backlog, &mark);
	}
	txn_free(backlog, txn);
	return is_new || backlog->cut_off.kind != ERROR_NONE;
}

/* ----------------------------------------------------------- begin, trim, end */

void backlog_init(struct backlog *backlog, struct backlog_store *store)
{
	memset(backlog, 0, sizeof(*backlog));
	backlog->store = store;
}

static void empty(struct backlog *backlog)
{
	drop_txns(backlog);
	segments_free(backlog, backlog->first);
	backlog->first = backlog->last = NULL;
}

void backlog_release(struct backlog *backlog)
{
	empty(backlog);
	for (size_t i = 0; i < backlog->version_count; i++)
		free(backlog->versions[i].message);
	free(backlog->versions);
	backlog->versions = NULL;
	backlog->version_count = 0;
}

void backlog_start(struct backlog *backlog, uint64_t from)
{
	empty(backlog);
	error_clear(&backlog->cut_off);
	backlog->begin = from;
	backlog->end = 0;
}

int backlog_add_version(struct backlog *backlog, const void *message,
			size_t len)
{
	struct backlog_version *grown;
	size_t i;

	for (i = 0; i < backlog->version_count; i++)
		if (backlog->versions[i].len == len &&
		    !memcmp(backlog->versions[i].message, message, len))
			return (int)i;
	if (i > UINT16_MAX)
		return -1;
	grown = realloc(backlog->versions, (i + 1) * sizeof(*grown));
	if (!grown)
		return -1;
	backlog->versions = grown;
	grown[i].message = malloc(len);
	if (!grown[i].message)
		return -1;
	memcpy(grown[i].message, message, len);
	grown[i].len = len;
	backlog->version_count++;
	return (int)i;
}

/* All of its transactions, and it ends with one. */
static bool is_over(const struct backlog_segment *segment, uint64_t lsn)
{
	return segment->mark_count && segment->last_lsn <= lsn &&
	       segment->last_offset == segment->len;
}

/* The first segment that has something of a transaction after `lsn`. */
static struct backlog_segment *first_needed(struct backlog *backlog,
					    uint64_t lsn)
{
	struct backlog_segment *needed = backlog->first, *segment;

	for (segment = needed; segment; segment = segment->next) {
		if (!segment->mark_count)
			continue;
		if (segment->last_lsn > lsn)
			break;
		needed = is_over(segment, lsn) ? segment->next : segment;
	}
	return needed;
}

void backlog_trim(struct backlog *backlog, uint64_t lsn)
{
	struct backlog_segment *needed = first_needed(backlog, lsn);

	/* A window is over for its reader only when that has ended it. */
	while (backlog->first != needed && !backlog->first->pinned) {
		struct backlog_segment *segment = backlog->first;

		backlog->first = segment->next;
		segment_free(backlog, segment);
	}
	if (!backlog->first)
		backlog->last = NULL;
	if (lsn > backlog->begin)
		backlog->begin = lsn;
}
