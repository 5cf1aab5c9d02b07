#include "base/libcurl.h"

#include <curl/curl.h>

#include "base/text.h"

int libcurl_trust(void *easy, const char *ca_file)
{
	CURLcode code;

	/* A TLS library that has no such folder does not know these two. */
	(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
	code = curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
	if (!code)
		code = curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, ca_file);
	return (int)code;
}

const char *libcurl_words(const char *buffer, int code)
{
	if (text_istarts(buffer, "Unsupported proxy"))
		return "the proxy that https_proxy, http_proxy or all_proxy "
		       "names is not well formed: [scheme://][user:password@]"
		       "host:port, with anything but letters and digits in "
		       "user and password written as %XX";
	return *buffer ? buffer : curl_easy_strerror((CURLcode)code);
}
