#include "notify/mail.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/clock.h"

/*
 * Bytes of one line's base64: 76 characters of the body, and what an encoded
 * word has room for in a line of 76 behind "Subject: =?UTF-8?B?".
 */
#define BODY_BYTES 57
#define WORD_BYTES 39

static void add_base64(struct strbuf *out, const char *data, size_t len)
{
	unsigned char text[(BODY_BYTES + 2) / 3 * 4 + 1];
	int n = EVP_EncodeBlock(text, (const unsigned char *)data, (int)len);

	strbuf_add(out, text, (size_t)n);
}

/* At most `most` bytes of `s` that end with a character. */
static size_t whole_characters(const char *s, size_t most)
{
	size_t len = strlen(s);

	if (len <= most)
		return len;
	len = most;
	while (len > 1 && ((unsigned char)s[len] & 0xc0) == 0x80)
		len--;
	return len;
}

/*
 * Always encoded, in words that a reader joins again: long subjects, other
 * alphabets, and what would look like an encoded word, are the same case then.
 */
static void add_subject(struct strbuf *out, const char *subject)
{
	char word[WORD_BYTES];

	strbuf_addstr(out, *subject ? "Subject:" : "Subject:\r\n");
	while (*subject) {
		size_t len = whole_characters(subject, WORD_BYTES);

		for (size_t i = 0; i < len; i++)
			word[i] = (unsigned char)subject[i] < 0x20 ||
						  subject[i] == 0x7f
					  ? ' '
					  : subject[i];
		strbuf_addstr(out, " =?UTF-8?B?");
		add_base64(out, word, len);
		strbuf_addstr(out, "?=\r\n");
		subject += len;
	}
}

static void add_date(struct strbuf *out, int64_t us)
{
	static const char days[] = "ThuFriSatSunMonTueWed";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char text[CLOCK_TEXT_MAX];
	int month;

	clock_format(text, us);
	month = (text[5] - '0') * 10 + text[6] - '0';
	strbuf_addf(out, "Date: %.3s, %.2s %.3s %.4s %.8s +0000\r\n",
		    days + us / 1000000 / 86400 % 7 * 3, text + 8,
		    months + (size_t)(month - 1) * 3, text, text + 11);
}

static void add_recipients(struct strbuf *out, const struct mail *mail)
{
	strbuf_addstr(out, "To:");
	for (size_t i = 0; i < mail->to_count; i++)
		strbuf_addf(out, " %s%s\r\n", mail->to[i],
			    i + 1 < mail->to_count ? "," : "");
}

/* MIME's text has CRLF, which the encoding would hide from SMTP. */
static void add_body(struct strbuf *out, const char *body)
{
	struct strbuf text;

	strbuf_init(&text);
	for (; *body; body++)
		strbuf_addstr(&text,
			      *body == '\n' ? "\r\n" : (char[]){*body, '\0'});
	for (size_t i = 0; i < text.len; i += BODY_BYTES) {
		size_t len = text.len - i;

		add_base64(out, text.data + i,
			   len < BODY_BYTES ? len : BODY_BYTES);
		strbuf_addstr(out, "\r\n");
	}
	if (text.failed)
		out->failed = text.failed;
	strbuf_release(&text);
}

void mail_write(const struct mail *mail, struct strbuf *out)
{
	add_date(out, mail->sent_us);
	strbuf_addf(out, "From: DBAOps DataFlow <%s>\r\n", mail->from);
	add_recipients(out, mail);
	add_subject(out, mail->subject);
	strbuf_addf(out,
		    "Message-ID: <%s%s>\r\n"
		    "Auto-Submitted: auto-generated\r\n"
		    "MIME-Version: 1.0\r\n"
		    "Content-Type: text/plain; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n",
		    mail->id, strchr(mail->from, '@'));
	add_body(out, mail->body);
}
