// SPDX-License-Identifier: BSD-3-Clause
#include "control/tep_options.h"

#include "common/daemon.h"
#include "common/log.h"
#include "control/stats.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MS_DEFAULT 200
#define CONFIG_PATH     "/etc/dstm/tep.yaml"

enum long_option {
	OPT_IDLE = 256,
	OPT_DURATION,
	OPT_PERIOD,
	OPT_FILE,
	OPT_COUNTERS
};

static const struct option long_options[] = {
	{"exit-on-idle", optional_argument, NULL, OPT_IDLE},
	{"duration", required_argument, NULL, OPT_DURATION},
	{"stats-period", required_argument, NULL, OPT_PERIOD},
	{"stats-file", required_argument, NULL, OPT_FILE},
	{"list-counters", no_argument, NULL, OPT_COUNTERS},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static const char usage[] =
	"usage: dstm-tep [EAL arguments] -- [-c FILE] [options]\n"
	"  -c FILE               configuration; default: " CONFIG_PATH "\n"
	"  -t                    check the configuration and exit: 0 good, 2 bad\n"
	"  -v                    one more level of log lines\n"
	"  -V                    version\n"
	"  --exit-on-idle[=MS]   exit after MS milliseconds without a packet (200)\n"
	"  --duration=S          exit after S seconds\n"
	"  --stats-period=S      print statistics every S seconds\n"
	"  --stats-file=FILE     write statistics to FILE as JSON at exit\n"
	"  --list-counters       print the page of all counters and exit\n";

/* A decimal number in min..max, or false with a sentence. */
static bool parse_number(
	const char *option, const char *text, uint32_t min, uint32_t max, uint32_t *value)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || number < min || number > max) {
		log_err("--%s: not a number from %u to %u: %s", option, min, max, text);
		return false;
	}
	*value = (uint32_t)number;
	return true;
}

/* One option; false: *exit_code says how it ends. */
static bool take_option(int option, struct tep_options *options, int *exit_code)
{
	static enum log_level level = LOG_LEVEL_INFO;
	bool good = true;

	switch (option) {
	case 'c':
		options->config_path = optarg;
		break;
	case 't':
		options->check_only = true;
		break;
	case 'v':
		if (level < LOG_LEVEL_DEBUG)
			log_set_level(++level);
		break;
	case OPT_IDLE:
		options->exit_on_idle = true;
		if (optarg != NULL)
			good = parse_number("exit-on-idle", optarg, 1, 3600000, &options->idle_ms);
		break;
	case OPT_DURATION:
		good = parse_number("duration", optarg, 1, 86400, &options->duration_s);
		break;
	case OPT_PERIOD:
		good = parse_number("stats-period", optarg, 1, 86400, &options->stats_period_s);
		break;
	case OPT_FILE:
		options->stats_file = optarg;
		break;
	case 'h':
	case 'V':
	case OPT_COUNTERS:
		*exit_code = DAEMON_EXIT_OK;
		if (option == 'h')
			fputs(usage, stdout);
		else if (option == 'V')
			puts("dstm-tep " DSTM_VERSION);
		else
			tep_stats_list_counters(stdout);
		return false;
	default:
		fputs(usage, stderr);
		good = false;
	}
	*exit_code = DAEMON_EXIT_CONFIG;
	return good;
}

/* Splits argv at "--"; returns where our own part begins, its first word standing for the program. */
static int split(int argc, char **argv, struct tep_options *options)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			argv[i] = argv[0];
			options->eal_argc = i;
			return i;
		}
	}
	options->eal_argc = 1;
	return 0;
}

int tep_options_parse(int argc, char **argv, struct tep_options *options, int *exit_code)
{
	int own, option;

	*options = (struct tep_options){
		.eal_argv = argv, .config_path = CONFIG_PATH, .idle_ms = IDLE_MS_DEFAULT};
	own = split(argc, argv, options);
	argc -= own;
	argv += own;
	optind = 0; /* the GNU way to start afresh: the EAL parses with getopt, too */
	while ((option = getopt_long(argc, argv, "c:tvVh", long_options, NULL)) != -1)
		if (!take_option(option, options, exit_code))
			return 1;
	*exit_code = DAEMON_EXIT_CONFIG;
	if (optind < argc) {
		log_err("%s: not an option of dstm-tep (EAL arguments stand before --)",
			argv[optind]);
		return 1;
	}
	return 0;
}
