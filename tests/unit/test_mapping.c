#include "unit/helper.h"

#include <string.h>

#include "control/settings.h"
#include "engine/mapping.h"
#include "unit/rows.h"

static const struct control_server sources[] = {
	{1, "src", "memory", "name=s", true, NULL},
	{2, "off", "memory", "name=s", false, NULL},
	{3, NULL, "memory", "name=s", true, NULL},
	{4, "notype", NULL, "name=s", true, NULL},
	{5, "nostring", "memory", NULL, true, NULL},
	{6, "blank", "memory", " \t\n", true, NULL},
	{7, "odd", "dbase", "name=s", true, NULL},
	{8, "blanktype", "  ", "name=s", true, NULL},
	{9, "sql", "sqlserver", "server=h;user id=u;password=p", true, NULL},
};

static const struct control_server targets[] = {
	{1, "dst", "Memory", "name=d", true, NULL},
	{2, "off", "memory", "name=d", false, NULL},
	{3, "notype", NULL, "name=d", true, NULL},
	{4, "nostring", "memory", NULL, true, NULL},
	{5, "odd", "punchcard", "name=d", true, NULL},
};

static const struct mapping_default_target none = {NULL, NULL, NULL};
static const struct mapping_default_target fallback = {
	"sqlserver", "server=h;user id=u;password=SECRET", NULL};

static struct control_snapshot snapshot(void)
{
	struct control_snapshot s = {
		.source_count = COUNT_OF(sources),
		.target_count = COUNT_OF(targets),
	};
	static struct control_server own_sources[COUNT_OF(sources)];
	static struct control_server own_targets[COUNT_OF(targets)];

	memcpy(own_sources, sources, sizeof(sources));
	memcpy(own_targets, targets, sizeof(targets));
	s.sources = own_sources;
	s.targets = own_targets;
	return s;
}

static struct control_mapping good_row(void)
{
	struct control_mapping row = {
		.id = 7,
		.server_id = 1,
		.target_id = 1,
		.enabled = true,
		.cdc_enabled = true,
		.source_database = "sdb",
		.source_schema = "ss",
		.source_table = "st",
		.dest_database = "ddb",
		.dest_schema = "ds",
		.dest_table = "dt",
	};

	return row;
}

static struct mapping *make(const struct control_mapping *row,
			    const struct mapping_default_target *to)
{
	struct control_snapshot s = snapshot();
	struct mapping *mapping = mapping_new(row, &s, to);

	assert_non_null(mapping);
	return mapping;
}

static void test_good_row(void **state)
{
	struct control_mapping row = good_row();
	struct mapping *mapping = make(&row, &none);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(mapping->problem.kind, ERROR_NONE);
	assert_string_equal(mapping->problem.message, "");
	assert_int_equal(mapping->id, 7);
	assert_string_equal(mapping->name, "sdb.ss.st");
	assert_string_equal(mapping->source.database, "sdb");
	assert_string_equal(mapping->source.schema, "ss");
	assert_string_equal(mapping->source.table, "st");
	assert_string_equal(mapping->dest.database, "ddb");
	assert_string_equal(mapping->dest.schema, "ds");
	assert_string_equal(mapping->dest.table, "dt");
	assert_int_equal(mapping->from.id, 1);
	assert_false(mapping->from.is_target);
	assert_string_equal(mapping->from.name, "src");
	assert_string_equal(mapping->from.connection_string, "name=s");
	assert_ptr_equal(mapping->from.driver, driver_find("memory", &err));
	assert_true(mapping->to.is_target);
	assert_string_equal(mapping->to.name, "dst");
	assert_ptr_equal(mapping->to.driver, driver_find("memory", &err));
	assert_true(mapping->cdc_enabled);
	assert_false(mapping->paused);
	assert_null(mapping->key_columns);
	assert_null(mapping->trigger_column);
	mapping_free(mapping);
	mapping_free(NULL);
}

static void test_key_and_trigger(void **state)
{
	static const struct {
		const char *given, *kept;
	} cases[] = {{NULL, NULL},     {"", NULL},   {"  ", NULL},
		     {"\t\r\n", NULL}, {"id", "id"}, {"a, b", "a, b"}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct control_mapping row = good_row();
		struct mapping *mapping;

		row.key_columns = row.trigger_column = cases[i].given;
		mapping = make(&row, &none);
		assert_int_equal(mapping->problem.kind, ERROR_NONE);
		if (cases[i].kept) {
			assert_string_equal(mapping->key_columns,
					    cases[i].kept);
			assert_string_equal(mapping->trigger_column,
					    cases[i].kept);
		} else {
			assert_null(mapping->key_columns);
			assert_null(mapping->trigger_column);
		}
		mapping_free(mapping);
	}
}

/* Nothing of the snapshot is needed any more once it was read. */
static void test_owns_its_strings(void **state)
{
	char table[] = "orders", string[] = "name=abc";
	struct control_server source = {1, "src", "memory", string, true, NULL};
	struct control_snapshot s = snapshot();
	struct control_mapping row = good_row();
	struct mapping *mapping;

	(void)state;
	s.sources = &source;
	s.source_count = 1;
	row.source_table = table;
	mapping = mapping_new(&row, &s, &none);
	assert_non_null(mapping);
	memset(table, 'x', sizeof(table) - 1);
	memset(string, 'x', sizeof(string) - 1);
	assert_string_equal(mapping->source.table, "orders");
	assert_string_equal(mapping->from.connection_string, "name=abc");
	mapping_free(mapping);
}

/* The row has a problem, and its text names what is wrong. */
static void assert_problem(const struct control_mapping *row,
			   const struct mapping_default_target *to,
			   const char *part)
{
	struct mapping *mapping = make(row, to);

	if (mapping->problem.kind != ERROR_CONFIG)
		fail_msg("'%s' is no problem", part);
	assert_holds(mapping->problem.message, part);
	assert_lacks(mapping->problem.message, "SECRET");
	assert_false(mapping->problem.retryable);
	assert_non_null(mapping->name);
	mapping_free(mapping);
}

static void test_nulls_and_blanks(void **state)
{
	static const char *const names[] = {"source_database", "source_schema",
					    "source_table",    "dest_database",
					    "dest_schema",     "dest_table"};
	static const char *const bad[] = {NULL, "", " ", "\n\t"};

	(void)state;
	for (int column = 0; column < 6; column++) {
		for (size_t i = 0; i < COUNT_OF(bad); i++) {
			struct control_mapping row = good_row();
			const char **fields[] = {
				&row.source_database, &row.source_schema,
				&row.source_table,    &row.dest_database,
				&row.dest_schema,     &row.dest_table};

			*fields[column] = bad[i];
			assert_problem(&row, &none, names[column]);
			assert_problem(&row, &none, "7"); /* the mapping */
		}
	}
}

static void test_everything_null(void **state)
{
	struct control_mapping row = {.id = 3};

	(void)state;
	assert_problem(&row, &none, "NULL");
}

static void test_bad_servers(void **state)
{
	static const struct {
		int server, target;
		const char *part;
	} cases[] = {
		{99, 1, "source_servers"}, {99, 1, "99"},
		{0, 1, "source_servers"},  {-1, 1, "source_servers"},
		{4, 1, "notype"},	   {8, 1, "blanktype"},
		{5, 1, "nostring"},	   {6, 1, "blank"},
		{7, 1, "dbase"},	   {7, 1, "odd"},
		{1, 99, "target_servers"}, {1, 99, "99"},
		{1, -1, "target_servers"}, {1, 3, "notype"},
		{1, 4, "nostring"},	   {1, 5, "punchcard"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct control_mapping row = good_row();

		row.server_id = cases[i].server;
		row.target_id = cases[i].target;
		assert_problem(&row, &fallback, cases[i].part);
	}
}

static void test_default_target(void **state)
{
	struct control_mapping row = good_row();
	struct mapping *mapping;

	(void)state;
	row.target_id = 0;
	assert_problem(&row, &none, "target_servers");
	mapping = make(&row, &fallback);
	assert_int_equal(mapping->problem.kind, ERROR_NONE);
	assert_int_equal(mapping->to.id, 0);
	assert_true(mapping->to.is_target);
	assert_string_equal(mapping->to.type, "sqlserver");
	assert_string_equal(mapping->to.connection_string,
			    fallback.connection_string);
	assert_true(mapping->to.name[0] != '\0');
	mapping_free(mapping);
}

static void test_name_of_a_server_may_be_missing(void **state)
{
	struct control_mapping row = good_row();
	struct mapping *mapping;

	(void)state;
	row.server_id = 3;
	mapping = make(&row, &none);
	assert_int_equal(mapping->problem.kind, ERROR_NONE);
	assert_non_null(mapping->from.name);
	mapping_free(mapping);
}

/* ----------------------------------------------------------- error policy */

static void test_actions(void **state)
{
	struct control_mapping row = good_row();
	struct mapping *mapping;

	(void)state;
	row.on_error[ERROR_CLASS_ROW] = " park ";
	row.on_error[ERROR_CLASS_TABLE] = "Stop";
	row.on_error[ERROR_CLASS_CONNECTION] = "  ";
	mapping = make(&row, &none);
	assert_int_equal(mapping->problem.kind, ERROR_NONE);
	assert_int_equal(mapping->on_error[ERROR_CLASS_ROW], ERROR_ACTION_PARK);
	assert_int_equal(mapping->on_error[ERROR_CLASS_TABLE],
			 ERROR_ACTION_STOP);
	assert_int_equal(mapping->on_error[ERROR_CLASS_CONNECTION], -1);
	assert_int_equal(mapping->on_error[ERROR_CLASS_CONFLICT], -1);
	mapping_free(mapping);
}

static void test_actions_that_make_no_sense(void **state)
{
	static const char *const words[] = {"DROP", "PARKED", "2", "RETRY,LOG"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		struct control_mapping row = good_row();
		struct mapping *mapping;

		row.on_error[ERROR_CLASS_ROW] = words[i];
		mapping = make(&row, &none);
		assert_int_equal(mapping->problem.kind, ERROR_CONFIG);
		assert_string_equal(
			mapping->problem.message,
			"table_mappings: mapping 7: 'on_row_error' must be "
			"'RETRY', 'SUSPEND', 'STOP', 'LOG' or 'PARK'");
		mapping_free(mapping);
	}
}

/* A server or a table cannot be put aside. */
static void test_actions_for_rows_alone(void **state)
{
	(void)state;
	for (int class = ERROR_CLASS_TABLE; class < ERROR_CLASSES; class ++) {
		struct control_mapping row = good_row();
		struct mapping *mapping;

		row.on_error[class] = class % 2 ? "PARK" : "LOG";
		mapping = make(&row, &none);
		assert_int_equal(mapping->problem.kind, ERROR_CONFIG);
		assert_holds(mapping->problem.message,
			     settings_class_key((enum error_class) class));
		assert_holds(mapping->problem.message,
			     "must be 'RETRY', 'SUSPEND' or 'STOP'");
		mapping_free(mapping);
	}
}

/* ------------------------------------------------------------- comparison */

static void change(int what, struct control_mapping *row,
		   struct control_snapshot *s, struct control_server *server)
{
	switch (what) {
	case 0:
		row->id = 8;
		break;
	case 1:
		row->server_id = 2;
		break;
	case 2:
		row->target_id = 2;
		break;
	case 3:
		row->paused = true;
		break;
	case 4:
		row->cdc_enabled = false;
		break;
	case 5:
		row->source_database = "other";
		break;
	case 6:
		row->source_schema = "other";
		break;
	case 7:
		row->source_table = "ST"; /* case counts */
		break;
	case 8:
		row->dest_database = "other";
		break;
	case 9:
		row->dest_schema = "other";
		break;
	case 10:
		row->dest_table = "other";
		break;
	case 11:
		row->key_columns = "id";
		break;
	case 12:
		row->trigger_column = "sync";
		break;
	case 17:
		row->suspended = true;
		break;
	case 18:
		row->on_error[ERROR_CLASS_CONFLICT] = "RETRY";
		break;
	case 13:
	case 14:
	case 15:
		*server = s->sources[0];
		server->name = what == 13 ? "renamed" : server->name;
		server->type = what == 14 ? "sqlserver" : server->type;
		server->connection_string =
			what == 15 ? "name=z" : server->connection_string;
		s->sources = server;
		s->source_count = 1;
		break;
	default:
		*server = s->targets[0];
		server->connection_string = "name=z";
		s->targets = server;
		s->target_count = 1;
		break;
	}
}

static void test_equal_field_by_field(void **state)
{
	(void)state;
	for (int what = 0; what <= 18; what++) {
		struct control_mapping row = good_row();
		struct control_snapshot s = snapshot();
		struct control_server server;
		struct mapping *a = make(&row, &none), *b = make(&row, &none);
		struct mapping *other;

		assert_true(mapping_equal(a, a));
		assert_true(mapping_equal(a, b));
		change(what, &row, &s, &server);
		other = mapping_new(&row, &s, &none);
		assert_non_null(other);
		if (mapping_equal(a, other) || mapping_equal(other, a))
			fail_msg("change %d is not seen", what);
		mapping_free(a);
		mapping_free(b);
		mapping_free(other);
	}
}

/* What other rows do, and whether it is enabled, makes no other mapping. */
static void test_equal_all_the_same(void **state)
{
	struct control_mapping row = good_row();
	struct control_server server = sources[0];
	struct control_snapshot s = snapshot();
	struct mapping *a = make(&row, &none), *b;

	(void)state;
	row.enabled = false;
	row.key_columns = "  ";
	server.enabled = false;
	s.sources = &server;
	s.source_count = 1;
	b = mapping_new(&row, &s, &none);
	assert_non_null(b);
	assert_true(mapping_equal(a, b));
	mapping_free(a);
	mapping_free(b);
}

static void test_default_target_changes(void **state)
{
	static const struct mapping_default_target other = {
		"sqlserver", "server=h2;user id=u", NULL};
	struct control_mapping row = good_row();
	struct mapping *a, *b;

	(void)state;
	row.target_id = 0;
	a = make(&row, &fallback);
	b = make(&row, &other);
	assert_false(mapping_equal(a, b));
	mapping_free(a);
	mapping_free(b);
}

static void test_origins(void **state)
{
	struct control_mapping row = good_row();
	struct mapping *a = make(&row, &none), *b;

	(void)state;
	row.dest_table = "elsewhere";
	row.id = 8;
	b = make(&row, &none);
	assert_string_equal(a->origin, b->origin); /* of the source alone */
	mapping_free(b);
	row.source_table = "st2";
	b = make(&row, &none);
	assert_string_not_equal(a->origin, b->origin);
	mapping_free(b);
	row = good_row();
	row.server_id = 2;
	b = make(&row, &none);
	assert_string_not_equal(a->origin, b->origin);
	mapping_free(b);
	mapping_free(a);
}

/*
 * Names of 128 characters are allowed, and a character may be three bytes: the
 * origins of two tables have to differ all the same, or one's checkpoint would
 * pass for the other's.
 */
static void test_origins_of_long_names(void **state)
{
	struct control_mapping row = good_row();
	struct mapping *a, *b;
	char name[3 * 128 + 1];

	(void)state;
	for (size_t i = 0; i < 128; i++)
		memcpy(name + 3 * i, "\xe8\xa1\xa8", 3);
	name[3 * 128] = '\0';
	row.source_database = row.source_schema = name;
	row.source_table = "first";
	a = make(&row, &none);
	row.source_table = "second";
	b = make(&row, &none);
	assert_true(is_utf8(a->name));
	assert_string_not_equal(a->origin, b->origin);
	mapping_free(a);
	mapping_free(b);
}

/* With SQL Server's two change logs, whose positions do not mix. */
static void test_change_sources(void **state)
{
	static const struct {
		const char *given, *want;
	} cases[] = {
		{NULL, "cdc"},
		{" ", "cdc"},
		{"CDC", "cdc"},
		{"Change_Tracking", "change_tracking"},
	};
	struct control_mapping row = good_row();
	struct mapping *first, *mapping;

	(void)state;
	row.server_id = 9;
	first = make(&row, &none);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		row.change_source = cases[i].given;
		mapping = make(&row, &none);
		assert_int_equal(mapping->problem.kind, ERROR_NONE);
		assert_string_equal(mapping->change_source, cases[i].want);
		assert_int_equal(mapping_equal(mapping, first),
				 !strcmp(cases[i].want, "cdc"));
		assert_int_equal(strcmp(mapping->origin, first->origin) == 0,
				 !strcmp(cases[i].want, "cdc"));
		assert_string_equal(mapping->name, first->name);
		mapping_free(mapping);
	}
	row.change_source = "binlog";
	mapping = make(&row, &none);
	assert_int_equal(mapping->problem.kind, ERROR_CONFIG);
	assert_holds(mapping->problem.message, "'binlog'");
	assert_holds(mapping->problem.message, "'cdc', 'change_tracking'");
	mapping_free(mapping);
	row.cdc_enabled = false; /* then it does not matter */
	mapping = make(&row, &none);
	assert_int_equal(mapping->problem.kind, ERROR_NONE);
	mapping_free(mapping);
	mapping_free(first);
}

static void test_enabled(void **state)
{
	static const struct {
		bool row;
		int server, target;
		bool want;
	} cases[] = {
		{true, 1, 1, true},  {false, 1, 1, false},
		{true, 2, 1, false}, {true, 1, 2, false},
		{true, 1, 0, true},  {true, 2, 0, false},
		{true, 99, 1, true}, /* then its worker says what is wrong */
		{true, 1, 99, true}, {false, 99, 99, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct control_snapshot s = snapshot();
		struct control_mapping row = good_row();

		row.enabled = cases[i].row;
		row.server_id = cases[i].server;
		row.target_id = cases[i].target;
		assert_int_equal(mapping_is_enabled(&row, &s), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_row),
		cmocka_unit_test(test_key_and_trigger),
		cmocka_unit_test(test_owns_its_strings),
		cmocka_unit_test(test_nulls_and_blanks),
		cmocka_unit_test(test_everything_null),
		cmocka_unit_test(test_bad_servers),
		cmocka_unit_test(test_default_target),
		cmocka_unit_test(test_name_of_a_server_may_be_missing),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_actions_that_make_no_sense),
		cmocka_unit_test(test_actions_for_rows_alone),
		cmocka_unit_test(test_equal_field_by_field),
		cmocka_unit_test(test_equal_all_the_same),
		cmocka_unit_test(test_default_target_changes),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_origins_of_long_names),
		cmocka_unit_test(test_change_sources),
		cmocka_unit_test(test_enabled),
	};

	return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}
