// SPDX-License-Identifier: BSD-3-Clause
#include "client/lookup.h"

#include "client/servers.h"
#include "common/addr.h"

#include <event2/dns.h>
#include <event2/event.h>

#include <stdlib.h>
#include <string.h>

struct cl_lookup {
	cl_lookup_fn found;
	void *arg;
	struct evdns_base *dns;
	struct evdns_getaddrinfo_request *request; /* NULL: it has been answered */
	struct event *soon; /* goes on from the event loop */
	struct in6_addr addresses[CL_LOOKUP_MAX];
	uint32_t n;
	const char *why;
};

static void add_addresses(struct cl_lookup *lookup, const struct evutil_addrinfo *list)
{
	for (; list != NULL && lookup->n < CL_LOOKUP_MAX; list = list->ai_next) {
		const struct sockaddr_in6 *sa = (const struct sockaddr_in6 *)list->ai_addr;

		if (list->ai_family == AF_INET6 && cl_server_is_host(&sa->sin6_addr))
			lookup->addresses[lookup->n++] = sa->sin6_addr;
	}
}

static const char *failure_text(int error)
{
	switch (error) {
	case 0:
		return "its name has no IPv6 address";
	case EVUTIL_EAI_NONAME:
		return "its name is not known";
	case EVUTIL_EAI_FAIL:
		return "its name has no IPv6 address, or the name server refuses";
	default:
		return evutil_gai_strerror(error);
	}
}

/* May run within the call that asked; what comes next waits for the event loop. */
static void on_answer(int error, struct evutil_addrinfo *list, void *arg)
{
	struct cl_lookup *lookup = arg;

	lookup->request = NULL;
	add_addresses(lookup, list);
	if (list != NULL)
		evutil_freeaddrinfo(list);
	lookup->why = failure_text(error);
	event_active(lookup->soon, EV_TIMEOUT, 0);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct cl_lookup *lookup = arg;

	evdns_base_free(lookup->dns, 0);
	event_free(lookup->soon);
	lookup->found(lookup->arg, lookup->addresses, lookup->n, lookup->why);
	free(lookup);
}

struct cl_lookup *cl_lookup_start(
	struct event_base *base, const char *name, cl_lookup_fn found, void *arg)
{
	const struct evutil_addrinfo hints = {
		.ai_family = AF_INET6,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
	};
	struct cl_lookup *lookup = calloc(1, sizeof(*lookup));

	if (lookup == NULL)
		return NULL;
	lookup->found = found;
	lookup->arg = arg;
	lookup->soon = evtimer_new(base, on_soon, lookup);
	if (lookup->soon != NULL)
		lookup->dns = evdns_base_new(base, 0);
	if (lookup->dns == NULL) {
		if (lookup->soon != NULL)
			event_free(lookup->soon);
		free(lookup);
		return NULL;
	}
	/* Without that file there is /etc/hosts, which is read here too, and a name server on this host. */
	evdns_base_resolv_conf_parse(lookup->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
	lookup->request = evdns_getaddrinfo(lookup->dns, name, NULL, &hints, on_answer, lookup);
	return lookup;
}

void cl_lookup_cancel(struct cl_lookup *lookup)
{
	if (lookup->request != NULL)
		evdns_getaddrinfo_cancel(lookup->request);
}

void cl_lookup_put_last(struct in6_addr *addresses, uint32_t n, const struct in6_addr *last)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!addr_v6_equal(&addresses[i], last))
			continue;
		memmove(&addresses[i], &addresses[i + 1], (n - i - 1) * sizeof(*addresses));
		addresses[n - 1] = *last;
		return;
	}
}
