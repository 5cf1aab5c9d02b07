#include <string.h>
#include <strings.h>

#include "fn/datepart.h"
#include "plan/builtin.h"
#include "value/collation.h"

/* The first argument of DATEADD and its like is a bare word. */
static enum date_part part_arg(struct tr *t, const struct expr *e,
			       const char *function)
{
	const struct expr *a = e->args;
	enum date_part part = PART_NONE;

	if (a && a->kind == EX_COLUMN && a->name.count == 1)
		part = date_part_find(a->name.part[0]);
	if (part == PART_NONE)
		tr_fail(t, 155,
			a && a->kind == EX_COLUMN ? a->name.part[0] : "",
			function, NULL);
	return part;
}

static bool part_fits(struct tr *t, enum date_part part, struct ex d,
		      const char *function, const char *word)
{
	bool time_part = part >= PART_HOUR && part <= PART_NANOSECOND;
	bool bad = (d.type.kind == TY_DATE && time_part) ||
		   (d.type.kind == TY_TIME && !time_part);

	if (part == PART_TZOFFSET)
		bad = d.type.kind != TY_DATETIMEOFFSET &&
		      d.type.kind != TY_DATETIME2;
	if (bad)
		tr_fail(t, 9810, word, function, type_name(d.type), NULL);
	return !bad;
}

static struct ex dateadd_fn(struct tr *t, const struct expr *e)
{
	enum date_part part = part_arg(t, e, "dateadd");
	struct ex n, d;
	struct type type;

	if (t->failed)
		return tr_nothing();
	n = tr_convert(t, tr_expr(t, call_arg(e, 1)), type_of(TY_BIGINT));
	d = tr_expr(t, call_arg(e, 2));
	if (t->failed)
		return d;
	/* text is a datetime here, unlike elsewhere */
	if (type_is_text(d.type) || type_is_number(d.type) || d.type.null)
		d = tr_convert(t, d, type_of(TY_DATETIME));
	if (!type_is_temporal(d.type))
		return tr_fail(t, 8116, type_name(d.type), "3", "dateadd",
			       NULL);
	if (!part_fits(t, part, d, "dateadd", e->args->name.part[0]))
		return tr_nothing();
	type = d.type;
	type.user = 0;
	return builtin_call(t, type, "dateadd_(%d,%s,%s,%s)", part, n.sql,
			    d.sql, tr_pack(t, d.type));
}

static struct ex datediff(struct tr *t, const struct expr *e, bool big)
{
	const char *name = big ? "datediff_big" : "datediff";
	enum date_part part = part_arg(t, e, name);
	struct ex a, b;

	if (t->failed)
		return tr_nothing();
	a = builtin_arg(t, call_arg(e, 1), 'D', 2, name);
	b = builtin_arg(t, call_arg(e, 2), 'D', 3, name);
	return builtin_call(t, type_of(big ? TY_BIGINT : TY_INT),
			    "datediff_(%d,%s,%s,%s,%s,%d)", part, a.sql,
			    tr_pack(t, a.type), b.sql, tr_pack(t, b.type), big);
}

static struct ex datediff_fn(struct tr *t, const struct expr *e)
{
	return datediff(t, e, false);
}

static struct ex datediff_big_fn(struct tr *t, const struct expr *e)
{
	return datediff(t, e, true);
}

static struct ex datepart_fn(struct tr *t, const struct expr *e)
{
	enum date_part part = part_arg(t, e, "datepart");
	struct ex d;

	if (t->failed)
		return tr_nothing();
	d = builtin_arg(t, call_arg(e, 1), 'D', 2, "datepart");
	if (t->failed ||
	    !part_fits(t, part, d, "datepart", e->args->name.part[0]))
		return tr_nothing();
	if (part == PART_WEEKDAY || part == PART_WEEK)
		t->deterministic = false;
	return builtin_call(t, type_of(TY_INT), "datepart_(%d,%s,%s)", part,
			    d.sql, tr_pack(t, d.type));
}

static struct ex datename_fn(struct tr *t, const struct expr *e)
{
	enum date_part part = part_arg(t, e, "datename");
	struct ex d;

	if (t->failed)
		return tr_nothing();
	d = builtin_arg(t, call_arg(e, 1), 'D', 2, "datename");
	t->deterministic = false;
	return builtin_call(t, type_char(TY_NVARCHAR, 60, COLLATION_DEFAULT),
			    "datename_(%d,%s,%s)", part, d.sql,
			    tr_pack(t, d.type));
}

static struct ex simple_part(struct tr *t, const struct expr *e,
			     enum date_part part, const char *name)
{
	struct ex d = builtin_arg(t, e->args, 'D', 1, name);

	return builtin_call(t, type_of(TY_INT), "datepart_(%d,%s,%s)", part,
			    d.sql, tr_pack(t, d.type));
}

static struct ex year_fn(struct tr *t, const struct expr *e)
{
	return simple_part(t, e, PART_YEAR, "year");
}

static struct ex month_fn(struct tr *t, const struct expr *e)
{
	return simple_part(t, e, PART_MONTH, "month");
}

static struct ex day_fn(struct tr *t, const struct expr *e)
{
	return simple_part(t, e, PART_DAY, "day");
}

static struct ex eomonth_fn(struct tr *t, const struct expr *e)
{
	struct ex d = builtin_arg(t, e->args, 'D', 1, "eomonth");
	struct ex n = e->arg_count > 1
			      ? tr_implicit(t, tr_expr(t, call_arg(e, 1)),
					    type_of(TY_INT))
			      : tr_ex("0", type_of(TY_INT), false);

	return builtin_call(t, type_of(TY_DATE), "eomonth_(%s,%s,%s)", d.sql,
			    tr_pack(t, d.type), n.sql);
}

/* DATEFROMPARTS and the like: ints in, a type out. */
static struct ex from_parts(struct tr *t, const struct expr *e,
			    struct type type, int count, const char *layout)
{
	const char *list = "";
	int i;

	for (i = 0; i < count && !t->failed; i++) {
		struct ex a = tr_implicit(t, tr_expr(t, call_arg(e, i)),
					  type_of(TY_INT));

		list = tr_printf(t, "%s,%s", list, a.sql);
	}
	return builtin_call(t, type, "fromparts_(%s,'%s'%s)", tr_pack(t, type),
			    layout, list);
}

/* The last argument of the newer ones is the precision: a literal. */
static int precision_arg(struct tr *t, const struct expr *e, int n)
{
	struct ex a = tr_expr(t, call_arg(e, n));

	if (a.literal && a.value.cls == VAL_INT && a.value.i >= 0 &&
	    a.value.i <= 7)
		return (int)a.value.i;
	tr_fail_text(t, 10760, 16,
		     "Scale argument is not valid. Valid expressions for data "
		     "type datetime2 scale argument are integer constants and "
		     "integer constant expressions.");
	return 7;
}

static struct ex date_parts_fn(struct tr *t, const struct expr *e)
{
	return from_parts(t, e, type_of(TY_DATE), 3, "ymd");
}

static struct ex datetime_parts_fn(struct tr *t, const struct expr *e)
{
	return from_parts(t, e, type_of(TY_DATETIME), 7, "ymdhnsi");
}

static struct ex smalldatetime_parts_fn(struct tr *t, const struct expr *e)
{
	return from_parts(t, e, type_of(TY_SMALLDATETIME), 5, "ymdhn");
}

static struct ex datetime2_parts_fn(struct tr *t, const struct expr *e)
{
	return from_parts(t, e,
			  type_scaled(TY_DATETIME2, precision_arg(t, e, 7)), 7,
			  "ymdhnsf");
}

static struct ex offset_parts_fn(struct tr *t, const struct expr *e)
{
	return from_parts(
		t, e, type_scaled(TY_DATETIMEOFFSET, precision_arg(t, e, 9)), 9,
		"ymdhnsfoz");
}

static struct ex time_parts_fn(struct tr *t, const struct expr *e)
{
	return from_parts(t, e, type_scaled(TY_TIME, precision_arg(t, e, 4)), 4,
			  "hnsf");
}

static struct ex now(struct tr *t, struct type type, const char *what)
{
	t->deterministic = false;
	return tr_ex(tr_printf(t, "now_('%s',%s)", what, tr_pack(t, type)),
		     type, false);
}

static struct ex getdate_fn(struct tr *t, const struct expr *e)
{
	(void)e;
	return now(t, type_of(TY_DATETIME), "l");
}

static struct ex getutcdate_fn(struct tr *t, const struct expr *e)
{
	(void)e;
	return now(t, type_of(TY_DATETIME), "u");
}

static struct ex sysdatetime_fn(struct tr *t, const struct expr *e)
{
	(void)e;
	return now(t, type_scaled(TY_DATETIME2, 7), "l");
}

static struct ex sysutcdatetime_fn(struct tr *t, const struct expr *e)
{
	(void)e;
	return now(t, type_scaled(TY_DATETIME2, 7), "u");
}

static struct ex sysdatetimeoffset_fn(struct tr *t, const struct expr *e)
{
	(void)e;
	return now(t, type_scaled(TY_DATETIMEOFFSET, 7), "l");
}

static struct ex offset_fn(struct tr *t, const struct expr *e, bool keep_utc)
{
	const char *name = keep_utc ? "switchoffset" : "todatetimeoffset";
	struct ex d = builtin_arg(t, e->args, 'D', 1, name);
	struct ex z = tr_expr(t, call_arg(e, 1));
	struct type type;

	if (t->failed)
		return d;
	if (!type_is_text(z.type))
		z = tr_implicit(t, z, type_of(TY_INT));
	type = type_scaled(TY_DATETIMEOFFSET,
			   d.type.kind == TY_DATETIME ? 3 : d.type.scale);
	return builtin_call(t, type, "setoffset_(%s,%s,%s,%s,%d)", d.sql,
			    tr_pack(t, d.type), z.sql, tr_pack(t, type),
			    keep_utc);
}

static struct ex switchoffset_fn(struct tr *t, const struct expr *e)
{
	return offset_fn(t, e, true);
}

static struct ex todatetimeoffset_fn(struct tr *t, const struct expr *e)
{
	return offset_fn(t, e, false);
}

#define CUSTOM(name, min, max, fn)                           \
	{                                                    \
		name, min, max, "", "", "", fn, false, false \
	}

const struct builtin builtins_date[] = {
	CUSTOM("DATEADD", 3, 3, dateadd_fn),
	CUSTOM("DATEDIFF", 3, 3, datediff_fn),
	CUSTOM("DATEDIFF_BIG", 3, 3, datediff_big_fn),
	CUSTOM("DATEPART", 2, 2, datepart_fn),
	CUSTOM("DATENAME", 2, 2, datename_fn),
	CUSTOM("YEAR", 1, 1, year_fn),
	CUSTOM("MONTH", 1, 1, month_fn),
	CUSTOM("DAY", 1, 1, day_fn),
	CUSTOM("EOMONTH", 1, 2, eomonth_fn),
	CUSTOM("DATEFROMPARTS", 3, 3, date_parts_fn),
	CUSTOM("DATETIMEFROMPARTS", 7, 7, datetime_parts_fn),
	CUSTOM("SMALLDATETIMEFROMPARTS", 5, 5, smalldatetime_parts_fn),
	CUSTOM("DATETIME2FROMPARTS", 8, 8, datetime2_parts_fn),
	CUSTOM("DATETIMEOFFSETFROMPARTS", 10, 10, offset_parts_fn),
	CUSTOM("TIMEFROMPARTS", 5, 5, time_parts_fn),
	CUSTOM("GETDATE", 0, 0, getdate_fn),
	CUSTOM("CURRENT_TIMESTAMP", 0, 0, getdate_fn),
	CUSTOM("GETUTCDATE", 0, 0, getutcdate_fn),
	CUSTOM("SYSDATETIME", 0, 0, sysdatetime_fn),
	CUSTOM("SYSUTCDATETIME", 0, 0, sysutcdatetime_fn),
	CUSTOM("SYSDATETIMEOFFSET", 0, 0, sysdatetimeoffset_fn),
	CUSTOM("SWITCHOFFSET", 2, 2, switchoffset_fn),
	CUSTOM("TODATETIMEOFFSET", 2, 2, todatetimeoffset_fn),
	{"ISDATE", 1, 1, "s", "i", "isdate_", NULL, true, true},
	{NULL, 0, 0, NULL, NULL, NULL, NULL, false, false},
};
