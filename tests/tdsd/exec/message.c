/* PRINT, RAISERROR, THROW. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "exec/output.h"
#include "exec/stmts.h"
#include "exec/tran.h"
#include "value/collation.h"
#include "value/utf.h"

#define ARGS_MAX 24

/* The arguments' values, each as its own type. */
static int arguments(struct session *s, struct stmt *st, struct cell *cells,
		     struct type *types, struct diag *d, bool *compile)
{
	const struct expr *list[ARGS_MAX], *e;
	int n = 0;

	for (e = st->call.args; e && n < ARGS_MAX; e = e->next)
		list[n++] = e;
	memset(cells, 0, (size_t)n * sizeof(*cells));
	if (eval_list(s, &st->plan, &st->plan_free, list, n, cells, types, d,
		      compile) < 0)
		return -1;
	return n;
}

static void release(struct cell *cells, int n)
{
	while (n-- > 0)
		cell_release(&cells[n]);
}

/* A value as text. */
static int as_text(struct session *s, const struct val *v, struct type from,
		   struct strbuf *out, struct diag *d)
{
	struct type to = type_char(TY_NVARCHAR, TYPE_MAX, COLLATION_DEFAULT);
	struct convert c = session_convert(s);
	struct val text;

	if (v->cls == VAL_NULL)
		return 0;
	if (convert_rule(from, to) == CONVERT_NEVER)
		return diag_set(d, 257, type_name(from), "nvarchar");
	if (convert_value(&c, v, from, to, &text, d) < 0)
		return -1;
	strbuf_add(out, text.p, text.n);
	return 0;
}

enum flow exec_print(struct session *s, struct stmt *st)
{
	struct cell cells[1];
	struct type types[1];
	struct strbuf sb;
	struct diag d, info;
	bool compile = false;
	int n, ret;

	n = arguments(s, st, cells, types, &d, &compile);
	if (n < 0)
		return run_error(s, &d, st, compile);
	strbuf_init(&sb);
	ret = as_text(s, &cells[0].v, types[0], &sb, &d);
	release(cells, n);
	if (ret < 0) {
		strbuf_release(&sb);
		return run_error(s, &d, st, false);
	}
	/* an empty string prints a blank line */
	diag_free_text(&info, 0, 0, 1, "%s", sb.len ? sb.data : " ");
	info.line = st->line;
	strbuf_release(&sb);
	run_info(s, &info);
	s->error = 0;
	return FLOW_OK;
}

/* --- the format of RAISERROR --- */

struct spec {
	char flags[8];
	int width, precision;
	char type;
};

/* One "%…" at *p; false when it is none that the server knows. */
static bool parse_spec(const char **p, struct spec *sp)
{
	const char *s = *p;
	size_t n = 0;

	memset(sp, 0, sizeof(*sp));
	sp->precision = -1;
	while (*s && strchr("-+0# ", *s) && n < sizeof(sp->flags) - 1)
		sp->flags[n++] = *s++;
	if (*s == '*') {
		sp->width = -1;
		s++;
	} else {
		while (*s >= '0' && *s <= '9' && sp->width < 10000)
			sp->width = sp->width * 10 + (*s++ - '0');
	}
	if (*s == '.') {
		s++;
		sp->precision = 0;
		if (*s == '*') {
			sp->precision = -2;
			s++;
		}
		while (*s >= '0' && *s <= '9' && sp->precision < 10000)
			sp->precision = sp->precision * 10 + (*s++ - '0');
	}
	if (!strncmp(s, "I64", 3))
		s += 3;
	else if (*s == 'l' || *s == 'h')
		s++;
	if (!*s || !strchr("diouxXs", *s))
		return false;
	sp->type = *s++;
	*p = s;
	return true;
}

static void pad(struct strbuf *out, const char *text, size_t n,
		const struct spec *sp)
{
	size_t units = utf_units(text, n);
	bool left = strchr(sp->flags, '-') != NULL;
	char fill =
		!left && strchr(sp->flags, '0') && sp->type != 's' ? '0' : ' ';
	size_t blanks = sp->width > (int)units ? (size_t)sp->width - units : 0;

	if (fill == '0' && n && *text == '-') {
		strbuf_addch(out, '-');
		text++;
		n--;
	}
	while (!left && blanks) {
		strbuf_addch(out, fill);
		blanks--;
	}
	strbuf_add(out, text, n);
	while (left && blanks) {
		strbuf_addch(out, ' ');
		blanks--;
	}
}

static void format_number(struct strbuf *out, int64_t n, struct spec *sp)
{
	char text[40];

	switch (sp->type) {
	case 'd':
	case 'i':
		snprintf(text, sizeof(text),
			 strchr(sp->flags, '+') ? "%+lld" : "%lld",
			 (long long)n);
		break;
	case 'u':
		snprintf(text, sizeof(text), "%llu",
			 n < 0 && n >= INT32_MIN
				 ? (unsigned long long)(uint32_t)n
				 : (unsigned long long)n);
		break;
	case 'o':
		snprintf(text, sizeof(text), "%llo",
			 n < 0 && n >= INT32_MIN
				 ? (unsigned long long)(uint32_t)n
				 : (unsigned long long)n);
		break;
	default:
		snprintf(text, sizeof(text),
			 sp->type == 'X'
				 ? (strchr(sp->flags, '#') ? "0X%llX" : "%llX")
				 : (strchr(sp->flags, '#') ? "0x%llx" : "%llx"),
			 n < 0 && n >= INT32_MIN
				 ? (unsigned long long)(uint32_t)n
				 : (unsigned long long)n);
		break;
	}
	pad(out, text, strlen(text), sp);
}

static int next_int(const struct cell *args, int count, int *at)
{
	if (*at < count && args[*at].v.cls == VAL_INT)
		return (int)args[(*at)++].v.i;
	++*at;
	return 0;
}

static int format_message(const char *fmt, const struct cell *args,
			  const struct type *types, int count,
			  struct strbuf *out, struct diag *d)
{
	int at = 0;

	while (*fmt) {
		struct spec sp;

		if (*fmt != '%') {
			strbuf_addch(out, *fmt++);
			continue;
		}
		if (fmt[1] == '%') {
			strbuf_addch(out, '%');
			fmt += 2;
			continue;
		}
		fmt++;
		if (!parse_spec(&fmt, &sp))
			return diag_set(d, 2787, fmt - 1);
		if (sp.width < 0)
			sp.width = next_int(args, count, &at);
		if (sp.precision == -2)
			sp.precision = next_int(args, count, &at);
		if (at >= count || args[at].v.cls == VAL_NULL) {
			pad(out, "(null)", 6, &sp);
			at++;
			continue;
		}
		if (sp.type == 's') {
			const struct val *v = &args[at].v;
			size_t n = v->cls == VAL_TEXT ? v->n : 0;

			if (v->cls != VAL_TEXT)
				return diag_set(d, 2786, at + 1);
			if (sp.precision >= 0)
				n = utf_offset(v->p, n, (size_t)sp.precision);
			pad(out, v->p, n, &sp);
		} else {
			if (args[at].v.cls != VAL_INT ||
			    !type_is_integer(types[at]))
				return diag_set(d, 2786, at + 1);
			format_number(out, args[at].v.i, &sp);
		}
		at++;
	}
	return 0;
}

static int raise(struct session *s, struct stmt *st, const struct cell *cells,
		 const struct type *types, int n, struct diag *out,
		 struct diag *d)
{
	struct strbuf sb;
	int severity, state, number = 50000, ret;
	const char *format;

	if (n < 3)
		return diag_free_text(d, 102, 15, 1,
				      "Incorrect syntax near 'RAISERROR'.");
	severity = cells[1].v.cls == VAL_INT ? (int)cells[1].v.i : 0;
	state = cells[2].v.cls == VAL_INT ? (int)cells[2].v.i : 1;
	if (severity < 0)
		severity = 0;
	if (severity > 25)
		severity = 25;
	if (severity > 18 && !st->call.log && !s->sysadmin)
		return diag_set(d, 2754);
	if (state < 0)
		state = 1;
	if (state > 255)
		state = 255;
	if (cells[0].v.cls == VAL_INT) {
		int ignored;

		number = (int)cells[0].v.i;
		format = number == 50000 ? NULL : diag_format(number, &ignored);
		if (number < 13000 || number == 50000)
			return diag_set(d, 2732, number);
		if (!format)
			return diag_free_text(
				d, 18054, 16, 1,
				"Error %d, severity %d, state %d was raised, "
				"but no message with that error number was "
				"found in sys.messages. If error is larger "
				"than 50000, make sure the user-defined "
				"message is added using sp_addmessage.",
				number, severity, state);
	} else {
		format = cells[0].v.cls == VAL_TEXT ? cells[0].mem : "";
	}
	strbuf_init(&sb);
	ret = format_message(format, cells + 3, types + 3, n - 3, &sb, d);
	if (ret == 0)
		diag_free_text(out, number, severity, state, "%s", sb.data);
	strbuf_release(&sb);
	out->line = st->line;
	return ret;
}

/* What RAISERROR raised: unlike other errors it never ends anything. */
static enum flow deliver(struct session *s, struct stmt *st, struct diag *d)
{
	const struct frame *f;

	if (s->frame->proc)
		text_copy(d->proc, sizeof(d->proc), s->frame->proc);
	if (d->severity > 10) {
		s->error = d->number;
		for (f = s->frame; f; f = f->outer)
			if (f->try_depth && d->severity < 20) {
				s->thrown = *d;
				if (s->set.xact_abort && s->trancount)
					s->doomed = true;
				return FLOW_THROW;
			}
	} else {
		s->error = st->call.seterror ? d->number : 0;
	}
	output_message(s, d);
	output_done(s, CMD_OTHER, -1, d->severity > 10);
	if (st->call.nowait)
		output_flush(s);
	if (d->severity >= 20) {
		tran_abort(s);
		s->broken = true;
		return FLOW_ABORT;
	}
	return FLOW_OK;
}

enum flow exec_raiserror(struct session *s, struct stmt *st)
{
	struct cell cells[ARGS_MAX];
	struct type types[ARGS_MAX];
	struct diag d, out;
	bool compile = false;
	int n, ret;

	n = arguments(s, st, cells, types, &d, &compile);
	if (n < 0)
		return run_error(s, &d, st, compile);
	ret = raise(s, st, cells, types, n, &out, &d);
	release(cells, n);
	if (ret < 0)
		return run_error(s, &d, st, false);
	return deliver(s, st, &out);
}

enum flow exec_throw(struct session *s, struct stmt *st)
{
	struct cell cells[ARGS_MAX];
	struct type types[ARGS_MAX];
	struct strbuf sb;
	struct diag d;
	const struct frame *f;
	bool compile = false;
	int n;

	if (!st->call.args) {
		if (!s->frame->caught) {
			diag_free_text(
				&d, 10704, 15, 1,
				"To rethrow an error, a THROW statement "
				"must be used inside a CATCH block. "
				"Insert the THROW statement inside a "
				"CATCH block, or add error parameters to "
				"the THROW statement.");
			return run_error(s, &d, st, true);
		}
		d = s->frame->caught->d;
	} else {
		n = arguments(s, st, cells, types, &d, &compile);
		if (n < 0)
			return run_error(s, &d, st, compile);
		strbuf_init(&sb);
		if (n == 3)
			as_text(s, &cells[1].v, types[1], &sb, &d);
		diag_free_text(
			&d,
			n == 3 && cells[0].v.cls == VAL_INT ? (int)cells[0].v.i
							    : 50000,
			16,
			n == 3 && cells[2].v.cls == VAL_INT ? (int)cells[2].v.i
							    : 1,
			"%s", sb.data);
		strbuf_release(&sb);
		release(cells, n);
		d.line = st->line;
		if (s->frame->proc)
			text_copy(d.proc, sizeof(d.proc), s->frame->proc);
		if (d.number < 50000)
			diag_free_text(&d, 35100, 16, 10,
				       "Error number %d in the THROW statement "
				       "is outside the valid range. Specify an "
				       "error number in the valid range of "
				       "50000 to 2147483647.",
				       d.number);
	}
	s->error = d.number;
	for (f = s->frame; f; f = f->outer)
		if (f->try_depth) {
			if (s->set.xact_abort && s->trancount)
				s->doomed = true;
			s->thrown = d;
			return FLOW_THROW;
		}
	output_message(s, &d);
	output_done(s, CMD_OTHER, -1, true);
	if (s->set.xact_abort)
		tran_abort(s);
	return FLOW_ABORT;
}
