/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of files, each parsed once in an agent's life. A file is known by
 * device and inode: what is mapped cannot be another file of the same number.
 */

#include "agent/libc/debugfile.h"
#include "agent/libc/facts_read.h"
#include "agent/libc/facts_shared.h"
#include "agent/libc/layout_role.h"
#include "agent/libc/locate_int.h"
#include "common/cleanup.h"

struct entry {
	struct entry *next;
	uint64_t dev, inode; /* as the maps say them: no open is needed */
	bool debug, exe;
	uint64_t live;	   /* start of the load it was copied from; 0: a file */
	enum ht_code code; /* a file that cannot be parsed is remembered too */
	struct ht_err err;
	struct ht_facts facts;
};

struct ht_locate_cache {
	struct ht_layout_role role;
	struct entry *first;
};

struct ht_locate_cache *ht_locate_cache_new(void)
{
	struct ht_locate_cache *c = calloc(1, sizeof(*c));

	if (c)
		c->role.socket = -1;
	return c;
}

void ht_locate_cache_free(struct ht_locate_cache *c)
{
	if (!c)
		return;
	ht_layout_role_stop(&c->role);
	while (c->first) {
		struct entry *e = c->first;

		c->first = e->next;
		free(e);
	}
	free(c);
}

static struct entry *find(const struct ht_locate_cache *c,
			  const struct ht_image_at *image, bool debug)
{
	for (struct entry *e = c->first; e; e = e->next)
		if (e->dev == image->first->dev &&
		    e->inode == image->first->inode && e->debug == debug &&
		    e->exe == image->exe &&
		    (!e->live || e->live == image->start))
			return e;
	return NULL;
}

static enum ht_code parse(struct ht_locate_cache *c,
			  const struct ht_locate_in *in, int fd, int debug_fd,
			  unsigned want, struct ht_facts *ret,
			  struct ht_err *err)
{
	enum ht_code code;
	bool shared;

	if (!in->role_exe)
		return ht_facts_read(fd, debug_fd, want, ret, err);
	/* A copy of what is mapped is no file, and this target's alone. */
	shared = !(want & HT_FACTS_LIVE);
	if (shared && ht_facts_shared_find(fd, debug_fd, want, ret))
		return HT_OK;
	if (c->role.socket < 0) {
		code = ht_layout_role_start(in->role_exe, &c->role, err);
		if (code != HT_OK)
			return code;
	}
	code = ht_layout_role_ask(&c->role, fd, debug_fd, want, ret, err);
	if (code == HT_OK && shared)
		ht_facts_shared_put(fd, debug_fd, want, ret);
	return code;
}

/* Whether what is mapped of it tells enough of a malloc. A kernel's core has
 * the first page of a library, and its data. */
static bool tells_enough(const struct ht_facts *x)
{
	return x->arenas_n || x->flags & (HT_FACTS_GLIBC | HT_FACTS_MALLOC);
}

/* What is mapped of it, in the place of a file that is gone or of another
 * build. False: that does not do; the entry is as it was. */
static bool read_copy(struct ht_locate_cache *c, const struct ht_locate_in *in,
		      const struct ht_image_at *image, unsigned want,
		      struct entry *e)
{
	HT_AUTO_FREE struct ht_facts *facts = calloc(1, sizeof(*facts));
	HT_AUTO_FD int fd = -1;
	bool gone = e->code != HT_OK;

	if (!facts || ht_image_copy(in, image, &fd, NULL) != HT_OK ||
	    parse(c, in, fd, -1, want | HT_FACTS_LIVE, facts, NULL) != HT_OK)
		return false;
	if (!(gone && in->pid > 0) && !tells_enough(facts))
		return false;
	e->facts = *facts;
	e->code = HT_OK;
	e->live = image->start;
	return true;
}

static void read_entry(struct ht_locate_cache *c, const struct ht_locate_in *in,
		       const struct ht_image_at *image, struct entry *e)
{
	HT_AUTO_FD int fd = -1;
	HT_AUTO_FD int debug_fd = -1;
	unsigned want = image->exe ? HT_FACTS_IS_EXE : 0;
	const struct entry *plain = find(c, image, false);
	struct ht_found f;

	if (e->debug && plain && plain->live) {
		e->live = plain->live; /* addresses do not fit a debug file's */
		e->facts = plain->facts;
		return;
	}
	if (!e->debug)
		want |= HT_FACTS_NO_SYMTAB;
	e->code = ht_image_open(in, image, &fd, &e->err);
	if (e->code != HT_OK) {
		if (!e->debug)
			read_copy(c, in, image, want, e);
		return;
	}
	if (e->debug && plain && plain->code == HT_OK)
		debug_fd = ht_debugfile_open(
			&(struct ht_debugfile_ask){.pid = in->pid,
						   .root = in->sysroot},
			image->path, &plain->facts);
	e->code = parse(c, in, fd, debug_fd, want, &e->facts, &e->err);
	if (e->debug || e->code != HT_OK)
		return;
	ht_place_image(image, &e->facts, &f);
	if (!ht_is_same_build(in, &f))
		read_copy(c, in, image, want, e);
}

enum ht_code ht_cache_facts(struct ht_locate_cache *c,
			    const struct ht_locate_in *in,
			    const struct ht_image_at *image, bool debug,
			    const struct ht_facts **ret, struct ht_err *err)
{
	struct entry *e = find(c, image, debug);

	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return ht_fail(err, HT_NOMEM, "facts of %s",
				       image->path);
		e->dev = image->first->dev;
		e->inode = image->first->inode;
		e->debug = debug;
		e->exe = image->exe;
		read_entry(c, in, image, e);
		/* Of us or of the moment, not of the file: not remembered. */
		if (e->code != HT_OK && e->code != HT_UNSUPPORTED) {
			enum ht_code code = e->code;

			if (err)
				*err = e->err;
			free(e);
			return code;
		}
		e->next = c->first;
		c->first = e;
	}
	if (e->code != HT_OK) {
		if (err)
			*err = e->err;
		return e->code;
	}
	*ret = &e->facts;
	return HT_OK;
}
