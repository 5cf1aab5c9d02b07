/* The contract on drivers/memory, the driver that is quickest to read. */
#include "contract/contract.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/memory/memory.h"
#include "row/text.h"

#define SOURCE "contract_src"
#define TARGET "contract_dst"

static void forget(void)
{
	memory_forget(SOURCE);
	memory_forget(TARGET);
}

static struct table_name name_of(enum lab_side side, enum lab_table table)
{
	static const char *const names[LAB_TABLES] = {"main", "other", "pair",
						      "bare", "wide"};
	struct table_name name = {"db", "dbo", names[table]};

	if (side == LAB_DEST)
		name.database = "copy";
	return name;
}

static void make(enum lab_side side, enum lab_table table)
{
	struct table_name name = name_of(side, table);
	struct error err = ERROR_INIT;
	struct table shape;

	shape_of(&shape, table);
	MUST(memory_create_table(side == LAB_SOURCE ? SOURCE : TARGET, &name,
				 &shape, &err));
	table_release(&shape);
}

static void change(enum lab_table table, const char *changes)
{
	struct table_name name = name_of(LAB_SOURCE, table);
	struct error err = ERROR_INIT;
	struct table shape;
	struct batch batch;

	shape_of(&shape, table);
	MUST(batch_init(&batch, &shape, 1000, (size_t)8 << 20, &err));
	put_changes(&batch, changes);
	MUST(memory_change(SOURCE, &name, &batch, &err));
	batch_release(&batch);
	table_release(&shape);
}

static void refuse(bool refuse)
{
	memory_refuse(TARGET, refuse ? "n" : NULL, 13);
}

struct line {
	int64_t first;
	char *text;
};

static int by_first(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* The store sorts by the bytes of the keys, the laboratory by their values. */
static char *rows(enum lab_side side, enum lab_table table)
{
	struct table_name name = name_of(side, table);
	struct error err = ERROR_INIT;
	struct strbuf one, all;
	struct line *lines;
	struct table shape;
	struct batch batch;

	shape_of(&shape, table);
	MUST(batch_init(&batch, &shape, 5000, (size_t)8 << 20, &err));
	MUST(memory_rows(side == LAB_SOURCE ? SOURCE : TARGET, &name, &batch,
			 &err));
	lines = calloc(batch.rows + 1, sizeof(*lines));
	assert_non_null(lines);
	for (size_t i = 0; i < batch.rows; i++) {
		strbuf_init(&one);
		row_text(&one, &batch, i);
		lines[i].first = batch.columns[0].i64[i];
		lines[i].text = strbuf_detach(&one);
	}
	qsort(lines, batch.rows, sizeof(*lines), by_first);
	strbuf_init(&all);
	for (size_t i = 0; i < batch.rows; i++) {
		strbuf_addstr(&all, lines[i].text + 2); /* after "+ " */
		free(lines[i].text);
	}
	free(lines);
	batch_release(&batch);
	table_release(&shape);
	return strbuf_detach(&all);
}

static void settle(void)
{
}

static void purge_log(void)
{
	memory_purge_log(SOURCE);
}

static void far_ahead(struct position *position)
{
	position->bytes[0] = 0x40;
}

static const struct laboratory laboratory = {
	.driver = "memory",
	.source_string = "name=" SOURCE,
	.target_string = "name=" TARGET,
	.begin = forget,
	.end = forget,
	.name = name_of,
	.make = make,
	.change = change,
	.refuse = refuse,
	.rows = rows,
	.settle = settle,
	.purge_log = purge_log,
	.far_ahead = far_ahead,
};

int main(void)
{
	alarm(60);
	return contract_run(&laboratory);
}
