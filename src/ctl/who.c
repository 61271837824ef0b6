// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/who.h"

#include "common/addr.h"
#include "common/clock.h"
#include "ctl/print.h"
#include "server/record_follow.h"
#include "server/server_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_DEFAULT "/etc/dstm/server.yaml"
#define LIMIT_DEFAULT  1000

struct question {
	uint32_t v4;
	uint16_t port;
	bool has_port;
	int64_t utc_ms;
	json_t *items;
	json_t *planned; /* whose the port is by a deterministic pool; NULL: nobody's */
	uint64_t pages; /* of the index that were looked at */
};

static int complain(const char *sentence)
{
	fprintf(stderr, "dstmctl: %s\n", sentence);
	return -EINVAL;
}

/* --- the question -------------------------------------------------------------------------------- */

static int parse_port(const char *text, uint16_t *port)
{
	struct port_range range;

	if (port_range_parse(text, &range) < 0 || range.first != range.last)
		return -EINVAL;
	*port = range.first;
	return 0;
}

static int parse_operand(const char *operand, struct question *question)
{
	const char *colon = strchr(operand, ':');
	char address[ADDR_V4_STRLEN];
	size_t len = colon != NULL ? (size_t)(colon - operand) : strlen(operand);

	question->has_port = colon != NULL;
	if (len >= sizeof(address) || (colon != NULL && parse_port(colon + 1, &question->port) < 0))
		return complain("who: needs an IPv4 address, or ADDRESS:PORT");
	memcpy(address, operand, len);
	address[len] = '\0';
	if (addr_v4_parse(address, &question->v4) < 0)
		return complain("who: needs an IPv4 address, or ADDRESS:PORT");
	return 0;
}

static int parse_question(const struct ctl_who_options *options, struct question *question)
{
	char error[SRV_RECORD_TIME_ERROR_SIZE];

	question->utc_ms = clock_utc_ms();
	if (parse_operand(options->operand, question) < 0)
		return -EINVAL;
	if (options->at != NULL &&
		srv_record_time_parse_local(options->at, &question->utc_ms, error) < 0)
		return complain(error);
	return 0;
}

/* --- the answer ---------------------------------------------------------------------------------- */

static json_t *time_json(int64_t utc_ms)
{
	char text[SRV_RECORD_TIME_STRLEN];

	return utc_ms == SRV_INDEX_OPEN ? json_null()
					: json_string(srv_record_time_format(utc_ms, text));
}

static void take(void *arg, const struct srv_holding *holding)
{
	struct question *question = arg;
	char v4[ADDR_V4_STRLEN], client[ADDR_V6_STRLEN];

	json_array_append_new(question->items,
		json_pack("{s:s, s:[[i, i]], s:s, s:s, s:o, s:o, s:s, s:s, s:I, s:s, s:s}", "v4",
			addr_v4_format(holding->v4, v4), "ports", (int)holding->range.first,
			(int)holding->range.last, "client",
			addr_v6_format(&holding->client_v6, client), "user", holding->user, "since",
			time_json(holding->since_utc_ms), "until", time_json(holding->until_utc_ms),
			"pool", holding->pool, "tep", holding->tep, "lease",
			(json_int_t)holding->id, "began", holding->began, "ended", holding->ended));
}

static int print(const struct ctl_who_options *options, const struct question *question)
{
	static const struct ctl_field fields[] = {
		{"SINCE", "since", CTL_TEXT},
		{"UNTIL", "until", CTL_TEXT},
		{"ADDRESS", "v4", CTL_TEXT},
		{"PORTS", "ports", CTL_PORTS},
		{"CLIENT", "client", CTL_TEXT},
		{"USER", "user", CTL_TEXT},
		{"POOL", "pool", CTL_TEXT},
		{"TEP", "tep", CTL_TEXT},
		{"ENDED", "ended", CTL_TEXT},
		{},
	};
	static const struct ctl_field planned[] = {
		{"subscriber", "subscriber", CTL_TEXT},
		{"address", "v4", CTL_TEXT},
		{"ports", "ports", CTL_PORTS},
		{"by pool", "pool", CTL_TEXT},
		{},
	};
	json_t *result;

	if (options->json) {
		result = json_pack("{s:O, s:o, s:O?, s:I}", "items", question->items, "at",
			options->ever ? json_null() : time_json(question->utc_ms), "planned",
			question->planned, "pages", (json_int_t)question->pages);
		json_dumpf(result, stdout, JSON_INDENT(2));
		fputc('\n', stdout);
		json_decref(result);
	} else {
		if (question->planned != NULL)
			ctl_print_form(question->planned, planned, stdout);
		if (json_array_size(question->items) > 0)
			ctl_print_list(question->items, fields, stdout);
		else if (question->planned == NULL)
			puts("nobody");
	}
	return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- where it comes from ------------------------------------------------------------------------- */

static int look_up(const struct ctl_who_options *options, struct srv_record_index *index,
	struct question *question)
{
	const uint16_t *port = question->has_port ? &question->port : NULL;
	uint32_t limit = options->limit != 0 ? (uint32_t)options->limit : LIMIT_DEFAULT;
	uint64_t before = srv_record_index_pages(index);
	int ret;

	if (options->ever)
		ret = srv_record_index_ever(index, question->v4, port, limit, take, question);
	else
		ret = srv_record_index_at(
			index, question->v4, port, question->utc_ms, take, question);
	question->pages = srv_record_index_pages(index) - before;
	return ret < 0 ? complain(index->error) : 0;
}

static void warn_of_skipped(const struct srv_record_follow *follow)
{
	if (follow->skipped > 0)
		fprintf(stderr, "dstmctl: %llu lines that were read are no records\n",
			(unsigned long long)follow->skipped);
}

static int ask_files(const struct ctl_who_options *options, struct question *question)
{
	struct srv_record_index index;
	struct srv_record_follow follow = {.index = &index};
	int ret = srv_record_index_open(&index, "records", SRV_INDEX_MEMORY);

	if (ret < 0)
		return complain(index.error);
	ret = srv_record_follow_files(&follow, options->files, options->n_files, question->v4);
	if (ret < 0)
		complain(index.error);
	else
		ret = look_up(options, &index, question);
	warn_of_skipped(&follow);
	srv_record_index_close(&index);
	return ret;
}

/* What the server has not read into the index yet is read now; who may only read sees what is there. */
static int ask_index(const struct ctl_who_options *options, const char *index_path,
	const char *records_path, struct question *question)
{
	bool may_write = access(index_path, W_OK) == 0;
	enum srv_index_mode mode = may_write ? SRV_INDEX_WRITE : SRV_INDEX_READ;
	struct srv_record_index index;
	struct srv_record_follow follow = {.index = &index, .path = records_path};
	int ret;

	if (access(index_path, F_OK) < 0)
		mode = SRV_INDEX_MEMORY; /* everything is read, for this question alone */
	ret = srv_record_index_open(&index, index_path, mode);
	if (ret < 0)
		return complain(index.error);
	if (mode == SRV_INDEX_READ)
		fprintf(stderr, "dstmctl: %s cannot be written: the last records may be missing\n",
			index_path);
	else
		ret = srv_record_follow(&follow);
	if (ret < 0)
		complain(index.error);
	else
		ret = look_up(options, &index, question);
	warn_of_skipped(&follow);
	srv_record_index_close(&index);
	return ret;
}

/* RFC 7422: from the configuration alone. */
static void ask_plan(const struct srv_config *config, struct question *question)
{
	const struct srv_config_pool *pools = config->pools.items;
	char v4[ADDR_V4_STRLEN], text[ADDR_PREFIX_STRLEN];
	struct addr_v6_prefix subscriber;
	struct port_range range;

	for (uint32_t i = 0; question->has_port && i < config->pools.n; i++) {
		struct srv_deterministic plan = srv_config_plan(&pools[i]);

		if (pools[i].assign != SRV_ASSIGN_DETERMINISTIC ||
			!srv_deterministic_subscriber(
				&plan, question->v4, question->port, &subscriber, &range))
			continue;
		question->planned = json_pack("{s:s, s:s, s:[[i, i]], s:s}", "subscriber",
			addr_v6_prefix_format(&subscriber, text), "v4",
			addr_v4_format(question->v4, v4), "ports", (int)range.first,
			(int)range.last, "pool", pools[i].name);
	}
}

static int ask_config(const struct ctl_who_options *options, struct question *question)
{
	const char *path = options->config != NULL ? options->config : CONFIG_DEFAULT;
	struct config_error error;
	struct srv_config config;
	char *index_path;
	int ret;

	if (srv_config_load(path, &config, &error) < 0)
		return complain(error.text);
	ask_plan(&config, question);
	if (config.records.file == NULL && question->planned != NULL) {
		srv_config_free(&config);
		return 0;
	}
	if (config.records.file == NULL) {
		fprintf(stderr, "dstmctl: %s: keeps no records (records.file)\n", path);
		srv_config_free(&config);
		return -ENOENT;
	}
	index_path = srv_config_index_path(&config.records);
	ret = index_path != NULL ? ask_index(options, index_path, config.records.file, question)
				 : complain("out of memory");
	free(index_path);
	srv_config_free(&config);
	return ret;
}

int ctl_who(const struct ctl_who_options *options)
{
	struct question question = {.items = json_array()};
	int ret = parse_question(options, &question);
	int exit_code = EXIT_FAILURE;

	if (ret == 0)
		ret = options->n_files > 0 ? ask_files(options, &question)
					   : ask_config(options, &question);
	if (ret == 0)
		exit_code = print(options, &question);
	json_decref(question.items);
	json_decref(question.planned);
	return exit_code;
}
