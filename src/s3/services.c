/*
 * Credentials from services: those of this machine (the metadata of an instance
 * or a container), which never go through a proxy and answer at once or not at
 * all, and AWS's token service.
 */
#include "s3/sources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "s3/http.h"
#include "s3/sigv4.h"

#define CONTAINER_BASE "http://169.254.170.2"
#define INSTANCE_BASE  "http://169.254.169.254"
#define ROLE_PATH      "/latest/meta-data/iam/security-credentials/"
#define TOKEN_HEADER   "X-aws-ec2-metadata-token"
#define TOKEN_SECONDS  "21600"

#define ANSWER_MAX   ((size_t)64 << 10)
#define TOKEN_MAX    ((size_t)16 << 10)
#define TRIES	     3
#define PAUSE_MS     200
#define LOCAL_WAIT_S 2

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/*
 * What stands in the first line of a file that holds a token, which others
 * renew, up to one of `ends`, and without blanks around it.
 */
static int read_token(const char *path, const char *ends, struct strbuf *out,
		      struct error *err)
{
	FILE *file = fopen(path, "rb");
	char *to, *token;
	size_t got = 0;

	if (!file) {
		error_errno(err, errno, "cannot open file '%s'", path);
		err->kind = ERROR_CONFIG;
		return -1;
	}
	setvbuf(file, NULL, _IONBF, 0);
	to = strbuf_reserve(out, TOKEN_MAX);
	if (to)
		got = fread(to, 1, TOKEN_MAX, file);
	fclose(file);
	if (!to)
		return strbuf_check(out, err);
	to[got < TOKEN_MAX ? got : 0] = '\0';
	to[strcspn(to, ends)] = '\0';
	token = text_trim(to);
	out->len += strlen(token);
	memmove(to, token, strlen(token) + 1);
	if (!*to)
		return error_set(err, ERROR_CONFIG,
				 "there is no token in file '%s'", path);
	return 0;
}

/* ------------------------------------------------------- of this machine's */

/*
 * Ask, and again if there is no answer or none yet. The text is http_body()'s;
 * the status, or -1.
 */
static int ask(struct http *http, const struct http_request *request,
	       struct cancel *cancel, struct error *err)
{
	for (int attempt = 1;; attempt++) {
		int ret = http_perform(http, request, cancel, err);
		int status = ret < 0 ? 0 : http_status(http);

		if (ret == 0 && status < 500 && status != 429)
			return status;
		if (ret == 0)
			error_set(err, ERROR_CONNECTION,
				  "it answers with status %d", status);
		if (!err->retryable || attempt == TRIES)
			return -1;
		if (cancel) {
			cancel_sleep(cancel, PAUSE_MS * attempt);
			if (cancel_check(cancel, err) < 0)
				return -1;
		}
	}
}

static int open_local(struct http **out, struct error *err)
{
	static const struct http_options options = {
		.connect_timeout_s = LOCAL_WAIT_S,
		.stall_timeout_s = LOCAL_WAIT_S,
		.timeout_s = 2 * LOCAL_WAIT_S,
		.proxy = "",
	};

	return http_new(out, &options, err);
}

static int use_json(struct http *http, int status, const char *service,
		    struct s3_credentials *out, struct error *err)
{
	if (status != 200)
		return error_set(err, ERROR_PERMISSION,
				 "%s answers with status %d", service, status);
	if (s3_credentials_from_json(out, http_body(http)->data, err) < 0)
		return error_wrap(err, "%s", service);
	return 1;
}

/* ---------------------------------------------------------------- container */

/* Without TLS only to where nobody can listen in: itself, and ECS and EKS. */
static bool may_be_asked(const char *url)
{
	static const char *const hosts[] = {
		"127.0.0.1",	 "localhost",	   "[::1]",
		"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]",
	};
	size_t len;

	if (text_istarts(url, "https://"))
		return true;
	if (!text_istarts(url, "http://"))
		return false;
	url += strlen("http://");
	len = strcspn(url, "/?#");
	if (memchr(url, '@', len))
		return false;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		size_t host = strlen(hosts[i]);

		if (len >= host && !strncmp(url, hosts[i], host) &&
		    (len == host || url[host] == ':'))
			return true;
	}
	return false;
}

static int container_url(struct strbuf *out, struct strbuf *looked,
			 struct error *err)
{
	const char *relative =
		variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");

	if (!relative && !full) {
		strbuf_addstr(looked, "no container: neither "
				      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI "
				      "nor …_FULL_URI is set");
		return 0;
	}
	if (relative && *relative != '/')
		return error_set(err, ERROR_CONFIG,
				 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must "
				 "begin with /");
	if (relative)
		strbuf_addf(out, CONTAINER_BASE "%s", relative);
	else if (may_be_asked(full))
		strbuf_addstr(out, full);
	else
		return error_set(
			err, ERROR_CONFIG,
			"AWS_CONTAINER_CREDENTIALS_FULL_URI must begin "
			"with https://, or with http:// and this "
			"machine's own address or that of ECS or EKS");
	return strbuf_check(out, err) < 0 ? -1 : 1;
}

static int container_token(struct strbuf *out, struct error *err)
{
	const char *file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");

	if (file)
		return read_token(file, "\r\n", out, err); /* "Basic …" */
	if (token)
		strbuf_addstr(out, token);
	if (strpbrk(out->data, "\r\n"))
		return error_set(err, ERROR_CONFIG,
				 "AWS_CONTAINER_AUTHORIZATION_TOKEN has more "
				 "than one line");
	return strbuf_check(out, err);
}

static int ask_container(const char *url, const char *token,
			 struct cancel *cancel, struct s3_credentials *out,
			 struct error *err)
{
	struct http_header headers[] = {{"Authorization", token}};
	struct http_request request = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.header_count = *token ? 1 : 0,
		.body_max = ANSWER_MAX,
	};
	struct http *http;
	int ret;

	if (open_local(&http, err) < 0)
		return -1;
	ret = ask(http, &request, cancel, err);
	if (ret >= 0)
		ret = use_json(http, ret, "the container's service", out, err);
	http_free(http);
	return ret;
}

int s3_source_container(const struct s3_settings *settings,
			struct cancel *cancel, struct s3_credentials *out,
			struct strbuf *looked, struct error *err)
{
	struct strbuf url, token;
	int ret;

	(void)settings;
	strbuf_init(&url);
	strbuf_init(&token);
	ret = container_url(&url, looked, err);
	if (ret > 0 && container_token(&token, err) < 0)
		ret = -1;
	if (ret > 0)
		ret = ask_container(url.data, token.data, cancel, out, err);
	secret_release(&token);
	strbuf_release(&url);
	return ret;
}

/* ----------------------------------------------------------------- instance */

struct instance {
	struct http *http;
	struct cancel *cancel;
	const char *base;
	char *token; /* of the session, which version 2 wants */
};

static int ask_instance(struct instance *i, const char *method,
			const char *path, const char *more, struct error *err)
{
	struct http_header header = {i->token ? TOKEN_HEADER
					      : TOKEN_HEADER "-ttl-seconds",
				     i->token ? i->token : TOKEN_SECONDS};
	struct http_request request = {
		.method = method,
		.headers = &header,
		.header_count = 1,
		.body = strcmp(method, "PUT") ? NULL : "",
		.body_max = ANSWER_MAX,
	};
	struct strbuf url;
	int ret = -1;

	strbuf_init(&url);
	strbuf_addf(&url, "%s%s", i->base, path);
	sigv4_add_path(&url, more);
	if (strbuf_check(&url, err) == 0) {
		request.url = url.data;
		ret = ask(i->http, &request, i->cancel, err);
	}
	strbuf_release(&url);
	return ret;
}

/* 0: this is no instance, as far as can be told. */
static int begin_session(struct instance *i, struct strbuf *looked,
			 struct error *err)
{
	int status = ask_instance(i, "PUT", "/latest/api/token", "", err);

	if (status < 0 && err->kind == ERROR_CONNECTION) {
		strbuf_addf(looked, "no instance: %s", err->message);
		return 0;
	}
	if (status < 0)
		return -1;
	if (status != 200) {
		strbuf_addf(looked,
			    "no instance: %s answers with status %d to the "
			    "request for a token",
			    i->base, status);
		return 0;
	}
	i->token = strdup(http_body(i->http)->data);
	if (!i->token)
		return error_memory(err, "credentials");
	if (!*i->token || strpbrk(i->token, "\r\n"))
		return error_set(err, ERROR_DATA,
				 "the instance's service sends no token");
	return 1;
}

/* The role's name is all that the list has, in its first line. */
static int find_role(struct instance *i, char **role, struct strbuf *looked,
		     struct error *err)
{
	int status = ask_instance(i, "GET", ROLE_PATH, "", err);

	if (status < 0)
		return -1;
	*role = NULL;
	if (status == 200)
		*role = strdup(http_body(i->http)->data);
	if (status == 200 && !*role)
		return error_memory(err, "credentials");
	if (*role)
		(*role)[strcspn(*role, "\r\n")] = '\0';
	if (*role && **role)
		return 1;
	if (status != 404 && status != 200)
		return error_set(err, ERROR_PERMISSION,
				 "the instance's service answers with status "
				 "%d",
				 status);
	strbuf_addstr(looked, "the instance has no role");
	return 0;
}

static int ask_all(struct instance *i, struct s3_credentials *out,
		   struct strbuf *looked, struct error *err)
{
	char *role = NULL;
	int ret;

	ret = begin_session(i, looked, err);
	if (ret > 0)
		ret = find_role(i, &role, looked, err);
	if (ret > 0) {
		ret = ask_instance(i, "GET", ROLE_PATH, role, err);
		if (ret >= 0)
			ret = use_json(i->http, ret, "the instance's service",
				       out, err);
	}
	free(role);
	return ret;
}

int s3_source_instance(const struct s3_settings *settings,
		       struct cancel *cancel, struct s3_credentials *out,
		       struct strbuf *looked, struct error *err)
{
	const char *disabled = variable("AWS_EC2_METADATA_DISABLED");
	const char *base = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	struct instance i = {.cancel = cancel, .base = INSTANCE_BASE};
	char *copy;
	int ret;

	(void)settings;
	if (disabled && text_iequal(disabled, "true")) {
		strbuf_addstr(looked, "no instance: "
				      "AWS_EC2_METADATA_DISABLED is set");
		return 0;
	}
	copy = strdup(base ? base : INSTANCE_BASE);
	if (!copy)
		return error_memory(err, "credentials");
	while (*copy && copy[strlen(copy) - 1] == '/')
		copy[strlen(copy) - 1] = '\0';
	i.base = copy;
	ret = open_local(&i.http, err);
	if (ret == 0)
		ret = ask_all(&i, out, looked, err);
	http_free(i.http);
	secret_free(i.token);
	free(copy);
	return ret;
}

/* ------------------------------------------------------------- web identity */

/* One region's token service, or the one that an endpoint is given for. */
static void add_sts_url(struct strbuf *out, const struct s3_settings *settings)
{
	const char *endpoint = variable("AWS_ENDPOINT_URL_STS");
	const char *region = settings->region ? settings->region : "us-east-1";

	if (endpoint)
		strbuf_addstr(out, endpoint);
	else
		strbuf_addf(out, "https://sts.%s.amazonaws.com%s/", region,
			    strncmp(region, "cn-", 3) ? "" : ".cn");
}

static void add_sts_form(struct strbuf *out, const char *role,
			 const char *token)
{
	const char *session = variable("AWS_ROLE_SESSION_NAME");
	struct sigv4_pair form[] = {
		{"Action", "AssumeRoleWithWebIdentity"},
		{"Version", "2011-06-15"},
		{"RoleArn", role},
		{"RoleSessionName", session ? session : "dbaops-dataflow"},
		{"WebIdentityToken", token},
	};

	sigv4_add_query(out, form, sizeof(form) / sizeof(*form));
}

static int use_sts(struct http *http, int status, const char *role,
		   struct s3_credentials *out, struct error *err)
{
	const struct strbuf *body = http_body(http);

	if (status != 200)
		return error_set(err, ERROR_PERMISSION,
				 "the token service answers with status %d for "
				 "role '%s'; the role must trust the token's "
				 "issuer",
				 status, role);
	if (s3_credentials_from_xml(out, body->data, body->len, err) < 0)
		return error_wrap(err, "the token service");
	return 1;
}

static int ask_sts(const struct s3_settings *settings, const char *role,
		   const char *token, struct cancel *cancel,
		   struct s3_credentials *out, struct error *err)
{
	struct http_options options = {
		.connect_timeout_s = settings->connect_timeout_s,
		.stall_timeout_s = settings->stall_timeout_s,
		.ca_file = settings->ca_file,
		.proxy = settings->proxy,
		.proxy_user = settings->proxy_user,
		.proxy_password = settings->proxy_password,
	};
	struct http_header headers[] = {
		{"Content-Type", "application/x-www-form-urlencoded"}};
	struct http_request request = {
		.method = "POST",
		.headers = headers,
		.header_count = 1,
		.body_max = ANSWER_MAX,
	};
	struct http *http = NULL;
	struct strbuf url, form;
	int ret = -1;

	strbuf_init(&url);
	strbuf_init(&form);
	add_sts_url(&url, settings);
	add_sts_form(&form, role, token);
	if (strbuf_check(&url, err) == 0 && strbuf_check(&form, err) == 0 &&
	    http_new(&http, &options, err) == 0) {
		request.url = url.data;
		request.body = form.data;
		request.body_len = form.len;
		ret = ask(http, &request, cancel, err);
		if (ret >= 0)
			ret = use_sts(http, ret, role, out, err);
	}
	http_free(http);
	secret_release(&form);
	strbuf_release(&url);
	return ret;
}

int s3_source_web_identity(const struct s3_settings *settings,
			   struct cancel *cancel, struct s3_credentials *out,
			   struct strbuf *looked, struct error *err)
{
	const char *file = variable("AWS_WEB_IDENTITY_TOKEN_FILE");
	const char *role = variable("AWS_ROLE_ARN");
	struct strbuf token;
	int ret = -1;

	if (!file) {
		strbuf_addstr(looked, "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
		return 0;
	}
	if (!role)
		return error_set(err, ERROR_CONFIG, "AWS_ROLE_ARN is not set");
	strbuf_init(&token);
	if (read_token(file, " \t\r\n", &token, err) == 0)
		ret = ask_sts(settings, role, token.data, cancel, out, err);
	secret_release(&token);
	return ret;
}
