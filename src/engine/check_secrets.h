#ifndef ENGINE_CHECK_SECRETS_H
#define ENGINE_CHECK_SECRETS_H

#include "drivers/driver.h"

/*
 * Where do the secrets of a connection string, or of a channel's settings, lie?
 * A file that every user of this machine may read is a WARN, and so is a value
 * that was encrypted with an older key. A string that cannot be parsed finds
 * nothing: whoever uses it says so.
 */
void check_secrets(const char *connection_string, struct findings *out);

#endif
