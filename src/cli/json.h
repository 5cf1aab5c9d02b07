#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdint.h>

#include "base/json.h"
#include "cli/options.h"

/* Values as the commands write them: NULL and 0 are null. */
json_t *json_text(const char *s);
json_t *json_time(int64_t us);

/* Print it, indented, and give it up. */
enum exit_code json_print(json_t *root);

#endif
