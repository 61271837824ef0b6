// SPDX-License-Identifier: BSD-3-Clause
#include "client/state.h"

#include "common/addr.h"
#include "common/log.h"

#include <jansson.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct cl_state_file {
	char *path;
	char *temp_path;
	char *lock_path;
	int lock_fd;
};

/* Makes the folder that holds path; its parents must be there. */
static int make_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder;
	int ret = 0;

	if (slash == NULL || slash == path)
		return 0;
	folder = strndup(path, slash - path);
	if (folder == NULL)
		return -ENOMEM;
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		ret = -errno;
	free(folder);
	return ret;
}

/*
 * The holder removes the lock file when it ends, so a lock is ours only if the file behind the
 * descriptor is still the one that has the name.
 */
static int take_lock(const char *path)
{
	struct stat held, named;
	int fd;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			int error = errno == EWOULDBLOCK ? EBUSY : errno;

			close(fd);
			return -error;
		}
		if (fstat(fd, &held) == 0 && stat(path, &named) == 0 &&
			held.st_ino == named.st_ino && held.st_dev == named.st_dev)
			return fd;
		close(fd);
	}
}

/* True for what is shorter than max and may be the name of a device, an nftables table, a namespace. */
static bool is_name(const char *name, size_t max)
{
	size_t len = strlen(name);

	return len < max &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
		       len;
}

/* True for two numbers: nothing else is ever written back to the sysctl. */
static bool is_port_range(const char *text)
{
	return strlen(text) < CL_SYSCTL_MAX && strspn(text, "0123456789 \t") == strlen(text);
}

static int parse_leftover(json_t *root, struct cl_leftover *leftover)
{
	const char *device, *v4, *lease, *port_range, *netns = "";
	struct cl_leftover out = {0};

	if (json_unpack(root, "{s:s, s?s, s:s, s:s, s:s}", "device", &device, "netns", &netns, "v4",
		    &v4, "lease", &lease, "port_range", &port_range) < 0)
		return -EINVAL;
	if (strlen(lease) >= sizeof(out.lease) || device[0] == '\0' ||
		!is_name(device, sizeof(out.device)) || !is_name(netns, sizeof(out.netns)) ||
		!is_port_range(port_range) || addr_v4_parse(v4, &out.v4) < 0)
		return -EINVAL;
	strcpy(out.device, device);
	strcpy(out.netns, netns);
	strcpy(out.lease, lease);
	strcpy(out.port_range, port_range);
	*leftover = out;
	return 0;
}

static void read_leftover(const char *path, struct cl_leftover *leftover)
{
	json_error_t error;
	json_t *root;

	*leftover = (struct cl_leftover){0};
	if (access(path, F_OK) < 0)
		return;
	root = json_load_file(path, 0, &error);
	if (root == NULL || parse_leftover(root, leftover) < 0)
		log_warn("%s: not a record of a client, ignored", path);
	json_decref(root);
}

static void free_file(struct cl_state_file *file)
{
	free(file->path);
	free(file->temp_path);
	free(file->lock_path);
	free(file);
}

struct cl_state_file *cl_state_open(const char *path, struct cl_leftover *leftover)
{
	struct cl_state_file *file = calloc(1, sizeof(*file));
	int ret;

	if (file == NULL)
		return NULL;
	*leftover = (struct cl_leftover){0};
	file->lock_fd = -1;
	if (path == NULL)
		return file;
	file->path = strdup(path);
	if (asprintf(&file->temp_path, "%s.new", path) < 0)
		file->temp_path = NULL;
	if (asprintf(&file->lock_path, "%s.lock", path) < 0)
		file->lock_path = NULL;
	ret = -ENOMEM;
	if (file->path == NULL || file->temp_path == NULL || file->lock_path == NULL)
		goto fail;
	ret = make_folder(path);
	if (ret < 0)
		goto fail;
	ret = take_lock(file->lock_path);
	if (ret < 0)
		goto fail;
	file->lock_fd = ret;
	unlink(file->temp_path); /* of a client that was killed while it wrote */
	read_leftover(path, leftover);
	return file;
fail:
	free_file(file);
	errno = -ret;
	return NULL;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t len = strlen(text);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) < 0)
		ret = errno != 0 ? -errno : -EIO;
	close(fd);
	return ret;
}

int cl_state_save(struct cl_state_file *file, const struct cl_leftover *leftover)
{
	char v4[ADDR_V4_STRLEN];
	char *text;
	json_t *root;
	int ret;

	if (file->path == NULL)
		return 0;
	if (leftover->device[0] == '\0')
		return unlink(file->path) == 0 || errno == ENOENT ? 0 : -errno;
	root = json_pack("{s:s, s:s, s:s, s:s, s:s}", "device", leftover->device, "netns",
		leftover->netns, "v4", addr_v4_format(leftover->v4, v4), "lease", leftover->lease,
		"port_range", leftover->port_range);
	text = root != NULL ? json_dumps(root, 0) : NULL;
	json_decref(root);
	if (text == NULL)
		return -ENOMEM;
	ret = write_file(file->temp_path, text);
	if (ret == 0 && rename(file->temp_path, file->path) < 0)
		ret = -errno;
	free(text);
	return ret;
}

void cl_state_close(struct cl_state_file *file)
{
	if (file == NULL)
		return;
	if (file->lock_path != NULL)
		unlink(file->lock_path);
	if (file->lock_fd >= 0)
		close(file->lock_fd);
	free_file(file);
}
