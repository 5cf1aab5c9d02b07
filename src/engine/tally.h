#ifndef ENGINE_TALLY_H
#define ENGINE_TALLY_H

#include <jansson.h>

#include "engine/compare.h"

/*
 * How far a verification is and what it has found, so that it can go on after
 * a restart. Everything in it belongs to rows that were looked at for good.
 */
struct tally {
	enum tally_kind {
		TALLY_TAIL,  /* the newest rows */
		TALLY_WHOLE, /* the whole table */
		TALLY_CHOSEN /* the rows of a condition, to be copied again */
	} kind;
	bool repair;
	bool dry_run;
	int request_id; /* 0: nobody asked, its time had come */
	int64_t started_us;
	uint64_t total;	       /* an estimate */
	struct compare_end at; /* where it goes on; no key: the beginning */
	bool ended;	       /* all was looked at, only the end is left */
	/* Both sides take turns, see scan.h: where the newest rows of the
	 * source begin, and how many of the destination were looked for there. */
	bool apart;
	struct row_key since;
	uint64_t looked;
	struct row_sum sums[COMPARE_SIDES];
	uint64_t compared;   /* rows of the source */
	uint64_t mismatches; /* confirmed */
	uint64_t repaired;
	char *condition; /* owned */
	json_t *shown;	 /* the first of the rows that differ */
	bool truncated;	 /* of the tail: not all of it was looked at */
	/* The destination proves by itself what it has: `mismatches` are of its
	 * objects, and where it goes on it says in words of its own, or NULL. */
	bool proves;
	uint64_t objects;
	char *place; /* owned */
};

/* Rows that verification_details shows. */
#define TALLY_SHOWN_MAX 100

int tally_init(struct tally *tally, enum tally_kind kind, struct error *err)
	__attribute__((warn_unused_result));
void tally_release(struct tally *tally); /* safe when zeroed */

/* As a text to be kept, to be freed by the caller; NULL without memory. */
char *tally_format(const struct tally *tally);
/* From such a text. -1 when it is none: then begin anew. */
int tally_parse(struct tally *tally, const char *text, struct error *err)
	__attribute__((warn_unused_result));

/* A row that was looked at twice. */
int tally_add(struct tally *tally, const struct compare_row *row,
	      struct error *err) __attribute__((warn_unused_result));

/* An object that is not as it was written; see struct proof of driver.h. */
int tally_add_object(struct tally *tally, const char *object, const char *what,
		     const char *text, struct error *err)
	__attribute__((warn_unused_result));

/*
 * As verification_type has it: "TAIL", "WHOLE" or "RESYNC"; and for what was
 * done about it "REPAIR" or "DRY_RUN".
 */
const char *tally_type(const struct tally *tally, bool repair);

/*
 * For verification_logs: whether it passed, and the details as JSON, to be
 * freed. `why` tells why it could not be brought to an end, or is NULL.
 */
const char *tally_status(const struct tally *tally, const char *why);
char *tally_details(const struct tally *tally, const char *why);

/* In words: "3 of 10000 rows differ"; and, to be added, a few of their keys. */
void tally_describe(const struct tally *tally, char *out, size_t size);
void tally_add_examples(const struct tally *tally, char *out, size_t size);

#endif
