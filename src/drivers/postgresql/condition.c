/*
 * A condition is put into parentheses. So it is enough that nothing in the text
 * closes them, or hides that from us: strings, quoted names and dollar quotes
 * have to end, and comments and semicolons are refused altogether. A backslash
 * may escape a quote, in E'' strings: so it is refused inside of strings.
 */
#include "drivers/postgresql/choice.h"

#include <string.h>

#define CONDITION_MAX 4000

/* Past a quoted piece that begins at `s`; NULL when it does not end. */
static const char *skip_quoted(const char *s, bool *escaped)
{
	char close = *s;

	for (s++; *s; s++) {
		if (*s == '\\' && close == '\'')
			*escaped = true;
		if (*s != close)
			continue;
		if (s[1] != close)
			return s + 1;
		s++;
	}
	return NULL;
}

static const char *find_fault(const char *s)
{
	bool escaped = false;
	int depth = 0;

	while (*s) {
		if (*s == '\'' || *s == '"') {
			s = skip_quoted(s, &escaped);
			if (!s)
				return "a quote is not closed";
			if (escaped)
				return "a string holds a backslash";
			continue;
		}
		if (*s == ';')
			return "it holds a semicolon";
		if (*s == '$')
			return "it holds a dollar sign outside of quotes";
		if (!strncmp(s, "--", 2) || !strncmp(s, "/*", 2))
			return "it holds a comment";
		if (*s == '(')
			depth++;
		if (*s == ')' && --depth < 0)
			return "a parenthesis is closed that was not opened";
		s++;
	}
	return depth ? "a parenthesis is not closed" : NULL;
}

int pg_condition_check(const char *condition, struct error *err)
{
	const char *fault;

	if (!condition[strspn(condition, " \t\r\n")])
		fault = "it is blank";
	else if (strlen(condition) > CONDITION_MAX)
		fault = "it is longer than 4000 bytes";
	else
		fault = find_fault(condition);
	if (!fault)
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "the WHERE condition makes no sense: %s; write one "
			 "expression, as region = 'EU' AND id > 100",
			 fault);
}
