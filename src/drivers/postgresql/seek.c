/*
 * How a table is cut into spans, and what the server says they hold.
 *
 * A digest is the sum of MD5s over what the output functions of the values'
 * types write, in UTF-8, whatever the database's encoding: much less comes over
 * the wire than there is in the table. What may be long goes into it by an MD5
 * of its own, so that no row becomes a text that is too long for a server.
 */
#include "drivers/postgresql/choice.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/postgresql/quote.h"
#include "row/text.h"

static int build_seek(struct postgresql_source *source,
		      const struct table *keys, const struct choice_sql *choice,
		      bool backwards, uint64_t skip, struct strbuf *sql,
		      struct error *err)
{
	const struct catalog_column *column;

	strbuf_addstr(sql, "SELECT ");
	for (size_t i = 0; i < keys->column_count; i++) {
		if (pg_source_column(source, keys->columns[i].name, &column,
				     err) < 0)
			return -1;
		strbuf_addf(sql, "%stextin(%s(t.", i ? ", " : "",
			    column->output);
		quote_name(sql, column->name);
		if (column->domain)
			strbuf_addf(sql, "::%s", column->type.words);
		strbuf_addstr(sql, "))");
	}
	strbuf_addf(sql, "%s%s ORDER BY ", choice->from.data,
		    choice->where.data);
	if (pg_choice_add_keys(sql, source, keys, backwards ? " DESC" : "",
			       err) < 0)
		return -1;
	strbuf_addf(sql, " OFFSET %llu LIMIT 1", (unsigned long long)skip);
	return strbuf_check(sql, err);
}

/* The one row of the result, in words, into the empty batch. */
static int take_key(struct postgresql_source *source, const struct table *keys,
		    struct batch *out, struct error *err)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		int rc = 1;

		for (size_t i = 0; i < keys->column_count && rc > 0; i++) {
			const char *text = pg_get_text(source->conn, 0, (int)i);

			if (pg_null(source->conn, 0, (int)i))
				batch_put_null(out, i);
			else
				rc = pg_decode_words(&source->plans[i], out,
						     text, strlen(text), err);
		}
		if (rc < 0)
			return -1;
		if (rc > 0) {
			batch_add_row(out, ROW_UPSERT);
			return 1;
		}
		batch_make_lone(out);
	}
	return error_memory(err, "a row");
}

int pg_seek_key(struct postgresql_source *source, const struct table *keys,
		const struct key_span *span, bool backwards, uint64_t skip,
		struct batch *out, struct error *err)
{
	struct row_choice choice = {.span = span};
	struct choice_sql pieces;
	struct strbuf sql;
	int64_t rows;
	int rc = -1;

	strbuf_init(&sql);
	if (pg_source_begin_snapshot(source, true, err) < 0) {
		strbuf_release(&sql);
		return -1;
	}
	if (pg_choice_build(source, &choice, &pieces, err) == 0 &&
	    build_seek(source, keys, &pieces, backwards, skip, &sql, err) ==
		    0 &&
	    pg_source_plan(source, keys, err) == 0) {
		rows = pg_query(source->conn, sql.data, NULL, 0, err);
		rc = rows > 0 ? take_key(source, keys, out, err) : (int)rows;
	}
	pg_choice_release(&pieces);
	strbuf_release(&sql);
	return rc;
}

/* ------------------------------------------------------------------- digest */

/* Can its text be longer than what a row may hold a thousand times? */
static bool may_be_long(const struct catalog_column *column,
			const struct column *shape)
{
	enum pg_form form = pg_type_form(&column->type);

	return (form == PG_FORM_TEXT || form == PG_FORM_WORDS ||
		form == PG_FORM_JSONB || form == PG_FORM_BYTEA) &&
	       (!shape->length || shape->length > 256);
}

/* "-" for NULL; else the text's length in bytes, a colon and the text. */
static void add_field(struct strbuf *sql, const struct catalog_column *column,
		      const struct column *shape)
{
	struct strbuf text;

	strbuf_init(&text);
	strbuf_addf(&text, "textin(%s(t.", column->output);
	quote_name(&text, column->name);
	if (column->domain)
		strbuf_addf(&text, "::%s", column->type.words);
	strbuf_addstr(&text, "))");
	if (may_be_long(column, shape)) {
		struct strbuf bytes;

		strbuf_init(&bytes);
		if (pg_type_form(&column->type) == PG_FORM_BYTEA) {
			strbuf_addstr(&bytes, "t.");
			quote_name(&bytes, column->name);
			strbuf_addstr(&bytes, "::bytea");
		} else {
			strbuf_addf(&bytes, "convert_to(%s, 'UTF8')",
				    text.data);
		}
		strbuf_addf(sql, "COALESCE(md5(%s), '-')", bytes.data);
		if (bytes.failed)
			sql->failed = bytes.failed;
		strbuf_release(&bytes);
	} else {
		strbuf_addf(sql, "COALESCE(char_length(%s) || ':' || %s, '-')",
			    text.data, text.data);
	}
	if (text.failed)
		sql->failed = text.failed;
	strbuf_release(&text);
}

/* A function takes no more than a hundred arguments. */
#define ARGUMENTS_MAX 90

static int add_fields(struct strbuf *sql,
		      const struct postgresql_source *source,
		      const struct table *shape, const size_t *take,
		      size_t count, struct error *err)
{
	const struct catalog_column *column;

	strbuf_addstr(sql, "concat_ws(','");
	for (size_t i = 0; i < count; i++) {
		const struct column *def = &shape->columns[take[i]];

		if (pg_source_column(source, def->name, &column, err) < 0)
			return -1;
		strbuf_addstr(sql, i && i % ARGUMENTS_MAX == 0
					   ? ") || ',' || concat_ws(',', "
					   : ", ");
		add_field(sql, column, def);
	}
	strbuf_addch(sql, ')');
	return 0;
}

static int build_digest(const struct postgresql_source *source,
			const struct table *shape, const size_t *take,
			size_t take_count, const struct table *keys,
			const struct choice_sql *choice, uint64_t limit,
			struct strbuf *sql, struct error *err)
{
	strbuf_addstr(sql, "SELECT count(*)");
	for (int i = 0; i < 4; i++)
		strbuf_addf(sql,
			    ", COALESCE(sum(('x' || substr(r.h, %d, 8))"
			    "::bit(32)::int8), 0)",
			    8 * i + 1);
	strbuf_addstr(sql, " FROM (SELECT md5(convert_to(");
	if (add_fields(sql, source, shape, take, take_count, err) < 0)
		return -1;
	strbuf_addf(sql, ", 'UTF8')) AS h%s%s ORDER BY ", choice->from.data,
		    choice->where.data);
	if (pg_choice_add_keys(sql, source, keys, "", err) < 0)
		return -1;
	strbuf_addf(sql, " LIMIT %llu) AS r", (unsigned long long)limit);
	return strbuf_check(sql, err);
}

static int read_sum(struct postgresql_source *source, const char *sql,
		    struct row_sum *out, struct error *err)
{
	memset(out, 0, sizeof(*out));
	if (pg_query(source->conn, sql, NULL, 0, err) < 0)
		return -1;
	out->rows = (uint64_t)pg_get_int(source->conn, 0, 0);
	for (int i = 0; i < 4; i++)
		out->words[i] =
			strtoull(pg_get_text(source->conn, 0, i + 1), NULL, 10);
	pg_finish(source->conn);
	return 0;
}

int pg_digest_read(struct postgresql_source *source, const struct table *shape,
		   const size_t *take, size_t take_count,
		   const struct table *keys, const struct key_span *span,
		   uint64_t limit, struct row_sum *out, struct error *err)
{
	struct row_choice choice = {.span = span};
	struct choice_sql pieces;
	struct strbuf sql;
	int ret = -1;

	if (pg_source_begin_snapshot(source, true, err) < 0)
		return -1;
	strbuf_init(&sql);
	if (pg_choice_build(source, &choice, &pieces, err) == 0 &&
	    build_digest(source, shape, take, take_count, keys, &pieces, limit,
			 &sql, err) == 0)
		ret = read_sum(source, sql.data, out, err);
	pg_choice_release(&pieces);
	strbuf_release(&sql);
	return ret;
}
