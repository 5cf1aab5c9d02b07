#include "drivers/postgresql/choice.h"

#include <stdio.h>
#include <string.h>

#include "drivers/postgresql/quote.h"
#include "row/text.h"

/*
 * Does PostgreSQL itself bring the operators of its type? Arrays would come out
 * of an array of arrays as their elements.
 */
static bool has_own_order(const struct catalog_column *column)
{
	return (column->type.built_in || column->type.kind == 'e') &&
	       !strchr(column->type.plain, '[');
}

void pg_choice_add_key(struct strbuf *sql, const struct catalog_column *column)
{
	bool own = has_own_order(column);

	if (!own)
		strbuf_addf(sql, "textin(%s(", column->output);
	strbuf_addstr(sql, "t.");
	quote_name(sql, column->name);
	if (column->domain)
		strbuf_addf(sql, "::%s", column->type.words);
	if (!own)
		strbuf_addstr(sql, ")) COLLATE \"C\"");
}

const char *pg_choice_key_type(const struct catalog_column *column)
{
	return has_own_order(column) ? column->type.plain : "text";
}

static int key_column(const struct postgresql_source *source,
		      const struct table *keys, size_t k,
		      const struct catalog_column **out, struct error *err)
{
	return pg_source_column(source, keys->columns[keys->key[k]].name, out,
				err);
}

int pg_choice_add_keys(struct strbuf *sql,
		       const struct postgresql_source *source,
		       const struct table *keys, const char *suffix,
		       struct error *err)
{
	const struct catalog_column *column;

	for (size_t k = 0; k < keys->key_count; k++) {
		if (key_column(source, keys, k, &column, err) < 0)
			return -1;
		strbuf_addstr(sql, k ? ", " : "");
		pg_choice_add_key(sql, column);
		strbuf_addstr(sql, suffix);
	}
	return 0;
}

int pg_choice_set(struct postgresql_source *source, const char *name,
		  const char *value, struct error *err)
{
	struct pg_param params[] = {pg_text(name), pg_text(value)};

	if (pg_query(source->conn, "SELECT set_config($1, $2, true)", params, 2,
		     err) < 0)
		return -1;
	pg_finish(source->conn);
	return 0;
}

static void add_and(struct strbuf *where)
{
	strbuf_addstr(where, where->len ? " AND " : " WHERE ");
}

/* ------------------------------------------------------------------- values */

/* A value of a key as its type's input function reads it. */
static void add_value(struct strbuf *out, const struct batch *keys, size_t col,
		      size_t row)
{
	const struct row_slice *slice;

	if (keys->table->columns[col].type != ROW_BYTES) {
		row_format(out, keys, col, row);
		return;
	}
	slice = &keys->columns[col].slice[row];
	strbuf_addstr(out, "\\x");
	for (size_t i = 0; i < slice->len; i++)
		strbuf_addf(out, "%02x", slice->data[i]);
}

/* All values of a key column as an array. */
static int array_of(struct strbuf *out, const struct batch *keys, size_t col,
		    struct error *err)
{
	struct strbuf value;

	strbuf_init(&value);
	strbuf_addch(out, '{');
	for (size_t row = 0; row < keys->rows; row++) {
		strbuf_addstr(out, row ? "," : "");
		if (batch_null(keys, col, row)) {
			strbuf_addstr(out, "NULL");
			continue;
		}
		strbuf_reset(&value);
		add_value(&value, keys, col, row);
		strbuf_addch(out, '"');
		for (size_t i = 0; i < value.len; i++) {
			if (strchr("\"\\", value.data[i]))
				strbuf_addch(out, '\\');
			strbuf_addch(out, value.data[i]);
		}
		strbuf_addch(out, '"');
	}
	strbuf_addch(out, '}');
	if (value.failed)
		out->failed = value.failed;
	strbuf_release(&value);
	return strbuf_check(out, err);
}

#define SETTING_MAX 48

static int set_array(struct postgresql_source *source, const char *name,
		     const struct batch *keys, size_t col, struct error *err)
{
	struct strbuf value;
	int ret = -1;

	strbuf_init(&value);
	if (array_of(&value, keys, col, err) == 0)
		ret = pg_choice_set(source, name, value.data, err);
	strbuf_release(&value);
	return ret;
}

static int set_value(struct postgresql_source *source, const char *name,
		     const struct batch *keys, size_t col, struct error *err)
{
	struct strbuf value;
	int ret = -1;

	if (batch_null(keys, col, 0))
		return error_set(err, ERROR_DATA, "a key is NULL");
	strbuf_init(&value);
	add_value(&value, keys, col, 0);
	if (strbuf_check(&value, err) == 0)
		ret = pg_choice_set(source, name, value.data, err);
	strbuf_release(&value);
	return ret;
}

/* ---------------------------------------------------------------- keys, spans */

static int choose_keys(struct postgresql_source *source,
		       const struct batch *keys, struct choice_sql *out,
		       struct error *err)
{
	const struct table *table = keys->table;
	const struct catalog_column *column;
	char setting[SETTING_MAX];

	strbuf_addstr(&out->from,
		      " INNER JOIN (SELECT DISTINCT * FROM unnest(");
	add_and(&out->where);
	for (size_t k = 0; k < table->key_count; k++) {
		snprintf(setting, sizeof(setting), "dataflow.keys%zu", k);
		if (key_column(source, table, k, &column, err) < 0 ||
		    set_array(source, setting, keys, table->key[k], err) < 0)
			return -1;
		strbuf_addf(&out->from, "%scurrent_setting('%s')::%s[]",
			    k ? ", " : "", setting, pg_choice_key_type(column));
		strbuf_addstr(&out->where, k ? " AND " : "");
		pg_choice_add_key(&out->where, column);
		strbuf_addf(&out->where, " = k.k%zu", k);
	}
	strbuf_addstr(&out->from, ")) AS k (");
	for (size_t k = 0; k < table->key_count; k++)
		strbuf_addf(&out->from, "%sk%zu", k ? ", " : "", k);
	strbuf_addstr(&out->from, ") ON true");
	return 0;
}

/* PostgreSQL compares rows as they sort, and uses an index for it. */
static int choose_end(struct postgresql_source *source, const struct batch *end,
		      const char *comparison, const char *which,
		      struct strbuf *where, struct error *err)
{
	const struct table *table = end->table;
	const struct catalog_column *column;
	char setting[SETTING_MAX];

	add_and(where);
	strbuf_addch(where, '(');
	if (pg_choice_add_keys(where, source, table, "", err) < 0)
		return -1;
	strbuf_addf(where, ") %s (", comparison);
	for (size_t k = 0; k < table->key_count; k++) {
		snprintf(setting, sizeof(setting), "dataflow.%s%zu", which, k);
		if (key_column(source, table, k, &column, err) < 0 ||
		    set_value(source, setting, end, table->key[k], err) < 0)
			return -1;
		strbuf_addf(where, "%scurrent_setting('%s')::%s", k ? ", " : "",
			    setting, pg_choice_key_type(column));
	}
	strbuf_addch(where, ')');
	return 0;
}

static int build(struct postgresql_source *source,
		 const struct row_choice *choice, struct choice_sql *out,
		 struct error *err)
{
	const struct key_span *span = choice->span;

	if (choice->range &&
	    pg_split_condition(source, choice->range, &out->where, err) < 0)
		return -1;
	if (choice->keys && choose_keys(source, choice->keys, out, err) < 0)
		return -1;
	if (span && span->low &&
	    choose_end(source, span->low, ">=", "low", &out->where, err) < 0)
		return -1;
	if (span && span->high &&
	    choose_end(source, span->high, "<", "high", &out->where, err) < 0)
		return -1;
	if (choice->condition) {
		if (pg_condition_check(choice->condition, err) < 0)
			return -1;
		add_and(&out->where);
		strbuf_addf(&out->where, "(%s\n)", choice->condition);
	}
	return 0;
}

int pg_choice_build(struct postgresql_source *source,
		    const struct row_choice *choice, struct choice_sql *out,
		    struct error *err)
{
	strbuf_init(&out->from);
	strbuf_init(&out->where);
	strbuf_addstr(&out->from, " FROM ");
	pg_source_add_table(&out->from, source);
	if (choice && build(source, choice, out, err) < 0)
		return -1;
	if (strbuf_check(&out->from, err) < 0 ||
	    strbuf_check(&out->where, err) < 0)
		return -1;
	return 0;
}

void pg_choice_release(struct choice_sql *sql)
{
	strbuf_release(&sql->from);
	strbuf_release(&sql->where);
}
