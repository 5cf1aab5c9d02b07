#include "base/errand.h"

#include <time.h>

#include "base/clock.h"

#define LOOK_MS 10

static void *errand_main(void *arg)
{
	struct errand *errand = arg;

	errand->run(errand->arg);
	atomic_store(&errand->done, true);
	return NULL;
}

int errand_start(struct errand *errand, void (*run)(void *arg), void *arg,
		 struct error *err)
{
	int rc;

	errand->run = run;
	errand->arg = arg;
	atomic_store(&errand->done, false);
	rc = pthread_create(&errand->thread, NULL, errand_main, errand);
	if (rc)
		return error_errno(err, rc, "cannot start a thread");
	errand->running = true;
	return 0;
}

bool errand_has_ended(struct errand *errand)
{
	if (!errand->running)
		return true;
	if (!atomic_load(&errand->done))
		return false;
	pthread_join(errand->thread, NULL);
	errand->running = false;
	return true;
}

bool errand_wait(struct errand *errand, int64_t ms)
{
	const struct timespec look = {.tv_nsec = LOOK_MS * 1000000};
	int64_t deadline = clock_ms() + ms;

	while (!errand_has_ended(errand) && clock_ms() < deadline)
		nanosleep(&look, NULL);
	return errand_has_ended(errand);
}
