/* Clean-up: the low end of an instance moves up, what lies below it goes. */
#include <string.h>

#include "cdc/capture.h"
#include "cdc/log.h"

static const char *hex(const unsigned char *p, char *out)
{
	static const char digits[] = "0123456789abcdef";
	int i;

	for (i = 0; i < LSN_SIZE; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * LSN_SIZE] = '\0';
	return out;
}

/* Entries that no instance reaches back to. */
static int trim_times(struct session *s, struct attached *home,
		      const char *tables, struct diag *d)
{
	char times[64];

	if (cdc_need_table(s, home, "lsn_time_mapping", times, sizeof(times),
			   d) < 0)
		return -1;
	return catalog_exec(s, d,
			    "DELETE FROM %s WHERE c1 < (SELECT min(c5) FROM %s"
			    ") AND (SELECT count(*) FROM %s) > 0",
			    times, tables, tables);
}

int cdc_cleanup(struct session *s, struct attached *home, int object_id,
		const unsigned char *low, struct diag *d)
{
	char tables[64], phys[64], text[2 * LSN_SIZE + 1];
	struct table *t;
	int ret = -1;

	if (cdc_need_table(s, home, "change_tables", tables, sizeof(tables),
			   d) < 0)
		return -1;
	t = catalog_table(s, home, object_id, d);
	if (!t)
		return -1;
	if (!low ||
	    (catalog_exec(s, d,
			  "UPDATE %s SET c5 = x'%s' WHERE c1 = %d AND c5 <"
			  " x'%s'",
			  tables, hex(low, text), object_id, text) == 0 &&
	     catalog_exec(s, d, "DELETE FROM %s WHERE c1 < x'%s'",
			  table_phys(t, phys, sizeof(phys)), text) == 0))
		ret = trim_times(s, home, tables, d);
	table_unref(t);
	return ret;
}

/* The newest LSN that is older than the retention. */
static int old_lsn(struct session *s, struct attached *home, int64_t retention,
		   unsigned char *out, bool *found, struct diag *d)
{
	char times[64], buf[DATETIMEOFFSET_BLOB];
	struct moment m;
	struct val limit;
	sqlite3_stmt *st;

	*found = false;
	if (cdc_need_table(s, home, "lsn_time_mapping", times, sizeof(times),
			   d) < 0)
		return -1;
	moment_now(&m, false);
	moment_add_ticks(&m, -retention * 60 * TICKS_PER_SECOND);
	moment_store(&m, type_of(TY_DATETIME), &limit, buf);
	st = catalog_prepare(s, d, "SELECT max(c1) FROM %s WHERE c3 <= %lld",
			     times, (long long)limit.i);
	if (!st)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW &&
	    sqlite3_column_bytes(st, 0) == LSN_SIZE) {
		memcpy(out, sqlite3_column_blob(st, 0), LSN_SIZE);
		*found = true;
	}
	sqlite3_finalize(st);
	return 0;
}

int cdc_cleanup_old(struct session *s, struct attached *home, int64_t retention,
		    struct diag *d)
{
	unsigned char low[LSN_SIZE];
	char tables[64];
	bool found;
	int64_t id = 0;

	if (cdc_need_table(s, home, "change_tables", tables, sizeof(tables),
			   d) < 0 ||
	    old_lsn(s, home, retention, low, &found, d) < 0)
		return -1;
	while (found) {
		int64_t next = 0;

		if (catalog_int(s, d, &next,
				"SELECT min(c1) FROM %s WHERE c1 > %lld",
				tables, (long long)id) < 0)
			return -1;
		if (!next)
			break;
		id = next;
		if (cdc_cleanup(s, home, (int)id, low, d) < 0)
			return -1;
	}
	return 0;
}
