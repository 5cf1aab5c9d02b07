/*
 * Functions about objects, the server, the session and its errors. All are
 * one SQLite function each (fn/fn_meta.c, fn_who.c, fn_server.c); they are
 * marked volatile, and generic() makes a sub-query of those whose arguments
 * are constant, so that SQLite asks once for a statement and not for a row.
 */
#include "plan/builtin.h"

#include <string.h>
#include <strings.h>

#include "value/collation.h"

/* name, arguments, their letters, result's letter, SQLite function */
#define META(name, min, max, args, ret, sqlite)                      \
	{                                                            \
		name, min, max, args, ret, sqlite, NULL, true, false \
	}

/* What COLUMNS_UPDATED() has is as long as the columns need. */
static struct ex columns_updated_fn(struct tr *t, const struct expr *e)
{
	const struct table *table = t->frame ? t->frame->trigger_table : NULL;
	int last;

	(void)e;
	t->deterministic = false;
	if (!table)
		return tr_fail_text(t, 421, 16,
				    "The COLUMNS_UPDATED function may be used "
				    "in a trigger only.");
	last = table->count ? table->columns[table->count - 1].id : 1;
	return builtin_call(t, type_char(TY_VARBINARY, (last + 7) / 8, 0),
			    "columns_updated_(%d)", (last + 7) / 8);
}

const struct builtin builtins_meta[] = {
	/* objects */
	META("OBJECT_ID", 1, 2, "n", "i", "object_id_"),
	META("OBJECT_NAME", 1, 2, "i", "s", "object_name_"),
	META("OBJECT_SCHEMA_NAME", 1, 2, "i", "s", "object_schema_name_"),
	META("OBJECT_DEFINITION", 1, 1, "i", "N", "object_definition_"),
	META("OBJECTPROPERTY", 2, 2, "in", "i", "objectproperty_"),
	META("OBJECTPROPERTYEX", 2, 2, "in", "a", "objectpropertyex_"),
	META("DB_ID", 0, 1, "n", "h", "db_id_"),
	META("DB_NAME", 0, 1, "i", "s", "db_name_"),
	META("SCHEMA_ID", 0, 1, "n", "i", "schema_id_"),
	META("SCHEMA_NAME", 0, 1, "i", "s", "schema_name_"),
	META("COL_LENGTH", 2, 2, "n", "h", "col_length_"),
	META("COL_NAME", 2, 2, "i", "s", "col_name_"),
	META("COLUMNPROPERTY", 3, 3, "inn", "i", "columnproperty_"),
	META("INDEXPROPERTY", 3, 3, "inn", "i", "indexproperty_"),
	META("INDEX_COL", 3, 3, "nii", "s", "index_col_"),
	META("TYPE_ID", 1, 1, "n", "i", "type_id_"),
	META("TYPE_NAME", 1, 1, "i", "s", "type_name_"),
	META("TYPEPROPERTY", 2, 2, "n", "i", "typeproperty_"),
	META("IDENT_CURRENT", 1, 1, "n", "m", "ident_current_"),
	META("IDENT_SEED", 1, 1, "n", "m", "ident_seed_"),
	META("IDENT_INCR", 1, 1, "n", "m", "ident_incr_"),
	META("PARSENAME", 2, 2, "ni", "s", "parsename_"),
	/* the server */
	META("SERVERPROPERTY", 1, 1, "n", "a", "serverproperty_"),
	META("DATABASEPROPERTYEX", 2, 2, "n", "a", "databasepropertyex_"),
	META("FILEPROPERTY", 2, 2, "nn", "i", "fileproperty_"),
	META("CONNECTIONPROPERTY", 1, 1, "n", "a", "connectionproperty_"),
	META("COLLATIONPROPERTY", 2, 2, "n", "a", "collationproperty_"),
	META("MIN_ACTIVE_ROWVERSION", 0, 0, "", "B8", "min_active_rowversion_"),
	/* who */
	META("SUSER_SNAME", 0, 1, "b", "s", "suser_sname_"),
	META("SUSER_NAME", 0, 1, "i", "s", "suser_name_"),
	META("SUSER_ID", 0, 1, "n", "i", "suser_id_"),
	META("SUSER_SID", 0, 1, "n", "B85", "suser_sid_"),
	META("ORIGINAL_LOGIN", 0, 0, "", "s", "original_login_"),
	META("SYSTEM_USER", 0, 0, "", "s", "suser_sname_"),
	META("USER_NAME", 0, 1, "i", "s", "user_name_"),
	META("CURRENT_USER", 0, 0, "", "s", "user_name_"),
	META("SESSION_USER", 0, 0, "", "s", "user_name_"),
	META("USER", 0, 0, "", "s", "user_name_"),
	META("USER_ID", 0, 1, "n", "i", "user_id_"),
	META("DATABASE_PRINCIPAL_ID", 0, 1, "n", "i", "user_id_"),
	META("HAS_DBACCESS", 1, 1, "n", "i", "has_dbaccess_"),
	META("HAS_PERMS_BY_NAME", 3, 5, "n", "i", "has_perms_by_name_"),
	META("IS_MEMBER", 1, 1, "n", "i", "is_rolemember_"),
	META("IS_ROLEMEMBER", 1, 2, "n", "i", "is_rolemember_"),
	META("IS_SRVROLEMEMBER", 1, 2, "n", "i", "is_srvrolemember_"),
	/* the session */
	META("SCOPE_IDENTITY", 0, 0, "", "m", "scope_identity_"),
	META("APP_NAME", 0, 0, "", "s", "app_name_"),
	META("HOST_NAME", 0, 0, "", "s", "host_name_"),
	META("HOST_ID", 0, 0, "", "n10", "host_id_"),
	META("SESSION_CONTEXT", 1, 1, "n", "a", "session_context_"),
	META("CONTEXT_INFO", 0, 0, "", "B128", "context_info_"),
	META("XACT_STATE", 0, 0, "", "h", "xact_state_"),
	META("CURRENT_TRANSACTION_ID", 0, 0, "", "I", "current_transaction_"),
	META("ROWCOUNT_BIG", 0, 0, "", "I", "rowcount_big_"),
	META("TRIGGER_NESTLEVEL", 0, 0, "", "i", "trigger_nestlevel_"),
	META("APPLOCK_MODE", 3, 3, "n", "n32", "applock_mode_"),
	META("APPLOCK_TEST", 4, 4, "n", "h", "applock_test_"),
	META("ERROR_NUMBER", 0, 0, "", "i", "error_number_"),
	META("ERROR_SEVERITY", 0, 0, "", "i", "error_severity_"),
	META("ERROR_STATE", 0, 0, "", "i", "error_state_"),
	META("ERROR_LINE", 0, 0, "", "i", "error_line_"),
	META("ERROR_PROCEDURE", 0, 0, "", "s", "error_procedure_"),
	META("ERROR_MESSAGE", 0, 0, "", "n4000", "error_message_"),
	{"COLUMNS_UPDATED", 0, 0, "", "", "", columns_updated_fn, true, false},
	{NULL, 0, 0, NULL, NULL, NULL, NULL, false, false},
};
