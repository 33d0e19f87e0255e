/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control: how the CLI talks to a running heaptided. A Unix stream socket;
 * one JSON object per line in each direction, one answer per request:
 *
 *   -> {"heaptide":1,"command":"watch","target":"web","pid":42}
 *   <- {"ok":true,"result":{...}}
 *   <- {"ok":false,"error":{"code":"nodata","message":"...","hint":"..."}}
 *
 * Commands, their arguments and what they answer with are listed in
 * heaptided(8), section CONTROL SOCKET; HT_CONTROL_COMMANDS is that list. Who
 * may connect is decided by the daemon from the peer's credentials.
 */
#ifndef HT_LINK_CONTROL_H
#define HT_LINK_CONTROL_H

#include <jansson.h>

#include "common/err.h"

#define HT_CONTROL_VERSION     1
#define HT_CONTROL_PATH	       "/run/heaptide/control.sock"
#define HT_CONTROL_REQUEST_MAX 65536u	 /* bytes of one request line */
#define HT_CONTROL_ANSWER_MAX  67108864u /* bytes of one answer line */

/*
 * C(name, arguments, answer). Every argument is a JSON string unless said
 * otherwise; "?" marks those that may be left out.
 *
 * ls's rows: {target, pid, comm, exe, process_id, state ("waiting"|"ok"|
 * "measuring"|"backoff"|"capped"|"refused"), interval_s, next_s, samples,
 * failures, last_error, pause_us, stop_ratio, sampled_at, started_at, verdict,
 * confidence, alerts, in_use, retained, trimmable, rss}; null: not known yet.
 */
#define HT_CONTROL_COMMANDS(C)                                                                                                 \
	C(status, "",                                                                                                          \
	  "{version, pid, started_at, config, store, targets, processes, late, agents, loop_lag_ms, sinks, trouble, unknown}") \
	C(ls, "target?", "{targets: [row]}")                                                                                   \
	C(watch,                                                                                                               \
	  "target, one of pid (number), name, exe, cmdline, unit, cgroup, user; interval?, mode?, max_pause?",                 \
	  "{target, processes}")                                                                                               \
	C(unwatch, "target", "{target}")                                                                                       \
	C(sample, "target (name, or pid as text)",                                                                             \
	  "{target, pid, process_id, pause_us, sampled_at}")                                                                   \
	C(alerts, "",                                                                                                          \
	  "{alerts: [{id, rule, target, pid, severity, state, since, value, summary, evidence, silenced}]}")                   \
	C(silence, "rule?, target?, until (time or duration), comment?",                                                       \
	  "{id, rule, target, until}")                                                                                         \
	C(silences, "",                                                                                                        \
	  "{silences: [{id, rule, target, from, until, author, comment}]}")                                                    \
	C(unsilence, "id (number)", "{id}")                                                                                    \
	C(reload, "", "{targets, rules, sinks}")

enum ht_control_command {
#define HT_CONTROL_ITEM(name, arguments, answer) HT_CONTROL_##name,
	HT_CONTROL_COMMANDS(HT_CONTROL_ITEM)
#undef HT_CONTROL_ITEM
		HT_CONTROL_COUNT
};

/* HT_CONTROL_COUNT when there is no such command. */
enum ht_control_command ht_control_find(const char *name);
const char *ht_control_name(enum ht_control_command c);

/* Asks the daemon and waits for its answer, at most timeout_ms.
 * arguments: object, borrowed, NULL for none. ret: the "result", to be freed by
 * json_decref. HT_DAEMON: nobody listens there, or it did not answer in time;
 * HT_DENIED: this user may not; else the error that the daemon sent. */
enum ht_code ht_control_call(const char *path, const char *command,
			     json_t *arguments, int timeout_ms, json_t **ret,
			     struct ht_err *err) HT_MUST_CHECK;

/* One request line (without its newline), checked: an object of our version
 * with a known command. ret_arguments: new reference. */
enum ht_code ht_control_parse(const char *line, size_t len,
			      enum ht_control_command *ret,
			      json_t **ret_arguments,
			      struct ht_err *err) HT_MUST_CHECK;
/* The answer as one line with its newline; to be freed. NULL: no memory.
 * result is taken; code HT_OK: success, else err is told. */
char *ht_control_answer(enum ht_code code, json_t *result,
			const struct ht_err *err);

#endif
