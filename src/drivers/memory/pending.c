#include "drivers/memory/pending.h"

#include <stdlib.h>

void pending_init(struct pending_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

bool pending_add(struct pending_list *list, const struct memory_table *table,
		 enum row_op op, struct memory_row *row)
{
	struct pending *item = row ? calloc(1, sizeof(*item)) : NULL;

	if (!item) {
		row_free(table, row);
		return false;
	}
	item->op = op;
	item->row = row;
	*list->end = item;
	list->end = &item->next;
	return true;
}

struct memory_row *pending_take(struct pending_list *list, enum row_op *op)
{
	struct pending *item = list->first;
	struct memory_row *row;

	if (!item)
		return NULL;
	list->first = item->next;
	if (!list->first)
		list->end = &list->first;
	row = item->row;
	*op = item->op;
	free(item);
	return row;
}

void pending_clear(struct pending_list *list, const struct memory_table *table)
{
	struct memory_row *row;
	enum row_op op;

	while ((row = pending_take(list, &op)))
		row_free(table, row);
}
