#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stddef.h>

#include "base/error.h"

/*
 * A growing, always NUL-terminated byte string. Appending never reports: the
 * first failure (no memory, or more than `max` bytes) sticks, later appends do
 * nothing, and strbuf_check() tells once at the end. Not for use by two
 * threads at a time.
 */
struct strbuf {
	char *data; /* never NULL after strbuf_init; "" when empty */
	size_t len;
	size_t size; /* bytes allocated, 0 while `data` is the static "" */
	size_t max;
	int failed; /* 0, ERROR_MEMORY */
};

#define STRBUF_DEFAULT_MAX ((size_t)64 << 20)

void strbuf_init(struct strbuf *sb);
void strbuf_init_max(struct strbuf *sb, size_t max);
void strbuf_release(struct strbuf *sb); /* safe to call twice */
void strbuf_reset(struct strbuf *sb);	/* empty again, memory kept */

void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_addstr(struct strbuf *sb, const char *s);
void strbuf_addch(struct strbuf *sb, char c);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Make room for `len` more bytes and return where they go, or NULL when that
 * fails. The caller writes them and adds what it wrote to `sb->len`, keeping
 * the terminating NUL.
 */
char *strbuf_reserve(struct strbuf *sb, size_t len);

/* 0 when every append succeeded, else -1 and `err` is ERROR_MEMORY. */
int strbuf_check(const struct strbuf *sb, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Hand the string over: the caller frees it. NULL when an append had failed or
 * memory is short. The buffer is empty and usable afterwards.
 */
char *strbuf_detach(struct strbuf *sb);

#endif
