#ifndef TDSD_COLLATION_H
#define TDSD_COLLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Collations, known by name, used by number. A number is good for the life of
 * the process only; what is stored is the name. Any thread may call.
 */
struct collation {
	char name[64]; /* as the server spells it */
	int page;      /* code page of char and varchar */
	uint32_t lcid;
	uint8_t sort_id; /* SQL_* collations only */
	uint8_t version; /* 0: 80, 1: 90, 2: 100, 3: 140 */
	bool ignore_case, ignore_accent, ignore_kana, ignore_width;
	bool binary;  /* _BIN or _BIN2 */
	bool binary2; /* _BIN2 */
	bool utf8;
	bool supplementary;   /* _SC: a pair counts as one character */
	bool sql;	      /* SQL_*: older rules for varchar */
	unsigned char tds[5]; /* as it travels in TDS */
};

#define COLLATION_DEFAULT 1 /* SQL_Latin1_General_CP1_CI_AS, the server's */
#define COLLATION_MAX	  512

/* The number of a collation, or 0 when there is none of that name. */
int collation_find(const char *name);

/* Never NULL; number 0 reads as the server's default. */
const struct collation *collation_get(int number);

/* The number of the collation that travels as these five bytes, or default. */
int collation_from_tds(const unsigned char tds[5]);

/*
 * Compare as the server does: trailing blanks do not count. <0, 0, >0.
 */
int collation_compare(const struct collation *coll, const char *a, size_t alen,
		      const char *b, size_t blen);

/* Are two characters the same to this collation? */
bool collation_same_char(const struct collation *coll, uint32_t a, uint32_t b);

/* Order of two characters, for ranges in LIKE. */
int collation_order_char(const struct collation *coll, uint32_t a, uint32_t b);

/*
 * The name at `index` of the list that sys.fn_helpcollations() shows, or NULL
 * behind its end; `buf` holds the name.
 */
const char *collation_list(int index, char *buf, size_t size);

#endif
