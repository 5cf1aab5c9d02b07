#ifndef TDSD_FN_ROWS_H
#define TDSD_FN_ROWS_H

#include "exec/rows.h"
#include "exec/session.h"

/*
 * Rows that C makes, for statements: SELECT c0, c1 FROM rows('name', …). What
 * cannot be read from a table comes this way: sessions, databases, split
 * strings.
 */
#define ROWS_COLUMNS 48
#define ROWS_ARGS    8

struct row_maker {
	const char *name;
	int columns;
	/* 0, or -1 with `d` set */
	int (*fill)(struct session *s, const struct val *args, int count,
		    struct row_store *out, struct diag *d);
};

extern const struct row_maker row_makers_server[];
extern const struct row_maker row_makers_text[];
extern const struct row_maker row_makers_cdc[];

/* What modules refer to; a maker of its own file. */
int rows_dependencies(struct session *s, const struct val *args, int count,
		      struct row_store *out, struct diag *d);

/* What runs beside the server, and the disks below it: fn/rows_host.c. */
int rows_services(struct session *s, const struct val *args, int count,
		  struct row_store *out, struct diag *d);
int rows_volumes(struct session *s, const struct val *args, int count,
		 struct row_store *out, struct diag *d);

/* Put a row together. */
struct row_builder {
	struct val v[ROWS_COLUMNS];
	int n;
};
void rb_text(struct row_builder *b, const char *s); /* NULL: NULL */
void rb_int(struct row_builder *b, int64_t n);
void rb_null(struct row_builder *b);
void rb_val(struct row_builder *b, const struct val *v);

#endif
