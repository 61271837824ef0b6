// SPDX-License-Identifier: BSD-3-Clause
#include "client/nft.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Starts "nft -f -" with the ends of two pipes. Returns 0 or -errno. */
static int spawn_nft(int input, int errors, pid_t *pid)
{
	static const char *const argv[] = {"nft", "-f", "-", NULL};
	posix_spawn_file_actions_t actions;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
	error = posix_spawnp(pid, "nft", &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

/* Logs the first line that nft wrote, if any. */
static void log_complaint(int fd)
{
	char line[512];
	ssize_t n = read(fd, line, sizeof(line) - 1);

	if (n <= 0)
		return;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	log_err("nft: %s", line);
}

int cl_nft_run(const char *text, size_t len)
{
	int input[2] = {-1, -1}, errors[2] = {-1, -1};
	int status = 0, ret;
	pid_t pid;

	if (pipe2(input, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0) {
		ret = -errno;
		goto out;
	}
	if (write(input[1], text, len) != (ssize_t)len) {
		ret = -EIO;
		goto out;
	}
	ret = spawn_nft(input[0], errors[1], &pid);
	if (ret < 0) {
		log_err("nft: cannot be started: %s", strerror(-ret));
		goto out;
	}
	close(input[1]);
	close(errors[1]);
	input[1] = errors[1] = -1;
	log_complaint(errors[0]);
	/* Its reader gone, a talkative nft ends instead of waiting for us. */
	close(errors[0]);
	errors[0] = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	ret = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
out:
	for (unsigned int i = 0; i < 2; i++) {
		if (input[i] >= 0)
			close(input[i]);
		if (errors[i] >= 0)
			close(errors[i]);
	}
	return ret;
}
