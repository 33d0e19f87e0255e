/* SPDX-License-Identifier: Apache-2.0 */
// Ordinary C++: requests build strings, vectors, maps, unordered_maps and shared_ptr trees and drop them; a bounded session
// table (3,000 entries) is replaced at random. Everything is bounded: STABLE.
#include "../wl.h"
#include <map>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>
void *operator new(size_t n) { return wl_new(0, n); }
void operator delete(void *p) noexcept { wl_delete(0, p); }
void operator delete(void *p, size_t) noexcept { wl_delete(0, p); }
struct Node { virtual ~Node() {} std::string name; std::vector<std::shared_ptr<Node>> kids; };
struct Leaf : Node { std::map<int, std::string> attr; };
static std::shared_ptr<Node> tree(int d) { auto n = d ? std::make_shared<Node>() : std::static_pointer_cast<Node>(std::make_shared<Leaf>()); n->name.assign(wl_rng(5, 60), 'n'); if (!d) { auto *l = static_cast<Leaf *>(n.get()); for (int i = 0; i < 3; i++) l->attr[i] = std::string(wl_rng(10, 50), 'a'); } for (int i = 0; d && i < 3; i++) n->kids.push_back(tree(d - 1)); return n; }
struct Session { std::string user, token; std::unordered_map<std::string, std::string> kv; std::vector<int> hist; };
int main(int argc, char **argv) {
  wl_init("cpp_patterns", argc, argv, 34, "STABLE", "STABLE", "LEAK|NON_MALLOC_GROWTH|ARENA_PROLIFERATION|FRAGMENTATION|TOP_PINNED|CACHE_WARMUP|PERIODIC");
  wl_start(); std::vector<std::unique_ptr<Session>> tab(3000);
  auto fill = [&](size_t i) { auto s = std::make_unique<Session>(); s->user.assign(wl_rng(8, 40), 'u'); s->token.assign(wl_rng(40, 400), 't'); for (int k = 0, e = (int)wl_rng(2, 12); k < e; k++) s->kv["k" + std::to_string(k) + std::string(20, '_')] = std::string(wl_rng(16, 300), 'v'); s->hist.resize(wl_rng(4, 200)); tab[i] = std::move(s); };
  for (size_t i = 0; i < tab.size(); i++) fill(i);
  wl_phase("serving", "STABLE|INSUFFICIENT_DATA");
  for (long s = 0; s < WL.nsteps; s++) {
    for (int r = 0; r < (int)(6 * WL.scale + 1); r++) { auto t = tree(3); std::map<std::string, std::vector<int>> m; for (int i = 0; i < 40; i++) m[std::string(wl_rng(5, 40), 'm') + std::to_string(i)].resize(wl_rng(1, 64)); std::string body; for (int i = 0; i < 60; i++) body += std::string(wl_rng(20, 200), 'b'); fill(wl_rnd() % tab.size()); }
    wl_tick(s);
  }
  wl_end("");
}
