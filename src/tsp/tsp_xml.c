// SPDX-License-Identifier: BSD-3-Clause
/*
 * Reading: a walk over the tree by element name takes what it knows and skips the rest. Each reader
 * returns TSP_STATUS_OK, or the status to answer with and a sentence in *why.
 */
#include "tsp/tsp_xml.h"

#include "tsp/tsp_xml_tree.h"
#include "tsp/tsp_xml_value.h"

#include <libxml/parser.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define STATUS_LINE_MAX 256
#define PORTS_COUNT_MAX 65536
#define DIGEST_HEX      16 /* digits of a digest */

static enum tsp_status add_address(
	const struct tsp_xml_node *node, struct tsp_party *party, bool *loose, const char **why)
{
	struct tsp_xml_address address;
	enum tsp_status status = tsp_xml_address(node, &address, why);

	if (status != TSP_STATUS_OK)
		return status;
	if (address.is_v4 && party->has_v4) {
		*why = "two IPv4 addresses for one party";
		return TSP_STATUS_BAD_V4;
	}
	if (address.is_v6 && party->n_v6 == TSP_PARTY_V6_MAX) {
		*why = "too many IPv6 addresses";
		return TSP_STATUS_BAD_V6;
	}
	if (address.is_v4) {
		party->has_v4 = true;
		party->v4 = address.v4;
	} else if (address.is_v6) {
		party->v6[party->n_v6++] = address.v6;
		*loose |= address.loose;
	}
	return TSP_STATUS_OK;
}

static enum tsp_status add_range(
	const char *start, const char *end, struct tsp_party *party, const char **why)
{
	struct port_range range;
	uint32_t first, last;

	*why = "port range out of bounds";
	if (!tsp_xml_number(start, 0, UINT16_MAX, &first) ||
		!tsp_xml_number(end, first, UINT16_MAX, &last))
		return TSP_STATUS_MALFORMED;
	*why = "too many port ranges";
	if (party->n_ranges == LEASE_RANGES_MAX)
		return TSP_STATUS_MALFORMED;
	range = (struct port_range){.first = first, .last = last};
	*why = "port ranges overlap";
	for (uint32_t i = 0; i < party->n_ranges; i++) {
		if (port_range_overlaps(range, party->ranges[i]))
			return TSP_STATUS_MALFORMED;
	}
	party->ranges[party->n_ranges++] = range;
	return TSP_STATUS_OK;
}

/* <ports start= end=/>: a range; <ports count=/> or <ports/>: a wish. */
static enum tsp_status add_ports(
	const struct tsp_xml_node *node, struct tsp_party *party, const char **why)
{
	struct tsp_xml_value start, end, count;
	bool has_start = tsp_xml_attribute(node, "start", &start);
	bool has_end = tsp_xml_attribute(node, "end", &end);
	bool has_count = tsp_xml_attribute(node, "count", &count);

	party->has_ports = true;
	*why = "ports need both start and end, or a count alone";
	if (has_start != has_end || (has_start && has_count))
		return TSP_STATUS_MALFORMED;
	if (has_start)
		return add_range(start.text, end.text, party, why);
	*why = "port count out of bounds";
	if (has_count && (party->ports_count != 0 || !tsp_xml_number(count.text, 1, PORTS_COUNT_MAX,
							     &party->ports_count)))
		return TSP_STATUS_MALFORMED;
	return TSP_STATUS_OK;
}

static enum tsp_status read_party(const struct tsp_xml_node *node, struct tsp_party *party,
	struct tsp_msg *msg, const char **why)
{
	enum tsp_status status = TSP_STATUS_OK;

	*why = "client or server stands there twice";
	if (party->present)
		return TSP_STATUS_MALFORMED;
	party->present = true;
	for (const struct tsp_xml_node *child = node->children;
		child != NULL && status == TSP_STATUS_OK; child = child->next) {
		if (tsp_xml_is_named(child, "address"))
			status = add_address(child, party, &msg->loose_v6, why);
		else if (tsp_xml_is_named(child, "ports"))
			status = add_ports(child, party, why);
		else if (tsp_xml_is_named(child, "keepalive"))
			msg->wants_keepalive = true;
	}
	return status;
}

/* The first TSP_BROKERS_MAX servers of a redirection; nobody tries more. */
static enum tsp_status read_brokers(
	const struct tsp_xml_node *node, struct tsp_msg *msg, const char **why)
{
	for (const struct tsp_xml_node *child = node->children; child != NULL;
		child = child->next) {
		struct tsp_xml_address address;
		enum tsp_status status;

		if (!tsp_xml_is_named(child, "address"))
			continue;
		status = tsp_xml_address(child, &address, why);
		if (status != TSP_STATUS_OK)
			return status;
		if ((!address.is_v4 && !address.is_v6) || msg->n_brokers == TSP_BROKERS_MAX)
			continue;
		msg->brokers[msg->n_brokers++] = (struct tsp_broker){
			.is_v4 = address.is_v4, .v4 = address.v4, .v6 = address.v6};
		msg->loose_v6 |= address.loose;
	}
	return TSP_STATUS_OK;
}

/* The first TSP_PREFIXES_MAX prefixes that may be asked about. */
static enum tsp_status read_prefixes(
	const struct tsp_xml_node *node, struct tsp_msg *msg, const char **why)
{
	for (const struct tsp_xml_node *child = node->children; child != NULL;
		child = child->next) {
		struct tsp_xml_address address;
		enum tsp_status status;
		uint32_t hosts;

		if (!tsp_xml_is_named(child, "address"))
			continue;
		status = tsp_xml_address(child, &address, why);
		if (status != TSP_STATUS_OK)
			return status;
		hosts = address.length < 32 ? UINT32_MAX >> address.length : 0;
		*why = "prefix with host bits";
		if (address.is_v4 && (address.v4 & hosts) != 0)
			return TSP_STATUS_BAD_V4;
		if (!address.is_v4 || msg->n_prefixes == TSP_PREFIXES_MAX)
			continue;
		msg->prefixes[msg->n_prefixes].addr = address.v4;
		msg->prefixes[msg->n_prefixes++].len = address.length;
	}
	return TSP_STATUS_OK;
}

static enum tsp_status read_action(
	const struct tsp_xml_node *tunnel, struct tsp_msg *msg, const char **why)
{
	static const char *const names[] = {
		[TSP_ACTION_CREATE] = "create",
		[TSP_ACTION_DELETE] = "delete",
		[TSP_ACTION_INFO] = "info",
		[TSP_ACTION_QUERY] = "query",
		[TSP_ACTION_ACCEPT] = "accept",
		[TSP_ACTION_REJECT] = "reject",
		[TSP_ACTION_LIST] = "list",
	};
	struct tsp_xml_value action;

	*why = "tunnel without action";
	if (!tsp_xml_attribute(tunnel, "action", &action))
		return TSP_STATUS_MALFORMED;
	for (enum tsp_action i = TSP_ACTION_CREATE; i <= TSP_ACTION_LIST; i++) {
		if (strcmp(action.text, names[i]) == 0)
			msg->action = i;
	}
	*why = "unknown action";
	return msg->action != TSP_ACTION_NONE ? TSP_STATUS_OK : TSP_STATUS_MALFORMED;
}

/* accept and reject name no tunnel; a list may also be one of brokers. */
static enum tsp_status check_type(
	const struct tsp_xml_node *tunnel, const struct tsp_msg *msg, const char **why)
{
	struct tsp_xml_value type;

	*why = "tunnel without type";
	if (!tsp_xml_attribute(tunnel, "type", &type))
		return msg->action == TSP_ACTION_ACCEPT || msg->action == TSP_ACTION_REJECT
			       ? TSP_STATUS_OK
			       : TSP_STATUS_MALFORMED;
	if (strcmp(type.text, "v4v6") == 0)
		return TSP_STATUS_OK;
	if (msg->action == TSP_ACTION_LIST && strcmp(type.text, "broker") == 0)
		return TSP_STATUS_OK;
	*why = "unknown tunnel type";
	return TSP_STATUS_BAD_TUNNEL_TYPE;
}

static enum tsp_sync sync_named(const char *name)
{
	static const char *const names[] = {
		[TSP_SYNC_BEGIN] = "begin",
		[TSP_SYNC_END] = "end",
		[TSP_SYNC_DIGEST] = "digest",
		[TSP_SYNC_LEVEL] = "level",
	};

	for (enum tsp_sync i = TSP_SYNC_BEGIN; i <= TSP_SYNC_LEVEL; i++) {
		if (strcmp(name, names[i]) == 0)
			return i;
	}
	return TSP_SYNC_NONE;
}

/* A node of the tree of digests, sums of 16 hex digits each, and since when they differ. */
static enum tsp_status read_digests(
	const struct tsp_xml_node *tunnel, struct tsp_msg *msg, const char **why)
{
	struct tsp_xml_value text;
	uint64_t number;
	size_t len;

	*why = "not a node of the tree of digests";
	if (tsp_xml_attribute(tunnel, "node", &text)) {
		len = strlen(text.text);
		if (len > DIGEST_DEPTH || !tsp_xml_hex(text.text, len, &number))
			return TSP_STATUS_MALFORMED;
		msg->node = (struct digest_node){.depth = len, .number = number};
	}
	*why = "neither one digest nor 16";
	if (tsp_xml_attribute(tunnel, "digest", &text)) {
		len = strlen(text.text);
		if (len != DIGEST_HEX && len != DIGEST_HEX * DIGEST_FANOUT)
			return TSP_STATUS_MALFORMED;
		for (size_t at = 0; at < len; at += DIGEST_HEX) {
			if (!tsp_xml_hex(
				    text.text + at, DIGEST_HEX, &msg->digests[msg->n_digests++]))
				return TSP_STATUS_MALFORMED;
		}
	}
	*why = "differs out of bounds";
	msg->has_differs = tsp_xml_attribute(tunnel, "differs", &text);
	if (msg->has_differs && !tsp_xml_number(text.text, 0, UINT32_MAX, &msg->differs_s))
		return TSP_STATUS_MALFORMED;
	return TSP_STATUS_OK;
}

static enum tsp_status read_attributes(
	const struct tsp_xml_node *tunnel, struct tsp_msg *msg, const char **why)
{
	enum tsp_status status = read_action(tunnel, msg, why);
	struct tsp_xml_value text;

	if (status == TSP_STATUS_OK)
		status = check_type(tunnel, msg, why);
	if (status != TSP_STATUS_OK)
		return status;
	msg->has_lifetime = tsp_xml_attribute(tunnel, "lifetime", &text);
	*why = "lifetime out of bounds";
	if (msg->has_lifetime &&
		!tsp_xml_number(text.text, 1, TSP_LIFETIME_MAX_S, &msg->lifetime_s))
		return TSP_STATUS_MALFORMED;
	*why = "until out of bounds";
	if (tsp_xml_attribute(tunnel, "until", &text) &&
		!tsp_xml_number(text.text, 1, UINT32_MAX, &msg->until_s))
		return TSP_STATUS_MALFORMED;
	if (msg->action == TSP_ACTION_INFO)
		return read_digests(tunnel, msg, why);
	if (msg->action != TSP_ACTION_LIST || !tsp_xml_attribute(tunnel, "sync", &text))
		return TSP_STATUS_OK;
	*why = "unknown sync mark";
	msg->sync = sync_named(text.text);
	return msg->sync != TSP_SYNC_NONE ? read_digests(tunnel, msg, why) : TSP_STATUS_MALFORMED;
}

static enum tsp_status read_tunnel(
	const struct tsp_xml_node *tunnel, struct tsp_msg *msg, const char **why)
{
	enum tsp_status status;

	*why = "root element is not tunnel";
	if (!tsp_xml_is_named(tunnel, "tunnel"))
		return TSP_STATUS_MALFORMED;
	status = read_attributes(tunnel, msg, why);
	for (const struct tsp_xml_node *child = tunnel->children;
		child != NULL && status == TSP_STATUS_OK; child = child->next) {
		if (tsp_xml_is_named(child, "client"))
			status = read_party(child, &msg->client, msg, why);
		else if (tsp_xml_is_named(child, "server"))
			status = read_party(child, &msg->server, msg, why);
		else if (tsp_xml_is_named(child, "broker"))
			status = read_brokers(child, msg, why);
		else if (tsp_xml_is_named(child, "direct"))
			status = read_prefixes(child, msg, why);
		else if (tsp_xml_is_named(child, "keepalive"))
			msg->wants_keepalive = true;
	}
	return status;
}

/*
 * "200 Success", "306 ...", "1301 ..." or "OK ..." up to the end of the line. Returns the octets that
 * it took, 0 when it is no status line.
 */
static size_t read_status_line(
	const char *body, size_t len, enum tsp_generation generation, struct tsp_msg *msg)
{
	const char *end = memchr(body, '\n', len);
	size_t line = end != NULL ? (size_t)(end - body) + 1 : len;
	size_t digits = 0;

	if (line > STATUS_LINE_MAX)
		return 0;
	if (line >= 2 && strncasecmp(body, "OK", 2) == 0 &&
		(line == 2 || isspace((unsigned char)body[2]))) {
		msg->code = tsp_code(TSP_STATUS_OK, generation);
		msg->status = TSP_STATUS_OK;
		return line;
	}
	for (; digits < line && isdigit((unsigned char)body[digits]) && digits < 5; digits++)
		msg->code = msg->code * 10 + (body[digits] - '0');
	if (digits < 3 || digits > 4 || (digits < line && !isspace((unsigned char)body[digits]))) {
		msg->code = 0;
		return 0;
	}
	msg->status = tsp_status_from_code(msg->code, generation);
	return line;
}

/* A request has no status, though spec 004 prints one before a delete; an info always has one. */
static void settle_status(struct tsp_msg *msg)
{
	bool is_success = msg->status == TSP_STATUS_OK;

	switch (msg->action) {
	case TSP_ACTION_CREATE:
	case TSP_ACTION_DELETE:
	case TSP_ACTION_QUERY:
	case TSP_ACTION_ACCEPT:
	case TSP_ACTION_REJECT:
		if (is_success)
			msg->status = TSP_STATUS_NONE;
		break;
	case TSP_ACTION_INFO:
		if (msg->status == TSP_STATUS_NONE)
			msg->status = TSP_STATUS_OK;
		break;
	case TSP_ACTION_NONE:
	case TSP_ACTION_LIST:
		break;
	}
}

static void trim(const char **body, size_t *len)
{
	while (*len > 0 && isspace((unsigned char)**body)) {
		(*body)++;
		(*len)--;
	}
	while (*len > 0 && isspace((unsigned char)(*body)[*len - 1]))
		(*len)--;
}

static enum tsp_status read_body(const char *body, size_t len, enum tsp_generation generation,
	struct tsp_msg *msg, const char **why)
{
	const struct tsp_xml_node *root;
	enum tsp_status status;
	size_t line;

	*why = "body too long or with NUL octets";
	if (len > TSP_MESSAGE_MAX || memchr(body, '\0', len) != NULL)
		return TSP_STATUS_MALFORMED;
	trim(&body, &len);
	line = read_status_line(body, len, generation, msg);
	body += line;
	len -= line;
	trim(&body, &len);
	*why = "empty body";
	if (len == 0)
		return line > 0 ? TSP_STATUS_OK : TSP_STATUS_MALFORMED;
	root = tsp_xml_tree_read(body, len, why);
	if (root == NULL)
		return TSP_STATUS_MALFORMED;
	status = read_tunnel(root, msg, why);
	settle_status(msg);
	return status;
}

enum tsp_status tsp_xml_parse(const char *body, size_t len, enum tsp_generation generation,
	struct tsp_msg *msg, const char **why)
{
	enum tsp_status status;

	*msg = (struct tsp_msg){0};
	status = read_body(body, len, generation, msg, why);
	if (status != TSP_STATUS_OK)
		*msg = (struct tsp_msg){0};
	else
		*why = "";
	return status;
}

void tsp_xml_cleanup(void)
{
	tsp_xml_tree_cleanup();
	xmlCleanupParser();
}
