/* What a verification of files finds: each damage that can be done to them, to
 * the manifest and to the state, and nothing else. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/crc32c.h"
#include "base/json.h"
#include "unit/landed.h"

static struct landed lake;
static struct error err;

/* The load has three files, by `part`; each window is a file of three changes. */
static void open_lake(const char *options, int windows)
{
	char all[200];

	snprintf(all, sizeof(all), "partition_columns=part;digest_every=1;%s",
		 options);
	landed_open(&lake, all);
	landed_load(&lake, 1, 9);
	for (int i = 0; i < windows; i++)
		landed_change(&lake, 100 + i, 102 + i);
}

static void assert_finds(bool whole, const char *want)
{
	MUST(landed_prove(&lake, whole, &err));
	assert_string_equal(lake.found.data, want);
}

/* The n-th key below a folder; lasts until the next call. */
static const char *key_of(const char *below, int n)
{
	static char key[300];
	char *keys = landed_keys(below), *at = keys;

	while (n--)
		at = strchr(at, '\n') + 1;
	snprintf(key, sizeof(key), "%.*s", (int)strcspn(at, "\n"), at);
	free(keys);
	return key;
}

static const char *part_of(int n)
{
	static char below[100];
	const char *key = key_of("full/", 0);

	snprintf(below, sizeof(below), "full/%.*s/part=%d/",
		 (int)strcspn(key + 5, "/"), key + 5, n);
	return key_of(below, 0);
}

static const char *manifest_key(void)
{
	return key_of("full/", 0);
}

static void test_intact(void **state)
{
	static const char *const options[] = {
		"file_format=json",
		"file_format=json;compression=zstd;decimals=string",
		"file_format=csv",
		"file_format=csv;compression=gzip;delimiter=semicolon",
		"file_format=parquet",
		"file_format=parquet;compression=gzip",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		open_lake(options[i], 2);
		assert_finds(true, "");
		assert_int_equal(lake.proof.objects, 5);
		assert_int_equal(lake.proof.compared, 15);
		assert_int_equal(lake.proof.rows, 15);
		assert_int_equal(lake.proof.given.rows, 9);
		assert_true(row_sum_equal(&lake.proof.given, &lake.proof.kept));
		assert_finds(false, "");
		assert_int_equal(lake.proof.objects, 5);
		assert_int_equal(lake.proof.compared, 3);
		landed_close(&lake);
	}
}

/* ---------------------------------------------------------------- of a load */

/* What the manifest says of the file, made true of what it is now. */
static void tell_manifest(const char *key, const char *data, size_t len)
{
	const char *where = manifest_key();
	size_t size, i;
	char *text = landed_read(where, &size);
	json_t *root = json_parse(text, &err), *file;

	json_array_foreach(json_object_get(root, "files"), i, file)
	{
		if (strcmp(json_string_value(json_object_get(file, "key")),
			   key) != 0)
			continue;
		json_object_set_new(file, "bytes",
				    json_integer((json_int_t)len));
		json_object_set_new(
			file, "crc32c",
			json_sprintf("%08x", crc32c_update(0, data, len)));
	}
	free(text);
	text = json_format(root, 0);
	landed_write(where, text, strlen(text));
	free(text);
	json_decref(root);
}

static char *end_of_line(char *text)
{
	return strchr(text, '\n') + 1;
}

static void test_files_of_a_load(void **state)
{
	char key[300], want[400];
	char *data, *digit;
	size_t len, line;

	(void)state;
	open_lake("", 0);
	snprintf(key, sizeof(key), "%s", part_of(1));
	data = landed_read(key, &len);

	assert_int_equal(unlink(landed_path(key)), 0);
	snprintf(want, sizeof(want), "%s MISSING\n", key);
	assert_finds(true, want);
	assert_int_equal(lake.proof.given.rows, 9);
	assert_int_equal(lake.proof.kept.rows, 6);
	assert_finds(false, want);

	for (size_t cut = 0; cut < len; cut += 13) {
		landed_write(key, data, cut);
		snprintf(want, sizeof(want), "%s SIZE\n", key);
		assert_finds(true, want);
		assert_finds(false, want);
	}

	digit = strchr(data, '1');
	*digit = '2';
	landed_write(key, data, len);
	snprintf(want, sizeof(want), "%s CHECKSUM\n", key);
	assert_finds(true, want);
	tell_manifest(key, data, len);
	snprintf(want, sizeof(want), "%s CONTENT\n", key);
	assert_finds(true, want);
	*digit = '1';

	/* A row less, and one more. */
	line = (size_t)(end_of_line(data) - data);
	landed_write(key, data + line, len - line);
	tell_manifest(key, data + line, len - line);
	snprintf(want, sizeof(want), "%s ROWS\n", key);
	assert_finds(true, want);
	memcpy(data + len, data, line);
	landed_write(key, data, len + line);
	tell_manifest(key, data, len + line);
	assert_finds(true, want);
	assert_int_equal(lake.proof.kept.rows, 10);

	landed_write(key, data, len - 3);
	tell_manifest(key, data, len - 3);
	snprintf(want, sizeof(want), "%s UNREADABLE\n", key);
	assert_finds(true, want);

	landed_write(key, data, len);
	tell_manifest(key, data, len);
	assert_finds(true, "");
	free(data);
	landed_close(&lake);
}

/* The order of rows in a file, and of files, is of no interest. */
static void test_order(void **state)
{
	char key[300], *data, *turned;
	size_t len, line;

	(void)state;
	open_lake("", 0);
	snprintf(key, sizeof(key), "%s", part_of(2));
	data = landed_read(key, &len);
	line = (size_t)(end_of_line(data) - data);
	turned = calloc(1, len);
	memcpy(turned, data + line, len - line);
	memcpy(turned + len - line, data, line);
	landed_write(key, turned, len);
	tell_manifest(key, turned, len);
	assert_finds(true, "");
	free(data);
	free(turned);
	landed_close(&lake);
}

/* What needs more memory than it may have asks for more, until there is none. */
static void test_memory(void **state)
{
	char key[300], want[400];
	struct strbuf text;

	(void)state;
	open_lake("", 0);
	snprintf(key, sizeof(key), "%s", part_of(0));
	strbuf_init_max(&text, (size_t)32 << 20);
	strbuf_addstr(&text, "{\"id\":3,\"name\":\"");
	for (int i = 0; i < 600; i++)
		strbuf_addf(&text, "%020000d", i);
	strbuf_addstr(&text, "\",\"price\":3.00,\"part\":0}\n");
	landed_write(key, text.data, text.len);
	tell_manifest(key, text.data, text.len);
	lake.room = (size_t)14 << 20;
	lake.room_most = (size_t)200 << 20;
	MUST_FAIL(landed_prove(&lake, true, &err), ERROR_MEMORY);
	assert_string_equal(lake.found.data, "");
	lake.room_most = lake.room;
	snprintf(want, sizeof(want), "%s UNREADABLE\n", key);
	assert_finds(true, want);
	lake.room = lake.room_most = (size_t)64 << 20;
	snprintf(want, sizeof(want), "%s ROWS\n", key);
	assert_finds(true, want);
	strbuf_release(&text);
	landed_close(&lake);
}

/* --------------------------------------------------------------- the manifest */

static void test_manifest_cut_off(void **state)
{
	char key[300], want[400];
	size_t len, cut;
	char *data;

	(void)state;
	open_lake("", 0);
	snprintf(key, sizeof(key), "%s", manifest_key());
	data = landed_read(key, &len);
	snprintf(want, sizeof(want), "%s UNREADABLE\n", key);
	for (cut = 0; cut < len - 2; cut += cut < 64 ? 1 : 37) {
		landed_write(key, data, cut);
		assert_finds(true, want);
		assert_finds(false, want);
	}
	assert_int_equal(unlink(landed_path(key)), 0);
	snprintf(want, sizeof(want), "%s MISSING\n", key);
	/* The name that it had is made of the load's, not of what is there. */
	assert_finds(true, want);
	landed_write(key, data, len);
	assert_int_equal(unlink(landed_path("latest.json")), 0);
	assert_finds(true, "latest.json MISSING\n");
	landed_write("latest.json", "{\"run\": \"another\"}", 18);
	assert_finds(true, "latest.json CONTENT\n");
	landed_write("latest.json", "{\"run\"", 6);
	assert_finds(false, "latest.json CONTENT\n");
	free(data);
	landed_close(&lake);
}

struct edit {
	const char *list, *name; /* of the first one of that list; NULL: none */
	const char *value;
	const char *what; /* that is told of the manifest; NULL: of a file */
};

#define BROKEN "UNREADABLE"

/* A number that nothing holds, or that somebody would count on. */
static const struct edit edits[] = {
	{NULL, "first_seq", "-1", BROKEN},
	{NULL, "first_seq", "-9223372036854775808", BROKEN},
	{NULL, "first_seq", "1.5", BROKEN},
	{NULL, "first_seq", "99999999999999999999", BROKEN},
	{NULL, "digest_every", "0", BROKEN},
	{NULL, "digest_every", "4294967297", BROKEN},
	{NULL, "digest_every", "-64", BROKEN},
	{NULL, "columns", "[]", BROKEN},
	{NULL, "columns", "7", BROKEN},
	{NULL, "key", "[\"nobody\"]", BROKEN},
	{NULL, "key", "[null]", BROKEN},
	{NULL, "files", "null", BROKEN},
	{NULL, "files", "[[]]", BROKEN},
	{NULL, "format", "\"xml\"", BROKEN},
	{NULL, "options", "{}", BROKEN},
	{"columns", "scale", "1000", BROKEN},
	{"columns", "scale", "-1", BROKEN},
	{"columns", "precision", "2147483647", BROKEN},
	{"columns", "type", "\"moment\"", BROKEN},
	{"files", "key", "\"changes/x\"", BROKEN},
	{"files", "key", "\"full/../../x\"", BROKEN},
	{"files", "crc32c", "\"xyz\"", BROKEN},
	{"files", "digest_sum", "\"0\"", BROKEN},
	{"files", "rows", "-1", BROKEN},
	{"files", "bytes", "-1", BROKEN},
	{"files", "key", "\"full/nowhere\"", NULL},
	{"files", "rows", "9223372036854775807", NULL},
	{"files", "bytes", "9223372036854775807", NULL},
	{"files", "crc32c", "\"00000000\"", NULL},
	{"files", "digest_sum",
	 "\"ffffffffffffffffffffffffffffffffffffffffffffffff"
	 "ffffffffffffffff\"",
	 NULL},
};

static void test_manifest_edited(void **state)
{
	char key[300], want[400];
	size_t len;
	char *data;

	(void)state;
	open_lake("file_format=csv", 1);
	snprintf(key, sizeof(key), "%s", manifest_key());
	data = landed_read(key, &len);
	snprintf(want, sizeof(want), "%s UNREADABLE\n", key);
	for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
		const struct edit *edit = &edits[i];
		json_t *root = json_parse(data, &err), *where = root;
		char *text;

		if (edit->list)
			where = json_array_get(
				json_object_get(root, edit->list),
				!strcmp(edit->list, "columns") ? 2 : 0);
		json_object_set_new(
			where, edit->name,
			strlen(edit->value) > 19 && edit->value[0] == '9'
				? json_real(1e19)
				: json_loads(edit->value, JSON_DECODE_ANY,
					     NULL));
		text = json_format(root, 0);
		landed_write(key, text, strlen(text));
		MUST(landed_prove(&lake, true, &err));
		if (edit->what && strcmp(lake.found.data, want) != 0)
			fail_msg("%s=%s: %s", edit->name, edit->value,
				 lake.found.data);
		if (!edit->what &&
		    (!lake.found.len || !strcmp(lake.found.data, want)))
			fail_msg("%s=%s: %s", edit->name, edit->value,
				 lake.found.data);
		free(text);
		json_decref(root);
	}
	landed_write(key, data, len);
	assert_finds(true, "");
	free(data);
	landed_close(&lake);
}

/* ----------------------------------------------------------------- of changes */

static void test_files_of_changes(void **state)
{
	static const char key[] = "changes/02-03-00001.jsonl";
	char *data, *line;
	size_t len;

	(void)state;
	open_lake("", 3);
	data = landed_read(key, &len);
	line = end_of_line(data);

	assert_int_equal(unlink(landed_path(key)), 0);
	assert_finds(true, "changes/*-00001.jsonl MISSING\n");
	assert_finds(false, "changes/*-00001.jsonl MISSING\n");
	landed_write(key, "", 0);
	assert_finds(false, "changes/02-03-00001.jsonl SIZE\n");
	assert_finds(true, "changes/02-03-00001.jsonl ROWS\n");
	landed_write(key, data, len - 7);
	assert_finds(true, "changes/02-03-00001.jsonl UNREADABLE\n");
	/* The first row, the last one, or one in between, less or twice. */
	landed_write(key, line, len - (size_t)(line - data));
	assert_finds(true, "changes/01-02-00000.jsonl ROWS\n");
	landed_write(key, data, (size_t)(line - data));
	assert_finds(true, "changes/02-03-00001.jsonl ROWS\n");
	memcpy(data + len, line, len - (size_t)(line - data));
	landed_write(key, data, 2 * len - (size_t)(line - data));
	assert_finds(true, "changes/02-03-00001.jsonl ROWS\n");
	landed_write(key, data, len);
	assert_finds(true, "");
	free(data);
	landed_close(&lake);
}

/* Of the last file nobody knows what comes next but the state. */
static void test_last_file_of_changes(void **state)
{
	static const char key[] = "changes/02-03-00001.jsonl";
	static const char *const numbers[] = {"9223372036854775807",
					      "-9223372036854775808", "0",
					      "9223372036854775808", "null"};
	char *data, *at, edited[2000];
	size_t len;

	(void)state;
	open_lake("", 2);
	data = landed_read(key, &len);
	at = end_of_line(end_of_line(data));
	landed_write(key, data, (size_t)(at - data));
	assert_finds(true, "changes/02-03-00001.jsonl ROWS\n");
	at = strstr(at, "\"_seq\":") + strlen("\"_seq\":");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		snprintf(edited, sizeof(edited), "%.*s%s%s", (int)(at - data),
			 data, numbers[i], at + strspn(at, "0123456789"));
		landed_write(key, edited, strlen(edited));
		assert_finds(true, i < 3 ? "changes/02-03-00001.jsonl ROWS\n"
					 : "changes/02-03-00001.jsonl "
					   "UNREADABLE\n");
	}
	free(data);
	landed_close(&lake);
}

/* Some of what became one file may be there still, or beside it others. */
static void test_changes_that_are_there_twice(void **state)
{
	struct compaction work;
	size_t len, other;
	char *first, *second;

	(void)state;
	open_lake("", 4);
	first = landed_read("changes/01-02-00000.jsonl", &len);
	second = landed_read("changes/03-04-00002.jsonl", &other);
	MUST(landed_compact(&lake, &work, &err));
	assert_int_equal(work.after, 1);
	landed_write("changes/01-02-00000.jsonl", first, len);
	landed_write("changes/03-04-00002.jsonl", second, other);
	landed_write("changes/00-09-99999999999.jsonl", second, other);
	landed_write("changes/README", "x", 1);
	assert_finds(true, "");
	assert_int_equal(lake.proof.objects, 4);
	free(first);
	free(second);
	landed_close(&lake);
}

/* ---------------------------------------------------------------- on and on */

static int prove_once(const char *place)
{
	free(lake.proof.place);
	lake.proof.place = place ? strdup(place) : NULL;
	return lake.dst->ops->prove(lake.dst, &lake.proof, &err);
}

/* It goes on where it was, or says that there is something else to look at. */
static void test_places(void **state)
{
	static const char *const others[] = {"", " ", "x 1", "20010101T0-1 1",
					     "99999999999999999999 1"};
	char place[200], run[100];
	const char *key;

	(void)state;
	open_lake("", 3);
	MUST(landed_prove(&lake, true, &err));
	key = manifest_key();
	snprintf(run, sizeof(run), "%.*s", (int)strcspn(key + 5, "/"), key + 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(prove_once(others[i]), 1);
		assert_true(lake.proof.anew);
		lake.dst->ops->prove_end(lake.dst);
	}
	lake.proof.objects = 0;
	snprintf(place, sizeof(place), "%s 2", run);
	assert_int_equal(prove_once(place), 0);
	assert_int_equal(lake.proof.objects, 4); /* one, and the changes */
	lake.dst->ops->prove_end(lake.dst);
	lake.proof.objects = 0;
	snprintf(place, sizeof(place), "%s 3 2 0 3 0", run);
	assert_int_equal(prove_once(place), 0);
	assert_int_equal(lake.proof.objects, 1);
	lake.dst->ops->prove_end(lake.dst);
	/* Behind all that there is. */
	lake.proof.objects = 0;
	snprintf(place, sizeof(place),
		 "%s 18446744073709551615 18446744073709551615 "
		 "9223372036854775807 3 9223372036854775807",
		 run);
	assert_int_equal(prove_once(place), 0);
	assert_int_equal(lake.proof.objects, 0);
	lake.dst->ops->prove_end(lake.dst);
	landed_close(&lake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intact),
		cmocka_unit_test(test_files_of_a_load),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_manifest_cut_off),
		cmocka_unit_test(test_manifest_edited),
		cmocka_unit_test(test_files_of_changes),
		cmocka_unit_test(test_last_file_of_changes),
		cmocka_unit_test(test_changes_that_are_there_twice),
		cmocka_unit_test(test_places),
	};

	json_setup();
	alarm(120);
	return cmocka_run_group_tests_name("prove", tests, setup_folder,
					   teardown_folder);
}
