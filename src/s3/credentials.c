/*
 * One cache for all threads. Whoever finds that it runs out asks the sources,
 * without the lock; while that lasts the others use what is there, as long as
 * that is good, and otherwise wait for it, in short pieces, so that each obeys
 * its own cancel. A source that fails is no trouble as long as the old ones are
 * good.
 */
#include "s3/credentials.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/strbuf.h"
#include "s3/sources.h"

#define SECOND_US     INT64_C(1000000)
#define EARLY_US      (300 * SECOND_US)
#define TOO_LATE_US   (10 * SECOND_US)
#define AGAIN_MS      30000 /* after a source failed */
#define WAIT_SLICE_MS 100

struct s3_keychain {
	const struct s3_settings *settings;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct s3_credentials current; /* no access key: none yet */
	bool asking;
	int64_t not_before_ms; /* ask no sooner, unless there is no other way */
};

void s3_credentials_release(struct s3_credentials *c)
{
	free(c->access_key);
	secret_free(c->secret_key);
	secret_free(c->session_token);
	memset(c, 0, sizeof(*c));
}

int s3_credentials_set(struct s3_credentials *out, const char *access_key,
		       const char *secret_key, const char *session_token,
		       struct error *err)
{
	memset(out, 0, sizeof(*out));
	out->access_key = strdup(access_key);
	out->secret_key = strdup(secret_key);
	if (session_token)
		out->session_token = strdup(session_token);
	if (out->access_key && out->secret_key &&
	    !session_token == !out->session_token)
		return 0;
	s3_credentials_release(out);
	return error_memory(err, "credentials");
}

int s3_keychain_new(struct s3_keychain **out,
		    const struct s3_settings *settings, struct error *err)
{
	struct s3_keychain *chain = calloc(1, sizeof(*chain));
	int rc;

	if (!chain)
		return error_memory(err, "credentials");
	chain->settings = settings;
	rc = pthread_mutex_init(&chain->lock, NULL);
	if (!rc) {
		rc = clock_cond_init(&chain->changed);
		if (!rc) {
			*out = chain;
			return 0;
		}
		pthread_mutex_destroy(&chain->lock);
	}
	free(chain);
	return error_errno(err, rc, "cannot make a lock");
}

void s3_keychain_free(struct s3_keychain *chain)
{
	if (!chain)
		return;
	s3_credentials_release(&chain->current);
	pthread_cond_destroy(&chain->changed);
	pthread_mutex_destroy(&chain->lock);
	free(chain);
}

/* ------------------------------------------------------------- the sources */

static const struct {
	enum s3_credential_source source;
	const char *name;
	s3_source *ask;
} sources[] = {
	{S3_CREDENTIALS_ROW, "the connection string", s3_source_row},
	{S3_CREDENTIALS_ENVIRONMENT, "environment", s3_source_environment},
	{S3_CREDENTIALS_WEB_IDENTITY, "web identity", s3_source_web_identity},
	{S3_CREDENTIALS_PROFILE, "profile", s3_source_profile},
	{S3_CREDENTIALS_CONTAINER, "container", s3_source_container},
	{S3_CREDENTIALS_INSTANCE, "instance", s3_source_instance},
};

/* They become parts of headers. */
static bool is_plain(const char *s)
{
	for (const char *c = s; c && *c; c++)
		if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f)
			return false;
	return !s || *s;
}

static int check(const struct s3_credentials *c, struct error *err)
{
	if (!is_plain(c->access_key) || !is_plain(c->secret_key) ||
	    !is_plain(c->session_token))
		return error_set(err, ERROR_CONFIG,
				 "the credentials hold blanks or other signs "
				 "that they cannot have, or are empty");
	if (c->expires_us && c->expires_us <= clock_utc_us())
		return error_set(err, ERROR_CONFIG,
				 "the credentials have expired already; is the "
				 "clock of this machine right?");
	return 0;
}

static int none_found(const struct s3_settings *settings,
		      const struct strbuf *looked, struct error *err)
{
	if (strbuf_check(looked, err) < 0)
		return -1;
	if (settings->source == S3_CREDENTIALS_ANY)
		return error_set(err, ERROR_CONFIG,
				 "no credentials for bucket '%s'; give "
				 "access_key and secret_key in the connection "
				 "string, or any other of these: %s",
				 settings->bucket, looked->data);
	return error_set(err, ERROR_CONFIG,
			 "no credentials for bucket '%s' where the connection "
			 "string says they are: %s",
			 settings->bucket, looked->data);
}

static int ask_sources(const struct s3_settings *settings,
		       struct cancel *cancel, struct s3_credentials *out,
		       struct error *err)
{
	struct strbuf looked;
	int got = 0;

	memset(out, 0, sizeof(*out));
	strbuf_init(&looked);
	for (size_t i = 0; !got && i < sizeof(sources) / sizeof(*sources);
	     i++) {
		if (settings->source != S3_CREDENTIALS_ANY &&
		    settings->source != sources[i].source)
			continue;
		if (looked.len)
			strbuf_addstr(&looked, "; ");
		got = sources[i].ask(settings, cancel, out, &looked, err);
		if (got > 0)
			got = check(out, err) < 0 ? -1 : 1;
		if (got < 0)
			error_wrap(err, "credentials of bucket '%s', from %s",
				   settings->bucket, sources[i].name);
	}
	if (!got)
		got = none_found(settings, &looked, err);
	if (got < 0)
		s3_credentials_release(out);
	strbuf_release(&looked);
	return got < 0 ? -1 : 0;
}

/* --------------------------------------------------------------- the cache */

static int copy(const struct s3_credentials *from, struct s3_credentials *out,
		struct error *err)
{
	if (s3_credentials_set(out, from->access_key, from->secret_key,
			       from->session_token, err) < 0)
		return -1;
	out->expires_us = from->expires_us;
	return 0;
}

static bool lasts(const struct s3_keychain *chain, int64_t us)
{
	const struct s3_credentials *c = &chain->current;

	return c->access_key &&
	       (!c->expires_us || c->expires_us - clock_utc_us() > us);
}

/* The lock is held, and not while the sources are asked. */
static int renew(struct s3_keychain *chain, struct cancel *cancel,
		 struct error *err)
{
	struct s3_credentials fresh;
	int ret;

	chain->asking = true;
	pthread_mutex_unlock(&chain->lock);
	ret = ask_sources(chain->settings, cancel, &fresh, err);
	pthread_mutex_lock(&chain->lock);
	chain->asking = false;
	if (ret == 0) {
		s3_credentials_release(&chain->current);
		chain->current = fresh;
		chain->not_before_ms = 0;
	} else if (err->kind != ERROR_CANCELLED && lasts(chain, TOO_LATE_US)) {
		log_warning("%s; the old ones are used as long as they last",
			    err->message);
		chain->not_before_ms = clock_ms() + AGAIN_MS;
		ret = 0;
	}
	pthread_cond_broadcast(&chain->changed);
	return ret;
}

static int have_some(struct s3_keychain *chain, struct cancel *cancel,
		     struct error *err)
{
	while (!lasts(chain, EARLY_US)) {
		bool usable = lasts(chain, TOO_LATE_US);

		if (usable &&
		    (chain->asking || clock_ms() < chain->not_before_ms))
			return 0;
		if (!chain->asking)
			return renew(chain, cancel, err);
		if (cancel && cancel_check_now(cancel, err) < 0)
			return -1;
		clock_cond_wait(&chain->changed, &chain->lock,
				clock_ms() + WAIT_SLICE_MS);
	}
	return 0;
}

int s3_keychain_get(struct s3_keychain *chain, struct cancel *cancel,
		    struct s3_credentials *out, struct error *err)
{
	int ret;

	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&chain->lock);
	ret = have_some(chain, cancel, err);
	if (ret == 0)
		ret = copy(&chain->current, out, err);
	pthread_mutex_unlock(&chain->lock);
	return ret;
}

/* Those of the row will not be others before somebody writes others there. */
bool s3_keychain_refused(struct s3_keychain *chain,
			 const struct s3_credentials *c)
{
	bool worth_it = chain->settings->source != S3_CREDENTIALS_ROW;

	if (!worth_it)
		return false;
	pthread_mutex_lock(&chain->lock);
	if (chain->current.access_key &&
	    !strcmp(chain->current.access_key, c->access_key) &&
	    !strcmp(chain->current.secret_key, c->secret_key))
		s3_credentials_release(&chain->current);
	pthread_mutex_unlock(&chain->lock);
	return true;
}
