/*
 * Where changes stand before they are applied: a temporary table of the session.
 *
 * It is never logged, nobody else sees it, it lies in memory of the session's own
 * as long as it is small, and vanishes with the connection. An unlogged table in
 * the schema `dataflow` would do as well, but be truncated for each window,
 * which gives it a new file and makes catalog rows die. This one is emptied by
 * the end of the transaction (ON COMMIT DELETE ROWS), which costs nothing, and is
 * kept on the connection for whoever needs the same columns next: its name says
 * which these are.
 *
 * No autovacuum comes to temporary tables. So one whose age could come to hold
 * up the database's transaction ids is made anew.
 */
#include "drivers/postgresql/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drivers/postgresql/quote.h"

#define AGE_MAX \
	10000000 /* transactions; servers begin to mind at 200 million */

/* So many are kept on a connection, which several mappings use in turns. */
#define KEPT_MAX 64

void pg_staging_name(struct strbuf *sql, const struct pg_target *target)
{
	quote_table(sql, "pg_temp", target->staging);
}

/* FNV-1a, of 64 bits: equal names mean equal columns, or as good as that. */
static uint64_t digest(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

/* What there is: 1: the table as it should be; 0: none, or too old. */
static int look(struct pg_target *target, int64_t *kept, struct error *err)
{
	static const char sql[] =
		"SELECT count(*), COALESCE(min(age(c.relfrozenxid)) "
		"FILTER (WHERE c.relname = $1), -1) FROM pg_class AS c "
		"WHERE c.relnamespace = pg_my_temp_schema() "
		"AND c.relkind = 'r'";
	struct pg_param name = pg_text(target->staging);
	int64_t age;

	if (pg_query(target->conn, sql, &name, 1, err) < 0)
		return -1;
	*kept = pg_get_int(target->conn, 0, 0);
	age = pg_get_int(target->conn, 0, 1);
	pg_finish(target->conn);
	if (age > AGE_MAX)
		*kept = KEPT_MAX; /* the others are as old */
	return age >= 0 && age <= AGE_MAX;
}

static int make(struct pg_target *target, const struct strbuf *columns,
		struct error *err)
{
	struct strbuf sql;
	int64_t kept, rc;

	rc = look(target, &kept, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (kept >= KEPT_MAX && pg_exec(target->conn, "DISCARD TEMP", err) < 0)
		return -1;
	strbuf_init(&sql);
	strbuf_addstr(&sql, "CREATE TEMPORARY TABLE ");
	quote_name(&sql, target->staging);
	strbuf_addf(&sql, " (%s) ON COMMIT DELETE ROWS", columns->data);
	rc = pg_target_run(target, &sql, NULL, 0, err);
	strbuf_release(&sql);
	return rc < 0 ? -1 : 0;
}

int pg_staging_make(struct pg_target *target, enum pg_loader_kind kind,
		    struct error *err)
{
	char name[sizeof(target->staging)];
	struct strbuf columns;
	int ret = -1;

	strbuf_init(&columns);
	if (pg_loader_columns(&columns, &target->dest, target->shape, kind,
			      err) < 0 ||
	    strbuf_check(&columns, err) < 0)
		goto done;
	snprintf(name, sizeof(name), "staging_%016" PRIx64,
		 digest(columns.data));
	ret = 0;
	if (strcmp(name, target->staging) != 0) {
		snprintf(target->staging, sizeof(target->staging), "%s", name);
		ret = make(target, &columns, err);
	}
	if (ret < 0)
		target->staging[0] = '\0';
done:
	strbuf_release(&columns);
	return ret;
}
