/*
 * ALTER TABLE on a captured table: written down in cdc.ddl_history. An
 * instance keeps its columns; only a captured column whose type changed gets
 * the new type in the change table too, after what was logged in the old type
 * has been taken over.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cdc/capture.h"
#include "cdc/log.h"
#include "ddl/ddl.h"
#include "sql/parse.h"
#include "value/collation.h"

static bool same_type(struct type a, struct type b)
{
	return a.kind == b.kind && a.len == b.len && a.scale == b.scale &&
	       a.prec == b.prec && a.coll == b.coll;
}

static int alter_column(struct ddl *x, const struct table *ct,
			const struct column *to, const char *name)
{
	struct ddl inner = *x;
	struct batch_ast batch;
	char type[64];
	const char *sql, *coll = "";

	if (type_is_text(to->type) && to->type.kind != TY_XML)
		coll = pool_printf(x->pool, " COLLATE %s",
				   collation_get(to->type.coll)->name);
	sql = pool_printf(
		x->pool, "ALTER TABLE [cdc].[%s] ALTER COLUMN [%s] %s%s NULL",
		ct->name, name, type_text(to->type, type, sizeof(type)), coll);
	if (parse_batch(x->pool, sql, strlen(sql), true, &batch, x->d) < 0)
		return -1;
	return ddl_alter_table(&inner, batch.first->alter_table);
}

/* Follow the types of one instance. 1: something changed. */
static int follow_types(struct ddl *x, const struct table *t, int id,
			bool *drained)
{
	struct table *ct = catalog_table(x->s, x->home, id, x->d);
	struct scan all = {.max_trans = INT_MAX};
	char columns[64];
	int i, changed = 0;

	if (!ct)
		return -1;
	if (cdc_need_table(x->s, x->home, "captured_columns", columns,
			   sizeof(columns), x->d) < 0)
		changed = -1;
	for (i = 5; i < ct->count - 1 && changed >= 0; i++) {
		int64_t column_id = 0;
		const struct column *c = NULL;
		int at;

		if (catalog_int(x->s, x->d, &column_id,
				"SELECT c3 FROM %s WHERE c1 = %d AND c5 = %d",
				columns, id, i - 4) < 0) {
			changed = -1;
			break;
		}
		at = table_column_by_id(t, (int)column_id);
		if (at >= 0)
			c = &t->columns[at];
		if (!c || c->type.kind == TY_ROWVERSION ||
		    same_type(c->type, ct->columns[i].type))
			continue;
		if (!*drained && cdc_scan(x->s, x->home, &all, x->d) < 0)
			changed = -1;
		*drained = true;
		if (changed >= 0)
			changed =
				alter_column(x, ct, c, ct->columns[i].name) < 0
					? -1
					: 1;
	}
	table_unref(ct);
	return changed;
}

static int add_history(struct ddl *x, const struct table *t, int id,
		       const char *command, bool update, const char *lsn)
{
	char history[64], buf[DATETIMEOFFSET_BLOB];
	struct moment m;
	struct val now;

	if (cdc_need_table(x->s, x->home, "ddl_history", history,
			   sizeof(history), x->d) < 0)
		return -1;
	moment_now(&m, false);
	moment_store(&m, type_of(TY_DATETIME), &now, buf);
	return catalog_exec(x->s, x->d,
			    "INSERT INTO %s(c1, c2, c3, c4, c5, c6) VALUES(%d,"
			    " %d, %d, %Q, x'%s', %lld)",
			    history, t->id, id, update, command, lsn,
			    (long long)now.i);
}

static const char *statement_text(struct ddl *x, const char *command)
{
	const struct frame *f = x->s->frame;

	if (!x->st || !f || !f->ast || x->st->end > f->ast->len ||
	    x->st->start >= x->st->end)
		return command;
	/* the statement's place begins behind its first word */
	return pool_printf(x->pool, "ALTER %.*s",
			   (int)(x->st->end - x->st->start),
			   f->ast->text + x->st->start);
}

int ddl_record_cdc(struct ddl *x, const struct table *t, const char *command)
{
	unsigned char lsn[LSN_SIZE];
	char tables[64], text[2 * LSN_SIZE + 1];
	int64_t at = log_position(x->s, x->home, x->d), id = 0;
	struct table *now;
	bool drained = false;
	int i, ret = 0;

	if (!at || log_skip(x->s, x->home, x->d) < 0 ||
	    cdc_need_table(x->s, x->home, "change_tables", tables,
			   sizeof(tables), x->d) < 0)
		return -1;
	lsn_make(lsn, at);
	for (i = 0; i < LSN_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", lsn[i]);
	now = catalog_table(x->s, x->home, t->id, x->d);
	if (!now)
		return -1;
	while (ret >= 0) {
		int64_t next = 0;

		if (catalog_int(x->s, x->d, &next,
				"SELECT min(c1) FROM %s WHERE c3 = %d AND c1 >"
				" %lld",
				tables, t->id, (long long)id) < 0)
			ret = -1;
		id = next;
		if (ret < 0 || !id)
			break;
		ret = follow_types(x, now, (int)id, &drained);
		if (ret >= 0)
			ret = add_history(x, t, (int)id,
					  statement_text(x, command), ret > 0,
					  text);
	}
	table_unref(now);
	return ret < 0 ? -1 : 0;
}
