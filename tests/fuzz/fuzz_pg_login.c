/*
 * Connection strings of PostgreSQL, pg/login.h.
 *
 * What is accepted has keywords that libpq knows, each once, and names a server
 * for messages. What a DBA writes as `key={value}` for a password arrives as it
 * is, and likewise what a variable puts into a URL. No message has a secret.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "pg/login.h"

#define SECRET "CANARY"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	setenv("PGHOST", "somewhere", 1);
	setenv("PGSYSCONFDIR", private_folder(), 1);
	setenv("HOME", private_folder(), 1);
	return 0;
}

static void check_login(const struct pg_login *login)
{
	char address[64];

	for (size_t i = 0; login->keywords[i]; i++) {
		HOLDS(login->values[i]);
		HOLDS(strcmp(login->keywords[i], "replication") != 0);
		HOLDS(strcmp(login->keywords[i], "client_encoding") != 0);
		for (size_t k = 0; k < i; k++)
			HOLDS(strcmp(login->keywords[i], login->keywords[k]) !=
			      0);
	}
	HOLDS(login->login_timeout_s >= 1 && login->login_timeout_s <= 3600);
	HOLDS(login->query_timeout_s >= 0);
	pg_login_address(login, address, sizeof(address));
	HOLDS(*address);
}

static void try(const char *text)
{
	struct pg_login login = {.login_timeout_s = 15};
	struct error err = ERROR_INIT;

	/* A file of the machine would find nothing about the parser. */
	if (strstr(text, "${"))
		return;
	if (pg_login_parse(&login, text, &err) < 0) {
		check_error(&err);
		HOLDS(err.kind == ERROR_CONFIG);
		HOLDS(!strstr(err.message, SECRET));
		HOLDS(!login.keywords);
		return;
	}
	check_login(&login);
	pg_login_release(&login);
}

/* A value of the input as a password; `text` has it. */
static void check_password(const char *text, const char *value)
{
	struct pg_login login = {.login_timeout_s = 15};
	struct error err = ERROR_INIT;

	HOLDS(pg_login_parse(&login, text, &err) == 0);
	HOLDS(!strcmp(pg_login_value(&login, "password"), value));
	HOLDS(!strcmp(pg_login_value(&login, "host"), "h"));
	check_login(&login);
	pg_login_release(&login);
}

static void check_values(struct input *in)
{
	char *value = take_text(in, 200);
	struct strbuf text;

	if (strstr(value, "${") || !strncmp(value, "enc:", 4)) {
		free(value);
		return;
	}
	strbuf_init(&text);
	strbuf_addstr(&text, "server=h;password={");
	for (const char *s = value; *s; s++)
		strbuf_addf(&text, *s == '}' ? "}}" : "%c", *s);
	strbuf_addch(&text, '}');
	check_password(text.data, value);
	if (*value) {
		setenv("FUZZ_PASSWORD", value, 1);
		check_password("postgresql://u:${env:FUZZ_PASSWORD}@h/d",
			       value);
	}
	strbuf_release(&text);
	free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	char *given = take_text(&in, size);
	struct strbuf text;

	in = (struct input){data, size};
	check_values(&in);
	strbuf_init(&text);
	if (!strstr(given, SECRET)) {
		try(given);
		strbuf_addf(&text, "%s;password=" SECRET, given);
		try(text.data);
		strbuf_reset(&text);
		strbuf_addf(&text, "postgresql://u:" SECRET "@h%s", given);
		try(text.data);
		strbuf_reset(&text);
		strbuf_addf(&text, "postgresql://%s:" SECRET "%s@h", given,
			    given);
		try(text.data);
	}
	strbuf_release(&text);
	free(given);
	return 0;
}
