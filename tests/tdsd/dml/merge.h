#ifndef TDSD_MERGE_H
#define TDSD_MERGE_H

struct merge_plan;
void merge_plan_free(struct merge_plan *m);

#endif
