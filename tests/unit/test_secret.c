#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/connstr.h"
#include "base/keyring.h"
#include "base/platform.h"
#include "base/secret.h"

/* 32 bytes each; the second's Base64 has signs that Base64url has not. */
#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="

#define PLAIN "CANARY;'\"}{=${env:HOME} \xc3\xa4"

static void use_keys(const char *content)
{
	struct error err = ERROR_INIT;

	unlink(path_of("key"));
	write_file(path_of("key"), content);
	assert_int_equal(chmod(path_of("key"), 0600), 0);
	MUST(keyring_set_file(path_of("key"), &err));
}

/* Encrypted with the first key, to be freed. */
static char *encrypt(const char *plain)
{
	struct error err = ERROR_INIT;
	struct strbuf out;

	strbuf_init(&out);
	MUST(secret_encrypt(plain, &out, &err));
	return strbuf_detach(&out);
}

static int decrypt(const char *text, struct error *err)
{
	struct strbuf out;
	bool old_key;
	int ret;

	strbuf_init(&out);
	strbuf_addstr(&out, "before");
	ret = secret_decrypt(text, &out, &old_key, err);
	if (ret < 0)
		assert_string_equal(out.data, "before");
	secret_release(&out);
	return ret;
}

/* -------------------------------------------------------------- round trips */

static void check_round_trip(const char *plain)
{
	struct error err = ERROR_INIT;
	char *text = encrypt(plain);
	struct strbuf out;
	bool old_key = true;

	strbuf_init(&out);
	MUST(secret_decrypt(text, &out, &old_key, &err));
	assert_string_equal(out.data, plain);
	assert_int_equal(out.len, strlen(plain));
	assert_false(old_key);
	assert_true(secret_is_encrypted(text));
	assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_:"),
			 strlen(text));
	if (strlen(plain) > 8)
		assert_lacks(text, plain);
	secret_release(&out);
	free(text);
}

static void test_round_trip(void **state)
{
	static const char *const cases[] = {
		"",	   "x",	  "ab",	      "abc",	    "secret",
		" outer ", PLAIN, "enc:v1:x", "two\nlines", "\xff\xfe",
	};
	char *longest = malloc(SECRET_BYTES_MAX + 2);
	struct error err = ERROR_INIT;
	struct strbuf out;

	(void)state;
	assert_non_null(longest);
	use_keys(KEY_A "\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_round_trip(cases[i]);
	memset(longest, 'z', SECRET_BYTES_MAX + 1);
	longest[SECRET_BYTES_MAX + 1] = '\0';
	strbuf_init(&out);
	MUST_FAIL(secret_encrypt(longest, &out, &err), ERROR_CONFIG);
	assert_lacks(err.message, "zz");
	longest[SECRET_BYTES_MAX] = '\0';
	check_round_trip(longest);
	strbuf_release(&out);
	free(longest);
}

/*
 * The form is a promise: what was encrypted once can be read for ever. This one
 * was made by another implementation, with the nonce "defghijklmno".
 */
static void test_the_written_form(void **state)
{
	static const char made[] = "enc:v1:64eca302:"
				   "ZGVmZ2hpamtsbW5vJHSwAVmCM-5KecJd"
				   "zL9sX1FvzIpHL40tOw";
	struct error err = ERROR_INIT;
	struct strbuf out;
	bool old_key;

	(void)state;
	use_keys(KEY_A);
	strbuf_init(&out);
	MUST(secret_decrypt(made, &out, &old_key, &err));
	assert_string_equal(out.data, "long kept");
	strbuf_release(&out);
}

static void test_a_nonce_of_its_own(void **state)
{
	char *texts[50];

	(void)state;
	use_keys(KEY_B);
	for (size_t i = 0; i < 50; i++) {
		texts[i] = encrypt("same");
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(texts[i], texts[j]);
	}
	for (size_t i = 0; i < 50; i++)
		free(texts[i]);
}

/* ------------------------------------------------------------------- damage */

/* Whatever sign is another one: refused, and nothing of it is repeated. */
static void test_every_changed_sign(void **state)
{
	static const char signs[] = "Aa0Zz9-_:+/= .;x\x01\x80";
	struct error err = ERROR_INIT;
	char *text, kept;

	(void)state;
	use_keys(KEY_A);
	text = encrypt(PLAIN);
	for (size_t i = 0; i < strlen(text); i++) {
		kept = text[i];
		for (size_t s = 0; s < sizeof(signs) - 1; s++) {
			if (signs[s] == kept)
				continue;
			text[i] = signs[s];
			MUST_FAIL(decrypt(text, &err), ERROR_CONFIG);
			assert_lacks(err.message, text + 16);
			assert_lacks(err.message, "CANARY");
		}
		text[i] = kept;
	}
	MUST(decrypt(text, &err));
	free(text);
}

static void test_every_cut(void **state)
{
	struct error err = ERROR_INIT;
	char *text, *cut;

	(void)state;
	use_keys(KEY_A);
	text = encrypt(PLAIN);
	for (size_t len = strlen("enc:"); len < strlen(text); len++) {
		cut = strndup(text, len);
		assert_non_null(cut);
		MUST_FAIL(decrypt(cut, &err), ERROR_CONFIG);
		free(cut);
	}
	free(text);
}

static void test_what_is_said_of_damage(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"enc:", "enc:v1:KEY:DATA"},
		{"enc:secret", "enc:v1:KEY:DATA"},
		{"enc:v1", "enc:v1:KEY:DATA"},
		{"enc:v:x", "enc:v1:KEY:DATA"},
		{"enc:V1:64eca302:AAAA", "enc:v1:KEY:DATA"},
		{"enc:v2:64eca302:AAAA", "version"},
		{"enc:v17:anything", "version"},
		{"enc:v1:", "eight hexadecimal digits"},
		{"enc:v1:64ECA302:AAAA", "eight hexadecimal digits"},
		{"enc:v1:64eca302", "eight hexadecimal digits"},
		{"enc:v1:64eca3020:AAAA", "eight hexadecimal digits"},
		{"enc:v1:64eca302:", "cut short"},
		{"enc:v1:64eca302:AAAA", "cut short"},
		{"enc:v1:64eca302:AAA=", "signs"},
		{"enc:v1:64eca302:AAAAA", "signs"},
		{"enc:v1:64eca302:AA AA", "signs"},
		{"enc:v1:64eca302:AA\nAA", "signs"},
		/* The last sign says more than there is. */
		{"enc:v1:64eca302:AB", "signs"},
		{"enc:v1:64eca302:ZGVmZ2hpamtsbW5vJHSwAVmCM-5KecJdzL9sX1FvzIpH"
		 "L40tOA",
		 "altered"},
		{"enc:v1:00000000:ZGVmZ2hpamtsbW5vJHSwAVmCM-5KecJdzL9sX1FvzIpH"
		 "L40tOw",
		 "key 00000000, which is not in file"},
	};
	struct error err = ERROR_INIT;

	(void)state;
	use_keys(KEY_A);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		MUST_FAIL(decrypt(cases[i].text, &err), ERROR_CONFIG);
		assert_holds(err.message, cases[i].part);
		assert_holds(err.message, "dbaops-dataflow encrypt");
	}
}

static void test_too_long(void **state)
{
	struct error err = ERROR_INIT;
	char *text = malloc(20001);

	(void)state;
	assert_non_null(text);
	use_keys(KEY_A);
	memset(text, 'A', 20000);
	memcpy(text, "enc:v1:64eca302:", 16);
	for (size_t len = 5400; len <= 20000; len += len < 5600 ? 1 : 7200) {
		char *cut = strndup(text, len);

		MUST_FAIL(decrypt(cut, &err), ERROR_CONFIG);
		free(cut);
	}
	free(text);
}

/* --------------------------------------------------------------------- keys */

static void test_another_key(void **state)
{
	struct error err = ERROR_INIT;
	char *text;

	(void)state;
	use_keys(KEY_A);
	text = encrypt(PLAIN);
	use_keys(KEY_B);
	MUST_FAIL(decrypt(text, &err), ERROR_CONFIG);
	assert_holds(err.message, "64eca302");
	assert_holds(err.message, path_of("key"));
	assert_lacks(err.message, strrchr(text, ':'));
	/* An id can be written; that does not make it the key. */
	memcpy(text + 7, "75434386", 8);
	MUST_FAIL(decrypt(text, &err), ERROR_CONFIG);
	free(text);
}

/* A new key on top: it encrypts, and both decrypt. */
static void test_a_new_key_on_top(void **state)
{
	struct error err = ERROR_INIT;
	struct strbuf out;
	char *old, *young;
	bool old_key = false;

	(void)state;
	strbuf_init(&out);
	use_keys(KEY_A "\n");
	old = encrypt("old");
	use_keys("# new\n" KEY_B "\r\n\n  # old\n " KEY_A " \n");
	young = encrypt("young");
	MUST(secret_decrypt(old, &out, &old_key, &err));
	assert_true(old_key);
	MUST(secret_decrypt(young, &out, &old_key, &err));
	assert_false(old_key);
	assert_string_equal(out.data, "oldyoung");
	use_keys(KEY_B);
	MUST(decrypt(young, &err));
	MUST_FAIL(decrypt(old, &err), ERROR_CONFIG);
	strbuf_release(&out);
	free(young);
	free(old);
}

static void test_bad_key_files(void **state)
{
	static const struct {
		const char *content, *part;
	} cases[] = {
		{"", "has no key"},
		{"\n# nothing\n\n", "has no key"},
		{"SECRET", "line 1"},
		{KEY_A "\nSECRET\n", "line 2"},
		{KEY_A "SECRET", "line 1"},
		{KEY_A KEY_A, "line 1"},
		/* 31 and 33 bytes, no padding, the last sign too much. */
		{"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", "line 1"},
		{"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", "line 1"},
		{"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "line 1"},
		{"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", "line 1"},
		{"AAECAwQF\tgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "line 1"},
	};
	struct error err = ERROR_INIT;
	struct keyring ring;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		use_keys(cases[i].content);
		MUST_FAIL(keyring_read(&ring, &err), ERROR_CONFIG);
		assert_holds(err.message, cases[i].part);
		assert_holds(err.message, path_of("key"));
		assert_lacks(err.message, "SECRET");
		assert_lacks(err.message, "ECAwQF");
		assert_int_equal(ring.count, 0);
	}
}

static void test_many_keys(void **state)
{
	struct error err = ERROR_INIT;
	struct keyring ring;
	struct strbuf text;

	(void)state;
	strbuf_init(&text);
	for (int i = 0; i < KEYRING_KEYS_MAX; i++)
		strbuf_addstr(&text, i % 2 ? KEY_A "\n" : KEY_B "\n");
	use_keys(text.data);
	MUST(keyring_read(&ring, &err));
	assert_int_equal(ring.count, KEYRING_KEYS_MAX);
	strbuf_addstr(&text, KEY_A);
	use_keys(text.data);
	MUST_FAIL(keyring_read(&ring, &err), ERROR_CONFIG);
	strbuf_reset(&text);
	for (int i = 0; i < 9000; i++)
		strbuf_addch(&text, '\n');
	use_keys(text.data);
	MUST_FAIL(keyring_read(&ring, &err), ERROR_CONFIG);
	assert_holds(err.message, "longer than");
	strbuf_release(&text);
}

static void test_new_key_file(void **state)
{
	struct error err = ERROR_INIT;
	char id[KEYRING_ID_SIZE], *text, *again;
	char path[200];
	struct keyring ring;
	struct stat st;
	mode_t mask;

	(void)state;
	snprintf(path, sizeof(path), "%s", path_of("new"));
	MUST(keyring_set_file(path, &err));
	mask = umask(0);
	MUST(keyring_make_file(id, &err));
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	MUST(keyring_read(&ring, &err));
	assert_int_equal(ring.count, 1);
	assert_string_equal(ring.keys[0].id, id);
	assert_ptr_equal(keyring_find(&ring, id), &ring.keys[0]);
	assert_null(keyring_find(&ring, "00000000"));
	check_round_trip(PLAIN);
	/* Never over another one. */
	text = read_file(path, NULL);
	MUST_FAIL(keyring_make_file(id, &err), ERROR_SYSTEM);
	assert_holds(err.message, path);
	again = read_file(path, NULL);
	assert_string_equal(text, again);
	free(again);
	free(text);
	MUST(keyring_set_file(path_of("no/such/folder"), &err));
	MUST_FAIL(keyring_make_file(id, &err), ERROR_SYSTEM);
}

/* -------------------------------------------------------------- permissions */

static void must_be_refused(const char *part)
{
	struct error err = ERROR_INIT;
	struct keyring ring;

	MUST_FAIL(keyring_read(&ring, &err), ERROR_CONFIG);
	assert_holds(err.message, part);
	assert_holds(err.message, keyring_file());
}

static void test_permissions(void **state)
{
	static const mode_t good[] = {0600, 0400, 0700, 0500};
	static const mode_t bad[] = {0640, 0620, 0610, 0604, 0602,
				     0601, 0644, 0666, 0777, 0440};
	struct error err = ERROR_INIT;
	struct keyring ring;
	char remedy[300];

	(void)state;
	use_keys(KEY_A);
	snprintf(remedy, sizeof(remedy), "; chmod 600 '%s'", keyring_file());
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(chmod(keyring_file(), bad[i]), 0);
		must_be_refused(remedy);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(chmod(keyring_file(), good[i]), 0);
		MUST(keyring_read(&ring, &err));
	}
}

static void test_what_is_no_file(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	MUST(keyring_set_file(path_of("fifo"), &err));
	must_be_refused("no regular file"); /* and nobody waits for a writer */
	assert_int_equal(mkdir(path_of("folder"), 0700), 0);
	MUST(keyring_set_file(path_of("folder"), &err));
	must_be_refused("no regular file");
	MUST(keyring_set_file("/dev/null", &err));
	must_be_refused("no regular file");
	MUST(keyring_set_file(path_of("absent"), &err));
	must_be_refused("--new-key");
	assert_int_equal(symlink("nowhere", path_of("dangling")), 0);
	MUST(keyring_set_file(path_of("dangling"), &err));
	must_be_refused("cannot open");
	MUST_FAIL(keyring_set_file("", &err), ERROR_CONFIG);
}

/* What a link leads to counts. */
static void test_a_link(void **state)
{
	struct error err = ERROR_INIT;
	struct keyring ring;

	(void)state;
	use_keys(KEY_A);
	assert_int_equal(symlink("key", path_of("link")), 0);
	MUST(keyring_set_file(path_of("link"), &err));
	MUST(keyring_read(&ring, &err));
	assert_int_equal(chmod(path_of("key"), 0644), 0);
	must_be_refused("chmod 600");
}

static void test_owners(void **state)
{
	struct error err = ERROR_INIT;
	struct keyring ring;
	uid_t other = 12345;

	(void)state;
	if (geteuid() != 0)
		skip();
	use_keys(KEY_A);
	MUST(keyring_read(&ring, &err));
	assert_int_equal(chown(keyring_file(), other, (gid_t)-1), 0);
	must_be_refused("belongs to user 12345");
	/* That user has the right to it. */
	assert_int_equal(chmod(path_of(""), 0711), 0);
	assert_int_equal(seteuid(other), 0);
	MUST(keyring_read(&ring, &err));
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(path_of(""), 0700), 0);
}

/* systemd's LoadCredential= shows a right of the group. */
static void test_a_credential(void **state)
{
	struct error err = ERROR_INIT;
	struct keyring ring;
	char folder[200];

	(void)state;
	if (geteuid() != 0)
		skip();
	use_keys(KEY_A);
	assert_int_equal(chmod(keyring_file(), 0440), 0);
	snprintf(folder, sizeof(folder), "%s", keyring_file());
	*strrchr(folder, '/') = '\0';
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	MUST(keyring_read(&ring, &err));
	assert_int_equal(chmod(keyring_file(), 0444), 0);
	must_be_refused("chmod 600");
	assert_int_equal(chmod(keyring_file(), 0460), 0);
	must_be_refused("chmod 600");
	assert_int_equal(chmod(keyring_file(), 0440), 0);
	folder[strlen(folder) - 1] = '\0';
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	must_be_refused("chmod 600");
	unsetenv("CREDENTIALS_DIRECTORY");
	must_be_refused("chmod 600");
}

/* ------------------------------------------------------- connection strings */

static void test_connection_strings(void **state)
{
	static const char *const forms[] = {
		"server=h;password=%s",	   "password=%s;server=h",
		"password = %s ;server=h", "password={%s};server=h",
		"password='%s'",	   "password=\"%s\"",
	};
	struct error err = ERROR_INIT;
	char text[1000], *made;
	struct connstr cs;

	(void)state;
	use_keys(KEY_B);
	made = encrypt(PLAIN);
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct strbuf sb;
		const char *at = strstr(forms[i], "%s");

		strbuf_init(&sb);
		strbuf_add(&sb, forms[i], (size_t)(at - forms[i]));
		strbuf_addf(&sb, "%s%s", made, at + 2);
		MUST(connstr_parse(&cs, sb.data, &err));
		/* As it is: what it looks like is not looked into. */
		assert_string_equal(connstr_get(&cs, "password"), PLAIN);
		connstr_release(&cs);
		strbuf_release(&sb);
	}
	snprintf(text, sizeof(text), "server=h;password=x%s", made);
	MUST(connstr_parse(&cs, text, &err));
	assert_holds(connstr_get(&cs, "password"), made);
	connstr_release(&cs);
	made[30] = made[30] == 'A' ? 'B' : 'A';
	snprintf(text, sizeof(text), "server=h;password=%s", made);
	MUST_FAIL(connstr_parse(&cs, text, &err), ERROR_CONFIG);
	assert_holds(err.message, "connection string: 'password': ");
	assert_lacks(err.message, made);
	snprintf(text, sizeof(text), "server=h;password=%s;x", made);
	MUST_FAIL(connstr_parse(&cs, text, &err), ERROR_CONFIG);
	free(made);
}

/* What a check tells of: open files, older keys. */
static void test_what_lies_open(void **state)
{
	struct error err = ERROR_INIT;
	char text[1000], *made, called[CONNSTR_CALLED_MAX];
	struct connstr cs;

	(void)state;
	use_keys(KEY_A);
	made = encrypt("x");
	use_keys(KEY_B "\n" KEY_A);
	write_file(path_of("open"), "1");
	write_file(path_of("shut"), "2");
	assert_int_equal(chmod(path_of("open"), 0644), 0);
	assert_int_equal(chmod(path_of("shut"), 0640), 0);
	snprintf(text, sizeof(text),
		 "a=${file:%s};b=${file:%s}${file:%s};password=%s;odd=%s",
		 path_of("shut"), path_of("shut"), path_of("open"), made, made);
	MUST(connstr_parse(&cs, text, &err));
	assert_null(cs.entries[0].exposed);
	assert_string_equal(cs.entries[1].exposed, path_of("open"));
	assert_string_equal(cs.entries[1].value, "21");
	assert_false(cs.entries[1].old_key);
	assert_true(cs.entries[2].old_key);
	connstr_call(&cs, 2, called, sizeof(called));
	assert_string_equal(called, "'password'");
	connstr_call(&cs, 3, called, sizeof(called));
	assert_holds(called, "after the password");
	connstr_release(&cs);
	free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_the_written_form),
		cmocka_unit_test(test_a_nonce_of_its_own),
		cmocka_unit_test(test_every_changed_sign),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_what_is_said_of_damage),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_another_key),
		cmocka_unit_test(test_a_new_key_on_top),
		cmocka_unit_test(test_bad_key_files),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_new_key_file),
		cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_what_is_no_file),
		cmocka_unit_test(test_a_link),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_a_credential),
		cmocka_unit_test(test_connection_strings),
		cmocka_unit_test(test_what_lies_open),
	};

	return cmocka_run_group_tests_name("secret", tests, setup_folder,
					   teardown_folder);
}
