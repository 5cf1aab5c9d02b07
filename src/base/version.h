#ifndef BASE_VERSION_H
#define BASE_VERSION_H

/* The one place that says which version this is; the Makefile reads it too. */
#define DATAFLOW_VERSION "0.1.0"

#endif
