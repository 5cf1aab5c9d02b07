/* Which files of changes are merged, and what becomes of those that are damaged. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/landed.h"

static struct landed lake;
static struct error err;
static struct compaction work;

static void open_lake(const char *options, int windows)
{
	landed_open(&lake, options);
	landed_load(&lake, 1, 9);
	for (int i = 0; i < windows; i++)
		landed_change(&lake, 100 + i, 102 + i);
}

static void assert_keys(const char *want)
{
	char *keys = landed_keys("changes/");

	assert_string_equal(keys, want);
	free(keys);
}

/* Each file is of three changes, and the first number is made of the clock. */
static void assert_whole(unsigned files)
{
	MUST(landed_prove(&lake, true, &err));
	assert_string_equal(lake.found.data, "");
	assert_int_equal(lake.proof.objects, files);
}

static void test_one_becomes_of_all(void **state)
{
	static const char *const formats[] = {
		"file_format=json",
		"file_format=csv",
		"file_format=csv;header=no",
		"file_format=parquet",
		"file_format=json;compression=gzip",
		"file_format=json;compression=zstd"};

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		char *keys;

		open_lake(formats[i], 4);
		MUST(landed_compact(&lake, &work, &err));
		assert_int_equal(work.before, 4);
		assert_int_equal(work.after, 1);
		assert_int_equal(work.rows, 12);
		keys = landed_keys("changes/");
		assert_non_null(strstr(keys, "changes/01-05-00000_00003."));
		assert_ptr_equal(strchr(keys, '\n') + 1, strchr(keys, '\0'));
		free(keys);
		assert_whole(2);
		/* There is nothing beside it. */
		MUST(landed_compact(&lake, &work, &err));
		assert_int_equal(work.before, 0);
		landed_close(&lake);
	}
}

/* Over a file that is missing, in the way, or somebody else's, none are put
 * together. */
static void test_gaps(void **state)
{
	(void)state;
	open_lake("", 5);
	assert_int_equal(unlink(landed_path("changes/03-04-00002.jsonl")), 0);
	landed_write("changes/notes.txt", "x", 1);
	landed_write("changes/03-04-00002.csv", "x", 1);
	landed_write("changes/03-04-2.jsonl", "x", 1);
	landed_write("changes/03-04-00007.jsonl", "x", 1);
	landed_write("changes/03-04-00003_99999.jsonl", "x", 1);
	MUST(landed_compact(&lake, &work, &err));
	assert_int_equal(work.before, 4);
	assert_int_equal(work.after, 2);
	assert_keys("changes/01-03-00000_00001.jsonl\n"
		    "changes/03-04-00002.csv\n"
		    "changes/03-04-00003_99999.jsonl\n"
		    "changes/03-04-00007.jsonl\n"
		    "changes/03-04-2.jsonl\n"
		    "changes/04-06-00003_00004.jsonl\n"
		    "changes/notes.txt\n");
	landed_close(&lake);
}

/* Half of file_size_mb, and all of it: 512 KiB and 1 MiB. */
static void test_sizes(void **state)
{
	(void)state;
	landed_open(&lake, "file_size_mb=1");
	landed_load(&lake, 1, 9);
	landed_change(&lake, 1, 3);
	landed_change(&lake, 1, 6000); /* larger than half of it */
	for (int i = 0; i < 4; i++)
		landed_change(&lake, 1, 1600); /* three of them fit */
	MUST(landed_compact(&lake, &work, &err));
	assert_keys("changes/01-02-00000.jsonl\n"
		    "changes/02-03-00001.jsonl\n"
		    "changes/03-06-00002_00004.jsonl\n"
		    "changes/06-07-00005.jsonl\n");
	assert_int_equal(work.rows, 4800);
	assert_whole(5);
	landed_close(&lake);
}

/* A file whose lines end otherwise is not read alike. */
static void test_line_ends(void **state)
{
	(void)state;
	open_lake("file_format=csv", 2);
	landed_alter(&lake, "file_format=csv;line_end=lf");
	for (int i = 0; i < 2; i++)
		landed_change(&lake, 200 + i, 202 + i);
	MUST(landed_compact(&lake, &work, &err));
	assert_int_equal(work.before, 2);
	assert_keys("changes/01-02-00000.csv\n"
		    "changes/02-03-00001.csv\n"
		    "changes/03-05-00002_00003.csv\n");
	landed_close(&lake);
}

/* A file that cannot be read is an error, and all stay that there were. */
static void test_damaged(void **state)
{
	static const char *const options[] = {"", "file_format=parquet",
					      "compression=gzip"};
	static const char *const keys[] = {"changes/02-03-00001.jsonl",
					   "changes/02-03-00001.parquet",
					   "changes/02-03-00001.jsonl.gz"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *data, *before, *after;
		size_t len;

		open_lake(options[i], 3);
		before = landed_keys("");
		data = landed_read(keys[i], &len);
		landed_write(keys[i], data, len - 5);
		MUST_FAIL(landed_compact(&lake, &work, &err), ERROR_DATA);
		assert_holds(err.message, keys[i]);
		assert_int_equal(work.before, 0);
		after = landed_keys("");
		assert_string_equal(before, after);
		/* When it is whole again, it goes on. */
		landed_write(keys[i], data, len);
		MUST(landed_compact(&lake, &work, &err));
		assert_int_equal(work.after, 1);
		assert_whole(2);
		free(data);
		free(before);
		free(after);
		landed_close(&lake);
	}
}

/* What unpacks to more than there is memory for asks for more. */
static void test_memory(void **state)
{
	struct strbuf text;
	size_t len;
	char *line;

	(void)state;
	open_lake("", 2);
	line = landed_read("changes/01-02-00000.jsonl", &len);
	strbuf_init_max(&text, (size_t)32 << 20);
	strbuf_addstr(&text, "{\"name\":\"");
	for (int i = 0; i < 600; i++)
		strbuf_addf(&text, "%020000d", i);
	strbuf_addstr(&text, "\",");
	strbuf_add(&text, line + 1, strcspn(line + 1, "\n"));
	strbuf_addstr(&text, "\n");
	assert_int_equal(text.failed, 0);
	landed_write("changes/01-02-00000.jsonl", text.data, text.len);
	lake.room = (size_t)10 << 20;
	MUST_FAIL(landed_compact(&lake, &work, &err), ERROR_MEMORY);
	assert_keys("changes/01-02-00000.jsonl\nchanges/02-03-00001.jsonl\n");
	strbuf_release(&text);
	free(line);
	landed_close(&lake);
}

/* A state that is cut off, or says too much, is told; nothing is removed. */
static void test_state(void **state)
{
	static const char key[] = "_dataflow/state.json";
	size_t len, step;
	char *data;

	(void)state;
	open_lake("", 3);
	landed_end(&lake);
	data = landed_read(key, &len);
	step = len / 40;
	for (size_t cut = 1; cut < len - 2; cut += step) {
		landed_write(key, data, cut);
		MUST_FAIL(landed_begin(&lake, &err), ERROR_CONFIG);
	}
	landed_write(key, data, len);
	MUST(landed_begin(&lake, &err));
	MUST(landed_compact(&lake, &work, &err));
	assert_int_equal(work.before, 3);
	assert_whole(2);
	free(data);
	landed_close(&lake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_becomes_of_all),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_state),
	};

	alarm(120);
	return cmocka_run_group_tests_name("compact", tests, setup_folder,
					   teardown_folder);
}
