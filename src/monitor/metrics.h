#ifndef MONITOR_METRICS_H
#define MONITOR_METRICS_H

#include "base/strbuf.h"
#include "monitor/overview.h"

/*
 * Append all metrics in Prometheus' text format, version 0.0.4. What is not
 * known has no sample. The names are an interface: etc/prometheus-alerts.yml
 * and etc/grafana-dashboard.json use them, and so do others by now.
 */
void metrics_write(struct strbuf *sb, const struct overview *now);

/* Append a label's value as it stands between quotes there. */
void metrics_write_label(struct strbuf *sb, const char *value);

#endif
