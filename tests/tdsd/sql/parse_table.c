#include <string.h>
#include <strings.h>

#include "sql/parser.h"

/* "(a ASC, b DESC)" */
static struct key_column *key_columns(struct parser *p)
{
	struct key_column *first = NULL, **link = &first;

	parse_expect_op(p, "(");
	do {
		struct key_column *k = pool_alloc(p->pool, sizeof(*k));

		k->line = p->tok->line;
		k->name = parse_ident(p);
		if (parse_accept(p, K_DESC))
			k->desc = true;
		else
			parse_accept(p, K_ASC);
		*link = k;
		link = &k->next;
	} while (parse_accept_op(p, ","));
	parse_expect_op(p, ")");
	return first;
}

/* WITH (FILLFACTOR = 80, …) or the old WITH FILLFACTOR = 80; ON filegroup. */
static void index_options(struct parser *p, bool *ignore_dup_key,
			  int *compression, bool *drop_existing)
{
	struct option_item *o = NULL;

	if (parse_is(p, K_WITH) && parse_is_next_op(p, 1, "(")) {
		parse_advance(p);
		o = parse_options(p);
	} else if (parse_is(p, K_WITH) &&
		   (parse_is_next(p, 1, K_FILLFACTOR) ||
		    parse_is_next_word(p, 1, "pad_index"))) {
		parse_advance(p);
		parse_advance(p);
		parse_expect_op(p, "=");
		parse_advance(p);
	} else if (parse_is(p, K_WITH) &&
		   parse_is_next_word(p, 1, "ignore_dup_key")) {
		parse_advance(p);
		parse_advance(p);
		*ignore_dup_key = true;
	}
	for (; o; o = o->next) {
		bool on = o->value && !strcasecmp(o->value, "on");

		if (!strcasecmp(o->name, "ignore_dup_key"))
			*ignore_dup_key = on || !o->value;
		else if (!strcasecmp(o->name, "drop_existing") && drop_existing)
			*drop_existing = on || !o->value;
		else if (!strcasecmp(o->name, "data_compression") && o->value)
			*compression = !strcasecmp(o->value, "row")    ? 1
				       : !strcasecmp(o->value, "page") ? 2
								       : 0;
	}
}

/* "ON [PRIMARY]", "ON scheme(column)", "TEXTIMAGE_ON x". Is it a scheme? */
static bool storage(struct parser *p)
{
	bool partitioned = false;

	for (;;) {
		if (parse_is(p, K_ON) &&
		    (p->tok[1].kind == T_QUOTED || p->tok[1].kind == T_STRING ||
		     (p->tok[1].kind == T_WORD &&
		      (!p->tok[1].word || p->tok[1].word == K_PRIMARY ||
		       p->tok[1].word == K_DEFAULT)))) {
			parse_advance(p);
			parse_advance(p);
			partitioned = parse_is_op(p, "(");
			parse_skip_parens(p);
		} else if (parse_is_word(p, "textimage_on") ||
			   parse_is_word(p, "filestream_on")) {
			parse_advance(p);
			parse_advance(p);
		} else {
			return partitioned;
		}
	}
}

static enum fk_action fk_action(struct parser *p)
{
	if (parse_accept(p, K_CASCADE))
		return FK_CASCADE;
	if (parse_accept(p, K_SET)) {
		if (parse_accept(p, K_NULL))
			return FK_SET_NULL;
		parse_expect(p, K_DEFAULT);
		return FK_SET_DEFAULT;
	}
	parse_expect_word(p, "no");
	parse_expect_word(p, "action");
	return FK_NO_ACTION;
}

static void references(struct parser *p, struct constraint_def *c)
{
	parse_expect(p, K_REFERENCES);
	parse_object_name(p, &c->ref_table);
	if (parse_is_op(p, "("))
		c->ref_columns = key_columns(p);
	while (parse_is(p, K_ON) && (parse_is_next(p, 1, K_DELETE) ||
				     parse_is_next(p, 1, K_UPDATE))) {
		bool del;

		parse_advance(p);
		del = parse_is(p, K_DELETE);
		parse_advance(p);
		if (del)
			c->on_delete = fk_action(p);
		else
			c->on_update = fk_action(p);
	}
	if (parse_is(p, K_NOT) && parse_is_next(p, 1, K_FOR)) {
		parse_advance(p);
		parse_advance(p);
		parse_expect(p, K_REPLICATION);
	}
}

static void key_constraint(struct parser *p, struct constraint_def *c,
			   const char *column)
{
	c->clustered = -1;
	if (parse_accept(p, K_CLUSTERED))
		c->clustered = 1;
	else if (parse_accept(p, K_NONCLUSTERED))
		c->clustered = 0;
	if (parse_is_word(p, "hash"))
		parse_unsupported(p, "HASH index");
	if (parse_is_op(p, "(")) {
		c->columns = key_columns(p);
	} else if (column) {
		c->columns = pool_alloc(p->pool, sizeof(*c->columns));
		c->columns->name = column;
		c->columns->line = p->tok->line;
		if (parse_accept(p, K_DESC))
			c->columns->desc = true;
		else
			parse_accept(p, K_ASC);
	} else {
		parse_syntax(p);
	}
	index_options(p, &c->ignore_dup_key, &c->compression, NULL);
	c->partitioned = storage(p);
}

static void check_constraint(struct parser *p, struct constraint_def *c)
{
	size_t start;

	if (parse_accept(p, K_NOT)) {
		parse_expect(p, K_FOR);
		parse_expect(p, K_REPLICATION);
		c->not_for_replication = true;
	}
	start = p->tok->start;
	parse_expect_op(p, "(");
	c->expr = parse_search(p);
	parse_expect_op(p, ")");
	if (p->prev)
		c->text = parse_source(p, start, p->prev->end);
}

static void default_constraint(struct parser *p, struct constraint_def *c,
			       const char *column)
{
	size_t start = p->tok->start;

	c->expr = parse_value(p);
	if (p->prev)
		c->text = parse_source(p, start, p->prev->end);
	c->for_column = column;
	if (!column) {
		parse_expect(p, K_FOR);
		c->for_column = parse_ident(p);
	}
	if (parse_is(p, K_WITH) && parse_is_next(p, 1, K_VALUES)) {
		parse_advance(p);
		parse_advance(p);
		c->with_values = true;
	}
}

/* One constraint; `column` when it stands behind a column. NULL: none here. */
static struct constraint_def *constraint(struct parser *p, const char *column)
{
	struct constraint_def *c = pool_alloc(p->pool, sizeof(*c));

	c->line = p->tok->line;
	if (parse_accept(p, K_CONSTRAINT))
		c->name = parse_ident(p);
	if (parse_is(p, K_PRIMARY)) {
		parse_advance(p);
		parse_expect(p, K_KEY);
		c->kind = CON_PRIMARY;
		key_constraint(p, c, column);
	} else if (parse_accept(p, K_UNIQUE)) {
		c->kind = CON_UNIQUE;
		key_constraint(p, c, column);
	} else if (parse_accept(p, K_CHECK)) {
		c->kind = CON_CHECK;
		c->for_column = column;
		check_constraint(p, c);
	} else if (parse_accept(p, K_DEFAULT)) {
		c->kind = CON_DEFAULT;
		default_constraint(p, c, column);
	} else if (parse_accept(p, K_FOREIGN)) {
		c->kind = CON_FOREIGN;
		parse_expect(p, K_KEY);
		if (parse_is_op(p, "("))
			c->columns = key_columns(p);
		references(p, c);
	} else if (column && parse_is(p, K_REFERENCES)) {
		c->kind = CON_FOREIGN;
		references(p, c);
	} else {
		if (c->name)
			parse_syntax(p);
		return NULL;
	}
	if (c->kind == CON_FOREIGN && column && !c->columns) {
		c->columns = pool_alloc(p->pool, sizeof(*c->columns));
		c->columns->name = column;
	}
	return c;
}

static struct index_def *inline_index(struct parser *p, const char *column)
{
	struct index_def *x = pool_alloc(p->pool, sizeof(*x));

	x->line = p->tok->line;
	parse_expect(p, K_INDEX);
	x->name = parse_ident(p);
	x->unique = parse_accept(p, K_UNIQUE);
	if (parse_accept(p, K_CLUSTERED))
		x->clustered = true;
	else
		parse_accept(p, K_NONCLUSTERED);
	if (parse_is_word(p, "columnstore") || parse_is_word(p, "hash"))
		return parse_unsupported(p, p->tok->text), x;
	if (parse_is_op(p, "(")) {
		x->columns = key_columns(p);
	} else if (column) {
		x->columns = pool_alloc(p->pool, sizeof(*x->columns));
		x->columns->name = column;
	}
	if (parse_accept_word(p, "include"))
		x->include = parse_name_list(p);
	if (parse_accept(p, K_WHERE)) {
		size_t start = p->tok->start;

		x->where = parse_search(p);
		x->where_text = parse_source(p, start, p->prev->end);
	}
	index_options(p, &x->ignore_dup_key, &x->compression, NULL);
	x->partitioned = storage(p);
	return x;
}

static const char *signed_number(struct parser *p)
{
	bool minus = parse_accept_op(p, "-");
	const char *text = p->tok->text;

	parse_accept_op(p, "+");
	if (p->tok->kind != T_INT && p->tok->kind != T_DECIMAL) {
		parse_syntax(p);
		return "1";
	}
	parse_advance(p);
	return minus ? pool_printf(p->pool, "-%s", text) : text;
}

static void identity(struct parser *p, struct column_def *c)
{
	parse_advance(p);
	c->identity = true;
	c->seed = c->increment = "1";
	if (parse_accept_op(p, "(")) {
		c->seed = signed_number(p);
		parse_expect_op(p, ",");
		c->increment = signed_number(p);
		parse_expect_op(p, ")");
	}
}

/* GENERATED ALWAYS AS ROW START [HIDDEN] */
static void generated(struct parser *p, struct column_def *c)
{
	parse_advance(p);
	parse_expect_word(p, "always");
	parse_expect(p, K_AS);
	parse_expect_word(p, "row");
	if (parse_accept_word(p, "start"))
		c->generated = 1;
	else
		parse_expect(p, K_END), c->generated = 2;
	c->hidden_ = parse_accept_word(p, "hidden");
}

/* What may follow a column's type, in any order. */
static void column_attributes(struct parser *p, struct column_def *c)
{
	struct constraint_def **link = &c->constraints;
	struct index_def **ix = &c->indexes;

	for (; !p->failed;) {
		if (parse_accept(p, K_COLLATE)) {
			c->collation = p->tok->text;
			if (!parse_at_ident(p))
				parse_syntax(p);
			parse_advance(p);
		} else if (parse_accept(p, K_NULL)) {
			c->nullable = 1;
		} else if (parse_is(p, K_NOT) && parse_is_next(p, 1, K_NULL)) {
			parse_advance(p);
			parse_advance(p);
			c->nullable = 0;
		} else if (parse_is(p, K_NOT) && parse_is_next(p, 1, K_FOR)) {
			parse_advance(p);
			parse_advance(p);
			parse_expect(p, K_REPLICATION);
			c->not_for_replication = true;
		} else if (parse_is(p, K_IDENTITY)) {
			identity(p, c);
		} else if (parse_accept(p, K_ROWGUIDCOL)) {
			c->rowguid = true;
		} else if (parse_accept_word(p, "sparse")) {
			c->sparse = true;
		} else if (parse_accept_word(p, "column_set")) {
			parse_expect(p, K_FOR);
			parse_expect_word(p, "all_sparse_columns");
			c->column_set = true;
		} else if (parse_accept_word(p, "persisted")) {
			c->persisted = true;
		} else if (parse_accept_word(p, "hidden")) {
			c->hidden_ = true;
		} else if (parse_accept_word(p, "masked")) {
			c->masked = true;
			parse_expect(p, K_WITH);
			parse_skip_parens(p);
		} else if (parse_is_word(p, "generated")) {
			generated(p, c);
		} else if (parse_is_word(p, "filestream") ||
			   parse_is_word(p, "encrypted")) {
			parse_unsupported(p, p->tok->text);
		} else if (parse_is(p, K_INDEX)) {
			*ix = inline_index(p, c->name);
			ix = &(*ix)->next;
		} else {
			*link = constraint(p, c->name);
			if (!*link)
				return;
			link = &(*link)->next;
		}
	}
}

static struct column_def *column(struct parser *p)
{
	struct column_def *c = pool_alloc(p->pool, sizeof(*c));
	size_t start;

	c->line = p->tok->line;
	c->nullable = -1;
	c->name = parse_ident(p);
	if (parse_accept(p, K_AS)) {
		start = p->tok->start;
		c->computed = parse_value(p);
		if (p->prev)
			c->computed_text = parse_source(p, start, p->prev->end);
		column_attributes(p, c);
		return c;
	}
	/* "timestamp" alone is a column of that type */
	if (!strcasecmp(c->name, "timestamp") &&
	    (parse_is_op(p, ",") || parse_is_op(p, ")") || parse_is(p, K_NOT) ||
	     parse_is(p, K_NULL))) {
		c->type.name.count = 1;
		c->type.name.part[0] = "timestamp";
	} else {
		parse_type_ref(p, &c->type);
	}
	c->has_type = true;
	column_attributes(p, c);
	return c;
}

static bool at_constraint(const struct parser *p)
{
	return parse_is(p, K_CONSTRAINT) || parse_is(p, K_PRIMARY) ||
	       parse_is(p, K_UNIQUE) || parse_is(p, K_CHECK) ||
	       parse_is(p, K_FOREIGN) || parse_is(p, K_DEFAULT);
}

struct lists {
	struct column_def **columns;
	struct constraint_def **constraints;
	struct index_def **indexes;
	struct period_def **period; /* NULL: there cannot be one */
};

static void body_element(struct parser *p, struct lists *l)
{
	if (at_constraint(p)) {
		*l->constraints = constraint(p, NULL);
		if (*l->constraints)
			l->constraints = &(*l->constraints)->next;
		else
			parse_syntax(p);
	} else if (parse_is(p, K_INDEX)) {
		*l->indexes = inline_index(p, NULL);
		l->indexes = &(*l->indexes)->next;
	} else if (parse_at_period(p)) {
		int number = !l->period ? 13572 : *l->period ? 13508 : 0;

		if (number) {
			diag_set(p->d, number);
			parse_stop(p);
			return;
		}
		*l->period = parse_period(p);
	} else {
		*l->columns = column(p);
		l->columns = &(*l->columns)->next;
	}
}

static void table_body(struct parser *p, struct lists *l)
{
	parse_expect_op(p, "(");
	do {
		if (parse_is_op(p, ")"))
			break; /* a comma too many is allowed */
		body_element(p, l);
		/* a table constraint may follow without a comma */
		while (!p->failed && at_constraint(p))
			body_element(p, l);
	} while (parse_accept_op(p, ","));
	parse_expect_op(p, ")");
}

void parse_table_body(struct parser *p, struct column_def **columns,
		      struct constraint_def **constraints,
		      struct index_def **indexes)
{
	struct lists l = {columns, constraints, indexes, NULL};
	const struct column_def *c;

	table_body(p, &l);
	for (c = *columns; c && !p->failed; c = c->next)
		if (c->generated) {
			diag_set(p->d, 13509);
			parse_stop(p);
		}
}

struct stmt *parse_create_table(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_CREATE_TABLE);
	struct create_table *t = pool_alloc(p->pool, sizeof(*t));
	struct lists l = {&t->columns, &t->constraints, &t->indexes,
			  &t->period};

	s->create_table = t;
	parse_expect(p, K_TABLE);
	parse_object_name(p, &t->name);
	if (parse_is(p, K_AS))
		return parse_unsupported(p, "CREATE TABLE AS");
	table_body(p, &l);
	storage(p);
	if (parse_is(p, K_WITH) && parse_is_next_op(p, 1, "(")) {
		parse_advance(p);
		t->versioning = parse_table_options(p, &t->in_memory);
	}
	storage(p);
	return s;
}

/* --- ALTER TABLE --- */

static void alter_add(struct parser *p, struct alter_table *a)
{
	struct lists l = {&a->columns, &a->constraints, &a->indexes,
			  &a->period};

	a->kind = ALTER_ADD;
	if (parse_is_word(p, "column")) /* not T-SQL */
		parse_syntax(p);
	do {
		body_element(p, &l);
	} while (parse_accept_op(p, ","));
}

static void alter_drop(struct parser *p, struct alter_table *a)
{
	struct drop_item **link = &a->drops;
	bool column = false;

	a->kind = ALTER_DROP;
	if (parse_at_period(p)) {
		parse_period_words(p);
		a->drop_period = true;
		return;
	}
	do {
		struct drop_item *d = pool_alloc(p->pool, sizeof(*d));

		if (parse_accept(p, K_COLUMN)) {
			column = true;
		} else if (parse_accept(p, K_CONSTRAINT)) {
			column = false;
		}
		d->column = column;
		d->line = p->tok->line;
		if (parse_is(p, K_IF)) {
			parse_advance(p);
			parse_expect(p, K_EXISTS);
			d->if_exists = true;
		}
		d->name = parse_ident(p);
		if (parse_is(p, K_WITH) && parse_is_next_op(p, 1, "(")) {
			parse_advance(p);
			parse_skip_parens(p);
		}
		*link = d;
		link = &d->next;
	} while (parse_accept_op(p, ","));
}

static void alter_column(struct parser *p, struct alter_table *a)
{
	struct column_def *c = pool_alloc(p->pool, sizeof(*c));

	a->kind = ALTER_COLUMN;
	a->columns = c;
	parse_expect(p, K_COLUMN);
	c->line = p->tok->line;
	c->nullable = -1;
	c->name = parse_ident(p);
	if (parse_is(p, K_ADD) || parse_is(p, K_DROP)) {
		a->alter_flag = parse_is(p, K_ADD) ? 'A' : 'D';
		parse_advance(p);
		c->rowguid = parse_is(p, K_ROWGUIDCOL);
		c->persisted = parse_is_word(p, "persisted");
		c->sparse = parse_is_word(p, "sparse");
		c->hidden_ = parse_is_word(p, "hidden");
		c->masked = parse_is_word(p, "masked");
		if (parse_is(p, K_NOT)) {
			parse_advance(p);
			parse_expect(p, K_FOR);
		} else if (!c->rowguid && !c->persisted && !c->sparse &&
			   !c->hidden_ && !c->masked) {
			parse_syntax(p);
		}
		parse_advance(p);
		if (c->masked && a->alter_flag == 'A') {
			parse_expect(p, K_WITH);
			parse_skip_parens(p);
		}
		return;
	}
	parse_type_ref(p, &c->type);
	c->has_type = true;
	column_attributes(p, c);
	if (c->constraints || c->identity)
		parse_syntax(p);
	if (parse_is(p, K_WITH) && parse_is_next_op(p, 1, "(")) {
		parse_advance(p);
		parse_skip_parens(p);
	}
}

static void alter_switch(struct parser *p, struct alter_table *a)
{
	a->kind = ALTER_SWITCH;
	if (parse_is_word(p, "partition"))
		parse_unsupported(p, "SWITCH PARTITION");
	parse_expect(p, K_TO);
	parse_object_name(p, &a->target);
	if (parse_is_word(p, "partition"))
		parse_unsupported(p, "SWITCH PARTITION");
	if (parse_is(p, K_WITH) && parse_is_next_op(p, 1, "(")) {
		parse_advance(p);
		parse_skip_parens(
			p); /* WAIT_AT_LOW_PRIORITY, TRUNCATE_TARGET */
	}
}

static struct name_list *bare_names(struct parser *p, bool *all)
{
	struct name_list *first = NULL, **link = &first;

	if (parse_accept(p, K_ALL)) {
		*all = true;
		return NULL;
	}
	do {
		*link = pool_alloc(p->pool, sizeof(**link));
		(*link)->line = p->tok->line;
		(*link)->name = parse_ident(p);
		link = &(*link)->next;
	} while (parse_accept_op(p, ","));
	return first;
}

/* ENABLE / DISABLE TRIGGER or CHANGE_TRACKING */
static void alter_enable(struct parser *p, struct alter_table *a)
{
	a->enable = parse_is_word(p, "enable");
	parse_advance(p);
	if (parse_accept(p, K_TRIGGER)) {
		a->kind = ALTER_TRIGGER;
		a->names = bare_names(p, &a->all);
		return;
	}
	parse_expect_word(p, "change_tracking");
	a->kind = ALTER_TRACKING;
	if (parse_is(p, K_WITH) && parse_is_next_op(p, 1, "(")) {
		struct option_item *o;

		parse_advance(p);
		for (o = parse_options(p); o; o = o->next)
			if (!strcasecmp(o->name, "track_columns_updated"))
				a->columns_updated =
					o->value && !strcasecmp(o->value, "on");
	}
}

struct stmt *parse_alter_table(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_ALTER_TABLE);
	struct alter_table *a = pool_alloc(p->pool, sizeof(*a));

	s->alter_table = a;
	parse_expect(p, K_TABLE);
	parse_object_name(p, &a->name);
	if (parse_is(p, K_WITH) &&
	    (parse_is_next(p, 1, K_NOCHECK) || parse_is_next(p, 1, K_CHECK))) {
		parse_advance(p);
		a->check_said = true;
		a->no_check = parse_is(p, K_NOCHECK);
		parse_advance(p);
	}
	if (parse_accept(p, K_ADD)) {
		alter_add(p, a);
	} else if (parse_accept(p, K_DROP)) {
		alter_drop(p, a);
	} else if (parse_accept(p, K_ALTER)) {
		alter_column(p, a);
	} else if (parse_accept_word(p, "switch")) {
		alter_switch(p, a);
	} else if (parse_is(p, K_CHECK) || parse_is(p, K_NOCHECK)) {
		a->kind = ALTER_CHECK;
		a->enable = parse_is(p, K_CHECK);
		parse_advance(p);
		parse_expect(p, K_CONSTRAINT);
		a->names = bare_names(p, &a->all);
	} else if (parse_is_word(p, "enable") || parse_is_word(p, "disable")) {
		alter_enable(p, a);
	} else if (parse_accept_word(p, "rebuild")) {
		a->kind = ALTER_REBUILD;
		if (parse_accept_word(p, "partition")) {
			parse_expect_op(p, "=");
			parse_advance(p);
		}
		if (parse_accept(p, K_WITH))
			parse_options(p);
	} else if (parse_accept(p, K_SET)) {
		a->kind = ALTER_SET;
		a->versioning = parse_table_options(p, NULL);
	} else {
		parse_syntax(p);
	}
	return s;
}

/* --- indexes --- */

struct stmt *parse_create_index(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_CREATE_INDEX);
	struct index_def *x = pool_alloc(p->pool, sizeof(*x));

	s->create_index.index = x;
	x->unique = parse_accept(p, K_UNIQUE);
	if (parse_accept(p, K_CLUSTERED))
		x->clustered = true;
	else
		parse_accept(p, K_NONCLUSTERED);
	if (parse_is_word(p, "columnstore"))
		return parse_unsupported(p, "COLUMNSTORE");
	parse_expect(p, K_INDEX);
	x->line = p->tok->line;
	x->name = parse_ident(p);
	parse_expect(p, K_ON);
	parse_object_name(p, &s->create_index.table);
	x->columns = key_columns(p);
	if (parse_accept_word(p, "include"))
		x->include = parse_name_list(p);
	if (parse_accept(p, K_WHERE)) {
		size_t start = p->tok->start;

		x->where = parse_search(p);
		if (p->prev)
			x->where_text = parse_source(p, start, p->prev->end);
	}
	index_options(p, &x->ignore_dup_key, &x->compression,
		      &x->drop_existing);
	x->partitioned = storage(p);
	return s;
}
