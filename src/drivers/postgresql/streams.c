#include "drivers/postgresql/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "drivers/postgresql/publication.h"

/* A stream, and the servers that have it. */
struct shared_stream {
	struct shared_stream *next;
	struct stream *stream;
	struct pg_login login;
	char *connection_string, *installation;
	int server_id;
	unsigned users;
};

/* Guards the list, and `users` in it. */
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct shared_stream *shared_streams;

/* What a server knows of one of them. */
struct stream_ref {
	struct stream_ref *next;
	struct shared_stream *shared;
};

/* A mapping of mappings(): kept for databases that have no stream yet. */
struct seen_mapping {
	struct stream_listed listed;
	char *database, *schema, *table;
};

struct streams {
	char *connection_string, *installation;
	int server_id;
	int login_timeout_s, query_timeout_s;
	uint64_t spill_bytes;
	pthread_mutex_t lock; /* guards what follows */
	struct stream_ref *refs;
	bool told;
	struct seen_mapping *seen;
	size_t seen_count;
};

/* ------------------------------------------------------------------- shared */

static void shared_free(struct shared_stream *shared)
{
	if (shared->stream)
		stream_free(shared->stream);
	pg_login_release(&shared->login);
	free(shared->connection_string);
	free(shared->installation);
	free(shared);
}

static struct shared_stream *shared_new(const struct streams *streams,
					const char *database,
					const struct slot_names *names,
					struct error *err)
{
	struct shared_stream *shared = calloc(1, sizeof(*shared));

	if (!shared) {
		error_memory(err, "a change log");
		return NULL;
	}
	shared->server_id = streams->server_id;
	shared->connection_string = strdup(streams->connection_string);
	shared->installation = strdup(streams->installation);
	shared->login.login_timeout_s = streams->login_timeout_s;
	shared->login.query_timeout_s = streams->query_timeout_s;
	if (!shared->connection_string || !shared->installation) {
		error_memory(err, "a change log");
		goto failed;
	}
	if (pg_login_parse(&shared->login, streams->connection_string, err) <
		    0 ||
	    stream_new(&shared->stream, &shared->login, database, names,
		       streams->spill_bytes, err) < 0)
		goto failed;
	return shared;
failed:
	shared_free(shared);
	return NULL;
}

static bool is_for(const struct shared_stream *shared,
		   const struct streams *streams, const char *database)
{
	return shared->server_id == streams->server_id &&
	       !strcmp(shared->connection_string, streams->connection_string) &&
	       !strcmp(shared->installation, streams->installation) &&
	       !strcmp(shared->stream->database, database);
}

static struct shared_stream *share(const struct streams *streams,
				   const char *database,
				   const struct slot_names *names,
				   struct error *err)
{
	struct shared_stream *shared;

	pthread_mutex_lock(&shared_lock);
	for (shared = shared_streams; shared; shared = shared->next)
		if (is_for(shared, streams, database))
			break;
	if (!shared) {
		shared = shared_new(streams, database, names, err);
		if (shared) {
			shared->next = shared_streams;
			shared_streams = shared;
		}
	}
	if (shared) {
		shared->users++;
		/* That setting may be another one than when it was made. */
		pthread_mutex_lock(&shared->stream->lock);
		shared->stream->store.disk_max = streams->spill_bytes;
		pthread_mutex_unlock(&shared->stream->lock);
	}
	pthread_mutex_unlock(&shared_lock);
	return shared;
}

static void unshare(struct shared_stream *shared)
{
	struct shared_stream **link = &shared_streams;
	bool last;

	pthread_mutex_lock(&shared_lock);
	last = --shared->users == 0;
	while (last && *link != shared)
		link = &(*link)->next;
	if (last)
		*link = shared->next;
	pthread_mutex_unlock(&shared_lock);
	if (last)
		shared_free(shared);
}

/* ----------------------------------------------------------------- new, free */

int streams_new(struct streams **out, const struct server_spec *spec,
		struct error *err)
{
	struct streams *streams = calloc(1, sizeof(*streams));
	int rc;

	if (!streams)
		return error_memory(err, "a server");
	streams->server_id = spec->id;
	streams->login_timeout_s = spec->login_timeout_s;
	streams->query_timeout_s = spec->query_timeout_s;
	streams->spill_bytes = spec->spill_bytes;
	streams->connection_string = strdup(spec->connection_string);
	streams->installation =
		strdup(spec->installation ? spec->installation : "");
	if (!streams->connection_string || !streams->installation) {
		error_memory(err, "a server");
		goto failed;
	}
	rc = pthread_mutex_init(&streams->lock, NULL);
	if (rc) {
		error_errno(err, rc, "cannot make a lock");
		goto failed;
	}
	*out = streams;
	return 0;
failed:
	free(streams->connection_string);
	free(streams->installation);
	free(streams);
	return -1;
}

static void free_seen(struct streams *streams)
{
	for (size_t i = 0; i < streams->seen_count; i++) {
		free(streams->seen[i].database);
		free(streams->seen[i].schema);
		free(streams->seen[i].table);
	}
	free(streams->seen);
	streams->seen = NULL;
	streams->seen_count = 0;
}

void streams_free(struct streams *streams)
{
	struct stream_ref *ref;

	if (!streams)
		return;
	while ((ref = streams->refs)) {
		streams->refs = ref->next;
		unshare(ref->shared);
		free(ref);
	}
	free_seen(streams);
	pthread_mutex_destroy(&streams->lock);
	free(streams->connection_string);
	free(streams->installation);
	free(streams);
}

/* ---------------------------------------------------------------- the streams */

/* With the lock held. Tell a stream which mappings of its database there are. */
static int list_for(const struct streams *streams, struct stream *stream,
		    struct error *err)
{
	struct stream_listed *listed =
		calloc(streams->seen_count + 1, sizeof(*listed));
	size_t count = 0;
	int ret;

	if (!listed)
		return error_memory(err, "mappings");
	for (size_t i = 0; i < streams->seen_count; i++) {
		const struct seen_mapping *seen = &streams->seen[i];

		if (!strcmp(seen->database, stream->database))
			listed[count++] = seen->listed;
	}
	ret = stream_list(stream, listed, count, err);
	free(listed);
	return ret;
}

static struct stream *known(const struct streams *streams, const char *database)
{
	const struct stream_ref *ref = streams->refs;

	while (ref && strcmp(ref->shared->stream->database, database) != 0)
		ref = ref->next;
	return ref ? ref->shared->stream : NULL;
}

/* With the lock held. */
static struct stream *add_stream(struct streams *streams, const char *database,
				 const struct slot_names *names,
				 struct error *err)
{
	struct stream_ref *ref = calloc(1, sizeof(*ref));

	if (!ref) {
		error_memory(err, "a change log");
		return NULL;
	}
	ref->shared = share(streams, database, names, err);
	if (!ref->shared) {
		free(ref);
		return NULL;
	}
	ref->next = streams->refs;
	streams->refs = ref;
	if (streams->told && list_for(streams, ref->shared->stream, err) < 0)
		return NULL;
	return ref->shared->stream;
}

int streams_names(const struct streams *streams, struct pg *conn,
		  struct slot_names *out, struct error *err)
{
	uint32_t oid = slot_database(conn, err);

	slot_names_make(out, streams->installation, streams->server_id, oid);
	return oid ? 0 : -1;
}

int streams_find(struct streams *streams, const char *database, struct pg *conn,
		 struct stream **out, struct error *err)
{
	struct slot_names names;

	pthread_mutex_lock(&streams->lock);
	*out = known(streams, database);
	pthread_mutex_unlock(&streams->lock);
	if (*out)
		return 0;
	if (streams_names(streams, conn, &names, err) < 0)
		return -1;
	pthread_mutex_lock(&streams->lock);
	*out = known(streams, database);
	if (!*out)
		*out = add_stream(streams, database, &names, err);
	pthread_mutex_unlock(&streams->lock);
	return *out ? 0 : -1;
}

/* ------------------------------------------------------------- the mappings */

static int see_one(struct seen_mapping *seen,
		   const struct server_mapping *mapping, struct error *err)
{
	struct lsn_position stored = {.lsn = 0};
	struct error ignored;

	seen->database = strdup(mapping->name.database);
	seen->schema = strdup(mapping->name.schema);
	seen->table = strdup(mapping->name.table);
	if (!seen->database || !seen->schema || !seen->table)
		return error_memory(err, "mappings");
	/* What is of another system will show when changes are asked for. */
	if (mapping->stored &&
	    lsn_from_position(&stored, mapping->stored, &ignored) < 0)
		stored.lsn = 0;
	seen->listed = (struct stream_listed){
		.id = mapping->id,
		.schema = seen->schema,
		.table = seen->table,
		.stored = stored.lsn,
		.enabled = mapping->enabled,
	};
	return 0;
}

static int keep_seen(struct streams *streams,
		     const struct server_mapping *mappings, size_t count,
		     struct error *err)
{
	free_seen(streams);
	streams->seen = calloc(count + 1, sizeof(*streams->seen));
	if (!streams->seen)
		return error_memory(err, "mappings");
	streams->seen_count = count;
	for (size_t i = 0; i < count; i++)
		if (see_one(&streams->seen[i], &mappings[i], err) < 0) {
			free_seen(streams);
			return -1;
		}
	return 0;
}

static int tell_streams(struct streams *streams,
			const struct server_mapping *mappings, size_t count,
			struct error *err)
{
	const struct stream_ref *ref;
	int ret;

	pthread_mutex_lock(&streams->lock);
	ret = keep_seen(streams, mappings, count, err);
	streams->told = ret == 0;
	for (ref = streams->refs; ref && ret == 0; ref = ref->next)
		ret = list_for(streams, ref->shared->stream, err);
	pthread_mutex_unlock(&streams->lock);
	return ret;
}

/* The databases where something of ours is set up; each is to be freed. */
struct databases {
	char **names;
	size_t count;
};

static void databases_release(struct databases *databases)
{
	for (size_t i = 0; i < databases->count; i++)
		free(databases->names[i]);
	free(databases->names);
}

static int copy_names(struct pg *conn, int64_t rows, struct databases *out,
		      struct error *err)
{
	out->names = calloc((size_t)rows + 1, sizeof(*out->names));
	if (!out->names)
		return error_memory(err, "databases");
	for (int64_t row = 0; row < rows; row++) {
		char *name = strdup(pg_get_text(conn, row, 0));

		if (!name)
			return error_memory(err, "databases");
		out->names[out->count++] = name;
	}
	return 0;
}

static int find_databases(struct postgresql *server, struct cancel *cancel,
			  struct databases *out, struct error *err)
{
	struct slot_names names;
	struct pg_param prefix;
	struct pg *conn;
	int64_t rows = -1;
	size_t len;

	slot_names_make(&names, server->streams->installation,
			server->streams->server_id, 0);
	len = strlen(names.slot) - 1; /* without the database's number */
	names.slot[len] = '\0';
	prefix = pg_text(names.slot);
	if (postgresql_take(server, "", cancel, &conn, err) < 0)
		return -1;
	rows = pg_query(conn,
			"SELECT database::text FROM pg_replication_slots "
			"WHERE left(slot_name::text, length($1)) = $1 "
			"AND database IS NOT NULL",
			&prefix, 1, err);
	if (rows >= 0 && copy_names(conn, rows, out, err) < 0)
		rows = -1;
	pg_finish(conn);
	postgresql_give(server, "", conn);
	return rows < 0 ? -1 : 0;
}

/* One that keeps a server's disk filling is told of, whatever else goes well. */
static void tell_least(const struct slot_state *slot,
		       const struct slot_names *names, struct stream *stream)
{
	struct stream_least least;
	char at[LSN_TEXT_MAX];

	if (slot->retained < SLOT_RETAINED_WARN)
		return;
	stream_find_least(stream, &least);
	if (!least.id)
		log_warning(
			"replication slot '%s' keeps %llu MB of log, though "
			"no mapping needs any: a transaction may be open "
			"for long (pg_stat_activity)",
			names->slot,
			(unsigned long long)(slot->retained >> 20));
	else
		log_warning("replication slot '%s' keeps %llu MB of log, from "
			    "%s on for mapping %d ('%s'), which %s",
			    names->slot,
			    (unsigned long long)(slot->retained >> 20),
			    lsn_format(at, least.lsn), least.id, least.name,
			    !least.enabled   ? "is switched off"
			    : !least.started ? "has not started yet"
					     : "is the least far");
}

/* What the slot keeps. No stream is begun for that. */
static int look_at_slot(struct postgresql *server, const char *database,
			struct pg *conn, const struct slot_names *names,
			struct error *err)
{
	struct slot_state slot;
	struct stream *stream;

	if (slot_look(conn, names, &slot, err) < 0 ||
	    streams_find(server->streams, database, conn, &stream, err) < 0)
		return -1;
	if (slot.exists)
		tell_least(&slot, names, stream);
	return 0;
}

/* Leave in a database what its mappings need, which may be nothing. */
static int tidy_up(struct postgresql *server, const char *database,
		   const struct table_name *const *tables, size_t count,
		   struct cancel *cancel, struct error *err)
{
	struct slot_names names;
	struct pg *conn;
	int ret = -1;

	if (postgresql_take(server, database, cancel, &conn, err) < 0)
		return error_wrap(err, "database '%s'", database);
	ret = streams_names(server->streams, conn, &names, err);
	if (ret == 0 && count)
		ret = look_at_slot(server, database, conn, &names, err);
	if (ret == 0)
		ret = count ? publication_keep(conn, &names, tables, count, err)
			    : slot_drop(conn, &names, err);
	postgresql_give(server, database, conn);
	return ret < 0 ? error_wrap(err, "database '%s'", database) : 0;
}

int streams_see(struct postgresql *server,
		const struct server_mapping *mappings, size_t count,
		struct cancel *cancel, struct error *err)
{
	const struct table_name **tables = calloc(count + 1, sizeof(*tables));
	struct databases databases = {NULL, 0};
	int ret = -1;

	if (!tables)
		return error_memory(err, "mappings");
	if (tell_streams(server->streams, mappings, count, err) < 0 ||
	    find_databases(server, cancel, &databases, err) < 0)
		goto done;
	ret = 0;
	for (size_t i = 0; i < databases.count && ret == 0; i++) {
		size_t found = 0;

		for (size_t k = 0; k < count; k++)
			if (!strcmp(mappings[k].name.database,
				    databases.names[i]))
				tables[found++] = &mappings[k].name;
		ret = tidy_up(server, databases.names[i], tables, found, cancel,
			      err);
	}
done:
	databases_release(&databases);
	free(tables);
	return ret;
}
