#include "control/control.h"

#include <string.h>

#include "control/reader.h"
#include "control_sql.h" /* made by the build from control/sql/ */

static void read_report_mapping(struct reader *reader, void *element)
{
	struct control_report_mapping *row = element;

	row->mapping.id = read_id(reader, 0);
	row->server_name = read_text(reader, 1);
	row->mapping.source_database = read_text(reader, 2);
	row->mapping.source_schema = read_text(reader, 3);
	row->mapping.source_table = read_text(reader, 4);
	row->mapping.dest_database = read_text(reader, 5);
	row->mapping.dest_schema = read_text(reader, 6);
	row->mapping.dest_table = read_text(reader, 7);
	row->mapping.enabled = read_int(reader, 8) != 0;
	row->mapping.paused = read_int(reader, 9) != 0;
	row->mapping.cdc_enabled = read_int(reader, 10) != 0;
	row->state = read_text(reader, 11);
	row->reason = read_text(reader, 12);
	row->lag_ms = reader->session->ops->null(reader->session, 13)
			      ? -1
			      : read_int(reader, 13);
	row->consistent = read_int(reader, 14) != 0;
	row->rows_applied = read_int(reader, 15);
	row->updated_us = read_time(reader, 16);
	row->running = read_text(reader, 17);
	row->processed = read_int(reader, 18);
	row->total = read_int(reader, 19);
	row->rows_per_second = read_int(reader, 20);
	row->error_type = read_text(reader, 21);
	row->error_message = read_text(reader, 22);
	row->retry_count = read_id(reader, 23);
}

struct daemon_row {
	const char *daemon, *version;
	int64_t started_us, heartbeat_us, stopped_us;
};

static void read_daemon(struct reader *reader, void *element)
{
	struct daemon_row *row = element;

	row->daemon = read_text(reader, 0);
	row->version = read_text(reader, 1);
	row->started_us = read_time(reader, 2);
	row->heartbeat_us = read_time(reader, 3);
	row->stopped_us = read_time(reader, 4);
}

int control_report(struct control *control, struct control_report *out,
		   struct error *err)
{
	struct reader reader = {
		.session = control->session,
		.arena = &out->arena,
	};
	struct daemon_row *daemons;
	size_t count;

	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	if (read_all(&reader, sql_report_mappings, NULL, 0,
		     sizeof(*out->mappings), read_report_mapping,
		     (void **)&out->mappings, &out->mapping_count, err) < 0 ||
	    read_all(&reader, sql_report_daemons, NULL, 0, sizeof(*daemons),
		     read_daemon, (void **)&daemons, &count, err) < 0) {
		control_report_release(out);
		return -1;
	}
	if (count) {
		out->daemon = daemons[0].daemon;
		out->daemon_version = daemons[0].version;
		out->started_us = daemons[0].started_us;
		out->heartbeat_us = daemons[0].heartbeat_us;
		out->stopped_us = daemons[0].stopped_us;
	}
	return 0;
}

void control_report_release(struct control_report *report)
{
	arena_release(&report->arena);
	memset(report, 0, sizeof(*report));
}
