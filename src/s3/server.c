#include "s3/server.h"

#include <stdlib.h>
#include <string.h>

#include "s3/profile.h"

/* What a server that has no regions takes for one. */
#define ANY_REGION "us-east-1"

/* ------------------------------------------------------- a copy of settings */

static int copy_text(char **out, const char *text, struct error *err)
{
	*out = NULL;
	if (!text)
		return 0;
	*out = strdup(text);
	return *out ? 0 : error_memory(err, "S3 settings");
}

static int copy_settings(struct s3_settings *out, const struct s3_settings *in,
			 struct error *err)
{
	*out = *in;
	out->access_key = out->secret_key = out->session_token = NULL;
	out->bucket = out->region = out->prefix = out->profile = NULL;
	out->ca_file = out->host = out->proxy = out->proxy_user = NULL;
	out->proxy_password = out->kms_key_id = out->storage_class = NULL;
	out->bucket_owner = NULL;
	if (copy_text(&out->bucket, in->bucket, err) == 0 &&
	    copy_text(&out->region, in->region, err) == 0 &&
	    copy_text(&out->prefix, in->prefix, err) == 0 &&
	    copy_text(&out->access_key, in->access_key, err) == 0 &&
	    copy_text(&out->secret_key, in->secret_key, err) == 0 &&
	    copy_text(&out->session_token, in->session_token, err) == 0 &&
	    copy_text(&out->profile, in->profile, err) == 0 &&
	    copy_text(&out->ca_file, in->ca_file, err) == 0 &&
	    copy_text(&out->host, in->host, err) == 0 &&
	    copy_text(&out->proxy, in->proxy, err) == 0 &&
	    copy_text(&out->proxy_user, in->proxy_user, err) == 0 &&
	    copy_text(&out->proxy_password, in->proxy_password, err) == 0 &&
	    copy_text(&out->kms_key_id, in->kms_key_id, err) == 0 &&
	    copy_text(&out->storage_class, in->storage_class, err) == 0 &&
	    copy_text(&out->bucket_owner, in->bucket_owner, err) == 0)
		return 0;
	return -1;
}

/* ------------------------------------------------------------------- region */

static int region_of_profile(struct s3 *s3, struct error *err)
{
	struct s3_profile profile = {.found = false};
	int ret;

	if (s3_profile_read(&profile, s3_profile_name(s3->settings.profile),
			    err) < 0)
		return -1;
	ret = copy_text(&s3->settings.region, profile.region, err);
	s3_profile_release(&profile);
	return ret;
}

/* It becomes a part of a host's name, wherever it came from. */
static bool is_region(const char *s)
{
	return *s && strlen(s) <= 64 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == strlen(s);
}

static int look_for_region(struct s3 *s3, struct error *err)
{
	const char *region = getenv("AWS_REGION");

	if (!region || !*region)
		region = getenv("AWS_DEFAULT_REGION");
	if (region && *region)
		return copy_text(&s3->settings.region, region, err);
	if (region_of_profile(s3, err) < 0 || s3->settings.region)
		return s3->settings.region ? 0 : -1;
	if (s3->settings.host)
		return copy_text(&s3->settings.region, ANY_REGION, err);
	return error_set(err, ERROR_CONFIG,
			 "no region for bucket '%s'; write it into the "
			 "connection string, as region=eu-central-1, or set "
			 "AWS_REGION",
			 s3->settings.bucket);
}

static int find_region(struct s3 *s3, struct error *err)
{
	if (!s3->settings.region && look_for_region(s3, err) < 0)
		return -1;
	if (is_region(s3->settings.region))
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "the region of bucket '%s', which comes from the "
			 "environment or a profile, is no region's name",
			 s3->settings.bucket);
}

/* --------------------------------------------------------------------- host */

/* The port that a scheme has by itself is left out by whoever checks. */
static void drop_own_port(struct strbuf *host, bool tls)
{
	const char *port = tls ? ":443" : ":80";
	size_t len = strlen(port);

	if (host->len <= len || strcmp(host->data + host->len - len, port) != 0)
		return;
	host->len -= len;
	host->data[host->len] = '\0';
}

static int find_host(struct s3 *s3, struct error *err)
{
	const struct s3_settings *s = &s3->settings;
	struct strbuf host;

	strbuf_init(&host);
	if (!s->path_style)
		strbuf_addf(&host, "%s.", s->bucket);
	if (s->host)
		strbuf_addstr(&host, s->host);
	else
		strbuf_addf(&host, "s3.%s.amazonaws.com%s", s->region,
			    strncmp(s->region, "cn-", 3) ? "" : ".cn");
	if (!host.failed)
		drop_own_port(&host, s->tls);
	s3->host = strbuf_detach(&host);
	s3->scheme = strdup(s->tls ? "https://" : "http://");
	strbuf_addf(&host, "s3://%s", s->bucket);
	if (s->host)
		strbuf_addf(&host, " at %s", s->host);
	s3->name = strbuf_detach(&host);
	strbuf_release(&host);
	if (s3->host && s3->scheme && s3->name)
		return 0;
	return error_memory(err, "S3 settings");
}

void s3_add_path(const struct s3 *s3, const char *key, struct strbuf *out)
{
	strbuf_addch(out, '/');
	if (s3->settings.path_style)
		strbuf_addstr(out, s3->settings.bucket);
	if (key && s3->settings.path_style)
		strbuf_addch(out, '/');
	if (key)
		strbuf_addstr(out, key);
}

/* ------------------------------------------------------------------ together */

static int fill(struct s3 *s3, const struct s3_settings *settings,
		struct error *err)
{
	const struct s3_settings *s = &s3->settings;

	if (copy_settings(&s3->settings, settings, err) < 0 ||
	    find_region(s3, err) < 0 || find_host(s3, err) < 0)
		return -1;
	s3->options = (struct http_options){
		.connect_timeout_s = s->connect_timeout_s,
		.stall_timeout_s = s->stall_timeout_s,
		.trust_any = s->trust_any,
		.ca_file = s->ca_file,
		.proxy = s->proxy,
		.proxy_user = s->proxy_user,
		.proxy_password = s->proxy_password,
	};
	return s3_keychain_new(&s3->keychain, s, err);
}

int s3_new(struct s3 **out, const struct s3_settings *settings,
	   struct error *err)
{
	struct s3 *s3 = calloc(1, sizeof(*s3));
	int rc;

	if (!s3)
		return error_memory(err, "S3 settings");
	rc = pthread_mutex_init(&s3->lock, NULL);
	if (rc) {
		free(s3);
		return error_errno(err, rc, "cannot make a lock");
	}
	if (fill(s3, settings, err) < 0) {
		s3_free(s3);
		return -1;
	}
	*out = s3;
	return 0;
}

void s3_free(struct s3 *s3)
{
	if (!s3)
		return;
	for (size_t i = 0; i < s3->idle_count; i++)
		http_free(s3->idle[i]);
	s3_keychain_free(s3->keychain);
	s3_settings_release(&s3->settings);
	free(s3->name);
	free(s3->scheme);
	free(s3->host);
	pthread_mutex_destroy(&s3->lock);
	free(s3);
}

const char *s3_name(const struct s3 *s3)
{
	return s3->name;
}

/* -------------------------------------------------------------- connections */

int s3_borrow(struct s3 *s3, struct http **out, struct error *err)
{
	*out = NULL;
	pthread_mutex_lock(&s3->lock);
	if (s3->idle_count)
		*out = s3->idle[--s3->idle_count];
	pthread_mutex_unlock(&s3->lock);
	return *out ? 0 : http_new(out, &s3->options, err);
}

void s3_give_back(struct s3 *s3, struct http *http)
{
	pthread_mutex_lock(&s3->lock);
	if (s3->idle_count < S3_IDLE_MAX) {
		s3->idle[s3->idle_count++] = http;
		http = NULL;
	}
	pthread_mutex_unlock(&s3->lock);
	http_free(http);
}

int s3_global_init(struct error *err)
{
	return http_global_init(err);
}

void s3_global_exit(void)
{
	http_global_exit();
}
