/* Configuration, members, properties, descriptions of results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/output.h"
#include "exec/perm.h"
#include "exec/security.h"
#include "exec/server.h"
#include "exec/sysprocs.h"
#include "exec/tran.h"
#include "value/collation.h"

enum flow sysproc_configure(struct call *c)
{
	struct arena pool;
	const char *name;
	enum flow flow = FLOW_OK;
	struct diag d, info;

	arena_init(&pool, 0);
	name = call_text(c, 0, "@configname", &pool);
	if (call_given(c, 1, "@configvalue")) {
		int64_t value = call_int(c, 1, "@configvalue", 0), old;

		if (!c->s->sysadmin) {
			diag_set(&d, 15247);
			flow = call_error(c, &d);
		} else if (server_config_set(c->s->server, name, value, &old) <
			   0) {
			diag_free_text(&d, 15123, 16, 1,
				       "The configuration option '%s' does not "
				       "exist, or it may be an advanced "
				       "option.",
				       name);
			flow = call_error(c, &d);
		} else {
			diag_free_text(&info, 15457, 0, 1,
				       "Configuration option '%s' changed from "
				       "%lld to %lld. Run the RECONFIGURE "
				       "statement to install.",
				       name, (long long)old, (long long)value);
			run_info(c->s, &info);
		}
	} else {
		flow = call_sql(
			c,
			"SELECT CAST(name AS nvarchar(35)) AS name,"
			" CAST(minimum AS int) AS minimum, CAST(maximum AS int)"
			" AS maximum, CAST(value AS int) AS config_value,"
			" CAST(value_in_use AS int) AS run_value FROM"
			" sys.configurations WHERE name LIKE N%Q ORDER BY name",
			name ? pool_printf(&pool, "%s%%", name) : "%");
	}
	c->has_status = true;
	arena_release(&pool);
	return flow;
}
