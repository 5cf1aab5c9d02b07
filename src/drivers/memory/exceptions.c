#include "drivers/memory/exceptions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void exception_free(struct memory_exception *exception)
{
	free(exception->id);
	free(exception->key);
	free(exception->position);
	free(exception);
}

struct memory_exception *exception_new(struct memory_store *store,
				       const char *id, bool keep,
				       const struct target_exception *row,
				       struct error *err)
{
	struct memory_exception *out = calloc(1, sizeof(*out));

	if (!out)
		goto no_memory;
	out->id = strdup(id);
	out->key = strdup(row->key);
	out->position = strdup(row->position);
	if (!out->id || !out->key || !out->position) {
		exception_free(out);
		goto no_memory;
	}
	out->row = *row; /* its reason is a constant */
	out->row.key = out->key;
	out->row.position = out->position;
	if (keep)
		snprintf(out->row.id, sizeof(out->row.id), "memory-%llu",
			 (unsigned long long)++store->exception_number);
	return out;
no_memory:
	error_memory(err, "an exception");
	return NULL;
}

void exceptions_add(struct memory_store *store,
		    struct memory_exception *exceptions)
{
	struct memory_exception **end = &store->exceptions;

	while (*end)
		end = &(*end)->next;
	*end = exceptions;
}

uint64_t exceptions_settle(struct memory_store *store, const char *id,
			   const char *key)
{
	uint64_t count = 0;

	for (struct memory_exception *e = store->exceptions; e; e = e->next) {
		if (e->over || strcmp(e->id, id) ||
		    (key && strcmp(e->key, key)))
			continue;
		e->over = true;
		count++;
	}
	return count;
}

void exceptions_end(struct memory_store *store, bool committed)
{
	struct memory_exception **link = &store->exceptions, *one;

	while ((one = *link)) {
		if (one->over && committed) {
			*link = one->next;
			exception_free(one);
			continue;
		}
		one->over = false;
		link = &one->next;
	}
}

void exceptions_free(struct memory_exception *exceptions)
{
	struct memory_exception *next;

	for (; exceptions; exceptions = next) {
		next = exceptions->next;
		exception_free(exceptions);
	}
}
