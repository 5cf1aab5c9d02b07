/* Properties of the server, its databases, collations and the connection. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "exec/perm.h"
#include "exec/server.h"
#include "fn/meta.h"
#include "value/collation.h"

static bool is(const char *a, const char *b)
{
	return !strcasecmp(a, b);
}

/* A text or, when that is NULL, a number. */
struct property {
	const char *name, *text;
	int n;
};

static bool find_property(sqlite3_context *ctx, const struct property *list,
			  size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (!is(list[i].name, name))
			continue;
		if (list[i].text)
			meta_variant_text(ctx, list[i].text);
		else
			meta_variant_int(ctx, list[i].n);
		return true;
	}
	return false;
}

/* --- the server: as VERSION_TEXT has it --- */

static const struct property server_properties[] = {
	{"ProductVersion", "15.0.4322.2", 0},
	{"ProductLevel", "RTM", 0},
	{"ProductUpdateLevel", "CU22", 0},
	{"ProductUpdateReference", "KB5027702", 0},
	{"ProductMajorVersion", "15", 0},
	{"ProductMinorVersion", "0", 0},
	{"ProductBuild", "4322", 0},
	{"ResourceVersion", "15.00.4322", 0},
	{"BuildClrVersion", "v4.0.30319", 0},
	{"Edition", "Developer Edition (64-bit)", 0},
	{"EditionID", NULL, -2117995310},
	{"EngineEdition", NULL, 3},
	{"LicenseType", "DISABLED", 0},
	{"Collation", "SQL_Latin1_General_CP1_CI_AS", 0},
	{"CollationID", NULL, 872468488},
	{"ComparisonStyle", NULL, 196609},
	{"LCID", NULL, 1033},
	{"SqlCharSet", NULL, 1},
	{"SqlCharSetName", "iso_1", 0},
	{"SqlSortOrder", NULL, 52},
	{"SqlSortOrderName", "nocase_iso", 0},
	{"IsHadrEnabled", NULL, 0},
	{"HadrManagerStatus", NULL, 2},
	{"IsClustered", NULL, 0},
	{"IsFullTextInstalled", NULL, 0},
	{"IsIntegratedSecurityOnly", NULL, 0},
	{"IsSingleUser", NULL, 0},
	{"IsAdvancedAnalyticsInstalled", NULL, 0},
	{"IsBigDataCluster", NULL, 0},
	{"IsLocalDB", NULL, 0},
	{"IsPolyBaseInstalled", NULL, 0},
	{"IsXTPSupported", NULL, 0},
	{"IsTempDbMetadataMemoryOptimized", NULL, 0},
	{"FilestreamConfiguredLevel", NULL, 0},
	{"FilestreamEffectiveLevel", NULL, 0},
};

static void serverproperty(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct arena pool;
	const char *name;

	arena_init(&pool, 0);
	name = meta_text(&pool, argc, argv, 0);
	if (!name)
		;
	else if (is(name, "ServerName"))
		meta_variant_text(ctx, s->server->name);
	else if (is(name, "MachineName") ||
		 is(name, "ComputerNamePhysicalNetBIOS"))
		meta_variant_text(ctx, s->server->host_name[0]
					       ? s->server->host_name
					       : s->server->name);
	else if (is(name, "ProcessID"))
		meta_variant_int(ctx, 1);
	else if (is(name, "InstanceDefaultDataPath") ||
		 is(name, "InstanceDefaultLogPath"))
		meta_variant_text(ctx, s->server->registry.dir);
	else
		find_property(ctx, server_properties,
			      LENGTH_OF(server_properties), name);
	arena_release(&pool);
}

/* --- databases --- */

static const struct property database_properties[] = {
	{"Status", "ONLINE", 0},
	{"IsAutoClose", NULL, 0},
	{"IsAutoShrink", NULL, 0},
	{"IsAutoCreateStatistics", NULL, 1},
	{"IsAutoCreateStatisticsIncremental", NULL, 0},
	{"IsAutoUpdateStatistics", NULL, 1},
	{"IsAnsiNullDefault", NULL, 0},
	{"IsAnsiNullsEnabled", NULL, 0},
	{"IsAnsiPaddingEnabled", NULL, 0},
	{"IsAnsiWarningsEnabled", NULL, 0},
	{"IsArithmeticAbortEnabled", NULL, 0},
	{"IsCloseCursorsOnCommitEnabled", NULL, 0},
	{"IsFulltextEnabled", NULL, 0},
	{"IsInStandBy", NULL, 0},
	{"IsLocalCursorsDefault", NULL, 0},
	{"IsMemoryOptimizedElevateToSnapshotEnabled", NULL, 0},
	{"IsMergePublished", NULL, 0},
	{"IsNullConcat", NULL, 0},
	{"IsNumericRoundAbortEnabled", NULL, 0},
	{"IsParameterizationForced", NULL, 0},
	{"IsPublished", NULL, 0},
	{"IsQuotedIdentifiersEnabled", NULL, 0},
	{"IsRecursiveTriggersEnabled", NULL, 0},
	{"IsSubscribed", NULL, 0},
	{"IsSyncWithBackup", NULL, 0},
	{"IsTornPageDetectionEnabled", NULL, 0},
	{"IsVerifiedClone", NULL, 0},
	{"IsXTPSupported", NULL, 0},
	{"Version", NULL, 904},
};

static int comparison_style(const struct collation *c)
{
	if (c->binary)
		return 0;
	return (c->ignore_case ? 1 : 0) | (c->ignore_accent ? 2 : 0) |
	       (c->ignore_kana ? 0x10000 : 0) | (c->ignore_width ? 0x20000 : 0);
}

static void databasepropertyex(sqlite3_context *ctx, int argc,
			       sqlite3_value **argv)
{
	static const char *const access[] = {"MULTI_USER", "SINGLE_USER",
					     "RESTRICTED_USER"};
	static const char *const recovery[] = {"FULL", "FULL", "BULK_LOGGED",
					       "SIMPLE"};
	struct session *s = fn_session(ctx);
	const struct collation *coll;
	struct database *db;
	struct arena pool;
	const char *name;

	arena_init(&pool, 0);
	db = meta_database(s, meta_text(&pool, argc, argv, 0));
	name = meta_text(&pool, argc, argv, 1);
	if (!db || !name)
		goto done;
	coll = collation_get(db->collation);
	if (is(name, "Collation"))
		meta_variant_text(ctx, coll->name);
	else if (is(name, "LCID"))
		meta_variant_int(ctx, (int64_t)coll->lcid);
	else if (is(name, "ComparisonStyle"))
		meta_variant_int(ctx, comparison_style(coll));
	else if (is(name, "SQLSortOrder"))
		meta_variant_int(ctx, coll->sort_id);
	else if (is(name, "Recovery"))
		meta_variant_text(ctx, recovery[db->recovery & 3]);
	else if (is(name, "UserAccess"))
		meta_variant_text(ctx, access[db->user_access % 3]);
	else if (is(name, "Updateability"))
		meta_variant_text(ctx,
				  db->read_only ? "READ_ONLY" : "READ_WRITE");
	else if (is(name, "Status") && db->offline)
		meta_variant_text(ctx, "OFFLINE");
	else
		find_property(ctx, database_properties,
			      LENGTH_OF(database_properties), name);
done:
	arena_release(&pool);
}

/* Files here have no room in them that is not used. */
static void fileproperty(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	const char *file, *name;
	struct arena pool;
	struct stat st;

	arena_init(&pool, 0);
	file = meta_text(&pool, argc, argv, 0);
	name = meta_text(&pool, argc, argv, 1);
	if (file && name && is(name, "SpaceUsed") && is(file, s->db->name) &&
	    stat(s->db->file, &st) == 0)
		sqlite3_result_int64(ctx, (st.st_size + 8191) / 8192);
	arena_release(&pool);
}

/* --- collations --- */

static void collationproperty(sqlite3_context *ctx, int argc,
			      sqlite3_value **argv)
{
	const struct collation *c;
	struct arena pool;
	const char *collation, *name;
	int number;

	arena_init(&pool, 0);
	collation = meta_text(&pool, argc, argv, 0);
	name = meta_text(&pool, argc, argv, 1);
	number = collation ? collation_find(collation) : 0;
	if (!number || !name)
		goto done;
	c = collation_get(number);
	if (is(name, "CodePage")) {
		meta_variant_int(ctx, c->page);
	} else if (is(name, "LCID")) {
		meta_variant_int(ctx, (int64_t)c->lcid);
	} else if (is(name, "ComparisonStyle")) {
		meta_variant_int(ctx, comparison_style(c));
	} else if (is(name, "Version")) {
		struct val v = val_int(c->version);

		meta_variant(ctx, &v, type_of(TY_TINYINT));
	} else if (is(name, "Name")) {
		meta_variant_text(ctx, c->name);
	}
done:
	arena_release(&pool);
}

/* --- the connection --- */

static void connectionproperty(sqlite3_context *ctx, int argc,
			       sqlite3_value **argv)
{
	static const struct property fixed[] = {
		{"net_transport", "TCP", 0},
		{"physical_net_transport", "TCP", 0},
		{"protocol_type", "TSQL", 0},
		{"auth_scheme", "SQL", 0},
	};
	struct session *s = fn_session(ctx);
	struct arena pool;
	const char *name;

	arena_init(&pool, 0);
	name = meta_text(&pool, argc, argv, 0);
	if (!name || !s->conn)
		;
	else if (is(name, "local_net_address"))
		meta_variant_text(ctx, s->server->host);
	else if (is(name, "local_tcp_port"))
		meta_variant_int(ctx, s->server->port);
	else if (is(name, "client_net_address"))
		meta_variant_text(ctx, s->address);
	else
		find_property(ctx, fixed, LENGTH_OF(fixed), name);
	arena_release(&pool);
}

/* The next value a rowversion will have: one writer at a time. */
static void min_active_rowversion(sqlite3_context *ctx, int argc,
				  sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct attached *home = meta_home(s);
	struct diag d;
	unsigned char bytes[8];
	int64_t n = 0;
	int i;

	(void)argc;
	(void)argv;
	if (!home)
		return;
	catalog_int(s, &d, &n, "SELECT rowversion + 1 FROM %s._cat",
		    home->prefix);
	for (i = 0; i < 8; i++)
		bytes[i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
	sqlite3_result_blob(ctx, bytes, 8, SQLITE_TRANSIENT);
}

static const struct fn_def defs[] = {
	{"serverproperty_", 1, 0, serverproperty},
	{"databasepropertyex_", 2, 0, databasepropertyex},
	{"fileproperty_", 2, 0, fileproperty},
	{"collationproperty_", 2, FN_PURE, collationproperty},
	{"connectionproperty_", 1, 0, connectionproperty},
	{"min_active_rowversion_", 0, 0, min_active_rowversion},
};

void fn_register_server(struct session *s)
{
	fn_register(s, defs, (int)LENGTH_OF(defs));
}
