/* SPDX-License-Identifier: Apache-2.0 */
// Seed 1, the incident: an Ark server on SPP micro-threads. Each request runs in a micro-thread whose local object Msg owns
// a receive buffer that is grown (new[], copy, delete[]) while packets arrive and is freed in ~Msg. There is no leak.
// RSS grows for a long time ("1 GB in a day"), then levels off (at 3.7 GB).
// Model: request bursts at random times; in a burst up to lim(t) messages of 40..400 KB are in flight at once; between bursts
// only a few. lim(t) rises during the first 55% (clients connect), then stays. Every request also makes a small connection
// context (900 bytes); the contexts of the last 4,000 requests are kept (keep-alive ring, bounded), so small long-lived
// objects lie between the big buffers and the heap cannot shrink.
#include "../wl.h"
#include <new>
#include <string>
#include <vector>
void *operator new(size_t n) { return wl_new(0, n); }
void *operator new[](size_t n) { return wl_new(0, n); }
void operator delete(void *p) noexcept { wl_delete(0, p); }
void operator delete(void *p, size_t) noexcept { wl_delete(0, p); }
void operator delete[](void *p) noexcept { wl_delete(0, p); }
void operator delete[](void *p, size_t) noexcept { wl_delete(0, p); }
struct Conn { std::string who; char blob[860]; };
static Conn *ring[4000]; static size_t rp;
struct Msg { // the local variable of the micro-thread's function
  char *buf; size_t cap, len, need; std::string hdr; int wait; Conn *c;
  Msg(size_t need_, int w) : buf(new char[4096]), cap(4096), len(0), need(need_), hdr(40 + need_ % 200, 'h'), wait(w), c(new Conn) { memset(c->blob, 1, sizeof c->blob); c->who.assign(30 + need_ % 90, 's'); }
  bool recv(size_t n) { // "user check pkg not ok, but no more memory": the buffer is too small, get a bigger one
    if (len == need) return --wait <= 0;
    if (n > need - len) n = need - len;
    while (len + n > cap) { size_t nc = cap * 2; char *nb = new char[nc]; memcpy(nb, buf, len); delete[] buf; buf = nb; cap = nc; }
    memset(buf + len, 'x', n); len += n; return false;
  }
  ~Msg() { delete[] buf; delete ring[rp]; ring[rp] = c; rp = (rp + 1) % 4000; }
};
int main(int argc, char **argv) {
  wl_init("ark_plateau", argc, argv, 44, "POOL_GROWTH", "POOL_GROWTH|TOP_PINNED", "LEAK|NON_MALLOC_GROWTH|ARENA_PROLIFERATION|CACHE_WARMUP");
  wl_start();
  const int K = 420; static Msg *slot[K]; long n = WL.nsteps; bool full = false; int burst = 0; long next = 20;
  wl_phase("clients_connecting", "POOL_GROWTH|FRAGMENTATION|CACHE_WARMUP|INSUFFICIENT_DATA|STABLE|PERIODIC");
  for (long s = 0; s < n; s++) {
    double x = (double)s / (double)n; int lim = (int)(K * WL.scale * (x < 0.55 ? 0.1 + 0.9 * x / 0.55 : 1.0)); if (lim > K) lim = K;
    if (x >= 0.6 && !full) { full = true; wl_phase("all_connected", "POOL_GROWTH|STABLE|PERIODIC"); }
    if (s >= next) { burst = 12; next = s + 30 + (long)(wl_rnd() % 60); } else if (burst > 0) burst--;
    int want = burst > 0 ? lim : lim / 40 + 1;
    for (int k = 0; k < K; k++) {
      if (slot[k]) { if (slot[k]->recv((size_t)wl_rng(20000, 60000))) { delete slot[k]; slot[k] = 0; } }
      else if (k < want) slot[k] = new Msg((size_t)wl_rng(40000, 400000), (int)wl_rng(1, 6));
    }
    wl_tick(s);
  }
  for (int k = 0; k < K; k++) if (slot[k]) { delete slot[k]; slot[k] = 0; }
  wl_end("\"why\":\"every request is freed; glibc keeps the high-water mark between long-lived session objects\"");
}
