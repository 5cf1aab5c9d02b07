#ifndef CLI_CELL_H
#define CLI_CELL_H

#include <stdio.h>

#include "base/strbuf.h"

/*
 * Text from the control tables, made fit for a terminal: control characters,
 * which could move the cursor or worse, become blanks or question marks, and
 * wide characters count as two columns.
 */

/* Exactly `width` columns: cut, or filled up at its end. */
void cell_add(struct strbuf *out, const char *text, int width);
/* Likewise, filled up at its front. */
void cell_add_right(struct strbuf *out, const char *text, int width);

/* At most `width` columns (0: as many as there are), filled up with nothing. */
void cell_add_text(struct strbuf *out, const char *text, int width);

#define CELL_NO_MEMORY "(no memory for this line)"

/* A line that is done: print it, and release it. */
void cell_print(struct strbuf *line);

/* All of it as one line. */
void cell_print_text(FILE *to, const char *text);

#endif
