/*
 * Names and messages that others wrote, on their way to people: notify/message.h
 * and notify/mail.h.
 *
 * The summary is one line. The JSON has each text as it was, and the letter is
 * made of the headers that there are and no others, in lines of ASCII that no
 * mail server refuses; its body, decoded, is the text.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "notify/mail.h"
#include "notify/message.h"
#include "unit/utf8.h"

#define NOTICES	   3
#define TEXTS	   5
#define LINE_BYTES 998 /* RFC 5322, without its end */

static const char *const headers[] = {
	"Date: ",	  "From: ",	    "To: ",
	"Subject:",	  "Message-ID: <",  "Auto-Submitted: ",
	"MIME-Version: ", "Content-Type: ", "Content-Transfer-Encoding: base64",
};

#define HEADERS (sizeof(headers) / sizeof(*headers))

struct post {
	struct notice notices[NOTICES];
	char *texts[NOTICES * TEXTS + 1];
	size_t text_count;
	struct message message;
};

static const char *keep(struct post *post, struct input *in)
{
	char *text = take_utf8(in, 600);

	post->texts[post->text_count++] = text;
	return *text ? text : NULL;
}

static void fill(struct post *post, struct input *in)
{
	size_t count = take_below(in, NOTICES + 1);

	memset(post, 0, sizeof(*post));
	for (size_t i = 0; i < count; i++) {
		struct notice *notice = &post->notices[i];

		notice->event = take_below(in, NOTICE_EVENTS);
		notice->trouble = notice->event == NOTICE_RECOVERY
					  ? NOTICE_LAG
					  : notice->event;
		notice->mapping_id = (int)take_below(in, 3);
		notice->reminder = take_byte(in) & 1;
		notice->since_us = (int64_t)take_number(in, 6);
		notice->server = keep(post, in);
		notice->source = keep(post, in);
		notice->destination = keep(post, in);
		notice->type = keep(post, in);
		notice->message = keep(post, in);
	}
	post->message = (struct message){
		.id = "00000000-0000-4000-8000-000000000000",
		.notices = post->notices,
		.count = count,
		.daemon = "host:1:2",
		.installation = "i",
		.sent_us = (int64_t)take_number(in, 6),
	};
	post->message.channel = keep(post, in);
	if (!post->message.channel)
		post->message.channel = "";
}

static void empty(struct post *post)
{
	for (size_t i = 0; i < post->text_count; i++)
		free(post->texts[i]);
}

/* --------------------------------------------------------------------- JSON */

static void check_text(const json_t *object, const char *key, const char *text)
{
	const char *found = json_string_value(json_object_get(object, key));

	HOLDS(text ? found && !strcmp(found, text) : !found);
}

static void check_json(const struct message *message, const char *text)
{
	struct error err = ERROR_INIT;
	char *written = message_json(message, &err);
	json_t *root, *notices;

	HOLDS(written);
	root = json_loads(written, 0, NULL);
	HOLDS(root);
	check_text(root, "channel", message->channel);
	check_text(root, "text", text);
	notices = json_object_get(root, "notices");
	HOLDS(json_array_size(notices) == message->count);
	for (size_t i = 0; i < message->count; i++) {
		const struct notice *notice = &message->notices[i];
		json_t *one = json_array_get(notices, i);

		check_text(one, "server", notice->server);
		check_text(one, "source", notice->source);
		check_text(one, "destination", notice->destination);
		check_text(one, "message", notice->message);
	}
	json_decref(root);
	free(written);
}

/* ------------------------------------------------------------------- letter */

static bool is_header(const char *line)
{
	for (size_t i = 0; i < HEADERS; i++)
		if (!strncmp(line, headers[i], strlen(headers[i])))
			return true;
	/* More of the subject, or of the recipients. */
	return !strncmp(line, " =?UTF-8?B?", 11) ||
	       !strncmp(line, " b@example.com\r", 15);
}

/* The line at `s` without its end, which is CRLF; what follows it. */
static const char *next_line(const char *s, size_t *len)
{
	const char *end = strstr(s, "\r\n");

	HOLDS(end);
	*len = (size_t)(end - s);
	HOLDS(*len <= LINE_BYTES);
	for (; s < end; s++)
		HOLDS(*s >= ' ' && *s <= '~');
	return end + 2;
}

static void add_decoded(struct strbuf *body, const char *line, size_t len)
{
	unsigned char bytes[LINE_BYTES];
	int got;

	HOLDS(len > 0 && len % 4 == 0);
	got = EVP_DecodeBlock(bytes, (const unsigned char *)line, (int)len);
	HOLDS(got > 0);
	got -= (line[len - 1] == '=') + (line[len - 2] == '=');
	strbuf_add(body, bytes, (size_t)got);
}

static void check_letter(const char *letter, const char *text)
{
	struct strbuf body, expected;
	const char *line = letter, *next;
	size_t len;

	while (next = next_line(line, &len), len > 0) {
		HOLDS(is_header(line));
		line = next;
	}
	strbuf_init(&body);
	strbuf_init(&expected);
	for (line = next; *line; line = next) {
		next = next_line(line, &len);
		add_decoded(&body, line, len);
	}
	for (; *text; text++)
		strbuf_addf(&expected, *text == '\n' ? "\r%c" : "%c", *text);
	HOLDS(!strcmp(body.data, expected.data));
	strbuf_release(&body);
	strbuf_release(&expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	const char *to[] = {"a@example.com", "b@example.com"};
	struct strbuf summary, text, letter;
	struct mail mail = {
		.id = "1", .from = "f@example.com", .to = to, .to_count = 2};
	struct post post;

	fill(&post, &in);
	strbuf_init(&summary);
	strbuf_init(&text);
	strbuf_init(&letter);
	message_summary(&post.message, &summary);
	message_text(&post.message, &text);
	HOLDS(is_utf8(summary.data) && is_utf8(text.data));
	for (size_t i = 0; i < summary.len; i++)
		HOLDS((unsigned char)summary.data[i] >= ' ');
	check_json(&post.message, text.data);
	mail.subject = summary.data;
	mail.body = text.data;
	mail.sent_us = post.message.sent_us;
	mail_write(&mail, &letter);
	check_letter(letter.data, text.data);
	strbuf_release(&summary);
	strbuf_release(&text);
	strbuf_release(&letter);
	empty(&post);
	return 0;
}
