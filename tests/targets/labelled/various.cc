/* SPDX-License-Identifier: Apache-2.0 */
/*
 * various NAME: 2000 objects in structures that programs of C++ make of the
 * library's parts, and 100 objects that nothing leads to. Prints "ready" and
 * runs until it is ended.
 */
#include <algorithm>
#include <any>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "known.h"

enum { COUNT = 2000, LOST = 100 };

static unsigned seed = 2463534242u;
static unsigned any_number()
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	return seed ^= seed << 5;
}

static std::string long_text(int i)
{
	return "what is said of number " + std::to_string(i) +
	       std::string(260, '.');
}

struct Record {
	unsigned id = any_number();
	double weight[38] = {1.5};
};
struct Shape {
	virtual ~Shape() = default;
	unsigned colour = any_number();
};
struct Named {
	virtual ~Named() = default;
	unsigned serial = any_number();
};
struct Circle : Shape, Named {
	double rest[34] = {2.5};
};
struct Lost : Shape {
	char rest[420] = {};
};

std::list<std::string> the_lines;
static void lines()
{
	for (int i = 0; i < COUNT; i++)
		the_lines.push_back(long_text(i));
}

std::map<std::string, std::vector<int>> the_index;
static void index()
{
	for (int i = 0; i < COUNT; i++)
		the_index["a key that is long enough " + std::to_string(i)]
			.assign(76, i);
}

/* Sorted pairs in one vector. */
std::vector<std::pair<unsigned, std::unique_ptr<Record>>> the_flat;
static void flat()
{
	for (int i = 0; i < COUNT; i++)
		the_flat.emplace_back(any_number(), std::make_unique<Record>());
	std::sort(the_flat.begin(), the_flat.end());
}

std::unordered_map<std::string, std::shared_ptr<Record>> the_shared;
static void shared()
{
	for (int i = 0; i < COUNT; i++)
		the_shared["a key that is long enough " + std::to_string(i)] =
			std::make_shared<Record>();
}

/* By the second of two bases: pointers lead amid the objects. */
std::vector<Named *> the_named;
static void second()
{
	for (int i = 0; i < COUNT; i++)
		the_named.push_back(new Circle);
}

/* The newest first, and found by a key. */
struct Cache {
	std::list<std::pair<unsigned, Record>> order;
	std::unordered_map<unsigned,
			   std::list<std::pair<unsigned, Record>>::iterator>
		by_key;
} the_cache;
static void cache()
{
	while (the_cache.by_key.size() < COUNT) {
		unsigned key = any_number();

		the_cache.order.emplace_front(key, Record());
		the_cache.by_key[key] = the_cache.order.begin();
	}
}

/* What is done later, with what it takes. */
std::vector<std::function<unsigned()>> the_actions;
static void actions()
{
	for (int i = 0; i < COUNT; i++) {
		Record r;

		the_actions.emplace_back([r] { return r.id; });
	}
}

struct Letters {
	std::map<char, std::unique_ptr<Letters>> next;
	std::optional<Record> end;
};
Letters the_letters;
static void letters()
{
	for (int made = 0; made < COUNT;) {
		Letters *at = &the_letters;

		for (char c : std::to_string(any_number() % 9000)) {
			auto &next = at->next[c];

			if (!next) {
				next = std::make_unique<Letters>();
				made++;
			}
			at = next.get();
		}
		at->end.emplace();
	}
}

std::deque<std::string> the_waiting;
static void waiting()
{
	for (int i = 0; i < COUNT; i++)
		the_waiting.push_back(long_text(i));
	for (int i = 0; i < COUNT / 4; i++) {
		the_waiting.pop_front();
		the_waiting.push_back(long_text(i));
	}
}

std::forward_list<Record> the_chain;
static void chain()
{
	for (int i = 0; i < COUNT; i++)
		the_chain.emplace_front();
}

std::vector<std::variant<int, std::string, std::any>> the_values;
static void values()
{
	for (int i = 0; i < COUNT; i++)
		the_values.emplace_back(std::any(Record()));
}

/* A count of references behind the table of methods, and a list of all. */
struct Counted {
	virtual ~Counted() = default;
	unsigned references = 1;
	Counted *next = nullptr;
	char rest[280] = {};
};
struct Window : Counted {
	double more = 3.5;
};
Counted *the_windows;
static void windows()
{
	for (int i = 0; i < COUNT; i++) {
		Counted *w = new Window;

		w->next = the_windows;
		the_windows = w;
	}
}

static __attribute__((noinline)) void lose()
{
	for (int i = 0; i < LOST; i++) {
		Lost *p = new Lost;

		__asm__ volatile("" : : "r"(p) : "memory");
	}
}

static const struct known known[] = {
	{"lines", lines},     {"index", index},	    {"flat", flat},
	{"shared", shared},   {"second", second},   {"cache", cache},
	{"actions", actions}, {"letters", letters}, {"waiting", waiting},
	{"chain", chain},     {"values", values},   {"windows", windows}};

int main(int argc, char **argv)
{
	lose();
	build_and_stay(known, sizeof(known) / sizeof(*known),
		       argc > 1 ? argv[1] : nullptr);
}
