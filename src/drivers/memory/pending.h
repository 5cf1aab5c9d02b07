#ifndef DRIVERS_MEMORY_PENDING_H
#define DRIVERS_MEMORY_PENDING_H

#include "drivers/memory/store.h"

/* A list of rows, as store.h has it. */
void pending_init(struct pending_list *list);

/* Takes a row of the table over; false without memory, or without a row. */
bool pending_add(struct pending_list *list, const struct memory_table *table,
		 enum row_op op, struct memory_row *row);

/* The first row, now the caller's; NULL when there is none. */
struct memory_row *pending_take(struct pending_list *list, enum row_op *op);

void pending_clear(struct pending_list *list, const struct memory_table *table);

#endif
