// SPDX-License-Identifier: BSD-3-Clause
/*
 * dstmctl tep trace and capture: the daemon records, and is asked for what it has until there is enough or somebody
 * interrupts. An interrupt ends the output cleanly.
 */
#include "common/clock.h"
#include "common/ctl.h"
#include "ctl/packets.h"
#include "ctl/pcapng.h"
#include "ctl/verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS      10000
#define PAUSE_MS        50 /* while nothing comes */
#define SNAPLEN_TRACE   256
#define SNAPLEN_CAPTURE 2048
#define BYTES_DEFAULT   (100ULL << 20)

struct watch {
	const struct ctl_packets_options *options;
	FILE *file; /* of a capture; NULL: a trace */
	json_int_t id;
	uint64_t snaplen;
	uint64_t bytes; /* that the file may still grow by */
	int64_t end_ms; /* 0: none */
	uint64_t seen;
	long long missed;
	bool is_enough;
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
	is_interrupted = 1;
}

/* The daemon's answer, or NULL with its sentence on the screen. Takes over the arguments. */
static json_t *ask(const struct watch *watch, const char *command, json_t *arguments)
{
	char error[CTL_ERROR_LEN] = "out of memory";
	json_t *result = NULL;

	if (ctl_request(watch->options->socket, command, arguments, TIMEOUT_MS, &result, error) < 0)
		fprintf(stderr, "dstmctl: %s\n", error);
	json_decref(arguments);
	return result;
}

static bool begin(struct watch *watch)
{
	json_t *result = ask(watch, "watch",
		json_pack("{s:O, s:I}", "filter", watch->options->filter, "snaplen",
			(json_int_t)watch->snaplen));

	watch->id = json_integer_value(json_object_get(result, "id"));
	json_decref(result);
	return result != NULL;
}

/* --- one packet ----------------------------------------------------------------------------------- */

static int hex_digit(char digit)
{
	return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/* What the daemon wrote: an even number of lower-case digits. Returns how many octets, at most max. */
static uint32_t read_hex(const char *hex, uint8_t *octets, uint32_t max)
{
	uint32_t n = 0;

	for (; hex != NULL && n < max && hex[2 * n] != '\0' && hex[2 * n + 1] != '\0'; n++)
		octets[n] = (uint8_t)(hex_digit(hex[2 * n]) << 4 | hex_digit(hex[2 * n + 1]));
	return n;
}

static void write_frame(struct watch *watch, const json_t *record, const json_t *frame, bool is_in)
{
	static uint8_t octets[UINT16_MAX];
	const char *side = json_string_value(json_object_get(frame, "side"));
	bool is_v6 = side != NULL && strcmp(side, "v6") == 0;
	char comment[CTL_COMMENT_LEN];
	const struct pcapng_packet packet = {
		.interface = (is_v6 ? PCAPNG_V6_IN : PCAPNG_V4_IN) + (is_in ? 0 : 1),
		.time_ns = json_integer_value(json_object_get(record, "time_ns")),
		.octets = octets,
		.kept = read_hex(json_string_value(json_object_get(frame, "octets")), octets,
			sizeof(octets)),
		.len = (uint32_t)json_integer_value(json_object_get(frame, "len")),
		.comment = ctl_verdict_comment(record, comment),
	};

	uint32_t len = pcapng_write_packet(watch->file, &packet);

	watch->bytes -= len < watch->bytes ? len : watch->bytes;
}

static void take_record(struct watch *watch, const json_t *record)
{
	const json_t *frame;
	size_t i;

	watch->seen++;
	if (watch->file == NULL && watch->options->json) {
		json_dumpf(record, stdout, JSON_COMPACT);
		fputc('\n', stdout);
	} else if (watch->file == NULL) {
		ctl_verdict_print_record(record, stdout);
	} else {
		write_frame(watch, record, json_object_get(record, "in"), true);
		json_array_foreach(json_object_get(record, "out"), i, frame) {
			write_frame(watch, record, frame, false);
		}
		watch->is_enough = watch->bytes == 0;
	}
	if (watch->options->count != 0 && watch->seen >= watch->options->count)
		watch->is_enough = true;
}

/* --- all ------------------------------------------------------------------------------------------ */

/* One question; false: the daemon has no more answers, or the output is broken. */
static bool take_some(struct watch *watch, bool *is_more)
{
	FILE *file = watch->file != NULL ? watch->file : stdout;
	json_t *result = ask(watch, "watch_next", json_pack("{s:I}", "id", watch->id));
	const json_t *record;
	size_t i;

	if (result == NULL)
		return false;
	json_array_foreach(json_object_get(result, "items"), i, record) {
		if (!watch->is_enough)
			take_record(watch, record);
	}
	watch->missed = json_integer_value(json_object_get(result, "missed"));
	*is_more = json_is_true(json_object_get(result, "more"));
	json_decref(result);
	if (fflush(file) == 0 && !ferror(file))
		return true;
	fprintf(stderr, "dstmctl: the output cannot be written\n");
	return false;
}

static int run(struct watch *watch)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
	bool is_well, is_more = false;

	if (watch->options->duration_s != 0)
		watch->end_ms = clock_boot_ms() + (int64_t)watch->options->duration_s * 1000;
	if (!begin(watch))
		return EXIT_FAILURE;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	fprintf(stderr, "watching\n");
	do {
		if (!is_more)
			usleep(PAUSE_MS * 1000);
		is_well = take_some(watch, &is_more);
	} while (is_well && !watch->is_enough && !is_interrupted &&
		 (watch->end_ms == 0 || clock_boot_ms() < watch->end_ms));
	if (is_well && !watch->is_enough)
		is_well = take_some(watch, &is_more); /* what came while the signal did */
	json_decref(ask(watch, "watch_end", json_pack("{s:I}", "id", watch->id)));
	fprintf(stderr, "%llu packets", (unsigned long long)watch->seen);
	if (watch->missed != 0)
		fprintf(stderr, "; %lld more were missed for lack of room", watch->missed);
	fputc('\n', stderr);
	return is_well ? EXIT_SUCCESS : EXIT_FAILURE;
}

int ctl_trace(const struct ctl_packets_options *options)
{
	struct watch watch = {
		.options = options,
		.snaplen = options->snaplen != 0 ? options->snaplen : SNAPLEN_TRACE,
	};

	return run(&watch);
}

static FILE *open_capture(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? NULL : fdopen(fd, "wb");
}

int ctl_capture(const struct ctl_packets_options *options)
{
	bool to_stdout = strcmp(options->operand, "-") == 0;
	struct watch watch = {
		.options = options,
		.snaplen = options->snaplen != 0 ? options->snaplen : SNAPLEN_CAPTURE,
		.bytes = options->bytes != 0 ? options->bytes : BYTES_DEFAULT,
		.file = to_stdout ? stdout : open_capture(options->operand),
	};
	int rc;

	if (watch.file == NULL) {
		fprintf(stderr, "dstmctl: %s: %s\n", options->operand, strerror(errno));
		return EXIT_FAILURE;
	}
	pcapng_write_head(watch.file, (uint32_t)watch.snaplen);
	rc = run(&watch);
	if (fclose(watch.file) != 0)
		rc = EXIT_FAILURE;
	return rc;
}
