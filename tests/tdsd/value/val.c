#include "value/val.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

void cell_set(struct cell *cell, const struct val *v)
{
	if (v->cls == VAL_TEXT || v->cls == VAL_BLOB) {
		size_t n = v->n;

		if (n + 1 > cell->room) {
			/* v may point into the cell itself */
			char *mem = mem_alloc(n + 1);

			memcpy(mem, v->p, n);
			free(cell->mem);
			cell->mem = mem;
			cell->room = n + 1;
		} else if (n) {
			memmove(cell->mem, v->p, n);
		}
		cell->mem[n] = '\0';
		cell->v.cls = v->cls;
		cell->v.n = n;
		cell->v.p = cell->mem;
	} else {
		cell->v = *v;
	}
}

void cell_release(struct cell *cell)
{
	free(cell->mem);
	memset(cell, 0, sizeof(*cell));
}

int val_same(const struct val *a, const struct val *b)
{
	if (a->cls != b->cls)
		return 0;
	switch (a->cls) {
	case VAL_NULL:
		return 1;
	case VAL_INT:
		return a->i == b->i;
	case VAL_REAL:
		return memcmp(&a->r, &b->r, sizeof(a->r)) == 0;
	default:
		return a->n == b->n && !memcmp(a->p, b->p, a->n);
	}
}
