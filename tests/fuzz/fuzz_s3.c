/*
 * What the S3 client reads that others wrote: lists and errors of servers, the
 * credentials that services send, profile files, connection strings.
 *
 * A list that is taken has keys without a NUL in the order that it was given,
 * sizes that are none below zero, folders where they belong. A server's words
 * are one line of UTF-8, and every judgement of them is an error with words.
 * Credentials and profiles are whole, and nothing that is refused is repeated.
 * Settings that are taken make a server with a host that can stand in a URL.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "s3/fault.h"
#include "s3/page.h"
#include "s3/profile.h"
#include "s3/server.h"
#include "s3/sources.h"

#define SECRET "CAN4RY" /* no word of letters, as codes are */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	json_setup();
	setenv("HOME", private_folder(), 1);
	setenv("AWS_REGION", "", 1);
	return 0;
}

static bool is_line(const char *s)
{
	for (const char *c = s; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return text_is_utf8(s, strlen(s));
}

static void check_page(const struct s3_page *page)
{
	const char *before = "";

	for (size_t i = 0; i < page->count; i++) {
		const struct s3_entry *entry = &page->entries[i];
		const char *key = s3_page_text(page, entry->key);

		HOLDS(entry->key && entry->key < page->text.len);
		HOLDS(entry->key + strlen(key) < page->text.len);
		HOLDS(entry->id < page->text.len);
		HOLDS(entry->info.size >= 0);
		if (entry->is_folder)
			HOLDS(strcmp(before, key) <= 0);
		before = key;
	}
}

static void try_page(const char *text, size_t len)
{
	struct error err = ERROR_INIT;
	struct s3_page page;

	s3_page_init(&page);
	/* Twice: a page is read into again. */
	for (int i = 0; i < 2; i++) {
		if (s3_page_read(&page, text, len, &err) == 0) {
			check_page(&page);
			continue;
		}
		check_error(&err);
		HOLDS(err.kind == ERROR_DATA);
	}
	s3_page_release(&page);
}

static void try_fault(const char *text, size_t len, int status)
{
	struct s3_fault fault;
	struct error err = ERROR_INIT;
	bool found = s3_fault_read(&fault, text, len);

	HOLDS(found == (fault.code[0] != '\0'));
	HOLDS(is_line(fault.code) && is_line(fault.message) &&
	      is_line(fault.region));
	fault.status = status;
	s3_fault_judge(&fault, "s3:PutObject", &err);
	check_error(&err);
}

static void check_credentials(struct s3_credentials *c)
{
	HOLDS(c->access_key && *c->access_key);
	HOLDS(c->secret_key && *c->secret_key);
	HOLDS(!c->session_token || *c->session_token);
	s3_credentials_release(c);
}

static void try_credentials(const char *text, size_t len)
{
	struct s3_credentials c = {.access_key = NULL};
	struct error err = ERROR_INIT;

	if (s3_credentials_from_json(&c, text, &err) == 0) {
		check_credentials(&c);
	} else {
		check_error(&err);
		HOLDS(!strstr(err.message, SECRET));
	}
	if (s3_credentials_from_xml(&c, text, len, &err) == 0) {
		check_credentials(&c);
	} else {
		check_error(&err);
		HOLDS(!strstr(err.message, SECRET));
	}
}

static void try_profile(const char *text, bool config)
{
	static const char *const names[] = {"default", "a", "b c"};
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < 3; i++) {
		struct s3_profile profile = {.found = false};
		int ret = s3_profile_parse(&profile,
					   config ? S3_PROFILE_CONFIG
						  : S3_PROFILE_CREDENTIALS,
					   text, names[i], &err);

		if (ret < 0) {
			check_error(&err);
			HOLDS(err.kind == ERROR_CONFIG);
			HOLDS(!strstr(err.message, SECRET));
		}
		HOLDS(profile.found || !profile.access_key);
		HOLDS(!profile.secret_key || *profile.secret_key);
		s3_profile_release(&profile);
	}
}

static void check_server(const struct s3_settings *settings)
{
	struct error err = ERROR_INIT;
	struct s3 *s3;

	if (s3_new(&s3, settings, &err) < 0) {
		check_error(&err);
		HOLDS(!strstr(err.message, SECRET));
		return;
	}
	for (const char *c = s3->host; *c; c++)
		HOLDS(*c > ' ' && *c <= '~' && !strchr("/@?#\\\"<>", *c));
	HOLDS(is_line(s3_name(s3)));
	s3_free(s3);
}

static void try_settings(const char *text)
{
	struct s3_settings settings;
	struct error err = ERROR_INIT;
	struct connstr cs;

	/* ${file:/dev/zero} would find nothing about the settings. */
	if (strstr(text, "${") || connstr_parse(&cs, text, &err) < 0)
		return;
	if (s3_settings_read(&settings, &cs, &err) == 0) {
		HOLDS(settings.bucket && settings.prefix);
		HOLDS(!*settings.prefix ||
		      settings.prefix[strlen(settings.prefix) - 1] == '/');
		HOLDS(*settings.prefix != '/');
		HOLDS(!settings.access_key == !settings.secret_key);
		HOLDS(settings.part_mb >= 5 && settings.attempts >= 1);
		check_server(&settings);
		s3_settings_release(&settings);
	} else {
		check_error(&err);
		HOLDS(err.kind == ERROR_CONFIG);
		HOLDS(!strstr(err.message, SECRET));
	}
	connstr_release(&cs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	unsigned kind = take_byte(&in);
	char *text = take_text(&in, size);
	size_t len = strlen(text);

	switch (kind % 5) {
	case 0:
		try_page(text, len);
		break;
	case 1:
		try_fault(text, len, kind >= 128 ? 200 : 503);
		break;
	case 2:
		try_credentials(text, len);
		break;
	case 3:
		try_profile(text, kind >= 128);
		break;
	default:
		try_settings(text);
	}
	free(text);
	return 0;
}
