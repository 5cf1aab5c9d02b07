#include "drivers/load_plan.h"

#include <stdlib.h>
#include <string.h>

int load_plan_init(struct load_plan *plan, size_t count, struct error *err)
{
	memset(plan, 0, sizeof(*plan));
	plan->parts = calloc(count + 1, sizeof(*plan->parts));
	if (!plan->parts)
		return error_memory(err, "a load in parts");
	plan->count = count;
	return 0;
}

void load_plan_release(struct load_plan *plan)
{
	free(plan->parts);
	plan->parts = NULL;
	plan->count = 0;
}

int load_plan_copy(struct load_plan *to, const struct load_plan *from,
		   struct error *err)
{
	if (load_plan_init(to, from->count, err) < 0)
		return -1;
	to->position = from->position;
	if (from->count)
		memcpy(to->parts, from->parts,
		       from->count * sizeof(*to->parts));
	return 0;
}

bool load_plan_is_whole(const struct load_plan *plan)
{
	size_t last = plan->count - 1;

	if (plan->parts[0].range.low.len || plan->parts[last].range.high.len)
		return false;
	for (size_t i = 0; i < last; i++)
		if (!position_equal(&plan->parts[i].range.high,
				    &plan->parts[i + 1].range.low))
			return false;
	return true;
}

void load_plan_sign(const struct load_plan *plan, const char *origin,
		    const struct table *shape, struct strbuf *out)
{
	char stored[POSITION_TEXT_MAX];

	position_format(stored, &plan->stored);
	strbuf_addf(out, "%s\n%s\n", origin, stored);
	table_signature(shape, out);
}
