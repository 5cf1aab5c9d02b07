#include "exec/frame.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/session.h"
#include "exec/tablevar.h"
#include "store/catalog.h"

void frame_init(struct frame *f, struct session *s, char kind)
{
	memset(f, 0, sizeof(*f));
	arena_init(&f->pool, 0);
	f->session = s;
	f->outer = s->frame;
	f->kind = kind;
	f->level = f->outer ? f->outer->level + 1 : 0;
	if (f->outer) {
		f->discard_results = f->outer->discard_results;
		f->sink = f->outer->sink;
	}
	s->frame = f;
}

void frame_release(struct frame *f)
{
	struct session *s = f->session;
	struct caught *c;
	int i;

	temp_drop_level(s, f->level);
	for (i = 0; i < f->var_count; i++) {
		if (f->vars[i].borrowed)
			table_unref(f->vars[i].table);
		else if (f->vars[i].table)
			tablevar_drop(s, f->vars[i].table);
		cell_release(&f->vars[i].cell);
	}
	while ((c = f->caught)) {
		f->caught = c->outer;
		free(c);
	}
	free(f->vars);
	cell_release(&f->result);
	arena_release(&f->pool);
	s->frame = f->outer;
}

int frame_find(const struct frame *f, const char *name)
{
	int i;

	for (i = 0; i < f->var_count; i++)
		if (!strcasecmp(f->vars[i].name, name))
			return i;
	return -1;
}

int frame_add(struct frame *f, const char *name, struct type type)
{
	struct variable *v;

	MEM_GROW(f->vars, f->var_count, f->var_room);
	v = &f->vars[f->var_count];
	memset(v, 0, sizeof(*v));
	v->name = name;
	v->type = type;
	v->cell.v = val_null();
	return f->var_count++;
}

void frame_seal(struct frame *f)
{
	uint64_t h = UINT64_C(1469598103934665603);
	const char *p;
	int i;

	for (i = 0; i < f->var_count; i++) {
		for (p = f->vars[i].name; *p; p++)
			h = (h ^ (uint64_t)(*p | 32)) * UINT64_C(1099511628211);
		h = (h ^ (uint64_t)type_pack(f->vars[i].type)) *
		    UINT64_C(1099511628211);
		if (f->vars[i].table) /* made anew for each run */
			h = (h ^ (uint64_t)(unsigned)f->vars[i].table->phys) *
			    UINT64_C(1099511628211);
	}
	if (f->inserted)
		h = (h ^ (uint64_t)(unsigned)f->inserted->phys) *
		    UINT64_C(1099511628211);
	f->signature = h;
}
