#include "notify/journal.h"

#include <stdint.h>

#include "base/json.h"

char *journal_write(const struct notice *notices, size_t count)
{
	json_t *array = json_array();
	char *text;

	for (size_t i = 0; i < count; i++) {
		json_t *one = json_pack("{s:i, s:s}", "mapping_id",
					notices[i].mapping_id, "event",
					notice_event_name(notices[i].event));

		if (notices[i].event == NOTICE_RECOVERY)
			one = json_put(one, "recovered_from",
				       json_string(notice_event_name(
					       notices[i].trouble)));
		array = json_append(array, one);
	}
	text = json_format(array, JSON_COMPACT);
	json_decref(array);
	return text;
}

static bool read_event(const json_t *one, const char *key,
		       enum notice_event *out)
{
	const char *name = json_string_value(json_object_get(one, key));

	return name && notice_event_parse(name, out);
}

void journal_read(const char *text,
		  void (*each)(void *arg, int mapping_id,
			       enum notice_event event,
			       enum notice_event trouble),
		  void *arg)
{
	struct error ignored;
	json_t *array = json_parse(text, &ignored);
	enum notice_event event, trouble;
	size_t i;
	json_t *one;

	json_array_foreach(array, i, one)
	{
		json_int_t id =
			json_integer_value(json_object_get(one, "mapping_id"));

		if (id < 0 || id > INT32_MAX ||
		    !read_event(one, "event", &event))
			continue;
		trouble = event;
		if (event == NOTICE_RECOVERY &&
		    (!read_event(one, "recovered_from", &trouble) ||
		     trouble == NOTICE_RECOVERY))
			continue;
		each(arg, (int)id, event, trouble);
	}
	json_decref(array);
}
