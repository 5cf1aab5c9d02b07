#ifndef S3_UPLOAD_H
#define S3_UPLOAD_H

#include "s3/client.h"

/*
 * An object that is written as a stream, of which nobody sees anything before
 * it is complete. Belongs to one thread, and so does the client, which must
 * outlive it.
 *
 * Bytes are collected until they make a part. Parts have the size of the
 * settings at first; every thousand of them it doubles, up to 512 MiB. S3 allows
 * 10,000 parts: that is 2.4 TiB with 8 MiB at first, and its largest object,
 * 5 TiB, with 512. The buffer for one part is all the memory there is. What fits
 * into the first part is put in one request.
 *
 * Each part is sent with its checksum, and again when that fails. The checksum
 * of the whole, and its size, are held against what the server has in the end.
 * A completion whose answer is lost is not guessed about: the object carries the
 * name of its upload in `x-amz-meta-dataflow-upload`, and is asked for that.
 */
struct s3_upload;

/* `key` may be NULL, until s3_upload_set_key(). */
int s3_upload_begin(struct s3_upload **out, struct s3_client *client,
		    const char *key, const struct s3_put *how,
		    struct error *err) __attribute__((warn_unused_result));

/* On -1 nothing but s3_upload_abort() makes sense. */
int s3_upload_write(struct s3_upload *upload, const void *data, size_t len,
		    struct error *err) __attribute__((warn_unused_result));

/* Once, and before more was written than `part_size_mb` says. */
int s3_upload_set_key(struct s3_upload *upload, const char *key,
		      struct error *err) __attribute__((warn_unused_result));

/* How many bytes were written. */
int64_t s3_upload_size(const struct s3_upload *upload);

/*
 * Now the object is there, instead of the one that was there before. On -1
 * either is possible, if `err` is ERROR_CONNECTION, CANCELLED or SERVER; never a
 * part of it. Frees the upload in any case, and aborts it as far as that can be
 * told to the server. `out` may be NULL.
 */
int s3_upload_complete(struct s3_upload *upload, struct s3_info *out,
		       struct error *err) __attribute__((warn_unused_result));

/*
 * Forget about it: what was sent is removed from the server, if that answers
 * within a few seconds and nobody said CANCEL_NOW; s3_abort_uploads() does it
 * otherwise. Frees the upload. NULL is fine.
 */
void s3_upload_abort(struct s3_upload *upload);

/*
 * Send all of it, and leave the rest to others: `token`, a text without control
 * signs that is appended, is what they need to know. Nobody sees the object
 * before s3_upload_publish(), in this process or in another one, which looks at
 * no condition. Frees the upload; on -1 it is aborted.
 */
int s3_upload_prepare(struct s3_upload *upload, struct strbuf *token,
		      struct error *err) __attribute__((warn_unused_result));

/*
 * Now the object is there. 1: it is, or was before; 0: the upload was aborted,
 * by a lifecycle rule perhaps, and what it had is lost. On -1 it may be asked
 * again. `out` may be NULL.
 */
int s3_upload_publish(struct s3_client *client, const char *key,
		      const char *token, struct s3_info *out, struct error *err)
	__attribute__((warn_unused_result));

/* Or forget about it, as far as that can be told to the server. */
void s3_upload_discard(struct s3_client *client, const char *key,
		       const char *token);

/* Is it the upload with that id that a token speaks of? */
bool s3_upload_is(const char *token, const char *id);

/*
 * Remove what was sent by uploads below a prefix that began before `before_us`
 * (UTC) and that nobody will complete any more: a daemon that was killed leaves
 * them behind, they cost money, and no list of objects shows them. How many
 * there were.
 */
int64_t s3_abort_uploads(struct s3_client *client, const char *prefix,
			 int64_t before_us, struct error *err)
	__attribute__((warn_unused_result));

/* Which of the uploads below a prefix; zeroed: all. */
struct s3_choice {
	int64_t before_us; /* that began before; 0: whenever */
	/* But for these; NULL: for none. */
	bool (*keep)(void *arg, const char *key, const char *id);
	/* Asked between looking and removing, if there are any: -1 ends it.
	 * NULL: go on. */
	int (*check)(void *arg, struct error *err);
	void *arg;
};

int64_t s3_abort_chosen(struct s3_client *client, const char *prefix,
			const struct s3_choice *choice, struct error *err)
	__attribute__((warn_unused_result));

/*
 * All that this client may have lost was looked for, since `since_ms` by
 * clock_ms(). It stays `lost_upload` when one was lost so shortly before that a
 * slow server may have begun it after that.
 */
void s3_upload_sought(struct s3_client *client, int64_t since_ms);

#endif
