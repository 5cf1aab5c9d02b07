/*
 * Ranges of a table in the order of the first column of its key. An end is the
 * text of a value, which the server reads back into the very same value: no key
 * is ever compared here.
 */
#include "drivers/postgresql/choice.h"

#include <string.h>

#include "drivers/postgresql/quote.h"

/* Pages of the sample for each range: rows of one page are neighbours, often. */
#define SAMPLE_PAGES 40

/*
 * A view or a foreign table has no pages to take a sample of. The values of a
 * floating-point column can be NaN, which is fine, but a bool is not worth it.
 */
static bool can_split(const struct postgresql_source *source,
		      const struct catalog_column *column)
{
	return (source->catalog.kind == 'r' || source->catalog.kind == 'p' ||
		source->catalog.kind == 'm') &&
	       pg_type_form(&column->type) != PG_FORM_BOOL;
}

static void build_split(const struct postgresql_source *source,
			const struct catalog_column *column, size_t count,
			int64_t pages, struct strbuf *sql)
{
	double percent = pages > 0 ? 100.0 * (double)(count * SAMPLE_PAGES) /
					     (double)pages
				   : 100;

	strbuf_addf(sql,
		    "SELECT DISTINCT ON (s.part) textin(%s(s.v)) FROM "
		    "(SELECT t.",
		    column->output);
	quote_name(sql, column->name);
	if (column->domain)
		strbuf_addf(sql, "::%s", column->type.words);
	strbuf_addstr(sql, " AS v, ");
	pg_choice_add_key(sql, column);
	strbuf_addf(sql, " AS k, ntile(%zu) OVER (ORDER BY ", count);
	pg_choice_add_key(sql, column);
	strbuf_addstr(sql, ") AS part FROM ");
	pg_source_add_table(sql, source);
	strbuf_addf(sql,
		    " TABLESAMPLE SYSTEM (%.6f)) AS s "
		    "ORDER BY s.part, s.k",
		    percent > 100     ? 100
		    : percent < 0.001 ? 0.001
				      : percent);
}

static int count_pages(struct postgresql_source *source, int64_t *pages,
		       struct error *err)
{
	static const char sql[] =
		CATALOG_PARTS "SELECT COALESCE(sum(pg_relation_size(c.oid)), 0)"
			      "::int8 / current_setting('block_size')::int8 "
			      "FROM part AS p "
			      "INNER JOIN pg_class AS c ON c.oid = p.oid "
			      "WHERE c.relkind IN ('r', 'm')";
	struct pg_param id = pg_int(source->catalog.oid);

	if (pg_query(source->conn, sql, &id, 1, err) < 0)
		return -1;
	*pages = pg_get_int(source->conn, 0, 0);
	pg_finish(source->conn);
	return 0;
}

/*
 * An end is the load, so that its readers know each other, and the value. One of
 * the ends of every range is there.
 */
const unsigned char *pg_split_load(const struct key_range *range)
{
	const struct position *end =
		range->low.len ? &range->low : &range->high;

	return end->len > PG_LOAD_BYTES ? end->bytes : NULL;
}

static int make_end(struct position *end,
		    const unsigned char load[PG_LOAD_BYTES], const char *value,
		    struct error *err)
{
	if (position_set(end, value, strlen(value), err) < 0)
		return -1;
	memmove(end->bytes + PG_LOAD_BYTES, end->bytes, end->len);
	memcpy(end->bytes, load, PG_LOAD_BYTES);
	end->len += PG_LOAD_BYTES;
	return 0;
}

/* Each range but the first begins where the server says; many rows of one
 * value say so twice, and a value may be too long. */
static int read_ranges(const struct postgresql_source *source, int64_t rows,
		       struct key_range *ranges, size_t count,
		       struct error *err)
{
	unsigned char load[PG_LOAD_BYTES];
	size_t made = 1;

	pg_snapshot_name_load(load, source);
	for (int64_t i = 1; i < rows && made < count; i++) {
		const char *value = pg_get_text(source->conn, i, 0);
		struct position low;

		if (!*value || strlen(value) > POSITION_MAX - PG_LOAD_BYTES)
			continue;
		if (make_end(&low, load, value, err) < 0)
			return -1;
		if (position_equal(&low, &ranges[made - 1].low))
			continue;
		ranges[made - 1].high = low;
		ranges[made++].low = low;
	}
	return (int)made;
}

int pg_split_table(struct postgresql_source *source, struct key_range *ranges,
		   size_t count, struct error *err)
{
	const struct catalog_column *column =
		pg_catalog_key(&source->catalog, 0);
	struct strbuf sql;
	int64_t pages, rows = -1;
	int rc = -1;

	memset(ranges, 0, count * sizeof(*ranges));
	if (!column || !can_split(source, column))
		return 1;
	if (count_pages(source, &pages, err) < 0)
		return -1;
	strbuf_init(&sql);
	build_split(source, column, count, pages, &sql);
	if (strbuf_check(&sql, err) == 0)
		rows = pg_query(source->conn, sql.data, NULL, 0, err);
	if (rows >= 0) {
		rc = read_ranges(source, rows, ranges, count, err);
		pg_finish(source->conn);
	}
	strbuf_release(&sql);
	return rc;
}

static int add_end(struct postgresql_source *source,
		   const struct catalog_column *column, const char *setting,
		   const char *comparison, const struct position *end,
		   struct strbuf *where, struct error *err)
{
	char value[POSITION_MAX + 1];
	size_t len;

	if (end->len <= PG_LOAD_BYTES)
		return 0;
	len = end->len - PG_LOAD_BYTES;
	memcpy(value, end->bytes + PG_LOAD_BYTES, len);
	value[len] = '\0';
	if (pg_choice_set(source, setting, value, err) < 0)
		return -1;
	strbuf_addstr(where, where->len ? " AND " : " WHERE ");
	pg_choice_add_key(where, column);
	strbuf_addf(where, " %s current_setting('%s')::%s", comparison, setting,
		    pg_choice_key_type(column));
	return 0;
}

int pg_split_condition(struct postgresql_source *source,
		       const struct key_range *range, struct strbuf *where,
		       struct error *err)
{
	const struct catalog_column *column =
		pg_catalog_key(&source->catalog, 0);

	if (!range->low.len && !range->high.len)
		return 0;
	if (!column)
		return error_set(err, ERROR_SCHEMA,
				 "the table has no key any more by which its "
				 "load was divided");
	if (add_end(source, column, "dataflow.first", ">=", &range->low, where,
		    err) < 0)
		return -1;
	return add_end(source, column, "dataflow.end", "<", &range->high, where,
		       err);
}
