/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System: what is asked of the kernel and the C library that the oldest glibc
 * heaptide is built with (2.31, and the kernel headers of its time) has no name
 * for. Where a wrapper came later, the call is made by its number with every
 * glibc, so that one way is taken and tested everywhere.
 */
#ifndef HT_COMMON_SYSTEM_H
#define HT_COMMON_SYSTEM_H

#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* Numbers of x86-64 that older headers lack. */
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u /* <linux/close_range.h> */
#endif
#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9 */
#endif
#ifndef SYS_openat2
#define SYS_openat2 437 /* Linux 5.6 */
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441 /* Linux 5.11 */
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* Linux 5.17 */
#endif

/* A descriptor of the process (close-on-exec), readable when it has ended;
 * -1 with errno. pidfd_open(2); the wrapper is of glibc 2.36. */
int ht_pidfd_open(pid_t pid);

/* pidfd_send_signal(2): 0, or -1 with errno. */
int ht_pidfd_signal(int pidfd, int signal);

/* waitid(2) for the child behind a pidfd: 0, or -1 with errno. */
int ht_pidfd_wait(int pidfd, siginfo_t *ret, int options);

/* Closes every descriptor from `first` on. Async-signal-safe. */
void ht_close_from(int first);

/* In a child before exec: fd becomes number `as`, which stays open across it,
 * and all above are closed. Async-signal-safe. */
void ht_keep_as_last(int fd, int as);

/* Lets a program that is spawned inherit no descriptor from `first` on; 0 or an
 * errno. Before glibc 2.34 by marking this process's own: none of them, opened
 * until now, survives any later exec. */
int ht_spawn_close_from(posix_spawn_file_actions_t *plan, int first);

/* What an errno, a signal means, in English (before glibc 2.32 in the locale's
 * language); never NULL, never to be freed. */
const char *ht_errno_text(int number);
const char *ht_signal_text(int number);

#endif
