#ifndef TDS_PROBE_H
#define TDS_PROBE_H

#include <stdbool.h>

#include "base/error.h"
#include "tds/login.h"

/*
 * Find out why no encrypted connection to the server of `login` came about,
 * which FreeTDS does not tell. Connects once more, without logging in: no
 * secret is sent. True: the reason and its remedy are in err's message, whose
 * kind and number stay as they were; false: nothing is known, `err` is as it
 * was. Takes no longer than a login may.
 */
bool tds_probe_encryption(const struct tds_login *login, struct error *err);

#endif
