#ifndef BASE_LIBCURL_H
#define BASE_LIBCURL_H

/* What all that goes over libcurl has in common: `easy` is a CURL *, a code a
 * CURLcode. */

/*
 * Checks certificates, a proxy's as well, by this CA file and nothing else:
 * the system's folder of CAs would count beside it.
 */
int libcurl_trust(void *easy, const char *ca_file);

/*
 * What went wrong: the words in CURLOPT_ERRORBUFFER, or, if it is empty, what
 * the code means. Owned by the buffer or by nobody. libcurl quotes the URL of a
 * proxy that it cannot read, which the environment gives it with the password
 * in it: those words are replaced.
 */
const char *libcurl_words(const char *buffer, int code);

#endif
