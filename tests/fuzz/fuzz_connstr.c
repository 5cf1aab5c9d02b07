/*
 * Connection strings, base/connstr.h.
 *
 * Any values, written down in any of the three quotes, are read as exactly
 * these; with something behind a closing quote the string is refused. What was
 * parsed, written down again, parses to the same keys and values. No message repeats a value, be it written in the
 * string or fetched from the environment or from a file; keys are in the form
 * that the header promises.
 *
 * What is encrypted has a fuzzer of its own, fuzz_secret.c; here there is no
 * key for it. Of ${file:…} there is one file only that can be read: an input
 * that says /dev/zero would find nothing about the parser.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/connstr.h"
#include "base/strbuf.h"

#define SECRET	   "CANARY"
#define VALUES_MAX 4

static char secret_file[600];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	FILE *file;

	(void)argc;
	(void)argv;
	snprintf(secret_file, sizeof(secret_file), "%s/secret",
		 private_folder());
	file = fopen(secret_file, "w");
	HOLDS(file);
	fputs("}';\"" SECRET "\nsecond line\n", file);
	HOLDS(fclose(file) == 0);
	setenv("FUZZ_SECRET", "{';\"" SECRET, 1);
	return 0;
}

/* `${file:secret}` names the file; no other ${file:…} is left. */
static void direct_files(struct strbuf *out, const char *text)
{
	static const char file[] = "${file:";
	static const char known[] = "${file:secret}";

	while (*text) {
		if (!strncmp(text, known, strlen(known))) {
			strbuf_addf(out, "${file:%s}", secret_file);
			text += strlen(known);
		} else if (!strncmp(text, file, strlen(file))) {
			strbuf_addstr(out, "${fire:");
			text += strlen(file);
		} else {
			strbuf_addch(out, *text++);
		}
	}
}

static void print(struct strbuf *out, const struct connstr *cs)
{
	for (int i = 0; i < cs->count; i++) {
		strbuf_addf(out, "%s = {", cs->entries[i].key);
		for (const char *s = cs->entries[i].value; *s; s++)
			strbuf_addf(out, *s == '}' ? "}}" : "%c", *s);
		strbuf_addstr(out, "} ;");
	}
}

static void check_key(const char *key)
{
	HOLDS(*key);
	for (; *key; key++)
		HOLDS(!strchr(" \t\r\n\v\f_-=;", *key) &&
		      !(*key >= 'A' && *key <= 'Z'));
}

static void check_same(struct connstr *a, struct connstr *b)
{
	HOLDS(a->count == b->count);
	for (int i = 0; i < a->count; i++) {
		HOLDS(!strcmp(a->entries[i].key, b->entries[i].key));
		HOLDS(!strcmp(a->entries[i].value, b->entries[i].value));
	}
}

static bool expands(const struct connstr *cs)
{
	for (int i = 0; i < cs->count; i++)
		if (strstr(cs->entries[i].value, "${") ||
		    !strncmp(cs->entries[i].value, "enc:", 4))
			return true;
	return false;
}

static void check_round_trip(struct connstr *cs)
{
	struct error err = ERROR_INIT;
	struct connstr again;
	struct strbuf text;

	strbuf_init(&text);
	print(&text, cs);
	HOLDS(connstr_parse(&again, text.data, &err) == 0);
	check_same(cs, &again);
	connstr_release(&again);
	strbuf_release(&text);
}

/* Typed access, and what nobody asked for. */
static void check_access(struct connstr *cs)
{
	struct error err = ERROR_INIT;
	const char *value = cs->entries[0].value;
	const char *key = cs->entries[0].key;
	bool flag = false;
	int number = 5;

	if (!strchr(key, '|') && strlen(key) < 60)
		HOLDS(connstr_get(cs, key) == value);
	if (connstr_get_bool(cs, "encrypt", &flag, &err) < 0 ||
	    connstr_get_int(cs, "port", 1, 65535, &number, &err) < 0 ||
	    connstr_check_unused(cs, &err) < 0) {
		check_error(&err);
		HOLDS(err.kind == ERROR_CONFIG);
		if (!strstr(key, "canary"))
			HOLDS(!strstr(err.message, SECRET));
	}
	HOLDS(number >= 1 && number <= 65535);
}

/* `text` holds a secret, so no message may repeat it. */
static void try(const char *text)
{
	struct error err = ERROR_INIT;
	struct connstr cs;

	if (connstr_parse(&cs, text, &err) < 0) {
		check_error(&err);
		HOLDS(err.kind == ERROR_CONFIG);
		HOLDS(!strstr(err.message, SECRET));
		return;
	}
	HOLDS(cs.count > 0 && cs.count <= CONNSTR_KEYS_MAX);
	for (int i = 0; i < cs.count; i++)
		check_key(cs.entries[i].key);
	if (!expands(&cs))
		check_round_trip(&cs);
	check_access(&cs);
	connstr_release(&cs);
}

/* ------------------------------------------------------------ known values */

static void quote(struct strbuf *out, const char *value, const char *signs)
{
	strbuf_addch(out, signs[0]);
	for (; *value; value++) {
		if (*value == signs[1])
			strbuf_addch(out, *value);
		strbuf_addch(out, *value);
	}
	strbuf_addch(out, signs[1]);
}

/* Values of the input, and a string that has them. */
static void check_quotes(struct input *in)
{
	static const char *const signs[] = {"{}", "''", "\"\""};
	unsigned junk = take_byte(in);
	size_t count = take_below(in, VALUES_MAX) + 1;
	char *values[VALUES_MAX];
	struct error err = ERROR_INIT;
	struct connstr cs;
	struct strbuf text;
	bool spoiled;
	int rc;

	strbuf_init(&text);
	for (size_t i = 0; i < count; i++) {
		strbuf_addf(&text, "%sk%zu= ", i ? " ; " : "", i);
		values[i] = take_text(in, 100);
		/* Those stand for something else. */
		if (strstr(values[i], "${env:") ||
		    strstr(values[i], "${file:") ||
		    !strncmp(values[i], "enc:", 4))
			values[i][0] = '\0';
		quote(&text, values[i], signs[take_below(in, 3)]);
	}
	spoiled = junk > ' ' && junk < 0x7f && junk != ';' &&
		  text.data[text.len - 1] != (char)junk;
	if (spoiled)
		strbuf_addf(&text, "%s%c", junk & 1 ? " " : "", (char)junk);
	rc = connstr_parse(&cs, text.data, &err);
	HOLDS(rc == (spoiled ? -1 : 0));
	if (rc == 0) {
		HOLDS(cs.count == (int)count);
		for (size_t i = 0; i < count; i++)
			HOLDS(!strcmp(cs.entries[i].value, values[i]));
		connstr_release(&cs);
	}
	for (size_t i = 0; i < count; i++)
		free(values[i]);
	strbuf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	char *given = take_text(&in, size);
	struct strbuf text;

	in = (struct input){data, size};
	check_quotes(&in);
	/* The words of an input itself are no secret. */
	if (strstr(given, SECRET)) {
		free(given);
		return 0;
	}
	strbuf_init(&text);
	direct_files(&text, given);
	try(text.data);
	/* A name that is not set is told, and may be anything up to a }. */
	if (!strstr(given, "${")) {
		strbuf_addstr(&text, ";password=" SECRET);
		try(text.data);
		strbuf_reset(&text);
		strbuf_addf(&text, "password=" SECRET "%s", given);
		try(text.data);
	}
	strbuf_release(&text);
	free(given);
	return 0;
}
