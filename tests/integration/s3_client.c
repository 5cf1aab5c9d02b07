/*
 * The S3 client, driven from outside: a line of JSON in, a line of JSON out,
 * one after the other, until the input ends. The connection string is the only
 * argument. test_s3_*.py say what is done with it, and look at the server by
 * clients that nobody here wrote.
 *
 *	{"do": "put", "key": "a/b", "file": "/tmp/x"}
 *	{"ok": true, "etag": "\"…\"", …}
 *	{"ok": false, "kind": "permission", "retryable": false, "message": "…"}
 *
 * "cancel_ms" in a line asks to stop (CANCEL_NOW; "drain": CANCEL_DRAIN) so
 * long after it began.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/connstr.h"
#include "base/json.h"
#include "s3/list.h"
#include "s3/upload.h"

#define COMMAND_MAX 65536

struct probe {
	struct s3 *s3;
	struct s3_client client;
	struct s3_upload *upload;
	json_t *in, *out;
};

static const char *text(struct probe *p, const char *key)
{
	return json_string_value(json_object_get(p->in, key));
}

static int64_t number(struct probe *p, const char *key)
{
	return json_integer_value(json_object_get(p->in, key));
}

static void tell(struct probe *p, const char *key, const char *value)
{
	json_object_set_new(p->out, key, json_string(value));
}

static void tell_number(struct probe *p, const char *key, int64_t value)
{
	json_object_set_new(p->out, key, json_integer(value));
}

static void tell_info(struct probe *p, const struct s3_info *info)
{
	tell_number(p, "size", info->size);
	tell_number(p, "modified_us", info->modified_us);
	tell(p, "etag", info->etag);
	tell(p, "crc32c", info->crc32c);
	tell(p, "sha256", info->sha256);
}

static char *slurp(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *data;
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 ||
	    fseek(file, 0, SEEK_SET))
		abort();
	data = malloc((size_t)size + 1);
	if (!data || fread(data, 1, (size_t)size, file) != (size_t)size)
		abort();
	fclose(file);
	*len = (size_t)size;
	return data;
}

static struct s3_put how(struct probe *p)
{
	return (struct s3_put){
		.content_type = text(p, "content_type"),
		.only_new = json_is_true(json_object_get(p->in, "only_new")),
		.if_match = text(p, "if_match"),
	};
}

/* ----------------------------------------------------------------- commands */

static int do_put(struct probe *p, struct error *err)
{
	struct s3_put put = how(p);
	struct s3_info info;
	size_t len;
	char *data = slurp(text(p, "file"), &len);
	int ret =
		s3_put(&p->client, text(p, "key"), data, len, &put, &info, err);

	free(data);
	if (ret == 0)
		tell_info(p, &info);
	return ret;
}

static int do_head(struct probe *p, struct error *err)
{
	struct s3_info info;
	int ret = s3_head(&p->client, text(p, "key"), &info, err);

	tell_number(p, "found", ret);
	if (ret > 0)
		tell_info(p, &info);
	return ret;
}

static int to_file(const void *data, size_t len, void *arg, struct error *err)
{
	FILE *file = arg;

	if (fwrite(data, 1, len, file) == len)
		return 0;
	return error_set(err, ERROR_SYSTEM, "the sink is full");
}

static int do_get(struct probe *p, struct error *err)
{
	struct s3_range range = {number(p, "from"), number(p, "count")};
	FILE *file = fopen(text(p, "file"), "wb");
	struct s3_info info;
	int ret;

	if (!file)
		abort();
	if (!strcmp(text(p, "file"), "/dev/full"))
		setvbuf(file, NULL, _IONBF, 0);
	ret = s3_get(&p->client, text(p, "key"), &range, to_file, file, &info,
		     err);
	fclose(file);
	tell_number(p, "found", ret);
	if (ret > 0)
		tell_info(p, &info);
	return ret;
}

static int do_get_all(struct probe *p, struct error *err)
{
	struct strbuf data;
	int ret;

	strbuf_init_max(&data, (size_t)number(p, "max"));
	ret = s3_get_all(&p->client, text(p, "key"), &data, err);
	tell_number(p, "found", ret);
	if (ret > 0)
		tell(p, "text", data.data);
	strbuf_release(&data);
	return ret;
}

static int do_list(struct probe *p, struct error *err)
{
	json_t *keys = json_array();
	struct s3_list list;
	struct s3_item item;
	int ret;

	s3_list_init(&list, &p->client, text(p, "prefix"), text(p, "delimiter"),
		     text(p, "after"));
	while ((ret = s3_list_next(&list, &item, err)) > 0)
		json_array_append_new(
			keys,
			json_pack("{s:s, s:b, s:I, s:I, s:s}", "key", item.key,
				  "folder", item.is_folder, "size",
				  (json_int_t)item.info.size, "modified_us",
				  (json_int_t)item.info.modified_us, "etag",
				  item.info.etag));
	s3_list_release(&list);
	json_object_set_new(p->out, "items", keys);
	return ret;
}

static int do_delete(struct probe *p, struct error *err)
{
	json_t *keys = json_object_get(p->in, "keys");
	size_t count = json_array_size(keys);
	const char **list = calloc(count + 1, sizeof(*list));
	int ret;

	if (!list)
		abort();
	for (size_t i = 0; i < count; i++)
		list[i] = json_string_value(json_array_get(keys, i));
	ret = s3_delete(&p->client, list, count, err);
	free(list);
	return ret;
}

static int do_begin(struct probe *p, struct error *err)
{
	struct s3_put put = how(p);

	return s3_upload_begin(&p->upload, &p->client, text(p, "key"), &put,
			       err);
}

static int do_write(struct probe *p, struct error *err)
{
	size_t len, piece = (size_t)number(p, "piece");
	char *data = slurp(text(p, "file"), &len);
	int ret = 0;

	if (!piece)
		piece = len ? len : 1;
	for (size_t at = 0; at < len && ret == 0; at += piece)
		ret = s3_upload_write(p->upload, data + at,
				      len - at < piece ? len - at : piece, err);
	free(data);
	tell_number(p, "size", s3_upload_size(p->upload));
	return ret;
}

static int do_complete(struct probe *p, struct error *err)
{
	struct s3_info info;
	int ret = s3_upload_complete(p->upload, &info, err);

	p->upload = NULL;
	if (ret == 0)
		tell_info(p, &info);
	return ret;
}

static int do_set_key(struct probe *p, struct error *err)
{
	return s3_upload_set_key(p->upload, text(p, "key"), err);
}

static int do_prepare(struct probe *p, struct error *err)
{
	struct strbuf token;
	int ret;

	strbuf_init(&token);
	ret = s3_upload_prepare(p->upload, &token, err);
	p->upload = NULL;
	if (ret == 0)
		tell(p, "token", token.data);
	strbuf_release(&token);
	return ret;
}

static int do_publish(struct probe *p, struct error *err)
{
	struct s3_info info;
	int rc = s3_upload_publish(&p->client, text(p, "key"), text(p, "token"),
				   &info, err);

	tell_number(p, "found", rc);
	if (rc > 0)
		tell_info(p, &info);
	return rc;
}

static int do_discard(struct probe *p, struct error *err)
{
	(void)err;
	s3_upload_discard(&p->client, text(p, "key"), text(p, "token"));
	return 0;
}

static bool is_kept(void *arg, const char *key, const char *id)
{
	struct probe *p = arg;

	(void)key;
	return s3_upload_is(text(p, "token"), id);
}

static int may_go_on(void *arg, struct error *err)
{
	struct probe *p = arg;

	return json_is_true(json_object_get(p->in, "fenced"))
		       ? error_set(err, ERROR_CONFLICT, "fenced out")
		       : 0;
}

/* All uploads but the one of a token. */
static int do_abort_others(struct probe *p, struct error *err)
{
	struct s3_choice choice = {
		.keep = is_kept, .check = may_go_on, .arg = p};
	int64_t count =
		s3_abort_chosen(&p->client, text(p, "prefix"), &choice, err);

	tell_number(p, "count", count);
	return count < 0 ? -1 : 0;
}

static int do_abort(struct probe *p, struct error *err)
{
	(void)err;
	s3_upload_abort(p->upload);
	p->upload = NULL;
	return 0;
}

static int do_abort_uploads(struct probe *p, struct error *err)
{
	int64_t count = s3_abort_uploads(&p->client, text(p, "prefix"),
					 number(p, "before_us"), err);

	tell_number(p, "count", count);
	return count < 0 ? -1 : 0;
}

/* Several threads, each with a client of its own, on one struct s3. */
struct worker {
	pthread_t thread;
	struct probe *p;
	int id, rounds;
	int ret;
	struct error err;
};

static int work_once(struct worker *w, struct s3_client *client, int round)
{
	char key[64], content[256];
	struct strbuf got;
	int ret;

	snprintf(key, sizeof(key), "threads/%d/%d", w->id, round);
	snprintf(content, sizeof(content), "thread %d, round %d", w->id, round);
	if (s3_put(client, key, content, strlen(content), NULL, NULL, &w->err) <
	    0)
		return -1;
	strbuf_init_max(&got, 1024);
	ret = s3_get_all(client, key, &got, &w->err);
	if (ret > 0 && strcmp(got.data, content) != 0)
		ret = error_set(&w->err, ERROR_INTERNAL, "other bytes");
	strbuf_release(&got);
	return ret > 0 ? 0 : -1;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct s3_client client = {.s3 = w->p->s3};

	for (int i = 0; i < w->rounds && w->ret == 0; i++)
		w->ret = work_once(w, &client, i);
	return NULL;
}

static int do_threads(struct probe *p, struct error *err)
{
	size_t count = (size_t)number(p, "count");
	struct worker *workers = calloc(count, sizeof(*workers));
	int ret = 0;

	if (!workers)
		abort();
	for (size_t i = 0; i < count; i++) {
		workers[i].p = p;
		workers[i].id = (int)i;
		workers[i].rounds = (int)number(p, "rounds");
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			abort();
	}
	for (size_t i = 0; i < count; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].ret < 0) {
			*err = workers[i].err;
			ret = -1;
		}
	}
	free(workers);
	return ret;
}

static const struct {
	const char *name;
	int (*run)(struct probe *p, struct error *err);
} commands[] = {
	{"put", do_put},
	{"head", do_head},
	{"get", do_get},
	{"get_all", do_get_all},
	{"list", do_list},
	{"delete", do_delete},
	{"begin", do_begin},
	{"write", do_write},
	{"set_key", do_set_key},
	{"prepare", do_prepare},
	{"publish", do_publish},
	{"discard", do_discard},
	{"abort_others", do_abort_others},
	{"complete", do_complete},
	{"abort", do_abort},
	{"abort_uploads", do_abort_uploads},
	{"threads", do_threads},
};

/* ------------------------------------------------------------------- running */

struct alarm {
	struct cancel *cancel;
	int64_t ms;
	enum cancel_level level;
};

static void *ring(void *arg)
{
	const struct alarm *alarm = arg;
	struct timespec ts = {.tv_sec = (time_t)(alarm->ms / 1000),
			      .tv_nsec = (long)(alarm->ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
	cancel_request(alarm->cancel, alarm->level);
	return NULL;
}

static int run_command(struct probe *p, struct error *err)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(text(p, "do"), commands[i].name))
			return commands[i].run(p, err);
	return error_set(err, ERROR_INTERNAL, "no such command");
}

static int run_cancelled(struct probe *p, struct error *err)
{
	struct cancel cancel;
	struct alarm alarm = {
		.cancel = &cancel,
		.ms = number(p, "cancel_ms"),
		.level = json_is_true(json_object_get(p->in, "drain"))
				 ? CANCEL_DRAIN
				 : CANCEL_NOW,
	};
	pthread_t thread;
	int ret;

	if (!alarm.ms)
		return run_command(p, err);
	if (cancel_init(&cancel, err) < 0 ||
	    pthread_create(&thread, NULL, ring, &alarm))
		abort();
	p->client.cancel = &cancel;
	ret = run_command(p, err);
	pthread_join(thread, NULL);
	p->client.cancel = NULL;
	cancel_release(&cancel);
	return ret;
}

static void answer(struct probe *p, int ret, const struct error *err)
{
	char *line;

	json_object_set_new(p->out, "ok", json_boolean(ret >= 0));
	if (ret < 0) {
		tell(p, "kind", error_kind_name(err->kind));
		json_object_set_new(p->out, "retryable",
				    json_boolean(err->retryable));
		tell(p, "message", err->message);
	}
	line = json_format(p->out, JSON_COMPACT);
	if (!line)
		abort();
	puts(line);
	fflush(stdout);
	free(line);
}

static void run_line(struct probe *p, const char *line)
{
	struct error err = ERROR_INIT;
	int64_t began = clock_ms();
	int ret;

	p->in = json_parse(line, &err);
	p->out = json_object();
	if (!p->in || !text(p, "do"))
		abort();
	ret = run_cancelled(p, &err);
	tell_number(p, "ms", clock_ms() - began);
	answer(p, ret, &err);
	json_decref(p->in);
	json_decref(p->out);
}

static int open_server(struct probe *p, const char *connection,
		       struct error *err)
{
	struct s3_settings settings;
	struct connstr cs;
	int ret = -1;

	if (connstr_parse(&cs, connection, err) < 0)
		return -1;
	if (s3_settings_read(&settings, &cs, err) == 0) {
		if (connstr_check_unused(&cs, err) == 0)
			ret = s3_new(&p->s3, &settings, err);
		s3_settings_release(&settings);
	}
	connstr_release(&cs);
	return ret;
}

int main(int argc, char **argv)
{
	static char line[COMMAND_MAX];
	struct error err = ERROR_INIT;
	struct probe p = {.s3 = NULL};

	json_setup();
	if (argc != 2 || curl_global_init(CURL_GLOBAL_DEFAULT))
		return 2;
	p.out = json_object();
	if (open_server(&p, argv[1], &err) < 0) {
		answer(&p, -1, &err);
		json_decref(p.out);
		return 1;
	}
	tell(&p, "name", s3_name(p.s3));
	answer(&p, 0, &err);
	json_decref(p.out);
	p.client.s3 = p.s3;
	while (fgets(line, sizeof(line), stdin))
		run_line(&p, line);
	s3_upload_abort(p.upload);
	s3_free(p.s3);
	curl_global_cleanup();
	return 0;
}
