/*
 * Uploads that nobody will complete any more.
 *
 * MinIO takes the prefix for a whole key, and so lists none below one; without a
 * prefix it lists all of the bucket's that it remembers. Whether a server is of
 * that kind cannot be told from an empty list, so all but Amazon's are asked for
 * all then. To ask without a prefix at once would read through what everybody
 * else has in the bucket, where the servers that know prefixes have an answer.
 */
#include "s3/upload_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "s3/page.h"
#include "s3/request.h"
#include "s3/server.h"

#define ANSWER_MAX ((size_t)16 << 20)

static int read_uploads(const struct s3_answer *answer, void *arg,
			struct error *err)
{
	struct s3_page *page = arg;

	if (s3_page_read(page, answer->body.data, answer->body.len, err) < 0)
		return -1;
	if (page->truncated && !page->key_marker)
		return error_set(err, ERROR_DATA,
				 "its list breaks off without saying where to "
				 "go on");
	return 0;
}

static int list_uploads(struct s3_client *client, const char *prefix,
			const char *key_marker, const char *id_marker,
			struct s3_page *page, struct error *err)
{
	struct s3_request request = {
		.method = "GET",
		.verb = "list the uploads of",
		.bucket_action = "s3:ListBucketMultipartUploads",
		.answer_max = ANSWER_MAX,
		.accept = read_uploads,
		.accept_arg = page,
	};
	struct s3_answer answer;
	int ret;

	s3_request_query(&request, "uploads", "");
	s3_request_query(&request, "encoding-type", "url");
	s3_request_query(&request, "prefix", prefix);
	if (key_marker)
		s3_request_query(&request, "key-marker", key_marker);
	if (key_marker && id_marker)
		s3_request_query(&request, "upload-id-marker", id_marker);
	s3_answer_init(&answer);
	ret = s3_perform(client, &request, &answer, err);
	s3_answer_release(&answer);
	return ret;
}

/* A server that does not say when it began has to keep one that may be young. */
static bool is_chosen(const struct s3_choice *choice,
		      const struct s3_entry *entry, const char *key,
		      const char *id)
{
	if (choice->before_us && (!entry->info.modified_us ||
				  entry->info.modified_us >= choice->before_us))
		return false;
	return !choice->keep || !choice->keep(choice->arg, key, id);
}

static int abort_listed(struct s3_client *client, const struct s3_page *page,
			const char *prefix, const struct s3_choice *choice,
			int64_t *count, struct error *err)
{
	bool asked = !choice->check;

	for (size_t i = 0; i < page->count; i++) {
		const struct s3_entry *entry = &page->entries[i];
		const char *key = s3_page_text(page, entry->key);
		const char *id;

		if (!entry->id || strncmp(key, prefix, strlen(prefix)) != 0)
			continue;
		id = s3_page_text(page, entry->id);
		if (!is_chosen(choice, entry, key, id))
			continue;
		if (!asked && choice->check(choice->arg, err) < 0)
			return -1;
		asked = true;
		if (s3_upload_abort_by_id(client, key, id, false, err) < 0)
			return -1;
		++*count;
	}
	return 0;
}

void s3_upload_lost(struct s3_client *client)
{
	client->lost_upload = true;
	client->lost_ms = clock_ms();
}

void s3_upload_sought(struct s3_client *client, int64_t since_ms)
{
	int64_t late = 1000 * (int64_t)client->s3->settings.stall_timeout_s;

	if (since_ms - client->lost_ms >= late)
		client->lost_upload = false;
}

/* Those below `prefix`, of those that the server lists below `listed`: 1; 0: it
 * lists none. */
static int abort_below(struct s3_client *client, const char *listed,
		       const char *prefix, const struct s3_choice *choice,
		       int64_t *count, struct error *err)
{
	char *key_marker = NULL, *id_marker = NULL;
	struct s3_page page;
	bool any = false;
	int ret;

	s3_page_init(&page);
	do {
		ret = list_uploads(client, listed, key_marker, id_marker, &page,
				   err);
		if (ret == 0)
			ret = abort_listed(client, &page, prefix, choice, count,
					   err);
		any |= page.count || page.truncated;
		free(key_marker);
		free(id_marker);
		key_marker = page.key_marker;
		id_marker = page.id_marker;
		page.key_marker = page.id_marker = NULL;
	} while (ret == 0 && page.truncated);
	free(key_marker);
	free(id_marker);
	s3_page_release(&page);
	return ret < 0 ? -1 : any;
}

int64_t s3_abort_chosen(struct s3_client *client, const char *prefix,
			const struct s3_choice *choice, struct error *err)
{
	int64_t count = 0;
	int rc = abort_below(client, prefix, prefix, choice, &count, err);

	if (rc == 0 && *prefix && !s3_settings_amazon(&client->s3->settings))
		rc = abort_below(client, "", prefix, choice, &count, err);
	return rc < 0 ? -1 : count;
}

int64_t s3_abort_uploads(struct s3_client *client, const char *prefix,
			 int64_t before_us, struct error *err)
{
	struct s3_choice choice = {.before_us = before_us};

	return s3_abort_chosen(client, prefix, &choice, err);
}
