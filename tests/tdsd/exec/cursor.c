#include "exec/cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/output.h"
#include "exec/rows.h"
#include "exec/run.h"
#include "exec/stmts.h"
#include "exec/tran.h"

struct cursor {
	char *name;
	const struct query *query;
	struct plan *plan;
	struct out_column *columns;
	int count, width; /* what is shown; with the row id behind it */
	bool open, scroll;
	struct val **rows;
	struct arena pool; /* of the rows */
	int64_t row_count, at; /* at: 0 before the first */
	int rowid_at;	    /* column of the row id, -1: none */
	int table_id;
	int level;	    /* of the frame, for cursor variables */
	char *text;	    /* owns the query's source */
	struct cursor *next;
};

static struct cursor *find(struct session *s, const char *name)
{
	struct cursor *c;

	for (c = s->cursors; c; c = c->next)
		if (!strcasecmp(c->name, name))
			return c;
	return NULL;
}

static void close_cursor(struct cursor *c)
{
	if (!c->open)
		return;
	c->open = false;
	free(c->rows);
	c->rows = NULL;
	c->row_count = c->at = 0;
	arena_release(&c->pool);
}

static void drop(struct session *s, struct cursor *c)
{
	struct cursor **link = &s->cursors;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	close_cursor(c);
	plan_free(c->plan);
	free(c->name);
	free(c->text);
	free(c);
}

void cursors_free(struct session *s)
{
	while (s->cursors)
		drop(s, s->cursors);
}

void cursors_close_all(struct session *s)
{
	struct cursor *c;

	for (c = s->cursors; c; c = c->next)
		close_cursor(c);
}

static int build(struct session *s, struct plan *p, void *arg, struct diag *d)
{
	struct cursor *c = arg;
	struct rel *rel;
	struct tr t;

	plan_tr(s, p, &t, d);
	t.want_rowids = c->query->kind == Q_SELECT;
	rel = tr_top_query(&t, c->query);
	if (t.failed)
		return -1;
	p->sql = rel->sql;
	p->columns = rel->columns;
	p->count = rel->count;
	c->rowid_at = rel->base_count == 1 ? rel->count : -1;
	c->table_id = rel->base_count == 1 ? rel->bases[0]->id : 0;
	return 0;
}

static struct val *copy_row(struct cursor *c, sqlite3_stmt *st, int width)
{
	struct val *row = pool_alloc(&c->pool,
				     (size_t)(width + 1) * sizeof(*row));
	int i;

	for (i = 0; i < width; i++) {
		row[i] = run_column(st, i);
		if (row[i].cls == VAL_TEXT || row[i].cls == VAL_BLOB)
			row[i].p = pool_strndup(&c->pool, row[i].p, row[i].n);
	}
	return row;
}

static int fill(struct session *s, struct cursor *c, struct diag *d)
{
	sqlite3_stmt *st;
	int64_t room = 0;
	int got;

	plan_free(c->plan);
	c->plan = plan_new(s, build, c, d);
	if (!c->plan)
		return -1;
	st = plan_start(s, c->plan, d);
	if (!st)
		return -1;
	arena_init(&c->pool, 0);
	c->columns = c->plan->columns;
	c->count = c->plan->count;
	c->width = sqlite3_column_count(st);
	while ((got = run_step(s, st, d)) > 0) {
		MEM_GROW(c->rows, c->row_count, room);
		c->rows[c->row_count++] = copy_row(c, st, c->width);
	}
	plan_done(c->plan, st);
	c->open = true;
	c->at = 0;
	if (got < 0)
		close_cursor(c);
	return got;
}

/* --- statements --- */

static int resolve(struct session *s, const struct cursor_stmt *cs,
		   struct cursor **out, struct diag *d)
{
	const char *name = cs->name;

	if (cs->is_var) {
		int slot = frame_find(s->frame, cs->name);

		if (slot < 0 || !s->frame->vars[slot].is_cursor)
			return diag_set(d, 137, cs->name);
		if (!s->frame->vars[slot].cursor)
			return diag_set(d, 16950, cs->name);
		name = s->frame->vars[slot].cursor;
	}
	*out = find(s, name);
	if (!*out)
		return diag_set(d, 16916, name);
	return 0;
}

static int declare(struct session *s, const struct cursor_stmt *cs,
		   struct diag *d)
{
	struct cursor *c;
	char unique[160];
	const char *name = cs->name;

	if (cs->is_var) {
		int slot = frame_find(s->frame, cs->name);

		if (slot < 0)
			return diag_set(d, 137, cs->name);
		snprintf(unique, sizeof(unique), "%s:%d:%d", cs->name,
			 s->frame->level, ++s->cursor_count);
		s->frame->vars[slot].is_cursor = true;
		s->frame->vars[slot].cursor =
			pool_strdup(&s->frame->pool, unique);
		name = unique;
	} else if (find(s, name)) {
		return diag_set(d, 16915, name);
	}
	c = mem_calloc(1, sizeof(*c));
	c->name = mem_strdup(name);
	c->query = cs->query;
	c->scroll = cs->scroll;
	c->level = s->frame->level;
	c->rowid_at = -1;
	c->next = s->cursors;
	s->cursors = c;
	return 0;
}

static bool move(struct cursor *c, char direction, int64_t n)
{
	switch (direction) {
	case 'N':
		c->at++;
		break;
	case 'P':
		c->at--;
		break;
	case 'F':
		c->at = 1;
		break;
	case 'L':
		c->at = c->row_count;
		break;
	case 'A':
		c->at = n >= 0 ? n : c->row_count + 1 + n;
		break;
	default:
		c->at += n;
		break;
	}
	if (c->at < 1) {
		c->at = 0;
		return false;
	}
	if (c->at > c->row_count) {
		c->at = c->row_count + 1;
		return false;
	}
	return true;
}

static int into_variables(struct session *s, struct cursor *c,
			  const struct name_list *into, struct diag *d)
{
	const struct name_list *n;
	const struct val *row = c->rows[c->at - 1];
	int i = 0;

	for (n = into; n; n = n->next)
		i++;
	if (i != c->count)
		return diag_set(d, 16924);
	for (n = into, i = 0; n; n = n->next, i++) {
		int slot = frame_find(s->frame, n->name);

		if (slot < 0)
			return diag_set(d, 137, n->name);
		if (run_assign(s, &s->frame->vars[slot], &row[i],
			       c->columns[i].type, d) < 0)
			return -1;
	}
	return 0;
}

static int fetch(struct session *s, struct cursor *c,
		 const struct cursor_stmt *cs, struct diag *d)
{
	int64_t n = 0;

	if (!c->open)
		return diag_set(d, 16917);
	if (cs->position) {
		struct cell cell = {0};

		if (run_value(s, cs->position, type_of(TY_BIGINT), &cell, d) <
		    0)
			return -1;
		n = cell.v.cls == VAL_INT ? cell.v.i : 0;
		cell_release(&cell);
	}
	if (cs->direction != 'N' && !c->scroll)
		return diag_set(d, 16911, "fetch",
				cs->direction == 'P'   ? "prior"
				: cs->direction == 'F' ? "first"
				: cs->direction == 'L' ? "last"
						       : "absolute");
	if (!move(c, cs->direction, n)) {
		s->fetch_status = -1;
		if (!cs->into) {
			output_columns(s, c->columns, c->count);
			output_done(s, CMD_SELECT, 0, false);
		}
		s->rowcount = 0;
		return 0;
	}
	s->fetch_status = 0;
	s->rowcount = 1;
	if (cs->into)
		return into_variables(s, c, cs->into, d);
	output_columns(s, c->columns, c->count);
	output_row_values(s, c->columns, c->count, c->rows[c->at - 1]);
	output_done(s, CMD_SELECT, 1, false);
	return 0;
}

static int open_cursor(struct session *s, struct cursor *c, struct diag *d)
{
	int ret;

	if (c->open)
		return diag_set(d, 16905);
	if (tran_begin_statement(s, d) < 0)
		return -1;
	ret = fill(s, c, d);
	if (tran_end_statement(s, false, d) < 0)
		ret = -1;
	return ret;
}

enum flow exec_cursor(struct session *s, struct stmt *st)
{
	const struct cursor_stmt *cs = st->cursor;
	struct cursor *c = NULL;
	struct diag d;
	int ret = 0;

	d.line = 0;
	d.proc[0] = '\0';
	if (cs->verb == 'D')
		ret = declare(s, cs, &d);
	else
		ret = resolve(s, cs, &c, &d);
	if (ret == 0) {
		switch (cs->verb) {
		case 'O':
			ret = open_cursor(s, c, &d);
			break;
		case 'F':
			ret = fetch(s, c, cs, &d);
			break;
		case 'C':
			if (!c->open)
				ret = diag_set(&d, 16917);
			close_cursor(c);
			break;
		case 'X':
			drop(s, c);
			break;
		default:
			break;
		}
	}
	if (ret < 0)
		return run_error(s, &d, st, false);
	s->error = 0;
	return FLOW_OK;
}

int cursor_rowid(struct session *s, const char *name, const struct table *t,
		 int64_t *rowid, struct diag *d)
{
	struct cursor *c = find(s, name);

	(void)rowid;
	if (!c)
		return diag_set(d, 16916, name);
	if (!t || c->rowid_at < 0 || c->table_id != t->id)
		return diag_set(d, 16933);
	return 0;
}

int64_t cursor_current(struct session *s, const char *name)
{
	struct cursor *c = find(s, name);

	if (!c || !c->open || c->at < 1 || c->at > c->row_count ||
	    c->rowid_at < 0)
		return -1;
	return c->rows[c->at - 1][c->rowid_at].i;
}

int cursor_status(struct session *s, const char *name)
{
	struct cursor *c = find(s, name);

	if (!c)
		return -3;
	if (!c->open)
		return -1;
	return c->row_count ? 1 : 0;
}
