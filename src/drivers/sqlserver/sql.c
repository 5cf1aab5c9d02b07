#include "drivers/sqlserver/sql.h"

void sql_name(struct strbuf *sb, const char *name)
{
	strbuf_addch(sb, '[');
	for (; *name; name++) {
		if (*name == ']')
			strbuf_addch(sb, ']');
		strbuf_addch(sb, *name);
	}
	strbuf_addch(sb, ']');
}

void sql_table(struct strbuf *sb, const char *schema, const char *table)
{
	sql_name(sb, schema);
	strbuf_addch(sb, '.');
	sql_name(sb, table);
}

void sql_change_table(struct strbuf *sb, const char *instance)
{
	struct strbuf table;

	strbuf_init(&table);
	strbuf_addf(&table, "%s_CT", instance);
	if (table.failed)
		sb->failed = table.failed;
	else
		sql_table(sb, "cdc", table.data);
	strbuf_release(&table);
}

void sql_names(struct strbuf *sb, const char *format, const char *a,
	       const char *b)
{
	for (; *format; format++) {
		if (*format != '%') {
			strbuf_addch(sb, *format);
			continue;
		}
		format++;
		if (*format == 'n')
			sql_name(sb, a);
		else if (*format == 'm')
			sql_name(sb, b);
		else
			strbuf_addch(sb, *format);
	}
}
