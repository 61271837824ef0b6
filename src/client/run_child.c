// SPDX-License-Identifier: BSD-3-Clause
#include "client/run_child.h"

#include "client/run.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESOLV_CONF "/etc/resolv.conf"

static int raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

/* In a mount namespace of the command's own: what is mounted elsewhere still comes in, this does not go out. */
static int replace_resolv_conf(const char *path)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
		mount(path, RESOLV_CONF, NULL, MS_BIND, NULL) < 0)
		return -errno;
	return 0;
}

/* Returns the exit status of a child that does not become the command. */
static int become(char **command, const char *resolv_conf, int ready_fd, int go_fd, pid_t parent)
{
	char byte = 0;
	int ret;

	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		return CL_RUN_FAILURE;
	ret = unshare(CLONE_NEWNET) < 0 ? -errno : raise_loopback();
	if (ret < 0) {
		log_err("network namespace: %s", strerror(-ret));
		return CL_RUN_FAILURE;
	}
	ret = resolv_conf != NULL ? replace_resolv_conf(resolv_conf) : 0;
	if (ret < 0) {
		log_err("%s as %s: %s", resolv_conf, RESOLV_CONF, strerror(-ret));
		return CL_RUN_FAILURE;
	}
	if (write(ready_fd, &byte, 1) != 1 || read(go_fd, &byte, 1) != 1)
		return CL_RUN_FAILURE;
	execvp(command[0], command);
	ret = errno;
	log_err("%s: %s", command[0], strerror(ret));
	return ret == ENOENT ? CL_RUN_NOT_FOUND : CL_RUN_CANNOT_EXEC;
}

int cl_run_child_start(struct cl_run_child *child, char **command, const char *resolv_conf)
{
	int ready[2] = {-1, -1}, go[2] = {-1, -1};
	pid_t parent = getpid();
	char byte;

	*child = (struct cl_run_child){.go_fd = -1};
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		goto fail;
	child->pid = fork();
	if (child->pid < 0) {
		child->pid = 0;
		goto fail;
	}
	if (child->pid == 0) {
		/* Its copy would keep the pipe open when we are gone. */
		close(go[1]);
		_exit(become(command, resolv_conf, ready[1], go[0], parent));
	}
	close(ready[1]);
	close(go[0]);
	child->go_fd = go[1];
	if (read(ready[0], &byte, 1) == 1) {
		close(ready[0]);
		return 0;
	}
	close(ready[0]);
	cl_run_child_end(child);
	return -1;
fail:
	log_err("%s: cannot be started: %s", command[0], strerror(errno));
	for (unsigned int i = 0; i < 2; i++) {
		if (ready[i] >= 0)
			close(ready[i]);
		if (go[i] >= 0)
			close(go[i]);
	}
	return -1;
}

void cl_run_child_go(struct cl_run_child *child)
{
	char byte = 0;

	if (write(child->go_fd, &byte, 1) != 1)
		log_warn("command: cannot be let go: %s", strerror(errno));
}

void cl_run_child_end(struct cl_run_child *child)
{
	if (child->pid != 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
		child->pid = 0;
	}
	if (child->go_fd >= 0)
		close(child->go_fd);
	child->go_fd = -1;
}
