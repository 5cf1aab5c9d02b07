/*
 * An entry for each mapping holds its troubles, one of each kind, and for each
 * listener what that was told of them. Everything else is worked out from the
 * times in there when somebody asks: there is no list of messages that could
 * grow or go out of date. A flood ends up in one digest for this reason, and so
 * does what waited while a listener could not be reached.
 */
#include "notify/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define SECOND	   INT64_C(1000000)
#define HOUR	   (3600 * SECOND)
#define SETTLE	   SECOND
#define SETTLE_MAX (10 * SECOND)

#define TYPE_MAX    50
#define MESSAGE_MAX 1000

enum trouble_state {
	TROUBLE_RESTS, /* never seen, or not known any more */
	TROUBLE_OPEN,
	TROUBLE_OVER,
};

struct trouble {
	enum trouble_state state;
	int64_t since;
	int64_t over; /* when it ended */
	char type[TYPE_MAX + 1];
	char *message;
};

/* What one listener was told of one mapping's troubles. */
struct told {
	struct told *next;
	const struct listener *listener;
	struct {
		bool told;    /* and not of its end */
		bool sending; /* of a message that is on its way */
		int64_t at;
	} of[NOTICE_TROUBLES];
};

struct ledger_entry {
	int mapping_id;
	bool exists; /* in the round at hand */
	int server_id;
	char *server, *source, *destination;
	struct trouble troubles[NOTICE_TROUBLES];
	struct told *told;
};

struct listener {
	struct listener *next;
	int id;
	struct listener_filter filter;
	uint64_t left_out;
	int64_t *sent; /* times of the last hour's messages */
	size_t sent_count, sent_capacity;
};

/* ------------------------------------------------------------------ entries */

void ledger_init(struct ledger *ledger)
{
	memset(ledger, 0, sizeof(*ledger));
	ledger->max_per_hour = 1;
}

static void entry_free(struct ledger_entry *entry)
{
	struct told *next;

	for (struct told *t = entry->told; t; t = next) {
		next = t->next;
		free(t);
	}
	for (size_t i = 0; i < NOTICE_TROUBLES; i++)
		free(entry->troubles[i].message);
	free(entry->server);
	free(entry->source);
	free(entry->destination);
	free(entry);
}

void ledger_release(struct ledger *ledger)
{
	while (ledger->listeners)
		ledger_remove_listener(ledger, ledger->listeners);
	for (size_t i = 0; i < ledger->count; i++)
		entry_free(ledger->entries[i]);
	free(ledger->entries);
	ledger_init(ledger);
}

/* Where the mapping's entry is, or would be. */
static size_t find_place(const struct ledger *ledger, int mapping_id)
{
	size_t low = 0, high = ledger->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ledger->entries[middle]->mapping_id < mapping_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct ledger_entry *find(const struct ledger *ledger, int mapping_id)
{
	size_t i = find_place(ledger, mapping_id);

	return i < ledger->count && ledger->entries[i]->mapping_id == mapping_id
		       ? ledger->entries[i]
		       : NULL;
}

static struct ledger_entry *find_or_add(struct ledger *ledger, int mapping_id)
{
	size_t i = find_place(ledger, mapping_id);
	struct ledger_entry *entry = find(ledger, mapping_id);
	struct ledger_entry **grown;

	if (entry)
		return entry;
	if (ledger->count == ledger->capacity) {
		size_t capacity = ledger->capacity ? ledger->capacity * 2 : 16;

		grown = realloc(ledger->entries, capacity * sizeof(*grown));
		if (!grown)
			return NULL;
		ledger->entries = grown;
		ledger->capacity = capacity;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->mapping_id = mapping_id;
	memmove(&ledger->entries[i + 1], &ledger->entries[i],
		(ledger->count - i) * sizeof(*ledger->entries));
	ledger->entries[i] = entry;
	ledger->count++;
	return entry;
}

/* False without memory; then the old text stays. */
static bool set_text(char **to, const char *text)
{
	char *copy = NULL;

	if (text && *to && !strcmp(*to, text))
		return true;
	if (text) {
		copy = strdup(text);
		if (!copy)
			return false;
		text_make_utf8(copy);
	}
	free(*to);
	*to = copy;
	return true;
}

static void forget_missing(struct ledger *ledger)
{
	size_t kept = 0;

	for (size_t i = 0; i < ledger->count; i++) {
		struct ledger_entry *entry = ledger->entries[i];

		if (entry->exists || !entry->mapping_id) {
			entry->exists = false;
			ledger->entries[kept++] = entry;
		} else {
			entry_free(entry);
		}
	}
	ledger->count = kept;
}

int ledger_set_names(struct ledger *ledger, const struct ledger_name *names,
		     size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct ledger_entry *entry =
			find_or_add(ledger, names[i].mapping_id);

		if (!entry || !set_text(&entry->server, names[i].server) ||
		    !set_text(&entry->source, names[i].source) ||
		    !set_text(&entry->destination, names[i].destination))
			return error_memory(err, "the names of mappings");
		entry->server_id = names[i].server_id;
		entry->exists = true;
	}
	forget_missing(ledger);
	return 0;
}

/* ---------------------------------------------------------------- listeners */

struct listener *ledger_add_listener(struct ledger *ledger, int id)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return NULL;
	listener->id = id;
	listener->next = ledger->listeners;
	ledger->listeners = listener;
	return listener;
}

void ledger_remove_listener(struct ledger *ledger, struct listener *listener)
{
	struct listener **link = &ledger->listeners;

	while (*link != listener)
		link = &(*link)->next;
	*link = listener->next;
	for (size_t i = 0; i < ledger->count; i++) {
		struct told **told = &ledger->entries[i]->told;

		while (*told && (*told)->listener != listener)
			told = &(*told)->next;
		if (*told) {
			struct told *gone = *told;

			*told = gone->next;
			free(gone);
		}
	}
	free(listener->sent);
	free(listener);
}

void listener_set_filter(struct listener *listener,
			 const struct listener_filter *filter)
{
	listener->filter = *filter;
}

static bool is_business(const struct listener *listener,
			const struct ledger_entry *entry,
			enum notice_event event)
{
	const struct listener_filter *filter = &listener->filter;

	return (filter->events & 1u << event) &&
	       (!filter->mapping_id ||
		filter->mapping_id == entry->mapping_id) &&
	       (!filter->server_id || filter->server_id == entry->server_id);
}

static struct told *find_told(const struct ledger_entry *entry,
			      const struct listener *listener)
{
	struct told *told = entry->told;

	while (told && told->listener != listener)
		told = told->next;
	return told;
}

static struct told *find_or_add_told(struct ledger_entry *entry,
				     const struct listener *listener)
{
	struct told *told = find_told(entry, listener);

	if (told)
		return told;
	told = calloc(1, sizeof(*told));
	if (!told)
		return NULL;
	told->listener = listener;
	told->next = entry->told;
	entry->told = told;
	return told;
}

/* --------------------------------------------------------------------- time */

static void hold_back(int64_t *time, int64_t now)
{
	if (*time > now)
		*time = now;
}

/* What a clock that was set back has put into the future counts from now on. */
static void see_time(struct ledger *ledger, int64_t now)
{
	bool set_back = now < ledger->latest;

	ledger->latest = now;
	if (!set_back)
		return;
	for (size_t i = 0; i < ledger->count; i++) {
		struct ledger_entry *entry = ledger->entries[i];

		for (size_t k = 0; k < NOTICE_TROUBLES; k++) {
			hold_back(&entry->troubles[k].since, now);
			hold_back(&entry->troubles[k].over, now);
			for (struct told *t = entry->told; t; t = t->next)
				hold_back(&t->of[k].at, now);
		}
	}
	for (struct listener *l = ledger->listeners; l; l = l->next)
		for (size_t i = 0; i < l->sent_count; i++)
			hold_back(&l->sent[i], now);
}

/* What the log of messages has from a daemon whose clock was ahead. */
static void recall_time(struct ledger *ledger, int64_t at)
{
	if (at > ledger->latest)
		ledger->latest = at;
}

/* --------------------------------------------------------- what is to be told */

/* When the listener is to be told of the trouble, or of its end. */
static int64_t due(const struct ledger *ledger, const struct listener *listener,
		   const struct ledger_entry *entry, enum notice_event trouble)
{
	const struct trouble *t = &entry->troubles[trouble];
	const struct told *told = find_told(entry, listener);
	bool was_told = told && told->of[trouble].told;

	if (!entry->mapping_id && ledger->mute)
		return INT64_MAX;
	if (t->state == TROUBLE_OPEN && is_business(listener, entry, trouble))
		return was_told ? told->of[trouble].at + ledger->repeat_us
				: t->since + ledger->delay_us;
	if (t->state == TROUBLE_OVER && was_told &&
	    is_business(listener, entry, NOTICE_RECOVERY))
		return t->over + ledger->delay_us;
	return INT64_MAX;
}

/* When the next message may go: 0, or when the oldest of them is an hour old. */
static int64_t allowed(const struct ledger *ledger,
		       const struct listener *listener, int64_t now)
{
	size_t most = (size_t)ledger->max_per_hour, recent = 0;

	for (size_t i = listener->sent_count; i > 0; i--) {
		if (listener->sent[i - 1] <= now - HOUR)
			break;
		if (++recent == most)
			return listener->sent[i - 1] + HOUR;
	}
	return 0;
}

int64_t ledger_when(struct ledger *ledger, const struct listener *listener,
		    int64_t now)
{
	int64_t first = INT64_MAX, last = 0, next = INT64_MAX, at;

	see_time(ledger, now);
	for (size_t i = 0; i < ledger->count; i++) {
		for (size_t k = 0; k < NOTICE_TROUBLES; k++) {
			at = due(ledger, listener, ledger->entries[i],
				 (enum notice_event)k);
			if (at > now) {
				next = at < next ? at : next;
				continue;
			}
			first = at < first ? at : first;
			last = at > last ? at : last;
		}
	}
	if (first != INT64_MAX) {
		next = last + SETTLE;
		if (next > first + SETTLE_MAX)
			next = first + SETTLE_MAX;
	}
	at = allowed(ledger, listener, now);
	return next == INT64_MAX || next > at ? next : at;
}

/* ----------------------------------------------------------------- troubles */

/* Those who do not want to hear of recoveries are told of the next one. */
static void begin_anew(struct ledger_entry *entry, enum notice_event trouble)
{
	for (struct told *t = entry->told; t; t = t->next)
		if (!is_business(t->listener, entry, NOTICE_RECOVERY))
			t->of[trouble].told = false;
}

int ledger_open(struct ledger *ledger, int mapping_id,
		enum notice_event trouble, const char *type,
		const char *message, int64_t now)
{
	struct ledger_entry *entry = find_or_add(ledger, mapping_id);
	struct trouble *t;
	char text[MESSAGE_MAX];
	bool news;

	if (!entry)
		return -1;
	see_time(ledger, now);
	t = &entry->troubles[trouble];
	text_copy(text, sizeof(text), message ? message : "");
	text_copy(t->type, sizeof(t->type), type);
	/* Better no words than those of another trouble. */
	if (!set_text(&t->message, text))
		set_text(&t->message, NULL);
	news = t->state != TROUBLE_OPEN;
	if (t->state == TROUBLE_OVER && t->over + ledger->delay_us <= now) {
		begin_anew(entry, trouble);
		t->since = now;
	} else if (t->state == TROUBLE_RESTS) {
		t->since = now;
	}
	t->state = TROUBLE_OPEN;
	return news;
}

/* Those who should have known by now, but were not told in time. */
static void count_left_out(struct ledger *ledger, struct ledger_entry *entry,
			   enum notice_event trouble, int64_t now)
{
	for (struct listener *l = ledger->listeners; l; l = l->next) {
		const struct told *told = find_told(entry, l);

		if (!(told &&
		      (told->of[trouble].told || told->of[trouble].sending)) &&
		    due(ledger, l, entry, trouble) <= now - SETTLE_MAX)
			l->left_out++;
	}
}

bool ledger_close(struct ledger *ledger, int mapping_id,
		  enum notice_event trouble, int64_t now)
{
	struct ledger_entry *entry = find(ledger, mapping_id);
	struct trouble *t;

	if (!entry)
		return false;
	see_time(ledger, now);
	t = &entry->troubles[trouble];
	if (t->state == TROUBLE_OVER)
		return false;
	if (t->state == TROUBLE_OPEN)
		count_left_out(ledger, entry, trouble, now);
	t->state = TROUBLE_OVER;
	t->over = now;
	for (const struct told *told = entry->told; told; told = told->next)
		if (told->of[trouble].told)
			return true;
	return false;
}

void ledger_rest_one(struct ledger *ledger, int mapping_id,
		     enum notice_event trouble)
{
	struct ledger_entry *entry = find(ledger, mapping_id);

	if (entry && entry->troubles[trouble].state == TROUBLE_OPEN)
		entry->troubles[trouble].state = TROUBLE_RESTS;
}

void ledger_rest(struct ledger *ledger, int mapping_id)
{
	for (size_t i = 0; i < NOTICE_TROUBLES; i++)
		ledger_rest_one(ledger, mapping_id, (enum notice_event)i);
}

/* -------------------------------------------------------------- the messages */

static struct listener *find_listener(const struct ledger *ledger, int id)
{
	struct listener *listener = ledger->listeners;

	while (listener && listener->id != id)
		listener = listener->next;
	return listener;
}

void ledger_recall(struct ledger *ledger, int listener_id, int mapping_id,
		   enum notice_event event, enum notice_event trouble,
		   int64_t at)
{
	struct listener *listener = find_listener(ledger, listener_id);
	struct ledger_entry *entry = find(ledger, mapping_id);
	struct told *told;

	if (!mapping_id)
		entry = find_or_add(ledger, 0);
	if (!listener || !entry || trouble >= NOTICE_TROUBLES)
		return;
	told = find_or_add_told(entry, listener);
	if (!told)
		return;
	told->of[trouble].told = event != NOTICE_RECOVERY;
	told->of[trouble].at = at;
	recall_time(ledger, at);
}

/* What is older than an hour makes room. */
static void remember_sent(struct listener *listener, int64_t at)
{
	size_t old = 0;
	int64_t *grown;

	while (old < listener->sent_count && listener->sent[old] <= at - HOUR)
		old++;
	listener->sent_count -= old;
	if (old)
		memmove(listener->sent, listener->sent + old,
			listener->sent_count * sizeof(*listener->sent));
	if (listener->sent_count == listener->sent_capacity) {
		size_t capacity = listener->sent_capacity * 2 + 8;

		grown = realloc(listener->sent, capacity * sizeof(*grown));
		if (!grown)
			return;
		listener->sent = grown;
		listener->sent_capacity = capacity;
	}
	listener->sent[listener->sent_count++] = at;
}

void ledger_recall_message(struct ledger *ledger, int listener_id, int64_t at)
{
	struct listener *listener = find_listener(ledger, listener_id);

	if (!listener)
		return;
	remember_sent(listener, at);
	recall_time(ledger, at);
}

static const char *keep(struct arena *arena, const char *s, bool *failed)
{
	char *copy = s ? arena_strdup(arena, s) : NULL;

	*failed |= s && !copy;
	return copy;
}

static bool fill(struct digest *out, const struct ledger_entry *entry,
		 enum notice_event trouble, bool was_told)
{
	const struct trouble *t = &entry->troubles[trouble];
	bool over = t->state == TROUBLE_OVER, failed = false;
	bool known = t->message != NULL; /* by this daemon */

	out->notices[out->count++] = (struct notice){
		.event = over ? NOTICE_RECOVERY : trouble,
		.trouble = trouble,
		.mapping_id = entry->mapping_id,
		.server = keep(&out->arena, entry->server, &failed),
		.source = keep(&out->arena, entry->source, &failed),
		.destination = keep(&out->arena, entry->destination, &failed),
		.type = keep(&out->arena, known ? t->type : NULL, &failed),
		.message = keep(&out->arena, t->message, &failed),
		.since_us = t->since,
		.ended_us = over ? t->over : 0,
		.reminder = !over && was_told,
	};
	return !failed;
}

/* The notices, and for each the mark that it is on its way. */
static bool collect(struct ledger *ledger, struct listener *listener,
		    int64_t now, struct digest *out)
{
	for (size_t i = 0; i < ledger->count; i++) {
		struct ledger_entry *entry = ledger->entries[i];

		for (size_t k = 0; k < NOTICE_TROUBLES; k++) {
			enum notice_event trouble = (enum notice_event)k;
			struct told *told;

			if (due(ledger, listener, entry, trouble) > now)
				continue;
			told = find_or_add_told(entry, listener);
			if (!told ||
			    !fill(out, entry, trouble, told->of[k].told))
				return false;
			told->of[k].sending = true;
		}
	}
	return true;
}

int ledger_take(struct ledger *ledger, struct listener *listener, int64_t now,
		struct digest *out, struct error *err)
{
	see_time(ledger, now);
	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	out->notices =
		arena_calloc(&out->arena, ledger->count * NOTICE_TROUBLES + 1,
			     sizeof(*out->notices));
	if (!out->notices)
		return error_memory(err, "a notification");
	if (!collect(ledger, listener, now, out)) {
		ledger_not_told(ledger, listener, out);
		digest_release(out);
		return error_memory(err, "a notification");
	}
	out->left_out = listener->left_out;
	return 0;
}

void ledger_told(struct ledger *ledger, struct listener *listener,
		 const struct digest *digest, int64_t now)
{
	see_time(ledger, now);
	remember_sent(listener, now);
	listener->left_out -= digest->left_out;
	for (size_t i = 0; i < digest->count; i++) {
		const struct notice *notice = &digest->notices[i];
		struct ledger_entry *entry = find(ledger, notice->mapping_id);
		struct told *told = entry ? find_told(entry, listener) : NULL;

		if (!told)
			continue; /* the mapping was deleted meanwhile */
		told->of[notice->trouble].sending = false;
		told->of[notice->trouble].told =
			notice->event != NOTICE_RECOVERY;
		told->of[notice->trouble].at = now;
	}
}

void ledger_not_told(struct ledger *ledger, struct listener *listener,
		     const struct digest *digest)
{
	for (size_t i = 0; i < digest->count; i++) {
		const struct notice *notice = &digest->notices[i];
		struct ledger_entry *entry = find(ledger, notice->mapping_id);
		struct told *told = entry ? find_told(entry, listener) : NULL;

		if (!told)
			continue;
		told->of[notice->trouble].sending = false;
		/* Over meanwhile, and nobody knows: then it was left out. */
		if (!told->of[notice->trouble].told &&
		    notice->event != NOTICE_RECOVERY &&
		    entry->troubles[notice->trouble].state == TROUBLE_OVER)
			listener->left_out++;
	}
}

void digest_release(struct digest *digest)
{
	arena_release(&digest->arena);
	memset(digest, 0, sizeof(*digest));
}
