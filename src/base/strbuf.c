#include "base/strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most hold a statement. */
#define SIZE_MIN 512

/* What an empty buffer points to: never written, since size is 0. */
static char empty[1];

void strbuf_init(struct strbuf *sb)
{
	strbuf_init_max(sb, STRBUF_DEFAULT_MAX);
}

void strbuf_init_max(struct strbuf *sb, size_t max)
{
	memset(sb, 0, sizeof(*sb));
	sb->data = empty;
	sb->max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4; /* no sum wraps */
}

void strbuf_release(struct strbuf *sb)
{
	if (sb->size)
		free(sb->data);
	strbuf_init_max(sb, sb->max);
}

void strbuf_reset(struct strbuf *sb)
{
	sb->len = 0;
	sb->failed = 0;
	if (sb->size)
		sb->data[0] = '\0';
}

char *strbuf_reserve(struct strbuf *sb, size_t len)
{
	size_t need, size;
	char *data;

	if (sb->failed)
		return NULL;
	if (len > sb->max || sb->len > sb->max - len) {
		sb->failed = ERROR_MEMORY;
		return NULL;
	}
	need = sb->len + len + 1;
	if (need <= sb->size)
		return sb->data + sb->len;
	size = sb->size ? sb->size : SIZE_MIN;
	while (size < need)
		size *= 2;
	data = realloc(sb->size ? sb->data : NULL, size);
	if (!data) {
		sb->failed = ERROR_MEMORY;
		return NULL;
	}
	data[sb->len] = '\0';
	sb->data = data;
	sb->size = size;
	return sb->data + sb->len;
}

void strbuf_add(struct strbuf *sb, const void *data, size_t len)
{
	char *to = strbuf_reserve(sb, len);

	if (!to)
		return;
	if (len)
		memcpy(to, data, len);
	sb->len += len;
	sb->data[sb->len] = '\0';
}

void strbuf_addstr(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

void strbuf_addch(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	char *to;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0 || !(to = strbuf_reserve(sb, (size_t)len)))
		return;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)len + 1, fmt, ap);
	va_end(ap);
	sb->len += (size_t)len;
}

int strbuf_check(const struct strbuf *sb, struct error *err)
{
	if (!sb->failed)
		return 0;
	return error_set(err, ERROR_MEMORY, "a text grew beyond %zu bytes",
			 sb->max);
}

char *strbuf_detach(struct strbuf *sb)
{
	char *data = NULL;

	if (!sb->failed && strbuf_reserve(sb, 0)) {
		data = sb->data;
		sb->size = 0;
		sb->data = empty;
	}
	strbuf_release(sb);
	return data;
}
