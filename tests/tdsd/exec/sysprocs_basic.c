#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "ddl/ddl.h"
#include "exec/applock.h"
#include "exec/context.h"
#include "exec/output.h"
#include "exec/perm.h"
#include "exec/prepared.h"
#include "exec/server.h"
#include "exec/sysprocs.h"
#include "exec/tran.h"
#include "value/collation.h"
#include "value/convert.h"

enum flow sysproc_rename(struct call *c)
{
	struct session *s = c->s;
	struct ddl x = {.s = s};
	struct arena pool;
	const char *object, *new_name, *type;
	struct diag d, ignored;
	enum flow flow = FLOW_OK;
	int ret;

	arena_init(&pool, 0);
	object = call_text(c, 0, "@objname", &pool);
	new_name = call_text(c, 1, "@newname", &pool);
	type = call_text(c, 2, "@objtype", &pool);
	x.pool = &pool;
	x.d = &d;
	d.line = 0;
	d.proc[0] = '\0';
	if (!object || !new_name) {
		diag_set(&d, 201, "sp_rename",
			 object ? "@newname" : "@objname");
		flow = call_error(c, &d);
		arena_release(&pool);
		return flow;
	}
	ret = tran_begin_statement(s, &d);
	if (ret == 0)
		ret = ddl_rename(&x, object, new_name, type);
	if (tran_end_statement(s, ret < 0, ret < 0 ? &ignored : &d) < 0)
		ret = -1;
	if (ret < 0) {
		catalog_forget(s);
		flow = call_error(c, &d);
	}
	c->has_status = true;
	c->status = ret < 0;
	arena_release(&pool);
	return flow;
}

enum flow sysproc_reset(struct call *c)
{
	session_reset(c->s);
	c->has_status = true;
	return FLOW_OK;
}

/* --- application locks --- */

void applock_name(struct session *s, const char *resource, char *buf,
		  size_t size)
{
	snprintf(buf, size, "app:%d:%.255s", s->db->id, resource);
}

bool applock_mode_find(const char *text, enum lock_mode *mode)
{
	static const struct {
		const char *name;
		enum lock_mode mode;
	} modes[] = {{"Shared", LOCK_S},
		     {"Update", LOCK_U},
		     {"Exclusive", LOCK_X},
		     {"IntentShared", LOCK_IS},
		     {"IntentExclusive", LOCK_IX}};
	size_t i;

	for (i = 0; i < LENGTH_OF(modes); i++)
		if (text && !strcasecmp(modes[i].name, text)) {
			*mode = modes[i].mode;
			return true;
		}
	return false;
}

enum flow sysproc_getapplock(struct call *c)
{
	struct session *s = c->s;
	struct arena pool;
	const char *resource, *owner;
	char name[LOCK_NAME_MAX];
	enum lock_mode mode;
	enum lock_owner whose;
	bool session_owned, waited;
	struct diag d;
	int timeout, ret;

	arena_init(&pool, 0);
	resource = call_text(c, 0, "@Resource", &pool);
	c->has_status = true;
	if (!resource ||
	    !applock_mode_find(call_text(c, 1, "@LockMode", &pool), &mode)) {
		c->status = -999;
		arena_release(&pool);
		return FLOW_OK;
	}
	owner = call_text(c, 2, "@LockOwner", &pool);
	session_owned = owner && !strcasecmp(owner, "session");
	whose = session_owned ? LOCK_OF_SESSION : LOCK_OF_TRANSACTION;
	timeout = (int)call_int(c, 3, "@LockTimeout", s->set.lock_timeout);
	if (!session_owned && !s->trancount) {
		c->status = -999;
		arena_release(&pool);
		return FLOW_OK;
	}
	applock_name(s, resource, name, sizeof(name));
	output_flush(s);
	ret = lock_acquire(s, name, mode, whose, 0, &d);
	waited = ret < 0 && d.number == 1222 && timeout;
	if (waited)
		ret = lock_acquire(s, name, mode, whose, timeout, &d);
	c->status = ret == 0	       ? waited
		    : d.number == 1222 ? -1
		    : d.number == 1205 ? -3
				       : -2;
	arena_release(&pool);
	return s->attention || s->broken ? FLOW_ABORT : FLOW_OK;
}

enum flow sysproc_releaseapplock(struct call *c)
{
	struct session *s = c->s;
	struct arena pool;
	const char *resource, *owner;
	char name[LOCK_NAME_MAX];
	struct diag d;

	arena_init(&pool, 0);
	resource = call_text(c, 0, "@Resource", &pool);
	owner = call_text(c, 1, "@LockOwner", &pool);
	applock_name(s, resource ? resource : "", name, sizeof(name));
	c->has_status = true;
	if (!lock_release(s, name,
			  owner && !strcasecmp(owner, "session")
				  ? LOCK_OF_SESSION
				  : LOCK_OF_TRANSACTION)) {
		enum flow flow;

		c->status = -999;
		diag_free_text(
			&d, 1223, 16, 1,
			"Cannot release the application lock (Database "
			"Principal: 'public', Resource: '%s') because it "
			"is not currently held.",
			resource ? resource : "");
		flow = call_error(c, &d);
		arena_release(&pool);
		return flow;
	}
	arena_release(&pool);
	return FLOW_OK;
}

/* --- session context --- */

struct context_key {
	char name[130 * 4];
	struct cell value;
	struct type type;
	bool read_only;
	struct context_key *next;
};

void context_free(struct session *s)
{
	struct context_key *k;

	while ((k = s->context)) {
		s->context = k->next;
		cell_release(&k->value);
		free(k);
	}
}

const struct val *context_get(struct session *s, const char *name,
			      struct type *type)
{
	struct context_key *k;

	for (k = s->context; k; k = k->next)
		if (!strcmp(k->name, name)) {
			*type = k->type;
			return &k->value.v;
		}
	return NULL;
}

enum flow sysproc_set_context(struct call *c)
{
	struct session *s = c->s;
	struct call_arg *value = call_get(c, 1, "@value");
	struct arena pool;
	const char *name;
	struct context_key *k;
	struct diag d;

	arena_init(&pool, 0);
	name = call_text(c, 0, "@key", &pool);
	if (!name || !value) {
		enum flow flow;

		diag_set(&d, 201, "sp_set_session_context",
			 name ? "@value" : "@key");
		flow = call_error(c, &d);
		arena_release(&pool);
		return flow;
	}
	if (convert_rule(value->type, type_of(TY_VARIANT)) !=
	    CONVERT_IMPLICIT) {
		enum flow flow;

		diag_set(&d, 206, type_name(value->type), "sql_variant");
		flow = call_error(c, &d);
		arena_release(&pool);
		return flow;
	}
	for (k = s->context; k; k = k->next)
		if (!strcmp(k->name, name))
			break;
	if (k && k->read_only) {
		enum flow flow;

		diag_set(&d, 15664, name);
		flow = call_error(c, &d);
		arena_release(&pool);
		return flow;
	}
	if (!k) {
		k = mem_calloc(1, sizeof(*k));
		text_copy(k->name, sizeof(k->name), name);
		k->next = s->context;
		s->context = k;
	}
	cell_set(&k->value, &value->value);
	k->type = value->type;
	k->read_only = call_int(c, 2, "@read_only", 0) != 0;
	c->has_status = true;
	arena_release(&pool);
	return FLOW_OK;
}
