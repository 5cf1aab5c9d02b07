#include "fault/counter.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "exec/server.h"

static int entries; /* under server->lock */

static struct statement_count *find(struct server *srv, const char *app,
				    const char *db, const char *text)
{
	struct statement_count *c;

	for (c = srv->statements; c; c = c->next)
		if (!strcmp(c->text, text) && !strcmp(c->app, app) &&
		    !strcmp(c->database, db))
			return c;
	return NULL;
}

void counter_note(struct session *s, const char *text, size_t len)
{
	struct server *srv = s->server;
	struct statement_count *c;
	char head[COUNTER_TEXT + 1];
	const char *db = s->db ? s->db->name : "";

	if (len > COUNTER_TEXT)
		len = COUNTER_TEXT;
	while (len && ((unsigned char)text[len - 1] & 0xC0) == 0x80)
		len--; /* never half of a character */
	if (len && (unsigned char)text[len - 1] >= 0xC0)
		len--;
	memcpy(head, text, len);
	head[len] = '\0';
	pthread_mutex_lock(&srv->lock);
	text_copy(s->last_statement, sizeof(s->last_statement), head);
	if (!srv->count_statements) {
		pthread_mutex_unlock(&srv->lock);
		return;
	}
	c = find(srv, s->app, db, head);
	if (!c && entries < COUNTER_MAX) {
		c = mem_calloc(1, sizeof(*c));
		c->text = mem_strdup(head);
		text_copy(c->app, sizeof(c->app), s->app);
		text_copy(c->database, sizeof(c->database), db);
		c->next = srv->statements;
		srv->statements = c;
		entries++;
	}
	if (c)
		c->count++;
	pthread_mutex_unlock(&srv->lock);
}

void counter_clear(struct server *srv)
{
	struct statement_count *c, *next;

	pthread_mutex_lock(&srv->lock);
	c = srv->statements;
	srv->statements = NULL;
	entries = 0;
	pthread_mutex_unlock(&srv->lock);
	for (; c; c = next) {
		next = c->next;
		free(c->text);
		free(c);
	}
}
