/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/agents/answers.h"

#include <errno.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/loop/timer.h"

/* An agent answers about a small heap in one to two. */
#define REST_NS (2 * HT_NS_PER_MS)

/* One that is taken may make others leave. */
static void take(struct ht_answers *a)
{
	int n = epoll_wait(a->set, a->at_hand, HT_ANSWERS_AT_ONCE, 0);

	a->at_hand_n = n > 0 ? (size_t)n : 0;
	for (size_t i = 0; i < a->at_hand_n; i++)
		if (a->at_hand[i].data.ptr)
			a->ready(a->at_hand[i].data.ptr);
	a->at_hand_n = 0;
}

static int on_set(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	(void)source;
	(void)fd;
	(void)events;
	take(ctx);
	return 0;
}

static void listen_again(struct ht_answers *a)
{
	a->rests = false;
	if (sd_event_source_set_io_events(a->source, EPOLLIN) < 0)
		ht_log(LOG_ERR, "cannot watch agents' sockets");
}

static int on_rested(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_answers *a = ctx;

	(void)source;
	(void)now_us;
	a->rests = false;
	take(a);
	if (!a->rests)
		listen_again(a);
	return 0;
}

void ht_answers_rest(struct ht_answers *a)
{
	struct ht_err err;

	if (a->rests)
		return;
	a->rests = true;
	if (ht_timer_set(a->event, &a->timer, ht_mono_ns() + REST_NS, on_rested,
			 a, &err) != HT_OK) {
		ht_log_err(LOG_ERR, "agents' timer", &err);
		listen_again(a);
		return;
	}
	/* the set stays in the loop's own: putting one into the other again
	 * would have the kernel go through all its sockets */
	sd_event_source_set_io_events(a->source, 0);
}

enum ht_code ht_answers_init(struct ht_answers *a, sd_event *event,
			     void (*ready)(void *of), struct ht_err *err)
{
	*a = (struct ht_answers){.event = event,
				 .ready = ready,
				 .set = epoll_create1(EPOLL_CLOEXEC)};
	if (a->set < 0)
		return ht_fail_sys(err, HT_SYS, errno, "watch agents' sockets");
	if (sd_event_add_io(event, &a->source, a->set, EPOLLIN, on_set, a) < 0)
		return ht_fail(err, HT_SYS, "cannot watch agents' sockets");
	return HT_OK;
}

void ht_answers_fini(struct ht_answers *a)
{
	a->source = sd_event_source_disable_unref(a->source);
	a->timer = sd_event_source_disable_unref(a->timer);
	if (a->set >= 0)
		close(a->set);
	a->set = -1;
}

enum ht_code ht_answers_add(struct ht_answers *a, int socket, void *of,
			    struct ht_err *err)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = of};

	if (epoll_ctl(a->set, EPOLL_CTL_ADD, socket, &e) < 0)
		return ht_fail_sys(err, HT_SYS, errno,
				   "watch the agent's socket");
	return HT_OK;
}

void ht_answers_leave(struct ht_answers *a, int socket, const void *of)
{
	epoll_ctl(a->set, EPOLL_CTL_DEL, socket, NULL);
	for (size_t i = 0; i < a->at_hand_n; i++)
		if (a->at_hand[i].data.ptr == of)
			a->at_hand[i].data.ptr = NULL;
}
