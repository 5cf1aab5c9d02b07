/*
 * expat, of libexpat1: it reads a text from its beginning to its end, and makes
 * no tree of it, which is all that these answers need. libxml2 would do as well,
 * with ten times the code. A document type is refused as soon as it begins, so
 * there are no entities to expand.
 */
#include "s3/xml.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "base/strbuf.h"

#define DEPTH_MAX 16
#define XPATH_MAX 512
#define TEXT_MAX  ((size_t)64 << 10)

struct reading {
	XML_Parser parser;
	s3_xml_element *element;
	void *arg;
	struct error *err;
	bool failed;
	char path[XPATH_MAX];
	size_t path_len;
	int depth;
	bool leaf; /* nothing began inside of what began last */
	struct strbuf text;
};

static void fail(struct reading *reading)
{
	reading->failed = true;
	XML_StopParser(reading->parser, XML_FALSE);
}

static void XMLCALL begin(void *arg, const XML_Char *name,
			  const XML_Char **atts)
{
	struct reading *reading = arg;
	size_t len = strlen(name);

	(void)atts;
	if (reading->depth == DEPTH_MAX ||
	    len + 2 > sizeof(reading->path) - reading->path_len) {
		error_set(reading->err, ERROR_DATA,
			  "its XML is nested too deeply");
		fail(reading);
		return;
	}
	reading->depth++;
	reading->path[reading->path_len] = '/';
	memcpy(reading->path + reading->path_len + 1, name, len + 1);
	reading->path_len += len + 1;
	reading->leaf = true;
	strbuf_reset(&reading->text);
}

static void XMLCALL end(void *arg, const XML_Char *name)
{
	struct reading *reading = arg;

	/* What was stopped may still report what it had in its hands. */
	if (reading->failed)
		return;
	if (strbuf_check(&reading->text, reading->err) < 0 ||
	    reading->element(reading->path,
			     reading->leaf ? reading->text.data : NULL,
			     reading->arg, reading->err) < 0) {
		fail(reading);
		return;
	}
	reading->depth--;
	reading->path_len -= strlen(name) + 1;
	reading->path[reading->path_len] = '\0';
	reading->leaf = false;
	strbuf_reset(&reading->text);
}

static void XMLCALL text(void *arg, const XML_Char *s, int len)
{
	struct reading *reading = arg;

	if (reading->failed)
		return;
	if ((size_t)len > TEXT_MAX - reading->text.len) {
		error_set(reading->err, ERROR_DATA,
			  "its XML has an element that is too long");
		fail(reading);
		return;
	}
	strbuf_add(&reading->text, s, (size_t)len);
}

static void XMLCALL doctype(void *arg, const XML_Char *name,
			    const XML_Char *system_id,
			    const XML_Char *public_id, int has_internal_subset)
{
	struct reading *reading = arg;

	(void)name;
	(void)system_id;
	(void)public_id;
	(void)has_internal_subset;
	error_set(reading->err, ERROR_DATA, "its XML has a document type");
	fail(reading);
}

static int parse(struct reading *reading, const char *data, size_t len)
{
	enum XML_Error code;

	XML_SetUserData(reading->parser, reading);
	XML_SetElementHandler(reading->parser, begin, end);
	XML_SetCharacterDataHandler(reading->parser, text);
	XML_SetStartDoctypeDeclHandler(reading->parser, doctype);
	if (XML_Parse(reading->parser, data, (int)len, XML_TRUE) ==
	    XML_STATUS_OK)
		return 0;
	if (reading->failed)
		return -1;
	code = XML_GetErrorCode(reading->parser);
	if (code == XML_ERROR_NO_MEMORY)
		return error_memory(reading->err, "reading XML");
	return error_set(reading->err, ERROR_DATA,
			 "its XML is broken at byte %ld of %zu: %s",
			 (long)XML_GetCurrentByteIndex(reading->parser), len,
			 XML_ErrorString(code));
}

/* Named, so that tests can make it scarce. */
static const XML_Memory_Handling_Suite memory = {malloc, realloc, free};

int s3_xml_read(const char *data, size_t len, s3_xml_element *element,
		void *arg, struct error *err)
{
	struct reading reading = {
		.element = element,
		.arg = arg,
		.err = err,
	};
	int ret;

	if (len > (size_t)1 << 30)
		return error_set(err, ERROR_DATA, "its XML is too long");
	reading.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
	if (!reading.parser)
		return error_memory(err, "reading XML");
	strbuf_init(&reading.text);
	ret = parse(&reading, data, len);
	strbuf_release(&reading.text);
	XML_ParserFree(reading.parser);
	return ret;
}

void s3_add_escaped(struct strbuf *out, const char *s)
{
	for (; *s; s++)
		if (*s == '&')
			strbuf_addstr(out, "&amp;");
		else if (*s == '<')
			strbuf_addstr(out, "&lt;");
		else if (*s == '>')
			strbuf_addstr(out, "&gt;");
		else
			strbuf_addch(out, *s);
}
