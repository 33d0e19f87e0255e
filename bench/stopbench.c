/* SPDX-License-Identifier: Apache-2.0 */
// stopbench: PTRACE_SEIZE + INTERRUPT all threads of a process; T threads, mode busy|sleep|malloc
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static int cmp(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return x < y ? -1 : x > y; }
static char mode;
static void *w(void *a) { (void)a; if (mode == 's') for (;;) pause(); if (mode == 'm') for (;;) { void *p = malloc(100); __asm__ volatile("" ::"r"(p)); free(p); usleep(1000); } volatile uint64_t x = 0; for (;;) x++; }
int main(int c, char **v) {
  int T = atoi(v[1]); mode = v[2][0]; int rep = c > 3 ? atoi(v[3]) : 21;
  int pp[2]; if (pipe(pp)) return 1; pid_t ch = fork();
  if (!ch) { pthread_attr_t a; pthread_attr_init(&a); pthread_attr_setstacksize(&a, 65536); for (int i = 1; i < T; i++) { pthread_t h; if (pthread_create(&h, &a, w, 0)) abort(); } if (write(pp[1], "x", 1)) {} w(0); }
  char x; if (read(pp[0], &x, 1)) {} usleep(200000);
  if (c > 4) { struct sched_param sp = {50}; if (sched_setscheduler(0, SCHED_FIFO, &sp)) perror("fifo"); }
  double seize[101], stop[101], res[101], tot[101], intr[101];
  for (int r = 0; r < rep; r++) {
    double t0 = now(); char p[64]; snprintf(p, sizeof p, "/proc/%d/task", ch); DIR *d = opendir(p); struct dirent *e; static pid_t tid[8192]; int n = 0;
    while ((e = readdir(d))) if (e->d_name[0] != '.') tid[n++] = atoi(e->d_name); closedir(d);
    for (int i = 0; i < n; i++) if (ptrace(PTRACE_SEIZE, tid[i], 0, 0)) perror("seize");
    double t1 = now(); for (int i = 0; i < n; i++) ptrace(PTRACE_INTERRUPT, tid[i], 0, 0);
    double t15 = now(); for (int i = 0; i < n; i++) { int st; waitpid(tid[i], &st, __WALL); }
    double t2 = now(); for (int i = 0; i < n; i++) ptrace(PTRACE_DETACH, tid[i], 0, 0);
    double t3 = now(); seize[r] = (t1 - t0) * 1e6; intr[r] = (t15 - t1) * 1e6; stop[r] = (t2 - t1) * 1e6; res[r] = (t3 - t2) * 1e6; tot[r] = (t3 - t1) * 1e6; usleep(50000);
  }
  qsort(seize, rep, 8, cmp); qsort(stop, rep, 8, cmp); qsort(res, rep, 8, cmp); qsort(tot, rep, 8, cmp); qsort(intr, rep, 8, cmp);
  printf("threads %4d mode %c: seize(not paused) %.0f us; interrupt->all stopped %.0f us (max %.0f); detach %.0f us; pause total median %.0f us max %.0f\n", T, mode, seize[rep / 2], stop[rep / 2], stop[rep - 1], res[rep / 2], tot[rep / 2], tot[rep - 1]);
  kill(ch, SIGKILL); return 0;
}
