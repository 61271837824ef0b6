// SPDX-License-Identifier: BSD-3-Clause
#include "client/nft.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Starts "nft -f -" with the ends of two pipes. It does not outlive us: rules must not come after the next
 * client has cleaned up. Returns 0 or -errno.
 */
static int spawn_nft(int input, int errors, pid_t *pid)
{
	static const char *const argv[] = {"nft", "-f", "-", NULL};
	pid_t parent = getpid();

	*pid = fork();
	if (*pid < 0)
		return -errno;
	if (*pid > 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
		dup2(input, STDIN_FILENO) >= 0 && dup2(errors, STDERR_FILENO) >= 0)
		execvp(argv[0], (char *const *)argv);
	dprintf(errors, "cannot be started: %s\n", strerror(errno));
	_exit(127);
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
	if (ret < 0)
		goto out;
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
