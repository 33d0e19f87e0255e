/* SPDX-License-Identifier: Apache-2.0 */
/*
 * untrimmable WHY: a process with memory to trim, of which no thread may be
 * made to call malloc_trim. Prints "ready" when it is so, and stays.
 *
 *   none       nothing is wrong: its thread waits in pause()
 *   handler    in a signal handler
 *   altstack   in a signal handler on an alternate stack
 *   in_malloc  in a signal handler that came while malloc wrote to the heap
 *   locked     the same in one thread, which holds the lock; another one waits
 *   waiting    in malloc, waiting for the lock that another thread holds so
 *   fork       in a handler that fork calls
 *   coroutine  on a stack of its own making
 *   tiny       the only thread that waits has a stack of 16 KiB
 *   seccomp    under a filter that forbids madvise
 *   listed     under one that allows a list, madvise by its advice: by itself
 *              nothing is wrong with it
 *   polling    the same as seccomp, asleep where a stop cannot read the filter
 *   busy       its thread runs all the time
 *   generated  in code that no unwinding information describes
 *   damaged    a free chunk's size is wrong
 */
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define BLOCKS 4000

static char *keep[BLOCKS];

static void say_ready(void)
{
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		_exit(1);
}

static void stay(void)
{
	say_ready();
	for (;;)
		pause();
}

static volatile sig_atomic_t held;

static void on_hold(int sig)
{
	(void)sig;
	held = 1;
	for (;;)
		pause();
}

static void on_signal(int sig)
{
	(void)sig;
	stay();
}

static void make_trimmable(void)
{
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	for (int i = 0; i < BLOCKS; i++) {
		keep[i] = malloc(2000);
		memset(keep[i], 1, 2000);
	}
	for (int i = 0; i < BLOCKS; i++)
		if (i % 32)
			free(keep[i]);
}

static void in_handler(int flags)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = flags};
	stack_t stack = {.ss_sp = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			 .ss_size = 1 << 20};

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
}

/* malloc writes the size of the top chunk that remains: let it fault there. */
static void in_malloc(void (*handler)(int))
{
	const uintptr_t page = 4095;
	struct sigaction act = {.sa_handler = handler};
	char *heap;
	uintptr_t top;

	mallopt(M_TRIM_THRESHOLD, 64 << 20);
	free(malloc(900000)); /* the top is large now */
	heap = malloc(100000);
	top = ((uintptr_t)heap + 100000 + page) & ~page;

	sigaction(SIGSEGV, &act, NULL);
	if (mprotect((void *)top, (uintptr_t)sbrk(0) - top, PROT_READ) < 0)
		_exit(1);
	heap = malloc(100000);
	heap[0] = 1;
}

static void *holds(void *arg)
{
	in_malloc(on_hold);
	return arg;
}

static void waiting(void)
{
	pthread_t t;

	mallopt(M_ARENA_MAX, 1);
	if (pthread_create(&t, NULL, holds, NULL) != 0)
		_exit(1);
	while (!held)
		usleep(1000);
	say_ready();
	free(malloc(5000));
}

static void *pauses(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void in_thread(size_t stack_size)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	if (stack_size)
		pthread_attr_setstacksize(&attr, stack_size);
	if (pthread_create(&t, &attr, pauses, NULL) != 0)
		_exit(1);
}

/* A sleep that nobody may take a thread out of. */
static void wait_for_all_of_it(void)
{
	char buf[2];
	int s[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	for (;;)
		recv(s[0], buf, sizeof(buf), MSG_WAITALL);
}

static void coroutine(void)
{
	static ucontext_t here, there;

	getcontext(&there);
	there.uc_stack.ss_sp = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	there.uc_stack.ss_size = 1 << 20;
	makecontext(&there, stay, 0);
	swapcontext(&here, &there);
}

#define LOAD(member)                                                           \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                                     \
		 offsetof(struct seccomp_data, member))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define IF_CALL(nr, action)                                                    \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), RETURN(action)

static void install(struct sock_filter *v, size_t n)
{
	struct sock_fprog program = {(unsigned short)n, v};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		_exit(1);
}

static void forbid(void)
{
	struct sock_filter v[] = {
		LOAD(nr), IF_CALL(SYS_madvise, SECCOMP_RET_KILL_PROCESS),
		RETURN(SECCOMP_RET_ALLOW)};

	install(v, sizeof(v) / sizeof(*v));
}

/* As container filters are: what is not listed kills. Two of them. */
static void list(void)
{
	struct sock_filter all[] = {RETURN(SECCOMP_RET_ALLOW)};
	struct sock_filter v[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		IF_CALL(SYS_write, SECCOMP_RET_ALLOW),
		IF_CALL(SYS_pause, SECCOMP_RET_ALLOW),
		IF_CALL(SYS_rt_sigreturn, SECCOMP_RET_ALLOW),
		IF_CALL(SYS_brk, SECCOMP_RET_ALLOW),
		IF_CALL(SYS_futex, SECCOMP_RET_ALLOW),
		IF_CALL(SYS_poll, SECCOMP_RET_ALLOW),
		IF_CALL(SYS_restart_syscall, SECCOMP_RET_ALLOW),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
		LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_DONTNEED, 0, 1),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_KILL_PROCESS)};

	install(all, 1);
	install(v, sizeof(v) / sizeof(*v));
}

static void poll_for_ever(void)
{
	say_ready();
	for (;;)
		poll(NULL, 0, -1);
}

/* mov $SYS_pause, %eax; syscall; jmp to the start */
static void generated(void)
{
	static const unsigned char code[] = {0xb8, 0x22, 0,    0,   0,
					     0x0f, 0x05, 0xeb, 0xf7};
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(at, code, sizeof(code));
	say_ready();
	((void (*)(void))at)();
}

static void damage(void)
{
	char *p = malloc(40000), *q = malloc(100);

	free(p);
	*(volatile size_t *)(p - sizeof(size_t)) = 0x1231;
	q[0] = 1;
	stay();
}

static void busy(void)
{
	say_ready();
	for (;;)
		__asm__ volatile("" : : : "memory");
}

int main(int argc, char **argv)
{
	const char *why = argc > 1 ? argv[1] : "";

	make_trimmable();
	if (strcmp(why, "handler") == 0)
		in_handler(0);
	if (strcmp(why, "altstack") == 0)
		in_handler(SA_ONSTACK);
	if (strcmp(why, "locked") == 0)
		in_thread(0);
	if (strcmp(why, "in_malloc") == 0 || strcmp(why, "locked") == 0)
		in_malloc(on_signal);
	if (strcmp(why, "waiting") == 0)
		waiting();
	if (strcmp(why, "fork") == 0) {
		pthread_atfork(stay, NULL, NULL);
		fork();
	}
	if (strcmp(why, "coroutine") == 0)
		coroutine();
	if (strcmp(why, "tiny") == 0) {
		in_thread(PTHREAD_STACK_MIN);
		say_ready();
		wait_for_all_of_it();
	}
	if (strcmp(why, "seccomp") == 0 || strcmp(why, "polling") == 0)
		forbid();
	if (strcmp(why, "polling") == 0)
		poll_for_ever();
	if (strcmp(why, "listed") == 0)
		list();
	if (strcmp(why, "busy") == 0)
		busy();
	if (strcmp(why, "generated") == 0)
		generated();
	if (strcmp(why, "damaged") == 0)
		damage();
	if (strcmp(why, "none") == 0 || strcmp(why, "seccomp") == 0 ||
	    strcmp(why, "listed") == 0)
		stay();
	return 2;
}
