#ifndef DRIVERS_MEMORY_CHOICE_H
#define DRIVERS_MEMORY_CHOICE_H

#include "drivers/memory/store.h"

/* Which rows of a table a read is for; see struct row_choice. Inside the
 * store's lock. */
struct memory_choice {
	const struct key_range *range;
	struct memory_row *low, *high; /* copies of the ends; NULL: open */
	struct memory_row **keys;      /* ordered; NULL: any */
	size_t key_count;
	bool has_condition;
	size_t column; /* of the condition: this column is `number` */
	int64_t number;
};

/* `choice` may be NULL. Release it in any case. A condition is NAME = NUMBER. */
int memory_choice_init(struct memory_choice *out,
		       const struct memory_table *table,
		       const struct row_choice *choice, struct error *err)
	__attribute__((warn_unused_result));
void memory_choice_release(struct memory_choice *choice,
			   const struct memory_table *table);

bool memory_choice_has(const struct memory_choice *choice,
		       const struct memory_table *table,
		       const struct memory_row *row);

/* Put the rows of a table into the order of their keys. */
void memory_sort(struct memory_table *table);

#endif
