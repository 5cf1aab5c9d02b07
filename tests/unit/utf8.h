#ifndef TESTS_UNIT_UTF8_H
#define TESTS_UNIT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Well-formed UTF-8 from end to end? Written apart from what it checks. */
bool is_utf8(const char *text);
bool is_utf8_bytes(const void *text, size_t len);

#endif
