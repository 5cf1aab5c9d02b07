/* The full-sync trigger column, which is the only thing that is written. */
#include "drivers/postgresql/source.h"

#include "drivers/postgresql/quote.h"

/* Rows of one UPDATE, each a transaction: few enough to lock nobody out. */
#define RESET_ROWS 1000

/* NULL: it cannot be one. */
static const struct catalog_column *find_column(
	struct postgresql_source *source, struct error *err)
{
	const struct catalog_column *column;
	char name[TABLE_NAME_TEXT_MAX];
	enum pg_form form;

	if (pg_source_know_table(source, err) < 0)
		return NULL;
	column = pg_catalog_column(&source->catalog, source->trigger_column);
	table_name_format(name, &source->name);
	if (!column) {
		error_set(err, ERROR_SCHEMA,
			  "full_sync_trigger_column '%s' does not exist in "
			  "source table '%s'",
			  source->trigger_column, name);
		return NULL;
	}
	form = pg_type_form(&column->type);
	if (form != PG_FORM_BOOL && form != PG_FORM_INT2 &&
	    form != PG_FORM_INT4 && form != PG_FORM_INT8) {
		error_set(err, ERROR_SCHEMA,
			  "full_sync_trigger_column '%s' of source table '%s' "
			  "is %s; it must be boolean or an integer",
			  source->trigger_column, name, column->type.words);
		return NULL;
	}
	if (column->computed) {
		error_set(err, ERROR_SCHEMA,
			  "full_sync_trigger_column '%s' of source table '%s' "
			  "is computed and cannot be reset",
			  source->trigger_column, name);
		return NULL;
	}
	return column;
}

/* "t"."sync" = 1 */
static void add_asked(struct strbuf *sql, const struct catalog_column *column)
{
	strbuf_addstr(sql, "t.");
	quote_name(sql, column->name);
	strbuf_addstr(sql, pg_type_form(&column->type) == PG_FORM_BOOL
				   ? " = true"
				   : " = 1");
}

int pg_trigger_count(struct postgresql_source *source, uint64_t limit,
		     uint64_t *rows, struct error *err)
{
	const struct catalog_column *column;
	struct strbuf sql;
	int ret = -1;

	*rows = 0;
	column = find_column(source, err);
	if (!column)
		return -1;
	strbuf_init(&sql);
	strbuf_addstr(&sql, "SELECT count(*) FROM (SELECT 1 FROM ");
	pg_source_add_table(&sql, source);
	strbuf_addstr(&sql, " WHERE ");
	add_asked(&sql, column);
	strbuf_addf(&sql, " LIMIT %llu) AS asked", (unsigned long long)limit);
	if (strbuf_check(&sql, err) == 0 &&
	    pg_query(source->conn, sql.data, NULL, 0, err) > 0) {
		*rows = (uint64_t)pg_get_int(source->conn, 0, 0);
		pg_finish(source->conn);
		ret = 0;
	}
	strbuf_release(&sql);
	if (ret < 0)
		pg_source_advise(source, "SELECT", err);
	return ret;
}

/*
 * A row is found again by the place where it lies and the partition that it is
 * in; one that was updated meanwhile has gone elsewhere, and is found next time.
 */
static void build_reset(const struct postgresql_source *source,
			const struct catalog_column *column, struct strbuf *sql)
{
	strbuf_addstr(sql, "UPDATE ");
	pg_source_add_table(sql, source);
	strbuf_addstr(sql, " SET ");
	quote_name(sql, column->name);
	strbuf_addstr(sql, pg_type_form(&column->type) == PG_FORM_BOOL
				   ? " = false"
				   : " = 0");
	strbuf_addstr(sql, " WHERE ");
	add_asked(sql, column);
	if (source->catalog.kind != 'r' && source->catalog.kind != 'p')
		return;
	strbuf_addstr(sql, " AND (t.tableoid, t.ctid) IN (SELECT t.tableoid, "
			   "t.ctid FROM ");
	pg_source_add_table(sql, source);
	strbuf_addstr(sql, " WHERE ");
	add_asked(sql, column);
	strbuf_addf(sql, " LIMIT %d)", RESET_ROWS);
}

static void advise(const struct postgresql_source *source,
		   const struct catalog_column *column, struct error *err)
{
	struct strbuf right;

	strbuf_init(&right);
	strbuf_addstr(&right, "UPDATE (");
	quote_name(&right, column->name);
	strbuf_addch(&right, ')');
	pg_source_advise(source, right.data, err);
	strbuf_release(&right);
}

int pg_trigger_clear(struct postgresql_source *source, uint64_t *rows,
		     struct error *err)
{
	const struct catalog_column *column;
	struct strbuf sql;
	int64_t changed = 0;
	int ret = -1;

	*rows = 0;
	column = find_column(source, err);
	if (!column)
		return -1;
	strbuf_init(&sql);
	build_reset(source, column, &sql);
	if (strbuf_check(&sql, err) < 0)
		goto done;
	do {
		changed = pg_query(source->conn, sql.data, NULL, 0, err);
		if (changed < 0)
			goto done;
		pg_finish(source->conn);
		*rows += (uint64_t)changed;
	} while (changed > 0);
	ret = 0;
done:
	if (ret < 0)
		advise(source, column, err);
	strbuf_release(&sql);
	return ret;
}
