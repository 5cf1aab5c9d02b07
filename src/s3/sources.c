#include "s3/sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "s3/profile.h"
#include "s3/xml.h"

#define LETTERS                      \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

int s3_source_row(const struct s3_settings *settings, struct cancel *cancel,
		  struct s3_credentials *out, struct strbuf *looked,
		  struct error *err)
{
	(void)cancel;
	if (!settings->access_key) {
		strbuf_addstr(looked,
			      "the connection string has no access_key");
		return 0;
	}
	return s3_credentials_set(out, settings->access_key,
				  settings->secret_key, settings->session_token,
				  err) < 0
		       ? -1
		       : 1;
}

int s3_source_environment(const struct s3_settings *settings,
			  struct cancel *cancel, struct s3_credentials *out,
			  struct strbuf *looked, struct error *err)
{
	const char *access_key = variable("AWS_ACCESS_KEY_ID");
	const char *secret_key = variable("AWS_SECRET_ACCESS_KEY");

	(void)settings;
	(void)cancel;
	if (!access_key && !secret_key) {
		strbuf_addstr(looked, "AWS_ACCESS_KEY_ID is not set in the "
				      "daemon's environment");
		return 0;
	}
	if (!access_key || !secret_key)
		return error_set(err, ERROR_CONFIG,
				 "%s is not set, but the other half of the "
				 "pair is",
				 access_key ? "AWS_SECRET_ACCESS_KEY"
					    : "AWS_ACCESS_KEY_ID");
	return s3_credentials_set(out, access_key, secret_key,
				  variable("AWS_SESSION_TOKEN"), err) < 0
		       ? -1
		       : 1;
}

/* ------------------------------------------------------------------ profile */

static int use_profile(const struct s3_profile *profile, const char *name,
		       struct s3_credentials *out, struct error *err)
{
	if (profile->access_key && profile->secret_key)
		return s3_credentials_set(out, profile->access_key,
					  profile->secret_key,
					  profile->session_token, err) < 0
			       ? -1
			       : 1;
	if (profile->access_key || profile->secret_key)
		return error_set(err, ERROR_CONFIG, "profile '%s' has no %s",
				 name,
				 profile->access_key ? "aws_secret_access_key"
						     : "aws_access_key_id");
	if (profile->unsupported)
		return error_set(err, ERROR_CONFIG,
				 "profile '%s' has '%s', which is not "
				 "supported; have 'aws configure "
				 "export-credentials' write keys into a "
				 "profile, or use a role of the instance or "
				 "container",
				 name, profile->unsupported);
	return 0;
}

int s3_source_profile(const struct s3_settings *settings, struct cancel *cancel,
		      struct s3_credentials *out, struct strbuf *looked,
		      struct error *err)
{
	const char *name = s3_profile_name(settings->profile);
	bool named = settings->profile || variable("AWS_PROFILE");
	struct s3_profile profile = {.found = false};
	int ret;

	(void)cancel;
	if (s3_profile_read(&profile, name, err) < 0)
		return -1;
	ret = use_profile(&profile, name, out, err);
	if (!ret && named && !profile.found)
		ret = error_set(err, ERROR_CONFIG,
				"there is no profile '%s' in "
				"~/.aws/credentials and ~/.aws/config (or "
				"where AWS_SHARED_CREDENTIALS_FILE and "
				"AWS_CONFIG_FILE say); HOME is '%s'",
				name, variable("HOME") ? variable("HOME") : "");
	else if (!ret)
		strbuf_addf(looked, "profile '%s' of ~/.aws/credentials %s",
			    name,
			    profile.found ? "has no keys" : "does not exist");
	s3_profile_release(&profile);
	return ret;
}

/* ------------------------------------------------------- what services send */

int s3_time_parse(const char *text, int64_t *utc_us)
{
	char plain[CLOCK_TEXT_MAX];
	size_t len = strlen(text);

	if (!len || len >= sizeof(plain) || text[len - 1] != 'Z')
		return -1;
	memcpy(plain, text, len - 1);
	plain[len - 1] = '\0';
	return clock_parse(plain, utc_us);
}

static int set_with_time(struct s3_credentials *out, const char *access_key,
			 const char *secret_key, const char *token,
			 const char *expiration, struct error *err)
{
	int64_t expires_us = 0;

	if (!access_key || !secret_key || !*access_key || !*secret_key)
		return error_set(err, ERROR_DATA,
				 "the answer has no credentials in it");
	if (expiration && s3_time_parse(expiration, &expires_us) < 0)
		return error_set(err, ERROR_DATA,
				 "the answer does not say when its credentials "
				 "expire");
	if (s3_credentials_set(out, access_key, secret_key,
			       token && *token ? token : NULL, err) < 0)
		return -1;
	out->expires_us = expires_us;
	return 0;
}

int s3_credentials_from_json(struct s3_credentials *out, const char *text,
			     struct error *err)
{
	json_t *root = json_parse(text, err);
	const char *code;
	int ret = -1;

	memset(out, 0, sizeof(*out));
	if (!root)
		return err->kind == ERROR_MEMORY
			       ? -1
			       : error_set(err, ERROR_DATA,
					   "the answer is no JSON");
	code = json_string_value(json_object_get(root, "Code"));
	if (code && strcmp(code, "Success") != 0)
		/* One word, or who knows what it is. */
		error_set(err, ERROR_SERVER, "the answer is '%.60s'",
			  code[strspn(code, LETTERS)] ? "" : code);
	else
		ret = set_with_time(
			out,
			json_string_value(json_object_get(root, "AccessKeyId")),
			json_string_value(
				json_object_get(root, "SecretAccessKey")),
			json_string_value(json_object_get(root, "Token")),
			json_string_value(json_object_get(root, "Expiration")),
			err);
	json_decref(root);
	return ret;
}

struct sts_answer {
	char *access_key, *secret_key, *token, *expiration;
};

static int take_element(const char *path, const char *text, void *arg,
			struct error *err)
{
	static const char above[] = "/AssumeRoleWithWebIdentityResponse"
				    "/AssumeRoleWithWebIdentityResult"
				    "/Credentials/";
	struct sts_answer *answer = arg;
	const struct {
		const char *name;
		char **out;
	} known[] = {
		{"AccessKeyId", &answer->access_key},
		{"SecretAccessKey", &answer->secret_key},
		{"SessionToken", &answer->token},
		{"Expiration", &answer->expiration},
	};

	if (!text || strncmp(path, above, strlen(above)) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(path + strlen(above), known[i].name) != 0 ||
		    *known[i].out)
			continue;
		*known[i].out = strdup(text);
		if (!*known[i].out)
			return error_memory(err, "credentials");
	}
	return 0;
}

int s3_credentials_from_xml(struct s3_credentials *out, const char *text,
			    size_t len, struct error *err)
{
	struct sts_answer answer = {NULL, NULL, NULL, NULL};
	int ret;

	memset(out, 0, sizeof(*out));
	ret = s3_xml_read(text, len, take_element, &answer, err);
	if (ret == 0)
		ret = set_with_time(out, answer.access_key, answer.secret_key,
				    answer.token, answer.expiration, err);
	free(answer.access_key);
	secret_free(answer.secret_key);
	secret_free(answer.token);
	free(answer.expiration);
	return ret;
}
