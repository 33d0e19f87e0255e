/* SPDX-License-Identifier: Apache-2.0 */
// rdbench: cross-process memory read limits. Child holds a resident buffer of SIZE MiB; parent measures.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static uint64_t rng(uint64_t *s) { uint64_t x = *s; x ^= x << 13; x ^= x >> 7; x ^= x << 17; return *s = x; }
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static int cmp(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return x < y ? -1 : x > y; }
#define REP 5
#define MEDIAN(code, out) do { double _t[REP]; for (int _r = 0; _r < REP; _r++) { double _a = now(); code; _t[_r] = now() - _a; } qsort(_t, REP, 8, cmp); out = _t[REP / 2]; } while (0)
static char *buf; static size_t SZ; static pid_t ch; static char *dst;
static void pvr_seq(size_t blk) { for (size_t o = 0; o < SZ; o += blk) { struct iovec l = {dst, blk}, r = {buf + o, blk}; if (process_vm_readv(ch, &l, 1, &r, 1, 0) != (ssize_t)blk) { perror("pvr"); exit(1); } } }
static uint64_t seed;
// scattered: n reads of len bytes at random addresses (aligned to al), batch per syscall
static void pvr_scat(long n, size_t len, int batch, size_t al) {
  uint64_t s = seed; static struct iovec r[1024];
  for (long i = 0; i < n; i += batch) { for (int k = 0; k < batch; k++) { r[k].iov_base = buf + (rng(&s) % (SZ / al)) * al; r[k].iov_len = len; if ((char *)r[k].iov_base + len > buf + SZ) r[k].iov_base = buf; }
    struct iovec l = {dst, len * batch}; if (process_vm_readv(ch, &l, 1, r, batch, 0) < 0) { perror("pvr2"); exit(1); } } }
// sorted scattered: ascending addresses (as a heap walk does)
static void pvr_asc(long n, size_t len, int batch) {
  size_t step = SZ / n; static struct iovec r[1024];
  for (long i = 0; i < n; i += batch) { for (int k = 0; k < batch; k++) { r[k].iov_base = buf + (i + k) * step; r[k].iov_len = len; } struct iovec l = {dst, len * batch}; if (process_vm_readv(ch, &l, 1, r, batch, 0) < 0) { perror("pvr3"); exit(1); } } }
static void mem_scat(int fd, long n, size_t len, size_t al) { uint64_t s = seed; for (long i = 0; i < n; i++) { off_t o = (off_t)(uintptr_t)(buf + (rng(&s) % ((SZ - 8192) / al)) * al); if (pread(fd, dst, len, o) != (ssize_t)len) { perror("pread"); kill(ch, SIGKILL); exit(1); } } }
static void mem_seq(int fd, size_t blk) { for (size_t o = 0; o < SZ; o += blk) if (pread(fd, dst, blk, (off_t)(uintptr_t)(buf + o)) != (ssize_t)blk) { perror("pread"); kill(ch, SIGKILL); exit(1); } }
static void peek(long n) { uint64_t s = seed; for (long i = 0; i < n; i++) { errno = 0; ptrace(PTRACE_PEEKDATA, ch, buf + (rng(&s) % (SZ / 8)) * 8, 0); if (errno) { perror("peek"); exit(1); } } }
static void pagemap(int fd, size_t blk) { size_t n = SZ / 4096 * 8; off_t o = (uintptr_t)buf / 4096 * 8; for (size_t d = 0; d < n; d += blk) if (pread(fd, dst, blk, o + d) <= 0) { perror("pagemap"); exit(1); } }
#ifndef PAGEMAP_SCAN
struct page_region { uint64_t start, end, categories; };
struct pm_scan_arg { uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask, category_anyof_mask, return_mask; };
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_PRESENT (1 << 3)
#define PAGE_IS_SWAPPED (1 << 4)
#endif
static long pmscan(int fd) { static struct page_region v[65536]; uint64_t st = (uint64_t)buf, en = (uint64_t)buf + SZ; long tot = 0; while (st < en) { struct pm_scan_arg a = {sizeof a, 0, st, en, 0, (uint64_t)v, 65536, 0, 0, 0, PAGE_IS_PRESENT | PAGE_IS_SWAPPED, PAGE_IS_PRESENT | PAGE_IS_SWAPPED}; long r = ioctl(fd, PAGEMAP_SCAN, &a); if (r < 0) { return -errno; } tot += r; st = a.walk_end; } return tot; }
static void slurp(const char *f) { char p[64]; snprintf(p, sizeof p, "/proc/%d/%s", ch, f); int fd = open(p, O_RDONLY); while (read(fd, dst, 1 << 20) > 0); close(fd); }
int main(int c, char **v) {
  SZ = (size_t)(c > 1 ? atol(v[1]) : 1024) << 20; int punch = c > 2 ? atoi(v[2]) : 0; seed = 12345;
  buf = mmap(0, SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int pp[2]; if (pipe(pp)) return 1;
  ch = fork();
  if (!ch) { uint64_t s = 1; for (size_t i = 0; i < SZ; i += 8) *(uint64_t *)(buf + i) = rng(&s); if (punch) for (size_t i = 0; i < SZ; i += 8192) madvise(buf + i, 4096, MADV_DONTNEED); if (write(pp[1], "x", 1)) {} for (;;) pause(); }
  char x; if (read(pp[0], &x, 1)) {}
  dst = mmap(0, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0); memset(dst, 1, 64 << 20);
  double t; double gib = SZ / 1073741824.0;
  printf("size %.2f GiB%s\n", gib, punch ? " every other page released" : "");
  if (!punch) {
  size_t bl[] = {4096, 16384, 65536, 262144, 1 << 20, 4 << 20, 16 << 20, 64 << 20};
  for (int i = 0; i < 8; i++) { MEDIAN(pvr_seq(bl[i]), t); printf("process_vm_readv seq blk %8zu: %6.2f GiB/s (%.0f ns/call)\n", bl[i], gib / t, t / (SZ / bl[i]) * 1e9); }
  size_t ln[] = {16, 64, 4096}; int bt[] = {1, 16, 128, 1024};
  for (int i = 0; i < 3; i++) for (int j = 0; j < 4; j++) { long n = 1024 * 256; MEDIAN(pvr_scat(n, ln[i], bt[j], 64), t); printf("process_vm_readv random %4zu B batch %4d: %8.3f M reads/s  %.2f GiB/s  %.0f ns/read\n", ln[i], bt[j], n / t / 1e6, n * ln[i] / t / 1073741824.0, t / n * 1e9); }
  for (int j = 0; j < 4; j++) { long n = 1024 * 1024; MEDIAN(pvr_asc(n, 16, bt[j]), t); printf("process_vm_readv ascending 16 B every %zu B batch %4d: %8.3f M reads/s %.0f ns/read\n", SZ / n, bt[j], n / t / 1e6, t / n * 1e9); }
  char p[64]; snprintf(p, sizeof p, "/proc/%d/mem", ch); int fd = open(p, O_RDONLY);
  for (int i = 0; i < 3; i++) { long n = 262144; MEDIAN(mem_scat(fd, n, ln[i], 64), t); printf("/proc/PID/mem pread random %4zu B: %8.3f M reads/s  %.0f ns/read\n", ln[i], n / t / 1e6, t / n * 1e9); }
  for (int i = 0; i < 7; i++) { MEDIAN(mem_seq(fd, bl[i]), t); printf("/proc/PID/mem pread seq blk %8zu: %6.2f GiB/s\n", bl[i], gib / t); }
  double s1; MEDIAN({ for (size_t o = 0; o < SZ / 16; o += 64 << 20) memcpy(dst, buf, 0); memmove(dst, dst + (32 << 20), 32 << 20); }, s1); printf("local memmove 32 MiB: %.2f GiB/s\n", 0.03125 / s1);
  ptrace(PTRACE_SEIZE, ch, 0, 0); ptrace(PTRACE_INTERRUPT, ch, 0, 0); int st; waitpid(ch, &st, __WALL);
  { long n = 1000000; MEDIAN(peek(n), t); printf("PTRACE_PEEKDATA random 8 B: %.3f M reads/s (%.0f ns)\n", n / t / 1e6, t / n * 1e9); }
  }
  char p[64]; snprintf(p, sizeof p, "/proc/%d/pagemap", ch); int pf = open(p, O_RDONLY);
  size_t pb[] = {8, 4096, 65536, 1 << 20}; for (int i = 0; i < 4; i++) { MEDIAN(pagemap(pf, pb[i]), t); printf("pagemap read blk %7zu: %.2f ms per GiB (%.1f ns/page)\n", pb[i], t * 1e3 / gib, t / (SZ / 4096) * 1e9); }
  long r = 0; MEDIAN(r = pmscan(pf), t); printf("PAGEMAP_SCAN: %.3f ms per GiB (%ld regions)\n", t * 1e3 / gib, r);
  MEDIAN(slurp("smaps"), t); printf("smaps: %.3f ms\n", t * 1e3); MEDIAN(slurp("smaps_rollup"), t); printf("smaps_rollup: %.3f ms\n", t * 1e3); MEDIAN(slurp("statm"), t); printf("statm: %.4f ms\n", t * 1e3); MEDIAN(slurp("maps"), t); printf("maps: %.4f ms\n", t * 1e3);
  kill(ch, SIGKILL); return 0;
}
