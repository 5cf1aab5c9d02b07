/* PostgreSQL's types as they come out of its source side. */
#include "contract/postgresql.h"

#include <stdlib.h>
#include <string.h>

#include "row/text.h"

#define SRC contract.src
#define OPS contract.src->ops

/* The table `public.typed`, read whole; a line each row, sorted. */
static void open_typed(bool native)
{
	struct error err = ERROR_INIT;
	struct source_spec spec = {
		.server = contract.from,
		.name = {PG_LAB_SOURCE_DATABASE, "public", "typed"},
		.native_text = native,
	};

	if (SRC)
		OPS->close(SRC);
	SRC = NULL;
	MUST(contract.driver->source->open(&spec, &SRC, &err));
	MUST(OPS->connect(SRC, &contract.cancel, &err));
}

static void make_typed(const char *columns)
{
	postgresql_exec(LAB_SOURCE,
			"DROP TABLE IF EXISTS public.typed; "
			"CREATE TABLE public.typed (%s)",
			columns);
}

/* A table of one column `v`; the type that it has, and what a value becomes. */
struct sample {
	const char *type, *value; /* as SQL */
	enum row_type row;
	int length, precision, scale;
	const char *text;
};

static void assert_sample(const struct sample *s, bool native)
{
	struct error err = ERROR_INIT;
	const struct column *c;
	struct strbuf text;
	struct table shape;
	struct batch batch;

	postgresql_exec(LAB_SOURCE,
			"DROP TABLE IF EXISTS public.typed; "
			"CREATE TABLE public.typed (v %s); "
			"INSERT INTO public.typed VALUES (%s), (NULL)",
			s->type, s->value);
	open_typed(native);
	describe_source(&shape);
	c = &shape.columns[0];
	if (c->type != s->row || c->length != s->length ||
	    c->precision != s->precision || c->scale != s->scale)
		fail_msg("%s is %s, length %d, (%d, %d)", s->type,
			 row_type_name(c->type), c->length, c->precision,
			 c->scale);
	MUST(OPS->read_begin(SRC, &shape, NULL, &err));
	MUST(batch_init(&batch, &shape, 10, 1 << 20, &err));
	if (OPS->next(SRC, &batch, &err) != 1)
		fail_msg("%s: %s", s->type, err.message);
	assert_int_equal(batch.rows, 2);
	assert_true(batch_null(&batch, 0, 1));
	strbuf_init(&text);
	row_format(&text, &batch, 0, 0);
	if (strcmp(text.data, s->text) != 0)
		fail_msg("%s %s: is %s", s->type, s->value, text.data);
	strbuf_release(&text);
	OPS->end(SRC);
	batch_release(&batch);
	table_release(&shape);
}

/* As any other system gets them. */
static const struct sample foreign[] = {
	{"boolean", "true", ROW_BOOL, 0, 0, 0, "1"},
	{"smallint", "-32768", ROW_INT16, 0, 0, 0, "-32768"},
	{"int", "2147483647", ROW_INT32, 0, 0, 0, "2147483647"},
	{"bigint", "-9223372036854775808", ROW_INT64, 0, 0, 0,
	 "-9223372036854775808"},
	{"oid", "4294967295", ROW_INT64, 0, 0, 0, "4294967295"},
	{"real", "'0.1'", ROW_FLOAT32, 0, 0, 0, "0.100000001"},
	{"double precision", "'-1e-300'", ROW_FLOAT64, 0, 0, 0, "-1e-300"},
	{"numeric(12,2)", "-1234567890.12", ROW_DECIMAL, 0, 12, 2,
	 "-1234567890.12"},
	{"numeric(12,2)", "0.5", ROW_DECIMAL, 0, 12, 2, "0.50"},
	{"numeric(38,38)", "0.00000000000000000000000000000000000001",
	 ROW_DECIMAL, 0, 38, 38, "0.00000000000000000000000000000000000001"},
	{"numeric(38,0)", "99999999999999999999999999999999999999", ROW_DECIMAL,
	 0, 38, 0, "99999999999999999999999999999999999999"},
	{"numeric(38,5)", "-999999999999999999999999999999999.99999",
	 ROW_DECIMAL, 0, 38, 5, "-999999999999999999999999999999999.99999"},
	{"numeric(10,0)", "1000000000", ROW_DECIMAL, 0, 10, 0, "1000000000"},
	{"numeric", "1.50", ROW_TEXT, 0, 0, 0, "1.50"},
	{"numeric", "'NaN'", ROW_TEXT, 0, 0, 0, "NaN"},
	{"numeric(50,10)",
	 "1234567890123456789012345678901234567890.0000000001", ROW_TEXT, 0, 0,
	 0, "1234567890123456789012345678901234567890.0000000001"},
	{"money", "'-1234.56'::money", ROW_DECIMAL, 0, 19, 2, "-1234.56"},
	{"date", "'0001-01-01'", ROW_DATE, 0, 0, 0, "0001-01-01"},
	{"date", "'9999-12-31'", ROW_DATE, 0, 0, 0, "9999-12-31"},
	{"time", "'23:59:59.999999'", ROW_TIME, 0, 6, 0, "23:59:59.999999"},
	{"time(0)", "'12:00'", ROW_TIME, 0, 0, 0, "12:00:00"},
	{"timestamp", "'9999-12-31 23:59:59.999999'", ROW_TIMESTAMP, 0, 6, 0,
	 "9999-12-31T23:59:59.999999"},
	{"timestamp(3)", "'1969-07-20 20:17:40.123'", ROW_TIMESTAMP, 0, 3, 0,
	 "1969-07-20T20:17:40.123"},
	{"timestamptz", "'2020-06-01 12:00+02'", ROW_TIMESTAMPTZ, 0, 6, 0,
	 "2020-06-01T10:00:00.000000+00:00"},
	{"timetz", "'12:00:00.5+02'", ROW_TEXT, 30, 0, 0, "12:00:00.5+02"},
	{"interval", "'1 year 2 days -00:00:01.5'", ROW_TEXT, 100, 0, 0,
	 "1 year 2 days -00:00:01.5"},
	{"uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", ROW_UUID, 0, 0, 0,
	 "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	{"bytea", "'\\x00ff10'", ROW_BYTES, 0, 0, 0, "0x00FF10"},
	{"text", "'z\xc3\xbcrich'", ROW_TEXT, 0, 0, 0, "z\xc3\xbcrich"},
	{"varchar(20)", "'abc '", ROW_TEXT, 20, 0, 0, "abc "},
	{"char(5)", "'ab'", ROW_TEXT, 5, 0, 0, "ab   "},
	{"name", "'n'", ROW_TEXT, 63, 0, 0, "n"},
	{"\"char\"", "'x'", ROW_TEXT, 4, 0, 0, "x"},
	{"json", "'{\"a\": 1,  \"a\": 2}'", ROW_JSON, 0, 0, 0,
	 "{\"a\": 1,  \"a\": 2}"},
	{"jsonb", "'{\"b\":[1, null], \"a\": \"x\"}'", ROW_JSON, 0, 0, 0,
	 "{\"a\": \"x\", \"b\": [1, null]}"},
	{"xml", "'<a>1</a>'", ROW_XML, 0, 0, 0, "<a>1</a>"},
	{"inet", "'10.0.0.1'", ROW_TEXT, 49, 0, 0, "10.0.0.1"},
	{"cidr", "'10.0.0.0/8'", ROW_TEXT, 49, 0, 0, "10.0.0.0/8"},
	{"macaddr", "'08:00:2b:01:02:03'", ROW_TEXT, 17, 0, 0,
	 "08:00:2b:01:02:03"},
	{"bit(3)", "B'101'", ROW_TEXT, 3, 0, 0, "101"},
	{"bit varying", "B'1'", ROW_TEXT, 0, 0, 0, "1"},
	{"int[]", "'{1,NULL,3}'", ROW_TEXT, 0, 0, 0, "{1,NULL,3}"},
	{"text[]", "ARRAY['a b', 'c\"d']", ROW_TEXT, 0, 0, 0,
	 "{\"a b\",\"c\\\"d\"}"},
	{"int4range", "'[1,5)'", ROW_TEXT, 0, 0, 0, "[1,5)"},
	{"point", "'(1.5,2)'", ROW_TEXT, 0, 0, 0, "(1.5,2)"},
	{"tsvector", "'a b'", ROW_TEXT, 0, 0, 0, "'a' 'b'"},
	{"regclass", "'pg_class'::regclass", ROW_TEXT, 0, 0, 0, "pg_class"},
	{"public.mood", "'very happy'", ROW_TEXT, 10, 0, 0, "very happy"},
	{"public.positive", "7", ROW_INT32, 0, 0, 0, "7"},
	{"public.short_list", "'{a}'", ROW_TEXT, 0, 0, 0, "{a}"},
	{"public.email", "'a@b'", ROW_TEXT, 30, 0, 0, "a@b"},
	{"public.pair", "ROW(1, 'x y')", ROW_TEXT, 0, 0, 0, "(1,\"x y\")"},
};

static void test_types(void **state)
{
	(void)state;
	postgresql_exec(
		LAB_SOURCE,
		"CREATE TYPE public.mood AS ENUM ('sad', 'very happy'); "
		"CREATE DOMAIN public.positive AS int CHECK (VALUE > 0); "
		"CREATE DOMAIN public.short_list AS varchar(3)[]; "
		"CREATE DOMAIN public.name30 AS varchar(30); "
		"CREATE DOMAIN public.email AS public.name30; "
		"CREATE TYPE public.pair AS (a int, b text)");
	for (size_t i = 0; i < COUNT_OF(foreign); i++)
		assert_sample(&foreign[i], false);
}

/* What only another PostgreSQL can hold comes to that one as it is. */
static void test_extended(void **state)
{
	static const struct sample samples[] = {
		{"numeric(10,2)", "'NaN'", ROW_DECIMAL, 0, 10, 2, "NaN"},
		{"date", "'infinity'", ROW_DATE, 0, 0, 0, "infinity"},
		{"date", "'-infinity'", ROW_DATE, 0, 0, 0, "-infinity"},
		{"date", "'4713-01-01 BC'", ROW_DATE, 0, 0, 0, "4713-01-01 BC"},
		{"date", "'5874897-12-31'", ROW_DATE, 0, 0, 0, "5874897-12-31"},
		{"time", "'24:00'", ROW_TIME, 0, 6, 0, "24:00:00.000000"},
		{"timestamp", "'infinity'", ROW_TIMESTAMP, 0, 6, 0, "infinity"},
		{"timestamp", "'294276-12-31 23:59:59.999999'", ROW_TIMESTAMP,
		 0, 6, 0, "294276-12-31T23:59:59.999999"},
		{"timestamp", "'4713-01-01 00:00:00 BC'", ROW_TIMESTAMP, 0, 6,
		 0, "4713-01-01T00:00:00 BC"},
		{"timestamptz", "'-infinity'", ROW_TIMESTAMPTZ, 0, 6, 0,
		 "-infinity"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(samples); i++) {
		struct error err = ERROR_INIT;
		struct table shape;
		struct batch batch;

		assert_sample(&samples[i], true);
		/* And to others it does not come at all. */
		open_typed(false);
		describe_source(&shape);
		MUST(OPS->read_begin(SRC, &shape, NULL, &err));
		MUST(batch_init(&batch, &shape, 10, 1 << 20, &err));
		MUST_FAIL(OPS->next(SRC, &batch, &err), ERROR_DATA);
		assert_non_null(strstr(err.message, "'v'"));
		assert_false(err.retryable);
		OPS->end(SRC);
		batch_release(&batch);
		table_release(&shape);
	}
}

/* --------------------------------------------------------------------- keys */

/* Read the rows with the keys that seek() found one after the other. */
static void assert_key_type(const char *type, const char *values, bool native,
			    size_t count)
{
	struct error err = ERROR_INIT;
	struct key_span all = {NULL, NULL}, from = {NULL, NULL};
	struct row_choice choice = {.keys = NULL};
	struct table shape, keys;
	const bool keep[] = {true, false};
	struct row_sum sum;
	size_t take[] = {0, 1};

	postgresql_exec(LAB_SOURCE,
			"DROP TABLE IF EXISTS public.typed; "
			"CREATE TABLE public.typed (k %s PRIMARY KEY, n int); "
			"INSERT INTO public.typed (k) VALUES %s",
			type, values);
	open_typed(native);
	describe_source(&shape);
	table_init(&keys);
	MUST(table_project(&keys, &shape, NULL, keep, &err));
	for (size_t i = 0; i <= count; i++) {
		struct batch key, row;
		size_t found = 0;
		int rc;

		MUST(batch_init(&key, &keys, 1, 1 << 16, &err));
		rc = OPS->seek(SRC, &keys, &all, false, i, &key, &err);
		if (rc < 0 || (rc > 0) != (i < count))
			fail_msg("%s: seek %zu: %d %s", type, i, rc,
				 err.message);
		if (rc == 0) {
			batch_release(&key);
			break;
		}
		choice.keys = &key;
		MUST(OPS->read_begin(SRC, &shape, &choice, &err));
		MUST(batch_init(&row, &shape, 10, 1 << 16, &err));
		while ((rc = OPS->next(SRC, &row, &err)) > 0) {
			found += row.rows;
			batch_reset(&row);
		}
		MUST(rc);
		OPS->end(SRC);
		if (found != 1)
			fail_msg("%s: %zu rows have key %zu", type, found, i);
		batch_release(&row);
		from.low = &key;
		MUST(OPS->digest(SRC, &shape, take, 2, &keys, &from, 100, &sum,
				 &err));
		if (sum.rows != count - i)
			fail_msg("%s: %d rows from key %zu on", type,
				 (int)sum.rows, i);
		batch_release(&key);
	}
	table_release(&keys);
	table_release(&shape);
}

static void test_keys_of_all_types(void **state)
{
	static const char *const plain[][2] = {
		{"int", "(-1), (0), (2147483647)"},
		{"numeric(10,2)", "(1.50), (-3), (1234567.89)"},
		{"numeric", "(1e100), ('NaN'), (0.001)"},
		{"real", "(0.1), ('NaN'), (1e30)"},
		{"float8", "(0.1), ('-Infinity'), ('Infinity')"},
		{"date", "('2020-01-01'), ('0001-01-01'), ('9999-12-31')"},
		{"time", "('00:00'), ('12:00:00.000001'), ('23:59:59')"},
		{"timestamp", "('2020-01-01'), ('2020-01-01 00:00:00.000001'), "
			      "('1700-01-01')"},
		{"timestamptz", "('2020-01-01'), ('2020-01-01 00:00+05'), "
				"('1700-01-01')"},
		{"uuid", "(md5('1')::uuid), (md5('2')::uuid), "
			 "(md5('3')::uuid)"},
		{"bytea", "('\\x'), ('\\x00'), ('\\xff22')"},
		{"text", "(''), ('a\"b\\c{},'), ('NULL')"},
		{"varchar(10)", "('a'), ('A'), ('\xc3\xa9')"},
		{"char(4)", "('a'), ('b '), ('abcd')"},
		{"inet", "('10.0.0.1'), ('10.0.0.1/8'), ('::1')"},
		{"int[]", "('{1}'), ('{1,2}'), ('{}')"},
		{"public.mood", "('sad'), ('ok'), ('very happy')"},
		{"interval", "('1 day'), ('1 mon'), ('-5 sec')"},
		{"bit(3)", "('101'), ('000'), ('111')"},
		{"money", "('1.50'), ('-3'), ('0')"},
		{"oid", "(1), (2), (4294967295)"},
		{"name", "('a'), ('b'), ('c')"},
		{"\"char\"", "('a'), ('b'), ('c')"},
	};
	static const char *const extended[][2] = {
		{"date", "('infinity'), ('0044-03-15 BC'), ('5874897-01-01')"},
		{"timestamp", "('infinity'), ('0044-03-15 12:00:00.5 BC'), "
			      "('294276-12-31 23:59:59.999999')"},
		{"timestamptz", "('-infinity'), ('0044-03-15 12:00:00+00 BC'), "
				"('294276-12-31 23:59:59.999999+00')"},
		{"numeric(10,2)", "('NaN'), (0), (1.5)"},
		{"time", "('24:00'), ('00:00'), ('12:00')"},
	};

	(void)state;
	postgresql_exec(LAB_SOURCE, "CREATE TYPE public.mood AS ENUM "
				    "('sad', 'ok', 'very happy')");
	for (size_t i = 0; i < COUNT_OF(plain); i++) {
		assert_key_type(plain[i][0], plain[i][1], false, 3);
		assert_key_type(plain[i][0], plain[i][1], true, 3);
	}
	assert_key_type("boolean", "(true), (false)", false, 2);
	for (size_t i = 0; i < COUNT_OF(extended); i++)
		assert_key_type(extended[i][0], extended[i][1], true, 3);
}

/* ------------------------------------------------------------ descriptions */

static void test_described_columns(void **state)
{
	const struct column *c;
	struct table shape;

	(void)state;
	make_typed("id int GENERATED ALWAYS AS IDENTITY UNIQUE, "
		   "a int NOT NULL DEFAULT 3, b int UNIQUE, "
		   "twice int GENERATED ALWAYS AS (a * 2) STORED, "
		   "t text COLLATE \"C\", gone int, UNIQUE (a, id)");
	postgresql_exec(LAB_SOURCE, "ALTER TABLE public.typed DROP gone");
	open_typed(false);
	describe_source(&shape);
	c = shape.columns;
	assert_int_equal(shape.column_count, 5);
	assert_true(c[0].identity && !c[0].nullable);
	assert_true(c[1].has_default && !c[1].nullable);
	assert_true(c[2].nullable);
	assert_true(c[3].computed && !c[3].has_default);
	assert_string_equal(c[4].collation, "pg_catalog.\"C\"");
	assert_string_equal(shape.system, "postgresql");
	/* The first unique index that cannot have NULLs. */
	assert_int_equal(shape.key_count, 1);
	assert_int_equal(shape.key[0], 0);
	table_release(&shape);
	make_typed("a int, b int NOT NULL");
	postgresql_exec(LAB_SOURCE,
			"CREATE UNIQUE INDEX ON public.typed (b) WHERE a > 0; "
			"CREATE UNIQUE INDEX ON public.typed ((b + 1)); "
			"CREATE UNIQUE INDEX ON public.typed (a); "
			"ALTER TABLE public.typed ADD UNIQUE (b) DEFERRABLE");
	open_typed(false);
	describe_source(&shape);
	assert_int_equal(shape.key_count, 0);
	table_release(&shape);
}

static char *read_typed(const struct row_choice *choice)
{
	struct error err = ERROR_INIT;
	struct table shape;
	char *text;

	describe_source(&shape);
	MUST(OPS->read_begin(SRC, &shape, choice, &err));
	text = read_all(&shape, 7, 1 << 20);
	sort_lines(text);
	OPS->end(SRC);
	table_release(&shape);
	return text;
}

static void assert_typed(const struct row_choice *choice, const char *want)
{
	char *got = read_typed(choice);

	assert_text(got, want);
	free(got);
}

static void test_partitions_and_views(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	postgresql_exec(LAB_SOURCE,
			"CREATE TABLE public.typed (id int PRIMARY KEY, "
			"s boolean) PARTITION BY RANGE (id); "
			"CREATE TABLE public.low PARTITION OF public.typed "
			"FOR VALUES FROM (0) TO (10); "
			"CREATE TABLE public.high PARTITION OF public.typed "
			"FOR VALUES FROM (10) TO (20); "
			"INSERT INTO public.typed VALUES (1, true), "
			"(11, true), (12, false); ANALYZE public.typed");
	open_typed(false);
	assert_typed(NULL, "+ 1|1\n+ 11|1\n+ 12|0\n");
	MUST(OPS->estimate(SRC, &rows, &err));
	assert_int_equal(rows, 3);
	OPS->close(SRC);
	SRC = NULL;
	postgresql_exec(LAB_SOURCE, "DROP TABLE public.typed; "
				    "CREATE VIEW public.typed AS "
				    "SELECT 5 AS id, 'x'::text AS t");
	open_typed(false);
	assert_typed(NULL, "+ 5|x\n");
	MUST(OPS->estimate(SRC, &rows, &err));
	OPS->close(SRC);
	SRC = NULL;
	postgresql_exec(LAB_SOURCE, "DROP VIEW public.typed");
}

/* Ranges are about as large as each other and hold every row once. */
static void test_split(void **state)
{
	struct error err = ERROR_INIT;
	struct key_range ranges[5];
	struct table shape;
	size_t total = 0;
	int count;

	(void)state;
	make_typed("k varchar(20) PRIMARY KEY, n int");
	postgresql_exec(LAB_SOURCE,
			"INSERT INTO public.typed SELECT 'k' || i, i "
			"FROM generate_series(1, 20000) AS i; "
			"ANALYZE public.typed");
	open_typed(false);
	describe_source(&shape);
	count = OPS->split(SRC, &shape, ranges, 5, &err);
	assert_int_equal(count, 5);
	for (int i = 0; i < count; i++) {
		struct row_choice choice = {.range = &ranges[i]};
		char *text;
		size_t rows = 0;

		MUST(OPS->read_begin(SRC, &shape, &choice, &err));
		text = read_all(&shape, 1000, 1 << 20);
		OPS->end(SRC);
		for (const char *s = text; *s; s++)
			rows += *s == '\n';
		assert_true(rows > 1000 && rows < 8000);
		total += rows;
		free(text);
	}
	assert_int_equal(total, 20000);
	table_release(&shape);
}

static void assert_part(struct source *src, struct table *shape,
			const struct key_range *range, size_t want)
{
	struct row_choice choice = {.range = range};
	struct error err = ERROR_INIT;
	struct batch batch;
	size_t rows = 0;
	int rc;

	MUST(src->ops->read_begin(src, shape, &choice, &err));
	MUST(batch_init(&batch, shape, 100, 1 << 20, &err));
	while ((rc = src->ops->next(src, &batch, &err)) > 0) {
		for (size_t i = 0; i < batch.rows; i++)
			rows += batch.columns[1].i64[i] == 0;
		batch_reset(&batch);
	}
	MUST(rc);
	src->ops->end(src);
	batch_release(&batch);
	assert_int_equal(rows, want);
}

/* The number that a range begins with, behind what names the load. */
static size_t bound_of(const struct position *low)
{
	char text[32] = "";

	assert_true(low->len > 16 && low->len < 16 + sizeof(text));
	memcpy(text, low->bytes + 16, low->len - 16);
	return (size_t)strtoul(text, NULL, 10);
}

/* The readers of a load see one moment, as long as any of them is there. */
static void test_parts_of_one_snapshot(void **state)
{
	struct error err = ERROR_INIT;
	struct source_spec spec = {
		.server = contract.from,
		.name = {PG_LAB_SOURCE_DATABASE, "public", "typed"},
	};
	struct key_range ranges[2];
	struct source *first, *second, *third;
	struct table shape;
	size_t low, high;

	(void)state;
	make_typed("k int PRIMARY KEY, n int");
	postgresql_exec(LAB_SOURCE, "INSERT INTO public.typed SELECT i, 0 "
				    "FROM generate_series(1, 1000) AS i");
	open_typed(false);
	describe_source(&shape);
	assert_int_equal(OPS->split(SRC, &shape, ranges, 2, &err), 2);
	low = bound_of(&ranges[1].low);
	assert_true(low > 1 && low < 1000);
	low--;
	high = 1000 - low;
	OPS->release(SRC);
	MUST(contract.driver->source->open(&spec, &first, &err));
	MUST(contract.driver->source->open(&spec, &second, &err));
	MUST(contract.driver->source->open(&spec, &third, &err));
	MUST(first->ops->connect(first, &contract.cancel, &err));
	assert_part(first, &shape, &ranges[0], low);
	postgresql_exec(LAB_SOURCE, "UPDATE public.typed SET n = 1");
	MUST(second->ops->connect(second, &contract.cancel, &err));
	assert_part(second, &shape, &ranges[1], high);
	assert_part(first, &shape, &ranges[1], high);
	first->ops->close(first);
	MUST(third->ops->connect(third, &contract.cancel, &err));
	assert_part(third, &shape, &ranges[0], low);
	third->ops->release(third);
	second->ops->close(second);
	/* With all of them gone it is another moment. */
	MUST(third->ops->connect(third, &contract.cancel, &err));
	assert_part(third, &shape, &ranges[0], 0);
	third->ops->close(third);
	table_release(&shape);
}

int postgresql_types(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, contract_setup, contract_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_types),
		TEST(test_extended),
		TEST(test_keys_of_all_types),
		TEST(test_described_columns),
		TEST(test_partitions_and_views),
		TEST(test_split),
		TEST(test_parts_of_one_snapshot),
	};

	return cmocka_run_group_tests_name("types of postgresql", tests, NULL,
					   NULL);
}
