/*
 * Odds and ends: GUIDs, sql_variant's properties, what ALTER TABLE needs of
 * each row, and the functions that users wrote.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/module.h"
#include "exec/server.h"
#include "fn/meta.h"
#include "value/collation.h"
#include "value/convert.h"

/* --- GUIDs --- */

static void newid(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	unsigned char raw[16], sorted[16];

	(void)argc;
	(void)argv;
	sqlite3_randomness(sizeof(raw), raw);
	raw[7] = (unsigned char)((raw[7] & 0x0F) | 0x40); /* version 4 */
	raw[8] = (unsigned char)((raw[8] & 0x3F) | 0x80);
	guid_to_sorted(raw, sorted);
	sqlite3_result_blob(ctx, sorted, 16, SQLITE_TRANSIENT);
}

/* Greater than any before, and after a restart too: time is in front. */
static void newsequentialid(sqlite3_context *ctx, int argc,
			    sqlite3_value **argv)
{
	static int64_t last;
	int64_t now = catalog_now() << 16, seen, next;
	unsigned char sorted[16];
	int i;

	(void)argc;
	(void)argv;
	seen = __atomic_load_n(&last, __ATOMIC_RELAXED);
	do {
		next = now > seen ? now : seen + 1;
	} while (!__atomic_compare_exchange_n(
		&last, &seen, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	memcpy(sorted, "\x02TDSD\x01\x80\x01", 8);
	for (i = 0; i < 8; i++)
		sorted[8 + i] = (unsigned char)((uint64_t)next >> (56 - 8 * i));
	sqlite3_result_blob(ctx, sorted, 16, SQLITE_TRANSIENT);
}

/* --- ALTER TABLE --- */

/* rowversion_(n, base): base + n as it is stored */
static void rowversion(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	uint64_t n = (uint64_t)sqlite3_value_int64(argv[0]) +
		     (uint64_t)sqlite3_value_int64(argv[1]);
	unsigned char bytes[8];
	int i;

	(void)argc;
	for (i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(n >> (56 - 8 * i));
	sqlite3_result_blob(ctx, bytes, 8, SQLITE_TRANSIENT);
}

/* fits_(value, from, to): is nothing cut off? */
static void fits(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct convert c = session_convert(s);
	struct val in = fn_val(argv[0]), out;
	struct diag d;

	(void)argc;
	c.strict_length = true;
	d.number = 0;
	/* another error is the conversion's own to report */
	if (convert_value(&c, &in, type_unpack(sqlite3_value_int64(argv[1])),
			  type_unpack(sqlite3_value_int64(argv[2])), &out,
			  &d) < 0 &&
	    (d.number == 8152 || d.number == 2628))
		sqlite3_result_int(ctx, 0);
	else
		sqlite3_result_int(ctx, 1);
}

/* --- sql_variant --- */

static void variant_property(sqlite3_context *ctx, int argc,
			     sqlite3_value **argv)
{
	struct val in = fn_val(argv[0]), v;
	struct arena pool;
	const char *name;
	struct type t;

	arena_init(&pool, 0);
	name = meta_text(&pool, argc, argv, 1);
	if (in.cls != VAL_BLOB || !name || !variant_unpack(&in, &t, &v))
		;
	else if (!strcasecmp(name, "BaseType"))
		meta_variant_text(ctx, type_name(t));
	else if (!strcasecmp(name, "Precision"))
		meta_variant_int(ctx, t.prec);
	else if (!strcasecmp(name, "Scale"))
		meta_variant_int(ctx, t.scale);
	else if (!strcasecmp(name, "MaxLength"))
		meta_variant_int(ctx, t.len);
	else if (!strcasecmp(name, "Collation") && type_is_text(t))
		meta_variant_text(ctx, collation_get(t.coll)->name);
	else if (!strcasecmp(name, "TotalBytes"))
		meta_variant_int(ctx, (v.cls == VAL_TEXT && type_is_unicode(t)
					       ? (int64_t)v.n * 2 + 8
				       : v.cls == VAL_TEXT || v.cls == VAL_BLOB
					       ? (int64_t)v.n + 8
					       : t.len + 2));
	arena_release(&pool);
}

/* --- functions of the user's --- */

#define UDF_ARGS 48

/* udf_(database, object, value, type, value, type, …) */
static void udf(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct database *db = database_by_id(&s->server->registry,
					     sqlite3_value_int(argv[0]));
	int count = (argc - 2) / 2, i;
	struct val args[UDF_ARGS];
	struct type types[UDF_ARGS];
	struct attached *home;
	struct cell out;
	struct diag d;

	memset(&out, 0, sizeof(out));
	if (!db || count > UDF_ARGS) {
		sqlite3_result_null(ctx);
		return;
	}
	home = session_attach(s, db, &d);
	for (i = 0; i < count; i++) {
		args[i] = fn_val(argv[2 + 2 * i]);
		types[i] = type_unpack(sqlite3_value_int64(argv[3 + 2 * i]));
	}
	if (!home || module_call_scalar(s, home, sqlite3_value_int(argv[1]),
					args, types, count, &out, &d) < 0)
		fn_fail(ctx, &d);
	else
		fn_result(ctx, &out.v);
	cell_release(&out);
}

static const struct fn_def defs[] = {
	{"newid_", 0, 0, newid},
	{"newsequentialid_", 0, 0, newsequentialid},
	{"rowversion_", 2, FN_PURE, rowversion},
	{"fits_", 3, FN_PURE, fits},
	{"variant_property_", 2, FN_PURE, variant_property},
	{"udf_", -1, 0, udf},
};

void fn_register_misc(struct session *s)
{
	fn_register(s, defs, (int)LENGTH_OF(defs));
}
