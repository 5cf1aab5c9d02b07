#ifndef ENGINE_SUBJECT_H
#define ENGINE_SUBJECT_H

#include "engine/outbox.h"
#include "engine/reporter.h"

/* What the notifier was told last; for the mapping's worker alone. */
struct subject_seen {
	int lag_side; /* 1: over the limit, -1: not, 0: not known */
	int64_t lag_ms;
	int suspended_side; /* likewise */
};

/*
 * The inside of what a worker tells about its mapping: for reporter.c alone,
 * others use reporter.h. Workers write it, the reporter's thread collects.
 */
struct report_subject {
	struct report_subject *next;
	struct reporter *reporter;
	int mapping_id;

	/* Guarded by the reporter's lock, which may be taken with ours held. */
	struct report_subject *next_changed;
	bool listed;

	struct subject_seen seen;

	pthread_mutex_t lock; /* guards all below */
	bool removed;	      /* the reporter frees it */
	bool state_changed;
	const char *state;
	char reason[REPORT_REASON_MAX];
	int64_t lag_ms;
	int64_t current_us; /* what was committed by then is copied; 0: ? */
	bool consistent;
	struct position position;
	bool position_changed;
	int64_t rows_applied;
	int64_t next_attempt_us;

	/* What it moves, and beside that what it verifies. */
	struct subject_run {
		bool running;
		struct control_run run;
		char last_key[REPORT_KEY_MAX];
		int64_t rate_since_ms;	 /* when the rate was worked out */
		int64_t rate_since_rows; /* and the rows then */
	} runs[REPORT_LANES];

	/* For those who look on. */
	char *server, *source, *dest; /* may be NULL; set once */
	int64_t lag_told_ms;	      /* when the lag was measured */
	int64_t pace_ms; /* and how often that is, see report_pace() */
	int64_t bytes_applied;
	int64_t last_success_us;
	bool suspended, paused; /* by the tables */

	/* As in error_logs, where one of each stands at most. */
	struct subject_error {
		bool stands;
		char *message; /* NULL: there was no memory for it */
	} error, mismatch;
	bool whole_differs;	/* the mismatch is one of the whole table */
	int64_t errors_told_ms; /* when one came or went; 0: never */
	uint64_t parked;
	uint64_t errors[OVERVIEW_ERROR_TYPES];
	uint64_t verifications[OVERVIEW_RESULTS];
	struct overview_verification verification;
	float lags[OVERVIEW_LAGS]; /* a ring; lag_next is the oldest */
	size_t lag_count, lag_next;
};

/* Note an error with those of its mapping, and keep it among the latest. */
void reporter_note_error(struct reporter *reporter,
			 const struct control_error *error);

/* For those who look on, and those who are told: trouble, or the end of it. */
void reporter_tell_trouble(struct reporter *reporter,
			   const struct control_error *error);
void reporter_tell_over(struct reporter *reporter, int mapping_id,
			int server_id);
void reporter_tell_verified(struct report_subject *subject, bool whole);

/* Hand an event to the reporter's thread. Takes it over; NULL counts as lost. */
void reporter_put(struct reporter *reporter, struct event *event);

/* Tell the notifier, if there is one and it is news. */
void reporter_see_lag(struct reporter *reporter, int mapping_id,
		      struct subject_seen *seen, int64_t lag_ms);
void reporter_see_state(struct reporter *reporter, int mapping_id,
			struct subject_seen *seen, const char *state,
			const char *reason);

/*
 * The subject has news: its turn comes at the next collection. Of a thousand
 * mappings most have none, and are not looked at.
 */
void reporter_list(struct reporter *reporter, struct report_subject *subject);

/* NULL without memory. */
struct report_subject *subject_new(struct reporter *reporter, int mapping_id);
void subject_free(struct report_subject *subject);

/* Has its worker ended, and was all of it written? */
bool subject_is_done(struct report_subject *subject);
void subject_mark_removed(struct report_subject *subject);

/* What there is to write about it now, copied; the strings point inside. */
struct subject_news {
	struct control_state state;
	struct control_run run[REPORT_LANES];
	bool has_state, has_run[REPORT_LANES], has_position;
	struct position position;
	char reason[REPORT_REASON_MAX];
	char last_key[REPORT_LANES][REPORT_KEY_MAX];
	char position_text[POSITION_TEXT_MAX];
};

void subject_collect(struct report_subject *subject, const char *daemon,
		     struct subject_news *out);

/* It could not be written: collect it again the next time. */
void subject_put_back(struct report_subject *subject,
		      const struct subject_news *news);

/* ------------------------------------------------------- for those who look */

/* Copy it. 1: done; 0: its worker has ended; -1: no memory. */
int subject_look(struct report_subject *subject, int64_t grace_ms,
		 struct overview *now, struct overview_mapping *out);

void subject_sample(struct report_subject *subject, int64_t grace_ms);
/* Count it, and it stands: the same rules as control_save_error(). */
void subject_open_error(struct report_subject *subject,
			const struct control_error *error);
void subject_resolve_errors(struct report_subject *subject);
/* True when none stands any more. */
bool subject_resolve_verification(struct report_subject *subject, bool whole);
void subject_count_verification(struct report_subject *subject,
				const struct control_verification *row);

#endif
