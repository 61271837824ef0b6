// SPDX-License-Identifier: BSD-3-Clause
/*
 * dstmctl tep explain PACKET.
 */
#include "common/ctl.h"
#include "ctl/packet_file.h"
#include "ctl/packets.h"
#include "ctl/verdict.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS  10000
#define PACKETS_MAX 1000 /* of a file, unless --count says otherwise */
#define HEX_MAX     65536 /* characters of an operand */

static char *to_hex(const uint8_t *octets, size_t len)
{
	char *text = malloc(2 * len + 1);

	for (size_t i = 0; text != NULL && i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", octets[i]);
	return text;
}

/* Hexadecimal text without blanks and colons; NULL + errno: it is none, or too long. */
static char *clean_hex(const char *text)
{
	size_t len = strlen(text), n = 0;
	char *clean;

	if (len > HEX_MAX) {
		errno = EMSGSIZE;
		return NULL;
	}
	clean = malloc(len + 1);
	for (; clean != NULL && *text != '\0'; text++) {
		if (isxdigit((unsigned char)*text)) {
			clean[n++] = *text;
		} else if (!isspace((unsigned char)*text) && *text != ':') {
			free(clean);
			errno = EINVAL;
			return NULL;
		}
	}
	if (clean != NULL)
		clean[n] = '\0';
	return clean;
}

/* Asks about one packet and prints the answer. link: NULL: as it looks. */
static int explain(const struct ctl_packets_options *options, const char *hex, const char *link)
{
	json_t *arguments = json_pack(
		"{s:s, s:s?, s:s?}", "packet", hex, "link", link, "side", options->side);
	char error[CTL_ERROR_LEN] = "out of memory";
	json_t *result = NULL;
	int rc = ctl_request(options->socket, "explain", arguments, TIMEOUT_MS, &result, error);

	json_decref(arguments);
	if (rc < 0) {
		fprintf(stderr, "dstmctl: %s\n", error);
		return EXIT_FAILURE;
	}
	if (options->json) {
		json_dumpf(result, stdout, JSON_COMPACT);
		fputc('\n', stdout);
	} else {
		ctl_verdict_print_explanation(result, stdout);
	}
	json_decref(result);
	return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int explain_packet(
	const struct ctl_packets_options *options, const struct packet_file_packet *packet)
{
	char *hex = to_hex(packet->octets, packet->kept);
	int rc = EXIT_FAILURE;

	if (!options->json)
		printf("%spacket %llu\n", packet->number > 1 ? "\n" : "",
			(unsigned long long)packet->number);
	if (!options->json && packet->kept < packet->len)
		printf("note        the file holds %u of its %u octets: lengths will not fit\n",
			packet->kept, packet->len);
	if (hex != NULL)
		rc = explain(options, hex, packet->is_ip ? "ip" : "ethernet");
	free(hex);
	return rc;
}

static int explain_file(const struct ctl_packets_options *options, FILE *stream)
{
	uint64_t max = options->count != 0 ? options->count : PACKETS_MAX;
	char error[PACKET_FILE_ERROR_LEN];
	struct packet_file_packet *packet = malloc(sizeof(*packet));
	struct packet_file file;
	int rc = -1, exit_code = EXIT_SUCCESS;

	if (packet == NULL)
		return EXIT_FAILURE;
	if (packet_file_open(&file, stream, error))
		while ((rc = packet_file_next(&file, packet, error)) == 1 && file.number <= max &&
			exit_code == EXIT_SUCCESS)
			exit_code = explain_packet(options, packet);
	if (rc < 0) {
		fprintf(stderr, "dstmctl: %s: %s\n", options->operand, error);
		exit_code = EXIT_FAILURE;
	} else if (rc == 1 && exit_code == EXIT_SUCCESS) {
		fprintf(stderr, "dstmctl: %s: only the first %llu packets (--count gives more)\n",
			options->operand, (unsigned long long)max);
	}
	free(packet);
	return exit_code;
}

/* A file, if there is one of that name; else hexadecimal text. */
int ctl_explain(const struct ctl_packets_options *options)
{
	FILE *stream = fopen(options->operand, "rbe");
	int rc = EXIT_FAILURE;
	char *hex;

	if (stream != NULL) {
		rc = explain_file(options, stream);
		fclose(stream);
		return rc;
	}
	hex = clean_hex(options->operand);
	if (hex == NULL)
		fprintf(stderr, "dstmctl: %.60s: %s\n", options->operand,
			errno == EMSGSIZE ? "longer than any packet"
					  : "neither a file nor hexadecimal text");
	else
		rc = explain(options, hex, NULL);
	free(hex);
	return rc;
}
