// SPDX-License-Identifier: BSD-3-Clause
#include "client/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_setting(const char *name, int flags)
{
	char path[256];
	int fd;

	if (snprintf(path, sizeof(path), "/proc/sys/%s", name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cl_sysctl_read(const char *name, char *text, size_t size)
{
	int fd = open_setting(name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int cl_sysctl_write(const char *name, const char *text)
{
	int fd = open_setting(name, O_WRONLY);
	ssize_t n;
	int error;

	if (fd < 0)
		return fd;
	n = write(fd, text, strlen(text));
	error = n < 0 ? errno : EIO;
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -error;
}
