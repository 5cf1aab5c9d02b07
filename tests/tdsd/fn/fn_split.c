/* Rows of text: split strings, the list of collations. */
#include <string.h>

#include "fn/fn.h"
#include "fn/rows.h"
#include "value/collation.h"

/* string_split(text, separator) */
static int string_split(struct session *s, const struct val *args, int count,
			struct row_store *out, struct diag *d)
{
	const struct collation *coll = collation_get(COLLATION_DEFAULT);
	const struct val *text = &args[0], *sep = &args[1];
	size_t from = 0, i;

	(void)s;
	if (count < 2 || text->cls == VAL_NULL)
		return 0;
	/* one character, however many bytes it takes */
	if (sep->cls == VAL_NULL || !sep->n)
		return diag_set(d, 214, "separator", "nchar(1)/nvarchar(1)");
	for (i = 1; i < sep->n; i++)
		if (((unsigned char)sep->p[i] & 0xC0) != 0x80)
			return diag_set(d, 214, "separator",
					"nchar(1)/nvarchar(1)");
	for (i = 0; i <= text->n; i++) {
		struct val piece;

		if (i < text->n &&
		    (i + sep->n > text->n ||
		     ((unsigned char)text->p[i] & 0xC0) == 0x80 ||
		     collation_compare(coll, text->p + i, sep->n, sep->p,
				       sep->n) != 0))
			continue;
		piece = val_text(text->p + from, i - from);
		rows_add(out, &piece);
		if (i < text->n)
			i += sep->n - 1;
		from = i + 1;
	}
	return 0;
}

static int helpcollations(struct session *s, const struct val *args, int count,
			  struct row_store *out, struct diag *d)
{
	const char *name;
	char buf[128];
	int i;

	(void)s;
	(void)args;
	(void)count;
	(void)d;
	for (i = 0; (name = collation_list(i, buf, sizeof(buf))); i++) {
		struct row_builder b = {.n = 0};

		rb_text(&b, name);
		rb_text(&b, name);
		rows_add(out, b.v);
	}
	return 0;
}

const struct row_maker row_makers_text[] = {
	{"string_split", 1, string_split},
	{"helpcollations", 2, helpcollations},
	{NULL, 0, NULL},
};
