/* Which expressions are the same, for GROUP BY and ORDER BY. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "plan/apply.h"
#include "plan/translate.h"
#include "sql/lex.h"
#include "sql/parse.h"
#include "value/collation.h"
#include "value/decimal.h"
#include "value/utf.h"

static bool same_list(struct tr *t, const struct expr *a, const struct expr *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (!expr_same(t, a, b))
			return false;
	return !a && !b;
}

static bool same_column(struct tr *t, const struct name *a,
			const struct name *b)
{
	struct diag d, *save = t->d;
	struct ex x, y;
	bool failed;

	if (!name_same(a->part[a->count - 1], b->part[b->count - 1]))
		return false;
	if (a->count == b->count &&
	    (a->count == 1 ||
	     name_same(a->part[a->count - 2], b->part[b->count - 2])))
		return true;
	/* "c" and "t.c" may be the same column */
	t->d = &d;
	t->scope->group_ok++;
	x = tr_column(t, a);
	y = tr_column(t, b);
	t->scope->group_ok--;
	failed = t->failed;
	t->failed = false;
	t->d = save;
	return !failed && !strcmp(x.sql, y.sql);
}

bool expr_same(struct tr *t, const struct expr *a, const struct expr *b)
{
	if (!a || !b)
		return a == b;
	if (a == b)
		return true;
	if (a->kind != b->kind || a->op != b->op || a->negated != b->negated ||
	    a->distinct != b->distinct || a->over || b->over)
		return false;
	switch (a->kind) {
	case EX_COLUMN:
		return same_column(t, &a->name, &b->name);
	case EX_LITERAL:
		return a->len == b->len && !memcmp(a->text, b->text, a->len);
	case EX_VAR:
	case EX_GLOBAL:
	case EX_PSEUDO:
		return !strcasecmp(a->text, b->text);
	case EX_SUBQUERY:
	case EX_EXISTS:
		return false;
	case EX_CALL:
		if (a->name.count != b->name.count ||
		    !name_same(a->name.part[a->name.count - 1],
			       b->name.part[b->name.count - 1]))
			return false;
		break;
	case EX_COLLATE:
		if (strcasecmp(a->text, b->text) != 0)
			return false;
		break;
	case EX_CAST:
		if (!name_same(a->type->name.part[a->type->name.count - 1],
			       b->type->name.part[b->type->name.count - 1]) ||
		    a->type->a != b->type->a || a->type->b != b->type->b)
			return false;
		break;
	default:
		if (a->query || b->query)
			return false;
		break;
	}
	return expr_same(t, a->a, b->a) && expr_same(t, a->b, b->b) &&
	       expr_same(t, a->c, b->c) && same_list(t, a->args, b->args);
}
