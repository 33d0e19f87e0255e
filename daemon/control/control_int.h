/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of control: control.c moves lines, commands.c does what they say.
 */
#ifndef HT_DAEMON_CONTROL_CONTROL_INT_H
#define HT_DAEMON_CONTROL_CONTROL_INT_H

#include "daemon/control/control.h"
#include "link/control.h"

struct ht_peer {
	struct ht_peer *next, *prev;
	struct ht_control *control;
	int fd;
	char user[32]; /* who it is, for silences */
	sd_event_source *io, *idle;
	char *in, *out;
	size_t in_n, out_n, out_done;
	const struct ht_watched *awaits; /* `sample`: answered when it ended */
};

/* Does what was asked. HT_OK with *ret_later true: the answer comes by
 * ht_control_sampled. ret_result: new reference. */
enum ht_code ht_command_run(struct ht_peer *peer, enum ht_control_command c,
			    json_t *arguments, json_t **ret_result,
			    bool *ret_later, struct ht_err *err) HT_MUST_CHECK;
json_t *ht_command_sampled(const struct ht_watched *p);

#endif
