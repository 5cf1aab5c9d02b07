#include "plan/column_set.h"

bool column_set_allows(struct type t)
{
	return type_is_number(t) || type_is_text(t) || type_is_temporal(t) ||
	       t.kind == TY_GUID;
}

static void add_element(struct strbuf *sb, const struct column *c)
{
	/* style 126 is how xml writes times */
	strbuf_addf(sb,
		    "N'<%s>' + REPLACE(REPLACE(CONVERT(nvarchar(max), [%s]%s),"
		    " N'&', N'&amp;'), N'<', N'&lt;') + N'</%s>', ",
		    c->name, c->name, type_is_temporal(c->type) ? ", 126" : "",
		    c->name);
}

const char *column_set_text(const struct table *t, struct arena *pool)
{
	struct strbuf sb;
	const char *text;
	int i;

	strbuf_init(&sb);
	strbuf_addstr(&sb, "NULLIF(CONCAT(");
	for (i = 0; i < t->count; i++)
		if (t->columns[i].sparse)
			add_element(&sb, &t->columns[i]);
	strbuf_addstr(&sb, "N'', N''), N'')");
	text = pool_strndup(pool, sb.data, sb.len);
	strbuf_release(&sb);
	return text;
}
