// SPDX-License-Identifier: BSD-3-Clause
/*
 * dstmctl: one command line for the three daemons, over their control sockets.
 */
#include "common/addr.h"

#include "ctl/drain.h"
#include "ctl/packets.h"
#include "ctl/print.h"
#include "ctl/query.h"
#include "ctl/users.h"
#include "ctl/who.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

static const struct command {
	const char *daemon, *name, *help;
	bool paged;
	void (*print)(const json_t *result, const struct ctl_print_options *options, FILE *file);
	const char *operand; /* what stands behind the command; NULL: nothing */
	int (*run)(const struct ctl_packets_options *options); /* instead of a question and print */
	const char *argument; /* of the question: the operand's name; NULL: it is none of it */
	/* the same, with one operand or two */
	int (*manage)(const char *verb, const char *name, const struct ctl_users_options *options);
	int (*offline)(const struct ctl_who_options *options); /* no daemon is asked */
	int (*follow)(const json_t *result); /* after the answer was printed: what main returns */
} commands[] = {
	{"tep", "show", "state, ports and servers of the TEP", false, ctl_print_tep_show},
	{"tep", "status", "figures of the border router (RFC 8676)", false, ctl_print_tep_status},
	{"tep", "bindings", "its table; --v4 ADDR: one address", true, ctl_print_bindings},
	{"tep", "counters",
		"packets by what became of them; --workers: at each worker; --worker N: at one",
		false, ctl_print_counters},
	{"tep", "explain", "what would happen to a packet: hexadecimal text or a capture file",
		.operand = "PACKET", .run = ctl_explain},
	{"tep", "trace", "packets as they pass, with their verdicts", .run = ctl_trace},
	{"tep", "capture", "the same into a pcapng file; -: standard output", .operand = "FILE",
		.run = ctl_capture},
	{"tep", "drain", "takes its routes back, waits for the traffic to cease, and ends it",
		false, ctl_print_draining, .follow = ctl_drain_follow},
	{"server", "show", "state of the server", false, ctl_print_server_show},
	{"server", "leases", "who holds what, for how long", true, ctl_print_leases},
	{"server", "pools", "how full the pools are", false, ctl_print_pools},
	{"server", "teps", "whether the TEPs are connected", false, ctl_print_teps},
	{"server", "who", "who held an address and port, from the records",
		.operand = "ADDR[:PORT]", .offline = ctl_who},
	{"server", "counters", "events of the server", false, ctl_print_counters},
	{"server", "push-create", "a lease for a client with an open session, unasked", false,
		ctl_print_pushed, .operand = "CLIENT", .argument = "client"},
	{"server", "push-delete", "ends a client's leases; --v4 ADDR: of that address", false,
		ctl_print_pushed, .operand = "CLIENT", .argument = "client"},
	{"server", "dhcp6", "clients that are known over DHCPv6", true, ctl_print_dhcp6},
	{"server", "reconfigure", "tells a DHCPv6 client to come and ask", false,
		ctl_print_reconfigure, .operand = "CLIENT", .argument = "client"},
	{"server", "user", "the file of users; VERB: add NAME, delete NAME or list",
		.operand = "VERB", .manage = ctl_users_run},
	{"client", "show", "the lease and its tunnel", false, ctl_print_client_show},
	{"client", "counters", "events of the client", false, ctl_print_counters},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

struct options {
	bool json;
	struct ctl_print_options print;
	const char *socket;
	uint64_t limit;
	json_t *arguments;
	struct ctl_packets_options packets;
	struct ctl_users_options users;
	struct ctl_who_options who;
};

static void print_usage(FILE *file)
{
	fputs("usage: dstmctl DAEMON COMMAND [options]\n\n", file);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(file, "  %-6s %-11s %-11s  %s\n", commands[i].daemon, commands[i].name,
			commands[i].operand != NULL ? commands[i].operand : "", commands[i].help);
	fputs("\n"
	      "  --json         the daemon's answer as it is, the pages of a list joined\n"
	      "  --explain      counters: a sentence on each\n"
	      "  --all          counters: those at zero too; who: all holders that are known\n"
	      "  --at TIME      who: then; UTC (Z), with an offset, or local. Default: now\n"
	      "  --config FILE  who: the server's configuration. Default: /etc/dstm/server.yaml\n"
	      "  --limit N      lists: at most N items\n"
	      "  --side v6|v4   explain: where the packet arrives; trace, capture: only from "
	      "there\n"
	      "  --address A    trace, capture: only to or from this address or prefix\n"
	      "  --port N       trace, capture: only with this port or ICMP identifier\n"
	      "  --verdict V    trace, capture: only sent, dropped, answered, host, resolve, "
	      "waits\n"
	      "                 or relayed\n"
	      "  --reason R     trace, capture: only dropped for this reason (the counter's name)\n"
	      "  --count N      explain, trace, capture: at most N packets\n"
	      "  --duration S   trace, capture: for S seconds\n"
	      "  --snaplen N    trace, capture: N octets of a frame\n"
	      "  --bytes N      capture: about N octets of file at most\n"
	      "  --ports N      push-create: a range of about N ports; 0: of any size; without: "
	      "an\n"
	      "                 address\n"
	      "  --renew        reconfigure: by a Renew, the default\n"
	      "  --rebind       reconfigure: by a Rebind\n"
	      "  --information  reconfigure: by an Information-request\n"
	      "  --duid HEX     reconfigure: the DUID of a client that is not known\n"
	      "  --file PATH    user: the file; default: " CTL_USERS_FILE "\n"
	      "                 who: from these records alone; may be given often\n"
	      "  --digest       user add: for DIGEST-MD5 too\n"
	      "  --realm R      user add: realm of DIGEST-MD5; default: dstm\n"
	      "  --socket PATH  default: /run/dstm/DAEMON.sock\n"
	      "  --wait S       drain: the traffic has S seconds to cease. Default: 10\n"
	      "  --version      print the version and exit\n"
	      "  --help         print this and exit\n",
		file);
}

static const struct command *find_command(const char *daemon, const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i].daemon, daemon) == 0 && strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

/* A decimal number from min to UINT32_MAX. */
static bool parse_number(const char *text, uint64_t min, uint64_t *number)
{
	if (text[0] == '\0' || strlen(text) > 10 || strspn(text, "0123456789") != strlen(text))
		return false;
	*number = strtoull(text, NULL, 10);
	return *number >= min && *number <= UINT32_MAX;
}

enum option_id {
	OPT_ADDRESS = 1,
	OPT_ALL,
	OPT_AT,
	OPT_BYTES,
	OPT_CONFIG,
	OPT_COUNT,
	OPT_DIGEST,
	OPT_DUID,
	OPT_DURATION,
	OPT_EXPLAIN,
	OPT_FILE,
	OPT_HELP,
	OPT_INFORMATION,
	OPT_JSON,
	OPT_LIMIT,
	OPT_PORT,
	OPT_PORTS,
	OPT_REALM,
	OPT_REASON,
	OPT_REBIND,
	OPT_RENEW,
	OPT_SIDE,
	OPT_SNAPLEN,
	OPT_SOCKET,
	OPT_V4,
	OPT_VERDICT,
	OPT_VERSION,
	OPT_WAIT,
	OPT_WORKER,
	OPT_WORKERS
};

static const struct option long_options[] = {
	{"address", required_argument, NULL, OPT_ADDRESS},
	{"all", no_argument, NULL, OPT_ALL},
	{"at", required_argument, NULL, OPT_AT},
	{"bytes", required_argument, NULL, OPT_BYTES},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"count", required_argument, NULL, OPT_COUNT},
	{"digest", no_argument, NULL, OPT_DIGEST},
	{"duid", required_argument, NULL, OPT_DUID},
	{"duration", required_argument, NULL, OPT_DURATION},
	{"explain", no_argument, NULL, OPT_EXPLAIN},
	{"file", required_argument, NULL, OPT_FILE},
	{"help", no_argument, NULL, OPT_HELP},
	{"information", no_argument, NULL, OPT_INFORMATION},
	{"json", no_argument, NULL, OPT_JSON},
	{"limit", required_argument, NULL, OPT_LIMIT},
	{"port", required_argument, NULL, OPT_PORT},
	{"ports", required_argument, NULL, OPT_PORTS},
	{"realm", required_argument, NULL, OPT_REALM},
	{"reason", required_argument, NULL, OPT_REASON},
	{"rebind", no_argument, NULL, OPT_REBIND},
	{"renew", no_argument, NULL, OPT_RENEW},
	{"side", required_argument, NULL, OPT_SIDE},
	{"snaplen", required_argument, NULL, OPT_SNAPLEN},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"v4", required_argument, NULL, OPT_V4},
	{"verdict", required_argument, NULL, OPT_VERDICT},
	{"version", no_argument, NULL, OPT_VERSION},
	{"wait", required_argument, NULL, OPT_WAIT},
	{"worker", required_argument, NULL, OPT_WORKER},
	{"workers", no_argument, NULL, OPT_WORKERS},
	{},
};

/* Of explain, trace and capture; the daemon knows which words there are. */
static bool take_packet_option(struct ctl_packets_options *options, int id, const char *value)
{
	uint64_t port;

	switch (id) {
	case OPT_ADDRESS:
		return json_object_set_new(options->filter, "address", json_string(value)) == 0;
	case OPT_BYTES:
		return parse_number(value, 1, &options->bytes);
	case OPT_COUNT:
		return parse_number(value, 1, &options->count);
	case OPT_DURATION:
		return parse_number(value, 1, &options->duration_s);
	case OPT_PORT:
		return parse_number(value, 0, &port) &&
		       json_object_set_new(options->filter, "port", json_integer(port)) == 0;
	case OPT_REASON:
		return json_object_set_new(options->filter, "reason", json_string(value)) == 0;
	case OPT_SIDE:
		options->side = value;
		return json_object_set_new(options->filter, "side", json_string(value)) == 0;
	case OPT_SNAPLEN:
		return parse_number(value, 1, &options->snaplen);
	case OPT_VERDICT:
		return json_object_set_new(options->filter, "verdict", json_string(value)) == 0;
	}
	return false;
}

/* Of who. */
static bool take_who_option(struct ctl_who_options *options, int id, const char *value)
{
	switch (id) {
	case OPT_AT:
		options->at = value;
		return true;
	case OPT_CONFIG:
		options->config = value;
		return true;
	case OPT_FILE:
		if (options->n_files == CTL_WHO_FILES_MAX)
			return false;
		options->files[options->n_files++] = value;
		return true;
	}
	return false;
}

/* Of reconfigure. */
static bool take_reconfigure_option(json_t *arguments, int id, const char *value)
{
	switch (id) {
	case OPT_DUID:
		return json_object_set_new(arguments, "duid", json_string(value)) == 0;
	case OPT_INFORMATION:
		value = "information";
		break;
	case OPT_REBIND:
		value = "rebind";
		break;
	default:
		value = "renew";
	}
	return json_object_set_new(arguments, "by", json_string(value)) == 0;
}

/* Returns false where the option's value is not what it takes. */
static bool take_option(struct options *options, int id, const char *value)
{
	uint64_t number;
	uint32_t v4;

	switch (id) {
	case OPT_ALL:
		options->print.all = true;
		return true;
	case OPT_DIGEST:
		options->users.digest = true;
		return true;
	case OPT_FILE:
		options->users.file = value;
		return take_who_option(&options->who, id, value);
	case OPT_REALM:
		options->users.realm = value;
		return true;
	case OPT_EXPLAIN:
		options->print.explain = true;
		return true;
	case OPT_JSON:
		options->json = true;
		return true;
	case OPT_LIMIT:
		return parse_number(value, 1, &options->limit);
	case OPT_PORTS:
		return parse_number(value, 0, &number) &&
		       json_object_set_new(options->arguments, "ports", json_integer(number)) == 0;
	case OPT_SOCKET:
		options->socket = value;
		return true;
	case OPT_V4:
		return addr_v4_parse(value, &v4) == 0 &&
		       json_object_set_new(options->arguments, "v4", json_string(value)) == 0;
	case OPT_WAIT:
		return parse_number(value, 0, &number) &&
		       json_object_set_new(options->arguments, "wait_s", json_integer(number)) == 0;
	case OPT_WORKER:
		return parse_number(value, 0, &number) &&
		       json_object_set_new(options->arguments, "worker", json_integer(number)) == 0;
	case OPT_WORKERS:
		return json_object_set_new(options->arguments, "by_worker", json_true()) == 0;
	case OPT_AT:
	case OPT_CONFIG:
		return take_who_option(&options->who, id, value);
	case OPT_DUID:
	case OPT_INFORMATION:
	case OPT_REBIND:
	case OPT_RENEW:
		return take_reconfigure_option(options->arguments, id, value);
	default:
		return take_packet_option(&options->packets, id, value);
	}
}

/* Returns -1 to go on, or what main should return. */
static int parse_options(int argc, char **argv, struct options *options)
{
	int id, index = 0;

	while ((id = getopt_long(argc, argv, "h", long_options, &index)) != -1) {
		if (id == 'h' || id == OPT_HELP) {
			print_usage(stdout);
			return EXIT_SUCCESS;
		}
		if (id == OPT_VERSION) {
			puts("dstmctl " DSTM_VERSION);
			return EXIT_SUCCESS;
		}
		if (id == '?') {
			print_usage(stderr);
			return EXIT_USAGE;
		}
		if (!take_option(options, id, optarg)) {
			fprintf(stderr, "dstmctl: --%s: bad value: %s\n", long_options[index].name,
				optarg);
			return EXIT_USAGE;
		}
	}
	return -1;
}

static void print_json(const json_t *result)
{
	json_dumpf(result, stdout, JSON_INDENT(2));
	fputc('\n', stdout);
}

static int ask(const struct command *command, const struct options *options, const char *socket)
{
	char error[CTL_ERROR_LEN] = "out of memory";
	const struct ctl_query query = {
		.socket = socket,
		.command = command->name,
		.arguments = options->arguments,
		.paged = command->paged,
		.limit = options->limit,
	};
	json_t *result = NULL;
	int rc;

	if (ctl_query_run(&query, &result, error) < 0) {
		fprintf(stderr, "dstmctl: %s\n", error);
		return EXIT_FAILURE;
	}
	if (options->json)
		print_json(result);
	else
		command->print(result, &options->print, stdout);
	rc = fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
	if (rc == EXIT_SUCCESS && command->follow != NULL)
		rc = command->follow(result);
	json_decref(result);
	return rc;
}

static int run_offline(
	const struct command *command, const struct options *options, const char *operand)
{
	struct ctl_who_options who = options->who;

	who.operand = operand;
	who.ever = options->print.all;
	who.limit = options->limit;
	who.json = options->json;
	return command->offline(&who);
}

static int run(const struct command *command, const struct options *options, char **operands)
{
	struct ctl_packets_options packets = options->packets;
	struct ctl_users_options users = options->users;
	char of_daemon[64];
	const char *socket = options->socket != NULL ? options->socket : of_daemon;

	if (command->offline != NULL)
		return run_offline(command, options, operands[0]);
	snprintf(of_daemon, sizeof(of_daemon), "/run/dstm/%s.sock", command->daemon);
	if (command->manage != NULL) {
		users.socket = socket;
		users.json = options->json;
		return command->manage(operands[0], operands[1], &users);
	}
	if (command->argument != NULL)
		json_object_set_new(
			options->arguments, command->argument, json_string(operands[0]));
	if (command->run == NULL)
		return ask(command, options, socket);
	packets.socket = socket;
	packets.json = options->json;
	packets.operand = operands[0];
	return command->run(&packets);
}

static bool takes(const struct command *command, int operands)
{
	if (command->manage != NULL)
		return operands == 1 || operands == 2;
	return operands == (command->operand != NULL ? 1 : 0);
}

int main(int argc, char **argv)
{
	struct options options = {.arguments = json_object(), .packets.filter = json_object()};
	const struct command *command = NULL;
	int rc = parse_options(argc, argv, &options);

	if (rc < 0 && argc - optind >= 2)
		command = find_command(argv[optind], argv[optind + 1]);
	if (command != NULL && !takes(command, argc - optind - 2))
		command = NULL;
	if (command != NULL) {
		rc = run(command, &options, argv + optind + 2);
	} else if (rc < 0) {
		print_usage(stderr);
		rc = EXIT_USAGE;
	}
	json_decref(options.arguments);
	json_decref(options.packets.filter);
	return rc;
}
