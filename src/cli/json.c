#include "cli/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

json_t *json_text(const char *s)
{
	return s ? json_string(s) : json_null();
}

json_t *json_time(int64_t us)
{
	char text[CLOCK_TEXT_MAX];

	if (!us)
		return json_null();
	clock_format(text, us);
	return json_string(text);
}

enum exit_code json_print(json_t *root)
{
	char *text = json_format(root, JSON_INDENT(2));

	json_decref(root);
	if (!text) {
		fprintf(stderr, "dbaops-dataflow: out of memory\n");
		return EXIT_FAILED;
	}
	puts(text);
	free(text);
	return EXIT_FINE;
}
