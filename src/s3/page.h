#ifndef S3_PAGE_H
#define S3_PAGE_H

#include "base/strbuf.h"
#include "s3/client.h"

/*
 * A page of a list, as S3 answers with it: of objects (ListObjectsV2), or of
 * uploads that are not complete (ListMultipartUploads). Owns what it holds.
 */
struct s3_entry {
	size_t key; /* where its text begins in `text` */
	size_t id;  /* of an upload, likewise; 0: of none */
	bool is_folder;
	struct s3_info info; /* of an upload: when it began */
};

struct s3_page {
	struct s3_entry *entries;
	size_t count, room;
	struct strbuf text;	      /* NUL-terminated, one behind the other */
	bool truncated;		      /* there are more */
	char *token;		      /* of the next page of objects; or NULL */
	char *key_marker, *id_marker; /* likewise of uploads */
	bool encoded;		      /* keys are written as in a URL */
	struct s3_entry current;      /* what is read just now */
};

void s3_page_init(struct s3_page *page);
void s3_page_release(struct s3_page *page); /* safe to call twice */

/*
 * Read an answer into a page that is initialised, or was read before. Folders
 * are put where their keys belong. -1 is ERROR_DATA or ERROR_MEMORY.
 */
int s3_page_read(struct s3_page *page, const char *xml, size_t len,
		 struct error *err) __attribute__((warn_unused_result));

const char *s3_page_text(const struct s3_page *page, size_t at);

#endif
