#include "fuzz/dblib.h"

#include <stdio.h>
#include <string.h>

#include <sybfront.h>
#include <sybdb.h>
#include <syberror.h>

#include "tds/conf.h"

#ifndef SYBUNIQUE
#define SYBUNIQUE 36
#endif

#define COLUMNS_MAX 24

struct column {
	int type;
	DBTYPEINFO info;
	unsigned char *data; /* NULL: a NULL */
	size_t len;
};

struct tds_dblib_dbprocess {
	BYTE *user_data;
	bool dead;
	bool failed; /* the statement */
	char statement[8];
	unsigned results; /* that are still to come */
	unsigned rows;	  /* of the result at hand */
	struct column columns[COLUMNS_MAX];
	size_t column_count;
	const void *bulk;
	DBINT bulk_len;
};

struct tds_dblib_loginrec {
	int nothing;
};

/* Size 0: of any length. */
static const struct {
	int type;
	size_t size;
} types[] = {
	{SYBINT4, 4},
	{SYBVARCHAR, 0},
	{SYBVARBINARY, 0},
	{SYBINT8, 8},
	{SYBBIT, 1},
	{SYBINT1, 1},
	{SYBINT2, 2},
	{SYBREAL, 4},
	{SYBFLT8, 8},
	{SYBNUMERIC, sizeof(DBNUMERIC)},
	{SYBDECIMAL, sizeof(DBNUMERIC)},
	{SYBMONEY, 8},
	{SYBMONEY4, 4},
	{SYBDATETIME, 8},
	{SYBDATETIME4, 4},
	{SYBMSDATE, sizeof(DBDATETIMEALL)},
	{SYBMSTIME, sizeof(DBDATETIMEALL)},
	{SYBMSDATETIME2, sizeof(DBDATETIMEALL)},
	{SYBMSDATETIMEOFFSET, sizeof(DBDATETIMEALL)},
	{SYBUNIQUE, 16},
	{SYBBINARY, 0},
	{SYBIMAGE, 0},
	{SYBTEXT, 0},
};

#define TYPES (sizeof(types) / sizeof(*types))

/* What a catalog would say, so that the input need not find the words. */
static const char *const words[] = {
	"id",	     "a",	  "b",
	"int",	     "bigint",	  "tinyint",
	"bit",	     "decimal",	  "money",
	"datetime2", "datetime",  "date",
	"varchar",   "nvarchar",  "nvarchar(max)",
	"varbinary", "timestamp", "uniqueidentifier",
	"geography", "xml",	  "SQL_Latin1_General_CP1_CI_AS",
	"dbo_t",     "sqlserver", "2026-01-31T13:00:59.1234567",
	"swap",
};

static const int message_numbers[] = {208, 313, 1205, 2627, 4060, 229, 50000};

static struct input *answers;
static EHANDLEFUNC on_error;
static MHANDLEFUNC on_message;

void dblib_answer_from(struct input *in)
{
	answers = in;
}

/* -------------------------------------------------------------- the answers */

static void forget_values(DBPROCESS *db)
{
	for (size_t i = 0; i < COLUMNS_MAX; i++) {
		free(db->columns[i].data);
		db->columns[i].data = NULL;
	}
}

static void refuse(DBPROCESS *db)
{
	int number = message_numbers[take_below(
		answers, sizeof(message_numbers) / sizeof(*message_numbers))];
	int severity = 11 + (int)take_below(answers, 14);
	char *text = take_text(answers, 40);

	db->failed = true;
	on_message(db, number, 1, severity, text, text, text, 1);
	free(text);
}

static void hang_up(DBPROCESS *db)
{
	db->failed = true;
	db->dead = true;
	on_error(db, 9, SYBESEOF, 0, (char *)(uintptr_t) "end of file", NULL);
}

/* The session's own options are always taken. */
static void begin_answer(DBPROCESS *db)
{
	forget_values(db);
	db->failed = false;
	db->results = 0;
	db->rows = 0;
	db->column_count = 0;
	if (!answers || !strncmp(db->statement, "SET ANS", 7))
		return;
	switch (take_below(answers, 16)) {
	case 15:
		refuse(db);
		break;
	case 14:
		hang_up(db);
		break;
	case 13:
		break;
	case 12:
		db->results = 2;
		break;
	default:
		db->results = 1;
	}
}

static void begin_result(DBPROCESS *db)
{
	unsigned like;

	db->column_count = take_below(answers, COLUMNS_MAX + 1);
	db->rows = (unsigned)take_below(answers, 8);
	/* Many columns of one type, or each as it comes. */
	like = take_byte(answers);
	for (size_t i = 0; i < db->column_count; i++) {
		db->columns[i].type =
			types[like < TYPES ? like : take_below(answers, TYPES)]
				.type;
		db->columns[i].info.precision = 38;
		db->columns[i].info.scale = (DBINT)(like & 31);
	}
}

static size_t size_of(int type)
{
	size_t i = 0;

	while (types[i].type != type)
		i++;
	return types[i].size;
}

static void set_value(struct column *column, const void *data, size_t len)
{
	column->data = malloc(len ? len : 1);
	HOLDS(column->data);
	if (len)
		memcpy(column->data, data, len);
	column->len = len;
}

static void read_value(struct column *column)
{
	size_t size = size_of(column->type), len;
	unsigned form = take_byte(answers);
	unsigned char *bytes;
	const char *word;
	uint64_t number;

	switch (form) {
	case 0:
		return;
	case 1: /* a small number, or a word */
		number = take_byte(answers);
		word = words[number % (sizeof(words) / sizeof(*words))];
		if (size)
			set_value(column, &number,
				  size < sizeof(number) ? size
							: sizeof(number));
		else
			set_value(column, word, strlen(word));
		return;
	case 2: /* shorter than it should be */
		bytes = take_bytes(answers, size ? size - 1 : 1, &len);
		break;
	default:
		bytes = take_bytes(answers, size ? size : form, &len);
	}
	set_value(column, bytes, len);
	free(bytes);
}

/* ---------------------------------------------------------------- statements */

RETCODE dbinit(void)
{
	return SUCCEED;
}

void dbexit(void)
{
}

EHANDLEFUNC dberrhandle(EHANDLEFUNC handler)
{
	on_error = handler;
	return NULL;
}

MHANDLEFUNC dbmsghandle(MHANDLEFUNC handler)
{
	on_message = handler;
	return NULL;
}

void dbsetifile(char *filename)
{
	(void)filename;
}

LOGINREC *dblogin(void)
{
	return calloc(1, sizeof(LOGINREC));
}

void dbloginfree(LOGINREC *login)
{
	free(login);
}

RETCODE dbsetlname(LOGINREC *login, const char *value, int which)
{
	(void)login;
	(void)value;
	(void)which;
	return SUCCEED;
}

RETCODE dbsetllong(LOGINREC *login, long value, int which)
{
	(void)login;
	(void)value;
	(void)which;
	return SUCCEED;
}

RETCODE dbsetlbool(LOGINREC *login, int value, int which)
{
	(void)login;
	(void)value;
	(void)which;
	return SUCCEED;
}

DBPROCESS *tdsdbopen(LOGINREC *login, const char *server, int msdblib)
{
	(void)login;
	(void)server;
	(void)msdblib;
	return calloc(1, sizeof(DBPROCESS));
}

void dbclose(DBPROCESS *db)
{
	forget_values(db);
	free(db);
}

DBBOOL dbdead(DBPROCESS *db)
{
	return db->dead;
}

int dbiordesc(DBPROCESS *db)
{
	(void)db;
	return -1;
}

void dbsetuserdata(DBPROCESS *db, BYTE *ptr)
{
	db->user_data = ptr;
}

BYTE *dbgetuserdata(DBPROCESS *db)
{
	return db->user_data;
}

void dbsetinterrupt(DBPROCESS *db, DB_DBCHKINTR_FUNC check,
		    DB_DBHNDLINTR_FUNC handle)
{
	(void)db;
	(void)check;
	(void)handle;
}

void dbfreebuf(DBPROCESS *db)
{
	db->statement[0] = '\0';
}

RETCODE dbcmd(DBPROCESS *db, const char cmdstring[])
{
	snprintf(db->statement, sizeof(db->statement), "%s", cmdstring);
	return SUCCEED;
}

RETCODE dbsqlsend(DBPROCESS *db)
{
	if (db->dead)
		return FAIL;
	begin_answer(db);
	return SUCCEED;
}

RETCODE dbrpcinit(DBPROCESS *db, const char rpcname[], DBSMALLINT options)
{
	(void)rpcname;
	(void)options;
	db->statement[0] = '\0';
	return SUCCEED;
}

RETCODE dbrpcparam(DBPROCESS *db, const char paramname[], BYTE status, int type,
		   DBINT maxlen, DBINT datalen, BYTE *value)
{
	(void)db;
	(void)paramname;
	(void)status;
	(void)type;
	(void)maxlen;
	/* What is to be sent has to be there. */
	HOLDS(datalen <= 0 || value);
	return SUCCEED;
}

RETCODE dbrpcsend(DBPROCESS *db)
{
	return dbsqlsend(db);
}

RETCODE dbsqlok(DBPROCESS *db)
{
	return db->failed ? FAIL : SUCCEED;
}

RETCODE dbcancel(DBPROCESS *db)
{
	forget_values(db);
	db->results = 0;
	db->rows = 0;
	return db->dead ? FAIL : SUCCEED;
}

/* ------------------------------------------------------------------- results */

RETCODE dbresults(DBPROCESS *db)
{
	forget_values(db);
	if (db->failed)
		return FAIL;
	if (!db->results)
		return NO_MORE_RESULTS;
	db->results--;
	begin_result(db);
	return SUCCEED;
}

int dbnumcols(DBPROCESS *db)
{
	return (int)db->column_count;
}

STATUS dbnextrow(DBPROCESS *db)
{
	forget_values(db);
	if (!db->rows)
		return NO_MORE_ROWS;
	db->rows--;
	if (answers->len && *answers->data == 0xff) {
		take_byte(answers);
		refuse(db);
		return FAIL;
	}
	for (size_t i = 0; i < db->column_count; i++)
		read_value(&db->columns[i]);
	return REG_ROW;
}

/* A column that the result does not have is an error, as in db-lib. */
static struct column *find_column(DBPROCESS *db, int number)
{
	if (number >= 1 && (size_t)number <= db->column_count)
		return &db->columns[number - 1];
	on_error(db, 9, SYBECNOR, 0,
		 (char *)(uintptr_t) "Column number out of range", NULL);
	return NULL;
}

BYTE *dbdata(DBPROCESS *db, int number)
{
	struct column *column = find_column(db, number);

	return column ? column->data : NULL;
}

DBINT dbdatlen(DBPROCESS *db, int number)
{
	struct column *column = find_column(db, number);

	if (!column)
		return -1;
	return column->data ? (DBINT)column->len : 0;
}

int dbcoltype(DBPROCESS *db, int number)
{
	struct column *column = find_column(db, number);

	return column ? column->type : -1;
}

DBTYPEINFO *dbcoltypeinfo(DBPROCESS *db, int number)
{
	struct column *column = find_column(db, number);

	return column ? &column->info : NULL;
}

/* ----------------------------------------------------------------- bulk loads */

RETCODE bcp_init(DBPROCESS *db, const char *tblname, const char *hfile,
		 const char *errfile, int direction)
{
	(void)tblname;
	(void)hfile;
	(void)errfile;
	(void)direction;
	db->failed = false;
	return db->dead ? FAIL : SUCCEED;
}

RETCODE bcp_options(DBPROCESS *db, int option, BYTE *value, int valuelen)
{
	(void)db;
	(void)option;
	(void)value;
	(void)valuelen;
	return SUCCEED;
}

RETCODE bcp_bind(DBPROCESS *db, BYTE *varaddr, int prefixlen, DBINT varlen,
		 BYTE *terminator, int termlen, int type, int table_column)
{
	(void)db;
	(void)varaddr;
	(void)prefixlen;
	(void)varlen;
	(void)terminator;
	(void)termlen;
	(void)type;
	(void)table_column;
	return SUCCEED;
}

RETCODE bcp_colptr(DBPROCESS *db, BYTE *colptr, int table_column)
{
	if (table_column == 1)
		db->bulk = colptr;
	return SUCCEED;
}

RETCODE bcp_collen(DBPROCESS *db, DBINT varlen, int table_column)
{
	if (table_column == 1)
		db->bulk_len = varlen;
	return SUCCEED;
}

RETCODE bcp_sendrow(DBPROCESS *db)
{
	return db->dead ? FAIL : SUCCEED;
}

DBINT bcp_batch(DBPROCESS *db)
{
	if (answers && take_below(answers, 8) == 7)
		refuse(db);
	return 0;
}

DBINT bcp_done(DBPROCESS *db)
{
	return bcp_batch(db);
}

/* -------------------------------------------------------- for the fuzzers */

struct tds *dblib_connection(void)
{
	static struct tds *conn;
	struct tds_login login = {.login_timeout_s = 1};
	struct error err = ERROR_INIT;

	if (conn)
		return conn;
	private_folder();
	HOLDS(tds_conf_init(&err) == 0 && tds_init(&err) == 0);
	HOLDS(tds_login_parse(&login, "server=h;uid=u", &err) == 0);
	HOLDS(tds_open(&conn, &login, NULL, &err) == 0);
	tds_login_release(&login);
	return conn;
}

void dblib_show(struct tds *conn, int type, int precision, int scale,
		const void *data, size_t len)
{
	DBPROCESS *db = tds_handle(conn);
	struct column *column = &db->columns[0];

	forget_values(db);
	db->column_count = 1;
	column->type = type;
	column->info.precision = precision;
	column->info.scale = scale;
	if (data)
		set_value(column, data, len);
}

const void *dblib_bulk_value(struct tds *conn, size_t *len)
{
	DBPROCESS *db = tds_handle(conn);

	*len = db->bulk_len < 0 ? 0 : (size_t)db->bulk_len;
	return db->bulk_len ? db->bulk : NULL;
}
