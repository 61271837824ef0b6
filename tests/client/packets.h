// SPDX-License-Identifier: BSD-3-Clause
/*
 * IPv4 packets for tests, and the checksum as RFC 1071 tells it, octet by octet: what the code under test is
 * compared with.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void put_u16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline void put_u32(uint8_t *p, uint32_t value)
{
	put_u16(p, value >> 16);
	put_u16(p + 2, value);
}

static inline uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

static inline uint32_t naive_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline uint32_t naive_pseudo(const uint8_t *packet, size_t l4_len)
{
	return naive_sum(packet[9] + (uint32_t)l4_len, packet + 12, 8);
}

static inline void put_checksums(uint8_t *packet, size_t len)
{
	size_t ip_len = (packet[0] & 15) * 4u;
	uint8_t *l4 = packet + ip_len;
	uint8_t *field = l4 + (packet[9] == 6 ? 16 : 6);

	put_u16(packet + 10, 0);
	put_u16(packet + 10, ~naive_sum(0, packet, ip_len) & 0xffff);
	put_u16(field, 0);
	put_u16(field, ~naive_sum(naive_pseudo(packet, len - ip_len), l4, len - ip_len) & 0xffff);
}

static inline bool checksums_hold(const uint8_t *packet, size_t len)
{
	size_t ip_len = (packet[0] & 15) * 4u;

	return naive_sum(0, packet, ip_len) == 0xffff &&
	       naive_sum(naive_pseudo(packet, len - ip_len), packet + ip_len, len - ip_len) ==
		       0xffff;
}

#define TEST_FLAG_FIN 0x01
#define TEST_FLAG_PSH 0x08
#define TEST_FLAG_ACK 0x10
#define TEST_FLAG_CWR 0x80

struct tcp_packet {
	uint32_t src, dst;
	uint16_t sport, dport, id, window;
	bool df;
	uint8_t tos, ttl, flags;
	uint32_t seq, ack;
	const uint8_t *options;
	size_t options_len; /* a multiple of 4 */
	size_t payload_len;
};

/* Writes the packet with its checksums; octet i of the payload is a hash of its sequence number. */
static inline size_t put_tcp(uint8_t *p, const struct tcp_packet *tcp)
{
	size_t header_len = 40 + tcp->options_len, len = header_len + tcp->payload_len;

	memset(p, 0, header_len);
	p[0] = 0x45;
	p[1] = tcp->tos;
	put_u16(p + 2, len);
	put_u16(p + 4, tcp->id);
	put_u16(p + 6, tcp->df ? 0x4000 : 0);
	p[8] = tcp->ttl;
	p[9] = 6;
	put_u32(p + 12, tcp->src);
	put_u32(p + 16, tcp->dst);
	put_u16(p + 20, tcp->sport);
	put_u16(p + 22, tcp->dport);
	put_u32(p + 24, tcp->seq);
	put_u32(p + 28, tcp->ack);
	p[32] = (uint8_t)((20 + tcp->options_len) / 4 << 4);
	p[33] = tcp->flags;
	put_u16(p + 34, tcp->window);
	if (tcp->options_len > 0)
		memcpy(p + 40, tcp->options, tcp->options_len);
	for (size_t i = 0; i < tcp->payload_len; i++)
		p[header_len + i] = (uint8_t)((tcp->seq + i) * 2654435761u >> 24);
	put_checksums(p, len);
	return len;
}

static inline size_t put_udp(uint8_t *p, uint16_t sport, size_t payload_len)
{
	size_t len = 28 + payload_len;

	memset(p, 0, 28);
	p[0] = 0x45;
	put_u16(p + 2, len);
	put_u16(p + 4, 77);
	p[8] = 64;
	p[9] = 17;
	put_u32(p + 12, 0xc6336407);
	put_u32(p + 16, 0xcb007105);
	put_u16(p + 20, sport);
	put_u16(p + 22, 53);
	put_u16(p + 24, 8 + payload_len);
	for (size_t i = 0; i < payload_len; i++)
		p[28 + i] = (uint8_t)(i * 2654435761u >> 24);
	put_checksums(p, len);
	return len;
}
