#ifndef DRIVERS_FILES_PROVE_H
#define DRIVERS_FILES_PROVE_H

#include "drivers/files/readback.h"
#include "drivers/files/target.h"

/* The inside of prove.c and prove_changes.c. */

struct change_file {
	char *key;
	uint64_t first, last; /* the numbers of files that it has */
	uint64_t size;
};

struct files_proof {
	char run[LAYOUT_RUN_MAX];
	struct manifest manifest;
	struct canonical canonical;
	bool *taken;	 /* of the sample: this file was */
	uint64_t sample; /* rows that are still to be chosen */
	uint64_t random;
	size_t file; /* of the load: the next one */

	bool in_changes;
	struct change_view view;
	bool listed;
	struct change_file *changes;
	size_t change_count;
	size_t next_change;    /* of them; those before are done with */
	char *previous;	       /* the file before, if it was read; or NULL */
	uint64_t number, end;  /* of files: the next one, and behind the last */
	int64_t seq, last_seq; /* of changes: the next one, and the last; 0:
				* not known, since some are missing */

	enum reading {
		READING_NOTHING,
		READING_BYTES,
		READING_ROWS,
	} reading;
	struct readback back;
	struct change_file change; /* that is being read, or was last */
	struct table own; /* our own columns alone; borrows the view's */
};

/* ------------------------------------------------------------------- prove.c */

/* The memory that a reader may take. */
size_t prove_room(const struct proof *proof);

int prove_tell(struct proof *proof, const char *key, const char *what,
	       const char *text, struct error *err)
	__attribute__((warn_unused_result));

/* What is wrong with a file is no trouble of ours; all else is. 0: it was told. */
int prove_tell_unreadable(struct proof *proof, const char *key,
			  struct error *err)
	__attribute__((warn_unused_result));

/* All before was looked at: from here it may go on. */
int prove_set_place(struct proof *proof, const struct files_proof *state,
		    struct error *err) __attribute__((warn_unused_result));

/* ----------------------------------------------------------- prove_changes.c */

/* The load is done with. Those that are there are listed, and up to where they
 * are looked at is decided. */
int prove_changes_begin(struct files_target *target, struct proof *proof,
			struct error *err) __attribute__((warn_unused_result));

/* Some of it. 1: there is more; 0: that was all. */
int prove_changes_step(struct files_target *target, struct proof *proof,
		       struct error *err) __attribute__((warn_unused_result));

void prove_changes_forget(struct files_proof *state);

#endif
