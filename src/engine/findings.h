#ifndef ENGINE_FINDINGS_H
#define ENGINE_FINDINGS_H

#include <jansson.h>

#include "engine/compare.h"

/*
 * How far a verification is and what it has found, so that it can go on after
 * a restart. Everything in it belongs to rows that were looked at for good.
 */
struct findings {
	enum findings_kind {
		FINDINGS_TAIL,	/* the newest rows */
		FINDINGS_WHOLE, /* the whole table */
		FINDINGS_CHOSEN /* the rows of a condition, to be copied again */
	} kind;
	bool repair;
	bool dry_run;
	int request_id; /* 0: nobody asked, its time had come */
	int64_t started_us;
	uint64_t total;	       /* an estimate */
	struct compare_end at; /* where it goes on; no key: the beginning */
	struct row_sum sums[COMPARE_SIDES];
	uint64_t compared;   /* rows of the source */
	uint64_t mismatches; /* confirmed */
	uint64_t repaired;
	char *condition; /* owned */
	json_t *shown;	 /* the first of the rows that differ */
	bool truncated;	 /* of the tail: not all of it was looked at */
};

/* Rows that verification_details shows. */
#define FINDINGS_SHOWN_MAX 100

int findings_init(struct findings *findings, enum findings_kind kind,
		  struct error *err) __attribute__((warn_unused_result));
void findings_release(struct findings *findings); /* safe when zeroed */

/* As a text to be kept, to be freed by the caller; NULL without memory. */
char *findings_format(const struct findings *findings);
/* From such a text. -1 when it is none: then begin anew. */
int findings_parse(struct findings *findings, const char *text,
		   struct error *err) __attribute__((warn_unused_result));

/* A row that was looked at twice. */
int findings_add(struct findings *findings, const struct compare_row *row,
		 struct error *err) __attribute__((warn_unused_result));

/*
 * As verification_type has it: "TAIL", "WHOLE" or "RESYNC"; and for what was
 * done about it "REPAIR" or "DRY_RUN".
 */
const char *findings_type(const struct findings *findings, bool repair);

/*
 * For verification_logs: whether it passed, and the details as JSON, to be
 * freed. `why` tells why it could not be brought to an end, or is NULL.
 */
const char *findings_status(const struct findings *findings, const char *why);
char *findings_details(const struct findings *findings, const char *why);

#endif
