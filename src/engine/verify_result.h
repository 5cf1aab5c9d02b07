#ifndef ENGINE_VERIFY_RESULT_H
#define ENGINE_VERIFY_RESULT_H

#include "engine/verify.h"

/*
 * What a run has come to, as verification_logs and error_logs have it. All that
 * needs memory is made first, so that a result is told whole or not at all.
 */
struct verify_result {
	char *details; /* JSON; NULL without memory */
	char md5[COMPARE_SIDES][ROW_SUM_MD5_MAX];
};

/*
 * Of the run at hand; `why` it could not be brought to an end, or NULL. On -1
 * it holds what there was memory for, and is to be released all the same.
 */
int verify_result_init(struct verify_result *result,
		       const struct verify *verify, const char *why,
		       struct error *err) __attribute__((warn_unused_result));
void verify_result_release(struct verify_result *result);

/*
 * A run that repairs has two rows: what it found, and what it did. What differed
 * and was repaired is no trouble any more; what else was found is told even if
 * the run was not brought to an end, which alone resolves what was told before.
 */
void verify_result_tell(const struct verify_result *result,
			const struct verify *verify, const char *why);

/* How many rows it has looked at, for whoever watches. Those that are compared a
 * second time, after trouble, are not told again. */
void verify_result_tell_rows(struct verify *verify);

/* The run failed. */
void verify_result_tell_failure(const struct verify_result *result,
				const struct verify *verify,
				const struct error *why);

#endif
