// SPDX-License-Identifier: BSD-3-Clause
/* Octets written by hand: hex digits, as many blanks between them as make them readable. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define OCTETS_MAX 2048

struct octets {
	size_t len;
	uint8_t data[OCTETS_MAX];
};

/* An odd digit or anything that is no digit fails the test. */
struct octets octets_of(const char *hex);

/* Fails the test, and shows both, when they differ. */
void octets_assert_equal(const uint8_t *data, size_t len, const char *hex);
