#ifndef DRIVERS_POSTGRESQL_QUOTE_H
#define DRIVERS_POSTGRESQL_QUOTE_H

#include "base/strbuf.h"

/* The target's SQL is put together with these: every name is quoted. */

/* "name", with " doubled. */
void quote_name(struct strbuf *sb, const char *name);

/* "schema"."table" */
void quote_table(struct strbuf *sb, const char *schema, const char *table);

/* 'text', whatever standard_conforming_strings is. */
void quote_text(struct strbuf *sb, const char *text);

/* Append `format`, in which %n stands for the name quoted, %% for a percent
 * sign. For lists of columns. */
void quote_names(struct strbuf *sb, const char *format, const char *name);

#endif
