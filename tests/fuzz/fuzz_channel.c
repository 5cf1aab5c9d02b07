/*
 * Settings of notification channels, notify/channel.h.
 *
 * What is taken can be used as it is: a url of a scheme that sends, which
 * names the host and has neither blanks nor a password in it; addresses and
 * headers that cannot begin another line. What is refused is so as a wrong
 * setting, and no message repeats what the settings hold in secret.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "notify/channel.h"

#define SECRET "CANARY"

static const char *const secrets[] = {
	"password",
	"secret",
	"authorization",
	"url=https://h.example/?token",
};

#define SECRETS (sizeof(secrets) / sizeof(*secrets))

/* A second look: nothing that could end a line, a header, an address. */
static bool is_one_word(const char *s, const char *refused)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~' || strchr(refused, *s))
			return false;
	return true;
}

static void check_url(const struct channel *channel, const char *schemes[2])
{
	const char *behind;

	HOLDS(channel->url && is_one_word(channel->url, ""));
	HOLDS(text_istarts(channel->url, schemes[0]) ||
	      text_istarts(channel->url, schemes[1]));
	HOLDS(*channel->host);
	behind = strstr(channel->url, "://") + 3;
	HOLDS(!strncmp(behind, channel->host, strlen(channel->host)));
	HOLDS(!strpbrk(channel->host, "@/?#"));
}

static void check_webhook(const struct channel *channel)
{
	check_url(channel, (const char *[]){"http://", "https://"});
	HOLDS(!channel->secret || *channel->secret);
	HOLDS(!channel->authorization ||
	      !strpbrk(channel->authorization, "\r\n"));
}

static void check_address(const char *address)
{
	const char *at = strchr(address, '@');

	HOLDS(is_one_word(address, "<>,;:()\"[]\\"));
	HOLDS(at && at > address && at[1] && !strchr(at + 1, '@'));
}

static void check_email(const struct channel *channel)
{
	check_url(channel, (const char *[]){"smtp://", "smtps://"});
	check_address(channel->from);
	HOLDS(channel->to_count > 0 &&
	      channel->to_count <= CHANNEL_RECIPIENTS_MAX);
	for (size_t i = 0; i < channel->to_count; i++)
		check_address(channel->to[i]);
	HOLDS(!channel->user == !channel->password);
	HOLDS(!channel->password || channel->tls != CHANNEL_TLS_OPTIONAL);
}

static void try_settings(const char *type, const char *settings)
{
	struct error err = ERROR_INIT;
	struct channel channel;

	if (channel_parse(&channel, type, settings, &err) < 0) {
		check_error(&err);
		HOLDS(err.kind == ERROR_CONFIG);
		HOLDS(!strstr(err.message, SECRET));
		return;
	}
	HOLDS(channel.timeout_s > 0);
	if (channel.type == CHANNEL_WEBHOOK)
		check_webhook(&channel);
	else
		check_email(&channel);
	channel_release(&channel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	unsigned kind = take_byte(&in);
	char *text = take_text(&in, size);
	struct strbuf settings;

	strbuf_init(&settings);
	/* ${file:/dev/zero} would find nothing about the settings. */
	if (!strstr(text, "${")) {
		if (kind & 2)
			strbuf_addf(&settings, "%s=" SECRET ";",
				    secrets[kind / 4 % SECRETS]);
		strbuf_addstr(&settings, text);
		try_settings(kind & 1 ? "email" : "webhook", settings.data);
		try_settings(text, "");
	}
	strbuf_release(&settings);
	free(text);
	return 0;
}
