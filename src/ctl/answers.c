// SPDX-License-Identifier: BSD-3-Clause
/*
 * What of each answer is shown, and under which title. The members are those of
 * docs/control-sockets.md; everything else in an answer is for --json.
 */
#include "ctl/print.h"

#define MEMBERS_MAX 64

static const json_t *items_of(const json_t *result)
{
	return json_object_get(result, "items");
}

void ctl_print_tep_show(const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	static const struct ctl_field form[] = {
		{"name", "name", CTL_TEXT},
		{"version", "version", CTL_TEXT},
		{"state", "state", CTL_TEXT},
		{"reason", "reason", CTL_TEXT},
		{"uptime", "uptime_s", CTL_DURATION},
		{"workers", "workers", CTL_NUMBER},
		{"neighbor", "neighbor", CTL_TEXT},
		{"tunnel v6", "tunnel_v6", CTL_TEXTS},
		{"tunnel v4", "tunnel_v4", CTL_TEXT},
		{"metrics", "metrics", CTL_TEXT},
		{},
	};
	static const struct ctl_field host[] = {
		{"routes", "routes", CTL_COUNT},
		{"neighbours", "neighbours", CTL_COUNT},
		{},
	};
	static const struct ctl_field bindings[] = {
		{"bindings", "count", CTL_COUNT},
		{"  exclusive", "exclusive", CTL_COUNT},
		{"  addresses", "addresses", CTL_COUNT},
		{"  at most", "max", CTL_COUNT},
		{"  octets", "bytes", CTL_COUNT},
		{},
	};
	static const struct ctl_field ports[] = {
		{"PORT", "side", CTL_TEXT},
		{"DEVICE", "device", CTL_TEXT},
		{"MAC", "mac", CTL_TEXT},
		{"MTU", "mtu", CTL_NUMBER},
		{"RX-PACKETS", "rx_packets", CTL_COUNT},
		{"RX-BYTES", "rx_bytes", CTL_COUNT},
		{"TX-PACKETS", "tx_packets", CTL_COUNT},
		{"TX-BYTES", "tx_bytes", CTL_COUNT},
		{"RX-MISSED", "rx_missed", CTL_COUNT},
		{},
	};
	static const struct ctl_field buffers[] = {
		{"BUFFERS", "name", CTL_TEXT},
		{"TOTAL", "total", CTL_COUNT},
		{"IN-USE", "in_use", CTL_COUNT},
		{},
	};
	static const struct ctl_field servers[] = {
		{"SERVER", "name", CTL_TEXT},
		{"PEER", "peer", CTL_TEXT},
		{"STATE", "state", CTL_TEXT},
		{"SINCE", "since_s", CTL_DURATION},
		{"CREATES", "creates", CTL_COUNT},
		{"DELETES", "deletes", CTL_COUNT},
		{"REFUSED", "refused", CTL_COUNT},
		{},
	};
	static const struct ctl_field digests[] = {
		{"SERVER", "name", CTL_TEXT},
		{"TABLES", "tables", CTL_TEXT},
		{"DIFFER FOR", "differs_s", CTL_DURATION},
		{"OUR DIGEST", "digest", CTL_TEXT},
		{"ITS DIGEST", "server_digest", CTL_TEXT},
		{"COMPARED", "compared_s", CTL_DURATION},
		{"LISTED ANEW", "leaves_listed", CTL_COUNT},
		{},
	};

	ctl_print_form(result, form, file);
	if (json_is_object(json_object_get(result, "host")))
		ctl_print_form(json_object_get(result, "host"), host, file);
	ctl_print_form(json_object_get(result, "bindings"), bindings, file);
	fputc('\n', file);
	ctl_print_list(json_object_get(result, "ports"), ports, file);
	fputc('\n', file);
	ctl_print_list(json_object_get(result, "buffers"), buffers, file);
	fputc('\n', file);
	ctl_print_list(json_object_get(result, "servers"), servers, file);
	fputc('\n', file);
	ctl_print_list(json_object_get(result, "servers"), digests, file);
}

/* All members of an object, numbers and flags, under their own names. */
static void print_members(const json_t *object, FILE *file)
{
	struct ctl_field fields[MEMBERS_MAX + 1] = {};
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)object, name, value) {
		if (n < MEMBERS_MAX)
			fields[n++] = (struct ctl_field){name, name, CTL_COUNT};
	}
	ctl_print_form(object, fields, file);
}

void ctl_print_tep_status(const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	static const struct ctl_field form[] = {
		{"name", "name", CTL_TEXT},
		{"counters since", "discontinuity_s", CTL_TIME},
		{"table version", "table_version", CTL_COUNT},
		{"table changed", "table_changed_s", CTL_TIME},
		{"softwires", "active_softwire_num", CTL_COUNT},
		{"  at most", "softwire_num_max", CTL_COUNT},
		{"payload MTU", "softwire_payload_mtu", CTL_NUMBER},
		{"path MRU", "softwire_path_mru", CTL_NUMBER},
		{"hairpin", "hairpin", CTL_FLAG},
		{},
	};
	static const struct ctl_field reassembly[] = {
		{"fragments, % of room", "fill_percent", CTL_NUMBER},
		{"  warned at", "threshold_percent", CTL_NUMBER},
		{"  warnings", "warnings", CTL_COUNT},
		{},
	};

	ctl_print_form(result, form, file);
	ctl_print_form(json_object_get(result, "reassembly"), reassembly, file);
	fputs("\nICMP\n", file);
	print_members(json_object_get(result, "icmp"), file);
	fputs("\nTRAFFIC\n", file);
	print_members(json_object_get(result, "traffic"), file);
}

void ctl_print_bindings(const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	static const struct ctl_field fields[] = {
		{"ADDRESS", "v4", CTL_TEXT},
		{"FIRST", "first", CTL_NUMBER},
		{"LAST", "last", CTL_NUMBER},
		{"CLIENT", "client", CTL_TEXT},
		{"TEP", "tep", CTL_TEXT},
		{"STATIC", "static", CTL_FLAG},
		{"DORMANT", "dormant", CTL_FLAG},
		{"LEFT", "seconds_left", CTL_DURATION},
		{},
	};

	ctl_print_list(items_of(result), fields, file);
}

void ctl_print_server_show(
	const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	static const struct ctl_field fields[] = {
		{"version", "version", CTL_TEXT},
		{"state", "state", CTL_TEXT},
		{"reason", "reason", CTL_TEXT},
		{"uptime", "uptime_s", CTL_DURATION},
		{"listen", "listen", CTL_TEXTS},
		{"listen TLS", "listen_tls", CTL_TEXTS},
		{"metrics", "metrics", CTL_TEXT},
		{"users", "users", CTL_COUNT},
		{"leases", "leases", CTL_COUNT},
		{"connections", "connections", CTL_COUNT},
		{"half open", "unauthenticated", CTL_COUNT},
		{"prefixes", "prefixes", CTL_COUNT},
		{},
	};

	ctl_print_form(result, fields, file);
}

void ctl_print_leases(const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	static const struct ctl_field fields[] = {
		{"ADDRESS", "v4", CTL_TEXT},
		{"PORTS", "ports", CTL_PORTS},
		{"CLIENT", "client", CTL_TEXT},
		{"TEP", "tep", CTL_TEXT},
		{"USER", "user", CTL_TEXT},
		{"POOL", "pool", CTL_TEXT},
		{"STATE", "state", CTL_TEXT},
		{"LEFT", "seconds_left", CTL_DURATION},
		{},
	};

	ctl_print_list(items_of(result), fields, file);
}

void ctl_print_pools(const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	static const struct ctl_field fields[] = {
		{"POOL", "name", CTL_TEXT},
		{"PREFIX", "prefix", CTL_TEXT},
		{"MODE", "mode", CTL_TEXT},
		{"BLOCK", "block_size", CTL_NUMBER},
		{"TOTAL", "total", CTL_COUNT},
		{"LEASED", "leased", CTL_COUNT},
		{"QUARANTINED", "quarantined", CTL_COUNT},
		{"FREE", "free", CTL_COUNT},
		{"% USED", "percent", CTL_NUMBER},
		{"LEVEL", "level", CTL_TEXT},
		{},
	};

	ctl_print_list(items_of(result), fields, file);
}

void ctl_print_pushed(const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	static const struct ctl_field fields[] = {
		{"leases ended", "ended", CTL_COUNT},
		{},
	};

	if (json_object_get(result, "ended") != NULL)
		ctl_print_form(result, fields, file);
	else
		fputs("begun; \"dstmctl server leases\" shows whether the client takes it\n", file);
}

void ctl_print_dhcp6(const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	static const struct ctl_field form[] = {
		{"server DUID", "duid", CTL_TEXT},
		{"listen", "listen", CTL_TEXTS},
		{"known clients", "known", CTL_COUNT},
		{"  with a lease", "with_lease", CTL_COUNT},
		{"  displaced", "displaced", CTL_COUNT},
		{"being told", "reconfiguring", CTL_COUNT},
		{},
	};
	static const struct ctl_field fields[] = {
		{"CLIENT", "client", CTL_TEXT},
		{"DUID", "duid", CTL_TEXT},
		{"VIA", "via", CTL_TEXT},
		{"RELAYS", "relays", CTL_COUNT},
		{"ASKS BY", "forms", CTL_TEXTS},
		{"RECONFIGURE", "accepts_reconfigure", CTL_FLAG},
		{"LEASE", "has_lease", CTL_FLAG},
		{"SEEN", "seen_s", CTL_DURATION},
		{},
	};

	ctl_print_form(result, form, file);
	fputc('\n', file);
	ctl_print_list(items_of(result), fields, file);
}

void ctl_print_reconfigure(
	const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	fputs("begun; \"dstmctl server counters\" and the log show whether the client comes\n",
		file);
}

void ctl_print_teps(const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	static const struct ctl_field fields[] = {
		{"TEP", "name", CTL_TEXT},
		{"CONTROL", "control", CTL_TEXT},
		{"V6", "v6", CTL_TEXT},
		{"V4", "v4", CTL_TEXT},
		{"STATE", "state", CTL_TEXT},
		{"SINCE", "since_s", CTL_DURATION},
		{"BINDINGS", "bindings", CTL_COUNT},
		{"HOMES", "homes", CTL_COUNT},
		{"COPIES", "copies", CTL_COUNT},
		{"QUERIES", "queries", CTL_COUNT},
		{"LAST ERROR", "last_error", CTL_TEXT},
		{},
	};
	static const struct ctl_field digests[] = {
		{"TEP", "name", CTL_TEXT},
		{"TABLES", "tables", CTL_TEXT},
		{"DIFFER FOR", "differs_s", CTL_DURATION},
		{"OUR DIGEST", "digest", CTL_TEXT},
		{"ITS DIGEST", "tep_digest", CTL_TEXT},
		{"COMPARED", "compared_s", CTL_DURATION},
		{"MENDED", "mended", CTL_COUNT},
		{},
	};

	ctl_print_list(items_of(result), fields, file);
	fputc('\n', file);
	ctl_print_list(items_of(result), digests, file);
}

void ctl_print_client_show(
	const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	static const struct ctl_field fields[] = {
		{"version", "version", CTL_TEXT},
		{"state", "state", CTL_TEXT},
		{"server", "server", CTL_TEXT},
		{"mode", "mode", CTL_TEXT},
		{"device", "device", CTL_TEXT},
		{"address", "v4", CTL_TEXT},
		{"ports", "ports", CTL_PORTS},
		{"tunnel v6", "v6", CTL_TEXT},
		{"tep", "tep", CTL_TEXT},
		{"lifetime", "lifetime_s", CTL_DURATION},
		{"  left", "seconds_left", CTL_DURATION},
		{"  renew in", "renew_in_s", CTL_DURATION},
		{"last error", "last_error", CTL_TEXT},
		{"tx packets", "tx_packets", CTL_COUNT},
		{"tx bytes", "tx_bytes", CTL_COUNT},
		{"rx packets", "rx_packets", CTL_COUNT},
		{"rx bytes", "rx_bytes", CTL_COUNT},
		{},
	};
	const json_t *drops = json_object_get(result, "drops"), *packets;
	char buf[CTL_VALUE_LEN];
	const char *name;

	ctl_print_form(result, fields, file);
	json_object_foreach((json_t *)drops, name, packets) {
		if (json_integer_value(packets) != 0)
			fprintf(file, "dropped: %s %s\n", name,
				ctl_value_format(packets, CTL_COUNT, buf));
	}
}

/* The TEP counts packets and octets, the others events. */
void ctl_print_counters(const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	static const struct ctl_field name = {"COUNTER", "name", CTL_TEXT};
	static const struct ctl_field worker = {"WORKER", "worker", CTL_NUMBER};
	static const struct ctl_field packets[] = {
		{"PACKETS", "packets", CTL_COUNT},
		{"BYTES", "bytes", CTL_COUNT},
		{"DROP", "drop", CTL_FLAG},
	};
	static const struct ctl_field events = {"COUNT", "count", CTL_COUNT};
	static const struct ctl_field meaning = {"MEANING", "text", CTL_TEXT};
	const json_t *items = items_of(result);
	const json_t *first = json_array_get(items, 0);
	bool of_packets = json_object_get(first, "packets") != NULL;
	const char *count = of_packets ? packets[0].key : events.key;
	struct ctl_field fields[7] = {name};
	json_t *shown = json_array(), *item;
	size_t i, n = 1;

	if (json_object_get(first, "worker") != NULL)
		fields[n++] = worker;
	for (i = 0; of_packets && i < 3; i++)
		fields[n++] = packets[i];
	if (!of_packets)
		fields[n++] = events;
	if (options->explain)
		fields[n] = meaning;
	json_array_foreach(items, i, item) {
		if (options->all || json_integer_value(json_object_get(item, count)) != 0)
			json_array_append(shown, item);
	}
	ctl_print_list(shown, fields, file);
	json_decref(shown);
}
