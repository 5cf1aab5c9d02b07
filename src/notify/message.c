#include "notify/message.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/version.h"

#define FORMAT_VERSION 1

static size_t shown(const struct message *message)
{
	return message->count < MESSAGE_NOTICES_MAX ? message->count
						    : MESSAGE_NOTICES_MAX;
}

static void count_events(const struct message *message,
			 size_t counts[NOTICE_EVENTS])
{
	for (size_t i = 0; i < NOTICE_EVENTS; i++)
		counts[i] = 0;
	for (size_t i = 0; i < message->count; i++)
		counts[message->notices[i].event]++;
}

const char *message_event(const struct message *message)
{
	if (!message->count)
		return "TEST";
	if (message->count > 1)
		return "DIGEST";
	return notice_event_name(message->notices[0].event);
}

/* --------------------------------------------------------------------- text */

/* What a name or a message has of line breaks and the like becomes blanks. */
static void add_line(struct strbuf *out, const char *s)
{
	for (; *s; s++)
		strbuf_addch(out,
			     (unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s);
}

static void add_what(const struct notice *notice, struct strbuf *out)
{
	strbuf_addstr(out, notice_event_name(notice->event));
	if (notice->event == NOTICE_RECOVERY)
		strbuf_addf(out, " from %s",
			    notice_event_name(notice->trouble));
	else if (notice->reminder)
		strbuf_addstr(out, " goes on");
	strbuf_addstr(out, ": ");
	if (notice->source)
		add_line(out, notice->source);
	else if (notice->mapping_id)
		strbuf_addf(out, "mapping %d", notice->mapping_id);
	else
		strbuf_addstr(out, "the daemon");
}

void message_summary(const struct message *message, struct strbuf *out)
{
	size_t counts[NOTICE_EVENTS];
	const char *comma = "";

	if (!message->count)
		strbuf_addstr(out, "TEST");
	if (message->count == 1)
		add_what(&message->notices[0], out);
	if (message->count < 2)
		return;
	strbuf_addf(out, "%zu notices: ", message->count);
	count_events(message, counts);
	for (size_t i = 0; i < NOTICE_EVENTS; i++) {
		if (!counts[i])
			continue;
		strbuf_addf(out, "%s%zu %s", comma, counts[i],
			    notice_event_name((enum notice_event)i));
		comma = ", ";
	}
}

static void add_time(struct strbuf *out, const char *word, int64_t us)
{
	char text[CLOCK_TEXT_MAX];

	if (!us)
		return;
	clock_format(text, us);
	strbuf_addf(out, "  %s %.10s %.8s UTC\n", word, text, text + 11);
}

static void add_notice(const struct notice *notice, struct strbuf *out)
{
	add_what(notice, out);
	strbuf_addch(out, '\n');
	if (notice->mapping_id)
		strbuf_addf(out, "  mapping %d", notice->mapping_id);
	if (notice->server) {
		strbuf_addstr(out, ", from server '");
		add_line(out, notice->server);
		strbuf_addch(out, '\'');
	}
	if (notice->destination) {
		strbuf_addstr(out, ", to ");
		add_line(out, notice->destination);
	}
	if (notice->mapping_id)
		strbuf_addch(out, '\n');
	if (notice->message) {
		strbuf_addf(out, "  %s%s", notice->type ? notice->type : "",
			    notice->type ? ": " : "");
		add_line(out, notice->message);
		strbuf_addch(out, '\n');
	}
	add_time(out, "since", notice->since_us);
	add_time(out, "until", notice->ended_us);
}

void message_text(const struct message *message, struct strbuf *out)
{
	size_t more = message->count - shown(message);

	if (message->count != 1) {
		message_summary(message, out);
		strbuf_addstr(out, "\n\n");
	}
	if (!message->count)
		strbuf_addstr(out, "Messages of this kind arrive here.\n");
	for (size_t i = 0; i < shown(message); i++) {
		if (i)
			strbuf_addch(out, '\n');
		add_notice(&message->notices[i], out);
	}
	if (more)
		strbuf_addf(out,
			    "\nand %zu more; see the views v_recent_errors "
			    "and v_sync_summary\n",
			    more);
	if (message->left_out)
		strbuf_addf(out,
			    "\n%llu more came and went while messages were "
			    "held back\n",
			    (unsigned long long)message->left_out);
	strbuf_addf(out, "\n-- \nDBAOps DataFlow " DATAFLOW_VERSION ", %s\n",
		    message->daemon);
}

/* --------------------------------------------------------------------- JSON */

static json_t *text_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

/* RFC 3339, which wants to be told that it is UTC. */
static json_t *time_or_null(int64_t us)
{
	char text[CLOCK_TEXT_MAX];

	if (!us)
		return json_null();
	clock_format(text, us);
	return json_sprintf("%sZ", text);
}

static json_t *json_notice(const struct notice *notice)
{
	const char *over = notice->event == NOTICE_RECOVERY
				   ? notice_event_name(notice->trouble)
				   : NULL;

	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
		"event", notice_event_name(notice->event), "recovered_from",
		text_or_null(over), "mapping_id",
		notice->mapping_id ? json_integer(notice->mapping_id)
				   : json_null(),
		"server", text_or_null(notice->server), "source",
		text_or_null(notice->source), "destination",
		text_or_null(notice->destination), "type",
		text_or_null(notice->type), "message",
		text_or_null(notice->message), "since",
		time_or_null(notice->since_us), "until",
		time_or_null(notice->ended_us), "reminder", notice->reminder);
}

static json_t *json_counts(const struct message *message)
{
	size_t counts[NOTICE_EVENTS];
	json_t *out = json_object();

	count_events(message, counts);
	for (size_t i = 0; i < NOTICE_EVENTS; i++)
		out = json_put(out, notice_event_name((enum notice_event)i),
			       json_integer((json_int_t)counts[i]));
	return out;
}

static json_t *json_text(const struct message *message)
{
	struct strbuf text;
	json_t *out = NULL;

	strbuf_init(&text);
	message_text(message, &text);
	if (!text.failed)
		out = json_string(text.data);
	strbuf_release(&text);
	return out;
}

char *message_json(const struct message *message, struct error *err)
{
	json_t *notices = json_array(), *root;
	char *text;

	for (size_t i = 0; i < shown(message); i++)
		notices =
			json_append(notices, json_notice(&message->notices[i]));
	/* "text" first: chat systems show it as it is. */
	root = json_pack("{s:o, s:i, s:s, s:s, s:s, s:o, s:s, s:s, s:I, s:I, "
			 "s:o, s:o}",
			 "text", json_text(message), "version", FORMAT_VERSION,
			 "id", message->id, "event", message_event(message),
			 "channel", message->channel, "sent_at",
			 time_or_null(message->sent_us), "daemon",
			 message->daemon, "installation", message->installation,
			 "total", (json_int_t)message->count, "left_out",
			 (json_int_t)message->left_out, "counts",
			 json_counts(message), "notices", notices);
	text = json_format(root, JSON_COMPACT);
	json_decref(root);
	if (!text)
		error_memory(err, "a notification");
	return text;
}
