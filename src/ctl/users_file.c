// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/users_file.h"

#include "tsp/tsp_users.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE 0640

/* A file under change. */
struct edit {
	const char *path;
	char new_path[PATH_MAX];
	int fd; /* of the new file, locked */
	char *text; /* of the old file */
	size_t len;
	struct stat owner; /* whose the new file shall be */
};

static int fail(struct config_error *error, const char *path, const char *what, int number)
{
	snprintf(error->text, sizeof(error->text), "%.300s: %s: %s", path, what, strerror(number));
	return -number;
}

/*
 * The new file is the lock too. Whoever waited for it finds that it has become the file itself, and begins
 * anew.
 */
static int open_new(struct edit *edit)
{
	struct stat mine, named;

	for (;;) {
		edit->fd = open(edit->new_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (edit->fd < 0)
			return -errno;
		if (flock(edit->fd, LOCK_EX) < 0 || fstat(edit->fd, &mine) < 0) {
			close(edit->fd);
			edit->fd = -1;
			return -EIO;
		}
		if (stat(edit->new_path, &named) == 0 && named.st_ino == mine.st_ino &&
			named.st_dev == mine.st_dev)
			return 0;
		close(edit->fd);
	}
}

/* A file that is not there yet has no text. */
static int read_old(struct edit *edit)
{
	int fd = open(edit->path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 && errno == ENOENT) {
		edit->text = strdup("");
		return edit->text != NULL ? 0 : -ENOMEM;
	}
	if (fd < 0)
		return -errno;
	if (fstat(fd, &edit->owner) < 0)
		goto fail;
	edit->text = malloc(edit->owner.st_size + 1);
	if (edit->text == NULL)
		goto fail;
	while ((n = read(fd, edit->text + edit->len, edit->owner.st_size - edit->len)) > 0)
		edit->len += n;
	if (n < 0)
		goto fail;
	close(fd);
	return 0;
fail:
	n = -errno;
	close(fd);
	return n;
}

/* Where a line begins; the end of the text, where it has not so many. */
static size_t find_line(const struct edit *edit, uint32_t number)
{
	size_t at = 0;

	for (uint32_t line = 1; line < number && at < edit->len; line++) {
		const char *end = memchr(edit->text + at, '\n', edit->len - at);

		at = end != NULL ? (size_t)(end - edit->text) + 1 : edit->len;
	}
	return at;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0)
			return -errno;
		data += n;
		len -= n;
	}
	return 0;
}

/* What is in front of the user's line, the line, and what is behind it. */
static int write_new(const struct edit *edit, const struct tsp_user *old, const char *line)
{
	size_t begin = old != NULL ? find_line(edit, old->line) : edit->len;
	size_t end = old != NULL ? find_line(edit, old->line + 1) : edit->len;
	bool is_cut = begin > 0 && edit->text[begin - 1] != '\n';
	int ret = ftruncate(edit->fd, 0) < 0 ? -errno : 0;

	if (ret == 0 && begin > 0)
		ret = write_all(edit->fd, edit->text, begin);
	if (ret == 0 && is_cut)
		ret = write_all(edit->fd, "\n", 1);
	if (ret == 0 && line != NULL)
		ret = write_all(edit->fd, line, strlen(line));
	if (ret == 0 && end < edit->len)
		ret = write_all(edit->fd, edit->text + end, edit->len - end);
	return ret;
}

/* On disk first, then under its name; the name on disk too. */
static int put_in_place(const struct edit *edit, int folder_fd)
{
	if (fchown(edit->fd, edit->owner.st_uid, edit->owner.st_gid) < 0 && errno != EPERM)
		return -errno;
	if (fchmod(edit->fd, MODE) < 0 || fsync(edit->fd) < 0 ||
		rename(edit->new_path, edit->path) < 0 || fsync(folder_fd) < 0)
		return -errno;
	return 0;
}

static int change(struct edit *edit, const char *name, const char *line, bool *existed,
	struct config_error *error)
{
	char *copy = strdup(edit->path);
	int folder_fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct tsp_users users = {0};
	const struct tsp_user *old;
	int ret;

	free(copy);
	if (folder_fd < 0 || fstat(folder_fd, &edit->owner) < 0)
		return fail(error, edit->path, "its folder cannot be read", errno);
	ret = read_old(edit);
	if (ret < 0) {
		ret = fail(error, edit->path, "cannot be read", -ret);
		goto out;
	}
	ret = tsp_users_parse(edit->path, edit->text, edit->len, &users, error);
	if (ret < 0)
		goto out;
	old = tsp_users_find(&users, name);
	*existed = old != NULL;
	if (old == NULL && line == NULL)
		goto out;
	ret = write_new(edit, old, line);
	if (ret == 0)
		ret = put_in_place(edit, folder_fd);
	if (ret < 0)
		fail(error, edit->new_path, "cannot be written", -ret);
out:
	tsp_users_free(&users);
	close(folder_fd);
	return ret;
}

int ctl_users_file_set(const char *path, const char *name, const char *line, bool *existed,
	struct config_error *error)
{
	struct edit edit = {.path = path, .fd = -1};
	int ret = 0;

	*existed = false;
	if (snprintf(edit.new_path, sizeof(edit.new_path), "%s.new", path) >=
		(int)sizeof(edit.new_path))
		ret = -ENAMETOOLONG;
	if (ret == 0)
		ret = open_new(&edit);
	if (ret < 0)
		return fail(error, path, "its successor cannot be made", -ret);
	ret = change(&edit, name, line, existed, error);
	if (ret < 0 || (line == NULL && !*existed))
		unlink(edit.new_path);
	close(edit.fd);
	free(edit.text);
	return ret;
}
