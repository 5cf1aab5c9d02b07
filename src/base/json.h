#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/error.h"

/*
 * jansson, made to bear a lack of memory: see json.c. Any thread may call.
 */

/* Once a process, before anything else of this. */
void json_setup(void);

/* ERROR_DATA when the text is none, with jansson's words for why. */
json_t *json_parse(const char *text, struct error *err)
	__attribute__((warn_unused_result));

/* To be freed; NULL for NULL, and without memory. */
char *json_format(const json_t *root, size_t flags)
	__attribute__((warn_unused_result));

/*
 * Objects and arrays that take several calls to make are whole, or NULL, which
 * these take as well as give: so only the end has to be looked at. The value is
 * taken over, and so is what it was to go into when that fails.
 */
json_t *json_put(json_t *object, const char *key, json_t *value)
	__attribute__((warn_unused_result));
json_t *json_append(json_t *array, json_t *value)
	__attribute__((warn_unused_result));

#endif
