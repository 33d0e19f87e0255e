/* SPDX-License-Identifier: Apache-2.0 */
// C++ leak with a signature: five classes with virtual functions (different vtables) come and go; Session objects stay in a
// container that is never cleaned (reachable, "container growth"): about 0.3 MB/s in Session + its map node + two strings.
// Truth for heap-diff tools: the growing vtable is "vtable for Session"; the others are flat.
#include "../wl.h"
#include <map>
#include <new>
#include <string>
#include <vector>
void *operator new(size_t n) { return wl_new(0, n); }
void operator delete(void *p) noexcept { wl_delete(0, p); }
void operator delete(void *p, size_t) noexcept { wl_delete(0, p); }
struct Obj { virtual ~Obj() {} virtual int kind() const { return 0; } };
struct Request : Obj { char body[300]; int kind() const override { return 1; } };
struct Response : Obj { char body[900]; int kind() const override { return 2; } };
struct Timer : Obj { long when[4]; int kind() const override { return 3; } };
struct Buffer : Obj { std::string data; int kind() const override { return 4; } };
struct Session : Obj { std::string user, cookie; long t[6]; int kind() const override { return 5; } };
static std::map<uint64_t, Session *> sessions;
static Obj *make(int k) { Obj *o; switch (k) { case 1: o = new Request; break; case 2: o = new Response; break; case 3: o = new Timer; break; default: { Buffer *b = new Buffer; b->data.assign(wl_rng(50, 3000), 'd'); o = b; } } return o; }
int main(int argc, char **argv) {
  wl_init("leak_cpp_class", argc, argv, 38, "LEAK", "LEAK", "STABLE|POOL_GROWTH|CACHE_WARMUP|PERIODIC|NON_MALLOC_GROWTH|FRAGMENTATION");
  wl_start(); std::vector<Obj *> live(24000); for (auto &o : live) o = make(1 + (int)(wl_rnd() % 4));
  wl_phase("leaking", "LEAK|INSUFFICIENT_DATA|STABLE|CACHE_WARMUP"); double acc = 0;
  for (long s = 0; s < WL.nsteps; s++) {
    for (int k = 0; k < 300; k++) { size_t i = wl_rnd() % live.size(); delete live[i]; live[i] = make(1 + (int)(wl_rnd() % 4)); }
    for (acc += 700 * WL.dt / WL.pace * WL.scale; acc >= 1; acc -= 1) { Session *x = new Session; x->user.assign(wl_rng(20, 60), 'u'); x->cookie.assign(wl_rng(100, 260), 'c'); sessions[wl_rnd()] = x; }
    wl_tick(s);
  }
  wl_end("\"reachable\":true,\"leaking_vtable\":\"_ZTV7Session\",\"objects_per_s\":700");
}
