// SPDX-License-Identifier: BSD-3-Clause
#include "client/instance.h"

#include "client/dti.h"
#include "client/session.h"
#include "common/log.h"

#include <errno.h>
#include <string.h>

/* The TEP has lost the binding: the session asks for it again. */
static void on_unbound(void *arg)
{
	struct cl_instance *instance = arg;

	cl_session_tell(instance->session, CL_EVENT_UNBOUND);
}

static void on_demand(void *arg)
{
	struct cl_instance *instance = arg;

	cl_session_tell(instance->session, CL_EVENT_DEMAND);
}

static void on_suspect(void *arg)
{
	struct cl_instance *instance = arg;

	cl_session_tell(instance->session, CL_EVENT_SUSPECT);
}

static void on_short_of_ports(void *arg)
{
	struct cl_instance *instance = arg;

	cl_session_tell(instance->session, CL_EVENT_SHORT);
}

static const struct cl_dti_ops dti_ops = {
	.demand = on_demand,
	.unbound = on_unbound,
	.suspect = on_suspect,
	.short_of_ports = on_short_of_ports,
};

/* What an earlier client left may be in a namespace that only who has all privileges can enter. */
static int open_dti(struct cl_instance *instance)
{
	const struct cl_dti_params params = {
		.base = instance->base,
		.config = instance->config,
		.privileged = instance->privileged,
		.ops = &dti_ops,
		.arg = instance,
	};
	char why[CL_WHY_LEN];

	instance->dti = cl_dti_open(&params, why);
	if (instance->dti == NULL) {
		log_err("%s", why);
		return -1;
	}
	return cl_privileged_drop(instance->privileged) < 0 ? -1 : 0;
}

static int open_ctl(struct cl_instance *instance)
{
	const struct cl_config *config = instance->config;

	if (config->socket == NULL)
		return 0;
	instance->view = (struct cl_ctl_view){
		.config = config,
		.session = instance->session,
		.dti = instance->dti,
	};
	instance->ctl = ctl_server_create(
		instance->base, config->socket, cl_ctl_commands, &instance->view);
	if (instance->ctl == NULL) {
		log_err("%s: control socket: %s", config->socket, strerror(errno));
		return -1;
	}
	return 0;
}

int cl_instance_begin(struct cl_instance *instance, void (*finished)(void *arg), void *arg)
{
	if (open_dti(instance) < 0)
		return -1;
	instance->session = cl_session_create(
		instance->base, instance->config, instance->dti, finished, arg);
	if (instance->session == NULL) {
		log_err("session: cannot be made: %s", strerror(errno));
		return -1;
	}
	if (open_ctl(instance) < 0)
		return -1;
	cl_session_start(instance->session);
	return 0;
}

void cl_instance_end(struct cl_instance *instance)
{
	ctl_server_destroy(instance->ctl);
	instance->ctl = NULL;
	cl_session_destroy(instance->session);
	instance->session = NULL;
	cl_dti_close(instance->dti);
	instance->dti = NULL;
}
