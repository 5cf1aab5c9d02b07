#ifndef TDSD_LIKE_H
#define TDSD_LIKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "value/collation.h"

/*
 * LIKE: %, _, [set], [^set], and an escape character (0: none). `rtrim` says
 * that trailing blanks of the text need not be matched.
 */
bool like_match(const struct collation *c, const char *s, size_t n,
		const char *pattern, size_t plen, uint32_t escape, bool rtrim);

/* PATINDEX: the first position, in UTF-16 units from 1, or 0. */
int64_t like_index(const struct collation *c, const char *pattern, size_t plen,
		   const char *s, size_t n);

#endif
