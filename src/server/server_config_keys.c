// SPDX-License-Identifier: BSD-3-Clause
/* The keys of server.yaml: name, type, range, default and place of each. */
#include "server/server_config_impl.h"

#include "tsp/tsp_msg.h"

#define NAME_MAX_LEN     63
#define PASSWORD_MAX_LEN 255
#define PATH_MAX_LEN     4095
#define TLS_NAME_MAX_LEN 253
#define SOCKET_MAX_LEN   107 /* sun_path */
#define YEAR_S           31536000

static const struct config_key user_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_user, pos)},
	{CONFIG_STRING, offsetof(struct srv_config_user, name), "name", .required = true, .min = 1,
		.max = SRV_USER_SIZE - 1},
	{CONFIG_STRING, offsetof(struct srv_config_user, password), "password", .required = true,
		.min = 1, .max = PASSWORD_MAX_LEN},
	{CONFIG_END},
};
static const struct config_section user_section = {user_keys, sizeof(struct srv_config_user)};

static const struct config_key tep_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_tep, pos)},
	{CONFIG_STRING, offsetof(struct srv_config_tep, name), "name", .required = true, .min = 1,
		.max = NAME_MAX_LEN},
	{CONFIG_ENDPOINT, offsetof(struct srv_config_tep, control), "control", .required = true},
	{CONFIG_STRING, offsetof(struct srv_config_tep, user), "user", .required = true, .min = 1,
		.max = SRV_USER_SIZE - 1},
	{CONFIG_STRING, offsetof(struct srv_config_tep, password), "password", .min = 1,
		.max = PASSWORD_MAX_LEN},
	{CONFIG_V6, offsetof(struct srv_config_tep, v6), "v6", .required = true},
	{CONFIG_STRING, offsetof(struct srv_config_tep, tls_name), "tls_name", .min = 1,
		.max = TLS_NAME_MAX_LEN},
	{CONFIG_END},
};
static const struct config_section tep_section = {tep_keys, sizeof(struct srv_config_tep)};

static const char *const modes[] = {
	[SRV_POOL_SHARED] = "shared", [SRV_POOL_EXCLUSIVE] = "exclusive", NULL};

static const struct config_key pool_tep_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_pool_tep, pos)},
	{CONFIG_STRING, offsetof(struct srv_config_pool_tep, name), "name", .required = true,
		.min = 1, .max = NAME_MAX_LEN},
	{CONFIG_LIST, offsetof(struct srv_config_pool_tep, clients), "clients", .min = 1,
		.max = 1024, .item = CONFIG_V6_PREFIX},
	{CONFIG_END},
};
static const struct config_section pool_tep_section = {
	pool_tep_keys, sizeof(struct srv_config_pool_tep)};

static const char *const tep_failures[] = {
	[SRV_TEP_FAILURE_ANOTHER] = "another", [SRV_TEP_FAILURE_REFUSE] = "refuse", NULL};

static const char *const copies[] = {[SRV_COPIES_NONE] = "none",
	[SRV_COPIES_PUSH] = "push",
	[SRV_COPIES_QUERY] = "query",
	[SRV_COPIES_BOTH] = "both",
	NULL};

static const char *const assigns[] = {
	[SRV_ASSIGN_RANDOM] = "random", [SRV_ASSIGN_DETERMINISTIC] = "deterministic", NULL};

static const struct config_key pool_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_pool, pos)},
	{CONFIG_STRING, offsetof(struct srv_config_pool, name), "name", .required = true, .min = 1,
		.max = NAME_MAX_LEN},
	{CONFIG_V4_PREFIX, offsetof(struct srv_config_pool, prefix), "prefix", .required = true},
	{CONFIG_CHOICE, offsetof(struct srv_config_pool, mode), "mode", .value = "shared",
		.choices = modes},
	{CONFIG_U32, offsetof(struct srv_config_pool, block_size), "block_size", .value = "1024",
		.min = 1, .max = 32768},
	{CONFIG_U32, offsetof(struct srv_config_pool, blocks_per_lease), "blocks_per_lease",
		.value = "1", .min = 1, .max = LEASE_RANGES_MAX},
	{CONFIG_STRING, offsetof(struct srv_config_pool, tep), "tep", .min = 1,
		.max = NAME_MAX_LEN},
	{CONFIG_LIST, offsetof(struct srv_config_pool, teps), "teps", .min = 1, .max = 64,
		.section = &pool_tep_section, .item = CONFIG_STRING},
	{CONFIG_CHOICE, offsetof(struct srv_config_pool, tep_failure), "tep_failure",
		.value = "another", .choices = tep_failures},
	{CONFIG_CHOICE, offsetof(struct srv_config_pool, copies), "copies", .value = "none",
		.choices = copies},
	{CONFIG_BOOL, offsetof(struct srv_config_pool, direct), "direct", .value = "false"},
	{CONFIG_LIST, offsetof(struct srv_config_pool, clients), "clients", .value = "::/0",
		.min = 1, .item = CONFIG_V6_PREFIX},
	{CONFIG_CHOICE, offsetof(struct srv_config_pool, assign), "assign", .value = "random",
		.choices = assigns},
	{CONFIG_V6_PREFIX, offsetof(struct srv_config_pool, subscribers), "subscribers"},
	{CONFIG_U32, offsetof(struct srv_config_pool, subscriber_length), "subscriber_length",
		.value = "64", .min = 1, .max = 128},
	{CONFIG_BOOL, offsetof(struct srv_config_pool, overflow), "overflow", .value = "false"},
	{CONFIG_END},
};
static const struct config_section pool_section = {pool_keys, sizeof(struct srv_config_pool)};

/* In the order of enum srv_more_ports and enum srv_redirect. */
static const char *const more_ports[] = {"never", "same-address", "another-address", NULL};
static const char *const redirects[] = {"never", "when-exhausted", "always", NULL};

static const struct config_key lease_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_lease, pos)},
	{CONFIG_U32, offsetof(struct srv_config_lease, lifetime_s), "lifetime_s", .value = "3600",
		.min = 1, .max = YEAR_S},
	{CONFIG_U32, offsetof(struct srv_config_lease, lifetime_min_s), "lifetime_min_s",
		.value = "60", .min = 1, .max = YEAR_S},
	{CONFIG_U32, offsetof(struct srv_config_lease, quarantine_s), "quarantine_s",
		.value = "120", .min = 0, .max = YEAR_S},
	{CONFIG_U32, offsetof(struct srv_config_lease, tep_timeout_s), "tep_timeout_s",
		.value = "5", .min = 1, .max = 60},
	{CONFIG_U32, offsetof(struct srv_config_lease, tep_compare_s), "tep_compare_s",
		.value = "2", .min = 0, .max = 3600},
	{CONFIG_CHOICE, offsetof(struct srv_config_lease, more_ports), "more_ports",
		.value = "same-address", .choices = more_ports},
	{CONFIG_END},
};
static const struct config_section lease_section = {lease_keys, sizeof(struct srv_config_lease)};

/* Without TLS, EXTERNAL and PLAIN are never offered. */
static const char *const mechanisms[] = {
	"EXTERNAL", "SCRAM-SHA-256", "DIGEST-MD5", "PLAIN", "ANONYMOUS", NULL};

static const struct config_key auth_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_auth, pos)},
	{CONFIG_BOOL, offsetof(struct srv_config_auth, anonymous), "anonymous", .value = "true"},
	{CONFIG_BOOL, offsetof(struct srv_config_auth, digest_md5), "digest_md5", .value = "true"},
	{CONFIG_BOOL, offsetof(struct srv_config_auth, plain), "plain", .value = "true"},
	{CONFIG_BOOL, offsetof(struct srv_config_auth, external), "external", .value = "false"},
	{CONFIG_LIST, offsetof(struct srv_config_auth, mechanisms), "mechanisms", .max = 5,
		.item = CONFIG_CHOICE, .choices = mechanisms},
	{CONFIG_LIST, offsetof(struct srv_config_auth, mechanisms_tls), "mechanisms_tls", .max = 5,
		.item = CONFIG_CHOICE, .choices = mechanisms},
	{CONFIG_LIST, offsetof(struct srv_config_auth, anonymous_from), "anonymous_from",
		.value = "::/0", .item = CONFIG_V6_PREFIX},
	{CONFIG_STRING, offsetof(struct srv_config_auth, realm), "realm", .value = "dstm", .min = 1,
		.max = NAME_MAX_LEN},
	{CONFIG_LIST, offsetof(struct srv_config_auth, users), "users", .section = &user_section},
	{CONFIG_STRING, offsetof(struct srv_config_auth, users_file), "users_file", .min = 1,
		.max = PATH_MAX_LEN},
	{CONFIG_BOOL, offsetof(struct srv_config_auth, require_peer_address),
		"require_peer_address", .value = "true"},
	{CONFIG_BOOL, offsetof(struct srv_config_auth, send_ok_to_v1), "send_ok_to_v1",
		.value = "false"},
	{CONFIG_END},
};
static const struct config_section auth_section = {auth_keys, sizeof(struct srv_config_auth)};

static const struct config_key client_keys[] = {
	{CONFIG_LIST, offsetof(struct srv_config_clients, allow), "allow", .value = "::/0",
		.min = 1, .item = CONFIG_V6_PREFIX},
	{CONFIG_LIST, offsetof(struct srv_config_clients, exempt), "exempt", .value = "::1/128",
		.item = CONFIG_V6_PREFIX},
	{CONFIG_END},
};
static const struct config_section client_section = {
	client_keys, sizeof(struct srv_config_clients)};

/* 0: no limit */
#define COUNT(name, default_value)                                           \
	{                                                                    \
		CONFIG_U32, offsetof(struct srv_config_limits, name), #name, \
			.value = (default_value), .max = 1000000000          \
	}

static const struct config_key limit_keys[] = {
	{CONFIG_U32, offsetof(struct srv_config_limits, connections), "connections",
		.value = "10000", .min = 1, .max = 1000000},
	{CONFIG_U32, offsetof(struct srv_config_limits, auth_timeout_s), "auth_timeout_s",
		.value = "30", .min = 1, .max = 3600},
	{CONFIG_U32, offsetof(struct srv_config_limits, message_timeout_s), "message_timeout_s",
		.value = "10", .min = 1, .max = 3600},
	{CONFIG_U32, offsetof(struct srv_config_limits, auth_attempts), "auth_attempts",
		.value = "3", .min = 1, .max = 100},
	{CONFIG_U32, offsetof(struct srv_config_limits, prefix_length), "prefix_length",
		.value = "64", .min = 16, .max = 128},
	COUNT(connections_per_prefix, "256"),
	COUNT(connections_per_minute, "600"),
	COUNT(unauthenticated, "1024"),
	COUNT(unauthenticated_per_prefix, "64"),
	{CONFIG_U32, offsetof(struct srv_config_limits, leases_per_client), "leases_per_client",
		.value = "4", .min = 1, .max = 65535},
	COUNT(leases_per_user, "0"),
	COUNT(leases_per_prefix, "0"),
	COUNT(ports_per_client, "0"),
	COUNT(ports_per_user, "0"),
	COUNT(ports_per_prefix, "0"),
	COUNT(requests_per_client, "600"),
	COUNT(requests_per_user, "0"),
	COUNT(requests_per_prefix, "0"),
	{CONFIG_U32, offsetof(struct srv_config_limits, tep_queries_per_second),
		"tep_queries_per_second", .value = "1000", .max = 1000000},
	{CONFIG_U32, offsetof(struct srv_config_limits, pool_warning_percent),
		"pool_warning_percent", .value = "80", .min = 0, .max = 100},
	{CONFIG_U32, offsetof(struct srv_config_limits, pool_alarm_percent), "pool_alarm_percent",
		.value = "95", .min = 0, .max = 100},
	{CONFIG_END},
};
static const struct config_section limit_section = {limit_keys, sizeof(struct srv_config_limits)};

static const struct config_key record_keys[] = {
	{CONFIG_STRING, offsetof(struct srv_config_records, file), "file", .min = 1,
		.max = PATH_MAX_LEN},
	{CONFIG_BOOL, offsetof(struct srv_config_records, syslog), "syslog", .value = "false"},
	{CONFIG_BOOL, offsetof(struct srv_config_records, required), "required", .value = "false"},
	{CONFIG_BOOL, offsetof(struct srv_config_records, renewals), "renewals", .value = "false"},
	{CONFIG_STRING, offsetof(struct srv_config_records, index), "index", .min = 1,
		.max = PATH_MAX_LEN},
	{CONFIG_U32, offsetof(struct srv_config_records, keep_days), "keep_days", .value = "366",
		.min = 0, .max = 36500},
	{CONFIG_END},
};
static const struct config_section record_section = {
	record_keys, sizeof(struct srv_config_records)};

static const char *const sandbox_modes[] = {
	[SANDBOX_ON] = "on", [SANDBOX_LOG] = "log", [SANDBOX_OFF] = "off", NULL};

static const struct config_key redirect_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_redirect, pos)},
	{CONFIG_CHOICE, offsetof(struct srv_config_redirect, when), "when", .value = "never",
		.choices = redirects},
	{CONFIG_LIST, offsetof(struct srv_config_redirect, brokers), "brokers",
		.max = TSP_BROKERS_MAX, .item = CONFIG_V6},
	{CONFIG_END},
};
static const struct config_section redirect_section = {
	redirect_keys, sizeof(struct srv_config_redirect)};

static const struct config_key root_keys[] = {
	{CONFIG_LIST, offsetof(struct srv_config, listen), "listen", .value = "[::]:3653", .min = 1,
		.max = 16, .item = CONFIG_ENDPOINT},
	{CONFIG_LIST, offsetof(struct srv_config, listen_tls), "listen_tls", .max = 16,
		.item = CONFIG_ENDPOINT},
	{CONFIG_SECTION, offsetof(struct srv_config, tls), "tls", .section = &tsp_tls_section},
	{CONFIG_LIST, offsetof(struct srv_config, listen_minutes), "listen_minutes", .max = 16,
		.item = CONFIG_ENDPOINT},
	{CONFIG_STRING, offsetof(struct srv_config, socket), "socket", .min = 1,
		.max = SOCKET_MAX_LEN},
	{CONFIG_STRING, offsetof(struct srv_config, store), "store",
		.value = "/var/lib/dstm/leases.db", .min = 1, .max = PATH_MAX_LEN},
	{CONFIG_STRING, offsetof(struct srv_config, user), "user", .min = 1, .max = NAME_MAX_LEN},
	{CONFIG_CHOICE, offsetof(struct srv_config, sandbox), "sandbox", .value = "on",
		.choices = sandbox_modes},
	{CONFIG_SECTION, offsetof(struct srv_config, lease), "lease", .section = &lease_section},
	{CONFIG_SECTION, offsetof(struct srv_config, auth), "auth", .section = &auth_section},
	{CONFIG_SECTION, offsetof(struct srv_config, clients), "clients",
		.section = &client_section},
	{CONFIG_SECTION, offsetof(struct srv_config, limits), "limits", .section = &limit_section},
	{CONFIG_SECTION, offsetof(struct srv_config, records), "records",
		.section = &record_section},
	{CONFIG_SECTION, offsetof(struct srv_config, metrics), "metrics",
		.section = &monitor_section},
	{CONFIG_SECTION, offsetof(struct srv_config, redirect), "redirect",
		.section = &redirect_section},
	{CONFIG_SECTION, offsetof(struct srv_config, dhcp6), "dhcpv6",
		.section = &srv_dhcp6_config_section,
		.present = offsetof(struct srv_config, dhcp6.is_on)},
	{CONFIG_SECTION, offsetof(struct srv_config, rpc), "rpc",
		.section = &srv_rpc_config_section,
		.present = offsetof(struct srv_config, rpc.is_on)},
	{CONFIG_LIST, offsetof(struct srv_config, teps), "teps", .required = true, .min = 1,
		.max = 1024, .section = &tep_section},
	{CONFIG_LIST, offsetof(struct srv_config, pools), "pools", .required = true, .min = 1,
		.max = 1024, .section = &pool_section},
	{CONFIG_END},
};
const struct config_section srv_config_section = {root_keys, sizeof(struct srv_config)};
