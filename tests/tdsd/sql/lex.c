#include "sql/lex.h"

#include <string.h>
#include <stdlib.h>

#include "value/utf.h"

static const char *const names[] = {
	"",
#define KEYWORD(word) #word,
#include "sql/keywords.h"
#undef KEYWORD
};

struct lexer {
	struct arena *pool;
	const char *s;
	size_t len, pos;
	int line;
	bool quoted_names;
	struct token *at;
	int count, room;
	struct diag *d;
};

const char *keyword_name(enum keyword word)
{
	return names[word];
}

enum keyword keyword_find(const char *s, size_t len)
{
	int low = 1, high = (int)LENGTH_OF(names) - 1;
	char word[24];
	size_t i;

	if (len >= sizeof(word))
		return K_NONE;
	for (i = 0; i < len; i++)
		word[i] = s[i] >= 'a' && s[i] <= 'z' ? (char)(s[i] - 32) : s[i];
	word[len] = '\0';
	while (low <= high) {
		int mid = (low + high) / 2, cmp = strcmp(word, names[mid]);

		if (!cmp)
			return (enum keyword)mid;
		if (cmp < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return K_NONE;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool starts_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c == '#' || (c & 0x80);
}

static bool in_word(char c)
{
	return starts_word(c) || is_digit(c) || c == '@' || c == '$';
}

static char peek(const struct lexer *lx, size_t ahead)
{
	return lx->pos + ahead < lx->len ? lx->s[lx->pos + ahead] : '\0';
}

static struct token *add(struct lexer *lx, enum token_kind kind, size_t start)
{
	struct token *t;

	MEM_GROW(lx->at, lx->count, lx->room);
	t = &lx->at[lx->count++];
	memset(t, 0, sizeof(*t));
	t->kind = kind;
	t->line = lx->line;
	t->start = start;
	t->end = lx->pos;
	t->text = "";
	return t;
}

static void set_text(struct lexer *lx, struct token *t, size_t start,
		     size_t end)
{
	t->len = end - start;
	t->text = pool_strndup(lx->pool, lx->s + start, t->len);
}

/* Blanks and comments. False when a comment has no end. */
static bool skip(struct lexer *lx)
{
	int depth;

	for (; lx->pos < lx->len; lx->pos++) {
		char c = lx->s[lx->pos];

		if (c == '\n') {
			lx->line++;
		} else if (c == '-' && peek(lx, 1) == '-') {
			while (lx->pos < lx->len && lx->s[lx->pos] != '\n')
				lx->pos++;
			lx->pos--;
		} else if (c == '/' && peek(lx, 1) == '*') {
			depth = 1;
			for (lx->pos += 2; lx->pos < lx->len; lx->pos++) {
				c = lx->s[lx->pos];
				if (c == '\n') {
					lx->line++;
				} else if (c == '/' && peek(lx, 1) == '*') {
					depth++;
					lx->pos++;
				} else if (c == '*' && peek(lx, 1) == '/') {
					lx->pos++;
					if (!--depth)
						break;
				}
			}
			if (depth) {
				diag_set(lx->d, 113);
				lx->d->line = lx->line;
				return false;
			}
		} else if (c == (char)0xC2 && peek(lx, 1) == (char)0xA0) {
			lx->pos++; /* no-break space */
		} else if (c == (char)0xEF && peek(lx, 1) == (char)0xBB &&
			   peek(lx, 2) == (char)0xBF) {
			lx->pos += 2; /* byte order mark */
		} else if (c != ' ' && c != '\t' && c != '\r' && c != '\f' &&
			   c != '\v' && c != '\0') {
			return true;
		}
	}
	return true;
}

static int short_enough(struct lexer *lx, const struct token *t)
{
	if (t->len <= 128 || utf_units(t->text, t->len) <= 128)
		return 0;
	return diag_free_text(lx->d, 103, 15, 4,
			      "The identifier that starts with '%.*s' is too "
			      "long. Maximum length is 128.",
			      (int)utf_offset(t->text, t->len, 128), t->text);
}

/* 'text', "text", [text]: the closing sign doubled stands for itself. */
static int quoted(struct lexer *lx, enum token_kind kind, size_t start,
		  char close)
{
	size_t from = ++lx->pos, n = 0;
	int first_line = lx->line;
	struct token *t;
	char *text;

	for (; lx->pos < lx->len; lx->pos++) {
		if (lx->s[lx->pos] == '\n')
			lx->line++;
		if (lx->s[lx->pos] != close)
			continue;
		if (peek(lx, 1) != close)
			break;
		lx->pos++;
	}
	if (lx->pos >= lx->len) {
		diag_free_text(
			lx->d, 105, 15, 1,
			"Unclosed quotation mark after the character "
			"string '%.*s'.",
			(int)(lx->len - from > 128 ? 128 : lx->len - from),
			lx->s + from);
		lx->d->line = first_line;
		return -1;
	}
	text = pool_strndup(lx->pool, lx->s + from, lx->pos - from);
	for (; from < lx->pos; from++) {
		text[n++] = lx->s[from];
		if (lx->s[from] == close)
			from++;
	}
	text[n] = '\0';
	lx->pos++;
	t = add(lx, kind, start);
	t->line = first_line;
	t->text = text;
	t->len = n;
	return kind == T_QUOTED ? short_enough(lx, t) : 0;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char)(c | 32);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void hex(struct lexer *lx, size_t start)
{
	size_t from, n, i = 0, at = 0;
	struct token *t;
	char *bytes;

	lx->pos += 2;
	from = lx->pos;
	while (lx->pos < lx->len && hex_value(lx->s[lx->pos]) >= 0)
		lx->pos++;
	n = lx->pos - from;
	bytes = pool_alloc(lx->pool, n / 2 + 2);
	if (n % 2) {
		bytes[at++] = (char)hex_value(lx->s[from]);
		i = 1;
	}
	for (; i + 1 < n; i += 2)
		bytes[at++] = (char)(hex_value(lx->s[from + i]) << 4 |
				     hex_value(lx->s[from + i + 1]));
	t = add(lx, T_HEX, start);
	t->text = bytes;
	t->len = at;
}

static void number(struct lexer *lx, size_t start)
{
	enum token_kind kind = T_INT;
	struct token *t;
	char sign;

	while (is_digit(peek(lx, 0)))
		lx->pos++;
	if (peek(lx, 0) == '.') {
		kind = T_DECIMAL;
		lx->pos++;
		while (is_digit(peek(lx, 0)))
			lx->pos++;
	}
	sign = peek(lx, 1);
	if ((peek(lx, 0) | 32) == 'e') {
		bool with_sign = sign == '+' || sign == '-';

		kind = T_FLOAT;
		lx->pos += with_sign ? 2 : 1;
		while (is_digit(peek(lx, 0)))
			lx->pos++;
	}
	t = add(lx, kind, start);
	set_text(lx, t, start, lx->pos);
}

static bool is_money_sign(const struct lexer *lx, size_t *width)
{
	if (lx->s[lx->pos] == '$' &&
	    (is_digit(peek(lx, 1)) || peek(lx, 1) == '.')) {
		*width = 1;
		return true;
	}
	return false;
}

static void operator_token(struct lexer *lx, size_t start)
{
	static const char *const two[] = {"<>", "<=", ">=", "!=", "!<", "!>",
					  "+=", "-=", "*=", "/=", "%=", "&=",
					  "|=", "^=", "::", "||"};
	struct token *t;
	size_t i, n = 1;

	for (i = 0; i < LENGTH_OF(two); i++)
		if (peek(lx, 0) == two[i][0] && peek(lx, 1) == two[i][1])
			n = 2;
	lx->pos += n;
	t = add(lx, T_OP, start);
	set_text(lx, t, start, lx->pos);
}

static int word(struct lexer *lx, size_t start, enum token_kind kind)
{
	struct token *t;

	while (lx->pos < lx->len && in_word(lx->s[lx->pos])) {
		/* a no-break space ends a word */
		if (lx->s[lx->pos] == (char)0xC2 && peek(lx, 1) == (char)0xA0)
			break;
		lx->pos++;
	}
	t = add(lx, kind, start);
	set_text(lx, t, start, lx->pos);
	if (kind == T_WORD)
		t->word = keyword_find(t->text, t->len);
	return short_enough(lx, t);
}

static int next(struct lexer *lx)
{
	size_t start = lx->pos, width;
	char c = lx->s[lx->pos];

	if (c == '\'')
		return quoted(lx, T_STRING, start, '\'');
	if ((c == 'N' || c == 'n') && peek(lx, 1) == '\'') {
		lx->pos++;
		return quoted(lx, T_NSTRING, start, '\'');
	}
	if (c == '"')
		return quoted(lx, lx->quoted_names ? T_QUOTED : T_STRING, start,
			      '"');
	if (c == '[')
		return quoted(lx, T_QUOTED, start, ']');
	if (c == '0' && (peek(lx, 1) == 'x' || peek(lx, 1) == 'X')) {
		hex(lx, start);
		return 0;
	}
	if (is_digit(c) || (c == '.' && is_digit(peek(lx, 1)))) {
		number(lx, start);
		return 0;
	}
	if (is_money_sign(lx, &width)) {
		struct token *t;

		lx->pos += width;
		while (is_digit(peek(lx, 0)) || peek(lx, 0) == '.')
			lx->pos++;
		t = add(lx, T_MONEY, start);
		set_text(lx, t, start + width, lx->pos);
		return 0;
	}
	if (c == '@')
		return word(lx, start, T_VAR);
	if (c == '$' && starts_word(peek(lx, 1))) {
		lx->pos++;
		return word(lx, start, T_PSEUDO);
	}
	if (starts_word(c))
		return word(lx, start, T_WORD);
	operator_token(lx, start);
	return 0;
}

int lex_batch(struct arena *pool, const char *sql, size_t len,
	      bool quoted_names, struct tokens *out, struct diag *d)
{
	struct lexer lx = {.pool = pool,
			   .s = sql,
			   .len = len,
			   .line = 1,
			   .quoted_names = quoted_names,
			   .d = d};
	int ret = -1;

	for (;;) {
		if (!skip(&lx))
			goto done;
		if (lx.pos >= lx.len)
			break;
		if (next(&lx) < 0) {
			if (!d->line)
				d->line = lx.line;
			goto done;
		}
	}
	add(&lx, T_END, lx.len);
	out->count = lx.count;
	out->at = pool_alloc(pool, (size_t)lx.count * sizeof(*lx.at));
	memcpy(out->at, lx.at, (size_t)lx.count * sizeof(*lx.at));
	ret = 0;
done:
	free(lx.at);
	return ret;
}
