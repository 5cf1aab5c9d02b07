#include "drivers/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void hand_over(struct findings *out, enum finding_level level,
		      const char *check, const char *text, const char *remedy)
{
	struct finding finding = {
		.level = level,
		.subject = out->subject,
		.check = check,
		.text = text,
		.remedy = level == FINDING_OK ? NULL : remedy,
	};

	out->take(out->arg, &finding);
}

void finding_add(struct findings *out, enum finding_level level,
		 const char *check, const char *fmt, ...)
{
	char *text, *remedy;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	text = len < 0 ? NULL : malloc((size_t)len + 1);
	if (!text) {
		hand_over(out, level, check, "no memory to say what it is",
			  "let this machine have more memory");
		return;
	}
	va_start(args, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, args);
	va_end(args);
	remedy = strchr(text, *FINDING_REMEDY);
	if (remedy)
		*remedy++ = '\0';
	hand_over(out, level, check, text, remedy ? remedy : "");
	free(text);
}

/* Where a message has no advice of its own. */
static const char *remedy_for(enum error_kind kind)
{
	switch (kind) {
	case ERROR_CONNECTION:
		return "see to it that server and network are up; the "
		       "server's error log may tell more";
	case ERROR_PERMISSION:
		return "grant the login the right that the message names";
	case ERROR_CONFIG:
		return "correct the row in the control tables";
	case ERROR_SCHEMA:
		return "alter one of the two tables";
	default:
		return "look the number up in the server's documentation";
	}
}

void finding_error(struct findings *out, enum finding_level level,
		   const char *check, const struct error *err)
{
	char text[ERROR_MESSAGE_MAX];
	const char *remedy = remedy_for(err->kind);
	char *advice;

	text_copy(text, sizeof(text), err->message);
	advice = strstr(text, "; ");
	if (advice) {
		*advice = '\0';
		remedy = advice + 2;
	}
	hand_over(out, level, check, text, remedy);
}

const char *finding_level_name(enum finding_level level)
{
	static const char *const names[] = {"OK", "WARN", "FAIL"};

	return names[level];
}
