#ifndef DRIVERS_FILES_BUCKET_H
#define DRIVERS_FILES_BUCKET_H

#include "drivers/files/store.h"
#include "s3/client.h"

/*
 * A store in a bucket: what begins with the settings' prefix and `below`, the
 * table's own part of keys. A file is an upload in parts that nobody has
 * completed yet; its token tells how. `s3` and `settings` outlive the store.
 */
int bucket_open(struct store **out, struct s3 *s3,
		const struct s3_settings *settings, const char *below,
		struct error *err) __attribute__((warn_unused_result));

#endif
