/*
 * What a server can do is tried out, with a table that nobody has: a file is
 * written, made visible, read back, listed and removed. That shows more than any
 * list of rights.
 */
#include "drivers/files/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"
#include "drivers/files/target.h"
#include "s3/facts.h"

#define GIGABYTE (UINT64_C(1) << 30)

/* A place is called full from here on. */
#define ROOM_LOW GIGABYTE

/* Clocks that are so far apart will soon be too far. */
#define SKEW_MAX_S 60

static const char probe[] = "written by a check\n";
static const char probe_key[] = LAYOUT_CHANGES "check.txt";

/* ------------------------------------------------------------------ trying out */

/* Its token is appended. */
static int prepare_probe(struct store *store, struct strbuf *token,
			 struct error *err)
{
	struct store_file *file;

	if (store->ops->begin(store, &file, err) < 0)
		return -1;
	if (byte_sink_write(&file->sink, probe, strlen(probe), err) < 0 ||
	    store->ops->give_key(store, file, probe_key, err) < 0) {
		store->ops->discard(store, file);
		return -1;
	}
	return store->ops->prepare(store, file, token, err);
}

static int write_probe(struct store *store, struct error *err)
{
	struct strbuf token;
	int ret;

	strbuf_init(&token);
	ret = prepare_probe(store, &token, err);
	if (ret == 0)
		ret = store->ops->publish(store, probe_key, token.data, err);
	strbuf_release(&token);
	return ret;
}

static int read_probe(struct store *store, struct error *err)
{
	struct byte_source *source;
	char text[sizeof(probe)] = "";
	int rc = store->ops->open(store, probe_key, &source, err);

	if (rc > 0) {
		size_t len = source->size < sizeof(probe) ? (size_t)source->size
							  : sizeof(probe) - 1;

		rc = byte_source_read(source, 0, text, len, err) < 0 ? -1 : 1;
		store->ops->close_source(store, source);
	}
	if (rc < 0 || (rc > 0 && !strcmp(text, probe)))
		return rc < 0 ? -1 : 0;
	return error_set(err, ERROR_DATA,
			 "what was written a moment ago cannot be read: there "
			 "is %s",
			 rc ? "something else" : "nothing");
}

static int see_probe(void *arg, const struct store_item *item,
		     struct error *err)
{
	(void)err;
	*(bool *)arg |= !strcmp(item->key, probe_key);
	return 0;
}

static int list_probe(struct store *store, struct error *err)
{
	bool found = false;

	if (store->ops->list(store, LAYOUT_CHANGES, see_probe, &found, err) < 0)
		return -1;
	return found ? 0
		     : error_set(err, ERROR_DATA,
				 "what was written a moment ago is not in the "
				 "list of files");
}

static int remove_probe(struct store *store, struct error *err)
{
	const char *key = probe_key;

	return store->ops->remove(store, &key, 1, err);
}

static int allow(void *arg, struct error *err)
{
	(void)err;
	*(bool *)arg = true;
	return 0;
}

/* One that is written, and never made visible. 1: it was not found. */
static int forget_probe(struct store *store, struct error *err)
{
	struct strbuf token;
	bool found = false;
	int rc;

	strbuf_init(&token);
	rc = prepare_probe(store, &token, err);
	if (rc == 0)
		rc = store->ops->tidy(store, NULL, 0, allow, &found, err);
	if (rc == 0 && !found) {
		store->ops->discard_prepared(store, probe_key, token.data);
		rc = 1;
	}
	strbuf_release(&token);
	return rc;
}

/*
 * 1: an object can be replaced on condition of what it was; 0: the server does
 * not look at that.
 */
static int try_condition(struct store *store, struct error *err)
{
	const struct store_tag none = {""};
	const char *key = LAYOUT_STATE;
	struct store_tag now;
	int rc;

	if (store->ops->replace(store, LAYOUT_STATE, probe, strlen(probe), NULL,
				&now, err) < 0)
		return -1;
	rc = store->ops->replace(store, LAYOUT_STATE, probe, strlen(probe),
				 &none, &now, err);
	if (rc < 0 && err->kind != ERROR_CONFLICT)
		return -1;
	error_clear(err);
	if (rc < 0)
		rc = store->ops->is_atomic(store, LAYOUT_STATE, err);
	if (rc < 0 || store->ops->remove(store, &key, 1, err) < 0)
		return -1;
	return rc;
}

struct trial {
	const char *check, *done;
	int (*run)(struct store *store, struct error *err);
	const char *less; /* a warning, when run() returns 1 */
};

/* What is wrong is told as a finding; its kind. */
static enum error_kind try_one(struct store *store, const struct trial *trial,
			       struct findings *out)
{
	struct error err = ERROR_INIT;
	int rc = trial->run(store, &err);

	if (rc < 0) {
		error_wrap(&err, "'%s'", store->ops->name(store));
		finding_error(out, FINDING_FAIL, trial->check, &err);
		return err.kind;
	}
	if (rc > 0)
		finding_add(out, FINDING_WARN, trial->check, "%s", trial->less);
	else
		finding_add(out, FINDING_OK, trial->check, "%s", trial->done);
	return ERROR_NONE;
}

static void tell_condition(struct store *store, struct findings *out)
{
	struct error err = ERROR_INIT;
	int rc = try_condition(store, &err);

	if (rc < 0)
		finding_error(out, FINDING_FAIL, "conditions", &err);
	else if (rc > 0)
		finding_add(out, FINDING_OK, "conditions",
			    "an object is replaced only as long as it is what "
			    "it was");
	else
		finding_add(out, FINDING_WARN, "conditions",
			    "the server puts an object whatever If-Match and "
			    "If-None-Match say, so two daemons that both think "
			    "a mapping is theirs are kept apart by a look "
			    "before each write only" FINDING_REMEDY
			    "run one daemon for mappings to this server, or "
			    "use a server that has conditional writes");
}

static void tell_room(struct store *store, uint64_t need, struct findings *out)
{
	struct error err = ERROR_INIT;
	uint64_t room;
	int rc = store->ops->room(store, &room, &err);

	if (rc < 0)
		finding_error(out, FINDING_WARN, "space", &err);
	if (rc <= 0)
		return;
	if (room < need || room < ROOM_LOW)
		finding_add(out, FINDING_WARN, "space",
			    "%.1f GB are left, and a load takes up to about "
			    "%.1f" FINDING_REMEDY
			    "make room, or choose another 'path'",
			    (double)room / (double)GIGABYTE,
			    (double)need / (double)GIGABYTE);
	else
		finding_add(out, FINDING_OK, "space", "%.1f GB are left",
			    (double)room / (double)GIGABYTE);
}

/* Requests are refused once the clocks are a quarter of an hour apart. */
static void tell_clock(const struct s3_facts *facts, struct findings *out)
{
	long long apart = facts->skew_s < 0 ? -facts->skew_s : facts->skew_s;

	if (apart >= SKEW_MAX_S)
		finding_add(out, FINDING_WARN, "clock",
			    "the clock of this machine is %lld seconds %s the "
			    "server's, which refuses requests from 900 "
			    "on" FINDING_REMEDY "set it, by NTP for instance",
			    apart, facts->skew_s > 0 ? "behind" : "ahead of");
	else
		finding_add(out, FINDING_OK, "clock",
			    "it goes with the server's");
}

/* Such a rule takes what state and manifests still name. */
static void tell_expiry(const struct s3_facts *facts, struct findings *out)
{
	if (facts->deletes == S3_YES)
		finding_add(out, FINDING_WARN, "expiration",
			    "a lifecycle rule of the bucket deletes objects by "
			    "their age: should it be for the prefix, files "
			    "and the state that names them go "
			    "away" FINDING_REMEDY "restrict the rule to other "
			    "prefixes; loads that are not needed any more are "
			    "removed by keep_full_loads");
	else if (facts->deletes == S3_NO)
		finding_add(out, FINDING_OK, "expiration",
			    "no rule deletes objects by their age");
}

/* What a bucket's owner may want to know of it. */
static int tell_bucket(struct files_server *server, struct cancel *cancel,
		       struct findings *out, struct error *err)
{
	struct s3_client client = {.s3 = server->s3, .cancel = cancel};
	struct s3_facts facts;

	if (!server->s3)
		return 0;
	if (s3_facts(&client, &facts, err) < 0)
		return -1;
	tell_clock(&facts, out);
	tell_expiry(&facts, out);
	if (facts.aborts_uploads == S3_NO)
		finding_add(out, FINDING_WARN, "lifecycle",
			    "no rule of the bucket aborts uploads that nobody "
			    "completes; this program removes its own, but not "
			    "those of a table that it does not write any "
			    "more" FINDING_REMEDY "add a lifecycle rule with "
			    "AbortIncompleteMultipartUpload after some days, "
			    "and not less than a daemon may be away");
	else if (facts.aborts_uploads == S3_YES)
		finding_add(out, FINDING_OK, "lifecycle",
			    "a rule aborts uploads that nobody completes");
	if (facts.versioned == S3_YES && facts.expires == S3_NO)
		finding_add(out, FINDING_WARN, "versioning",
			    "the bucket keeps all versions for ever: of each "
			    "table's state there is one a "
			    "minute" FINDING_REMEDY "add a lifecycle rule with "
			    "NoncurrentVersionExpiration for the prefix");
	else if (facts.versioned != S3_NOT_KNOWN)
		finding_add(out, FINDING_OK, "versioning",
			    facts.versioned == S3_YES
				    ? "versions expire after a time"
				    : "it is off");
	return 0;
}

static void try_all(struct store *store, struct findings *out)
{
	static const struct trial trials[] = {
		{"write", "a file can be written and made visible", write_probe,
		 NULL},
		{"read", "it can be read back", read_probe, NULL},
		{"list", "files can be listed", list_probe, NULL},
		{"delete", "files can be removed", remove_probe, NULL},
		{"abort", "what is cut off can be removed", forget_probe,
		 "the server does not list uploads that nobody completes, so "
		 "this program cannot remove its own that were cut "
		 "off" FINDING_REMEDY "add a lifecycle rule with "
		 "AbortIncompleteMultipartUpload after some days, and not "
		 "less than a daemon may be away, or have the server do so by "
		 "a setting of its own, as MinIO's stale_uploads_expiry"},
	};

	bool all = true;

	for (size_t i = 0; i < sizeof(trials) / sizeof(*trials); i++) {
		enum error_kind kind = try_one(store, &trials[i], out);

		all &= kind == ERROR_NONE;
		/* One right may be missing, and others too; but they look at
		 * what the first one wrote. */
		if (kind != ERROR_NONE && (kind != ERROR_PERMISSION || i == 0))
			return;
	}
	if (all)
		tell_condition(store, out);
}

/* Is there a bucket at all? Whoever reads an object is told. */
static int reach(struct store *store, struct error *err)
{
	struct store_tag tag;
	struct strbuf text;
	int rc;

	strbuf_init_max(&text, STORE_SMALL_MAX);
	rc = store->ops->read(store, LAYOUT_STATE, &text, &tag, err);
	strbuf_release(&text);
	return rc < 0 ? -1 : 0;
}

int files_check_server(struct server *base, struct cancel *cancel,
		       struct findings *out, struct error *err)
{
	struct files_server *server = (struct files_server *)base;
	char name[UUID_TEXT_MAX + sizeof("check-")] = "check-";
	struct error ignored = ERROR_INIT;
	struct table_name table = {"", "", name};
	struct store *store;
	int ret;

	uuid_make(name + strlen(name));
	if (files_open_store(server, &table, &store, err) < 0)
		return -1;
	store->cancel = cancel;
	ret = store->ops->set_up(store, err);
	if (ret == 0)
		ret = reach(store, err);
	if (ret == 0) {
		finding_add(out, FINDING_OK, "connection", "%s can be reached",
			    store->ops->name(store));
		try_all(store, out);
		tell_room(store, 0, out);
		ret = tell_bucket(server, cancel, out, err);
		if (store->ops->take_down(store, &ignored) < 0)
			finding_error(out, FINDING_WARN, "delete", &ignored);
	}
	store->ops->close(store);
	if (ret == 0 && cancel_check(cancel, err) < 0)
		ret = -1;
	return ret;
}

/* --------------------------------------------------------------------- tables */

/* Whose is what is there? */
static int check_owner(struct files_target *target, struct findings *out,
		       struct error *err)
{
	struct store *store = target->store;
	struct table_state state;
	struct store_tag tag;
	struct strbuf text;
	int rc;

	strbuf_init_max(&text, STORE_SMALL_MAX);
	table_state_init(&state);
	rc = store->ops->read(store, LAYOUT_STATE, &text, &tag, err);
	if (rc > 0 && table_state_parse(&state, text.data, err) < 0) {
		finding_add(out, FINDING_FAIL, "state",
			    "'%s/" LAYOUT_STATE "' makes no sense: "
			    "%s" FINDING_REMEDY
			    "put back a copy of it, or remove it and have the "
			    "table loaded anew",
			    store->ops->name(store), err->message);
		error_clear(err);
	} else if (rc > 0 &&
		   (strcmp(state.installation, target->installation) != 0 ||
		    state.mapping_id != target->mapping_id)) {
		finding_add(out, FINDING_FAIL, "state",
			    "'%s' has the files of another mapping, number %d "
			    "of installation '%s'" FINDING_REMEDY
			    "give this mapping another destination table, or "
			    "remove '%s/" LAYOUT_STATE "' if nobody writes "
			    "there any more",
			    store->ops->name(store), state.mapping_id,
			    state.installation, store->ops->name(store));
	} else if (rc >= 0) {
		finding_add(out, FINDING_OK, "state", "files go to '%s'",
			    store->ops->name(store));
	}
	table_state_release(&state);
	strbuf_release(&text);
	return rc < 0 ? -1 : 0;
}

static void check_columns(const struct files_target *target,
			  const struct table *source, struct findings *out)
{
	const char *list = target->server->settings.partition_columns;
	struct error err = ERROR_INIT;
	struct table named;
	int ret;

	if (!list)
		return;
	table_init(&named);
	ret = table_copy(&named, source, NULL, &err);
	if (ret == 0)
		ret = table_set_key(&named, list, &err);
	for (size_t i = 0; ret == 0 && i < named.key_count; i++)
		ret = layout_check_partition(&named.columns[named.key[i]],
					     &err);
	table_release(&named);
	if (ret < 0)
		finding_add(out, FINDING_FAIL, "partition_columns",
			    "%s" FINDING_REMEDY
			    "name columns of the source table in "
			    "partition_columns, or give this mapping a target "
			    "without it",
			    err.message);
	else
		finding_add(out, FINDING_OK, "partition_columns",
			    "the table has them");
}

int files_check_target(struct target *dst, const struct target_check *what,
		       struct findings *out, struct error *err)
{
	struct files_target *target = files_target_of(dst);

	if (!what->source)
		return 0; /* the server's check has told it */
	if (check_owner(target, out, err) < 0)
		return -1;
	check_columns(target, what->source, out);
	if (what->bytes)
		tell_room(target->store, what->bytes, out);
	return 0;
}
