/* SPDX-License-Identifier: Apache-2.0 */
/* Seed 3, experiment 7: the article's own cache: 65,536-slot hash table of binary trees, nodes from 4096-node mmap blocks
 * (node 0 of a block is its list header), all blocks munmap'ed on delete. Seed: 2060 -> 25584 -> 1668 KB: returned at once. */
#include "../wl.h"
typedef struct node { unsigned char md5[16]; uint64_t val; struct node *l, *r, *pad; } node; /* 48 bytes, like cache_node_t */
typedef struct page { struct page *prev, *next; long used; } page;
static node *heads[65536]; static page *pages; static long npages;
static node *new_node(void) {
  if (!pages || pages->used == 4096) { page *p = (page *)mmap(NULL, 4096 * sizeof(node), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); if (p == MAP_FAILED) _exit(3); p->next = pages; p->prev = NULL; if (pages) pages->prev = p; p->used = 1; pages = p; npages++; }
  return (node *)pages + pages->used++;
}
static void ins(uint64_t i) {
  uint64_t s = i * 2 + WL.seed, a = wl_mix(&s), b = wl_mix(&s); unsigned char k[16]; memcpy(k, &a, 8); memcpy(k + 8, &b, 8);
  node **pp = &heads[(k[12] | k[13] << 8) & 65535]; while (*pp) { int c = memcmp(k, (*pp)->md5, 16); if (!c) return; pp = c < 0 ? &(*pp)->l : &(*pp)->r; }
  node *x = new_node(); memcpy(x->md5, k, 16); x->val = i; x->l = x->r = NULL; *pp = x;
}
int main(int argc, char **argv) {
  wl_init("seed3_exp7_own_cache", argc, argv, 24, "STABLE", "STABLE", "LEAK|FRAGMENTATION|ARENA_PROLIFERATION|POOL_GROWTH|TOP_PINNED");
  wl_start(); long N = (long)(500000 * WL.scale), n = WL.nsteps, i = 0; wl_phase("at_beginning", "STABLE|INSUFFICIENT_DATA|NON_MALLOC_GROWTH");
  for (long s = 0; s < n; s++) {
    double x = (double)s / (double)n;
    if (x >= 0.1 && i < N) { long up = x >= 0.35 ? N : (long)((double)N * (x - 0.1) / 0.25); for (; i < up; i++) ins((uint64_t)i); }
    if (x >= 0.35 && !strcmp(WL.phase, "at_beginning")) wl_phase("inserted", "NON_MALLOC_GROWTH|STABLE|INSUFFICIENT_DATA");
    if (x >= 0.6 && pages) { while (pages) { page *p = pages; pages = p->next; munmap(p, 4096 * sizeof(node)); } memset(heads, 0, sizeof heads); wl_phase("deleted", "STABLE|NON_MALLOC_GROWTH"); }
    wl_tick(s);
  }
  wl_end("");
}
