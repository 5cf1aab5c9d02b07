/* What compressing takes of memory, whatever the level. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "format/codec.h"
#include "format/stream.h"
#include "unit/memfile.h"

#define BYTES ((size_t)5 << 19)
/* A stream may go on: it gets all that it may need. */
#define SOME_BYTES ((size_t)300 << 10)
#define LEVEL_MAX  22

/* Rows that have most in common, which is no work. */
static char *make_text(void)
{
	char *text = malloc(BYTES + 32);

	assert_non_null(text);
	for (size_t i = 0; i < BYTES;)
		i += (size_t)sprintf(text + i, "%zu,2026-11-27\n", i / 1000);
	return text;
}

static void assert_within(void *packer, size_t most, int level)
{
	if (ZSTD_sizeof_CCtx(packer) > most)
		fail_msg("level %d takes %zu KiB of %zu", level,
			 ZSTD_sizeof_CCtx(packer) >> 10, most >> 10);
}

static void test_memory_of_streams(void **state)
{
	char *text = make_text();

	(void)state;
	for (int level = 0; level <= LEVEL_MAX; level++) {
		struct format_options options = {.compression = FORMAT_ZSTD,
						 .level = level};
		struct error err = ERROR_INIT;
		struct stream_out out;
		struct memfile file;

		memfile_init(&file);
		MUST(stream_out_init(&out, &options, &file.sink, &err));
		MUST(stream_out_add(&out, text, SOME_BYTES, &err));
		MUST(stream_out_end(&out, &err));
		assert_within(out.packer, codec_bytes(FORMAT_ZSTD, level),
			      level);
		/* Which is no guess that is far off. */
		assert_true(4 * ZSTD_sizeof_CCtx(out.packer) >
			    codec_bytes(FORMAT_ZSTD, level));
		stream_out_release(&out);
		memfile_release(&file);
	}
	free(text);
}

/* One value may be as large as that, and there are as many pages as values. */
static void test_memory_of_pieces(void **state)
{
	static const int levels[] = {0, 3, 4, 9, 12, 15, LEVEL_MAX};
	char *text = make_text();

	(void)state;
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		int level = levels[i];
		struct error err = ERROR_INIT;
		struct strbuf packed, back;
		struct codec codec;

		strbuf_init(&packed);
		strbuf_init(&back);
		codec_init(&codec, FORMAT_ZSTD, level);
		MUST(codec_pack(&codec, text, BYTES, &packed, &err));
		assert_within(codec.packer, codec_bytes(FORMAT_ZSTD, level),
			      level);
		MUST(codec_unpack(&codec, packed.data, packed.len, BYTES, &back,
				  &err));
		assert_memory_equal(back.data, text, BYTES);
		codec_release(&codec);
		strbuf_release(&packed);
		strbuf_release(&back);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_of_streams),
		cmocka_unit_test(test_memory_of_pieces),
	};

	return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
