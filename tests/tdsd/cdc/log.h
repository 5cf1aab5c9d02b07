#ifndef TDSD_CDC_LOG_H
#define TDSD_CDC_LOG_H

#include "exec/session.h"
#include "store/catalog.h"

/*
 * The log that change data capture and change tracking read: each row that a
 * transaction inserts, updates or deletes in a followed table is recorded in
 * the same SQLite transaction, and the commit adds its LSN and time.
 *
 * Numbers count up in each database, in the order of its commits: one for
 * each recorded row, two for an update that moves a key, one for the commit.
 * An LSN is such a number in ten bytes.
 */
#define LSN_SIZE 10

void lsn_make(unsigned char *out, int64_t number);
int64_t lsn_number(const unsigned char *lsn);

/* The order number of a statement within its transaction. */
int64_t log_next_command(struct session *s, struct attached *home);

/* One row: 'I' has `row`, 'D' has `old`, 'U' both, and which columns were
 * set. Does nothing for a table that nobody follows. */
int log_row(struct session *s, struct table *t, int64_t command, char op,
	    const struct val *old, const struct val *row, const bool *set,
	    struct diag *d);

/* Before the commit of each file that was written; and after it. */
int log_commit(struct session *s, struct attached *home, struct diag *d);
void log_committed(struct session *s, struct attached *home);

/* The number that the next recorded row gets; 0 with `d` set. */
int64_t log_position(struct session *s, struct attached *home, struct diag *d);

/* Take the number as used, so that what follows lies behind it. */
int log_skip(struct session *s, struct attached *home, struct diag *d);

/* Once this transaction commits, capture is on (1) or off (0). */
void log_switch_cdc(struct session *s, struct attached *home, int on);

/* The version of change tracking that this transaction will commit. */
int64_t log_tracking_version(struct session *s, struct attached *home,
			     struct diag *d);

/* The version that is committed, as the current snapshot has it. */
int log_tracking_committed(struct session *s, struct attached *home,
			   int64_t *out, struct diag *d);

/* The session lets the file go. */
void log_free(struct log *log);

/*
 * A recorded row, read back: the images by column_id. The values point into
 * the record.
 */
#define LOG_COLUMNS 1100

struct log_image {
	int count;
	struct {
		int id;
		bool changed;
		struct val v;
	} columns[LOG_COLUMNS];
};

/* `op` as recorded: 'I', 'D', 'U', or 'K' for an update of a key. False when
 * the record is damaged. */
bool log_decode(char op, const void *data, size_t len, struct log_image *old,
		struct log_image *row);

/* An image alone: also how change tracking keeps keys. */
size_t log_decode_image(const unsigned char *data, size_t len,
			struct log_image *image);
void log_encode_value(struct strbuf *sb, int id, bool changed,
		      const struct val *v);

#endif
