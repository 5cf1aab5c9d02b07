/*
 * The tag of a small object is its ETag, on which a put depends. Not all servers
 * look at that condition: so the object is asked for its ETag before each put,
 * too, which leaves little time for somebody else to come in between there.
 *
 * Reads fetch more than they are asked for: whoever reads a file of text wants
 * what comes next.
 */
#include "drivers/files/bucket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "s3/list.h"
#include "s3/upload.h"

#define MEGABYTE   ((size_t)1 << 20)
#define READ_AHEAD (4 * MEGABYTE)

/* A status of HTTP. */
#define NOT_IMPLEMENTED 501

_Static_assert(STORE_TAG_MAX >= S3_ETAG_MAX, "an ETag is a tag");

struct bucket {
	struct store base;
	struct s3_client client;
	bool unconditional; /* the server refuses conditions */
	char *prefix;	    /* ends in a slash */
	char *name;	    /* for messages */
};

struct bucket_file {
	struct store_file base;
	struct s3_upload *upload;
};

/* The client waits as the store does. */
static struct s3_client *client_of(struct store *store)
{
	struct bucket *bucket = (struct bucket *)store;

	bucket->client.cancel = store->cancel;
	return &bucket->client;
}

static const char *prefix_of(struct store *store)
{
	return ((struct bucket *)store)->prefix;
}

/* The whole of a key, to be freed. */
static char *key_of(struct store *store, const char *key, struct error *err)
{
	struct strbuf out;
	char *whole;

	strbuf_init(&out);
	strbuf_addf(&out, "%s%s", prefix_of(store), key);
	whole = strbuf_detach(&out);
	strbuf_release(&out);
	if (!whole)
		error_memory(err, "a key");
	return whole;
}

static const char *bucket_name(const struct store *store)
{
	return ((const struct bucket *)store)->name;
}

/* There is nothing to be made; whether the bucket is there shows soon. */
static int bucket_set_up(struct store *store, struct error *err)
{
	(void)store;
	(void)err;
	return 0;
}

static int bucket_take_down(struct store *store, struct error *err)
{
	(void)store;
	(void)err;
	return 0;
}

static int bucket_room(struct store *store, uint64_t *bytes, struct error *err)
{
	(void)store;
	(void)bytes;
	(void)err;
	return 0;
}

/* ------------------------------------------------------------ small objects */

static int add_bytes(const void *data, size_t len, void *arg, struct error *err)
{
	struct strbuf *out = arg;

	strbuf_add(out, data, len);
	return strbuf_check(out, err);
}

static int bucket_read(struct store *store, const char *key, struct strbuf *out,
		       struct store_tag *tag, struct error *err)
{
	struct s3_range all = {.from = 0};
	char *whole = key_of(store, key, err);
	struct s3_info info;
	int rc;

	tag->text[0] = '\0';
	if (!whole)
		return -1;
	rc = s3_get(client_of(store), whole, &all, add_bytes, out, &info, err);
	if (rc > 0)
		snprintf(tag->text, sizeof(tag->text), "%s", info.etag);
	free(whole);
	return rc;
}

/* Is it still the one? For servers that do not look. */
static int check_tag(struct store *store, const char *whole,
		     const struct store_tag *was, struct error *err)
{
	struct s3_info info;
	int rc = s3_head(client_of(store), whole, &info, err);

	if (rc < 0)
		return -1;
	if (!strcmp(rc ? info.etag : "", was->text))
		return 0;
	return error_set(err, ERROR_CONFLICT, "somebody else put '%s'", whole);
}

/* Some servers refuse a condition, rather than put regardless of it. */
static int put(struct store *store, const char *whole, const void *data,
	       size_t len, const struct store_tag *was, struct s3_info *out,
	       struct error *err)
{
	struct bucket *bucket = (struct bucket *)store;
	struct s3_put how = {.content_type = "application/json"};
	int ret;

	if (was && !bucket->unconditional) {
		how.if_match = *was->text ? was->text : NULL;
		how.only_new = !*was->text;
	}
	ret = s3_put(client_of(store), whole, data, len, &how, out, err);
	if (ret == 0 || err->native != NOT_IMPLEMENTED ||
	    (!how.if_match && !how.only_new))
		return ret;
	bucket->unconditional = true;
	how.if_match = NULL;
	how.only_new = false;
	return s3_put(client_of(store), whole, data, len, &how, out, err);
}

static int bucket_replace(struct store *store, const char *key,
			  const void *data, size_t len,
			  const struct store_tag *was, struct store_tag *now,
			  struct error *err)
{
	char *whole = key_of(store, key, err);
	struct s3_info info;
	int ret;

	if (!whole)
		return -1;
	ret = was ? check_tag(store, whole, was, err) : 0;
	if (ret == 0)
		ret = put(store, whole, data, len, was, &info, err);
	if (ret == 0)
		snprintf(now->text, sizeof(now->text), "%s", info.etag);
	free(whole);
	return ret;
}

static int bucket_is_atomic(struct store *store, const char *key,
			    struct error *err)
{
	struct s3_put how = {.if_match =
				     "\"00000000000000000000000000000000\""};
	char *whole = key_of(store, key, err);
	int ret;

	if (!whole)
		return -1;
	ret = s3_put(client_of(store), whole, "", 0, &how, NULL, err);
	free(whole);
	if (ret == 0)
		return 0;
	if (err->kind != ERROR_CONFLICT && err->native != NOT_IMPLEMENTED)
		return -1;
	ret = err->kind == ERROR_CONFLICT;
	error_clear(err);
	return ret;
}

/* -------------------------------------------------------------------- files */

static int sink_write(struct byte_sink *sink, const void *data, size_t len,
		      struct error *err)
{
	struct bucket_file *file = (struct bucket_file *)sink;

	return s3_upload_write(file->upload, data, len, err);
}

static int bucket_begin(struct store *store, struct store_file **out,
			struct error *err)
{
	struct bucket_file *file = calloc(1, sizeof(*file));

	if (!file)
		return error_memory(err, "a file");
	file->base.sink.write = sink_write;
	if (s3_upload_begin(&file->upload, client_of(store), NULL, NULL, err) <
	    0) {
		free(file);
		return -1;
	}
	*out = &file->base;
	return 0;
}

static int bucket_give_key(struct store *store, struct store_file *base,
			   const char *key, struct error *err)
{
	struct bucket_file *file = (struct bucket_file *)base;
	char *whole = key_of(store, key, err);
	int ret;

	if (!whole)
		return -1;
	ret = s3_upload_set_key(file->upload, whole, err);
	free(whole);
	return ret;
}

static void see_lost(struct store *store)
{
	store->untidy |= ((struct bucket *)store)->client.lost_upload;
}

static int bucket_prepare(struct store *store, struct store_file *base,
			  struct strbuf *token, struct error *err)
{
	struct bucket_file *file = (struct bucket_file *)base;
	struct s3_upload *upload = file->upload;
	int ret;

	free(file);
	ret = s3_upload_prepare(upload, token, err);
	see_lost(store);
	return ret;
}

static void bucket_discard(struct store *store, struct store_file *base)
{
	struct bucket_file *file = (struct bucket_file *)base;

	s3_upload_abort(file->upload);
	free(file);
	see_lost(store);
}

static void bucket_discard_prepared(struct store *store, const char *key,
				    const char *token)
{
	struct error ignored;
	char *whole = key_of(store, key, &ignored);

	if (whole)
		s3_upload_discard(client_of(store), whole, token);
	free(whole);
	see_lost(store);
}

static int bucket_publish(struct store *store, const char *key,
			  const char *token, struct error *err)
{
	char *whole = key_of(store, key, err);
	int rc;

	if (!whole)
		return -1;
	rc = s3_upload_publish(client_of(store), whole, token, NULL, err);
	free(whole);
	if (rc == 0)
		return error_set(err, ERROR_GAP,
				 "the upload of '%s/%s' is gone: somebody "
				 "aborted it, or a lifecycle rule did",
				 bucket_name(store), key);
	return rc < 0 ? -1 : 0;
}

static int bucket_find(struct store *store, const char *key, uint64_t *size,
		       struct error *err)
{
	char *whole = key_of(store, key, err);
	struct s3_info info;
	int rc;

	if (!whole)
		return -1;
	rc = s3_head(client_of(store), whole, &info, err);
	if (rc > 0 && size)
		*size = (uint64_t)info.size;
	free(whole);
	return rc;
}

/* ------------------------------------------------------------------ listing */

static int bucket_list(struct store *store, const char *prefix,
		       store_take *take, void *arg, struct error *err)
{
	size_t skip = strlen(prefix_of(store));
	char *whole = key_of(store, prefix, err);
	struct s3_list list;
	struct s3_item found;
	int rc;

	if (!whole)
		return -1;
	s3_list_init(&list, client_of(store), whole, NULL, NULL);
	while ((rc = s3_list_next(&list, &found, err)) > 0) {
		struct store_item item = {
			.key = found.key + skip,
			.size = (uint64_t)found.info.size,
		};

		if (take(arg, &item, err) < 0) {
			rc = -1;
			break;
		}
	}
	s3_list_release(&list);
	free(whole);
	return rc;
}

static int bucket_remove(struct store *store, const char *const *keys,
			 size_t count, struct error *err)
{
	char **whole = calloc(count + 1, sizeof(*whole));
	int ret = 0;

	if (!whole)
		return error_memory(err, "keys");
	for (size_t i = 0; i < count && ret == 0; i++) {
		whole[i] = key_of(store, keys[i], err);
		ret = whole[i] ? 0 : -1;
	}
	if (ret == 0 && count)
		ret = s3_delete(client_of(store), (const char *const *)whole,
				count, err);
	for (size_t i = 0; i < count; i++)
		free(whole[i]);
	free(whole);
	return ret;
}

struct tidying {
	const char *const *tokens;
	size_t count;
	int (*check)(void *arg, struct error *err);
	void *arg;
};

static bool is_kept(void *arg, const char *key, const char *id)
{
	const struct tidying *tidying = arg;

	(void)key;
	for (size_t i = 0; i < tidying->count; i++)
		if (s3_upload_is(tidying->tokens[i], id))
			return true;
	return false;
}

static int ask(void *arg, struct error *err)
{
	const struct tidying *tidying = arg;

	return tidying->check(tidying->arg, err);
}

static int bucket_tidy(struct store *store, const char *const *tokens,
		       size_t count, int (*check)(void *arg, struct error *err),
		       void *arg, struct error *err)
{
	struct tidying tidying = {tokens, count, check, arg};
	struct s3_choice choice = {
		.keep = is_kept, .check = ask, .arg = &tidying};
	int64_t began_ms = clock_ms();

	if (s3_abort_chosen(client_of(store), prefix_of(store), &choice, err) <
	    0)
		return -1;
	s3_upload_sought(client_of(store), began_ms);
	store->untidy = client_of(store)->lost_upload;
	return 0;
}

/* ------------------------------------------------------------------ reading */

struct bucket_source {
	struct byte_source base;
	struct store *store;
	char *key;
	char *bytes; /* those from `at` on; NULL: none were read ahead */
	uint64_t at;
	size_t len;
};

static bool is_there(const struct bucket_source *source, uint64_t offset,
		     size_t len)
{
	return offset >= source->at && offset + len <= source->at + source->len;
}

/* Where the bytes of an answer go. */
struct landing {
	char *at, *end;
};

static int put_bytes(const void *data, size_t len, void *arg, struct error *err)
{
	struct landing *landing = arg;

	if (len > (size_t)(landing->end - landing->at))
		return error_set(err, ERROR_DATA,
				 "more bytes came than were asked for");
	memcpy(landing->at, data, len);
	landing->at += len;
	return 0;
}

static int get_range(struct bucket_source *source, uint64_t offset, void *data,
		     size_t len, struct error *err)
{
	struct landing landing = {data, (char *)data + len};
	struct s3_range range = {
		.from = (int64_t)offset,
		.count = (int64_t)len,
	};
	int rc = s3_get(client_of(source->store), source->key, &range,
			put_bytes, &landing, NULL, err);

	if (rc > 0 && landing.at == landing.end)
		return 0;
	return rc < 0 ? -1
		      : error_set(err, ERROR_DATA,
				  "'%s' became shorter while it was read, or "
				  "went",
				  source->key);
}

/* What comes next is likely to be wanted next. */
static int read_ahead(struct bucket_source *source, uint64_t offset,
		      struct error *err)
{
	uint64_t left = source->base.size - offset;
	size_t len = left < READ_AHEAD ? (size_t)left : READ_AHEAD;

	if (!source->bytes)
		source->bytes = malloc(READ_AHEAD);
	if (!source->bytes)
		return error_memory(err, "a file");
	source->len = 0;
	if (get_range(source, offset, source->bytes, len, err) < 0)
		return -1;
	source->at = offset;
	source->len = len;
	return 0;
}

/* What is large is not held twice. */
static int read_at(struct byte_source *base, uint64_t offset, void *data,
		   size_t len, struct error *err)
{
	struct bucket_source *source = (struct bucket_source *)base;

	if (!is_there(source, offset, len)) {
		if (len >= READ_AHEAD)
			return get_range(source, offset, data, len, err);
		if (read_ahead(source, offset, err) < 0)
			return -1;
	}
	memcpy(data, source->bytes + (offset - source->at), len);
	return 0;
}

static void bucket_close_source(struct store *store, struct byte_source *base)
{
	struct bucket_source *source = (struct bucket_source *)base;

	(void)store;
	free(source->bytes);
	free(source->key);
	free(source);
}

static int bucket_open_source(struct store *store, const char *key,
			      struct byte_source **out, struct error *err)
{
	struct bucket_source *source = calloc(1, sizeof(*source));
	struct s3_info info;
	int rc = -1;

	if (!source)
		return error_memory(err, "a file");
	source->base.read_at = read_at;
	source->store = store;
	source->key = key_of(store, key, err);
	if (source->key)
		rc = s3_head(client_of(store), source->key, &info, err);
	if (rc <= 0) {
		bucket_close_source(store, &source->base);
		return rc;
	}
	source->base.size = (uint64_t)info.size;
	*out = &source->base;
	return 1;
}

/* -------------------------------------------------------------- begin and end */

static void bucket_close(struct store *store)
{
	struct bucket *bucket = (struct bucket *)store;

	free(bucket->prefix);
	free(bucket->name);
	free(bucket);
}

static const struct store_ops bucket_ops = {
	.close = bucket_close,
	.name = bucket_name,
	.set_up = bucket_set_up,
	.take_down = bucket_take_down,
	.room = bucket_room,
	.read = bucket_read,
	.replace = bucket_replace,
	.is_atomic = bucket_is_atomic,
	.begin = bucket_begin,
	.give_key = bucket_give_key,
	.prepare = bucket_prepare,
	.discard = bucket_discard,
	.discard_prepared = bucket_discard_prepared,
	.publish = bucket_publish,
	.find = bucket_find,
	.list = bucket_list,
	.remove = bucket_remove,
	.tidy = bucket_tidy,
	.open = bucket_open_source,
	.close_source = bucket_close_source,
};

int bucket_open(struct store **out, struct s3 *s3,
		const struct s3_settings *settings, const char *below,
		struct error *err)
{
	struct bucket *bucket = calloc(1, sizeof(*bucket));
	struct strbuf prefix, name;

	if (!bucket)
		return error_memory(err, "a bucket");
	strbuf_init(&prefix);
	strbuf_init(&name);
	strbuf_addf(&prefix, "%s%s/", settings->prefix, below);
	strbuf_addf(&name, "s3://%s/%s%s", settings->bucket, settings->prefix,
		    below);
	bucket->base.ops = &bucket_ops;
	bucket->base.nameless_bytes = (uint64_t)settings->part_mb * MEGABYTE;
	bucket->base.buffer_bytes = (size_t)settings->part_mb * MEGABYTE;
	bucket->client.s3 = s3;
	bucket->prefix = strbuf_detach(&prefix);
	bucket->name = strbuf_detach(&name);
	if (!bucket->prefix || !bucket->name) {
		bucket_close(&bucket->base);
		return error_memory(err, "a bucket");
	}
	*out = &bucket->base;
	return 0;
}
