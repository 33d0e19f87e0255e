/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/agents/reaper.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "common/clock.h"
#include "daemon/loop/timer.h"

struct departed {
	struct ht_client client;
	sd_event_source *ended, *late;
};

static int on_ended(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct departed *d = ctx;

	(void)source;
	(void)fd;
	(void)events;
	sd_event_source_disable_unref(d->ended);
	sd_event_source_disable_unref(d->late);
	ht_client_stop(&d->client); /* dead: does not wait */
	free(d);
	return 0;
}

static int on_late(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct departed *d = ctx;

	(void)source;
	(void)now_us;
	ht_client_kill(&d->client);
	return 0;
}

void ht_reap(sd_event *event, struct ht_client *client)
{
	struct departed *d = calloc(1, sizeof(*d));

	if (!d) {
		ht_client_kill(client);
		ht_client_stop(client);
		return;
	}
	if (client->socket >= 0)
		close(client->socket);
	client->socket = -1;
	ht_wire_in_fini(&client->in);
	d->client = *client;
	*client = HT_CLIENT_NONE;
	if (sd_event_add_io(event, &d->ended, d->client.pidfd, EPOLLIN,
			    on_ended, d) < 0 ||
	    ht_timer_set(event, &d->late, ht_mono_ns() + HT_NS_PER_S, on_late,
			 d, NULL) != HT_OK) {
		ht_client_kill(&d->client);
		on_ended(NULL, -1, 0, d);
	}
}
