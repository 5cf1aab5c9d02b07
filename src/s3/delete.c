#include "s3/client.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/text.h"
#include "s3/checksum.h"
#include "s3/request.h"
#include "s3/server.h"
#include "s3/xml.h"

#define KEYS_MAX   1000 /* in a request, says S3 */
#define MD5_BYTES  16
#define MD5_BASE64 25

static int delete_one(struct s3_client *client, const char *key,
		      struct error *err)
{
	struct s3_request request = {
		.method = "DELETE",
		.key = key,
		.verb = "delete",
		.object_action = "s3:DeleteObject",
	};
	struct s3_answer answer;
	int ret;

	s3_answer_init(&answer);
	ret = s3_perform(client, &request, &answer, err);
	if (ret < 0 && answer.status == 404 &&
	    strcmp(answer.fault.code, "NoSuchBucket") != 0) {
		error_clear(err);
		ret = 0;
	}
	s3_answer_release(&answer);
	return ret;
}

/* ------------------------------------------------------------- many at once */

/* XML has no way to write these. */
static bool has_control(const char *key)
{
	for (; *key; key++)
		if ((unsigned char)*key < 0x20)
			return true;
	return false;
}

/* The first refusal of those that an answer lists. */
struct refusal {
	char key[S3_KEY_MAX + 1];
	struct s3_fault fault, current;
	size_t count;
	char permission[S3_PERMISSION_MAX];
};

static int take_element(const char *path, const char *text, void *arg,
			struct error *err)
{
	static const char above[] = "/DeleteResult/Error";
	struct refusal *refusal = arg;
	struct s3_fault *current = &refusal->current;

	(void)err;
	if (strncmp(path, above, sizeof(above) - 1) != 0)
		return 0;
	path += sizeof(above) - 1;
	if (!*path) {
		/* One that is not there is gone, as it should be. */
		if (strcmp(current->code, "NoSuchKey") != 0 &&
		    !refusal->count++)
			refusal->fault = *current;
		memset(current, 0, sizeof(*current));
	} else if (text && !strcmp(path, "/Key") && !refusal->count) {
		text_copy(refusal->key, sizeof(refusal->key), text);
	} else if (text && !strcmp(path, "/Code")) {
		text_copy(current->code, sizeof(current->code), text);
	} else if (text && !strcmp(path, "/Message")) {
		text_copy(current->message, sizeof(current->message), text);
	}
	return 0;
}

static int check_result(const struct s3_answer *answer, void *arg,
			struct error *err)
{
	struct refusal *refusal = arg;

	memset(&refusal->current, 0, sizeof(refusal->current));
	refusal->count = 0;
	if (s3_xml_read(answer->body.data, answer->body.len, take_element,
			refusal, err) < 0)
		return -1;
	if (!refusal->count)
		return 0;
	refusal->fault.status = 200;
	s3_fault_judge(&refusal->fault, refusal->permission, err);
	return error_wrap(err, "%zu of them remain, the first is '%.200s'",
			  refusal->count, refusal->key);
}

/* Servers of old want an MD5 of the list, and others a newer checksum. */
static int add_digests(struct s3_request *request, enum s3_checksum kind,
		       const struct strbuf *body, char md5[MD5_BASE64],
		       char checksum[S3_CHECKSUM_MAX], struct error *err)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	/* Where it is forbidden, as by FIPS, the other one has to do. */
	if (EVP_Digest(body->data, body->len, hash, &len, EVP_md5(), NULL) ==
		    1 &&
	    len == MD5_BYTES) {
		s3_base64(hash, len, md5);
		s3_request_header(request, "content-md5", md5);
	}
	if (s3_checksum(kind, body->data, body->len, checksum, err) < 0)
		return -1;
	if (*checksum)
		s3_request_header(request, s3_checksum_header(kind), checksum);
	return 0;
}

static int delete_listed(struct s3_client *client, const struct strbuf *body,
			 struct error *err)
{
	char checksum[S3_CHECKSUM_MAX], md5[MD5_BASE64];
	struct refusal refusal;
	struct s3_request request = {
		.method = "POST",
		.body = body->data,
		.body_len = body->len,
		.verb = "delete objects of",
		.object_action = "s3:DeleteObject",
		.answer_max = (size_t)8 << 20,
		.accept = check_result,
		.accept_arg = &refusal,
	};
	struct s3_answer answer;
	int ret;

	s3_permission(client, &request, refusal.permission);
	s3_request_query(&request, "delete", "");
	s3_request_header(&request, "content-type", "application/xml");
	if (add_digests(&request, client->s3->settings.checksum, body, md5,
			checksum, err) < 0)
		return -1;
	s3_answer_init(&answer);
	ret = s3_perform(client, &request, &answer, err);
	s3_answer_release(&answer);
	return ret;
}

/* Up to a thousand keys; those that no list can hold go by themselves. */
static int delete_some(struct s3_client *client, const char *const *keys,
		       size_t count, struct error *err)
{
	struct strbuf body;
	size_t listed = 0;
	int ret = 0;

	strbuf_init(&body);
	strbuf_addstr(&body,
		      "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/"
		      "\"><Quiet>true</Quiet>");
	for (size_t i = 0; i < count && ret == 0; i++) {
		if (has_control(keys[i])) {
			ret = delete_one(client, keys[i], err);
			continue;
		}
		strbuf_addstr(&body, "<Object><Key>");
		s3_add_escaped(&body, keys[i]);
		strbuf_addstr(&body, "</Key></Object>");
		listed++;
	}
	strbuf_addstr(&body, "</Delete>");
	if (ret == 0)
		ret = strbuf_check(&body, err);
	if (ret == 0 && listed)
		ret = delete_listed(client, &body, err);
	strbuf_release(&body);
	return ret;
}

int s3_delete(struct s3_client *client, const char *const *keys, size_t count,
	      struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (s3_check_key(client, keys[i], err) < 0)
			return -1;
	if (count == 1)
		return delete_one(client, keys[0], err);
	for (size_t i = 0; i < count; i += KEYS_MAX)
		if (delete_some(client, keys + i,
				count - i < KEYS_MAX ? count - i : KEYS_MAX,
				err) < 0)
			return -1;
	return 0;
}
