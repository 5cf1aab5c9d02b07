/*
 * A span of a key of several columns is a lexicographic comparison, which SQL
 * Server has no word for. The columns in which both ends are the same become
 * equalities, so that a span inside one large group is sought, not scanned;
 * the first column that differs bounds the scan, and the rest is looked at row
 * by row.
 */
#include "drivers/sqlserver/choice.h"

#include <string.h>

#include "drivers/sqlserver/condition.h"
#include "drivers/sqlserver/loader.h"
#include "drivers/sqlserver/split.h"
#include "drivers/sqlserver/sql.h"

#define CHOICE_KEYS "#dataflow_keys"

const char *choice_key_name(const struct sqlserver_source *source,
			    const struct table *keys, size_t k)
{
	const char *name = keys->columns[keys->key[k]].name;
	const struct catalog_column *column =
		catalog_column(&source->catalog, name);

	return column ? column->name : name;
}

/* ---------------------------------------------------------- keys as rows */

int choice_load_keys(struct sqlserver_source *source, const char *table,
		     const struct batch *keys, struct error *err)
{
	struct loader *loader;
	struct strbuf sql;
	uint64_t rows;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addf(&sql, "DROP TABLE IF EXISTS %s; CREATE TABLE %s (", table,
		    table);
	loader_columns(&sql, &source->catalog, keys->table, false);
	strbuf_addch(&sql, ')');
	if (strbuf_check(&sql, err) < 0 ||
	    tds_exec(source->conn, sql.data, err) < 0)
		goto done;
	loader = loader_new(source->conn, table, &source->catalog, keys->table,
			    false, err);
	if (!loader)
		goto done;
	if (loader_write(loader, keys, err) == 0)
		ret = loader_end(loader, &rows, err);
	loader_free(loader);
done:
	strbuf_release(&sql);
	return ret;
}

static void add_and(struct strbuf *where)
{
	strbuf_addstr(where, where->len ? " AND " : " WHERE ");
}

static int choose_keys(struct sqlserver_source *source,
		       const struct batch *keys, struct choice_sql *out,
		       struct error *err)
{
	if (choice_load_keys(source, CHOICE_KEYS, keys, err) < 0)
		return -1;
	strbuf_addstr(&out->tables, CHOICE_KEYS " AS k CROSS JOIN ");
	for (size_t k = 0; k < keys->table->key_count; k++) {
		const char *name = choice_key_name(source, keys->table, k);

		add_and(&out->where);
		sql_names(&out->where, "t.%n = k.%n", name, name);
	}
	return 0;
}

/* -------------------------------------------------------------------- spans */

static bool same_value(const struct batch *a, const struct batch *b, size_t col)
{
	const struct batch_column *left = &a->columns[col];
	const struct batch_column *right = &b->columns[col];

	if (batch_null(a, col, 0) || batch_null(b, col, 0))
		return false;
	switch (left->store) {
	case ROW_STORE_I64:
		return left->i64[0] == right->i64[0];
	case ROW_STORE_SLICE:
		return left->slice[0].len == right->slice[0].len &&
		       !memcmp(left->slice[0].data, right->slice[0].data,
			       left->slice[0].len);
	case ROW_STORE_F64:
	case ROW_STORE_WIDE:
		break;
	}
	return false; /* not worth it: the result is the same */
}

static size_t common_prefix(const struct key_span *span)
{
	const struct table *keys;
	size_t k = 0;

	if (!span->low || !span->high)
		return 0;
	keys = span->low->table;
	while (k + 1 < keys->key_count &&
	       same_value(span->low, span->high, keys->key[k]))
		k++;
	return k;
}

/*
 * "a.k1 OP e.k1 AND (a.k1 STRICT e.k1 OR (a.k2 …))": lexicographic, with the
 * first column bounded on its own, so that an index can be used.
 */
static void add_lexicographic(struct strbuf *sql,
			      const struct sqlserver_source *source,
			      const struct table *keys, size_t from,
			      const char *alias, const char *end, char strict,
			      const char *last)
{
	size_t open = 0;

	for (size_t k = from; k < keys->key_count; k++) {
		const char *name = choice_key_name(source, keys, k);

		if (k + 1 == keys->key_count) {
			strbuf_addf(sql, "%s.", alias);
			sql_names(sql, "%n", name, NULL);
			strbuf_addf(sql, " %s %s.", last, end);
			sql_names(sql, "%n", name, NULL);
			break;
		}
		if (k == from) {
			strbuf_addf(sql, "%s.", alias);
			sql_names(sql, "%n", name, NULL);
			strbuf_addf(sql, " %c= %s.", strict, end);
			sql_names(sql, "%n AND ", name, NULL);
		}
		strbuf_addf(sql, "(%s.", alias);
		sql_names(sql, "%n", name, NULL);
		strbuf_addf(sql, " %c %s.", strict, end);
		sql_names(sql, "%n", name, NULL);
		strbuf_addf(sql, " OR (%s.", alias);
		sql_names(sql, "%n", name, NULL);
		strbuf_addf(sql, " = %s.", end);
		sql_names(sql, "%n AND ", name, NULL);
		open += 2;
	}
	while (open--)
		strbuf_addch(sql, ')');
}

void choice_add_before(struct strbuf *sql,
		       const struct sqlserver_source *source,
		       const struct table *keys, size_t from, const char *alias)
{
	add_lexicographic(sql, source, keys, from, alias, "h", '<', "<");
}

static int choose_span(struct sqlserver_source *source,
		       const struct key_span *span, struct choice_sql *out,
		       struct error *err)
{
	const struct batch *any = span->low ? span->low : span->high;
	size_t same = common_prefix(span);

	if (!any)
		return 0;
	for (size_t k = 0; k < same; k++) {
		const char *name = choice_key_name(source, any->table, k);

		add_and(&out->where);
		sql_names(&out->where, "t.%n = l.%n", name, name);
	}
	if (span->low) {
		if (choice_load_keys(source, CHOICE_LOW, span->low, err) < 0)
			return -1;
		strbuf_addstr(&out->tables, CHOICE_LOW " AS l CROSS JOIN ");
		add_and(&out->where);
		add_lexicographic(&out->where, source, any->table, same, "t",
				  "l", '>', ">=");
	}
	if (span->high) {
		if (choice_load_keys(source, CHOICE_HIGH, span->high, err) < 0)
			return -1;
		strbuf_addstr(&out->tables, CHOICE_HIGH " AS h CROSS JOIN ");
		add_and(&out->where);
		choice_add_before(&out->where, source, any->table, same, "t");
	}
	return 0;
}

/* ---------------------------------------------------------------- together */

/* The keys beside the table, if there are any. */
static const struct table *keys_beside(const struct row_choice *choice)
{
	const struct batch *beside = choice->keys;

	if (!beside && choice->span)
		beside = choice->span->low ? choice->span->low
					   : choice->span->high;
	return beside ? beside->table : NULL;
}

/* A condition beside tables of keys: its names mean the table's own columns,
 * which those have, too. */
static void add_inside(const struct sqlserver_source *source,
		       const char *condition, const struct table *keys,
		       struct strbuf *where)
{
	strbuf_addstr(where, "EXISTS (SELECT 1 FROM ");
	sql_table(where, source->name.schema, source->name.table);
	strbuf_addstr(where, " AS x WHERE ");
	for (size_t k = 0; k < keys->key_count; k++) {
		const char *name = choice_key_name(source, keys, k);

		sql_names(where, "x.%n = t.%n AND ", name, name);
	}
	strbuf_addf(where, "(%s\n))", condition);
}

static int build(struct sqlserver_source *source,
		 const struct row_choice *choice, struct choice_sql *out,
		 struct error *err)
{
	const struct table *keys = keys_beside(choice);

	if (choice->range)
		split_condition(source, choice->range, &out->declare,
				&out->where, out->params, &out->param_count);
	if (choice->keys && choose_keys(source, choice->keys, out, err) < 0)
		return -1;
	if (choice->span && choose_span(source, choice->span, out, err) < 0)
		return -1;
	if (!choice->condition)
		return 0;
	if (condition_check(choice->condition, err) < 0)
		return -1;
	add_and(&out->where);
	if (keys)
		add_inside(source, choice->condition, keys, &out->where);
	else
		strbuf_addf(&out->where, "(%s\n)", choice->condition);
	return 0;
}

int choice_build(struct sqlserver_source *source,
		 const struct row_choice *choice, struct choice_sql *out,
		 struct error *err)
{
	strbuf_init(&out->declare);
	strbuf_init(&out->tables);
	strbuf_init(&out->where);
	out->param_count = 0;
	if (!choice)
		return 0;
	if (build(source, choice, out, err) < 0 ||
	    strbuf_check(&out->declare, err) < 0 ||
	    strbuf_check(&out->tables, err) < 0 ||
	    strbuf_check(&out->where, err) < 0)
		return -1;
	return 0;
}

void choice_release(struct choice_sql *sql)
{
	strbuf_release(&sql->declare);
	strbuf_release(&sql->tables);
	strbuf_release(&sql->where);
}
