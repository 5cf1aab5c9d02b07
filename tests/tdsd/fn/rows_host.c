/* Services and disks: what only those with VIEW SERVER STATE may see. */
#include "exec/perm.h"
#include "exec/server.h"
#include "fn/rows.h"

#define VOLUME_BYTES (INT64_C(1) << 40)

/* Only members of sysadmin have it here. */
static int may_view(const struct session *s, struct diag *d)
{
	if (s->sysadmin || s->internal)
		return 0;
	return diag_set(d, 300, "VIEW SERVER STATE", "server", "master");
}

static void add_service(struct row_store *out, const char *name, bool runs)
{
	struct row_builder b = {.n = 0};

	rb_text(&b, name);
	rb_int(&b, runs ? 4 : 1);
	rb_text(&b, runs ? "Running" : "Stopped");
	rows_add(out, b.v);
}

/* name, status, status in words */
int rows_services(struct session *s, const struct val *args, int count,
		  struct row_store *out, struct diag *d)
{
	struct server *srv = s->server;

	(void)args;
	(void)count;
	if (may_view(s, d) < 0)
		return -1;
	add_service(out, "SQL Server (MSSQLSERVER)", true);
	add_service(out, "SQL Server Agent (MSSQLSERVER)",
		    !__atomic_load_n(&srv->agent_stopped, __ATOMIC_RELAXED));
	return 0;
}

/* database, file: mount point, all bytes, free bytes */
int rows_volumes(struct session *s, const struct val *args, int count,
		 struct row_store *out, struct diag *d)
{
	int free_mb = __atomic_load_n(&s->server->free_mb, __ATOMIC_RELAXED);
	struct row_builder b = {.n = 0};

	if (may_view(s, d) < 0)
		return -1;
	if (count < 2 || args[0].cls != VAL_INT || args[1].cls != VAL_INT)
		return 0;
	rb_int(&b, args[0].i);
	rb_int(&b, args[1].i);
	rb_text(&b, "/");
	rb_int(&b, VOLUME_BYTES);
	rb_int(&b, free_mb ? (int64_t)free_mb << 20 : VOLUME_BYTES / 2);
	rows_add(out, b.v);
	return 0;
}
