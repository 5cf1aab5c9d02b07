#ifndef TDSD_CODEPAGE_H
#define TDSD_CODEPAGE_H

#include <stddef.h>

#include "base/strbuf.h"

/*
 * The code pages of char and varchar columns: 437, 850, 874, 932, 936, 949,
 * 950, 1250 to 1258 and 65001 (UTF-8). Any thread may call.
 */

/* Bytes of the code page to text. */
void codepage_decode(int page, const char *s, size_t len, struct strbuf *out);

/*
 * Text to bytes of the code page. What the page has not becomes its plain
 * form (a letter without its accent) or '?'.
 */
void codepage_encode(int page, const char *s, size_t len, struct strbuf *out);

/* How many bytes the text takes in the code page. */
size_t codepage_bytes(int page, const char *s, size_t len);

#endif
