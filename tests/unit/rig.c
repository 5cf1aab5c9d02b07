#include "unit/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/memory/memory.h"
#include "unit/helper.h"

static const struct column columns[] = {
	{.name = "id", .type = ROW_INT64},
	{.name = "name", .type = ROW_TEXT, .nullable = true},
	{.name = "n", .type = ROW_INT32, .nullable = true},
	{.name = "sync", .type = ROW_BOOL, .nullable = true},
};

static const struct table_name other_name = {"db", "dbo", "other"};

static const struct mapping_default_target no_default = {.type = NULL};

static void open_link(struct rig *rig)
{
	struct error err = ERROR_INIT;
	char strings[2][64];
	struct control_server source = {1,	    "src", "memory",
					strings[0], true,  NULL};
	struct control_server target = {1,	    "dst", "memory",
					strings[1], true,  NULL};
	struct control_snapshot snapshot = {
		.sources = &source,
		.source_count = 1,
		.targets = &target,
		.target_count = 1,
	};
	struct server_spec spec = {.id = 1};

	snprintf(strings[0], sizeof(strings[0]), "name=%s", rig->src);
	snprintf(strings[1], sizeof(strings[1]), "name=%s;gather_ms=%d",
		 rig->dst, rig->gather_ms);
	rig->mapping = mapping_new(&rig->row, &snapshot, &no_default);
	assert_non_null(rig->mapping);
	if (rig->mapping->problem.kind != ERROR_NONE)
		fail_msg("%s", rig->mapping->problem.message);
	spec.name = "src";
	spec.connection_string = strings[0];
	MUST(rig->mapping->from.driver->server_new(&spec, &rig->from, &err));
	spec.name = "dst";
	spec.connection_string = strings[1];
	MUST(rig->mapping->to.driver->server_new(&spec, &rig->to, &err));
	memset(&rig->link, 0, sizeof(rig->link));
	rig->link.mapping = rig->mapping;
	rig->link.cancel = &rig->cancel;
	rig->link.epoch = 1;
	rig->link.subject = rig->subject;
	rig->link.reporter = rig->reporter;
	rig->link.settings = rig->settings;
	rig->link.from = rig->from;
	rig->link.to = rig->to;
	rig->link.installation = "installation";
	rig->link.pool = &rig->pool;
	rig->link.share = pool_join(&rig->pool, rig->from, rig->to);
	assert_non_null(rig->link.share);
	MUST(link_open(&rig->link, &err));
	rig->src_ops = *rig->link.src->ops;
	rig->dst_ops = *rig->link.dst->ops;
}

static void close_link(struct rig *rig)
{
	link_close(&rig->link);
	pool_leave(&rig->pool, rig->link.share);
	rig->mapping->from.driver->server_free(rig->from);
	rig->mapping->to.driver->server_free(rig->to);
	mapping_free(rig->mapping);
	rig->mapping = NULL;
}

static void make_tables(struct rig *rig)
{
	struct error err = ERROR_INIT;

	MUST(memory_create_table(rig->src, &rig->table.name, &rig->table,
				 &err));
	MUST(memory_create_table(rig->src, &other_name, &rig->table, &err));
}

/* With a reporter that writes into the control store, or finds none. */
static void begin(struct rig *rig, const char *src, const char *dst,
		  bool is_heard)
{
	static int number;
	struct error err = ERROR_INIT;
	struct control_spec nowhere = {
		.kind = CONTROL_SQLITE,
		.file = "/nowhere/control.db",
	};
	char file[32];

	memset(rig, 0, sizeof(*rig));
	log_setup(LOG_ERROR, false);
	rig->src = src;
	rig->dst = dst;
	table_make(&rig->table, "t", columns, COUNT_OF(columns), "id");
	rig->dest = (struct table_name){"db2", "dbo", "copy"};
	rig->row = (struct control_mapping){
		.id = 1,
		.server_id = 1,
		.target_id = 1,
		.enabled = true,
		.cdc_enabled = true,
		.source_database = "db",
		.source_schema = "dbo",
		.source_table = "t",
		.dest_database = rig->dest.database,
		.dest_schema = rig->dest.schema,
		.dest_table = rig->dest.table,
	};
	settings_init(&rig->settings);
	snprintf(file, sizeof(file), "rig%d.db", number++);
	rig->spec = store_make(file);
	store_add_mapping(rig->spec.file);
	MUST(cancel_init(&rig->cancel, &err));
	MUST(pool_init(&rig->pool, 48, &err));
	MUST(reporter_start(&rig->reporter, is_heard ? &rig->spec : &nowhere,
			    "test:1", &err));
	rig->subject = reporter_add_subject(rig->reporter, 1);
	assert_non_null(rig->subject);
	make_tables(rig);
	open_link(rig);
}

void rig_begin(struct rig *rig, const char *src, const char *dst)
{
	begin(rig, src, dst, true);
}

void rig_begin_unheard(struct rig *rig, const char *src, const char *dst)
{
	begin(rig, src, dst, false);
}

void rig_end(struct rig *rig)
{
	close_link(rig);
	reporter_remove_subject(rig->reporter, rig->subject);
	assert_true(reporter_stop(rig->reporter, 60000));
	reporter_free(rig->reporter);
	cancel_release(&rig->cancel);
	pool_release(&rig->pool);
	memory_forget(rig->src);
	memory_forget(rig->dst);
	table_release(&rig->table);
}

void rig_reopen(struct rig *rig)
{
	close_link(rig);
	open_link(rig);
}

void rig_clear(struct rig *rig)
{
	close_link(rig);
	memory_forget(rig->dst);
	open_link(rig);
	rig_replace_source(rig);
}

void rig_replace_source(struct rig *rig)
{
	close_link(rig);
	memory_forget(rig->src);
	make_tables(rig);
	open_link(rig);
}

/* ----------------------------------------------------------------- changes */

static void put_value(struct batch *batch, size_t col, const char *text)
{
	if (!strcmp(text, "NULL"))
		batch_put_null(batch, col);
	else if (col == 1)
		put_text(batch, col, text);
	else
		batch_put_i64(batch, col, strtoll(text, NULL, 10));
}

static void put_change(struct batch *batch, char *text)
{
	bool gone = *text++ == '-';
	size_t col = 0;

	for (char *next = text; next; text = next) {
		next = strchr(text, '|');
		if (next)
			*next++ = '\0';
		put_value(batch, col++, text);
	}
	while (col < COUNT_OF(columns))
		batch_put_null(batch, col++);
	batch_add_row(batch, gone ? ROW_DELETE : ROW_UPSERT);
}

static void change(struct rig *rig, const char *store,
		   const struct table_name *name, const char *changes)
{
	struct error err = ERROR_INIT;
	char *copy = strdup(changes), *text = copy;
	struct batch batch;

	assert_non_null(copy);
	batch_make(&batch, &rig->table);
	for (char *next = text; next; text = next) {
		next = strchr(text, ' ');
		if (next)
			*next++ = '\0';
		if (*text)
			put_change(&batch, text);
	}
	MUST(memory_change(store, name, &batch, &err));
	batch_release(&batch);
	free(copy);
}

void rig_change(struct rig *rig, const char *changes)
{
	change(rig, rig->src, &rig->table.name, changes);
}

void rig_change_dest(struct rig *rig, const char *changes)
{
	change(rig, rig->dst, &rig->dest, changes);
}

void rig_fill(struct rig *rig, int count)
{
	struct error err = ERROR_INIT;
	struct batch batch;
	char name[32];

	batch_make(&batch, &rig->table);
	for (int i = 1; i <= count; i++) {
		batch_put_i64(&batch, 0, i);
		snprintf(name, sizeof(name), "name %d", i);
		put_text(&batch, 1, name);
		if (i % 3)
			batch_put_i64(&batch, 2, i * 10);
		else
			batch_put_null(&batch, 2);
		batch_put_i64(&batch, 3, 0);
		batch_add_row(&batch, ROW_UPSERT);
	}
	MUST(memory_change(rig->src, &rig->table.name, &batch, &err));
	batch_release(&batch);
}

void rig_change_other(struct rig *rig)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	batch_make(&batch, &rig->table);
	batch_put_i64(&batch, 0, 1);
	for (size_t col = 1; col < COUNT_OF(columns); col++)
		batch_put_null(&batch, col);
	batch_add_row(&batch, ROW_UPSERT);
	MUST(memory_change(rig->src, &other_name, &batch, &err));
	batch_release(&batch);
}

/* -------------------------------------------------------------------- rows */

static char *rows_of(struct rig *rig, const char *store,
		     const struct table_name *name)
{
	struct error err = ERROR_INIT;
	struct batch batch;
	struct strbuf text;

	batch_make(&batch, &rig->table);
	MUST(memory_rows(store, name, &batch, &err));
	strbuf_init(&text);
	rows_text(&text, &batch);
	batch_release(&batch);
	return strbuf_detach(&text);
}

char *rig_source(struct rig *rig)
{
	return rows_of(rig, rig->src, &rig->table.name);
}

char *rig_dest(struct rig *rig)
{
	return rows_of(rig, rig->dst, &rig->dest);
}

void assert_dest(struct rig *rig, const char *want)
{
	char *got = rig_dest(rig);

	if (strcmp(got, want))
		fail_msg("the destination holds\n%sbut should\n%s", got, want);
	free(got);
}

void assert_same(struct rig *rig)
{
	char *source = rig_source(rig);

	assert_dest(rig, source);
	free(source);
}

/* ---------------------------------------------------------------- attempts */

static int attempt(struct rig *rig, struct error *err)
{
	struct link *link = &rig->link;
	struct cdc_step step;
	uint64_t rows;
	bool again;

	if (link_attach(link, false, err) < 0)
		return -1;
	if (!link->loaded && full_sync_run(link, &rows, &again, err) < 0)
		return -1;
	if (!rig->mapping->cdc_enabled)
		return 0;
	do {
		if (cdc_run_step(link, &step, err) < 0)
			return -1;
	} while (!step.caught_up);
	if (cdc_commit(link, err) < 0)
		return -1;
	return cdc_store_idle(link, true, err);
}

int rig_attempt(struct rig *rig, struct error *err)
{
	int ret;

	rig->link.settings = rig->settings;
	ret = attempt(rig, err);
	link_release(&rig->link);
	report_run_end(rig->subject, REPORT_MOVING,
		       ret < 0 ? "ERROR" : "COMPLETED",
		       ret < 0 ? err->message : NULL);
	if (ret < 0)
		link_forget(&rig->link);
	return ret;
}

void rig_sync(struct rig *rig)
{
	struct error err = ERROR_INIT;

	MUST(rig_attempt(rig, &err));
}
