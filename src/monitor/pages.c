#include "monitor/pages.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "monitor/metrics.h"
#include "monitor/status.h"
#include "status_page.h"

#define FRESH_MS  1000
#define ALIVE_MAX 4

/* What programs read may do nothing at all in a browser. */
#define NOTHING "default-src 'none'; frame-ancestors 'none'"

#define TEXT	"text/plain; charset=utf-8"
#define METRICS "text/plain; version=0.0.4; charset=utf-8"
#define JSON	"application/json"
#define HTML	"text/html; charset=utf-8"

/* ------------------------------------------------------------- fixed pages */

static struct http_page *fixed(const char *text, const char *type,
			       const char *policy)
{
	return http_page_new(strdup(text), strlen(text), type, policy, NULL);
}

/* The hash of what stands in an element, as a policy names it. */
static bool add_hash(struct strbuf *sb, const char *page, const char *element)
{
	unsigned char digest[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
	const char *begin, *end;
	char tag[32];
	unsigned len;

	snprintf(tag, sizeof(tag), "<%s>", element);
	begin = strstr(page, tag);
	snprintf(tag, sizeof(tag), "</%s>", element);
	end = begin ? strstr(begin, tag) : NULL;
	if (!end)
		return false;
	begin += strlen(element) + 2;
	if (!EVP_Digest(begin, (size_t)(end - begin), digest, &len,
			EVP_sha256(), NULL))
		return false;
	EVP_EncodeBlock(text, digest, (int)len);
	strbuf_addf(sb, "; %s-src 'sha256-%s'", element, (const char *)text);
	return true;
}

/* Its own script and style and no others; and it may ask us for data. */
static char *make_policy(const char *page)
{
	struct strbuf sb;
	bool ok;

	strbuf_init(&sb);
	strbuf_addstr(&sb, "default-src 'none'; connect-src 'self'; "
			   "img-src data:; "
			   "base-uri 'none'; form-action 'none'; "
			   "frame-ancestors 'none'");
	ok = add_hash(&sb, page, "script") && add_hash(&sb, page, "style");
	if (ok)
		return strbuf_detach(&sb);
	strbuf_release(&sb);
	return NULL;
}

int pages_init(struct pages *pages, struct error *err)
{
	pages->policy = make_policy(status_page);
	if (!pages->policy)
		return error_memory(err, "the status page");
	pages->front = fixed(status_page, HTML, pages->policy);
	pages->healthy = fixed("it lives\n", TEXT, NOTHING);
	pages->unknown = fixed("there are /, /status.json, /metrics, /healthz "
			       "and /readyz\n",
			       TEXT, NOTHING);
	if (pages->front && pages->healthy && pages->unknown)
		return 0;
	pages_release(pages);
	return error_memory(err, "the status page");
}

void pages_release(struct pages *pages)
{
	http_page_release(pages->metrics.page);
	http_page_release(pages->status.page);
	http_page_release(pages->ready.page);
	http_page_release(pages->front);
	http_page_release(pages->healthy);
	http_page_release(pages->unknown);
	free(pages->policy);
	memset(pages, 0, sizeof(*pages));
}

/* ----------------------------------------------------------- what changes */

static unsigned write_metrics(struct strbuf *sb, const struct overview *now)
{
	metrics_write(sb, now);
	return 200;
}

static unsigned write_status(struct strbuf *sb, const struct overview *now)
{
	status_write(sb, now);
	return 200;
}

static unsigned write_ready(struct strbuf *sb, const struct overview *now)
{
	strbuf_addf(sb, "%s\n", now->not_ready ? now->not_ready : "ready");
	return now->not_ready ? 503 : 200;
}

/* Without memory for a new one the old one stays, if there is one. */
static void renew(struct pages *pages, struct pages_shelf *shelf,
		  const char *type,
		  unsigned (*write)(struct strbuf *, const struct overview *))
{
	struct overview now;
	struct http_page *page;
	struct strbuf sb;
	unsigned status;
	size_t len;

	if (pages->look(pages->arg, &now) < 0)
		return;
	strbuf_init(&sb);
	status = write(&sb, &now);
	overview_release(&now);
	len = sb.len;
	page = http_page_new(strbuf_detach(&sb), len, type, NOTHING,
			     &shelf->alive);
	if (!page)
		return;
	http_page_release(shelf->page);
	shelf->page = page;
	shelf->status = status;
	shelf->made_ms = clock_ms();
}

static unsigned take(struct pages *pages, struct pages_shelf *shelf,
		     const char *type,
		     unsigned (*write)(struct strbuf *,
				       const struct overview *),
		     struct http_page **page)
{
	if (!shelf->page || (clock_ms() - shelf->made_ms >= FRESH_MS &&
			     shelf->alive < ALIVE_MAX))
		renew(pages, shelf, type, write);
	*page = shelf->page;
	return shelf->status;
}

unsigned pages_answer(void *arg, const char *path, struct http_page **page)
{
	struct pages *pages = arg;

	if (!strcmp(path, "/metrics"))
		return take(pages, &pages->metrics, METRICS, write_metrics,
			    page);
	if (!strcmp(path, "/status.json"))
		return take(pages, &pages->status, JSON, write_status, page);
	if (!strcmp(path, "/readyz"))
		return take(pages, &pages->ready, TEXT, write_ready, page);
	if (!strcmp(path, "/healthz")) {
		*page = pages->healthy;
		return 200;
	}
	if (!strcmp(path, "/")) {
		*page = pages->front;
		return 200;
	}
	*page = pages->unknown;
	return 404;
}
