#include "contract/postgresql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/postgresql_log.h"

static const char *connection_string;
static struct pg *connections[2]; /* by side; between begin and end */

/* One of the odder names that a table can have. */
static const char *const names[LAB_TABLES] = {"main table", "other", "pair",
					      "bare", "wide"};

static const char *const columns[LAB_TABLES][4] = {
	{"id", "name", "n", "sync"},
	{"id", "name", "n", "sync"},
	{"a", "b", "v"},
	{"id", "name", "n", "sync"},
	{"id", "body"},
};

static const char *const definitions[LAB_TABLES] = {
	"id bigint NOT NULL PRIMARY KEY, name varchar(50), n int, sync boolean",
	"id bigint NOT NULL PRIMARY KEY, name varchar(50), n int, sync boolean",
	"a int NOT NULL, b varchar(20) NOT NULL, v int, PRIMARY KEY (b, a)",
	"id bigint NOT NULL, name varchar(50), n int, sync boolean",
	"id bigint NOT NULL PRIMARY KEY, body text",
};

void postgresql_lab_init(const char *string)
{
	connection_string = string;
}

/* ------------------------------------------------------------- connections */

static struct pg *log_in(enum pg_kind kind, const char *database,
			 struct error *err)
{
	struct pg_login login = {.login_timeout_s = 15, .query_timeout_s = 120};
	struct pg *conn = NULL;

	if (pg_login_parse(&login, connection_string, err) < 0)
		return NULL;
	if (pg_open(&conn, &login, kind, database, NULL, err) < 0)
		conn = NULL;
	pg_login_release(&login);
	return conn;
}

struct pg *postgresql_log_in(enum pg_kind kind, const char *database)
{
	struct error err = ERROR_INIT;
	struct pg *conn = log_in(kind, database, &err);

	if (!conn)
		fail_msg("%s: %s", database, err.message);
	return conn;
}

static void exec(struct pg *conn, const char *sql)
{
	struct error err = ERROR_INIT;

	if (pg_exec(conn, sql, &err) < 0)
		fail_msg("%.2000s: %s", sql, err.message);
}

__attribute__((format(printf, 1, 0))) static char *format_sql(
	const char *format, va_list ap)
{
	char text[16384];
	int len = vsnprintf(text, sizeof(text), format, ap);

	assert_true(len >= 0 && (size_t)len < sizeof(text));
	return strdup(text);
}

void postgresql_exec(enum lab_side side, const char *format, ...)
{
	char *sql;
	va_list ap;

	va_start(ap, format);
	sql = format_sql(format, ap);
	va_end(ap);
	exec(connections[side], sql);
	free(sql);
}

const char *postgresql_text(enum lab_side side, const char *format, ...)
{
	struct pg *conn = connections[side];
	struct error err = ERROR_INIT;
	char *sql;
	va_list ap;

	va_start(ap, format);
	sql = format_sql(format, ap);
	va_end(ap);
	if (pg_query(conn, sql, NULL, 0, &err) < 0)
		fail_msg("%.2000s: %s", sql, err.message);
	free(sql);
	return pg_get_text(conn, 0, 0);
}

/* ------------------------------------------------------------ preparations */

static bool make_database(struct pg *conn, const char *name, struct error *err)
{
	char sql[200];
	struct pg_param param = pg_text(name);
	int64_t rows =
		pg_query(conn, "SELECT 1 FROM pg_database WHERE datname = $1",
			 &param, 1, err);

	pg_finish(conn);
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
	return rows > 0 || (rows == 0 && pg_exec(conn, sql, err) == 0);
}

/* Make the databases; a word on stderr when that fails. */
static bool prepare(void)
{
	struct error err = ERROR_INIT;
	struct pg *conn = log_in(PG_ORDINARY, "postgres", &err);
	bool fine = conn && make_database(conn, PG_LAB_SOURCE_DATABASE, &err) &&
		    make_database(conn, PG_LAB_DEST_DATABASE, &err);

	pg_close(conn);
	if (!fine)
		fprintf(stderr, "the laboratory: %s\n", err.message);
	return fine;
}

/* What is left in both databases goes, whoever made it. */
static const char clean[] =
	"DO $$ DECLARE s record; BEGIN "
	"FOR s IN SELECT quote_ident(nspname) AS name FROM pg_namespace "
	"WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' "
	"LOOP EXECUTE 'DROP SCHEMA ' || s.name || ' CASCADE'; END LOOP; "
	"CREATE SCHEMA public; END $$";

static void begin(void)
{
	static const char *const database[] = {PG_LAB_SOURCE_DATABASE,
					       PG_LAB_DEST_DATABASE};

	for (int side = 0; side < 2; side++)
		connections[side] =
			postgresql_log_in(PG_ORDINARY, database[side]);
	postgresql_log_begin(connections[LAB_SOURCE]);
	exec(connections[LAB_SOURCE], clean);
	exec(connections[LAB_DEST], clean);
}

static void end(void)
{
	for (int side = 0; side < 2; side++) {
		pg_close(connections[side]);
		connections[side] = NULL;
	}
}

/* ------------------------------------------------------------------ tables */

static struct table_name name_of(enum lab_side side, enum lab_table table)
{
	struct table_name name = {side == LAB_SOURCE ? PG_LAB_SOURCE_DATABASE
						     : PG_LAB_DEST_DATABASE,
				  "public", names[table]};

	return name;
}

static void make(enum lab_side side, enum lab_table table)
{
	postgresql_exec(side, "CREATE TABLE public.\"%s\" (%s)", names[table],
			definitions[table]);
}

/* ----------------------------------------------------------------- changes */

/* One value as a literal. */
static void add_literal(struct strbuf *sql, enum lab_table table, size_t col,
			const char *text)
{
	const char *column = columns[table][col];

	if (!text || !strcmp(text, "NULL")) {
		strbuf_addstr(sql, "NULL");
		return;
	}
	strbuf_addch(sql, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			strbuf_addch(sql, '\'');
		strbuf_addch(sql, *text == '~' ? ' ' : *text);
	}
	strbuf_addf(sql, "'%s", !strcmp(column, "sync") ? "::boolean" : "");
}

/* Split at the bars; missing values become NULL. */
static void split(char *text, const char *values[4])
{
	for (size_t i = 0; i < 4; i++) {
		char *bar = text ? strchr(text, '|') : NULL;

		values[i] = text;
		if (bar)
			*bar++ = '\0';
		text = bar;
	}
}

static size_t column_count(enum lab_table table)
{
	size_t count = 0;

	while (count < 4 && columns[table][count])
		count++;
	return count;
}

/* In `format` @ is a column's name and ? its value. */
static void add_list(struct strbuf *sql, enum lab_table table,
		     const char *values[4], const char *format,
		     const char *between, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		strbuf_addstr(sql, i > from ? between : "");
		for (const char *f = format; *f; f++) {
			if (*f == '@')
				strbuf_addstr(sql, columns[table][i]);
			else if (*f == '?')
				add_literal(sql, table, i, values[i]);
			else
				strbuf_addch(sql, *f);
		}
	}
}

static void add_put(struct strbuf *sql, enum lab_table table,
		    const char *values[4])
{
	size_t count = column_count(table), keys = table == LAB_PAIR ? 2 : 1;

	strbuf_addf(sql, "INSERT INTO public.\"%s\" VALUES (", names[table]);
	add_list(sql, table, values, "?", ", ", 0, count);
	strbuf_addch(sql, ')');
	if (table == LAB_BARE)
		return;
	strbuf_addstr(sql, " ON CONFLICT (");
	add_list(sql, table, values, "@", ", ", 0, keys);
	strbuf_addstr(sql, ") DO UPDATE SET ");
	add_list(sql, table, values, "@ = ?", ", ", keys, count);
}

static void add_change(struct strbuf *sql, enum lab_table table, char *text)
{
	size_t count = column_count(table), keys = table == LAB_PAIR ? 2 : 1;
	char *fresh = *text == '=' ? strchr(text, '>') : NULL;
	const char *values[4], *other[4];

	if (fresh)
		*fresh++ = '\0';
	split(text + 1, values);
	if (*text == '-') {
		strbuf_addf(sql, "DELETE FROM public.\"%s\" WHERE ",
			    names[table]);
		add_list(sql, table, values, "@ = ?", " AND ", 0, keys);
	} else if (fresh) {
		split(fresh, other);
		strbuf_addf(sql, "UPDATE public.\"%s\" SET ", names[table]);
		add_list(sql, table, other, "@ = ?", ", ", 0, count);
		strbuf_addstr(sql, " WHERE ");
		add_list(sql, table, values, "@ = ?", " AND ", 0, keys);
	} else {
		add_put(sql, table, values);
	}
	strbuf_addstr(sql, "; ");
}

static void change(enum lab_table table, const char *changes)
{
	char *copy = strdup(changes), *text = copy;
	struct strbuf sql;

	assert_non_null(copy);
	strbuf_init(&sql);
	strbuf_addstr(&sql, "BEGIN; ");
	for (char *next = text; next; text = next) {
		next = strchr(text, ' ');
		if (next)
			*next++ = '\0';
		if (*text)
			add_change(&sql, table, text);
	}
	strbuf_addstr(&sql, "COMMIT");
	assert_int_equal(sql.failed, 0);
	exec(connections[LAB_SOURCE], sql.data);
	strbuf_release(&sql);
	free(copy);
}

static void refuse(bool refuse)
{
	postgresql_exec(LAB_DEST,
			refuse ? "ALTER TABLE public.\"%s\" "
				 "ADD CONSTRAINT not_13 CHECK (n <> 13) NOT "
				 "VALID"
			       : "ALTER TABLE public.\"%s\" "
				 "DROP CONSTRAINT not_13",
			names[LAB_MAIN]);
}

/* -------------------------------------------------------------------- rows */

static char *rows(enum lab_side side, enum lab_table table)
{
	struct pg *conn = connections[side];
	size_t count = column_count(table);
	struct error err = ERROR_INIT;
	struct strbuf sql, out;
	int64_t found;

	strbuf_init(&sql);
	strbuf_init(&out);
	strbuf_addstr(&sql, "SELECT ");
	for (size_t i = 0; i < count; i++)
		strbuf_addf(&sql, "%s%s%s", i ? ", " : "", columns[table][i],
			    !strcmp(columns[table][i], "sync") ? "::int" : "");
	strbuf_addf(&sql, " FROM public.\"%s\" ORDER BY %s, %s", names[table],
		    columns[table][0], columns[table][1]);
	found = pg_query(conn, sql.data, NULL, 0, &err);
	if (found < 0)
		fail_msg("%s: %s", sql.data, err.message);
	for (int64_t row = 0; row < found; row++)
		for (size_t i = 0; i < count; i++) {
			strbuf_addstr(&out, i ? "|" : "");
			strbuf_addstr(&out,
				      pg_null(conn, row, (int)i)
					      ? "NULL"
					      : pg_get_text(conn, row, (int)i));
			strbuf_addstr(&out, i + 1 == count ? "\n" : "");
		}
	pg_finish(conn);
	strbuf_release(&sql);
	return strbuf_detach(&out);
}

static int more(void)
{
	return postgresql_types() + postgresql_session() + postgresql_target();
}

const struct laboratory *postgresql_lab(void)
{
	static struct laboratory lab = {
		.driver = "postgresql",
		.prepare = prepare,
		.begin = begin,
		.end = end,
		.name = name_of,
		.make = make,
		.change = change,
		.refuse = refuse,
		.rows = rows,
		.settle = postgresql_settle,
		.purge_log = postgresql_purge_log,
		.far_ahead = postgresql_far_ahead,
		.more = more,
	};

	lab.source_string = lab.target_string = connection_string;
	return &lab;
}
