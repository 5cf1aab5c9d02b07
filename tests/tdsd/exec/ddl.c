/* DDL statements: one transaction each, whatever they do inside. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cdc/cdc.h"
#include "ddl/ddl.h"
#include "ddl/schema.h"
#include "ddl/temporal.h"
#include "dml/ops.h"
#include "exec/output.h"
#include "exec/perm.h"
#include "exec/stmts.h"
#include "exec/tran.h"

static enum flow done(struct session *s, struct stmt *st, int ret,
		      struct diag *d)
{
	struct diag ignored;

	if (tran_end_statement(s, ret < 0, ret < 0 ? &ignored : d) < 0)
		ret = -1;
	if (ret < 0)
		return run_error(s, d, st, false);
	s->error = 0;
	s->rowcount = 0;
	output_done(s, CMD_OTHER, -1, false);
	return FLOW_OK;
}

static int create_table(struct ddl *x, const struct create_table *c)
{
	int schema_id, id;

	if (ddl_place(x, &c->name, "CREATE TABLE", &schema_id) < 0)
		return -1;
	if (ddl_create_table(x, schema_id, c->name.part[c->name.count - 1],
			     c->columns, c->constraints, c->indexes, &id) < 0)
		return -1;
	return temporal_created(x, id, c);
}

static int find_table(struct ddl *x, const struct name *name,
		      struct table **out)
{
	struct object o;
	int found = catalog_find(x->s, name, &o, x->d), round;

	for (round = 0; round < 2 && found > 0; round++) {
		if (strcmp(o.type, "U") != 0)
			break;
		if (round == 0) {
			if (ddl_begin(x, x->s, o.home, x->pool, x->d) < 0)
				return -1;
			found = catalog_find(x->s, name, &o, x->d);
			continue;
		}
		*out = catalog_table(x->s, o.home, o.id, x->d);
		return *out ? 1 : -1;
	}
	return found < 0 ? -1 : 0;
}

static int set_ignore_dup(struct ddl *x, const struct table *t,
			  const struct index *ix, int on)
{
	if (ix->constraint)
		return diag_free_text(
			x->d, 1979, 16, 1,
			"Cannot use index option ignore_dup_key to alter "
			"index '%s' as it enforces a primary or unique "
			"constraint.",
			ix->name);
	return catalog_exec(x->s, x->d,
			    "UPDATE %s._indexes SET ignore_dup = %d"
			    " WHERE object_id = %d AND id = %d",
			    x->home->prefix, on, t->id, ix->id);
}

static int alter_index(struct ddl *x, const struct stmt *st)
{
	struct table *t;
	int found = find_table(x, &st->alter_index.table, &t), i, hits = 0;
	int ret = 0;

	if (found < 0)
		return -1;
	if (!found)
		return diag_free_text(
			x->d, 1088, 16, 9,
			"Cannot find the object \"%s\" because it does not "
			"exist or you do not have permissions.",
			st->alter_index.table
				.part[st->alter_index.table.count - 1]);
	ret = perm_alter(x->s, t, x->d);
	for (i = 0; i < t->index_count && ret == 0; i++) {
		struct index *ix = &t->indexes[i];

		if (st->alter_index.name &&
		    strcasecmp(ix->name, st->alter_index.name) != 0)
			continue;
		hits++;
		if (st->alter_index.ignore_dup >= 0)
			ret = set_ignore_dup(x, t, ix,
					     st->alter_index.ignore_dup);
		else if (st->alter_index.verb == 'D' && !ix->disabled) {
			ret = ddl_drop_physical(x, t, ix);
			if (ret == 0)
				ret = catalog_exec(
					x->s, x->d,
					"UPDATE %s._indexes SET disabled = 1"
					" WHERE object_id = %d AND id = %d",
					x->home->prefix, t->id, ix->id);
		} else if (st->alter_index.verb == 'R' && ix->disabled) {
			ret = ddl_make_physical(x, t, ix);
			if (ret == 0)
				ret = catalog_exec(
					x->s, x->d,
					"UPDATE %s._indexes SET disabled = 0"
					" WHERE object_id = %d AND id = %d",
					x->home->prefix, t->id, ix->id);
		}
	}
	table_unref(t);
	if (ret == 0 && !hits && st->alter_index.name)
		return diag_set(x->d, 2727, st->alter_index.name);
	return ret;
}

static int drop_index(struct ddl *x, const struct stmt *st)
{
	struct diag denied;
	struct table *t;
	int found = find_table(x, &st->alter_index.table, &t), i, ret = 0;

	if (found < 0)
		return -1;
	if (found && perm_check(x->s, t, PERM_ALTER, &denied) < 0) {
		table_unref(t);
		found = 0;
	}
	for (i = 0; found && i < t->index_count; i++) {
		const struct index *ix = &t->indexes[i];

		if (strcasecmp(ix->name, st->alter_index.name) != 0)
			continue;
		if (ix->constraint)
			ret = diag_set(x->d, 3723,
				       pool_printf(x->pool, "%s.%s", t->name,
						   ix->name),
				       ix->primary ? "PRIMARY KEY"
						   : "UNIQUE KEY");
		else if ((ret = cdc_check_index(x, t, ix)) == 0)
			ret = ddl_drop_index(x, t, ix);
		table_unref(t);
		return ret;
	}
	if (found)
		table_unref(t);
	if (st->alter_index.if_exists)
		return 0;
	return diag_set(
		x->d, 3701, "drop", "index",
		pool_printf(x->pool, "%s.%s",
			    st->alter_index.table
				    .part[st->alter_index.table.count - 1],
			    st->alter_index.name));
}

static int in_transaction(struct ddl *x, struct stmt *st)
{
	struct session *s = x->s;

	switch (st->kind) {
	case ST_CREATE_TABLE:
		return create_table(x, st->create_table);
	case ST_ALTER_TABLE:
		return ddl_alter_table(x, st->alter_table);
	case ST_DROP:
		return ddl_drop(x, st->drop);
	case ST_CREATE_INDEX:
		return ddl_create_index(x, &st->create_index.table,
					st->create_index.index);
	case ST_ALTER_INDEX:
		return alter_index(x, st);
	case ST_DROP_INDEX:
		return drop_index(x, st);
	case ST_CREATE_MODULE:
		return ddl_create_module(x, st->module, s->frame->ast->text);
	case ST_CREATE_SCHEMA:
		return ddl_create_schema(x, st->schema.name, st->schema.owner);
	case ST_ALTER_SCHEMA:
		if (st->schema.owner)
			return ddl_give_schema(x, st->schema.name,
					       st->schema.owner);
		return ddl_transfer(x, st->schema.name, &st->schema.object);
	case ST_CREATE_TYPE:
		return ddl_create_type(x, st);
	case ST_CREATE_SYNONYM:
		return ddl_create_synonym(x, st);
	default:
		return diag_set(x->d, 40517, "this statement");
	}
}

static bool is_temp(const struct name *n)
{
	return n->part[n->count - 1][0] == '#' &&
	       n->part[n->count - 1][1] != '#';
}

/* Which file will it change? The lock is taken before the savepoint is set. */
static struct attached *likely_home(struct session *s, const struct stmt *st,
				    struct diag *d)
{
	const struct name *n = NULL;

	switch (st->kind) {
	case ST_CREATE_TABLE:
		n = &st->create_table->name;
		break;
	case ST_ALTER_TABLE:
		n = &st->alter_table->name;
		break;
	case ST_DROP:
		n = &st->drop->names->name;
		break;
	case ST_CREATE_INDEX:
		n = &st->create_index.table;
		break;
	case ST_ALTER_INDEX:
	case ST_DROP_INDEX:
		n = &st->alter_index.table;
		break;
	default:
		break;
	}
	if (n && is_temp(n))
		return session_temp(s, d);
	return session_attach(s, s->db, d);
}

static enum flow run_ddl(struct session *s, struct stmt *st)
{
	struct ddl x = {.s = s, .st = st};
	struct arena pool;
	struct diag d, ignored;
	char mark[32] = "";
	int ret;

	arena_init(&pool, 0);
	d.line = 0;
	d.proc[0] = '\0';
	x.pool = &pool;
	x.d = &d;
	if (exec_check_doomed(s, &d) < 0) {
		arena_release(&pool);
		return run_error(s, &d, st, false);
	}
	ret = tran_begin_statement(s, &d);
	/* undo a half-done statement inside a transaction */
	if (ret == 0 && s->trancount && s->sqlite_tx) {
		snprintf(mark, sizeof(mark), "ddl%d", s->stmt_depth);
		/* the lock may renew the snapshot: take it first */
		ret = ddl_begin(&x, s, likely_home(s, st, &d), &pool, &d);
		if (ret == 0 && tran_mark(s, mark, &d) < 0)
			mark[0] = '\0';
	}
	if (ret == 0)
		ret = in_transaction(&x, st);
	/* what was loaded half-way through is stale now */
	if (ret == 0 && x.home)
		ret = catalog_touch(s, x.home, &d);
	if (mark[0])
		tran_unmark(s, mark, ret < 0, ret < 0 ? &ignored : &d);
	/* tables loaded on the way may not know of the change itself */
	catalog_forget(s);
	{
		enum flow flow = done(s, st, ret, &d);

		arena_release(&pool);
		return flow;
	}
}

static enum flow run_database(struct session *s, struct stmt *st)
{
	struct diag d;
	int ret;

	d.line = 0;
	d.proc[0] = '\0';
	if (st->kind == ST_CREATE_DATABASE)
		ret = ddl_create_database(s, st->database, &d);
	else
		ret = ddl_alter_database(s, st->database, &d);
	if (ret < 0)
		return run_error(s, &d, st, false);
	s->error = 0;
	output_done(s, CMD_OTHER, -1, false);
	return FLOW_OK;
}

static enum flow drop_databases(struct session *s, struct stmt *st)
{
	const struct name_ref *n;
	struct diag d;

	d.line = 0;
	d.proc[0] = '\0';
	for (n = st->drop->names; n; n = n->next)
		if (ddl_drop_database(s, n->name.part[0], st->drop->if_exists,
				      &d) < 0)
			return run_error(s, &d, st, false);
	s->error = 0;
	output_done(s, CMD_OTHER, -1, false);
	return FLOW_OK;
}

enum flow exec_ddl(struct session *s, struct stmt *st)
{
	enum flow flow;

	if (st->kind == ST_CREATE_DATABASE || st->kind == ST_ALTER_DATABASE)
		return run_database(s, st);
	if (st->kind == ST_DROP && !strcmp(st->drop->kind, "DATABASE"))
		return drop_databases(s, st);
	flow = run_ddl(s, st);
	if (flow == FLOW_OK && st->kind == ST_CREATE_SCHEMA)
		return run_block(s, st->schema.elements);
	return flow;
}

enum flow exec_truncate(struct session *s, struct stmt *st)
{
	struct ddl x = {.s = s, .st = st};
	struct arena pool;
	struct table *t = NULL;
	struct diag d;
	int ret, found;
	enum flow flow;

	d.line = 0;
	d.proc[0] = '\0';
	if (exec_check_doomed(s, &d) < 0)
		return run_error(s, &d, st, false);
	arena_init(&pool, 0);
	x.pool = &pool;
	x.d = &d;
	ret = tran_begin_statement(s, &d);
	found = ret == 0 ? find_table(&x, st->name, &t) : -1;
	if (found == 0)
		ret = diag_set(&d, 4701, st->name->part[st->name->count - 1]);
	else if (found < 0)
		ret = -1;
	else {
		ret = perm_alter(s, t, &d);
		if (ret == 0 &&
		    tran_note_write(s, t->db, t->id, t->name, &d) < 0)
			ret = -1;
		if (ret == 0)
			ret = ddl_truncate(&x, t);
	}
	table_unref(t);
	flow = done(s, st, ret, &d);
	arena_release(&pool);
	return flow;
}
