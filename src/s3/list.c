#include "s3/list.h"

#include <stdlib.h>
#include <string.h>

#include "s3/page.h"
#include "s3/request.h"

#define ANSWER_MAX ((size_t)16 << 20)

static char *copy(struct s3_list *list, const char *text)
{
	char *s = text ? strdup(text) : NULL;

	list->failed |= text && !s;
	return s;
}

void s3_list_init(struct s3_list *list, struct s3_client *client,
		  const char *prefix, const char *delimiter, const char *after)
{
	memset(list, 0, sizeof(*list));
	list->client = client;
	list->prefix = copy(list, prefix ? prefix : "");
	list->delimiter = copy(list, delimiter);
	list->after = copy(list, after);
	list->page = calloc(1, sizeof(*list->page));
	if (list->page)
		s3_page_init(list->page);
	list->failed |= !list->page;
}

void s3_list_release(struct s3_list *list)
{
	if (list->page)
		s3_page_release(list->page);
	free(list->page);
	free(list->prefix);
	free(list->delimiter);
	free(list->after);
	memset(list, 0, sizeof(*list));
}

/* A page that says that there are more has to say where. */
static int read_page(const struct s3_answer *answer, void *arg,
		     struct error *err)
{
	struct s3_page *page = arg;

	if (s3_page_read(page, answer->body.data, answer->body.len, err) < 0)
		return -1;
	if (page->truncated && !page->token)
		return error_set(err, ERROR_DATA,
				 "its list breaks off without saying where to "
				 "go on");
	return 0;
}

static int ask_for_page(struct s3_list *list, const char *token,
			struct error *err)
{
	struct s3_request request = {
		.method = "GET",
		.verb = "list",
		.bucket_action = "s3:ListBucket",
		.answer_max = ANSWER_MAX,
		.accept = read_page,
		.accept_arg = list->page,
	};
	struct s3_answer answer;
	int ret;

	s3_request_query(&request, "list-type", "2");
	s3_request_query(&request, "encoding-type", "url");
	s3_request_query(&request, "prefix", list->prefix);
	if (list->delimiter)
		s3_request_query(&request, "delimiter", list->delimiter);
	if (token)
		s3_request_query(&request, "continuation-token", token);
	else if (list->after)
		s3_request_query(&request, "start-after", list->after);
	s3_answer_init(&answer);
	ret = s3_perform(list->client, &request, &answer, err);
	s3_answer_release(&answer);
	return ret;
}

static int next_page(struct s3_list *list, struct error *err)
{
	struct s3_page *page = list->page;
	char *token = page->token;
	int ret;

	page->token = NULL;
	ret = ask_for_page(list, token, err);
	if (ret == 0 && token && page->token && !strcmp(token, page->token)) {
		error_set(err, ERROR_DATA, "its list never ends");
		ret = s3_wrap(list->client, "list", list->prefix, err);
	}
	list->next = 0;
	if (ret < 0) { /* the next call asks for it again */
		page->count = 0;
		free(page->token);
		page->token = token;
		return -1;
	}
	free(token);
	list->ended = !page->truncated;
	return 0;
}

int s3_list_next(struct s3_list *list, struct s3_item *item, struct error *err)
{
	const struct s3_entry *entry;

	if (list->failed)
		return error_memory(err, "a list of objects");
	while (list->next == list->page->count) {
		if (list->ended)
			return 0;
		if (next_page(list, err) < 0)
			return -1;
	}
	entry = &list->page->entries[list->next++];
	item->key = s3_page_text(list->page, entry->key);
	item->is_folder = entry->is_folder;
	item->info = entry->info;
	return 1;
}
