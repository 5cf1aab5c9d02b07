#ifndef TDSD_OUTPUT_H
#define TDSD_OUTPUT_H

#include "exec/session.h"
#include "plan/translate.h"

/*
 * What a session says to its client, in TDS tokens. Sessions of the server's
 * own say nothing. A DONE waits until it is known whether more follows.
 */
struct row_sink; /* INSERT … EXEC: rows go there instead */

void output_columns(struct session *s, const struct out_column *cols, int n);
/* One row; values by column of a running statement. */
void output_row(struct session *s, const struct out_column *cols, int n,
		sqlite3_stmt *st);
void output_row_values(struct session *s, const struct out_column *cols, int n,
		       const struct val *values);

enum done_kind { DONE_STATEMENT, DONE_IN_PROC, DONE_PROC };

/* TDS numbers of statements in DONE. */
enum done_command {
	CMD_NONE = 0,
	CMD_SELECT = 0xC1,
	CMD_INSERT = 0xC3,
	CMD_DELETE = 0xC4,
	CMD_UPDATE = 0xC5,
	CMD_TRUNCATE = 0xC6,
	CMD_CREATE_TABLE = 0xC6 + 0,
	CMD_BULK = 0xF0,
	CMD_EXEC = 0xE0,
	CMD_SET = 0xBE,
	CMD_OTHER = 0xFD,
};

/* The end of a statement; `rows` -1 for no count. */
void output_done(struct session *s, enum done_command cmd, int64_t rows,
		 bool error);
/* The end of a procedure called by RPC or EXEC. */
void output_done_proc(struct session *s, bool error);
/* The end of the whole reply. */
void output_end(struct session *s);
/* The same for an attention. */
void output_attention(struct session *s);

void output_message(struct session *s, const struct diag *d);
void output_database(struct session *s, const char *old, const char *name);
void output_language(struct session *s, const char *name);
void output_collation(struct session *s);
void output_packet_size(struct session *s, size_t old, size_t size);
void output_transaction(struct session *s, char verb);
void output_reset_ack(struct session *s);
void output_login_ack(struct session *s);
void output_return_status(struct session *s, int status);
void output_return_value(struct session *s, int ordinal, const char *name,
			 struct type t, const struct val *v);

/* Send what there is: RAISERROR WITH NOWAIT, long waits. */
void output_flush(struct session *s);

/* Is a client there, and does it want this session's results? */
bool output_wanted(const struct session *s);

#endif
