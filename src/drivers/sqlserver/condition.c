/*
 * T-SQL begins a new statement without a semicolon, but not inside
 * parentheses. So it is enough that nothing in the text closes the ones it is
 * put in, or hides that from us: strings, quoted names and comments have to
 * end, comments are refused altogether.
 */
#include "drivers/sqlserver/condition.h"

#include <string.h>

#define CONDITION_MAX 4000

/* Past a quoted piece that begins at `s`; NULL when it does not end. */
static const char *skip_quoted(const char *s)
{
	char close = *s == '[' ? ']' : *s;

	for (s++; *s; s++) {
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
	int depth = 0;

	while (*s) {
		if (*s == '\'' || *s == '"' || *s == '[') {
			s = skip_quoted(s);
			if (!s)
				return "a quote or bracket is not closed";
			continue;
		}
		if (*s == ';')
			return "it holds a semicolon";
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

int condition_check(const char *condition, struct error *err)
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
