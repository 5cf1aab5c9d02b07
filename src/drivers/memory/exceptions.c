#include "drivers/memory/exceptions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void exception_free(struct memory_exception *exception)
{
	free(exception->id);
	free(exception->key);
	free(exception->position);
	free(exception->reason);
	free(exception);
}

int exceptions_keep(struct memory_store *store, const char *id,
		    struct target_exception *row, struct error *err)
{
	struct memory_exception *kept = calloc(1, sizeof(*kept));
	struct memory_exception **end = &store->exceptions;

	if (!kept)
		return error_memory(err, "an exception");
	snprintf(row->id, sizeof(row->id), "memory-%llu",
		 (unsigned long long)++store->exception_number);
	kept->id = strdup(id);
	kept->key = strdup(row->key);
	kept->position = strdup(row->position);
	kept->reason = strdup(row->reason);
	if (!kept->id || !kept->key || !kept->position || !kept->reason) {
		exception_free(kept);
		return error_memory(err, "an exception");
	}
	kept->row = *row;
	kept->row.key = kept->key;
	kept->row.position = kept->position;
	kept->row.reason = kept->reason;
	while (*end)
		end = &(*end)->next;
	*end = kept;
	return 0;
}

uint64_t exceptions_settle(struct memory_store *store, const char *id,
			   const char *key)
{
	struct memory_exception **link = &store->exceptions, *one;
	uint64_t count = 0;

	while ((one = *link)) {
		if (strcmp(one->id, id) || (key && strcmp(one->key, key))) {
			link = &one->next;
			continue;
		}
		*link = one->next;
		exception_free(one);
		count++;
	}
	return count;
}

void exceptions_free(struct memory_store *store)
{
	struct memory_exception *one;

	while ((one = store->exceptions)) {
		store->exceptions = one->next;
		exception_free(one);
	}
}
