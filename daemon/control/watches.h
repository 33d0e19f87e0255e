/* SPDX-License-Identifier: Apache-2.0 */
/* Watches: targets that people add while the daemon runs (`heaptide watch`).
 * They are kept in a file of the same form as the configuration, so that they
 * survive a restart; a pid's watch does only while that process lives. */
#ifndef HT_DAEMON_CONTROL_WATCHES_H
#define HT_DAEMON_CONTROL_WATCHES_H

#include <jansson.h>

#include "daemon/registry/registry.h"

/* A target from a request's arguments. */
enum ht_code ht_watch_parse(const struct ht_config *c, const char *name,
			    json_t *arguments, struct ht_target_config *ret,
			    struct ht_err *err) HT_MUST_CHECK;
/* To the configuration that the registry goes by, and to the file. Takes *t,
 * whether it succeeds or not. */
enum ht_code ht_watch_add(struct ht_registry *r, struct ht_target_config *t,
			  struct ht_err *err) HT_MUST_CHECK;
/* HT_REFUSED for targets of the configuration file. */
enum ht_code ht_watch_remove(struct ht_registry *r, const char *name,
			     struct ht_err *err) HT_MUST_CHECK;
/* Adds those of the file to a configuration that was just read. */
void ht_watches_load(struct ht_config *c);

#endif
