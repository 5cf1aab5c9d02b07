#ifndef TDS_MESSAGE_H
#define TDS_MESSAGE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Turn what SQL Server said into an error: which kind it is, whether it is
 * worth trying again, and its text without the row values that some messages
 * repeat. `severity` is the server's.
 */
void tds_message_to_error(struct error *err, int number, int severity,
			  const char *text);

/* The same for what db-lib itself reports; `os_text` may be NULL. */
void tds_library_to_error(struct error *err, int number, int os_error,
			  const char *text, const char *os_text);

#endif
