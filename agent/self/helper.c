/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/helper.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define STACK ((size_t)256 << 10)

static struct {
	pid_t owner; /* 0: no thread */
	pid_t tid;
	pthread_mutex_t lock;
	pthread_cond_t given, done;
	bool ready; /* it has made the calls that a new thread makes */
	void (*job)(void *ctx); /* NULL: idle */
	void *ctx;
} helper = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.given = PTHREAD_COND_INITIALIZER,
	.done = PTHREAD_COND_INITIALIZER,
};

static void *work(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&helper.lock);
	helper.tid = gettid();
	helper.ready = true;
	pthread_cond_signal(&helper.done);
	for (;;) {
		while (!helper.job)
			pthread_cond_wait(&helper.given, &helper.lock);
		pthread_mutex_unlock(&helper.lock);
		helper.job(helper.ctx);
		pthread_mutex_lock(&helper.lock);
		helper.job = NULL;
		pthread_cond_signal(&helper.done);
	}
	return NULL;
}

void ht_helper_start(void)
{
	pthread_attr_t small;
	sigset_t all, old;
	pthread_t thread;

	if (helper.owner == getpid())
		return;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	/* Signals are the first thread's: SIGCHLD tells it of stops. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	helper.ready = false;
	if (pthread_create(&thread, &small, work, NULL) == 0)
		helper.owner = getpid();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&small);
	pthread_mutex_lock(&helper.lock);
	while (helper.owner == getpid() && !helper.ready)
		pthread_cond_wait(&helper.done, &helper.lock);
	pthread_mutex_unlock(&helper.lock);
}

bool ht_helper_run(void (*job)(void *ctx), void *ctx)
{
	bool idle;

	if (helper.owner == 0 || helper.owner != getpid())
		return false;
	pthread_mutex_lock(&helper.lock);
	idle = !helper.job;
	if (idle) {
		helper.ctx = ctx;
		helper.job = job;
		pthread_cond_signal(&helper.given);
	}
	pthread_mutex_unlock(&helper.lock);
	return idle;
}

void ht_helper_wait(void)
{
	pthread_mutex_lock(&helper.lock);
	while (helper.job)
		pthread_cond_wait(&helper.done, &helper.lock);
	pthread_mutex_unlock(&helper.lock);
}

bool ht_helper_wait_for(int64_t ns)
{
	int64_t until = ht_mono_ns() + ns;
	const struct timespec limit = {until / HT_NS_PER_S,
				       until % HT_NS_PER_S};
	bool done;

	pthread_mutex_lock(&helper.lock);
	while (helper.job &&
	       pthread_cond_clockwait(&helper.done, &helper.lock,
				      CLOCK_MONOTONIC, &limit) == 0)
		;
	done = !helper.job;
	pthread_mutex_unlock(&helper.lock);
	return done;
}

pid_t ht_helper_tid(void)
{
	return helper.owner == getpid() ? helper.tid : 0;
}
