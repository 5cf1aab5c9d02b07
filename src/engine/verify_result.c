#include "engine/verify_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

int verify_result_init(struct verify_result *result,
		       const struct verify *verify, const char *why,
		       struct error *err)
{
	memset(result, 0, sizeof(*result));
	for (int side = 0; side < COMPARE_SIDES; side++)
		if (row_sum_md5(&verify->tally.sums[side], result->md5[side],
				err) < 0)
			return -1;
	result->details = tally_details(&verify->tally, why);
	return result->details ? 0
			       : error_memory(err, "a verification's result");
}

void verify_result_release(struct verify_result *result)
{
	free(result->details);
	memset(result, 0, sizeof(*result));
}

static void write_row(const struct verify_result *result,
		      const struct verify *verify, const char *type,
		      const char *status)
{
	const struct tally *tally = &verify->tally;
	struct control_verification row = {
		.type = type,
		.source_md5 = result->md5[COMPARE_SOURCE],
		.dest_md5 = result->md5[COMPARE_DEST],
		.source_rows = (int64_t)tally->sums[COMPARE_SOURCE].rows,
		.dest_rows = (int64_t)tally->sums[COMPARE_DEST].rows,
		.compared = (int64_t)tally->compared,
		.mismatches = (int64_t)tally->mismatches,
		.status = status,
		.details = result->details,
		.verified_us = clock_utc_us(),
	};

	report_verification(verify->subject, &row);
}

static void open_error(const struct verify_result *result,
		       const struct verify *verify, const char *message)
{
	struct control_error row = {
		.mapping_id = verify->mapping->id,
		.server_id = verify->mapping->from.id,
		.type = CONTROL_VERIFICATION,
		.message = message,
		.details = result->details,
	};

	report_error(verify->reporter, &row);
}

static void tell_mismatches(const struct verify_result *result,
			    const struct verify *verify, const char *why)
{
	const struct tally *tally = &verify->tally;
	char message[ERROR_MESSAGE_MAX], what[160];

	tally_describe(tally, what, sizeof(what));
	snprintf(message, sizeof(message), "verification of '%s': %s",
		 verify->mapping->name, what);
	tally_add_examples(tally, message, sizeof(message));
	text_append(message, sizeof(message),
		    tally->proves
			    ? "; request a FULL_SYNC to write all of it anew"
			    : "; request a REPAIR to copy these rows again");
	if (why) {
		text_append(message, sizeof(message), "; ");
		text_append(message, sizeof(message), why);
	}
	open_error(result, verify, message);
}

/* Rows that differ and still do. */
static bool is_trouble(const struct tally *tally)
{
	return tally->kind != TALLY_CHOSEN &&
	       tally->mismatches > tally->repaired;
}

void verify_result_tell(const struct verify_result *result,
			const struct verify *verify, const char *why)
{
	const struct tally *tally = &verify->tally;
	bool chosen = tally->kind == TALLY_CHOSEN;
	bool left = tally->mismatches > tally->repaired;

	write_row(result, verify, tally_type(tally, false),
		  tally_status(tally, why));
	if (tally->repair && !chosen && (tally->dry_run || tally->mismatches))
		write_row(result, verify, tally_type(tally, true),
			  why	 ? "PARTIAL"
			  : left ? "FAILED"
				 : "PASSED");
	if (is_trouble(tally))
		tell_mismatches(result, verify, why);
	else if (!chosen && !why)
		report_verification_resolved(verify->subject,
					     tally->kind == TALLY_WHOLE);
}

void verify_result_tell_failure(const struct verify_result *result,
				const struct verify *verify,
				const struct error *why)
{
	const struct tally *tally = &verify->tally;
	struct error told = *why;

	error_wrap(&told, "verification of '%s'", verify->mapping->name);
	write_row(result, verify, tally_type(tally, false), "PARTIAL");
	if (is_trouble(tally))
		tell_mismatches(result, verify, why->message);
	else
		open_error(result, verify, told.message);
}

void verify_result_tell_rows(struct verify *verify)
{
	uint64_t rows = verify->tally.compared + verify->tally.looked;

	if (rows <= verify->told_rows)
		return;
	report_run_progress(verify->subject, REPORT_VERIFYING,
			    rows - verify->told_rows, NULL);
	verify->told_rows = rows;
}
