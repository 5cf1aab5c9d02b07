#include "notify/notice.h"

#include <stddef.h>

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
