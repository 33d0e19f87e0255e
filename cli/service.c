/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/service.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/proc.h"
#include "common/cleanup.h"
#include "common/clock.h"

/* Apart by no more than that, or by some samples, two were seen last at the
 * same time. */
#define APART_NS      (120 * HT_NS_PER_S)
#define APART_SAMPLES 10
#define NAMED	      16 /* pids in a message */

bool ht_process_lives(const struct ht_store_process *p)
{
	char boot[64];

	if (p->ended_ns || p->pid > INT32_MAX ||
	    !ht_proc_text("sys/kernel", "random/boot_id", boot, sizeof(boot)))
		return false;
	boot[strcspn(boot, "\n")] = '\0';
	return strcmp(boot, p->boot_id) == 0 &&
	       (kill((pid_t)p->pid, 0) == 0 || errno == EPERM);
}

static bool same_name(const struct ht_store_process *a,
		      const struct ht_store_process *b)
{
	if (*a->target || *b->target)
		return strcmp(a->target, b->target) == 0;
	return *a->exe ? strcmp(a->exe, b->exe) == 0
		       : !*b->exe && strcmp(a->comm, b->comm) == 0;
}

static int64_t interval_ns(const struct ht_store_process *p)
{
	return p->samples > 1
		       ? (p->last_ns - p->first_ns) / (int64_t)(p->samples - 1)
		       : 0;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool seen_last_together(const struct ht_store_process *a,
			       const struct ht_store_process *b)
{
	int64_t apart_ns =
		larger(a->last_ns - b->last_ns, b->last_ns - a->last_ns);

	return apart_ns <=
	       larger(APART_NS,
		      APART_SAMPLES * larger(interval_ns(a), interval_ns(b)));
}

static bool ran_together(const struct ht_store_process *a,
			 const struct ht_store_process *b)
{
	int64_t from = larger(a->first_ns, b->first_ns);
	int64_t to = a->last_ns < b->last_ns ? a->last_ns : b->last_ns;
	int64_t x = a->last_ns - a->first_ns, y = b->last_ns - b->first_ns;

	return to - from > (x < y ? x : y) / 2;
}

bool ht_together(const struct ht_member *a, const struct ht_member *b)
{
	const struct ht_store_process *p = &a->process, *q = &b->process;

	return same_name(p, q) && a->lives == b->lives &&
	       !p->ended_ns == !q->ended_ns && seen_last_together(p, q) &&
	       (a->lives || ran_together(p, q));
}

void ht_service_fini(struct ht_service *s)
{
	free(s->member);
	*s = (struct ht_service){0};
}

struct finding {
	struct ht_service *service;
	bool failed;
};

static bool add(struct ht_service *s, const struct ht_member *m)
{
	struct ht_member *grown =
		reallocarray(s->member, s->n + 1, sizeof(*grown));

	if (!grown)
		return false;
	s->member = grown;
	grown[s->n++] = *m;
	return true;
}

static int each(void *ctx, const struct ht_store_process *p)
{
	struct finding *f = ctx;
	struct ht_service *s = f->service;
	struct ht_member m = {.process = *p};

	if (p->id == s->member[0].process.id ||
	    !same_name(p, &s->member[0].process))
		return 0;
	m.lives = ht_process_lives(p);
	if (ht_together(&s->member[0], &m))
		f->failed = !add(s, &m);
	return f->failed;
}

/* A word that is a number or "#ID" means one process. */
static bool names_one(const char *word)
{
	word += *word == '#';
	return *word && !word[strspn(word, "0123456789")];
}

enum ht_code ht_service_find(struct ht_store *store, const char *word,
			     struct ht_service *ret, struct ht_err *err)
{
	struct finding f = {.service = ret};
	struct ht_member first = {0};
	enum ht_code code = ht_store_find(store, word, &first.process, err);

	if (code != HT_OK)
		return code;
	first.lives = ht_process_lives(&first.process);
	if (!add(ret, &first))
		return ht_fail(err, HT_NOMEM, "out of memory");
	if (!names_one(word))
		code = ht_store_processes(store, each, &f, err);
	if (f.failed)
		return ht_fail(err, HT_NOMEM, "out of memory");
	return code;
}

enum ht_code ht_service_one(struct ht_store *store, const char *word,
			    struct ht_store_process *ret, struct ht_err *err)
{
	HT_AUTO_SERVICE struct ht_service s = {0};
	enum ht_code code = ht_service_find(store, word, &s, err);
	char list[NAMED * 12] = "";
	size_t used = 0;

	if (code != HT_OK)
		return code;
	*ret = s.member[0].process;
	if (s.n == 1)
		return HT_OK;
	for (size_t i = 0; i < s.n && i < NAMED; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used,
					 " %d", (int)s.member[i].process.pid);
	return ht_fail_hint(err, HT_USAGE, HT_HINT_ONE_PROCESS,
			    "several processes are named '%s':%s%s", word, list,
			    s.n > NAMED ? " ..." : "");
}
