#ifndef TDSD_UTF_H
#define TDSD_UTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/*
 * Text inside tdsd is UTF-8 that may also carry single surrogates, each as a
 * three-byte sequence, because the server's nvarchar may. These functions
 * convert it and walk it; broken bytes read as U+FFFD, one byte at a time.
 */

/* The code point at s[*pos], and move on. `*pos` must be below `len`. */
uint32_t utf_next(const char *s, size_t len, size_t *pos);

/* Append one code point. */
void utf_put(struct strbuf *sb, uint32_t cp);

/* Write one code point to `out` (4 bytes of room); returns its length. */
size_t utf_encode(uint32_t cp, char *out);

/* UTF-16LE bytes to text; an odd last byte is dropped. */
void utf_from_16le(struct strbuf *sb, const unsigned char *s, size_t bytes);

/* Text to UTF-16LE bytes. */
void utf_to_16le(struct strbuf *sb, const char *s, size_t len);

/* How many UTF-16 units the text has. */
size_t utf_units(const char *s, size_t len);

/* How many code points the text has. */
size_t utf_points(const char *s, size_t len);

/*
 * The byte offset of UTF-16 unit number `units`, or `len` when the text is
 * shorter. A position inside a surrogate pair counts as before it.
 */
size_t utf_offset(const char *s, size_t len, size_t units);

/* All bytes below 0x80. */
bool utf_is_ascii(const char *s, size_t len);

/* Simple case mapping of one code point. */
uint32_t utf_upper(uint32_t cp);
uint32_t utf_lower(uint32_t cp);

#endif
