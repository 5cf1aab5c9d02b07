/*
 * The secret is never an argument, which every user of the machine could see,
 * and never in a buffer of stdio, which nobody would wipe.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/keyring.h"
#include "base/platform.h"
#include "base/secret.h"
#include "cli/command.h"

#define POLL_MS	  100
#define LINE_SIZE (SECRET_BYTES_MAX + 2) /* one too long is seen */

/* The next byte of stdin, EOF at its end; -1: cancelled. */
static int next_byte(struct cancel *cancel, int *byte, struct error *err)
{
	while (!platform_wait_input(POLL_MS))
		if (cancel_check(cancel, err) < 0)
			return -1;
	*byte = fgetc(stdin);
	return 0;
}

/* Up to the end of the line, which is left out. */
static int read_line(struct cancel *cancel, char line[LINE_SIZE],
		     struct error *err)
{
	size_t len = 0;
	int c;

	for (;;) {
		if (next_byte(cancel, &c, err) < 0)
			return -1;
		if (c == EOF || c == '\n')
			break;
		if (!c || len + 1 == LINE_SIZE)
			return error_set(err, ERROR_CONFIG,
					 "the secret is longer than %d bytes, "
					 "or has a NUL in it",
					 SECRET_BYTES_MAX);
		line[len++] = (char)c;
	}
	if (len && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	if (!len)
		return error_set(err, ERROR_CONFIG,
				 "no secret was given; type it, or send it to "
				 "stdin");
	return 0;
}

static int ask(struct cancel *cancel, const char *prompt, char line[LINE_SIZE],
	       struct error *err)
{
	int ret;

	fprintf(stderr, "%s", prompt);
	ret = read_line(cancel, line, err);
	fprintf(stderr, "\n");
	return ret;
}

/* Nobody sees a slip of the finger, so it is typed twice. */
static int ask_twice(struct cancel *cancel, char line[LINE_SIZE],
		     struct error *err)
{
	char again[LINE_SIZE];
	int ret = -1;

	if (ask(cancel, "Secret: ", line, err) == 0 &&
	    ask(cancel, "Again: ", again, err) == 0)
		ret = 0;
	if (ret == 0 && strcmp(line, again) != 0)
		ret = error_set(err, ERROR_CONFIG,
				"the two secrets are not the same; try again");
	OPENSSL_cleanse(again, sizeof(again));
	return ret;
}

/* What comes by a pipe is one line: a second one would be lost. */
static int read_piped(struct cancel *cancel, char line[LINE_SIZE],
		      struct error *err)
{
	int c;

	if (read_line(cancel, line, err) < 0)
		return -1;
	if (feof(stdin))
		return 0;
	if (next_byte(cancel, &c, err) < 0)
		return -1;
	return c == EOF ? 0
			: error_set(err, ERROR_CONFIG,
				    "the secret has more than one line");
}

static int read_secret(struct cancel *cancel, char line[LINE_SIZE],
		       struct error *err)
{
	int ret;

	setvbuf(stdin, NULL, _IONBF, 0);
	if (!platform_hide_input(true))
		return read_piped(cancel, line, err);
	ret = ask_twice(cancel, line, err);
	platform_hide_input(false);
	return ret;
}

static enum exit_code make_key(void)
{
	struct error err = ERROR_INIT;
	char id[KEYRING_ID_SIZE];

	if (keyring_make_file(id, &err) < 0)
		return command_failed(&err, EXIT_FAILED);
	printf("Key %s is in file '%s'. Whoever has it can read the secrets, "
	       "and nobody\nwithout it: keep a copy in a safe place.\n",
	       id, keyring_file());
	return EXIT_FINE;
}

/* Without a key nobody need type anything. */
static int check_key(struct error *err)
{
	struct keyring ring;

	if (keyring_read(&ring, err) < 0)
		return -1;
	keyring_wipe(&ring);
	return 0;
}

static enum exit_code run(const struct options *options)
{
	struct error err = ERROR_INIT;
	char line[LINE_SIZE];
	struct strbuf text;
	int rc;

	if (options->new_key)
		return make_key();
	if (check_key(&err) < 0)
		return command_failed(&err, EXIT_FAILED);
	strbuf_init(&text);
	rc = read_secret(options->cancel, line, &err);
	if (rc == 0)
		rc = secret_encrypt(line, &text, &err);
	OPENSSL_cleanse(line, sizeof(line));
	if (rc == 0)
		puts(text.data);
	strbuf_release(&text);
	return rc == 0 ? EXIT_FINE : command_failed(&err, EXIT_FAILED);
}

static const struct option_info own[] = {
	{"new-key", 0, OPTION_FLAG, offsetof(struct options, new_key), NULL,
	 "make the key file, unless there is one"},
	{"key-file", 0, OPTION_TEXT, offsetof(struct options, given.key_file),
	 "FILE",
	 "the key; default DATAFLOW_KEY_FILE, key_file of\n"
	 "the settings, " KEYRING_DEFAULT_FILE},
	{.name = NULL},
};

const struct command command_encrypt = {
	.name = "encrypt",
	.summary = "encrypt a password for a connection string",
	.help = "Asks for a secret, or reads it from stdin, and prints what "
		"can stand in its place:\nenc:... as the whole value of a key, "
		"as in password=enc:... The daemon needs the\nsame key file.\n",
	.options = own,
	.takes_secret = true,
	.run = run,
};
