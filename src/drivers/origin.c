#include "base/strbuf.h"
#include "drivers/driver.h"

char *target_origin(const struct target_spec *spec)
{
	struct strbuf text;

	strbuf_init(&text);
	strbuf_addf(&text, "%s into %s.%s", spec->origin, spec->name.schema,
		    spec->name.table);
	return strbuf_detach(&text);
}
