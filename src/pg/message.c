/*
 * What SQLSTATEs mean to us, from the manual's appendix 'PostgreSQL Error
 * Codes'. The first line that fits counts: whole codes stand before their
 * class.
 */
#include "pg/message.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct {
	const char *prefix;
	enum error_kind kind;
	bool retryable;
} known[] = {
	/* The connection. */
	{"08P01", ERROR_SERVER, false}, /* a protocol violation */
	{"08", ERROR_CONNECTION, true},
	{"28", ERROR_CONNECTION, false},    /* the login is refused */
	{"3D000", ERROR_CONNECTION, false}, /* no such database */
	{"53300", ERROR_CONNECTION, true},  /* too many connections */
	{"57P04", ERROR_CONNECTION, false}, /* the database was dropped */
	{"57P", ERROR_CONNECTION, true},    /* shut down, crashed, starting */
	{"25P03", ERROR_CONNECTION, true},  /* was idle for too long */
	{"25P04", ERROR_CONNECTION, true},
	/* Trouble that passes. */
	{"25006", ERROR_SERVER, true}, /* read only, until it is promoted */
	{"40", ERROR_SERVER, true},    /* serialization, deadlock */
	{"53", ERROR_SERVER, true},    /* disk, memory */
	{"55006", ERROR_SERVER, true}, /* in use */
	{"55P03", ERROR_SERVER, true}, /* locked */
	{"57014", ERROR_SERVER, true}, /* somebody cancelled it */
	/* Tables, columns, types that are not as they should be. */
	{"3F000", ERROR_SCHEMA, false},
	{"428", ERROR_SCHEMA, false}, /* generated, wrong object type */
	{"42501", ERROR_PERMISSION, false},
	{"42601", ERROR_SERVER, false}, /* syntax: our own, or a condition's */
	{"42", ERROR_SCHEMA, false},
	{"54011", ERROR_SCHEMA, false}, /* too many columns */
	/* Values. */
	{"22023", ERROR_SERVER, false}, /* a parameter's, not a row's */
	{"22", ERROR_DATA, false},
	{"23", ERROR_DATA, false},
	{"44000", ERROR_DATA, false}, /* WITH CHECK OPTION */
	{"P0001", ERROR_DATA, false}, /* RAISE, in a trigger that refuses */
	{"54000", ERROR_DATA, false}, /* too long for an index */
};

static bool is_sqlstate(const char *s)
{
	for (int i = 0; i < 5; i++)
		if (!isdigit((unsigned char)s[i]) &&
		    !(s[i] >= 'A' && s[i] <= 'Z'))
			return false;
	return true;
}

static void classify(struct error *err, const char *sqlstate)
{
	text_copy(err->sqlstate, sizeof(err->sqlstate), sqlstate);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strncmp(sqlstate, known[i].prefix,
			    strlen(known[i].prefix)) != 0)
			continue;
		err->kind = known[i].kind;
		err->retryable = known[i].retryable;
		return;
	}
}

/* Cut the message off where `mark` stands, but for its first `keep` bytes. */
static void cut_at(char *text, const char *mark, size_t keep)
{
	char *at = strstr(text, mark);

	if (at)
		at[keep] = '\0';
}

/*
 * Messages of class 22 repeat the value: 'invalid input syntax for type
 * integer: "abc"', 'value "9999999999" is out of range for type integer',
 * 'invalid byte sequence for encoding "UTF8": 0xff'. The value may hold
 * anything, so that of the second only its end tells where it ends.
 */
static void hide_values(char *text)
{
	static const char *const marks[] = {": \"", ": 0x", ": '", " = "};
	char *value, *end;

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		cut_at(text, marks[i], 0);
	value = strstr(text, "value \"");
	end = value ? strrchr(text, '"') : NULL;
	if (!value)
		return;
	value += strlen("value ");
	if (end > value)
		memmove(value, end + 1 + (end[1] == ' '),
			strlen(end + 1 + (end[1] == ' ')) + 1);
	else
		*value = '\0';
}

void pg_message_to_error(struct error *err, const char *sqlstate,
			 const char *text, const char *hint)
{
	char clean[ERROR_MESSAGE_MAX];

	if (!sqlstate || strlen(sqlstate) != 5)
		sqlstate = "";
	text_copy(clean, sizeof(clean), text ? text : "it gave no reason");
	if (!strncmp(sqlstate, "22", 2) && strcmp(sqlstate, "22023") != 0)
		hide_values(clean);
	error_set(err, ERROR_SERVER, "%s", clean);
	if (*sqlstate) {
		char number[40];

		snprintf(number, sizeof(number), " (PostgreSQL error %s)",
			 sqlstate);
		text_append(err->message, sizeof(err->message), number);
	}
	if (hint && *hint && strncmp(sqlstate, "22", 2) != 0 &&
	    strncmp(sqlstate, "23", 2) != 0)
		error_append(err, hint);
	text_make_utf8(err->message);
	classify(err, sqlstate);
}

/* The last "  XXXXX: " of the text, taken out of it. */
static void take_sqlstate(char *text, char out[6])
{
	char *found = NULL;

	out[0] = '\0';
	for (char *s = strstr(text, ":  "); s; s = strstr(s + 1, ":  "))
		if (is_sqlstate(s + 3) && s[8] == ':' && s[9] == ' ')
			found = s + 3;
	if (!found)
		return;
	memcpy(out, found, 5);
	out[5] = '\0';
	memmove(found - 1, found + 7, strlen(found + 7) + 1);
}

void pg_login_failed_to_error(struct error *err, const char *text)
{
	char clean[ERROR_MESSAGE_MAX], sqlstate[6], number[40];
	char *end;

	text_copy(clean, sizeof(clean), text ? text : "");
	take_sqlstate(clean, sqlstate);
	/* "LOCATION:  auth_failed, auth.c:326", in whatever language. */
	end = strstr(clean, ".c:");
	while (end && end > clean && *end != '\n')
		end--;
	if (end)
		*end = '\0';
	for (end = clean; (end = strchr(end, '\n'));)
		*end = end[1] ? ';' : '\0';
	for (char *s = clean; *s; s++)
		if (*s == '\t')
			*s = ' ';
	error_set(err, ERROR_CONNECTION, "%s",
		  *clean ? clean : "the login failed without a reason");
	if (*sqlstate) {
		snprintf(number, sizeof(number), " (PostgreSQL error %s)",
			 sqlstate);
		text_append(err->message, sizeof(err->message), number);
		classify(err, sqlstate);
		err->kind = ERROR_CONNECTION;
	}
	text_make_utf8(err->message);
}
