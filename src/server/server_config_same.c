// SPDX-License-Identifier: BSD-3-Clause
/* What differs between two configurations: what a reload has to do. */
#include "server/server_config.h"

bool srv_config_same_session(const struct srv_config_tep *a, const struct srv_config_tep *b)
{
	return config_same_text(a->name, b->name) &&
	       addr_endpoint_equal(&a->control, &b->control) &&
	       config_same_text(a->user, b->user) && config_same_text(a->password, b->password) &&
	       config_same_text(a->tls_name, b->tls_name);
}

static bool same_records(const struct srv_config_records *a, const struct srv_config_records *b)
{
	return config_same_text(a->file, b->file) && a->syslog == b->syslog &&
	       a->required == b->required && a->renewals == b->renewals &&
	       config_same_text(a->index, b->index) && a->keep_days == b->keep_days;
}

bool srv_config_same_fixtures(const struct srv_config *a, const struct srv_config *b)
{
	return config_same_text(a->socket, b->socket) && config_same_text(a->store, b->store) &&
	       config_same_text(a->user, b->user) && a->sandbox == b->sandbox &&
	       a->metrics.has_listen == b->metrics.has_listen &&
	       addr_endpoint_equal(&a->metrics.listen, &b->metrics.listen) &&
	       same_records(&a->records, &b->records) &&
	       srv_dhcp6_config_same_fixtures(&a->dhcp6, &b->dhcp6) &&
	       srv_rpc_config_same_fixtures(&a->rpc, &b->rpc);
}
