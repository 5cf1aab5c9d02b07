/* The log tables as people read them, and whether a daemon could fill them. */
#include "control/control.h"

#include <string.h>

#include "control/reader.h"
#include "control_sql.h" /* made by the build from control/sql/ */

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static int64_t read_count(struct reader *reader, size_t col)
{
	return reader->session->ops->null(reader->session, col)
		       ? -1
		       : read_int(reader, col);
}

static void read_log(struct reader *reader, void *element)
{
	struct control_line *line = element;

	line->id = read_int(reader, 0);
	line->mapping_id = read_id(reader, 1);
	line->level = read_text(reader, 2);
	line->message = read_text(reader, 3);
	line->sync_type = read_text(reader, 4);
	line->records = read_count(reader, 5);
	line->duration_ms = read_count(reader, 6);
	line->created_us = read_time(reader, 7);
}

static void read_error(struct reader *reader, void *element)
{
	struct control_line *line = element;

	line->is_error = true;
	line->id = read_int(reader, 0);
	line->mapping_id = read_id(reader, 1);
	line->level = read_text(reader, 2);
	line->message = read_text(reader, 3);
	line->retry_count = read_id(reader, 4);
	line->resolved = read_int(reader, 5) != 0;
	line->created_us = read_time(reader, 6);
	line->resolved_us = read_time(reader, 7);
	line->records = line->duration_ms = -1;
}

static int list(struct control *control, const char *sql,
		const struct session_param *params, size_t param_count,
		void (*read_row)(struct reader *reader, void *element),
		struct control_lines *out, struct error *err)
{
	struct reader reader = {
		.session = control->session,
		.arena = &out->arena,
	};

	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	if (read_all(&reader, sql, params, param_count, sizeof(*out->lines),
		     read_row, (void **)&out->lines, &out->count, err) == 0)
		return 0;
	control_lines_release(out);
	return -1;
}

int control_list_logs(struct control *control, int mapping_id, int64_t after,
		      int most, struct control_lines *out, struct error *err)
{
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_int("@after_id", after),
		param_int("@most", most),
	};

	return list(control, sql_list_logs, params, COUNT(params), read_log,
		    out, err);
}

int control_list_errors(struct control *control, int mapping_id, int64_t after,
			int64_t resolved_after_us, int most,
			struct control_lines *out, struct error *err)
{
	char resolved[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_int("@after_id", after),
		param_time("@resolved_after", resolved_after_us, resolved),
		param_int("@most", most),
	};

	return list(control, sql_list_errors, params, COUNT(params), read_error,
		    out, err);
}

void control_lines_release(struct control_lines *lines)
{
	arena_release(&lines->arena);
	memset(lines, 0, sizeof(*lines));
}

/* Statements that touch no row: the right to run them is asked for all the
 * same, and a file that cannot be written is found out. */
int control_check_rights(struct control *control, struct error *err)
{
	static const char *const statements[] = {
		sql_check_insert,
		sql_check_update,
		sql_check_delete,
	};

	for (size_t i = 0; i < COUNT(statements); i++)
		if (session_exec(control->session, statements[i], NULL, 0,
				 err) < 0)
			return -1;
	return 0;
}
