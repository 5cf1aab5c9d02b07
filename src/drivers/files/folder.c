/*
 * A small object is replaced under a lock of its own file, since a rename alone
 * cannot be made to depend on what is there. The lock is held for as long as a
 * small file takes to be written; who is frozen meanwhile keeps others waiting,
 * until he is ended, but never lets two of them in.
 *
 * The token of a file is its temporary name. A rename does not say whose file
 * goes away when there is one already: so nobody may give a key twice, which
 * state.c sees to.
 */
#include "drivers/files/folder.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/files.h"
#include "base/uuid.h"

#define PRIVATE	     "_dataflow"
#define TEMPORARY    PRIVATE "/tmp"
#define LOCK_WAIT_MS 10000

struct folder {
	struct store base;
	char *root; /* where it has to be there already */
	char *path; /* the table's */
};

struct folder_file {
	struct store_file base;
	struct files_writer writer;
	char name[UUID_TEXT_MAX]; /* its token */
	char path[PATH_MAX];
};

static struct folder *self_of(struct store *store)
{
	return (struct folder *)store;
}

static int path_of(const struct folder *folder, const char *key,
		   char out[PATH_MAX], struct error *err)
{
	int len = snprintf(out, PATH_MAX, "%s/%s", folder->path, key);

	if (len < 0 || len >= PATH_MAX)
		return error_set(err, ERROR_CONFIG,
				 "'%s/%.100s…' is too long a path; choose a "
				 "shorter 'path' or 'prefix'",
				 folder->path, key);
	return 0;
}

static int make_folder_of(const struct folder *folder, const char *path,
			  struct error *err)
{
	char above[PATH_MAX];
	const char *slash = strrchr(path, '/');

	snprintf(above, sizeof(above), "%.*s", (int)(slash - path), path);
	return files_make_folder(folder->root, above, err);
}

static const char *folder_name(const struct store *store)
{
	return ((const struct folder *)store)->path;
}

static int folder_set_up(struct store *store, struct error *err)
{
	struct folder *folder = self_of(store);
	char path[PATH_MAX];

	if (files_check_folder(folder->root, err) < 0)
		return error_wrap(err, "'path' has to be a folder that this "
				       "user may write into");
	if (path_of(folder, TEMPORARY, path, err) < 0)
		return -1;
	return files_make_folder(folder->root, path, err);
}

static int folder_take_down(struct store *store, struct error *err)
{
	static const char *const folders[] = {TEMPORARY, PRIVATE, ""};
	struct folder *folder = self_of(store);
	char path[PATH_MAX];

	if (path_of(folder, PRIVATE "/lock", path, err) < 0 ||
	    files_remove(path, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		if (path_of(folder, folders[i], path, err) < 0)
			return -1;
		files_remove_empty(path);
	}
	return 0;
}

static int folder_room(struct store *store, uint64_t *bytes, struct error *err)
{
	return files_room(self_of(store)->root, bytes, err) < 0 ? -1 : 1;
}

/* ------------------------------------------------------------ small objects */

static int make_tag(const void *data, size_t len, struct store_tag *tag,
		    struct error *err)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned hash_len = 0;

	if (EVP_Digest(data, len, hash, &hash_len, EVP_sha256(), NULL) != 1)
		return error_memory(err, "a digest");
	for (unsigned i = 0; i < hash_len; i++)
		snprintf(tag->text + 2 * i, 3, "%02x", hash[i]);
	return 0;
}

static int read_path(const char *path, struct strbuf *out,
		     struct store_tag *tag, struct error *err)
{
	size_t from = out->len;
	int rc = files_read(path, out, err);

	tag->text[0] = '\0';
	if (rc > 0 && make_tag(out->data + from, out->len - from, tag, err) < 0)
		return -1;
	return rc;
}

static int folder_read(struct store *store, const char *key, struct strbuf *out,
		       struct store_tag *tag, struct error *err)
{
	char path[PATH_MAX];

	if (path_of(self_of(store), key, path, err) < 0)
		return -1;
	return read_path(path, out, tag, err);
}

/* Is it still the one? With the lock held. */
static int check_tag(const char *path, const struct store_tag *was,
		     struct error *err)
{
	struct store_tag is;
	struct strbuf text;
	int rc;

	if (!was)
		return 0;
	strbuf_init_max(&text, STORE_SMALL_MAX);
	rc = read_path(path, &text, &is, err);
	strbuf_release(&text);
	if (rc < 0)
		return -1;
	if (!strcmp(is.text, was->text))
		return 0;
	return error_set(err, ERROR_CONFLICT, "somebody else wrote '%s'", path);
}

static int replace_locked(const char *path, const void *data, size_t len,
			  const struct store_tag *was, struct store_tag *now,
			  struct error *err)
{
	char beside[PATH_MAX];

	if (check_tag(path, was, err) < 0 || make_tag(data, len, now, err) < 0)
		return -1;
	if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >=
	    sizeof(beside))
		return error_set(err, ERROR_CONFIG, "'%s' is too long a path",
				 path);
	return files_replace(path, beside, data, len, err);
}

static int folder_replace(struct store *store, const char *key,
			  const void *data, size_t len,
			  const struct store_tag *was, struct store_tag *now,
			  struct error *err)
{
	struct folder *folder = self_of(store);
	char path[PATH_MAX], locked[PATH_MAX];
	struct files_lock lock;
	int ret;

	if (path_of(folder, key, path, err) < 0 ||
	    path_of(folder, PRIVATE "/lock", locked, err) < 0 ||
	    make_folder_of(folder, locked, err) < 0 ||
	    make_folder_of(folder, path, err) < 0 ||
	    files_lock(&lock, locked, LOCK_WAIT_MS, store->cancel, err) < 0)
		return -1;
	ret = replace_locked(path, data, len, was, now, err);
	files_unlock(&lock);
	return ret;
}

/* By the lock. */
static int folder_is_atomic(struct store *store, const char *key,
			    struct error *err)
{
	(void)store;
	(void)key;
	(void)err;
	return 1;
}

/* -------------------------------------------------------------------- files */

static int sink_write(struct byte_sink *sink, const void *data, size_t len,
		      struct error *err)
{
	struct folder_file *file = (struct folder_file *)sink;

	return files_write(&file->writer, data, len, err);
}

static int folder_begin(struct store *store, struct store_file **out,
			struct error *err)
{
	struct folder *folder = self_of(store);
	struct folder_file *file = calloc(1, sizeof(*file));
	char key[sizeof(TEMPORARY) + UUID_TEXT_MAX + 1];

	if (!file)
		return error_memory(err, "a file");
	file->base.sink.write = sink_write;
	uuid_make(file->name);
	snprintf(key, sizeof(key), TEMPORARY "/%s", file->name);
	if (path_of(folder, key, file->path, err) < 0 ||
	    make_folder_of(folder, file->path, err) < 0 ||
	    files_create(&file->writer, file->path, err) < 0) {
		free(file);
		return -1;
	}
	*out = &file->base;
	return 0;
}

/* It gets one by the rename. */
static int folder_give_key(struct store *store, struct store_file *file,
			   const char *key, struct error *err)
{
	(void)store;
	(void)file;
	(void)key;
	(void)err;
	return 0;
}

static void folder_discard(struct store *store, struct store_file *base)
{
	struct folder_file *file = (struct folder_file *)base;
	struct error ignored;

	(void)store;
	files_abandon(&file->writer);
	if (files_remove(file->path, &ignored) < 0)
		file->path[0] = '\0'; /* tidy() will find it */
	free(file);
}

static int folder_prepare(struct store *store, struct store_file *base,
			  struct strbuf *token, struct error *err)
{
	struct folder_file *file = (struct folder_file *)base;

	if (files_finish(&file->writer, err) < 0) {
		folder_discard(store, base);
		return -1;
	}
	strbuf_addstr(token, file->name);
	free(file);
	return strbuf_check(token, err);
}

/* What is in a state that somebody else may have written is no path. */
static int path_of_token(const struct folder *folder, const char *token,
			 char out[PATH_MAX], struct error *err)
{
	char key[sizeof(TEMPORARY) + UUID_TEXT_MAX + 1];

	if (strlen(token) != UUID_TEXT_MAX - 1 ||
	    strspn(token, "0123456789abcdef-") != UUID_TEXT_MAX - 1)
		return error_set(err, ERROR_DATA,
				 "'%.40s' is no name of a temporary file",
				 token);
	snprintf(key, sizeof(key), TEMPORARY "/%s", token);
	return path_of(folder, key, out, err);
}

static void folder_discard_prepared(struct store *store, const char *key,
				    const char *token)
{
	char path[PATH_MAX];
	struct error ignored;

	(void)key;
	if (path_of_token(self_of(store), token, path, &ignored) < 0 ||
	    files_remove(path, &ignored) < 0)
		return; /* tidy() will find it */
}

static int folder_publish(struct store *store, const char *key,
			  const char *token, struct error *err)
{
	struct folder *folder = self_of(store);
	char from[PATH_MAX], to[PATH_MAX];
	int rc;

	if (path_of_token(folder, token, from, err) < 0 ||
	    path_of(folder, key, to, err) < 0 ||
	    make_folder_of(folder, to, err) < 0)
		return -1;
	rc = files_rename(from, to, err);
	if (rc == 0)
		rc = files_exists(to, err);
	if (rc == 0)
		return error_set(err, ERROR_GAP,
				 "'%s' was to become '%s', and is gone", from,
				 to);
	return rc < 0 ? -1 : 0;
}

static int take_size(struct byte_source *source, uint64_t *size)
{
	if (size)
		*size = source->size;
	files_close(source);
	return 1;
}

static int folder_find(struct store *store, const char *key, uint64_t *size,
		       struct error *err)
{
	struct byte_source *source;
	char path[PATH_MAX];
	int rc;

	if (path_of(self_of(store), key, path, err) < 0)
		return -1;
	if (!size)
		return files_exists(path, err);
	rc = files_open(&source, path, err);
	return rc > 0 ? take_size(source, size) : rc;
}

/* ------------------------------------------------------------------ listing */

struct listing {
	struct folder *folder;
	const char *key; /* of the folder at hand, "" or ended by a slash */
	store_take *take;
	void *arg;
	unsigned depth;
};

/* Deeper than anything that is made here. */
#define DEPTH_MAX 64

static int list_folder(struct listing *listing, struct error *err);

static int take_entry(void *arg, const struct files_entry *entry,
		      struct error *err)
{
	struct listing *listing = arg;
	struct store_item item = {.size = entry->size};
	struct listing below = *listing;
	struct strbuf key;
	int ret;

	strbuf_init(&key);
	strbuf_addf(&key, "%s%s%s", listing->key, entry->name,
		    entry->is_folder ? "/" : "");
	ret = strbuf_check(&key, err);
	item.key = below.key = key.data;
	if (ret == 0 && entry->is_folder && below.depth++ < DEPTH_MAX)
		ret = list_folder(&below, err);
	else if (ret == 0 && !entry->is_folder)
		ret = listing->take(listing->arg, &item, err);
	strbuf_release(&key);
	return ret;
}

static int list_folder(struct listing *listing, struct error *err)
{
	char path[PATH_MAX];

	if (path_of(listing->folder, listing->key, path, err) < 0)
		return -1;
	return files_list(path, take_entry, listing, err);
}

static int folder_list(struct store *store, const char *prefix,
		       store_take *take, void *arg, struct error *err)
{
	struct listing listing = {
		.folder = self_of(store),
		.key = prefix,
		.take = take,
		.arg = arg,
	};

	return list_folder(&listing, err);
}

/* Folders that nothing is left in go, too, up to the table's. */
static void remove_empty_above(const struct folder *folder, char *path)
{
	size_t keep = strlen(folder->path);
	char *slash = strrchr(path, '/');

	for (; slash && (size_t)(slash - path) > keep;
	     slash = strrchr(path, '/')) {
		*slash = '\0';
		files_remove_empty(path);
	}
}

static int folder_remove(struct store *store, const char *const *keys,
			 size_t count, struct error *err)
{
	struct folder *folder = self_of(store);
	char path[PATH_MAX];

	for (size_t i = 0; i < count; i++) {
		if (path_of(folder, keys[i], path, err) < 0 ||
		    files_remove(path, err) < 0)
			return -1;
		remove_empty_above(folder, path);
	}
	return 0;
}

struct tidying {
	const char *const *tokens;
	size_t count;
	struct strbuf names; /* of what is to go, a NUL behind each */
};

static int see_temporary(void *arg, const struct files_entry *entry,
			 struct error *err)
{
	struct tidying *tidying = arg;

	for (size_t i = 0; i < tidying->count; i++)
		if (!strcmp(tidying->tokens[i], entry->name))
			return 0;
	if (!entry->is_folder)
		strbuf_add(&tidying->names, entry->name,
			   strlen(entry->name) + 1);
	return strbuf_check(&tidying->names, err);
}

static int remove_temporaries(const struct folder *folder,
			      const struct strbuf *names, struct error *err)
{
	char path[PATH_MAX], key[PATH_MAX];

	for (size_t at = 0; at < names->len;
	     at += strlen(names->data + at) + 1) {
		snprintf(key, sizeof(key), TEMPORARY "/%s", names->data + at);
		if (path_of(folder, key, path, err) < 0 ||
		    files_remove(path, err) < 0)
			return -1;
	}
	return 0;
}

static int folder_tidy(struct store *store, const char *const *tokens,
		       size_t count, int (*check)(void *arg, struct error *err),
		       void *arg, struct error *err)
{
	struct tidying tidying = {.tokens = tokens, .count = count};
	char path[PATH_MAX];
	int ret;

	if (path_of(self_of(store), TEMPORARY, path, err) < 0)
		return -1;
	strbuf_init(&tidying.names);
	ret = files_list(path, see_temporary, &tidying, err);
	if (ret == 0 && tidying.names.len)
		ret = check(arg, err);
	if (ret == 0)
		ret = remove_temporaries(self_of(store), &tidying.names, err);
	strbuf_release(&tidying.names);
	return ret;
}

/* ------------------------------------------------------------------ reading */

/* With the path that errors name. */
struct folder_source {
	struct byte_source base;
	struct byte_source *file;
	char path[PATH_MAX];
};

static int read_source(struct byte_source *source, uint64_t offset, void *data,
		       size_t len, struct error *err)
{
	struct byte_source *file = ((struct folder_source *)source)->file;

	return file->read_at(file, offset, data, len, err);
}

static int folder_open_source(struct store *store, const char *key,
			      struct byte_source **out, struct error *err)
{
	struct folder_source *source = calloc(1, sizeof(*source));
	int rc;

	if (!source)
		return error_memory(err, "a file");
	rc = path_of(self_of(store), key, source->path, err);
	if (rc == 0)
		rc = files_open(&source->file, source->path, err);
	if (rc <= 0) {
		free(source);
		return rc;
	}
	source->base.size = source->file->size;
	source->base.read_at = read_source;
	*out = &source->base;
	return 1;
}

static void folder_close_source(struct store *store, struct byte_source *source)
{
	(void)store;
	files_close(((struct folder_source *)source)->file);
	free(source);
}

/* -------------------------------------------------------------- begin and end */

static void folder_close(struct store *store)
{
	struct folder *folder = self_of(store);

	free(folder->root);
	free(folder->path);
	free(folder);
}

static const struct store_ops folder_ops = {
	.close = folder_close,
	.name = folder_name,
	.set_up = folder_set_up,
	.take_down = folder_take_down,
	.room = folder_room,
	.read = folder_read,
	.replace = folder_replace,
	.is_atomic = folder_is_atomic,
	.begin = folder_begin,
	.give_key = folder_give_key,
	.prepare = folder_prepare,
	.discard = folder_discard,
	.discard_prepared = folder_discard_prepared,
	.publish = folder_publish,
	.find = folder_find,
	.list = folder_list,
	.remove = folder_remove,
	.tidy = folder_tidy,
	.open = folder_open_source,
	.close_source = folder_close_source,
};

int folder_open(struct store **out, const char *base, const char *below,
		struct error *err)
{
	struct folder *folder = calloc(1, sizeof(*folder));
	struct strbuf path;

	if (!folder)
		return error_memory(err, "a folder");
	strbuf_init(&path);
	strbuf_addf(&path, "%s/%s", base, below);
	folder->base.ops = &folder_ops;
	folder->base.nameless_bytes = UINT64_MAX;
	folder->root = strdup(base);
	folder->path = strbuf_detach(&path);
	if (!folder->root || !folder->path) {
		folder_close(&folder->base);
		return error_memory(err, "a folder");
	}
	*out = &folder->base;
	return 0;
}
