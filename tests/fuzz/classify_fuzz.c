// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any frames from either side through the whole packet path. The input: PATH_CONFIG octets of configuration, then
 * frames, each behind three octets: flags, and its length, big-endian. Frames in a row from one side are
 * one burst, unless a flag ends it. tests/fuzz/seeds.py makes such inputs of the packet cases.
 */
#include "path.h"

#define RECORD      3
#define FROM_V4     1
#define MEND        2 /* checksums are made right */
#define ENDS_BURST  4
#define TIME_PASSES 8

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	path_start();
	return 0;
}

static void add(uint8_t flags, const uint8_t *octets, uint32_t len)
{
	uint8_t frame[PATH_FRAME_MAX];

	len = RTE_MIN(len, PATH_FRAME_MAX);
	memcpy(frame, octets, len);
	if ((flags & MEND) != 0)
		path_mend(frame, len);
	if ((flags & TIME_PASSES) != 0)
		path_wait(10);
	path_add((flags & FROM_V4) != 0 ? 1 : 0, frame, len);
	if ((flags & ENDS_BURST) != 0)
		path_run();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = PATH_CONFIG;

	if (size < PATH_CONFIG + RECORD)
		return 0;
	path_begin(data);
	while (size - at >= RECORD) {
		uint32_t len = (uint32_t)data[at + 1] << 8 | data[at + 2];

		len = RTE_MIN(len, size - at - RECORD);
		add(data[at], data + at + RECORD, len);
		at += RECORD + len;
	}
	path_end();
	return 0;
}
