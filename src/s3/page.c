#include "s3/page.h"

#include <stdlib.h>
#include <string.h>

#include "s3/request.h"
#include "s3/sources.h"
#include "s3/xml.h"

/* Far more than a server may list, which is a thousand. */
#define ENTRIES_MAX 10000

void s3_page_init(struct s3_page *page)
{
	memset(page, 0, sizeof(*page));
	strbuf_init(&page->text);
}

static void clear(struct s3_page *page)
{
	free(page->token);
	free(page->key_marker);
	free(page->id_marker);
	page->token = page->key_marker = page->id_marker = NULL;
	page->count = 0;
	page->truncated = page->encoded = false;
	memset(&page->current, 0, sizeof(page->current));
	strbuf_reset(&page->text);
	strbuf_addch(&page->text, '\0'); /* nothing begins at 0 */
}

void s3_page_release(struct s3_page *page)
{
	clear(page);
	free(page->entries);
	strbuf_release(&page->text);
	s3_page_init(page);
}

const char *s3_page_text(const struct s3_page *page, size_t at)
{
	return page->text.data + at;
}

/* ------------------------------------------------------------------- values */

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

/* As in a form: blanks are plus signs. In place; it gets no longer. */
static int decode(char *s, struct error *err)
{
	char *to = s;

	while (*s) {
		int high = *s == '%' ? hex(s[1]) : 0;
		int low = *s == '%' && high >= 0 ? hex(s[2]) : 0;

		if (*s != '%') {
			*to++ = (char)(*s == '+' ? ' ' : *s);
			s++;
			continue;
		}
		if (high < 0 || low < 0 || (!high && !low))
			return error_set(err, ERROR_DATA,
					 "a key in its list is not encoded as "
					 "it should be");
		*to++ = (char)(high << 4 | low);
		s += 3;
	}
	*to = '\0';
	return 0;
}

static int add_text(struct s3_page *page, const char *text, size_t *at,
		    struct error *err)
{
	*at = page->text.len;
	strbuf_add(&page->text, text, strlen(text) + 1);
	return strbuf_check(&page->text, err);
}

static int keep(char **out, const char *text, struct error *err)
{
	free(*out);
	*out = strdup(text);
	return *out ? 0 : error_memory(err, "a list of objects");
}

static int add_entry(struct s3_page *page, struct error *err)
{
	struct s3_entry *grown;
	size_t room = page->room ? 2 * page->room : 256;

	if (!page->current.key)
		return error_set(err, ERROR_DATA,
				 "its list has an object without a key");
	if (page->count == ENTRIES_MAX)
		return error_set(err, ERROR_DATA,
				 "its list has more than %d objects",
				 ENTRIES_MAX);
	if (page->count == page->room) {
		grown = realloc(page->entries, room * sizeof(*grown));
		if (!grown)
			return error_memory(err, "a list of objects");
		page->entries = grown;
		page->room = room;
	}
	page->entries[page->count++] = page->current;
	memset(&page->current, 0, sizeof(page->current));
	return 0;
}

/* ----------------------------------------------------------------- elements */

static int take_time(struct s3_page *page, const char *text, struct error *err)
{
	if (s3_time_parse(text, &page->current.info.modified_us) == 0)
		return 0;
	return error_set(err, ERROR_DATA, "a time in its list is none");
}

static int take_size(struct s3_page *page, const char *text, struct error *err)
{
	page->current.info.size = s3_parse_size(text);
	if (page->current.info.size >= 0)
		return 0;
	return error_set(err, ERROR_DATA, "a size in its list is none");
}

/* What stands in an entry; false: something that is of no interest. */
static int take_field(struct s3_page *page, const char *name, const char *text,
		      struct error *err)
{
	struct s3_entry *entry = &page->current;

	if (!strcmp(name, "/Key") || !strcmp(name, "/Prefix"))
		return add_text(page, text, &entry->key, err);
	if (!strcmp(name, "/UploadId"))
		return add_text(page, text, &entry->id, err);
	if (!strcmp(name, "/Size"))
		return take_size(page, text, err);
	if (!strcmp(name, "/LastModified") || !strcmp(name, "/Initiated"))
		return take_time(page, text, err);
	if (!strcmp(name, "/ETag") && strlen(text) < sizeof(entry->info.etag))
		memcpy(entry->info.etag, text, strlen(text) + 1);
	return 0;
}

static int take_entry(struct s3_page *page, const char *rest, const char *text,
		      bool is_folder, struct error *err)
{
	if (*rest)
		return text ? take_field(page, rest, text, err) : 0;
	page->current.is_folder = is_folder;
	return add_entry(page, err);
}

/* What is behind `start` in `path`, or NULL when it begins otherwise. */
static const char *behind(const char *path, const char *start)
{
	size_t len = strlen(start);

	if (strncmp(path, start, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

static int take_element(const char *path, const char *text, void *arg,
			struct error *err)
{
	struct s3_page *page = arg;
	const char *rest = behind(path, "/ListBucketResult");

	if (!rest)
		rest = behind(path, "/ListMultipartUploadsResult");
	if (!rest)
		return error_set(err, ERROR_DATA,
				 "it answers with something else than a list");
	path = rest;
	if ((rest = behind(path, "/Contents")) ||
	    (rest = behind(path, "/Upload")))
		return take_entry(page, rest, text, false, err);
	if ((rest = behind(path, "/CommonPrefixes")))
		return take_entry(page, rest, text, true, err);
	if (!text)
		return 0;
	if (!strcmp(path, "/IsTruncated"))
		page->truncated = !strcmp(text, "true");
	else if (!strcmp(path, "/EncodingType"))
		page->encoded = !strcmp(text, "url");
	else if (!strcmp(path, "/NextContinuationToken"))
		return keep(&page->token, text, err);
	else if (!strcmp(path, "/NextKeyMarker"))
		return keep(&page->key_marker, text, err);
	else if (!strcmp(path, "/NextUploadIdMarker"))
		return keep(&page->id_marker, text, err);
	return 0;
}

/* --------------------------------------------------------------------- page */

/* Keys, that is: tokens and ids are what they are. */
static int decode_keys(struct s3_page *page, struct error *err)
{
	if (!page->encoded)
		return 0;
	for (size_t i = 0; i < page->count; i++)
		if (decode(page->text.data + page->entries[i].key, err) < 0)
			return -1;
	return page->key_marker ? decode(page->key_marker, err) : 0;
}

/* Folders are listed behind the objects: each goes to its place. */
static void sort_in(struct s3_page *page)
{
	for (size_t i = 1; i < page->count; i++) {
		struct s3_entry entry = page->entries[i];
		const char *key = s3_page_text(page, entry.key);
		size_t at = i;

		if (!entry.is_folder)
			continue;
		for (;
		     at && strcmp(s3_page_text(page, page->entries[at - 1].key),
				  key) > 0;
		     at--)
			page->entries[at] = page->entries[at - 1];
		page->entries[at] = entry;
	}
}

int s3_page_read(struct s3_page *page, const char *xml, size_t len,
		 struct error *err)
{
	clear(page);
	if (s3_xml_read(xml, len, take_element, page, err) < 0 ||
	    decode_keys(page, err) < 0)
		return -1;
	sort_in(page);
	return 0;
}
