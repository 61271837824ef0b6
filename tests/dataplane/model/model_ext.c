// SPDX-License-Identifier: BSD-3-Clause
/* IPv6 extension headers in the model (RFC 8200 section 4): what may stand before an inner packet, and what its
 * sender hears otherwise. */
#include "model_impl.h"

#define HEADERS_MAX 8
#define OCTETS_MAX  512

static bool may_be_skipped(uint8_t header)
{
	return header == 0 || header == 43 || header == 60;
}

/* The header at chain->end in a packet of len octets, from its IPv6 header on; 0: it is not all there. */
static uint32_t header_octets(const uint8_t *v6, uint32_t len, const struct chain *chain)
{
	uint32_t octets;

	if (len - chain->end < 8)
		return 0;
	octets = 8 + v6[chain->end + 1] * 8U;
	return octets <= len - chain->end ? octets : 0;
}

static uint32_t check_options(const uint8_t *v6, uint32_t octets, struct chain *chain)
{
	uint32_t end = chain->end + octets;

	for (uint32_t at = chain->end + 2; at < end;) {
		uint32_t size = v6[at] == 0 ? 1 : at + 1 < end ? 2U + v6[at + 1] : 2;

		if (at + size > end)
			return DP_DROP_V6_EXT_MALFORMED;
		if (v6[at] >= 64) {
			chain->fault_at = at;
			return DP_DROP_V6_EXT_OPTION;
		}
		at += size;
	}
	return DP_N_DROPS;
}

static uint32_t check_header(
	const uint8_t *v6, uint32_t octets, uint32_t number, struct chain *chain)
{
	if (chain->next == 43) {
		chain->fault_at = chain->end + 2;
		return v6[chain->end + 3] == 0 ? DP_N_DROPS : DP_DROP_V6_EXT_ROUTING;
	}
	if (chain->next == 0 && number != 0) {
		chain->fault_at = chain->next_at;
		return DP_DROP_V6_EXT_ORDER;
	}
	return check_options(v6, octets, chain);
}

uint32_t walk_headers(const uint8_t *v6, struct chain *chain)
{
	uint32_t len = V6_HEADER + get16(v6 + 4), octets, fault;

	*chain = (struct chain){.next = v6[6], .next_at = 6, .end = V6_HEADER};
	for (uint32_t number = 0; may_be_skipped(chain->next); number++) {
		octets = header_octets(v6, len, chain);
		if (octets == 0)
			return DP_DROP_V6_EXT_MALFORMED;
		if (number == HEADERS_MAX || chain->end + octets - V6_HEADER > OCTETS_MAX)
			return DP_DROP_V6_EXT_TOO_LONG;
		fault = check_header(v6, octets, number, chain);
		if (fault != DP_N_DROPS)
			return fault;
		chain->next = v6[chain->end];
		chain->next_at = chain->end;
		chain->end += octets;
	}
	if (chain->next == 51)
		return DP_DROP_V6_AH;
	return chain->next == 50 ? DP_DROP_V6_ESP : DP_N_DROPS;
}

bool skip_headers(const uint8_t *v6, struct chain *chain)
{
	uint32_t len = V6_HEADER + get16(v6 + 4);

	for (uint32_t number = 0; may_be_skipped(chain->next); number++) {
		uint32_t octets = header_octets(v6, len, chain);

		if (octets == 0 || number == HEADERS_MAX ||
			chain->end + octets - V6_HEADER > OCTETS_MAX)
			return false;
		chain->next = v6[chain->end];
		chain->end += octets;
	}
	return true;
}

/* RFC 4443 section 2.4 (e): no error about an ICMPv6 error or redirect, nor about what may be one. */
static bool may_be_error(const uint8_t *v6, const struct chain *at_fault)
{
	uint32_t len = V6_HEADER + get16(v6 + 4);
	struct chain chain = *at_fault;

	if (!skip_headers(v6, &chain))
		return true;
	if (chain.next == 58)
		return chain.end == len || v6[chain.end] < 128 || v6[chain.end] == 137;
	return chain.next == 44;
}

bool parameter_problem(const uint8_t *v6, uint8_t *code, uint32_t *pointer)
{
	struct chain chain;
	uint32_t fault = walk_headers(v6, &chain);

	*pointer = chain.fault_at;
	switch (fault) {
	case DP_DROP_V6_EXT_ROUTING:
		*code = 0;
		break;
	case DP_DROP_V6_EXT_ORDER:
		*code = 1;
		break;
	case DP_DROP_V6_EXT_OPTION:
		*code = 2;
		if (v6[chain.fault_at] < 128)
			return false;
		break;
	default:
		return false;
	}
	return !may_be_error(v6, &chain);
}
