// SPDX-License-Identifier: BSD-3-Clause
#include "control/packet_json.h"

#include "common/addr.h"
#include "dataplane/summary.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_LEN 320

const char *tep_packet_side_name(uint32_t side)
{
	return side == 0 ? "v6" : "v4";
}

static json_t *json_v4(uint32_t v4)
{
	char text[ADDR_V4_STRLEN];

	return json_string(addr_v4_format(v4, text));
}

static json_t *json_v6(const struct in6_addr *v6)
{
	char text[ADDR_V6_STRLEN];

	return json_string(addr_v6_format(v6, text));
}

json_t *tep_packet_binding(const struct dp_binding *binding, uint32_t now_s)
{
	uint32_t end_s = dp_binding_lease_end_s(binding);
	json_t *left = json_null();

	if (end_s != DP_BINDING_ENDLESS)
		left = json_integer(end_s > now_s ? end_s - now_s : 0);
	return json_pack("{s:o, s:i, s:i, s:o, s:o, s:b, s:b, s:b, s:o}", "v4",
		json_v4(rte_be_to_cpu_32(binding->v4_be)), "first", (int)binding->first, "last",
		(int)binding->last, "client", json_v6(&binding->client_v6), "tep",
		json_v6(&binding->tep_v6), "static", (int)binding->is_static, "dormant",
		(int)binding->is_dormant, "learnt", (int)(binding->owner == DP_OWNER_LEARNT),
		"seconds_left", left);
}

/* --- what a frame says of itself ------------------------------------------------------------------- */

/* Adds to what text holds; cuts at its end. */
static void __attribute__((format(printf, 2, 3))) add(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, TEXT_LEN - used, format, args);
	va_end(args);
}

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_IPIP:
		return "IPv4 inside";
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_GRE:
		return "GRE";
	case IPPROTO_ESP:
		return "ESP";
	case IPPROTO_ICMPV6:
		return "ICMPv6";
	case IPPROTO_SCTP:
		return "SCTP";
	case IPPROTO_FRAGMENT:
		return "fragment";
	default:
		return NULL;
	}
}

static void add_protocol(char *text, const struct dp_summary *summary, uint8_t protocol)
{
	const char *name = protocol_name(protocol);

	if (name != NULL)
		add(text, " %s", name);
	else
		add(text, " protocol %u", protocol);
	if (summary->has_icmp)
		add(text, " type %u code %u id %u", summary->icmp_type, summary->icmp_code,
			summary->icmp_id);
}

static void add_ends(char *text, const struct dp_summary *summary, const char *src, const char *dst)
{
	if (summary->has_ports)
		add(text, "%s port %u > %s port %u", src, summary->src_port, dst,
			summary->dst_port);
	else
		add(text, "%s > %s", src, dst);
}

static void format_summary(const struct dp_summary *summary, char text[static TEXT_LEN])
{
	static const struct dp_summary no_ports;
	char src[ADDR_V6_STRLEN], dst[ADDR_V6_STRLEN];

	text[0] = '\0';
	if (summary->has_v6) {
		addr_v6_format(&summary->v6_src, src);
		addr_v6_format(&summary->v6_dst, dst);
		add_ends(text, summary->has_v4 ? &no_ports : summary, src, dst);
		if (summary->has_v4)
			add(text, " | ");
		else
			add_protocol(text, summary, summary->v6_next);
	}
	if (summary->has_v4) {
		addr_v4_format(summary->v4_src, src);
		addr_v4_format(summary->v4_dst, dst);
		add_ends(text, summary, src, dst);
		add_protocol(text, summary, summary->protocol);
		add(text, " ttl %u", summary->ttl);
	}
	if (dp_summary_is_fragment(summary))
		add(text, " fragment at %u%s", summary->fragment_offset,
			summary->more ? ", more follow" : ", the last");
	if (text[0] == '\0')
		add(text, "frame of type 0x%04x", summary->ether_type);
	if (summary->vlan != 0)
		add(text, " vlan %u", summary->vlan);
}

json_t *tep_packet_summary(const uint8_t *frame, uint32_t kept)
{
	struct dp_summary summary;
	char text[TEXT_LEN];
	json_t *object;

	dp_summary_read(&summary, frame, kept);
	format_summary(&summary, text);
	object = json_pack("{s:s, s:i}", "text", text, "ether_type", (int)summary.ether_type);
	if (summary.has_v6)
		json_object_set_new(object, "v6",
			json_pack("{s:o, s:o, s:i, s:i}", "src", json_v6(&summary.v6_src), "dst",
				json_v6(&summary.v6_dst), "next_header", (int)summary.v6_next,
				"hop_limit", (int)summary.hop_limit));
	if (summary.has_v4)
		json_object_set_new(object, "v4",
			json_pack("{s:o, s:o, s:i, s:i}", "src", json_v4(summary.v4_src), "dst",
				json_v4(summary.v4_dst), "protocol", (int)summary.protocol, "ttl",
				(int)summary.ttl));
	if (summary.has_ports)
		json_object_set_new(object, "ports",
			json_pack("[i, i]", (int)summary.src_port, (int)summary.dst_port));
	if (summary.has_icmp)
		json_object_set_new(object, "icmp",
			json_pack("{s:i, s:i, s:i}", "type", (int)summary.icmp_type, "code",
				(int)summary.icmp_code, "id", (int)summary.icmp_id));
	if (dp_summary_is_fragment(&summary))
		json_object_set_new(object, "fragment",
			json_pack("{s:i, s:b}", "offset", (int)summary.fragment_offset, "more",
				(int)summary.more));
	return object;
}

static json_t *json_hex(const uint8_t *octets, uint32_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * (size_t)len + 1);
	json_t *hex;

	if (text == NULL)
		return NULL;
	for (uint32_t i = 0; i < len; i++) {
		text[2 * i] = digits[octets[i] >> 4];
		text[2 * i + 1] = digits[octets[i] & 0x0f];
	}
	hex = json_stringn(text, 2 * (size_t)len);
	free(text);
	return hex;
}

json_t *tep_packet_frame(uint32_t side, const uint8_t *frame, uint32_t kept, uint32_t len)
{
	return json_pack("{s:s, s:i, s:o, s:o}", "side", tep_packet_side_name(side), "len",
		(int)len, "summary", tep_packet_summary(frame, kept), "octets",
		json_hex(frame, kept));
}

/* --- what became of it ------------------------------------------------------------------------------ */

static json_t *show_key(const struct dp_binding_key *key)
{
	return json_pack("{s:o, s:o}", "v4", json_v4(key->v4), "port",
		key->has_port ? json_integer(key->port) : json_null());
}

void tep_packet_set_outcome(json_t *object, const struct dp_outcome *outcome, uint32_t now_s)
{
	bool has_reason = outcome->fate == DP_FATE_DROPPED || outcome->fate == DP_FATE_ANSWERED;
	const struct dp_counter_info *reason = has_reason ? &dp_counter_info[outcome->reason]
							  : NULL;

	json_object_set_new(object, "verdict", json_string(dp_fate_info[outcome->fate].name));
	json_object_set_new(object, "text", json_string(dp_fate_info[outcome->fate].text));
	json_object_set_new(object, "reason", has_reason ? json_string(reason->name) : json_null());
	json_object_set_new(
		object, "reason_text", has_reason ? json_string(reason->text) : json_null());
	json_object_set_new(object, "from_tunnel", json_boolean(outcome->from_v6));
	json_object_set_new(object, "cut", json_boolean(outcome->cut));
	json_object_set_new(
		object, "key", outcome->has_key ? show_key(&outcome->key) : json_null());
	json_object_set_new(object, "binding",
		outcome->has_binding ? tep_packet_binding(&outcome->binding, now_s) : json_null());
	json_object_set_new(object, "target",
		outcome->has_target ? tep_packet_binding(&outcome->target, now_s) : json_null());
}
