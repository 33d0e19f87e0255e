/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/http/documents.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/system.h"
#include "daemon/loop/timer.h"

#define FRESH_NS (2 * HT_NS_PER_S)
#define SHARE	 10 /* of a processor's time, at most 1 / SHARE */
#define LIMIT_NS (8 * HT_NS_PER_S)

static void begin_next(struct ht_documents *d);
static bool remember(struct ht_documents *d);
static bool read_history(struct ht_documents *d);

/* --- what is kept -------------------------------------------------------- */

static void put(struct ht_document *doc, unsigned status,
		struct MHD_Response *response)
{
	if (doc->response)
		MHD_destroy_response(doc->response);
	doc->response = response;
	doc->status = status;
}

static void put_text(struct ht_document *doc, unsigned status, const char *text)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

	if (r)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
					"text/plain; charset=utf-8");
	put(doc, status, r);
}

/* What the child wrote is sent from its file: nothing of it is copied here. */
static void put_file(struct ht_document *doc, int *file)
{
	struct stat st = {.st_size = 0};
	struct MHD_Response *r = NULL;

	if (fstat(*file, &st) == 0 && st.st_size > 0)
		r = MHD_create_response_from_fd64((uint64_t)st.st_size, *file);
	if (!r) {
		put_text(doc, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory\n");
		return;
	}
	*file = -1; /* the response's */
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
				"application/json");
	put(doc, MHD_HTTP_OK, r);
}

/* --- the child ----------------------------------------------------------- */

static const char *read_why(int file, char *out, size_t len)
{
	ssize_t n = pread(file, out, len - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? out : "the document could not be made\n";
}

static void put_why(struct ht_document *doc, const char *why, bool missing)
{
	put_text(doc,
		 missing ? MHD_HTTP_NOT_FOUND : MHD_HTTP_SERVICE_UNAVAILABLE,
		 why);
}

static void end_child(struct ht_documents *d)
{
	d->ended = sd_event_source_disable_unref(d->ended);
	d->late = sd_event_source_disable_unref(d->late);
	if (d->pidfd >= 0)
		close(d->pidfd);
	if (d->file >= 0)
		close(d->file);
	d->pidfd = d->file = -1;
	d->pid = 0;
}

/* It is made, or will not be: whoever waits is to look. */
static void settle(struct ht_documents *d)
{
	struct ht_document *doc = d->making;
	struct ht_waiter *w, *next;
	int64_t now_ns = ht_mono_ns();
	int64_t cost_ns = (now_ns - d->begun_ns) * SHARE;

	end_child(d);
	d->making = NULL;
	d->made++;
	doc->queued = false;
	doc->made_ns = now_ns;
	doc->fresh_ns = now_ns + (cost_ns > FRESH_NS ? cost_ns : FRESH_NS);
	DL_FOREACH_SAFE (doc->waiters, w, next)
		d->ready(d->ctx, w);
	begin_next(d);
}

/* It could not be made. What the history does not give, memory may, and the
 * other way round where that was asked first; where neither does, the history's
 * reason is told. */
static void take_failure(struct ht_documents *d, const char *why, bool missing)
{
	bool of_history = !d->remembering;
	bool again =
		!d->second && d->making->id >= 0 && !(of_history && missing);

	if (of_history || !d->second)
		put_why(d->making, why, missing);
	if (of_history)
		snprintf(d->why, sizeof(d->why), "%.*s",
			 (int)strcspn(why, "\n"), why);
	end_child(d);
	d->second = true;
	if (!again || !(of_history ? remember(d) : read_history(d)))
		settle(d);
}

static int on_ended(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct ht_documents *d = ctx;
	siginfo_t info = {0};
	char why[400];
	bool ended;

	(void)source;
	(void)fd;
	(void)events;
	if (ht_pidfd_wait(d->pidfd, &info, WEXITED | WNOHANG) < 0 ||
	    info.si_pid == 0)
		return 0;
	ended = info.si_code == CLD_EXITED;
	if (ended && info.si_status == 0) {
		put_file(d->making, &d->file);
		settle(d);
	} else if (ended) {
		take_failure(d, read_why(d->file, why, sizeof(why)),
			     info.si_status == ht_code_exit_status(HT_NODATA));
	} else {
		take_failure(d, "the document took too long, or too much\n",
			     false);
	}
	return 0;
}

static int on_late(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_documents *d = ctx;

	(void)source;
	(void)now_us;
	ht_log(LOG_WARNING, "a document of the page takes too long: ended");
	kill(d->pid, SIGKILL);
	return 0;
}

/* errno, or 0 */
static int spawn(struct ht_documents *d)
{
	char id[24], zone[128];
	char *argv[] = {(char *)(uintptr_t) "heaptided",
			(char *)(uintptr_t)HT_DOCUMENT_ARGUMENT,
			(char *)(uintptr_t)d->store, id, NULL};
	char *environment[] = {(char *)(uintptr_t) "LANG=C.UTF-8", NULL, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int bad;

	snprintf(id, sizeof(id), "%lld", (long long)d->making->id);
	if (getenv("TZ")) {
		snprintf(zone, sizeof(zone), "TZ=%.100s", getenv("TZ"));
		environment[1] = zone;
	}
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, d->file, 1);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	ht_spawn_close_from(&files, 3);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	bad = posix_spawn(&d->pid, "/proc/self/exe", &files, &attributes, argv,
			  environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return bad;
}

static bool follow(struct ht_documents *d)
{
	d->pidfd = ht_pidfd_open(d->pid);
	return d->pidfd >= 0 &&
	       sd_event_add_io(d->event, &d->ended, d->pidfd, EPOLLIN, on_ended,
			       d) >= 0 &&
	       ht_timer_set(d->event, &d->late, d->begun_ns + LIMIT_NS, on_late,
			    d, NULL) == HT_OK;
}

static void kill_child(struct ht_documents *d)
{
	if (d->pid <= 0)
		return;
	kill(d->pid, SIGKILL); /* it cannot be ignored: the wait is short */
	waitid(P_PID, (id_t)d->pid, &(siginfo_t){0}, WEXITED);
}

/* A child with a copy of all that the daemon knows: it touches nothing of the
 * store's that was open. False: there is none. */
static bool remember(struct ht_documents *d)
{
	d->remembering = true;
	d->file = memfd_create("document", MFD_CLOEXEC);
	d->pid = d->file >= 0 ? fork() : -1;
	if (d->pid == 0)
		ht_document_remember(d, d->making->id, d->file);
	if (d->pid > 0 && follow(d))
		return true;
	kill_child(d);
	end_child(d);
	return false;
}

static bool read_history(struct ht_documents *d)
{
	d->remembering = false;
	d->file = memfd_create("document", MFD_CLOEXEC);
	if (d->file >= 0 && spawn(d) == 0 && follow(d))
		return true;
	kill_child(d);
	end_child(d);
	return false;
}

static void begin(struct ht_documents *d, struct ht_document *doc)
{
	bool well = !*d->trouble && doc->id >= 0;

	d->making = doc;
	d->second = false;
	d->begun_ns = ht_mono_ns();
	snprintf(d->why, sizeof(d->why), "%s", d->trouble);
	if (well ? read_history(d) : remember(d))
		return;
	put_text(doc, MHD_HTTP_SERVICE_UNAVAILABLE,
		 "no process could be started to make it\n");
	settle(d);
}

/* Who asked first is served first. */
static void begin_next(struct ht_documents *d)
{
	struct ht_document *first = NULL;

	for (size_t i = 0; i < HT_DOCUMENTS_MAX; i++)
		if (d->v[i].queued &&
		    (!first || d->v[i].asked_ns < first->asked_ns))
			first = &d->v[i];
	if (first && !d->making)
		begin(d, first);
}

/* --- who asks ------------------------------------------------------------ */

/* The one of that id, or a place for it: the one that nobody asked for longest
 * makes room. NULL: all are waited for. */
static struct ht_document *place_of(struct ht_documents *d, int64_t id)
{
	struct ht_document *place = NULL;

	for (size_t i = 0; i < HT_DOCUMENTS_MAX; i++) {
		struct ht_document *doc = &d->v[i];

		if (doc->used && doc->id == id)
			return doc;
		if (!doc->queued && !doc->waiters &&
		    (!place || doc->asked_ns < place->asked_ns))
			place = doc;
	}
	if (!place)
		return NULL;
	put(place, 0, NULL);
	*place = (struct ht_document){.used = true, .id = id};
	return place;
}

struct ht_document *ht_documents_ask(struct ht_documents *d, int64_t id,
				     struct ht_waiter *w)
{
	struct ht_document *doc = place_of(d, id);
	int64_t now_ns = ht_mono_ns();

	if (!doc)
		return NULL;
	if (doc->response && now_ns < doc->fresh_ns) {
		doc->asked_ns = now_ns;
		return doc;
	}
	w->of = doc;
	DL_APPEND(doc->waiters, w);
	if (doc->queued)
		return NULL;
	doc->queued = true;
	doc->asked_ns = now_ns;
	begin_next(d);
	return NULL;
}

struct ht_document *ht_documents_take(struct ht_waiter *w)
{
	struct ht_document *doc = w->of;

	if (!doc)
		return NULL;
	DL_DELETE(doc->waiters, w);
	w->of = NULL;
	return doc->response ? doc : NULL;
}

void ht_documents_init(struct ht_documents *d)
{
	d->pidfd = d->file = -1;
}

void ht_documents_fini(struct ht_documents *d)
{
	kill_child(d);
	end_child(d);
	d->making = NULL;
	for (size_t i = 0; i < HT_DOCUMENTS_MAX; i++) {
		struct ht_waiter *w, *next;

		d->v[i].queued = false;
		DL_FOREACH_SAFE (d->v[i].waiters, w, next)
			d->ready(d->ctx, w);
		put(&d->v[i], 0, NULL);
		d->v[i].used = false;
	}
}
