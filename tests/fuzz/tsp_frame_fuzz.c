// SPDX-License-Identifier: BSD-3-Clause
/*
 * Framing: a stream gives the same events in whatever pieces it comes, within its limits.
 *
 * The first octet chooses the mode and the size of the pieces that are compared with the whole.
 */
#include "tsp/tsp_frame.h"
#include "tsp/tsp_msg.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out of a stream: how many events of each kind, and a sum over their octets. */
struct outcome {
	unsigned int events[TSP_FRAME_ERROR + 1];
	uint64_t sum;
	bool is_partial;
};

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void note(struct outcome *outcome, const struct tsp_frame *frame, enum tsp_frame_event event)
{
	if (event == TSP_FRAME_MORE)
		return;
	outcome->events[event]++;
	outcome->sum = outcome->sum * 31 + event;
	if (event == TSP_FRAME_ERROR) {
		check(frame->why != NULL);
		return;
	}
	check(frame->buf[frame->len] == '\0');
	check(frame->len <= (event == TSP_FRAME_BODY ? TSP_MESSAGE_MAX : TSP_LINE_MAX));
	for (size_t i = 0; i < frame->len; i++)
		outcome->sum = outcome->sum * 31 + (uint8_t)frame->buf[i];
}

static struct outcome run(uint8_t mode, const char *data, size_t len, size_t piece)
{
	enum tsp_frame_event event = TSP_FRAME_MORE;
	struct outcome outcome = {0};
	struct tsp_frame frame;

	tsp_frame_init(&frame);
	if (mode != 0)
		tsp_frame_begin_messages(&frame, mode == 1);
	while (len > 0 && event != TSP_FRAME_ERROR) {
		size_t n = len < piece ? len : piece;
		size_t taken = tsp_frame_push(&frame, data, n, &event);

		check(taken >= 1 && taken <= n);
		check(event != TSP_FRAME_MORE || taken == n);
		check(frame.capacity <= 2 * (TSP_MESSAGE_MAX + 1));
		note(&outcome, &frame, event);
		data += taken;
		len -= taken;
	}
	outcome.is_partial = tsp_frame_is_partial(&frame);
	tsp_frame_free(&frame);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;

	if (size == 0)
		return 0;
	whole = run(data[0] % 3, (const char *)data + 1, size - 1, SIZE_MAX);
	pieces = run(data[0] % 3, (const char *)data + 1, size - 1, 1 + data[0] / 3);
	check(memcmp(&whole, &pieces, sizeof(whole)) == 0);
	return 0;
}
