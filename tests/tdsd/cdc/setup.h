#ifndef TDSD_CDC_SETUP_H
#define TDSD_CDC_SETUP_H

#include "ddl/ddl.h"

/*
 * The cdc schema with its tables, and capture instances. Everything is part
 * of the statement that `x` stands for and is undone by its rollback.
 */
int cdc_make_schema(struct ddl *x);
int cdc_drop_schema(struct ddl *x);

struct cdc_new_instance {
	struct table *source;
	const char *name, *role, *index_name, *columns, *filegroup;
	int net_changes; /* 1, 0, -1 as the table allows */
	bool partition_switch;
};
int cdc_make_instance(struct ddl *x, const struct cdc_new_instance *n);

/* `name` NULL: all of the table's. Says how many there were. */
int cdc_drop_instances(struct ddl *x, int source, const char *name,
		       int *dropped);

/* How many instances has a table? -1 with an error. */
int cdc_count_instances(struct ddl *x, int source);

/* A table from a CREATE TABLE in T-SQL; owned by the system. */
int cdc_create_table(struct ddl *x, const char *sql, int *id);

#endif
