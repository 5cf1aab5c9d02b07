#include "drivers/postgresql/choice.h"

#include "drivers/postgresql/quote.h"

static int build_longer(const struct postgresql_source *source,
			const struct table *table,
			const struct catalog_column *column, int length,
			struct strbuf *sql, struct error *err)
{
	bool bytes = pg_type_form(&column->type) == PG_FORM_BYTEA;

	strbuf_addstr(sql, "SELECT concat_ws(', '");
	for (size_t k = 0; k < table->key_count; k++) {
		const struct catalog_column *key;

		if (pg_source_column(source, table->columns[table->key[k]].name,
				     &key, err) < 0)
			return -1;
		strbuf_addf(sql, ", textin(%s(t.", key->output);
		quote_name(sql, key->name);
		strbuf_addstr(sql, "))");
	}
	strbuf_addstr(sql, ") FROM ");
	pg_source_add_table(sql, source);
	strbuf_addstr(sql,
		      bytes ? " WHERE octet_length(" : " WHERE char_length(");
	pg_decode_expression(sql, column, "t");
	strbuf_addf(sql, "%s) > %d ORDER BY ", bytes ? "::bytea" : "::text",
		    length);
	if (pg_choice_add_keys(sql, source, table, "", err) < 0)
		return -1;
	strbuf_addstr(sql, " LIMIT 1");
	return strbuf_check(sql, err);
}

int pg_longer_find(struct postgresql_source *source, const struct table *table,
		   const char *name, int length, struct strbuf *key,
		   struct error *err)
{
	const struct catalog_column *column;
	struct strbuf sql;
	int64_t rows = -1;

	if (pg_source_know_table(source, err) < 0)
		return -1;
	column = pg_catalog_column(&source->catalog, name);
	if (!column || !table->key_count)
		return 0;
	strbuf_init(&sql);
	if (build_longer(source, table, column, length, &sql, err) == 0)
		rows = pg_query(source->conn, sql.data, NULL, 0, err);
	strbuf_release(&sql);
	if (rows > 0)
		strbuf_addstr(key, pg_get_text(source->conn, 0, 0));
	pg_finish(source->conn);
	if (rows > 0 && strbuf_check(key, err) < 0)
		return -1;
	return (int)rows;
}
