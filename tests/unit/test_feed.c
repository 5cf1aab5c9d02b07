/* By which of a table's definitions the rows that come are read. */
#include "unit/helper.h"

#include <string.h>

#include "base/strbuf.h"
#include "drivers/postgresql/feed.h"

#define TABLE 7

static struct pg_login login;
static struct stream *stream;
static struct stream_mapping *mapping;
static struct strbuf message;
static uint64_t lsn;

static int setup(void **state)
{
	struct slot_names names;
	struct error err = ERROR_INIT;

	if (setup_folder(state) < 0)
		return -1;
	slot_names_make(&names, "abc", 1, 5);
	MUST(stream_new(&stream, &login, "db", &names, 1 << 20, &err));
	mapping = stream_join(stream, 1, "public", "t", NULL, &err);
	assert_non_null(mapping);
	mapping->fed = mapping->wants = true;
	strbuf_init(&message);
	lsn = 100;
	pthread_mutex_lock(&stream->lock);
	feed_begin(stream);
	return 0;
}

static int teardown(void **state)
{
	pthread_mutex_unlock(&stream->lock);
	stream_leave(mapping);
	stream_free(stream);
	strbuf_release(&message);
	return teardown_folder(state);
}

/* -------------------------------------------------------------- the messages */

static void put(uint64_t number, int bytes)
{
	while (bytes-- > 0)
		strbuf_addch(&message, (char)(number >> (8 * bytes)));
}

static void put_string(const char *text)
{
	strbuf_add(&message, text, strlen(text) + 1);
}

static void begin(char type)
{
	strbuf_reset(&message);
	strbuf_addch(&message, type);
}

static void send(void)
{
	struct error err = ERROR_INIT;

	MUST(feed_message(stream, message.data, message.len, &err));
}

/* In a streamed transaction, or with 0 in one of its own. */
static void open_txn(uint32_t xid)
{
	begin(xid ? 'S' : 'B');
	if (xid) {
		put(xid, 4);
		put(1, 1);
	} else {
		put(lsn, 8);
		put(1000, 8);
		put(1, 4);
	}
	send();
}

static void put_end(void)
{
	put(0, 1);
	put(lsn, 8);
	put(lsn + 1, 8);
	put(1000, 8);
	send();
	lsn += 10;
}

static void close_txn(uint32_t xid)
{
	begin(xid ? 'E' : 'C');
	if (xid)
		send();
	else
		put_end();
}

static void commit_streamed(uint32_t xid)
{
	begin('c');
	put(xid, 4);
	put_end();
}

/* The table's only column is called so now. */
static void tell(uint32_t xid, const char *column)
{
	begin('R');
	if (xid)
		put(xid, 4);
	put(TABLE, 4);
	put_string("public");
	put_string("t");
	put('d', 1);
	put(1, 2);
	put(1, 1);
	put_string(column);
	put(25, 4);
	put((uint32_t)-1, 4);
	send();
}

static void insert(uint32_t xid)
{
	begin('I');
	if (xid)
		put(xid, 4);
	put(TABLE, 4);
	put('N', 1);
	put(1, 2);
	put('n', 1);
	send();
}

static void insert_in(uint32_t xid, const char *told)
{
	open_txn(xid);
	if (told)
		tell(xid, told);
	insert(xid);
	close_txn(xid);
}

/* The columns of the rows that are committed, in their order. */
static void assert_rows(const char *want)
{
	struct backlog *backlog = &mapping->backlog;
	struct backlog_reader reader = {.at = NULL};
	struct backlog_window window = {.to = 0};
	struct pgoutput_message table;
	struct pgoutput_column column;
	struct backlog_change change;
	struct error err = ERROR_INIT;
	struct strbuf got;
	int rc;

	strbuf_init(&got);
	pthread_mutex_unlock(&stream->lock);
	do {
		rc = backlog_read(backlog, window.to, 100, &window, &reader,
				  &err);
		while (rc > 0 && (rc = backlog_next(backlog, &reader, &change,
						    &err)) > 0) {
			const struct backlog_version *version =
				&backlog->versions[change.version];

			MUST(pgoutput_read(&table, version->message,
					   version->len, false, &err));
			assert_true(
				pgoutput_column_next(&table.table, &column));
			strbuf_addf(&got, "%s ", column.name);
		}
		assert_int_equal(rc, 0);
		backlog_read_end(&reader);
	} while (window.more);
	pthread_mutex_lock(&stream->lock);
	assert_string_equal(got.data, want);
	strbuf_release(&got);
}

/* --------------------------------------------------------------------- tests */

static void test_a_definition_of_a_streamed_transaction(void **state)
{
	(void)state;
	insert_in(0, "old");
	insert_in(2, "new");
	insert_in(0, NULL);
	commit_streamed(2);
	insert_in(0, NULL);
	assert_rows("old old new new ");
}

/* It told its own, and lost the lock on the table by ROLLBACK TO SAVEPOINT. */
static void test_an_older_one_does_not_come_back(void **state)
{
	(void)state;
	insert_in(2, "old");
	insert_in(0, "new");
	commit_streamed(2);
	insert_in(0, NULL);
	assert_rows("new old new ");
}

static void test_two_streamed_transactions(void **state)
{
	(void)state;
	insert_in(0, "oldest");
	insert_in(2, "old");
	insert_in(3, "new");
	commit_streamed(3);
	commit_streamed(2);
	insert_in(0, NULL);
	insert_in(4, "newer");
	insert_in(5, "newest");
	commit_streamed(4);
	commit_streamed(5);
	insert_in(0, NULL);
	assert_rows("oldest new old new newer newest newest ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_definition_of_a_streamed_transaction),
		TEST(test_an_older_one_does_not_come_back),
		TEST(test_two_streamed_transactions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
