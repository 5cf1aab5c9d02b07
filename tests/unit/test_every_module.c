/*
 * The parts that need no mapping, with every request for memory refused in
 * turn: what they make is whole, or they say that there was no memory for it.
 */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/connstr.h"
#include "base/keyring.h"
#include "base/queue.h"
#include "base/secret.h"
#include "cli/cell.h"
#include "engine/outbox.h"
#include "engine/tally.h"
#include "engine/topology.h"
#include "monitor/metrics.h"
#include "monitor/status.h"
#include "notify/channel.h"
#include "notify/journal.h"
#include "notify/ledger.h"
#include "notify/message.h"
#include "row/canonical.h"
#include "row/key.h"
#include "unit/deeds.h"
#include "unit/rows.h"
#include "unit/scarce/scarce.h"
#include "unit/store.h"

static void try_it(const char *name, int (*run)(struct error *err),
		   unsigned long least)
{
	struct scarce_trial trial = {.name = name, .run = run, .most = 300};

	scarce_try(&trial, least);
}

/* Fails with what follows from where they differ. */
static void assert_text(const char *got, const char *want)
{
	size_t i = 0;

	while (got[i] && got[i] == want[i])
		i++;
	if (got[i] != want[i])
		fail_msg("after %.40s it goes on with\n%.80s\nnot with\n%.80s",
			 got + (i > 40 ? i - 40 : 0), got + i, want + i);
}

/* What came out, unless memory was short; a text is freed. */
static int compare(char *got, const char *want, struct error *err)
{
	if (!got)
		return error_memory(err, "a text");
	assert_text(got, want);
	free(got);
	return 0;
}

/* --------------------------------------------------------------------- base */

static int read_connstr(struct error *err)
{
	struct connstr cs;

	if (connstr_parse(&cs,
			  "server={a;b};user id=sa;password='x''y';"
			  "database=db;encrypt=disable",
			  err) < 0)
		return -1;
	assert_string_equal(connstr_get(&cs, "server"), "a;b");
	assert_string_equal(connstr_get(&cs, "user id|uid"), "sa");
	assert_string_equal(connstr_get(&cs, "password"), "x'y");
	assert_string_equal(connstr_get(&cs, "encrypt"), "disable");
	connstr_release(&cs);
	return 0;
}

static int use_queue(struct error *err)
{
	struct queue queue;
	int item;

	if (queue_init(&queue, 3, err) < 0)
		return -1;
	assert_true(queue_push(&queue, &item));
	assert_ptr_equal(queue_pop(&queue, 0), &item);
	queue_release(&queue);
	return 0;
}

static int add_cells(struct error *err)
{
	struct strbuf out;
	int ret;

	strbuf_init(&out);
	cell_add(&out, "left", 6);
	cell_add_right(&out, "right", 7);
	cell_add_text(&out, "\ttext", 0);
	ret = strbuf_check(&out, err);
	if (ret == 0)
		assert_string_equal(out.data, "left    right text");
	strbuf_release(&out);
	return ret;
}

static int use_secret(struct error *err)
{
	struct strbuf text, plain;
	bool old_key;
	int ret = -1;

	strbuf_init(&text);
	strbuf_init(&plain);
	if (secret_encrypt("a secret", &text, err) == 0 &&
	    strbuf_check(&text, err) == 0 &&
	    secret_decrypt(text.data, &plain, &old_key, err) == 0 &&
	    strbuf_check(&plain, err) == 0) {
		assert_string_equal(plain.data, "a secret");
		ret = 0;
	}
	secret_release(&text);
	secret_release(&plain);
	return ret;
}

static void test_secrets(void **state)
{
	struct error err = ERROR_INIT;
	char id[KEYRING_ID_SIZE];

	(void)state;
	MUST(keyring_set_file(path_of("key"), &err));
	MUST(keyring_make_file(id, &err));
	MUST(use_secret(&err)); /* OpenSSL makes what it makes once */
	try_it("a secret", use_secret, 5);
}

static void test_base(void **state)
{
	(void)state;
	try_it("a connection string", read_connstr, 10);
	try_it("a queue", use_queue, 1);
	try_it("cells", add_cells, 2);
}

/* --------------------------------------------------------------------- rows */

static const struct column columns[] = {
	{.name = "id", .type = ROW_INT64},
	{.name = "name",
	 .type = ROW_TEXT,
	 .nullable = true,
	 .native = "n",
	 .collation = "c"},
	{.name = "wide", .type = ROW_TEXT, .charset = "UTF-16LE"},
};

static const size_t all[] = {0, 1, 2};

/* Made before memory becomes scarce. */
static struct table table;
static struct batch three_keys;

static int set_keys(struct error *err)
{
	struct table copy;
	struct strbuf text;
	int ret = -1;

	table_init(&copy);
	strbuf_init(&text);
	if (table_copy(&copy, &table, NULL, err) == 0 &&
	    table_set_key(&copy, "[name] , \"id\"", err) == 0) {
		table_signature(&copy, &text);
		ret = strbuf_check(&text, err);
	}
	if (ret == 0) {
		assert_int_equal(copy.key_count, 2);
		assert_string_equal(text.data,
				    "id int64 - not null\nname n c null\n"
				    "wide text - not null\nkey 1\nkey 0\n");
	}
	strbuf_release(&text);
	table_release(&copy);
	return ret;
}

static int fill_batch(struct batch *batch, struct error *err)
{
	unsigned char *text;

	if (batch_init(batch, &table, 10, 1 << 20, err) < 0)
		return -1;
	batch_put_i64(batch, 0, 7);
	text = batch_put_slice(batch, 1, 5000);
	if (!text)
		return error_memory(err, "a value");
	memset(text, 'x', 5000);
	text = batch_put_slice(batch, 2, 4);
	if (!text)
		return error_memory(err, "a value");
	memcpy(text, "a\0\xe9\0", 4);
	batch_add_row(batch, ROW_UPSERT);
	return 0;
}

static int take_digest(struct canonical *canonical, const struct batch *batch,
		       struct error *err)
{
	static const struct row_digest none;
	struct row_sum sum = {.rows = 0};
	char md5[ROW_SUM_MD5_MAX];
	struct row_digest digest;
	const struct strbuf *text;

	if (canonical_text(canonical, batch, 0, &text, err) < 0)
		return -1;
	assert_holds(text->data, "a\xc3\xa9");
	if (canonical_digest(canonical, batch, 0, &digest, err) < 0)
		return -1;
	assert_memory_not_equal(&digest, &none, sizeof(none));
	row_sum_add(&sum, &digest);
	if (row_sum_md5(&sum, md5, err) < 0)
		return -1;
	assert_int_equal(strlen(md5), ROW_SUM_MD5_MAX - 1);
	return 0;
}

static int make_canonical(struct error *err)
{
	struct canonical canonical;
	struct batch batch;
	int ret = -1;

	memset(&batch, 0, sizeof(batch));
	memset(&canonical, 0, sizeof(canonical));
	if (fill_batch(&batch, err) == 0 &&
	    canonical_init(&canonical, &table, NULL, all, COUNT_OF(all), err) ==
		    0)
		ret = take_digest(&canonical, &batch, err);
	canonical_release(&canonical);
	batch_release(&batch);
	return ret;
}

static int move_key(const struct batch *from, struct batch *to,
		    struct row_key keys[3], struct error *err)
{
	struct strbuf hex;
	int ret = -1;

	strbuf_init(&hex);
	if (row_key_take(&keys[0], from, 0, err) == 0 &&
	    row_key_copy(&keys[1], &keys[0], err) == 0) {
		row_key_format(&keys[1], &hex);
		if (strbuf_check(&hex, err) == 0 &&
		    row_key_parse(&keys[2], hex.data, err) == 0)
			ret = row_key_put(&keys[2], to, err);
	}
	strbuf_release(&hex);
	return ret;
}

static int carry_key(struct error *err)
{
	struct row_key keys[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
	struct batch from, to;
	int ret = -1;

	memset(&from, 0, sizeof(from));
	memset(&to, 0, sizeof(to));
	if (fill_batch(&from, err) == 0 &&
	    batch_init(&to, &table, 1, 1 << 20, err) == 0)
		ret = move_key(&from, &to, keys, err);
	if (ret == 0) {
		assert_int_equal(to.rows, 1);
		assert_int_equal(to.columns[0].i64[0], 7);
		assert_int_equal(to.columns[1].slice[0].len, 5000);
	}
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		row_key_release(&keys[i]);
	batch_release(&from);
	batch_release(&to);
	return ret;
}

static void test_rows(void **state)
{
	(void)state;
	table_make(&table, "t", columns, COUNT_OF(columns), "id, name, wide");
	table.columns[2].charset = "UTF-16LE";
	try_it("keys of a table", set_keys, 4);
	try_it("canonical texts", make_canonical, 10);
	try_it("keys of rows", carry_key, 10);
	table_release(&table);
}

/* -------------------------------------------------------------------- tally */

static int add_mismatches(struct tally *tally, struct error *err)
{
	struct compare_row row = {
		.verdict = COMPARE_DIFFERENT,
		.keys = &three_keys,
	};
	int ret = 0;

	for (; row.at < 3 && ret == 0; row.at++)
		ret = tally_add(tally, &row, err);
	return ret;
}

/* As it is kept, and taken up again. */
static int keep_tally(struct tally *tally, struct error *err)
{
	char *text = tally_format(tally);
	struct tally again;
	char *details;
	int ret;

	if (!text)
		return error_memory(err, "a text");
	ret = tally_parse(&again, text, err);
	free(text);
	if (ret < 0)
		return -1;
	assert_int_equal(again.sums[COMPARE_DEST].words[3], 44);
	assert_int_equal(again.mismatches, 3);
	assert_string_equal(again.condition, "n = 1");
	again.truncated = true;
	details = tally_details(&again, "because");
	tally_release(&again);
	return compare(
		details,
		"{\"scope\":\"RESYNC\",\"mismatches\":["
		"{\"key\":\"0\",\"difference\":\"DIFFERENT\"},"
		"{\"key\":\"1\",\"difference\":\"DIFFERENT\"},"
		"{\"key\":\"2\",\"difference\":\"DIFFERENT\"}],"
		"\"all_shown\":true,\"repaired\":0,\"reason\":\"because\","
		"\"where_condition\":\"n = 1\",\"not_looked_at\":"
		"\"rows beyond twice verification_row_count\"}",
		err);
}

static int use_tally(struct error *err)
{
	struct tally tally;
	int ret = -1;

	if (tally_init(&tally, TALLY_CHOSEN, err) < 0)
		return -1;
	tally.sums[COMPARE_DEST].words[3] = 44;
	tally.condition = strdup("n = 1");
	if (!tally.condition)
		error_memory(err, "a condition");
	else if (add_mismatches(&tally, err) == 0)
		ret = keep_tally(&tally, err);
	tally_release(&tally);
	return ret;
}

static void test_tally(void **state)
{
	struct scarce_trial trial = {.name = "the progress of a verification",
				     .run = use_tally,
				     /* jansson takes a lack of memory
				      * for a mistake in the text. */
				     .any_kind = true};

	(void)state;
	table_make(&table, "t", columns, 1, "id");
	batch_make(&three_keys, &table);
	for (int i = 0; i < 3; i++) {
		batch_put_i64(&three_keys, 0, i);
		batch_add_row(&three_keys, ROW_UPSERT);
	}
	scarce_try(&trial, 50);
	batch_release(&three_keys);
	table_release(&table);
}

/* ----------------------------------------------------------- notifications */

static int read_channel(struct error *err)
{
	struct channel channel;

	if (channel_parse(&channel, "email",
			  "server=smtp://mail.example;from=a@b.c;"
			  "to={d@e.f, g@h.i}",
			  err) < 0)
		return -1;
	assert_int_equal(channel.to_count, 2);
	assert_string_equal(channel.to[1], "g@h.i");
	channel_release(&channel);
	return 0;
}

static void see_recalled(void *arg, int mapping_id, enum notice_event event,
			 enum notice_event trouble)
{
	(void)trouble;
	*(int *)arg += mapping_id * 10 + (event == NOTICE_RECOVERY);
}

static int write_messages(const struct digest *digest, struct error *err)
{
	struct message message = {
		.channel = "c",
		.notices = digest->notices,
		.count = digest->count,
		.daemon = "d",
		.installation = "i",
		.sent_us = 1,
	};
	char *json, *journal;
	struct strbuf text;
	int ret, seen = 0;

	strbuf_init(&text);
	message_text(&message, &text);
	ret = strbuf_check(&text, err);
	if (ret == 0)
		assert_holds(text.data, "db.dbo.two");
	strbuf_release(&text);
	json = ret == 0 ? message_json(&message, err) : NULL;
	if (!json)
		return -1;
	assert_holds(json, "\"FAILURE\":1,");
	assert_holds(json, "\"RECOVERY\":1}");
	assert_holds(json, "\"source\":\"db.dbo.one\"");
	assert_holds(json, "\"source\":\"db.dbo.two\"");
	free(json);
	journal = journal_write(digest->notices, digest->count);
	if (!journal)
		return error_memory(err, "a journal");
	if (!scarce_hit()) {
		journal_read(journal, see_recalled, &seen);
		if (!scarce_hit())
			assert_int_equal(seen, 10 + 1 + 20);
	}
	free(journal);
	return 0;
}

static int tell(struct ledger *ledger, struct listener *listener, int64_t now,
		size_t count, struct error *err)
{
	struct digest digest;
	int ret;

	if (ledger_take(ledger, listener, now, &digest, err) < 0)
		return -1;
	assert_int_equal(digest.count, count);
	ret = count == 2 ? write_messages(&digest, err) : 0;
	if (ret == 0)
		ledger_told(ledger, listener, &digest, now);
	else
		ledger_not_told(ledger, listener, &digest);
	digest_release(&digest);
	return ret;
}

static int fill_ledger(struct ledger *ledger, struct error *err)
{
	static const struct ledger_name names[] = {
		{1, 1, "server", "db.dbo.one", "to.dbo.one"},
		{2, 1, "server", "db.dbo.two", "to.dbo.two"},
	};
	struct listener_filter filter = {.events = ~0u};
	struct listener *listener = ledger_add_listener(ledger, 1);

	if (!listener)
		return error_memory(err, "a listener");
	listener_set_filter(listener, &filter);
	if (ledger_set_names(ledger, names, COUNT_OF(names), err) < 0)
		return -1;
	if (ledger_open(ledger, 1, NOTICE_FAILURE, "SYNC", "m", 1000) < 0)
		return error_memory(err, "a trouble");
	if (tell(ledger, listener, 2000, 1, err) < 0)
		return -1;
	assert_true(ledger_close(ledger, 1, NOTICE_FAILURE, 3000));
	if (ledger_open(ledger, 2, NOTICE_FAILURE, "SYNC", "m", 3000) < 0)
		return error_memory(err, "a trouble");
	return tell(ledger, listener, 4000, 2, err);
}

static int use_ledger(struct error *err)
{
	struct ledger ledger;
	int ret;

	ledger_init(&ledger);
	ledger.repeat_us = 1000000;
	ledger.max_per_hour = 10;
	ret = fill_ledger(&ledger, err);
	while (ledger.listeners)
		ledger_remove_listener(&ledger, ledger.listeners);
	ledger_release(&ledger);
	return ret;
}

static void test_notify(void **state)
{
	(void)state;
	try_it("a channel", read_channel, 5);
	try_it("a ledger", use_ledger, 100);
}

/* ------------------------------------------------------------------ monitor */

static struct overview_mapping shown[2];
static struct overview_error recent[1];

static int look(struct overview *out, struct error *err)
{
	static const struct overview_mapping one = {
		.id = 1,
		.server = "s",
		.source = "db.dbo.t",
		.dest = "db2.dbo.t",
		.state = "CDC",
		.reason = "why",
		.lag_s = 1.5,
		.rows = 5,
		.run = {"CDC", 1, 2, 3, 4},
		.verification = {"TAIL", "FAILED", 100, 7, 5},
		.lags = {1, 2},
		.lag_count = 2,
	};

	overview_init(out, 1 << 20);
	for (int i = 0; i < 2; i++) {
		shown[i] = one;
		shown[i].id = i + 1;
		if (overview_judge(out, &shown[i]) < 0) {
			overview_release(out);
			return error_memory(err, "an overview");
		}
	}
	recent[0] = (struct overview_error){
		.mapping_id = 1, .type = "SYNC", .message = "m", .count = 1};
	out->daemon = "d";
	out->mappings = shown;
	out->mapping_count = 2;
	out->recent = recent;
	out->recent_count = 1;
	return 0;
}

/* The same text as with plenty of memory, which comes first. */
static int write_page(void (*write)(struct strbuf *, const struct overview *),
		      char **want, struct error *err)
{
	struct overview now;
	struct strbuf text;
	int ret;

	if (look(&now, err) < 0)
		return -1;
	strbuf_init(&text);
	write(&text, &now);
	overview_release(&now);
	ret = strbuf_check(&text, err);
	if (ret == 0 && *want)
		assert_text(text.data, *want);
	if (ret == 0 && !*want)
		*want = strbuf_detach(&text);
	strbuf_release(&text);
	return ret;
}

static char *metrics_text, *status_text;

static int write_metrics(struct error *err)
{
	return write_page(metrics_write, &metrics_text, err);
}

static int write_status(struct error *err)
{
	return write_page(status_write, &status_text, err);
}

static void test_monitor(void **state)
{
	(void)state;
	try_it("metrics", write_metrics, 5);
	try_it("the status page's data", write_status, 100);
	free(metrics_text);
	free(status_text);
}

/* ------------------------------------------------------------------- engine */

/* What is put is whole, or was counted as dropped. */
static int use_outbox(struct error *err)
{
	struct outbox *outbox = calloc(1, sizeof(*outbox));
	struct event *event;
	int ret = -1;

	if (!outbox)
		return error_memory(err, "an outbox");
	if (outbox_init(outbox, err) < 0)
		goto done;
	event = event_new(EVENT_ERROR, "message", "details");
	if (event) {
		event->error.type = "SYNC";
		event->error.subject = event_keep(event, "subject");
	}
	outbox_put(outbox, event);
	if (outbox_take_dropped(outbox)) {
		error_memory(err, "an event");
	} else {
		event = outbox_take(outbox);
		assert_string_equal(event->owned[1], "details");
		assert_string_equal(event->error.subject, "subject");
		event_free(event);
		ret = 0;
	}
	outbox_release(outbox);
done:
	free(outbox);
	return ret;
}

/* Of two mappings that feed each other, one has a problem. */
static struct control_server server = {1, "s", "memory", "name=x", true, NULL};

static struct mapping *make_mapping(int id, const char *from, const char *to,
				    const struct control_snapshot *snapshot)
{
	static const struct mapping_default_target none = {NULL, NULL, NULL};
	struct control_mapping row = {
		.id = id,
		.server_id = 1,
		.target_id = 1,
		.enabled = true,
		.source_database = "db",
		.source_schema = "dbo",
		.source_table = from,
		.dest_database = "db",
		.dest_schema = "dbo",
		.dest_table = to,
		.key_columns = "id",
	};

	return mapping_new(&row, snapshot, &none);
}

static int check_topology(struct error *err)
{
	struct control_snapshot snapshot = {
		.sources = &server,
		.source_count = 1,
		.targets = &server,
		.target_count = 1,
	};
	struct mapping *mappings[2] = {NULL, NULL};
	int ret = -1;

	arena_init(&snapshot.arena, 0);
	if (mapping_find_addresses(&snapshot, err) == 0) {
		mappings[0] = make_mapping(1, "a", "b", &snapshot);
		mappings[1] = make_mapping(2, "b", "a", &snapshot);
		ret = mappings[0] && mappings[1]
			      ? topology_check(mappings, 2, err)
			      : error_memory(err, "mappings");
	}
	if (ret == 0) {
		assert_int_equal(mappings[0]->problem.kind, ERROR_NONE);
		assert_int_equal(mappings[1]->problem.kind, ERROR_CONFIG);
		assert_holds(mappings[1]->problem.message, "circle");
	}
	mapping_free(mappings[0]);
	mapping_free(mappings[1]);
	arena_release(&snapshot.arena);
	return ret;
}

static void test_engine(void **state)
{
	(void)state;
	try_it("an outbox", use_outbox, 5);
	try_it("the topology", check_topology, 10);
}

/* ------------------------------------------------------------- control store */

static struct control_spec spec;
static struct control *control;
static const struct deed *deed;

static int run_deed(struct error *err)
{
	return deed->act(control, err);
}

static void check_deed(bool done)
{
	if (done && deed->query)
		assert_query(spec.file, deed->query, deed->want);
}

static void test_deeds(void **state)
{
	(void)state;
	spec = store_make("module.db");
	store_add_mapping(spec.file);
	deeds_prepare(spec.file);
	control = store_open(&spec);
	for (size_t i = 0; i < deed_count; i++) {
		struct scarce_trial trial = {
			.run = run_deed,
			.check = check_deed,
			.most = 60,
		};

		deed = &deeds[i];
		trial.name = deed->name;
		scarce_try(&trial, 5);
	}
	control_close(control);
}

static int open_store(struct error *err)
{
	enum control_trouble trouble;
	struct control *opened;

	if (control_open(&spec, NULL, &opened, &trouble, err) < 0) {
		assert_int_not_equal(trouble, CONTROL_FINE);
		assert_int_not_equal(trouble, CONTROL_NO_TABLES);
		return -1;
	}
	control_close(opened);
	return 0;
}

static void test_opening(void **state)
{
	(void)state;
	spec = store_make("open.db");
	try_it("opening a store that is there", open_store, 100);
	spec.create = false;
	try_it("opening a store", open_store, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets), cmocka_unit_test(test_base),
		cmocka_unit_test(test_rows),	cmocka_unit_test(test_tally),
		cmocka_unit_test(test_notify),	cmocka_unit_test(test_monitor),
		cmocka_unit_test(test_engine),	cmocka_unit_test(test_deeds),
		cmocka_unit_test(test_opening),
	};

	scarce_setup();
	alarm(getenv("SCARCE_ALL") ? 3600 : 240);
	return cmocka_run_group_tests_name("every module", tests, setup_folder,
					   teardown_folder);
}
