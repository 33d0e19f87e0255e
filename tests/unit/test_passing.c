/* SPDX-License-Identifier: Apache-2.0 */
/* Messages with descriptors: what is of another size, or brings more than is
 * wanted, is refused, and leaves nothing open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/passing.h"

static int pair[2];

static int begin(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int end(void **state)
{
	(void)state;
	return close(pair[1]); /* the other was closed by the last test */
}

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void a_message_comes_with_its_descriptors_or_without(void **state)
{
	uint64_t message = 0;
	int fds[2] = {-1, -1};
	size_t n = 9;

	(void)state;
	assert_true(ht_pass_send(pair[0], &(uint64_t){7}, 8, NULL, 0));
	assert_true(ht_pass_receive(pair[1], 0, &message, 8, fds, 2, &n));
	assert_int_equal(message, 7);
	assert_int_equal(n, 0);
	assert_true(ht_pass_send(pair[0], &(uint64_t){8}, 8, pair, 2));
	assert_true(ht_pass_receive(pair[1], 0, &message, 8, fds, 2, &n));
	assert_int_equal(message, 8);
	assert_int_equal(n, 2);
	assert_int_equal(write(fds[0], "x", 1), 1);
	assert_int_equal(read(pair[1], &message, 8), 1);
	close(fds[0]);
	close(fds[1]);
}

static void assert_refused(size_t sent, size_t files, size_t wanted, size_t max)
{
	const int files_of[] = {0, 1, 2, 0};
	char message[64] = {0}, room[64];
	int fds[4];
	size_t n = 9;
	unsigned before = open_files();

	assert_true(ht_pass_send(pair[0], message, sent, files_of, files));
	assert_false(ht_pass_receive(pair[1], 0, room, wanted, fds, max, &n));
	assert_int_equal(n, 0);
	assert_int_equal(open_files(), before);
}

static void what_was_not_asked_for_is_refused_and_closed(void **state)
{
	(void)state;
	assert_refused(16, 1, 8, 4); /* longer */
	assert_refused(4, 1, 8, 4);  /* shorter */
	assert_refused(8, 3, 8, 2);  /* with more descriptors */
	assert_refused(8, 1, 8, 0);
}

static void who_has_ended_is_told(void **state)
{
	uint64_t message = 0;
	size_t n;
	int fd;

	(void)state;
	assert_false(ht_pass_receive(pair[1], MSG_DONTWAIT, &message, 8, &fd, 1,
				     &n));
	close(pair[0]);
	pair[0] = -1;
	assert_false(ht_pass_receive(pair[1], 0, &message, 8, &fd, 1, &n));
	assert_false(ht_pass_send(pair[1], &message, 8, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_message_comes_with_its_descriptors_or_without),
		cmocka_unit_test(what_was_not_asked_for_is_refused_and_closed),
		cmocka_unit_test(who_has_ended_is_told),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
