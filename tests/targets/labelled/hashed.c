/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hashed: 2000 objects of some 300 bytes in a table of uthash, the_users: each
 * is a member of one list of all and of one of its bucket's. Prints "ready" and
 * runs until it is ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uthash.h>

enum { COUNT = 2000 };

struct user {
	int id;
	char text[230];
	UT_hash_handle hh;
};

struct user *the_users;

int main(void)
{
	for (int i = 0; i < COUNT; i++) {
		struct user *u = calloc(1, sizeof(*u));

		if (!u)
			abort();
		u->id = i * 7919;
		HASH_ADD_INT(the_users, id, u);
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
