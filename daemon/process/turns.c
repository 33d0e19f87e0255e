/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/turns.h"

#include <stddef.h>

/* Two that are first of their own, as one. */
static struct ht_turn *meld(struct ht_turn *a, struct ht_turn *b)
{
	if (!a || !b)
		return a ?: b;
	if (b->at_ns < a->at_ns) {
		struct ht_turn *first = b;

		b = a;
		a = first;
	}
	b->beside = a->child;
	if (b->beside)
		b->beside->before = b;
	b->before = a;
	a->child = b;
	return a;
}

static struct ht_turn *cut_first(struct ht_turn **list)
{
	struct ht_turn *t = *list;

	if (!t)
		return NULL;
	*list = t->beside;
	t->beside = t->before = NULL;
	return t;
}

/* Children as one, by pairs, then from the last pair on: what keeps later turns
 * cheap. */
static struct ht_turn *meld_all(struct ht_turn *list)
{
	struct ht_turn *pairs = NULL, *all = NULL, *next;

	while (list) {
		struct ht_turn *a = cut_first(&list), *b = cut_first(&list);

		a = meld(a, b);
		a->beside = pairs;
		pairs = a;
	}
	for (; pairs; pairs = next) {
		next = pairs->beside;
		pairs->beside = NULL;
		all = meld(all, pairs);
	}
	return all;
}

void ht_turns_leave(struct ht_turns *t, struct ht_turn *turn)
{
	struct ht_turn *rest;

	if (!turn->waits)
		return;
	rest = meld_all(turn->child);
	if (!turn->before)
		t->first = NULL;
	else if (turn->before->child == turn)
		turn->before->child = turn->beside;
	else
		turn->before->beside = turn->beside;
	if (turn->beside)
		turn->beside->before = turn->before;
	t->first = meld(t->first, rest);
	*turn = (struct ht_turn){.at_ns = turn->at_ns};
}

void ht_turns_put(struct ht_turns *t, struct ht_turn *turn, int64_t at_ns)
{
	ht_turns_leave(t, turn);
	*turn = (struct ht_turn){.at_ns = at_ns, .waits = true};
	t->first = meld(t->first, turn);
}
