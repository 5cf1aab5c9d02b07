#include "unit/tsql.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "unit/helper.h"

static const char *skip_blanks(const char *s)
{
	for (;;) {
		while (isspace((unsigned char)*s))
			s++;
		if (s[0] == '-' && s[1] == '-')
			s += strcspn(s, "\n");
		else if (s[0] == '/' && s[1] == '*')
			s = strstr(s, "*/") + 2;
		else
			return s;
	}
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '@' || c == '#' ||
	       c == '$';
}

static void read_string(struct tsql *t, const char *s)
{
	size_t len = 0;

	t->kind = TSQL_STRING;
	for (; *s; s++) {
		if (*s == '\'' && *++s != '\'')
			break;
		assert_true(len < sizeof(t->text) - 1);
		t->text[len++] = *s;
	}
	t->text[len] = '\0';
	t->at = s;
}

void tsql_next(struct tsql *t)
{
	const char *s = skip_blanks(t->at);
	size_t len = 0;

	if (*s == '\'') {
		read_string(t, s + 1);
		return;
	}
	if (*s == 'N' && s[1] == '\'') {
		read_string(t, s + 2);
		return;
	}
	t->kind = !*s ? TSQL_END : is_word(*s) ? TSQL_WORD : TSQL_OTHER;
	if (*s == '[') { /* a quoted name */
		t->kind = TSQL_WORD;
		len = strcspn(++s, "]");
	} else if (t->kind == TSQL_WORD)
		while (is_word(s[len]))
			len++;
	else if (*s)
		len = 1;
	assert_true(len < sizeof(t->text));
	memcpy(t->text, s, len);
	t->text[len] = '\0';
	t->at = s + len + (s[len] == ']');
}

void tsql_begin(struct tsql *t, const char *text)
{
	t->at = text;
	tsql_next(t);
}

bool tsql_is(const struct tsql *t, const char *word)
{
	return (t->kind == TSQL_WORD || t->kind == TSQL_OTHER) &&
	       text_iequal(t->text, word);
}

bool tsql_skip(struct tsql *t, const char *word)
{
	if (!tsql_is(t, word))
		return false;
	tsql_next(t);
	return true;
}

void tsql_need(struct tsql *t, const char *word)
{
	if (!tsql_skip(t, word))
		fail_msg("'%s' is expected at '%s' %.40s", word, t->text,
			 t->at);
}

static void take_word(struct tsql *t, char *out, size_t size)
{
	assert_int_equal(t->kind, TSQL_WORD);
	assert_true(strlen(t->text) < size);
	text_copy(out, size, t->text);
	tsql_next(t);
}

static void upper(char *s)
{
	for (; *s; s++)
		*s = (char)toupper((unsigned char)*s);
}

/* What stands in brackets, without blanks, the brackets with it. */
static void take_brackets(struct tsql *t, char *out, size_t size)
{
	int depth = 0;

	do {
		depth += tsql_is(t, "(");
		depth -= tsql_is(t, ")");
		text_append(out, size, t->kind == TSQL_STRING ? "'" : "");
		text_append(out, size, t->text);
		text_append(out, size, t->kind == TSQL_STRING ? "'" : "");
		assert_true(t->kind != TSQL_END);
		tsql_next(t);
	} while (depth);
}

static void take_default(struct tsql *t, struct tsql_column *column)
{
	if (t->kind == TSQL_STRING)
		snprintf(column->fallback, sizeof(column->fallback), "'%.100s'",
			 t->text);
	else
		text_copy(column->fallback, sizeof(column->fallback), t->text);
	tsql_next(t);
	if (tsql_is(t, "("))
		take_brackets(t, column->fallback, sizeof(column->fallback));
}

static void take_references(struct tsql *t, struct tsql_column *column)
{
	size_t size = sizeof(column->references);

	tsql_need(t, "dbo");
	tsql_need(t, ".");
	take_word(t, column->references, size);
	take_brackets(t, column->references, size);
	if (tsql_skip(t, "ON")) {
		tsql_need(t, "DELETE");
		tsql_need(t, "CASCADE");
		text_append(column->references, size, " CASCADE");
	}
}

/* A column's name, type and what follows, up to a comma or the end. */
static void take_column(struct tsql *t, const char *table,
			struct tsql_column *column)
{
	memset(column, 0, sizeof(*column));
	text_copy(column->table, sizeof(column->table), table);
	take_word(t, column->name, sizeof(column->name));
	take_word(t, column->type, sizeof(column->type));
	if (tsql_is(t, "("))
		take_brackets(t, column->type, sizeof(column->type));
	upper(column->type);
	for (;;) {
		if (tsql_skip(t, "IDENTITY")) {
			char seed[32] = "";

			column->identity = true;
			take_brackets(t, seed, sizeof(seed));
			assert_string_equal(seed, "(1,1)");
		} else if (tsql_skip(t, "NOT")) {
			tsql_need(t, "NULL");
			column->not_null = true;
		} else if (tsql_skip(t, "CONSTRAINT")) {
			tsql_next(t); /* its name */
		} else if (tsql_skip(t, "PRIMARY")) {
			tsql_need(t, "KEY");
			column->primary_key = true;
		} else if (tsql_skip(t, "UNIQUE")) {
			column->unique = true;
		} else if (tsql_skip(t, "DEFAULT")) {
			take_default(t, column);
		} else if (tsql_skip(t, "REFERENCES")) {
			take_references(t, column);
		} else if (!tsql_skip(t, "NULL")) {
			break;
		}
	}
}

static void take_table(struct tsql *t, struct tsql_schema *schema)
{
	struct tsql_table *table = &schema->tables[schema->table_count++];

	assert_true(schema->table_count <= TSQL_TABLES_MAX);
	tsql_need(t, "dbo");
	tsql_need(t, ".");
	take_word(t, table->name, sizeof(table->name));
	tsql_need(t, "(");
	do {
		assert_true(table->count < TSQL_COLUMNS_MAX);
		take_column(t, table->name, &table->columns[table->count++]);
	} while (tsql_skip(t, ","));
	tsql_need(t, ")");
}

static void take_alter(struct tsql *t, struct tsql_schema *schema)
{
	char table[64];

	tsql_need(t, "dbo");
	tsql_need(t, ".");
	take_word(t, table, sizeof(table));
	if (!tsql_skip(t, "ADD"))
		return;
	assert_true(schema->added_count < TSQL_COLUMNS_MAX);
	take_column(t, table, &schema->added[schema->added_count++]);
}

static void take_index(struct tsql *t, struct tsql_schema *schema)
{
	char *out = schema->indexes[schema->index_count++];
	size_t size = sizeof(schema->indexes[0]);

	assert_true(schema->index_count <= TSQL_TABLES_MAX);
	take_word(t, out, size);
	tsql_need(t, "ON");
	tsql_need(t, "dbo");
	tsql_need(t, ".");
	text_append(out, size, " ");
	text_append(out, size, t->text);
	tsql_next(t);
	take_brackets(t, out, size);
	/* In SQLite what is included stands among the keys. */
	if (tsql_skip(t, "INCLUDE")) {
		char included[128] = "";

		take_brackets(t, included, sizeof(included));
		out[strlen(out) - 1] = ',';
		text_append(out, size, included + 1);
	}
}

void tsql_read_schema(struct tsql_schema *schema, const char *script)
{
	struct tsql t;

	memset(schema, 0, sizeof(*schema));
	tsql_begin(&t, script);
	while (t.kind != TSQL_END) {
		if (tsql_skip(&t, "CREATE")) {
			if (tsql_skip(&t, "TABLE"))
				take_table(&t, schema);
			else if (tsql_skip(&t, "INDEX"))
				take_index(&t, schema);
		} else if (tsql_skip(&t, "ALTER")) {
			if (tsql_skip(&t, "TABLE"))
				take_alter(&t, schema);
		} else {
			tsql_next(&t);
		}
	}
}

char *tsql_view_columns(const char *script, char name[64])
{
	struct strbuf out;
	struct tsql t;
	char last[64] = "";
	int depth = 0;

	strbuf_init(&out);
	tsql_begin(&t, script);
	/* sqlcmd starts in the login's own database, not in ours. */
	tsql_need(&t, "USE");
	tsql_need(&t, "dbaops_dataflow");
	tsql_need(&t, ";");
	tsql_need(&t, "GO");
	tsql_need(&t, "CREATE");
	tsql_need(&t, "OR");
	tsql_need(&t, "ALTER");
	tsql_need(&t, "VIEW");
	tsql_need(&t, "dbo");
	tsql_need(&t, ".");
	take_word(&t, name, 64);
	tsql_need(&t, "AS");
	tsql_need(&t, "SELECT");
	if (tsql_skip(&t, "TOP")) {
		char count[32] = "";

		take_brackets(&t, count, sizeof(count));
	}
	/* A column is called what stands last before the comma. */
	while (depth || !tsql_is(&t, "FROM")) {
		assert_true(t.kind != TSQL_END);
		if (!depth && tsql_is(&t, ",")) {
			strbuf_addf(&out, "%s\n", last);
		} else if (t.kind == TSQL_WORD) {
			text_copy(last, sizeof(last), t.text);
		}
		depth += tsql_is(&t, "(") || tsql_is(&t, "CASE");
		depth -= tsql_is(&t, ")") || tsql_is(&t, "END");
		tsql_next(&t);
	}
	strbuf_addf(&out, "%s\n", last);
	return strbuf_detach(&out);
}
