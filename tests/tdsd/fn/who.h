#ifndef TDSD_WHO_H
#define TDSD_WHO_H

#include <stddef.h>

/*
 * The SID of a login: 0x01 for sa, else 16 bytes made from its id. Returns
 * its length. In SQLite: login_sid_(id).
 */
size_t login_sid(int id, unsigned char sid[16]);

#endif
