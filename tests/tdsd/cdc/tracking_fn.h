#ifndef TDSD_CDC_TRACKING_FN_H
#define TDSD_CDC_TRACKING_FN_H

#include "plan/translate.h"

/* CHANGE_TRACKING_…(), for the list of built-in functions. */
struct ex tracking_current_version(struct tr *t, const struct expr *e);
struct ex tracking_min_version(struct tr *t, const struct expr *e);
struct ex tracking_in_mask(struct tr *t, const struct expr *e);
void fn_register_tracking(struct session *s);

#endif
