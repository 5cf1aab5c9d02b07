#include "control/session.h"

#include <string.h>

struct session_param param_int(const char *name, int64_t value)
{
	struct session_param param = {
		.name = name,
		.type = PARAM_INT,
		.number = value,
	};

	return param;
}

struct session_param param_int_or_null(const char *name, int64_t value)
{
	struct session_param param = param_int(name, value);

	param.null = value <= 0;
	return param;
}

struct session_param param_text(const char *name, const char *value)
{
	struct session_param param = {
		.name = name,
		.type = PARAM_TEXT,
		.null = !value,
		.data = value,
		.len = value ? strlen(value) : 0,
	};

	return param;
}

struct session_param param_bytes(const char *name, const void *data, size_t len)
{
	struct session_param param = {
		.name = name,
		.type = PARAM_BYTES,
		.data = data,
		.len = len,
	};

	return param;
}

struct session_param param_null(const char *name)
{
	return param_text(name, NULL);
}

int session_exec(struct session *session, const char *sql,
		 const struct session_param *params, size_t count,
		 struct error *err)
{
	int rc;

	if (session->ops->query(session, sql, params, count, err) < 0)
		return -1;
	while ((rc = session->ops->fetch(session, err)) > 0)
		;
	return rc;
}

struct session_param param_time(const char *name, int64_t us,
				char text[CLOCK_TEXT_MAX])
{
	if (!us)
		return param_null(name);
	clock_format(text, us);
	return param_text(name, text);
}
