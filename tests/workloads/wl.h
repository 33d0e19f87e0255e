/* SPDX-License-Identifier: Apache-2.0 */
/* wl.h - common part of the labelled workload corpus (C and C++, header only).
 *
 * Every workload is one process with one job, a fixed random seed and a known true verdict.
 * It prints JSON lines on stdout (one object per line) and never uses stdio for it, so the
 * reporting itself does not touch the heap (one probe pair of allocations at start-up, one
 * FILE for malloc_info, made before phase "start").
 *
 * Line kinds ("ev"):
 *   start   name, pid, parameters, true label, accepted labels, forbidden labels
 *   phase   the program enters a new phase; "now" = labels acceptable if judged at any moment of this phase
 *   sample  every --sample-ms
 *   truth   the run is over: final label; the process then lingers --linger seconds, unchanged
 *   trim    (unless --no-trim) malloc_trim(0) was called: RSS before/after = real trimmable bytes
 * Numbers in phase/sample/truth lines:
 *   live_req/live_n   bytes/blocks the PROGRAM asked for and has not freed (its own book-keeping)
 *   tags              the same split by purpose ("leak", "base", ...)
 *   mi_*              mallinfo2() (note: tcache content is counted as in use by glibc)
 *   rss.. pss.. uss.. anon_kb, vsz_kb, minflt, majflt, threads  from /proc/self
 *   walk              ground truth from an in-process chunk walk (glibc 2.36 x86-64 only), at phases,
 *                     and at every sample with --walk. Other threads must be quiet when it runs.
 */
#ifndef WL_H
#define WL_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <time.h>
#include <errno.h>
#include <stdarg.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <gnu/libc-version.h>

#pragma GCC diagnostic ignored "-Wunused-function"
#define WL_TAGS 6
static struct {
  const char *name, *label, *accept, *forbid;
  double duration, scale, pace, linger, sample_s, dt;
  uint64_t seed; int walk, notrim, fd; long nsteps;
  double t0, next_sample; const char *phase; const char *mode;
  uint64_t main_arena, tkey; int walk_ok;
  const char *tag_name[WL_TAGS]; int stop;
  FILE *mif;
} WL;
static volatile long wl_live_b[WL_TAGS], wl_live_n[WL_TAGS];
static char wl_buf[1 << 17]; static size_t wl_len;
static char wl_rd[1 << 18];
static char wl_mibuf[1 << 17];

static double wl_clock(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static double wl_now(void) { return wl_clock() - WL.t0; }
static void wl_p(const char *f, ...) {
  va_list a; va_start(a, f);
  int r = vsnprintf(wl_buf + wl_len, sizeof wl_buf - wl_len, f, a);
  va_end(a); if (r > 0) wl_len += (size_t)r; if (wl_len >= sizeof wl_buf) wl_len = sizeof wl_buf - 1;
}
static void wl_flush(void) {
  size_t o = 0; wl_buf[wl_len++] = '\n';
  while (o < wl_len) { ssize_t r = write(WL.fd, wl_buf + o, wl_len - o); if (r < 0) { if (errno == EINTR) continue; break; } o += (size_t)r; }
  wl_len = 0;
}
/* ---- random numbers (splitmix64) ---- */
static uint64_t wl_rs = 1;
static inline uint64_t wl_mix(uint64_t *s) { uint64_t z = (*s += 0x9e3779b97f4a7c15ULL); z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL; z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL; return z ^ (z >> 31); }
static inline uint64_t wl_rnd(void) { return wl_mix(&wl_rs); }
static inline uint64_t wl_rng(uint64_t lo, uint64_t hi) { return lo + wl_rnd() % (hi - lo + 1); }
static inline double wl_u01(void) { return (double)(wl_rnd() >> 11) / 9007199254740992.0; }

/* ---- counted allocation ---- */
static inline void *wl_alloc(int tag, size_t n) {
  void *p = malloc(n);
  if (!p) { static const char m[] = "{\"ev\":\"error\",\"what\":\"malloc failed\"}\n"; if (write(WL.fd, m, sizeof m - 1) < 0) {} _exit(3); }
  __atomic_add_fetch(&wl_live_b[tag], (long)n, __ATOMIC_RELAXED); __atomic_add_fetch(&wl_live_n[tag], 1, __ATOMIC_RELAXED);
  return p;
}
static inline void *wl_touch(int tag, size_t n, int c) { void *p = wl_alloc(tag, n); memset(p, c, n); return p; }
static inline void wl_free(int tag, void *p, size_t n) {
  free(p); __atomic_sub_fetch(&wl_live_b[tag], (long)n, __ATOMIC_RELAXED); __atomic_sub_fetch(&wl_live_n[tag], 1, __ATOMIC_RELAXED);
}
/* for C++ operator new/delete: counts malloc_usable_size on both sides (unsized delete does not know the request) */
static inline void *wl_new(int tag, size_t n) { void *p = malloc(n); if (!p) _exit(3); __atomic_add_fetch(&wl_live_b[tag], (long)malloc_usable_size(p), __ATOMIC_RELAXED); __atomic_add_fetch(&wl_live_n[tag], 1, __ATOMIC_RELAXED); return p; }
static inline void wl_delete(int tag, void *p) { if (p) wl_free(tag, p, malloc_usable_size(p)); }
static inline void wl_account(int tag, long db, long dn) { __atomic_add_fetch(&wl_live_b[tag], db, __ATOMIC_RELAXED); __atomic_add_fetch(&wl_live_n[tag], dn, __ATOMIC_RELAXED); }

/* ---- /proc ---- */
static ssize_t wl_slurp(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC); if (fd < 0) { wl_rd[0] = 0; return -1; }
  size_t o = 0; ssize_t r;
  while (o < sizeof wl_rd - 1 && (r = read(fd, wl_rd + o, sizeof wl_rd - 1 - o)) > 0) o += (size_t)r;
  wl_rd[o] = 0; close(fd); return (ssize_t)o;
}
static long wl_field(const char *key) { const char *p = strstr(wl_rd, key); if (!p) return -1; p += strlen(key); while (*p == ':' || *p == ' ' || *p == '\t') p++; return strtol(p, NULL, 10); }
static long wl_rss_kb(void) { wl_slurp("/proc/self/smaps_rollup"); return wl_field("\nRss"); }

/* ---- in-process ground-truth walk: glibc 2.36 x86-64 layouts ---- */
enum { O_FAST = 0x10, O_TOP = 0x60, O_NEXT = 0x870, O_ATT = 0x880, O_SYS = 0x888, A_SIZE = 0x898, HI_SIZE = 0x30 };
#define WL_HEAPMAX (64UL << 20)
#define WL_MAXREG 2048
typedef struct { uint64_t b, e, first, top, arena; int main; } wl_reg;
static wl_reg wl_regs[WL_MAXREG]; static int wl_nreg;
#define WL_NCLS 128
typedef struct {
  uint64_t used_n, used_b, fast_n, fast_b, tc_n, tc_b, free_n, free_b, top_b, sys_b;
  uint64_t heap_res, free_res, trimmable, largest_free, bad;
  uint64_t pin_addr, pin_size, pin_below, pin_arena, top_adj; int pin_tcache;   /* main arena: highest used chunk and the free run right under it */
  uint64_t blk4k, blk64k;                              /* main arena: free bytes under the top that open up if the highest 4K / 64K of used bytes went away */
  uint64_t blk1, blk4, blk16, blkspan; int span_n;     /* ... if the 1 / 4 / 16 highest used chunks went away; ... if all used chunks in the 64 KB below the top went away (span_n of them) */
  uint64_t hole_lt4k, hole_4k64k, hole_64k1m, hole_ge1m; /* bytes in free runs (top not included) by run size */
  uint64_t nonmain_free_res, nonmain_used_b; int arenas, arenas_free5; uint64_t max_arena_free_res;
  int arenas_noattach;
  uint64_t cls_n[WL_NCLS], cls_b[WL_NCLS];
} wl_walk_t;
static wl_walk_t W;
static inline int wl_cls(uint64_t sz) { /* chunk sizes <= 1040 exactly (16-byte steps), above: 4 per power of two */
  if (sz <= 1040) return (int)(sz / 16);
  int l = 63 - __builtin_clzll(sz); int q = (int)((sz >> (l - 2)) & 3); int c = 66 + (l - 10) * 4 + q; return c < WL_NCLS ? c : WL_NCLS - 1;
}
static inline uint64_t wl_cls_lo(int c) { if (c <= 65) return (uint64_t)c * 16; c -= 66; return (1ULL << (10 + c / 4)) + (uint64_t)(c % 4) * (1ULL << (8 + c / 4)); }
#define WL_U64(a) (*(volatile uint64_t *)(a))

static void wl_probe(void) {
  WL.walk_ok = 0;
#if defined(__x86_64__)
  if (strcmp(gnu_get_libc_version(), "2.36")) return;
  void *a = malloc(2000), *b = malloc(24);          /* a: not tcache-sized; b: guard */
  uint64_t av = (uint64_t)a, bv = (uint64_t)b; __asm__ volatile("" : "+r"(av), "+r"(bv));
  free(a); uint64_t fd = WL_U64(av); free(b); uint64_t key = WL_U64(bv + 8);
  WL.main_arena = fd - O_TOP; WL.tkey = key;
  uint64_t nx = WL_U64(WL.main_arena + O_NEXT), top = WL_U64(WL.main_arena + O_TOP);
  if (nx == WL.main_arena && (void *)top < sbrk(0)) WL.walk_ok = 1;
  /* take both blocks back and keep them: no hole and no tcache entry is left behind (a later malloc(1) must come from the top) */
  a = malloc(2000); b = malloc(24); __asm__ volatile("" : : "r"(a), "r"(b));
#endif
}
static void wl_addreg(uint64_t b, uint64_t e, uint64_t arena, int mn) {
  if (wl_nreg >= WL_MAXREG) return;
  wl_reg *r = &wl_regs[wl_nreg++]; r->b = b; r->e = e; r->arena = arena; r->main = mn; r->top = 0;
  if (mn) r->first = b;
  else { uint64_t f = b + HI_SIZE; if (arena == b + HI_SIZE) f = (arena + A_SIZE + 15) & ~15ULL; r->first = f; }
}
static void wl_walk(void) {
  memset(&W, 0, sizeof W); if (!WL.walk_ok) return;
  wl_nreg = 0;
  uint64_t ars[1024]; int na = 0; uint64_t a = WL.main_arena;
  do { if (na < 1024) ars[na++] = a; W.sys_b += WL_U64(a + O_SYS); if (!WL_U64(a + O_ATT)) W.arenas_noattach++; a = WL_U64(a + O_NEXT); } while (a != WL.main_arena && a);
  W.arenas = na;
  /* regions */
  int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC); size_t have = 0; ssize_t r;
  for (;;) {
    r = read(fd, wl_rd + have, sizeof wl_rd - 1 - have); if (r <= 0 && have == 0) break;
    size_t end = have + (r > 0 ? (size_t)r : 0); wl_rd[end] = 0; char *p = wl_rd, *nl;
    while ((nl = strchr(p, '\n'))) {
      *nl = 0; unsigned long b, e, ino; char perm[5]; int off = 0;
      if (sscanf(p, "%lx-%lx %4s %*x %*s %lu %n", &b, &e, perm, &ino, &off) >= 4) {
        if (strstr(p + off, "[heap]")) wl_addreg(b, (uint64_t)sbrk(0), WL.main_arena, 1);
        else if (ino == 0 && perm[0] == 'r' && perm[1] == 'w' && na > 1) /* the kernel merges neighbouring mappings: a heap may start inside a VMA */
          for (uint64_t x = (b + WL_HEAPMAX - 1) & ~(WL_HEAPMAX - 1); x + 4096 <= e; x += WL_HEAPMAX) {
            uint64_t ap = WL_U64(x), hs = WL_U64(x + 0x10); int i; for (i = 1; i < na; i++) if (ars[i] == ap) break;
            if (i < na && hs && hs <= WL_HEAPMAX) wl_addreg(x, x + hs, ap, 0);
          }
      }
      p = nl + 1;
    }
    have = (size_t)(wl_rd + end - p); memmove(wl_rd, p, have); if (r <= 0) break;
  }
  close(fd);
  int pm = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  uint64_t arena_free[1024]; memset(arena_free, 0, sizeof arena_free);
  for (int i = 0; i < wl_nreg; i++) {
    wl_reg *g = &wl_regs[i]; uint64_t len = g->e - g->b, np = (len + 4095) / 4096;
    if (!len) continue;
    size_t mapsz = np * 8 /*pagemap*/ + np * 2 /*used bytes*/ + len / 128 + 4096;
    char *m = (char *)mmap(NULL, mapsz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED) continue;
    uint64_t *pg = (uint64_t *)m; uint16_t *up = (uint16_t *)(m + np * 8); unsigned char *fb = (unsigned char *)(m + np * 10);
    if (pm >= 0) { size_t o = 0; while (o < np * 8) { ssize_t q = pread(pm, m + o, np * 8 - o, (off_t)(g->b / 4096 * 8 + o)); if (q <= 0) break; o += (size_t)q; } }
    g->top = WL_U64(g->arena + O_TOP);
    for (int k = 0; k < 10; k++) { /* fastbins of this arena that lie in this region */
      uint64_t p = WL_U64(g->arena + O_FAST + 8 * k); int guard = 0;
      while (p && guard++ < 20000000) {
        if (p >= g->b && p < g->e) fb[(p - g->b) / 128] |= (unsigned char)(1 << (((p - g->b) / 16) & 7));
        uint64_t pos = p + 16; p = (pos >> 12) ^ WL_U64(pos);
      }
    }
    static uint64_t ra[256], rf[256]; uint64_t rn = 0, cumf = 0;
    uint64_t p = g->first, run = 0, runlen = 0, last_used = 0, last_used_sz = 0; int isrun_top = 0;
    if (!g->main) for (uint64_t q = g->b; q < g->first; ) { uint64_t pe = (q & ~4095ULL) + 4096; if (pe > g->first) pe = g->first; up[(q - g->b) / 4096] += (uint16_t)(pe - q); q = pe; }
#define WL_ENDRUN() do { if (runlen) { if (!isrun_top) { \
      if (runlen < 4096) W.hole_lt4k += runlen; else if (runlen < 65536) W.hole_4k64k += runlen; else if (runlen < (1u << 20)) W.hole_64k1m += runlen; else W.hole_ge1m += runlen; \
      if (runlen > W.largest_free) W.largest_free = runlen; } \
      uint64_t s = (run + 0x30 + 4095) & ~4095ULL, e2 = (run + runlen) & ~4095ULL; \
      if (isrun_top) { if (g->main && runlen > 33) { uint64_t ex = (runlen - 33) & ~4095ULL; s = g->e - ex; e2 = g->e; } else s = e2 = 0; } \
      for (; s < e2; s += 4096) if (pg[(s - g->b) / 4096] >> 63) W.trimmable += 4096; } runlen = 0; isrun_top = 0; } while (0)
    while (p + 16 <= g->e) {
      uint64_t szf = WL_U64(p + 8), sz = szf & ~7ULL;
      if (sz < 32) { /* fencepost at the end of a full heap */ break; }
      if (sz > g->e - p || (sz & 15)) { W.bad++; break; }
      int istop = (p == g->top), isfree = 0, istc = 0, isfast = 0;
      if (istop) W.top_b += sz; /* a cached (tcache) chunk under the top pins it too: it looks used to the allocator */
      else {
        uint64_t n = p + sz; int pinuse = n + 16 <= g->e ? (int)(WL_U64(n + 8) & 1) : 1;
        if (!pinuse) { isfree = 1; W.free_n++; W.free_b += sz; }
        else if (fb[(p - g->b) / 128] & (1 << (((p - g->b) / 16) & 7))) { isfast = 1; W.fast_n++; W.fast_b += sz; }
        else if (sz <= 1040 && WL.tkey && WL_U64(p + 24) == WL.tkey) { istc = 1; W.tc_n++; W.tc_b += sz; }
        else { W.used_n++; W.used_b += sz; int c = wl_cls(sz); W.cls_n[c]++; W.cls_b[c] += sz; if (!g->main) W.nonmain_used_b += sz; }
      }
      if (isfree || isfast) cumf += sz;
      if (istop || isfree || isfast) { if (!runlen) run = p; runlen += sz; if (istop) isrun_top = 1; else if (g->main) W.top_adj += sz; }
      else {
        ra[rn % 256] = p; rf[rn % 256] = cumf; rn++; last_used = p; last_used_sz = sz; if (g->main) { W.pin_below = runlen; W.pin_tcache = istc; W.top_adj = 0; }
        WL_ENDRUN();
        if (!istc) for (uint64_t q = p; q < p + sz; ) { uint64_t pe = (q & ~4095ULL) + 4096; if (pe > p + sz) pe = p + sz; up[(q - g->b) / 4096] += (uint16_t)(pe - q); q = pe; }
      }
      if (istop) { WL_ENDRUN(); break; }
      p += sz;
    }
    WL_ENDRUN();
    uint64_t fr = 0;
    for (uint64_t k = 0; k < np; k++) if (pg[k] >> 63) { W.heap_res += 4096; if (!up[k]) fr += 4096; }
    W.free_res += fr; if (!g->main) W.nonmain_free_res += fr;
    for (int k = 0; k < na; k++) if (ars[k] == g->arena) arena_free[k] += fr;
    if (g->main) {
      W.pin_addr = last_used; W.pin_size = last_used_sz; W.pin_arena = g->arena;
      /* second pass: how much free space opens under the top if the highest X bytes of used chunks vanished. Use per-page used counters from the top down. */
      uint64_t lim = last_used + last_used_sz, cum = 0, fre = 0; long k = last_used ? (long)((lim - 1 - g->b) / 4096) : -1; int d4 = 0;
      for (; k >= 0; k--) { cum += up[k]; if (cum > 65536) break; uint64_t f = 4096 - (up[k] > 4096 ? 4096 : up[k]); if (!(pg[k] >> 63)) f = 0; if (!d4 && cum > 4096) { W.blk4k = fre; d4 = 1; } fre += f; }
      if (!d4) W.blk4k = fre;
      W.blk64k = fre;
#define WL_RF(k) ((k) < rn && (k) < 256 ? rf[(rn - 1 - (k)) % 256] : 0)
      if (rn) { uint64_t f0 = WL_RF(0); W.blk1 = f0 - WL_RF(1); W.blk4 = f0 - WL_RF(4); W.blk16 = f0 - WL_RF(16);
        uint64_t j = 0; while (j < rn && j < 255 && ra[(rn - 1 - j) % 256] + 65536 > last_used + last_used_sz) j++;
        if (!j) j = 1;
        W.span_n = (int)j; W.blkspan = f0 - WL_RF(j); }
    }
    munmap(m, mapsz);
  }
  if (pm >= 0) close(pm);
  for (int k = 0; k < na; k++) { if (arena_free[k] * 20 >= W.free_res && W.free_res) W.arenas_free5++; if (arena_free[k] > W.max_arena_free_res) W.max_arena_free_res = arena_free[k]; }
}
static void wl_walk_json(void) {
  if (!WL.walk_ok) { wl_p(",\"walk\":null"); return; }
  wl_walk();
  wl_p(",\"walk\":{\"used_n\":%lu,\"used_b\":%lu,\"free_n\":%lu,\"free_b\":%lu,\"fast_n\":%lu,\"fast_b\":%lu,\"tcache_n\":%lu,\"tcache_b\":%lu,\"top_b\":%lu,\"system_b\":%lu,"
       "\"heap_resident_b\":%lu,\"free_resident_b\":%lu,\"trimmable_b\":%lu,\"largest_hole_b\":%lu,\"hole_lt4k_b\":%lu,\"hole_4k_64k_b\":%lu,\"hole_64k_1m_b\":%lu,\"hole_ge1m_b\":%lu,"
       "\"pin_addr\":\"0x%lx\",\"pin_chunk_b\":%lu,\"pin_is_tcache\":%d,\"pin_run_below_b\":%lu,\"top_adjacent_fast_b\":%lu,\"blocked_by_top4k_b\":%lu,\"blocked_by_top64k_b\":%lu,\"blocked_1\":%lu,\"blocked_4\":%lu,\"blocked_16\":%lu,\"blocked_span64k\":%lu,\"span64k_n\":%d,"
       "\"arenas\":%d,\"arenas_unattached\":%d,\"arenas_holding5pct\":%d,\"max_arena_free_res_b\":%lu,\"nonmain_free_res_b\":%lu,\"nonmain_used_b\":%lu,\"bad\":%lu,\"cls\":[",
       W.used_n, W.used_b, W.free_n, W.free_b, W.fast_n, W.fast_b, W.tc_n, W.tc_b, W.top_b, W.sys_b, W.heap_res, W.free_res, W.trimmable, W.largest_free,
       W.hole_lt4k, W.hole_4k64k, W.hole_64k1m, W.hole_ge1m, W.pin_addr, W.pin_size, W.pin_tcache, W.pin_below, W.top_adj, W.blk4k, W.blk64k, W.blk1, W.blk4, W.blk16, W.blkspan, W.span_n,
       W.arenas, W.arenas_noattach, W.arenas_free5, W.max_arena_free_res, W.nonmain_free_res, W.nonmain_used_b, W.bad);
  int first = 1;
  for (int c = 0; c < WL_NCLS; c++) if (W.cls_n[c] && (W.cls_b[c] * 500 >= W.used_b || W.cls_b[c] >= (1u << 18))) { wl_p("%s[%lu,%lu,%lu]", first ? "" : ",", wl_cls_lo(c), W.cls_n[c], W.cls_b[c]); first = 0; }
  wl_p("]}");
}
static void wl_state_json(int walk) {
  long lb = 0, ln = 0; for (int i = 0; i < WL_TAGS; i++) { lb += wl_live_b[i]; ln += wl_live_n[i]; }
  wl_p(",\"t\":%.3f,\"phase\":\"%s\",\"live_req\":%ld,\"live_n\":%ld,\"tags\":{", wl_now(), WL.phase ? WL.phase : "", lb, ln);
  int f = 1; for (int i = 0; i < WL_TAGS; i++) if (WL.tag_name[i]) { wl_p("%s\"%s\":%ld", f ? "" : ",", WL.tag_name[i], wl_live_b[i]); f = 0; }
  struct mallinfo2 m = mallinfo2();
  wl_p("},\"mi_arena\":%zu,\"mi_uordblks\":%zu,\"mi_fordblks\":%zu,\"mi_fsmblks\":%zu,\"mi_ordblks\":%zu,\"mi_smblks\":%zu,\"mi_keepcost\":%zu,\"mi_hblks\":%zu,\"mi_hblkhd\":%zu",
       m.arena, m.uordblks, m.fordblks, m.fsmblks, m.ordblks, m.smblks, m.keepcost, m.hblks, m.hblkhd);
  wl_slurp("/proc/self/smaps_rollup");
  long pc = wl_field("Private_Clean"), pd = wl_field("Private_Dirty");
  wl_p(",\"rss_kb\":%ld,\"pss_kb\":%ld,\"uss_kb\":%ld,\"anon_kb\":%ld,\"swap_kb\":%ld", wl_field("\nRss"), wl_field("\nPss"), pc + pd, wl_field("Anonymous"), wl_field("\nSwap"));
  wl_slurp("/proc/self/status"); wl_p(",\"vsz_kb\":%ld,\"threads\":%ld", wl_field("VmSize"), wl_field("Threads"));
  wl_slurp("/proc/self/stat"); { char *p = strrchr(wl_rd, ')'); long v[12] = {0}; int n = 0; if (p) { p += 2; for (char *q = strtok(p, " "); q && n < 12; q = strtok(NULL, " ")) v[n++] = strtol(q, NULL, 10); } wl_p(",\"minflt\":%ld,\"majflt\":%ld", v[7], v[9]); }
  if (walk) wl_walk_json();
}
static void wl_mi_json(void) { /* malloc_info(): number of arenas, bytes got from the system, free bytes on lists, mmapped */
  if (!WL.mif) return;
  rewind(WL.mif); malloc_info(0, WL.mif); fflush(WL.mif);
  int heaps = 0; char *p = wl_mibuf, *last = NULL; long rest = 0, fast = 0, sys = 0;
  char *l = strstr(wl_mibuf, "</malloc>"); if (l) *l = 0;
  while ((p = strstr(p, "<heap nr="))) { heaps++; p += 9; }
  for (p = wl_mibuf; (p = strstr(p, "</heap>")); p += 7) last = p;
  if (last) { char *q; if ((q = strstr(last, "type=\"fast\""))) { q = strstr(q, "size=\""); if (q) fast = strtol(q + 6, NULL, 10); } if ((q = strstr(last, "type=\"rest\""))) { q = strstr(q, "size=\""); if (q) rest = strtol(q + 6, NULL, 10); } if ((q = strstr(last, "system type=\"current\""))) { q = strstr(q, "size=\""); if (q) sys = strtol(q + 6, NULL, 10); } }
  wl_p(",\"malloc_info\":{\"heaps\":%d,\"fast_b\":%ld,\"rest_b\":%ld,\"system_b\":%ld}", heaps, fast, rest, sys);
}
/* ---- life cycle ---- */
static void wl_sig(int s) { (void)s; WL.stop = 1; }
static const char *wl_arg(int argc, char **argv, const char *k, const char *def) {
  for (int i = 1; i + 1 < argc; i++) if (!strcmp(argv[i], k)) return argv[i + 1];
  return def;
}
static int wl_flag(int argc, char **argv, const char *k) { for (int i = 1; i < argc; i++) if (!strcmp(argv[i], k)) return 1; return 0; }
static void wl_init(const char *name, int argc, char **argv, double def_duration, const char *label, const char *accept, const char *forbid) {
  memset(&WL, 0, sizeof WL);
  WL.name = name; WL.label = label; WL.accept = accept; WL.forbid = forbid;
  WL.scale = atof(wl_arg(argc, argv, "--scale", "1")); WL.pace = atof(wl_arg(argc, argv, "--pace", "1"));
  WL.duration = atof(wl_arg(argc, argv, "--duration", "0")); if (WL.duration <= 0) WL.duration = def_duration; WL.duration *= WL.pace;
  WL.seed = strtoull(wl_arg(argc, argv, "--seed", "42"), NULL, 10); WL.sample_s = atof(wl_arg(argc, argv, "--sample-ms", "500")) / 1000 * WL.pace;
  WL.linger = atof(wl_arg(argc, argv, "--linger", "2")); WL.walk = wl_flag(argc, argv, "--walk"); WL.notrim = wl_flag(argc, argv, "--no-trim");
  WL.mode = wl_arg(argc, argv, "--mode", ""); WL.fd = 1; WL.dt = 0.02 * WL.pace; WL.nsteps = (long)(WL.duration / WL.dt + 0.5);
  const char *out = wl_arg(argc, argv, "--out", NULL); if (out) { int f = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644); if (f >= 0) WL.fd = f; }
  wl_rs = WL.seed; signal(SIGPIPE, SIG_IGN); signal(SIGTERM, wl_sig);
  WL.tag_name[0] = "base";
  WL.mif = fmemopen(wl_mibuf, sizeof wl_mibuf, "w"); if (WL.mif) setvbuf(WL.mif, NULL, _IONBF, 0);
  wl_probe();
  WL.t0 = wl_clock(); WL.next_sample = WL.sample_s; WL.phase = "init";
}
static void wl_list(const char *k, const char *s) { /* "A|B" -> ["A","B"] */
  wl_p(",\"%s\":[", k); int first = 1;
  while (s && *s) { const char *e = strchr(s, '|'); int n = e ? (int)(e - s) : (int)strlen(s); wl_p("%s\"%.*s\"", first ? "" : ",", n, s); first = 0; s = e ? e + 1 : NULL; }
  wl_p("]");
}
static void wl_start(void) {
  wl_p("{\"ev\":\"start\",\"wl\":\"%s\",\"mode\":\"%s\",\"pid\":%d,\"glibc\":\"%s\",\"duration\":%.1f,\"scale\":%g,\"pace\":%g,\"seed\":%lu,\"label\":\"%s\"", WL.name, WL.mode, (int)getpid(), gnu_get_libc_version(), WL.duration, WL.scale, WL.pace, WL.seed, WL.label);
  wl_list("accept", WL.accept); wl_list("forbid", WL.forbid); wl_p("}"); wl_flush();
}
static void wl_phase(const char *ph, const char *now) { /* now: labels acceptable if judged at any moment until the next phase */
  WL.phase = ph; wl_p("{\"ev\":\"phase\",\"wl\":\"%s\"", WL.name); wl_list("now", now); wl_state_json(1); wl_mi_json(); wl_p("}"); wl_flush();
}
static void wl_sample(void) { wl_p("{\"ev\":\"sample\",\"wl\":\"%s\"", WL.name); wl_state_json(WL.walk); wl_p("}"); wl_flush(); }
/* call at every step s = 0..nsteps-1: waits for the step's time, emits samples. Work is tied to s, not to the clock, so it is deterministic. */
static void wl_tick(long s) {
  for (;;) {
    double due = (s + 1) * WL.dt, n = wl_now();
    if (n >= WL.next_sample) { wl_sample(); WL.next_sample += WL.sample_s; if (WL.next_sample < wl_now()) WL.next_sample = wl_now() + WL.sample_s; continue; }
    if (n >= due || WL.stop) return;
    double w = due - n; struct timespec ts; ts.tv_sec = (time_t)w; ts.tv_nsec = (long)((w - (double)ts.tv_sec) * 1e9); nanosleep(&ts, NULL);
  }
}
static void wl_hold(double sec) { double e = wl_now() + sec; while (wl_now() < e && !WL.stop) { if (wl_now() >= WL.next_sample) { wl_sample(); WL.next_sample = wl_now() + WL.sample_s; } struct timespec ts = {0, 20000000}; nanosleep(&ts, NULL); } }
static void wl_end(const char *extra) { /* extra: JSON members, e.g. "\"leak_Bps\":123" or "" */
  WL.phase = "end"; wl_p("{\"ev\":\"truth\",\"wl\":\"%s\",\"mode\":\"%s\",\"label\":\"%s\"", WL.name, WL.mode, WL.label); wl_list("accept", WL.accept); wl_list("forbid", WL.forbid);
  if (extra && *extra) wl_p(",%s", extra);
  wl_state_json(1); wl_mi_json(); wl_p("}"); wl_flush();
  wl_hold(WL.linger);
  if (!WL.notrim) {
    long b = wl_rss_kb(); wl_walk(); uint64_t pred = W.trimmable, fr = W.free_res; double t = wl_clock(); int r = malloc_trim(0); t = wl_clock() - t; long a = wl_rss_kb();
    wl_p("{\"ev\":\"trim\",\"wl\":\"%s\",\"ret\":%d,\"rss_before_kb\":%ld,\"rss_after_kb\":%ld,\"returned_kb\":%ld,\"walk_trimmable_kb\":%lu,\"walk_free_resident_kb\":%lu,\"trim_ms\":%.2f}", WL.name, r, b, a, b - a, pred / 1024, fr / 1024, t * 1e3); wl_flush();
  }
  _exit(0);
}
#endif
