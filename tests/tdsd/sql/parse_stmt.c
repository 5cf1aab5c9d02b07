#include <string.h>
#include <strings.h>

#include "sql/parser.h"

struct stmt *parse_new_stmt(struct parser *p, enum stmt_kind kind)
{
	struct stmt *s = pool_alloc(p->pool, sizeof(*s));

	s->kind = kind;
	s->line = p->tok->line;
	s->start = p->tok->start;
	return s;
}

static struct stmt *finish(struct parser *p, struct stmt *s)
{
	if (s && p->prev && !s->end)
		s->end = p->prev->end;
	return s;
}

/* The statement behind IF, ELSE, WHILE. */
static struct stmt *branch(struct parser *p)
{
	struct stmt *s;

	while (parse_accept_op(p, ";"))
		;
	s = parse_stmt(p);
	/* "IF x SELECT 1; ELSE": the semicolon ends the statement only */
	if (parse_is_op(p, ";") && parse_is_next(p, 1, K_ELSE))
		parse_advance(p);
	return s;
}

struct stmt *parse_block_until_end(struct parser *p)
{
	struct stmt *first = NULL, **link = &first;

	while (parse_accept_op(p, ";"))
		;
	while (!p->failed && !parse_is(p, K_END)) {
		if (p->tok->kind == T_END) {
			parse_syntax(p);
			return first;
		}
		*link = parse_stmt(p);
		while (*link)
			link = &(*link)->next;
		while (parse_accept_op(p, ";"))
			;
	}
	return first;
}

static struct stmt *try_catch(struct parser *p, struct stmt *s)
{
	s->kind = ST_TRY;
	parse_advance(p);
	parse_advance(p);
	s->flow.then = parse_block_until_end(p);
	parse_expect(p, K_END);
	parse_expect_word(p, "try");
	while (parse_accept_op(p, ";"))
		;
	parse_expect(p, K_BEGIN);
	parse_expect_word(p, "catch");
	s->flow.otherwise = parse_block_until_end(p);
	parse_expect(p, K_END);
	parse_expect_word(p, "catch");
	return s;
}

static void transaction_name(struct parser *p, struct stmt *s)
{
	if (p->tok->kind == T_VAR) {
		s->tran.var = p->tok->text;
		parse_advance(p);
	} else if (parse_at_ident(p) &&
		   (p->tok->line == p->prev->line || p->tok[1].kind == T_END ||
		    parse_is_next_op(p, 1, ";"))) {
		s->tran.name = parse_ident(p);
	}
}

static struct stmt *begin(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_BLOCK);

	if (parse_is_next_word(p, 1, "try"))
		return try_catch(p, s);
	if (parse_is_next(p, 1, K_DISTRIBUTED))
		return parse_unsupported(p, "BEGIN DISTRIBUTED TRANSACTION");
	if (parse_is_next(p, 1, K_TRAN) || parse_is_next(p, 1, K_TRANSACTION)) {
		parse_advance(p);
		parse_advance(p);
		s->kind = ST_TRAN;
		s->tran.verb = 'B';
		transaction_name(p, s);
		if (parse_is(p, K_WITH) && parse_is_next_word(p, 1, "mark")) {
			parse_advance(p);
			parse_advance(p);
			if (p->tok->kind == T_STRING ||
			    p->tok->kind == T_NSTRING)
				parse_advance(p);
		}
		return s;
	}
	parse_advance(p);
	s->block = parse_block_until_end(p);
	if (!s->block && !p->failed)
		parse_syntax(p);
	parse_expect(p, K_END);
	return s;
}

static struct stmt *transaction(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_TRAN);

	s->tran.verb = p->tok->text[0] & ~32;
	parse_advance(p);
	if (s->tran.verb == 'S') {
		if (!parse_accept(p, K_TRAN))
			parse_expect(p, K_TRANSACTION);
		transaction_name(p, s);
		return s;
	}
	if (parse_accept(p, K_TRAN) || parse_accept(p, K_TRANSACTION))
		transaction_name(p, s);
	else
		parse_accept_word(p, "work");
	if (parse_is(p, K_WITH) && parse_is_next_op(p, 1, "(")) {
		parse_advance(p);
		parse_skip_parens(p);
	}
	return s;
}

static struct stmt *if_stmt(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_IF);

	parse_expect(p, K_IF);
	s->flow.cond = parse_search(p);
	s->end = p->prev ? p->prev->end : 0;
	s->flow.then = branch(p);
	if (parse_accept(p, K_ELSE))
		s->flow.otherwise = branch(p);
	return s;
}

static struct stmt *while_stmt(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_WHILE);

	parse_expect(p, K_WHILE);
	s->flow.cond = parse_search(p);
	s->end = p->prev ? p->prev->end : 0;
	p->loops++;
	s->flow.then = branch(p);
	p->loops--;
	return s;
}

/* Calls whose arguments are a plain list. */
static struct stmt *raiserror(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_RAISERROR);

	parse_expect(p, K_RAISERROR);
	if (!parse_is_op(p, "(")) /* the form of Sybase's days */
		return parse_syntax(p), s;
	parse_expect_op(p, "(");
	s->call.args = parse_expr_list(p, &s->call.arg_count);
	parse_expect_op(p, ")");
	if (parse_accept(p, K_WITH))
		do {
			if (parse_accept_word(p, "nowait"))
				s->call.nowait = true;
			else if (parse_accept_word(p, "seterror"))
				s->call.seterror = true;
			else
				parse_expect_word(p, "log");
		} while (parse_accept_op(p, ","));
	return s;
}

static struct stmt *throw_stmt(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_THROW);

	parse_advance(p);
	if (p->tok->kind == T_INT || p->tok->kind == T_VAR)
		s->call.args = parse_expr_list(p, &s->call.arg_count);
	return s;
}

static struct stmt *waitfor(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_WAITFOR);

	parse_expect(p, K_WAITFOR);
	if (parse_is_op(p, "("))
		return parse_unsupported(p, "WAITFOR (RECEIVE)");
	s->call.is_time = parse_is_word(p, "time");
	if (!parse_accept_word(p, "time"))
		parse_expect_word(p, "delay");
	s->call.args = parse_value(p);
	s->call.arg_count = 1;
	return s;
}

static struct stmt *return_stmt(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_RETURN);

	parse_expect(p, K_RETURN);
	switch (p->tok->kind) {
	case T_STRING:
	case T_NSTRING:
	case T_INT:
	case T_DECIMAL:
	case T_FLOAT:
	case T_MONEY:
	case T_HEX:
	case T_VAR:
	case T_QUOTED:
		s->call.args = parse_value(p);
		s->call.arg_count = 1;
		break;
	case T_OP:
		if (parse_is_op(p, ";"))
			break;
		s->call.args = parse_value(p);
		s->call.arg_count = 1;
		break;
	case T_WORD:
		/* "RETURN" and then a statement, or a value */
		if (p->tok->word && !parse_is(p, K_CASE) &&
		    !parse_is(p, K_NULL) && !parse_is(p, K_CONVERT) &&
		    !parse_is(p, K_COALESCE) && !parse_is(p, K_NULLIF) &&
		    !parse_is(p, K_LEFT) && !parse_is(p, K_RIGHT))
			break;
		if (!p->tok->word && !parse_is_next_op(p, 1, "(") &&
		    !parse_is_next_op(p, 1, "."))
			break;
		s->call.args = parse_value(p);
		s->call.arg_count = 1;
		break;
	default:
		break;
	}
	return s;
}

static struct stmt *use_stmt(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_USE);

	parse_expect(p, K_USE);
	s->name = pool_alloc(p->pool, sizeof(*s->name));
	s->name->count = 1;
	s->name->line = p->tok->line;
	s->name->part[0] = parse_ident(p);
	return s;
}

struct stmt *parse_select_stmt(struct parser *p, struct cte *ctes)
{
	struct stmt *s = parse_new_stmt(p, ST_SELECT);

	s->query = parse_query_with(p, ctes);
	parse_query_options(p, &s->query->max_recursion);
	return s;
}

/* WITH … in front of SELECT, INSERT, UPDATE, DELETE. */
static struct stmt *with_stmt(struct parser *p)
{
	struct stmt *s;
	size_t start = p->tok->start;
	int line = p->tok->line;
	struct cte *ctes = parse_ctes(p);

	if (parse_is(p, K_INSERT))
		s = parse_insert(p, ctes);
	else if (parse_is(p, K_UPDATE))
		s = parse_update(p, ctes);
	else if (parse_is(p, K_DELETE))
		s = parse_delete(p, ctes);
	else if (parse_is(p, K_MERGE))
		return parse_unsupported(p, "MERGE");
	else
		s = parse_select_stmt(p, ctes);
	if (s) {
		s->start = start;
		s->line = line;
	}
	return s;
}

static struct stmt *print_stmt(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_PRINT);

	parse_expect(p, K_PRINT);
	s->call.args = parse_value(p);
	s->call.arg_count = 1;
	return s;
}

static struct stmt *loop_jump(struct parser *p, enum stmt_kind kind)
{
	struct stmt *s = parse_new_stmt(p, kind);

	if (!p->loops)
		return parse_fail(p, kind == ST_BREAK ? 135 : 136, NULL);
	parse_advance(p);
	return s;
}

static struct stmt *goto_stmt(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_GOTO);

	parse_expect(p, K_GOTO);
	s->label = parse_ident(p);
	return s;
}

static struct stmt *update_stmt(struct parser *p)
{
	if (parse_is_next(p, 1, K_STATISTICS))
		return parse_unsupported(p, "UPDATE STATISTICS");
	return parse_update(p, NULL);
}

/* Statements that a reserved word opens. */
static struct stmt *keyword_stmt(struct parser *p)
{
	switch (p->tok->word) {
	case K_SELECT:
		return parse_select_stmt(p, NULL);
	case K_WITH:
		return with_stmt(p);
	case K_INSERT:
		if (parse_is_next(p, 1, K_BULK))
			return parse_misc(p);
		return parse_insert(p, NULL);
	case K_UPDATE:
		return update_stmt(p);
	case K_DELETE:
		return parse_delete(p, NULL);
	case K_MERGE:
		return parse_unsupported(p, "MERGE");
	case K_TRUNCATE:
		return parse_truncate(p);
	case K_DECLARE:
		return parse_declare(p);
	case K_SET:
		return parse_set(p);
	case K_IF:
		return if_stmt(p);
	case K_WHILE:
		return while_stmt(p);
	case K_BEGIN:
		return begin(p);
	case K_BREAK:
		return loop_jump(p, ST_BREAK);
	case K_CONTINUE:
		return loop_jump(p, ST_CONTINUE);
	case K_RETURN:
		return return_stmt(p);
	case K_GOTO:
		return goto_stmt(p);
	case K_PRINT:
		return print_stmt(p);
	case K_RAISERROR:
		return raiserror(p);
	case K_WAITFOR:
		return waitfor(p);
	case K_EXEC:
	case K_EXECUTE:
		return parse_exec(p);
	case K_COMMIT:
	case K_ROLLBACK:
	case K_SAVE:
		return transaction(p);
	case K_USE:
		return use_stmt(p);
	case K_CREATE:
		return parse_create(p);
	case K_ALTER:
		return parse_alter(p);
	case K_DROP:
		return parse_drop(p);
	case K_GRANT:
	case K_DENY:
	case K_REVOKE:
		return parse_grant(p);
	case K_OPEN:
	case K_FETCH:
	case K_CLOSE:
	case K_DEALLOCATE:
		return parse_unsupported(p, "CURSOR");
	default:
		if (parse_is_op(p, "("))
			return parse_select_stmt(p, NULL);
		return parse_misc(p);
	}
}

struct stmt *parse_stmt(struct parser *p)
{
	struct stmt *s;

	if (!parse_enter(p))
		return NULL;
	if (p->tok->kind == T_WORD && p->tok->word) {
		s = keyword_stmt(p);
	} else if (parse_is_op(p, "(")) {
		s = parse_select_stmt(p, NULL);
	} else if (parse_is_word(p, "throw") && !parse_is_next_op(p, 1, ".")) {
		s = throw_stmt(p);
	} else if ((parse_is_word(p, "enable") ||
		    parse_is_word(p, "disable")) &&
		   parse_is_next(p, 1, K_TRIGGER)) {
		s = parse_misc(p);
	} else if (p->tok->kind == T_WORD && parse_is_next_op(p, 1, ":") &&
		   !parse_is_next_op(p, 2, ":")) {
		s = parse_new_stmt(p, ST_LABEL);
		s->label = parse_ident(p);
		parse_advance(p);
	} else if (parse_at_ident(p) && p->first_stmt && p->depth == 1) {
		s = parse_exec(p); /* a procedure's name alone */
	} else {
		s = parse_syntax(p);
	}
	parse_leave(p);
	return finish(p, s);
}
