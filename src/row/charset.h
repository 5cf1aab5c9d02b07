#ifndef ROW_CHARSET_H
#define ROW_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

/* The number of UTF-8 bytes that UTF-16LE text needs; -1: it is not valid. */
long charset_utf8_length(const unsigned char *utf16, size_t len);

/* Write them; `out` has that many bytes. Only for text that is valid. */
void charset_utf8_write(const unsigned char *utf16, size_t len,
			unsigned char *out);

/* Same encoding? NULL stands for UTF-8. */
bool charset_equal(const char *a, const char *b);

/*
 * A conversion between two encodings (iconv names, NULL is UTF-8). Belongs to
 * one thread at a time. `handle` is NULL while both are the same.
 */
struct charset {
	void *handle;
	void *back; /* from a code page to Unicode again, or NULL */
	bool from_utf16;
	struct strbuf out, again;
};

int charset_init(struct charset *charset, const char *from, const char *to,
		 struct error *err) __attribute__((warn_unused_result));
void charset_release(struct charset *charset); /* safe on zeroed memory */

/*
 * Convert; the result is valid until the next call. -1 and ERROR_DATA when
 * the text is broken or has a character that the other side lacks: nothing is
 * ever replaced by a question mark, nor by what looks alike, as the Japanese
 * code page has it.
 */
int charset_convert(struct charset *charset, const void *text, size_t len,
		    const void **out, size_t *out_len, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Write any bytes as UTF-8 for a comparison, each in a way of its own. Servers
 * keep text that is none: a surrogate without its other half is written in three
 * bytes as a character would be, and so is a byte that its code page does not
 * have, as the surrogate 0xDC00 plus the byte. Only for a conversion into UTF-8;
 * the result is valid until the next call. -1 without memory.
 */
int charset_spell(struct charset *charset, const void *text, size_t len,
		  const void **out, size_t *out_len, struct error *err)
	__attribute__((warn_unused_result));

/* The same piece by piece, for a text too long to be held once more. */
struct charset_text {
	char *data; /* what is left of it; not written to */
	size_t len;
	bool ended;
};

void charset_text_begin(struct charset *charset, struct charset_text *text,
			const void *data, size_t len);
/* 1: a piece, valid until the next call; 0: that was all; -1 without memory. */
int charset_text_next(struct charset *charset, struct charset_text *text,
		      const void **out, size_t *out_len, struct error *err)
	__attribute__((warn_unused_result));

#endif
