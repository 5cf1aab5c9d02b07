#include <string.h>
#include <strings.h>

#include "sql/parser.h"

/* --- databases --- */

/* Files and filegroups are read and forgotten. */
static void database_files(struct parser *p)
{
	for (;;) {
		if (parse_is(p, K_ON) || parse_is_word(p, "log") ||
		    parse_is_word(p, "filegroup") || parse_is(p, K_PRIMARY)) {
			parse_advance(p);
			if (parse_at_ident(p) && !parse_is_word(p, "log"))
				parse_advance(p); /* filegroup's name */
		} else if (parse_is_op(p, "(")) {
			parse_skip_parens(p);
		} else if (!parse_accept_op(p, ",")) {
			return;
		}
	}
}

/* "SET a ON, b = c WITH ROLLBACK IMMEDIATE" */
static struct option_item *database_options(struct parser *p)
{
	struct option_item *first = NULL, **link = &first;

	do {
		struct option_item *o = pool_alloc(p->pool, sizeof(*o));

		o->name = p->tok->text;
		if (p->tok->kind != T_WORD)
			parse_syntax(p);
		parse_advance(p);
		if (parse_accept_op(p, "=")) {
			o->value = p->tok->text;
			parse_advance(p);
			while (parse_at_ident(p) &&
			       p->tok->kind == T_WORD) /* "2 DAYS" */
				parse_advance(p);
		} else if (parse_is(p, K_ON) || parse_is(p, K_OFF) ||
			   (parse_at_ident(p) && p->tok->kind == T_WORD) ||
			   parse_is(p, K_FULL)) {
			o->value = p->tok->text;
			parse_advance(p);
		}
		if (parse_is_op(p, "("))
			o->sub = parse_options(p);
		*link = o;
		link = &o->next;
	} while (parse_accept_op(p, ","));
	if (parse_accept(p, K_WITH)) {
		if (parse_accept(p, K_ROLLBACK)) {
			if (!parse_accept_word(p, "immediate")) {
				parse_expect_word(p, "after");
				parse_integer(p);
				parse_accept_word(p, "seconds");
			}
		} else {
			parse_expect_word(p, "no_wait");
		}
	}
	return first;
}

static void alter_database(struct parser *p, struct create_database *d)
{
	if (parse_accept(p, K_SET)) {
		d->options = database_options(p);
	} else if (parse_accept(p, K_COLLATE)) {
		d->collation = parse_ident(p);
	} else if (parse_accept_word(p, "modify")) {
		if (parse_accept_word(p, "name")) {
			parse_expect_op(p, "=");
			d->rename = parse_ident(p);
		} else {
			parse_advance(p);
			parse_skip_parens(p);
			while (parse_at_ident(p))
				parse_advance(p);
		}
	} else if (parse_is(p, K_ADD)) {
		parse_advance(p);
		parse_advance(p);
		database_files(p);
		if (parse_at_ident(p))
			parse_advance(p);
		if (parse_accept(p, K_TO)) {
			parse_expect_word(p, "filegroup");
			parse_label(p);
		}
	} else {
		parse_syntax(p);
	}
}

struct stmt *parse_database(struct parser *p, bool alter)
{
	struct stmt *s = parse_new_stmt(p, alter ? ST_ALTER_DATABASE
						 : ST_CREATE_DATABASE);
	struct create_database *d = pool_alloc(p->pool, sizeof(*d));

	s->database = d;
	d->alter = alter;
	parse_expect(p, K_DATABASE);
	if (alter && parse_is_word(p, "scoped"))
		return parse_unsupported(p, "DATABASE SCOPED CONFIGURATION");
	if (parse_is(p, K_CURRENT)) {
		parse_advance(p);
		d->name = "";
	} else {
		d->name = parse_ident(p);
	}
	if (alter) {
		alter_database(p, d);
		return s;
	}
	if (parse_is_word(p, "containment")) {
		parse_advance(p);
		parse_expect_op(p, "=");
		parse_advance(p);
	}
	database_files(p);
	if (parse_accept(p, K_COLLATE))
		d->collation = parse_ident(p);
	if (parse_accept(p, K_AS) || parse_is(p, K_FOR))
		return parse_unsupported(p, "CREATE DATABASE ... AS SNAPSHOT");
	if (parse_accept(p, K_WITH)) {
		do {
			parse_advance(p);
			if (parse_accept(p, K_ON) || parse_accept(p, K_OFF))
				continue;
			if (parse_accept_op(p, "="))
				parse_advance(p);
		} while (parse_accept_op(p, ","));
	}
	return s;
}

/* --- schemas, types --- */

static struct stmt *create_schema(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_CREATE_SCHEMA);
	struct stmt **link = &s->schema.elements;

	parse_expect(p, K_SCHEMA);
	if (!p->first_stmt || p->depth > 1)
		return parse_fail(p, 111, "CREATE SCHEMA", NULL);
	if (!parse_is(p, K_AUTHORIZATION))
		s->schema.name = parse_ident(p);
	if (parse_accept(p, K_AUTHORIZATION)) {
		s->schema.owner = parse_ident(p);
		if (!s->schema.name)
			s->schema.name = s->schema.owner;
	}
	while (parse_is(p, K_CREATE) || parse_is(p, K_GRANT)) {
		*link = parse_stmt(p);
		if (!*link)
			break;
		link = &(*link)->next;
	}
	return s;
}

static struct stmt *create_type(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_CREATE_TYPE);

	parse_advance(p);
	s->type.nullable = -1;
	parse_object_name(p, &s->type.name);
	if (parse_accept(p, K_AS)) {
		struct index_def *indexes = NULL;

		parse_expect(p, K_TABLE);
		parse_table_body(p, &s->type.table, &s->type.constraints,
				 &indexes);
		return s;
	}
	if (parse_is(p, K_EXTERNAL))
		return parse_unsupported(p, "CREATE TYPE ... EXTERNAL");
	parse_expect(p, K_FROM);
	parse_type_ref(p, &s->type.base);
	if (parse_accept(p, K_NULL)) {
		s->type.nullable = 1;
	} else if (parse_accept(p, K_NOT)) {
		parse_expect(p, K_NULL);
		s->type.nullable = 0;
	}
	return s;
}

static struct stmt *create_synonym(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_CREATE_SYNONYM);

	parse_advance(p);
	parse_object_name(p, &s->type.name);
	parse_expect(p, K_FOR);
	parse_object_name(p, &s->type.base_name);
	return s;
}

static bool is_module_word(const struct parser *p)
{
	return parse_is(p, K_VIEW) || parse_is(p, K_PROC) ||
	       parse_is(p, K_PROCEDURE) || parse_is(p, K_FUNCTION) ||
	       parse_is(p, K_TRIGGER);
}

static bool is_security_word(const struct parser *p)
{
	return parse_is_word(p, "login") || parse_is(p, K_USER) ||
	       parse_is_word(p, "role") ||
	       (parse_is_word(p, "server") &&
		parse_is_next_word(p, 1, "role")) ||
	       (parse_is_word(p, "application") &&
		parse_is_next_word(p, 1, "role"));
}

struct stmt *parse_create(struct parser *p)
{
	size_t start = p->tok->start;
	bool or_alter = false;

	parse_expect(p, K_CREATE);
	if (parse_accept(p, K_OR)) {
		parse_expect(p, K_ALTER);
		or_alter = true;
		if (!is_module_word(p))
			return parse_syntax(p);
	}
	if (is_module_word(p))
		return parse_module(p, start, false, or_alter);
	if (parse_is(p, K_TABLE))
		return parse_create_table(p);
	if (parse_is(p, K_UNIQUE) || parse_is(p, K_CLUSTERED) ||
	    parse_is(p, K_NONCLUSTERED) || parse_is(p, K_INDEX) ||
	    parse_is_word(p, "columnstore"))
		return parse_create_index(p);
	if (parse_is(p, K_DATABASE))
		return parse_database(p, false);
	if (parse_is(p, K_SCHEMA))
		return create_schema(p);
	if (parse_is_word(p, "type"))
		return create_type(p);
	if (parse_is_word(p, "synonym"))
		return create_synonym(p);
	if (parse_is(p, K_STATISTICS))
		return parse_unsupported(p, "CREATE STATISTICS");
	if (is_security_word(p))
		return parse_security(p, "CREATE");
	if (p->tok->kind == T_WORD && !p->tok->word)
		return parse_unsupported(
			p, pool_printf(p->pool, "CREATE %s", p->tok->text));
	return parse_syntax(p);
}

/* --- ALTER --- */

static struct stmt *alter_index(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_ALTER_INDEX);
	struct option_item *o = NULL;

	parse_expect(p, K_INDEX);
	if (!parse_accept(p, K_ALL))
		s->alter_index.name = parse_ident(p);
	parse_expect(p, K_ON);
	parse_object_name(p, &s->alter_index.table);
	s->alter_index.verb = 'O';
	s->alter_index.ignore_dup = -1;
	if (parse_accept_word(p, "rebuild"))
		s->alter_index.verb = 'R';
	else if (parse_accept_word(p, "disable"))
		s->alter_index.verb = 'D';
	else if (parse_accept(p, K_SET))
		o = parse_options(p);
	else
		parse_expect_word(p, "reorganize");
	for (; o; o = o->next)
		if (!strcasecmp(o->name, "ignore_dup_key") && o->value)
			s->alter_index.ignore_dup = !strcasecmp(o->value, "on");
	if (parse_accept_word(p, "partition")) {
		parse_expect_op(p, "=");
		parse_advance(p);
	}
	if (parse_is(p, K_WITH) && parse_is_next_op(p, 1, "(")) {
		parse_advance(p);
		parse_skip_parens(p);
	}
	return s;
}

static struct stmt *alter_schema(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_ALTER_SCHEMA);

	parse_expect(p, K_SCHEMA);
	s->schema.name = parse_ident(p);
	parse_expect_word(p, "transfer");
	if (parse_is_word(p, "object") && parse_is_next_op(p, 1, "::")) {
		parse_advance(p);
		parse_advance(p);
	}
	parse_object_name(p, &s->schema.object);
	return s;
}

/* Of schemas alone. */
static struct stmt *alter_authorization(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_ALTER_SCHEMA);

	parse_expect(p, K_AUTHORIZATION);
	parse_expect(p, K_ON);
	if (!parse_is(p, K_SCHEMA))
		return parse_unsupported(p, "ALTER AUTHORIZATION");
	parse_advance(p);
	parse_expect_op(p, "::");
	s->schema.name = parse_ident(p);
	parse_expect(p, K_TO);
	s->schema.owner = parse_ident(p);
	return s;
}

struct stmt *parse_alter(struct parser *p)
{
	size_t start = p->tok->start;

	parse_expect(p, K_ALTER);
	if (is_module_word(p))
		return parse_module(p, start, true, false);
	if (parse_is(p, K_TABLE))
		return parse_alter_table(p);
	if (parse_is(p, K_INDEX))
		return alter_index(p);
	if (parse_is(p, K_DATABASE))
		return parse_database(p, true);
	if (parse_is(p, K_SCHEMA))
		return alter_schema(p);
	if (parse_is(p, K_AUTHORIZATION))
		return alter_authorization(p);
	if (is_security_word(p))
		return parse_security(p, "ALTER");
	if (p->tok->kind == T_WORD && !p->tok->word)
		return parse_unsupported(
			p, pool_printf(p->pool, "ALTER %s", p->tok->text));
	return parse_syntax(p);
}

/* --- DROP --- */

static struct stmt *drop_index(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_DROP_INDEX), *last = s;
	bool if_exists = false;

	parse_expect(p, K_INDEX);
	if (parse_accept(p, K_IF)) {
		parse_expect(p, K_EXISTS);
		if_exists = true;
	}
	for (;;) {
		struct name n;

		parse_object_name(p, &n);
		last->alter_index.if_exists = if_exists;
		if (parse_accept(p, K_ON)) {
			last->alter_index.name = n.part[0];
			parse_object_name(p, &last->alter_index.table);
		} else if (n.count > 1) { /* the old "table.index" */
			last->alter_index.name = n.part[n.count - 1];
			last->alter_index.table = n;
			last->alter_index.table.count--;
		} else {
			return parse_fail(p, 159, NULL);
		}
		if (parse_is(p, K_WITH) && parse_is_next_op(p, 1, "(")) {
			parse_advance(p);
			parse_skip_parens(p);
		}
		if (!parse_accept_op(p, ","))
			return s;
		last->next = parse_new_stmt(p, ST_DROP_INDEX);
		last = last->next;
	}
}

static const char *drop_kind(struct parser *p)
{
	static const struct {
		enum keyword word;
		const char *name;
	} kinds[] = {{K_TABLE, "TABLE"},	  {K_VIEW, "VIEW"},
		     {K_PROCEDURE, "PROCEDURE"},  {K_PROC, "PROCEDURE"},
		     {K_FUNCTION, "FUNCTION"},	  {K_TRIGGER, "TRIGGER"},
		     {K_DATABASE, "DATABASE"},	  {K_SCHEMA, "SCHEMA"},
		     {K_STATISTICS, "STATISTICS"}};
	size_t i;

	for (i = 0; i < LENGTH_OF(kinds); i++)
		if (parse_accept(p, kinds[i].word))
			return kinds[i].name;
	if (parse_accept_word(p, "type"))
		return "TYPE";
	if (parse_accept_word(p, "synonym"))
		return "SYNONYM";
	if (parse_is_word(p, "sequence")) {
		parse_advance(p);
		return "SEQUENCE";
	}
	return NULL;
}

struct stmt *parse_drop(struct parser *p)
{
	struct stmt *s;
	struct drop *d;
	struct name_ref **link;

	parse_expect(p, K_DROP);
	if (parse_is(p, K_INDEX))
		return drop_index(p);
	if (is_security_word(p))
		return parse_security(p, "DROP");
	s = parse_new_stmt(p, ST_DROP);
	d = pool_alloc(p->pool, sizeof(*d));
	s->drop = d;
	d->kind = drop_kind(p);
	if (!d->kind && p->tok->kind == T_WORD && !p->tok->word)
		return parse_unsupported(
			p, pool_printf(p->pool, "DROP %s", p->tok->text));
	if (!d->kind)
		return parse_syntax(p);
	if (parse_accept(p, K_IF)) {
		parse_expect(p, K_EXISTS);
		d->if_exists = true;
	}
	link = &d->names;
	do {
		*link = pool_alloc(p->pool, sizeof(**link));
		parse_object_name(p, &(*link)->name);
		link = &(*link)->next;
	} while (parse_accept_op(p, ","));
	if (!strcmp(d->kind, "TRIGGER") && parse_accept(p, K_ON))
		return parse_unsupported(p, "DDL trigger");
	return s;
}
