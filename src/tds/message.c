/*
 * What SQL Server's error numbers mean to us. Numbers from sys.messages and
 * from the documentation of transient faults in Azure SQL Database. A number
 * that is not listed is taken by its severity: 20 and more ended the
 * connection, the rest is the server's refusal and final.
 */
#include "tds/message.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <sybdb.h>
#include <syberror.h>

#include "base/text.h"

/* Of a longer text SQL Server sends so many characters, and an ellipsis. */
#define MESSAGE_CUT 2044

static const struct {
	int number;
	enum error_kind kind;
	bool retryable;
} known[] = {
	/* The login and the database. */
	{4060, ERROR_CONNECTION, false},
	{18401, ERROR_CONNECTION, true}, /* server is upgrading */
	{18452, ERROR_CONNECTION, false},
	{18456, ERROR_CONNECTION, false},
	{18470, ERROR_CONNECTION, false},
	{18486, ERROR_CONNECTION, false},
	{18487, ERROR_CONNECTION, false},
	{18488, ERROR_CONNECTION, false},
	{911, ERROR_CONNECTION, false},
	{924, ERROR_CONNECTION, true}, /* single user */
	{926, ERROR_CONNECTION, true},
	{927, ERROR_CONNECTION, true},	/* restoring */
	{976, ERROR_CONNECTION, true},	/* not readable now */
	{978, ERROR_CONNECTION, false}, /* needs read-only intent */
	{983, ERROR_CONNECTION, true},
	{9001, ERROR_CONNECTION, true},
	{17142, ERROR_CONNECTION, true}, /* paused */
	{6005, ERROR_CONNECTION, true},	 /* shutting down */
	{40143, ERROR_CONNECTION, true},
	{40197, ERROR_CONNECTION, true},
	{40501, ERROR_CONNECTION, true},
	{40540, ERROR_CONNECTION, true},
	{40613, ERROR_CONNECTION, true},
	{42108, ERROR_CONNECTION, true},
	{42109, ERROR_CONNECTION, true},
	{49918, ERROR_CONNECTION, true},
	{49919, ERROR_CONNECTION, true},
	{49920, ERROR_CONNECTION, true},
	{10928, ERROR_CONNECTION, true},
	{10929, ERROR_CONNECTION, true},
	/* Others are in the way, or the server is short of something. */
	{1205, ERROR_SERVER, true},  /* deadlock victim */
	{1204, ERROR_SERVER, true},  /* out of locks */
	{1222, ERROR_SERVER, true},  /* lock time-out */
	{1105, ERROR_SERVER, true},  /* filegroup full */
	{1101, ERROR_SERVER, true},  /* no page left */
	{9002, ERROR_SERVER, true},  /* log full */
	{3906, ERROR_SERVER, true},  /* read-only, as after a failover */
	{3960, ERROR_SERVER, true},  /* snapshot update conflict */
	{3961, ERROR_SERVER, true},  /* DDL during a snapshot */
	{13535, ERROR_SERVER, true}, /* temporal row of a later transaction */
	{3966, ERROR_SERVER, true},  /* version store row gone */
	{3967, ERROR_SERVER, true},  /* version store full */
	{701, ERROR_SERVER, true},   /* out of memory */
	{802, ERROR_SERVER, true},
	{8645, ERROR_SERVER, true}, /* memory grant time-out */
	{8651, ERROR_SERVER, true},
	{596, ERROR_CONNECTION, true}, /* killed */
	{10054, ERROR_CONNECTION, true},
	/* Objects and columns. */
	{207, ERROR_SCHEMA, false},
	{208, ERROR_SCHEMA, false},
	{213, ERROR_SCHEMA, false},
	{2812, ERROR_SCHEMA, false},
	{1088, ERROR_SCHEMA, false},
	{3701, ERROR_SCHEMA, false},
	{4701, ERROR_SCHEMA, false},
	{4902, ERROR_SCHEMA, false},
	{4924, ERROR_SCHEMA, false},
	{15248, ERROR_SCHEMA, false},
	{2714, ERROR_SCHEMA, false},
	{2760, ERROR_SCHEMA, false}, /* schema missing or not permitted */
	/* Rights. */
	{229, ERROR_PERMISSION, false},
	{230, ERROR_PERMISSION, false},
	{262, ERROR_PERMISSION, false},
	{297, ERROR_PERMISSION, false},
	{300, ERROR_PERMISSION, false},
	{371, ERROR_PERMISSION, false},
	{916, ERROR_PERMISSION, false},
	{4834, ERROR_PERMISSION, false},
	{15247, ERROR_PERMISSION, false},
	{22904, ERROR_PERMISSION, false},
	/* Values. */
	{220, ERROR_DATA, false},
	{232, ERROR_DATA, false},
	{241, ERROR_DATA, false},
	{242, ERROR_DATA, false},
	{244, ERROR_DATA, false},
	{245, ERROR_DATA, false},
	{248, ERROR_DATA, false},
	{235, ERROR_DATA, false},
	{295, ERROR_DATA, false},
	{511, ERROR_DATA, false}, /* the row is too long for a page */
	{515, ERROR_DATA, false},
	{547, ERROR_DATA, false},
	{1505, ERROR_DATA, false},
	{1946, ERROR_DATA, false}, /* an index entry is too long */
	{2601, ERROR_DATA, false},
	{2627, ERROR_DATA, false},
	{2628, ERROR_DATA, false},
	{4815, ERROR_DATA, false},
	{4863, ERROR_DATA, false},
	{8114, ERROR_DATA, false},
	{8115, ERROR_DATA, false},
	{8134, ERROR_DATA, false},
	{8152, ERROR_DATA, false},
	{8169, ERROR_DATA, false}, /* no uniqueidentifier */
	{7139, ERROR_DATA, false}, /* max text repl size */
};

/* The last place where `needle` stands in `s`, NULL if nowhere. */
static char *find_last(char *s, const char *needle)
{
	char *found = NULL;

	while ((s = strstr(s, needle)))
		found = s++;
	return found;
}

/*
 * These messages repeat a value of the row: 2627 "... The duplicate key value
 * is (...).", 1505 likewise, 2628 "... Truncated value: '...'.", 220 and 232
 * "Arithmetic overflow error for type int, value = ....", 245 "Conversion
 * failed when converting the varchar value '...' to data type int.", 244 and
 * 248 "The conversion of the varchar value '...' overflowed ...". The value
 * may itself hold any of these words, so what follows it is searched for from
 * the end, unless that was cut off: then nothing tells where the value ends.
 */
static void hide_values(char *text, bool cut)
{
	static const char *const tails[] = {
		" The duplicate key value is ",
		" Truncated value: ",
		", value = ",
	};
	static const char *const after[] = {"' to data type ", "' overflowed ",
					    "' to "};
	char *value = strstr(text, " value '");
	char *at, *end = NULL;

	for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
		at = strstr(text, tails[i]);
		/* Both: one of them is a value's own word. */
		if (at && value && value < at)
			at = value + strlen(" value");
		if (at)
			*at = '\0';
	}
	value = strstr(text, " value '");
	if (!value)
		return;
	value += strlen(" value");
	for (size_t i = 0; !cut && i < sizeof(after) / sizeof(*after); i++) {
		at = find_last(value, after[i]);
		if (at && (!end || at > end))
			end = at;
	}
	if (end)
		memmove(value, end + 1, strlen(end + 1) + 1);
	else
		*value = '\0';
}

void tds_message_to_error(struct error *err, int number, int severity,
			  const char *text)
{
	char clean[ERROR_MESSAGE_MAX];
	bool retryable = false;

	text_copy(clean, sizeof(clean), text);
	hide_values(clean, strlen(text) >= MESSAGE_CUT);
	error_set(err, severity >= 20 ? ERROR_CONNECTION : ERROR_SERVER,
		  "%s (SQL Server error %d)", clean, number);
	err->native = number;
	retryable = severity >= 20;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (known[i].number != number)
			continue;
		err->kind = known[i].kind;
		retryable = known[i].retryable;
	}
	err->retryable = retryable;
}

void tds_library_to_error(struct error *err, int number, int os_error,
			  const char *text, const char *os_text)
{
	enum error_kind kind = ERROR_CONNECTION;

	switch (number) {
	case SYBETIME:
		text = "the server did not answer in time";
		break;
	case SYBECONN:
		text = "cannot connect";
		break;
	case SYBEREAD:
	case SYBESEOF:
	case SYBEDDNE:
		text = "the connection was lost while reading";
		break;
	case SYBEWRIT:
		text = "the connection was lost while sending";
		break;
	case SYBECSYN:
	case SYBECOFL:
	case SYBECUFL:
	case SYBERDCN:
		kind = ERROR_DATA;
		break;
	case SYBEMEM:
		kind = ERROR_MEMORY;
		break;
	default:
		break;
	}
	if (os_error && os_text && kind == ERROR_CONNECTION)
		error_set(err, kind, "%s: %s (FreeTDS error %d)", text, os_text,
			  number);
	else
		error_set(err, kind, "%s (FreeTDS error %d)", text, number);
	err->native = number;
}
