// SPDX-License-Identifier: BSD-3-Clause
/*
 * dstm-client: gives an IPv6-only host its IPv4. Here is the daemon; the other commands are the
 * table of command.h.
 *
 * One thread, one event loop. A "run" is everything that hangs on one configuration; SIGHUP with a
 * changed file ends the run (lease released, host bare) and begins another.
 */
#include "client/client_config.h"
#include "client/command.h"
#include "client/instance.h"
#include "client/session.h"
#include "common/daemon.h"
#include "common/log.h"
#include "tsp/tsp_xml.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct client {
	struct event_base *base;
	struct daemon_options options;
	struct cl_config config;
	struct cl_privileged privileged;
	struct cl_instance instance;
	struct cl_config next; /* with restart: the run after this one */
	bool restart;
};

/* The run's session is done; what comes next is for the loop in main. */
static void on_finished(void *arg)
{
	struct client *client = arg;

	event_base_loopbreak(client->base);
}

static void on_stop(void *arg)
{
	struct client *client = arg;

	daemon_notify_stopping();
	if (client->restart) {
		client->restart = false;
		cl_config_free(&client->next);
	}
	cl_session_stop(client->instance.session);
}

static void on_reload(void *arg)
{
	struct client *client = arg;
	struct config_error error;
	struct cl_config next;
	const char *fault;

	if (client->restart)
		return;
	daemon_notify_reloading();
	if (cl_config_load(client->options.config_path, &next, &error) < 0) {
		log_err("%s", error.text);
		daemon_notify_ready();
		return;
	}
	fault = cl_privileged_fault(&client->privileged, &next);
	if (fault != NULL) {
		log_err("%s: %s", client->options.config_path, fault);
		cl_config_free(&next);
		daemon_notify_ready();
		return;
	}
	if (cl_config_equal(&client->config, &next)) {
		log_info("%s: nothing changed", client->options.config_path);
		cl_config_free(&next);
		daemon_notify_ready();
		return;
	}
	log_info("%s: changed, the lease is asked for anew", client->options.config_path);
	client->next = next;
	client->restart = true;
	cl_session_stop(client->instance.session);
}

/* Run after run until one ends for good. */
static int run(struct client *client)
{
	int exit_code = DAEMON_EXIT_OK;
	char why[CL_WHY_LEN];

	if (cl_privileged_open(&client->privileged, &client->config, why) < 0) {
		log_err("%s", why);
		return DAEMON_EXIT_FAILURE;
	}
	for (;;) {
		client->instance = (struct cl_instance){.base = client->base,
			.privileged = &client->privileged,
			.config = &client->config};
		if (cl_instance_begin(&client->instance, on_finished, client) < 0) {
			exit_code = DAEMON_EXIT_FAILURE;
			break;
		}
		daemon_notify_ready();
		event_base_dispatch(client->base);
		if (!client->restart)
			break;
		cl_instance_end(&client->instance);
		cl_config_free(&client->config);
		client->config = client->next;
		client->restart = false;
	}
	cl_instance_end(&client->instance);
	cl_privileged_close(&client->privileged);
	return exit_code;
}

static int run_daemon(int argc, char **argv)
{
	struct client client = {
		.options = {.config_path = CL_CONFIG_PATH, .print_usage = cl_command_print_usage},
	};
	struct daemon_signals *signals = NULL;
	struct config_error error;
	int exit_code;

	if (daemon_parse_options(argc, argv, &client.options, &exit_code) != 0)
		return exit_code;
	if (cl_config_load(client.options.config_path, &client.config, &error) < 0) {
		log_err("%s", error.text);
		return DAEMON_EXIT_CONFIG;
	}
	exit_code = DAEMON_EXIT_OK;
	if (client.options.check_only)
		goto out;
	exit_code = DAEMON_EXIT_FAILURE;
	client.base = event_base_new();
	if (client.base != NULL)
		signals = daemon_signals_create(client.base, on_stop, on_reload, &client);
	if (signals == NULL)
		log_err("event loop: %s", strerror(errno));
	else
		exit_code = run(&client);
	daemon_signals_destroy(signals);
	if (client.base != NULL)
		event_base_free(client.base);
out:
	cl_config_free(&client.config);
	tsp_xml_cleanup();
	return exit_code;
}

int main(int argc, char **argv)
{
	const struct cl_command *command;

	if (argc < 2 || argv[1][0] == '-')
		return run_daemon(argc, argv);
	command = cl_command_find(argv[1]);
	if (command != NULL)
		return command->run(argc - 1, argv + 1);
	fprintf(stderr, "dstm-client: no such command: %s\n", argv[1]);
	cl_command_print_usage(stderr);
	return DAEMON_EXIT_CONFIG;
}
