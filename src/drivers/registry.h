#ifndef DRIVERS_REGISTRY_H
#define DRIVERS_REGISTRY_H

#include "drivers/driver.h"

/* One line for each driver, in its folder's name. See registry.c. */
extern const struct driver file_driver;
extern const struct driver memory_driver;
extern const struct driver postgresql_driver;
extern const struct driver s3_driver;
extern const struct driver sqlserver_driver;

#endif
