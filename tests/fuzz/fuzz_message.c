/*
 * What a server says, tds/message.h.
 *
 * The text is the server's and may repeat a value of a row. In each of the
 * messages that do, no part of the value is left over, whatever it is; the
 * error's kind and number do not depend on it. Messages that repeat nothing
 * stay as they are.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "tds/message.h"
#include "unit/utf8.h"

#define CANARY "CANARY"

/* From sys.messages; %s is where the value stands. */
static const struct {
	int number, severity;
	const char *before, *after;
} messages[] = {
	{2627, 14,
	 "Violation of PRIMARY KEY constraint 'pk'. Cannot insert duplicate "
	 "key in object 'dbo.t'. The duplicate key value is (",
	 ")."},
	{2601, 14,
	 "Cannot insert duplicate key row in object 'dbo.t' with unique index "
	 "'ix'. The duplicate key value is (",
	 ")."},
	{1505, 16,
	 "The CREATE UNIQUE INDEX statement terminated because a duplicate key "
	 "was found for the object name 'dbo.t' and the index name 'ix'. The "
	 "duplicate key value is (",
	 ")."},
	{2628, 16,
	 "String or binary data would be truncated in table 'db.dbo.t', column "
	 "'c'. Truncated value: '",
	 "'."},
	{220, 16, "Arithmetic overflow error for data type int, value = ", "."},
	{232, 16, "Arithmetic overflow error for type int, value = ", "."},
	{245, 16, "Conversion failed when converting the nvarchar value '",
	 "' to data type int."},
	{244, 16, "The conversion of the varchar value '",
	 "' overflowed an INT2 column. Use a larger integer column."},
	{248, 16, "The conversion of the varchar value '",
	 "' overflowed an int column."},
};

/* A server's text ends here, and at 2047 characters with an ellipsis. */
#define TEXT_MAX 2047

static void check_hidden(struct input *in)
{
	size_t which = take_below(in, sizeof(messages) / sizeof(*messages));
	size_t at = take_below(in, 4096);
	unsigned cut = take_byte(in) & 1;
	char *value = take_text(in, in->len);
	size_t len = strlen(value);
	struct error err = ERROR_INIT, bare = ERROR_INIT;
	struct strbuf text;

	at = at < len ? at : len;
	strbuf_init(&text);
	strbuf_addstr(&text, messages[which].before);
	strbuf_add(&text, value, at);
	strbuf_addstr(&text, CANARY);
	strbuf_addstr(&text, value + at);
	strbuf_addstr(&text, messages[which].after);
	if (cut && text.len > TEXT_MAX)
		memcpy(text.data + TEXT_MAX - 3, "...", 4);
	tds_message_to_error(&err, messages[which].number,
			     messages[which].severity, text.data);
	check_error(&err);
	HOLDS(!strstr(err.message, CANARY));
	tds_message_to_error(&bare, messages[which].number,
			     messages[which].severity, "");
	HOLDS(err.kind == bare.kind && err.retryable == bare.retryable);
	HOLDS(err.native == messages[which].number);
	strbuf_release(&text);
	free(value);
}

static void check_any(struct input *in)
{
	int number = (int)take_number(in, 2);
	int severity = (int)take_below(in, 26);
	struct error err = ERROR_INIT;
	char *text = take_text(in, in->len);

	tds_message_to_error(&err, number, severity, text);
	check_error(&err);
	HOLDS(err.native == number);
	HOLDS(!err.retryable || err.kind == ERROR_CONNECTION ||
	      err.kind == ERROR_SERVER);
	if (is_utf8(text) && strlen(text) < 1000 && !strstr(text, "value"))
		HOLDS(!strncmp(err.message, text, strlen(text)));
	tds_library_to_error(&err, number, severity, text,
			     severity & 1 ? text : NULL);
	check_error(&err);
	HOLDS(err.native == number);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	if (take_byte(&in) & 1)
		check_any(&in);
	else
		check_hidden(&in);
	return 0;
}
