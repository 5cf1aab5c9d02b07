#ifndef DRIVERS_SQLSERVER_CONDITION_H
#define DRIVERS_SQLSERVER_CONDITION_H

#include "base/error.h"

/*
 * A person's WHERE condition, which goes into a statement inside parentheses:
 * is it one expression, which cannot end those, nor begin another statement?
 * ERROR_CONFIG says what is wrong with it. Whether its columns exist, the
 * server tells.
 */
int condition_check(const char *condition, struct error *err)
	__attribute__((warn_unused_result));

#endif
