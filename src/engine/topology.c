/*
 * Tables are numbered by the texts that name them. Each mapping is an arrow
 * from one number to another; since a table is the destination of one mapping
 * only, there is at most one way back from it, and following that way until it
 * ends, or comes round, finds every circle.
 */
#include "engine/topology.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/strbuf.h"

struct node {
	UT_hash_handle hh;
	struct node *next;	      /* of all, to be freed */
	const struct mapping *writer; /* whose destination it is */
	struct node *from;	      /* what that one reads */
	char key[];
};

struct topology {
	struct node *nodes; /* hash */
	struct node *all;
	bool failed; /* no memory */
};

/* A name can hold anything but a NUL. */
static void add(struct strbuf *sb, const char *text, bool exact)
{
	for (; *text; text++)
		strbuf_addch(sb, exact ? *text
				       : (char)tolower((unsigned char)*text));
	strbuf_addch(sb, '\0');
}

static struct node *find_node(struct topology *topology,
			      const struct mapping_server *server,
			      const struct table_name *table)
{
	bool exact = server->driver->abilities & NAMES_EXACT;
	struct node *node = NULL;
	struct strbuf key;

	strbuf_init(&key);
	add(&key, server->address, false);
	add(&key, table->database, exact);
	add(&key, table->schema, exact);
	add(&key, table->table, exact);
	if (!key.failed)
		HASH_FIND(hh, topology->nodes, key.data, key.len, node);
	if (!node && !key.failed) {
		node = calloc(1, sizeof(*node) + key.len + 1);
		if (node) {
			memcpy(node->key, key.data, key.len);
			node->next = topology->all;
			topology->all = node;
			HASH_ADD_KEYPTR(hh, topology->nodes, node->key, key.len,
					node);
		}
	}
	topology->failed |= !node || !hash_has(node);
	strbuf_release(&key);
	return node;
}

/* Does the way back from `from` come to `node`? */
static bool comes_from(const struct node *from, const struct node *node)
{
	while (from && from != node)
		from = from->from;
	return from == node;
}

static void check_one(struct topology *topology, struct mapping *mapping)
{
	struct node *from =
		find_node(topology, &mapping->from, &mapping->source);
	struct node *to = find_node(topology, &mapping->to, &mapping->dest);

	if (!from || !to)
		return;
	if (from == to) {
		error_set(&mapping->problem, ERROR_CONFIG,
			  "mapping %d has the same table, '%s' on '%s', as its "
			  "source and its destination; name another one",
			  mapping->id, mapping->name, mapping->from.name);
	} else if (to->writer) {
		error_set(&mapping->problem, ERROR_CONFIG,
			  "the destination '%s.%s.%s' of mapping %d is that of "
			  "mapping %d too, and one of them would undo what the "
			  "other does; disable or delete one",
			  mapping->dest.database, mapping->dest.schema,
			  mapping->dest.table, mapping->id, to->writer->id);
	} else if (comes_from(from, to)) {
		error_set(&mapping->problem, ERROR_CONFIG,
			  "mapping %d closes a circle: its source '%s' is fed, "
			  "by mapping %d, from its own destination; changes "
			  "would go round for ever, so disable or delete one",
			  mapping->id, mapping->name, from->writer->id);
	} else {
		to->writer = mapping;
		to->from = from;
	}
}

int topology_check(struct mapping *const *mappings, size_t count,
		   struct error *err)
{
	struct topology topology = {.nodes = NULL};
	struct node *node, *next;

	for (size_t i = 0; i < count && !topology.failed; i++)
		if (mappings[i]->problem.kind == ERROR_NONE &&
		    *mappings[i]->from.address && *mappings[i]->to.address)
			check_one(&topology, mappings[i]);
	HASH_CLEAR(hh, topology.nodes);
	for (node = topology.all; node; node = next) {
		next = node->next;
		free(node);
	}
	return topology.failed ? error_memory(err, "the mappings' tables") : 0;
}
