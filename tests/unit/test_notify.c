/* What is told, when, and in which words; with a clock of our own. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "notify/journal.h"
#include "notify/ledger.h"
#include "notify/mail.h"
#include "notify/message.h"
#include "notify/signature.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define T0     (INT64_C(1769864459) * SECOND) /* 2026-01-31T13:00:59 */

static struct ledger ledger;
static struct listener *ear;

static int setup(void **state)
{
	static const struct ledger_name names[] = {
		{.mapping_id = 1, .server_id = 1, .source = "a"},
		{.mapping_id = 2, .server_id = 2, .source = "b"},
	};
	struct listener_filter all = {.events = (1u << NOTICE_EVENTS) - 1};
	struct error err = ERROR_INIT;

	(void)state;
	ledger_init(&ledger);
	ledger.delay_us = 30 * SECOND;
	ledger.repeat_us = 60 * MINUTE;
	ledger.max_per_hour = 3;
	ear = ledger_add_listener(&ledger, 7);
	listener_set_filter(ear, &all);
	MUST(ledger_set_names(&ledger, names, 2, &err));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ledger_release(&ledger);
	return 0;
}

/* What is due, as "FAILURE 1, RECOVERY 2"; it is told then, or not. */
static void expect(int64_t now, bool told, const char *want)
{
	struct error err = ERROR_INIT;
	struct digest digest;
	char got[200] = "", one[64];

	assert_true(ledger_when(&ledger, ear, now) <= now || !*want);
	MUST(ledger_take(&ledger, ear, now, &digest, &err));
	for (size_t i = 0; i < digest.count; i++) {
		snprintf(one, sizeof(one), "%s%s %d%s", i ? ", " : "",
			 notice_event_name(digest.notices[i].event),
			 digest.notices[i].mapping_id,
			 digest.notices[i].reminder ? " again" : "");
		strncat(got, one, sizeof(got) - strlen(got) - 1);
	}
	if (digest.left_out) {
		snprintf(one, sizeof(one), " +%d", (int)digest.left_out);
		strncat(got, one, sizeof(got) - strlen(got) - 1);
	}
	assert_string_equal(got, want);
	if (told && digest.count)
		ledger_told(&ledger, ear, &digest, now);
	else
		ledger_not_told(&ledger, ear, &digest);
	digest_release(&digest);
}

static void break_one(int mapping_id, int64_t at)
{
	ledger_open(&ledger, mapping_id, NOTICE_FAILURE, "SYNC", "m", at);
}

static void mend(int mapping_id, int64_t at)
{
	ledger_close(&ledger, mapping_id, NOTICE_FAILURE, at);
}

static void test_once_then_again(void **state)
{
	(void)state;
	break_one(1, T0);
	assert_true(ledger_when(&ledger, ear, T0) > T0 + 29 * SECOND);
	assert_true(ledger_when(&ledger, ear, T0 + 30 * SECOND) ==
		    T0 + 31 * SECOND);
	break_one(1, T0 + 20 * SECOND); /* the same one */
	expect(T0 + 31 * SECOND, true, "FAILURE 1");
	expect(T0 + 32 * SECOND, true, "");
	expect(T0 + 59 * MINUTE, true, "");
	expect(T0 + 61 * MINUTE, true, "FAILURE 1 again");
	mend(1, T0 + 70 * MINUTE);
	expect(T0 + 70 * MINUTE + 20 * SECOND, true, "");
	expect(T0 + 71 * MINUTE, true, "RECOVERY 1");
	expect(T0 + 72 * MINUTE, true, "");
	assert_true(ledger_when(&ledger, ear, T0 + 72 * MINUTE) == INT64_MAX);
	/* A new one, which nobody has heard of. */
	break_one(1, T0 + 80 * MINUTE);
	expect(T0 + 81 * MINUTE, true, "FAILURE 1");
}

static void test_comes_and_goes(void **state)
{
	(void)state;
	break_one(1, T0);
	mend(1, T0 + 10 * SECOND); /* before anybody was told */
	expect(T0 + 60 * SECOND, true, "");
	break_one(1, T0 + 2 * MINUTE);
	expect(T0 + 3 * MINUTE, true, "FAILURE 1");
	for (int i = 0; i < 20; i++) { /* never away for half a minute */
		mend(1, T0 + 4 * MINUTE + i * 20 * SECOND);
		break_one(1, T0 + 4 * MINUTE + i * 20 * SECOND + 10 * SECOND);
		expect(T0 + 4 * MINUTE + i * 20 * SECOND + 11 * SECOND, true,
		       "");
	}
}

static void test_kinds_and_filters(void **state)
{
	struct listener_filter some = {
		.events = 1u << NOTICE_LAG | 1u << NOTICE_SUSPENSION,
		.server_id = 2,
	};

	(void)state;
	listener_set_filter(ear, &some);
	for (int mapping = 0; mapping < 3; mapping++)
		for (int k = 0; k < NOTICE_TROUBLES; k++)
			ledger_open(&ledger, mapping, (enum notice_event)k, "T",
				    "m", T0);
	expect(T0 + MINUTE, true, "SUSPENSION 2, LAG 2");
	/* It does not want to hear of the end, but of the next one. */
	ledger_close(&ledger, 2, NOTICE_LAG, T0 + 2 * MINUTE);
	expect(T0 + 3 * MINUTE, true, "");
	ledger_open(&ledger, 2, NOTICE_LAG, "T", "m", T0 + 4 * MINUTE);
	expect(T0 + 5 * MINUTE, true, "LAG 2");
}

static void test_rate(void **state)
{
	(void)state;
	ledger.repeat_us = 600 * MINUTE;
	for (int i = 0; i < 3; i++) {
		ledger_open(&ledger, 1, (enum notice_event)i, "T", "m",
			    T0 + i * 5 * MINUTE);
		expect(T0 + i * 5 * MINUTE + MINUTE, true,
		       i == 0	? "FAILURE 1"
		       : i == 1 ? "SUSPENSION 1"
				: "VERIFICATION 1");
	}
	/* Now the others wait until the first is an hour old. */
	break_one(2, T0 + 20 * MINUTE);
	ledger_open(&ledger, 2, NOTICE_LAG, "T", "m", T0 + 20 * MINUTE);
	assert_true(ledger_when(&ledger, ear, T0 + 22 * MINUTE) ==
		    T0 + 61 * MINUTE);
	mend(2, T0 + 40 * MINUTE);
	expect(T0 + 61 * MINUTE, true, "LAG 2 +1");
	expect(T0 + 62 * MINUTE, true, "");
}

static void test_not_delivered(void **state)
{
	(void)state;
	break_one(1, T0);
	break_one(2, T0);
	expect(T0 + MINUTE, false, "FAILURE 1, FAILURE 2");
	mend(2, T0 + 2 * MINUTE);
	expect(T0 + 3 * MINUTE, false, "FAILURE 1 +1");
	expect(T0 + 4 * MINUTE, true, "FAILURE 1 +1");
	expect(T0 + 5 * MINUTE, true, "");
}

/* What the log of messages says counts as if it had been us. */
static void test_recall(void **state)
{
	(void)state;
	ledger_recall(&ledger, 7, 1, NOTICE_FAILURE, NOTICE_FAILURE,
		      T0 - 10 * MINUTE);
	ledger_recall(&ledger, 7, 2, NOTICE_LAG, NOTICE_LAG, T0 - 9 * MINUTE);
	ledger_recall(&ledger, 7, 2, NOTICE_RECOVERY, NOTICE_LAG,
		      T0 - 8 * MINUTE);
	ledger_recall(&ledger, 8, 1, NOTICE_LAG, NOTICE_LAG, T0);
	for (int i = 3; i > 0; i--)
		ledger_recall_message(&ledger, 7, T0 - i * 50 * MINUTE);
	break_one(1, T0);
	expect(T0 + MINUTE, true, "");
	expect(T0 + 51 * MINUTE, true, "FAILURE 1 again");
	ledger_close(&ledger, 2, NOTICE_LAG, T0 + 52 * MINUTE);
	mend(1, T0 + 52 * MINUTE);
	expect(T0 + 53 * MINUTE, true, "RECOVERY 1");
}

/* A day ahead, then set right: nobody waits a day for what is to be told. */
static void test_clock_is_set_back(void **state)
{
	int64_t ahead = T0 + 24 * 60 * MINUTE;

	(void)state;
	break_one(1, ahead);
	expect(ahead + MINUTE, true, "FAILURE 1");
	mend(1, ahead + 2 * MINUTE);
	assert_true(ledger_when(&ledger, ear, T0) < T0 + 32 * SECOND);
	expect(T0 + MINUTE, true, "RECOVERY 1");
	break_one(1, T0 + 10 * MINUTE);
	expect(T0 + 11 * MINUTE, true, "FAILURE 1");
	/* The three messages count for an hour. */
	break_one(2, T0 + 12 * MINUTE);
	assert_true(ledger_when(&ledger, ear, T0 + 13 * MINUTE) ==
		    T0 + 60 * MINUTE);

	/* So do those that another daemon wrote down. */
	ledger_recall(&ledger, 7, 2, NOTICE_FAILURE, NOTICE_FAILURE, ahead);
	ledger_recall_message(&ledger, 7, ahead);
	expect(T0 + 75 * MINUTE, true, "FAILURE 1 again");
	expect(T0 + 136 * MINUTE, true, "FAILURE 1 again, FAILURE 2 again");
}

static void test_worker_ends(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	break_one(1, T0);
	expect(T0 + MINUTE, true, "FAILURE 1");
	ledger_rest(&ledger, 1);
	expect(T0 + 90 * MINUTE, true, "");
	mend(1, T0 + 91 * MINUTE);
	expect(T0 + 92 * MINUTE, true, "RECOVERY 1");
	break_one(1, T0 + 93 * MINUTE);
	MUST(ledger_set_names(&ledger, NULL, 0, &err)); /* it was deleted */
	expect(T0 + 95 * MINUTE, true, "");
}

static void test_daemon_is_muted(void **state)
{
	(void)state;
	ledger.mute = true;
	break_one(0, T0);
	expect(T0 + MINUTE, true, "");
	ledger.mute = false;
	expect(T0 + MINUTE + SECOND, true, "FAILURE 0");
}

/* ----------------------------------------------------------------- writing */

/* Worked out by 'openssl dgst -sha256 -hmac Jefe'. */
static void test_signature(void **state)
{
	char out[SIGNATURE_TEXT_MAX];
	struct error err = ERROR_INIT;

	(void)state;
	MUST(signature_make("Jefe", 1700000000, "{\"a\":1}", out, &err));
	assert_string_equal(out, "fa5f6481efc59da48b19c9dc10196c9953e5651f8304b"
				 "3a318b6b87d70272e0a");
}

static void test_mail(void **state)
{
	static const char *const to[] = {"a@x.test", "b@y.test"};
	struct mail mail = {
		.id = "id",
		.from = "f@z.test",
		.to = to,
		.to_count = 2,
		.subject = "a\r\nBcc: c@w.test",
		.body = "one\n.\n",
		.sent_us = T0,
	};
	struct strbuf out;

	(void)state;
	strbuf_init(&out);
	mail_write(&mail, &out);
	assert_string_equal(out.data,
			    "Date: Sat, 31 Jan 2026 13:00:59 +0000\r\n"
			    "From: DBAOps DataFlow <f@z.test>\r\n"
			    "To: a@x.test,\r\n b@y.test\r\n"
			    "Subject: =?UTF-8?B?YSAgQmNjOiBjQHcudGVzdA==?=\r\n"
			    "Message-ID: <id@z.test>\r\n"
			    "Auto-Submitted: auto-generated\r\n"
			    "MIME-Version: 1.0\r\n"
			    "Content-Type: text/plain; charset=utf-8\r\n"
			    "Content-Transfer-Encoding: base64\r\n\r\n"
			    "b25lDQouDQo=\r\n");
	strbuf_release(&out);
}

static void test_text(void **state)
{
	struct notice notices[60] = {{.event = NOTICE_LAG,
				      .trouble = NOTICE_LAG,
				      .mapping_id = 3,
				      .source = "a\nb",
				      .message = "late"}};
	struct message message = {
		.channel = "c",
		.notices = notices,
		.count = 60,
		.left_out = 2,
		.daemon = "d",
		.installation = "i",
	};
	struct error err = ERROR_INIT;
	struct strbuf out;
	char *json;

	(void)state;
	strbuf_init(&out);
	message_summary(&message, &out);
	assert_string_equal(out.data, "60 notices: 59 FAILURE, 1 LAG");
	strbuf_reset(&out);
	message_text(&message, &out);
	assert_holds(out.data, "LAG: a b\n  mapping 3\n  late\n");
	assert_holds(out.data, "and 10 more;");
	assert_holds(out.data, "2 more came and went");
	strbuf_release(&out);
	json = message_json(&message, &err);
	assert_non_null(json);
	assert_holds(json, "\"event\":\"DIGEST\"");
	assert_holds(json, "\"total\":60,\"left_out\":2");
	free(json);
}

static char heard[200];

static void hear(void *arg, int mapping_id, enum notice_event event,
		 enum notice_event trouble)
{
	size_t len = strlen(heard);

	(void)arg;
	snprintf(heard + len, sizeof(heard) - len, "%d %s %s;", mapping_id,
		 notice_event_name(event), notice_event_name(trouble));
}

static void test_journal(void **state)
{
	static const struct notice notices[] = {
		{.event = NOTICE_FAILURE, .mapping_id = 1},
		{.event = NOTICE_RECOVERY,
		 .trouble = NOTICE_LAG,
		 .mapping_id = 2},
	};
	static const char *const rubbish[] = {
		"",
		"[",
		"null",
		"{}",
		"[1, null, []]",
		"[{\"event\":\"FAILURE\",\"mapping_id\":99999999999}]",
		"[{\"event\":\"LUCK\",\"mapping_id\":1}]",
		"[{\"event\":\"RECOVERY\",\"mapping_id\":1}]",
		"[{\"event\":\"RECOVERY\",\"recovered_from\":\"RECOVERY\"}]",
	};
	char *text = journal_write(notices, 2);

	(void)state;
	heard[0] = '\0';
	journal_read(text, hear, NULL);
	assert_string_equal(heard, "1 FAILURE FAILURE;2 RECOVERY LAG;");
	free(text);
	heard[0] = '\0';
	for (size_t i = 0; i < sizeof(rubbish) / sizeof(*rubbish); i++)
		journal_read(rubbish[i], hear, NULL);
	assert_string_equal(heard, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_once_then_again),
		TEST(test_comes_and_goes),
		TEST(test_kinds_and_filters),
		TEST(test_rate),
		TEST(test_not_delivered),
		TEST(test_recall),
		TEST(test_clock_is_set_back),
		TEST(test_worker_ends),
		TEST(test_daemon_is_muted),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_journal),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
