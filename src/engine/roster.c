#include "engine/roster.h"

#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "engine/mapping.h"

void roster_init(struct roster *roster)
{
	memset(roster, 0, sizeof(*roster));
	arena_init(&roster->arena, 0);
}

void roster_release(struct roster *roster)
{
	arena_release(&roster->arena);
}

static bool is_on(const struct control_mapping *mapping, int server_id)
{
	return mapping->server_id == server_id && mapping->cdc_enabled &&
	       mapping->source_database && mapping->source_schema &&
	       mapping->source_table;
}

/* What makes no sense was written by nobody of us. */
static bool read_position(const struct control_mapping *row,
			  struct position *out)
{
	if (!row->position)
		return false;
	if (position_parse(out, row->position) < 0)
		log_debug("mapping %d: its position in mapping_state is none",
			  row->id);
	return out->len > 0;
}

static bool add(struct roster *roster, const struct control_mapping *row,
		const struct control_snapshot *snapshot)
{
	struct server_mapping *mapping = &roster->mappings[roster->count];
	struct arena *arena = &roster->arena;
	struct position stored;

	mapping->id = row->id;
	mapping->enabled = mapping_is_enabled(row, snapshot);
	mapping->name = (struct table_name){
		arena_strdup(arena, row->source_database),
		arena_strdup(arena, row->source_schema),
		arena_strdup(arena, row->source_table),
	};
	if (!mapping->name.database || !mapping->name.schema ||
	    !mapping->name.table)
		return false;
	if (read_position(row, &stored)) {
		mapping->stored = arena_memdup(arena, &stored, sizeof(stored));
		if (!mapping->stored)
			return false;
	}
	roster->count++;
	return true;
}

bool roster_take(struct roster *roster, const struct control_snapshot *snapshot,
		 int server_id)
{
	arena_reset(&roster->arena);
	roster->count = 0;
	roster->mappings =
		arena_calloc(&roster->arena, snapshot->mapping_count + 1,
			     sizeof(*roster->mappings));
	for (size_t i = 0; roster->mappings && i < snapshot->mapping_count;
	     i++) {
		const struct control_mapping *row = &snapshot->mappings[i];

		if (is_on(row, server_id) && !add(roster, row, snapshot))
			roster->mappings = NULL;
	}
	if (!roster->mappings)
		roster->count = 0;
	return roster->mappings != NULL;
}

void roster_print(const struct control_snapshot *snapshot, int server_id,
		  struct strbuf *out)
{
	for (size_t i = 0; i < snapshot->mapping_count; i++) {
		const struct control_mapping *m = &snapshot->mappings[i];

		if (!is_on(m, server_id))
			continue;
		strbuf_addf(out, "%d%c", m->id, m->position ? '+' : '-');
		strbuf_add(out, m->source_database,
			   strlen(m->source_database) + 1);
		strbuf_add(out, m->source_schema, strlen(m->source_schema) + 1);
		strbuf_add(out, m->source_table, strlen(m->source_table) + 1);
	}
}
