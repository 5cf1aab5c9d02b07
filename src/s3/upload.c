/*
 * A multipart upload: begin, parts, complete. It begins with the second part,
 * so that small objects cost one request. A part goes out when a byte comes that
 * does not belong to it any more: so the last one is never empty, and an object
 * of exactly one part is put whole.
 */
#include "s3/upload_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/text.h"
#include "s3/checksum.h"
#include "s3/request.h"
#include "s3/server.h"
#include "s3/xml.h"

#define MEGABYTE      ((size_t)1 << 20)
#define PARTS_MAX     10000
#define PARTS_A_SIZE  1000
#define PART_MAX      (512 * MEGABYTE)
#define CHECKSUM_RAW  32
#define UPLOAD_ID_MAX 4096

void s3_upload_free(struct s3_upload *upload)
{
	free(upload->key);
	free(upload->content_type);
	free(upload->if_match);
	free(upload->id);
	free(upload->buffer);
	free(upload->parts);
	free(upload);
}

static char *copy(const char *text, bool *failed)
{
	char *s = text ? strdup(text) : NULL;

	*failed |= text && !s;
	return s;
}

int s3_upload_begin(struct s3_upload **out, struct s3_client *client,
		    const char *key, const struct s3_put *how,
		    struct error *err)
{
	struct s3_upload *upload;
	bool failed = false;

	if (key && s3_check_key(client, key, err) < 0)
		return -1;
	upload = calloc(1, sizeof(*upload));
	if (!upload)
		return error_memory(err, "an upload");
	upload->client = client;
	upload->kind = client->s3->settings.checksum;
	upload->key = copy(key, &failed);
	if (how) {
		upload->content_type = copy(how->content_type, &failed);
		upload->if_match = copy(how->if_match, &failed);
		upload->how.only_new = how->only_new;
	}
	upload->how.content_type = upload->content_type;
	upload->how.if_match = upload->if_match;
	uuid_make(upload->mark);
	if (failed) {
		s3_upload_free(upload);
		return error_memory(err, "an upload");
	}
	*out = upload;
	return 0;
}

int s3_upload_set_key(struct s3_upload *upload, const char *key,
		      struct error *err)
{
	if (s3_check_key(upload->client, key, err) < 0)
		return -1;
	if (upload->key)
		return error_set(err, ERROR_INTERNAL,
				 "an upload has its key already");
	upload->key = strdup(key);
	return upload->key ? 0 : error_memory(err, "an upload");
}

int64_t s3_upload_size(const struct s3_upload *upload)
{
	return upload->size;
}

/* -------------------------------------------------------------------- begin */

static int take_id(const char *path, const char *text, void *arg,
		   struct error *err)
{
	struct s3_upload *upload = arg;

	if (!text || strcmp(path, "/InitiateMultipartUploadResult/UploadId"))
		return 0;
	free(upload->id);
	upload->id = strdup(text);
	return upload->id ? 0 : error_memory(err, "an upload");
}

static int read_begin(const struct s3_answer *answer, void *arg,
		      struct error *err)
{
	struct s3_upload *upload = arg;

	if (s3_xml_read(answer->body.data, answer->body.len, take_id, upload,
			err) < 0)
		return -1;
	if (upload->id && *upload->id && strlen(upload->id) <= UPLOAD_ID_MAX)
		return 0;
	free(upload->id);
	upload->id = NULL;
	return error_set(err, ERROR_DATA, "its answer has no UploadId");
}

static int begin(struct s3_upload *upload, struct error *err)
{
	enum s3_checksum kind = upload->kind;
	struct s3_request request = {
		.method = "POST",
		.key = upload->key,
		.body = "",
		.verb = "begin the upload of",
		.object_action = "s3:PutObject",
		.accept = read_begin,
		.accept_arg = upload,
	};
	struct s3_answer answer;
	int ret;

	if (!upload->key)
		return error_set(err, ERROR_INTERNAL,
				 "an upload has no key, and more than a part");
	s3_request_query(&request, "uploads", "");
	s3_add_put_headers(upload->client, &request, &upload->how);
	s3_request_header(&request, S3_MARK_HEADER, upload->mark);
	s3_request_header(&request, "x-amz-checksum-algorithm",
			  s3_checksum_name(kind));
	/* One of all bytes is worth more to those who read: it needs no parts. */
	if (kind == S3_CHECKSUM_CRC32C)
		s3_request_header(&request, "x-amz-checksum-type",
				  "FULL_OBJECT");
	s3_answer_init(&answer);
	ret = s3_perform(upload->client, &request, &answer, err);
	upload->whole_checksum = answer.whole_checksum;
	if (ret < 0 || answer.unclear || answer.attempts > 1)
		s3_upload_lost(upload->client);
	s3_answer_release(&answer);
	return ret;
}

/* -------------------------------------------------------------------- parts */

static size_t part_size(const struct s3_upload *upload)
{
	size_t size = (size_t)upload->client->s3->settings.part_mb * MEGABYTE;

	for (size_t i = PARTS_A_SIZE; i <= upload->count && size < PART_MAX;
	     i += PARTS_A_SIZE)
		size *= 2;
	return size < PART_MAX ? size : PART_MAX;
}

static int room_for_part(struct s3_upload *upload, struct error *err)
{
	size_t room = upload->parts_room ? 2 * upload->parts_room : 16;
	struct s3_part *grown;

	if (upload->count == PARTS_MAX)
		return error_set(err, ERROR_DATA,
				 "the object 's3://%s/%s' has more than %d "
				 "parts; raise 'part_size_mb'",
				 upload->client->s3->settings.bucket,
				 upload->key, PARTS_MAX);
	if (upload->count < upload->parts_room)
		return 0;
	grown = realloc(upload->parts, room * sizeof(*grown));
	if (!grown)
		return error_memory(err, "an upload");
	upload->parts = grown;
	upload->parts_room = room;
	return 0;
}

struct part_check {
	enum s3_checksum kind;
	struct s3_part *part;
};

static int check_part(const struct s3_answer *answer, void *arg,
		      struct error *err)
{
	const struct part_check *check = arg;
	const char *theirs = s3_checksum_in(&answer->info, check->kind);

	if (!*answer->info.etag)
		return error_set(err, ERROR_DATA,
				 "its answer has no ETag, without which no "
				 "upload is completed");
	if (*theirs && strcmp(theirs, check->part->checksum) != 0)
		return error_set(err, ERROR_DATA,
				 "the server got other bytes than were sent: "
				 "its checksum is %s instead of %s",
				 theirs, check->part->checksum);
	text_copy(check->part->etag, sizeof(check->part->etag),
		  answer->info.etag);
	check->part->kept = *theirs != '\0';
	return 0;
}

static int send_part(struct s3_upload *upload, const void *data, size_t len,
		     struct error *err)
{
	enum s3_checksum kind = upload->kind;
	struct part_check check = {.kind = kind};
	struct s3_request request = {
		.method = "PUT",
		.key = upload->key,
		.body = data,
		.body_len = len,
		.verb = "upload a part of",
		.object_action = "s3:PutObject",
		.accept = check_part,
		.accept_arg = &check,
	};
	struct s3_answer answer;
	char number[16];
	int ret;

	if ((!upload->id && begin(upload, err) < 0) ||
	    room_for_part(upload, err) < 0)
		return -1;
	check.part = &upload->parts[upload->count];
	if (s3_checksum(kind, data, len, check.part->checksum, err) < 0)
		return -1;
	snprintf(number, sizeof(number), "%zu", upload->count + 1);
	s3_request_query(&request, "partNumber", number);
	s3_request_query(&request, "uploadId", upload->id);
	s3_request_header(&request, "content-type", "application/octet-stream");
	if (kind != S3_CHECKSUM_NONE)
		s3_request_header(&request, s3_checksum_header(kind),
				  check.part->checksum);
	s3_answer_init(&answer);
	ret = s3_perform(upload->client, &request, &answer, err);
	s3_answer_release(&answer);
	if (ret < 0)
		return -1;
	upload->crc =
		crc32c_combine(upload->crc, crc32c_update(0, data, len), len);
	upload->count++;
	return 0;
}

/* -------------------------------------------------------------------- write */

/* The buffer grows as it is needed: most objects are smaller than a part. */
static int make_room(struct s3_upload *upload, size_t len, size_t most,
		     struct error *err)
{
	size_t room = upload->room ? upload->room : MEGABYTE;
	unsigned char *grown;

	while (room < upload->len + len)
		room *= 2;
	if (room > most)
		room = most;
	if (room <= upload->room)
		return 0;
	grown = realloc(upload->buffer, room);
	if (!grown)
		return error_memory(err, "a part of an upload");
	upload->buffer = grown;
	upload->room = room;
	return 0;
}

int s3_upload_flush(struct s3_upload *upload, struct error *err)
{
	static const unsigned char empty[1];
	size_t len = upload->len;

	upload->len = 0;
	return send_part(upload, len ? upload->buffer : empty, len, err);
}

int s3_upload_write(struct s3_upload *upload, const void *data, size_t len,
		    struct error *err)
{
	const unsigned char *from = data;

	upload->size += (int64_t)len;
	while (len) {
		size_t most = part_size(upload), count = most - upload->len;

		if (!count) {
			if (s3_upload_flush(upload, err) < 0)
				return -1;
			continue;
		}
		if (!upload->len && len > most) { /* no need to copy it */
			if (send_part(upload, from, most, err) < 0)
				return -1;
			count = most;
		} else {
			count = len < count ? len : count;
			if (make_room(upload, count, most, err) < 0)
				return -1;
			memcpy(upload->buffer + upload->len, from, count);
			upload->len += count;
		}
		from += count;
		len -= count;
	}
	return 0;
}

/* ----------------------------------------------------------------- complete */

struct completion {
	struct s3_info info;
	bool seen; /* the result, which is not an error */
};

static int take_result(const char *path, const char *text, void *arg,
		       struct error *err)
{
	static const char root[] = "/CompleteMultipartUploadResult";
	struct completion *c = arg;

	(void)err;
	if (strncmp(path, root, sizeof(root) - 1) != 0)
		return 0;
	c->seen = true;
	path += sizeof(root) - 1;
	if (text && !strcmp(path, "/ETag"))
		text_copy(c->info.etag, sizeof(c->info.etag), text);
	else if (text && !strcmp(path, "/ChecksumCRC32C"))
		text_copy(c->info.crc32c, sizeof(c->info.crc32c), text);
	else if (text && !strcmp(path, "/ChecksumSHA256"))
		text_copy(c->info.sha256, sizeof(c->info.sha256), text);
	return 0;
}

/* The checksum of the parts' checksums, with their number behind it. */
static int composite(const struct s3_upload *upload, char *out, size_t size,
		     struct error *err)
{
	unsigned char one[CHECKSUM_RAW];
	char text[S3_CHECKSUM_MAX];
	struct strbuf all;
	int ret = 0, len;

	strbuf_init(&all);
	for (size_t i = 0; i < upload->count; i++) {
		len = s3_base64_bytes(upload->parts[i].checksum, one,
				      sizeof(one));
		strbuf_add(&all, one, len > 0 ? (size_t)len : 0);
	}
	if (strbuf_check(&all, err) < 0 ||
	    s3_checksum(upload->kind, all.data, all.len, text, err) < 0)
		ret = -1;
	else
		snprintf(out, size, "%.48s-%zu", text, upload->count);
	strbuf_release(&all);
	return ret;
}

/*
 * What the server says about the whole is what it should be, or nothing. Not all
 * of them write how many parts a checksum of checksums is made of.
 */
static int check_whole(const struct s3_upload *upload,
		       const struct s3_info *info, struct error *err)
{
	const char *theirs = s3_checksum_in(info, upload->kind);
	size_t len = strcspn(theirs, "-");
	char whole[S3_CHECKSUM_MAX] = "", parts[S3_CHECKSUM_MAX];

	if (!*theirs)
		return 0;
	if (composite(upload, parts, sizeof(parts), err) < 0)
		return -1;
	if (upload->kind == S3_CHECKSUM_CRC32C)
		s3_crc32c_text(upload->crc, whole);
	if (!strcmp(theirs, whole) || !strcmp(theirs, parts) ||
	    (!theirs[len] && parts[len] == '-' && !strncmp(theirs, parts, len)))
		return 0;
	return error_set(err, ERROR_DATA,
			 "the server has put together other bytes than were "
			 "sent: its checksum is %s instead of %s or %s",
			 theirs, *whole ? whole : "none", parts);
}

static int read_complete(const struct s3_answer *answer, void *arg,
			 struct error *err)
{
	struct completion *c = arg;

	memset(&c->info, 0, sizeof(c->info));
	c->seen = false;
	if (s3_xml_read(answer->body.data, answer->body.len, take_result, c,
			err) < 0)
		return -1;
	if (c->seen)
		return 0;
	return error_set(err, ERROR_DATA,
			 "it does not say that the upload is complete");
}

/* A server that knows no checksums may know no such elements either. */
static void write_list(const struct s3_upload *upload, struct strbuf *out)
{
	const char *name = s3_checksum_name(upload->kind);

	strbuf_addstr(out, "<CompleteMultipartUpload xmlns=\"http://"
			   "s3.amazonaws.com/doc/2006-03-01/\">");
	for (size_t i = 0; i < upload->count; i++) {
		const struct s3_part *part = &upload->parts[i];

		strbuf_addf(out, "<Part><PartNumber>%zu</PartNumber><ETag>",
			    i + 1);
		s3_add_escaped(out, part->etag);
		strbuf_addstr(out, "</ETag>");
		if (name && part->kept)
			strbuf_addf(out, "<Checksum%s>%s</Checksum%s>", name,
				    part->checksum, name);
		strbuf_addstr(out, "</Part>");
	}
	strbuf_addstr(out, "</CompleteMultipartUpload>");
}

static bool is_gone(const struct s3_answer *answer)
{
	return !strcmp(answer->fault.code, "NoSuchUpload");
}

static int ask_to_complete(struct s3_upload *upload, struct completion *c,
			   struct s3_answer *answer, struct error *err)
{
	struct s3_request request = {
		.method = "POST",
		.key = upload->key,
		.verb = "complete the upload of",
		.object_action = "s3:PutObject",
		.accept = read_complete,
		.accept_arg = c,
	};
	char whole[S3_CHECKSUM_MAX];
	struct strbuf body;
	int ret = -1;

	strbuf_init(&body);
	write_list(upload, &body);
	s3_request_query(&request, "uploadId", upload->id);
	s3_request_header(&request, "content-type", "application/xml");
	s3_add_conditions(&request, &upload->how);
	if (upload->whole_checksum) {
		s3_crc32c_text(upload->crc, whole);
		s3_request_header(&request, "x-amz-checksum-crc32c", whole);
		s3_request_header(&request, "x-amz-checksum-type",
				  "FULL_OBJECT");
	}
	if (strbuf_check(&body, err) == 0) {
		request.body = body.data;
		request.body_len = body.len;
		ret = s3_perform(upload->client, &request, answer, err);
	}
	strbuf_release(&body);
	return ret;
}

/* The object that is there is ours: is it what it should be? */
static int check_object(struct s3_upload *upload, const struct s3_info *info,
			struct error *err)
{
	if (info->size != upload->size)
		return error_set(err, ERROR_DATA,
				 "the server has put together %lld bytes "
				 "instead of %lld",
				 (long long)info->size,
				 (long long)upload->size);
	return check_whole(upload, info, err);
}

/* By the checksum that came with the answer, or by asking for the object. */
static int check_completed(struct s3_upload *upload, struct s3_info *info,
			   struct error *err)
{
	int ret;

	if (*s3_checksum_in(info, upload->kind))
		return check_whole(upload, info, err);
	ret = s3_head(upload->client, upload->key, info, err);
	if (!ret)
		return error_set(err, ERROR_DATA,
				 "it is not there, after it was completed");
	return ret < 0 ? -1 : check_object(upload, info, err);
}

int s3_upload_put_together(struct s3_upload *upload, struct s3_info *out,
			   struct error *err)
{
	struct completion c = {.seen = false};
	struct error ignored;
	struct s3_answer answer;
	bool done;
	int ret, there = 0;

	s3_answer_init(&answer);
	ret = ask_to_complete(upload, &c, &answer, err);
	/* The answer was lost, or spoke of an upload that is gone: was it
	 * done? */
	if (ret < 0 && (answer.unclear || is_gone(&answer)))
		there = s3_has_mark(upload->client, upload->key, upload->mark,
				    &c.info, &ignored);
	done = ret == 0 || there > 0;
	if (ret == 0) {
		ret = check_completed(upload, &c.info, err) < 0 ? -1 : 1;
	} else if (there > 0) {
		error_clear(err);
		ret = check_object(upload, &c.info, err) < 0 ? -1 : 1;
	} else if (there == 0 && is_gone(&answer)) {
		ret = 0;
	}
	if (done && ret < 0)
		s3_wrap(upload->client, "complete the upload of", upload->key,
			err);
	*out = c.info;
	s3_answer_release(&answer);
	return ret;
}

int s3_upload_complete(struct s3_upload *upload, struct s3_info *out,
		       struct error *err)
{
	struct s3_info info = {.size = 0};
	bool begun = upload->id != NULL;
	int rc;

	if (!begun)
		rc = s3_put(upload->client, upload->key, upload->buffer,
			    upload->len, &upload->how, &info, err);
	else if (upload->len && s3_upload_flush(upload, err) < 0)
		rc = -1;
	else
		rc = s3_upload_put_together(upload, &info, err);
	info.size = upload->size;
	if (out)
		*out = info;
	if (rc > 0 || (rc == 0 && !begun))
		s3_upload_free(upload);
	else
		s3_upload_abort(upload);
	/* What is gone has left its reason. */
	return rc > 0 || (rc == 0 && !begun) ? 0 : -1;
}

/* -------------------------------------------------------------------- abort */

int s3_upload_abort_by_id(struct s3_client *client, const char *key,
			  const char *id, bool brief, struct error *err)
{
	struct s3_request request = {
		.method = "DELETE",
		.key = key,
		.brief = brief,
		.verb = "abort an upload of",
		.object_action = "s3:AbortMultipartUpload",
	};
	struct s3_answer answer;
	int ret;

	s3_request_query(&request, "uploadId", id);
	s3_answer_init(&answer);
	ret = s3_perform(client, &request, &answer, err);
	if (ret < 0 && answer.status == 404 &&
	    strcmp(answer.fault.code, "NoSuchBucket") != 0) {
		error_clear(err);
		ret = 0; /* it is gone already */
	}
	s3_answer_release(&answer);
	return ret;
}

void s3_upload_abort(struct s3_upload *upload)
{
	struct error ignored;

	if (!upload)
		return;
	if (upload->id && s3_upload_abort_by_id(upload->client, upload->key,
						upload->id, true, &ignored) < 0)
		s3_upload_lost(upload->client);
	s3_upload_free(upload);
}
