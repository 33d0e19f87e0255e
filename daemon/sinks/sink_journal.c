/* SPDX-License-Identifier: Apache-2.0 */
/* Sink: the journal, with fields to filter by (journalctl HEAPTIDE_RULE=leak).
 * Where no journal runs, the same as one line of log; one that is there and
 * does not take it (it restarts) is tried again. */
#define SD_JOURNAL_SUPPRESS_LOCATION 1
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "analysis/rules.h"
#include "common/log.h"
#include "daemon/sinks/sinks.h"
#include "schema/alert_json.h"

/* sd_journal_send() drops silently what nobody listens to: asked before. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static int priority_of(const struct ht_alert *a)
{
	static const int of[HT_SEVERITY_COUNT] = {
		[HT_SEVERITY_INFO] = LOG_NOTICE,
		[HT_SEVERITY_WARNING] = LOG_WARNING,
		[HT_SEVERITY_CRITICAL] = LOG_CRIT,
	};

	return a->state == HT_ALERT_RESOLVED ? LOG_NOTICE
					     : of[ht_severity_of(a->severity)];
}

static void deliver(struct ht_sink *s, const struct ht_notice *n)
{
	const struct ht_alert *a = &n->alert;
	const char *state = ht_alert_state_name(a->state);
	int failed;

	if (access(JOURNAL_SOCKET, F_OK) != 0) {
		ht_log(priority_of(a), "alert %s: %s rule=%s id=%s", state,
		       a->summary, a->rule, a->id);
		ht_sink_done(s, NULL);
		return;
	}
	failed = sd_journal_send(
		"MESSAGE=alert %s: %s", state, a->summary, "PRIORITY=%d",
		priority_of(a), "SYSLOG_IDENTIFIER=heaptided",
		"HEAPTIDE_ALERT=%s", a->id, "HEAPTIDE_RULE=%s", a->rule,
		"HEAPTIDE_STATE=%s", state, "HEAPTIDE_SEVERITY=%s", a->severity,
		"HEAPTIDE_TARGET=%s", a->target, "HEAPTIDE_PID=%ld",
		ht_alert_pid(a), "HEAPTIDE_EVIDENCE=%s", a->evidence, NULL);
	ht_sink_done(s, failed < 0 ? strerror(-failed) : NULL);
}

const struct ht_sink_ops ht_sink_journal = {.deliver = deliver};
