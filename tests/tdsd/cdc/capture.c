/*
 * A transaction is read in the order of its records. Rows of one statement
 * that move keys are the exception: what they delete is written before what
 * they insert, as the server does, or a chain such as id = id + 1 would end
 * with a delete. __$seqval counts up in the order of writing; there are as
 * many numbers as were reserved when the rows were recorded.
 */
#include "cdc/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/log.h"
#include "exec/run.h"

/* Places of what every change table has, before the captured columns. */
enum { CT_START, CT_END, CT_SEQVAL, CT_OPERATION, CT_MASK, CT_FIRST };

#define OP_DELETE 1
#define OP_INSERT 2
#define OP_BEFORE 3
#define OP_AFTER  4

struct instance {
	int source;    /* object id */
	int64_t start; /* rows recorded from this number on */
	int count;
	int *ids; /* column_id of each captured column, 0: computed */
	sqlite3_stmt *insert;
	struct instance *next;
};

struct capture {
	struct session *s;
	struct attached *home;
	struct instance *instances;
	sqlite3_stmt *records, *add_time;
	struct log_image old, row;
	unsigned char commit[LSN_SIZE];
	int64_t seq;
	int commands;
};

int cdc_table_name(struct session *s, struct attached *home, const char *name,
		   char *buf, size_t size, struct diag *d)
{
	struct object o;
	struct table *t;
	int found = catalog_find_in(s, home, "cdc", name, &o, d);

	if (found <= 0)
		return found;
	t = catalog_table(s, home, o.id, d);
	if (!t)
		return -1;
	table_phys(t, buf, size);
	table_unref(t);
	return 1;
}

bool cdc_is_on(struct session *s, struct attached *home)
{
	struct diag d;
	int64_t on = 0;

	return catalog_int(s, &d, &on, "SELECT 1 FROM %s._meta WHERE k = 'cdc'",
			   home->prefix) == 0 &&
	       on;
}

int cdc_need_table(struct session *s, struct attached *home, const char *name,
		   char *buf, size_t size, struct diag *d)
{
	int found = cdc_table_name(s, home, name, buf, size, d);

	if (found)
		return found < 0 ? -1 : 0;
	return diag_free_text(d, 208, 16, 1, "Invalid object name 'cdc.%s'.",
			      name);
}

/* --- instances --- */

static void instances_free(struct instance *i)
{
	while (i) {
		struct instance *next = i->next;

		sqlite3_finalize(i->insert);
		free(i->ids);
		free(i);
		i = next;
	}
}

static int prepare_insert(struct capture *c, struct instance *i, int table_id,
			  struct diag *d)
{
	struct table *t = catalog_table(c->s, c->home, table_id, d);
	struct strbuf names, marks;
	char phys[64];
	int k;

	if (!t)
		return -1;
	i->count = t->count - CT_FIRST - 1;
	i->ids = mem_calloc((size_t)i->count + 1, sizeof(*i->ids));
	strbuf_init(&names);
	strbuf_init(&marks);
	for (k = 0; k < t->count; k++) {
		strbuf_addf(&names, "%sc%d", k ? "," : "", t->columns[k].phys);
		strbuf_addstr(&marks, k ? ",?" : "?");
	}
	i->insert = catalog_prepare(c->s, d, "INSERT INTO %s(%s) VALUES(%s)",
				    table_phys(t, phys, sizeof(phys)),
				    names.data, marks.data);
	strbuf_release(&names);
	strbuf_release(&marks);
	table_unref(t);
	return i->insert ? 0 : -1;
}

static int load_columns(struct capture *c, struct instance *i, int table_id,
			struct diag *d)
{
	char columns[64];
	sqlite3_stmt *st;

	if (cdc_need_table(c->s, c->home, "captured_columns", columns,
			   sizeof(columns), d) < 0)
		return -1;
	/* column_id, column_ordinal, is_computed */
	st = catalog_prepare(c->s, d, "SELECT c3, c5, c6 FROM %s WHERE c1 = %d",
			     columns, table_id);
	if (!st)
		return -1;
	while (sqlite3_step(st) == SQLITE_ROW) {
		int ordinal = sqlite3_column_int(st, 1);

		if (ordinal >= 1 && ordinal <= i->count &&
		    !sqlite3_column_int(st, 2))
			i->ids[ordinal - 1] = sqlite3_column_int(st, 0);
	}
	sqlite3_finalize(st);
	return 0;
}

static int load_instances(struct capture *c, struct diag *d)
{
	char tables[64];
	sqlite3_stmt *st;
	int ret = 0;

	if (cdc_need_table(c->s, c->home, "change_tables", tables,
			   sizeof(tables), d) < 0)
		return -1;
	/* object_id, source_object_id, start_lsn at the time of enabling */
	st = catalog_prepare(c->s, d,
			     "SELECT c1, c3, (SELECT v FROM %s._meta WHERE"
			     " k = 'cdcstart:' || c1) FROM %s",
			     c->home->prefix, tables);
	if (!st)
		return -1;
	while (ret == 0 && sqlite3_step(st) == SQLITE_ROW) {
		struct instance *i = mem_calloc(1, sizeof(*i));
		int id = sqlite3_column_int(st, 0);

		i->source = sqlite3_column_int(st, 1);
		i->start = sqlite3_column_int64(st, 2);
		i->next = c->instances;
		c->instances = i;
		if (prepare_insert(c, i, id, d) < 0 ||
		    load_columns(c, i, id, d) < 0)
			ret = -1;
	}
	sqlite3_finalize(st);
	return ret;
}

/* --- writing change rows --- */

static const struct val *value_of(const struct log_image *image, int id,
				  bool *changed)
{
	int i;

	for (i = 0; i < image->count; i++)
		if (image->columns[i].id == id) {
			if (changed)
				*changed = image->columns[i].changed;
			return &image->columns[i].v;
		}
	return NULL;
}

/* Which captured columns changed: bit 0 of the last byte is the first. */
static bool changed_mask(const struct instance *i, const struct log_image *row,
			 unsigned char *mask, int size)
{
	bool any = false;
	int k;

	memset(mask, 0, (size_t)size);
	for (k = 0; k < i->count; k++) {
		bool changed = false;

		if (i->ids[k])
			value_of(row, i->ids[k], &changed);
		if (changed)
			mask[size - 1 - k / 8] |= (unsigned char)(1 << k % 8);
		any |= changed;
	}
	return any;
}

static void full_mask(const struct instance *i, unsigned char *mask, int size)
{
	int k;

	memset(mask, 0, (size_t)size);
	for (k = 0; k < i->count; k++)
		mask[size - 1 - k / 8] |= (unsigned char)(1 << k % 8);
}

static int emit(struct capture *c, struct instance *i, int operation,
		int64_t command, const unsigned char *mask, int mask_size,
		const struct log_image *image, struct diag *d)
{
	unsigned char seq[LSN_SIZE];
	int k, rc;

	lsn_make(seq, c->seq);
	sqlite3_bind_blob(i->insert, CT_START + 1, c->commit, LSN_SIZE,
			  SQLITE_STATIC);
	sqlite3_bind_blob(i->insert, CT_SEQVAL + 1, seq, LSN_SIZE,
			  SQLITE_STATIC);
	sqlite3_bind_int(i->insert, CT_OPERATION + 1, operation);
	sqlite3_bind_blob(i->insert, CT_MASK + 1, mask, mask_size,
			  SQLITE_STATIC);
	for (k = 0; k < i->count; k++) {
		const struct val *v =
			i->ids[k] ? value_of(image, i->ids[k], NULL) : NULL;

		if (v)
			run_bind_val(i->insert, CT_FIRST + 1 + k, v);
		else
			sqlite3_bind_null(i->insert, CT_FIRST + 1 + k);
	}
	sqlite3_bind_int64(i->insert, CT_FIRST + 1 + i->count, command);
	rc = sqlite3_step(i->insert);
	sqlite3_reset(i->insert);
	sqlite3_clear_bindings(i->insert);
	return rc == SQLITE_DONE ? 0 : session_sqlite_error(c->s, rc, d);
}

/* A record of one instance. `op`: 'I', 'D', 'U'; 'd' and 'i' are the halves
 * of a moved row. */
static int change(struct capture *c, struct instance *i, char op,
		  int64_t command, struct diag *d)
{
	int size = (i->count + 7) / 8;
	unsigned char mask[(LOG_COLUMNS + 7) / 8];

	full_mask(i, mask, size);
	switch (op) {
	case 'I':
	case 'i':
		return emit(c, i, OP_INSERT, command, mask, size, &c->row, d);
	case 'D':
	case 'd':
		return emit(c, i, OP_DELETE, command, mask, size, &c->old, d);
	default:
		if (!changed_mask(i, &c->row, mask, size))
			return 0;
		if (emit(c, i, OP_BEFORE, command, mask, size, &c->old, d) < 0)
			return -1;
		return emit(c, i, OP_AFTER, command, mask, size, &c->row, d);
	}
}

/* The record under the cursor; `half` is 'd' or 'i' for a moved row. */
static int take(struct capture *c, char half, struct diag *d)
{
	sqlite3_stmt *st = c->records;
	int64_t number = sqlite3_column_int64(st, 0);
	int table_id = sqlite3_column_int(st, 2);
	char op = (char)sqlite3_column_int(st, 3);
	struct instance *i;
	bool used = false;

	if (!log_decode(op, sqlite3_column_blob(st, 4),
			(size_t)sqlite3_column_bytes(st, 4), &c->old, &c->row))
		return diag_free_text(d, 22859, 16, 1,
				      "Log Scan process failed in processing "
				      "log records.");
	for (i = c->instances; i; i = i->next) {
		if (i->source != table_id || number < i->start)
			continue;
		if (change(c, i, op == 'K' ? half : op,
			   sqlite3_column_int64(st, 1), d) < 0)
			return -1;
		used = true;
	}
	c->commands += used;
	c->seq++;
	return 0;
}

/* The second halves of a statement's moved rows. */
static int take_inserts(struct capture *c, int64_t first, int64_t last,
			struct diag *d)
{
	int rc, ret = 0;

	sqlite3_bind_int64(c->records, 1, first);
	sqlite3_bind_int64(c->records, 2, last);
	while (ret == 0 && (rc = sqlite3_step(c->records)) == SQLITE_ROW)
		if (sqlite3_column_int(c->records, 3) == 'K')
			ret = take(c, 'i', d);
	if (ret == 0 && rc != SQLITE_DONE)
		ret = session_sqlite_error(c->s, rc, d);
	sqlite3_reset(c->records);
	return ret;
}

/*
 * One statement, from the record `*first` on; afterwards `*first` is the next
 * one's. 1: there was one, 0: the transaction is at its end.
 */
static int take_statement(struct capture *c, int64_t *first, int64_t last,
			  struct diag *d)
{
	int64_t command = -1, from = *first, upto = from;
	bool moved = false, seen = false;
	int rc, ret = 0;

	sqlite3_bind_int64(c->records, 1, from);
	sqlite3_bind_int64(c->records, 2, last);
	while ((rc = sqlite3_step(c->records)) == SQLITE_ROW) {
		int64_t its = sqlite3_column_int64(c->records, 1);

		/* the next statement: only a moved row needs to know */
		if (command >= 0 && its != command && moved)
			break;
		command = its;
		upto = sqlite3_column_int64(c->records, 0);
		if (!moved && sqlite3_column_int(c->records, 3) == 'K') {
			moved = true;
			from = upto;
		}
		seen = true;
		ret = take(c, 'd', d);
		if (ret < 0)
			break;
	}
	if (ret == 0 && rc != SQLITE_ROW && rc != SQLITE_DONE)
		ret = session_sqlite_error(c->s, rc, d);
	sqlite3_reset(c->records);
	if (ret < 0)
		return -1;
	*first = upto + 1;
	if (moved && take_inserts(c, from, upto, d) < 0)
		return -1;
	return seen;
}

/* --- transactions --- */

struct tran_entry {
	int64_t number, first, began, ended;
	unsigned char id[10];
	int id_size;
};

static int add_time(struct capture *c, const struct tran_entry *e,
		    struct diag *d)
{
	unsigned char begin[LSN_SIZE];
	int rc;

	lsn_make(begin, e->first);
	sqlite3_bind_blob(c->add_time, 1, c->commit, LSN_SIZE, SQLITE_STATIC);
	sqlite3_bind_int64(c->add_time, 2, e->began);
	sqlite3_bind_int64(c->add_time, 3, e->ended);
	sqlite3_bind_blob(c->add_time, 4, e->id, e->id_size, SQLITE_STATIC);
	if (e->first)
		sqlite3_bind_blob(c->add_time, 5, begin, LSN_SIZE,
				  SQLITE_STATIC);
	else
		sqlite3_bind_null(c->add_time, 5);
	rc = sqlite3_step(c->add_time);
	sqlite3_reset(c->add_time);
	return rc == SQLITE_DONE ? 0 : session_sqlite_error(c->s, rc, d);
}

static int take_transaction(struct capture *c, const struct tran_entry *e,
			    struct diag *d)
{
	int64_t first = e->first;
	int before = c->commands, more;

	lsn_make(c->commit, e->number);
	c->seq = e->first;
	do {
		more = take_statement(c, &first, e->number - 1, d);
	} while (more > 0);
	if (more < 0)
		return -1;
	return c->commands > before ? add_time(c, e, d) : 0;
}

static int open_capture(struct capture *c, struct diag *d)
{
	char times[64];

	if (cdc_need_table(c->s, c->home, "lsn_time_mapping", times,
			   sizeof(times), d) < 0)
		return -1;
	c->add_time = catalog_prepare(
		c->s, d, "INSERT INTO %s(c1, c2, c3, c4, c5) VALUES(?,?,?,?,?)",
		times);
	c->records = catalog_prepare(
		c->s, d,
		"SELECT id, command, object_id, op, data FROM %s._log"
		" WHERE id BETWEEN ? AND ? ORDER BY id",
		c->home->prefix);
	return c->add_time && c->records ? 0 : -1;
}

static void close_capture(struct capture *c)
{
	sqlite3_finalize(c->add_time);
	sqlite3_finalize(c->records);
	instances_free(c->instances);
	free(c);
}

static void read_entry(sqlite3_stmt *st, struct tran_entry *e)
{
	e->number = sqlite3_column_int64(st, 0);
	e->first = sqlite3_column_int64(st, 1);
	e->began = sqlite3_column_int64(st, 2);
	e->ended = sqlite3_column_int64(st, 3);
	e->id_size = sqlite3_column_bytes(st, 5);
	if (e->id_size > (int)sizeof(e->id))
		e->id_size = (int)sizeof(e->id);
	memcpy(e->id, sqlite3_column_blob(st, 5), (size_t)e->id_size);
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int scan_log(struct capture *c, struct scan *scan, struct diag *d)
{
	sqlite3_stmt *st = catalog_prepare(
		c->s, d,
		"SELECT id, first, began, ended, ended_ms, tran_id"
		" FROM %s._log_tran WHERE ended_ms <= %lld ORDER BY id"
		" LIMIT %d",
		c->home->prefix,
		(long long)(scan->up_to_ms ? scan->up_to_ms : INT64_MAX),
		scan->max_trans);
	struct tran_entry e;
	int64_t ended_ms;
	int rc = SQLITE_DONE, ret = st ? 0 : -1;

	while (ret == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		read_entry(st, &e);
		ended_ms = sqlite3_column_int64(st, 4);
		ret = take_transaction(c, &e, d);
		if (!scan->first)
			scan->first = e.number;
		scan->last = e.number;
		scan->latency_ms = clock_ms() - ended_ms;
		scan->transactions++;
	}
	if (ret == 0 && rc != SQLITE_DONE)
		ret = session_sqlite_error(c->s, rc, d);
	sqlite3_finalize(st);
	scan->commands = c->commands;
	scan->more = scan->transactions >= scan->max_trans;
	if (ret < 0 || !scan->last)
		return ret;
	return catalog_exec(c->s, d,
			    "DELETE FROM %s._log WHERE id <= %lld;"
			    "DELETE FROM %s._log_tran WHERE id <= %lld",
			    c->home->prefix, (long long)scan->last,
			    c->home->prefix, (long long)scan->last);
}

static struct capture *new_capture(struct session *s, struct attached *home)
{
	struct capture *c = mem_calloc(1, sizeof(*c));

	c->s = s;
	c->home = home;
	return c;
}

int cdc_scan(struct session *s, struct attached *home, struct scan *scan,
	     struct diag *d)
{
	struct capture *c = new_capture(s, home);
	int ret = -1;

	if (open_capture(c, d) == 0 && load_instances(c, d) == 0)
		ret = scan_log(c, scan, d);
	close_capture(c);
	return ret;
}

int cdc_heartbeat(struct session *s, struct attached *home, struct diag *d)
{
	struct capture *c;
	struct tran_entry e = {.id = {0}, .id_size = 1};
	char buf[DATETIMEOFFSET_BLOB];
	int64_t waiting;
	struct moment m;
	struct val now;
	int ret = -1;

	/* What was committed since the scan found nothing must not lie below. */
	if (catalog_int(s, d, &waiting,
			"SELECT EXISTS(SELECT 1 FROM %s._log_tran)",
			home->prefix) < 0)
		return -1;
	if (waiting)
		return 0;
	c = new_capture(s, home);
	e.number = log_position(s, home, d);
	if (e.number && log_skip(s, home, d) == 0 && open_capture(c, d) == 0) {
		moment_now(&m, false);
		moment_store(&m, type_of(TY_DATETIME), &now, buf);
		e.began = e.ended = now.i;
		lsn_make(c->commit, e.number);
		ret = add_time(c, &e, d);
	}
	close_capture(c);
	return ret;
}
