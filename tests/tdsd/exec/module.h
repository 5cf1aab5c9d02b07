#ifndef TDSD_MODULE_H
#define TDSD_MODULE_H

#include "exec/run.h"
#include "store/catalog.h"

/*
 * Stored code: procedures, functions and triggers. Parsed once per session
 * and version, and run in a frame of its own.
 */
struct module {
	struct arena pool;
	struct attached *home;
	int id;
	int64_t version; /* of the catalog */
	char *text;
	struct batch_ast ast;
	struct create_module *def;
	bool quoted;
	int busy; /* running frames; a recursion shares the AST */
	bool stale;
	struct module *next;
};

/* NULL with `d`. Give it back with module_put(). */
struct module *module_get(struct session *s, struct attached *home, int id,
			  struct diag *d);
void module_put(struct session *s, struct module *m);
void modules_free(struct session *s);

/* The body of a trigger or procedure in the current frame. */
enum flow module_run_body(struct session *s, struct attached *home, int id,
			  struct frame *f, struct diag *d);

/* Parse text that creates a module; its definition is the first statement. */
struct create_module *module_parse(struct arena *pool, const char *text,
				   bool quoted, struct diag *d);

/* What a view, inline or table function returns. */
struct module_columns {
	struct out_column *columns;
	int count;
};
int module_columns(struct session *s, const struct create_module *m,
		   struct attached *home, struct arena *pool,
		   struct module_columns *out, struct diag *d);

/* A scalar function's value. */
int module_call_scalar(struct session *s, struct attached *home, int id,
		       const struct val *args, const struct type *types,
		       int count, struct cell *out, struct diag *d);

#endif
