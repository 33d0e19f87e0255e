/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers: the sockets of all agents, watched as one, so that what came
 * together is taken together: each time the daemon wakes costs more than an
 * answer. Where several agents are at work it looks after a rest, which they
 * need as a rule, and listens only for what takes longer.
 */
#ifndef HT_DAEMON_AGENTS_ANSWERS_H
#define HT_DAEMON_AGENTS_ANSWERS_H

#include <stdbool.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "common/err.h"

#define HT_ANSWERS_AT_ONCE 16

struct ht_answers {
	sd_event *event;
	void (*ready)(void *of); /* that socket has something, or has ended */
	int set;		 /* epoll: of all sockets */
	sd_event_source *source; /* the set: off during a rest */
	sd_event_source *timer;	 /* to the rest's end */
	bool rests;
	struct epoll_event at_hand[HT_ANSWERS_AT_ONCE];
	size_t at_hand_n;
};

enum ht_code ht_answers_init(struct ht_answers *a, sd_event *event,
			     void (*ready)(void *of),
			     struct ht_err *err) HT_MUST_CHECK;
void ht_answers_fini(struct ht_answers *a);
/* of: what ready() is called with. */
enum ht_code ht_answers_add(struct ht_answers *a, int socket, void *of,
			    struct ht_err *err) HT_MUST_CHECK;
/* Before the socket is closed. ready() is not called of it any more. */
void ht_answers_leave(struct ht_answers *a, int socket, const void *of);
/* Nothing is looked at for a while. */
void ht_answers_rest(struct ht_answers *a);

#endif
