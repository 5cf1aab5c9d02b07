#ifndef DRIVERS_FILES_STATE_H
#define DRIVERS_FILES_STATE_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "drivers/driver.h"

/*
 * What `_dataflow/state.json` in a table's folder says: who writes here, how far
 * he is, and which files he still has to make visible. Replacing it is what
 * commits: a load or changes, the checkpoint and the names of their files in
 * one write, which fails when anybody else has written it meanwhile.
 *
 * Owns its strings and arrays through `arena`; belongs to one thread at a time.
 */
struct table_state {
	struct arena arena;
	const char *installation;
	int mapping_id;
	const char *origin; /* of what is loaded, "" if nothing was */
	int64_t epoch;
	int64_t writes; /* of this file: one more with each */

	bool loaded;
	struct checkpoint checkpoint;
	/* A file that was to become visible, and was lost; "": none. Changes
	 * need a load before they can go on. */
	const char *lost;

	int64_t seq;	   /* the number of the last change */
	int64_t next_file; /* number of changes */

	const char *loading; /* the run that was begun last, or "" */
	/* Loads that are kept, the oldest first, and what comes after each. */
	struct state_load {
		const char *run;
		int64_t first_seq, first_file;
	} * loads;
	size_t load_count;
	const char **obsolete; /* runs to be removed */
	size_t obsolete_count;

	struct state_pending {
		const char *key, *token;
	} * pending;
	size_t pending_count;
	const char *latest; /* what latest.json has to say; NULL: nothing new */

	/*
	 * The columns that the last load and what came after it have had, and
	 * of which type each is: as format_type() says, or the type's name alone
	 * in states that were written before there was that.
	 */
	struct state_column {
		const char *name, *type;
	} * columns;
	size_t column_count;

	/*
	 * What files of changes are like, and from which number on they are so:
	 * only these are merged. "": there are none.
	 */
	const char *look;
	int64_t look_file;
	/* A file that is to become visible in the place of others, which are
	 * removed then; NULL: there is none. */
	struct state_merge {
		const char *key, *token;
		const char **replaced;
		size_t count;
	} merge;
};

void table_state_init(struct table_state *state);
void table_state_release(struct table_state *state); /* safe to call twice */

/* -1 without memory; `to` was initialised. */
int table_state_copy(struct table_state *to, const struct table_state *from,
		     struct error *err) __attribute__((warn_unused_result));

/* Strings are copied. False: there is no memory. */
bool table_state_set(struct table_state *state, const char **text,
		     const char *value);
bool table_state_add_load(struct table_state *state, const char *run,
			  int64_t first_seq, int64_t first_file);
bool table_state_add_obsolete(struct table_state *state, const char *run);
bool table_state_add_pending(struct table_state *state, const char *key,
			     const char *token);

bool table_state_add_column(struct table_state *state, const char *name,
			    const char *type);
/* NULL: it has no such column. */
struct state_column *table_state_column(const struct table_state *state,
					const char *name);
bool table_state_set_merge(struct table_state *state,
			   const struct state_merge *merge);

/* Only the newest so many loads are kept, the others become obsolete. */
bool table_state_keep_loads(struct table_state *state, size_t count);

/* As text, appended. */
int table_state_format(const struct table_state *state, struct strbuf *out,
		       struct error *err) __attribute__((warn_unused_result));

/*
 * From text, into an initialised one. ERROR_DATA for all that table_state_format()
 * would not write: others can write there, too, and what it names is written and
 * removed.
 */
int table_state_parse(struct table_state *state, const char *text,
		      struct error *err) __attribute__((warn_unused_result));

#endif
