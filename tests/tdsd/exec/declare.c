/* Variables of a batch are there from its beginning. */
#include "exec/run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "base/text.h"
#include "exec/output.h"
#include "exec/planner.h"
#include "exec/server.h"
#include "exec/stmts.h"
#include "exec/tablevar.h"
#include "exec/tran.h"

static int declare_one(struct session *s, const struct param_def *p,
		       struct diag *d)
{
	struct frame *f = s->frame;
	struct type type = type_of(TY_INT);
	int slot;

	if (frame_find(f, p->name) >= 0) {
		diag_set(d, 134, p->name);
		d->line = p->line;
		return -1;
	}
	if (!p->is_table && tablevar_is_type(s, &p->type) > 0) {
		slot = frame_add(f, p->name, type);
		f->vars[slot].is_table = true;
		return tablevar_create_typed(s, &f->vars[slot], &p->type, d);
	}
	if (!p->is_table && catalog_type(s, &p->type, f->var_count + 1, "type",
					 &type, NULL, d) < 0) {
		if (!d->line)
			d->line = p->line;
		return -1;
	}
	if (type.kind == TY_TEXT || type.kind == TY_NTEXT ||
	    type.kind == TY_IMAGE) {
		diag_free_text(d, 2739, 16, 1,
			       "The text, ntext, and image data types are "
			       "invalid for local variables.");
		d->line = p->line;
		return -1;
	}
	slot = frame_add(f, p->name, type);
	f->vars[slot].is_table = p->is_table;
	if (p->is_table)
		return tablevar_create(s, &f->vars[slot], p, d);
	return 0;
}

static int declare_list(struct session *s, struct stmt *st, struct diag *d)
{
	const struct param_def *p;

	for (; st; st = st->next) {
		switch (st->kind) {
		case ST_DECLARE:
			for (p = st->declare; p; p = p->next)
				if (declare_one(s, p, d) < 0)
					return -1;
			break;
		case ST_IF:
		case ST_WHILE:
		case ST_TRY:
			if (declare_list(s, st->flow.then, d) < 0 ||
			    declare_list(s, st->flow.otherwise, d) < 0)
				return -1;
			break;
		case ST_BLOCK:
			if (declare_list(s, st->block, d) < 0)
				return -1;
			break;
		default:
			break;
		}
	}
	return 0;
}

int run_declare_all(struct session *s, struct stmt *first, struct diag *d)
{
	int ret = declare_list(s, first, d);

	frame_seal(s->frame);
	return ret;
}
