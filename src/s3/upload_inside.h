#ifndef S3_UPLOAD_INSIDE_H
#define S3_UPLOAD_INSIDE_H

#include "base/uuid.h"
#include "s3/upload.h"

/* What upload.c, prepared.c and abandoned.c share; nobody else. */

struct s3_part {
	char etag[S3_ETAG_MAX];
	char checksum[S3_CHECKSUM_MAX];
	bool kept; /* the server has it, too */
};

struct s3_upload {
	struct s3_client *client;
	char *key; /* NULL: not known yet */
	char *content_type, *if_match;
	struct s3_put how;
	char mark[UUID_TEXT_MAX];
	enum s3_checksum kind;
	char *id;	     /* the server's; NULL: not begun */
	bool whole_checksum; /* it keeps one of all bytes */

	unsigned char *buffer;
	size_t len, room;
	struct s3_part *parts;
	size_t count, parts_room;
	int64_t size;
	uint32_t crc; /* of all parts that were sent */
};

void s3_upload_free(struct s3_upload *upload);

/* Send what is left as the last part, which may be empty if it is the only one. */
int s3_upload_flush(struct s3_upload *upload, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Complete what was sent, and look at what became of it. 1: it is there; 0: the
 * upload is gone, no object was made of it, and `err` says so as well.
 */
int s3_upload_put_together(struct s3_upload *upload, struct s3_info *out,
			   struct error *err)
	__attribute__((warn_unused_result));

/* There may be one that nobody can name. */
void s3_upload_lost(struct s3_client *client);

/* One that is gone already is fine. `brief`: it may fail. */
int s3_upload_abort_by_id(struct s3_client *client, const char *key,
			  const char *id, bool brief, struct error *err)
	__attribute__((warn_unused_result));

#endif
