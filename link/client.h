/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client: the parent's end of one agent. Starts heaptide-agent as a child with
 * a socket on descriptor 3, an empty environment, stdin and stdout on
 * /dev/null, stderr ours (its last words, should it crash) and nothing else
 * open; asks; collects the answer without blocking; ends it. Used by the CLI
 * (which polls) and the daemon (which watches the two descriptors in its loop).
 *
 * The agent's arguments: `--pid PID`, or `--core FILE [--exe FILE] [--sysroot
 * DIR]`.
 */
#ifndef HT_LINK_CLIENT_H
#define HT_LINK_CLIENT_H

#include <sys/types.h>
#include <time.h>

#include "link/wire.h"

struct ht_client {
	pid_t agent_pid;
	int pidfd;	 /* readable when the agent has ended */
	int socket;	 /* non-blocking */
	clockid_t clock; /* of its processor time; 0: none is known */
	struct ht_wire_in in;
};

#define HT_CLIENT_NONE ((struct ht_client){0, -1, -1, 0, {0}})

/* Where the agent is: $HEAPTIDE_AGENT, beside this program, or in libexec.
 * HT_SYS when there is none; HT_DENIED when this user may not run it. */
enum ht_code ht_client_find_agent(char *path, size_t len,
				  struct ht_err *err) HT_MUST_CHECK;
/* A core file in place of a process. */
struct ht_client_core {
	const char *path;
	const char *exe, *sysroot; /* or NULL */
};
/* Starts an agent for one target; core: instead of a pid, or NULL. On failure
 * ret is HT_CLIENT_NONE. */
enum ht_code ht_client_start(const char *agent_path, pid_t target,
			     const struct ht_client_core *core,
			     struct ht_client *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* Sends a request; the answer will go to `into`, an initialised snapshot that
 * is emptied first (borrowed until the answer is there). */
enum ht_code ht_client_ask(struct ht_client *c, const struct ht_request *r,
			   struct ht_snapshot *into,
			   struct ht_err *err) HT_MUST_CHECK;
/* Takes what has arrived, a bounded amount a call, without waiting for more.
 * HT_OK with c->in.state still HT_WIRE_OPEN: more to come. The agent's own
 * error, or its death in words, is returned as the code and err; an agent that
 * breaks the protocol is killed. (An agent that has closed its socket is given
 * 50 ms to die, so that its death can be told.) */
enum ht_code ht_client_receive(struct ht_client *c,
			       struct ht_err *err) HT_MUST_CHECK;
/* ask + receive until the answer is whole or the request's timeout is over;
 * then the agent is killed: HT_TIMEOUT.
 * progress: called at most five times a second, or NULL. */
enum ht_code ht_client_sample(struct ht_client *c, const struct ht_request *r,
			      struct ht_snapshot *into,
			      void (*progress)(void *ctx, uint64_t done,
					       uint64_t total),
			      void *ctx, struct ht_err *err) HT_MUST_CHECK;
/* Processor time of the agent so far; 0: there is none, or it is gone. */
int64_t ht_client_cpu_ns(const struct ht_client *c);
/* SIGKILL, without waiting: the pidfd becomes readable when it is dead. */
void ht_client_kill(struct ht_client *c);
/* Closes the socket, waits a moment, kills if needed, reaps. Waits not at all
 * when the agent is dead already. Safe on HT_CLIENT_NONE and twice. */
void ht_client_stop(struct ht_client *c);
#define HT_AUTO_CLIENT HT_CLEANUP(ht_client_stop)

#endif
