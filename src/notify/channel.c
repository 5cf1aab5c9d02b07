#include "notify/channel.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define TIMEOUT_S     15
#define TIMEOUT_MAX_S 120

/* Text that can be a line of a header: no control characters, ASCII only. */
static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

/* Likewise without blanks and what would end an address early. */
static bool is_address(const char *s)
{
	const char *at = strchr(s, '@');

	return at && at != s && at[1] && !strchr(at + 1, '@') && is_plain(s) &&
	       !strpbrk(s, " <>(),;:\\\"[]");
}

/* ---------------------------------------------------------------------- url */

/* The host, without port, path and what else a url has. */
static int read_host(struct channel *channel, const char *key,
		     struct error *err)
{
	const char *start = strstr(channel->url, "://") + 3;
	size_t len = strcspn(start, "/?#");

	if (!is_plain(channel->url) || strchr(channel->url, ' '))
		return error_set(err, ERROR_CONFIG,
				 "'%s' holds blanks or characters that are not "
				 "ASCII; write those as %%XX, and a host's "
				 "name in its xn-- form",
				 key);
	if (memchr(start, '@', len))
		return error_set(err, ERROR_CONFIG,
				 "'%s' holds a user or a password; they have "
				 "keys of their own",
				 key);
	if (*start == '[') { /* an IPv6 address */
		len = strcspn(start, "]/?#");
		len = start[len] == ']' ? len + 1 : 0;
	} else {
		len = strcspn(start, ":/?#");
	}
	if (!len || len >= sizeof(channel->host))
		return error_set(err, ERROR_CONFIG,
				 "'%s' names no host, or one that is too long",
				 key);
	memcpy(channel->host, start, len);
	channel->host[len] = '\0';
	return 0;
}

static int read_url(struct channel *channel, const char *key,
		    const char *scheme, const char *secure, struct error *err)
{
	channel->url = connstr_get(&channel->settings, key);
	if (!channel->url || !*channel->url)
		return error_set(err, ERROR_CONFIG, "'%s' is missing", key);
	if (!text_istarts(channel->url, scheme) &&
	    !text_istarts(channel->url, secure))
		return error_set(err, ERROR_CONFIG,
				 "'%s' must begin with %s or %s", key, scheme,
				 secure);
	return read_host(channel, key, err);
}

/* ------------------------------------------------------------------ webhook */

static int read_webhook(struct channel *channel, struct error *err)
{
	struct connstr *cs = &channel->settings;

	if (read_url(channel, "url", "http://", "https://", err) < 0)
		return -1;
	channel->secret = connstr_get(cs, "secret");
	channel->authorization = connstr_get(cs, "authorization");
	if (channel->secret && !*channel->secret)
		return error_set(err, ERROR_CONFIG, "'secret' is empty");
	if (channel->authorization && !is_plain(channel->authorization))
		return error_set(err, ERROR_CONFIG,
				 "'authorization' holds characters that a "
				 "header cannot have");
	return 0;
}

/* ------------------------------------------------------------------- e-mail */

static int read_recipients(struct channel *channel, struct error *err)
{
	const char *list = connstr_get(&channel->settings, "to");
	char *rest, *address, *comma;

	if (!list || !*list)
		return error_set(err, ERROR_CONFIG, "'to' is missing");
	rest = channel->recipients = strdup(list);
	if (!rest)
		return error_memory(err, "a notification channel");
	do {
		comma = strchr(rest, ',');
		if (comma)
			*comma = '\0';
		address = text_trim(rest);
		if (channel->to_count == CHANNEL_RECIPIENTS_MAX)
			return error_set(err, ERROR_CONFIG,
					 "'to' has more than %d addresses",
					 CHANNEL_RECIPIENTS_MAX);
		if (!is_address(address))
			return error_set(err, ERROR_CONFIG,
					 "address %d of 'to' is not of the "
					 "form name@example.com",
					 (int)channel->to_count + 1);
		channel->to[channel->to_count++] = address;
		if (comma)
			rest = comma + 1;
	} while (comma);
	return 0;
}

static int read_tls(struct channel *channel, struct error *err)
{
	static const char *const words[] = {"required", "optional", "none"};
	const char *word = connstr_get(&channel->settings, "tls");
	size_t i = 0;

	if (word)
		while (i < 3 && !text_iequal(word, words[i]))
			i++;
	if (i == 3)
		return error_set(err, ERROR_CONFIG,
				 "'tls' must be required, optional or none");
	channel->tls = (enum channel_tls)i;
	if (word && text_istarts(channel->url, "smtps://") &&
	    channel->tls != CHANNEL_TLS_REQUIRED)
		return error_set(err, ERROR_CONFIG,
				 "smtps:// is always encrypted; leave 'tls' "
				 "out, or write smtp://");
	/* Who sits between could take the offer out, and read it. */
	if (channel->password && channel->tls == CHANNEL_TLS_OPTIONAL)
		return error_set(err, ERROR_CONFIG,
				 "with a password 'tls' must be required; or "
				 "none, if the password may travel in the "
				 "clear");
	return 0;
}

static int read_email(struct channel *channel, struct error *err)
{
	struct connstr *cs = &channel->settings;

	if (read_url(channel, "server", "smtp://", "smtps://", err) < 0)
		return -1;
	channel->user = connstr_get(cs, "user|user id|uid");
	channel->password = connstr_get(cs, "password|pwd");
	if (!channel->user != !channel->password)
		return error_set(err, ERROR_CONFIG,
				 "'%s' is given without '%s'",
				 channel->user ? "user" : "password",
				 channel->user ? "password" : "user");
	channel->from = connstr_get(cs, "from");
	if (!channel->from || !is_address(channel->from))
		return error_set(err, ERROR_CONFIG,
				 "'from' must be an address as "
				 "name@example.com");
	if (read_recipients(channel, err) < 0)
		return -1;
	return read_tls(channel, err);
}

/* ---------------------------------------------------------------------- all */

static int read_common(struct channel *channel, struct error *err)
{
	struct connstr *cs = &channel->settings;

	channel->ca_file = connstr_get(cs, "ca file");
	if (channel->ca_file && !*channel->ca_file)
		return error_set(err, ERROR_CONFIG, "'ca file' is empty");
	channel->timeout_s = TIMEOUT_S;
	if (connstr_get_bool(cs, "trust server certificate",
			     &channel->trust_any, err) < 0 ||
	    connstr_get_int(cs, "timeout", 1, TIMEOUT_MAX_S,
			    &channel->timeout_s, err) < 0)
		return -1;
	return connstr_check_unused(cs, err);
}

int channel_parse(struct channel *out, const char *type, const char *settings,
		  struct error *err)
{
	int ret;

	memset(out, 0, sizeof(*out));
	if (text_iequal(type, "webhook"))
		out->type = CHANNEL_WEBHOOK;
	else if (text_iequal(type, "email"))
		out->type = CHANNEL_EMAIL;
	else
		return error_set(err, ERROR_CONFIG,
				 "channel_type must be webhook or email");
	if (connstr_parse(&out->settings, settings ? settings : "", err) < 0)
		return error_wrap(err, "settings");
	ret = out->type == CHANNEL_WEBHOOK ? read_webhook(out, err)
					   : read_email(out, err);
	if (ret == 0)
		ret = read_common(out, err);
	if (ret < 0) {
		channel_release(out);
		error_wrap(err, "settings");
	}
	return ret;
}

void channel_release(struct channel *channel)
{
	connstr_release(&channel->settings);
	free(channel->recipients);
	memset(channel, 0, sizeof(*channel));
}
