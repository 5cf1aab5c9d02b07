#include "diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "mem.h"

struct message {
	int number, severity, state;
	const char *format;
};

/* The server's own words, by number. %s and %d are ours to fill. */
static const struct message messages[] = {
#include "diag_messages.h"
};

static const struct message *find(int number)
{
	size_t low = 0, high = LENGTH_OF(messages);

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (messages[mid].number == number)
			return &messages[mid];
		if (messages[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static void begin(struct diag *d, int number, int severity, int state)
{
	d->number = number;
	d->severity = severity;
	d->state = state;
	d->line = 0;
	d->proc[0] = '\0';
	d->message[0] = '\0';
}

static void fill(struct diag *d, int number, int state, va_list ap)
{
	const struct message *m = find(number);

	begin(d, number, m ? m->severity : 16, m ? m->state : 1);
	if (state)
		d->state = state;
	if (!m) {
		snprintf(d->message, sizeof(d->message), "Error %d.", number);
		return;
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	vsnprintf(d->message, sizeof(d->message), m->format, ap);
#pragma GCC diagnostic pop
	text_trim_partial_utf8(d->message);
}

int diag_set(struct diag *d, int number, ...)
{
	va_list ap;

	va_start(ap, number);
	fill(d, number, 0, ap);
	va_end(ap);
	return -1;
}

int diag_state(struct diag *d, int number, int state, ...)
{
	va_list ap;

	va_start(ap, state);
	fill(d, number, state, ap);
	va_end(ap);
	return -1;
}

int diag_free_text(struct diag *d, int number, int severity, int state,
		   const char *fmt, ...)
{
	va_list ap;

	begin(d, number, severity, state);
	va_start(ap, fmt);
	vsnprintf(d->message, sizeof(d->message), fmt, ap);
	va_end(ap);
	text_trim_partial_utf8(d->message);
	return -1;
}

const char *diag_format(int number, int *severity)
{
	const struct message *m = find(number);

	if (m)
		*severity = m->severity;
	return m ? m->format : NULL;
}

int diag_number_at(int index)
{
	return index >= 0 && (size_t)index < LENGTH_OF(messages)
		       ? messages[index].number
		       : 0;
}
