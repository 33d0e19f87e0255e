/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents: what the live page shows, made from the history by a child, so
 * that the loop never waits for the store nor for a history of months; where
 * that cannot be read, by a child that has what the daemon has in memory. One
 * child at a time, nicer than the daemon, ended when it takes too long; what it
 * wrote is kept for seconds, longer the dearer it was, and shared by all who
 * ask. Why a child: docs/adr/0028.
 */
#ifndef HT_DAEMON_HTTP_DOCUMENTS_H
#define HT_DAEMON_HTTP_DOCUMENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/err.h"

#define HT_DOCUMENTS_MAX 16

struct MHD_Response;
struct ht_waiter;

struct ht_document {
	bool used;
	int64_t id; /* of a process of the store; 0: of all; below: none of it
		     */
	unsigned status;	       /* HTTP, of the response */
	struct MHD_Response *response; /* NULL: none yet */
	int64_t made_ns, fresh_ns;     /* monotonic; it is fresh until then */
	int64_t asked_ns;	       /* last */
	bool queued;		       /* a child is to make it, or does */
	struct ht_waiter *waiters;     /* utlist; owned by who asks */
};

struct ht_documents {
	sd_event *event;
	const char *store;
	const char *trouble; /* of the store; empty: it is well */
	/* Writes a document of what is in memory, and why it is of that: in a
	 * child that has a copy of all. */
	enum ht_code (*remember)(void *ctx, int64_t id, const char *why,
				 FILE *to, struct ht_err *err);
	/* Who waits for it is to look again. */
	void (*ready)(void *ctx, struct ht_waiter *w);
	void *ctx;
	struct ht_document v[HT_DOCUMENTS_MAX];
	struct ht_document *making; /* NULL: no child runs */
	pid_t pid;
	bool remembering; /* the child does, for `why` */
	bool second;	  /* it is the second that tries */
	char why[400];
	int pidfd, file;
	sd_event_source *ended, *late;
	int64_t begun_ns;
	uint64_t made;
};

/* d: zero but for event, store (the database file), trouble, remember, ready
 * and ctx, which are borrowed. */
void ht_documents_init(struct ht_documents *d);
/* Ends the child; calls ready for all who wait. */
void ht_documents_fini(struct ht_documents *d);

/* Somebody who waits: part of what whoever asks has of a request. */
struct ht_waiter {
	struct ht_waiter *next, *prev;
	struct ht_document *of; /* NULL: waits for none */
};

/* A document that is fresh; NULL: it is being made and w waits for it, or,
 * where w->of is NULL, too many others are asked for. */
struct ht_document *ht_documents_ask(struct ht_documents *d, int64_t id,
				     struct ht_waiter *w);
/* What w waited for; NULL: nothing came of it. */
struct ht_document *ht_documents_take(struct ht_waiter *w);

/* The child: writes a document of the store to standard output, or why there
 * is none. arguments: the store's file, the id. Returns its exit status. */
int ht_document_main(char **arguments);
#define HT_DOCUMENT_ARGUMENT "--write-document"
/* The same by a fork: writes to the file and ends with the status. */
_Noreturn void ht_document_remember(const struct ht_documents *d, int64_t id,
				    int file);

#endif
