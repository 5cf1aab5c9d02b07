/* Logins, users, roles and rights; and the small statements of DBAs. */
#include <string.h>
#include <strings.h>

#include "sql/parser.h"

static struct perm *permissions(struct parser *p)
{
	struct perm *first = NULL, **link = &first;

	do {
		struct perm *perm = pool_alloc(p->pool, sizeof(*perm));
		const char *name = "";

		while (p->tok->kind == T_WORD && !parse_is(p, K_ON) &&
		       !parse_is(p, K_TO) && !parse_is(p, K_FROM)) {
			name = *name ? pool_printf(p->pool, "%s %s", name,
						   p->tok->text)
				     : p->tok->text;
			parse_advance(p);
		}
		if (!*name)
			parse_syntax(p);
		perm->name = name;
		if (parse_is_op(p, "("))
			perm->columns = parse_name_list(p);
		*link = perm;
		link = &perm->next;
	} while (parse_accept_op(p, ","));
	return first;
}

/* "ON OBJECT::dbo.t", "ON SCHEMA::x", "ON dbo.t" */
static void securable(struct parser *p, struct grant *g)
{
	if (!parse_accept(p, K_ON))
		return;
	if (parse_is_next_op(p, 1, "::")) {
		g->class_ = p->tok->text;
		parse_advance(p);
		parse_advance(p);
	} else if (parse_is_next_word(p, 1, "role") ||
		   parse_is_next_word(p, 1, "type")) {
		parse_advance(p);
		parse_advance(p);
	}
	parse_object_name(p, &g->on);
	if (parse_is_op(p, "("))
		g->perms->columns = parse_name_list(p);
}

struct stmt *parse_grant(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_GRANT);
	struct grant *g = pool_alloc(p->pool, sizeof(*g));
	struct name_list **link = &g->to;

	s->grant = g;
	g->verb = p->tok->text[0] & ~32;
	parse_advance(p);
	if (g->verb == 'R' && parse_is(p, K_GRANT)) {
		parse_advance(p);
		parse_expect(p, K_OPTION);
		parse_expect(p, K_FOR);
		g->grant_option_for = true;
	}
	g->perms = permissions(p);
	securable(p, g);
	if (!parse_accept(p, K_TO)) {
		if (g->verb == 'R')
			parse_expect(p, K_FROM);
		else
			parse_syntax(p);
	}
	do {
		*link = pool_alloc(p->pool, sizeof(**link));
		(*link)->line = p->tok->line;
		if (parse_accept(p, K_PUBLIC))
			(*link)->name = "public";
		else
			(*link)->name = parse_ident(p);
		link = &(*link)->next;
	} while (parse_accept_op(p, ","));
	if (parse_is(p, K_WITH) && parse_is_next(p, 1, K_GRANT)) {
		parse_advance(p);
		parse_advance(p);
		parse_expect(p, K_OPTION);
		g->with_grant = true;
	}
	g->cascade = parse_accept(p, K_CASCADE);
	if (parse_accept(p, K_AS))
		parse_ident(p);
	return s;
}

/* One "NAME = value" of a login or user. */
static void security_option(struct parser *p, struct security *y)
{
	const char *name = p->tok->text, *value;

	parse_advance(p);
	parse_expect_op(p, "=");
	value = p->tok->text;
	parse_advance(p);
	if (!strcasecmp(name, "password"))
		y->password = value;
	else if (!strcasecmp(name, "default_schema"))
		y->default_schema = value;
	else if (!strcasecmp(name, "default_database"))
		y->default_database = value;
	else if (!strcasecmp(name, "login"))
		y->for_login = value;
	else if (!strcasecmp(name, "name"))
		y->new_name = value;
	/* MUST_CHANGE, HASHED, OLD_PASSWORD = … */
	while (p->tok->kind == T_WORD && !p->tok->word &&
	       (parse_is_word(p, "must_change") || parse_is_word(p, "hashed") ||
		parse_is_word(p, "unlock")))
		parse_advance(p);
	if (parse_is_word(p, "old_password"))
		security_option(p, y);
}

static void security_tail(struct parser *p, struct security *y)
{
	for (;;) {
		if (parse_accept(p, K_WITH)) {
			do {
				security_option(p, y);
			} while (parse_accept_op(p, ","));
		} else if (parse_is(p, K_FOR) || parse_is(p, K_FROM)) {
			parse_advance(p);
			if (parse_is_word(p, "windows") ||
			    parse_is(p, K_EXTERNAL) ||
			    parse_is_word(p, "certificate"))
				parse_unsupported(p, p->tok->text);
			parse_expect_word(p, "login");
			y->for_login = parse_ident(p);
		} else if (parse_is_word(p, "without")) {
			parse_advance(p);
			parse_expect_word(p, "login");
			y->without_login = true;
		} else if (parse_accept(p, K_AUTHORIZATION)) {
			y->owner = parse_ident(p);
		} else if (parse_is(p, K_ADD) &&
			   parse_is_next_word(p, 1, "member")) {
			parse_advance(p);
			parse_advance(p);
			y->add_member = parse_ident(p);
		} else if (parse_is(p, K_DROP) &&
			   parse_is_next_word(p, 1, "member")) {
			parse_advance(p);
			parse_advance(p);
			y->drop_member = parse_ident(p);
		} else if (parse_accept_word(p, "enable")) {
			y->disabled = 0;
		} else if (parse_accept_word(p, "disable")) {
			y->disabled = 1;
		} else {
			return;
		}
	}
}

struct stmt *parse_security(struct parser *p, const char *verb)
{
	struct stmt *s = parse_new_stmt(p, ST_SECURITY);
	struct security *y = pool_alloc(p->pool, sizeof(*y));

	s->security = y;
	y->verb = verb;
	y->disabled = -1;
	if (parse_accept_word(p, "server")) {
		y->what = "SERVER ROLE";
		parse_advance(p);
	} else if (parse_accept_word(p, "application")) {
		return parse_unsupported(p, "APPLICATION ROLE");
	} else {
		y->what = parse_is_word(p, "login") ? "LOGIN"
			  : parse_is(p, K_USER)	    ? "USER"
						    : "ROLE";
		parse_advance(p);
	}
	if (!strcmp(verb, "DROP") && parse_accept(p, K_IF)) {
		parse_expect(p, K_EXISTS);
		y->if_exists = true;
	}
	if (parse_accept(p, K_PUBLIC))
		y->name = "public";
	else
		y->name = parse_ident(p);
	security_tail(p, y);
	return s;
}

/* --- small statements --- */

static struct stmt *insert_bulk(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_INSERT_BULK);
	struct insert_bulk *b = pool_alloc(p->pool, sizeof(*b));
	struct bulk_column **link = &b->columns;

	s->bulk = b;
	parse_expect(p, K_INSERT);
	parse_expect(p, K_BULK);
	parse_object_name(p, &b->table);
	if (parse_accept_op(p, "(")) {
		do {
			struct bulk_column *c = pool_alloc(p->pool, sizeof(*c));

			c->name = parse_ident(p);
			parse_type_ref(p, &c->type);
			if (parse_accept(p, K_COLLATE)) {
				c->collation = p->tok->text;
				parse_advance(p);
			}
			*link = c;
			link = &c->next;
		} while (parse_accept_op(p, ","));
		parse_expect_op(p, ")");
	}
	if (parse_accept(p, K_WITH)) {
		struct option_item **o = &b->options;

		parse_expect_op(p, "(");
		while (!p->failed && !parse_is_op(p, ")")) {
			*o = pool_alloc(p->pool, sizeof(**o));
			(*o)->name = p->tok->text;
			parse_advance(p);
			if (parse_accept_op(p, "=")) {
				(*o)->value = p->tok->text;
				parse_advance(p);
			}
			parse_skip_parens(p);
			o = &(*o)->next;
			if (!parse_accept_op(p, ","))
				break;
		}
		parse_expect_op(p, ")");
	}
	return s;
}

static struct stmt *dbcc(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_DBCC);
	struct expr **link = &s->dbcc.args;

	parse_expect(p, K_DBCC);
	s->dbcc.name = p->tok->text;
	if (p->tok->kind != T_WORD)
		parse_syntax(p);
	parse_advance(p);
	if (parse_accept_op(p, "(")) {
		while (!p->failed && !parse_is_op(p, ")")) {
			/* names, strings, numbers and words alike */
			bool minus = parse_accept_op(p, "-");

			*link = parse_new_expr(p, EX_LITERAL);
			(*link)->op = (int)p->tok->kind;
			(*link)->negated = minus;
			(*link)->text = p->tok->text;
			(*link)->len = p->tok->len;
			if (p->tok->kind == T_WORD ||
			    p->tok->kind == T_QUOTED) {
				struct name n;

				if (p->tok->word) {
					parse_advance(p);
				} else {
					size_t at = p->tok->start;

					parse_object_name(p, &n);
					(*link)->text = parse_source(
						p, at, p->prev->end);
					(*link)->len = strlen((*link)->text);
				}
			} else {
				parse_advance(p);
			}
			link = &(*link)->next;
			if (!parse_accept_op(p, ","))
				break;
		}
		parse_expect_op(p, ")");
	}
	if (parse_accept(p, K_WITH))
		do {
			parse_advance(p);
		} while (parse_accept_op(p, ","));
	return s;
}

/* ENABLE TRIGGER x ON t, DISABLE TRIGGER ALL ON t */
static struct stmt *trigger_state(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_ALTER_TABLE);
	struct alter_table *a = pool_alloc(p->pool, sizeof(*a));
	struct name_list **link = &a->names;

	s->alter_table = a;
	a->kind = ALTER_TRIGGER;
	a->enable = parse_is_word(p, "enable");
	parse_advance(p);
	parse_expect(p, K_TRIGGER);
	if (parse_accept(p, K_ALL)) {
		a->all = true;
	} else {
		do {
			struct name n;

			parse_object_name(p, &n);
			*link = pool_alloc(p->pool, sizeof(**link));
			if (n.count)
				(*link)->name = n.part[n.count - 1];
			link = &(*link)->next;
		} while (parse_accept_op(p, ","));
	}
	parse_expect(p, K_ON);
	if (parse_is(p, K_DATABASE) || parse_is(p, K_ALL))
		return parse_unsupported(p, "DDL trigger");
	parse_object_name(p, &a->name);
	return s;
}

struct stmt *parse_misc(struct parser *p)
{
	struct stmt *s;

	if (parse_is(p, K_INSERT))
		return insert_bulk(p);
	if (parse_is(p, K_DBCC))
		return dbcc(p);
	if (parse_is_word(p, "enable") || parse_is_word(p, "disable"))
		return trigger_state(p);
	switch (p->tok->word) {
	case K_CHECKPOINT:
		s = parse_new_stmt(p, ST_NOTHING);
		parse_advance(p);
		if (p->tok->kind == T_INT)
			parse_advance(p);
		return s;
	case K_RECONFIGURE:
		s = parse_new_stmt(p, ST_NOTHING);
		parse_advance(p);
		if (parse_accept(p, K_WITH))
			parse_expect_word(p, "override");
		return s;
	case K_KILL:
		s = parse_new_stmt(p, ST_KILL);
		parse_advance(p);
		s->call.args = parse_value(p);
		s->call.arg_count = 1;
		if (parse_accept(p, K_WITH))
			parse_advance(p);
		return s;
	case K_REVERT:
		s = parse_new_stmt(p, ST_EXECUTE_AS);
		parse_advance(p);
		return s;
	case K_BACKUP:
	case K_RESTORE:
	case K_SHUTDOWN:
	case K_SETUSER:
	case K_READTEXT:
	case K_WRITETEXT:
	case K_UPDATETEXT:
	case K_BULK:
		return parse_unsupported(p, keyword_name(p->tok->word));
	default:
		return parse_syntax(p);
	}
}
