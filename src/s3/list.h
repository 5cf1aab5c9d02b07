#ifndef S3_LIST_H
#define S3_LIST_H

#include "s3/client.h"

/*
 * The objects whose keys begin with something, in the order of their keys, a
 * page of the server's (a thousand) in memory at a time. What is put or deleted
 * meanwhile may be among them or not.
 *
 *	s3_list_init(&list, client, "sales/", NULL, NULL);
 *	while ((got = s3_list_next(&list, &item, err)) > 0)
 *		…
 *	s3_list_release(&list);
 */
struct s3_item {
	const char *key; /* until the next call */
	bool is_folder;	 /* no object: what keys have in common up to a / */
	struct s3_info info;
};

struct s3_list {
	struct s3_client *client;
	char *prefix, *after, *delimiter;
	struct s3_page *page;
	size_t next; /* of the page */
	bool ended;
	bool failed; /* without memory */
};

/*
 * With `delimiter`, "/", keys that have another one behind the prefix are told
 * as folders, once each. `after` (or NULL): only keys behind that one. Nothing
 * is asked yet.
 */
void s3_list_init(struct s3_list *list, struct s3_client *client,
		  const char *prefix, const char *delimiter, const char *after);

/* 1: `item` is the next one; 0: that was all. */
int s3_list_next(struct s3_list *list, struct s3_item *item, struct error *err)
	__attribute__((warn_unused_result));

void s3_list_release(struct s3_list *list); /* safe to call twice */

#endif
