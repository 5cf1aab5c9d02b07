/*
 * An upload whose parts are all there, and that somebody else may complete: what
 * he has to know is a text. It has the checksums of the parts and of the whole,
 * which what the server puts together is held against then.
 */
#include "s3/upload_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "s3/checksum.h"
#include "s3/request.h"
#include "s3/server.h"

static json_t *format_parts(const struct s3_upload *upload)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < upload->count; i++) {
		const struct s3_part *part = &upload->parts[i];

		list = json_append(list, json_pack("[s, s, b]", part->etag,
						   part->checksum, part->kept));
	}
	return list;
}

static int format_token(const struct s3_upload *upload, struct strbuf *out,
			struct error *err)
{
	json_t *root = json_pack(
		"{s:s, s:s, s:I, s:I, s:b, s:i, s:o}", "id", upload->id, "mark",
		upload->mark, "size", (json_int_t)upload->size, "crc",
		(json_int_t)upload->crc, "whole", upload->whole_checksum,
		"kind", (int)upload->kind, "parts", format_parts(upload));
	char *text = json_format(root, JSON_COMPACT);

	json_decref(root);
	if (!text)
		return error_memory(err, "an upload");
	strbuf_addstr(out, text);
	free(text);
	return strbuf_check(out, err);
}

int s3_upload_prepare(struct s3_upload *upload, struct strbuf *token,
		      struct error *err)
{
	int ret = 0;

	if (upload->len || !upload->count)
		ret = s3_upload_flush(upload, err);
	if (ret == 0)
		ret = format_token(upload, token, err);
	if (ret == 0)
		s3_upload_free(upload);
	else
		s3_upload_abort(upload);
	return ret;
}

/* ------------------------------------------------------------------- reading */

struct parsed {
	const char *id, *mark;
	json_int_t size, crc;
	json_t *parts;
	int whole, kind;
};

static int broken(struct error *err)
{
	return error_set(err, ERROR_DATA,
			 "what is said of an upload is not what was written");
}

static int take_parts(struct s3_upload *upload, const json_t *list,
		      struct error *err)
{
	size_t count = json_array_size(list);

	upload->parts = calloc(count + 1, sizeof(*upload->parts));
	if (!upload->parts)
		return error_memory(err, "an upload");
	for (size_t i = 0; i < count; i++) {
		struct s3_part *part = &upload->parts[i];
		const char *etag, *checksum;
		int kept;

		if (json_unpack(json_array_get(list, i), "[s, s, b]", &etag,
				&checksum, &kept) < 0)
			return broken(err);
		text_copy(part->etag, sizeof(part->etag), etag);
		text_copy(part->checksum, sizeof(part->checksum), checksum);
		part->kept = kept;
		upload->count++;
	}
	return upload->count ? 0 : broken(err);
}

static int take_token(struct s3_upload *upload, json_t *root, struct error *err)
{
	struct parsed in;

	if (json_unpack(root, "{s:s, s:s, s:I, s:I, s:b, s:i, s:o}", "id",
			&in.id, "mark", &in.mark, "size", &in.size, "crc",
			&in.crc, "whole", &in.whole, "kind", &in.kind, "parts",
			&in.parts) < 0 ||
	    !*in.id || in.size < 0 || in.kind < 0 ||
	    in.kind > (int)S3_CHECKSUM_NONE)
		return broken(err);
	upload->id = strdup(in.id);
	if (!upload->id)
		return error_memory(err, "an upload");
	text_copy(upload->mark, sizeof(upload->mark), in.mark);
	upload->size = in.size;
	upload->crc = (uint32_t)in.crc;
	upload->whole_checksum = in.whole;
	upload->kind = (enum s3_checksum)in.kind;
	return take_parts(upload, in.parts, err);
}

/* An upload as it was; to be freed, and never aborted. */
static int read_token(struct s3_upload **out, struct s3_client *client,
		      const char *key, const char *token, struct error *err)
{
	json_t *root = json_parse(token, err);
	int ret;

	if (!root) {
		if (err->kind != ERROR_MEMORY)
			broken(err);
		return -1;
	}
	ret = s3_upload_begin(out, client, key, NULL, err);
	if (ret == 0) {
		ret = take_token(*out, root, err);
		if (ret < 0)
			s3_upload_free(*out);
	}
	json_decref(root);
	return ret;
}

int s3_upload_publish(struct s3_client *client, const char *key,
		      const char *token, struct s3_info *out, struct error *err)
{
	struct s3_info info = {.size = 0};
	struct s3_upload *upload;
	int rc;

	if (read_token(&upload, client, key, token, err) < 0)
		return -1;
	rc = s3_upload_put_together(upload, &info, err);
	/* Some servers call an upload complete that they do not know, if there
	 * is any object by that name. */
	if (rc > 0)
		rc = s3_has_mark(client, key, upload->mark, &info, err);
	if (rc == 0)
		error_clear(err);
	info.size = upload->size;
	if (out)
		*out = info;
	s3_upload_free(upload);
	return rc;
}

void s3_upload_discard(struct s3_client *client, const char *key,
		       const char *token)
{
	struct s3_upload *upload;
	struct error ignored;

	if (read_token(&upload, client, key, token, &ignored) < 0)
		return;
	if (s3_upload_abort_by_id(client, key, upload->id, true, &ignored) < 0)
		s3_upload_lost(client);
	s3_upload_free(upload);
}

bool s3_upload_is(const char *token, const char *id)
{
	struct error ignored;
	json_t *root = json_parse(token, &ignored);
	const char *its = json_string_value(json_object_get(root, "id"));
	bool same = its && !strcmp(its, id);

	json_decref(root);
	return same;
}
