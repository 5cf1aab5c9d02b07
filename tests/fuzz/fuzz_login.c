/*
 * Connection strings of SQL Server, tds/login.h, and the freetds.conf that is
 * written from them, tds/conf.h.
 *
 * The file, read again as FreeTDS reads it, has one section with exactly the
 * keys and values that the login asks for: no value brings in a line, a key or
 * a comment, or is changed on the way. A login that wants a certificate
 * checked gets it checked. Neither the file nor a message has a secret.
 */
#include "fuzz/fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "tds/conf.h"

#define SECRET	 "CANARY"
#define KEYS_MAX 16

/* What FreeTDS sees in the file. */
struct section {
	size_t count;
	struct {
		char key[256];
		char value[256];
	} keys[KEYS_MAX];
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	private_folder();
	return 0;
}

/* Up to one of `ends`, blanks in a row becoming the first of them. */
static const char *squeeze(const char *s, const char *ends, char *out)
{
	char before = '\0';
	size_t len = 0;

	while (isspace((unsigned char)*s))
		s++;
	for (; *s && !strchr(ends, *s); before = *s++)
		if (!isspace((unsigned char)*s) ||
		    !isspace((unsigned char)before))
			out[len++] = *s;
	if (len && isspace((unsigned char)out[len - 1]))
		len--;
	out[len] = '\0';
	return s;
}

/* After tds_read_conf_section() of FreeTDS 1.3 (src/tds/config.c). */
static void read_conf(const char *name, struct section *section)
{
	char line[256], key[256], value[256];
	FILE *file = fopen(tds_conf_path(), "r");
	bool inside = false;

	HOLDS(file);
	section->count = 0;
	while (fgets(line, sizeof(line), file)) {
		const char *s = line + strspn(line, " \t\r\n\v\f");

		HOLDS(!strstr(line, SECRET));
		if (*s == ';' || *s == '#')
			continue;
		s = squeeze(s, "=", key);
		if (!key[0])
			continue;
		squeeze(*s ? s + 1 : s, ";#", value);
		if (key[0] == '[') {
			key[strcspn(key, "]")] = '\0';
			inside = !strcmp(key + 1, name);
			HOLDS(inside); /* there is one section */
		} else if (inside) {
			HOLDS(section->count < KEYS_MAX);
			strcpy(section->keys[section->count].key, key);
			strcpy(section->keys[section->count++].value, value);
		}
	}
	fclose(file);
}

/* The key is there once, with this value; it is taken out. */
static void expect(struct section *section, const char *key, const char *value)
{
	for (size_t i = 0; i < section->count; i++) {
		if (strcmp(section->keys[i].key, key))
			continue;
		HOLDS(!strcmp(section->keys[i].value, value));
		section->keys[i] = section->keys[--section->count];
		return;
	}
	HOLDS(!"the key is in the section");
}

static void expect_number(struct section *section, const char *key, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	expect(section, key, text);
}

static void expect_tls(struct section *section, const struct tds_login *login)
{
	static const char *const names[] = {
		[TDS_ENCRYPT_OFF] = "off",
		[TDS_ENCRYPT_REQUEST] = "request",
		[TDS_ENCRYPT_REQUIRE] = "require",
	};

	expect(section, "encryption", names[login->encryption]);
	if (login->encryption == TDS_ENCRYPT_OFF)
		return;
	expect(section, "check certificate hostname",
	       login->trust_certificate ? "no" : "yes");
	if (login->ca_file)
		/* Without a name FreeTDS would check nothing. */
		HOLDS(login->ca_file[strspn(login->ca_file, " \t\r\n\v\f")]);
	if (login->ca_file)
		expect(section, "ca file", login->ca_file);
	else if (login->encryption == TDS_ENCRYPT_REQUIRE &&
		 !login->trust_certificate)
		expect(section, "ca file", "system");
}

static void check_section(const struct tds_login *login, const char *name)
{
	struct section section;

	read_conf(name, &section);
	expect(&section, "host", login->host);
	if (login->port || !login->instance)
		expect_number(&section, "port",
			      login->port ? login->port : 1433);
	else
		expect(&section, "instance", login->instance);
	expect(&section, "tds version", "7.4");
	expect(&section, "client charset", "UTF-8");
	expect(&section, "initial block size", "16384");
	expect(&section, "text size", "2147483647");
	expect_number(&section, "connect timeout", login->login_timeout_s);
	expect(&section, "read-only intent", login->read_only ? "yes" : "no");
	expect_tls(&section, login);
	HOLDS(section.count == 0);
}

static void check_login(const struct tds_login *login)
{
	struct error err = ERROR_INIT;
	char address[320];

	HOLDS(login->host && *login->host && login->user && *login->user);
	HOLDS(login->port >= 0 && login->port <= 65535);
	HOLDS(login->login_timeout_s > 0 && login->query_timeout_s >= 0);
	HOLDS(login->password && strstr(login->password, SECRET));
	tds_login_address(login, address, sizeof(address));
	HOLDS(!strncmp(address, login->host,
		       strlen(login->host) < 300 ? strlen(login->host) : 300));
	(void)err;
}

static void check_conf(const struct tds_login *login)
{
	struct error err = ERROR_INIT;
	char name[TDS_CONF_NAME_MAX];

	HOLDS(tds_conf_init(&err) == 0);
	if (tds_conf_section(login, name, &err) == 0) {
		check_section(login, name);
	} else {
		check_error(&err);
		HOLDS(err.kind == ERROR_CONFIG && !strstr(err.message, SECRET));
	}
	tds_conf_release();
}

static void try(const char *text)
{
	struct tds_login login = {.login_timeout_s = 15}, copy;
	struct error err = ERROR_INIT;

	if (tds_login_parse(&login, text, &err) < 0) {
		check_error(&err);
		HOLDS(err.kind == ERROR_CONFIG && !strstr(err.message, SECRET));
		return;
	}
	check_login(&login);
	HOLDS(tds_login_copy(&copy, &login, NULL, &err) == 0);
	tds_login_release(&login);
	check_conf(&copy);
	tds_login_release(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	char *given = take_text(&in, size);
	struct strbuf text;

	/* Files and variables are fuzz_connstr's. */
	if (!strstr(given, "${") && !strstr(given, SECRET)) {
		strbuf_init(&text);
		strbuf_addf(&text, "password=" SECRET ";%s", given);
		try(text.data);
		strbuf_reset(&text);
		strbuf_addf(&text, "pwd='" SECRET "';server=h;uid=u;%s", given);
		try(text.data);
		strbuf_release(&text);
	}
	free(given);
	return 0;
}
