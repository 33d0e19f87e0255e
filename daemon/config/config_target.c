/* SPDX-License-Identifier: Apache-2.0 */
/* One target of the configuration, from its file or from the control socket.
 * Declared in config.h. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config/config_int.h"

enum ht_code ht_target_config_init(const struct ht_config *c, const char *name,
				   struct ht_target_config *ret,
				   struct ht_err *err)
{
	if (!ht_config_name_allowed(name))
		return ht_fail(
			err, HT_CONFIG,
			"'%.60s' is no name for a target: letters, digits and _.@:- please",
			name);
	*ret = c->defaults;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	return HT_OK;
}

static enum ht_code look_up_user(struct ht_selectors *s, struct ht_err *err)
{
	char *end;
	unsigned long uid = strtoul(s->user, &end, 10);
	const struct passwd *found;

	if (end != s->user && !*end) {
		s->uid = uid;
		return HT_OK;
	}
	found = getpwnam(s->user);
	if (!found)
		return ht_fail(err, HT_CONFIG, "there is no user '%s'",
			       s->user);
	s->uid = found->pw_uid;
	return HT_OK;
}

static enum ht_code compile_cmdline(struct ht_selectors *s, struct ht_err *err)
{
	ht_pattern_free(s->pattern);
	s->pattern = NULL;
	return *s->cmdline ? ht_pattern_compile(s->cmdline, &s->pattern, err)
			   : HT_OK;
}

enum ht_code ht_target_config_set(struct ht_target_config *t, const char *key,
				  const char *value, struct ht_err *err)
{
	enum ht_code code = ht_key_set(&ht_selector_keys, t, key, value, err);

	if (code == HT_USAGE) {
		code = ht_key_set(&ht_defaults_keys, t, key, value, err);
		if (code == HT_USAGE)
			return ht_fail(err, HT_USAGE,
				       "a target has no key '%.40s'", key);
		return code;
	}
	if (code == HT_OK && strcmp(key, "user") == 0)
		code = look_up_user(&t->select, err);
	if (code == HT_OK && strcmp(key, "cmdline") == 0)
		code = compile_cmdline(&t->select, err);
	return code;
}

enum ht_code ht_target_config_check(const struct ht_target_config *t,
				    struct ht_err *err)
{
	const struct ht_selectors *s = &t->select;

	if (!s->pid && !s->name[0] && !s->exe[0] && !s->cmdline[0] &&
	    !s->unit[0] && !s->cgroup[0] && !s->user[0])
		return ht_fail(
			err, HT_CONFIG,
			"selects no process: give it one of pid, name, exe, cmdline, unit, cgroup, user");
	return HT_OK;
}

void ht_target_config_fini(struct ht_target_config *t)
{
	ht_pattern_free(t->select.pattern);
	t->select.pattern = NULL;
}
