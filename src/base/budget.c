#include "base/budget.h"

#include <string.h>

#include "base/clock.h"

/* How often a waiter looks whether it was cancelled. */
#define CANCEL_POLL_MS 200

struct budget_waiter {
	struct budget_waiter *next;
	pthread_cond_t wake;
	size_t amount;
	bool granted;
};

int budget_init(struct budget *budget, size_t size, struct error *err)
{
	int rc;

	memset(budget, 0, sizeof(*budget));
	budget->size = size;
	rc = pthread_mutex_init(&budget->lock, NULL);
	if (rc)
		return error_errno(err, rc, "cannot make a budget");
	return 0;
}

void budget_release(struct budget *budget)
{
	pthread_mutex_destroy(&budget->lock);
}

static bool fits(const struct budget *budget, size_t amount)
{
	return budget->used <= budget->size &&
	       amount <= budget->size - budget->used;
}

/* In order: a large one is not overtaken for ever by small ones. */
static void grant(struct budget *budget)
{
	struct budget_waiter *first;

	while ((first = budget->waiters) && fits(budget, first->amount)) {
		budget->waiters = first->next;
		budget->wanted -= first->amount;
		budget->used += first->amount;
		first->granted = true;
		pthread_cond_signal(&first->wake);
	}
}

void budget_resize(struct budget *budget, size_t size)
{
	pthread_mutex_lock(&budget->lock);
	budget->size = size;
	grant(budget);
	pthread_mutex_unlock(&budget->lock);
}

static void join_line(struct budget *budget, struct budget_waiter *waiter)
{
	struct budget_waiter **link = &budget->waiters;

	while (*link)
		link = &(*link)->next;
	*link = waiter;
	budget->wanted += waiter->amount;
	grant(budget);
}

static void leave_line(struct budget *budget, struct budget_waiter *waiter)
{
	struct budget_waiter **link = &budget->waiters;

	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
	budget->wanted -= waiter->amount;
	grant(budget);
}

int budget_reserve(struct budget *budget, size_t amount, struct cancel *cancel,
		   struct error *err)
{
	struct budget_waiter self = {.amount = amount};
	int rc, ret = 0;

	rc = clock_cond_init(&self.wake);
	if (rc)
		return error_errno(err, rc, "cannot wait for memory");
	pthread_mutex_lock(&budget->lock);
	join_line(budget, &self);
	while (!self.granted && !ret) {
		if (amount > budget->size)
			ret = error_set(err, ERROR_MEMORY,
					"%zu bytes are wanted, of %zu in all",
					amount, budget->size);
		else
			ret = cancel_check(cancel, err);
		if (ret < 0)
			leave_line(budget, &self);
		else
			clock_cond_wait(&self.wake, &budget->lock,
					clock_ms() + CANCEL_POLL_MS);
	}
	pthread_mutex_unlock(&budget->lock);
	pthread_cond_destroy(&self.wake);
	return ret;
}

bool budget_try(struct budget *budget, size_t amount)
{
	bool got;

	pthread_mutex_lock(&budget->lock);
	got = !budget->waiters && fits(budget, amount);
	if (got)
		budget->used += amount;
	pthread_mutex_unlock(&budget->lock);
	return got;
}

void budget_give(struct budget *budget, size_t amount)
{
	pthread_mutex_lock(&budget->lock);
	budget->used -= amount;
	grant(budget);
	pthread_mutex_unlock(&budget->lock);
}

bool budget_is_wanted(struct budget *budget)
{
	bool wanted;

	pthread_mutex_lock(&budget->lock);
	wanted = budget->waiters != NULL;
	pthread_mutex_unlock(&budget->lock);
	return wanted;
}

void budget_count(struct budget *budget, struct budget_usage *out)
{
	pthread_mutex_lock(&budget->lock);
	*out = (struct budget_usage){
		.size = budget->size,
		.used = budget->used,
		.wanted = budget->wanted,
	};
	pthread_mutex_unlock(&budget->lock);
}
