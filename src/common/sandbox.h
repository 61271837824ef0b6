// SPDX-License-Identifier: BSD-3-Clause
/*
 * A process shuts itself in: Landlock leaves it some folders, seccomp some system calls. Both hold for the
 * calling thread and those that it creates, and nothing takes them off again.
 *
 * A call that is not allowed kills the process (SIGSYS; the kernel's audit log has its number). Both need
 * no_new_privs (privileges_drop). The address and the thread sanitizer need calls and files of their own, so
 * builds with them are not confined, and say so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sandbox_mode {
	SANDBOX_ON,
	SANDBOX_LOG, /* calls that would kill are only logged by the kernel */
	SANDBOX_OFF, /* also: may be looked at by a debugger of the same user */
};

/* What may be done below a folder, or with a file. */
enum sandbox_access {
	SANDBOX_READ = 1 << 0,
	SANDBOX_WRITE = 1 << 1, /* files may be read, made, written and removed */
	SANDBOX_SOCKET = 1 << 2, /* Unix sockets may be made and removed */
};

struct sandbox_path {
	const char *path; /* one that is not there is passed over */
	unsigned int access; /* enum sandbox_access bits */
};

/*
 * A system call that is allowed, where mask is not 0 only when (arguments[arg] & mask) == value.
 * One with an error is not allowed, but fails with it and kills nobody.
 */
struct sandbox_call {
	const char *name;
	unsigned int arg;
	uint32_t mask;
	uint32_t value;
	int error;
};

/* False in builds that cannot be confined. */
bool sandbox_is_possible(void);

/* Leaves these paths and no others. Returns 0, or -errno; -EOPNOTSUPP: the kernel has no Landlock. */
int sandbox_confine_files(const struct sandbox_path *paths, size_t n);

/*
 * Leaves these calls and no others; a name that this kind of machine does not have is passed over. A
 * sandbox_mode of OFF leaves all. Returns 0 or -errno.
 */
int sandbox_confine_calls(const struct sandbox_call *calls, size_t n, enum sandbox_mode mode);
