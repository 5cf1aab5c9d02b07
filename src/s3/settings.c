#include "s3/settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"

#define LETTERS	    "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	    "0123456789"
#define BUCKET_MIN  3
#define BUCKET_MAX  63
#define REGION_MAX  64
#define PREFIX_MAX  512
#define KEY_MAX	    1024
#define TOKEN_MAX   8192
#define PROFILE_MAX 256
#define HOST_MAX    255
#define PART_MB_MIN 5 /* S3 takes no smaller one but the last */
#define PART_MB_MAX 512

#define ATTEMPTS	  5
#define PART_MB		  8
#define CONNECT_TIMEOUT_S 10
#define STALL_TIMEOUT_S	  60

void s3_settings_release(struct s3_settings *s)
{
	free(s->bucket);
	free(s->region);
	free(s->prefix);
	free(s->access_key);
	secret_free(s->secret_key);
	secret_free(s->session_token);
	free(s->profile);
	free(s->ca_file);
	free(s->host);
	free(s->proxy);
	free(s->proxy_user);
	secret_free(s->proxy_password);
	free(s->kms_key_id);
	free(s->storage_class);
	free(s->bucket_owner);
	memset(s, 0, sizeof(*s));
}

bool s3_settings_amazon(const struct s3_settings *s)
{
	return !s->host || strstr(s->host, ".amazonaws.com");
}

static int refuse(struct error *err, const char *key, const char *must)
{
	return error_set(err, ERROR_CONFIG,
			 "connection string: '%s' must be %s", key, must);
}

static int take(char **out, const char *value, struct error *err)
{
	*out = strdup(value);
	return *out ? 0 : error_memory(err, "S3 settings");
}

/* Text that may stand in a header: printable ASCII, no blanks. */
static bool is_token(const char *s, size_t max)
{
	size_t len = strlen(s);

	for (; *s; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
			return false;
	return len && len <= max;
}

static bool consists_of(const char *s, const char *chars, size_t max)
{
	size_t len = strlen(s);

	return len && len <= max && strspn(s, chars) == len;
}

/*
 * The value of the first of the names that is there, if `good` says so: the
 * error calls it by the first name.
 */
static int take_if(char **out, struct connstr *cs, const char *names,
		   bool (*good)(const char *), const char *must,
		   struct error *err)
{
	const char *value = connstr_get(cs, names);
	char called[64];

	if (!value)
		return 0;
	if (good(value))
		return take(out, value, err);
	text_copy(called, sizeof(called), names);
	called[strcspn(called, "|")] = '\0';
	return refuse(err, called, must);
}

struct word {
	const char *text;
	int value;
};

/* One of some words, in capitals or not; `out` is left alone without it. */
static int take_word(int *out, struct connstr *cs, const char *names,
		     const struct word *words, const char *must,
		     struct error *err)
{
	const char *value = connstr_get(cs, names);
	char called[64];

	if (!value)
		return 0;
	for (; words->text; words++) {
		if (text_iequal(value, words->text)) {
			*out = words->value;
			return 0;
		}
	}
	text_copy(called, sizeof(called), names);
	called[strcspn(called, "|")] = '\0';
	return refuse(err, called, must);
}

/* ------------------------------------------------------------------- bucket */

static bool is_bucket(const char *s)
{
	size_t len = strlen(s);

	/* Other servers than Amazon's have capitals and underscores, too. */
	return len >= BUCKET_MIN &&
	       consists_of(s, LETTERS CAPITALS DIGITS ".-_", BUCKET_MAX) &&
	       isalnum((unsigned char)*s) &&
	       isalnum((unsigned char)s[len - 1]) && !strstr(s, "..");
}

static bool is_region(const char *s)
{
	return consists_of(s, LETTERS CAPITALS DIGITS "-_", REGION_MAX);
}

static bool is_owner(const char *s)
{
	return strlen(s) == 12 && consists_of(s, DIGITS, 12);
}

static bool is_storage_class(const char *s)
{
	return consists_of(s, LETTERS CAPITALS DIGITS "_-", REGION_MAX);
}

static int read_prefix(struct s3_settings *s, struct connstr *cs,
		       struct error *err)
{
	const char *value = connstr_get(cs, "prefix|path");
	size_t len;

	value = value ? value : "";
	while (*value == '/')
		value++;
	len = strlen(value);
	while (len && value[len - 1] == '/')
		len--;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
			return refuse(err, "prefix",
				      "without control characters");
	if (len > PREFIX_MAX || !text_is_utf8(value, len))
		return refuse(err, "prefix", "UTF-8 of at most 512 bytes");
	s->prefix = malloc(len + 2);
	if (!s->prefix)
		return error_memory(err, "S3 settings");
	memcpy(s->prefix, value, len);
	memcpy(s->prefix + len, len ? "/" : "", len ? 2 : 1);
	return 0;
}

static int read_bucket(struct s3_settings *s, struct connstr *cs,
		       struct error *err)
{
	if (take_if(&s->bucket, cs, "bucket_name|bucket", is_bucket,
		    "the bucket's name alone: 3 to 63 letters, digits, dots, "
		    "hyphens, no s3:// and no ARN",
		    err) < 0 ||
	    take_if(&s->region, cs, "region|aws_region", is_region,
		    "a region's name, as eu-central-1", err) < 0 ||
	    take_if(&s->bucket_owner, cs, "bucket_owner|expected_bucket_owner",
		    is_owner, "an account's 12 digits", err) < 0 ||
	    take_if(&s->storage_class, cs, "storage_class", is_storage_class,
		    "a storage class, as STANDARD_IA", err) < 0)
		return -1;
	if (!s->bucket)
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'bucket_name' is missing");
	for (char *c = s->storage_class; c && *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return read_prefix(s, cs, err);
}

/* -------------------------------------------------------------- credentials */

static bool is_key(const char *s)
{
	return is_token(s, KEY_MAX);
}

static bool is_session_token(const char *s)
{
	return is_token(s, TOKEN_MAX);
}

static bool is_profile(const char *s)
{
	size_t len = strlen(s);

	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == ']')
			return false;
	return len && len <= PROFILE_MAX;
}

static int check_credentials(struct s3_settings *s, struct error *err)
{
	if (!s->access_key != !s->secret_key)
		return error_set(err, ERROR_CONFIG,
				 "connection string: '%s' is given without "
				 "'%s'",
				 s->access_key ? "access_key" : "secret_key",
				 s->access_key ? "secret_key" : "access_key");
	if (s->session_token && !s->access_key)
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'session_token' is given "
				 "without 'access_key' and 'secret_key'");
	if (s->profile && s->source == S3_CREDENTIALS_ANY)
		s->source = S3_CREDENTIALS_PROFILE;
	if (s->access_key && s->source == S3_CREDENTIALS_ANY)
		s->source = S3_CREDENTIALS_ROW;
	if (!s->access_key && s->source == S3_CREDENTIALS_ROW)
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'credentials=row' needs "
				 "'access_key' and 'secret_key'");
	if (s->access_key && s->source != S3_CREDENTIALS_ROW)
		return error_set(err, ERROR_CONFIG,
				 "connection string: there is an 'access_key', "
				 "and '%s' says to look elsewhere; leave one "
				 "out",
				 s->profile ? "profile" : "credentials");
	if (s->profile && s->source != S3_CREDENTIALS_PROFILE)
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'profile' goes with "
				 "credentials=profile alone");
	return 0;
}

static int read_credentials(struct s3_settings *s, struct connstr *cs,
			    struct error *err)
{
	static const struct word sources[] = {
		{"auto", S3_CREDENTIALS_ANY},
		{"row", S3_CREDENTIALS_ROW},
		{"environment", S3_CREDENTIALS_ENVIRONMENT},
		{"web_identity", S3_CREDENTIALS_WEB_IDENTITY},
		{"profile", S3_CREDENTIALS_PROFILE},
		{"container", S3_CREDENTIALS_CONTAINER},
		{"instance", S3_CREDENTIALS_INSTANCE},
		{NULL, 0},
	};
	int source = S3_CREDENTIALS_ANY;

	if (take_if(&s->access_key, cs,
		    "access_key|access_key_id|aws_access_key_id|user id|uid|"
		    "user",
		    is_key, "1 to 1024 characters of ASCII, without blanks",
		    err) < 0 ||
	    take_if(&s->secret_key, cs,
		    "secret_key|secret_access_key|aws_secret_access_key|"
		    "password|pwd",
		    is_key, "1 to 1024 characters of ASCII, without blanks",
		    err) < 0 ||
	    take_if(&s->session_token, cs, "session_token|aws_session_token",
		    is_session_token, "ASCII without blanks", err) < 0 ||
	    take_if(&s->profile, cs, "profile|aws_profile", is_profile,
		    "the name of a section in ~/.aws/credentials or "
		    "~/.aws/config",
		    err) < 0 ||
	    take_word(&source, cs, "credentials", sources,
		      "auto, row, environment, web_identity, profile, "
		      "container or instance",
		      err) < 0)
		return -1;
	s->source = (enum s3_credential_source)source;
	return check_credentials(s, err);
}

/* ----------------------------------------------------------------- endpoint */

/* "host", "host:port", "[::1]:port"; what libcurl can put into a URL. */
static bool is_host(const char *s)
{
	size_t name = strspn(s, LETTERS CAPITALS DIGITS ".-_");
	const char *port;
	long number;

	if (*s == '[') {
		name = strspn(s + 1, "0123456789abcdefABCDEF:.") + 1;
		if (name < 3 || s[name] != ']')
			return false;
		name++;
	}
	port = s + name;
	if (!name || strlen(s) > HOST_MAX || (*port && *port != ':'))
		return false;
	return !*port || (consists_of(port + 1, DIGITS, 5) &&
			  text_to_long(port + 1, &number) && number >= 1 &&
			  number <= 65535);
}

/* -1: nobody said; else whether TLS is wanted. */
static int read_encrypt(int *out, struct connstr *cs, struct error *err)
{
	static const struct word words[] = {
		{"true", 1},	{"yes", 1},   {"mandatory", 1}, {"strict", 1},
		{"1", 1},	{"false", 0}, {"no", 0},	{"optional", 0},
		{"disable", 0}, {"0", 0},     {NULL, 0},
	};

	*out = -1;
	return take_word(out, cs, "encrypt|encryption|use_ssl|ssl", words,
			 "true or false", err);
}

static int read_endpoint(struct s3_settings *s, struct connstr *cs,
			 struct error *err)
{
	const char *url = connstr_get(
		cs, "endpoint|endpoint_url|server|host|data source|address");
	int encrypt, scheme = -1;
	size_t len;

	if (read_encrypt(&encrypt, cs, err) < 0)
		return -1;
	s->tls = encrypt != 0;
	if (!url && encrypt == 0)
		return error_set(err, ERROR_CONFIG,
				 "connection string: Amazon is spoken to by "
				 "TLS alone; leave 'encrypt' out, or name an "
				 "'endpoint'");
	if (!url)
		return 0;
	if (text_istarts(url, "https://"))
		scheme = 1;
	else if (text_istarts(url, "http://"))
		scheme = 0;
	if (scheme >= 0 && encrypt >= 0 && scheme != encrypt)
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'endpoint' begins with %s "
				 "and 'encrypt' says the opposite; leave one "
				 "out",
				 scheme ? "https://" : "http://");
	if (scheme >= 0) {
		s->tls = scheme;
		url = strstr(url, "://") + 3;
	}
	if (take(&s->host, url, err) < 0)
		return -1;
	len = strlen(s->host);
	if (len && s->host[len - 1] == '/')
		s->host[len - 1] = '\0';
	if (!is_host(s->host))
		return refuse(err, "endpoint",
			      "of the form https://host:port, with neither a "
			      "path nor a user; http:// is without TLS");
	return 0;
}

/* The names of a bucket's own host are Amazon's habit; others share one. */
static int read_style(struct s3_settings *s, struct connstr *cs,
		      struct error *err)
{
	static const struct word words[] = {
		{"yes", 1},  {"true", 1},  {"1", 1}, {"path", 1},
		{"no", 0},   {"false", 0}, {"0", 0}, {"virtual", 0},
		{"auto", 2}, {NULL, 0},
	};
	int style = 2;

	if (take_word(&style, cs,
		      "path_style|force_path_style|addressing_style", words,
		      "yes or no", err) < 0)
		return -1;
	if (style == 2)
		style = !s3_settings_amazon(s) || strchr(s->bucket, '.');
	s->path_style = style;
	/* Elsewhere it would become a part of the host's name. */
	if (!style && !consists_of(s->bucket, LETTERS DIGITS ".-", BUCKET_MAX))
		return refuse(err, "bucket_name",
			      "of lower-case letters, digits, dots and "
			      "hyphens, unless path_style=yes");
	if (!style && s->host && *s->host == '[')
		return refuse(err, "path_style",
			      "yes when the endpoint is an address");
	return 0;
}

static bool is_proxy(const char *s)
{
	static const char *const schemes[] = {"http://", "https://",
					      "socks5://", "socks5h://"};

	if (!*s || text_iequal(s, "none"))
		return true;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		if (text_istarts(s, schemes[i])) {
			s += strlen(schemes[i]);
			break;
		}
	}
	return is_host(s);
}

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static int read_proxy(struct s3_settings *s, struct connstr *cs,
		      struct error *err)
{
	if (take_if(&s->proxy, cs, "proxy", is_proxy,
		    "of the form http://host:port, https://host:port or "
		    "socks5h://host:port, or none; user and password go into "
		    "'proxy_user' and 'proxy_password'",
		    err) < 0 ||
	    take_if(&s->proxy_user, cs, "proxy_user", is_printable,
		    "without control characters", err) < 0 ||
	    take_if(&s->proxy_password, cs, "proxy_password", is_printable,
		    "without control characters", err) < 0)
		return -1;
	if (s->proxy && text_iequal(s->proxy, "none"))
		*s->proxy = '\0';
	if (s->proxy_user && (!s->proxy || !*s->proxy))
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'proxy_user' is given "
				 "without 'proxy'");
	if (!s->proxy_user != !s->proxy_password)
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'proxy_user' and "
				 "'proxy_password' go together");
	return 0;
}

static bool is_file(const char *s)
{
	return *s != '\0';
}

static int read_network(struct s3_settings *s, struct connstr *cs,
			struct error *err)
{
	s->attempts = ATTEMPTS;
	s->connect_timeout_s = CONNECT_TIMEOUT_S;
	s->stall_timeout_s = STALL_TIMEOUT_S;
	if (read_endpoint(s, cs, err) < 0 || read_style(s, cs, err) < 0 ||
	    read_proxy(s, cs, err) < 0 ||
	    connstr_get_bool(cs, "trust_server_certificate", &s->trust_any,
			     err) < 0 ||
	    take_if(&s->ca_file, cs, "ca_file|ca_bundle|certificate", is_file,
		    "the path of a file", err) < 0 ||
	    connstr_get_int(cs, "attempts|max_attempts", 1, 20, &s->attempts,
			    err) < 0 ||
	    connstr_get_int(cs,
			    "connect_timeout|connection timeout|login timeout|"
			    "dial timeout",
			    1, 3600, &s->connect_timeout_s, err) < 0)
		return -1;
	return connstr_get_int(cs,
			       "stall_timeout|query timeout|"
			       "command timeout|timeout",
			       1, 86400, &s->stall_timeout_s, err);
}

/* ------------------------------------------------------------------ objects */

static bool is_kms_key(const char *s)
{
	return is_token(s, 2048);
}

static int read_encryption(struct s3_settings *s, struct connstr *cs,
			   struct error *err)
{
	static const struct word words[] = {
		{"none", S3_ENCRYPT_DEFAULT},
		{"AES256", S3_ENCRYPT_AES256},
		{"aws:kms", S3_ENCRYPT_KMS},
		{"aws:kms:dsse", S3_ENCRYPT_KMS_DSSE},
		{NULL, 0},
	};
	int encryption = -1;

	if (take_word(&encryption, cs, "sse|server_side_encryption", words,
		      "none, AES256, aws:kms or aws:kms:dsse", err) < 0 ||
	    take_if(&s->kms_key_id, cs, "kms_key_id|sse_kms_key_id|kms_key",
		    is_kms_key, "a key's id, alias or ARN", err) < 0)
		return -1;
	if (encryption < 0)
		encryption =
			s->kms_key_id ? S3_ENCRYPT_KMS : S3_ENCRYPT_DEFAULT;
	s->encryption = (enum s3_encryption)encryption;
	if (s->kms_key_id && s->encryption != S3_ENCRYPT_KMS &&
	    s->encryption != S3_ENCRYPT_KMS_DSSE)
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'kms_key_id' goes with "
				 "sse=aws:kms or aws:kms:dsse alone");
	return 0;
}

static int read_objects(struct s3_settings *s, struct connstr *cs,
			struct error *err)
{
	static const struct word words[] = {
		{"crc32c", S3_CHECKSUM_CRC32C},
		{"sha256", S3_CHECKSUM_SHA256},
		{"none", S3_CHECKSUM_NONE},
		{NULL, 0},
	};
	int checksum = S3_CHECKSUM_CRC32C;

	s->part_mb = PART_MB;
	if (read_encryption(s, cs, err) < 0 ||
	    take_word(&checksum, cs, "checksum|checksum_algorithm", words,
		      "crc32c, sha256 or none", err) < 0 ||
	    connstr_get_int(cs, "part_size_mb|part_size", PART_MB_MIN,
			    PART_MB_MAX, &s->part_mb, err) < 0)
		return -1;
	s->checksum = (enum s3_checksum)checksum;
	return 0;
}

int s3_settings_read(struct s3_settings *out, struct connstr *cs,
		     struct error *err)
{
	memset(out, 0, sizeof(*out));
	if (read_bucket(out, cs, err) == 0 &&
	    read_credentials(out, cs, err) == 0 &&
	    read_network(out, cs, err) == 0 && read_objects(out, cs, err) == 0)
		return 0;
	s3_settings_release(out);
	return -1;
}
