/*
 * Recursive descent over an array of tokens, looking one or two ahead. T-SQL
 * has no end-of-statement sign, so a statement ends where the next token
 * cannot continue it; that is why every optional clause is asked for by its
 * first word. Errors stick (see parser.h): with setjmp the code would be as
 * short, but no function could own anything.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sql/parser.h"

static const struct token end_token = {.kind = T_END, .text = ""};

void parse_stop(struct parser *p)
{
	p->failed = true;
	if (!p->d->line)
		p->d->line = p->tok->line;
	p->tok = &end_token;
}

void *parse_fail(struct parser *p, int number, ...)
{
	const char *a, *b, *c;
	va_list ap;

	if (p->failed)
		return NULL;
	va_start(ap, number);
	a = va_arg(ap, const char *);
	b = a ? va_arg(ap, const char *) : NULL;
	c = b ? va_arg(ap, const char *) : NULL;
	va_end(ap);
	diag_set(p->d, number, a, b, c);
	parse_stop(p);
	return NULL;
}

void *parse_syntax(struct parser *p)
{
	const struct token *t = p->tok;

	if (p->failed)
		return NULL;
	if (t->kind == T_END && p->prev) {
		t = p->prev;
		p->d->line = t->line;
		diag_free_text(p->d, 102, 15, 1,
			       "Incorrect syntax near '%.128s'.", t->text);
		p->d->line = t->line;
	} else if (t->kind == T_WORD && t->word) {
		diag_set(p->d, 156, t->text);
	} else if (t->kind == T_HEX) {
		diag_free_text(
			p->d, 102, 15, 1, "Incorrect syntax near '%.*s'.",
			(int)(t->end - t->start > 128 ? 128
						      : t->end - t->start),
			p->sql + t->start);
	} else {
		diag_free_text(p->d, 102, 15, 1,
			       "Incorrect syntax near '%.128s'.", t->text);
	}
	parse_stop(p);
	return NULL;
}

void *parse_unsupported(struct parser *p, const char *what)
{
	if (p->failed)
		return NULL;
	diag_set(p->d, 40517, what);
	parse_stop(p);
	return NULL;
}

/* --- tokens --- */

void parse_advance(struct parser *p)
{
	if (p->failed || p->tok->kind == T_END)
		return;
	p->prev = p->tok;
	p->tok++;
}

bool parse_is(const struct parser *p, enum keyword word)
{
	return p->tok->kind == T_WORD && p->tok->word == word;
}

bool parse_is_op(const struct parser *p, const char *op)
{
	return p->tok->kind == T_OP && !strcmp(p->tok->text, op);
}

static bool token_is_word(const struct token *t, const char *word)
{
	return t->kind == T_WORD && !strcasecmp(t->text, word);
}

bool parse_is_word(const struct parser *p, const char *word)
{
	return token_is_word(p->tok, word);
}

static const struct token *ahead_of(const struct parser *p, int ahead)
{
	const struct token *t = p->tok;

	while (ahead-- > 0 && t->kind != T_END)
		t++;
	return t;
}

bool parse_is_next(const struct parser *p, int ahead, enum keyword word)
{
	const struct token *t = ahead_of(p, ahead);

	return t->kind == T_WORD && t->word == word;
}

bool parse_is_next_word(const struct parser *p, int ahead, const char *word)
{
	return token_is_word(ahead_of(p, ahead), word);
}

bool parse_is_next_op(const struct parser *p, int ahead, const char *op)
{
	const struct token *t = ahead_of(p, ahead);

	return t->kind == T_OP && !strcmp(t->text, op);
}

bool parse_accept(struct parser *p, enum keyword word)
{
	if (!parse_is(p, word))
		return false;
	parse_advance(p);
	return true;
}

bool parse_accept_op(struct parser *p, const char *op)
{
	if (!parse_is_op(p, op))
		return false;
	parse_advance(p);
	return true;
}

bool parse_accept_word(struct parser *p, const char *word)
{
	if (!parse_is_word(p, word))
		return false;
	parse_advance(p);
	return true;
}

void parse_expect(struct parser *p, enum keyword word)
{
	if (!parse_accept(p, word))
		parse_syntax(p);
}

void parse_expect_op(struct parser *p, const char *op)
{
	if (!parse_accept_op(p, op))
		parse_syntax(p);
}

void parse_expect_word(struct parser *p, const char *word)
{
	if (!parse_accept_word(p, word))
		parse_syntax(p);
}

bool parse_enter(struct parser *p)
{
	if (++p->depth > PARSE_DEPTH_MAX) {
		parse_fail(p, 191, NULL);
		return false;
	}
	return !p->failed;
}

void parse_leave(struct parser *p)
{
	p->depth--;
}

/* --- names and types --- */

bool parse_at_ident(const struct parser *p)
{
	return p->tok->kind == T_QUOTED ||
	       (p->tok->kind == T_WORD && !p->tok->word);
}

const char *parse_ident(struct parser *p)
{
	const char *text = p->tok->text;

	if (!parse_at_ident(p)) {
		parse_syntax(p);
		return "";
	}
	if (!p->tok->len) {
		parse_fail(p, 1038, NULL);
		return "";
	}
	parse_advance(p);
	return text;
}

void parse_object_name(struct parser *p, struct name *out)
{
	memset(out, 0, sizeof(*out));
	out->line = p->tok->line;
	out->part[out->count++] = parse_ident(p);
	while (parse_is_op(p, ".")) {
		parse_advance(p);
		if (out->count == 4) {
			parse_fail(p, 117, "object", out->part[0], NULL);
			return;
		}
		if (parse_is_op(p, ".")) {
			out->part[out->count++] = "";
			continue;
		}
		if (p->tok->kind == T_WORD && p->tok->word) {
			/* reserved words may follow a dot in practice */
			parse_syntax(p);
			return;
		}
		out->part[out->count++] = parse_ident(p);
	}
}

struct name_list *parse_name_list(struct parser *p)
{
	struct name_list *first = NULL, **link = &first;

	parse_expect_op(p, "(");
	do {
		*link = pool_alloc(p->pool, sizeof(**link));
		(*link)->line = p->tok->line;
		(*link)->name = parse_ident(p);
		link = &(*link)->next;
	} while (parse_accept_op(p, ","));
	parse_expect_op(p, ")");
	return first;
}

const char *parse_label(struct parser *p)
{
	const char *text = p->tok->text;

	if (p->tok->kind == T_STRING || p->tok->kind == T_NSTRING) {
		parse_advance(p);
		return text;
	}
	return parse_ident(p);
}

int parse_integer(struct parser *p)
{
	bool minus = parse_accept_op(p, "-");
	long n;

	if (p->tok->kind != T_INT) {
		parse_syntax(p);
		return 0;
	}
	n = p->tok->len > 10 ? 2147483647L : strtol(p->tok->text, NULL, 10);
	if (n > 2147483647L)
		n = 2147483647L;
	parse_advance(p);
	return (int)(minus ? -n : n);
}

const char *parse_source(struct parser *p, size_t start, size_t end)
{
	return end > start ? pool_strndup(p->pool, p->sql + start, end - start)
			   : "";
}

/* Type names of several words: "double precision", "national char varying". */
static void long_type_name(struct parser *p, struct type_ref *out)
{
	bool national = parse_accept(p, K_NATIONAL);

	if (!national && parse_accept(p, K_DOUBLE)) {
		parse_expect_word(p, "precision");
		out->name.count = 1;
		out->name.part[0] = "float";
		return;
	}
	parse_object_name(p, &out->name);
	if (out->name.count == 1) {
		const char *n = out->name.part[0];
		bool ch = !strcasecmp(n, "char") || !strcasecmp(n, "character");
		bool nch = !strcasecmp(n, "nchar");
		bool bin = !strcasecmp(n, "binary");

		if (national && !strcasecmp(n, "text"))
			out->name.part[0] = "ntext";
		else if (national && ch)
			out->name.part[0] = "nchar";
		if ((ch || nch || bin) && parse_accept(p, K_VARYING))
			out->name.part[0] = national || nch ? "nvarchar"
					    : bin	    ? "varbinary"
							    : "varchar";
		else if (!strcasecmp(n, "character") && !national)
			out->name.part[0] = "char";
	}
}

void parse_type_ref(struct parser *p, struct type_ref *out)
{
	memset(out, 0, sizeof(*out));
	out->name.line = p->tok->line;
	if (parse_is(p, K_CURSOR)) {
		parse_unsupported(p, "CURSOR");
		return;
	}
	long_type_name(p, out);
	if (!parse_is_op(p, "("))
		return;
	parse_advance(p);
	if (parse_accept_word(p, "max")) {
		out->max = true;
		out->args = 1;
	} else if (parse_is_word(p, "content") ||
		   parse_is_word(p, "document") || parse_at_ident(p)) {
		struct name collection; /* xml(collection) */

		if (!parse_accept_word(p, "content"))
			parse_accept_word(p, "document");
		parse_object_name(p, &collection);
	} else {
		out->a = parse_integer(p);
		out->args = 1;
		if (parse_accept_op(p, ",")) {
			out->b = parse_integer(p);
			out->args = 2;
		}
	}
	parse_expect_op(p, ")");
}

void parse_skip_parens(struct parser *p)
{
	int depth = 0;

	if (!parse_is_op(p, "("))
		return;
	do {
		if (parse_is_op(p, "("))
			depth++;
		else if (parse_is_op(p, ")"))
			depth--;
		if (p->tok->kind == T_END) {
			parse_syntax(p);
			return;
		}
		parse_advance(p);
	} while (depth);
}

/* One "name [=] value [(…)]", words joined by blanks. */
struct option_item *parse_option(struct parser *p)
{
	struct option_item *o = pool_alloc(p->pool, sizeof(*o));
	const char *name = p->tok->text;

	if (p->tok->kind != T_WORD && p->tok->kind != T_QUOTED) {
		parse_syntax(p);
		return o;
	}
	parse_advance(p);
	while (p->tok->kind == T_WORD && !parse_is(p, K_ON) &&
	       !parse_is(p, K_OFF) && !parse_is_next_op(p, 0, "=") &&
	       parse_is_next_op(p, 1, "=")) {
		name = pool_printf(p->pool, "%s %s", name, p->tok->text);
		parse_advance(p);
	}
	o->name = name;
	parse_accept_op(p, "=");
	if (parse_is_op(p, "("))
		o->sub = parse_options(p);
	if (parse_is_op(p, ",") || parse_is_op(p, ")") ||
	    p->tok->kind == T_END || parse_is_op(p, ";"))
		return o;
	if (parse_is_op(p, "-"))
		parse_advance(p);
	o->value = p->tok->text;
	parse_advance(p);
	/* "2 DAYS", "5 MINUTES", "ROWS 10" */
	while (p->tok->kind == T_WORD && !p->tok->word) {
		o->value =
			pool_printf(p->pool, "%s %s", o->value, p->tok->text);
		parse_advance(p);
	}
	if (parse_is_op(p, "("))
		o->sub = parse_options(p);
	if (parse_accept(p, K_ON)) /* "= PAGE ON PARTITIONS (…)" */
		while (!parse_is_op(p, ",") && !parse_is_op(p, ")") &&
		       p->tok->kind != T_END) {
			if (parse_is_op(p, "("))
				parse_skip_parens(p);
			else
				parse_advance(p);
		}
	return o;
}

struct option_item *parse_options(struct parser *p)
{
	struct option_item *first = NULL, **link = &first;

	if (!parse_enter(p))
		return NULL;
	parse_expect_op(p, "(");
	while (!p->failed && !parse_is_op(p, ")")) {
		*link = parse_option(p);
		link = &(*link)->next;
		if (!parse_accept_op(p, ","))
			break;
	}
	parse_expect_op(p, ")");
	parse_leave(p);
	return first;
}

/* --- entry points --- */

static int begin(struct parser *p, struct arena *pool, const char *sql,
		 size_t len, bool quoted_names, struct diag *d)
{
	struct tokens tokens;

	memset(p, 0, sizeof(*p));
	p->pool = pool;
	p->sql = sql;
	p->d = d;
	d->line = 0;
	d->number = 0;
	p->first_stmt = true;
	if (lex_batch(pool, sql, len, quoted_names, &tokens, d) < 0)
		return -1;
	p->first = p->tok = tokens.at;
	return 0;
}

int parse_batch(struct arena *pool, const char *sql, size_t len,
		bool quoted_names, struct batch_ast *out, struct diag *d)
{
	struct parser p;
	struct stmt **link = &out->first;

	memset(out, 0, sizeof(*out));
	out->text = sql;
	out->len = len;
	if (begin(&p, pool, sql, len, quoted_names, d) < 0)
		return -1;
	while (parse_accept_op(&p, ";"))
		;
	while (p.tok->kind != T_END) {
		struct stmt *s = parse_stmt(&p);

		if (p.failed)
			return -1;
		p.first_stmt = false;
		*link = s;
		while (*link)
			link = &(*link)->next;
		while (parse_accept_op(&p, ";"))
			;
	}
	return p.failed ? -1 : 0;
}

struct expr *parse_expression(struct arena *pool, const char *sql, size_t len,
			      struct diag *d)
{
	struct parser p;
	struct expr *e;

	if (begin(&p, pool, sql, len, true, d) < 0)
		return NULL;
	e = parse_expr(&p);
	if (p.tok->kind != T_END)
		parse_syntax(&p);
	return p.failed ? NULL : e;
}

struct expr *parse_condition(struct arena *pool, const char *sql, size_t len,
			     struct diag *d)
{
	struct parser p;
	struct expr *e;

	if (begin(&p, pool, sql, len, true, d) < 0)
		return NULL;
	e = parse_search(&p);
	if (p.tok->kind != T_END)
		parse_syntax(&p);
	return p.failed ? NULL : e;
}

int parse_params(struct arena *pool, const char *sql, size_t len,
		 struct param_def **out, struct diag *d)
{
	struct parser p;

	*out = NULL;
	if (begin(&p, pool, sql, len, true, d) < 0)
		return -1;
	if (p.tok->kind == T_END)
		return 0;
	*out = parse_param_list(&p, parse_is_op(&p, "("));
	if (p.tok->kind != T_END)
		parse_syntax(&p);
	return p.failed ? -1 : 0;
}

bool parse_name(struct arena *pool, const char *s, size_t len, struct name *out)
{
	struct parser p;
	struct diag d;

	if (begin(&p, pool, s, len, true, &d) < 0)
		return false;
	memset(out, 0, sizeof(*out));
	for (;;) {
		if (out->count == 4)
			return false;
		if (p.tok->kind == T_OP && !strcmp(p.tok->text, ".")) {
			out->part[out->count++] = "";
		} else if (p.tok->kind == T_WORD || p.tok->kind == T_QUOTED) {
			out->part[out->count++] = p.tok->text;
			p.tok++;
		} else {
			return false;
		}
		if (p.tok->kind == T_END)
			return true;
		if (p.tok->kind != T_OP || strcmp(p.tok->text, ".") != 0)
			return false;
		p.tok++;
		if (p.tok->kind == T_END)
			return false;
	}
}

int parse_type(struct arena *pool, const char *s, size_t len,
	       struct type_ref *out, struct diag *d)
{
	struct parser p;

	if (begin(&p, pool, s, len, true, d) < 0)
		return -1;
	parse_type_ref(&p, out);
	if (p.tok->kind != T_END)
		parse_syntax(&p);
	return p.failed ? -1 : 0;
}
