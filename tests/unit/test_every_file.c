/*
 * Verification and compaction of files in a folder, with every request for memory
 * refused in turn: each says that it had none, or has done all of its work.
 */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "unit/landed.h"
#include "unit/scarce/scarce.h"

#define MOST	    250
#define MOST_MERGES 60 /* which want a table of their own each */

static struct landed lake;
static const char *options;
static bool whole, damaged;

/* Three files of a load, four of changes. */
static void prepare(void)
{
	landed_open(&lake, options);
	landed_load(&lake, 1, 9);
	for (int i = 0; i < 4; i++)
		landed_change(&lake, 100 + i, 102 + i);
	if (damaged) {
		size_t len;
		char *data = landed_read("changes/02-03-00001.jsonl", &len);

		landed_write("changes/02-03-00001.jsonl", data, len - 5);
		free(data);
	}
	landed_end(&lake);
}

static void release(void)
{
	landed_close(&lake);
}

/* ------------------------------------------------------------ a verification */

/* What a reader could not get is less than what it may ever have. */
static int prove(struct error *err)
{
	int ret;

	if (landed_begin(&lake, err) < 0)
		return -1;
	lake.room_most = (size_t)1 << 30;
	ret = landed_prove(&lake, whole, err);
	landed_end(&lake);
	return ret;
}

static void check_proof(bool done)
{
	if (!done)
		return;
	assert_string_equal(lake.found.data,
			    damaged ? "changes/02-03-00001.jsonl UNREADABLE\n"
				    : "");
	assert_int_equal(lake.proof.objects, 7);
	assert_int_equal(lake.proof.given.rows, whole ? 9 : 3);
	assert_true(row_sum_equal(&lake.proof.given, &lake.proof.kept));
}

static void try_proof(const char *how, bool all)
{
	struct scarce_trial trial = {
		.name = how,
		.run = prove,
		.check = check_proof,
		.most = MOST,
	};
	char text[200];

	snprintf(text, sizeof(text), "partition_columns=part;digest_every=1;%s",
		 how);
	options = text;
	whole = all;
	prepare();
	scarce_try(&trial, 50);
	release();
}

static void test_prove(void **state)
{
	(void)state;
	try_proof("file_format=json", true);
	try_proof("file_format=json", false);
	try_proof("file_format=parquet;compression=zstd", true);
	try_proof("file_format=csv;compression=gzip", true);
	damaged = true;
	try_proof("file_format=json", true);
	damaged = false;
}

/* -------------------------------------------------------------- a compaction */

static struct compaction work;

static int merge(struct error *err)
{
	int ret;

	if (landed_begin(&lake, err) < 0)
		return -1;
	ret = landed_compact(&lake, &work, err);
	landed_end(&lake);
	return ret;
}

/* Whatever happened, each change is there, and nothing is left over once it is
 * done. */
static void check_merged(bool done)
{
	struct error err = ERROR_INIT;
	char *keys;

	MUST(landed_begin(&lake, &err));
	MUST(landed_prove(&lake, true, &err));
	assert_string_equal(lake.found.data, "");
	assert_int_equal(lake.proof.compared, 9 + 12);
	landed_end(&lake);
	if (!done)
		return;
	keys = landed_keys("changes/");
	assert_holds(keys, "changes/01-05-00000_00003.");
	assert_ptr_equal(strchr(keys, '\n') + 1, strchr(keys, '\0'));
	free(keys);
	keys = landed_keys("_dataflow/tmp/");
	assert_string_equal(keys, "");
	free(keys);
}

static void test_compact(void **state)
{
	static const char *const formats[] = {
		"file_format=json",
		"file_format=parquet",
		"file_format=csv;compression=zstd",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		struct scarce_trial trial = {
			.name = formats[i],
			.prepare = prepare,
			.run = merge,
			.check = check_merged,
			.release = release,
			.most = MOST_MERGES,
		};

		options = formats[i];
		scarce_try(&trial, 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prove),
		cmocka_unit_test(test_compact),
	};

	scarce_setup();
	json_setup();
	alarm(getenv("SCARCE_ALL") ? 3600 : 240);
	return cmocka_run_group_tests_name("every file", tests, setup_folder,
					   teardown_folder);
}
