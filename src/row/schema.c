#include "row/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"

void table_init(struct table *table)
{
	memset(table, 0, sizeof(*table));
	arena_init(&table->arena, 0);
}

void table_release(struct table *table)
{
	arena_release(&table->arena);
	table_init(table);
}

static bool copy_column(struct arena *arena, struct column *to,
			const struct column *from)
{
	*to = *from;
	to->charset = NULL; /* says how one read is encoded */
	to->name = arena_strdup(arena, from->name);
	if (from->native)
		to->native = arena_strdup(arena, from->native);
	if (from->collation)
		to->collation = arena_strdup(arena, from->collation);
	if (from->sorting)
		to->sorting = arena_strdup(arena, from->sorting);
	return to->name && (to->native || !from->native) &&
	       (to->collation || !from->collation) &&
	       (to->sorting || !from->sorting);
}

/* Key columns that are left out leave the key, too. */
static void project_key(struct table *to, const struct table *from,
			const bool *keep)
{
	for (size_t k = 0; k < from->key_count; k++) {
		size_t at = 0;

		if (!keep[from->key[k]])
			continue;
		for (size_t i = 0; i < from->key[k]; i++)
			at += keep[i];
		to->key[to->key_count++] = at;
	}
}

int table_project(struct table *to, const struct table *from,
		  const struct table_name *name, const bool *keep,
		  struct error *err)
{
	struct arena *arena = &to->arena;

	name = name ? name : &from->name;
	to->name.database = arena_strdup(arena, name->database);
	to->name.schema = arena_strdup(arena, name->schema);
	to->name.table = arena_strdup(arena, name->table);
	to->system = from->system;
	to->columns = arena_calloc(arena, from->column_count + 1,
				   sizeof(*to->columns));
	to->key = arena_calloc(arena, from->key_count + 1, sizeof(*to->key));
	if (!to->name.database || !to->name.schema || !to->name.table ||
	    !to->columns || !to->key)
		return error_memory(err, "a table's definition");
	for (size_t i = 0; i < from->column_count; i++)
		if (keep[i] &&
		    !copy_column(arena, &to->columns[to->column_count++],
				 &from->columns[i]))
			return error_memory(err, "a table's definition");
	project_key(to, from, keep);
	to->key_unsure = from->key_unsure;
	return 0;
}

int table_copy(struct table *to, const struct table *from,
	       const struct table_name *name, struct error *err)
{
	bool *keep = calloc(from->column_count + 1, sizeof(*keep));
	int ret;

	if (!keep)
		return error_memory(err, "a table's definition");
	for (size_t i = 0; i < from->column_count; i++)
		keep[i] = true;
	ret = table_project(to, from, name, keep, err);
	free(keep);
	return ret;
}

struct column *table_column(const struct table *table, const char *name)
{
	struct column *folded = NULL;

	for (size_t i = 0; i < table->column_count; i++) {
		if (!strcmp(table->columns[i].name, name))
			return &table->columns[i];
		if (!folded && text_iequal(table->columns[i].name, name))
			folded = &table->columns[i];
	}
	return folded;
}

bool table_is_key(const struct table *table, size_t i)
{
	for (size_t k = 0; k < table->key_count; k++)
		if (table->key[k] == i)
			return true;
	return false;
}

/*
 * Take the next name off a comma list into `name`. Returns the rest, NULL when
 * a bracket or quote is left open.
 */
static const char *next_name(const char *list, struct strbuf *name)
{
	char close = '\0';

	strbuf_reset(name);
	list += strspn(list, " \t\r\n");
	if (*list == '[' || *list == '"')
		close = *list++ == '[' ? ']' : '"';
	for (; *list && (close || *list != ','); list++) {
		if (close && *list == close) {
			if (list[1] != close) {
				list++;
				list += strspn(list, " \t\r\n");
				return *list == ',' || !*list ? list : NULL;
			}
			list++;
		}
		strbuf_addch(name, *list);
	}
	while (!close && name->len &&
	       strchr(" \t\r\n", name->data[name->len - 1]))
		name->data[--name->len] = '\0';
	return close ? NULL : list;
}

int table_set_key(struct table *table, const char *list, struct error *err)
{
	char where[TABLE_NAME_TEXT_MAX];
	struct strbuf name;
	struct column *column;
	size_t *key;
	size_t count = 0;
	int ret = -1;

	strbuf_init(&name);
	key = arena_calloc(&table->arena, table->column_count + 1,
			   sizeof(*key));
	if (!key) {
		error_memory(err, "a key");
		goto done;
	}
	table_name_format(where, &table->name);
	for (;;) {
		list = next_name(list, &name);
		if (strbuf_check(&name, err) < 0)
			goto done;
		if (!list || !name.len) {
			error_set(err, ERROR_SCHEMA,
				  "the list of key columns for '%s' is not a "
				  "comma list of names",
				  where);
			goto done;
		}
		column = table_column(table, name.data);
		if (!column) {
			error_set(err, ERROR_SCHEMA,
				  "key column '%s' does not exist in '%s'",
				  name.data, where);
			goto done;
		}
		for (size_t k = 0; k < count; k++) {
			if (&table->columns[key[k]] == column) {
				error_set(err, ERROR_SCHEMA,
					  "key column '%s' is named twice",
					  name.data);
				goto done;
			}
		}
		key[count++] = (size_t)(column - table->columns);
		if (!*list)
			break;
		list++;
	}
	table->key = key;
	table->key_count = count;
	ret = 0;
done:
	strbuf_release(&name);
	return ret;
}

const char *table_name_format(char out[TABLE_NAME_TEXT_MAX],
			      const struct table_name *name)
{
	const char *parts[] = {name->database, name->schema, name->table};

	out[0] = '\0';
	for (size_t i = 0; i < 3; i++) {
		if (!parts[i] || !*parts[i])
			continue;
		if (out[0])
			text_append(out, TABLE_NAME_TEXT_MAX, ".");
		text_append(out, TABLE_NAME_TEXT_MAX, parts[i]);
	}
	return out;
}

void table_signature(const struct table *table, struct strbuf *out)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *c = &table->columns[i];

		strbuf_addf(out, "%s %s %s %s\n", c->name,
			    c->native ? c->native : row_type_name(c->type),
			    c->collation ? c->collation : "-",
			    c->nullable ? "null" : "not null");
	}
	for (size_t k = 0; k < table->key_count; k++)
		strbuf_addf(out, "key %zu\n", table->key[k]);
}
