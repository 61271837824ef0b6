// SPDX-License-Identifier: BSD-3-Clause
/* What differs between two configurations: what a reload has to do. */
#include "server/server_config.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_endpoint(const struct addr_endpoint *a, const struct addr_endpoint *b)
{
	return addr_v6_equal(&a->addr, &b->addr) && a->port == b->port;
}

bool srv_config_same_session(const struct srv_config_tep *a, const struct srv_config_tep *b)
{
	return same_text(a->name, b->name) && same_endpoint(&a->control, &b->control) &&
	       same_text(a->user, b->user) && same_text(a->password, b->password) &&
	       same_text(a->tls_name, b->tls_name);
}

static bool same_records(const struct srv_config_records *a, const struct srv_config_records *b)
{
	return same_text(a->file, b->file) && a->syslog == b->syslog &&
	       a->required == b->required && a->renewals == b->renewals &&
	       same_text(a->index, b->index) && a->keep_days == b->keep_days;
}

bool srv_config_same_fixtures(const struct srv_config *a, const struct srv_config *b)
{
	return same_text(a->socket, b->socket) && same_text(a->store, b->store) &&
	       same_text(a->user, b->user) && a->sandbox == b->sandbox &&
	       a->metrics.has_listen == b->metrics.has_listen &&
	       same_endpoint(&a->metrics.listen, &b->metrics.listen) &&
	       same_records(&a->records, &b->records) &&
	       srv_dhcp6_config_same_fixtures(&a->dhcp6, &b->dhcp6) &&
	       srv_rpc_config_same_fixtures(&a->rpc, &b->rpc);
}
