/*
 * The contract of targets, on files in a local folder. What is in them is read
 * by other means than the driver's: JSON lines, by jansson, in the way that
 * docs/files.md tells readers. A table is what its latest load has, and on top of
 * that the changes that came after it.
 */
#include "contract/contract.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/json.h"

static char folder[64];
static char target_string[128];

/* What a line of a file says, and where it belongs. */
struct line {
	json_int_t seq; /* -1: of a load */
	json_t *row;
};

struct lines {
	struct line *items;
	size_t count, room;
};

static const char *const names[LAB_TABLES] = {
	[LAB_MAIN] = "main", [LAB_OTHER] = "other", [LAB_PAIR] = "pair",
	[LAB_BARE] = "bare", [LAB_WIDE] = "wide",
};

/* Its columns; the key's first. */
static const char *const columns[LAB_TABLES][5] = {
	[LAB_MAIN] = {"id", "name", "n", "sync"},
	[LAB_OTHER] = {"id", "name", "n", "sync"},
	[LAB_PAIR] = {"a", "b", "v"},
	[LAB_BARE] = {"id", "name", "n", "sync"},
	[LAB_WIDE] = {"id", "body"},
};

static struct table_name lab_name(enum lab_side side, enum lab_table table)
{
	(void)side;
	return (struct table_name){"lab", "dbo", names[table]};
}

/* There is nothing to be made. */
static void lab_make(enum lab_side side, enum lab_table table)
{
	(void)side;
	(void)table;
}

static void lab_begin(void)
{
	snprintf(folder, sizeof(folder), "/tmp/contract-files-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(target_string, sizeof(target_string),
		 "path=%s;file_format=json;prefix=some/where", folder);
}

static void remove_all(const char *path)
{
	char inner[600];
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir) {
		unlink(path);
		return;
	}
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		remove_all(inner);
	}
	closedir(dir);
	rmdir(path);
}

static void lab_end(void)
{
	remove_all(folder);
}

/* ----------------------------------------------------------------- reading */

static void add_line(struct lines *lines, json_t *row)
{
	json_t *seq = json_object_get(row, "_seq");

	if (lines->count == lines->room) {
		lines->room = lines->room ? 2 * lines->room : 64;
		lines->items = realloc(lines->items,
				       lines->room * sizeof(*lines->items));
		assert_non_null(lines->items);
	}
	lines->items[lines->count].seq = seq ? json_integer_value(seq) : -1;
	lines->items[lines->count++].row = row;
}

static void read_lines(struct lines *lines, const char *path)
{
	FILE *file = fopen(path, "r");
	json_error_t why;
	char *text = NULL;
	size_t size = 0;
	json_t *row;

	assert_non_null(file);
	while (getline(&text, &size, file) > 0) {
		row = json_loads(text, 0, &why);
		if (!row)
			fail_msg("%s: %s", path, why.text);
		add_line(lines, row);
	}
	free(text);
	fclose(file);
}

static bool is_rows(const char *name)
{
	size_t len = strlen(name);

	return len > 6 && !strcmp(name + len - 6, ".jsonl");
}

static void read_folder(struct lines *lines, const char *path)
{
	char inner[600];
	struct dirent *entry;
	DIR *dir = opendir(path);

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (is_rows(entry->d_name))
			read_lines(lines, inner);
		else
			read_folder(lines, inner);
	}
	if (dir)
		closedir(dir);
}

static int by_seq(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* The row of a table in the making that has a line's key. */
static json_t **find_row(json_t **rows, size_t count, enum lab_table table,
			 const json_t *line)
{
	size_t keys = table == LAB_PAIR ? 2 : 1, i, k;

	for (i = 0; i < count; i++) {
		for (k = 0; k < keys; k++)
			if (!rows[i] ||
			    !json_equal(
				    json_object_get(rows[i], columns[table][k]),
				    json_object_get(line, columns[table][k])))
				break;
		if (k == keys)
			break;
	}
	return &rows[i];
}

static bool is_unchanged(const json_t *line, const char *name)
{
	const json_t *text = json_object_get(line, "_unchanged");
	json_t *list = json_loads(json_string_value(text), 0, NULL);
	bool found = false;

	assert_true(json_is_array(list));
	for (size_t i = 0; i < json_array_size(list); i++)
		found |= !strcmp(json_string_value(json_array_get(list, i)),
				 name);
	json_decref(list);
	return found;
}

/* What becomes of a row. */
static void replay(json_t **row, enum lab_table table, json_t *line)
{
	const char *op = json_string_value(json_object_get(line, "_op"));
	bool part = json_is_string(json_object_get(line, "_unchanged"));

	if (op && *op == 'D') {
		*row = NULL;
		return;
	}
	if (!*row && part)
		return;
	for (size_t i = 0; part && columns[table][i]; i++) {
		const char *name = columns[table][i];

		if (is_unchanged(line, name))
			json_object_set(line, name,
					json_object_get(*row, name));
	}
	*row = line;
}

static void value_text(struct strbuf *out, const json_t *value)
{
	if (json_is_string(value))
		strbuf_addstr(out, json_string_value(value));
	else if (json_is_integer(value))
		strbuf_addf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		strbuf_addstr(out, json_is_true(value) ? "1" : "0");
	else
		strbuf_addstr(out, "NULL");
}

static char *line_text(const json_t *row, enum lab_table table)
{
	struct strbuf out;

	strbuf_init(&out);
	for (size_t i = 0; columns[table][i]; i++) {
		strbuf_addstr(&out, i ? "|" : "");
		value_text(&out, json_object_get(row, columns[table][i]));
	}
	strbuf_addch(&out, '\n');
	return strbuf_detach(&out);
}

static int by_text(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	long long m = strtoll(x, NULL, 10), n = strtoll(y, NULL, 10);

	return m != n ? (m > n) - (m < n) : strcmp(x, y);
}

/* Of the rows that are left. */
static char *sorted_text(json_t *const *rows, size_t count,
			 enum lab_table table)
{
	char **texts = calloc(count + 1, sizeof(*texts));
	struct strbuf out;
	size_t used = 0;

	assert_non_null(texts);
	for (size_t i = 0; i < count; i++)
		if (rows[i])
			texts[used++] = line_text(rows[i], table);
	if (used)
		qsort(texts, used, sizeof(*texts), by_text);
	strbuf_init(&out);
	for (size_t i = 0; i < used; i++) {
		strbuf_addstr(&out, texts[i]);
		free(texts[i]);
	}
	free(texts);
	if (out.len)
		return strbuf_detach(&out);
	strbuf_release(&out);
	return strdup("");
}

static json_t *read_latest(const char *table)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/latest.json", table);
	return json_load_file(path, 0, NULL);
}

static char *lab_rows(enum lab_side side, enum lab_table table)
{
	struct lines lines = {.items = NULL};
	char place[200], path[600];
	json_int_t first;
	json_t *latest, **rows;
	char *text;

	(void)side;
	snprintf(place, sizeof(place), "%s/some/where/lab.dbo.%s", folder,
		 names[table]);
	latest = read_latest(place);
	if (!latest)
		return strdup("");
	snprintf(path, sizeof(path), "%s/%s", place,
		 json_string_value(json_object_get(latest, "folder")));
	read_folder(&lines, path);
	first = json_integer_value(json_object_get(latest, "first_seq"));
	snprintf(path, sizeof(path), "%s/changes", place);
	read_folder(&lines, path);
	if (lines.count)
		qsort(lines.items, lines.count, sizeof(*lines.items), by_seq);
	rows = calloc(lines.count + 1, sizeof(*rows));
	assert_non_null(rows);
	for (size_t i = 0; i < lines.count; i++) {
		struct line *line = &lines.items[i];

		if (line->seq < 0 && table == LAB_BARE)
			rows[i] = line->row;
		else if (line->seq < 0 || line->seq >= first)
			replay(find_row(rows, i, table, line->row), table,
			       line->row);
	}
	text = sorted_text(rows, lines.count, table);
	for (size_t i = 0; i < lines.count; i++)
		json_decref(lines.items[i].row);
	free(lines.items);
	free(rows);
	json_decref(latest);
	return text;
}

int main(void)
{
	const struct laboratory lab = {
		.driver = "file",
		.source_string = target_string,
		.target_string = target_string,
		.begin = lab_begin,
		.end = lab_end,
		.name = lab_name,
		.make = lab_make,
		.rows = lab_rows,
		.one_mapping = true,
		.log_only = true,
	};

	json_setup();
	return contract_run(&lab);
}
