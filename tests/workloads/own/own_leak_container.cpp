/* SPDX-License-Identifier: Apache-2.0 */
// A deque of finished jobs that nobody empties: reachable, and a leak all the
// same. The vectors of running jobs grow by doubling and go.
#include "../wl.h"
#include <deque>
#include <new>
#include <string>
#include <vector>
void *operator new(size_t n)
{
	return wl_new(0, n);
}
void operator delete(void *p) noexcept
{
	wl_delete(0, p);
}
void operator delete(void *p, size_t) noexcept
{
	wl_delete(0, p);
}

struct Job {
	std::string name, result;
	std::vector<int> log;
};

int main(int argc, char **argv)
{
	wl_init("own_leak_container", argc, argv, 34, "LEAK", "LEAK",
		"STABLE|POOL_GROWTH|CACHE_WARMUP|PERIODIC|NON_MALLOC_GROWTH|"
		"FRAGMENTATION");
	wl_start();
	std::deque<Job> done;
	std::vector<Job> running(500);
	wl_phase("leaking", "LEAK|INSUFFICIENT_DATA|STABLE|CACHE_WARMUP");
	for (long s = 0; s < WL.nsteps; s++) {
		for (int k = 0; k < 12; k++) {
			Job &j = running[wl_rnd() % running.size()];

			for (int i = (int)wl_rng(1, 40); i > 0; i--)
				j.log.push_back(i);
			if (j.log.size() < 120)
				continue;
			j.name.assign(wl_rng(20, 60), 'n');
			j.result.assign(wl_rng(100, 2000), 'r');
			done.push_back(std::move(j));
			j = Job();
		}
		wl_tick(s);
	}
	wl_end("");
}
