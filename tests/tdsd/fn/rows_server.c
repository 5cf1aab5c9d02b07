/* Rows about the server itself: databases, sessions, settings, logins. */
#include "fn/rows.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "exec/proc.h"
#include "plan/sysviews.h"

/* --- what SQL Server brings along: our catalog views and procedures --- */

static int schema_number(const char *schema)
{
	if (!strcasecmp(schema, "INFORMATION_SCHEMA"))
		return 3;
	return strcasecmp(schema, "sys") ? 1 : 4;
}

/* name, object_id, schema_id, type */
static int system_objects(struct session *s, const struct val *args, int count,
			  struct row_store *out, struct diag *d)
{
	const struct sysview *v;
	const struct sysproc *p;
	int i;

	(void)s;
	(void)args;
	(void)count;
	(void)d;
	for (i = 0; (v = sysview_at(i)); i++) {
		struct row_builder b = {.n = 0};

		if (strcasecmp(v->schema, "sys") != 0 &&
		    strcasecmp(v->schema, "INFORMATION_SCHEMA") != 0)
			continue; /* those are objects of the database */
		rb_text(&b, v->name);
		rb_int(&b, -(100 + i));
		rb_int(&b, schema_number(v->schema));
		rb_text(&b, "V");
		rows_add(out, b.v);
	}
	for (i = 0; (p = sysproc_at(i)); i++) {
		struct row_builder b = {.n = 0};

		rb_text(&b, p->name);
		rb_int(&b, -(10000 + i));
		rb_int(&b, 4);
		rb_text(&b, "P");
		rows_add(out, b.v);
	}
	return 0;
}

/* --- expressions of constraints --- */

/* Do the parentheses at both ends belong together? */
static bool is_wrapped(const char *p, size_t n)
{
	size_t i, depth = 0;
	char quote = 0;

	if (n < 2 || p[0] != '(' || p[n - 1] != ')')
		return false;
	for (i = 0; i < n; i++) {
		if (quote) {
			if (p[i] == quote)
				quote = 0;
		} else if (p[i] == '\'' || p[i] == '"') {
			quote = p[i];
		} else if (p[i] == '[') {
			quote = ']';
		} else if (p[i] == '(') {
			depth++;
		} else if (p[i] == ')' && --depth == 0) {
			return i == n - 1;
		}
	}
	return false;
}

static bool is_number(const char *p, size_t n)
{
	size_t i = n && (*p == '-' || *p == '+');

	if (i == n)
		return false;
	for (; i < n; i++)
		if ((p[i] < '0' || p[i] > '9') && p[i] != '.')
			return false;
	return true;
}

/*
 * The server writes an expression anew: one pair of parentheses around it
 * and one around each number. We do the outer ones and leave the rest as it
 * was written.
 */
static int definition(struct session *s, const struct val *args, int count,
		      struct row_store *out, struct diag *d)
{
	struct row_builder b = {.n = 0};
	struct strbuf sb;
	const char *p;
	size_t n;
	bool number;

	(void)s;
	(void)d;
	if (count < 1 || args[0].cls != VAL_TEXT)
		return 0;
	p = args[0].p;
	n = args[0].n;
	for (;;) {
		while (n && isspace((unsigned char)*p))
			p++, n--;
		while (n && isspace((unsigned char)p[n - 1]))
			n--;
		if (!is_wrapped(p, n))
			break;
		p++;
		n -= 2;
	}
	number = is_number(p, n);
	strbuf_init(&sb);
	strbuf_addf(&sb, "%s%.*s%s", number ? "((" : "(", (int)n, p,
		    number ? "))" : ")");
	rb_text(&b, sb.data);
	rows_add(out, b.v);
	strbuf_release(&sb);
	return 0;
}

const struct row_maker row_makers_server[] = {
	{"system_objects", 4, system_objects},
	{"definition", 1, definition},
	{NULL, 0, NULL},
};
