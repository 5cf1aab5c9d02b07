#ifndef DRIVERS_MEMORY_STORE_H
#define DRIVERS_MEMORY_STORE_H

#include <pthread.h>

#include "base/hash.h"
#include "base/strbuf.h"
#include "drivers/memory/memory.h"

/* A value on its own; slices own their bytes. */
struct memory_value {
	bool null;
	bool kept; /* a change leaves it as the row has it */
	union {
		int64_t i64;
		double f64;
		union row_wide wide;
		struct row_slice slice;
	};
};

struct memory_row {
	UT_hash_handle hh; /* by key */
	unsigned char *key;
	size_t key_len;
	struct memory_value values[];
};

struct memory_change {
	struct memory_change *next;
	uint64_t commit; /* number of the transaction */
	int64_t commit_us;
	enum row_op op;
	struct memory_row *row; /* a copy of its own */
};

struct memory_table {
	struct memory_table *next;
	struct table def;
	struct memory_row *rows; /* hash */
	uint64_t next_row_id;	 /* keys of tables without one */
	struct memory_change *first, *last;
};

struct pending {
	struct pending *next;
	enum row_op op;
	struct memory_row *row;
	struct memory_row *displaced; /* while it goes into a table */
};

/* Rows that were taken out of a table, or wait to go into one. */
struct pending_list {
	struct pending *first, **end;
};

struct memory_checkpoint {
	struct memory_checkpoint *next;
	char *id;
	char *origin;
	bool loaded; /* from there */
	int64_t epoch;
	struct checkpoint value;
};

/* A row that was put aside. */
struct memory_exception {
	struct memory_exception *next;
	char *id; /* of its checkpoint */
	char *key, *position;
	bool over;		     /* by the commit at hand */
	struct target_exception row; /* its strings are these */
};

/* A load in parts that is not committed yet. */
struct memory_load {
	struct memory_load *next;
	char *id;	 /* of its checkpoint */
	char *signature; /* of origin and shape */
	struct load_plan plan;
	struct pending_list *parts; /* the rows of those that are done */
	struct memory_table *table;
};

struct memory_store {
	struct memory_store *next;
	char *name;
	pthread_mutex_t lock; /* guards everything below */
	struct memory_table *tables;
	struct memory_checkpoint *checkpoints;
	struct memory_load *loads;
	struct memory_exception *exceptions;
	uint64_t exception_number;
	uint64_t stored;      /* what source.stored() was told last */
	uint64_t stamped;     /* and target.stamp() */
	size_t mapping_count; /* and what mappings() was; see told */
	unsigned told;	      /* how often */
	char *refused_column; /* NULL: none */
	int64_t refused_value;
	uint64_t commits;
	uint64_t purged; /* changes up to this transaction are gone */
	unsigned long calls;
	unsigned long fail_at;
	enum error_kind fail_kind;
	void (*watch)(const char *slot); /* NULL: nobody */
};

/* The store of that name, made if it is not there; NULL without memory. */
struct memory_store *store_find(const char *name);

/* Count a call of the slot; -1 when it is the one that shall fail. */
int store_call(struct memory_store *store, const char *slot, struct error *err);

/* Inside the lock: */
struct memory_table *store_table(struct memory_store *store,
				 const struct table_name *name);
struct memory_table *store_add_table(struct memory_store *store,
				     const struct table_name *name,
				     const struct table *shape,
				     struct error *err);

/*
 * The row at `at` of the batch, in the order of `def`'s columns, found by
 * name; columns the batch lacks are NULL. NULL without memory.
 */
struct memory_row *row_from_batch(const struct memory_table *table,
				  const struct batch *batch, size_t at);
struct memory_row *row_copy(const struct memory_table *table,
			    const struct memory_row *from);
void row_free(const struct memory_table *table, struct memory_row *row);

/* Give it the key of its values, or, without one, a number. False: no memory */
bool row_make_key(const struct memory_table *table, struct memory_row *row);

/* What a change leaves as it was is what the row has. -1 without memory. */
int row_fill(const struct memory_table *table, struct memory_row *row,
	     const struct memory_row *old);

/*
 * Put a row into the batch, in the order of the batch's columns. 1: done; 0:
 * no room.
 */
int row_to_batch(const struct memory_table *table, const struct memory_row *row,
		 bool key_only, struct batch *batch);

/* Put a copy of a changed row into the log, under the newest commit. */
int store_log_change(struct memory_store *store, struct memory_table *table,
		     enum row_op op, const struct memory_row *row);

/* Upsert or delete; takes the row over. -1 without memory. */
int table_apply(struct memory_table *table, enum row_op op,
		struct memory_row *row, struct target_counts *counts);
/*
 * Likewise a list, all of it or, without memory, nothing; the list is empty
 * then, or as it was. With `replace` the table holds nothing else afterwards.
 */
int table_apply_all(struct memory_table *table, struct pending_list *list,
		    bool replace, struct target_counts *counts);
void table_clear(struct memory_table *table);

/* Characters of text, bytes of bytes; of NULL and of other types 0. */
size_t value_length(const struct column *column,
		    const struct memory_value *value);

/* Does it leave values as they are? */
bool row_is_partial(const struct memory_table *table,
		    const struct memory_row *row);

/* Does the store refuse such a row, or does it not fit? Inside the lock. */
bool store_refuses(const struct memory_store *store,
		   const struct memory_table *table,
		   const struct memory_row *row);

/* The row's key as text for people, appended. */
int row_key_text(struct strbuf *out, const struct memory_table *table,
		 const struct memory_row *row, struct error *err);

/* Unlink and free a load. */
void load_drop(struct memory_store *store, struct memory_load *load);

#endif
