#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "drivers/files/state.h"
#include "unit/rows.h"

static void make(struct table_state *state)
{
	struct error err = ERROR_INIT;

	table_state_init(state);
	assert_true(table_state_set(state, &state->installation, "inst"));
	assert_true(table_state_set(state, &state->origin, "1/db.dbo.t"));
	state->mapping_id = 7;
	state->epoch = 3;
	state->writes = 12;
	state->loaded = true;
	MUST(position_set(&state->checkpoint.position, "\x01\xff", 2, &err));
	state->checkpoint.consistent_after_us = 5;
	state->seq = INT64_C(1769864459123456);
	state->next_file = 9;
	for (int i = 0; i < 9; i++) {
		char run[] = "20260131T130059123Z-0";

		run[strlen(run) - 1] = (char)('0' + i);
		assert_true(table_state_add_load(state, run, i + 1, i));
		assert_true(table_state_add_obsolete(state, run));
		assert_true(table_state_add_pending(
			state, "changes/dt=2026-01-31/00-01-00001.parquet",
			run));
	}
	assert_true(
		table_state_set(state, &state->latest, "{\"writes\": 1}\n"));
	assert_true(table_state_set(state, &state->loading, "RUN-2"));
	assert_true(table_state_set(state, &state->lost, "changes/x.csv"));
}

static char *text_of(const struct table_state *state)
{
	struct error err = ERROR_INIT;
	struct strbuf out;

	strbuf_init(&out);
	MUST(table_state_format(state, &out, &err));
	return strbuf_detach(&out);
}

static void test_round_trip(void **unused)
{
	struct table_state state, copy, read;
	struct error err = ERROR_INIT;
	char *text, *again;

	(void)unused;
	make(&state);
	table_state_init(&copy);
	MUST(table_state_copy(&copy, &state, &err));
	text = text_of(&state);
	table_state_release(&state);
	again = text_of(&copy);
	assert_string_equal(text, again);
	free(again);
	table_state_init(&read);
	MUST(table_state_parse(&read, text, &err));
	again = text_of(&read);
	assert_string_equal(text, again);
	assert_int_equal(read.load_count, 9);
	assert_int_equal(read.loads[8].first_file, 8);
	assert_int_equal(read.checkpoint.position.len, 2);
	assert_int_equal(read.checkpoint.position.bytes[1], 0xff);
	free(again);
	free(text);
	table_state_release(&copy);
	table_state_release(&read);
	table_state_release(&read);
}

static void test_nothing(void **unused)
{
	struct table_state state, read;
	struct error err = ERROR_INIT;
	char *text;

	(void)unused;
	table_state_init(&state);
	text = text_of(&state);
	table_state_init(&read);
	MUST(table_state_parse(&read, text, &err));
	assert_false(read.loaded);
	assert_null(read.latest);
	assert_string_equal(read.loading, "");
	free(text);
	table_state_release(&state);
	table_state_release(&read);
}

static void test_keep_loads(void **unused)
{
	struct table_state state;

	(void)unused;
	make(&state);
	state.obsolete_count = 0;
	assert_true(table_state_keep_loads(&state, 10));
	assert_int_equal(state.load_count, 9);
	assert_true(table_state_keep_loads(&state, 2));
	assert_int_equal(state.load_count, 2);
	assert_int_equal(state.obsolete_count, 7);
	assert_int_equal(state.loads[0].first_file, 7);
	assert_string_equal(state.obsolete[0], "20260131T130059123Z-0");
	assert_string_equal(state.obsolete[6], "20260131T130059123Z-6");
	for (int i = 0; i < 20; i++)
		assert_true(table_state_add_load(&state, "A-1", 1, 100 + i));
	assert_int_equal(state.loads[1].first_file, 8);
	assert_int_equal(state.loads[21].first_file, 119);
	table_state_release(&state);
}

/* One thing in it is another: it is refused, and the message says which. */
static void assert_refused(const char *key, const char *value)
{
	struct error err = ERROR_INIT;
	struct table_state state;
	json_t *root, *other;
	char *text;

	make(&state);
	text = text_of(&state);
	table_state_release(&state);
	root = json_parse(text, &err);
	free(text);
	assert_non_null(root);
	other = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
	assert_true(!value || other);
	if (other)
		assert_int_equal(json_object_set_new(root, key, other), 0);
	else
		assert_int_equal(json_object_del(root, key), 0);
	text = json_format(root, 0);
	json_decref(root);
	table_state_init(&state);
	error_clear(&err);
	if (table_state_parse(&state, text, &err) == 0)
		fail_msg("'%s' as %s was taken", key,
			 value ? value : "nothing");
	assert_int_equal(err.kind, ERROR_DATA);
	table_state_release(&state);
	free(text);
}

/* Of one that was written before files were merged there is nothing of it. */
static void test_without_merges(void **unused)
{
	static const char *const keys[] = {"look", "look_file", "merge"};
	struct error err = ERROR_INIT;
	struct table_state state;
	json_t *root;
	char *text;

	(void)unused;
	make(&state);
	text = text_of(&state);
	table_state_release(&state);
	root = json_parse(text, &err);
	free(text);
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		assert_int_equal(json_object_del(root, keys[i]), 0);
	text = json_format(root, 0);
	json_decref(root);
	MUST(table_state_parse(&state, text, &err));
	free(text);
	assert_string_equal(state.look, "");
	assert_null(state.merge.key);
	table_state_release(&state);
}

static void test_merge(void **unused)
{
	const char *keys[] = {"changes/a", "changes/b", "changes/c",
			      "changes/d", "changes/e"};
	struct state_merge merge = {"changes/x", "t", keys, COUNT_OF(keys)};
	struct error err = ERROR_INIT;
	struct table_state state, copy, read;
	char *text;

	(void)unused;
	make(&state);
	assert_true(table_state_set_merge(&state, &merge));
	assert_true(table_state_set(&state, &state.look, "abc"));
	state.look_file = 12;
	table_state_init(&copy);
	MUST(table_state_copy(&copy, &state, &err));
	table_state_release(&state);
	text = text_of(&copy);
	table_state_release(&copy);
	table_state_init(&read);
	MUST(table_state_parse(&read, text, &err));
	free(text);
	assert_string_equal(read.look, "abc");
	assert_int_equal(read.look_file, 12);
	assert_string_equal(read.merge.key, "changes/x");
	assert_string_equal(read.merge.token, "t");
	assert_int_equal(read.merge.count, COUNT_OF(keys));
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		assert_string_equal(read.merge.replaced[i], keys[i]);
	table_state_release(&read);
}

static void test_refused(void **unused)
{
	static const char *const keys[] = {
		"version", "installation", "mapping",  "origin",  "epoch",
		"writes",  "checkpoint",   "lost",     "seq",	  "next_file",
		"loading", "loads",	   "obsolete", "pending", "latest"};
	static const char *const pending[] = {
		"latest.json",	"full/x/part-0.csv", "_dataflow/state.json",
		"changes/../x", "changes/..",	     "changes/a/../b",
		"changes//x",	"changes/",	     "/changes/x",
		"changes/./x",	"changes/a/.",	     ""};
	static const char *const runs[] = {"..", "a", "A/B", "", "A.B"};

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		assert_refused(keys[i], NULL);
		assert_refused(keys[i], "[7]");
	}
	assert_refused("version", "2");
	assert_refused("epoch", "-1");
	assert_refused("seq", "-1");
	assert_refused("checkpoint", "{\"position\": \"xy\", "
				     "\"consistent_after_us\": 0}");
	assert_refused("checkpoint", "{\"position\": \"0x01\", "
				     "\"consistent_after_us\": -1}");
	for (size_t i = 0; i < COUNT_OF(pending); i++) {
		struct strbuf text;

		strbuf_init(&text);
		strbuf_addf(&text, "[{\"key\": \"%s\", \"token\": \"t\"}]",
			    pending[i]);
		assert_refused("pending", text.data);
		strbuf_release(&text);
	}
	assert_refused("pending",
		       "[{\"key\": \"changes/x\", \"token\": \"\"}]");
	for (size_t i = 0; i < COUNT_OF(runs); i++) {
		struct strbuf text;

		strbuf_init(&text);
		strbuf_addf(&text, "[\"%s\"]", runs[i]);
		assert_refused("obsolete", text.data);
		strbuf_release(&text);
	}
	assert_refused("loading", "\"../x\"");
	assert_refused("look", "7");
	assert_refused("look_file", "-1");
	assert_refused("merge", "7");
	assert_refused("merge", "{\"key\": \"changes/a\", \"token\": \"t\"}");
	assert_refused("merge", "{\"key\": \"latest.json\", \"token\": \"t\", "
				"\"replaces\": []}");
	assert_refused("merge", "{\"key\": \"changes/a\", \"token\": \"\", "
				"\"replaces\": []}");
	assert_refused("merge", "{\"key\": \"changes/a\", \"token\": \"t\", "
				"\"replaces\": [\"changes/../../x\"]}");
}

static void test_no_json(void **unused)
{
	static const char *const texts[] = {"", "{", "[]", "null", "7"};
	struct error err = ERROR_INIT;
	struct table_state state;

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		table_state_init(&state);
		MUST_FAIL(table_state_parse(&state, texts[i], &err),
			  ERROR_DATA);
		table_state_release(&state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_keep_loads),
		cmocka_unit_test(test_without_merges),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_json),
	};

	json_setup();
	return cmocka_run_group_tests_name("table state", tests, NULL, NULL);
}
