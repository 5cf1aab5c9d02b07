/*
 * The linker gives us all that the project's own objects ask for (--wrap);
 * libraries are told by their own means. A thread that a counted one starts is
 * counted too, so a reporter that was started before goes on undisturbed.
 */
#include "unit/scarce/scarce.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sqlite3.h>

#include "base/json.h"
#include "unit/helper.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t len);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*start)(void *), void *arg);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t len);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*start)(void *), void *arg);

static atomic_ulong made, fail_at, round_number;
static atomic_bool has_failed;
static _Thread_local unsigned long counted; /* in that round; 0: not */

/* A breakpoint here shows who asked. */
__attribute__((noinline)) static void refuse(void)
{
	atomic_store(&has_failed, true);
}

static bool is_refused(void)
{
	if (!counted || counted != atomic_load(&round_number))
		return false;
	if (atomic_fetch_add(&made, 1) + 1 != atomic_load(&fail_at))
		return false;
	refuse();
	return true;
}

void scarce_begin(unsigned long n)
{
	counted = atomic_fetch_add(&round_number, 1) + 1;
	atomic_store(&has_failed, false);
	atomic_store(&made, 0);
	atomic_store(&fail_at, n);
}

unsigned long scarce_end(void)
{
	atomic_fetch_add(&round_number, 1);
	counted = 0;
	return atomic_load(&made);
}

void scarce_pause(bool paused)
{
	counted = paused ? 0 : atomic_load(&round_number);
}

bool scarce_hit(void)
{
	return atomic_load(&has_failed);
}

/* -------------------------------------------------------------------- wraps */

void *__wrap_malloc(size_t size)
{
	return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
	return is_refused() ? NULL : __real_realloc(ptr, size);
}

char *__wrap_strdup(const char *s)
{
	return is_refused() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t len)
{
	return is_refused() ? NULL : __real_strndup(s, len);
}

struct child {
	void *(*start)(void *);
	void *arg;
	unsigned long counted;
};

static void *child_main(void *arg)
{
	struct child child = *(struct child *)arg;

	free(arg);
	counted = child.counted;
	return child.start(child.arg);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*start)(void *), void *arg)
{
	struct child *child;
	int rc;

	if (is_refused())
		return EAGAIN;
	child = __real_malloc(sizeof(*child));
	if (!child)
		return EAGAIN;
	*child = (struct child){start, arg, counted};
	rc = __real_pthread_create(thread, attr, child_main, child);
	if (rc)
		free(child);
	return rc;
}

/* ---------------------------------------------------------------- libraries */

static void *openssl_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return __wrap_malloc(size);
}

static void *openssl_realloc(void *ptr, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return __wrap_realloc(ptr, size);
}

static void openssl_free(void *ptr, const char *file, int line)
{
	(void)file;
	(void)line;
	free(ptr);
}

/* SQLite wants to know how large a piece is, so that stands before it. */
#define HEAD 16

static void *lite_malloc(int size)
{
	char *ptr = __wrap_malloc((size_t)size + HEAD);

	if (!ptr)
		return NULL;
	memcpy(ptr, &size, sizeof(size));
	return ptr + HEAD;
}

static void lite_free(void *ptr)
{
	if (ptr)
		free((char *)ptr - HEAD);
}

static void *lite_realloc(void *old, int size)
{
	char *ptr = __wrap_realloc((char *)old - HEAD, (size_t)size + HEAD);

	if (!ptr)
		return NULL;
	memcpy(ptr, &size, sizeof(size));
	return ptr + HEAD;
}

static int lite_size(void *ptr)
{
	int size = 0;

	if (ptr)
		memcpy(&size, (char *)ptr - HEAD, sizeof(size));
	return size;
}

static int lite_roundup(int size)
{
	return (size + 7) & ~7;
}

static int lite_init(void *arg)
{
	(void)arg;
	return SQLITE_OK;
}

static void lite_shutdown(void *arg)
{
	(void)arg;
}

static const sqlite3_mem_methods lite_methods = {
	lite_malloc,  lite_free, lite_realloc,	lite_size,
	lite_roundup, lite_init, lite_shutdown, NULL,
};

/* What is made once a process is made now, or its lack would last. */
static void warm_up(void)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned len;

	assert_true(EVP_Digest("", 0, md, &len, EVP_md5(), NULL));
	assert_true(EVP_Digest("", 0, md, &len, EVP_sha256(), NULL));
	assert_int_equal(sqlite3_initialize(), SQLITE_OK);
	json_decref(json_object());
}

void scarce_setup(void)
{
	if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc,
				      openssl_free))
		fprintf(stderr, "OpenSSL allocates on its own\n");
	scarce_setup_but_openssl();
}

void scarce_setup_but_openssl(void)
{
	sqlite3_config(SQLITE_CONFIG_MALLOC, &lite_methods);
	json_setup();
	warm_up();
}

/* ------------------------------------------------------------------- trials */

static uint64_t random_next(void)
{
	static uint64_t state;
	const char *seed = getenv("SCARCE_SEED");

	if (!state) {
		state = seed ? strtoull(seed, NULL, 10)
			     : (uint64_t)time(NULL) * 2 + 1;
		print_message("# SCARCE_SEED=%llu\n",
			      (unsigned long long)state);
	}
	state = state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return state >> 33;
}

static void try_once(const struct scarce_trial *trial, unsigned long n)
{
	struct error err = ERROR_INIT;
	int rc;

	if (trial->prepare)
		trial->prepare();
	scarce_begin(n);
	rc = trial->run(&err);
	scarce_end();
	if (rc < 0 && !scarce_hit())
		fail_msg("%s: failed without a reason: %s", trial->name,
			 err.message);
	if (rc < 0 &&
	    (!err.message[0] || (!trial->any_kind && err.kind != ERROR_MEMORY &&
				 err.kind != ERROR_SYSTEM)))
		fail_msg("%s: request %lu refused, and told as %s: %s",
			 trial->name, n, error_kind_name(err.kind),
			 err.message);
	if (trial->check)
		trial->check(rc >= 0);
	if (rc < 0) {
		error_clear(&err);
		if (trial->run(&err) < 0)
			fail_msg("%s: after request %lu was refused: %s",
				 trial->name, n, err.message);
		if (trial->check)
			trial->check(true);
	}
	if (trial->release)
		trial->release();
}

static unsigned long count_requests(const struct scarce_trial *trial)
{
	struct error err = ERROR_INIT;
	unsigned long count;

	if (trial->prepare)
		trial->prepare();
	scarce_begin(0);
	if (trial->run(&err) < 0)
		fail_msg("%s: %s", trial->name, err.message);
	count = scarce_end();
	if (trial->check)
		trial->check(true);
	if (trial->release)
		trial->release();
	return count;
}

void scarce_try(const struct scarce_trial *trial, unsigned long least)
{
	unsigned long count = count_requests(trial), step = 1;
	unsigned long n = 1, runs = 0;

	if (count < least)
		fail_msg("%s: %lu requests for memory, at least %lu were "
			 "expected",
			 trial->name, count, least);
	if (trial->most && count > trial->most && !getenv("SCARCE_ALL"))
		step = count / trial->most + 1;
	while (n <= count) {
		try_once(trial, n);
		runs++;
		n += step == 1 ? 1 : 1 + random_next() % (2 * step - 1);
	}
	print_message("# %s: %lu of %lu requests refused in turn\n",
		      trial->name, runs, count);
}
