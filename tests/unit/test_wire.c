/* SPDX-License-Identifier: Apache-2.0 */
/* Wire: a snapshot arrives as it was sent; nothing else is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/wire.h"
#include "tests/lib/fake.h"

static struct ht_err err;

/* All bytes that a sender wrote. */
struct sent {
	uint8_t bytes[1 << 20];
	size_t n;
};

static void collect(int fd, struct sent *s)
{
	ssize_t got;

	while ((got = recv(fd, s->bytes + s->n, sizeof(s->bytes) - s->n,
			   MSG_DONTWAIT)) > 0)
		s->n += (size_t)got;
}

static void socket_pair(int fd[2])
{
	int size = 1 << 20;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static struct sent *send_fake(const struct fake *f)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct sent *sent = calloc(1, sizeof(*sent));
	int fd[2];

	assert_non_null(sent);
	socket_pair(fd);
	ht_snapshot_init(&s);
	fake_snapshot(f, 3, &s);
	assert_int_equal(ht_wire_send_snapshot(fd[0], &s, &err), HT_OK);
	collect(fd[1], sent);
	close(fd[0]);
	close(fd[1]);
	return sent;
}

static void a_snapshot_arrives_as_it_was_sent_in_any_portions(void **state)
{
	static const size_t portions[] = {1, 7, 4096, 1 << 20};
	struct fake f = FAKE_DEFAULT;
	HT_AUTO_FREE struct sent *sent = send_fake(&f);
	HT_AUTO_SNAPSHOT struct ht_snapshot want;

	(void)state;
	ht_snapshot_init(&want);
	fake_snapshot(&f, 3, &want);
	for (size_t i = 0; i < sizeof(portions) / sizeof(portions[0]); i++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot got;
		struct ht_wire_in in;

		ht_snapshot_init(&got);
		ht_wire_in_init(&in, &got);
		for (size_t at = 0; at < sent->n; at += portions[i]) {
			size_t n = sent->n - at < portions[i] ? sent->n - at
							      : portions[i];

			assert_int_equal(in.state, HT_WIRE_OPEN);
			assert_int_equal(
				ht_wire_in_feed(&in, sent->bytes + at, n, &err),
				HT_OK);
		}
		assert_int_equal(in.state, HT_WIRE_SNAPSHOT);
		assert_null(snapshot_difference(&want, &got, NULL));
		ht_wire_in_fini(&in);
	}
}

static void an_error_arrives_with_its_code_and_words(void **state)
{
	struct ht_err sent = {HT_TRACED, HT_HINT_AGAIN, 1, 0x7000,
			      "held by gdb"};
	struct sent bytes = {0};
	struct ht_wire_in in;
	int fd[2];

	(void)state;
	socket_pair(fd);
	assert_int_equal(ht_wire_send_error(fd[0], &sent, &err), HT_OK);
	collect(fd[1], &bytes);
	ht_wire_in_init(&in, NULL);
	assert_int_equal(ht_wire_in_feed(&in, bytes.bytes, bytes.n, &err),
			 HT_OK);
	assert_int_equal(in.state, HT_WIRE_ERROR);
	assert_int_equal(in.remote.code, HT_TRACED);
	assert_int_equal(in.remote.addr, 0x7000);
	assert_int_equal(in.remote.hint, HT_HINT_AGAIN);
	assert_string_equal(in.remote.msg, "held by gdb");
	ht_wire_in_fini(&in);
	close(fd[0]);
	close(fd[1]);
}

/* Offsets into the first frame, a head record. */
static const struct {
	const char *why;
	size_t at;
	uint8_t value;
} lies[] = {
	{"another magic", 0, 'X'},
	{"another version", 4, 99},
	{"no such type", 6, 200},
	{"a type of the parent's", 6, HT_FRAME_REQUEST},
	{"a payload larger than any", 10, 0xff},
	{"a payload shorter than the record", 8, 5},
	{"a text longer than its field", 20, 0xff},
};

static void what_breaks_the_rules_is_refused(void **state)
{
	struct fake f = FAKE_DEFAULT;
	HT_AUTO_FREE struct sent *sent = send_fake(&f);

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot got;
		struct ht_wire_in in;
		uint8_t old = sent->bytes[lies[i].at];

		ht_snapshot_init(&got);
		ht_wire_in_init(&in, &got);
		sent->bytes[lies[i].at] = lies[i].value;
		if (ht_wire_in_feed(&in, sent->bytes, sent->n, &err) !=
		    HT_PROTOCOL)
			fail_msg("believed: %s", lies[i].why);
		sent->bytes[lies[i].at] = old;
		ht_wire_in_fini(&in);
	}
}

static void an_answer_that_is_cut_or_goes_on_is_no_answer(void **state)
{
	struct fake f = FAKE_DEFAULT;
	HT_AUTO_FREE struct sent *sent = send_fake(&f);
	HT_AUTO_SNAPSHOT struct ht_snapshot got;
	struct ht_wire_in in;

	(void)state;
	ht_snapshot_init(&got);
	ht_wire_in_init(&in, &got);
	assert_int_equal(ht_wire_in_feed(&in, sent->bytes, sent->n - 1, &err),
			 HT_OK);
	assert_int_equal(in.state, HT_WIRE_OPEN);
	assert_int_equal(
		ht_wire_in_feed(&in, sent->bytes + sent->n - 1, 1, &err),
		HT_OK);
	assert_int_equal(in.state, HT_WIRE_SNAPSHOT);
	assert_int_equal(ht_wire_in_feed(&in, sent->bytes, 100, &err), HT_OK);
	assert_int_equal(
		ht_wire_in_feed(&in, sent->bytes + 100, sent->n - 100, &err),
		HT_PROTOCOL);
	ht_wire_in_fini(&in);
}

static void a_lost_frame_is_noticed_at_the_end(void **state)
{
	struct fake f = FAKE_DEFAULT;
	HT_AUTO_FREE struct sent *sent = send_fake(&f);
	HT_AUTO_SNAPSHOT struct ht_snapshot got;
	struct ht_wire_in in;
	uint32_t first;

	(void)state;
	memcpy(&first, sent->bytes + 8, 4);
	first += HT_WIRE_HEADER;
	ht_snapshot_init(&got);
	ht_wire_in_init(&in, &got);
	assert_int_equal(ht_wire_in_feed(&in, sent->bytes + first,
					 sent->n - first, &err),
			 HT_PROTOCOL);
	assert_non_null(strstr(err.msg, "announced"));
	ht_wire_in_fini(&in);
}

static void a_flood_of_rows_is_refused_before_it_fills_our_memory(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s, got;
	struct sent one = {0};
	struct ht_wire_in in;
	enum ht_code code = HT_OK;
	size_t frames = 0;
	uint32_t length;
	int fd[2];

	(void)state;
	socket_pair(fd);
	ht_snapshot_init(&s);
	ht_snapshot_init(&got);
	ht_snapshot_warn(&s, "x");
	assert_int_equal(ht_wire_send_snapshot(fd[0], &s, &err), HT_OK);
	collect(fd[1], &one);
	/* the warning is the last record: a 12-byte header, 3 bytes of text,
	 * before a 20-byte end */
	const uint8_t *warning = one.bytes + one.n - 20 - 15;
	memcpy(&length, warning + 8, 4);
	assert_int_equal(length, 3);
	ht_wire_in_init(&in, &got);
	while (code == HT_OK && frames++ < 1000000)
		code = ht_wire_in_feed(&in, warning, 15, &err);
	assert_int_equal(code, HT_PROTOCOL);
	assert_true(got.warnings.n * sizeof(struct ht_warning) <=
		    HT_WIRE_MEMORY_MAX + sizeof(struct ht_warning));
	ht_wire_in_fini(&in);
	close(fd[0]);
	close(fd[1]);
}

static void control_characters_do_not_pass(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s, got;
	HT_AUTO_FREE struct sent *sent = calloc(1, sizeof(*sent));
	struct ht_wire_in in;
	int fd[2];

	(void)state;
	assert_non_null(sent);
	socket_pair(fd);
	ht_snapshot_init(&s);
	ht_snapshot_init(&got);
	strcpy(s.head.comm, "a\033[31mb\n\177");
	assert_int_equal(ht_wire_send_snapshot(fd[0], &s, &err), HT_OK);
	collect(fd[1], sent);
	ht_wire_in_init(&in, &got);
	assert_int_equal(ht_wire_in_feed(&in, sent->bytes, sent->n, &err),
			 HT_OK);
	assert_string_equal(got.head.comm, "a?[31mb??");
	ht_wire_in_fini(&in);
	close(fd[0]);
	close(fd[1]);
}

static void a_request_arrives_and_one_out_of_range_is_refused(void **state)
{
	struct ht_request sent = HT_REQUEST_DEFAULT, got = {0};
	int fd[2];

	(void)state;
	socket_pair(fd);
	assert_int_equal(ht_wire_send_request(fd[0], &sent, &err), HT_OK);
	assert_int_equal(ht_wire_receive_request(fd[1], &got, &err), HT_OK);
	assert_memory_equal(&sent, &got, sizeof(sent));
	sent.mode = HT_MODE_COUNT;
	assert_int_equal(ht_wire_send_request(fd[0], &sent, &err), HT_OK);
	assert_int_equal(ht_wire_receive_request(fd[1], &got, &err),
			 HT_PROTOCOL);
	close(fd[0]);
	assert_int_equal(ht_wire_receive_request(fd[1], &got, &err), HT_GONE);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_snapshot_arrives_as_it_was_sent_in_any_portions),
		cmocka_unit_test(an_error_arrives_with_its_code_and_words),
		cmocka_unit_test(what_breaks_the_rules_is_refused),
		cmocka_unit_test(an_answer_that_is_cut_or_goes_on_is_no_answer),
		cmocka_unit_test(a_lost_frame_is_noticed_at_the_end),
		cmocka_unit_test(
			a_flood_of_rows_is_refused_before_it_fills_our_memory),
		cmocka_unit_test(control_characters_do_not_pass),
		cmocka_unit_test(
			a_request_arrives_and_one_out_of_range_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
