// SPDX-License-Identifier: BSD-3-Clause
#include "server/sandbox.h"

#include "common/ctl.h"
#include "common/log.h"
#include "common/sandbox.h"

#include <errno.h>
#include <libgen.h>
#include <linux/prctl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALL_BITS UINT32_MAX
#define LEN(a)   (sizeof(a) / sizeof((a)[0]))

/* Sorted by what they are for. open(2) and its kin are Landlock's to judge. */
/* clang-format off */
static const struct sandbox_call calls[] = {
	/* files: configuration, store, records */
	{"open"}, {"openat"}, {"close"}, {"read"}, {"readv"}, {"pread64"}, {"preadv"}, {"write"},
	{"writev"}, {"pwrite64"}, {"pwritev"}, {"lseek"}, {"fstat"}, {"stat"}, {"lstat"},
	{"newfstatat"}, {"statx"}, {"fstatfs"}, {"access"}, {"faccessat"}, {"faccessat2"},
	{"readlink"}, {"readlinkat"}, {"getcwd"}, {"getdents64"}, {"ftruncate"}, {"fallocate"},
	{"fsync"}, {"fdatasync"}, {"mkdir"}, {"mkdirat"}, {"unlink"}, {"unlinkat"}, {"rename"},
	{"renameat"}, {"renameat2"}, {"chmod"}, {"fchmod"}, {"fchown"}, {"fchmodat"}, {"umask"},
	{"fcntl"}, {"flock"}, {"dup"}, {"fadvise64"},

	/* sockets: clients, TEPs, dstmctl, systemd, syslog */
	{"socket", 0, ALL_BITS, AF_INET6}, {"socket", 0, ALL_BITS, AF_UNIX},
	{"socketpair", 0, ALL_BITS, AF_UNIX}, {"bind"}, {"listen"}, {"accept"}, {"accept4"},
	{"connect"}, {"shutdown"}, {"getsockname"}, {"getpeername"}, {"getsockopt"},
	{"setsockopt"}, {"sendto"}, {"sendmsg"}, {"recvfrom"}, {"recvmsg"},
	{"sendmmsg"}, {"recvmmsg"},
	{"ioctl", 1, ALL_BITS, FIONREAD}, {"ioctl", 1, ALL_BITS, FIONBIO},

	/* the event loop and its signals */
	{"epoll_create1"}, {"epoll_ctl"}, {"epoll_wait"}, {"epoll_pwait"}, {"poll"}, {"ppoll"},
	{"select"}, {"pselect6"}, {"eventfd2"}, {"pipe2"}, {"rt_sigaction"}, {"rt_sigprocmask"},
	{"rt_sigreturn"}, {"sigaltstack"}, {"restart_syscall"},

	/* memory: nothing becomes executable */
	{"brk"}, {"munmap"}, {"mremap"}, {"madvise"}, {"mmap", 2, PROT_EXEC, 0},
	{"mprotect", 2, PROT_EXEC, 0},

	/* the threads of store and index. The flags of clone3 cannot be seen, so glibc has to use clone */
	{"clone", 0, CLONE_THREAD, CLONE_THREAD}, {"clone3", .error = ENOSYS}, {"futex"},
	{"set_robust_list"}, {"rseq"}, {"gettid"}, {"exit"}, {"exit_group"}, {"sched_yield"},
	{"sched_getaffinity"}, {"setpriority", 1, ALL_BITS, 0}, {"prctl", 0, ALL_BITS, PR_SET_NAME},

	/* time, chance, and who we are */
	{"clock_gettime"}, {"clock_getres"}, {"clock_nanosleep"}, {"nanosleep"}, {"gettimeofday"},
	{"time"}, {"getrandom"}, {"getpid"}, {"getuid"}, {"geteuid"}, {"getgid"}, {"getegid"},
	{"uname"}, {"sysinfo"}, {"getrusage"},
};
/* clang-format on */

static const struct sandbox_path fixed_paths[] = {
	{"/dev/null", SANDBOX_WRITE},
	{"/dev/urandom", SANDBOX_READ},
	{"/etc/localtime", SANDBOX_READ},
	{"/usr/share/zoneinfo", SANDBOX_READ},
	{"/etc/ssl/openssl.cnf", SANDBOX_READ},
	{"/etc/machine-id", SANDBOX_READ},
};

/*
 * The folders that the configuration's files stand in, not the files: an editor, SQLite or dstmctl put others
 * beside them.
 */
static int confine_files(const struct srv_config *config, const char *config_path)
{
	const struct sandbox_path files[] = {
		{config_path, SANDBOX_READ},
		{config->store, SANDBOX_WRITE},
		{config->socket, SANDBOX_SOCKET},
		{config->records.file, SANDBOX_WRITE},
		{config->records.index, SANDBOX_WRITE},
		{config->auth.users_file, SANDBOX_READ},
		{config->dhcp6.secret_file, SANDBOX_WRITE},
		{config->tls.certificate, SANDBOX_READ},
		{config->tls.key, SANDBOX_READ},
		{config->tls.ca, SANDBOX_READ},
	};
	struct sandbox_path paths[LEN(fixed_paths) + LEN(files)];
	char *copies[LEN(files)] = {NULL};
	size_t n = LEN(fixed_paths);
	int ret = 0;

	/* Later nobody may make a folder. */
	if (config->socket != NULL)
		ctl_make_folder(config->socket);
	memcpy(paths, fixed_paths, sizeof(fixed_paths));
	for (size_t i = 0; i < LEN(files); i++) {
		if (files[i].path == NULL)
			continue;
		copies[i] = strdup(files[i].path);
		if (copies[i] == NULL)
			ret = -ENOMEM;
		else
			paths[n++] = (struct sandbox_path){dirname(copies[i]), files[i].access};
	}
	if (ret == 0)
		ret = sandbox_confine_files(paths, n);
	for (size_t i = 0; i < LEN(files); i++)
		free(copies[i]);
	return ret;
}

/* abort(3) and raise(3) may signal this process, and no other. */
static int confine_calls(enum sandbox_mode mode)
{
	struct sandbox_call all[LEN(calls) + 2];

	memcpy(all, calls, sizeof(calls));
	all[LEN(calls)] = (struct sandbox_call){"tgkill", 0, ALL_BITS, getpid()};
	all[LEN(calls) + 1] = (struct sandbox_call){"prlimit64", 0, ALL_BITS, 0};
	return sandbox_confine_calls(all, LEN(all), mode);
}

int srv_sandbox_enter(const struct srv_config *config, const char *config_path)
{
	enum sandbox_mode mode = config->sandbox;
	int ret;

	if (mode == SANDBOX_OFF || !sandbox_is_possible()) {
		log_warn("sandbox: %s: files and system calls are not confined",
			mode == SANDBOX_OFF ? "off" : "impossible in a build with a sanitizer");
		return 0;
	}
	ret = confine_files(config, config_path);
	if (ret == -EOPNOTSUPP)
		log_warn("sandbox: this kernel has no Landlock: files are not confined");
	else if (ret < 0)
		log_err("sandbox: files cannot be confined: %s", strerror(-ret));
	if (ret < 0 && ret != -EOPNOTSUPP)
		return ret;
	ret = confine_calls(mode);
	if (ret < 0)
		log_err("sandbox: system calls cannot be confined: %s", strerror(-ret));
	return ret;
}
