/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/next.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/thresholds.h"

#define AT(label) (1u << HT_LABEL_##label)
#define EVER	  (AT(COUNT) - 1)
#define GROWN	  (AT(POOL_GROWTH) | AT(TOP_PINNED) | AT(LEAK))
/* docs/bench.md, the pause by the size of the heap: snapshot. */
#define FORK "stops it for a fork, some 16 ms a GiB"

/* What a command needs to be of use. */
enum {
	LIVE = 1,
	TRIMMABLE = 2,
	UNSURE = 4,    /* more time may change the verdict */
	NOT_TOLD = 8,  /* by owners */
	OF_CLASS = 16, /* takes the size class */
	RECORD = 32,   /* names it */
	STOPS = 64,
	NO_HEAP = 128, /* where malloc is another's */
};

static const struct {
	const char *command, *more;
	unsigned int labels, needs;
	const char *why;
} steps[] = {
	{"owners", "", AT(LEAK), LIVE | NOT_TOLD | OF_CLASS | STOPS,
	 "who holds them"},
	{"who", "", AT(LEAK), LIVE | OF_CLASS,
	 "the call stacks that ask for them, in a minute; as root, Linux 5.15: its calls that are seen take up to 16 us longer, 0.3 % of a thread in all"},
	{"leaks", "", AT(LEAK), LIVE | STOPS, "what nothing leads to any more"},
	{"map", "", AT(NON_MALLOC_GROWTH), LIVE, "what lies outside malloc"},
	{"map", "", AT(INSUFFICIENT_DATA), LIVE | NO_HEAP,
	 "where its memory is, mapping by mapping"},
	{"arenas", "", AT(ARENA_PROLIFERATION), LIVE, "what each arena keeps"},
	{"types", "", AT(FRAGMENTATION), LIVE | STOPS,
	 "what the chunks are that hold the pages"},
	{"trim", "", GROWN | AT(FRAGMENTATION) | AT(ARENA_PROLIFERATION),
	 LIVE | TRIMMABLE, "what would come back; with --yes it does"},
	{"diagnose", " -d 10m -o", EVER, LIVE | UNSURE | RECORD,
	 "goes on with this record: surer"},
	{"report", " --db", EVER, RECORD, "the same as a page, with plots"},
};

static unsigned int facts_of(const struct ht_next_ask *ask)
{
	const struct ht_verdict *v = ask->verdict;
	bool hopeless = ask->no_heap && v->label == HT_LABEL_INSUFFICIENT_DATA;
	bool unsure = v->confidence < ht_t.confidence_high && !hopeless;

	return (ask->alive ? LIVE : 0u) | (ask->trimmable ? TRIMMABLE : 0u) |
	       (unsure ? UNSURE : 0u) | (ask->owners_told ? 0u : NOT_TOLD) |
	       (ask->db ? RECORD : 0u) | (ask->no_heap ? NO_HEAP : 0u);
}

static void put(const struct ht_next_ask *ask, size_t step, struct ht_next *ret)
{
	const unsigned int needs = steps[step].needs;
	uint64_t class = ask->verdict->culprit_class;
	char size[40] = "", file[300] = "", db[256];

	if (needs & OF_CLASS && class != HT_UNKNOWN && class > 0)
		snprintf(size, sizeof(size), " --size %" PRIu64, class);
	if (needs & RECORD)
		snprintf(file, sizeof(file), " %s",
			 ht_shell_word(ask->db, db, sizeof(db)));
	*ret = (struct ht_next){.why = steps[step].why,
				.cost = needs & STOPS ? FORK : "",
				.stops = needs & STOPS};
	snprintf(ret->type, sizeof(ret->type), "heaptide %s %" PRIu64 "%s%s%s",
		 steps[step].command, ask->pid, size, steps[step].more, file);
}

size_t ht_next(const struct ht_next_ask *ask, struct ht_next ret[HT_NEXT_MAX])
{
	const unsigned int asked =
		LIVE | TRIMMABLE | UNSURE | NOT_TOLD | RECORD | NO_HEAP;
	unsigned int facts = facts_of(ask);
	size_t n = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (steps[i].labels >> ask->verdict->label & 1 &&
		    (steps[i].needs & asked & ~facts) == 0 && n < HT_NEXT_MAX)
			put(ask, i, &ret[n++]);
	return n;
}

static bool is_plain(const char *word)
{
	return *word &&
	       !word[strspn(
		       word,
		       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,+=@%-")];
}

const char *ht_shell_word(const char *word, char *out, size_t len)
{
	size_t used = 0;

	if (is_plain(word)) {
		snprintf(out, len, "%s", word);
		return out;
	}
	out[used++] = '\'';
	for (; *word && used + 6 < len; word++) {
		if (*word == '\'') {
			memcpy(out + used, "'\\''", 4);
			used += 4;
		} else {
			out[used++] = *word;
		}
	}
	out[used++] = '\'';
	out[used] = '\0';
	return out;
}
