#include "control/reader.h"

#include <string.h>

#include "base/clock.h"

const char *read_text(struct reader *reader, size_t col)
{
	char *text;

	if (reader->session->ops->null(reader->session, col))
		return NULL;
	text = reader->session->ops->get_text(reader->session, col,
					      reader->arena);
	if (!text)
		reader->out_of_memory = true;
	return text;
}

int64_t read_int(struct reader *reader, size_t col)
{
	if (reader->session->ops->null(reader->session, col))
		return 0;
	return reader->session->ops->get_int(reader->session, col);
}

int read_id(struct reader *reader, size_t col)
{
	int64_t id = read_int(reader, col);

	return id < 0 || id > INT32_MAX ? -1 : (int)id;
}

int64_t read_time(struct reader *reader, size_t col)
{
	const char *text = read_text(reader, col);
	int64_t us;

	return text && clock_parse(text, &us) == 0 ? us : 0;
}

int read_all(struct reader *reader, const char *sql,
	     const struct session_param *params, size_t param_count,
	     size_t size,
	     void (*read_row)(struct reader *reader, void *element),
	     void **elements, size_t *count, struct error *err)
{
	struct session *session = reader->session;
	size_t capacity = 0;
	char *grown;
	int rc;

	*elements = NULL;
	*count = 0;
	if (session->ops->query(session, sql, params, param_count, err) < 0)
		return -1;
	while ((rc = session->ops->fetch(session, err)) > 0) {
		if (*count == capacity) {
			capacity = capacity ? capacity * 2 : 16;
			grown = arena_calloc(reader->arena, capacity, size);
			if (!grown)
				goto no_memory;
			if (*count)
				memcpy(grown, *elements, *count * size);
			*elements = grown;
		}
		read_row(reader, (char *)*elements + *count * size);
		(*count)++;
		if (reader->out_of_memory)
			goto no_memory;
	}
	return rc;
no_memory:
	session->ops->finish(session);
	return error_memory(err, "the control tables' rows");
}
