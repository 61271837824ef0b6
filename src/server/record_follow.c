// SPDX-License-Identifier: BSD-3-Clause
#include "server/record_follow.h"

#include "common/addr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD  8192 /* octets in which a file's first record has to be */
#define CHUNK 1048576 /* octets read at once, which are one transaction */

struct record_file {
	int fd;
	off_t size;
	int64_t time_utc_ms; /* of the first record */
	char first_line[SRV_RECORD_LINE_SIZE];
};

struct file_list {
	struct record_file *files;
	size_t n, size;
};

static int fail(struct srv_record_follow *follow, const char *path, int error)
{
	snprintf(follow->index->error, sizeof(follow->index->error), "%s: %s", path,
		strerror(error));
	return -error;
}

/* --- files --------------------------------------------------------------------------------------- */

/* The time of the first record among the lines of text; false: there is none. */
static bool first_time(const char *text, size_t len, int64_t *utc_ms)
{
	struct srv_record record;
	const char *end;

	for (; (end = memchr(text, '\n', len)) != NULL;
		len -= (size_t)(end + 1 - text), text = end + 1) {
		if (srv_record_parse(text, (size_t)(end - text), &record) < 0)
			continue;
		*utc_ms = record.time_utc_ms;
		return true;
	}
	return false;
}

/* Returns 1, or 0 for a file that does not begin like one of records, or -errno. */
static int open_file(int folder, const char *name, struct record_file *file)
{
	char head[HEAD];
	struct stat stat;
	ssize_t n = 0;
	char *end;

	file->fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (file->fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(file->fd, &stat) == 0 && S_ISREG(stat.st_mode))
		n = pread(file->fd, head, sizeof(head), 0);
	end = n > 0 ? memchr(head, '\n', (size_t)n) : NULL;
	if (end == NULL || end - head >= (ssize_t)sizeof(file->first_line) ||
		!first_time(head, (size_t)n, &file->time_utc_ms)) {
		close(file->fd);
		return 0;
	}
	snprintf(file->first_line, sizeof(file->first_line), "%.*s", (int)(end - head), head);
	file->size = stat.st_size;
	return 1;
}

static bool is_rotated_name(const char *name, const char *base)
{
	size_t len = strlen(base);

	return strncmp(name, base, len) == 0 &&
	       strspn(name + len, "0123456789.-") == strlen(name + len);
}

static int add_file(struct file_list *list, int folder, const char *name)
{
	struct record_file *files = list->files;
	int ret;

	if (list->n == list->size) {
		list->size = list->size == 0 ? 8 : 2 * list->size;
		files = realloc(files, list->size * sizeof(*files));
		if (files == NULL)
			return -ENOMEM;
		list->files = files;
	}
	ret = open_file(folder, name, &list->files[list->n]);
	if (ret == 1)
		list->n++;
	return ret < 0 ? ret : 0;
}

static int by_time(const void *a, const void *b)
{
	const struct record_file *x = a, *y = b;

	return (x->time_utc_ms > y->time_utc_ms) - (x->time_utc_ms < y->time_utc_ms);
}

static void close_files(struct file_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		close(list->files[i].fd);
	free(list->files);
}

/* The file and those that it was renamed to, the oldest first. */
static int list_files(const char *path, struct file_list *list)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	char folder[PATH_MAX];
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	if (snprintf(folder, sizeof(folder), "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1,
		    slash != NULL ? path : ".") >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	dir = opendir(folder);
	if (dir == NULL)
		return errno == ENOENT ? 0 : -errno;
	while (ret == 0 && (entry = readdir(dir)) != NULL) {
		if (is_rotated_name(entry->d_name, base))
			ret = add_file(list, dirfd(dir), entry->d_name);
	}
	closedir(dir);
	if (list->n > 1)
		qsort(list->files, list->n, sizeof(list->files[0]), by_time);
	return ret;
}

/* --- lines --------------------------------------------------------------------------------------- */

/* v4_text: only lines with this text are read; NULL: all. */
static int apply_line(
	struct srv_record_follow *follow, const char *line, size_t len, const char *v4_text)
{
	struct srv_record record;

	if (v4_text != NULL && memmem(line, len, v4_text, strlen(v4_text)) == NULL)
		return 0;
	if (srv_record_parse(line, len, &record) < 0) {
		follow->skipped++;
		return 0;
	}
	follow->records++;
	return srv_record_index_apply(follow->index, &record);
}

/* Applies the whole lines of a chunk; *used: octets of them. */
static int apply_chunk(struct srv_record_follow *follow, const char *chunk, size_t len,
	const char *v4_text, size_t *used)
{
	const char *end;
	int ret = 0;

	for (*used = 0; ret == 0; *used = (size_t)(end + 1 - chunk)) {
		end = memchr(chunk + *used, '\n', len - *used);
		if (end == NULL)
			break;
		ret = apply_line(follow, chunk + *used, (size_t)(end - chunk) - *used, v4_text);
	}
	return ret;
}

/* One chunk from where the index is, as one transaction. Returns 1: there may be more. */
static int read_chunk(struct srv_record_follow *follow, const struct record_file *file, char *chunk)
{
	struct srv_record_index *index = follow->index;
	int64_t offset;
	size_t used = 0;
	ssize_t n = 0;
	int ret = srv_record_index_begin(index);

	if (ret == 0)
		ret = srv_record_index_position(index, file->first_line, &offset);
	if (ret == 0 && offset > file->size)
		offset = file->size; /* it lost its end with the machine */
	if (ret == 0 && (n = pread(file->fd, chunk, CHUNK, offset)) < 0)
		ret = fail(follow, follow->path, errno);
	if (ret == 0)
		ret = apply_chunk(follow, chunk, (size_t)n, NULL, &used);
	if (ret == 0 && used == 0 && n == CHUNK) {
		follow->skipped++; /* a line of this length is none of ours */
		used = CHUNK;
	}
	if (ret == 0 && used > 0)
		ret = srv_record_index_set_position(
			index, file->first_line, offset + (int64_t)used);
	if (ret == 0)
		ret = srv_record_index_commit(index);
	if (ret < 0) {
		srv_record_index_rollback(index);
		return ret;
	}
	return used > 0 && n == CHUNK;
}

static bool must_stop(const struct srv_record_follow *follow)
{
	return follow->stop != NULL && atomic_load(follow->stop);
}

/* What the index holds is to survive no machine that the file does not survive: the file goes first. */
static int read_file(struct srv_record_follow *follow, const struct record_file *file, char *chunk)
{
	int64_t offset;
	int ret = srv_record_index_position(follow->index, file->first_line, &offset);

	if (ret < 0 || offset == file->size)
		return ret;
	fdatasync(file->fd);
	do {
		ret = read_chunk(follow, file, chunk);
	} while (ret == 1 && !must_stop(follow));
	return ret < 0 ? ret : 0;
}

static bool is_unchanged(struct srv_record_follow *follow)
{
	struct stat stat_now;
	bool unchanged;

	if (stat(follow->path, &stat_now) < 0)
		return false;
	unchanged = stat_now.st_ino == follow->inode && stat_now.st_size == follow->size;
	follow->inode = stat_now.st_ino;
	follow->size = stat_now.st_size;
	return unchanged;
}

int srv_record_follow(struct srv_record_follow *follow)
{
	struct file_list list = {0};
	char *chunk;
	int ret;

	if (is_unchanged(follow))
		return 0;
	ret = list_files(follow->path, &list);
	if (ret < 0)
		fail(follow, follow->path, -ret);
	chunk = malloc(CHUNK);
	if (chunk == NULL)
		ret = fail(follow, follow->path, ENOMEM);
	for (size_t i = 0; ret == 0 && i < list.n && !must_stop(follow); i++)
		ret = read_file(follow, &list.files[i], chunk);
	if (ret < 0)
		follow->size = -1; /* look again */
	free(chunk);
	close_files(&list);
	return ret;
}

/* One file that stands for itself. */
static int read_alone(struct srv_record_follow *follow, const char *path, const char *v4_text)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int ret;

	if (file == NULL)
		return fail(follow, path, errno);
	ret = srv_record_index_begin(follow->index);
	while (ret == 0 && (len = getline(&line, &size, file)) > 0) {
		if (line[len - 1] == '\n')
			ret = apply_line(follow, line, (size_t)len - 1, v4_text);
	}
	if (ret == 0)
		ret = ferror(file) ? fail(follow, path, EIO)
				   : srv_record_index_commit(follow->index);
	if (ret < 0)
		srv_record_index_rollback(follow->index);
	free(line);
	fclose(file);
	return ret;
}

struct alone {
	const char *path;
	int64_t time_utc_ms;
};

static int alone_by_time(const void *a, const void *b)
{
	const struct alone *x = a, *y = b;

	return (x->time_utc_ms > y->time_utc_ms) - (x->time_utc_ms < y->time_utc_ms);
}

static int sort_paths(
	struct srv_record_follow *follow, const char *const *paths, size_t n, struct alone *sorted)
{
	struct record_file file;

	for (size_t i = 0; i < n; i++) {
		int ret = open_file(AT_FDCWD, paths[i], &file);

		if (ret < 0)
			return fail(follow, paths[i], -ret);
		if (ret == 0) {
			snprintf(follow->index->error, sizeof(follow->index->error),
				"%s: not a file of records", paths[i]);
			return -EINVAL;
		}
		close(file.fd);
		sorted[i] = (struct alone){paths[i], file.time_utc_ms};
	}
	qsort(sorted, n, sizeof(sorted[0]), alone_by_time);
	return 0;
}

int srv_record_follow_files(
	struct srv_record_follow *follow, const char *const *paths, size_t n, uint32_t v4)
{
	struct alone *sorted = calloc(n, sizeof(*sorted));
	char text[ADDR_V4_STRLEN + 2], v4_text[ADDR_V4_STRLEN];
	int ret;

	if (sorted == NULL)
		return fail(follow, paths[0], ENOMEM);
	snprintf(text, sizeof(text), "\"%s\"", addr_v4_format(v4, v4_text));
	ret = sort_paths(follow, paths, n, sorted);
	for (size_t i = 0; ret == 0 && i < n; i++)
		ret = read_alone(follow, sorted[i].path, text);
	free(sorted);
	return ret;
}
