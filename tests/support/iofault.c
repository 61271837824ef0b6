// SPDX-License-Identifier: BSD-3-Clause
/*
 * A library to preload: makes writes to the lease store fail as a test says.
 *
 * IOFAULT names a file of two 32-bit numbers, which is mapped and may change at any time: a kind of fault and
 * how rare it is (one call in so many). Only files with "leases.db" in their name are concerned.
 */
#undef _FILE_OFFSET_BITS /* both names of each function are ours */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#define FDS_MAX     1024
#define TORN_STATUS 99 /* kill() is not among the calls that the server's sandbox lets through */

enum kind {
	NONE,
	WRITE_EIO,
	WRITE_ENOSPC,
	SYNC_EIO,
	SHORT, /* half of what was to be written, and then no space */
	TORN, /* half of what was to be written, and then the end, as by kill -9 */
	TRUNCATE_EIO,
};

struct control {
	_Atomic uint32_t kind;
	_Atomic uint32_t rarity;
};

static struct control *control;
static bool is_store[FDS_MAX];
static _Atomic uint32_t calls;

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("IOFAULT");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		control = map;
}

static bool strikes(int fd, enum kind kind)
{
	uint32_t rarity;

	if (control == NULL || fd < 0 || fd >= FDS_MAX || !is_store[fd] || control->kind != kind)
		return false;
	rarity = control->rarity;
	/* Knuth's multiplier spreads the calls. */
	return rarity <= 1 || (atomic_fetch_add(&calls, 1) * 2654435761u >> 8) % rarity == 0;
}

static int note(const char *path, int fd)
{
	if (fd >= 0 && fd < FDS_MAX)
		is_store[fd] = strstr(path, "leases.db") != NULL;
	return fd;
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static int open_real(const char *path, int flags, mode_t mode)
{
	return note(path, openat(AT_FDCWD, path, flags, mode));
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	return open_real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	return open_real(path, flags, mode);
}

/* True when the call is over: *ret is its result. */
static bool write_strikes(int fd, const void *buf, size_t len, off64_t at, ssize_t *ret)
{
	*ret = -1;
	errno = EIO;
	if (strikes(fd, WRITE_EIO))
		return true;
	errno = ENOSPC;
	if (strikes(fd, WRITE_ENOSPC))
		return true;
	if (strikes(fd, SHORT)) {
		*ret = len > 1 ? REAL(pwrite64)(fd, buf, len / 2, at) : 0;
		control->kind = WRITE_ENOSPC;
		return true;
	}
	if (strikes(fd, TORN)) {
		REAL(pwrite64)(fd, buf, len / 2, at);
		control->kind = NONE;
		_exit(TORN_STATUS);
	}
	return false;
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t at)
{
	ssize_t ret;

	return write_strikes(fd, buf, len, at, &ret) ? ret : REAL(pwrite64)(fd, buf, len, at);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
	return pwrite64(fd, buf, len, at);
}

int ftruncate64(int fd, off64_t len)
{
	errno = EIO;
	return strikes(fd, TRUNCATE_EIO) ? -1 : REAL(ftruncate64)(fd, len);
}

int ftruncate(int fd, off_t len)
{
	return ftruncate64(fd, len);
}

int fdatasync(int fd)
{
	errno = EIO;
	return strikes(fd, SYNC_EIO) ? -1 : REAL(fdatasync)(fd);
}

int fsync(int fd)
{
	errno = EIO;
	return strikes(fd, SYNC_EIO) ? -1 : REAL(fsync)(fd);
}
