/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containers NAME: one structure of the C++ library, of 2000 objects of some
 * 300 bytes, held by a variable that is called as the structure is, with the_
 * before. Amid what a service has as well: a map of names, and a table of
 * recycled chunks whose words nobody cleared. Prints "ready" and runs until it
 * is ended.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace
{
constexpr int COUNT = 2000, SLOTS = 400;

int scattered(int i)
{
	return static_cast<int>(i * 2654435761U % 1000003);
}
} // namespace

struct Entity {
	long id = 1;
	virtual ~Entity() = default;
};
struct Session : Entity {
	char text[280] = "x";
};
/* What has no type information of its own. */
struct Plain {
	long id = 1;
	char text[280] = "y";
	bool operator<(const Plain &other) const
	{
		return id < other.id;
	}
};
struct Peer : Entity {
	std::shared_ptr<Peer> next, before;
	char text[240] = "z";
};
struct Part : Entity {
	std::vector<Part *> parts;
	Part *whole = nullptr;
	char text[240] = "p";
};

/* Children wherever their letter is. */
struct Letter {
	Letter *child[36] = {};
	long words = 0;
};

std::list<Plain> the_list;
std::forward_list<Plain> the_forward;
std::map<int, Plain> the_map;
std::set<Plain> the_set;
std::unordered_map<int, Plain> the_unordered;
std::deque<Session *> the_deque;
std::vector<Session *> the_vector;
std::vector<std::unique_ptr<Entity>> the_unique;
std::shared_ptr<Peer> the_cycle;
Part *the_parts;
Letter *the_letters;
std::map<std::string, std::unique_ptr<Session>> the_named;
std::vector<std::vector<Session *>> the_threads(4);

std::map<std::string, long> counters;
void *slots[SLOTS];

namespace
{
void build_list()
{
	for (int i = 0; i < COUNT; i++)
		the_list.emplace_back();
}
void build_forward()
{
	for (int i = 0; i < COUNT; i++)
		the_forward.emplace_front();
}
void build_map()
{
	for (int i = 0; i < COUNT; i++)
		the_map[scattered(i)];
}
void build_set()
{
	for (int i = 0; i < COUNT; i++) {
		Plain one;

		one.id = scattered(i);
		the_set.insert(one);
	}
}
void build_unordered()
{
	for (int i = 0; i < COUNT; i++)
		the_unordered[scattered(i)];
}
void build_deque()
{
	for (int i = 0; i < COUNT; i++)
		the_deque.push_back(new Session);
}
void build_vector()
{
	for (int i = 0; i < COUNT; i++)
		the_vector.push_back(new Session);
}
void build_unique()
{
	for (int i = 0; i < COUNT; i++)
		the_unique.push_back(std::make_unique<Session>());
}
/* A ring of owners: what a leak is made of once the last outside is gone. */
void build_cycle()
{
	std::shared_ptr<Peer> last = the_cycle = std::make_shared<Peer>();

	for (int i = 1; i < COUNT; i++) {
		auto peer = std::make_shared<Peer>();

		last->next = peer;
		peer->before = last;
		last = peer;
	}
	last->next = the_cycle;
	the_cycle->before = last;
}
Part *grow(int n, Part *whole)
{
	auto part = new Part;

	part->whole = whole;
	for (int left = n - 1, k = 3; k > 0 && left > 0; k--) {
		int some = (left + k - 1) / k;

		part->parts.push_back(grow(some, part));
		left -= some;
	}
	return part;
}
void build_parts()
{
	the_parts = grow(COUNT, nullptr);
}
void build_letters()
{
	the_letters = new Letter;
	for (int i = 0; i < COUNT * 2 / 5; i++) {
		Letter *at = the_letters;

		for (int depth = 0, k = scattered(i); depth < 4; depth++) {
			Letter *&child = at->child[k % 36];

			if (!child)
				child = new Letter;
			at = child;
			k /= 36;
		}
	}
}
void build_named()
{
	for (int i = 0; i < COUNT; i++)
		the_named["a session of user " + std::to_string(scattered(i))] =
			std::make_unique<Session>();
}
/* Each thread's are in its own arena, and all leave at once. */
void build_threads()
{
	std::vector<std::thread> threads;

	for (auto &mine : the_threads)
		threads.emplace_back([&mine] {
			for (int i = 0; i < COUNT / 4; i++)
				mine.push_back(new Session);
		});
	for (auto &thread : threads)
		thread.join();
}

const struct {
	const char *name;
	void (*build)();
} known[] = {{"list", build_list},
	     {"forward", build_forward},
	     {"map", build_map},
	     {"set", build_set},
	     {"unordered", build_unordered},
	     {"deque", build_deque},
	     {"vector", build_vector},
	     {"unique", build_unique},
	     {"cycle", build_cycle},
	     {"parts", build_parts},
	     {"letters", build_letters},
	     {"named", build_named},
	     {"threads", build_threads}};

/* Slots in use, half of them with a word from an earlier list. */
void leave_stale()
{
	void *all[COUNT];

	for (auto &one : all)
		one = calloc(1, 300);
	for (int i = 0; i < SLOTS; i++) {
		slots[i] = calloc(1, 700);
		if (i % 2)
			memcpy(static_cast<char *>(slots[i]) + i % 60 * 8,
			       &all[i * 4 % COUNT], sizeof(void *));
	}
	for (auto one : all)
		free(one);
}

__attribute__((noinline)) void wipe()
{
	volatile char room[65536];

	memset(const_cast<char *>(room), 0, sizeof(room));
}
} // namespace

int main(int argc, char **argv)
{
	leave_stale();
	for (int i = 0; i < 500; i++)
		counters["how often this has been done: " + std::to_string(i)] =
			i;
	for (const auto &one : known)
		if (argc > 1 && strcmp(one.name, argv[1]) == 0)
			one.build();
	wipe();
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
