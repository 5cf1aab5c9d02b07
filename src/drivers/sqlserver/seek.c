/*
 * A seek from a key on is a union of stretches, each of which an index finds
 * at once and reads in order: the rows that begin with the same columns as the
 * key and go on from its last one; those that agree in one column less, and are
 * greater in the next; and so on. Each is cut off by TOP, so that no more is
 * read than what is passed over. One condition over all columns would be read
 * from the beginning of the first column's group each time.
 *
 * A digest is the sum of MD5s over the bytes that values have on the server:
 * much less comes over the wire than there is in the table. SUM is used instead
 * of CHECKSUM_AGG, whose algorithm nobody vouches for.
 */
#include "drivers/sqlserver/seek.h"

#include <string.h>

#include "drivers/sqlserver/choice.h"
#include "drivers/sqlserver/sql.h"

static void add_keys(struct strbuf *sql, const struct sqlserver_source *source,
		     const struct table *keys, const char *format)
{
	for (size_t k = 0; k < keys->key_count; k++) {
		if (k)
			strbuf_addstr(sql, ", ");
		sql_names(sql, format, choice_key_name(source, keys, k), NULL);
	}
}

/* Rows that agree with the low end in `same` columns. */
static void add_stretch(struct strbuf *sql,
			const struct sqlserver_source *source,
			const struct table *keys, size_t same)
{
	const char *name = choice_key_name(source, keys, same);
	bool last = same + 1 == keys->key_count;

	strbuf_addstr(sql, "SELECT * FROM (SELECT TOP (@skip + 1) ");
	add_keys(sql, source, keys, "t.%n");
	strbuf_addstr(sql, " FROM " CHOICE_LOW " AS l CROSS JOIN ");
	source_add_table(source, sql);
	strbuf_addstr(sql, " WHERE ");
	for (size_t k = 0; k < same; k++)
		sql_names(sql, "t.%n = l.%n AND ",
			  choice_key_name(source, keys, k),
			  choice_key_name(source, keys, k));
	sql_names(sql, last ? "t.%n >= l.%n" : "t.%n > l.%n", name, name);
	strbuf_addstr(sql, " ORDER BY ");
	add_keys(sql, source, keys, "t.%n");
	strbuf_addf(sql, ") AS p%zu", same);
}

static void add_rows(struct strbuf *sql, const struct sqlserver_source *source,
		     const struct table *keys, const struct key_span *span)
{
	if (!span->low) {
		source_add_table(source, sql);
		return;
	}
	strbuf_addch(sql, '(');
	for (size_t same = keys->key_count; same-- > 0;) {
		add_stretch(sql, source, keys, same);
		if (same)
			strbuf_addstr(sql, " UNION ALL ");
	}
	strbuf_addstr(sql, ") AS t");
}

static int load_ends(struct sqlserver_source *source,
		     const struct key_span *span, struct error *err)
{
	if (span->low &&
	    choice_load_keys(source, CHOICE_LOW, span->low, err) < 0)
		return -1;
	if (span->high &&
	    choice_load_keys(source, CHOICE_HIGH, span->high, err) < 0)
		return -1;
	return 0;
}

int seek_begin(struct sqlserver_source *source, const struct table *keys,
	       const struct key_span *span, bool backwards, uint64_t skip,
	       struct error *err)
{
	struct tds_param param = tds_int("@skip", (int64_t)skip);
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "SELECT ");
	if (load_ends(source, span, err) < 0 ||
	    source_add_list(source, keys, "t", &sql, err) < 0)
		goto done;
	strbuf_addstr(&sql, " FROM ");
	if (span->high)
		strbuf_addstr(&sql, CHOICE_HIGH " AS h CROSS JOIN ");
	add_rows(&sql, source, keys, span);
	if (span->high) {
		strbuf_addstr(&sql, " WHERE ");
		choice_add_before(&sql, source, keys, 0, "t");
	}
	strbuf_addstr(&sql, " ORDER BY ");
	add_keys(&sql, source, keys, backwards ? "t.%n DESC" : "t.%n");
	strbuf_addstr(&sql, " OFFSET @skip ROWS FETCH NEXT 1 ROWS ONLY");
	if (strbuf_check(&sql, err) == 0 &&
	    source_begin_short_read(source, err) == 0)
		ret = tds_query(source->conn, sql.data, &param, 1, err);
done:
	strbuf_release(&sql);
	return ret;
}

/* ------------------------------------------------------------------- digest */

/* Bytes of short types, whose length follows from the type alone. */
#define FIXED_MAX 64

/* What binary values without LOBs may have together. */
#define SHORT_ROW_MAX 8000

static bool has_fixed_length(const struct catalog_column *column)
{
	return column->wire != WIRE_CHAR && column->wire != WIRE_NCHAR &&
	       column->wire != WIRE_BINARY;
}

static bool is_large(const struct catalog_column *column)
{
	return column->max_length < 0 || column->max_length > SHORT_ROW_MAX ||
	       !strcmp(column->type, "text") ||
	       !strcmp(column->type, "ntext") || !strcmp(column->type, "image");
}

/* How long its bytes can be, with what stands before them. */
static int longest(const struct catalog_column *column)
{
	if (has_fixed_length(column))
		return 1 + FIXED_MAX;
	return is_large(column) ? SHORT_ROW_MAX + 1
				: 1 + 8 + column->max_length;
}

/* The old large types have no conversion to bytes of their own. */
static const char *conversion_of(const struct catalog_column *column,
				 bool large)
{
	if (!strcmp(column->type, "text"))
		return "CONVERT(varbinary(max), CONVERT(varchar(max), t.%n))";
	if (!strcmp(column->type, "ntext"))
		return "CONVERT(varbinary(max), CONVERT(nvarchar(max), t.%n))";
	if (!large && has_fixed_length(column))
		return "CONVERT(varbinary(64), t.%n)";
	return large || is_large(column) ? "CONVERT(varbinary(max), t.%n)"
					 : "CONVERT(varbinary(8000), t.%n)";
}

/* NULL is one byte, everything else begins with another one, and with its
 * length where that is not the type's. */
static void add_bytes(struct strbuf *sql, const struct catalog_column *column,
		      bool large)
{
	strbuf_addstr(sql, "ISNULL(CONVERT(binary(1), 1) + ");
	if (!has_fixed_length(column)) {
		strbuf_addstr(sql,
			      "CONVERT(binary(8), CONVERT(bigint, DATALENGTH(");
		sql_names(sql, conversion_of(column, large), column->name,
			  NULL);
		strbuf_addstr(sql, "))) + ");
	}
	sql_names(sql, conversion_of(column, large), column->name, NULL);
	strbuf_addstr(sql, ", CONVERT(binary(1), 0))");
}

/* Of which rows a digest is made, and of which of their columns. */
struct digested {
	const struct sqlserver_source *source;
	const struct table *shape;
	const size_t *take;
	size_t count;
	bool large; /* together they may be longer than a short row */
};

static const struct catalog_column *digested_column(const struct digested *d,
						    size_t i)
{
	return catalog_column(&d->source->catalog,
			      d->shape->columns[d->take[i]].name);
}

/*
 * All columns from `first` up to `end`, joined as a balanced tree: a thousand
 * in a row would be nested too deeply for the server.
 */
static int add_joined(struct strbuf *sql, const struct digested *d,
		      size_t first, size_t end, struct error *err)
{
	size_t middle = first + (end - first) / 2;
	const struct catalog_column *column;

	if (end - first == 1) {
		column = digested_column(d, first);
		if (!column)
			return error_set(
				err, ERROR_SCHEMA,
				"column '%s' is no longer in the table",
				d->shape->columns[d->take[first]].name);
		add_bytes(sql, column, d->large);
		return 0;
	}
	strbuf_addch(sql, '(');
	if (add_joined(sql, d, first, middle, err) < 0)
		return -1;
	strbuf_addstr(sql, " + ");
	if (add_joined(sql, d, middle, end, err) < 0)
		return -1;
	strbuf_addch(sql, ')');
	return 0;
}

/*
 * The bytes of a row. What is joined has to be of the large type as soon as it
 * could be longer than the other one, which would cut it; but that is slow.
 */
static int add_row_bytes(struct strbuf *sql, struct digested *d,
			 struct error *err)
{
	int total = 0;

	for (size_t i = 0; i < d->count && total <= SHORT_ROW_MAX; i++) {
		const struct catalog_column *column = digested_column(d, i);

		total += column ? longest(column) : 0;
	}
	d->large = total > SHORT_ROW_MAX;
	return add_joined(sql, d, 0, d->count, err);
}

static int build_digest(const struct sqlserver_source *source,
			const struct table *shape, const size_t *take,
			size_t take_count, const struct table *keys,
			const struct choice_sql *choice, struct strbuf *sql,
			struct error *err)
{
	struct digested digested = {
		.source = source,
		.shape = shape,
		.take = take,
		.count = take_count,
	};

	strbuf_addf(sql, "%sSELECT COUNT_BIG(*)", choice->declare.data);
	for (int i = 0; i < 4; i++)
		strbuf_addf(sql,
			    ", SUM(CONVERT(bigint, CONVERT(int, "
			    "SUBSTRING(r.md5, %d, 4))))",
			    4 * i + 1);
	strbuf_addstr(sql, " FROM (SELECT TOP (@limit) HASHBYTES('MD5', ");
	if (add_row_bytes(sql, &digested, err) < 0)
		return -1;
	strbuf_addf(sql, ") AS md5 FROM %s", choice->tables.data);
	source_add_table(source, sql);
	strbuf_addf(sql, "%s ORDER BY ", choice->where.data);
	add_keys(sql, source, keys, "t.%n");
	strbuf_addstr(sql, ") AS r");
	return strbuf_check(sql, err);
}

static int read_sum(struct sqlserver_source *source, const char *sql,
		    uint64_t limit, struct row_sum *out, struct error *err)
{
	struct tds_param param = tds_int("@limit", (int64_t)limit);
	int rc = tds_query_row(source->conn, sql, &param, 1, err);

	memset(out, 0, sizeof(*out));
	if (rc <= 0)
		return rc;
	out->rows = (uint64_t)tds_get_int(source->conn, 0);
	for (size_t i = 0; out->rows && i < 4; i++)
		out->words[i] = (uint64_t)tds_get_int(source->conn, i + 1);
	return tds_finish(source->conn, err);
}

int digest_read(struct sqlserver_source *source, const struct table *shape,
		const size_t *take, size_t take_count, const struct table *keys,
		const struct key_span *span, uint64_t limit,
		struct row_sum *out, struct error *err)
{
	struct row_choice choice = {.span = span};
	struct choice_sql pieces = {.param_count = 0};
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	if (choice_build(source, &choice, &pieces, err) == 0 &&
	    build_digest(source, shape, take, take_count, keys, &pieces, &sql,
			 err) == 0 &&
	    source_begin_short_read(source, err) == 0)
		ret = read_sum(source, sql.data, limit, out, err);
	choice_release(&pieces);
	strbuf_release(&sql);
	return ret;
}
