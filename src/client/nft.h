// SPDX-License-Identifier: BSD-3-Clause
/*
 * The nft program: rules as text in, one transaction.
 */
#pragma once

#include <stddef.h>

#define CL_NFT_TEXT_MAX 32768 /* less than a pipe holds: written before nft reads */

/*
 * Runs "nft -f -" (no shell) and waits for it, some ten milliseconds. Returns 0 or -errno; its own
 * words are logged.
 */
int cl_nft_run(const char *text, size_t len);
