/* What a load says of its files, which may be very many. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "drivers/files/manifest.h"
#include "unit/rows.h"

#define MANY 50000

static void make(struct manifest *manifest, size_t count)
{
	static const struct column column = {.name = "id", .type = ROW_INT64};
	struct error err = ERROR_INIT;
	struct table table;

	table_make(&table, "t", &column, 1, "id");
	MUST(manifest_init(manifest, &table, &err));
	table_release(&table);
	manifest->run = "20261127T013722908836Z-1";
	manifest->format = "parquet";
	manifest->options.format = format_find("parquet");
	manifest->digest_every = 64;
	for (size_t i = 0; i < count; i++) {
		char key[200];
		struct manifest_file file = {
			.key = key,
			.rows = i,
			.bytes = 1000 * i,
			.crc32c = (uint32_t)i,
			.sum.words[3] = i,
		};

		snprintf(key, sizeof(key),
			 "full/%s/a=\"\\\xc3\xa9\"/day=2026-11-27/part-%05zu",
			 manifest->run, i);
		MUST(manifest_add(manifest, &file, &err));
	}
}

/* Byte by byte as if all of it had been one object. */
static void test_one_text(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t count = 0; count < 4; count++) {
		struct manifest manifest;
		struct strbuf text;
		json_t *root;
		char *want;

		make(&manifest, count);
		strbuf_init(&text);
		MUST(manifest_format(&manifest, &text, &err));
		manifest_release(&manifest);
		root = json_parse(text.data, &err);
		assert_non_null(root);
		want = json_format(root, JSON_INDENT(1));
		json_decref(root);
		assert_non_null(want);
		assert_int_equal(text.len, strlen(want) + 1);
		assert_memory_equal(text.data, want, text.len - 1);
		assert_int_equal(text.data[text.len - 1], '\n');
		free(want);
		MUST(manifest_parse(&manifest, text.data, &err));
		assert_int_equal(manifest.count, count);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(manifest.files[i].crc32c, i);
			assert_int_equal(manifest.files[i].sum.words[3], i);
		}
		manifest_release(&manifest);
		strbuf_release(&text);
	}
}

/* In KiB, since the last call. */
static size_t take_peak(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	size_t peak = 0;
	char line[200];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "VmHWM:", 6))
			peak = strtoul(line + 6, NULL, 10);
	fclose(file);
	file = fopen("/proc/self/clear_refs", "w");
	assert_non_null(file);
	fputs("5", file);
	fclose(file);
	return peak;
}

/* Little more than the text itself. */
static void test_memory(void **state)
{
	struct error err = ERROR_INIT;
	struct manifest manifest;
	struct strbuf text;
	size_t before;

	(void)state;
#ifdef SANITIZED
	skip(); /* sanitizers keep what was freed */
#endif
	make(&manifest, MANY);
	take_peak();
	before = take_peak();
	strbuf_init(&text);
	MUST(manifest_format(&manifest, &text, &err));
	assert_true((take_peak() - before) * 1024 < 2 * text.len);
	strbuf_release(&text);
	manifest_release(&manifest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_text),
		cmocka_unit_test(test_memory),
	};

	alarm(120);
	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
