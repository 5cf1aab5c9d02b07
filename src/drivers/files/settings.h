#ifndef DRIVERS_FILES_SETTINGS_H
#define DRIVERS_FILES_SETTINGS_H

#include <stdint.h>

#include "base/connstr.h"
#include "base/error.h"
#include "drivers/files/layout.h"
#include "format/format.h"

/*
 * How files are written, as the connection string has it; where they are
 * written to is the business of either driver. Owns its strings.
 */
struct files_settings {
	struct format_options format;
	char extension[FORMAT_EXTENSION_MAX];
	uint64_t file_bytes; /* after which a file is ended */
	int age_s;	     /* for so long changes are gathered */
	enum layout_times times;
	char *partition_columns; /* a comma list, or NULL */
	int keep_full_loads;
	int digest_every; /* of so many rows of a load one has a digest */
	char *naming;	  /* NULL: nothing */
};

/*
 * Take file format (format) and the format's own options, file size mb, file
 * age seconds, partition by, partition columns, keep full loads, digest every and
 * file naming out of a connection string. On -1 `err` is ERROR_CONFIG; nothing needs a
 * release then.
 */
int files_settings_read(struct files_settings *out, struct connstr *cs,
			struct error *err) __attribute__((warn_unused_result));
void files_settings_release(struct files_settings *settings);

#endif
