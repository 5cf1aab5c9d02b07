/*
 * What a mapping does, with every request for memory refused in turn. The
 * attempt fails and says why, or has done all of its work in spite of it; the
 * next one succeeds and leaves equal tables. Under AddressSanitizer nothing may
 * be left over either.
 *
 * The reporter has a thread of its own, which was started before, and enough
 * memory.
 */
#include "unit/helper.h"

#include <stdlib.h>
#include <unistd.h>

#include "unit/scarce/scarce.h"
#include "unit/scenario.h"

/* Runs of a trial in a usual run of this program. */
#define MOST	  60
#define MOST_SLOW 12

static void test_every_allocation(void **state)
{
	(void)state;
	scenario_aside = scarce_pause;
	for (size_t i = 0; i < scenario_count; i++) {
		const struct scenario *s = &scenarios[i];
		struct scarce_trial trial = {
			.name = s->name,
			.prepare = s->prepare,
			.run = s->run,
			.check = s->check,
			.release = s->release,
			.most = s->slow ? MOST_SLOW : MOST,
		};

		scenario_begin(s);
		scarce_try(&trial, s->least);
		scenario_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_allocation,
						setup_folder, teardown_folder),
	};

	scarce_setup();
	alarm(getenv("SCARCE_ALL") ? 7200 : 280);
	return cmocka_run_group_tests_name("every allocation", tests, NULL,
					   NULL);
}
