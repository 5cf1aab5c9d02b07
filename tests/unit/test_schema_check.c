#include "unit/helper.h"

#include <stdio.h>
#include <string.h>

#include "engine/schema_check.h"
#include "unit/rows.h"
#include "unit/sqltype.h"

/* Both tables, and what the check made of them. */
struct check {
	struct table source, dest, shape;
	struct strbuf differences;
	struct error err;
	int rc;
};

static void check_begin(struct check *c)
{
	memset(c, 0, sizeof(*c));
	table_init(&c->source);
	table_init(&c->dest);
	table_init(&c->shape);
	strbuf_init(&c->differences);
}

static void check_run(struct check *c)
{
	c->rc = schema_check(&c->source, &c->dest, &c->shape, &c->differences,
			     &c->err);
}

static void check_end(struct check *c)
{
	table_release(&c->source);
	table_release(&c->dest);
	table_release(&c->shape);
	strbuf_release(&c->differences);
}

/* Does a column of SQL Server type `from` go into one of type `to`? */
static bool fits(const char *from, const char *to)
{
	struct catalog_column source = sqltype_column("c", from);
	struct catalog_column dest = sqltype_column("C", to);
	struct check c;
	bool ok;

	check_begin(&c);
	sqltype_describe(&c.source, "t", &source, 1, NULL);
	sqltype_describe(&c.dest, "t", &dest, 1, NULL);
	check_run(&c);
	ok = c.rc == 0;
	if (!ok) {
		assert_int_equal(c.err.kind, ERROR_SCHEMA);
		assert_holds(c.err.message, "'c'");
		assert_holds(c.err.message, from);
		assert_holds(c.err.message, to);
		assert_string_equal(strstr(c.err.message, c.differences.data),
				    c.differences.data);
	} else {
		assert_int_equal(c.shape.column_count, 1);
		assert_string_equal(c.shape.columns[0].name, "c");
		assert_int_equal(c.differences.len, 0);
	}
	check_end(&c);
	return ok;
}

/* Every value of the first has the same value in the second. */
static const char *const fitting[][2] = {
	{"bit", "bit"},
	{"bit", "tinyint"},
	{"bit", "int"},
	{"tinyint", "tinyint"},
	{"tinyint", "smallint"},
	{"tinyint", "int"},
	{"smallint", "int"},
	{"smallint", "bigint"},
	{"int", "bigint"},
	{"int", "decimal(10, 0)"},
	{"int", "decimal(12, 2)"},
	{"bigint", "decimal(19, 0)"},
	{"bigint", "decimal(38, 19)"},
	{"smallint", "decimal(5, 0)"},
	{"decimal(10, 2)", "decimal(10, 2)"},
	{"decimal(10, 2)", "numeric(10, 2)"},
	{"decimal(10, 2)", "decimal(12, 4)"},
	{"decimal(10, 2)", "decimal(38, 30)"},
	{"decimal(10, 2)", "decimal(11, 2)"},
	{"money", "decimal(19, 4)"},
	{"smallmoney", "money"},
	{"smallmoney", "decimal(10, 4)"},
	{"decimal(5, 2)", "smallmoney"},
	{"decimal(18, 4)", "money"},
	{"real", "float"},
	{"date", "date"},
	{"time(3)", "time(3)"},
	{"time(3)", "time(7)"},
	{"datetime2(0)", "datetime2(7)"},
	{"datetime", "datetime"},
	{"datetime", "datetime2(7)"},
	{"smalldatetime", "datetime"},
	{"smalldatetime", "datetime2(0)"},
	{"datetimeoffset(2)", "datetimeoffset(5)"},
	{"varchar(10)", "varchar(10)"},
	{"varchar(10)", "varchar(11)"},
	{"varchar(10)", "varchar(max)"},
	{"varchar(10)", "nvarchar(10)"},
	{"varchar(max)", "nvarchar(max)"},
	{"text", "varchar(max)"},
	{"ntext", "nvarchar(max)"},
	{"char(10)", "char(10)"},
	{"char(10)", "varchar(10)"},
	{"nchar(10)", "nvarchar(20)"},
	{"binary(4)", "varbinary(4)"},
	{"binary(4)", "binary(4)"},
	{"varbinary(4)", "varbinary(max)"},
	{"image", "varbinary(max)"},
	{"uniqueidentifier", "uniqueidentifier"},
	{"xml", "xml"},
	{"xml", "nvarchar(max)"},
	{"timestamp", "binary(8)"},
};

/* Some value of the first would be refused, cut, rounded or padded. */
static const char *const not_fitting[][2] = {
	{"tinyint", "bit"},
	{"smallint", "tinyint"}, /* 300 */
	{"int", "tinyint"},
	{"int", "smallint"},
	{"bigint", "int"},
	{"int", "bit"},
	{"int", "decimal(9, 0)"},
	{"int", "decimal(11, 2)"},
	{"bigint", "decimal(18, 0)"},
	{"int", "float"},
	{"int", "real"},
	{"int", "varchar(20)"},
	{"decimal(10, 2)", "decimal(10, 3)"},
	{"decimal(10, 2)", "decimal(10, 1)"},
	{"decimal(10, 2)", "decimal(9, 2)"},
	{"decimal(10, 2)", "int"},
	{"decimal(10, 2)", "float"},
	{"money", "smallmoney"},
	{"money", "decimal(18, 4)"},
	{"money", "decimal(19, 3)"},
	{"decimal(19, 4)", "money"},	  /* 999999999999999.9999 */
	{"decimal(10, 4)", "smallmoney"}, /* 999999.9999 */
	{"float", "real"},
	{"float", "decimal(38, 10)"},
	{"date", "time(7)"},
	{"time(7)", "time(3)"},
	{"datetime2(7)", "datetime2(6)"},
	{"datetime2(3)", "datetime"},	   /* .001 would be rounded */
	{"datetime2(0)", "datetime"},	   /* the year 1000 */
	{"datetime2(0)", "smalldatetime"}, /* seconds would be lost */
	{"datetime", "smalldatetime"},
	{"datetime", "datetime2(2)"},
	{"datetime2(7)", "datetimeoffset(7)"},
	{"datetimeoffset(7)", "datetime2(7)"},
	{"datetimeoffset(7)", "datetimeoffset(6)"},
	{"datetime", "date"},
	{"varchar(10)", "varchar(9)"},
	{"varchar(max)", "varchar(8000)"},
	{"text", "varchar(8000)"},
	{"nvarchar(10)", "nvarchar(9)"},
	{"varchar(10)", "char(10)"}, /* would be padded */
	{"char(10)", "char(12)"},
	{"char(10)", "varchar(9)"},
	{"varbinary(4)", "binary(4)"},
	{"binary(4)", "binary(8)"},
	{"binary(4)", "varbinary(3)"},
	{"varchar(10)", "varbinary(10)"},
	{"varbinary(10)", "varchar(10)"},
	{"varchar(10)", "int"},
	{"varchar(36)", "uniqueidentifier"},
	{"uniqueidentifier", "varchar(36)"},
	{"xml", "nvarchar(4000)"},
	{"nvarchar(max)", "xml"},
	{"varchar(10)", "datetime"},
};

static void test_what_fits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(fitting); i++)
		if (!fits(fitting[i][0], fitting[i][1]))
			fail_msg("%s does not go into %s", fitting[i][0],
				 fitting[i][1]);
}

static void test_what_does_not_fit(void **state)
{
	char all[1000] = "";
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(not_fitting); i++)
		if (fits(not_fitting[i][0], not_fitting[i][1]))
			len += (size_t)snprintf(
				all + len, sizeof(all) - len, "%s into %s; ",
				not_fitting[i][0], not_fitting[i][1]);
	if (len)
		fail_msg("these are said to fit: %s", all);
}

/* A table of one system into the same type of the same system. */
static void test_same_native_type(void **state)
{
	static const struct column column = {
		.name = "c", .type = ROW_TEXT, .native = "citext", .length = 0};
	static const struct column narrow = {
		.name = "c", .type = ROW_TEXT, .native = "citext", .length = 5};
	struct check c;

	(void)state;
	check_begin(&c);
	table_make(&c.source, "t", &column, 1, NULL);
	table_make(&c.dest, "t", &narrow, 1, NULL);
	check_run(&c);
	assert_int_equal(c.rc, -1); /* not known to be the same system */
	strbuf_reset(&c.differences);
	c.source.system = c.dest.system = "x";
	check_run(&c);
	assert_int_equal(c.rc, 0);
	check_end(&c);
}

/* A server that cuts what does not fit gets nothing that may not. */
static void test_types_that_cut(void **state)
{
	static const struct {
		const char *from, *to;
		bool pads, fits;
	} cases[] = {
		{"varchar(3)[]", "varchar(3)[]", false, true},
		{"varchar(3)[]", "varchar(10)[]", false, true},
		{"varchar(10)[]", "varchar(3)[]", false, false},
		{"varchar[]", "varchar(3)[]", false, false},
		{"varchar(3)", "varchar(3)[]", false, false},
		{"text[]", "varchar(3)[]", false, false},
		{"char(3)[]", "varchar(3)[]", false, false},
		{"bit(3)[]", "bit(5)[]", true, false},
		{"bit(3)[]", "bit(3)[]", true, true},
		{"numeric(60,10)", "numeric(60,10)", false, true},
		{"numeric(60,10)", "numeric(62,12)", false, true},
		{"numeric(60,10)", "numeric(60,12)", false, false},
		{"numeric(60,10)", "numeric(50,2)", false, false},
		{"numeric(60,10)", "numeric(60)", false, false},
		{"numeric(50,-2)", "numeric(52,0)", false, true},
		{"numeric(50,-2)", "numeric(50,-3)", false, false},
		{"numeric", "numeric(50,2)", false, false},
		{"interval(0)", "interval(3)", false, true},
		{"interval", "interval(3)", false, false},
		{"interval(3)", "interval day to second(3)", false, false},
		{"timetz(3)", "timetz(0)", false, false},
		{"geometry(Point,1)", "geometry(Point,2)", false, false},
		{"odd(1,2,3)", "odd(1,2,4)", false, false},
		{"odd(1", "odd(2", false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct column from = {.name = "c", .type = ROW_TEXT};
		struct column to = from;
		struct check c;

		from.native = cases[i].from;
		to.native = cases[i].to;
		to.cuts = true;
		to.pads = cases[i].pads;
		check_begin(&c);
		table_make(&c.source, "t", &from, 1, NULL);
		table_make(&c.dest, "t", &to, 1, NULL);
		c.source.system = c.dest.system = "x";
		check_run(&c);
		if ((c.rc == 0) != cases[i].fits)
			fail_msg("%s into %s", from.native, to.native);
		if (c.rc < 0)
			assert_holds(c.err.message, "without limits");
		c.source.system = "y"; /* whose words say nothing here */
		strbuf_reset(&c.differences);
		check_run(&c);
		assert_int_equal(c.rc, -1);
		check_end(&c);
	}
}

/* Generic types of other systems; both ways. */
/* Of any length only where it is a key, which has to be bounded there. */
static void test_keys_of_any_length(void **state)
{
	static const struct {
		struct column from, to;
		const char *key;
		bool fits;
	} cases[] = {
		{{.type = ROW_TEXT},
		 {.type = ROW_TEXT, .length = 9},
		 "c",
		 true},
		{{.type = ROW_TEXT},
		 {.type = ROW_TEXT, .length = 9},
		 NULL,
		 false},
		{{.type = ROW_BYTES},
		 {.type = ROW_BYTES, .length = 9},
		 "c",
		 true},
		{{.type = ROW_BYTES},
		 {.type = ROW_TEXT, .length = 9},
		 "c",
		 false},
		{{.type = ROW_TEXT, .length = 10},
		 {.type = ROW_TEXT, .length = 9},
		 "c",
		 false},
		{{.type = ROW_TEXT},
		 {.type = ROW_TEXT, .length = 9, .fixed = true},
		 "c",
		 false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct column from = cases[i].from, to = cases[i].to;
		struct check c;

		from.name = to.name = "c";
		check_begin(&c);
		table_make(&c.source, "t", &from, 1, cases[i].key);
		table_make(&c.dest, "t", &to, 1, cases[i].key);
		check_run(&c);
		assert_int_equal(c.rc, cases[i].fits ? 0 : -1);
		check_end(&c);
	}
}

static void test_generic_types(void **state)
{
	static const struct {
		struct column from, to;
		bool there, back;
	} cases[] = {
		{{.type = ROW_INT8}, {.type = ROW_INT16}, true, false},
		{{.type = ROW_UINT8}, {.type = ROW_INT8}, false, false},
		{{.type = ROW_UINT8}, {.type = ROW_INT16}, true, false},
		{{.type = ROW_UINT8}, {.type = ROW_UINT64}, true, false},
		{{.type = ROW_BOOL}, {.type = ROW_UINT8}, true, false},
		{{.type = ROW_UINT8},
		 {.type = ROW_DECIMAL, .precision = 3},
		 true,
		 false},
		{{.type = ROW_INT64}, {.type = ROW_UINT64}, false, false},
		{{.type = ROW_INT32}, {.type = ROW_UINT64}, false, false},
		{{.type = ROW_UINT64},
		 {.type = ROW_DECIMAL, .precision = 20},
		 true,
		 false},
		{{.type = ROW_UINT64},
		 {.type = ROW_DECIMAL, .precision = 19},
		 false,
		 false},
		{{.type = ROW_INT8},
		 {.type = ROW_DECIMAL, .precision = 3},
		 true,
		 false},
		{{.type = ROW_JSON}, {.type = ROW_TEXT}, true, false},
		{{.type = ROW_JSON},
		 {.type = ROW_TEXT, .length = 100},
		 false,
		 false},
		{{.type = ROW_JSON}, {.type = ROW_XML}, false, false},
		{{.type = ROW_JSON}, {.type = ROW_JSON}, true, true},
		{{.type = ROW_BOOL}, {.type = ROW_TEXT}, false, false},
		{{.type = ROW_DATE}, {.type = ROW_TIMESTAMP}, false, false},
		{{.type = ROW_UUID}, {.type = ROW_BYTES}, false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (int way = 0; way < 2; way++) {
			struct column from = way ? cases[i].to : cases[i].from;
			struct column to = way ? cases[i].from : cases[i].to;
			struct check c;

			from.name = to.name = "c";
			check_begin(&c);
			table_make(&c.source, "t", &from, 1, NULL);
			table_make(&c.dest, "t", &to, 1, NULL);
			check_run(&c);
			if ((c.rc == 0) !=
			    (way ? cases[i].back : cases[i].there))
				fail_msg("%s into %s, case %zu",
					 row_type_name(from.type),
					 row_type_name(to.type), i);
			check_end(&c);
		}
	}
}

static void test_nullability(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct column from = {
			.name = "c", .type = ROW_INT32, .nullable = i & 1};
		struct column to = {
			.name = "c", .type = ROW_INT32, .nullable = i & 2};
		struct check c;

		check_begin(&c);
		table_make(&c.source, "t", &from, 1, NULL);
		table_make(&c.dest, "t", &to, 1, NULL);
		c.source.system = c.dest.system = "x";
		check_run(&c);
		assert_int_equal(c.rc, i == 1 ? -1 : 0);
		if (i == 1)
			assert_holds(c.err.message, "NULL");
		check_end(&c);
	}
}

/* A table of `id` and one more column each way. */
static int check_columns(const struct column *from, const struct column *to,
			 const char *key, struct check *c)
{
	struct column source[2] = {{.name = "id", .type = ROW_INT32}};
	struct column dest[2] = {{.name = "id", .type = ROW_INT32}};

	if (from)
		source[1] = *from;
	if (to)
		dest[1] = *to;
	check_begin(c);
	table_make(&c->source, "t", source, from ? 2 : 1, key);
	table_make(&c->dest, "t", dest, to ? 2 : 1, NULL);
	check_run(c);
	return c->rc;
}

static void test_missing_columns(void **state)
{
	struct column extra = {.name = "x", .type = ROW_INT32};
	struct check c;

	(void)state;
	/* In the source only: whether it is NULL or not, rows would differ. */
	assert_int_equal(check_columns(&extra, NULL, NULL, &c), -1);
	assert_holds(c.err.message, "'x'");
	assert_holds(c.err.message, "missing");
	check_end(&c);
	extra.nullable = true;
	assert_int_equal(check_columns(&extra, NULL, NULL, &c), -1);
	check_end(&c);
	/* In the destination only: it has to do without a value. */
	assert_int_equal(check_columns(NULL, &extra, NULL, &c), 0);
	assert_int_equal(c.shape.column_count, 1);
	check_end(&c);
	extra.nullable = false;
	assert_int_equal(check_columns(NULL, &extra, NULL, &c), -1);
	assert_holds(c.err.message, "'x'");
	check_end(&c);
	extra.has_default = true;
	assert_int_equal(check_columns(NULL, &extra, NULL, &c), 0);
	check_end(&c);
	extra = (struct column){
		.name = "x", .type = ROW_INT32, .identity = true};
	assert_int_equal(check_columns(NULL, &extra, NULL, &c), 0);
	check_end(&c);
	extra = (struct column){
		.name = "x", .type = ROW_INT32, .computed = true};
	assert_int_equal(check_columns(NULL, &extra, NULL, &c), 0);
	check_end(&c);
	extra = (struct column){
		.name = "x", .type = ROW_BYTES, .generated = true};
	assert_int_equal(check_columns(NULL, &extra, NULL, &c), 0);
	check_end(&c);
}

/* What the source or the destination makes itself is not copied. */
static void test_made_columns(void **state)
{
	static const struct column plain = {
		.name = "x", .type = ROW_BYTES, .nullable = true};
	static const struct column computed = {.name = "x",
					       .type = ROW_BYTES,
					       .computed = true,
					       .nullable = true};
	static const struct column generated = {.name = "x",
						.type = ROW_BYTES,
						.generated = true,
						.nullable = true};
	static const struct column identity = {
		.name = "x", .type = ROW_INT32, .identity = true};
	static const struct column number = {.name = "x", .type = ROW_INT32};
	static const struct {
		const struct column *from, *to;
		size_t columns; /* of the shape; 0: refused */
	} cases[] = {
		{&plain, &plain, 2},	     {&computed, NULL, 1},
		{&computed, &computed, 1},   {&computed, &generated, 1},
		{&plain, &computed, 1},	     {&plain, &generated, 1},
		{&generated, &generated, 1}, {&generated, &computed, 1},
		{&generated, &plain, 2}, /* its values are carried */
		{&identity, &identity, 2},   {&identity, &number, 2},
		{&number, &identity, 2},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct check c;

		if (check_columns(cases[i].from, cases[i].to, "id", &c) < 0)
			fail_msg("case %zu: %s", i, c.err.message);
		if (c.shape.column_count != cases[i].columns)
			fail_msg("case %zu: the shape has %zu columns", i,
				 c.shape.column_count);
		assert_int_equal(c.shape.key_count, 1);
		check_end(&c);
	}
}

/*
 * A computed column of the source has a plain twin: nothing would fill it, for
 * change capture does not know computed values. Rows would differ, or be
 * refused.
 */
static void test_nobody_fills_it(void **state)
{
	struct column computed = {
		.name = "x", .type = ROW_INT32, .computed = true};
	struct column plain = {.name = "x", .type = ROW_INT32};
	struct check c;

	(void)state;
	for (int i = 0; i < 4; i++) {
		plain.nullable = i & 1;
		plain.has_default = i & 2;
		assert_int_equal(check_columns(&computed, &plain, "id", &c),
				 -1);
		assert_holds(c.err.message, "'x'");
		check_end(&c);
	}
}

static void test_unsupported(void **state)
{
	struct column odd = {.name = "x",
			     .type = ROW_BYTES,
			     .native = "geography",
			     .unsupported = true};
	struct column left_out = {.name = "x",
				  .type = ROW_INT32,
				  .native = "int",
				  .nullable = true,
				  .computed = true};
	struct check c;

	(void)state;
	assert_int_equal(check_columns(&odd, &odd, NULL, &c), -1);
	assert_holds(c.err.message, "geography");
	assert_holds(c.err.message, "a computed column of that name");
	check_end(&c);
	/* As the message says. */
	assert_int_equal(check_columns(&odd, &left_out, NULL, &c), 0);
	check_end(&c);
	assert_int_equal(check_columns(&odd, NULL, NULL, &c), -1);
	check_end(&c);
	/* In the destination only, where it may be NULL. */
	odd.nullable = true;
	assert_int_equal(check_columns(NULL, &odd, NULL, &c), 0);
	check_end(&c);
}

/* A key that is not copied could find no row. */
static void test_key_columns(void **state)
{
	struct column computed = {
		.name = "x", .type = ROW_INT32, .computed = true};
	struct column plain = {.name = "x", .type = ROW_INT32};
	struct check c;

	(void)state;
	assert_int_equal(check_columns(&computed, &computed, "x", &c), -1);
	assert_holds(c.err.message, "'x'");
	check_end(&c);
	assert_int_equal(check_columns(&plain, &computed, "id,x", &c), -1);
	check_end(&c);
	assert_int_equal(check_columns(&plain, &plain, "x,id", &c), 0);
	assert_int_equal(c.shape.key_count, 2);
	assert_int_equal(c.shape.key[0], 1);
	assert_int_equal(c.shape.key[1], 0);
	check_end(&c);
	assert_int_equal(check_columns(&plain, NULL, "x", &c), -1);
	check_end(&c);
}

/* The shape keeps the source's order and names, whatever the other's are. */
static void test_shape(void **state)
{
	static const struct column from[] = {
		{.name = "Id", .type = ROW_INT32},
		{.name = "sum", .type = ROW_INT32, .computed = true},
		{.name = "B", .type = ROW_TEXT, .nullable = true},
		{.name = "a", .type = ROW_DATE},
	};
	static const struct column to[] = {
		{.name = "A", .type = ROW_DATE},
		{.name = "more", .type = ROW_INT32, .nullable = true},
		{.name = "b", .type = ROW_TEXT, .nullable = true},
		{.name = "ID", .type = ROW_INT64},
	};
	struct check c;

	(void)state;
	check_begin(&c);
	table_make(&c.source, "src", from, 4, "a,Id");
	table_make(&c.dest, "dst", to, 4, NULL);
	check_run(&c);
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.shape.column_count, 3);
	assert_string_equal(c.shape.columns[0].name, "Id");
	assert_int_equal(c.shape.columns[0].type, ROW_INT32);
	assert_string_equal(c.shape.columns[1].name, "B");
	assert_string_equal(c.shape.columns[2].name, "a");
	assert_int_equal(c.shape.key_count, 2);
	assert_int_equal(c.shape.key[0], 2);
	assert_int_equal(c.shape.key[1], 0);
	assert_string_equal(c.shape.name.table, "src");
	check_end(&c);
}

/* One line each, all of them; the message has the first ones. */
static void test_full_list(void **state)
{
	struct column from[30], to[30];
	char names[30][16];
	struct check c;
	int lines = 0;

	(void)state;
	for (int i = 0; i < 30; i++) {
		snprintf(names[i], sizeof(names[i]), "column_%02d", i);
		from[i] = (struct column){
			.name = names[i], .type = ROW_INT64, .nullable = true};
		to[i] = (struct column){.name = names[i], .type = ROW_INT32};
	}
	check_begin(&c);
	table_make(&c.source, "src", from, 30, NULL);
	table_make(&c.dest, "dst", to, 29, NULL);
	check_run(&c);
	assert_int_equal(c.rc, -1);
	assert_int_equal(c.err.kind, ERROR_SCHEMA);
	assert_false(c.err.retryable);
	for (const char *s = c.differences.data; *s; s++)
		lines += *s == '\n';
	assert_int_equal(lines + 1, 2 * 29 + 1);
	for (int i = 0; i < 30; i++)
		assert_holds(c.differences.data, names[i]);
	assert_null(strchr(c.err.message, '\n'));
	assert_holds(c.err.message, "59 differences");
	assert_holds(c.err.message, "db.dbo.src");
	assert_holds(c.err.message, "column_00");
	assert_int_equal(c.shape.column_count, 0);
	check_end(&c);
}

static void test_one_difference_in_the_singular(void **state)
{
	struct column extra = {.name = "x", .type = ROW_INT32};
	struct check c;

	(void)state;
	assert_int_equal(check_columns(&extra, NULL, NULL, &c), -1);
	assert_holds(c.err.message, "1 difference:");
	check_end(&c);
}

static void test_shape_of_a_new_table(void **state)
{
	static const struct column columns[] = {
		{.name = "id", .type = ROW_INT32, .identity = true},
		{.name = "sum", .type = ROW_INT32, .computed = true},
		{.name = "t", .type = ROW_TEXT, .nullable = true},
	};
	struct column odd = {.name = "g",
			     .type = ROW_BYTES,
			     .native = "geography",
			     .unsupported = true};
	struct check c;

	(void)state;
	check_begin(&c);
	table_make(&c.source, "src", columns, 3, "id");
	assert_int_equal(
		schema_shape(&c.source, &c.shape, &c.differences, &c.err), 0);
	assert_int_equal(c.shape.column_count, 2);
	assert_string_equal(c.shape.columns[1].name, "t");
	assert_int_equal(c.shape.key_count, 1);
	check_end(&c);
	check_begin(&c);
	table_make(&c.source, "src", columns, 3, "sum");
	assert_int_equal(
		schema_shape(&c.source, &c.shape, &c.differences, &c.err), -1);
	assert_holds(c.differences.data, "'sum'");
	check_end(&c);
	check_begin(&c);
	table_make(&c.source, "src", &odd, 1, NULL);
	assert_int_equal(
		schema_shape(&c.source, &c.shape, &c.differences, &c.err), -1);
	assert_int_equal(c.err.kind, ERROR_SCHEMA);
	assert_holds(c.err.message, "geography");
	check_end(&c);
}

/* A destination that keeps microseconds takes finer ones, and that is told. */
static void test_losses(void **state)
{
	static const struct column from[] = {
		{.name = "t",
		 .type = ROW_TIMESTAMP,
		 .precision = 7,
		 .native = "datetime2(7)"},
		{.name = "z",
		 .type = ROW_TIMESTAMPTZ,
		 .precision = 3,
		 .native = "datetimeoffset(3)"},
	};
	struct column to[] = {from[0], from[1]};
	struct strbuf losses;
	struct check c;

	(void)state;
	check_begin(&c);
	to[0].precision = to[1].precision = 6;
	to[1].offsetless = true;
	table_make(&c.source, "t", from, 2, NULL);
	table_make(&c.dest, "t", to, 2, NULL);
	check_run(&c);
	assert_int_equal(c.rc, -1);
	check_end(&c);
	check_begin(&c);
	to[0].finest = true;
	table_make(&c.source, "t", from, 2, NULL);
	table_make(&c.dest, "t", to, 2, NULL);
	check_run(&c);
	assert_int_equal(c.rc, 0);
	strbuf_init(&losses);
	schema_losses(&c.shape, &c.dest, &losses);
	assert_holds(losses.data, "'t' (datetime2(7)) is rounded to 6 digits");
	assert_holds(losses.data, "'z' (datetimeoffset(3)) keeps its moment");
	strbuf_release(&losses);
	check_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_fits),
		cmocka_unit_test(test_what_does_not_fit),
		cmocka_unit_test(test_same_native_type),
		cmocka_unit_test(test_types_that_cut),
		cmocka_unit_test(test_keys_of_any_length),
		cmocka_unit_test(test_generic_types),
		cmocka_unit_test(test_nullability),
		cmocka_unit_test(test_missing_columns),
		cmocka_unit_test(test_made_columns),
		cmocka_unit_test(test_nobody_fills_it),
		cmocka_unit_test(test_unsupported),
		cmocka_unit_test(test_key_columns),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_full_list),
		cmocka_unit_test(test_one_difference_in_the_singular),
		cmocka_unit_test(test_shape_of_a_new_table),
		cmocka_unit_test(test_losses),
	};

	return cmocka_run_group_tests_name("schema check", tests, NULL, NULL);
}
