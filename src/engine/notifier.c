/*
 * The scheduler hands over channels, names and limits at each tick, workers
 * open and close troubles: all of it under one lock, in moments. The thread
 * asks the ledger what is due for each channel, and gives it to the courier,
 * outside the lock. A message that fails is tried a few times; then its notices
 * go back into the ledger, and the channel rests for a while.
 */
#include "engine/notifier.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "engine/outlet.h"
#include "engine/reporter.h"
#include "notify/courier.h"
#include "notify/journal.h"

#define ATTEMPTS_MAX   3
#define FIRST_RETRY_MS 2000 /* then four times as long each time */
#define REST_MS	       INT64_C(300000)
#define DRAIN_MS       1500
#define JOIN_MS	       500
#define IDLE_MS	       60000
#define NAME_MAX_BYTES 800

struct notifier {
	struct reporter *reporter;
	const char *daemon;
	struct courier *courier;
	pthread_t thread;
	atomic_llong lag_limit_ms;
	atomic_bool draining;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t ended;
	bool has_ended;
	int64_t drain_until_ms;
	struct ledger ledger;
	struct outlet *outlets;
	bool was_updated;
	char installation[64]; /* set by the first update, then only read */
};

static void lock(struct notifier *notifier)
{
	pthread_mutex_lock(&notifier->lock);
}

static void unlock(struct notifier *notifier)
{
	pthread_mutex_unlock(&notifier->lock);
}

/* ------------------------------------------------------ what is to be told */

void notifier_trouble(struct notifier *notifier, int mapping_id,
		      enum notice_event trouble, const char *type,
		      const char *message)
{
	int news;

	lock(notifier);
	news = ledger_open(&notifier->ledger, mapping_id, trouble, type,
			   message, clock_utc_us());
	unlock(notifier);
	if (news < 0)
		log_error("no memory to tell people of: %s", message);
	if (news > 0)
		courier_wake(notifier->courier);
}

void notifier_over(struct notifier *notifier, int mapping_id,
		   enum notice_event trouble)
{
	bool news;

	lock(notifier);
	news = ledger_close(&notifier->ledger, mapping_id, trouble,
			    clock_utc_us());
	unlock(notifier);
	if (news)
		courier_wake(notifier->courier);
}

void notifier_rest(struct notifier *notifier, int mapping_id)
{
	lock(notifier);
	ledger_rest(&notifier->ledger, mapping_id);
	unlock(notifier);
}

int64_t notifier_lag_limit_ms(struct notifier *notifier)
{
	return atomic_load(&notifier->lag_limit_ms);
}

void notifier_lag(struct notifier *notifier, int mapping_id, int64_t lag_ms)
{
	int64_t limit = notifier_lag_limit_ms(notifier);
	char message[128];

	if (!limit) {
		lock(notifier);
		ledger_rest_one(&notifier->ledger, mapping_id, NOTICE_LAG);
		unlock(notifier);
	} else if (lag_ms > limit) {
		snprintf(message, sizeof(message),
			 "changes arrive %lld s late, more than the %lld s of "
			 "notify_lag_seconds",
			 (long long)(lag_ms / 1000), (long long)(limit / 1000));
		notifier_trouble(notifier, mapping_id, NOTICE_LAG, "LAG",
				 message);
	} else {
		notifier_over(notifier, mapping_id, NOTICE_LAG);
	}
}

/* ------------------------------------------------------------------ channels */

static struct outlet *find_outlet(struct notifier *notifier, int id)
{
	struct outlet *outlet = notifier->outlets;

	while (outlet && (outlet->id != id || outlet->gone))
		outlet = outlet->next;
	return outlet;
}

static struct outlet *add_outlet(struct notifier *notifier, int id)
{
	struct outlet *outlet = calloc(1, sizeof(*outlet));

	if (!outlet)
		return NULL;
	outlet->listener = ledger_add_listener(&notifier->ledger, id);
	if (!outlet->listener) {
		free(outlet);
		return NULL;
	}
	outlet->id = id;
	outlet->trouble = true; /* of an earlier daemon, perhaps */
	outlet->next = notifier->outlets;
	notifier->outlets = outlet;
	return outlet;
}

/* The lock is held. */
static void update_channel(struct notifier *notifier,
			   const struct channel_row *row, int id)
{
	struct outlet *outlet = find_outlet(notifier, id);
	struct listener_filter filter = {
		.mapping_id = row->mapping_id,
		.server_id = row->server_id,
	};

	if (!outlet)
		outlet = add_outlet(notifier, id);
	if (!outlet)
		return; /* the next update tries again */
	outlet->seen = true;
	if (channel_row_equal(&outlet->row, row) ||
	    !channel_row_copy(&outlet->row, row))
		return;
	outlet->changed = true;
	(void)notice_events_parse(row->events, &filter.events);
	listener_set_filter(outlet->listener, &filter);
}

static void read_row(struct notifier *notifier,
		     const struct control_channel *channel)
{
	struct channel_row row;

	if (channel_row_read(&row, channel))
		update_channel(notifier, &row, channel->id);
	channel_row_release(&row);
}

/* True when one is gone. The lock is held. */
static bool update_channels(struct notifier *notifier,
			    const struct control_snapshot *snapshot)
{
	bool gone = false;

	for (struct outlet *o = notifier->outlets; o; o = o->next)
		o->seen = false;
	for (size_t i = 0; i < snapshot->channel_count; i++)
		if (snapshot->channels[i].enabled)
			read_row(notifier, &snapshot->channels[i]);
	for (struct outlet *o = notifier->outlets; o; o = o->next) {
		gone |= !o->seen && !o->gone;
		o->gone |= !o->seen;
	}
	return gone;
}

/* --------------------------------------------------------------------- names */

static const char *server_name(const struct control_snapshot *snapshot, int id)
{
	for (size_t i = 0; i < snapshot->source_count; i++)
		if (snapshot->sources[i].id == id)
			return snapshot->sources[i].name;
	return NULL;
}

static const char *table_name(char out[NAME_MAX_BYTES], const char *database,
			      const char *schema, const char *table)
{
	snprintf(out, NAME_MAX_BYTES, "%s.%s.%s", database ? database : "",
		 schema ? schema : "", table ? table : "");
	text_trim_partial_utf8(out);
	return out;
}

/* Room for the two names of each mapping. */
struct name_texts {
	char source[NAME_MAX_BYTES], destination[NAME_MAX_BYTES];
};

/* The lock is held. */
static int update_names(struct notifier *notifier,
			const struct control_snapshot *snapshot,
			struct error *err)
{
	size_t count = snapshot->mapping_count;
	struct ledger_name *names = calloc(count + 1, sizeof(*names));
	struct name_texts *texts = calloc(count + 1, sizeof(*texts));
	int ret = -1;

	if (!names || !texts) {
		error_memory(err, "the names of mappings");
		goto done;
	}
	for (size_t i = 0; i < count; i++) {
		const struct control_mapping *row = &snapshot->mappings[i];

		names[i] = (struct ledger_name){
			.mapping_id = row->id,
			.server_id = row->server_id,
			.server = server_name(snapshot, row->server_id),
			.source = table_name(
				texts[i].source, row->source_database,
				row->source_schema, row->source_table),
			.destination = table_name(
				texts[i].destination, row->dest_database,
				row->dest_schema, row->dest_table),
		};
	}
	ret = ledger_set_names(&notifier->ledger, names, count, err);
done:
	free(names);
	free(texts);
	return ret;
}

void notifier_update(struct notifier *notifier,
		     const struct control_snapshot *snapshot,
		     const struct settings *settings, bool working)
{
	struct error err = ERROR_INIT;
	bool gone;

	atomic_store(&notifier->lag_limit_ms,
		     settings->notify_lag_s * INT64_C(1000));
	lock(notifier);
	notifier->ledger.delay_us = settings->notify_delay_s * INT64_C(1000000);
	notifier->ledger.repeat_us =
		settings->notify_repeat_min * INT64_C(60000000);
	notifier->ledger.max_per_hour = settings->notify_max_per_hour;
	notifier->ledger.mute = !working;
	if (!notifier->was_updated)
		text_copy(notifier->installation,
			  sizeof(notifier->installation),
			  snapshot->installation_id);
	if (update_names(notifier, snapshot, &err) < 0)
		log_warning("notifications: %s", err.message);
	gone = update_channels(notifier, snapshot) || !notifier->was_updated;
	notifier->was_updated = true;
	unlock(notifier);
	if (gone)
		report_gone_channels(notifier->reporter);
	courier_wake(notifier->courier);
}

struct recall {
	struct ledger *ledger;
	int channel_id;
	int64_t at;
};

static void recall_one(void *arg, int mapping_id, enum notice_event event,
		       enum notice_event trouble)
{
	struct recall *recall = arg;

	ledger_recall(recall->ledger, recall->channel_id, mapping_id, event,
		      trouble, recall->at);
}

void notifier_recall(struct notifier *notifier,
		     const struct control_told_list *told)
{
	lock(notifier);
	for (size_t i = 0; i < told->count; i++) {
		const struct control_told *row = &told->rows[i];
		struct recall recall = {
			.ledger = &notifier->ledger,
			.channel_id = row->channel_id,
			.at = row->created_us,
		};

		if (!row->daemon || !strcmp(row->daemon, notifier->daemon))
			continue; /* we know */
		ledger_recall_message(&notifier->ledger, row->channel_id,
				      row->created_us);
		if (row->notices)
			journal_read(row->notices, recall_one, &recall);
	}
	unlock(notifier);
}

/* ------------------------------------------------------- errors of a channel */

static void tell_trouble(struct notifier *notifier, struct outlet *outlet,
			 const struct error *err, const char *remark)
{
	char subject[32], message[ERROR_MESSAGE_MAX];
	struct control_error row = {
		.type = "OTHER",
		.message = message,
		.subject = subject,
		.retry_count = outlet->attempts > 1 ? outlet->attempts - 1 : 0,
	};

	snprintf(subject, sizeof(subject), "channel %d", outlet->id);
	snprintf(message, sizeof(message),
		 "notification channel '%.300s': ", outlet->own.name);
	text_trim_partial_utf8(message);
	text_append(message, sizeof(message) - strlen(remark), err->message);
	text_append(message, sizeof(message), remark);
	report_error(notifier->reporter, &row);
	outlet->trouble = true;
}

static void tell_works(struct notifier *notifier, struct outlet *outlet)
{
	if (outlet->trouble)
		report_channel_works(notifier->reporter, outlet->id);
	outlet->trouble = false;
}

/* A row is new or was changed: does it make sense? */
static void look_at(struct notifier *notifier, struct outlet *outlet)
{
	struct error err = ERROR_INIT;
	struct channel channel;
	unsigned events;

	outlet->broken = true;
	outlet->next_ms = 0; /* whatever was wrong may be mended */
	if (!notice_events_parse(outlet->own.events, &events)) {
		error_set(&err, ERROR_CONFIG, "%s", NOTICE_EVENTS_WANTED);
	} else if (channel_parse(&channel, outlet->own.type,
				 outlet->own.settings, &err) == 0) {
		channel_release(&channel);
		outlet->broken = false;
		tell_works(notifier, outlet);
		return;
	}
	report_channel_error(notifier->reporter, outlet->id, err.message);
	tell_trouble(notifier, outlet, &err, "");
}

/* ------------------------------------------------------------------- sending */

static void write_log(struct notifier *notifier, const struct outlet *outlet,
		      const struct message *message, bool sent,
		      const char *error)
{
	char *notices = journal_write(message->notices, message->count);
	struct strbuf summary;
	struct control_notification row = {
		.channel_id = outlet->id,
		.channel_name = outlet->own.name,
		.event = message_event(message),
		.mapping_id = message->count == 1
				      ? message->notices[0].mapping_id
				      : 0,
		.notice_count = (int)message->count,
		.notices = notices,
		.sent = sent,
		.attempts = outlet->attempts,
		.error = error,
		.daemon = notifier->daemon,
		.created_us = clock_utc_us(),
	};

	strbuf_init(&summary);
	message_summary(message, &summary);
	row.summary = summary.data;
	text_copy(row.message_id, sizeof(row.message_id), message->id);
	report_notification(notifier->reporter, &row);
	strbuf_release(&summary);
	free(notices);
}

static struct message message_of(struct notifier *notifier,
				 const struct outlet *outlet)
{
	struct message message = {
		.channel = outlet->own.name,
		.notices = outlet->digest.notices,
		.count = outlet->digest.count,
		.left_out = outlet->digest.left_out,
		.daemon = notifier->daemon,
		.installation = notifier->installation,
		.sent_us = clock_utc_us(),
	};

	text_copy(message.id, sizeof(message.id), outlet->message_id);
	return message;
}

static void end_message(struct notifier *notifier, struct outlet *outlet,
			bool told)
{
	lock(notifier);
	if (told)
		ledger_told(&notifier->ledger, outlet->listener,
			    &outlet->digest, clock_utc_us());
	else
		ledger_not_told(&notifier->ledger, outlet->listener,
				&outlet->digest);
	unlock(notifier);
	digest_release(&outlet->digest);
	outlet->attempts = 0;
	outlet->sending = outlet->waiting = false;
}

static int64_t rest_ms(struct notifier *notifier, enum courier_result result)
{
	int64_t ms;

	lock(notifier);
	ms = notifier->ledger.repeat_us / 1000;
	unlock(notifier);
	return result == COURIER_LATER && ms > REST_MS ? REST_MS : ms;
}

static void give_up(struct notifier *notifier, struct outlet *outlet,
		    enum courier_result result, const struct error *err)
{
	struct message message = message_of(notifier, outlet);
	int64_t ms = rest_ms(notifier, result);
	char remark[96];

	write_log(notifier, outlet, &message, false, err->message);
	snprintf(remark, sizeof(remark),
		 "; it is tried again in %lld min, or when its row is changed",
		 (long long)(ms / 60000));
	tell_trouble(notifier, outlet, err, remark);
	end_message(notifier, outlet, false);
	outlet->next_ms = clock_ms() + ms;
}

static void try_later(struct outlet *outlet, int64_t wait_s)
{
	int64_t ms = FIRST_RETRY_MS;

	for (int i = 1; i < outlet->attempts; i++)
		ms *= 4;
	if (wait_s * 1000 > ms)
		ms = wait_s * 1000;
	outlet->waiting = true;
	outlet->next_ms = clock_ms() + ms;
}

static void finish(struct notifier *notifier, const struct outcome *outcome)
{
	struct outlet *outlet = outcome->tag;
	struct message message = message_of(notifier, outlet);
	bool later = outcome->result == COURIER_LATER;

	outlet->sending = false;
	if (outcome->result == COURIER_DELIVERED) {
		write_log(notifier, outlet, &message, true, NULL);
		end_message(notifier, outlet, true);
		tell_works(notifier, outlet);
	} else if (outcome->result == COURIER_PARTLY) {
		write_log(notifier, outlet, &message, true,
			  outcome->err.message);
		tell_trouble(notifier, outlet, &outcome->err, "");
		end_message(notifier, outlet, true);
	} else if (later && outlet->attempts < ATTEMPTS_MAX) {
		log_debug("notification channel '%s': %s", outlet->own.name,
			  outcome->err.message);
		try_later(outlet, outcome->wait_s);
	} else {
		give_up(notifier, outlet, outcome->result, &outcome->err);
	}
}

/* One attempt, with the settings as they are now: a file may have changed. */
static void attempt(struct notifier *notifier, struct outlet *outlet)
{
	struct message message = message_of(notifier, outlet);
	struct error err = ERROR_INIT;
	struct channel channel;
	int ret;

	outlet->waiting = false;
	outlet->attempts++;
	if (channel_parse(&channel, outlet->own.type, outlet->own.settings,
			  &err) < 0) {
		give_up(notifier, outlet, COURIER_REFUSED, &err);
		return;
	}
	ret = courier_send(notifier->courier, &channel, &message, outlet, &err);
	channel_release(&channel);
	if (ret < 0)
		give_up(notifier, outlet, COURIER_LATER, &err);
	else
		outlet->sending = true;
}

/* --------------------------------------------------------------- the thread */

/* Is there something to tell now? When is the next look worth it? */
static bool take_due(struct notifier *notifier, struct outlet *outlet,
		     int64_t *wait_ms)
{
	struct error err = ERROR_INIT;
	int64_t now = clock_utc_us(), when;
	bool taken = false;

	lock(notifier);
	when = ledger_when(&notifier->ledger, outlet->listener, now);
	if (when <= now) {
		taken = ledger_take(&notifier->ledger, outlet->listener, now,
				    &outlet->digest, &err) == 0;
		when = now + 1000000; /* without memory: in a second */
	}
	unlock(notifier);
	if (taken && outlet->digest.count) {
		uuid_make(outlet->message_id);
		return true;
	}
	if (when != INT64_MAX && (when - now) / 1000 < *wait_ms)
		*wait_ms = (when - now) / 1000 + 1;
	return false;
}

/* Do what is due for a channel. Lowers `wait_ms` to when to look again. */
static void serve(struct notifier *notifier, struct outlet *outlet,
		  int64_t *wait_ms)
{
	int64_t rest;

	if (outlet->sending || outlet->broken)
		return;
	rest = outlet->next_ms - clock_ms();
	if (rest > 0) {
		if (rest < *wait_ms)
			*wait_ms = rest;
		return;
	}
	if (outlet->waiting || take_due(notifier, outlet, wait_ms))
		attempt(notifier, outlet);
}

/* Unlink and free it; the lock is not held. */
static void remove_outlet(struct notifier *notifier, struct outlet *outlet)
{
	struct outlet **link = &notifier->outlets;

	courier_drop(notifier->courier, outlet);
	lock(notifier);
	while (*link != outlet)
		link = &(*link)->next;
	*link = outlet->next;
	ledger_remove_listener(&notifier->ledger, outlet->listener);
	unlock(notifier);
	outlet_free(outlet);
}

/*
 * The next outlet behind `last`, with what the scheduler did to it taken note
 * of. Only this thread unlinks, so it stays valid without the lock.
 */
static struct outlet *next_outlet(struct notifier *notifier,
				  struct outlet *last, bool *changed,
				  bool *gone)
{
	struct outlet *outlet;

	lock(notifier);
	outlet = last ? last->next : notifier->outlets;
	if (outlet) {
		*gone = outlet->gone;
		*changed = outlet->changed &&
			   channel_row_copy(&outlet->own, &outlet->row);
		outlet->changed &= !*changed;
	}
	unlock(notifier);
	return outlet;
}

static void serve_all(struct notifier *notifier, int64_t *wait_ms)
{
	struct outlet *outlet, *last = NULL;
	bool changed, gone;

	while ((outlet = next_outlet(notifier, last, &changed, &gone))) {
		if (gone) {
			remove_outlet(notifier, outlet);
			continue;
		}
		if (changed)
			look_at(notifier, outlet);
		if (outlet->own.name)
			serve(notifier, outlet, wait_ms);
		last = outlet;
	}
}

static bool is_sending(struct notifier *notifier)
{
	bool any = false;

	lock(notifier);
	for (const struct outlet *o = notifier->outlets; o; o = o->next)
		any |= o->sending;
	unlock(notifier);
	return any;
}

/* What is on its way has a moment to arrive. */
static void drain(struct notifier *notifier)
{
	struct error err = ERROR_INIT;
	struct outcome outcome;

	error_set(&err, ERROR_CANCELLED,
		  "the daemon stopped before it was delivered");
	while (is_sending(notifier) && clock_ms() < notifier->drain_until_ms) {
		while (courier_take(notifier->courier, &outcome))
			finish(notifier, &outcome);
		courier_wait(notifier->courier, 50);
	}
	for (struct outlet *o = notifier->outlets; o; o = o->next) {
		struct message message = message_of(notifier, o);

		if (o->sending || o->waiting)
			write_log(notifier, o, &message, false, err.message);
	}
}

static void *notifier_main(void *arg)
{
	struct notifier *notifier = arg;
	struct outcome outcome;

	while (!atomic_load(&notifier->draining)) {
		int64_t wait_ms = IDLE_MS;

		while (courier_take(notifier->courier, &outcome))
			finish(notifier, &outcome);
		serve_all(notifier, &wait_ms);
		courier_wait(notifier->courier, wait_ms);
	}
	drain(notifier);
	lock(notifier);
	notifier->has_ended = true;
	pthread_cond_signal(&notifier->ended);
	unlock(notifier);
	return NULL;
}

/* --------------------------------------------------------------- start, stop */

int notifier_start(struct notifier **out, struct reporter *reporter,
		   const char *daemon, struct error *err)
{
	struct notifier *notifier = calloc(1, sizeof(*notifier));
	int rc;

	if (!notifier)
		return error_memory(err, "the notifier");
	notifier->reporter = reporter;
	notifier->daemon = daemon;
	atomic_init(&notifier->lag_limit_ms, 0);
	atomic_init(&notifier->draining, false);
	ledger_init(&notifier->ledger);
	if (courier_new(&notifier->courier, err) < 0)
		goto no_courier;
	rc = pthread_mutex_init(&notifier->lock, NULL);
	if (rc)
		goto no_lock;
	rc = clock_cond_init(&notifier->ended);
	if (rc)
		goto no_cond;
	rc = pthread_create(&notifier->thread, NULL, notifier_main, notifier);
	if (rc)
		goto no_thread;
	*out = notifier;
	return 0;
no_thread:
	pthread_cond_destroy(&notifier->ended);
no_cond:
	pthread_mutex_destroy(&notifier->lock);
no_lock:
	error_errno(err, rc, "cannot start a thread");
	courier_free(notifier->courier);
no_courier:
	free(notifier);
	return -1;
}

void notifier_drain(struct notifier *notifier)
{
	lock(notifier);
	notifier->drain_until_ms = clock_ms() + DRAIN_MS;
	unlock(notifier);
	atomic_store(&notifier->draining, true);
	courier_wake(notifier->courier);
}

bool notifier_stop(struct notifier *notifier)
{
	int64_t deadline;
	bool ended;

	lock(notifier);
	deadline = notifier->drain_until_ms + JOIN_MS;
	while (!notifier->has_ended && clock_ms() < deadline)
		clock_cond_wait(&notifier->ended, &notifier->lock, deadline);
	ended = notifier->has_ended;
	unlock(notifier);
	if (ended)
		pthread_join(notifier->thread, NULL);
	return ended;
}

void notifier_free(struct notifier *notifier)
{
	courier_free(notifier->courier);
	while (notifier->outlets) {
		struct outlet *outlet = notifier->outlets;

		notifier->outlets = outlet->next;
		outlet_free(outlet);
	}
	ledger_release(&notifier->ledger);
	pthread_cond_destroy(&notifier->ended);
	pthread_mutex_destroy(&notifier->lock);
	free(notifier);
}
