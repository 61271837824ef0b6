// SPDX-License-Identifier: BSD-3-Clause
/* The configuration of dstm-server: config/server.yaml as a value. */
#pragma once

#include "common/config.h"
#include "common/monitor.h"
#include "common/sandbox.h"
#include "server/deterministic.h"
#include "server/dhcp6_config.h"
#include "server/rpc_config.h"
#include "server/store.h"
#include "tsp/tsp_tls.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_config_user {
	struct config_pos pos;
	char *name;
	char *password;
};

struct srv_config_tep {
	struct config_pos pos;
	char *name;
	struct addr_endpoint control;
	char *user;
	char *password;
	struct in6_addr v6;
	char *tls_name; /* whom its certificate is for; NULL: no TLS */
};

enum srv_pool_mode {
	SRV_POOL_SHARED,
	SRV_POOL_EXCLUSIVE,
};

/* A TEP of a pool. */
struct srv_config_pool_tep {
	struct config_pos pos;
	char *name; /* one of teps */
	struct config_list clients; /* struct addr_v6_prefix; none: all of the pool's */
};

enum srv_tep_failure {
	SRV_TEP_FAILURE_ANOTHER,
	SRV_TEP_FAILURE_REFUSE,
};

/* Who of a pool's TEPs holds a lease besides the one that it goes through. */
enum srv_copies {
	SRV_COPIES_NONE,
	SRV_COPIES_PUSH, /* all, from the start */
	SRV_COPIES_QUERY, /* who has asked for it */
	SRV_COPIES_BOTH, /* all, and one that misses it may ask */
};

enum srv_assign {
	SRV_ASSIGN_RANDOM,
	SRV_ASSIGN_DETERMINISTIC,
};

struct srv_config_pool {
	struct config_pos pos;
	char *name;
	struct addr_v4_prefix prefix;
	int mode; /* enum srv_pool_mode */
	uint32_t block_size; /* of a shared pool, as the next one */
	uint32_t blocks_per_lease;
	char *tep; /* as the file says it; in teps as well */
	struct config_list teps; /* struct srv_config_pool_tep; at least one */
	int tep_failure; /* enum srv_tep_failure */
	int copies; /* enum srv_copies */
	bool direct; /* its clients may ask who of them holds an address and port */
	struct config_list clients; /* struct addr_v6_prefix */
	int assign; /* enum srv_assign; of a deterministic one: */
	struct addr_v6_prefix subscribers;
	uint32_t subscriber_length;
	bool overflow; /* later pools serve those who have no unit */
};

struct srv_config_lease {
	struct config_pos pos;
	uint32_t lifetime_s;
	uint32_t lifetime_min_s;
	uint32_t quarantine_s;
	uint32_t tep_timeout_s;
	uint32_t tep_compare_s; /* 0: never */
	int more_ports; /* enum srv_more_ports */
};

struct srv_config_redirect {
	struct config_pos pos;
	int when; /* enum srv_redirect */
	struct config_list brokers; /* struct in6_addr */
};

struct srv_config_auth {
	struct config_pos pos;
	bool anonymous;
	bool digest_md5;
	bool plain; /* under TLS */
	bool external; /* by a certificate of tls.ca */
	struct config_list mechanisms,
		mechanisms_tls; /* int, of srv_mechanisms; none: all that are on */
	struct config_list anonymous_from; /* struct addr_v6_prefix */
	char *realm;
	struct config_list users; /* struct srv_config_user */
	char *users_file; /* NULL: none */
	bool require_peer_address;
	bool send_ok_to_v1; /* "OK ..." instead of "200 ..." after the authentication of generation 1 */
};

struct srv_config_limits {
	uint32_t connections;
	uint32_t auth_timeout_s;
	uint32_t message_timeout_s;
	uint32_t auth_attempts;
	uint32_t prefix_length; /* of sources that are counted together */
	/* 0 from here: no limit */
	uint32_t connections_per_prefix;
	uint32_t connections_per_minute; /* of one prefix */
	uint32_t unauthenticated; /* of all */
	uint32_t unauthenticated_per_prefix;
	uint32_t leases_per_client; /* at least 1 */
	uint32_t leases_per_user;
	uint32_t leases_per_prefix;
	uint32_t ports_per_client;
	uint32_t ports_per_user;
	uint32_t ports_per_prefix;
	uint32_t requests_per_client; /* a minute, as the next two */
	uint32_t requests_per_user;
	uint32_t requests_per_prefix;
	uint32_t tep_queries_per_second; /* of one TEP */
	uint32_t pool_warning_percent; /* 0: none */
	uint32_t pool_alarm_percent;
};

struct srv_config_clients {
	struct config_list allow; /* struct addr_v6_prefix: who may ask at all */
	struct config_list exempt; /* the same: whom limits by source spare */
};

struct srv_config_records {
	char *file; /* NULL: no records are kept */
	bool syslog;
	bool required;
	bool renewals;
	char *index; /* NULL: beside the file */
	uint32_t keep_days; /* in the index; 0: all */
};

struct srv_config {
	struct config_list listen; /* struct addr_endpoint */
	struct config_list listen_tls; /* the same */
	struct tsp_tls_config tls;
	struct config_list listen_minutes; /* the same; lifetimes are in minutes there */
	char *socket; /* NULL: none */
	char *store;
	char *user; /* NULL: whoever started it */
	int sandbox; /* enum sandbox_mode */
	struct srv_config_lease lease;
	struct srv_config_auth auth;
	struct srv_config_clients clients;
	struct srv_config_limits limits;
	struct srv_config_records records;
	struct monitor_config metrics;
	struct srv_config_redirect redirect;
	struct srv_dhcp6_config dhcp6;
	struct srv_rpc_config rpc;
	struct config_list teps; /* struct srv_config_tep */
	struct config_list pools; /* struct srv_config_pool */
};

/* Reads and checks a file. Returns 0, or -errno with a sentence in error; config is zero then. */
int srv_config_load(const char *path, struct srv_config *config, struct config_error *error);
/* The same from memory. */
int srv_config_parse(const char *name, const char *text, size_t len, struct srv_config *config,
	struct config_error *error);
void srv_config_free(struct srv_config *config);

/* The number in teps of the TEP of that name; teps.n when there is none. */
uint32_t srv_config_find_tep(const struct srv_config *config, const char *name);
/* The user's password, or NULL. */
const char *srv_config_find_password(const struct srv_config *config, const char *user);
/* How a deterministic pool assigns. */
struct srv_deterministic srv_config_plan(const struct srv_config_pool *pool);
/* Where the index of the records is, to be freed; NULL: no memory. */
char *srv_config_index_path(const struct srv_config_records *records);
/* True when the two differ only in what a reload can change. */
bool srv_config_same_fixtures(const struct srv_config *a, const struct srv_config *b);
/* True when a session with the one TEP is one with the other: all but the tunnel address. */
bool srv_config_same_session(const struct srv_config_tep *a, const struct srv_config_tep *b);
