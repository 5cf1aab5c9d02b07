#include "engine/check_secrets.h"

#include "base/connstr.h"

/* The entry at `i`; 1 for each finding. */
static int check_entry(const struct connstr *cs, int i, struct findings *out)
{
	const struct connstr_entry *entry = &cs->entries[i];
	char called[CONNSTR_CALLED_MAX];

	connstr_call(cs, i, called, sizeof(called));
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

void check_secrets(const char *connection_string, struct findings *out)
{
	struct error err = ERROR_INIT;
	struct connstr cs;
	int found = 0;

	if (connstr_parse(&cs, connection_string, &err) < 0)
		return;
	for (int i = 0; i < cs.count; i++)
		found += check_entry(&cs, i, out);
	if (!found)
		finding_add(out, FINDING_OK, "secrets",
			    "none lies open, none needs an older key");
	connstr_release(&cs);
}
