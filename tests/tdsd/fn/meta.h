#ifndef TDSD_META_H
#define TDSD_META_H

#include "fn/fn.h"
#include "store/catalog.h"

/* What the functions about objects, users and the server share. */

/* The n-th argument as a C string in the session's scratch arena; NULL. */
const char *meta_text(struct arena *pool, int argc, sqlite3_value **argv,
		      int n);

void meta_result(sqlite3_context *ctx, const char *text);  /* NULL: NULL */
void meta_result_numeric(sqlite3_context *ctx, int64_t n); /* numeric(38,0) */

/* Results of the type sql_variant. */
void meta_variant(sqlite3_context *ctx, const struct val *v, struct type t);
void meta_variant_text(sqlite3_context *ctx, const char *text);
void meta_variant_int(sqlite3_context *ctx, int64_t n);

/* The current database; NULL when it cannot be read. */
struct attached *meta_home(struct session *s);

/* The database an argument names by its name, NULL when there is none. */
struct database *meta_database(struct session *s, const char *name);

/*
 * An object by name as OBJECT_ID() takes it, or by id in a database. Objects
 * that the user may not see are not found.
 */
bool meta_object(struct session *s, const char *name, struct object *o);
bool meta_object_id(struct session *s, struct attached *home, int id,
		    struct object *o);

void fn_register_server(struct session *s);
void fn_register_who(struct session *s);
void fn_register_columns(struct session *s);

#endif
