#include "exec/planner.h"

#include <stdlib.h>
#include <string.h>

#include "sql/parse.h"

#define CACHE_ENTRIES  300
#define CACHE_TEXT_MAX 65536

struct plan_cache {
	struct cached_batch *first;
	int count;
	int64_t clock;
};

void plans_release(struct stmt *st)
{
	for (; st; st = st->next) {
		if (st->plan && st->plan_free)
			st->plan_free(st->plan);
		st->plan = NULL;
		switch (st->kind) {
		case ST_IF:
		case ST_WHILE:
		case ST_TRY:
			plans_release(st->flow.then);
			plans_release(st->flow.otherwise);
			break;
		case ST_BLOCK:
			plans_release(st->block);
			break;
		case ST_INSERT:
			if (st->dml->exec)
				plans_release(st->dml->exec);
			break;
		default:
			break;
		}
	}
}

static void batch_free(struct cached_batch *b)
{
	struct arena pool = b->pool;

	plans_release(b->ast.first);
	free(b->text);
	free(b);
	arena_release(&pool);
}

static struct cached_batch *find(struct plan_cache *c, const char *sql,
				 size_t len, bool quoted)
{
	struct cached_batch *b;

	for (b = c->first; b; b = b->next)
		if (b->len == len && b->quoted == quoted && !b->busy &&
		    !memcmp(b->text, sql, len))
			return b;
	return NULL;
}

static void drop_oldest(struct plan_cache *c)
{
	struct cached_batch **link, **oldest = NULL, *b;

	for (link = &c->first; *link; link = &(*link)->next)
		if (!(*link)->busy &&
		    (!oldest || (*link)->used < (*oldest)->used))
			oldest = link;
	if (!oldest)
		return;
	b = *oldest;
	*oldest = b->next;
	c->count--;
	batch_free(b);
}

struct cached_batch *plan_cache_take(struct session *s, const char *sql,
				     size_t len, struct diag *d)
{
	struct plan_cache *c = s->plans;
	struct cached_batch *b;

	if (!c)
		c = s->plans = mem_calloc(1, sizeof(*c));
	b = len <= CACHE_TEXT_MAX ? find(c, sql, len, s->set.quoted_identifier)
				  : NULL;
	if (b) {
		b->busy = true;
		b->used = ++c->clock;
		return b;
	}
	b = mem_calloc(1, sizeof(*b));
	arena_init(&b->pool, 0);
	b->text = mem_strndup(sql, len);
	b->len = len;
	b->quoted = s->set.quoted_identifier;
	if (parse_batch(&b->pool, b->text, len, b->quoted, &b->ast, d) < 0) {
		batch_free(b);
		return NULL;
	}
	b->busy = true;
	b->used = ++c->clock;
	if (len <= CACHE_TEXT_MAX) {
		if (c->count >= CACHE_ENTRIES)
			drop_oldest(c);
		b->kept = true;
		b->next = c->first;
		c->first = b;
		c->count++;
	}
	return b;
}

void plan_cache_put(struct session *s, struct cached_batch *b)
{
	(void)s;
	b->busy = false;
	if (!b->kept)
		batch_free(b);
}

void plan_cache_clear(struct session *s)
{
	struct plan_cache *c = s->plans;
	struct cached_batch **link, *b;

	if (!c)
		return;
	for (link = &c->first; (b = *link);) {
		if (b->busy) {
			/* its plans hold pointers that are about to go */
			plans_release(b->ast.first);
			link = &b->next;
			continue;
		}
		*link = b->next;
		c->count--;
		batch_free(b);
	}
}

void plan_cache_free(struct session *s)
{
	plan_cache_clear(s);
	free(s->plans);
	s->plans = NULL;
}
