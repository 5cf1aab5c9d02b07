/* A DBA's orders: rows of sync_requests, from the side of the one who asks. */
#include "control/control.h"

#include <string.h>

#include "base/clock.h"
#include "control/reader.h"
#include "control_sql.h" /* made by the build from control/sql/ */

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/*
 * The two systems have no statement in common that tells the number of a new
 * row: it is found again by who ordered what when.
 */
static int find_order(struct control *control, struct control_order *order,
		      const char *requested_at, struct error *err)
{
	struct session *session = control->session;
	struct session_param params[] = {
		param_int("@mapping_id", order->mapping_id),
		param_text("@request_type", order->type),
		param_text("@requested_by", order->by),
		param_text("@requested_at", requested_at),
	};
	int rc;

	if (session->ops->query(session, sql_find_order, params, COUNT(params),
				err) < 0)
		return -1;
	rc = session->ops->fetch(session, err);
	if (rc < 0)
		return -1;
	order->id = rc && !session->ops->null(session, 0)
			    ? (int)session->ops->get_int(session, 0)
			    : 0;
	if (rc)
		session->ops->finish(session);
	if (order->id)
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "mapping %d does not exist; 'dbaops-dataflow status' "
			 "lists those that do",
			 order->mapping_id);
}

int control_order(struct control *control, struct control_order *order,
		  struct error *err)
{
	char requested[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", order->mapping_id),
		param_text("@request_type", order->type),
		param_text("@scope", order->scope),
		param_text("@where_condition", order->condition),
		param_int("@dry_run", order->dry_run),
		param_text("@requested_by", order->by),
		param_time("@requested_at", clock_utc_us(), requested),
	};

	if (session_exec(control->session, sql_order_request, params,
			 COUNT(params), err) < 0)
		return -1;
	return find_order(control, order, requested, err);
}

static void read_order(struct reader *reader, void *element)
{
	struct control_order *order = element;

	order->id = read_id(reader, 0);
	order->mapping_id = read_id(reader, 1);
	order->type = read_text(reader, 2);
	order->scope = read_text(reader, 3);
	order->condition = read_text(reader, 4);
	order->dry_run = read_int(reader, 5) != 0;
	order->by = read_text(reader, 6);
	order->requested_us = read_time(reader, 7);
	order->state = read_text(reader, 8);
	order->answer = read_text(reader, 9);
	order->started_us = read_time(reader, 10);
	order->completed_us = read_time(reader, 11);
}

int control_list_orders(struct control *control, int mapping_id, int id,
			int most, struct control_orders *out, struct error *err)
{
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_int("@request_id", id),
		param_int("@most", most),
	};
	struct reader reader = {
		.session = control->session,
		.arena = &out->arena,
	};

	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	if (read_all(&reader, sql_list_requests, params, COUNT(params),
		     sizeof(*out->orders), read_order, (void **)&out->orders,
		     &out->count, err) == 0)
		return 0;
	control_orders_release(out);
	return -1;
}

void control_orders_release(struct control_orders *orders)
{
	arena_release(&orders->arena);
	memset(orders, 0, sizeof(*orders));
}
