#ifndef S3_XML_H
#define S3_XML_H

#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

/*
 * Reads the XML that S3 answers with. Any thread may call.
 *
 * `element` is called at the end of each element with its path, as in
 * "/ListBucketResult/Contents/Key" (without namespaces), and its text, which is
 * NULL for one that has others inside it. Both last until it returns. -1 ends
 * the reading.
 */
typedef int s3_xml_element(const char *path, const char *text, void *arg,
			   struct error *err);

/*
 * ERROR_DATA for what is no XML, and for XML that no S3 server sends: document
 * types, entities of its own, elements more than a few deep, or with texts of
 * more than 64 KiB.
 */
int s3_xml_read(const char *data, size_t len, s3_xml_element *element,
		void *arg, struct error *err)
	__attribute__((warn_unused_result));

/* Append text so that it means itself, between two tags. */
void s3_add_escaped(struct strbuf *out, const char *s);

#endif
