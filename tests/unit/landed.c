#include "unit/landed.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/helper.h"
#include "unit/rows.h"

#define PLENTY	   ((size_t)64 << 20)
#define KEYS_MAX   256
#define BATCH_ROWS 1000

static const struct column columns[] = {
	{.name = "id", .type = ROW_INT64},
	{.name = "name", .type = ROW_TEXT, .nullable = true},
	{.name = "price",
	 .type = ROW_DECIMAL,
	 .precision = 10,
	 .scale = 2,
	 .nullable = true},
	{.name = "part", .type = ROW_INT32},
};

static const struct table_name name = {"lake", "dbo", "t"};

/* -------------------------------------------------------------------- files */

static void remove_all(const char *path)
{
	struct dirent *entry;
	char inner[1024];
	DIR *dir = opendir(path);

	while (dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (unlink(inner) < 0)
			remove_all(inner);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

const char *landed_path(const char *key)
{
	char path[1200];

	snprintf(path, sizeof(path), "lake.dbo.t/%s", key);
	return path_of(path);
}

char *landed_read(const char *key, size_t *len)
{
	FILE *file = fopen(landed_path(key), "rb");
	char *data = calloc(1, PLENTY);

	if (!file)
		fail_msg("'%s' is not there", key);
	*len = fread(data, 1, PLENTY - 1, file);
	fclose(file);
	return data;
}

void landed_write(const char *key, const void *data, size_t len)
{
	FILE *file = fopen(landed_path(key), "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_keys(const char *below, char **keys, size_t *count)
{
	struct dirent *entry;
	char inner[1024];
	DIR *dir = opendir(landed_path(below));

	while (dir && (entry = readdir(dir))) {
		struct stat info;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof(inner), "%s%s", below, entry->d_name);
		assert_int_equal(stat(landed_path(inner), &info), 0);
		if (S_ISDIR(info.st_mode)) {
			strncat(inner, "/", sizeof(inner) - strlen(inner) - 1);
			find_keys(inner, keys, count);
		} else {
			assert_true(*count < KEYS_MAX);
			keys[(*count)++] = strdup(inner);
		}
	}
	if (dir)
		closedir(dir);
}

char *landed_keys(const char *below)
{
	char *keys[KEYS_MAX];
	struct strbuf out;
	size_t count = 0;

	find_keys(below, keys, &count);
	qsort(keys, count, sizeof(*keys), by_text);
	strbuf_init(&out);
	strbuf_addstr(&out, "");
	for (size_t i = 0; i < count; i++) {
		strbuf_addf(&out, "%s\n", keys[i]);
		free(keys[i]);
	}
	return strbuf_detach(&out);
}

/* ------------------------------------------------------------- begin and end */

int landed_begin(struct landed *landed, struct error *err)
{
	struct target_spec spec = {
		.server = landed->server,
		.name = name,
		.installation = "installation",
		.mapping_id = 1,
		.origin = "src.db.dbo.t",
		.epoch = landed->epoch,
	};
	const struct target_ops *ops = landed->driver->target;

	if (ops->open(&spec, &landed->dst, err) < 0) {
		landed->dst = NULL;
		return -1;
	}
	if (ops->connect(landed->dst, &landed->cancel, err) == 0 &&
	    ops->fence(landed->dst, err) == 0)
		return 0;
	landed_end(landed);
	return -1;
}

void landed_end(struct landed *landed)
{
	if (landed->dst)
		landed->dst->ops->close(landed->dst);
	landed->dst = NULL;
}

static void make_server(struct landed *landed, const char *options)
{
	struct error err = ERROR_INIT;
	char string[512];
	struct server_spec spec = {
		.id = 1,
		.name = "lake",
		.connection_string = string,
		.installation = "installation",
	};

	snprintf(string, sizeof(string), "path=%s;%s%s", path_of("."),
		 strstr(options, "file_format") ? "" : "file_format=json;",
		 options);
	MUST(landed->driver->server_new(&spec, &landed->server, &err));
	MUST(landed_begin(landed, &err));
}

void landed_open(struct landed *landed, const char *options)
{
	struct error err = ERROR_INIT;

	memset(landed, 0, sizeof(*landed));
	landed->epoch = 1;
	remove_all(path_of("lake.dbo.t"));
	strbuf_init(&landed->found);
	table_make(&landed->table, "t", columns, COUNT_OF(columns), "id");
	MUST(cancel_init(&landed->cancel, &err));
	landed->driver = driver_find("file", &err);
	assert_non_null(landed->driver);
	make_server(landed, options);
}

void landed_alter(struct landed *landed, const char *options)
{
	landed_end(landed);
	landed->driver->server_free(landed->server);
	make_server(landed, options);
}

void landed_close(struct landed *landed)
{
	landed_end(landed);
	landed->driver->server_free(landed->server);
	table_release(&landed->table);
	cancel_release(&landed->cancel);
	strbuf_release(&landed->found);
	free(landed->proof.place);
}

/* ------------------------------------------------------------------- writing */

static void put_rows(struct landed *landed, int64_t first, int64_t last)
{
	struct error err = ERROR_INIT;
	struct batch batch;
	char text[32];

	batch_make(&batch, &landed->table);
	for (int64_t id = first; id <= last; id++) {
		if (batch.rows == BATCH_ROWS) {
			MUST(landed->dst->ops->write(landed->dst, &batch,
						     &err));
			batch_reset(&batch);
		}
		snprintf(text, sizeof(text), "name %d", (int)id);
		batch_put_i64(&batch, 0, id);
		put_text(&batch, 1, text);
		batch_put_wide(&batch, 2)->decimal = (row_int128)(100 * id);
		batch_put_i64(&batch, 3, id % 3);
		batch_add_row(&batch, ROW_UPSERT);
	}
	MUST(landed->dst->ops->write(landed->dst, &batch, &err));
	batch_release(&batch);
}

static int commit(struct landed *landed, const struct checkpoint *from,
		  struct error *err)
{
	struct target_counts counts;
	struct checkpoint to = {.consistent_after_us = 0};
	unsigned char number = (unsigned char)++landed->windows;

	if (position_set(&to.position, &number, 1, err) < 0 ||
	    landed->dst->ops->commit(landed->dst, from, &to, &counts, err) < 0)
		return -1;
	landed->at = to;
	return 0;
}

void landed_load_begin(struct landed *landed)
{
	struct error err = ERROR_INIT;
	const struct target_ops *ops = landed->dst->ops;

	MUST(ops->create(landed->dst, &landed->table, &err));
	MUST(ops->begin(landed->dst, TARGET_REPLACE, &landed->table, &err));
}

int landed_load_end(struct landed *landed, int64_t first, int64_t last,
		    struct error *err)
{
	put_rows(landed, first, last);
	return commit(landed, NULL, err);
}

void landed_load(struct landed *landed, int64_t first, int64_t last)
{
	struct error err = ERROR_INIT;

	landed_load_begin(landed);
	MUST(landed_load_end(landed, first, last, &err));
}

void landed_change(struct landed *landed, int64_t first, int64_t last)
{
	struct error err = ERROR_INIT;
	const struct target_ops *ops = landed->dst->ops;
	unsigned char number = (unsigned char)(landed->windows + 1);
	struct position to;

	MUST(position_set(&to, &number, 1, &err));
	MUST(ops->begin(landed->dst, TARGET_APPLY, &landed->table, &err));
	MUST(ops->stamp(landed->dst, &to, 1000000, &err));
	put_rows(landed, first, last);
	MUST(commit(landed, &landed->at, &err));
}

/* ------------------------------------------------------------------- reading */

static int take_object(void *arg, const char *object, const char *what,
		       const char *text, struct error *err)
{
	struct landed *landed = arg;

	assert_true(*text != '\0');
	strbuf_addf(&landed->found, "%s %s\n", object, what);
	return strbuf_check(&landed->found, err);
}

int landed_prove(struct landed *landed, bool whole, struct error *err)
{
	struct proof *proof = &landed->proof;
	int rc;

	strbuf_reset(&landed->found);
	strbuf_addstr(&landed->found, "");
	free(proof->place);
	*proof = (struct proof){
		.whole = whole,
		.rows = 1,
		.room = landed->room ? landed->room : PLENTY,
		.room_most = landed->room_most ? landed->room_most : PLENTY,
		.found = take_object,
		.arg = landed,
	};
	do
		rc = landed->dst->ops->prove(landed->dst, proof, err);
	while (rc > 0 && !proof->anew);
	landed->dst->ops->prove_end(landed->dst);
	return rc < 0 ? -1 : 0;
}

int landed_compact(struct landed *landed, struct compaction *work,
		   struct error *err)
{
	const struct target_ops *ops = landed->dst->ops;
	int rc;

	*work = (struct compaction){.room = landed->room ? landed->room
							 : PLENTY};
	do
		rc = ops->compact(landed->dst, &landed->table, work, err);
	while (rc > 0);
	ops->compact_end(landed->dst);
	return rc;
}
