/*
 * T-SQL text, as the stand-in reads it: tests/tdsd/sql/parse.h.
 *
 * A text is read as a whole, or an error of the server with its number says
 * why not and in which of its lines. Any name in brackets is read as that very
 * name; the tokens of a text lie in it one behind the other.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "sql/lex.h"
#include "sql/parse.h"

#define POOL_MAX   ((size_t)256 << 20)
#define NAME_BYTES 100

static int lines_of(const char *sql, size_t len)
{
	int lines = 1;

	for (size_t i = 0; i < len; i++)
		lines += sql[i] == '\n';
	return lines;
}

static void check_diag(const struct diag *d, const char *sql, size_t len)
{
	HOLDS(d->number > 0 && *d->message);
	HOLDS(d->line >= 0 && d->line <= lines_of(sql, len));
}

static void try_tokens(struct arena *pool, const char *sql, size_t len,
		       bool quoted)
{
	struct diag d = {.number = 0};
	struct tokens tokens;
	size_t end = 0;

	if (lex_batch(pool, sql, len, quoted, &tokens, &d) < 0) {
		check_diag(&d, sql, len);
		return;
	}
	HOLDS(tokens.count > 0);
	HOLDS(tokens.at[tokens.count - 1].kind == T_END);
	for (int i = 0; i < tokens.count; i++) {
		const struct token *token = &tokens.at[i];

		HOLDS(token->start >= end && token->end >= token->start);
		HOLDS(token->end <= len);
		HOLDS(token->kind == T_END || token->end > token->start);
		end = token->end;
	}
}

static void try_text(struct arena *pool, const char *sql, size_t len,
		     bool quoted)
{
	struct diag d = {.number = 0};
	struct batch_ast batch;
	struct param_def *params;
	struct type_ref type;

	if (parse_batch(pool, sql, len, quoted, &batch, &d) < 0)
		check_diag(&d, sql, len);
	memset(&d, 0, sizeof(d));
	if (!parse_expression(pool, sql, len, &d))
		check_diag(&d, sql, len);
	memset(&d, 0, sizeof(d));
	if (!parse_condition(pool, sql, len, &d))
		check_diag(&d, sql, len);
	memset(&d, 0, sizeof(d));
	if (parse_params(pool, sql, len, &params, &d) < 0)
		check_diag(&d, sql, len);
	memset(&d, 0, sizeof(d));
	if (parse_type(pool, sql, len, &type, &d) < 0)
		check_diag(&d, sql, len);
}

/* Its beginning: a name of more than 128 characters is none. */
static void try_name(struct arena *pool, const char *text)
{
	struct strbuf quoted;
	struct name name;

	strbuf_init(&quoted);
	strbuf_addstr(&quoted, "[a].[");
	for (size_t i = 0; text[i] && i < NAME_BYTES; i++) {
		if (text[i] == ']')
			strbuf_addch(&quoted, ']');
		strbuf_addch(&quoted, text[i]);
	}
	strbuf_addch(&quoted, ']');
	if (*text) {
		HOLDS(parse_name(pool, quoted.data, quoted.len, &name));
		HOLDS(name.count == 2 && !strcmp(name.part[0], "a"));
		HOLDS(!strncmp(name.part[1], text, NAME_BYTES));
		HOLDS(strlen(name.part[1]) <= NAME_BYTES);
	}
	strbuf_release(&quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	bool quoted = take_byte(&in) & 1;
	size_t len = 0;
	char *sql = (char *)take_bytes(&in, in.len, &len);
	struct arena pool;
	char *name;

	arena_init(&pool, POOL_MAX);
	try_tokens(&pool, sql, len, quoted);
	try_text(&pool, sql, len, quoted);
	in = (struct input){(const uint8_t *)sql, len};
	name = take_utf8(&in, 400);
	try_name(&pool, name);
	arena_release(&pool);
	free(name);
	free(sql);
	return 0;
}
