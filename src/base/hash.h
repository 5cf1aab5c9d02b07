#ifndef BASE_HASH_H
#define BASE_HASH_H

/*
 * uthash, which ends the process when memory is short, unless told otherwise.
 * Here HASH_ADD and its kin leave the element out then, and hash_has() tells.
 * Handles are called `hh`.
 */
#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) ((element)->hh.tbl = NULL)

#include <uthash.h>

/* Was the element taken in? */
#define hash_has(element) ((element)->hh.tbl != NULL)

#endif
