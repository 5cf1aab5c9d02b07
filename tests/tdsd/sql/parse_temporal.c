/* What makes a table temporal. */
#include <strings.h>

#include "sql/parser.h"

bool parse_at_period(const struct parser *p)
{
	return parse_is_word(p, "period") && parse_is_next(p, 1, K_FOR);
}

void parse_period_words(struct parser *p)
{
	parse_expect_word(p, "period");
	parse_expect(p, K_FOR);
	parse_expect_word(p, "system_time");
}

struct period_def *parse_period(struct parser *p)
{
	struct period_def *period = pool_alloc(p->pool, sizeof(*period));

	period->line = p->tok->line;
	parse_period_words(p);
	parse_expect_op(p, "(");
	period->start = parse_ident(p);
	parse_expect_op(p, ",");
	period->end = parse_ident(p);
	parse_expect_op(p, ")");
	return period;
}

/* HISTORY_TABLE = schema.name, and what has no meaning here */
static void history_options(struct parser *p, struct versioning *v)
{
	parse_expect_op(p, "(");
	do {
		if (!parse_accept_word(p, "history_table")) {
			parse_option(p);
			continue;
		}
		parse_expect_op(p, "=");
		v->has_history = true;
		parse_object_name(p, &v->history);
	} while (parse_accept_op(p, ","));
	parse_expect_op(p, ")");
}

static struct versioning *system_versioning(struct parser *p)
{
	struct versioning *v = pool_alloc(p->pool, sizeof(*v));

	parse_expect_op(p, "=");
	if (parse_accept(p, K_ON))
		v->on = true;
	else
		parse_expect(p, K_OFF);
	if (v->on && parse_is_op(p, "("))
		history_options(p, v);
	return v;
}

struct versioning *parse_table_options(struct parser *p, bool *in_memory)
{
	struct versioning *found = NULL;

	parse_expect_op(p, "(");
	do {
		struct option_item *o;

		if (parse_accept_word(p, "system_versioning")) {
			if (found) {
				diag_set(p->d, 13512);
				parse_stop(p);
			}
			found = system_versioning(p);
			continue;
		}
		o = parse_option(p);
		if (p->failed || strcasecmp(o->name, "memory_optimized") != 0)
			continue;
		if (!in_memory)
			parse_unsupported(p, o->name);
		else
			*in_memory = o->value && !strcasecmp(o->value, "on");
	} while (!p->failed && parse_accept_op(p, ","));
	parse_expect_op(p, ")");
	return found;
}
