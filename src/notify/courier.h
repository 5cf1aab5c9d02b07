#ifndef NOTIFY_COURIER_H
#define NOTIFY_COURIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "notify/channel.h"
#include "notify/message.h"

/*
 * Carries messages by HTTP and SMTP, any number at the same time, and waits for
 * none of them: one that gets no answer does not hold back another. Belongs to
 * one thread, but for courier_wake().
 *
 * Proxies are those of the environment (https_proxy, no_proxy and so on), as
 * with every program that uses libcurl.
 */
struct courier;

/* Before any other thread of the process starts, and when all have ended. */
int courier_global_init(struct error *err) __attribute__((warn_unused_result));
void courier_global_exit(void);

int courier_new(struct courier **out, struct error *err)
	__attribute__((warn_unused_result));
/* Drops what is on its way. NULL is fine. */
void courier_free(struct courier *courier);

/*
 * One attempt. `tag` is the caller's, to know it by, and not NULL. Channel and
 * message are not needed any more when it returns.
 */
int courier_send(struct courier *courier, const struct channel *channel,
		 const struct message *message, void *tag, struct error *err)
	__attribute__((warn_unused_result));

enum courier_result {
	COURIER_DELIVERED,
	COURIER_PARTLY,	 /* some of the recipients were refused, says `err` */
	COURIER_LATER,	 /* it may work a little later */
	COURIER_REFUSED, /* it will not work until something is changed */
};

struct outcome {
	void *tag;
	enum courier_result result;
	int64_t wait_s; /* the server asked for so much patience; 0: it did not */
	struct error err; /* what is wrong and what to do, without a secret */
};

/* Go on with all. True when one has come to its end, which is `out` then. */
bool courier_take(struct courier *courier, struct outcome *out);

/* Drop the one of this tag, if it is on its way; its end is not told. */
void courier_drop(struct courier *courier, const void *tag);

/* Wait until something can go on, for `ms` at most, or until woken. */
void courier_wait(struct courier *courier, int64_t ms);
void courier_wake(struct courier *courier);

#endif
