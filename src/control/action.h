#ifndef CONTROL_ACTION_H
#define CONTROL_ACTION_H

/*
 * What is done about an error, by its class: DBAs choose in config for all
 * mappings, and in table_mappings for one. LOG and PARK are for rows only.
 */
enum error_class {
	ERROR_CLASS_ROW,	/* a row does not fit, or is refused */
	ERROR_CLASS_TABLE,	/* a table or a right is not as it must be */
	ERROR_CLASS_CONNECTION, /* a server cannot be reached */
	ERROR_CLASS_CONFLICT,	/* others are in the way */
	ERROR_CLASSES,
	ERROR_CLASS_NONE = ERROR_CLASSES, /* none of these: always retried */
};

enum error_action {
	ERROR_ACTION_RETRY,   /* attempts, the error row, the next tick */
	ERROR_ACTION_SUSPEND, /* nothing more until a DBA resumes it */
	ERROR_ACTION_STOP,    /* is_enabled becomes 0 */
	ERROR_ACTION_LOG,     /* leave the row out, say so, go on */
	ERROR_ACTION_PARK,    /* put the row aside and go on */
	ERROR_ACTIONS,
};

#endif
