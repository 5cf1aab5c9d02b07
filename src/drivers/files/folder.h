#ifndef DRIVERS_FILES_FOLDER_H
#define DRIVERS_FILES_FOLDER_H

#include "drivers/files/store.h"

/*
 * A store in a folder of the local machine: `base`, which has to be there, and
 * `below` it, the table's own, which is made. Files are written to
 * `_dataflow/tmp/`, and get their names by a rename. Connects to nothing.
 */
int folder_open(struct store **out, const char *base, const char *below,
		struct error *err) __attribute__((warn_unused_result));

#endif
