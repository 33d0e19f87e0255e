/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/restart.h"

#include <errno.h>
#include <stddef.h>

bool ht_restart_brief(const struct ht_sleep *sleep, unsigned word)
{
	const struct ht_interrupted *c = ht_interrupted(sleep->nr, word);

	return c && c->does == HT_INTERRUPT_BRIEF;
}

bool ht_restart_survives(const struct ht_sleep *sleep, unsigned word)
{
	const struct ht_interrupted *c = ht_interrupted(sleep->nr, word);

	if (!c)
		return false;
	if (c->does == HT_INTERRUPT_SURVIVES)
		return true;
	if (c->does != HT_INTERRUPT_EINTR_WAIT)
		return false;
	if (c->limit_arg < 0)
		return true;
	return (uint32_t)sleep->arg[c->limit_arg] == c->for_ever &&
	       (c->for_ever == HT_FOR_EVER_MS || sleep->arg[c->limit_arg] == 0);
}

bool ht_restart_needs_repair(const struct ht_sleep *sleep, unsigned word)
{
	const struct ht_interrupted *c = ht_interrupted(sleep->nr, word);

	return c && c->does == HT_INTERRUPT_EINTR_WAIT;
}

bool ht_restart_repair(struct ht_regs *regs)
{
	const struct ht_interrupted *c;

	if (ht_regs_call(regs) < 0 || (int)ht_regs_result(regs) != -EINTR)
		return false;
	c = ht_interrupted(ht_regs_call(regs), ht_regs_word(regs));
	if (!c || c->does < HT_INTERRUPT_EINTR)
		return false;
	ht_regs_set_result(regs, -HT_ERESTARTNOHAND);
	return true;
}
