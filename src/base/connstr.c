#include "base/connstr.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/platform.h"
#include "base/secret.h"
#include "base/strbuf.h"
#include "base/text.h"

#define SECRET_FILE_MAX 4096
#define CALLED_MAX	CONNSTR_CALLED_MAX

void connstr_release(struct connstr *cs)
{
	for (int i = 0; i < cs->count; i++) {
		free(cs->entries[i].key);
		free(cs->entries[i].exposed);
		secret_free(cs->entries[i].value);
	}
	cs->count = 0;
}

/*
 * Names of keys, in the drivers of SQL Server and here. A password with a
 * semicolon that nobody quoted falls apart into what looks like keys; none of
 * its pieces may be repeated, but these words are no secret.
 */
static const char common_keys[] =
	"|accesskey|accesskeyid|addr|address|app|applicationintent|"
	"applicationname|appname|attachdbfilename|attempts|authentication|"
	"autotranslate|awsaccesskeyid|awssecretaccesskey|awssessiontoken|"
	"binary|bucket|bucketname|bucketowner|cafile|certificate|checksum|"
	"columnencryption|commandtimeout|compression|compressionlevel|"
	"connectionlifetime|connectiontimeout|connectretrycount|"
	"connectretryinterval|connecttimeout|credentials|csvbinary|"
	"csvdateformat|csvdateseparator|csvdelimiter|csvheader|csvlineend|"
	"csvnull|csvquote|currentlanguage|database|datasource|dateformat|"
	"dateseparator|decimals|delimiter|delta|description|dialtimeout|"
	"digestevery|"
	"driver|dsn|encrypt|encryption|endpoint|endpointurl|enlist|"
	"failoverpartner|fileageseconds|fileformat|filenaming|filesizemb|"
	"format|header|host|hostnameincertificate|initialcatalog|instance|"
	"integratedsecurity|ipaddresspreference|jsondecimals|keepalive|"
	"keepfullloads|kmskeyid|language|lineend|loadbalancetimeout|log|"
	"logintimeout|marsconnection|maxpoolsize|minpoolsize|"
	"multipleactiveresultsets|multisubnetfailover|network|"
	"networkaddress|networklibrary|null|packetsize|parquetdelta|"
	"parquettimestamps|parquetuuid|partitionby|partitioncolumns|"
	"partsizemb|password|path|pathstyle|persistsecurityinfo|pooling|"
	"port|prefix|profile|provider|proxy|proxypassword|proxyuser|pwd|"
	"querytimeout|quote|quotedid|region|rowgroupmb|secretaccesskey|"
	"secretkey|server|servercertificate|serverspn|sessiontoken|sse|"
	"stalltimeout|storageclass|timeout|timestamps|trustedconnection|"
	"trustservercertificate|uid|user|userid|userinstance|username|uuid|"
	"workstationid|wsid|";

static bool is_common(const char *key)
{
	char sought[64];

	snprintf(sought, sizeof(sought), "|%s|", key);
	return strlen(key) < sizeof(sought) - 2 && strstr(common_keys, sought);
}

static bool follows_password(const struct connstr *cs, int index)
{
	static const char *const secrets[] = {
		"password",	   "pwd",	    "secret",
		"authorization",   "url",	    "secretkey",
		"secretaccesskey", "sessiontoken",  "awssecretaccesskey",
		"awssessiontoken", "proxypassword",
	};

	for (int i = 0; i < index; i++)
		for (size_t s = 0; s < sizeof(secrets) / sizeof(*secrets); s++)
			if (!strcmp(cs->entries[i].key, secrets[s]))
				return true;
	return false;
}

/* How a message calls the key at `index`, which may be the next one. */
static void call_key(const struct connstr *cs, int index, const char *key,
		     int at, char *out, size_t size)
{
	if (is_common(key) || !follows_password(cs, index))
		snprintf(out, size, "'%s'", key);
	else
		snprintf(out, size,
			 "the key at character %d, after the password,", at);
}

static void normalise_key(char *key)
{
	char *to = key;

	for (const char *from = key; *from; from++)
		if (!isspace((unsigned char)*from) && *from != '_' &&
		    *from != '-')
			*to++ = (char)tolower((unsigned char)*from);
	*to = '\0';
}

/* Read `key`, up to the '='. Returns the rest of the text, NULL on error. */
static const char *read_key(const char *text, const char *start, char **key,
			    struct error *err)
{
	const char *end = strpbrk(text, "=;");

	if (!end || *end != '=') {
		error_set(err, ERROR_CONFIG,
			  "connection string: 'key=value' expected at "
			  "character %d; a value with ; in it stands in {}",
			  (int)(text - start) + 1);
		return NULL;
	}
	*key = strndup(text, (size_t)(end - text));
	if (!*key) {
		error_memory(err, "a connection string");
		return NULL;
	}
	normalise_key(*key);
	if (!**key) {
		error_set(err, ERROR_CONFIG,
			  "connection string: a name is missing before '=' at "
			  "character %d",
			  (int)(end - start) + 1);
		return NULL;
	}
	return end + 1;
}

static const char *read_quoted(const char *text, struct strbuf *value)
{
	char close = *text == '{' ? '}' : *text;

	for (text++; *text; text++) {
		if (*text == close && *++text != close)
			goto closed;
		strbuf_addch(value, *text);
	}
	return NULL;
closed:
	while (isspace((unsigned char)*text))
		text++;
	return *text == ';' || !*text ? text : NULL;
}

static const char *read_plain(const char *text, struct strbuf *value)
{
	const char *end = text + strcspn(text, ";");
	const char *last = end;

	while (last > text && isspace((unsigned char)last[-1]))
		last--;
	strbuf_add(value, text, (size_t)(last - text));
	return end;
}

/* The first line of a file. */
static int read_secret_file(const char *path, struct connstr_entry *entry,
			    struct strbuf *out, struct error *err)
{
	char line[SECRET_FILE_MAX];
	FILE *file = fopen(path, "r");
	bool broken, cut;

	if (!file)
		return error_errno(err, errno, "cannot open file '%s'", path);
	setvbuf(file, NULL, _IONBF, 0); /* no copy that nobody wipes */
	if (!entry->exposed && platform_is_exposed(file))
		entry->exposed = strdup(path);
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	broken = ferror(file) != 0;
	cut = !strpbrk(line, "\r\n") && !broken && fgetc(file) != EOF;
	fclose(file);
	line[strcspn(line, "\r\n")] = '\0';
	if (!broken && !cut)
		strbuf_addstr(out, line);
	OPENSSL_cleanse(line, sizeof(line));
	if (broken)
		return error_set(err, ERROR_CONFIG, "cannot read file '%s'",
				 path);
	if (cut)
		return error_set(err, ERROR_CONFIG,
				 "the first line of file '%s' is longer than "
				 "%d bytes",
				 path, SECRET_FILE_MAX - 2);
	return 0;
}

/* Append what `${env:…}` or `${file:…}` stands for. */
static int expand_one(const char *kind, const char *name,
		      struct connstr_entry *entry, struct strbuf *out,
		      struct error *err)
{
	const char *value;

	if (!strcmp(kind, "file")) {
		if (read_secret_file(name, entry, out, err) == 0)
			return 0;
		err->kind = ERROR_CONFIG;
		return -1;
	}
	value = getenv(name);
	if (!value)
		return error_set(err, ERROR_CONFIG,
				 "environment variable '%s' is not set; set it "
				 "where the daemon is started",
				 name);
	strbuf_addstr(out, value);
	return 0;
}

static int expand(const char *value, struct connstr_entry *entry,
		  struct strbuf *out, struct error *err)
{
	const char *start, *end;
	char kind[8], name[1024];

	if (secret_is_encrypted(value))
		return secret_decrypt(value, out, &entry->old_key, err);
	while ((start = strstr(value, "${"))) {
		end = strchr(start, '}');
		if (!end ||
		    sscanf(start, "${%7[a-z]:%1023[^}]}", kind, name) != 2 ||
		    (strcmp(kind, "env") && strcmp(kind, "file"))) {
			strbuf_add(out, value, (size_t)(start - value) + 2);
			value = start + 2;
			continue;
		}
		strbuf_add(out, value, (size_t)(start - value));
		if (expand_one(kind, name, entry, out, err) < 0)
			return -1;
		value = end + 1;
	}
	strbuf_addstr(out, value);
	return 0;
}

static int check_key(const struct connstr *cs, const char *key,
		     const char *called, struct error *err)
{
	for (int i = 0; i < cs->count; i++)
		if (!strcmp(cs->entries[i].key, key))
			return error_set(err, ERROR_CONFIG,
					 "connection string: %s is given "
					 "twice; leave one out",
					 called);
	if (cs->count == CONNSTR_KEYS_MAX)
		return error_set(err, ERROR_CONFIG,
				 "connection string: more than %d keys",
				 CONNSTR_KEYS_MAX);
	return 0;
}

static int add_entry(struct connstr *cs, char *key, int at, const char *raw,
		     struct error *err)
{
	struct connstr_entry entry = {.key = key, .at = at};
	char called[CALLED_MAX];
	struct strbuf value;
	int ret = -1;

	strbuf_init(&value);
	call_key(cs, cs->count, key, at, called, sizeof(called));
	if (check_key(cs, key, called, err) < 0)
		goto done;
	if (expand(raw, &entry, &value, err) < 0) {
		error_wrap(err, "connection string: %s", called);
		goto done;
	}
	entry.value = strbuf_detach(&value);
	if (!entry.value) {
		error_memory(err, "a connection string");
		goto done;
	}
	cs->entries[cs->count++] = entry;
	ret = 0;
done:
	if (ret < 0)
		free(entry.exposed);
	secret_release(&value);
	return ret;
}

static const char *read_entry(struct connstr *cs, const char *text,
			      const char *start, struct error *err)
{
	int at = (int)(text - start) + 1;
	char called[CALLED_MAX];
	struct strbuf raw;
	char *key = NULL;

	strbuf_init(&raw);
	text = read_key(text, start, &key, err);
	if (!text)
		goto done;
	while (isspace((unsigned char)*text))
		text++;
	if (*text && strchr("'\"{", *text))
		text = read_quoted(text, &raw);
	else
		text = read_plain(text, &raw);
	if (!text) {
		call_key(cs, cs->count, key, at, called, sizeof(called));
		error_set(err, ERROR_CONFIG,
			  "connection string: the quoted value of %s does not "
			  "end, or something follows its closing quote; inside "
			  "it the closing sign is doubled",
			  called);
		goto done;
	}
	if (strbuf_check(&raw, err) < 0 ||
	    add_entry(cs, key, at, raw.data, err) < 0)
		text = NULL;
	else
		key = NULL;
done:
	free(key);
	secret_release(&raw);
	return text;
}

int connstr_parse(struct connstr *cs, const char *text, struct error *err)
{
	const char *start = text;

	cs->count = 0;
	for (;;) {
		while (isspace((unsigned char)*text) || *text == ';')
			text++;
		if (!*text)
			break;
		text = read_entry(cs, text, start, err);
		if (!text) {
			connstr_release(cs);
			return -1;
		}
	}
	if (!cs->count)
		return error_set(err, ERROR_CONFIG,
				 "connection string: it is empty");
	return 0;
}

const char *connstr_get(struct connstr *cs, const char *names)
{
	char name[64];
	size_t len;

	for (; *names; names += len + (names[len] == '|')) {
		len = strcspn(names, "|");
		snprintf(name, sizeof(name), "%.*s", (int)len, names);
		normalise_key(name);
		for (int i = 0; i < cs->count; i++) {
			if (!strcmp(cs->entries[i].key, name)) {
				cs->entries[i].used = true;
				return cs->entries[i].value;
			}
		}
	}
	return NULL;
}

int connstr_get_bool(struct connstr *cs, const char *names, bool *out,
		     struct error *err)
{
	const char *value = connstr_get(cs, names);

	if (!value)
		return 0;
	if (text_iequal(value, "yes") || text_iequal(value, "true") ||
	    !strcmp(value, "1"))
		*out = true;
	else if (text_iequal(value, "no") || text_iequal(value, "false") ||
		 !strcmp(value, "0"))
		*out = false;
	else
		return error_set(err, ERROR_CONFIG,
				 "connection string: '%.*s' must be yes or no",
				 (int)strcspn(names, "|"), names);
	return 0;
}

int connstr_get_int(struct connstr *cs, const char *names, int min, int max,
		    int *out, struct error *err)
{
	const char *value = connstr_get(cs, names);
	long number;

	if (!value)
		return 0;
	if (!text_to_long(value, &number) || number < min || number > max)
		return error_set(err, ERROR_CONFIG,
				 "connection string: '%.*s' must be a whole "
				 "number from %d to %d",
				 (int)strcspn(names, "|"), names, min, max);
	*out = (int)number;
	return 0;
}

int connstr_check_unused(const struct connstr *cs, struct error *err)
{
	const struct connstr_entry *entry;
	char called[CALLED_MAX];

	for (int i = 0; i < cs->count; i++) {
		entry = &cs->entries[i];
		if (entry->used)
			continue;
		call_key(cs, i, entry->key, entry->at, called, sizeof(called));
		return error_set(err, ERROR_CONFIG,
				 "connection string: %s is not a known key, or "
				 "says again what another one says; a value "
				 "with ; in it stands in {}",
				 called);
	}
	return 0;
}

void connstr_call(const struct connstr *cs, int i, char *out, size_t size)
{
	call_key(cs, i, cs->entries[i].key, cs->entries[i].at, out, size);
}

/* ------------------------------------------------------------------- URLs */

bool connstr_is_url(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return len && !strncmp(text + len, "://", 3);
}

/* Nothing of it means anything in a URL then. */
static void add_percent_encoded(struct strbuf *out, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (; *value; value++)
		if (strchr(plain, *value))
			strbuf_addch(out, *value);
		else
			strbuf_addf(out, "%%%02X", (unsigned char)*value);
}

/* How long is what has to be replaced at `s`; 0: nothing begins here. */
static size_t replaceable(const char *url, const char *s)
{
	const char *end;

	if (!strncmp(s, "${env:", 6) || !strncmp(s, "${file:", 7)) {
		end = strchr(s, '}');
		return end ? (size_t)(end - s) + 1 : 0;
	}
	if (s > url && strchr(":/=@", s[-1]) && secret_is_encrypted(s))
		return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz"
				 "0123456789-_:");
	return 0;
}

static int replace_piece(const char *piece, size_t len,
			 struct connstr_entry *found, struct strbuf *out,
			 struct error *err)
{
	char *copy = strndup(piece, len);
	struct strbuf value;
	int ret = -1;

	if (!copy)
		return error_memory(err, "a connection string");
	strbuf_init(&value);
	if (expand(copy, found, &value, err) < 0) {
		error_wrap(err, "connection string");
	} else if (strbuf_check(&value, err) == 0) {
		add_percent_encoded(out, value.data);
		ret = 0;
	}
	secret_release(&value);
	secret_free(copy);
	return ret;
}

int connstr_expand_url(const char *url, struct connstr_entry *found,
		       struct strbuf *out, struct error *err)
{
	size_t len;

	for (const char *s = url; *s; s += len) {
		len = replaceable(url, s);
		if (len && replace_piece(s, len, found, out, err) < 0)
			return -1;
		if (!len) {
			strbuf_addch(out, *s);
			len = 1;
		}
	}
	return strbuf_check(out, err);
}
