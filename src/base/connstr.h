#ifndef BASE_CONNSTR_H
#define BASE_CONNSTR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

#define CONNSTR_KEYS_MAX   48
#define CONNSTR_CALLED_MAX 128

/*
 * A connection string, `key=value;key=value`. Keys ignore case, and blanks,
 * underscores and hyphens inside them. A value that holds a semicolon, an
 * outer blank or starts with a quote stands in '…', "…" or {…}, where the
 * closing character is doubled to be part of the value. `${env:NAME}` and
 * `${file:PATH}` in a value, quoted or not, are replaced by an environment
 * variable and by a file's first line. A value that begins with `enc:` is an
 * encrypted one, see base/secret.h, and nothing else stands in it. What came
 * in by either way is not looked into again.
 *
 * Owns copies of everything; may hold secrets, so release wipes them.
 */
struct connstr {
	int count;
	struct connstr_entry {
		char *key;   /* lower case, without blanks, _ and - */
		char *value; /* expanded */
		int at;	     /* its place in the text, from 1 */
		bool used;   /* somebody asked for it */
		/* For checks: a file that it came from and every user of this
		 * machine may read, or NULL; was it encrypted with a key that
		 * is not the first one any more? */
		char *exposed;
		bool old_key;
	} entries[CONNSTR_KEYS_MAX];
};

/*
 * Take a string apart. On -1 `err` is ERROR_CONFIG, says which key or which
 * position is wrong, and never repeats a value; nothing needs a release then.
 * What looks like a key after a password may be a piece of it, and is called
 * by its position unless it is a word that any connection string may have.
 */
int connstr_parse(struct connstr *cs, const char *text, struct error *err)
	__attribute__((warn_unused_result));
void connstr_release(struct connstr *cs); /* safe to call twice */

/*
 * The value of the first of the `|`-separated names that is present, as in
 * "server|data source|address"; NULL when none is. Borrowed from `cs`. Marks
 * the entry as used.
 */
const char *connstr_get(struct connstr *cs, const char *names);

/*
 * Read a yes/no value (yes, no, true, false, 1, 0) into `out`, which is left
 * alone when the key is absent. -1 for any other text.
 */
int connstr_get_bool(struct connstr *cs, const char *names, bool *out,
		     struct error *err) __attribute__((warn_unused_result));

/* Likewise for a whole number from `min` to `max`. */
int connstr_get_int(struct connstr *cs, const char *names, int min, int max,
		    int *out, struct error *err)
	__attribute__((warn_unused_result));

/* What a message calls the i-th entry: no piece of a password, see above. */
void connstr_call(const struct connstr *cs, int i, char *out, size_t size);

/* -1 and ERROR_CONFIG that names the first key nobody asked for. */
int connstr_check_unused(const struct connstr *cs, struct error *err)
	__attribute__((warn_unused_result));

/* Is it a URL, and no list of keys? */
bool connstr_is_url(const char *text);

/*
 * Append a URL in which `${env:…}`, `${file:…}` and encrypted values are
 * replaced by what they stand for, written so that nothing in that means
 * anything in a URL. `found` (zeroed) says where it came from, as an entry
 * would; its `exposed` is the caller's to free. `out` holds secrets. -1 is
 * ERROR_CONFIG.
 */
int connstr_expand_url(const char *url, struct connstr_entry *found,
		       struct strbuf *out, struct error *err)
	__attribute__((warn_unused_result));

#endif
