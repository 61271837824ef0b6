// SPDX-License-Identifier: BSD-3-Clause
#include "client/run.h"

#include "client/command.h"
#include "client/instance.h"
#include "client/run_child.h"
#include "client/session.h"
#include "common/daemon.h"
#include "common/log.h"
#include "tsp/tsp_xml.h"

#include <event2/event.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 20 /* how often it is looked whether the lease stands, until it does */

struct run {
	struct cl_config config;
	struct cl_privileged privileged;
	struct cl_instance instance;
	struct cl_run_child child;
	struct event_base *base;
	struct event *signals, *look;
	int signal_fd;
	int exit_code;
	bool is_stopping;
};

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

static void on_finished(void *arg)
{
	struct run *run = arg;

	event_base_loopbreak(run->base);
}

/* The command has ended: the lease is given back, and so do we. */
static void stop(struct run *run, int exit_code)
{
	if (run->is_stopping)
		return;
	run->is_stopping = true;
	run->exit_code = exit_code;
	event_del(run->look);
	cl_session_stop(run->instance.session);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = {.tv_usec = LOOK_MS * 1000};
	struct run *run = arg;
	enum cl_state state = cl_session_engine(run->instance.session)->state;

	if (state == CL_STATE_BOUND || state == CL_STATE_IDLE)
		cl_run_child_go(&run->child);
	else
		event_add(run->look, &again);
}

/* What a terminal sends reaches the command as well, without our help. */
static void take_signal(struct run *run, const struct signalfd_siginfo *info)
{
	int status;

	if (info->ssi_signo == SIGCHLD) {
		if (waitpid(run->child.pid, &status, WNOHANG) == run->child.pid) {
			run->child.pid = 0;
			stop(run,
				WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
		}
	} else if (run->child.pid != 0 && info->ssi_code != SI_KERNEL) {
		kill(run->child.pid, (int)info->ssi_signo);
	}
}

static void on_signals(evutil_socket_t fd, short what, void *arg)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info))
		take_signal(arg, &info);
}

static bool init_events(struct run *run)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&set, passed_on[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	run->base = event_base_new();
	run->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (run->base == NULL || run->signal_fd < 0)
		return false;
	run->look = evtimer_new(run->base, on_look, run);
	run->signals = event_new(run->base, run->signal_fd, EV_READ | EV_PERSIST, on_signals, run);
	return run->look != NULL && run->signals != NULL && event_add(run->signals, NULL) == 0;
}

/* Nobody else needs to know of this client, and what it changes goes with the namespace. */
static void adapt(struct cl_config *config, const struct cl_run_child *child)
{
	free(config->netns);
	free(config->socket);
	free(config->state);
	config->socket = config->state = NULL;
	if (asprintf(&config->netns, "/proc/%d/ns/net", child->pid) < 0)
		config->netns = NULL;
}

static void drive(struct run *run)
{
	char why[CL_WHY_LEN];

	adapt(&run->config, &run->child);
	if (run->config.netns == NULL || !init_events(run)) {
		log_err("event loop: %s", strerror(errno));
		return;
	}
	if (cl_privileged_open(&run->privileged, &run->config, why) < 0) {
		log_err("%s", why);
		return;
	}
	run->instance = (struct cl_instance){
		.base = run->base, .privileged = &run->privileged, .config = &run->config};
	if (cl_instance_begin(&run->instance, on_finished, run) == 0) {
		on_look(-1, 0, run);
		event_base_dispatch(run->base);
	}
	cl_instance_end(&run->instance);
	cl_privileged_close(&run->privileged);
}

static void close_run(struct run *run)
{
	cl_run_child_end(&run->child);
	if (run->look != NULL)
		event_free(run->look);
	if (run->signals != NULL)
		event_free(run->signals);
	if (run->signal_fd >= 0)
		close(run->signal_fd);
	if (run->base != NULL)
		event_base_free(run->base);
	cl_config_free(&run->config);
	tsp_xml_cleanup();
}

static int fail_usage(void)
{
	cl_command_print_usage(stderr);
	return CL_RUN_FAILURE;
}

int cl_run_run(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{"resolv-conf", required_argument, NULL, 'r'},
		{},
	};
	const char *path = CL_CONFIG_PATH, *resolv_conf = NULL;
	struct run run = {.signal_fd = -1, .exit_code = CL_RUN_FAILURE};
	struct config_error error;
	int option;

	log_set_level(LOG_LEVEL_WARN);
	while ((option = getopt_long(argc, argv, "+c:vh", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'r':
			resolv_conf = optarg;
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case 'h':
			cl_command_print_usage(stdout);
			return EXIT_SUCCESS;
		default:
			return fail_usage();
		}
	}
	if (optind == argc)
		return fail_usage();
	if (cl_config_load(path, &run.config, &error) < 0) {
		log_err("%s", error.text);
		return CL_RUN_FAILURE;
	}
	if (cl_run_child_start(&run.child, argv + optind, resolv_conf) == 0)
		drive(&run);
	close_run(&run);
	return run.exit_code;
}
