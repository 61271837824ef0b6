// SPDX-License-Identifier: BSD-3-Clause
#include "client/netns.h"

#include "common/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cl_netns {
	bool is_other;
	pthread_t thread;
	pthread_mutex_t mutex; /* of what is below */
	pthread_cond_t changed;
	int (*work)(void *arg); /* NULL: done, or none so far */
	void *arg;
	int result;
	bool is_closing;
};

static void *run(void *arg)
{
	struct cl_netns *netns = arg;

	pthread_mutex_lock(&netns->mutex);
	while (!netns->is_closing) {
		if (netns->work == NULL) {
			pthread_cond_wait(&netns->changed, &netns->mutex);
			continue;
		}
		netns->result = netns->work(netns->arg);
		netns->work = NULL;
		pthread_cond_broadcast(&netns->changed);
	}
	pthread_mutex_unlock(&netns->mutex);
	return NULL;
}

int cl_netns_call(struct cl_netns *netns, int (*work)(void *arg), void *arg)
{
	int result;

	if (!netns->is_other)
		return work(arg);
	pthread_mutex_lock(&netns->mutex);
	netns->work = work;
	netns->arg = arg;
	pthread_cond_broadcast(&netns->changed);
	while (netns->work != NULL)
		pthread_cond_wait(&netns->changed, &netns->mutex);
	result = netns->result;
	pthread_mutex_unlock(&netns->mutex);
	return result;
}

static int enter(void *arg)
{
	const int *fd = arg;

	return setns(*fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

/* Starts the thread and leads it into the namespace. Returns 0 or -errno. */
static int start(struct cl_netns *netns, const char *name)
{
	const char *folder = strchr(name, '/') == NULL ? "/run/netns/" : "";
	char path[256];
	int fd, ret;

	if (snprintf(path, sizeof(path), "%s%s", folder, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = thread_start(&netns->thread, run, netns);
	if (ret == 0) {
		netns->is_other = true;
		ret = cl_netns_call(netns, enter, &fd);
	}
	close(fd);
	return ret;
}

struct cl_netns *cl_netns_open(const char *name)
{
	struct cl_netns *netns = calloc(1, sizeof(*netns));
	int ret;

	if (netns == NULL)
		return NULL;
	pthread_mutex_init(&netns->mutex, NULL);
	pthread_cond_init(&netns->changed, NULL);
	if (name == NULL)
		return netns;
	ret = start(netns, name);
	if (ret < 0) {
		cl_netns_close(netns);
		errno = -ret;
		return NULL;
	}
	return netns;
}

void cl_netns_close(struct cl_netns *netns)
{
	if (netns == NULL)
		return;
	if (netns->is_other) {
		pthread_mutex_lock(&netns->mutex);
		netns->is_closing = true;
		pthread_cond_broadcast(&netns->changed);
		pthread_mutex_unlock(&netns->mutex);
		pthread_join(netns->thread, NULL);
	}
	pthread_cond_destroy(&netns->changed);
	pthread_mutex_destroy(&netns->mutex);
	free(netns);
}
