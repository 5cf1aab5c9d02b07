#ifndef TDSD_DATEPART_H
#define TDSD_DATEPART_H

/* The date parts of DATEADD, DATEDIFF, DATEPART and DATENAME. */
enum date_part {
	PART_NONE,
	PART_YEAR,
	PART_QUARTER,
	PART_MONTH,
	PART_DAYOFYEAR,
	PART_DAY,
	PART_WEEK,
	PART_WEEKDAY,
	PART_ISO_WEEK,
	PART_HOUR,
	PART_MINUTE,
	PART_SECOND,
	PART_MILLISECOND,
	PART_MICROSECOND,
	PART_NANOSECOND,
	PART_TZOFFSET,
};

/* By its name or any of its abbreviations. */
enum date_part date_part_find(const char *name);

#endif
