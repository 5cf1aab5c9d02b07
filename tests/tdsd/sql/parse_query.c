#include <string.h>
#include <strings.h>

#include "sql/parser.h"

static struct query *new_query(struct parser *p, enum query_kind kind)
{
	struct query *q = pool_alloc(p->pool, sizeof(*q));

	q->kind = kind;
	q->line = p->tok->line;
	q->start = p->tok->start;
	q->max_recursion = -1;
	return q;
}

/* --- the select list --- */

static bool at_alias(const struct parser *p)
{
	return parse_at_ident(p) || p->tok->kind == T_STRING ||
	       p->tok->kind == T_NSTRING;
}

/* "@x = ", "@x += " */
static bool assignment(struct parser *p, struct select_item *item)
{
	static const char *const ops[] = {
		"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="};
	size_t i;

	if (p->tok->kind != T_VAR || p->tok->text[1] == '@')
		return false;
	for (i = 0; i < LENGTH_OF(ops); i++)
		if (parse_is_next_op(p, 1, ops[i])) {
			item->var = p->tok->text;
			item->assign = ops[i][0];
			parse_advance(p);
			parse_advance(p);
			return true;
		}
	return false;
}

/* "t.*", "s.t.*" */
static bool star(struct parser *p, struct select_item *item)
{
	int i = 0;

	if (parse_accept_op(p, "*"))
		return true;
	while ((p->tok[i].kind == T_QUOTED ||
		(p->tok[i].kind == T_WORD && !p->tok[i].word)) &&
	       parse_is_next_op(p, i + 1, ".")) {
		i += 2;
		if (parse_is_next_op(p, i, "."))
			i++;
		if (!parse_is_next_op(p, i, "*"))
			continue;
		item->prefix.line = p->tok->line;
		while (!parse_is_op(p, "*")) {
			const char *part = "";

			if (!parse_is_op(p, "."))
				part = parse_ident(p);
			parse_expect_op(p, ".");
			if (item->prefix.count < 4)
				item->prefix.part[item->prefix.count++] = part;
		}
		parse_advance(p);
		return true;
	}
	return false;
}

static struct select_item *select_item(struct parser *p)
{
	struct select_item *item = pool_alloc(p->pool, sizeof(*item));

	item->line = p->tok->line;
	if (star(p, item))
		return item;
	if (assignment(p, item)) {
		item->expr = parse_value(p);
		return item;
	}
	/* alias = expression */
	if (at_alias(p) && parse_is_next_op(p, 1, "=")) {
		item->alias = parse_label(p);
		parse_advance(p);
		item->expr = parse_value(p);
		return item;
	}
	item->expr = parse_value(p);
	if (parse_accept(p, K_AS)) {
		if (!at_alias(p))
			parse_syntax(p);
		else
			item->alias = parse_label(p);
	} else if (at_alias(p)) {
		item->alias = parse_label(p);
	}
	return item;
}

struct select_item *parse_select_list(struct parser *p)
{
	struct select_item *first = NULL, **link = &first;

	do {
		*link = select_item(p);
		link = &(*link)->next;
	} while (parse_accept_op(p, ","));
	return first;
}

/* --- FROM --- */

static unsigned hint_bit(const char *word)
{
	static const struct {
		const char *name;
		unsigned bit;
	} hints[] = {
		{"nolock", HINT_NOLOCK},
		{"readuncommitted", HINT_NOLOCK},
		{"updlock", HINT_UPDLOCK},
		{"holdlock", HINT_HOLDLOCK},
		{"serializable", HINT_HOLDLOCK},
		{"repeatableread", HINT_REPEATABLE},
		{"tablock", HINT_TABLOCK},
		{"tablockx", HINT_TABLOCKX},
		{"xlock", HINT_XLOCK},
		{"readpast", HINT_READPAST},
		{"nowait", HINT_NOWAIT},
		{"keepidentity", HINT_KEEPIDENTITY},
		{"snapshot", HINT_SNAPSHOT},
		{"rowlock", 1u << 31},
		{"paglock", 1u << 31},
		{"readcommitted", 1u << 31},
		{"readcommittedlock", 1u << 31},
		{"noexpand", 1u << 31},
		{"forceseek", 1u << 31},
		{"forcescan", 1u << 31},
		{"index", 1u << 31},
		{"fastfirstrow", 1u << 31},
		{"keepdefaults", 1u << 31},
		{"ignore_constraints", 1u << 31},
		{"ignore_triggers", 1u << 31},
		{"spatial_window_max_cells", 1u << 31},
	};
	size_t i;

	for (i = 0; i < LENGTH_OF(hints); i++)
		if (!strcasecmp(word, hints[i].name))
			return hints[i].bit;
	return 0;
}

/* "(NOLOCK, INDEX(ix))" */
static unsigned hint_list(struct parser *p)
{
	unsigned bits = 0;

	parse_expect_op(p, "(");
	while (!p->failed && !parse_is_op(p, ")")) {
		unsigned bit = 0;

		if (p->tok->kind == T_WORD)
			bit = hint_bit(p->tok->text);
		if (!bit) {
			if (p->tok->kind == T_WORD && !p->tok->word)
				parse_fail(p, 321, p->tok->text, NULL);
			else
				parse_syntax(p);
			break;
		}
		bits |= bit;
		parse_advance(p);
		if (parse_accept_op(p, "=") && !parse_is_op(p, "("))
			parse_advance(p);
		parse_skip_parens(p);
		parse_accept_op(p, ",");
	}
	parse_expect_op(p, ")");
	return bits;
}

unsigned parse_hints(struct parser *p)
{
	unsigned bits = 0;

	if (parse_is(p, K_WITH) && parse_is_next_op(p, 1, "(")) {
		parse_advance(p);
		bits |= hint_list(p);
	} else if (parse_is_op(p, "(") && p->tok[1].kind == T_WORD &&
		   hint_bit(p->tok[1].text) &&
		   (parse_is_next_op(p, 2, ")") ||
		    parse_is_next_op(p, 2, ","))) {
		bits |= hint_list(p); /* the old form without WITH */
	}
	return bits;
}

static void alias(struct parser *p, struct table_ref *t)
{
	if (parse_accept(p, K_AS))
		t->alias = parse_label(p);
	else if (parse_at_ident(p) &&
		 !(p->tok->kind == T_WORD &&
		   (parse_is_word(p, "offset") || parse_is_word(p, "window")) &&
		   !parse_is_next_op(p, 1, ",") &&
		   !parse_is_next_op(p, 1, ".") && !parse_is_next(p, 1, K_ON)))
		t->alias = parse_ident(p);
}

static void alias_columns(struct parser *p, struct table_ref *t)
{
	if (t->alias && parse_is_op(p, "(") && !t->columns &&
	    !(p->tok[1].kind == T_WORD && hint_bit(p->tok[1].text)))
		t->columns = parse_name_list(p);
}

/* CHANGETABLE(CHANGES t, v) or (VERSION t, (a, b), (1, 2)) */
static void changetable(struct parser *p, struct table_ref *t)
{
	int count;

	t->kind = TR_CHANGES;
	parse_expect_op(p, "(");
	if (parse_accept_word(p, "version"))
		t->changes_version = true;
	else
		parse_expect_word(p, "changes");
	parse_object_name(p, &t->name);
	parse_expect_op(p, ",");
	if (t->changes_version) {
		parse_expect_op(p, "(");
		t->args = parse_expr_list(p, &count);
		parse_expect_op(p, ")");
		parse_expect_op(p, ",");
		parse_expect_op(p, "(");
		t->args2 = parse_expr_list(p, &count);
		parse_expect_op(p, ")");
	} else {
		t->args = parse_value(p);
	}
	parse_accept_op(p, ","); /* FORCESEEK */
	parse_accept_word(p, "forceseek");
	parse_expect_op(p, ")");
}

static void function_args(struct parser *p, struct table_ref *t)
{
	int count;

	t->kind = TR_FUNCTION;
	parse_expect_op(p, "(");
	if (!parse_is_op(p, ")"))
		t->args = parse_expr_list(p, &count);
	parse_expect_op(p, ")");
}

static struct table_ref *new_ref(struct parser *p, enum table_kind kind)
{
	struct table_ref *t = pool_alloc(p->pool, sizeof(*t));

	t->kind = kind;
	t->line = p->tok->line;
	return t;
}

/* A table in brackets: a derived table, VALUES, or a join. */
static struct table_ref *paren_table(struct parser *p)
{
	struct table_ref *t = new_ref(p, TR_DERIVED);
	int ahead = 1;

	while (parse_is_next_op(p, ahead, "("))
		ahead++;
	if (parse_is_next(p, 1, K_VALUES)) {
		parse_advance(p);
		t->kind = TR_VALUES;
		t->query = new_query(p, Q_VALUES);
		t->query->rows = parse_rows(p);
	} else if (parse_is_next(p, 1, K_SELECT) ||
		   parse_is_next(p, 1, K_WITH) ||
		   (ahead > 1 && parse_is_next(p, ahead, K_SELECT))) {
		const struct token *save = p->tok;

		parse_advance(p);
		if (ahead > 1 && !parse_is(p, K_SELECT)) {
			/* "((SELECT …) AS x JOIN …)" is a join in brackets */
			int depth = 0, i;

			for (i = 0; p->tok[i].kind != T_END; i++) {
				if (parse_is_next_op(p, i, "("))
					depth++;
				else if (parse_is_next_op(p, i, ")") &&
					 !--depth)
					break;
			}
			if (p->tok[i].kind != T_END &&
			    !parse_is_next(p, i + 1, K_UNION) &&
			    !parse_is_next(p, i + 1, K_EXCEPT) &&
			    !parse_is_next(p, i + 1, K_INTERSECT) &&
			    !parse_is_next_op(p, i + 1, ")")) {
				p->tok = save;
				parse_advance(p);
				t = parse_table_source(p);
				parse_expect_op(p, ")");
				return t;
			}
		}
		t->query = parse_query(p);
	} else {
		parse_advance(p);
		t = parse_table_source(p);
		parse_expect_op(p, ")");
		return t;
	}
	parse_expect_op(p, ")");
	alias(p, t);
	if (!t->alias)
		parse_syntax(p);
	alias_columns(p, t);
	return t;
}

/* How many rows a sample has is not said: here it has all of them. */
static void sample(struct parser *p)
{
	if (!parse_accept(p, K_TABLESAMPLE))
		return;
	parse_accept_word(p, "system");
	parse_expect_op(p, "(");
	parse_value(p);
	if (!parse_accept_word(p, "rows"))
		parse_accept(p, K_PERCENT);
	parse_expect_op(p, ")");
	if (parse_accept_word(p, "repeatable")) {
		parse_expect_op(p, "(");
		parse_value(p);
		parse_expect_op(p, ")");
	}
}

/* FOR SYSTEM_TIME: recognised, refused. */
static void after_table(struct parser *p, struct table_ref *t)
{
	if (parse_is(p, K_FOR) && parse_is_next_word(p, 1, "system_time")) {
		parse_unsupported(p, "FOR SYSTEM_TIME");
		return;
	}
	t->hints |= parse_hints(p);
	if (!t->alias)
		alias(p, t);
	sample(p);
	t->hints |= parse_hints(p);
}

static struct table_ref *table_primary(struct parser *p)
{
	struct table_ref *t;

	if (parse_is_op(p, "("))
		return paren_table(p);
	t = new_ref(p, TR_NAME);
	if (p->tok->kind == T_VAR) {
		t->kind = TR_VAR;
		t->name.count = 1;
		t->name.part[0] = p->tok->text;
		t->name.line = p->tok->line;
		parse_advance(p);
		if (parse_is_op(p, "."))
			return parse_unsupported(p, "nodes()"), t;
		after_table(p, t);
		alias_columns(p, t);
		return t;
	}
	if (parse_is(p, K_OPENROWSET) || parse_is(p, K_OPENQUERY) ||
	    parse_is(p, K_OPENXML) || parse_is(p, K_OPENDATASOURCE) ||
	    parse_is(p, K_CONTAINSTABLE) || parse_is(p, K_FREETEXTTABLE))
		return parse_unsupported(p, p->tok->text), t;
	if (parse_is_word(p, "changetable") && parse_is_next_op(p, 1, "(")) {
		parse_advance(p);
		changetable(p, t);
		alias(p, t);
		alias_columns(p, t);
		return t;
	}
	if (parse_is_op(p, "::")) /* ::fn_helpcollations() */
		parse_advance(p);
	parse_object_name(p, &t->name);
	if (parse_is_op(p, "(") &&
	    !(p->tok[1].kind == T_WORD && hint_bit(p->tok[1].text) &&
	      (parse_is_next_op(p, 2, ")") || parse_is_next_op(p, 2, ","))))
		function_args(p, t);
	after_table(p, t);
	alias_columns(p, t);
	return t;
}

/* INNER, LEFT OUTER, CROSS APPLY …: false when no join follows. */
static bool join_word(struct parser *p, enum join_kind *kind)
{
	if (parse_accept(p, K_JOIN)) {
		*kind = JOIN_INNER;
		return true;
	}
	if (parse_is(p, K_INNER))
		*kind = JOIN_INNER;
	else if (parse_is(p, K_LEFT))
		*kind = JOIN_LEFT;
	else if (parse_is(p, K_RIGHT))
		*kind = JOIN_RIGHT;
	else if (parse_is(p, K_FULL))
		*kind = JOIN_FULL;
	else if (parse_is(p, K_CROSS) && parse_is_next_word(p, 1, "apply"))
		*kind = JOIN_CROSS_APPLY;
	else if (parse_is(p, K_CROSS))
		*kind = JOIN_CROSS;
	else if (parse_is(p, K_OUTER) && parse_is_next_word(p, 1, "apply"))
		*kind = JOIN_OUTER_APPLY;
	else
		return false;
	parse_advance(p);
	if (*kind == JOIN_CROSS_APPLY || *kind == JOIN_OUTER_APPLY) {
		parse_advance(p);
		return true;
	}
	if (*kind == JOIN_LEFT || *kind == JOIN_RIGHT || *kind == JOIN_FULL)
		parse_accept(p, K_OUTER);
	/* LOOP, HASH, MERGE, REMOTE: hints for the optimizer */
	if (!parse_is(p, K_JOIN)) {
		if (parse_is_word(p, "loop") || parse_is_word(p, "hash") ||
		    parse_is(p, K_MERGE) || parse_is_word(p, "remote"))
			parse_advance(p);
	}
	parse_expect(p, K_JOIN);
	return true;
}

struct table_ref *parse_table_source(struct parser *p)
{
	struct table_ref *t;
	enum join_kind kind;

	if (!parse_enter(p))
		return new_ref(p, TR_NAME);
	t = table_primary(p);
	while (!p->failed && join_word(p, &kind)) {
		struct table_ref *j = new_ref(p, TR_JOIN);

		j->join = kind;
		j->left = t;
		if (kind == JOIN_CROSS || kind == JOIN_CROSS_APPLY ||
		    kind == JOIN_OUTER_APPLY) {
			j->right = table_primary(p);
		} else {
			/* "a JOIN b JOIN c ON … ON …" nests to the right */
			j->right = table_primary(p);
			while (!p->failed && !parse_is(p, K_ON)) {
				struct table_ref *inner;
				enum join_kind k2;

				if (!join_word(p, &k2)) {
					parse_syntax(p);
					break;
				}
				inner = new_ref(p, TR_JOIN);
				inner->join = k2;
				inner->left = j->right;
				inner->right = table_primary(p);
				if (k2 <= JOIN_FULL) {
					parse_expect(p, K_ON);
					inner->on = parse_search(p);
				}
				j->right = inner;
			}
			parse_expect(p, K_ON);
			j->on = parse_search(p);
		}
		t = j;
	}
	if (parse_is(p, K_PIVOT) || parse_is(p, K_UNPIVOT))
		parse_unsupported(p, p->tok->text);
	parse_leave(p);
	return t;
}

struct table_ref *parse_from(struct parser *p)
{
	struct table_ref *first = NULL, **link = &first;

	do {
		*link = parse_table_source(p);
		while (*link)
			link = &(*link)->next;
	} while (parse_accept_op(p, ","));
	return first;
}

struct row_list *parse_rows(struct parser *p)
{
	struct row_list *first = NULL, **link = &first;

	parse_expect(p, K_VALUES);
	do {
		struct row_list *row = pool_alloc(p->pool, sizeof(*row));

		row->line = p->tok->line;
		parse_expect_op(p, "(");
		row->values = parse_expr_list(p, &row->count);
		parse_expect_op(p, ")");
		*link = row;
		link = &row->next;
	} while (parse_accept_op(p, ","));
	return first;
}

/* --- one SELECT --- */

static void top_clause(struct parser *p, struct query *q)
{
	if (!parse_accept(p, K_TOP))
		return;
	if (parse_accept_op(p, "(")) {
		q->top = parse_value(p);
		parse_expect_op(p, ")");
	} else {
		q->top = parse_new_expr(p, EX_LITERAL);
		if (p->tok->kind != T_INT && p->tok->kind != T_DECIMAL &&
		    p->tok->kind != T_FLOAT)
			parse_syntax(p);
		q->top->op = (int)p->tok->kind;
		q->top->text = p->tok->text;
		q->top->len = p->tok->len;
		parse_advance(p);
	}
	q->top_percent = parse_accept(p, K_PERCENT);
	if (parse_is(p, K_WITH) && parse_is_next_word(p, 1, "ties")) {
		parse_advance(p);
		parse_advance(p);
		q->top_ties = true;
	}
}

static void group_clause(struct parser *p, struct query *q)
{
	int count;

	if (!parse_accept(p, K_GROUP))
		return;
	parse_expect(p, K_BY);
	q->grouped = true;
	if (((parse_is_word(p, "rollup") || parse_is_word(p, "cube")) &&
	     parse_is_next_op(p, 1, "(")) ||
	    (parse_is_word(p, "grouping") &&
	     parse_is_next_word(p, 1, "sets"))) {
		parse_unsupported(p, p->tok->text);
		return;
	}
	q->group = parse_expr_list(p, &count);
	if (parse_is(p, K_WITH) && (parse_is_next_word(p, 1, "rollup") ||
				    parse_is_next_word(p, 1, "cube")))
		parse_unsupported(p, "ROLLUP");
}

static struct query *select_spec(struct parser *p)
{
	struct query *q = new_query(p, Q_SELECT);

	parse_expect(p, K_SELECT);
	if (parse_accept(p, K_DISTINCT))
		q->distinct = true;
	else
		parse_accept(p, K_ALL);
	top_clause(p, q);
	q->items = parse_select_list(p);
	if (parse_accept(p, K_INTO))
		parse_object_name(p, &q->into);
	if (q->into.count && parse_is(p, K_ON)) { /* ON filegroup */
		parse_advance(p);
		parse_label(p);
	}
	if (parse_accept(p, K_FROM))
		q->from = parse_from(p);
	if (parse_accept(p, K_WHERE))
		q->where = parse_search(p);
	group_clause(p, q);
	if (parse_accept(p, K_HAVING))
		q->having = parse_search(p);
	return q;
}

static struct query *query_primary(struct parser *p)
{
	struct query *q;

	if (!parse_is_op(p, "("))
		return select_spec(p);
	parse_advance(p);
	if (!parse_enter(p))
		return new_query(p, Q_SELECT);
	q = parse_query(p);
	parse_leave(p);
	parse_expect_op(p, ")");
	return q;
}

static struct query *combine(struct parser *p, enum query_kind kind,
			     struct query *left, struct query *right)
{
	struct query *q = new_query(p, kind);

	q->left = left;
	q->right = right;
	q->line = left->line;
	q->start = left->start;
	q->into = left->into;
	return q;
}

static struct query *intersections(struct parser *p)
{
	struct query *q = query_primary(p);

	while (parse_accept(p, K_INTERSECT))
		q = combine(p, Q_INTERSECT, q, query_primary(p));
	return q;
}

static struct query *unions(struct parser *p)
{
	struct query *q = intersections(p);

	for (;;) {
		enum query_kind kind;

		if (parse_accept(p, K_UNION))
			kind = parse_accept(p, K_ALL) ? Q_UNION_ALL : Q_UNION;
		else if (parse_accept(p, K_EXCEPT))
			kind = Q_EXCEPT;
		else
			return q;
		q = combine(p, kind, q, intersections(p));
	}
}

static void offset_fetch(struct parser *p, struct query *q)
{
	if (!parse_accept_word(p, "offset"))
		return;
	q->offset = parse_value(p);
	if (!parse_accept_word(p, "rows"))
		parse_expect_word(p, "row");
	if (!parse_accept(p, K_FETCH))
		return;
	if (!parse_accept_word(p, "next"))
		parse_expect_word(p, "first");
	q->fetch = parse_value(p);
	if (!parse_accept_word(p, "rows"))
		parse_expect_word(p, "row");
	parse_expect_word(p, "only");
}

/* FOR XML …, FOR JSON …, FOR BROWSE. */
static void for_clause(struct parser *p, struct query *q)
{
	if (!parse_is(p, K_FOR))
		return;
	if (parse_is_next_word(p, 1, "xml"))
		q->for_clause = "XML";
	else if (parse_is_next_word(p, 1, "json"))
		q->for_clause = "JSON";
	else if (parse_is_next(p, 1, K_BROWSE))
		q->for_clause = "BROWSE";
	else
		return;
	parse_unsupported(p, pool_printf(p->pool, "FOR %s", q->for_clause));
}

struct query *parse_query_with(struct parser *p, struct cte *ctes)
{
	struct query *q;

	if (!parse_enter(p))
		return new_query(p, Q_SELECT);
	if (!ctes && parse_is(p, K_WITH))
		ctes = parse_ctes(p);
	q = unions(p);
	if (parse_is(p, K_ORDER)) {
		if (q->order) /* "(SELECT … ORDER BY) ORDER BY" */
			parse_syntax(p);
		q->order = parse_order(p);
		offset_fetch(p, q);
	}
	for_clause(p, q);
	if (ctes)
		q->ctes = ctes;
	if (p->prev)
		q->end = p->prev->end;
	parse_leave(p);
	return q;
}

struct query *parse_query(struct parser *p)
{
	return parse_query_with(p, NULL);
}

struct cte *parse_ctes(struct parser *p)
{
	struct cte *first = NULL, **link = &first;

	parse_expect(p, K_WITH);
	if (parse_is_word(p, "xmlnamespaces"))
		return parse_unsupported(p, "XMLNAMESPACES");
	do {
		struct cte *c = pool_alloc(p->pool, sizeof(*c));

		c->line = p->tok->line;
		c->name = parse_ident(p);
		if (parse_is_op(p, "("))
			c->columns = parse_name_list(p);
		parse_expect(p, K_AS);
		parse_expect_op(p, "(");
		c->query = parse_query(p);
		parse_expect_op(p, ")");
		*link = c;
		link = &c->next;
	} while (parse_accept_op(p, ","));
	return first;
}

static bool query_hint(struct parser *p)
{
	static const char *const names[] = {
		"recompile",	"maxdop", "loop",     "hash",	"merge",
		"force",	"fast",	  "optimize", "keep",	"keepfixed",
		"querytraceon", "use",	  "concat",   "robust", "expand"};
	size_t i;

	for (i = 0; i < LENGTH_OF(names); i++)
		if (p->tok->kind == T_WORD &&
		    !strcasecmp(p->tok->text, names[i]))
			return true;
	return false;
}

/* OPTION (…): hints for the optimizer, one of them obeyed. */
void parse_query_options(struct parser *p, int *max_recursion)
{
	if (!parse_is(p, K_OPTION))
		return;
	parse_advance(p);
	if (!parse_is_op(p, "(")) {
		parse_syntax(p);
		return;
	}
	parse_advance(p);
	do {
		if (parse_accept_word(p, "maxrecursion")) {
			*max_recursion = parse_integer(p);
			if (*max_recursion < 0 || *max_recursion > 32767)
				parse_fail(p, 310, NULL);
			continue;
		}
		if (!query_hint(p))
			parse_syntax(p);
		while (!p->failed && !parse_is_op(p, ")") &&
		       !parse_is_op(p, ",")) {
			if (parse_is_op(p, "("))
				parse_skip_parens(p);
			else if (p->tok->kind == T_END)
				parse_syntax(p);
			else
				parse_advance(p);
		}
	} while (parse_accept_op(p, ","));
	parse_expect_op(p, ")");
}
