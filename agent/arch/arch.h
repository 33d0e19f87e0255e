/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arch: all that is of one processor architecture: its pages, registers and red
 * zone, the numbers of its system calls, the frame that a return from a signal
 * loads, its notes in core files, its ABIs. Above this door nobody names a
 * register (tests/layers.sh).
 *
 * A folder beside x86/ is another one: native.h with the structs and constants
 * below, and the functions that are declared here.
 */
#ifndef HT_AGENT_ARCH_ARCH_H
#define HT_AGENT_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

/* What native.h gives, beside the texts and lists that it explains itself:
 *
 *   HT_PAGE_SIZE          bytes
 *   HT_RED_ZONE           bytes below sp that a leaf function keeps its own
 *   HT_ENTRY_SP           sp % 16 where a function is entered
 *   HT_GENERAL_REGISTERS  that may hold a pointer
 *   HT_SAVED_REGISTERS    the first of these, which a function gives back as
 *                         it found them
 *   HT_VECTOR_MAX         bytes of the vector registers, most
 *   HT_PT_...             where the kernel's struct pt_regs has what
 *   HT_PERF_...           which registers its samples are to have, and where
 *   HT_AUDIT_ARCH         its name in a seccomp filter's data
 *   HT_CALL_SLEEP         the call of ht_sigframe_sleep()
 *   HT_CALL_RESUME        what the kernel enters to go on with one
 *   struct ht_regs        registers of a stopped thread
 *   struct ht_sigframe    a signal frame on a stack, and what returns to it
 */
#if defined(__x86_64__)
#include "agent/arch/x86/native.h"
#else
#error "agent/arch/ has no folder for this architecture"
#endif

/* --- ABIs: what a program, its malloc and its threads are made for */

enum ht_abi { HT_ABI_NONE, HT_ABI_X86_64, HT_ABI_I386, HT_ABI_COUNT };

/* Of an ELF header; HT_ABI_NONE: none that we know. */
enum ht_abi ht_abi_of(unsigned e_machine, unsigned ei_class);
/* The one that has words of so many bytes. */
enum ht_abi ht_abi_with_word(unsigned word);
unsigned ht_abi_word(enum ht_abi abi); /* 8 or 4; 0: of none */
const char *ht_abi_name(enum ht_abi abi);
/* All of them, for messages: "x86-64 and i386". */
extern const char ht_abi_names[];

/* Whether this relocation, with an addend, puts the address that the object has
 * come to, plus the addend. */
bool ht_abi_is_relative(enum ht_abi abi, unsigned relocation);
/* Whether this relocation puts a symbol's offset from the thread pointer. */
bool ht_abi_is_tls_offset(enum ht_abi abi, unsigned relocation);

/* --- registers of a thread that is stopped */

bool ht_regs_read(pid_t tid, struct ht_regs *ret); /* false: errno */
bool ht_regs_write(pid_t tid, const struct ht_regs *r);
uint64_t ht_regs_pc(const struct ht_regs *r);
uint64_t ht_regs_sp(const struct ht_regs *r);
uint64_t ht_regs_frame(const struct ht_regs *r); /* frame pointer */
uint64_t ht_regs_thread_pointer(const struct ht_regs *r, unsigned word);
void ht_regs_general(const struct ht_regs *r,
		     uint64_t ret[HT_GENERAL_REGISTERS]);
/* Word of the code that the thread runs at this moment: 8 or 4. */
unsigned ht_regs_word(const struct ht_regs *r);

/* The system call that the thread is in or comes back from; -1: none. */
long ht_regs_call(const struct ht_regs *r);
/* What it comes back with: negative errno, or one of the kernel's own -512 to
 * -516, which no program sees. */
int64_t ht_regs_result(const struct ht_regs *r);
void ht_regs_set_result(struct ht_regs *r, int64_t v);
/* About to go on with a sleep that an earlier stop broke off. */
bool ht_regs_resumes_sleep(const struct ht_regs *r);
/* In none: what it would enter is not entered anew. */
void ht_regs_leave_call(struct ht_regs *r);
/* To make this call at pc ("system call; return") and return to what is on the
 * stack at sp. */
void ht_regs_make_call(struct ht_regs *r, uint64_t pc, uint64_t sp, long nr,
		       const uint64_t args[3]);
/* To make this call by the instruction that it came from, its stack up by so
 * many bytes. */
void ht_regs_call_anew(struct ht_regs *r, uint64_t up, long nr,
		       const uint64_t args[3]);
/* To return into code at pc with this stack. */
void ht_regs_return_into(struct ht_regs *r, uint64_t pc, uint64_t sp);

/* The kernel's own results. */
#define HT_ERESTARTSYS		 512
#define HT_ERESTARTNOHAND	 514 /* "restart unless a handler runs" */
#define HT_ERESTART_RESTARTBLOCK 516 /* "with what is left of its time" */

/* --- signal frames that a return from a signal loads */

/* Code of the target's own: a system call and a return; what enters
 * rt_sigreturn. */
struct ht_code_bytes {
	size_t n;
	uint8_t v[16];
};
extern const struct ht_code_bytes ht_syscall_ret, ht_restorer;

/* A frame that goes on at pc with this stack, all signals blocked and all other
 * registers 0; the caller sets those that matter. */
void ht_sigframe_enter(struct ht_sigframe *l, const struct ht_regs *regs,
		       uint64_t restorer, uint64_t pc, uint64_t sp);
/* The system call that it then makes, where pc is one. */
void ht_sigframe_call(struct ht_sigframe *l, long nr, const uint64_t args[6]);
/* Some, in the form that the architecture has: sleep for so long, for ever,
 * open a file whose path lies at this address. */
void ht_sigframe_sleep(struct ht_sigframe *l, int ms);
void ht_sigframe_pause(struct ht_sigframe *l);
void ht_sigframe_open(struct ht_sigframe *l, uint64_t path, int flags);
bool ht_call_is_sleep(long nr);
bool ht_call_is_pause(long nr);
/* The thread's own registers. An interrupted call is entered anew. */
void ht_sigframe_home(struct ht_sigframe *l, const struct ht_regs *regs,
		      uint64_t restorer, uint64_t vector_at, uint64_t sigmask);
/* The vector registers (at most HT_VECTOR_MAX + 4 bytes), marked as the kernel
 * marks them in its own frames. */
enum ht_code ht_sigframe_vector(pid_t tid, uint8_t *vector, size_t *ret_size,
				struct ht_err *err) HT_MUST_CHECK;
/* All that a stopped thread had, its registers last: until then it comes home
 * along its chain. */
void ht_sigframe_put_back(pid_t tid, const struct ht_regs *regs,
			  uint8_t *vector, uint64_t *sigmask);

/* --- system calls of a target, by number */

enum ht_interrupt {
	HT_INTERRUPT_UNKNOWN,  /* not in the table: may notice */
	HT_INTERRUPT_BRIEF,    /* memory management: cannot be interrupted, soon
				  over */
	HT_INTERRUPT_SURVIVES, /* the kernel restarts it, deadline kept, nothing
				  lost */
	HT_INTERRUPT_EINTR,    /* EINTR; nothing was done: may be restarted */
	HT_INTERRUPT_EINTR_WAIT, /* the same; sleeps for ever if its time limit
				    is absent */
};
#define HT_FOR_EVER_MS UINT32_MAX /* int timeout = -1 */
#define HT_NO_CALL     (-1)	  /* asleep in a page fault */

/* What an interrupt does to it. */
struct ht_interrupted {
	int nr;
	enum ht_interrupt does;
	int limit_arg;	   /* EINTR_WAIT: argument that limits the wait; -1:
			      none does, it waits for ever */
	uint32_t for_ever; /* ... and its value (low half) for "no limit" */
};
/* NULL: not known. word: the target's. */
const struct ht_interrupted *ht_interrupted(long nr, unsigned word);

/* What an argument says of the call's time limit. */
enum ht_limit {
	HT_LIMIT_NONE,	   /* there is none, or it is kept: now */
	HT_LIMIT_RELATIVE, /* there is one: fresh */
	HT_LIMIT_INT,	   /* an int; negative: for ever */
	HT_LIMIT_POINTER,  /* NULL: for ever */
	HT_LIMIT_TIMER,	   /* flags: TIMER_ABSTIME */
	HT_LIMIT_FUTEX,	   /* the operation tells */
	HT_LIMIT_PLAIN,	   /* a descriptor: what it is tells */
	HT_LIMIT_SOCKET,   /* may have one of its own (SO_RCVTIMEO) */
	HT_LIMIT_RECEIVE,  /* the same; flags of recv */
};
struct ht_limited {
	int nr;
	enum ht_limit limit;
	int arg; /* which argument says so */
};
/* Of a 64-bit program; NULL: not known. */
const struct ht_limited *ht_limited(long nr);

/* Calls that a parent sleeps in until its vfork child has let go of the memory
 * that they share; clone and clone3 where their flags say so. */
enum ht_vfork { HT_VFORK_NOT, HT_VFORK, HT_VFORK_CLONE, HT_VFORK_CLONE3 };
enum ht_vfork ht_vfork_call(long nr, unsigned word);

/* The head of a thread's robust list, which lies in its descriptor; 0: unknown.
 */
uint64_t ht_robust_head(pid_t tid, unsigned word);

/* --- code of a file */

/* What may begin at `at`, n bytes of it, at an address. Any byte may be asked
 * about: who knows where functions begin knows by that what was none. */
enum ht_branch { HT_BRANCH_NONE, HT_BRANCH_CALL, HT_BRANCH_JUMP };
/* To a place that the instruction itself has. */
enum ht_branch ht_code_branch(const uint8_t *at, size_t n, uint64_t address,
			      uint64_t *ret);
/* Whether it puts this address into a register. */
bool ht_code_refers(const uint8_t *at, size_t n, uint64_t address, uint64_t to);
/* Whether it multiplies a register by another, to twice their width. */
bool ht_code_multiplies(const uint8_t *at, size_t n);

/* --- notes of core files */

/* struct elf_prstatus and elf_prpsinfo: where the kernel puts what. Numbers of
 * registers, in words from `regs` on. */
struct ht_core_notes {
	size_t size_min, pid, regs;
	unsigned pc, sp, base; /* base: thread pointer, or the gs selector */
	bool general;	       /* the first HT_GENERAL_REGISTERS are kept */
	size_t ps_pid, ps_name;
};
const struct ht_core_notes *ht_core_notes(unsigned word);
/* A note of this type has descriptors that thread pointers are in; 0: none. */
unsigned ht_core_tls_note(unsigned word);
/* From what `base` says of the thread to its thread pointer; false: the note
 * does not tell. */
bool ht_core_tls(const uint8_t *note, size_t n, uint64_t *thread_pointer);

#endif
