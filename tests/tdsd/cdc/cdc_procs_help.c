/* Procedures that only show something: queries in T-SQL. */
#include <string.h>

#include "cdc/cdc_procs.h"
#include "cdc/proc.h"

enum flow cdc_proc_help(struct call *c)
{
	static const char *const names[] = {"@source_schema", "@source_name",
					    NULL};
	enum flow flow = cdc_check(c, "sp_cdc_help_change_data_capture", names,
				   CDC_ANYONE, true);
	struct arena pool;
	const char *schema, *name;

	if (flow != FLOW_OK)
		return FLOW_OK;
	arena_init(&pool, 0);
	schema = call_text(c, 0, "@source_schema", &pool);
	name = call_text(c, 1, "@source_name", &pool);
	flow = call_sql(
		c,
		"SELECT s.name AS source_schema, o.name AS source_table,"
		" c.capture_instance, c.object_id, c.source_object_id,"
		" c.start_lsn, c.end_lsn, c.supports_net_changes,"
		" c.has_drop_pending, c.role_name, c.index_name,"
		" c.filegroup_name, c.create_date,"
		" (SELECT STRING_AGG(CAST(QUOTENAME(i.column_name) AS"
		" nvarchar(max)), N', ') WITHIN GROUP (ORDER BY"
		" i.index_ordinal) FROM cdc.index_columns AS i WHERE"
		" i.object_id = c.object_id) AS index_column_list,"
		" (SELECT STRING_AGG(CAST(QUOTENAME(k.column_name) AS"
		" nvarchar(max)), N', ') WITHIN GROUP (ORDER BY"
		" k.column_ordinal) FROM cdc.captured_columns AS k WHERE"
		" k.object_id = c.object_id) AS captured_column_list"
		" FROM cdc.change_tables AS c"
		" INNER JOIN sys.objects AS o ON o.object_id ="
		" c.source_object_id"
		" INNER JOIN sys.schemas AS s ON s.schema_id = o.schema_id"
		" WHERE (N%Q = N'' OR s.name = N%Q) AND (N%Q = N'' OR o.name ="
		" N%Q) ORDER BY s.name, o.name, c.create_date",
		schema ? schema : "", schema ? schema : "", name ? name : "",
		name ? name : "");
	arena_release(&pool);
	return flow;
}

enum flow cdc_proc_help_jobs(struct call *c)
{
	static const char *const names[] = {NULL};
	enum flow flow =
		cdc_check(c, "sp_cdc_help_jobs", names, CDC_OWNER, true);

	if (flow != FLOW_OK)
		return FLOW_OK;
	return call_sql(
		c,
		"SELECT job_id, job_type, N'cdc.' + DB_NAME() + N'_' + job_type"
		" AS job_name, maxtrans, maxscans, continuous,"
		" pollinginterval, retention, threshold FROM"
		" msdb.dbo.cdc_jobs WHERE database_id = DB_ID()"
		" ORDER BY job_type");
}

/* @capture_instance, which must exist. NULL: the error was sent. */
static const char *instance(struct call *c, struct arena *pool)
{
	const char *name = call_text(c, 0, "@capture_instance", pool);

	return name ? name : "";
}

enum flow cdc_proc_captured_columns(struct call *c)
{
	static const char *const names[] = {"@capture_instance", NULL};
	enum flow flow = cdc_check(c, "sp_cdc_get_captured_columns", names,
				   CDC_ANYONE, true);
	struct arena pool;
	const char *name;

	if (flow != FLOW_OK)
		return FLOW_OK;
	arena_init(&pool, 0);
	name = instance(c, &pool);
	flow = call_sql(
		c,
		"IF NOT EXISTS (SELECT 1 FROM cdc.change_tables WHERE"
		" capture_instance = N%Q) RAISERROR(N'The named capture "
		"instance %%s does not exist for database %%s.', 16, 1, N%Q,"
		" N%Q) ELSE "
		"SELECT s.name AS source_schema, o.name AS source_table,"
		" c.capture_instance, k.column_name, k.column_id,"
		" k.column_ordinal, k.column_type AS data_type,"
		" CAST(y.max_length AS int) AS character_maximum_length,"
		" y.[precision] AS numeric_precision, CAST(10 AS smallint) AS"
		" numeric_precision_radix, y.scale AS numeric_scale,"
		" CAST(NULL AS smallint) AS datetime_precision"
		" FROM cdc.change_tables AS c"
		" INNER JOIN cdc.captured_columns AS k ON k.object_id ="
		" c.object_id"
		" INNER JOIN sys.objects AS o ON o.object_id ="
		" c.source_object_id"
		" INNER JOIN sys.schemas AS s ON s.schema_id = o.schema_id"
		" LEFT OUTER JOIN sys.columns AS y ON y.object_id ="
		" c.object_id AND y.name = k.column_name"
		" WHERE c.capture_instance = N%Q ORDER BY k.column_ordinal",
		name, name, c->s->db->name, name);
	arena_release(&pool);
	return flow;
}

enum flow cdc_proc_ddl_history(struct call *c)
{
	static const char *const names[] = {"@capture_instance", NULL};
	enum flow flow =
		cdc_check(c, "sp_cdc_get_ddl_history", names, CDC_ANYONE, true);
	struct arena pool;
	const char *name;

	if (flow != FLOW_OK)
		return FLOW_OK;
	arena_init(&pool, 0);
	name = instance(c, &pool);
	flow = call_sql(
		c,
		"IF NOT EXISTS (SELECT 1 FROM cdc.change_tables WHERE"
		" capture_instance = N%Q) RAISERROR(N'The named capture "
		"instance %%s does not exist for database %%s.', 16, 1, N%Q,"
		" N%Q) ELSE "
		"SELECT s.name AS source_schema, o.name AS source_table,"
		" c.capture_instance, h.required_column_update, h.ddl_command,"
		" h.ddl_lsn, h.ddl_time FROM cdc.ddl_history AS h"
		" INNER JOIN cdc.change_tables AS c ON c.object_id ="
		" h.object_id"
		" INNER JOIN sys.objects AS o ON o.object_id ="
		" c.source_object_id"
		" INNER JOIN sys.schemas AS s ON s.schema_id = o.schema_id"
		" WHERE c.capture_instance = N%Q ORDER BY h.ddl_lsn",
		name, name, c->s->db->name, name);
	arena_release(&pool);
	return flow;
}
