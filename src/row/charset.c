#include "row/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* Of a long text, about so much at a time. */
#define TEXT_PIECE ((size_t)64 * 1024)

static unsigned unit(const unsigned char *s)
{
	return (unsigned)s[0] | (unsigned)s[1] << 8;
}

static bool is_high(unsigned u)
{
	return u >= 0xd800 && u < 0xdc00;
}

static bool is_low(unsigned u)
{
	return u >= 0xdc00 && u < 0xe000;
}

long charset_utf8_length(const unsigned char *utf16, size_t len)
{
	long need = 0;

	if (len % 2)
		return -1;
	for (size_t i = 0; i < len; i += 2) {
		unsigned u = unit(utf16 + i);

		if (u < 0x80) {
			need++;
		} else if (u < 0x800) {
			need += 2;
		} else if (is_high(u)) {
			if (i + 4 > len || !is_low(unit(utf16 + i + 2)))
				return -1;
			need += 4;
			i += 2;
		} else if (is_low(u)) {
			return -1;
		} else {
			need += 3;
		}
	}
	return need;
}

void charset_utf8_write(const unsigned char *utf16, size_t len,
			unsigned char *out)
{
	for (size_t i = 0; i < len; i += 2) {
		unsigned u = unit(utf16 + i);

		if (u < 0x80) {
			*out++ = (unsigned char)u;
		} else if (u < 0x800) {
			*out++ = (unsigned char)(0xc0 | u >> 6);
			*out++ = (unsigned char)(0x80 | (u & 0x3f));
		} else if (is_high(u)) {
			u = 0x10000 + ((u - 0xd800) << 10) +
			    (unit(utf16 + i + 2) - 0xdc00);
			i += 2;
			*out++ = (unsigned char)(0xf0 | u >> 18);
			*out++ = (unsigned char)(0x80 | (u >> 12 & 0x3f));
			*out++ = (unsigned char)(0x80 | (u >> 6 & 0x3f));
			*out++ = (unsigned char)(0x80 | (u & 0x3f));
		} else {
			*out++ = (unsigned char)(0xe0 | u >> 12);
			*out++ = (unsigned char)(0x80 | (u >> 6 & 0x3f));
			*out++ = (unsigned char)(0x80 | (u & 0x3f));
		}
	}
}

bool charset_equal(const char *a, const char *b)
{
	return text_iequal(a ? a : "UTF-8", b ? b : "UTF-8");
}

static bool is_unicode(const char *name)
{
	return charset_equal(name, NULL) || charset_equal(name, "UTF-16LE");
}

/*
 * Is it worth a look whether a text comes back as it was? Of the code pages of
 * several bytes some have one sign for two that look alike. Those of Hebrew and
 * Vietnamese put letter and accent together, which is the same text.
 */
static bool is_ambiguous(const char *from, const char *to)
{
	return is_unicode(from) && !is_unicode(to) &&
	       !charset_equal(to, "CP1255") && !charset_equal(to, "CP1258");
}

static int open_iconv(void **handle, const char *from, const char *to,
		      struct error *err)
{
	iconv_t opened;

	from = from ? from : "UTF-8";
	to = to ? to : "UTF-8";
	opened = iconv_open(to, from);
	if (opened == (iconv_t)-1 && errno == ENOMEM)
		return error_memory(err, "an encoding");
	if (opened == (iconv_t)-1)
		return error_set(err, ERROR_DATA,
				 "text in '%s' cannot be turned into '%s' on "
				 "this system",
				 from, to);
	*handle = opened;
	return 0;
}

int charset_init(struct charset *charset, const char *from, const char *to,
		 struct error *err)
{
	memset(charset, 0, sizeof(*charset));
	strbuf_init_max(&charset->out, (size_t)2 << 30);
	strbuf_init_max(&charset->again, (size_t)2 << 30);
	charset->from_utf16 = charset_equal(from, "UTF-16LE");
	if (charset_equal(from, to))
		return 0;
	if (open_iconv(&charset->handle, from, to, err) < 0)
		return -1;
	if (is_ambiguous(from, to) &&
	    open_iconv(&charset->back, to, from, err) < 0) {
		charset_release(charset);
		return -1;
	}
	return 0;
}

void charset_release(struct charset *charset)
{
	if (charset->handle)
		iconv_close((iconv_t)charset->handle);
	if (charset->back)
		iconv_close((iconv_t)charset->back);
	charset->handle = NULL;
	charset->back = NULL;
	if (charset->out.data)
		strbuf_release(&charset->out);
	if (charset->again.data)
		strbuf_release(&charset->again);
}

static int lacks_character(struct error *err)
{
	return error_set(err, ERROR_DATA,
			 "text has a character that the other side's encoding "
			 "does not have, or is not valid in its own");
}

/* As far as it goes. 1: `in` is at something that cannot be converted. */
static int convert_some(void *handle, char **in, size_t *in_left,
			struct strbuf *out, struct error *err)
{
	size_t room = *in_left * 2 + 16;

	iconv((iconv_t)handle, NULL, NULL, NULL, NULL);
	for (bool flushed = false; *in_left > 0 || !flushed;) {
		char *to = strbuf_reserve(out, room);
		size_t left = room;
		size_t rc;

		if (!to)
			return strbuf_check(out, err);
		/* At the end it is asked for what it holds back, too. */
		flushed = *in_left == 0;
		rc = iconv((iconv_t)handle, flushed ? NULL : in,
			   flushed ? NULL : in_left, &to, &left);
		if (rc == (size_t)-1 && errno == E2BIG)
			flushed = false;
		out->len += room - left;
		if (rc == (size_t)-1 && errno != E2BIG)
			return 1;
	}
	return 0;
}

static int convert(void *handle, const void *text, size_t len,
		   struct strbuf *out, struct error *err)
{
	char *in = (char *)(uintptr_t)text;
	int rc;

	strbuf_reset(out);
	rc = convert_some(handle, &in, &len, out, err);
	return rc > 0 ? lacks_character(err) : rc;
}

int charset_convert(struct charset *charset, const void *text, size_t len,
		    const void **out, size_t *out_len, struct error *err)
{
	if (!charset->handle) {
		*out = text;
		*out_len = len;
		return 0;
	}
	if (convert(charset->handle, text, len, &charset->out, err) < 0)
		return -1;
	*out = charset->out.data;
	*out_len = charset->out.len;
	if (!charset->back)
		return 0;
	if (convert(charset->back, *out, *out_len, &charset->again, err) < 0)
		return -1;
	if (charset->again.len != len ||
	    (len && memcmp(charset->again.data, text, len) != 0))
		return lacks_character(err);
	return 0;
}

/* Step over what is not text, and write it as charset_spell() says. */
static void spell_one(bool utf16, char **in, size_t *in_left,
		      struct strbuf *out)
{
	const unsigned char *s = (const unsigned char *)*in;
	bool surrogate = utf16 && *in_left >= 2;
	unsigned u = surrogate ? unit(s) : 0xdc00u + *s;

	strbuf_addch(out, (char)(0xe0 | u >> 12));
	strbuf_addch(out, (char)(0x80 | (u >> 6 & 0x3f)));
	strbuf_addch(out, (char)(0x80 | (u & 0x3f)));
	*in += surrogate ? 2 : 1;
	*in_left -= surrogate ? 2 : 1;
}

void charset_text_begin(struct charset *charset, struct charset_text *text,
			const void *data, size_t len)
{
	text->data = (char *)(uintptr_t)data;
	text->len = len;
	text->ended = false;
	if (charset->handle)
		iconv((iconv_t)charset->handle, NULL, NULL, NULL, NULL);
}

/* At the end it is asked for what it holds back, too. */
static void spell_some(struct charset *charset, struct charset_text *text,
		       char *to, size_t room)
{
	iconv_t handle = (iconv_t)charset->handle;
	bool flush = text->len == 0;
	size_t left = room;
	size_t rc;

	rc = iconv(handle, flush ? NULL : &text->data,
		   flush ? NULL : &text->len, &to, &left);
	charset->out.len += room - left;
	if (rc != (size_t)-1) {
		text->ended = flush;
	} else if (errno != E2BIG) {
		spell_one(charset->from_utf16, &text->data, &text->len,
			  &charset->out);
		iconv(handle, NULL, NULL, NULL, NULL);
	}
}

/* Of at most about `most` bytes. */
static int spell(struct charset *charset, struct charset_text *text,
		 size_t most, struct error *err)
{
	while (!text->ended && charset->out.len < most) {
		size_t room = most - charset->out.len + 16;
		char *to = strbuf_reserve(&charset->out, room);

		if (!to)
			return strbuf_check(&charset->out, err);
		spell_some(charset, text, to, room);
	}
	return strbuf_check(&charset->out, err);
}

int charset_text_next(struct charset *charset, struct charset_text *text,
		      const void **out, size_t *out_len, struct error *err)
{
	if (charset->handle) {
		strbuf_reset(&charset->out);
		if (spell(charset, text, TEXT_PIECE, err) < 0)
			return -1;
		*out = charset->out.data;
		*out_len = charset->out.len;
	} else {
		*out = text->data;
		*out_len = text->ended ? 0 : text->len;
		text->ended = true;
	}
	return *out_len > 0;
}

int charset_spell(struct charset *charset, const void *text, size_t len,
		  const void **out, size_t *out_len, struct error *err)
{
	struct charset_text rest;

	*out = text;
	*out_len = len;
	if (!charset->handle)
		return 0;
	strbuf_reset(&charset->out);
	charset_text_begin(charset, &rest, text, len);
	while (!rest.ended)
		if (spell(charset, &rest, charset->out.len + 2 * rest.len + 16,
			  err) < 0)
			return -1;
	*out = charset->out.data;
	*out_len = charset->out.len;
	return 0;
}
