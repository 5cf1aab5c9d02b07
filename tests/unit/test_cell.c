/* Text for terminals: cut to columns, and without what would move a cursor. */
#include "unit/helper.h"

#include <stdio.h>
#include <string.h>

#include "cli/cell.h"

static void assert_cell(const char *text, int width, const char *want)
{
	struct strbuf out;

	strbuf_init(&out);
	cell_add(&out, text, width);
	assert_string_equal(out.data, want);
	strbuf_release(&out);
}

static void test_cut_and_filled(void **state)
{
	struct strbuf out;

	(void)state;
	assert_cell("abc", 5, "abc  ");
	assert_cell("abcdef", 5, "abcde");
	assert_cell("", 3, "   ");
	assert_cell("abc", 0, "");
	strbuf_init(&out);
	cell_add_right(&out, "abc", 5);
	cell_add_right(&out, "abcdef", 3);
	cell_add_text(&out, "xyz", 2);
	cell_add_text(&out, "xyz", 9);
	assert_string_equal(out.data, "  abcabcxyxyz");
	strbuf_release(&out);
}

/* Wide characters have two columns, and none is cut in two. */
static void test_wide(void **state)
{
	(void)state;
	assert_cell("\u00e9\u00e9", 3, "\u00e9\u00e9 ");
	assert_cell("\u8868\u8868", 4, "\u8868\u8868");
	assert_cell("\u8868\u8868", 3, "\u8868 ");
	assert_cell("e\u0301x", 2, "e\u0301x");
	assert_cell("\U0001f600!", 3, "\U0001f600!");
}

static void test_controls(void **state)
{
	(void)state;
	assert_cell("a\x1b[2Jb", 6, "a?[2Jb");
	assert_cell("a\nb\tc", 5, "a b c");
	assert_cell("\x7f\x01", 2, "??");
	assert_cell("\xc2\x9b"
		    "1m",
		    3, "?1m"); /* CSI of eight bits */
	assert_cell("\u202e"
		    "evil",
		    5, "?evil"); /* right to left */
}

/* Bytes that are no UTF-8 end nothing and are not passed on. */
static void test_broken(void **state)
{
	(void)state;
	assert_cell("a\xff"
		    "b",
		    3, "a?b");
	assert_cell("a\xc3", 3, "a? ");
	assert_cell("\xe8\xa1x", 3, "??x");
	assert_cell("\xe0\x80\xaf", 3, "???"); /* a slash, too long */
	assert_cell("\xed\xa0\x80", 3, "???"); /* half a pair */
}

/* Whatever it holds, it is one line and moves no cursor. */
static void test_print(void **state)
{
	char line[64];
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	cell_print_text(file, "new\nline \x1b[2J\ttab");
	rewind(file);
	assert_non_null(fgets(line, sizeof(line), file));
	assert_string_equal(line, "new line ?[2J tab\n");
	assert_null(fgets(line, sizeof(line), file));
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_and_filled),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests_name("cell", tests, NULL, NULL);
}
