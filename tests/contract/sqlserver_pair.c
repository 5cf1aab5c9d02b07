#include "contract/sqlserver_pair.h"

#include <stdio.h>
#include <string.h>

#define BATCH_BYTES ((size_t)1 << 20)
#define MANY	    1000000u

struct pair pair;

int pair_setup(void **state)
{
	if (contract_setup(state) < 0)
		return -1;
	table_init(&pair.shape);
	return 0;
}

int pair_teardown(void **state)
{
	if (pair.src)
		pair.src->ops->close(pair.src);
	if (pair.dst)
		pair.dst->ops->close(pair.dst);
	pair.src = NULL;
	pair.dst = NULL;
	table_release(&pair.shape);
	return contract_teardown(state);
}

void pair_make(enum lab_side side, const char *columns)
{
	sqlserver_exec(side, "CREATE TABLE dbo.t (%s)", columns);
	if (side == LAB_SOURCE)
		sqlserver_exec(side, "EXEC sys.sp_cdc_enable_table "
				     "@source_schema = N'dbo', "
				     "@source_name = N't', @role_name = NULL");
}

void pair_open_both(bool native)
{
	struct error err = ERROR_INIT;
	struct source_spec from = {
		.server = contract.from,
		.name = {LAB_SOURCE_DATABASE, "dbo", "t"},
		.native_text = native,
	};
	struct target_spec to = {
		.server = contract.to,
		.name = {LAB_DEST_DATABASE, "dbo", "t"},
		.installation = "installation",
		.mapping_id = 1,
		.origin = "origin",
		.epoch = 1,
	};

	if (pair.src)
		pair.src->ops->close(pair.src);
	if (pair.dst)
		pair.dst->ops->close(pair.dst);
	MUST(contract.driver->source->open(&from, &pair.src, &err));
	MUST(pair.src->ops->connect(pair.src, &contract.cancel, &err));
	MUST(contract.driver->target->open(&to, &pair.dst, &err));
	MUST(pair.dst->ops->connect(pair.dst, &contract.cancel, &err));
	MUST(pair.dst->ops->fence(pair.dst, &err));
}

void pair_describe_both(void)
{
	struct error err = ERROR_INIT;
	struct table dest;

	table_release(&pair.shape);
	MUST(pair.src->ops->describe(pair.src, &pair.shape, &err));
	table_init(&dest);
	if (pair.dst->ops->describe(pair.dst, &dest, &err) == 0) {
		MUST(pair.dst->ops->create(pair.dst, &pair.shape, &err));
		assert_int_equal(pair.dst->ops->describe(pair.dst, &dest, &err),
				 1);
	}
	table_release(&dest);
}

int pair_move(const struct table *rows, struct error *err)
{
	struct batch batch;
	int rc;

	if (batch_init(&batch, rows, 3, BATCH_BYTES, err) < 0)
		return -1;
	while ((rc = pair.src->ops->next(pair.src, &batch, err)) > 0) {
		rc = pair.dst->ops->write(pair.dst, &batch, err);
		if (rc < 0)
			break;
		batch_reset(&batch);
	}
	batch_release(&batch);
	pair.src->ops->end(pair.src);
	return rc;
}

int pair_load(enum target_mode mode, const struct position *at,
	      struct error *err)
{
	struct checkpoint next = {.consistent_after_us = 0};
	struct target_counts counts;

	if (at)
		next.position = *at;
	error_clear(err);
	if (pair.src->ops->read_begin(pair.src, &pair.shape, NULL, err) < 0 ||
	    pair.dst->ops->begin(pair.dst, mode, &pair.shape, err) < 0 ||
	    pair_move(&pair.shape, err) < 0 ||
	    pair.dst->ops->commit(pair.dst, NULL, &next, &counts, err) < 0) {
		pair.src->ops->end(pair.src);
		pair.dst->ops->rollback(pair.dst);
		return -1;
	}
	return 0;
}

/* One window; `newest` says whether there are more. */
static int apply_window(struct position *at, bool *newest, struct error *err)
{
	struct checkpoint next = {.consistent_after_us = 0};
	struct target_counts counts;
	struct table *rows = &pair.shape;
	struct window window;
	int rc;

	rc = pair.src->ops->changes_begin(pair.src, &pair.shape, at, MANY,
					  &window, err);
	*newest = rc < 0 || window.newest;
	if (rc <= 0 || !window.has_rows) {
		pair.src->ops->end(pair.src);
		if (rc > 0)
			*at = window.to;
		return rc < 0 ? -1 : 0;
	}
	next.position = window.to;
	if (window.shape)
		rows = window.shape;
	if (pair.dst->ops->begin(pair.dst, TARGET_APPLY, rows, err) < 0 ||
	    pair_move(rows, err) < 0 ||
	    pair.dst->ops->commit(pair.dst, NULL, &next, &counts, err) < 0) {
		pair.dst->ops->rollback(pair.dst);
		return -1;
	}
	*at = window.to;
	return 0;
}

int pair_apply(struct position *at, struct error *err)
{
	bool newest = false;

	sqlserver_settle();
	while (!newest)
		if (apply_window(at, &newest, err) < 0)
			return -1;
	return 0;
}

void pair_must_load(enum target_mode mode, struct position *at)
{
	struct error err = ERROR_INIT;

	sqlserver_settle();
	MUST(pair.src->ops->position(pair.src, at, &err));
	MUST(pair_load(mode, at, &err));
}

void pair_must_apply(struct position *at)
{
	struct error err = ERROR_INIT;

	MUST(pair_apply(at, &err));
}

void pair_assert_same(const char *column)
{
	const char *alias = strstr(column, "%s");
	char a[80], b[80];
	int64_t different;

	if (alias) {
		int before = (int)(alias - column);

		snprintf(a, sizeof(a), "%.*sa%s", before, column, alias + 2);
		snprintf(b, sizeof(b), "%.*sb%s", before, column, alias + 2);
	} else {
		snprintf(a, sizeof(a), "a.[%s]", column);
		snprintf(b, sizeof(b), "b.[%s]", column);
	}
	different = sqlserver_number(
		LAB_DEST,
		"SELECT COUNT(*) FROM " LAB_SOURCE_DATABASE ".dbo.t AS a "
		"FULL JOIN " LAB_DEST_DATABASE ".dbo.t AS b ON a.id = b.id "
		"WHERE a.id IS NULL OR b.id IS NULL "
		"OR (%s IS NULL AND %s IS NOT NULL) "
		"OR (%s IS NOT NULL AND %s IS NULL) "
		"OR CONVERT(varbinary(max), %s) <> CONVERT(varbinary(max), %s) "
		"OR DATALENGTH(%s) <> DATALENGTH(%s)",
		a, b, a, b, a, b, a, b);
	if (different)
		fail_msg("%d values of '%s' differ", (int)different, column);
}
