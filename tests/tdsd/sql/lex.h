#ifndef TDSD_LEX_H
#define TDSD_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "diag.h"
#include "mem.h"

/* The reserved words: K_SELECT and so on. */
enum keyword {
	K_NONE,
#define KEYWORD(word) K_##word,
#include "sql/keywords.h"
#undef KEYWORD
};

enum token_kind {
	T_END,
	T_WORD,	   /* an identifier or keyword without quotes */
	T_QUOTED,  /* [name] or "name" */
	T_VAR,	   /* @name, @@name */
	T_STRING,  /* 'text' */
	T_NSTRING, /* N'text' */
	T_INT,
	T_DECIMAL,
	T_FLOAT,
	T_MONEY,
	T_HEX,
	T_OP,	  /* punctuation: one or two characters */
	T_PSEUDO, /* $action, $identity, $rowguid, $partition */
};

struct token {
	enum token_kind kind;
	enum keyword word; /* of a T_WORD that is reserved */
	int line;	   /* from 1 */
	size_t start, end; /* bytes in the batch */
	/*
	 * Decoded: names without brackets, strings without quotes and with
	 * doubled quotes single, hex as raw bytes. NUL-terminated, `len` may
	 * count NULs inside.
	 */
	const char *text;
	size_t len;
};

struct tokens {
	struct token *at; /* ends with a T_END */
	int count;
};

/*
 * Cut a batch into tokens. Memory comes from `pool`. `quoted_names` is SET
 * QUOTED_IDENTIFIER: whether "x" is a name or a string.
 */
int lex_batch(struct arena *pool, const char *sql, size_t len,
	      bool quoted_names, struct tokens *out, struct diag *d);

/* The spelling of a keyword, and the keyword of a spelling (K_NONE). */
const char *keyword_name(enum keyword word);
enum keyword keyword_find(const char *s, size_t len);

#endif
