#include "drivers/postgresql/quote.h"

#include <string.h>

void quote_name(struct strbuf *sb, const char *name)
{
	strbuf_addch(sb, '"');
	for (; *name; name++) {
		if (*name == '"')
			strbuf_addch(sb, '"');
		strbuf_addch(sb, *name);
	}
	strbuf_addch(sb, '"');
}

void quote_table(struct strbuf *sb, const char *schema, const char *table)
{
	quote_name(sb, schema);
	strbuf_addch(sb, '.');
	quote_name(sb, table);
}

void quote_text(struct strbuf *sb, const char *text)
{
	strbuf_addstr(sb, strchr(text, '\\') ? " E'" : "'");
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			strbuf_addch(sb, *text);
		strbuf_addch(sb, *text);
	}
	strbuf_addch(sb, '\'');
}

void quote_names(struct strbuf *sb, const char *format, const char *name)
{
	for (; *format; format++) {
		if (*format != '%') {
			strbuf_addch(sb, *format);
			continue;
		}
		format++;
		if (*format == 'n')
			quote_name(sb, name);
		else
			strbuf_addch(sb, *format);
	}
}
