#ifndef TDSD_CONVERT_H
#define TDSD_CONVERT_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "value/datetime.h"
#include "diag.h"
#include "value/type.h"
#include "value/val.h"

/*
 * Conversion between T-SQL types: CAST, CONVERT, assignment, parameters, bulk
 * load and the unification of operands all come through convert_value().
 */
struct convert {
	int style;		    /* CONVERT's third argument, -1 for none */
	enum date_order date_order; /* of the session */
	bool strict_length;	    /* cutting text or bytes is error 8152 */
	struct strbuf *mem;	    /* where results that need memory are put */
};

/*
 * Convert one stored value. The result may point into `in`'s bytes or into
 * `c->mem`, which is reset first. NULL gives NULL. On -1 `d` is filled as the
 * server words it; the caller of a column assignment turns 8152 into 2628.
 */
int convert_value(const struct convert *c, const struct val *in,
		  struct type from, struct type to, struct val *out,
		  struct diag *d);

enum convert_rule { CONVERT_IMPLICIT, CONVERT_EXPLICIT, CONVERT_NEVER };

/* May `from` become `to`? */
enum convert_rule convert_rule(struct type from, struct type to);

/* Integer limits of a kind. */
int64_t type_int_min(enum type_kind kind);
int64_t type_int_max(enum type_kind kind);

/* --- pieces of it, for the translation units of convert_*.c alone --- */

/* Make text fit a text type: code page, length, padding. */
int convert_fit_text(const struct convert *c, const char *s, size_t n,
		     struct type to, struct val *out, struct diag *d);
int convert_fit_binary(const struct convert *c, const char *s, size_t n,
		       struct type to, struct val *out, struct diag *d);
int convert_to_text(const struct convert *c, const struct val *in,
		    struct type from, struct type to, struct val *out,
		    struct diag *d);
int convert_to_temporal(const struct convert *c, const struct val *in,
			struct type from, struct type to, struct val *out,
			struct diag *d);
int convert_to_binary(const struct convert *c, const struct val *in,
		      struct type from, struct type to, struct val *out,
		      struct diag *d);
int convert_to_guid(const struct convert *c, const struct val *in,
		    struct type from, struct val *out, struct diag *d);

/* datetime and smalldatetime as days since 1900. */
double convert_days(struct type from, const struct val *in);

/* The 16 bytes of a GUID as they travel <-> as they sort. */
void guid_to_sorted(const unsigned char raw[16], unsigned char sorted[16]);
void guid_from_sorted(const unsigned char sorted[16], unsigned char raw[16]);

/* "6F9619FF-8B86-D011-B42D-00C04FC964FF" from raw bytes; `buf` of 37. */
void guid_format(const unsigned char raw[16], char *buf);

/* sql_variant: a value with its type in one blob. */
void variant_pack(const struct val *in, struct type t, struct strbuf *mem,
		  struct val *out);
/* `out` points into `in`. False when the blob is none of ours. */
bool variant_unpack(const struct val *in, struct type *t, struct val *out);

#endif
