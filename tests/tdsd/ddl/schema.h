#ifndef TDSD_DDL_SCHEMA_H
#define TDSD_DDL_SCHEMA_H

#include "ddl/ddl.h"

/* Schemas, types and synonyms; within a statement, as all of ddl.h. */
/* NULL: whoever makes it owns it. */
int ddl_create_schema(struct ddl *x, const char *name, const char *owner);
int ddl_give_schema(struct ddl *x, const char *name, const char *owner);
int ddl_transfer(struct ddl *x, const char *schema, const struct name *object);
int ddl_create_type(struct ddl *x, const struct stmt *st);
int ddl_create_synonym(struct ddl *x, const struct stmt *st);

#endif
