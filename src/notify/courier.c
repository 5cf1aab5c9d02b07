/*
 * libcurl's multi interface. Names are looked up by threads of libcurl's own,
 * which are left alone when they take too long (CURLOPT_QUICK_EXIT): so nothing
 * here ever waits, and a stop is not held up by a name server that is silent.
 */
#include "notify/courier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/libcurl.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "base/version.h"
#include "notify/mail.h"
#include "notify/signature.h"

#define CONNECT_MAX_S 10
#define WAIT_MAX_S    3600
#define REPLY_MAX     200
#define SECOND_US     1000000

/* One message on its way. */
struct delivery {
	struct delivery *next;
	CURL *easy;
	void *tag;
	enum channel_type type;
	char host[CHANNEL_HOST_MAX];
	bool has_ca_file;
	struct curl_slist *headers, *recipients;
	char *json;
	struct strbuf mail;
	size_t mail_sent;
	size_t recipient_count;
	char curl_error[CURL_ERROR_SIZE];

	/* What the SMTP server said. */
	bool asked_recipient; /* its next reply is about one */
	int refused_count;
	char refused[REPLY_MAX]; /* the first one's address */
	char reply[REPLY_MAX];	 /* the last refusal, code and words */
};

struct courier {
	CURLM *multi;
	struct delivery *deliveries;
};

int courier_global_init(struct error *err)
{
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);

	return code ? error_set(err, ERROR_SYSTEM, "libcurl: %s",
				curl_easy_strerror(code))
		    : 0;
}

void courier_global_exit(void)
{
	curl_global_cleanup();
}

int courier_new(struct courier **out, struct error *err)
{
	struct courier *courier = calloc(1, sizeof(*courier));

	if (courier)
		courier->multi = curl_multi_init();
	if (!courier || !courier->multi) {
		free(courier);
		return error_memory(err, "libcurl");
	}
	*out = courier;
	return 0;
}

static void wipe(char *s)
{
	volatile char *p = s;

	while (p && *p)
		*p++ = '\0';
	free(s);
}

static void delivery_free(struct delivery *delivery)
{
	curl_easy_cleanup(delivery->easy);
	curl_slist_free_all(delivery->headers);
	curl_slist_free_all(delivery->recipients);
	strbuf_release(&delivery->mail);
	wipe(delivery->json);
	free(delivery);
}

/* Out of the list and of libcurl's hands. */
static void detach(struct courier *courier, struct delivery *delivery)
{
	struct delivery **link = &courier->deliveries;

	while (*link != delivery)
		link = &(*link)->next;
	*link = delivery->next;
	curl_multi_remove_handle(courier->multi, delivery->easy);
}

void courier_free(struct courier *courier)
{
	if (!courier)
		return;
	while (courier->deliveries) {
		struct delivery *delivery = courier->deliveries;

		detach(courier, delivery);
		delivery_free(delivery);
	}
	curl_multi_cleanup(courier->multi);
	free(courier);
}

/* ---------------------------------------------------------------- callbacks */

/* What a web server answers is of no interest, and may be endless. */
static size_t discard(char *data, size_t size, size_t count, void *arg)
{
	(void)data;
	(void)arg;
	return size * count;
}

static size_t read_mail(char *to, size_t size, size_t count, void *arg)
{
	struct delivery *delivery = arg;
	size_t len = delivery->mail.len - delivery->mail_sent;

	if (len > size * count)
		len = size * count;
	memcpy(to, delivery->mail.data + delivery->mail_sent, len);
	delivery->mail_sent += len;
	return len;
}

static void keep_line(char out[REPLY_MAX], const char *data, size_t len)
{
	size_t n = 0;

	for (;
	     n < len && n < REPLY_MAX - 1 && data[n] != '\r' && data[n] != '\n';
	     n++)
		out[n] = (unsigned char)data[n] < 0x20 || data[n] == 0x7f
				 ? ' '
				 : data[n];
	out[n] = '\0';
	text_trim_partial_utf8(out);
	text_make_utf8(out);
}

static void hear_reply(struct delivery *delivery, const char *data, size_t len)
{
	bool asked = delivery->asked_recipient;

	if (len < 4 || data[3] == '-')
		return; /* another line of it follows */
	delivery->asked_recipient = false;
	if (*data != '4' && *data != '5') {
		if (asked && !delivery->refused_count)
			delivery->refused[0] = '\0';
		return;
	}
	if (asked)
		delivery->refused_count++;
	keep_line(delivery->reply, data, len);
}

/*
 * The conversation with an SMTP server, line by line: which recipient it
 * refused, and in what words, is nowhere else to be had. What we send holds the
 * password, so nothing of it is kept but an address.
 */
static int overhear(CURL *easy, curl_infotype type, char *data, size_t len,
		    void *arg)
{
	static const char rcpt[] = "RCPT TO:<";
	struct delivery *delivery = arg;
	size_t begin = sizeof(rcpt) - 1;

	(void)easy;
	if (type == CURLINFO_HEADER_IN) {
		hear_reply(delivery, data, len);
	} else if (type == CURLINFO_HEADER_OUT && len > begin &&
		   !strncmp(data, rcpt, begin)) {
		delivery->asked_recipient = true;
		if (!delivery->refused_count) {
			keep_line(delivery->refused, data + begin, len - begin);
			delivery->refused[strcspn(delivery->refused, ">")] =
				'\0';
		}
	}
	return 0;
}

/* ------------------------------------------------------------------ sending */

/* Every option that fails makes the message fail: none is for show. */
#define SET(option, value)                                               \
	do {                                                             \
		CURLcode code_ =                                         \
			curl_easy_setopt(delivery->easy, option, value); \
		if (code_)                                               \
			return refuse_option(#option, code_, err);       \
	} while (0)

static int refuse_option(const char *option, CURLcode code, struct error *err)
{
	return error_set(err, ERROR_SYSTEM, "libcurl does not take %s: %s",
			 option, curl_easy_strerror(code));
}

static int add_header(struct delivery *delivery, const char *name,
		      const char *value, struct error *err)
{
	struct curl_slist *grown = NULL;
	struct strbuf line;

	strbuf_init(&line);
	strbuf_addf(&line, "%s: %s", name, value);
	if (!line.failed)
		grown = curl_slist_append(delivery->headers, line.data);
	if (line.size)
		memset(line.data, 0, line.len);
	strbuf_release(&line);
	if (!grown)
		return error_memory(err, "a notification");
	delivery->headers = grown;
	return 0;
}

static int sign(struct delivery *delivery, const char *secret,
		const struct message *message, struct error *err)
{
	int64_t timestamp = message->sent_us / SECOND_US;
	char number[32], value[SIGNATURE_TEXT_MAX + 8] = "sha256=";

	if (signature_make(secret, timestamp, delivery->json,
			   value + strlen(value), err) < 0)
		return -1;
	snprintf(number, sizeof(number), "%lld", (long long)timestamp);
	if (add_header(delivery, "X-Dataflow-Timestamp", number, err) < 0)
		return -1;
	return add_header(delivery, "X-Dataflow-Signature", value, err);
}

static int prepare_webhook(struct delivery *delivery,
			   const struct channel *channel,
			   const struct message *message, struct error *err)
{
	delivery->json = message_json(message, err);
	if (!delivery->json ||
	    add_header(delivery, "Content-Type", "application/json", err) < 0 ||
	    /* An answer of "100 Continue" is nothing to wait for. */
	    add_header(delivery, "Expect", "", err) < 0 ||
	    (channel->authorization &&
	     add_header(delivery, "Authorization", channel->authorization,
			err) < 0) ||
	    (channel->secret &&
	     sign(delivery, channel->secret, message, err) < 0))
		return -1;
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDS, delivery->json);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(delivery->json));
	SET(CURLOPT_HTTPHEADER, delivery->headers);
	return 0;
}

static int write_mail(struct delivery *delivery, const struct channel *channel,
		      const struct message *message, struct error *err)
{
	struct strbuf subject, body;
	struct mail mail = {
		.id = message->id,
		.from = channel->from,
		.to = channel->to,
		.to_count = channel->to_count,
		.sent_us = message->sent_us,
	};
	int ret = -1;

	strbuf_init(&subject);
	strbuf_init(&body);
	strbuf_addstr(&subject, "[DataFlow] ");
	message_summary(message, &subject);
	message_text(message, &body);
	if (strbuf_check(&subject, err) == 0 && strbuf_check(&body, err) == 0) {
		mail.subject = subject.data;
		mail.body = body.data;
		mail_write(&mail, &delivery->mail);
		ret = strbuf_check(&delivery->mail, err);
	}
	strbuf_release(&subject);
	strbuf_release(&body);
	return ret;
}

static int prepare_email(struct delivery *delivery,
			 const struct channel *channel,
			 const struct message *message, struct error *err)
{
	static const long tls[] = {
		[CHANNEL_TLS_REQUIRED] = CURLUSESSL_ALL,
		[CHANNEL_TLS_OPTIONAL] = CURLUSESSL_TRY,
		[CHANNEL_TLS_NONE] = CURLUSESSL_NONE,
	};

	if (write_mail(delivery, channel, message, err) < 0)
		return -1;
	for (size_t i = 0; i < channel->to_count; i++) {
		struct curl_slist *grown =
			curl_slist_append(delivery->recipients, channel->to[i]);

		if (!grown)
			return error_memory(err, "a notification");
		delivery->recipients = grown;
	}
	delivery->recipient_count = channel->to_count;
	SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	SET(CURLOPT_USE_SSL, tls[channel->tls]);
	SET(CURLOPT_MAIL_FROM, channel->from);
	SET(CURLOPT_MAIL_RCPT, delivery->recipients);
	/* One address that does not exist any more keeps it from nobody. */
	SET(CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
	SET(CURLOPT_UPLOAD, 1L);
	SET(CURLOPT_READFUNCTION, read_mail);
	SET(CURLOPT_READDATA, delivery);
	SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)delivery->mail.len);
	if (channel->user) {
		SET(CURLOPT_USERNAME, channel->user);
		SET(CURLOPT_PASSWORD, channel->password);
	}
	return 0;
}

static int prepare(struct delivery *delivery, const struct channel *channel,
		   const struct message *message, struct error *err)
{
	long timeout = channel->timeout_s;

	SET(CURLOPT_NOSIGNAL, 1L); /* there are other threads */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_PRIVATE, delivery);
	SET(CURLOPT_ERRORBUFFER, delivery->curl_error);
	SET(CURLOPT_URL, channel->url);
	SET(CURLOPT_USERAGENT, "dbaops-dataflow/" DATAFLOW_VERSION);
	SET(CURLOPT_TIMEOUT, timeout);
	SET(CURLOPT_CONNECTTIMEOUT,
	    timeout < CONNECT_MAX_S ? timeout : CONNECT_MAX_S);
	SET(CURLOPT_WRITEFUNCTION, discard);
	SET(CURLOPT_VERBOSE, 1L);
	SET(CURLOPT_DEBUGFUNCTION, overhear);
	SET(CURLOPT_DEBUGDATA, delivery);
	/* A connection kept for the next one may be dead by then. */
	SET(CURLOPT_FORBID_REUSE, 1L);
	if (channel->ca_file) {
		int code = libcurl_trust(delivery->easy, channel->ca_file);

		if (code)
			return refuse_option("the CA file", (CURLcode)code,
					     err);
	}
	if (channel->trust_any) {
		SET(CURLOPT_SSL_VERIFYPEER, 0L);
		SET(CURLOPT_SSL_VERIFYHOST, 0L);
	}
	return channel->type == CHANNEL_WEBHOOK
		       ? prepare_webhook(delivery, channel, message, err)
		       : prepare_email(delivery, channel, message, err);
}

int courier_send(struct courier *courier, const struct channel *channel,
		 const struct message *message, void *tag, struct error *err)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	CURLMcode code;

	if (!delivery)
		return error_memory(err, "a notification");
	strbuf_init(&delivery->mail);
	delivery->tag = tag;
	delivery->type = channel->type;
	delivery->has_ca_file = channel->ca_file != NULL;
	text_copy(delivery->host, sizeof(delivery->host), channel->host);
	delivery->easy = curl_easy_init();
	if (!delivery->easy) {
		error_memory(err, "libcurl");
		goto failed;
	}
	if (prepare(delivery, channel, message, err) < 0)
		goto failed;
	code = curl_multi_add_handle(courier->multi, delivery->easy);
	if (code) {
		error_set(err, ERROR_SYSTEM, "libcurl: %s",
			  curl_multi_strerror(code));
		goto failed;
	}
	delivery->next = courier->deliveries;
	courier->deliveries = delivery;
	return 0;
failed:
	delivery_free(delivery);
	return -1;
}

/* ------------------------------------------------------- what became of them */

/* TLS: what is wrong with it does not go away by itself. */
static enum courier_result judge_tls(const struct delivery *delivery,
				     CURLcode code, struct error *err)
{
	if (code == CURLE_USE_SSL_FAILED)
		error_set(err, ERROR_CONNECTION,
			  "'%s' does not offer STARTTLS; smtps:// is for port "
			  "465, and with tls=optional or none the mail goes in "
			  "the clear",
			  delivery->host);
	else if (code == CURLE_SSL_CACERT_BADFILE)
		error_set(err, ERROR_CONFIG,
			  "settings: 'ca file' cannot be read, or holds no "
			  "certificate");
	else
		error_set(err, ERROR_CONNECTION,
			  "the certificate of '%s' is refused; its CA must be "
			  "one of this system's, or in 'ca file', and its name "
			  "that of the server: %s",
			  delivery->host,
			  libcurl_words(delivery->curl_error, code));
	return COURIER_REFUSED;
}

static enum courier_result judge_login(const struct delivery *delivery,
				       CURLcode code, struct error *err)
{
	error_set(err, ERROR_PERMISSION, "'%s' refuses user or password: %s",
		  delivery->host,
		  *delivery->reply ? delivery->reply
				   : libcurl_words(delivery->curl_error, code));
	return *delivery->reply == '4' ? COURIER_LATER : COURIER_REFUSED;
}

static enum courier_result judge_trouble(const struct delivery *delivery,
					 CURLcode code, struct error *err)
{
	switch (code) {
	case CURLE_USE_SSL_FAILED:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_PEER_FAILED_VERIFICATION:
		return judge_tls(delivery, code, err);
	case CURLE_LOGIN_DENIED:
		return judge_login(delivery, code, err);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		error_set(err, ERROR_CONFIG,
			  "settings: '%s' is not well formed",
			  delivery->type == CHANNEL_WEBHOOK ? "url" : "server");
		return COURIER_REFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		error_set(err, ERROR_CONNECTION,
			  "no answer from '%s' in time; host, port or a "
			  "firewall may be wrong: %s",
			  delivery->host,
			  libcurl_words(delivery->curl_error, code));
		return COURIER_LATER;
	default:
		error_set(err, ERROR_CONNECTION, "cannot deliver to '%s': %s",
			  delivery->host,
			  libcurl_words(delivery->curl_error, code));
		return COURIER_LATER;
	}
}

static enum courier_result judge_http(const struct delivery *delivery,
				      struct outcome *out)
{
	curl_off_t wait = 0;
	long status = 0;
	bool later;

	curl_easy_getinfo(delivery->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300)
		return COURIER_DELIVERED;
	later = status >= 500 || status == 408 || status == 425 ||
		status == 429;
	curl_easy_getinfo(delivery->easy, CURLINFO_RETRY_AFTER, &wait);
	if (later)
		out->wait_s = wait < WAIT_MAX_S ? wait : WAIT_MAX_S;
	error_set(&out->err, ERROR_SERVER, "'%s' answers with status %ld; %s",
		  delivery->host, status,
		  later ? "it is overloaded or out of order"
		  : status >= 300 && status < 400
			  ? "it has moved: write the new place into 'url'"
			  : "check 'url', 'secret' and 'authorization'");
	return later ? COURIER_LATER : COURIER_REFUSED;
}

/* Which recipients it would not have. */
static enum courier_result judge_recipients(const struct delivery *delivery,
					    struct error *err)
{
	if (!delivery->refused_count)
		return COURIER_DELIVERED;
	error_set(err, ERROR_SERVER,
		  "%d of %zu recipients refused, the first is '%s'; mend or "
		  "remove it in 'to': %s",
		  delivery->refused_count, delivery->recipient_count,
		  delivery->refused, delivery->reply);
	return COURIER_PARTLY;
}

/* A refusal of the SMTP server: 4xx may pass by itself, 5xx does not. */
static enum courier_result judge_smtp(const struct delivery *delivery,
				      CURLcode code, struct error *err)
{
	if (code == CURLE_OK)
		return judge_recipients(delivery, err);
	if (!*delivery->reply || code == CURLE_LOGIN_DENIED ||
	    code == CURLE_OPERATION_TIMEDOUT || code == CURLE_USE_SSL_FAILED)
		return judge_trouble(delivery, code, err);
	if (delivery->refused_count)
		judge_recipients(delivery, err);
	else
		error_set(err, ERROR_SERVER, "'%s' refuses the message: %s",
			  delivery->host, delivery->reply);
	return *delivery->reply == '4' ? COURIER_LATER : COURIER_REFUSED;
}

static enum courier_result judge(const struct delivery *delivery, CURLcode code,
				 struct outcome *out)
{
	if (delivery->type == CHANNEL_EMAIL)
		return judge_smtp(delivery, code, &out->err);
	return code == CURLE_OK ? judge_http(delivery, out)
				: judge_trouble(delivery, code, &out->err);
}

bool courier_take(struct courier *courier, struct outcome *out)
{
	struct delivery *delivery;
	CURLMsg *done;
	int running, left;

	curl_multi_perform(courier->multi, &running);
	do {
		done = curl_multi_info_read(courier->multi, &left);
	} while (done && done->msg != CURLMSG_DONE);
	if (!done)
		return false;
	delivery = courier->deliveries;
	while (delivery && delivery->easy != done->easy_handle)
		delivery = delivery->next;
	if (!delivery)
		return false;
	memset(out, 0, sizeof(*out));
	out->tag = delivery->tag;
	out->result = judge(delivery, done->data.result, out);
	text_make_utf8(out->err.message);
	detach(courier, delivery);
	delivery_free(delivery);
	return true;
}

void courier_drop(struct courier *courier, const void *tag)
{
	struct delivery *delivery = courier->deliveries;

	while (delivery && delivery->tag != tag)
		delivery = delivery->next;
	if (!delivery)
		return;
	detach(courier, delivery);
	delivery_free(delivery);
}

void courier_wait(struct courier *courier, int64_t ms)
{
	curl_multi_poll(courier->multi, NULL, 0, ms < 60000 ? (int)ms : 60000,
			NULL);
}

void courier_wake(struct courier *courier)
{
	curl_multi_wakeup(courier->multi);
}
