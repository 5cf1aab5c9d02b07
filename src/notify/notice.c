#include "notify/notice.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"

static const char *const names[] = {
	[NOTICE_FAILURE] = "FAILURE",
	[NOTICE_SUSPENSION] = "SUSPENSION",
	[NOTICE_VERIFICATION] = "VERIFICATION",
	[NOTICE_LAG] = "LAG",
	[NOTICE_RECOVERY] = "RECOVERY",
};

const char *notice_event_name(enum notice_event event)
{
	return names[event];
}

bool notice_event_parse(const char *name, enum notice_event *out)
{
	for (size_t i = 0; i < NOTICE_EVENTS; i++) {
		if (text_iequal(name, names[i])) {
			*out = (enum notice_event)i;
			return true;
		}
	}
	return false;
}

bool notice_events_parse(const char *list, unsigned *out)
{
	enum notice_event event;
	unsigned mask = list ? 0 : (1u << NOTICE_EVENTS) - 1;
	char word[32];
	size_t len;

	*out = 0;
	for (; list && *list; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		if (len >= sizeof(word))
			return false;
		memcpy(word, list, len);
		word[len] = '\0';
		if (!notice_event_parse(text_trim(word), &event))
			return false;
		mask |= 1u << event;
	}
	*out = mask;
	return mask != 0;
}
