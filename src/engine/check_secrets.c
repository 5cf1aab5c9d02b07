#include "engine/check_secrets.h"

#include <stdlib.h>

#include "base/connstr.h"
#include "base/secret.h"

/* 1 for each finding. */
static int check_entry(const struct connstr_entry *entry, const char *called,
		       struct findings *out)
{
	if (entry->exposed)
		finding_add(out, FINDING_WARN, "secrets",
			    "%s comes from file '%s', which every user of this "
			    "machine may read" FINDING_REMEDY "chmod o-r '%s'",
			    called, entry->exposed, entry->exposed);
	if (entry->old_key)
		finding_add(out, FINDING_WARN, "secrets",
			    "%s was encrypted with an older key than the first "
			    "one of the key file" FINDING_REMEDY
			    "encrypt it again with 'dbaops-dataflow encrypt'",
			    called);
	return !!entry->exposed + entry->old_key;
}

/* False: it cannot be read, which others say. */
static bool check_url(const char *url, struct findings *out, int *found)
{
	struct connstr_entry entry = {.key = NULL};
	struct error err = ERROR_INIT;
	struct strbuf text;
	bool readable;

	strbuf_init(&text);
	readable = connstr_expand_url(url, &entry, &text, &err) == 0;
	if (readable)
		*found = check_entry(&entry, "a part of the URL", out);
	secret_release(&text);
	free(entry.exposed);
	return readable;
}

static bool check_list(const char *list, struct findings *out, int *found)
{
	char called[CONNSTR_CALLED_MAX];
	struct error err = ERROR_INIT;
	struct connstr cs;

	if (connstr_parse(&cs, list, &err) < 0)
		return false;
	for (int i = 0; i < cs.count; i++) {
		connstr_call(&cs, i, called, sizeof(called));
		*found += check_entry(&cs.entries[i], called, out);
	}
	connstr_release(&cs);
	return true;
}

void check_secrets(const char *connection_string, struct findings *out)
{
	int found = 0;
	bool readable = connstr_is_url(connection_string)
				? check_url(connection_string, out, &found)
				: check_list(connection_string, out, &found);

	if (readable && !found)
		finding_add(out, FINDING_OK, "secrets",
			    "none lies open, none needs an older key");
}
