#include "control/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/reader.h"
#include "control_sql.h" /* made by the build from control/sql/ */

static void read_holder(struct reader *reader, void *element)
{
	struct control_holder *holder = element;

	holder->daemon = read_text(reader, 0);
	holder->beats = read_int(reader, 1);
	holder->gone = read_int(reader, 2) != 0;
}

static void read_lease(struct reader *reader, void *element)
{
	struct control_lease *lease = element;

	lease->mapping_id = read_id(reader, 0);
	lease->epoch = read_int(reader, 1);
}

int control_read_holders(struct control *control, const char *daemon,
			 struct control_holders *out, struct error *err)
{
	struct session_param param = param_text("@daemon", daemon);
	struct reader reader = {
		.session = control->session,
		.arena = &out->arena,
	};

	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	if (read_all(&reader, sql_read_lease_holders, &param, 1,
		     sizeof(*out->holders), read_holder, (void **)&out->holders,
		     &out->count, err) == 0)
		return 0;
	control_holders_release(out);
	return -1;
}

void control_holders_release(struct control_holders *holders)
{
	arena_release(&holders->arena);
	memset(holders, 0, sizeof(*holders));
}

int control_read_leases(struct control *control, const char *daemon,
			struct control_lease **out, size_t *count,
			struct error *err)
{
	struct session_param param = param_text("@daemon", daemon);
	struct arena arena;
	struct reader reader = {.session = control->session, .arena = &arena};
	struct control_lease *rows;
	int ret;

	arena_init(&arena, 0);
	ret = read_all(&reader, sql_read_leases, &param, 1, sizeof(*rows),
		       read_lease, (void **)&rows, count, err);
	*out = NULL;
	if (ret == 0 && *count) {
		*out = malloc(*count * sizeof(*rows));
		if (*out)
			memcpy(*out, rows, *count * sizeof(*rows));
		else
			ret = error_memory(err, "leases");
	}
	arena_release(&arena);
	return ret;
}

int control_claim_leases(struct control *control, const char *daemon,
			 struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_text("@daemon", daemon),
		param_time("@now", clock_utc_us(), now),
	};

	return session_exec(control->session, sql_claim_leases, params,
			    sizeof(params) / sizeof(*params), err);
}

int control_take_leases(struct control *control, const char *daemon,
			const struct control_holder *other, struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_text("@daemon", daemon),
		param_text("@other", other->daemon),
		param_int("@beats", other->beats),
		param_time("@now", clock_utc_us(), now),
	};

	return session_exec(control->session, sql_take_leases, params,
			    sizeof(params) / sizeof(*params), err);
}

int control_raise_lease(struct control *control, const char *daemon,
			int mapping_id, int64_t from, int64_t to,
			struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_text("@daemon", daemon),
		param_int("@from_epoch", from),
		param_int("@to_epoch", to),
		param_time("@now", clock_utc_us(), now),
	};

	return session_exec(control->session, sql_raise_lease, params,
			    sizeof(params) / sizeof(*params), err);
}
