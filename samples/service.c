/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service that `make run` looks at: an ordinary server's heap in small.
 *
 *   workers    four threads (so: four arenas) serving requests of mixed sizes
 *   sessions   a bounded pool: entries replaced for ever, never more of them
 *   report     a burst at the start, freed at once, with one small block left
 *              above it: memory that glibc keeps
 *   audit      a list that only ever grows: the leak, AUDIT_BYTES a record
 *
 * It prints its pid and runs until it is ended, or for the seconds in argv[1].
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	WORKERS = 4,
	SESSIONS = 4000,
	REQUEST_BLOCKS = 64,
	REPORT_BLOCKS = 60000,
	REPORT_BLOCK_BYTES = 1000,
	AUDIT_BYTES = 200,
	AUDIT_PER_TICK = 40,
	TICK_US = 20000,
};

struct audit {
	struct audit *older;
	char text[AUDIT_BYTES];
};

static struct audit *audit_log;
static void *session_pool[SESSIONS];
static void *report_summary;

static void tick(void)
{
	struct timespec pause = {.tv_nsec = TICK_US * 1000L};

	nanosleep(&pause, NULL);
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void *filled(size_t bytes)
{
	void *block = malloc(bytes);

	if (!block)
		abort();
	return memset(block, 'x', bytes);
}

/* One request: blocks of many sizes, all freed at its end. */
static void serve(uint32_t *random)
{
	void *blocks[REQUEST_BLOCKS];

	for (int i = 0; i < REQUEST_BLOCKS; i++)
		blocks[i] = filled(16 + next_random(random) % 8000);
	for (int i = 0; i < REQUEST_BLOCKS; i++)
		free(blocks[i]);
}

static void *worker(void *arg)
{
	uint32_t random = (uint32_t)(uintptr_t)arg;

	for (;;) {
		serve(&random);
		tick();
	}
	return NULL;
}

static void replace_session(uint32_t *random)
{
	size_t slot = next_random(random) % SESSIONS;

	free(session_pool[slot]);
	session_pool[slot] = filled(100 + next_random(random) % 900);
}

static void make_report(void)
{
	static void *rows[REPORT_BLOCKS];

	for (int i = 0; i < REPORT_BLOCKS; i++)
		rows[i] = filled(REPORT_BLOCK_BYTES);
	report_summary = filled(24);
	for (int i = 0; i < REPORT_BLOCKS; i++)
		free(rows[i]);
}

static void append_audit(void)
{
	struct audit *record = filled(sizeof(*record));

	record->older = audit_log;
	audit_log = record;
}

int main(int argc, char **argv)
{
	uint32_t random = 1;
	long ticks = argc > 1 ? atol(argv[1]) * 1000000L / TICK_US : -1;

	for (uintptr_t i = 1; i <= WORKERS; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, worker, (void *)i) != 0)
			return 1;
	}
	make_report();
	for (int i = 0; i < SESSIONS * 8; i++)
		replace_session(&random);
	printf("%d\n", (int)getpid());
	fflush(stdout);
	for (; ticks != 0; ticks -= ticks > 0) {
		for (int i = 0; i < AUDIT_PER_TICK; i++)
			append_audit();
		for (int i = 0; i < 20; i++)
			replace_session(&random);
		tick();
	}
	return 0;
}
