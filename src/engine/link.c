#include "engine/link.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/exceptions.h"
#include "engine/schema_check.h"

int link_join(struct link *link, struct engine *engine, struct error *err)
{
	const struct mapping *mapping = link->mapping;

	if (engine_get_server(engine, &mapping->from, &link->from, err) < 0 ||
	    engine_get_server(engine, &mapping->to, &link->to, err) < 0) {
		link_leave(link, engine);
		return -1;
	}
	link->share = pool_join(&engine->pool, link->from, link->to);
	if (!link->share) {
		link_leave(link, engine);
		return error_memory(err, "a place among the connections");
	}
	link->pool = &engine->pool;
	link->memory.budget = &engine->memory;
	link->installation = engine->installation;
	link->reporter = engine->reporter;
	return 0;
}

void link_leave(struct link *link, struct engine *engine)
{
	if (link->share)
		pool_leave(&engine->pool, link->share);
	engine_put_server(engine, link->from);
	engine_put_server(engine, link->to);
	link->share = NULL;
	link->from = NULL;
	link->to = NULL;
}

int link_open_ends(const struct link *link, struct source **src,
		   struct target **dst, struct error *err)
{
	const struct mapping *mapping = link->mapping;
	struct source_spec from = {
		.server = link->from,
		.name = mapping->source,
		.trigger_column = mapping->trigger_column,
		.change_source =
			mapping->cdc_enabled ? mapping->change_source : NULL,
		.native_text = link->from->driver == link->to->driver,
		.mapping_id = mapping->id,
	};
	struct target_spec to = {
		.server = link->to,
		.name = mapping->dest,
		.installation = link->installation,
		.mapping_id = mapping->id,
		.origin = mapping->origin,
		.epoch = link->epoch,
		.lease_s = link->settings.lease_s,
	};

	if (link->to->driver->target->open(&to, dst, err) < 0)
		return -1;
	/* One that gathers changes is not to be woken up for each. */
	if (!(*dst)->gather_ms)
		from.sleeper = link->cancel;
	if (link->from->driver->source->open(&from, src, err) == 0)
		return 0;
	(*dst)->ops->close(*dst);
	*dst = NULL;
	return -1;
}

int link_open(struct link *link, struct error *err)
{
	strbuf_init(&link->details);
	table_init(&link->shape);
	if (link_open_ends(link, &link->src, &link->dst, err) < 0) {
		link_close(link);
		return -1;
	}
	return 0;
}

void link_close(struct link *link)
{
	link_release(link);
	link_forget(link);
	if (link->src)
		link->src->ops->close(link->src);
	if (link->dst)
		link->dst->ops->close(link->dst);
	link->src = NULL;
	link->dst = NULL;
	if (link->details.data)
		strbuf_release(&link->details);
}

int link_connect_source(struct link *link, struct error *err)
{
	if (link->src_connected)
		return 0;
	if (link->src->ops->connect(link->src, link->cancel, err) < 0)
		return error_wrap(err, "source '%s'", link->mapping->from.name);
	link->src_connected = true;
	return 0;
}

int link_connect_target(struct link *link, struct error *err)
{
	if (link->dst_connected)
		return 0;
	if (link->dst->ops->connect(link->dst, link->cancel, err) < 0)
		return error_wrap(err, "destination '%s'",
				  link->mapping->to.name);
	link->dst_connected = true;
	return 0;
}

void link_release_target(struct link *link)
{
	if (link->dst)
		link->dst->ops->release(link->dst);
	link->dst_connected = false;
	link->gathering = false;
}

void link_release(struct link *link)
{
	if (link->src)
		link->src->ops->release(link->src);
	link->src_connected = false;
	link_release_target(link);
	memory_give(&link->memory);
}

void link_keep_from(struct link *link, const struct position *position)
{
	if (position->len && link->src->ops->stored)
		link->src->ops->stored(link->src, position);
}

void link_moved(struct link *link, const struct checkpoint *to)
{
	link_keep_from(link, &to->position);
	link->stored = *to;
	link->reached = to->position;
	link->stored_ms = clock_ms();
	report_position(link->subject, &to->position);
}

void link_forget(struct link *link)
{
	table_release(&link->shape);
	link->attached = false;
	link->loaded = false;
}

/* ----------------------------------------------------------------- attaching */

/* Loads can do without a key, changes cannot. */
static int doubt_key(struct link *link, struct table *source, struct error *err)
{
	if (link->src->ops->check_key(link->src, source, err) == 0)
		return 0;
	if (err->kind != ERROR_SCHEMA)
		return -1;
	error_clear(err);
	source->key_unsure = true;
	return 0;
}

static int read_source(struct link *link, struct table *source,
		       struct error *err)
{
	const struct mapping *mapping = link->mapping;

	if (link->src->ops->describe(link->src, source, err) < 0)
		return -1;
	if (mapping->key_columns &&
	    table_set_key(source, mapping->key_columns, err) < 0)
		return error_wrap(err, "primary_key_column");
	if (!mapping->cdc_enabled)
		return mapping->key_columns ? doubt_key(link, source, err) : 0;
	if (!source->key_count)
		return error_set(
			err, ERROR_SCHEMA,
			"source table '%s' has no key, so its changes "
			"cannot be applied; set cdc_enabled = 0 to use "
			"full syncs only, or name a unique key in "
			"primary_key_column",
			mapping->name);
	return link->src->ops->check_key(link->src, source, err);
}

/* Of the table that the destination has to have for such a source. */
static int create(struct link *link, const struct table *source,
		  struct error *err)
{
	struct table shape;
	int ret;

	table_init(&shape);
	ret = schema_shape(source, &shape, &link->details, err);
	if (ret == 0)
		ret = link->dst->ops->create(link->dst, &shape, err);
	table_release(&shape);
	return ret;
}

int link_offer_shape(struct link *link, const struct table *source,
		     struct error *err)
{
	return link->to->driver->abilities & TARGET_ANY_SHAPE
		       ? create(link, source, err)
		       : 0;
}

static int make_table(struct link *link, const struct table *source,
		      struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];

	table_name_format(name, &link->mapping->dest);
	if (!link->settings.create_missing_tables)
		return error_set(err, ERROR_SCHEMA,
				 "destination table '%s' does not exist, and "
				 "create_missing_tables is 0",
				 name);
	/* What is told of a table that was dropped is forgotten with it, by
	 * whom the mapping belongs to. */
	if (link->dst->ops->fence(link->dst, err) < 0 ||
	    create(link, source, err) < 0)
		return -1;
	report_log(link->subject, LOG_INFO, "SCHEMA_CHECK", -1, -1,
		   "created destination table '%s'", name);
	return 0;
}

/* The first column that is narrower in the destination, and how wide there. */
static const char *find_narrower(const struct table *source,
				 const struct table *dest, int *length)
{
	for (size_t i = 0; i < source->column_count; i++) {
		const struct column *from = &source->columns[i];
		const struct column *to = table_column(dest, from->name);

		if (!to || from->type != to->type || !to->length ||
		    (from->type != ROW_TEXT && from->type != ROW_BYTES) ||
		    (from->length && from->length <= to->length))
			continue;
		*length = to->length;
		return from->name;
	}
	return NULL;
}

static void seek_longer(struct link *link, const struct table *source,
			const struct table *dest)
{
	struct error why = ERROR_INIT;
	struct strbuf key;
	const char *column;
	int length, rc;

	column = find_narrower(source, dest, &length);
	if (link->longer_sought || !column || !link->src->ops->find_longer)
		return;
	strbuf_init_max(&key, LINK_LONGER_MAX / 2);
	rc = link->src->ops->find_longer(link->src, source, column, length,
					 &key, &why);
	link->longer_sought = true;
	if (rc > 0)
		snprintf(link->longer, sizeof(link->longer),
			 "the row with key %s is the first that is too long "
			 "for column '%.100s'",
			 key.data, column);
	else if (rc < 0)
		log_debug("seeking a row that is too long: %s", why.message);
	strbuf_release(&key);
}

/* A column that is too narrow: which row shows it? */
static void explain(struct link *link, const struct table *source,
		    const struct table *dest, struct error *err)
{
	char differences[ERROR_MESSAGE_MAX];

	seek_longer(link, source, dest);
	if (!link->longer[0])
		return;
	text_copy(differences, sizeof(differences), err->message);
	error_set(err, ERROR_SCHEMA, "%s; %s", differences, link->longer);
	strbuf_addf(&link->details, "\n%s", link->longer);
}

/* Once a mapping, and again when something else is lost. */
static void tell_losses(struct link *link, const struct table *dest)
{
	struct strbuf losses;

	strbuf_init_max(&losses, LINK_LOSSES_MAX - 1);
	schema_losses(&link->shape, dest, &losses);
	if (losses.len && strcmp(losses.data, link->losses) != 0)
		report_log(link->subject, LOG_WARNING, "SCHEMA_CHECK", -1, -1,
			   "the destination cannot keep everything: %s",
			   losses.data);
	text_copy(link->losses, sizeof(link->losses), losses.data);
	strbuf_release(&losses);
}

static int check_schema(struct link *link, const struct table *source,
			bool for_load, struct error *err)
{
	struct table dest;
	int rc;

	if (link_offer_shape(link, source, err) < 0)
		return -1;
	table_init(&dest);
	rc = link->dst->ops->describe(link->dst, &dest, err);
	if (rc == 0 && for_load) {
		if (make_table(link, source, err) < 0)
			rc = -1;
		else
			rc = link->dst->ops->describe(link->dst, &dest, err);
	}
	if (rc > 0) {
		table_release(&link->shape);
		rc = schema_check(source, &dest, &link->shape, &link->details,
				  err) < 0
			     ? -1
			     : 1;
		if (rc < 0) {
			explain(link, source, &dest, err);
		} else {
			link->longer_sought = false;
			link->longer[0] = '\0';
			tell_losses(link, &dest);
		}
	}
	table_release(&dest);
	return rc;
}

int link_attach(struct link *link, bool for_load, struct error *err)
{
	struct table source;
	int rc = -1;

	if (link->attached && !for_load)
		return 0;
	link_forget(link);
	table_init(&source);
	strbuf_reset(&link->details);
	if (link_connect_source(link, err) < 0 ||
	    read_source(link, &source, err) < 0 ||
	    link_connect_target(link, err) < 0)
		goto done;
	rc = check_schema(link, &source, for_load, err);
	if (rc > 0 && (link->dst->ops->fence(link->dst, err) < 0 ||
		       exceptions_mirror(link, err) < 0))
		rc = -1;
	if (rc > 0)
		rc = link->dst->ops->checkpoint(link->dst, &link->stored, err);
	/* A load is what helps against that. */
	if (rc < 0 && for_load && err->kind == ERROR_GAP) {
		error_clear(err);
		rc = 0;
	}
	if (rc < 0)
		goto done;
	link->loaded = rc > 0;
	if (link->loaded)
		link_keep_from(link, &link->stored.position);
	link->reached = link->stored.position;
	link->stored_ms = 0;
	link->loaded_us = clock_from_utc(link->stored.consistent_after_us);
	link->attached = true;
done:
	if (rc < 0)
		link_forget(link);
	table_release(&source);
	return rc < 0 ? -1 : 0;
}
