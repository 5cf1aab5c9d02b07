#include "engine/schema_check.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Decimal digits before the point that any value of a type may have. */
static int integer_digits(const struct column *column)
{
	row_int128 min, max;
	int digits = 0;

	if (!row_type_range(column->type, &min, &max))
		return column->precision - column->scale;
	for (; max > 0; max /= 10)
		digits++;
	return digits;
}

/* Digits before the point of which every number fits. */
static int sure_digits(const struct column *column)
{
	return (column->sure_precision ? column->sure_precision
				       : column->precision) -
	       column->scale;
}

static bool integer_fits(const struct column *from, const struct column *to)
{
	row_int128 from_min, from_max, to_min, to_max;

	if (!row_type_range(from->type, &from_min, &from_max))
		return false;
	if (to->type == ROW_DECIMAL)
		return integer_digits(from) <= sure_digits(to);
	return row_type_range(to->type, &to_min, &to_max) &&
	       from_min >= to_min && from_max <= to_max;
}

static bool length_fits(const struct column *from, const struct column *to)
{
	if (!to->length)
		return true;
	return from->length && from->length <= to->length;
}

static bool text_fits(const struct column *from, const struct column *to)
{
	if (!length_fits(from, to))
		return false;
	/* A fixed length pads: what was shorter would come back longer. */
	return !to->fixed || (from->fixed && from->length == to->length);
}

static bool time_fits(const struct column *from, const struct column *to)
{
	return (from->precision <= to->precision || to->finest) &&
	       (from->coarse || !to->coarse);
}

/* Does every value of `from` have the same value in `to`? */
static bool type_fits(const struct column *from, const struct column *to)
{
	if (integer_fits(from, to) ||
	    (from->type == ROW_FLOAT32 && to->type == ROW_FLOAT64))
		return true;
	if ((from->type == ROW_JSON || from->type == ROW_XML) &&
	    to->type == ROW_TEXT)
		return length_fits(from, to);
	if (from->type != to->type)
		return false;
	switch (from->type) {
	case ROW_DECIMAL:
		return from->scale <= to->scale &&
		       integer_digits(from) <= sure_digits(to);
	case ROW_TEXT:
	case ROW_BYTES:
		return text_fits(from, to);
	case ROW_TIME:
	case ROW_TIMESTAMP:
	case ROW_TIMESTAMPTZ:
		return time_fits(from, to);
	default:
		return true;
	}
}

/*
 * Two columns of one system and of the same declared type hold the same
 * values, whatever the rules above make of it.
 */
static bool same_type(const struct table *source, const struct column *from,
		      const struct table *dest, const struct column *to)
{
	return source->system && dest->system &&
	       !strcmp(source->system, dest->system) && from->native &&
	       to->native && !strcmp(from->native, to->native);
}

/* Numbers in parentheses: how many of at most two there are; -1: others. */
static int read_limits(const char *native, int limits[2], const char **rest)
{
	const char *at = strchr(native, '(');
	char *end;
	int count = 0;

	if (!at)
		return -1;
	do {
		if (count == 2)
			return -1;
		limits[count++] = (int)strtol(at + 1, &end, 10);
		if (end == at + 1)
			return -1;
		at = end;
	} while (*at == ',');
	*rest = at;
	return *at == ')' ? count : -1;
}

/*
 * Of two types that differ in their limits alone, has the second room for all
 * that the first has? Two of them are a decimal's digits and its scale.
 */
static bool limits_fit(const struct table *source, const struct column *from,
		       const struct table *dest, const struct column *to)
{
	const char *from_rest, *to_rest;
	int a[2], b[2], count;

	if (!source->system || !dest->system || !from->native || !to->native ||
	    strcmp(source->system, dest->system) != 0 || to->pads)
		return false;
	count = read_limits(from->native, a, &from_rest);
	if (count < 0 || count != read_limits(to->native, b, &to_rest) ||
	    strcmp(from_rest, to_rest) != 0 ||
	    strcspn(from->native, "(") != strcspn(to->native, "(") ||
	    strncmp(from->native, to->native, strcspn(to->native, "(")) != 0)
		return false;
	return count == 2 ? a[1] <= b[1] && a[0] - a[1] <= b[0] - b[1]
			  : a[0] <= b[0];
}

/* One more line for the list of differences. */
#define DIFFER(list, ...)                                \
	(strbuf_addstr((list), (list)->len ? "\n" : ""), \
	 strbuf_addf((list), __VA_ARGS__))

static void differ_unsupported(const struct column *from,
			       struct strbuf *differences)
{
	DIFFER(differences,
	       "column '%s' has type %s, whose values cannot be carried; to "
	       "leave it out, create the destination table with a computed "
	       "column of that name",
	       from->name, from->native);
}

/*
 * Few systems can have a key of any length, and what is in one is short: so
 * each value is looked at when it comes.
 */
static bool key_fits(const struct table *source, const struct column *from,
		     const struct column *to)
{
	return from->type == to->type && !from->length && !to->fixed &&
	       (from->type == ROW_TEXT || from->type == ROW_BYTES) &&
	       table_is_key(source, (size_t)(from - source->columns));
}

static void compare_column(const struct table *source,
			   const struct column *from, const struct table *dest,
			   const struct column *to, struct strbuf *differences)
{
	if (to->cuts && !same_type(source, from, dest, to)) {
		if (!limits_fit(source, from, dest, to))
			DIFFER(differences,
			       "column '%s' is %s in the source, but %s in the "
			       "destination, whose server would cut or round "
			       "what does not fit; give it the source's type, "
			       "or the same one without limits",
			       from->name, from->native, to->native);
	} else if (!same_type(source, from, dest, to) && !type_fits(from, to) &&
		   !key_fits(source, from, to))
		DIFFER(differences,
		       "column '%s' is %s in the source, which does not fit "
		       "into "
		       "%s in the destination",
		       from->name, from->native, to->native);
	if (from->nullable && !to->nullable)
		DIFFER(differences,
		       "column '%s' may be NULL in the source (%s), but is NOT "
		       "NULL in the destination (%s)",
		       from->name, from->native, to->native);
}

/* Columns that only the destination has must be able to do without us. */
static void compare_extra(const struct table *source, const struct table *dest,
			  struct strbuf *differences)
{
	for (size_t i = 0; i < dest->column_count; i++) {
		const struct column *to = &dest->columns[i];

		if (table_column(source, to->name) || to->nullable ||
		    to->has_default || to->identity || to->computed ||
		    to->generated)
			continue;
		DIFFER(differences,
		       "column '%s' (%s) is in the destination only, NOT NULL "
		       "and "
		       "without a default",
		       to->name, to->native);
	}
}

/* The key has to reach the destination, or rows could not be found there. */
static void compare_key(const struct table *source, const bool *keep,
			struct strbuf *differences)
{
	for (size_t k = 0; k < source->key_count; k++)
		if (!keep[source->key[k]])
			DIFFER(differences,
			       "key column '%s' (%s) is computed or generated "
			       "and "
			       "cannot be copied",
			       source->columns[source->key[k]].name,
			       source->columns[source->key[k]].native);
}

static int verdict(const struct table *source, const struct strbuf *differences,
		   struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];
	int count = 1;

	if (!differences->len)
		return strbuf_check(differences, err);
	for (const char *s = differences->data; *s; s++)
		count += *s == '\n';
	error_set(err, ERROR_SCHEMA, "%s: %d difference%s: %s",
		  table_name_format(name, &source->name), count,
		  count > 1 ? "s" : "", differences->data);
	for (char *s = err->message; *s; s++)
		if (*s == '\n')
			*s = ';';
	return -1;
}

int schema_check(const struct table *source, const struct table *dest,
		 struct table *shape, struct strbuf *differences,
		 struct error *err)
{
	bool *keep = calloc(source->column_count + 1, sizeof(*keep));
	int ret = -1;

	if (!keep)
		return error_memory(err, "a schema check");
	for (size_t i = 0; i < source->column_count; i++) {
		const struct column *from = &source->columns[i];
		const struct column *to = table_column(dest, from->name);

		if (to ? to->computed || to->generated : from->computed)
			continue;
		if (from->computed)
			DIFFER(differences,
			       "column '%s' is computed in the source, whose "
			       "change log does not have it, but is not "
			       "computed in the destination",
			       from->name);
		else if (from->unsupported)
			differ_unsupported(from, differences);
		else if (!to)
			DIFFER(differences,
			       "column '%s' (%s) is missing in the destination",
			       from->name, from->native);
		else
			compare_column(source, from, dest, to, differences);
		keep[i] = true;
	}
	compare_extra(source, dest, differences);
	compare_key(source, keep, differences);
	if (verdict(source, differences, err) == 0)
		ret = table_project(shape, source, NULL, keep, err);
	free(keep);
	return ret;
}

void schema_losses(const struct table *shape, const struct table *dest,
		   struct strbuf *out)
{
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct column *from = &shape->columns[i];
		const struct column *to = table_column(dest, from->name);

		if (!to || from->type != to->type)
			continue;
		if (to->finest && from->precision > to->precision)
			strbuf_addf(out,
				    "%scolumn '%s' (%s) is rounded to %d "
				    "digits of a second",
				    out->len ? "; " : "", from->name,
				    from->native, to->precision);
		if (to->offsetless && !from->offsetless)
			strbuf_addf(out,
				    "%scolumn '%s' (%s) keeps its moment, but "
				    "not its offset from UTC",
				    out->len ? "; " : "", from->name,
				    from->native);
	}
}

int schema_shape(const struct table *source, struct table *shape,
		 struct strbuf *differences, struct error *err)
{
	bool *keep = calloc(source->column_count + 1, sizeof(*keep));
	int ret = -1;

	if (!keep)
		return error_memory(err, "a schema check");
	for (size_t i = 0; i < source->column_count; i++) {
		const struct column *from = &source->columns[i];

		keep[i] = !from->computed;
		if (keep[i] && from->unsupported)
			differ_unsupported(from, differences);
	}
	compare_key(source, keep, differences);
	if (verdict(source, differences, err) == 0)
		ret = table_project(shape, source, NULL, keep, err);
	free(keep);
	return ret;
}
