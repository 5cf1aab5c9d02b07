#include "engine/outlet.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void channel_row_release(struct channel_row *row)
{
	free(row->name);
	free(row->type);
	free(row->settings);
	free(row->events);
	memset(row, 0, sizeof(*row));
}

static bool copy(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return *to || !text;
}

bool channel_row_copy(struct channel_row *to, const struct channel_row *from)
{
	struct channel_row new = {
		.mapping_id = from->mapping_id,
		.server_id = from->server_id,
	};

	if (!copy(&new.name, from->name) || !copy(&new.type, from->type) ||
	    !copy(&new.settings, from->settings) ||
	    !copy(&new.events, from->events)) {
		channel_row_release(&new);
		return false;
	}
	channel_row_release(to);
	*to = new;
	return true;
}

bool channel_row_equal(const struct channel_row *a, const struct channel_row *b)
{
	return text_equal(a->name, b->name) && text_equal(a->type, b->type) &&
	       text_equal(a->settings, b->settings) &&
	       text_equal(a->events, b->events) &&
	       a->mapping_id == b->mapping_id && a->server_id == b->server_id;
}

void outlet_free(struct outlet *outlet)
{
	channel_row_release(&outlet->row);
	channel_row_release(&outlet->own);
	digest_release(&outlet->digest);
	free(outlet);
}

bool channel_row_read(struct channel_row *out,
		      const struct control_channel *channel)
{
	const char *name = channel->name ? channel->name : "";
	const char *type = channel->type ? channel->type : "";

	memset(out, 0, sizeof(*out));
	out->mapping_id = channel->mapping_id;
	out->server_id = channel->server_id;
	return copy(&out->name, name) && copy(&out->type, type) &&
	       copy(&out->settings, channel->settings) &&
	       copy(&out->events, channel->events);
}
