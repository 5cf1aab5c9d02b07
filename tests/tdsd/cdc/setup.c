/*
 * The tables of the cdc schema are made from T-SQL like any other, so that
 * they can be read, granted and looked up as on the server. Their SQLite
 * columns are numbered in the order of definition, which the code here and in
 * capture.c relies on.
 */
#include "cdc/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cdc/capture.h"
#include "cdc/log.h"
#include "ddl/schema.h"
#include "dml/ops.h"
#include "exec/perm.h"
#include "sql/parse.h"
#include "value/collation.h"
#include "value/utf.h"

static const char *const cdc_tables[] = {
	"CREATE TABLE cdc.change_tables(object_id int NOT NULL PRIMARY KEY,"
	" version int NULL, source_object_id int NULL,"
	" capture_instance sysname NOT NULL, start_lsn binary(10) NULL,"
	" end_lsn binary(10) NULL, supports_net_changes bit NULL,"
	" has_drop_pending bit NULL, role_name sysname NULL,"
	" index_name sysname NULL, filegroup_name sysname NULL,"
	" create_date datetime NULL, partition_switch bit NOT NULL)",
	"CREATE TABLE cdc.captured_columns(object_id int NOT NULL,"
	" column_name sysname NOT NULL, column_id int NULL,"
	" column_type sysname NOT NULL, column_ordinal int NOT NULL,"
	" is_computed bit NULL, masking_function nvarchar(4000) NULL,"
	" INDEX captured_columns_clustered_idx UNIQUE CLUSTERED (object_id,"
	" column_ordinal))",
	"CREATE TABLE cdc.index_columns(object_id int NOT NULL,"
	" column_name sysname NOT NULL, index_ordinal tinyint NOT NULL,"
	" column_id int NOT NULL, INDEX index_columns_clustered_idx UNIQUE"
	" CLUSTERED (object_id, index_ordinal, column_id))",
	"CREATE TABLE cdc.ddl_history(source_object_id int NULL,"
	" object_id int NOT NULL, required_column_update bit NULL,"
	" ddl_command nvarchar(max) NULL, ddl_lsn binary(10) NULL,"
	" ddl_time datetime NULL, INDEX ddl_history_clustered_idx CLUSTERED"
	" (object_id, ddl_lsn))",
	"CREATE TABLE cdc.lsn_time_mapping(start_lsn binary(10) NOT NULL,"
	" tran_begin_time datetime NULL, tran_end_time datetime NULL,"
	" tran_id varbinary(10) NULL, tran_begin_lsn binary(10) NULL,"
	" INDEX lsn_time_mapping_clustered_idx UNIQUE CLUSTERED (start_lsn),"
	" INDEX lsn_time_mapping_nonunique_idx NONCLUSTERED (tran_end_time))",
};

int cdc_create_table(struct ddl *x, const char *sql, int *id)
{
	struct batch_ast batch;
	struct create_table *c;
	int schema;

	if (parse_batch(x->pool, sql, strlen(sql), true, &batch, x->d) < 0)
		return -1;
	c = batch.first->create_table;
	schema = catalog_schema_id(x->s, x->home, c->name.part[0]);
	if (ddl_create_table(x, schema, c->name.part[1], c->columns,
			     c->constraints, c->indexes, id) < 0)
		return -1;
	return catalog_exec(x->s, x->d,
			    "UPDATE %s._objects SET is_ms = 1 WHERE id = %d OR"
			    " parent_id = %d",
			    x->home->prefix, *id, *id);
}

/* A schema and a user, both named cdc. */
static int add_schema(struct ddl *x)
{
	int64_t taken = 0;

	if (catalog_int(x->s, x->d, &taken,
			"SELECT 1 FROM %s._principals WHERE name = 'cdc'",
			x->home->prefix) < 0)
		return -1;
	if (taken || catalog_schema_id(x->s, x->home, "cdc"))
		return diag_set(x->d, 22906, x->home->db->name);
	if (ddl_create_schema(x, "cdc", NULL) < 0)
		return -1;
	return catalog_exec(
		x->s, x->d,
		"INSERT INTO %s._principals VALUES((SELECT max(5,"
		" ifnull(max(id) + 1, 5)) FROM %s._principals WHERE id <"
		" 16384), 'cdc', 'S', NULL, 'cdc', 1, 0, %lld)",
		x->home->prefix, x->home->prefix, (long long)catalog_now());
}

int cdc_make_schema(struct ddl *x)
{
	size_t i;
	int id;

	if (add_schema(x) < 0)
		return -1;
	for (i = 0; i < LENGTH_OF(cdc_tables); i++)
		if (cdc_create_table(x, cdc_tables[i], &id) < 0)
			return -1;
	if (catalog_exec(x->s, x->d,
			 "INSERT OR REPLACE INTO %s._meta VALUES('cdc', 1)",
			 x->home->prefix) < 0)
		return -1;
	log_switch_cdc(x->s, x->home, 1);
	return catalog_touch(x->s, x->home, x->d);
}

static int drop_table_id(struct ddl *x, int id)
{
	struct table *t = catalog_table(x->s, x->home, id, x->d);
	int ret;

	if (!t)
		return -1;
	ops_free(t->ops); /* its statements hold the table */
	t->ops = NULL;
	ret = ddl_drop_table(x, t);
	table_unref(t);
	return ret < 0 ? -1 : catalog_touch(x->s, x->home, x->d);
}

int cdc_drop_schema(struct ddl *x)
{
	int schema = catalog_schema_id(x->s, x->home, "cdc");
	int64_t id;

	for (;;) {
		id = 0;
		if (catalog_int(x->s, x->d, &id,
				"SELECT id FROM %s._objects WHERE schema_id ="
				" %d AND type = 'U' LIMIT 1",
				x->home->prefix, schema) < 0)
			return -1;
		if (!id)
			break;
		if (drop_table_id(x, (int)id) < 0)
			return -1;
	}
	if (catalog_exec(x->s, x->d,
			 "DELETE FROM %s._schemas WHERE id = %d;"
			 "DELETE FROM %s._principals WHERE name = 'cdc';"
			 "DELETE FROM %s._meta WHERE k GLOB 'cdc*';"
			 "DELETE FROM %s._log; DELETE FROM %s._log_tran",
			 x->home->prefix, schema, x->home->prefix,
			 x->home->prefix, x->home->prefix, x->home->prefix) < 0)
		return -1;
	log_switch_cdc(x->s, x->home, 0);
	return catalog_touch(x->s, x->home, x->d);
}

/* --- instances --- */

int cdc_count_instances(struct ddl *x, int source)
{
	char tables[64];
	int64_t n = 0;

	if (cdc_need_table(x->s, x->home, "change_tables", tables,
			   sizeof(tables), x->d) < 0)
		return -1;
	if (catalog_int(x->s, x->d, &n, "SELECT count(*) FROM %s WHERE c3 = %d",
			tables, source) < 0)
		return -1;
	return (int)n;
}

/* The next name of a list such as "a, [b c], "d"". NULL at its end. */
static const char *next_name(struct ddl *x, const char **list)
{
	const char *p = *list, *start;
	char close = 0;
	size_t len;

	while (*p == ' ' || *p == ',' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	if (!*p)
		return NULL;
	if (*p == '[' || *p == '"')
		close = *p++ == '[' ? ']' : '"';
	start = p;
	while (*p && (close ? *p != close : *p != ','))
		p++;
	len = (size_t)(p - start);
	*list = close && *p ? p + 1 : p;
	while (!close && len && start[len - 1] == ' ')
		len--;
	return pool_strndup(x->pool, start, len);
}

/* Which columns are captured, by their place. */
static int choose_columns(struct ddl *x, const struct cdc_new_instance *n,
			  bool *wanted)
{
	const char *list = n->columns, *name;
	int i;

	for (i = 0; i < n->source->count; i++)
		wanted[i] = !list;
	while (list && (name = next_name(x, &list))) {
		i = table_column(n->source, name);
		if (i < 0)
			return diag_set(x->d, 22930, name,
					table_two_part(n->source, x->pool));
		wanted[i] = true;
	}
	return 0;
}

/* The index that identifies rows for net changes; NULL: none. */
static int choose_index(struct ddl *x, const struct cdc_new_instance *n,
			const struct index **out)
{
	const struct table *t = n->source;
	int i;

	*out = table_primary_key(t);
	if (!n->index_name)
		return 0;
	*out = NULL;
	for (i = 0; i < t->index_count; i++)
		if (!strcasecmp(t->indexes[i].name, n->index_name))
			*out = &t->indexes[i];
	if (!*out)
		return diag_set(x->d, 22928, n->index_name,
				table_two_part(t, x->pool));
	if (!(*out)->unique)
		return diag_set(x->d, 22929, n->index_name,
				table_two_part(t, x->pool));
	return 0;
}

static void add_name(struct strbuf *sb, const char *name)
{
	strbuf_addch(sb, '[');
	for (; *name; name++) {
		if (*name == ']')
			strbuf_addch(sb, ']');
		strbuf_addch(sb, *name);
	}
	strbuf_addch(sb, ']');
}

static int make_change_table(struct ddl *x, const struct cdc_new_instance *n,
			     const bool *wanted, int *id)
{
	struct strbuf sb;
	char type[64];
	int i, ret;

	strbuf_init(&sb);
	strbuf_addstr(&sb, "CREATE TABLE cdc.");
	add_name(&sb, pool_printf(x->pool, "%s_CT", n->name));
	strbuf_addstr(&sb, "([__$start_lsn] binary(10) NOT NULL,"
			   " [__$end_lsn] binary(10) NULL,"
			   " [__$seqval] binary(10) NOT NULL,"
			   " [__$operation] int NOT NULL,"
			   " [__$update_mask] varbinary(128) NULL,");
	for (i = 0; i < n->source->count; i++) {
		const struct column *c = &n->source->columns[i];

		if (!wanted[i])
			continue;
		add_name(&sb, c->name);
		strbuf_addf(&sb, " %s",
			    c->type.kind == TY_ROWVERSION
				    ? "binary(8)"
				    : type_text(c->type, type, sizeof(type)));
		if (type_is_text(c->type) && c->type.kind != TY_XML)
			strbuf_addf(&sb, " COLLATE %s",
				    collation_get(c->type.coll)->name);
		strbuf_addstr(&sb, " NULL,");
	}
	strbuf_addstr(&sb, "[__$command_id] int NULL, INDEX ");
	add_name(&sb, pool_printf(x->pool, "%s_CT_clustered_idx", n->name));
	strbuf_addstr(&sb, " UNIQUE CLUSTERED ([__$start_lsn],"
			   " [__$command_id], [__$seqval], [__$operation]))");
	ret = cdc_create_table(x, sb.data, id);
	strbuf_release(&sb);
	return ret;
}

static int describe_columns(struct ddl *x, const struct table *t, int id,
			    const bool *wanted, const struct index *index)
{
	char columns[64], keys[64];
	int i, ordinal = 0;

	if (cdc_need_table(x->s, x->home, "captured_columns", columns,
			   sizeof(columns), x->d) < 0 ||
	    cdc_need_table(x->s, x->home, "index_columns", keys, sizeof(keys),
			   x->d) < 0)
		return -1;
	for (i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];

		if (!wanted[i])
			continue;
		if (catalog_exec(x->s, x->d,
				 "INSERT INTO %s(c1, c2, c3, c4, c5, c6)"
				 " VALUES(%d, %Q, %d, %Q, %d, %d)",
				 columns, id, c->name, c->id,
				 type_name(c->type), ++ordinal,
				 c->computed != NULL) < 0)
			return -1;
	}
	for (i = 0; index && i < index->keys; i++) {
		const struct column *c = &t->columns[index->columns[i].column];

		if (catalog_exec(x->s, x->d,
				 "INSERT INTO %s(c1, c2, c3, c4)"
				 " VALUES(%d, %Q, %d, %d)",
				 keys, id, c->name, i + 1, c->id) < 0)
			return -1;
	}
	return 0;
}

static const char *hex(struct ddl *x, const unsigned char *p, int n)
{
	char *text = pool_alloc(x->pool, (size_t)n * 2 + 1);
	int i;

	for (i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", p[i]);
	return text;
}

static int describe(struct ddl *x, const struct cdc_new_instance *n, int id,
		    bool net, const struct index *index)
{
	unsigned char lsn[LSN_SIZE];
	char tables[64], buf[DATETIMEOFFSET_BLOB];
	int64_t start = log_position(x->s, x->home, x->d);
	struct moment m;
	struct val now;

	if (!start || log_skip(x->s, x->home, x->d) < 0 ||
	    cdc_need_table(x->s, x->home, "change_tables", tables,
			   sizeof(tables), x->d) < 0)
		return -1;
	moment_now(&m, false);
	moment_store(&m, type_of(TY_DATETIME), &now, buf);
	lsn_make(lsn, start);
	return catalog_exec(
		x->s, x->d,
		"INSERT INTO %s(c1, c2, c3, c4, c5, c7, c8, c9, c10, c11, c12,"
		" c13) VALUES(%d, 0, %d, %Q, x'%s', %d, NULL, %Q, %Q, %Q, %lld,"
		" %d);"
		"INSERT OR REPLACE INTO %s._meta VALUES('cdcstart:%d', %lld);"
		"INSERT OR REPLACE INTO %s._meta VALUES('cdc:%d', 1)",
		tables, id, n->source->id, n->name, hex(x, lsn, LSN_SIZE), net,
		n->role, index ? index->name : NULL, n->filegroup,
		(long long)now.i, n->partition_switch, x->home->prefix, id,
		(long long)start, x->home->prefix, n->source->id);
}

/* The role that may read the changes is made when it is not there. */
static int need_role(struct ddl *x, const char *role)
{
	if (!role)
		return 0;
	return catalog_exec(
		x->s, x->d,
		"INSERT INTO %s._principals SELECT (SELECT max(5,"
		" ifnull(max(id) + 1, 5)) FROM %s._principals WHERE id <"
		" 16384), %Q, 'R', NULL, NULL, 1, 0, %lld WHERE NOT EXISTS("
		"SELECT 1 FROM %s._principals WHERE name = %Q)",
		x->home->prefix, x->home->prefix, role,
		(long long)catalog_now(), x->home->prefix, role);
}

static int check_new(struct ddl *x, const struct cdc_new_instance *n)
{
	char tables[64];
	int64_t taken = 0;

	if (cdc_count_instances(x, n->source->id) >= 2)
		return diag_set(x->d, 22962,
				table_two_part(n->source, x->pool));
	if (utf_units(n->name, strlen(n->name)) > 100)
		return diag_set(x->d, 22927, n->name);
	if (cdc_need_table(x->s, x->home, "change_tables", tables,
			   sizeof(tables), x->d) < 0 ||
	    catalog_int(x->s, x->d, &taken,
			"SELECT 1 FROM %s WHERE c4 = %Q COLLATE cat", tables,
			n->name) < 0)
		return -1;
	return taken ? diag_set(x->d, 22926, n->name) : 0;
}

int cdc_make_instance(struct ddl *x, const struct cdc_new_instance *n)
{
	const struct index *index;
	bool *wanted = pool_alloc(x->pool, (size_t)n->source->count + 1);
	bool net;
	int id, i;

	if (check_new(x, n) < 0 || choose_columns(x, n, wanted) < 0 ||
	    choose_index(x, n, &index) < 0)
		return -1;
	net = n->net_changes < 0 ? index != NULL : n->net_changes;
	if (net && !index)
		return diag_set(x->d, 22939);
	for (i = 0; net && i < index->keys; i++)
		if (!wanted[index->columns[i].column])
			return diag_set(x->d, 22943);
	if (need_role(x, n->role) < 0 ||
	    make_change_table(x, n, wanted, &id) < 0 ||
	    describe_columns(x, n->source, id, wanted, index) < 0 ||
	    describe(x, n, id, net, index) < 0)
		return -1;
	return catalog_touch(x->s, x->home, x->d);
}

static int drop_instance(struct ddl *x, int id)
{
	static const char *const described[] = {
		"captured_columns", "index_columns", "change_tables"};
	char name[64], history[64];
	size_t i;

	for (i = 0; i < LENGTH_OF(described); i++)
		if (cdc_need_table(x->s, x->home, described[i], name,
				   sizeof(name), x->d) < 0 ||
		    catalog_exec(x->s, x->d, "DELETE FROM %s WHERE c1 = %d",
				 name, id) < 0)
			return -1;
	if (cdc_need_table(x->s, x->home, "ddl_history", history,
			   sizeof(history), x->d) < 0 ||
	    catalog_exec(x->s, x->d,
			 "DELETE FROM %s WHERE c2 = %d;"
			 "DELETE FROM %s._meta WHERE k = 'cdcstart:%d'",
			 history, id, x->home->prefix, id) < 0)
		return -1;
	return drop_table_id(x, id);
}

int cdc_drop_instances(struct ddl *x, int source, const char *name,
		       int *dropped)
{
	char tables[64];
	int64_t id;

	*dropped = 0;
	if (cdc_need_table(x->s, x->home, "change_tables", tables,
			   sizeof(tables), x->d) < 0)
		return -1;
	for (;;) {
		id = 0;
		if (catalog_int(x->s, x->d, &id,
				"SELECT c1 FROM %s WHERE c3 = %d AND (%Q IS"
				" NULL OR c4 = %Q COLLATE cat)",
				tables, source, name, name) < 0)
			return -1;
		if (!id)
			break;
		if (drop_instance(x, (int)id) < 0)
			return -1;
		++*dropped;
	}
	if (cdc_count_instances(x, source) == 0 &&
	    catalog_exec(x->s, x->d, "DELETE FROM %s._meta WHERE k = 'cdc:%d'",
			 x->home->prefix, source) < 0)
		return -1;
	return catalog_touch(x->s, x->home, x->d);
}
