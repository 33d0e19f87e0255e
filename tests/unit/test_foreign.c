/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS: -lz -Wl,--wrap=fork
 * What a target leads to: paths below its root, kinds, file systems that do not
 * answer, compressed sections that unpack to more than any memory; and a
 * process whose leader has ended. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "agent/libc/facts_read.h"
#include "agent/libc/layout_role.h"
#include "agent/memory/foreign.h"
#include "agent/memory/live_task.h"
#include "agent/memory/maps.h"
#include "tests/lib/machine.h"

static char root[] = "/tmp/heaptide-foreign-XXXXXX";

static const char *in_root(const char *path)
{
	static char full[8][128];
	static unsigned next;
	char *to = full[next++ % 8];

	snprintf(to, sizeof(full[0]), "%s%s", root, path);
	return to;
}

static void make_file(const char *path, off_t size)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static int make_root(void **state)
{
	(void)state;
	if (!mkdtemp(root) || chmod(root, 0755) < 0 ||
	    mkdir(in_root("/lib"), 0755) < 0 || mkdir(in_root("/fs"), 0755) < 0)
		return -1;
	make_file(in_root("/lib/x.so"), 17);
	make_file(in_root("/lib/huge"), (off_t)9 << 30);
	return symlink("/lib/x.so", in_root("/lib/absolute")) ||
	       symlink("../../../../etc/passwd", in_root("/lib/escape")) ||
	       symlink("/proc/self/environ", in_root("/lib/environ")) ||
	       mkfifo(in_root("/lib/fifo"), 0644);
}

static int remove_root(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

/* A process whose root is ours; it waits to be killed. */
static pid_t rooted(void)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chroot(root) < 0 || chdir("/") < 0)
			_exit(1);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int opened(pid_t pid, const char *path)
{
	int fd = ht_foreign_open(
		&(struct ht_foreign){.pid = pid, .path = path, .plain = true});

	return fd;
}

static void a_path_means_what_it_means_below_the_targets_root(void **state)
{
	const char *const good[] = {"/lib/x.so", "/lib/absolute",
				    "/../../lib/x.so"};
	struct stat st, want;
	pid_t pid;

	(void)state;
	needs("root"); /* to have a root of its own */
	pid = rooted();
	assert_int_equal(stat(in_root("/lib/x.so"), &want), 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		int fd = opened(pid, good[i]);

		if (fd < 0)
			fail_msg("%s: %s", good[i], strerror(errno));
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_ino, want.st_ino);
		close(fd);
	}
	/* out of the root leads nowhere: there is no /etc in it */
	assert_int_equal(opened(pid, "/lib/escape"), -1);
	assert_int_equal(errno, ENOENT);
	end(pid);
}

static void what_is_no_file_of_a_disk_is_not_opened(void **state)
{
	static const struct {
		const char *path;
		int number;
	} rows[] = {
		{"/lib/fifo", EINVAL},	 {"/lib/zero", EINVAL},
		{"/lib", EINVAL},	 {"/lib/huge", EFBIG},
		{"/lib/nosuch", ENOENT},
	};
	pid_t pid;

	(void)state;
	needs("root"); /* to make a device, and a root of its own */
	assert_int_equal(
		mknod(in_root("/lib/zero"), S_IFCHR | 0666, makedev(1, 5)), 0);
	pid = rooted();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(opened(pid, rows[i].path), -1);
		if (errno != rows[i].number)
			fail_msg("%s: %s", rows[i].path, strerror(errno));
	}
	assert_int_equal(opened(0, "/proc/self/environ"), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(opened(0, in_root("/lib/environ")), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ht_foreign_open(&(struct ht_foreign){
				 .link = "/proc/self/maps"}),
			 -1);
	assert_int_equal(errno, EINVAL);
	end(pid);
}

static int mount_fuse(void)
{
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[80];

	assert_true(device >= 0);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
	assert_int_equal(mount("silent", in_root("/fs"), "fuse.silent",
			       MS_NOSUID | MS_NODEV, options),
			 0);
	return device;
}

/* A machine with much to do may take its time to end one. */
static void assert_no_child_stays(void)
{
	const struct timespec moment = {.tv_nsec = 10000000};

	for (int i = 0; i < 1000 && waitpid(-1, NULL, WNOHANG) >= 0; i++)
		nanosleep(&moment, NULL);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* A FUSE file system whose daemon never reads a request. */
static void a_file_system_that_does_not_answer_holds_a_child_alone(void **state)
{
	int device, fd, number;
	pid_t child;

	(void)state;
	needs("fuse");
	ht_foreign_end(); /* of the tests before */
	device = mount_fuse();
	fd = opened(0, in_root("/fs/lib.so"));
	number = errno;
	child = waitpid(-1, NULL, WNOHANG);
	umount2(in_root("/fs"), MNT_DETACH); /* before anything may fail */
	close(device);
	assert_int_equal(fd, -1);
	assert_int_equal(number, ETIMEDOUT);
	assert_int_equal(child, -1); /* none stays */
	assert_no_child_stays();
}

static unsigned forks;
pid_t __real_fork(void);
pid_t __wrap_fork(void);

pid_t __wrap_fork(void)
{
	forks++;
	return __real_fork();
}

static int open_link(const char *link)
{
	return ht_foreign_open(&(struct ht_foreign){.link = link});
}

static void one_child_opens_all_that_is_asked_for(void **state)
{
	struct stat st, want;

	(void)state;
	assert_int_equal(stat("/proc/self/exe", &want), 0);
	ht_foreign_end(); /* of the tests before */
	forks = 0;
	for (int i = 0; i < 50; i++) {
		char exe[40];
		int fd;

		snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)getpid());
		fd = open_link(exe);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_ino, want.st_ino);
		close(fd);
		/* what cannot be opened keeps nobody from what comes next */
		assert_int_equal(open_link("/nothing/there"), -1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(open_link("/proc/self/status"), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_int_equal(forks, 1);
	ht_foreign_end();
	assert_no_child_stays();
}

static void a_child_that_somebody_ended_is_made_anew(void **state)
{
	int fd = open_link("/proc/self/exe");
	char task[64];
	pid_t child;
	FILE *f;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(task, sizeof(task), "/proc/self/task/%d/children",
		 (int)getpid());
	f = fopen(task, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &child), 1);
	fclose(f);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	fd = open_link("/proc/self/exe");
	assert_true(fd >= 0);
	close(fd);
	ht_foreign_end();
	assert_no_child_stays();
}

static void after_one_that_is_held_the_next_is_opened(void **state)
{
	char lib[128];
	int device, held, number, next;

	(void)state;
	needs("fuse");
	device = mount_fuse();
	snprintf(lib, sizeof(lib), "%s", in_root("/fs/lib.so"));
	held = ht_foreign_open(&(struct ht_foreign){.path = lib});
	number = errno;
	next = open_link("/proc/self/exe");
	umount2(in_root("/fs"), MNT_DETACH); /* before anything may fail */
	close(device);
	assert_int_equal(held, -1);
	assert_int_equal(number, ETIMEDOUT);
	assert_true(next >= 0);
	close(next);
	ht_foreign_end();
	assert_no_child_stays();
}

/* Says hello to the kernel, takes the first question, answers it never. */
static void *take_a_question(void *arg)
{
	static uint8_t question[FUSE_MIN_READ_BUFFER * 2];
	const int *device = arg;
	struct {
		struct fuse_out_header head;
		struct fuse_init_out init;
	} hello = {.head = {.len = sizeof(hello)},
		   .init = {.major = FUSE_KERNEL_VERSION,
			    .minor = FUSE_KERNEL_MINOR_VERSION,
			    .max_write = 4096}};

	if (read(*device, question, sizeof(question)) < 0)
		return NULL;
	hello.head.unique = ((struct fuse_in_header *)question)->unique;
	if (write(*device, &hello, sizeof(hello)) < 0)
		return NULL;
	(void)!read(*device, question, sizeof(question));
	return NULL;
}

/* One whose daemon has taken the question: no signal ends who waits then. */
static void a_child_that_nothing_ends_keeps_nobody_else_waiting(void **state)
{
	struct pollfd end = {.events = POLLIN};
	pthread_t daemon;
	int device, ours[2], fd, number, polled;
	pid_t held, ended;

	(void)state;
	needs("fuse");
	assert_int_equal(pipe2(ours, O_CLOEXEC), 0);
	device = mount_fuse();
	if (pthread_create(&daemon, NULL, take_a_question, &device) != 0)
		abort();
	fd = opened(0, in_root("/fs/lib.so"));
	number = errno;
	held = waitpid(-1, NULL, WNOHANG);
	close(ours[1]);
	end.fd = ours[0];
	polled = poll(&end, 1, 0);
	/* Ends the file system, and the child; before anything may fail. */
	umount2(in_root("/fs"), MNT_DETACH);
	close(device);
	pthread_join(daemon, NULL);
	ended = waitpid(-1, NULL, 0);
	close(ours[0]);
	assert_int_equal(fd, -1);
	assert_int_equal(number, ETIMEDOUT);
	assert_int_equal(held, 0);
	assert_int_equal(polled, 1);
	assert_int_equal(end.revents, POLLHUP);
	assert_true(ended > 0);
}

/* --- a bomb -------------------------------------------------------------- */

#define BOMB_BYTES ((size_t)400 << 20)

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"

/* A debug file of libc's build, by its id, whose .debug_aranges and .debug_info
 * are that much, compressed to a thirteenth: libdwarf refuses what
 * claims to be more than sixteen times as large. */
static void fill(uint8_t *block, size_t size)
{
	static uint64_t seed = 1;

	for (size_t i = 0; i < size; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		block[i] = i % 1024 < 72 ? (uint8_t)(seed >> 56) : 0;
	}
}

static int make_bomb(int libc)
{
	static const char names[] =
		"\0.debug_aranges\0.debug_info\0.debug_abbrev\0.shstrtab";
	static struct ht_facts f;
	int fd = memfd_create("bomb", MFD_CLOEXEC);
	static uint8_t block[1 << 20], out[1 << 20];
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint8_t id[HT_BUILD_ID_MAX];
	} note = {{4, 0, NT_GNU_BUILD_ID}, "GNU", {0}};
	Elf64_Ehdr ehdr = {.e_type = ET_DYN,
			   .e_machine = EM_X86_64,
			   .e_version = EV_CURRENT,
			   .e_ehsize = sizeof(ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 1,
			   .e_phoff = sizeof(ehdr),
			   .e_shentsize = sizeof(Elf64_Shdr),
			   .e_shnum = 6,
			   .e_shstrndx = 4};
	const Elf64_Phdr load = {.p_type = PT_LOAD,
				 .p_flags = PF_R | PF_X,
				 .p_filesz = 4096,
				 .p_memsz = 4096,
				 .p_align = 4096};
	const Elf64_Chdr head = {.ch_type = ELFCOMPRESS_ZLIB,
				 .ch_size = BOMB_BYTES,
				 .ch_addralign = 1};
	Elf64_Shdr sections[6] = {0};
	z_stream z = {0};
	off_t at = 4096;

	assert_true(fd >= 0);
	memcpy(ehdr.e_ident, ELFMAG, SELFMAG);
	ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	assert_int_equal(pwrite(fd, &head, sizeof(head), at), sizeof(head));
	at += (off_t)sizeof(head);
	assert_int_equal(deflateInit(&z, 1), Z_OK);
	for (size_t done = 0; done <= BOMB_BYTES; done += sizeof(block)) {
		fill(block, sizeof(block));
		z.next_in = block;
		z.avail_in = done < BOMB_BYTES ? sizeof(block) : 0;
		do {
			z.next_out = out;
			z.avail_out = sizeof(out);
			deflate(&z, done < BOMB_BYTES ? Z_NO_FLUSH : Z_FINISH);
			at += pwrite(fd, out, sizeof(out) - z.avail_out, at);
		} while (z.avail_out == 0);
	}
	deflateEnd(&z);
	for (int i = 1; i <= 2; i++)
		sections[i] = (Elf64_Shdr){.sh_name = i == 1 ? 1 : 16,
					   .sh_type = SHT_PROGBITS,
					   .sh_flags = SHF_COMPRESSED,
					   .sh_offset = 4096,
					   .sh_size = (uint64_t)(at - 4096),
					   .sh_addralign = 1};
	sections[3] = (Elf64_Shdr){.sh_name = 28,
				   .sh_type = SHT_PROGBITS,
				   .sh_offset = (uint64_t)at,
				   .sh_size = 16,
				   .sh_addralign = 1};
	sections[4] = (Elf64_Shdr){.sh_name = 42,
				   .sh_type = SHT_STRTAB,
				   .sh_offset = (uint64_t)at + 16,
				   .sh_size = sizeof(names),
				   .sh_addralign = 1};
	at += pwrite(fd, block + 512, 16, at);
	at += pwrite(fd, names, sizeof(names), at);
	at = (at + 7) & ~(off_t)7;
	ehdr.e_shoff = (uint64_t)at;
	assert_int_equal(ht_facts_read(libc, -1, 1, &f, NULL), HT_OK);
	assert_true(f.build_id_len > 0);
	note.head.n_descsz = f.build_id_len;
	memcpy(note.id, f.build_id, f.build_id_len);
	sections[5] =
		(Elf64_Shdr){.sh_type = SHT_NOTE,
			     .sh_offset = 1024,
			     .sh_size = sizeof(note.head) + 4 + f.build_id_len,
			     .sh_addralign = 4};
	(void)!pwrite(fd, sections, sizeof(sections), at);
	(void)!pwrite(fd, &ehdr, sizeof(ehdr), 0);
	(void)!pwrite(fd, &load, sizeof(load), sizeof(ehdr));
	(void)!pwrite(fd, &note, sizeof(note), 1024);
	return fd;
}

/* The largest resident set of a child that reads the bomb as a debug file, in
 * KiB; with the role's limits or without. */
static long peak_kib(int libc, int bomb, bool as_role)
{
	static struct ht_facts f;
	struct rusage usage;
	pid_t pid = fork();

	if (pid == 0) {
		struct ht_layout_role role;

		if (!as_role) {
			(void)!ht_facts_read(libc, bomb, 0, &f, NULL);
			getrusage(RUSAGE_SELF, &usage);
		} else {
			char agent[512];

			snprintf(agent, sizeof(agent), "%s/heaptide-agent",
				 getenv("HT_BUILD") ?: "build");
			if (ht_layout_role_start(agent, &role, NULL) != HT_OK)
				_exit(0);
			(void)!ht_layout_role_ask(&role, libc, bomb, 0, &f,
						  NULL);
			ht_layout_role_stop(&role);
			getrusage(RUSAGE_CHILDREN, &usage);
		}
		_exit((int)(usage.ru_maxrss >> 13)); /* 8 MiB each */
	}
	int status = 0;

	waitpid(pid, &status, 0);
	return WEXITSTATUS(status) << 13;
}

static void a_bomb_is_not_unpacked_further_than_the_roles_bound(void **state)
{
	int libc = open(LIBC, O_RDONLY | O_CLOEXEC), bomb = make_bomb(libc);
	long wild = peak_kib(libc, bomb, false);
	long bound = peak_kib(libc, bomb, true);

	(void)state;
	print_message("# unbounded %ld MiB, as role %ld MiB\n", wild >> 10,
		      bound >> 10);
	assert_true(wild > (long)(BOMB_BYTES >> 10)); /* it is really taken */
#ifndef HT_ASAN /* with it the role has no bounds: layout_role_main.c */
	assert_true(bound > 0 && bound < (long)320 << 10);
#endif
	close(bomb);
	close(libc);
}

/* --- a leader that ended ------------------------------------------------- */

static void *stay(void *ready)
{
	(void)!write(*(int *)ready, "x", 1);
	for (;;)
		pause();
	return NULL;
}

static void a_leader_that_ended_leaves_the_memory_to_its_threads(void **state)
{
	int ready[2];
	char c;
	pid_t pid, tid;
	struct ht_maps maps = {0};
	uint64_t dev, inode;
	siginfo_t info = {0};

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		pthread_t t;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pthread_create(&t, NULL, stay, &ready[1]);
		pthread_exit(NULL);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	while (ht_live_task(pid) == pid)
		usleep(1000);
	tid = ht_live_task(pid);
	assert_int_not_equal(tid, pid);
	assert_true(ht_exe_identity(pid, &dev, &inode));
	assert_int_equal(ht_maps_read(pid, &maps, NULL), HT_OK);
	assert_true(maps.n > 0);
	ht_maps_fini(&maps);
	/* it is no zombie that waits to be reaped */
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG), 0);
	assert_int_equal(info.si_pid, 0);
	end(pid);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_path_means_what_it_means_below_the_targets_root),
		cmocka_unit_test(what_is_no_file_of_a_disk_is_not_opened),
		cmocka_unit_test(
			a_file_system_that_does_not_answer_holds_a_child_alone),
		cmocka_unit_test(one_child_opens_all_that_is_asked_for),
		cmocka_unit_test(a_child_that_somebody_ended_is_made_anew),
		cmocka_unit_test(after_one_that_is_held_the_next_is_opened),
		cmocka_unit_test(
			a_child_that_nothing_ends_keeps_nobody_else_waiting),
		cmocka_unit_test(
			a_bomb_is_not_unpacked_further_than_the_roles_bound),
		cmocka_unit_test(
			a_leader_that_ended_leaves_the_memory_to_its_threads),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
