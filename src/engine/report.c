/* What is reported a row at a time: an event each, see reporter.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/subject.h"

/* The numbers: -1 for none. */
static void put_log(struct reporter *reporter, const struct control_log *row)
{
	struct event *event;

	log_write(row->level, "%s", row->message);
	event = event_new(EVENT_LOG, row->message, NULL);
	if (event) {
		event->log = *row;
		event->log.message = event->owned[0];
		event->log.created_us = clock_utc_us();
	}
	reporter_put(reporter, event);
}

void report_log(struct report_subject *subject, enum log_level level,
		const char *sync_type, int64_t records, int64_t duration_ms,
		const char *fmt, ...)
{
	char message[ERROR_MESSAGE_MAX];
	struct control_log row = {
		.mapping_id = subject->mapping_id,
		.level = level,
		.message = message,
		.sync_type = sync_type,
		.records = records,
		.duration_ms = duration_ms,
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	text_trim_partial_utf8(message);
	put_log(subject->reporter, &row);
}

void report_mapping_log(struct reporter *reporter, int mapping_id,
			enum log_level level, const char *fmt, ...)
{
	char message[ERROR_MESSAGE_MAX];
	struct control_log row = {
		.mapping_id = mapping_id,
		.level = level,
		.message = message,
		.records = -1,
		.duration_ms = -1,
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	text_trim_partial_utf8(message);
	put_log(reporter, &row);
}

/* An event with only these two. */
static void put_text(struct reporter *reporter, enum event_kind kind, int id,
		     const char *text)
{
	struct event *event = event_new(kind, text, NULL);

	if (event) {
		event->id = id;
		event->text = event->owned[0];
	}
	reporter_put(reporter, event);
}

void report_error(struct reporter *reporter, const struct control_error *error)
{
	struct event *event =
		event_new(EVENT_ERROR, error->message, error->details);

	log_error("%s", error->message);
	reporter_note_error(reporter, error);
	if (event) {
		event->error = *error;
		event->error.message = event->owned[0];
		event->error.details = event->owned[1];
		event->error.subject = event_keep(event, error->subject);
		event->error.created_us = clock_utc_us();
	}
	reporter_put(reporter, event);
	reporter_tell_trouble(reporter, error);
}

static void put_simple(struct reporter *reporter, enum event_kind kind, int id,
		       int server_id, bool flag)
{
	struct event *event = event_new(kind, NULL, NULL);

	if (event) {
		event->id = id;
		event->server_id = server_id;
		event->flag = flag;
		event->at_us = clock_utc_us();
	}
	reporter_put(reporter, event);
}

void report_resolved(struct reporter *reporter, int mapping_id, int server_id)
{
	put_simple(reporter, EVENT_RESOLVED, mapping_id, server_id, false);
	reporter_tell_over(reporter, mapping_id, server_id);
}

static const char *keep_md5(char to[CONTROL_MD5_MAX], const char *md5)
{
	if (!md5)
		return NULL;
	text_copy(to, CONTROL_MD5_MAX, md5);
	return to;
}

void report_verification(struct report_subject *subject,
			 const struct control_verification *row)
{
	struct event *event = event_new(EVENT_VERIFICATION, row->details, NULL);

	if (event) {
		event->verification = *row;
		event->verification.mapping_id = subject->mapping_id;
		event->verification.source_md5 =
			keep_md5(event->md5[0], row->source_md5);
		event->verification.dest_md5 =
			keep_md5(event->md5[1], row->dest_md5);
		event->verification.details = event->owned[0];
	}
	subject_count_verification(subject, row);
	reporter_put(subject->reporter, event);
}

void report_verification_resolved(struct report_subject *subject, bool whole)
{
	put_simple(subject->reporter, EVENT_VERIFIED, subject->mapping_id, 0,
		   whole);
	reporter_tell_verified(subject, whole);
}

void report_progress(struct report_subject *subject,
		     const struct control_progress *progress)
{
	struct event *event =
		event_new(EVENT_PROGRESS, progress->progress, NULL);

	if (event) {
		event->progress = *progress;
		event->progress.mapping_id = subject->mapping_id;
		event->progress.progress = event->owned[0];
	}
	reporter_put(subject->reporter, event);
}

void report_stale_runs(struct reporter *reporter, int mapping_id)
{
	put_simple(reporter, EVENT_STALE_RUNS, mapping_id, 0, false);
}

void report_full_sync(struct reporter *reporter, int mapping_id)
{
	put_simple(reporter, EVENT_FULL_SYNC, mapping_id, 0, false);
}

void report_connected(struct reporter *reporter, bool is_target, int server_id)
{
	put_simple(reporter, EVENT_CONNECTED, server_id, 0, is_target);
}

void report_paused(struct reporter *reporter, int mapping_id, bool paused)
{
	put_simple(reporter, EVENT_PAUSED, mapping_id, 0, paused);
}

void report_suspended(struct reporter *reporter, int mapping_id,
		      const char *reason)
{
	struct event *event = event_new(EVENT_SUSPENDED, reason, NULL);

	if (event) {
		event->id = mapping_id;
		event->text = event->owned[0];
	}
	reporter_put(reporter, event);
}

void report_switched_off(struct reporter *reporter, int mapping_id)
{
	put_simple(reporter, EVENT_SWITCHED_OFF, mapping_id, 0, false);
}

void report_exception(struct reporter *reporter,
		      const struct control_exception *row)
{
	struct event *event = event_new(EVENT_EXCEPTION, NULL, NULL);
	struct control_exception *copy = event ? &event->exception : NULL;

	if (copy) {
		*copy = *row;
		copy->id = event_keep(event, row->id);
		copy->key = event_keep(event, row->key);
		copy->position = event_keep(event, row->position);
		copy->reason = event_keep(event, row->reason);
	}
	reporter_put(reporter, event);
}

void report_settled(struct reporter *reporter, int mapping_id,
		    int64_t mirrored_us)
{
	struct event *event = event_new(EVENT_SETTLED, NULL, NULL);

	if (event) {
		event->id = mapping_id;
		event->at_us = mirrored_us;
	}
	reporter_put(reporter, event);
}

void report_request(struct reporter *reporter, int request_id,
		    const char *state, const char *answer)
{
	struct event *event = event_new(EVENT_REQUEST, answer, NULL);

	if (event) {
		event->id = request_id;
		event->state = state;
		event->text = event->owned[0];
	}
	reporter_put(reporter, event);
}

/* ------------------------------------------------------------ notifications */

void report_notification(struct reporter *reporter,
			 const struct control_notification *row)
{
	struct event *event =
		event_new(EVENT_NOTIFICATION, row->channel_name, row->summary);

	if (event) {
		event->notification = *row;
		event->notification.channel_name = event->owned[0];
		event->notification.summary = event->owned[1];
		event->notification.notices = event_keep(event, row->notices);
		event->notification.error = event_keep(event, row->error);
	}
	reporter_put(reporter, event);
}

void report_channel_error(struct reporter *reporter, int channel_id,
			  const char *message)
{
	put_text(reporter, EVENT_CHANNEL, channel_id, message);
}

void report_channel_works(struct reporter *reporter, int channel_id)
{
	char subject[32];

	snprintf(subject, sizeof(subject), "channel %d", channel_id);
	put_text(reporter, EVENT_SUBJECT_RESOLVED, 0, subject);
}

void report_gone_channels(struct reporter *reporter)
{
	put_text(reporter, EVENT_GONE_CHANNELS, 0, NULL);
}
