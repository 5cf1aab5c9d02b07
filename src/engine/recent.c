#include "engine/recent.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

int recent_init(struct recent *recent, struct error *err)
{
	int rc;

	memset(recent, 0, sizeof(*recent));
	rc = pthread_mutex_init(&recent->lock, NULL);
	return rc ? error_errno(err, rc, "cannot make a lock") : 0;
}

void recent_release(struct recent *recent)
{
	pthread_mutex_destroy(&recent->lock);
}

/* A mapping's trouble is its own, whichever server it is about. */
static bool is_of(const struct recent_entry *entry, int mapping_id,
		  int server_id)
{
	return !entry->resolved && entry->mapping_id == mapping_id &&
	       (mapping_id || entry->server_id == server_id);
}

/* All of an owner but those of one type. The lock is held. */
static void resolve(struct recent *recent, int mapping_id, int server_id,
		    enum overview_error_type except)
{
	for (size_t i = 0; i < recent->count; i++) {
		struct recent_entry *entry = &recent->entries[i];

		if (is_of(entry, mapping_id, server_id) &&
		    entry->type != except &&
		    entry->type != OVERVIEW_VERIFICATION)
			entry->resolved = true;
	}
}

/* At the front: the one that goes on, or a new one. The lock is held. */
static struct recent_entry *first_entry(struct recent *recent,
					const struct recent_entry *like)
{
	struct recent_entry found = *like;
	size_t i;

	for (i = 0; i < recent->count; i++)
		if (is_of(&recent->entries[i], like->mapping_id,
			  like->server_id) &&
		    recent->entries[i].type == like->type)
			break;
	if (i < recent->count)
		found = recent->entries[i];
	else if (recent->count < RECENT_MAX)
		recent->count++;
	else
		i--; /* the oldest makes room */
	memmove(&recent->entries[1], &recent->entries[0],
		i * sizeof(recent->entries[0]));
	recent->entries[0] = found;
	return &recent->entries[0];
}

void recent_add(struct recent *recent, const struct control_error *error)
{
	struct recent_entry *entry,
		fresh = {
			.mapping_id = error->mapping_id,
			.server_id = error->server_id,
			.type = overview_error_type(error->type),
			.first_us = clock_utc_us(),
		};

	pthread_mutex_lock(&recent->lock);
	recent->totals[fresh.type]++;
	if (fresh.type != OVERVIEW_VERIFICATION)
		resolve(recent, error->mapping_id, error->server_id,
			fresh.type);
	entry = first_entry(recent, &fresh);
	if (!entry->whole || !control_error_is_in(error, CONTROL_SCOPE_TAIL)) {
		text_copy(entry->message, sizeof(entry->message),
			  error->message);
		text_make_utf8(entry->message);
		entry->whole = control_error_is_in(error, CONTROL_SCOPE_WHOLE);
	}
	entry->last_us = clock_utc_us();
	entry->count++;
	pthread_mutex_unlock(&recent->lock);
}

void recent_resolve(struct recent *recent, int mapping_id, int server_id)
{
	pthread_mutex_lock(&recent->lock);
	resolve(recent, mapping_id, server_id, OVERVIEW_VERIFICATION);
	pthread_mutex_unlock(&recent->lock);
}

void recent_resolve_verification(struct recent *recent, int mapping_id,
				 bool whole)
{
	pthread_mutex_lock(&recent->lock);
	for (size_t i = 0; i < recent->count; i++) {
		struct recent_entry *entry = &recent->entries[i];

		if (entry->mapping_id == mapping_id &&
		    entry->type == OVERVIEW_VERIFICATION &&
		    (whole || !entry->whole))
			entry->resolved = true;
	}
	pthread_mutex_unlock(&recent->lock);
}

int recent_copy(struct recent *recent, struct overview *out)
{
	int ret = 0;

	pthread_mutex_lock(&recent->lock);
	memcpy(out->errors, recent->totals, sizeof(out->errors));
	out->recent =
		arena_calloc(&out->arena, RECENT_MAX, sizeof(*out->recent));
	for (size_t i = 0; out->recent && i < recent->count; i++) {
		const struct recent_entry *entry = &recent->entries[i];

		out->recent[i] = (struct overview_error){
			.mapping_id = entry->mapping_id,
			.type = overview_error_name(entry->type),
			.message = arena_strdup(&out->arena, entry->message),
			.first_us = entry->first_us,
			.last_us = entry->last_us,
			.count = entry->count,
			.resolved = entry->resolved,
		};
		if (!out->recent[i].message)
			ret = -1;
	}
	out->recent_count = recent->count;
	if (!out->recent)
		ret = -1;
	pthread_mutex_unlock(&recent->lock);
	return ret;
}
