#include "s3/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "base/strbuf.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define BLANKS	       " \t\r"

void s3_profile_release(struct s3_profile *profile)
{
	free(profile->access_key);
	secret_free(profile->secret_key);
	secret_free(profile->session_token);
	free(profile->region);
	free(profile->unsupported);
	memset(profile, 0, sizeof(*profile));
}

const char *s3_profile_name(const char *settings)
{
	const char *name = settings ? settings : getenv("AWS_PROFILE");

	return name && *name ? name : "default";
}

/* ------------------------------------------------------------------- a text */

/* Does a section's heading, without its brackets, name the profile? */
static bool is_section(enum s3_profile_file kind, const char *heading,
		       size_t len, const char *name)
{
	static const char word[] = "profile";
	size_t word_len = sizeof(word) - 1;

	if (kind == S3_PROFILE_CONFIG && len > word_len &&
	    !strncmp(heading, word, word_len) &&
	    strchr(BLANKS, heading[word_len])) {
		heading += word_len;
		len -= word_len;
		while (len && strchr(BLANKS, *heading))
			heading++, len--;
	} else if (kind == S3_PROFILE_CONFIG && strcmp(name, "default") != 0) {
		return false;
	}
	if (len > 1 && strchr("\"'", *heading) && heading[len - 1] == *heading)
		heading++, len -= 2;
	return len == strlen(name) && !strncmp(heading, name, len);
}

static int keep(char **out, const char *value, size_t len, struct error *err)
{
	if (*out)
		return 0;
	*out = strndup(value, len);
	return *out ? 0 : error_memory(err, "a profile");
}

/* What needs another service, or another program, to become credentials. */
static bool is_unsupported(const char *key, size_t len)
{
	static const char *const keys[] = {
		"role_arn",	  "credential_process", "sso_session",
		"sso_account_id", "sso_start_url",	"login_session",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strlen(keys[i]) == len && !strncasecmp(keys[i], key, len))
			return true;
	return false;
}

static int take_property(struct s3_profile *profile, const char *key,
			 size_t key_len, const char *value, size_t len,
			 struct error *err)
{
	const struct {
		const char *key;
		char **out;
	} known[] = {
		{"aws_access_key_id", &profile->access_key},
		{"aws_secret_access_key", &profile->secret_key},
		{"aws_session_token", &profile->session_token},
		{"region", &profile->region},
	};

	for (size_t i = 0; len && i < sizeof(known) / sizeof(*known); i++)
		if (strlen(known[i].key) == key_len &&
		    !strncasecmp(known[i].key, key, key_len))
			return keep(known[i].out, value, len, err);
	if (is_unsupported(key, key_len))
		return keep(&profile->unsupported, key, key_len, err);
	return 0;
}

static size_t trimmed(const char *s, size_t len)
{
	while (len && strchr(BLANKS, s[len - 1]))
		len--;
	return len;
}

static int read_property(struct s3_profile *profile, const char *line,
			 size_t len, struct error *err)
{
	size_t key_len = 0, value_len;
	const char *value;

	while (key_len < len && !strchr("=:", line[key_len]))
		key_len++;
	if (!key_len || key_len == len)
		return error_set(err, ERROR_CONFIG,
				 "'key = value' or '[section]' is expected");
	value = line + key_len + 1;
	value_len = len - key_len - 1;
	while (value_len && strchr(BLANKS, *value))
		value++, value_len--;
	/* A comment may stand behind a value, after a blank. */
	for (size_t i = 1; i < value_len; i++)
		if (strchr("#;", value[i]) && strchr(BLANKS, value[i - 1]))
			value_len = i;
	return take_property(profile, line, trimmed(line, key_len), value,
			     trimmed(value, value_len), err);
}

/* Where in a file one is. */
struct place {
	enum s3_profile_file kind;
	const char *name; /* of the profile */
	bool inside;	  /* the section is the profile's */
	bool property;	  /* there was one in the section */
	size_t indent;	  /* of the line above, or of what that goes on with */
};

static int read_heading(struct s3_profile *profile, struct place *place,
			const char *line, size_t len, struct error *err)
{
	const char *close = memchr(line, ']', len);

	if (!close)
		return error_set(err, ERROR_CONFIG, "']' is missing");
	line++;
	while (line < close && strchr(BLANKS, *line))
		line++;
	place->inside =
		is_section(place->kind, line,
			   trimmed(line, (size_t)(close - line)), place->name);
	place->property = false;
	profile->found |= place->inside;
	return 0;
}

static int read_line(struct s3_profile *profile, struct place *place,
		     const char *line, size_t len, struct error *err)
{
	size_t indent = 0;

	while (indent < len && strchr(BLANKS, line[indent]))
		indent++;
	line += indent;
	len = trimmed(line, len - indent);
	if (!len || strchr("#;", *line))
		return 0;
	/* What is further in than a property belongs to it. */
	if (place->property && indent > place->indent)
		return 0;
	place->indent = indent;
	if (*line == '[')
		return read_heading(profile, place, line, len, err);
	place->property = true;
	return place->inside ? read_property(profile, line, len, err) : 0;
}

int s3_profile_parse(struct s3_profile *profile, enum s3_profile_file kind,
		     const char *text, const char *name, struct error *err)
{
	struct place place = {.kind = kind, .name = name};

	for (int number = 1; *text; number++) {
		size_t len = strcspn(text, "\n");

		if (read_line(profile, &place, text, len, err) < 0)
			return error_wrap(err, "line %d", number);
		text += len + (text[len] == '\n');
	}
	return 0;
}

/* ---------------------------------------------------------------- the files */

/* 1: read; 0: there is none. */
static int read_file(const char *path, struct strbuf *out, struct error *err)
{
	FILE *file = fopen(path, "rb");
	size_t got = 1;
	char *to;
	bool broken;

	if (!file && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!file)
		return error_errno(err, errno, "cannot open it");
	setvbuf(file, NULL, _IONBF, 0); /* no copy that nobody wipes */
	to = strbuf_reserve(out, FILE_BYTES_MAX);
	while (to && got && out->len < FILE_BYTES_MAX) {
		got = fread(to + out->len, 1, FILE_BYTES_MAX - out->len, file);
		out->len += got;
	}
	if (to)
		to[out->len] = '\0';
	broken = ferror(file) != 0;
	fclose(file);
	if (strbuf_check(out, err) < 0)
		return -1;
	if (broken || out->len == FILE_BYTES_MAX)
		return error_set(err, ERROR_CONFIG,
				 broken ? "cannot read it"
					: "it has a megabyte or more");
	if (strlen(out->data) != out->len)
		return error_set(err, ERROR_CONFIG, "it holds a NUL");
	return 1;
}

static int read_one(struct s3_profile *profile, enum s3_profile_file kind,
		    const char *path, const char *name, struct error *err)
{
	struct strbuf text;
	int ret;

	strbuf_init(&text);
	ret = read_file(path, &text, err);
	if (ret > 0)
		ret = s3_profile_parse(profile, kind, text.data, name, err);
	secret_release(&text);
	if (ret < 0) {
		error_wrap(err, "file '%s'", path);
		if (err->kind == ERROR_SYSTEM)
			err->kind = ERROR_CONFIG;
	}
	return ret;
}

static int find_and_read(struct s3_profile *profile, enum s3_profile_file kind,
			 const char *variable, const char *below_home,
			 const char *name, struct error *err)
{
	const char *path = getenv(variable), *home = getenv("HOME");
	struct strbuf text;
	int ret = 0;

	if (path && *path)
		return read_one(profile, kind, path, name, err);
	if (!home || !*home)
		return 0;
	strbuf_init(&text);
	strbuf_addf(&text, "%s/%s", home, below_home);
	ret = strbuf_check(&text, err);
	if (ret == 0)
		ret = read_one(profile, kind, text.data, name, err);
	strbuf_release(&text);
	return ret;
}

int s3_profile_read(struct s3_profile *profile, const char *name,
		    struct error *err)
{
	if (find_and_read(profile, S3_PROFILE_CREDENTIALS,
			  "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials",
			  name, err) == 0 &&
	    find_and_read(profile, S3_PROFILE_CONFIG, "AWS_CONFIG_FILE",
			  ".aws/config", name, err) == 0)
		return 0;
	s3_profile_release(profile);
	return -1;
}
