#ifndef DRIVERS_SQLSERVER_SQL_H
#define DRIVERS_SQLSERVER_SQL_H

#include "base/strbuf.h"

/* T-SQL text is put together with these alone: every name is quoted. */

/* [name], with ] doubled. */
void sql_name(struct strbuf *sb, const char *name);

/* [schema].[table]: a connection is in the database of its table. */
void sql_table(struct strbuf *sb, const char *schema, const char *table);

/* [cdc].[instance_CT] */
void sql_change_table(struct strbuf *sb, const char *instance);

/*
 * Append `format`, in which %n stands for the name `a` quoted, %m for `b`, %%
 * for a percent sign. For lists of columns.
 */
void sql_names(struct strbuf *sb, const char *format, const char *a,
	       const char *b);

#endif
