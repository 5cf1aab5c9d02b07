/*
 * Servers first, each by itself: what cannot be reached is told once, and its
 * mappings are passed over, so that a thousand of them do not wait for it one
 * after the other. Then the mappings; what concerns a whole database is looked
 * at when the first mapping in it has its turn.
 */
#include "engine/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "control/settings.h"
#include "engine/check_secrets.h"
#include "engine/engine.h"
#include "engine/link.h"
#include "engine/roster.h"
#include "engine/schema_check.h"
#include "engine/topology.h"
#include "notify/channel.h"

/* People wait for it: less than a run may take. */
#define LOGIN_TIMEOUT_S 15
#define QUERY_TIMEOUT_S 60
#define CONNECTIONS	12
#define SUBJECT_MAX	400

/* A server that was looked at. */
struct peer {
	struct peer *next;
	int id;
	bool is_target;
	const char *name;
	struct server *server; /* NULL: its row makes no sense */
	bool down;
	struct strbuf seen; /* databases, and their change logs; NUL between */
};

struct checker {
	const struct check *check;
	struct findings *out;
	struct engine engine;
	struct settings settings;
	struct control_snapshot snapshot;
	struct control_report report;
	struct mapping_default_target fallback;
	char fallback_address[MAPPING_ADDRESS_MAX];
	struct mapping **mappings; /* of the rows that are to be checked */
	size_t count;
	struct peer *peers;
	char subject[SUBJECT_MAX];
};

static void set_subject(struct checker *c, const char *kind, const char *name)
{
	snprintf(c->subject, sizeof(c->subject), "%s '%s'", kind, name);
	text_trim_partial_utf8(c->subject);
	c->out->subject = c->subject;
}

static void set_mapping(struct checker *c, const struct mapping *mapping)
{
	snprintf(c->subject, sizeof(c->subject), "mapping %d (%s)", mapping->id,
		 mapping->name);
	text_trim_partial_utf8(c->subject);
	c->out->subject = c->subject;
}

static void set_peer(struct checker *c, const struct peer *peer)
{
	if (!peer->id)
		c->out->subject = "control tables' server";
	else
		set_subject(c, peer->is_target ? "target" : "source",
			    peer->name);
}

/* ------------------------------------------------------- the control tables */

static void check_control(struct checker *c)
{
	struct error err = ERROR_INIT;

	c->out->subject = "control tables";
	if (control_check_rights(c->check->control, &err) < 0)
		finding_error(c->out, FINDING_FAIL, "rights", &err);
	else
		finding_add(c->out, FINDING_OK, "rights",
			    "they can be read and written");
	text_copy(c->engine.installation, sizeof(c->engine.installation),
		  c->snapshot.installation_id);
	if (settings_load(&c->settings, &c->snapshot, &err) < 0)
		finding_add(c->out, FINDING_FAIL, "config",
			    "%s" FINDING_REMEDY
			    "correct it in the table config; until then the "
			    "value before it counts",
			    err.message);
	else if (engine_set_settings(&c->engine, &c->settings,
				     c->snapshot.mapping_count, &err) < 0)
		finding_error(c->out, FINDING_FAIL, "config", &err);
	else
		finding_add(c->out, FINDING_OK, "config",
			    "every setting makes sense");
	c->settings.max_connections = CONNECTIONS;
	if (c->settings.connect_timeout_s > LOGIN_TIMEOUT_S)
		c->settings.connect_timeout_s = LOGIN_TIMEOUT_S;
	if (!c->settings.query_timeout_s ||
	    c->settings.query_timeout_s > QUERY_TIMEOUT_S)
		c->settings.query_timeout_s = QUERY_TIMEOUT_S;
	if (engine_set_settings(&c->engine, &c->settings, 0, &err) < 0)
		log_debug("%s", err.message);
}

/* ----------------------------------------------------------------- servers */

static struct peer *find_peer(const struct checker *c, int id, bool is_target)
{
	struct peer *peer = c->peers;

	while (peer && (peer->id != id || peer->is_target != is_target))
		peer = peer->next;
	return peer;
}

/* What concerns the whole of a database is told once: was it already? */
static bool see(struct peer *peer, const char *database, const char *log)
{
	struct strbuf key;
	bool seen = false;

	strbuf_init(&key);
	strbuf_addf(&key, "%s\n%s", database, log);
	for (size_t at = 0; at < peer->seen.len;
	     at += strlen(peer->seen.data + at) + 1)
		seen |= !strcmp(peer->seen.data + at, key.data);
	if (!seen)
		strbuf_add(&peer->seen, key.data, key.len + 1);
	strbuf_release(&key);
	return seen;
}

static int reach(struct checker *c, struct peer *peer,
		 const struct mapping_server *which, struct error *err)
{
	struct pool_share *share;
	int ret = -1;

	if (engine_get_server(&c->engine, which, &peer->server, err) < 0)
		return -1;
	share = pool_join(&c->engine.pool, peer->server, peer->server);
	if (!share)
		return error_memory(err, "a check");
	if (pool_reserve(&c->engine.pool, share, 1, c->check->cancel, err) ==
	    0) {
		ret = which->driver->check(peer->server, c->check->cancel,
					   c->out, err);
		pool_unreserve(&c->engine.pool, share, 1);
	}
	pool_leave(&c->engine.pool, share);
	return ret;
}

/* -1 only when cancelled, or without memory. */
static int check_peer(struct checker *c, const struct mapping_server *which)
{
	struct peer *peer = find_peer(c, which->id, which->is_target);
	struct error err = ERROR_INIT;

	if (peer || cancel_level(c->check->cancel))
		return 0;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return -1;
	strbuf_init(&peer->seen);
	peer->id = which->id;
	peer->is_target = which->is_target;
	peer->name = which->name;
	peer->next = c->peers;
	c->peers = peer;
	set_peer(c, peer);
	check_secrets(which->connection_string, c->out);
	if (reach(c, peer, which, &err) == 0)
		return 0;
	peer->down = true;
	if (err.kind != ERROR_CANCELLED)
		finding_error(c->out, FINDING_FAIL, "connection", &err);
	return 0;
}

/* A row of source_servers or target_servers by itself. */
static int check_row(struct checker *c, const struct control_server *row,
		     bool is_target)
{
	struct mapping_server which = {
		.id = row->id,
		.is_target = is_target,
		.name = row->name ? row->name : "",
		.type = row->type,
		.connection_string = row->connection_string,
		.address = row->address,
	};
	struct error err = ERROR_INIT;

	set_subject(c, is_target ? "target" : "source", which.name);
	if (!row->type || !row->connection_string)
		error_set(&err, ERROR_CONFIG,
			  "the type or the connection string is NULL");
	else
		which.driver = driver_find(row->type, &err);
	if (which.driver)
		return check_peer(c, &which);
	finding_error(c->out, FINDING_FAIL, "row", &err);
	return 0;
}

static bool is_named(const struct checker *c, const struct control_server *row)
{
	return c->check->what && text_iequal(row->name, c->check->what);
}

static int check_rows(struct checker *c, const struct control_server *rows,
		      size_t count, bool is_target)
{
	for (size_t i = 0; i < count; i++)
		if ((c->check->what ? is_named(c, &rows[i])
				    : rows[i].enabled) &&
		    check_row(c, &rows[i], is_target) < 0)
			return -1;
	return 0;
}

static int check_servers(struct checker *c)
{
	if (check_rows(c, c->snapshot.sources, c->snapshot.source_count,
		       false) < 0 ||
	    check_rows(c, c->snapshot.targets, c->snapshot.target_count, true) <
		    0)
		return -1;
	for (size_t i = 0; i < c->count; i++)
		if (c->mappings[i]->problem.kind == ERROR_NONE &&
		    (check_peer(c, &c->mappings[i]->from) < 0 ||
		     check_peer(c, &c->mappings[i]->to) < 0))
			return -1;
	return 0;
}

/* What a channel's server says to it shows notify-test. */
static void check_channels(struct checker *c)
{
	for (size_t i = 0; i < c->snapshot.channel_count; i++) {
		const struct control_channel *row = &c->snapshot.channels[i];
		struct error err = ERROR_INIT;
		struct channel channel;

		if (!row->enabled)
			continue;
		set_subject(c, "channel", row->name ? row->name : "");
		if (channel_parse(&channel, row->type ? row->type : "",
				  row->settings, &err) < 0) {
			finding_error(c->out, FINDING_FAIL, "row", &err);
			continue;
		}
		channel_release(&channel);
		finding_add(c->out, FINDING_OK, "row", "it makes sense");
		check_secrets(row->settings, c->out);
	}
}

/* ----------------------------------------------------------- one mapping */

/* A connection that is lost takes the rest of the server's checks with it. */
static int lost(struct checker *c, struct peer *peer, const struct error *err)
{
	if (err->kind == ERROR_CANCELLED)
		return -1;
	finding_error(c->out, FINDING_FAIL, "connection", err);
	peer->down = err->kind == ERROR_CONNECTION && err->retryable;
	return 0;
}

static void check_key(struct checker *c, const struct link *link,
		      struct table *table)
{
	const struct mapping *mapping = link->mapping;
	enum finding_level level =
		mapping->cdc_enabled ? FINDING_FAIL : FINDING_WARN;
	struct error err = ERROR_INIT;

	if (mapping->key_columns &&
	    table_set_key(table, mapping->key_columns, &err) < 0) {
		error_wrap(&err, "primary_key_column");
		finding_add(c->out, FINDING_FAIL, "key",
			    "%s" FINDING_REMEDY
			    "name columns of the source table in "
			    "primary_key_column",
			    err.message);
	} else if (!table->key_count) {
		finding_add(c->out, level, "key",
			    "the source table has no key, so its rows "
			    "cannot be %s" FINDING_REMEDY
			    "ALTER TABLE … ADD PRIMARY KEY, or name a unique "
			    "key in primary_key_column%s",
			    mapping->cdc_enabled ? "followed"
						 : "verified one by one",
			    mapping->cdc_enabled ? ", or set cdc_enabled = 0"
						 : "");
	} else if (link->src->ops->check_key(link->src, table, &err) < 0) {
		finding_error(c->out, level, "key", &err);
	} else {
		finding_add(c->out, FINDING_OK, "key", "%zu column%s",
			    table->key_count, table->key_count > 1 ? "s" : "");
	}
}

static int64_t lag_of(const struct checker *c, int mapping_id)
{
	for (size_t i = 0; i < c->report.mapping_count; i++)
		if (c->report.mappings[i].mapping.id == mapping_id)
			return c->report.mappings[i].lag_ms;
	return -1;
}

/* What concerns the whole database: once for all of its mappings. */
static int check_source_database(struct checker *c, struct link *link,
				 struct peer *peer, struct error *err)
{
	const struct mapping *mapping = link->mapping;
	struct source_check what = {.lag_ms = -1};
	struct roster roster;
	int ret;

	what.database = !see(peer, mapping->source.database, "");
	what.changes =
		mapping->cdc_enabled && mapping->change_source &&
		!see(peer, mapping->source.database, mapping->change_source);
	if (!what.database && !what.changes)
		return 0;
	roster_init(&roster);
	if (!roster_take(&roster, &c->snapshot, mapping->from.id)) {
		roster_release(&roster);
		return error_memory(err, "a check");
	}
	what.mappings = roster.mappings;
	what.mapping_count = roster.count;
	set_peer(c, peer);
	ret = link->src->ops->check(link->src, &what, c->out, err);
	roster_release(&roster);
	return ret;
}

/* 1: `table` is what the source has, and `bytes` its size; 0: there is none,
 * or the source is lost, which is told; -1: cancelled. */
static int check_from(struct checker *c, struct link *link, struct peer *peer,
		      struct table *table, uint64_t *bytes)
{
	const struct mapping *mapping = link->mapping;
	struct source_check what = {
		.table = table,
		.changes = mapping->cdc_enabled,
		.lag_ms = lag_of(c, mapping->id),
	};
	struct error err = ERROR_INIT;

	if (link->src->ops->describe(link->src, table, &err) < 0) {
		if (err.kind == ERROR_CONNECTION || err.kind == ERROR_CANCELLED)
			return lost(c, peer, &err);
		finding_error(c->out, FINDING_FAIL, "table", &err);
		return 0;
	}
	check_key(c, link, table);
	if (link->src->ops->check(link->src, &what, c->out, &err) < 0)
		return lost(c, peer, &err);
	*bytes = what.bytes;
	return 1;
}

/* All differences, a finding each. */
static void tell_differences(struct checker *c, char *differences)
{
	struct error err = ERROR_INIT;
	char *line, *next;

	for (line = differences; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		error_set(&err, ERROR_SCHEMA, "%s", line);
		if (!strstr(line, "; "))
			text_append(err.message, sizeof(err.message),
				    "; alter the destination table, or drop "
				    "it to have it created");
		finding_error(c->out, FINDING_FAIL, "schema", &err);
	}
}

static void check_schema(struct checker *c, const struct table *source,
			 const struct table *dest)
{
	struct error err = ERROR_INIT;
	struct strbuf differences;
	struct table shape;
	int rc;

	strbuf_init(&differences);
	table_init(&shape);
	rc = dest ? schema_check(source, dest, &shape, &differences, &err)
		  : schema_shape(source, &shape, &differences, &err);
	if (rc < 0 && differences.len)
		tell_differences(c, differences.data);
	else if (rc < 0)
		finding_error(c->out, FINDING_FAIL, "schema", &err);
	else if (dest)
		finding_add(c->out, FINDING_OK, "schema",
			    "every row of the source fits");
	else if (c->settings.create_missing_tables)
		finding_add(c->out, FINDING_OK, "schema",
			    "the first load makes the destination table");
	else
		finding_add(c->out, FINDING_FAIL, "schema",
			    "the destination table does not "
			    "exist" FINDING_REMEDY
			    "create it, or set create_missing_tables to 1");
	table_release(&shape);
	strbuf_release(&differences);
}

static int check_target_database(struct checker *c, struct link *link,
				 struct peer *peer, struct error *err)
{
	struct target_check what = {.rights = true, .space = true};

	if (see(peer, link->mapping->dest.database, ""))
		return 0;
	set_peer(c, peer);
	return link->dst->ops->check(link->dst, &what, c->out, err);
}

/* `source` is NULL when the source could not be looked at. */
static int check_to(struct checker *c, struct link *link, struct peer *peer,
		    const struct table *source, uint64_t bytes)
{
	struct target_check what = {.source = source, .bytes = bytes};
	struct error err = ERROR_INIT;
	struct table dest;
	int rc, ret = 0;

	table_init(&dest);
	if (source && link_offer_shape(link, source, &err) < 0) {
		finding_error(c->out, FINDING_FAIL, "schema", &err);
		goto done;
	}
	rc = link->dst->ops->describe(link->dst, &dest, &err);
	what.dest = rc > 0 ? &dest : NULL;
	if (rc < 0 && err.kind == ERROR_SCHEMA) {
		finding_error(c->out, FINDING_FAIL, "table", &err);
	} else if (rc < 0) {
		ret = lost(c, peer, &err);
	} else if (source) {
		check_schema(c, source, what.dest);
		if (link->dst->ops->check(link->dst, &what, c->out, &err) < 0)
			ret = lost(c, peer, &err);
	}
done:
	table_release(&dest);
	return ret;
}

static void tell_down(struct checker *c, const struct peer *peer)
{
	finding_add(c->out, FINDING_FAIL, "connection",
		    "not looked at, since %s '%s' cannot be "
		    "used" FINDING_REMEDY "see what is said of that server",
		    peer->is_target ? "target" : "source", peer->name);
}

static void tell_row(struct checker *c, const struct control_mapping *row)
{
	if (row->suspended)
		finding_add(c->out, FINDING_WARN, "row",
			    "it is suspended: %s" FINDING_REMEDY
			    "dbaops-dataflow resume %d",
			    row->suspended_reason ? row->suspended_reason : "",
			    row->id);
	else if (row->paused)
		finding_add(c->out, FINDING_WARN, "row",
			    "it is paused" FINDING_REMEDY
			    "dbaops-dataflow resume %d",
			    row->id);
	else if (!mapping_is_enabled(row, &c->snapshot))
		finding_add(c->out, FINDING_WARN, "row",
			    "it, or one of its servers, is switched "
			    "off" FINDING_REMEDY "set is_enabled to 1");
	else
		finding_add(c->out, FINDING_OK, "row", "it makes sense");
}

static const struct control_mapping *find_row(const struct checker *c, int id)
{
	for (size_t i = 0; i < c->snapshot.mapping_count; i++)
		if (c->snapshot.mappings[i].id == id)
			return &c->snapshot.mappings[i];
	return NULL;
}

static int meet_source(struct checker *c, struct link *link, struct peer *from,
		       struct error *err)
{
	if (link_connect_source(link, err) < 0)
		return -1;
	return check_source_database(c, link, from, err);
}

static int meet_target(struct checker *c, struct link *link, struct peer *to,
		       struct error *err)
{
	if (link_connect_target(link, err) < 0)
		return -1;
	return check_target_database(c, link, to, err);
}

/*
 * The databases first, since what is found of them is told under the names of
 * their servers; what keeps this mapping from one of them comes after that.
 */
static int check_ends(struct checker *c, struct link *link, struct peer *from,
		      struct peer *to)
{
	struct error no_source = ERROR_INIT, no_target = ERROR_INIT;
	bool source_down = from->down, target_down = to->down;
	int source_rc = 0, target_rc = 0;
	struct table source;
	uint64_t bytes = 0;
	int rc = 0;

	table_init(&source);
	if (!source_down)
		source_rc = meet_source(c, link, from, &no_source);
	if (!target_down)
		target_rc = meet_target(c, link, to, &no_target);
	set_mapping(c, link->mapping);
	tell_row(c, find_row(c, link->mapping->id));
	if (source_down)
		tell_down(c, from);
	else if (source_rc < 0)
		rc = lost(c, from, &no_source);
	else
		rc = check_from(c, link, from, &source, &bytes);
	if (rc >= 0 && target_down)
		tell_down(c, to);
	else if (rc >= 0 && target_rc < 0)
		rc = lost(c, to, &no_target);
	else if (rc >= 0)
		rc = check_to(c, link, to, rc > 0 ? &source : NULL, bytes);
	table_release(&source);
	return rc < 0 ? -1 : 0;
}

/* Both ends' connections are reserved together, as a worker does. */
static int check_link(struct checker *c, struct link *link, struct peer *from,
		      struct peer *to, struct error *err)
{
	unsigned needed = link->from->driver->source->connections +
			  link->to->driver->target->connections;
	int ret;

	if (link_open(link, err) < 0)
		return -1;
	if (pool_reserve(link->pool, link->share, needed, link->cancel, err) <
	    0) {
		link_close(link);
		return -1;
	}
	ret = check_ends(c, link, from, to);
	link_close(link);
	pool_unreserve(link->pool, link->share, needed);
	if (ret < 0)
		error_set(err, ERROR_CANCELLED, "asked to stop");
	return ret;
}

static int check_mapping(struct checker *c, const struct mapping *mapping,
			 struct error *err)
{
	struct peer *from, *to;
	struct link link = {
		.mapping = mapping,
		.installation = c->snapshot.installation_id,
		.pool = &c->engine.pool,
		.cancel = c->check->cancel,
		.settings = c->settings,
	};
	int ret;

	set_mapping(c, mapping);
	if (mapping->problem.kind != ERROR_NONE) {
		finding_error(c->out, FINDING_FAIL, "row", &mapping->problem);
		return 0;
	}
	from = find_peer(c, mapping->from.id, false);
	to = find_peer(c, mapping->to.id, true);
	if (!from || !to)
		return cancel_check(c->check->cancel, err);
	if (!from->server || !to->server) {
		tell_down(c, from->server ? to : from);
		return 0;
	}
	link.from = from->server;
	link.to = to->server;
	link.share = pool_join(&c->engine.pool, link.from, link.to);
	if (!link.share)
		return error_memory(err, "a check");
	ret = check_link(c, &link, from, to, err);
	pool_leave(&c->engine.pool, link.share);
	return ret;
}

/* ----------------------------------------------------------- what to check */

static bool is_wanted(const struct checker *c,
		      const struct control_mapping *row)
{
	long id;

	if (!c->check->what)
		return mapping_is_enabled(row, &c->snapshot);
	if (text_to_long(c->check->what, &id) && id == row->id)
		return true;
	for (size_t i = 0; i < c->snapshot.source_count; i++)
		if (c->snapshot.sources[i].id == row->server_id &&
		    is_named(c, &c->snapshot.sources[i]))
			return true;
	for (size_t i = 0; i < c->snapshot.target_count; i++)
		if (c->snapshot.targets[i].id == row->target_id &&
		    is_named(c, &c->snapshot.targets[i]))
			return true;
	return false;
}

/* How mappings stand to each other shows only when all are there. */
static int make_mappings(struct checker *c, struct error *err)
{
	size_t count = 0, kept = 0;

	c->mappings =
		calloc(c->snapshot.mapping_count + 1, sizeof(*c->mappings));
	if (!c->mappings)
		return error_memory(err, "a check");
	if (mapping_find_addresses(&c->snapshot, err) < 0)
		return -1;
	for (size_t i = 0; i < c->snapshot.mapping_count; i++) {
		const struct control_mapping *row = &c->snapshot.mappings[i];

		if (!mapping_is_enabled(row, &c->snapshot) &&
		    !is_wanted(c, row))
			continue;
		c->mappings[c->count] =
			mapping_new(row, &c->snapshot, &c->fallback);
		if (!c->mappings[c->count])
			return error_memory(err, "a check");
		c->count++;
	}
	if (topology_check(c->mappings, c->count, err) < 0)
		return -1;
	for (count = c->count, c->count = 0; c->count < count; c->count++) {
		struct mapping *mapping = c->mappings[c->count];

		if (is_wanted(c, find_row(c, mapping->id)))
			c->mappings[kept++] = mapping;
		else
			mapping_free(mapping);
	}
	c->count = kept;
	return 0;
}

/* A name that nothing has is a mistake, not an empty answer. */
static int check_what(const struct checker *c, struct error *err)
{
	bool found = !c->check->what || c->count;

	for (size_t i = 0; i < c->snapshot.source_count; i++)
		found |= is_named(c, &c->snapshot.sources[i]);
	for (size_t i = 0; i < c->snapshot.target_count; i++)
		found |= is_named(c, &c->snapshot.targets[i]);
	if (found)
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "'%s' is neither the number of a mapping nor the name "
			 "of a server; 'dbaops-dataflow status' lists the "
			 "mappings",
			 c->check->what);
}

/* The server that holds the control tables, and the room they have. */
static int check_control_server(struct checker *c)
{
	struct mapping_server which = {
		.is_target = true,
		.name = "the control tables' server",
		.type = c->fallback.type,
		.connection_string = c->fallback.connection_string,
		.address = c->fallback.address,
	};
	struct target_check what = {.space = true};
	struct target_spec spec = {
		.name = {c->check->spec->database, "", ""},
		.installation = c->snapshot.installation_id,
		.origin = "",
	};
	struct error err = ERROR_INIT;
	struct target *target;
	struct pool_share *share;
	struct peer *peer;

	if (!which.type || c->check->what)
		return 0;
	which.driver = driver_find(which.type, &err);
	if (!which.driver || check_peer(c, &which) < 0)
		return -1;
	peer = find_peer(c, 0, true);
	if (!peer || peer->down)
		return 0;
	spec.server = peer->server;
	share = pool_join(&c->engine.pool, peer->server, peer->server);
	if (!share)
		return -1;
	if (which.driver->target->open(&spec, &target, &err) == 0) {
		c->out->subject = "control tables";
		if (pool_reserve(&c->engine.pool, share, 1, c->check->cancel,
				 &err) == 0) {
			if (target->ops->connect(target, c->check->cancel,
						 &err) < 0 ||
			    target->ops->check(target, &what, c->out, &err) < 0)
				lost(c, peer, &err);
			target->ops->release(target);
			pool_unreserve(&c->engine.pool, share, 1);
		}
		target->ops->close(target);
	}
	pool_leave(&c->engine.pool, share);
	return 0;
}

static void release(struct checker *c)
{
	struct peer *peer, *next;

	for (size_t i = 0; i < c->count; i++)
		mapping_free(c->mappings[i]);
	free((void *)c->mappings);
	for (peer = c->peers; peer; peer = next) {
		next = peer->next;
		engine_put_server(&c->engine, peer->server);
		strbuf_release(&peer->seen);
		free(peer);
	}
	engine_release(&c->engine);
	control_snapshot_release(&c->snapshot);
	control_report_release(&c->report);
}

static int run(struct checker *c, struct error *err)
{
	if (control_load(c->check->control, &c->snapshot, err) < 0 ||
	    control_report(c->check->control, &c->report, err) < 0 ||
	    make_mappings(c, err) < 0 || check_what(c, err) < 0)
		return -1;
	check_control(c);
	if (check_control_server(c) < 0 || check_servers(c) < 0)
		return error_memory(err, "a check");
	if (!c->check->what)
		check_channels(c);
	for (size_t i = 0; i < c->count; i++)
		if (check_mapping(c, c->mappings[i], err) < 0)
			return -1;
	return cancel_check(c->check->cancel, err);
}

int check_run(const struct check *check, struct error *err)
{
	struct checker c = {.check = check, .out = check->out};
	int ret;

	settings_init(&c.settings);
	if (engine_init(&c.engine, err) < 0)
		return -1;
	control_default_target(check->spec, &c.fallback.type,
			       &c.fallback.connection_string);
	c.fallback.address = c.fallback_address;
	ret = mapping_find_address(c.fallback.type,
				   c.fallback.connection_string,
				   c.fallback_address, err);
	if (ret == 0)
		ret = run(&c, err);
	release(&c);
	return ret;
}
