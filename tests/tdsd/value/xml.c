/*
 * A reader that goes through the text once. It has no notion of namespaces,
 * does not look for attributes that are there twice, and refuses DTDs.
 */
#include "value/xml.h"

#include <string.h>
#include <strings.h>

#include "value/utf.h"

#define DEPTH_MAX 128

struct element {
	const char *name;
	size_t len;
	bool preserve; /* xml:space */
	bool open;     /* its start tag has no > yet: it may be empty */
};

struct xml {
	const char *s;
	size_t n, at;
	bool keep_blanks;
	struct strbuf *out;
	struct diag *d;
	struct element stack[DEPTH_MAX];
	int depth;
};

/* --- errors: line and character are where reading stopped --- */

static int fail(struct xml *x, int number)
{
	int line = 1, character = 1;

	for (size_t i = 0; i < x->at && i < x->n; i++) {
		character++;
		if (x->s[i] == '\n') {
			line++;
			character = 1;
		}
	}
	return diag_set(x->d, number, line, character);
}

static bool done(const struct xml *x)
{
	return x->at >= x->n;
}

static bool is_at(const struct xml *x, const char *what)
{
	size_t len = strlen(what);

	return x->n - x->at >= len && !memcmp(x->s + x->at, what, len);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct xml *x)
{
	while (!done(x) && is_blank(x->s[x->at]))
		x->at++;
}

/* Past `end`; where it began, or -1. */
static long past(struct xml *x, const char *end)
{
	size_t from = x->at;

	for (; !done(x); x->at++)
		if (is_at(x, end)) {
			long found = (long)x->at;

			x->at += strlen(end);
			return found;
		}
	x->at = from;
	return -1;
}

static bool name_char(unsigned char c, bool first)
{
	if (c >= 0x80 || c == '_' || c == ':' || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z'))
		return true;
	return !first && (c == '-' || c == '.' || (c >= '0' && c <= '9'));
}

static int read_name(struct xml *x, const char **name, size_t *len)
{
	size_t from = x->at;

	while (!done(x) && name_char((unsigned char)x->s[x->at], x->at == from))
		x->at++;
	*name = x->s + from;
	*len = x->at - from;
	if (!*len)
		return fail(x, done(x) ? 9400 : 9455);
	return 0;
}

/* --- characters --- */

static void put(struct xml *x, uint32_t c, char quote)
{
	if (c == '&')
		strbuf_addstr(x->out, "&amp;");
	else if (c == '<')
		strbuf_addstr(x->out, "&lt;");
	else if (c == '>')
		strbuf_addstr(x->out, "&gt;");
	else if (c == '"' && quote)
		strbuf_addstr(x->out, "&quot;");
	else if (c == '\r')
		strbuf_addstr(x->out, "&#x0D;");
	else if (quote && (c == '\n' || c == '\t'))
		strbuf_addstr(x->out, c == '\n' ? "&#x0A;" : "&#x09;");
	else
		utf_put(x->out, c);
}

/* &lt; and the like, &#10; and &#xA; */
static int read_reference(struct xml *x, char quote)
{
	static const struct {
		const char *name;
		uint32_t c;
	} known[] = {{"&lt;", '<'},
		     {"&gt;", '>'},
		     {"&amp;", '&'},
		     {"&quot;", '"'},
		     {"&apos;", '\''}};
	uint32_t c = 0;
	int base = 10;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (is_at(x, known[i].name)) {
			put(x, known[i].c, quote);
			x->at += strlen(known[i].name);
			return 0;
		}
	if (!is_at(x, "&#"))
		return fail(x, 9448);
	x->at += 2;
	if (is_at(x, "x")) {
		x->at++;
		base = 16;
	}
	for (; !done(x) && x->s[x->at] != ';'; x->at++) {
		static const char digits[] = "0123456789abcdef";
		char low = (char)(x->s[x->at] | 0x20);
		const char *digit =
			strchr(digits, base == 16 ? low : x->s[x->at]);

		if (!digit || !*digit || digit - digits >= base)
			return fail(x, base == 16 ? 9416 : 9417);
		c = c * (uint32_t)base + (uint32_t)(digit - digits);
		if (c > 0x10FFFF)
			return fail(x, 9420);
	}
	if (done(x))
		return fail(x, 9411);
	x->at++;
	if (!c || (c < ' ' && !strchr("\t\n\r", (int)c)))
		return fail(x, 9420);
	put(x, c, quote);
	return 0;
}

/* One character as it stands, with line ends made one. */
static int read_char(struct xml *x, char quote)
{
	uint32_t c = utf_next(x->s, x->n, &x->at);

	if (c == '\r') {
		if (!done(x) && x->s[x->at] == '\n')
			x->at++;
		c = '\n';
	}
	if (c < ' ' && c != '\t' && c != '\n')
		return fail(x, 9420);
	if (quote && (c == '\n' || c == '\t'))
		c = ' '; /* attributes are normalized */
	put(x, c, quote);
	return 0;
}

/* --- tags --- */

/* The start tag in hand has something behind it. */
static void close_start(struct xml *x)
{
	if (x->depth && x->stack[x->depth - 1].open) {
		strbuf_addch(x->out, '>');
		x->stack[x->depth - 1].open = false;
	}
}

static int read_attribute(struct xml *x, struct element *e)
{
	const char *name;
	size_t len, from;
	char quote;

	if (read_name(x, &name, &len) < 0)
		return -1;
	skip_blanks(x);
	if (done(x) || x->s[x->at] != '=')
		return fail(x, 9414);
	x->at++;
	skip_blanks(x);
	if (done(x) || (x->s[x->at] != '"' && x->s[x->at] != '\''))
		return fail(x, 9413);
	quote = x->s[x->at++];
	strbuf_addch(x->out, ' ');
	strbuf_add(x->out, name, len);
	strbuf_addstr(x->out, "=\"");
	for (from = x->at; !done(x) && x->s[x->at] != quote;) {
		if (x->s[x->at] == '<')
			return fail(x, 9415);
		if (x->s[x->at] == '&' ? read_reference(x, quote) < 0
				       : read_char(x, quote) < 0)
			return -1;
	}
	if (done(x))
		return fail(x, 9400);
	if (len == 9 && !memcmp(name, "xml:space", 9))
		e->preserve = x->at - from == 8 &&
			      !memcmp(x->s + from, "preserve", 8);
	x->at++;
	strbuf_addch(x->out, '"');
	return 0;
}

static int read_start(struct xml *x)
{
	struct element e = {.open = true};

	x->at++;
	if (x->depth == DEPTH_MAX)
		return fail(x, 6335);
	if (read_name(x, &e.name, &e.len) < 0)
		return -1;
	e.preserve = x->depth && x->stack[x->depth - 1].preserve;
	close_start(x);
	strbuf_addch(x->out, '<');
	strbuf_add(x->out, e.name, e.len);
	for (;;) {
		size_t before = x->at;

		skip_blanks(x);
		if (done(x))
			return fail(x, 9400);
		if (is_at(x, ">") || is_at(x, "/>"))
			break;
		if (x->at == before)
			return fail(x, 9410);
		if (read_attribute(x, &e) < 0)
			return -1;
	}
	if (is_at(x, "/>")) {
		x->at += 2;
		strbuf_addstr(x->out, "/>");
		return 0;
	}
	x->at++;
	x->stack[x->depth++] = e;
	return 0;
}

static int read_end(struct xml *x)
{
	const struct element *e;
	const char *name;
	size_t len;

	x->at += 2;
	if (read_name(x, &name, &len) < 0)
		return -1;
	skip_blanks(x);
	if (!is_at(x, ">"))
		return fail(x, done(x) ? 9400 : 9412);
	e = x->depth ? &x->stack[x->depth - 1] : NULL;
	if (!e || e->len != len || memcmp(e->name, name, len) != 0)
		return fail(x, 9436);
	x->at++;
	if (e->open) {
		strbuf_addstr(x->out, "/>");
	} else {
		strbuf_addstr(x->out, "</");
		strbuf_add(x->out, name, len);
		strbuf_addch(x->out, '>');
	}
	x->depth--;
	return 0;
}

/* Comments and processing instructions pass as they are. */
static int read_verbatim(struct xml *x, const char *end, int number)
{
	size_t from = x->at;

	if (past(x, end) < 0)
		return fail(x, number);
	for (size_t i = from; i < x->at; i++)
		if ((unsigned char)x->s[i] < ' ' && !is_blank(x->s[i])) {
			x->at = i;
			return fail(x, 9420);
		}
	close_start(x);
	strbuf_add(x->out, x->s + from, x->at - from);
	return 0;
}

static int read_cdata(struct xml *x)
{
	size_t from;
	long end;

	x->at += 9; /* <![CDATA[ */
	from = x->at;
	end = past(x, "]]>");
	if (end < 0)
		return fail(x, 9423);
	close_start(x);
	for (x->at = from; x->at < (size_t)end;)
		if (read_char(x, '\0') < 0)
			return -1;
	x->at += 3;
	return 0;
}

static int read_text(struct xml *x)
{
	bool keep =
		x->keep_blanks || (x->depth && x->stack[x->depth - 1].preserve);
	size_t end = x->at;

	while (end < x->n && is_blank(x->s[end]))
		end++;
	if (!keep && (end == x->n || x->s[end] == '<')) {
		x->at = end;
		return 0;
	}
	close_start(x);
	while (!done(x) && x->s[x->at] != '<') {
		if (is_at(x, "]]>"))
			return fail(x, 9454);
		if (x->s[x->at] == '&' ? read_reference(x, '\0') < 0
				       : read_char(x, '\0') < 0)
			return -1;
	}
	return 0;
}

/* <?xml version="1.0" encoding="utf-8"?> is not kept. */
static int read_declaration(struct xml *x, bool wide)
{
	size_t from = x->at;
	const char *encoding;
	bool is_wide;
	long end;

	if (!is_at(x, "<?xml") || x->n < 6 || !is_blank(x->s[5]))
		return 0;
	end = past(x, "?>");
	if (end < 0)
		return fail(x, 9400);
	for (encoding = x->s + from; encoding < x->s + end - 9; encoding++)
		if (!memcmp(encoding, "encoding", 8))
			break;
	if (encoding >= x->s + end - 9)
		return 0;
	encoding += strcspn(encoding, "\"'") + 1;
	is_wide = !strncasecmp(encoding, "utf-16", 6) ||
		  !strncasecmp(encoding, "ucs-2", 5);
	return is_wide == wide ? 0 : fail(x, 9402);
}

static int read_markup(struct xml *x)
{
	if (is_at(x, "<!--"))
		return read_verbatim(x, "-->", 9424);
	if (is_at(x, "<![CDATA["))
		return read_cdata(x);
	if (is_at(x, "<!DOCTYPE"))
		return diag_set(x->d, 6359);
	if (is_at(x, "<?"))
		return read_verbatim(x, "?>", 9451);
	if (is_at(x, "</"))
		return read_end(x);
	return read_start(x);
}

int xml_normalize(const char *s, size_t n, bool wide, bool keep_blanks,
		  struct strbuf *out, struct diag *d)
{
	struct xml x = {
		.s = s, .n = n, .keep_blanks = keep_blanks, .out = out, .d = d};

	if (read_declaration(&x, wide) < 0)
		return -1;
	while (!done(&x))
		if (s[x.at] == '<' ? read_markup(&x) < 0 : read_text(&x) < 0)
			return -1;
	return x.depth ? fail(&x, 9400) : 0;
}
