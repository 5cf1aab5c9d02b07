/*
 * What was told, as the table `notifications` keeps it, notify/journal.h, and
 * the list of events of a channel, notify/notice.h.
 *
 * Whatever stands in the table, only mappings and events that there can be are
 * read from it, and written down again they are read as the same. A mask of
 * events is that of the words of the list, whatever their order and their case.
 */
#include "fuzz/fuzz.h"

#include <ctype.h>

#include "base/strbuf.h"
#include "notify/journal.h"

#define NOTICES_MAX 64

struct told {
	struct notice notices[NOTICES_MAX];
	size_t count;
};

static void take(void *arg, int mapping_id, enum notice_event event,
		 enum notice_event trouble)
{
	struct told *told = arg;

	HOLDS(mapping_id >= 0);
	HOLDS(event < NOTICE_EVENTS && trouble < NOTICE_TROUBLES);
	HOLDS(event == NOTICE_RECOVERY || event == trouble);
	if (told->count == NOTICES_MAX)
		return;
	told->notices[told->count++] = (struct notice){
		.mapping_id = mapping_id,
		.event = event,
		.trouble = trouble,
	};
}

static void check_same(const struct notice *a, const struct notice *b)
{
	HOLDS(a->mapping_id == b->mapping_id);
	HOLDS(a->event == b->event && a->trouble == b->trouble);
}

static void try_journal(const char *text)
{
	struct told told = {.count = 0}, again = {.count = 0};
	char *written;

	journal_read(text, take, &told);
	written = journal_write(told.notices, told.count);
	HOLDS(written);
	journal_read(written, take, &again);
	HOLDS(told.count == again.count);
	for (size_t i = 0; i < told.count; i++)
		check_same(&told.notices[i], &again.notices[i]);
	free(written);
}

/* The list that says the same as `mask`, from the last event to the first. */
static void write_list(unsigned mask, struct strbuf *list)
{
	for (int event = NOTICE_EVENTS; event-- > 0;) {
		if (!(mask >> event & 1))
			continue;
		strbuf_addf(list, "%s%s", list->len ? " , " : "",
			    notice_event_name((enum notice_event)event));
	}
	for (size_t i = 0; i < list->len; i += 2)
		list->data[i] = (char)tolower((unsigned char)list->data[i]);
}

static void try_events(const char *text)
{
	unsigned mask, again;
	struct strbuf list;

	if (!notice_events_parse(text, &mask)) {
		HOLDS(!mask);
		return;
	}
	HOLDS(mask && mask < 1u << NOTICE_EVENTS);
	strbuf_init(&list);
	write_list(mask, &list);
	HOLDS(notice_events_parse(list.data, &again) && again == mask);
	strbuf_release(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	bool is_list = take_byte(&in) & 1;
	char *text = take_text(&in, size);

	if (is_list)
		try_events(text);
	else
		try_journal(text);
	free(text);
	return 0;
}
