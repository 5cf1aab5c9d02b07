#ifndef TDSD_FRAME_H
#define TDSD_FRAME_H

#include <stdbool.h>

#include "diag.h"
#include "mem.h"
#include "sql/ast.h"
#include "value/type.h"
#include "value/val.h"

struct session;
struct table;

/*
 * A running batch, procedure, function or trigger: its variables and what
 * TRY/CATCH and RETURN need to know.
 */
struct variable {
	const char *name; /* with its @ */
	struct type type;
	struct cell cell;
	bool is_table, output, readonly;
	bool borrowed;	     /* the table belongs to the caller */
	struct table *table; /* of a table variable; we hold a reference */
};

/* An error that a CATCH block is handling. */
struct caught {
	struct diag d;
	struct caught *outer;
};

struct frame {
	struct frame *outer;
	struct session *session;
	struct arena pool; /* names and such, as long as the frame */
	const struct batch_ast *ast;
	struct variable *vars;
	int var_count, var_room;
	uint64_t signature; /* of the variables: plans depend on them */
	const char *proc;   /* name for messages and ERROR_PROCEDURE() */
	int proc_id;	    /* @@PROCID */
	struct attached *proc_home;
	char kind;	       /* 'B'atch, 'E'xec string, 'P'roc, 'F'unction,
				 * 'T'rigger */
	int try_depth;	       /* TRY blocks of this frame around us */
	struct caught *caught; /* innermost CATCH */
	int return_value;
	bool returned;
	struct val scope_identity; /* SCOPE_IDENTITY() */
	struct cell result;	   /* a function's value */
	struct type result_type;
	/* triggers: the tables behind the names, and COLUMNS_UPDATED() */
	struct table *inserted, *deleted;
	struct table *trigger_table;
	const unsigned char *columns_updated;
	int first_temp; /* temp tables from this id on are ours */
	const char *goto_label;
	bool discard_results;  /* inside a function: no output */
	struct row_sink *sink; /* INSERT … EXEC takes the rows; or NULL */
	int level;
};

/* The slot of a variable, -1 when it is not declared. */
int frame_find(const struct frame *f, const char *name);

/* All variables are declared: plans may be made. */
void frame_seal(struct frame *f);

/* Declare; returns the slot. */
int frame_add(struct frame *f, const char *name, struct type type);

void frame_init(struct frame *f, struct session *s, char kind);
/* Frees variables, drops table variables. */
void frame_release(struct frame *f);

#endif
