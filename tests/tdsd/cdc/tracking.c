/*
 * _ct has an entry for each key and transaction that changed it; the key is
 * the encoded values of the primary key's columns. A version is one commit
 * with tracked changes. CHANGETABLE puts the entries of a key together.
 *
 * Clean-up forgets versions older than the retention; the lowest version one
 * may ask from moves up with it, in each table by itself.
 */
#include "cdc/tracking.h"

#include <string.h>
#include <time.h>

#include "cdc/log.h"
#include "cdc/proc.h"
#include "cdc/views.h"
#include "exec/server.h"
#include "fn/rows.h"

#define CLEANUP_EVERY_MS (30 * 60 * 1000)

int tracking_enable(struct ddl *x, struct table *t, bool enable,
		    bool columns_updated)
{
	int64_t version = 0;
	int log_id;

	if (!t->db || !t->db->change_tracking)
		return diag_set(x->d, 1718, t->db ? t->db->name : "tempdb",
				t->name);
	if (enable && t->change_tracking)
		return diag_set(x->d, 4996, t->name);
	if (!enable && !t->change_tracking)
		return diag_set(x->d, 4998, t->name);
	if (enable && !table_primary_key(t))
		return diag_set(x->d, 4997, t->name);
	log_id = catalog_new_id(x->s, x->home, x->d);
	if (log_id < 0 ||
	    catalog_int(x->s, x->d, &version,
			"SELECT ct_version FROM %s._cat WHERE id = 1",
			x->home->prefix) < 0 ||
	    catalog_exec(x->s, x->d,
			 "UPDATE %s._objects SET ct = %d, ct_columns = %d,"
			 " ct_begin = %lld, ct_min = %lld, ct_log = %d WHERE"
			 " id = %d;"
			 "DELETE FROM %s._ct WHERE object_id = %d",
			 x->home->prefix, enable, columns_updated,
			 (long long)version, (long long)version, log_id, t->id,
			 x->home->prefix, t->id) < 0)
		return -1;
	return catalog_touch(x->s, x->home, x->d);
}

/* --- rows --- */

static void encode_key(const struct table *t, const struct val *row,
		       struct strbuf *sb)
{
	const struct index *pk = table_primary_key(t);
	int i;

	strbuf_reset(sb);
	for (i = 0; pk && i < pk->keys; i++) {
		int at = pk->columns[i].column;

		log_encode_value(sb, t->columns[at].id, false, &row[at]);
	}
	strbuf_add(sb, "\0\0", 2);
}

/* Column ids, four bytes each, as SYS_CHANGE_COLUMNS has them. */
static void encode_columns(const struct table *t, const bool *set,
			   struct strbuf *sb)
{
	int i;

	strbuf_reset(sb);
	for (i = 0; i < t->count; i++) {
		int id = t->columns[i].id;
		char bytes[4] = {(char)id, (char)(id >> 8), 0, 0};

		if (set && set[i] && !t->columns[i].computed)
			strbuf_add(sb, bytes, 4);
	}
}

/*
 * One change of a key within a transaction, put together with those before.
 * After an insert an update stays an insert; everything else is as the last.
 */
static int put(struct session *s, struct table *t, int64_t version, char op,
	       const struct strbuf *key, const struct strbuf *columns,
	       struct diag *d)
{
	sqlite3_stmt *st = catalog_prepare(
		s, d,
		"INSERT INTO %s._ct VALUES(?1, ?2, ?3, ?4, CASE ?4 WHEN 73 THEN"
		" ?3 END, ?5, NULL) ON CONFLICT DO UPDATE SET op = CASE WHEN"
		" op = 73 AND ?4 = 85 THEN 73 ELSE ?4 END, creation = CASE ?4"
		" WHEN 73 THEN ?3 ELSE creation END, columns = CASE WHEN op ="
		" 85 AND ?4 = 85 THEN CAST(columns || ?5 AS BLOB) ELSE ?5 END",
		t->home->prefix);
	int rc;

	if (!st)
		return -1;
	sqlite3_bind_int(st, 1, t->id);
	sqlite3_bind_blob64(st, 2, key->data, key->len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, version);
	sqlite3_bind_int(st, 4, op);
	if (t->ct_columns && op == 'U')
		sqlite3_bind_blob64(st, 5, columns->data, columns->len,
				    SQLITE_STATIC);
	rc = sqlite3_step(st);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : session_sqlite_error(s, rc, d);
}

int tracking_row(struct session *s, struct table *t, char op,
		 const struct val *old, const struct val *row, const bool *set,
		 struct diag *d)
{
	int64_t version = log_tracking_version(s, t->home, d);
	struct strbuf key, before, columns;
	bool moved;
	int ret;

	if (!version)
		return -1;
	strbuf_init(&key);
	strbuf_init(&before);
	strbuf_init(&columns);
	encode_key(t, op == 'D' ? old : row, &key);
	encode_columns(t, set, &columns);
	if (op == 'U')
		encode_key(t, old, &before);
	moved = op == 'U' && (key.len != before.len ||
			      memcmp(key.data, before.data, key.len) != 0);
	if (!moved) {
		ret = put(s, t, version, op, &key, &columns, d);
	} else {
		ret = put(s, t, version, 'D', &before, &columns, d);
		if (ret == 0)
			ret = put(s, t, version, 'I', &key, &columns, d);
	}
	strbuf_release(&key);
	strbuf_release(&before);
	strbuf_release(&columns);
	return ret;
}

int tracking_truncated(struct ddl *x, struct table *t)
{
	int64_t version = log_tracking_version(x->s, x->home, x->d);

	if (!version)
		return -1;
	return catalog_exec(x->s, x->d,
			    "UPDATE %s._objects SET ct_min = %lld, ct_begin ="
			    " %lld WHERE id = %d; DELETE FROM %s._ct WHERE"
			    " object_id = %d",
			    x->home->prefix, (long long)version,
			    (long long)version, t->id, x->home->prefix, t->id);
}

/* --- clean-up --- */

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Forget what is older than the retention. */
static int clean_up(struct session *s, struct attached *home, struct diag *d)
{
	int age =
		__atomic_load_n(&s->server->tracking_age_ms, __ATOMIC_RELAXED);
	int64_t keep_ms = (int64_t)home->db->ct_retention * 60000;
	int64_t last = 0;

	if (!keep_ms)
		return 0;
	if (catalog_int(s, d, &last,
			"SELECT max(version) FROM %s._ct_tran WHERE ended_ms <="
			" %lld",
			home->prefix,
			(long long)(clock_ms() + age - keep_ms)) < 0)
		return -1;
	if (!last)
		return 0;
	return catalog_exec(s, d,
			    "DELETE FROM %s._ct WHERE version <= %lld;"
			    "DELETE FROM %s._ct_tran WHERE version <= %lld;"
			    "UPDATE %s._objects SET ct_min = %lld WHERE ct = 1"
			    " AND ct_min < %lld",
			    home->prefix, (long long)last, home->prefix,
			    (long long)last, home->prefix, (long long)last,
			    (long long)last);
}

int tracking_commit(struct session *s, struct attached *home, int64_t version,
		    struct diag *d)
{
	struct database *db = home->db;
	int64_t now = clock_ms(); /* ct_cleaned: under the writer's lock */

	if (catalog_exec(s, d,
			 "UPDATE %s._cat SET ct_version = %lld WHERE id = 1;"
			 "INSERT OR REPLACE INTO %s._ct_tran VALUES(%lld,"
			 " %lld)",
			 home->prefix, (long long)version, home->prefix,
			 (long long)version, (long long)now) < 0)
		return -1;
	if (!db->ct_auto_cleanup || now - db->ct_cleaned_ms < CLEANUP_EVERY_MS)
		return 0;
	db->ct_cleaned_ms = now;
	return clean_up(s, home, d);
}

static int flush(struct cdc_call *k)
{
	if (!k->x.home->db->change_tracking)
		return diag_free_text(&k->d, 22123, 16, 1,
				      "Change Tracking is not enabled on "
				      "database '%s'.",
				      k->x.home->db->name);
	return clean_up(k->x.s, k->x.home, &k->d);
}

enum flow tracking_proc_flush(struct call *c)
{
	static const char *const names[] = {"@TableToClean", "@DeletedRowCount",
					    NULL};

	return cdc_run(c, "sp_flush_CT_internal_table_on_demand", names,
		       CDC_OWNER, false, flush);
}

/* --- reading --- */

int tracking_fill_databases(struct session *s, const struct val *args,
			    int count, struct row_store *out, struct diag *d)
{
	static const char *const units[] = {"MINUTES", "HOURS", "DAYS"};
	struct database *db;

	(void)args;
	(void)count;
	(void)d;
	for (db = database_next(&s->server->registry, NULL); db;
	     db = database_next(&s->server->registry, db)) {
		struct row_builder b = {.n = 0};
		int n = db->ct_retention, unit = 0;

		if (!db->change_tracking)
			continue;
		if (n % 1440 == 0) {
			n /= 1440;
			unit = 2;
		} else if (n % 60 == 0) {
			n /= 60;
			unit = 1;
		}
		rb_int(&b, db->id);
		rb_int(&b, db->ct_auto_cleanup);
		rb_int(&b, n);
		rb_int(&b, unit + 1);
		rb_text(&b, units[unit]);
		rows_add(out, b.v);
	}
	return 0;
}

/* What the entries of one key come to. */
struct net {
	bool any;
	int64_t version, creation;
	char op;
	bool inserted, all_columns;
	struct strbuf key, columns;
};

static void add_net(struct net *n, struct row_store *out)
{
	struct row_builder b = {.n = 0};
	struct log_image key;
	struct val v;
	char op;
	int i;

	if (!n->any)
		return;
	op = n->op == 'D' ? 'D' : n->inserted ? 'I' : 'U';
	rb_int(&b, n->version);
	if (n->creation)
		rb_int(&b, n->creation);
	else
		rb_null(&b);
	v = val_text(&op, 1);
	rb_val(&b, &v);
	v = val_blob(n->columns.data, n->columns.len);
	if (op == 'U' && !n->all_columns)
		rb_val(&b, &v);
	else
		rb_null(&b);
	rb_null(&b);
	log_decode_image((const unsigned char *)n->key.data, n->key.len, &key);
	for (i = 0; i < key.count; i++)
		rb_val(&b, &key.columns[i].v);
	while (b.n < out->columns)
		rb_null(&b);
	rows_add(out, b.v);
	n->any = false;
}

static void add_columns(struct net *n, const char *ids, size_t len)
{
	size_t i, k;

	for (i = 0; i + 4 <= len; i += 4) {
		for (k = 0; k < n->columns.len; k += 4)
			if (!memcmp(n->columns.data + k, ids + i, 4))
				break;
		if (k >= n->columns.len)
			strbuf_add(&n->columns, ids + i, 4);
	}
}

static void take_entry(struct net *n, sqlite3_stmt *st)
{
	const char *key = sqlite3_column_blob(st, 0);
	size_t len = (size_t)sqlite3_column_bytes(st, 0);

	if (!n->any) {
		strbuf_reset(&n->key);
		strbuf_reset(&n->columns);
		strbuf_add(&n->key, key, len);
		n->any = true;
		n->inserted = n->all_columns = false;
		n->creation = 0;
	}
	n->version = sqlite3_column_int64(st, 1);
	n->op = (char)sqlite3_column_int(st, 2);
	if (sqlite3_column_int64(st, 3))
		n->creation = sqlite3_column_int64(st, 3);
	n->inserted |= n->op == 'I';
	if (sqlite3_column_type(st, 4) == SQLITE_NULL)
		n->all_columns = true;
	else
		add_columns(n, sqlite3_column_blob(st, 4),
			    (size_t)sqlite3_column_bytes(st, 4));
}

static bool same_key(const struct net *n, sqlite3_stmt *st)
{
	return (size_t)sqlite3_column_bytes(st, 0) == n->key.len &&
	       !memcmp(sqlite3_column_blob(st, 0), n->key.data, n->key.len);
}

/* rows('ct_changes', database, table, version) */
int tracking_fill_changes(struct session *s, const struct val *args, int count,
			  struct row_store *out, struct diag *d)
{
	struct database *db =
		database_by_id(&s->server->registry, (int)args[0].i);
	struct attached *home = db ? session_attach(s, db, d) : NULL;
	struct net n = {.any = false};
	sqlite3_stmt *st;
	int rc;

	if (!home || count < 3)
		return -1;
	st = catalog_prepare(
		s, d,
		"SELECT key, version, op, creation, columns FROM %s._ct WHERE"
		" object_id = %lld AND version > %lld ORDER BY key, version",
		home->prefix, (long long)args[1].i,
		(long long)(args[2].cls == VAL_INT ? args[2].i : -1));
	if (!st)
		return -1;
	strbuf_init(&n.key);
	strbuf_init(&n.columns);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (n.any && !same_key(&n, st))
			add_net(&n, out);
		take_entry(&n, st);
	}
	add_net(&n, out);
	sqlite3_finalize(st);
	strbuf_release(&n.key);
	strbuf_release(&n.columns);
	return rc == SQLITE_DONE ? 0 : session_sqlite_error(s, rc, d);
}
