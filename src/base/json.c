/*
 * jansson 2.14 does not bear a lack of memory. Its reader goes on with a buffer
 * that could not grow, and beyond its end; its writer leaves out what it had no
 * room for, and says that all is well. So the reader has some memory put by,
 * which is given up when there is no other, and without which nothing is read;
 * and what is written goes into a buffer of ours, which remembers.
 */
#include "base/json.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/strbuf.h"

/* More than any text takes that is read here. */
#define RESERVE_BYTES ((size_t)1 << 20)

static struct {
	pthread_mutex_t lock;
	void *bytes;
} reserve = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *allocate(size_t size)
{
	void *ptr = malloc(size);

	if (ptr)
		return ptr;
	pthread_mutex_lock(&reserve.lock);
	free(reserve.bytes);
	reserve.bytes = NULL;
	pthread_mutex_unlock(&reserve.lock);
	return malloc(size);
}

static int put_by(struct error *err)
{
	bool there;

	pthread_mutex_lock(&reserve.lock);
	if (!reserve.bytes)
		reserve.bytes = malloc(RESERVE_BYTES);
	there = reserve.bytes != NULL;
	pthread_mutex_unlock(&reserve.lock);
	return there ? 0 : error_memory(err, "reading JSON");
}

void json_setup(void)
{
	json_set_alloc_funcs(allocate, free);
}

json_t *json_parse(const char *text, struct error *err)
{
	json_error_t why;
	json_t *root;

	if (put_by(err) < 0)
		return NULL;
	root = json_loads(text, 0, &why);
	if (!root && json_error_code(&why) == json_error_out_of_memory)
		error_memory(err, "reading JSON");
	else if (!root)
		error_set(err, ERROR_DATA, "%s", why.text);
	return root;
}

static int add(const char *text, size_t len, void *arg)
{
	struct strbuf *out = arg;

	strbuf_add(out, text, len);
	return out->failed ? -1 : 0;
}

char *json_format(const json_t *root, size_t flags)
{
	struct strbuf out;

	strbuf_init(&out);
	if (root && json_dump_callback(root, add, &out, flags) == 0)
		return strbuf_detach(&out);
	strbuf_release(&out);
	return NULL;
}

json_t *json_put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) == 0)
		return object;
	json_decref(object);
	return NULL;
}

json_t *json_append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) == 0)
		return array;
	json_decref(array);
	return NULL;
}
