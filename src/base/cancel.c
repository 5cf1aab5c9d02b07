#include "base/cancel.h"

#include "base/clock.h"

int cancel_init(struct cancel *cancel, struct error *err)
{
	int rc = pthread_mutex_init(&cancel->lock, NULL);

	if (rc)
		return error_errno(err, rc, "cannot make a lock");
	rc = clock_cond_init(&cancel->wake);
	if (rc) {
		pthread_mutex_destroy(&cancel->lock);
		return error_errno(err, rc, "cannot make a condition");
	}
	atomic_init(&cancel->level, CANCEL_NONE);
	cancel->poked = false;
	return 0;
}

void cancel_release(struct cancel *cancel)
{
	pthread_cond_destroy(&cancel->wake);
	pthread_mutex_destroy(&cancel->lock);
}

void cancel_request(struct cancel *cancel, enum cancel_level level)
{
	pthread_mutex_lock(&cancel->lock);
	if ((int)level > atomic_load(&cancel->level))
		atomic_store(&cancel->level, (int)level);
	pthread_cond_broadcast(&cancel->wake);
	pthread_mutex_unlock(&cancel->lock);
}

void cancel_poke(struct cancel *cancel)
{
	pthread_mutex_lock(&cancel->lock);
	cancel->poked = true;
	pthread_cond_broadcast(&cancel->wake);
	pthread_mutex_unlock(&cancel->lock);
}

enum cancel_level cancel_level(const struct cancel *cancel)
{
	return (enum cancel_level)atomic_load(&cancel->level);
}

static int check(const struct cancel *cancel, enum cancel_level from,
		 struct error *err)
{
	if (cancel_level(cancel) < from)
		return 0;
	return error_set(err, ERROR_CANCELLED, "asked to stop");
}

int cancel_check(const struct cancel *cancel, struct error *err)
{
	return check(cancel, CANCEL_DRAIN, err);
}

int cancel_check_now(const struct cancel *cancel, struct error *err)
{
	return check(cancel, CANCEL_NOW, err);
}

void cancel_sleep(struct cancel *cancel, int64_t ms)
{
	int64_t deadline = clock_ms() + ms;

	pthread_mutex_lock(&cancel->lock);
	while (!cancel->poked && cancel_level(cancel) == CANCEL_NONE &&
	       clock_ms() < deadline)
		clock_cond_wait(&cancel->wake, &cancel->lock, deadline);
	cancel->poked = false;
	pthread_mutex_unlock(&cancel->lock);
}
