#ifndef TDSD_XML_H
#define TDSD_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "diag.h"

/*
 * Text to the text that the server makes of it when it is xml: well-formed,
 * without its declaration, in double quotes, and without text nodes of nothing
 * but blanks unless `keep_blanks` (CONVERT's style 1) or xml:space says so.
 * `wide`: it came as nvarchar, which cannot be in another encoding. -1 with
 * `d` set: 9400 to 9455, 6335, 6359.
 */
int xml_normalize(const char *s, size_t n, bool wide, bool keep_blanks,
		  struct strbuf *out, struct diag *d);

#endif
