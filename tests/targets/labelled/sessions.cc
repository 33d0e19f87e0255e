/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions [BYTES]: objects of two classes that a vector holds each, and more
 * and more of one: so many bytes of Session every tenth of a second; without
 * BYTES none. Prints "ready" and runs until it is ended.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/select.h>
#include <vector>

namespace
{
constexpr int KEPT = 2000;

class Route
{
      public:
	Route() { memset(path, 'r', sizeof(path)); }
	virtual ~Route() = default;
	virtual int hops() const { return path[0]; }

      private:
	char path[480];
};
} // namespace

class Session
{
      public:
	Session() { memset(state, 's', sizeof(state)); }
	virtual ~Session() = default;
	virtual int id() const { return state[0]; }

      private:
	char state[992];
};

static std::vector<Session *> sessions;
static std::vector<Route *> routes;

int main(int argc, char **argv)
{
	size_t more = argc > 1 ? strtoul(argv[1], nullptr, 10) : 0;

	sessions.reserve(size_t{1} << 20);
	routes.reserve(KEPT);
	for (int i = 0; i < KEPT; i++) {
		sessions.push_back(new Session);
		routes.push_back(new Route);
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		timeval tenth = {0, 100000};
		select(0, nullptr, nullptr, nullptr, &tenth); /* a copy can be made amid it */
		for (size_t n = 0; n < more; n += sizeof(Session))
			sessions.push_back(new Session);
	}
}
