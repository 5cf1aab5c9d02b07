/* A store in a local folder, and what base/files.h does for it. */
#include "unit/helper.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "drivers/files/folder.h"
#include "drivers/files/layout.h"
#include "unit/rows.h"

static struct store *store;
static struct cancel cancel;
static struct error err;

#define OPS store->ops

static int setup(void **state)
{
	if (setup_folder(state) < 0 || cancel_init(&cancel, &err) < 0)
		return -1;
	error_clear(&err);
	MUST(folder_open(&store, path_of("."), "pre/fix/a.b.c", &err));
	store->cancel = &cancel;
	MUST(OPS->set_up(store, &err));
	return 0;
}

static int teardown(void **state)
{
	OPS->close(store);
	cancel_release(&cancel);
	return teardown_folder(state);
}

static void assert_read(const char *key, const char *want,
			struct store_tag *tag)
{
	struct store_tag ignored;
	struct strbuf text;
	int rc;

	strbuf_init(&text);
	rc = OPS->read(store, key, &text, tag ? tag : &ignored, &err);
	MUST(rc);
	assert_int_equal(rc, want != NULL);
	if (want)
		assert_string_equal(text.data, want);
	strbuf_release(&text);
}

static void test_replace(void **state)
{
	const struct store_tag none = {""};
	struct store_tag first, second, other;

	(void)state;
	assert_read(LAYOUT_STATE, NULL, &other);
	assert_string_equal(other.text, "");
	MUST(OPS->replace(store, LAYOUT_STATE, "one", 3, &none, &first, &err));
	assert_read(LAYOUT_STATE, "one", &other);
	assert_string_equal(first.text, other.text);
	MUST_FAIL(
		OPS->replace(store, LAYOUT_STATE, "x", 1, &none, &other, &err),
		ERROR_CONFLICT);
	MUST(OPS->replace(store, LAYOUT_STATE, "two", 3, &first, &second,
			  &err));
	MUST_FAIL(
		OPS->replace(store, LAYOUT_STATE, "x", 1, &first, &other, &err),
		ERROR_CONFLICT);
	assert_read(LAYOUT_STATE, "two", NULL);
	MUST(OPS->replace(store, LAYOUT_STATE, "", 0, NULL, &other, &err));
	assert_read(LAYOUT_STATE, "", NULL);
	MUST(OPS->replace(store, "a/b/c.json", "deep", 4, NULL, &other, &err));
	assert_read("a/b/c.json", "deep", NULL);
}

/* A file that was left half written beside it does not matter. */
static void test_replace_after_a_crash(void **state)
{
	struct store_tag tag;

	(void)state;
	write_file(path_of("pre/fix/a.b.c/latest.json.new"), "half");
	MUST(OPS->replace(store, LAYOUT_LATEST, "whole", 5, NULL, &tag, &err));
	assert_read(LAYOUT_LATEST, "whole", NULL);
	assert_int_equal(access(path_of("pre/fix/a.b.c/latest.json.new"), F_OK),
			 -1);
}

/* Of many that change the same thing at once each counts, or is told. */
#define WRITERS 4
#define WRITES	25

static void *write_often(void *arg)
{
	struct error why = ERROR_INIT;
	struct store *mine;
	int *failed = arg, done = 0;

	if (folder_open(&mine, path_of("."), "pre/fix/a.b.c", &why) < 0) {
		*failed = 1;
		return NULL;
	}
	mine->cancel = &cancel;
	while (done < WRITES && !*failed) {
		struct store_tag tag, now;
		struct strbuf text;
		char number[32];

		strbuf_init(&text);
		*failed |= mine->ops->read(mine, LAYOUT_STATE, &text, &tag,
					   &why) < 0;
		snprintf(number, sizeof(number), "%ld",
			 strtol(text.data, NULL, 10) + 1);
		if (mine->ops->replace(mine, LAYOUT_STATE, number,
				       strlen(number), &tag, &now, &why) == 0)
			done++;
		else
			*failed |= why.kind != ERROR_CONFLICT;
		strbuf_release(&text);
	}
	mine->ops->close(mine);
	return NULL;
}

static void test_replace_at_the_same_time(void **state)
{
	pthread_t threads[WRITERS];
	int failed[WRITERS] = {0};

	(void)state;
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_often,
						&failed[i]),
				 0);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(failed[i], 0);
	}
	assert_read(LAYOUT_STATE, "100", NULL);
}

/* Somebody stands still with the lock in his hand. */
static void test_locked(void **state)
{
	struct store_tag tag;
	struct files_lock lock;
	int handle;

	(void)state;
	MUST(OPS->replace(store, LAYOUT_STATE, "one", 3, NULL, &tag, &err));
	handle = open(path_of("pre/fix/a.b.c/_dataflow/lock"), O_RDWR);
	assert_true(handle >= 0);
	assert_int_equal(flock(handle, LOCK_EX), 0);
	MUST_FAIL(files_lock(&lock, path_of("pre/fix/a.b.c/_dataflow/lock"), 50,
			     NULL, &err),
		  ERROR_SYSTEM);
	assert_true(err.retryable);
	assert_holds(err.message, "_dataflow/lock");
	cancel_request(&cancel, CANCEL_NOW);
	MUST_FAIL(OPS->replace(store, LAYOUT_STATE, "two", 3, NULL, &tag, &err),
		  ERROR_CANCELLED);
	close(handle);
	assert_read(LAYOUT_STATE, "one", NULL);
}

static char *write_new(const char *content)
{
	struct store_file *file;
	struct strbuf token;

	MUST(OPS->begin(store, &file, &err));
	MUST(byte_sink_write(&file->sink, content, strlen(content), &err));
	MUST(OPS->give_key(store, file, "changes/x", &err));
	strbuf_init(&token);
	MUST(OPS->prepare(store, file, &token, &err));
	return strbuf_detach(&token);
}

static int count_item(void *arg, const struct store_item *item,
		      struct error *why)
{
	(void)why;
	assert_true(item->key[0] != '\0');
	++*(int *)arg;
	return 0;
}

static int count(const char *prefix)
{
	int found = 0;

	MUST(OPS->list(store, prefix, count_item, &found, &err));
	return found;
}

static void test_publish(void **state)
{
	char *token = write_new("content");
	uint64_t size = 0;

	(void)state;
	assert_int_equal(OPS->find(store, "changes/d/x", NULL, &err), 0);
	assert_int_equal(count("changes/"), 0);
	MUST(OPS->publish(store, "changes/d/x", token, &err));
	assert_int_equal(OPS->find(store, "changes/d/x", &size, &err), 1);
	assert_int_equal(size, 7);
	assert_read("changes/d/x", "content", NULL);
	assert_int_equal(count("changes/"), 1);
	assert_int_equal(count("full/"), 0);
	/* Again: it is there. */
	MUST(OPS->publish(store, "changes/d/x", token, &err));
	assert_read("changes/d/x", "content", NULL);
	/* Nowhere any more: that is a gap. */
	assert_int_equal(unlink(path_of("pre/fix/a.b.c/changes/d/x")), 0);
	MUST_FAIL(OPS->publish(store, "changes/d/x", token, &err), ERROR_GAP);
	assert_holds(err.message, "changes/d/x");
	free(token);
}

static void test_tokens_of_others(void **state)
{
	static const char *const tokens[] = {
		"", "x", "../../../../../../../etc/passwd_______",
		"0123456789abcdef0123456789abcdef/..x"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(tokens); i++) {
		MUST_FAIL(OPS->publish(store, "changes/x", tokens[i], &err),
			  ERROR_DATA);
		OPS->discard_prepared(store, "changes/x", tokens[i]);
	}
}

static void test_discard(void **state)
{
	struct store_file *file;
	char *token = write_new("a");

	(void)state;
	assert_int_equal(count("_dataflow/"), 1);
	OPS->discard_prepared(store, "changes/x", token);
	assert_int_equal(count("_dataflow/"), 0);
	MUST(OPS->begin(store, &file, &err));
	MUST(byte_sink_write(&file->sink, "x", 1, &err));
	assert_int_equal(count("_dataflow/"), 1);
	OPS->discard(store, file);
	assert_int_equal(count("_dataflow/"), 0);
	free(token);
}

static int refuse(void *arg, struct error *why)
{
	return *(bool *)arg ? error_set(why, ERROR_CONFLICT, "not ours") : 0;
}

static void test_tidy(void **state)
{
	char *keep = write_new("keep"), *lose = write_new("lose");
	const char *tokens[] = {keep};
	bool fenced = true;

	(void)state;
	MUST_FAIL(OPS->tidy(store, tokens, 1, refuse, &fenced, &err),
		  ERROR_CONFLICT);
	assert_int_equal(count("_dataflow/tmp/"), 2);
	fenced = false;
	MUST(OPS->tidy(store, tokens, 1, refuse, &fenced, &err));
	assert_int_equal(count("_dataflow/tmp/"), 1);
	MUST(OPS->publish(store, "changes/x", keep, &err));
	MUST_FAIL(OPS->publish(store, "changes/y", lose, &err), ERROR_GAP);
	MUST(OPS->tidy(store, NULL, 0, refuse, &fenced, &err));
	free(keep);
	free(lose);
}

static void test_remove(void **state)
{
	const char *keys[] = {"changes/dt=1/hour=2/x", "nothing/there"};
	char *token = write_new("a");

	(void)state;
	MUST(OPS->publish(store, keys[0], token, &err));
	MUST(OPS->remove(store, keys, 2, &err));
	assert_int_equal(count("changes/"), 0);
	/* Folders that are empty went, too. */
	assert_int_equal(access(path_of("pre/fix/a.b.c/changes"), F_OK), -1);
	assert_int_equal(access(path_of("pre/fix/a.b.c"), F_OK), 0);
	free(token);
}

static void test_open(void **state)
{
	struct byte_source *source;
	char *token = write_new("0123456789");
	char text[4] = "";

	(void)state;
	assert_int_equal(OPS->open(store, "changes/x", &source, &err), 0);
	MUST(OPS->publish(store, "changes/x", token, &err));
	assert_int_equal(OPS->open(store, "changes/x", &source, &err), 1);
	assert_int_equal(source->size, 10);
	MUST(byte_source_read(source, 3, text, 3, &err));
	assert_string_equal(text, "345");
	MUST_FAIL(byte_source_read(source, 8, text, 3, &err), ERROR_DATA);
	/* Somebody cuts it off meanwhile. */
	assert_int_equal(truncate(path_of("pre/fix/a.b.c/changes/x"), 4), 0);
	MUST_FAIL(byte_source_read(source, 3, text, 3, &err), ERROR_DATA);
	OPS->close_source(store, source);
	free(token);
}

/* The folder itself has to be there: it may be a disk that is not mounted. */
static void test_no_folder(void **state)
{
	struct store *other;

	(void)state;
	MUST(folder_open(&other, path_of("missing"), "a.b.c", &err));
	MUST_FAIL(other->ops->set_up(other, &err), ERROR_SYSTEM);
	assert_holds(err.message, "missing");
	assert_holds(err.message, "'path'");
	assert_int_equal(access(path_of("missing"), F_OK), -1);
	other->ops->close(other);
	write_file(path_of("file"), "");
	MUST(folder_open(&other, path_of("file"), "a.b.c", &err));
	MUST_FAIL(other->ops->set_up(other, &err), ERROR_SYSTEM);
	other->ops->close(other);
}

static void test_take_down(void **state)
{
	struct store_tag tag;
	const char *key = LAYOUT_STATE;

	(void)state;
	MUST(OPS->replace(store, LAYOUT_STATE, "x", 1, NULL, &tag, &err));
	MUST(OPS->take_down(store, &err));
	assert_read(LAYOUT_STATE, "x", NULL); /* it is somebody's */
	MUST(OPS->remove(store, &key, 1, &err));
	MUST(OPS->take_down(store, &err));
	assert_int_equal(access(path_of("pre/fix/a.b.c"), F_OK), -1);
}

static void test_long_paths(void **state)
{
	struct store_tag tag;
	struct strbuf key;

	(void)state;
	strbuf_init(&key);
	while (key.len < 5000)
		strbuf_addstr(&key, "folder/");
	MUST_FAIL(OPS->replace(store, key.data, "x", 1, NULL, &tag, &err),
		  ERROR_CONFIG);
	strbuf_release(&key);
}

static void test_room(void **state)
{
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(OPS->room(store, &bytes, &err), 1);
	assert_true(bytes > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_replace),
		TEST(test_replace_after_a_crash),
		TEST(test_replace_at_the_same_time),
		TEST(test_locked),
		TEST(test_publish),
		TEST(test_tokens_of_others),
		TEST(test_discard),
		TEST(test_tidy),
		TEST(test_remove),
		TEST(test_open),
		TEST(test_no_folder),
		TEST(test_take_down),
		TEST(test_long_paths),
		TEST(test_room),
	};

	return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
