#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

void error_clear(struct error *err)
{
	err->kind = ERROR_NONE;
	err->retryable = false;
	err->native = 0;
	err->sqlstate[0] = '\0';
	err->message[0] = '\0';
}

/*
 * What is put in, names and a server's words, may be anything; who gets the
 * message, be it nvarchar or JSON, takes UTF-8 alone.
 */
__attribute__((format(printf, 2, 0))) static void format_message(
	struct error *err, const char *fmt, va_list ap)
{
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	text_trim_partial_utf8(err->message);
	text_make_utf8(err->message);
}

int error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
{
	va_list ap;

	error_clear(err);
	err->kind = kind;
	err->retryable = kind == ERROR_CONNECTION;
	va_start(ap, fmt);
	format_message(err, fmt, ap);
	va_end(ap);
	return -1;
}

int error_errno(struct error *err, int errnum, const char *fmt, ...)
{
	char reason[128];
	va_list ap;

	error_clear(err);
	err->kind = ERROR_SYSTEM;
	err->native = errnum;
	va_start(ap, fmt);
	format_message(err, fmt, ap);
	va_end(ap);
	if (strerror_r(errnum, reason, sizeof(reason)) != 0)
		snprintf(reason, sizeof(reason), "error %d", errnum);
	text_append(err->message, sizeof(err->message), ": ");
	text_append(err->message, sizeof(err->message), reason);
	return -1;
}

int error_memory(struct error *err, const char *what)
{
	return error_set(err, ERROR_MEMORY, "out of memory for %s", what);
}

int error_wrap(struct error *err, const char *fmt, ...)
{
	char inner[ERROR_MESSAGE_MAX];
	va_list ap;

	if (err->kind == ERROR_CANCELLED)
		return -1;
	memcpy(inner, err->message, sizeof(inner));
	va_start(ap, fmt);
	format_message(err, fmt, ap);
	va_end(ap);
	text_append(err->message, sizeof(err->message), ": ");
	text_append(err->message, sizeof(err->message), inner);
	return -1;
}

void error_append(struct error *err, const char *note)
{
	text_append(err->message, sizeof(err->message), "; ");
	text_append(err->message, sizeof(err->message), note);
}

const char *error_kind_name(enum error_kind kind)
{
	static const char *const names[] = {
		[ERROR_NONE] = "none",
		[ERROR_CANCELLED] = "cancelled",
		[ERROR_CONNECTION] = "connection",
		[ERROR_CONFIG] = "config",
		[ERROR_SCHEMA] = "schema",
		[ERROR_DATA] = "data",
		[ERROR_PERMISSION] = "permission",
		[ERROR_GAP] = "gap",
		[ERROR_CONFLICT] = "conflict",
		[ERROR_FENCED] = "fenced",
		[ERROR_SERVER] = "server",
		[ERROR_MEMORY] = "memory",
		[ERROR_SYSTEM] = "system",
		[ERROR_INTERNAL] = "internal",
	};

	return names[kind];
}
