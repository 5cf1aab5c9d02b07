/*
 * Built-in table functions: rows that C makes (fn/rows.h), typed here. The
 * functions of change data capture and CHANGETABLE come from cdc/.
 */
#include "plan/tvf.h"

#include <string.h>
#include <strings.h>

#include "plan/builtin.h"
#include "plan/sysviews.h"
#include "value/collation.h"

struct ex tvf_arg(struct tr *t, const struct table_ref *ref, int n, char letter)
{
	const struct expr *e = ref->args;
	int i;

	for (i = 0; e && i < n; i++)
		e = e->next;
	if (!e)
		return tr_ex("NULL", type_null(), true);
	return builtin_arg(t, e, letter, n + 1,
			   ref->name.part[ref->name.count - 1]);
}

struct rel *tvf_rows(struct tr *t, const char *maker, const char *columns,
		     const char *args)
{
	struct rel *rel = pool_alloc(t->pool, sizeof(*rel));
	const char *list = "";
	int i;

	if (t->failed)
		return NULL;
	rel->count = sysview_columns(t->pool, columns, &rel->columns);
	for (i = 0; i < rel->count; i++)
		list = tr_printf(t, "%s%sc%d AS x%d", list, i ? "," : "", i,
				 i + 1);
	rel->sql =
		tr_printf(t, "SELECT %s FROM rows('%s'%s)", list, maker, args);
	return rel;
}

static struct rel *string_split(struct tr *t, const struct table_ref *ref)
{
	struct ex a = tvf_arg(t, ref, 0, 's');
	struct ex sep = tvf_arg(t, ref, 1, 'n');
	struct rel *rel;

	if (t->failed)
		return NULL;
	rel = tvf_rows(t, "string_split", "value:N",
		       tr_printf(t, ",%s,%s", a.sql, sep.sql));
	rel->columns[0].type = text_type_like(a.type, type_chars(a.type));
	return rel;
}

static struct rel *helpcollations(struct tr *t, const struct table_ref *ref)
{
	(void)ref;
	return tvf_rows(t, "helpcollations", "name:s!,description:n1000", "");
}

static struct rel *volume_stats(struct tr *t, const struct table_ref *ref)
{
	struct ex database = tvf_arg(t, ref, 0, 'i');
	struct ex file = tvf_arg(t, ref, 1, 'i');

	if (t->failed)
		return NULL;
	return tvf_rows(t, "volumes",
			"database_id:i!,file_id:i!,volume_mount_point:n512,"
			"total_bytes:I,available_bytes:I",
			tr_printf(t, ",%s,%s", database.sql, file.sql));
}

static const struct tvf tvfs[] = {
	{"sys", "dm_os_volume_stats", 2, 2, volume_stats},
	{NULL, "STRING_SPLIT", 2, 2, string_split},
	{NULL, "fn_helpcollations", 0, 0, helpcollations},
	{NULL, NULL, 0, 0, NULL},
};

/* Functions of sys are known without the schema as well. */
static bool is_named(const struct tvf *f, const char *schema, const char *name)
{
	size_t len = strlen(f->name);

	if (*schema && strcasecmp(schema, f->schema ? f->schema : "sys") != 0)
		return false;
	if (!*schema && f->schema && strcasecmp(f->schema, "sys") != 0)
		return false;
	if (len && f->name[len - 1] == '*')
		return !strncasecmp(name, f->name, len - 1);
	return !strcasecmp(name, f->name);
}

struct rel *tvf_builtin(struct tr *t, const struct table_ref *ref)
{
	static const struct tvf *const lists[] = {tvfs, tvfs_cdc};
	const char *name, *schema;
	const struct tvf *f;
	const struct expr *e;
	int count = 0;
	size_t i;

	if (ref->kind == TR_CHANGES)
		return tvf_changetable(t, ref);
	name = ref->name.part[ref->name.count - 1];
	schema = ref->name.count > 1 ? ref->name.part[ref->name.count - 2] : "";
	for (e = ref->args; e; e = e->next)
		count++;
	for (i = 0; i < LENGTH_OF(lists); i++)
		for (f = lists[i]; f->name; f++) {
			if (!is_named(f, schema, name))
				continue;
			if (count < f->min)
				return tr_fail(t, 313, name, NULL), NULL;
			if (count > f->max)
				return tr_fail(t, 8144, name, NULL), NULL;
			return f->make(t, ref);
		}
	return NULL;
}
