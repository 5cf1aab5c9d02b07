#ifndef TDSD_SYSVIEWS_H
#define TDSD_SYSVIEWS_H

#include "plan/translate.h"

/*
 * The catalog as a DBA sees it: sys.*, INFORMATION_SCHEMA.* and the old
 * sysobjects and its like. Each is a query over our own catalog tables or
 * over rows that C makes, with its columns typed as SQL Server 2019 has them.
 */
struct sysview {
	const char *schema, *name;
	/*
	 * "name:type,…": i int, I bigint, h smallint, t tinyint, b bit,
	 * s sysname, nN nvarchar(N), N nvarchar(max), vN varchar(N), cN
	 * char(N), d datetime, g uniqueidentifier, xN varbinary(N), X
	 * varbinary(max), V sql_variant, m numeric(25,0), f float, D
	 * datetime2(7); a '!' behind it: not NULL
	 */
	const char *columns;
	/* SQLite; %p% is the file's prefix, %d% the database's number */
	const char *sql;
	bool server_wide; /* the same in every database */
};

extern const struct sysview sysviews_objects[];
extern const struct sysview sysviews_tables[];
extern const struct sysview sysviews_server[];
extern const struct sysview sysviews_schema[];
extern const struct sysview sysviews_compat[];
extern const struct sysview sysviews_cdc[];

/* NULL when it is none (check t->failed). */
struct rel *sysview_find(struct tr *t, const struct name *name);

/* Lists them all, for sys.all_objects: NULL behind the end. */
const struct sysview *sysview_at(int index);

/* Parse the columns of a definition. */
int sysview_columns(struct arena *pool, const char *spec,
		    struct out_column **out);

/* The text with %p% and %d% filled in. */
const char *sysview_sql(struct arena *pool, const char *sql,
			const struct attached *home);

#endif
