// SPDX-License-Identifier: BSD-3-Clause
#include "common/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights that came after the headers that we may be built with. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS                                                                 \
	(READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | \
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define SOCKET_RIGHTS (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)
/* Those that a rule for a file, not a folder, may have. */
#define FILE_RIGHTS \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#endif

bool sandbox_is_possible(void)
{
#ifdef HAS_SANITIZER
	return false;
#else
	return true;
#endif
}

/* --- files --------------------------------------------------------------------------------------- */

/* Every right that this version of Landlock knows: what is not known cannot be refused. */
static uint64_t known_rights(int version)
{
	if (version >= 5)
		return LANDLOCK_ACCESS_FS_IOCTL_DEV * 2 - 1;
	if (version >= 3)
		return LANDLOCK_ACCESS_FS_TRUNCATE * 2 - 1;
	if (version == 2)
		return LANDLOCK_ACCESS_FS_REFER * 2 - 1;
	return LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1;
}

static uint64_t rights_of(unsigned int access)
{
	uint64_t rights = 0;

	if (access & SANDBOX_READ)
		rights |= READ_RIGHTS;
	if (access & SANDBOX_WRITE)
		rights |= WRITE_RIGHTS;
	if (access & SANDBOX_SOCKET)
		rights |= SOCKET_RIGHTS;
	return rights;
}

static int add_open_path(int ruleset, int fd, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.parent_fd = fd, .allowed_access = rights};
	struct stat info;

	if (fstat(fd, &info) < 0)
		return -errno;
	if (!S_ISDIR(info.st_mode))
		rule.allowed_access &= FILE_RIGHTS;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

static int add_path(int ruleset, const struct sandbox_path *path, uint64_t known)
{
	int fd = open(path->path, O_PATH | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	ret = add_open_path(ruleset, fd, rights_of(path->access) & known);
	close(fd);
	return ret;
}

int sandbox_confine_files(const struct sandbox_path *paths, size_t n)
{
	int version = syscall(
		SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attr;
	int ruleset, ret = 0;

	if (version < 0)
		return errno == ENOSYS ? -EOPNOTSUPP : -errno;
	attr = (struct landlock_ruleset_attr){.handled_access_fs = known_rights(version)};
	ruleset = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	for (size_t i = 0; ret == 0 && i < n; i++)
		ret = add_path(ruleset, &paths[i], attr.handled_access_fs);
	if (ret == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		ret = -errno;
	close(ruleset);
	return ret;
}

/* --- system calls -------------------------------------------------------------------------------- */

static int add_call(scmp_filter_ctx filter, const struct sandbox_call *call)
{
	uint32_t action = call->error != 0 ? SCMP_ACT_ERRNO(call->error) : SCMP_ACT_ALLOW;
	int number = seccomp_syscall_resolve_name(call->name);

	if (number < 0)
		return 0;
	if (call->mask == 0)
		return seccomp_rule_add(filter, action, number, 0);
	return seccomp_rule_add(filter, action, number, 1,
		SCMP_CMP(call->arg, SCMP_CMP_MASKED_EQ, call->mask, call->value));
}

int sandbox_confine_calls(const struct sandbox_call *calls, size_t n, enum sandbox_mode mode)
{
	uint32_t otherwise = mode == SANDBOX_LOG ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS;
	scmp_filter_ctx filter;
	int ret;

	if (mode == SANDBOX_OFF)
		return 0;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	filter = seccomp_init(otherwise);
	if (filter == NULL)
		return -ENOMEM;
	ret = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A tree, not a row of comparisons: the calls that are made most stand nowhere near the end. */
	if (ret == 0)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; ret == 0 && i < n; i++)
		ret = add_call(filter, &calls[i]);
	if (ret == 0)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret;
}
