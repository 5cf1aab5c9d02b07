#ifndef NOTIFY_JOURNAL_H
#define NOTIFY_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "notify/notice.h"

/*
 * What a message told, as it is kept in the table `notifications`: JSON, an
 * array of {"mapping_id", "event", "recovered_from"}. To be freed; NULL without
 * memory.
 */
char *journal_write(const struct notice *notices, size_t count);

/*
 * Call `each` for all of them. What is not of that form is passed over, for
 * anybody can write into the table.
 */
void journal_read(const char *text,
		  void (*each)(void *arg, int mapping_id,
			       enum notice_event event,
			       enum notice_event trouble),
		  void *arg);

#endif
