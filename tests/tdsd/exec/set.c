/* SET options. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "exec/output.h"
#include "exec/perm.h"
#include "exec/stmts.h"
#include "exec/tran.h"

static bool switch_option(struct settings *set, const char *name, bool on)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{"ANSI_WARNINGS", &set->ansi_warnings},
		{"ANSI_NULL_DFLT_ON", &set->ansi_null_dflt_on},
		{"ARITHABORT", &set->arithabort},
		{"CONCAT_NULL_YIELDS_NULL", &set->concat_null},
		{"QUOTED_IDENTIFIER", &set->quoted_identifier},
		{"NOCOUNT", &set->nocount},
		{"FMTONLY", &set->fmtonly},
		{"NOEXEC", &set->noexec},
		{"XACT_ABORT", &set->xact_abort},
		{"IMPLICIT_TRANSACTIONS", &set->implicit_tran},
	};
	size_t i;

	for (i = 0; i < LENGTH_OF(flags); i++)
		if (!strcasecmp(flags[i].name, name)) {
			*flags[i].flag = on;
			return true;
		}
	if (!strcasecmp(name, "ANSI_NULL_DFLT_OFF")) {
		if (on)
			set->ansi_null_dflt_on = false;
		return true;
	}
	return false;
}

/* What has only one setting here. */
static bool fixed_option(const char *name, bool on)
{
	static const struct {
		const char *name;
		bool on;
	} fixed[] = {{"ANSI_NULLS", true},
		     {"ANSI_PADDING", true},
		     {"NUMERIC_ROUNDABORT", false},
		     {"CURSOR_CLOSE_ON_COMMIT", true}, /* there are none */
		     {"CURSOR_CLOSE_ON_COMMIT", false}};
	bool known = false;
	size_t i;

	for (i = 0; i < LENGTH_OF(fixed); i++)
		if (!strcasecmp(fixed[i].name, name))
			known = known || fixed[i].on == on;
	return known;
}

static int date_format(struct session *s, const char *value, struct diag *d)
{
	static const char *const names[] = {"mdy", "dmy", "ymd",
					    "ydm", "myd", "dym"};
	int i;

	for (i = 0; i < 6; i++)
		if (!strcasecmp(names[i], value)) {
			s->set.date_order = (enum date_order)i;
			return 0;
		}
	return diag_set(d, 2741, value);
}

/* Languages change the order of dates and the first weekday. */
static int language(struct session *s, const char *value, struct diag *d)
{
	static const struct {
		const char *name, *alias;
		enum date_order order;
		int first;
	} languages[] = {
		{"us_english", "English", DATE_MDY, 7},
		{"British", "British English", DATE_DMY, 1},
		{"Deutsch", "German", DATE_DMY, 1},
		{"Français", "French", DATE_DMY, 1},
		{"Español", "Spanish", DATE_DMY, 1},
		{"Italiano", "Italian", DATE_DMY, 1},
		{"Nederlands", "Dutch", DATE_DMY, 1},
		{"日本語", "Japanese", DATE_YMD, 7},
	};
	size_t i;

	for (i = 0; i < LENGTH_OF(languages); i++) {
		if (strcasecmp(languages[i].name, value) != 0 &&
		    strcasecmp(languages[i].alias, value) != 0)
			continue;
		s->set.language = languages[i].name;
		s->set.date_order = languages[i].order;
		s->set.datefirst = languages[i].first;
		output_language(s, s->set.language);
		return 0;
	}
	return diag_set(d, 2740, value);
}

static int deadlock_priority(struct session *s, const char *value,
			     struct diag *d)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (!strcasecmp(value, "low"))
		n = -5;
	else if (!strcasecmp(value, "normal"))
		n = 0;
	else if (!strcasecmp(value, "high"))
		n = 5;
	else if (*end || end == value || n < -10 || n > 10)
		return diag_set(d, 2755);
	s->set.deadlock_priority = (int)n;
	return 0;
}

static void isolation(struct session *s, const char *value)
{
	static const struct {
		const char *name;
		enum isolation level;
	} levels[] = {{"READ UNCOMMITTED", ISO_READ_UNCOMMITTED},
		      {"READ COMMITTED", ISO_READ_COMMITTED},
		      {"REPEATABLE READ", ISO_REPEATABLE_READ},
		      {"SERIALIZABLE", ISO_SERIALIZABLE},
		      {"SNAPSHOT", ISO_SNAPSHOT}};
	size_t i;

	for (i = 0; i < LENGTH_OF(levels); i++)
		if (!strcmp(levels[i].name, value))
			s->set.isolation = levels[i].level;
}

static int context_info(struct session *s, const struct cell *c, struct diag *d)
{
	size_t n = c->v.cls == VAL_BLOB ? c->v.n : 0;

	if (c->v.cls != VAL_BLOB && c->v.cls != VAL_NULL)
		return diag_free_text(d, 2743, 16, 1,
				      "SET CONTEXT_INFO option requires "
				      "varbinary (128) NOT NULL parameter.");
	if (n > 128)
		n = 128;
	memset(s->context_info, 0, sizeof(s->context_info));
	memcpy(s->context_info, n ? c->v.p : "", n);
	s->context_info_len = 128;
	return 0;
}

static int number_option(struct session *s, const char *name, int64_t n,
			 struct diag *d)
{
	if (!strcasecmp(name, "LOCK_TIMEOUT")) {
		s->set.lock_timeout = n < 0 ? -1 : (int)n;
	} else if (!strcasecmp(name, "ROWCOUNT")) {
		s->set.rowcount = n;
	} else if (!strcasecmp(name, "TEXTSIZE")) {
		s->set.textsize = n <= 0 ? (n < 0 ? -1 : 4096) : n;
	} else if (!strcasecmp(name, "DATEFIRST")) {
		if (n < 1 || n > 7)
			return diag_set(d, 2742, (int)n);
		s->set.datefirst = (int)n;
	}
	return 0;
}

static int value_option(struct session *s, struct stmt *st, struct diag *d,
			bool *compile)
{
	const char *name = st->option.name, *value = st->option.value;
	struct cell cell = {0};
	struct type type;
	int ret;

	if (st->option.expr) {
		const struct expr *e = st->option.expr;

		if (eval_list(s, &st->plan, &st->plan_free, &e, 1, &cell, &type,
			      d, compile) < 0)
			return -1;
		if (!strcasecmp(name, "CONTEXT_INFO"))
			ret = context_info(s, &cell, d);
		else if (cell.v.cls == VAL_INT)
			ret = number_option(s, name, cell.v.i, d);
		else if (cell.v.cls == VAL_TEXT &&
			 !strcasecmp(name, "LANGUAGE"))
			ret = language(s, cell.mem, d);
		else if (cell.v.cls == VAL_TEXT &&
			 !strcasecmp(name, "DATEFORMAT"))
			ret = date_format(s, cell.mem, d);
		else if (!strcasecmp(name, "DEADLOCK_PRIORITY") &&
			 cell.v.cls == VAL_TEXT)
			ret = deadlock_priority(s, cell.mem, d);
		else
			ret = 0;
		cell_release(&cell);
		return ret;
	}
	if (!strcasecmp(name, "DATEFORMAT"))
		return date_format(s, value, d);
	if (!strcasecmp(name, "LANGUAGE"))
		return language(s, value, d);
	if (!strcasecmp(name, "DEADLOCK_PRIORITY"))
		return deadlock_priority(s, value, d);
	return number_option(s, name, strtoll(value, NULL, 10), d);
}

enum flow exec_set_option(struct session *s, struct stmt *st)
{
	struct diag d;
	bool compile = false;

	if (!strcmp(st->option.name, "ISOLATION")) {
		isolation(s, st->option.value);
	} else if (st->option.value &&
		   switch_option(&s->set, st->option.name,
				 !strcasecmp(st->option.value, "on"))) {
		/* done */
	} else if (!st->option.expr && st->option.value &&
		   (!strcasecmp(st->option.value, "on") ||
		    !strcasecmp(st->option.value, "off"))) {
		if (!fixed_option(st->option.name,
				  !strcasecmp(st->option.value, "on"))) {
			diag_set(&d, 40517, st->option.name);
			return run_error(s, &d, st, false);
		}
	} else if (value_option(s, st, &d, &compile) < 0) {
		return run_error(s, &d, st, compile);
	}
	s->error = 0;
	return FLOW_OK;
}

enum flow exec_set_identity(struct session *s, struct stmt *st)
{
	bool on = !strcasecmp(st->option.value, "on");
	struct object o;
	struct table *t = NULL;
	struct diag d;
	int found, ret = 0;

	if (tran_begin_statement(s, &d) < 0)
		return run_error(s, &d, st, false);
	found = catalog_find(s, st->option.table, &o, &d);
	if (found > 0)
		t = catalog_table(s, o.home, o.id, &d);
	if (found == 0)
		ret = diag_free_text(
			&d, 1088, 16, 11,
			"Cannot find the object \"%s\" because it "
			"does not exist or you do not have "
			"permissions.",
			st->option.table->part[st->option.table->count - 1]);
	else if (!t)
		ret = -1;
	else if (t->identity_column < 0)
		ret = diag_set(
			&d, 8106,
			st->option.table->part[st->option.table->count - 1]);
	else if (on && s->identity_insert_table &&
		 s->identity_insert_table != t->id)
		ret = diag_free_text(
			&d, 8107, 16, 1,
			"IDENTITY_INSERT is already ON for table "
			"'%s'. Cannot perform SET operation for "
			"table '%s'.",
			s->identity_insert_name,
			st->option.table->part[st->option.table->count - 1]);
	else if (on) {
		struct arena pool;

		arena_init(&pool, 0);
		s->identity_insert_table = t->id;
		s->identity_insert_db = t->db ? t->db->id : 0;
		text_copy(s->identity_insert_name,
			  sizeof(s->identity_insert_name),
			  table_full_name(t, &pool));
		arena_release(&pool);
		ret = perm_alter(s, t, &d);
	} else if (s->identity_insert_table == t->id) {
		s->identity_insert_table = 0;
	}
	table_unref(t);
	tran_end_statement(s, false, &d);
	if (ret < 0)
		return run_error(s, &d, st, false);
	s->error = 0;
	output_done(s, CMD_SET, -1, false);
	return FLOW_OK;
}
