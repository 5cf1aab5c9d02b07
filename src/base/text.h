#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Small helpers for NUL-terminated UTF-8. None allocates, all may be called
 * from any thread.
 */

/* Copy at most size - 1 bytes, never half a character; always terminates. */
void text_copy(char *dst, size_t size, const char *src);

/* Append likewise. */
void text_append(char *dst, size_t size, const char *src);

/* Drop a character that a cut left incomplete at the end of `s`. */
void text_trim_partial_utf8(char *s);

/* Put a question mark for each byte that is not part of valid UTF-8. */
void text_make_utf8(char *s);

/* Is all of it valid UTF-8? It may hold NULs. */
bool text_is_utf8(const char *data, size_t len);

/* Equality; NULL equals NULL alone. */
bool text_equal(const char *a, const char *b);

/* ASCII case-insensitive equality; NULL equals nothing. */
bool text_iequal(const char *a, const char *b);

/* ASCII case-insensitive prefix test. */
bool text_istarts(const char *s, const char *prefix);

/* Skip blanks at the front and cut them off the end, in place. */
char *text_trim(char *s);

/* Parse a whole decimal number, blanks around it allowed. */
bool text_to_long(const char *s, long *out);

#endif
