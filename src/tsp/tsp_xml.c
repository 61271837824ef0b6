// SPDX-License-Identifier: BSD-3-Clause
/*
 * Reading: octets to struct tsp_msg.
 *
 * libxml2 builds a tree while our hooks watch: the limits hold before anything is allocated for what
 * lies beyond them, and a DOCTYPE stops the parser, so there are no entities to expand. Then a walk
 * by element name takes what it knows from the tree. Both are fed only whole bodies of bounded length.
 */
#include "tsp/tsp_xml.h"

#include "common/addr.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#define STATUS_LINE_MAX 256
#define PORTS_COUNT_MAX 65536

/* What the hooks count; broken is a sentence once a limit was passed. */
struct limits {
	unsigned int depth;
	unsigned int elements;
	size_t text; /* octets of text, blanks aside, since the last tag */
	const char *broken;
};

/* A value as text, trimmed. */
struct value {
	char text[TSP_XML_VALUE_MAX + 1];
};

static void stop(xmlParserCtxt *parser, const char *why)
{
	struct limits *limits = parser->_private;

	if (limits->broken == NULL)
		limits->broken = why;
	xmlStopParser(parser);
}

static void on_start_element(void *ctx, const xmlChar *name, const xmlChar *prefix,
	const xmlChar *uri, int n_namespaces, const xmlChar **namespaces, int n_attributes,
	int n_defaulted, const xmlChar **attributes)
{
	xmlParserCtxt *parser = ctx;
	struct limits *limits = parser->_private;

	limits->text = 0;
	if (++limits->elements > TSP_XML_ELEMENTS_MAX)
		return stop(parser, "too many elements");
	if (++limits->depth > TSP_XML_DEPTH_MAX)
		return stop(parser, "elements nested too deep");
	if (n_attributes + n_namespaces > TSP_XML_ATTRIBUTES_MAX)
		return stop(parser, "too many attributes");
	/* Five pointers an attribute; the last two are the value's begin and end. */
	for (int i = 0; i < n_attributes; i++) {
		if (attributes[i * 5 + 4] - attributes[i * 5 + 3] > TSP_XML_VALUE_MAX)
			return stop(parser, "attribute too long");
	}
	xmlSAX2StartElementNs(ctx, name, prefix, uri, n_namespaces, namespaces, n_attributes,
		n_defaulted, attributes);
}

static void on_end_element(
	void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	xmlParserCtxt *parser = ctx;
	struct limits *limits = parser->_private;

	limits->text = 0;
	limits->depth--;
	xmlSAX2EndElementNs(ctx, name, prefix, uri);
}

static bool text_is_too_long(xmlParserCtxt *parser, const xmlChar *text, int len)
{
	struct limits *limits = parser->_private;

	for (int i = 0; i < len; i++)
		limits->text += !isspace(text[i]);
	if (limits->text > TSP_XML_VALUE_MAX)
		stop(parser, "text too long");
	return limits->broken != NULL;
}

static void on_text(void *ctx, const xmlChar *text, int len)
{
	if (!text_is_too_long(ctx, text, len))
		xmlSAX2Characters(ctx, text, len);
}

static void on_cdata(void *ctx, const xmlChar *text, int len)
{
	if (!text_is_too_long(ctx, text, len))
		xmlSAX2CDataBlock(ctx, text, len);
}

static void on_doctype(
	void *ctx, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
	stop(ctx, "document type declaration");
}

static void on_entity(void *ctx, const xmlChar *name, int type, const xmlChar *public_id,
	const xmlChar *system_id, xmlChar *content)
{
	stop(ctx, "entity declaration");
}

/* Returns the tree, or NULL with *why set. */
static xmlDoc *read_tree(const char *xml, size_t len, const char **why)
{
	int options = XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOERROR |
		      XML_PARSE_NOWARNING;
	xmlParserCtxt *parser = xmlNewParserCtxt();
	struct limits limits = {0};
	xmlDoc *doc;

	*why = "out of memory";
	if (parser == NULL)
		return NULL;
	parser->_private = &limits;
	parser->sax->startElementNs = on_start_element;
	parser->sax->endElementNs = on_end_element;
	parser->sax->characters = on_text;
	parser->sax->cdataBlock = on_cdata;
	parser->sax->internalSubset = on_doctype;
	parser->sax->externalSubset = on_doctype;
	parser->sax->entityDecl = on_entity;
	doc = xmlCtxtReadMemory(parser, xml, len, NULL, "UTF-8", options);
	if (limits.broken != NULL) {
		xmlFreeDoc(doc);
		doc = NULL;
	}
	*why = limits.broken != NULL ? limits.broken : "not well-formed XML";
	xmlFreeParserCtxt(parser);
	return doc;
}

static bool is_named(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* Takes ownership of text. What does not fit becomes empty, which no reader accepts. */
static void take_value(xmlChar *text, struct value *value)
{
	const char *begin = (const char *)text;
	size_t len;

	while (isspace((unsigned char)*begin))
		begin++;
	len = strlen(begin);
	while (len > 0 && isspace((unsigned char)begin[len - 1]))
		len--;
	if (len > TSP_XML_VALUE_MAX)
		len = 0;
	memcpy(value->text, begin, len);
	value->text[len] = '\0';
	xmlFree(text);
}

/* False when the attribute is not there. */
static bool read_attribute(const xmlNode *node, const char *name, struct value *value)
{
	xmlChar *text = xmlGetNoNsProp(node, (const xmlChar *)name);

	if (text == NULL)
		return false;
	take_value(text, value);
	return true;
}

static void read_text(const xmlNode *node, struct value *value)
{
	xmlChar *text = xmlNodeGetContent(node);

	value->text[0] = '\0';
	if (text != NULL)
		take_value(text, value);
}

/* Decimal digits only: no sign, no blank, no second base. */
static bool read_number(const char *text, uint32_t min, uint32_t max, uint32_t *value)
{
	size_t len = strspn(text, "0123456789");
	unsigned long number;

	if (len == 0 || len > 10 || text[len] != '\0')
		return false;
	number = strtoul(text, NULL, 10);
	if (number < min || number > max)
		return false;
	*value = number;
	return true;
}

/*
 * An address as RFC 4291 has it, or, as both profiles print it, eight groups and a needless "::"
 * (D4): then "::" is read as ":".
 */
static bool read_v6(const char *text, struct in6_addr *addr, bool *loose)
{
	const char *colons = strstr(text, "::");
	struct value second;

	if (addr_v6_parse(text, addr) == 0)
		return true;
	if (colons == NULL)
		return false;
	memcpy(second.text, text, colons - text);
	strcpy(second.text + (colons - text), colons + 1);
	if (addr_v6_parse(second.text, addr) < 0)
		return false;
	*loose = true;
	return true;
}

/* "length" says nothing that we use, but it must make sense. */
static bool length_is_sane(const xmlNode *node, uint32_t max)
{
	struct value length;
	uint32_t number;

	if (!read_attribute(node, "length", &length) || length.text[0] == '\0')
		return true;
	return read_number(length.text, 0, max, &number);
}

/* An address element, either family; other types ("dn") are neither. */
struct address {
	bool is_v4, is_v6, loose;
	uint32_t v4;
	struct in6_addr v6;
};

static enum tsp_status read_address(const xmlNode *node, struct address *address, const char **why)
{
	struct value type, text;

	*address = (struct address){0};
	*why = "address without type";
	if (!read_attribute(node, "type", &type))
		return TSP_STATUS_MALFORMED;
	read_text(node, &text);
	if (strcmp(type.text, "ipv4") == 0) {
		address->is_v4 = true;
		*why = "not an IPv4 address";
		if (addr_v4_parse(text.text, &address->v4) < 0 || !length_is_sane(node, 32))
			return TSP_STATUS_BAD_V4;
	} else if (strcmp(type.text, "ipv6") == 0) {
		address->is_v6 = true;
		*why = "not an IPv6 address";
		if (!read_v6(text.text, &address->v6, &address->loose) ||
			!length_is_sane(node, 128))
			return TSP_STATUS_BAD_V6;
	}
	return TSP_STATUS_OK;
}

static enum tsp_status add_address(
	const xmlNode *node, struct tsp_party *party, bool *loose, const char **why)
{
	struct address address;
	enum tsp_status status = read_address(node, &address, why);

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
	if (!read_number(start, 0, UINT16_MAX, &first) ||
		!read_number(end, first, UINT16_MAX, &last))
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
static enum tsp_status add_ports(const xmlNode *node, struct tsp_party *party, const char **why)
{
	struct value start, end, count;
	bool has_start = read_attribute(node, "start", &start);
	bool has_end = read_attribute(node, "end", &end);
	bool has_count = read_attribute(node, "count", &count);

	party->has_ports = true;
	*why = "ports need both start and end, or a count alone";
	if (has_start != has_end || (has_start && has_count))
		return TSP_STATUS_MALFORMED;
	if (has_start)
		return add_range(start.text, end.text, party, why);
	*why = "port count out of bounds";
	if (has_count && (party->ports_count != 0 ||
				 !read_number(count.text, 1, PORTS_COUNT_MAX, &party->ports_count)))
		return TSP_STATUS_MALFORMED;
	return TSP_STATUS_OK;
}

static enum tsp_status read_party(
	const xmlNode *node, struct tsp_party *party, struct tsp_msg *msg, const char **why)
{
	enum tsp_status status = TSP_STATUS_OK;

	*why = "client or server stands there twice";
	if (party->present)
		return TSP_STATUS_MALFORMED;
	party->present = true;
	for (const xmlNode *child = node->children; child != NULL && status == TSP_STATUS_OK;
		child = child->next) {
		if (is_named(child, "address"))
			status = add_address(child, party, &msg->loose_v6, why);
		else if (is_named(child, "ports"))
			status = add_ports(child, party, why);
		else if (is_named(child, "keepalive"))
			msg->wants_keepalive = true;
	}
	return status;
}

/* The first TSP_BROKERS_MAX servers of a redirection; nobody tries more. */
static enum tsp_status read_brokers(const xmlNode *node, struct tsp_msg *msg, const char **why)
{
	for (const xmlNode *child = node->children; child != NULL; child = child->next) {
		struct address address;
		enum tsp_status status;

		if (!is_named(child, "address"))
			continue;
		status = read_address(child, &address, why);
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

static enum tsp_status read_action(const xmlNode *tunnel, struct tsp_msg *msg, const char **why)
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
	struct value action;

	*why = "tunnel without action";
	if (!read_attribute(tunnel, "action", &action))
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
	const xmlNode *tunnel, const struct tsp_msg *msg, const char **why)
{
	struct value type;

	*why = "tunnel without type";
	if (!read_attribute(tunnel, "type", &type))
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

static enum tsp_status read_attributes(const xmlNode *tunnel, struct tsp_msg *msg, const char **why)
{
	enum tsp_status status = read_action(tunnel, msg, why);
	struct value text;

	if (status == TSP_STATUS_OK)
		status = check_type(tunnel, msg, why);
	if (status != TSP_STATUS_OK)
		return status;
	msg->has_lifetime = read_attribute(tunnel, "lifetime", &text);
	*why = "lifetime out of bounds";
	if (msg->has_lifetime && !read_number(text.text, 1, TSP_LIFETIME_MAX_S, &msg->lifetime_s))
		return TSP_STATUS_MALFORMED;
	if (msg->action != TSP_ACTION_LIST || !read_attribute(tunnel, "sync", &text))
		return TSP_STATUS_OK;
	if (strcmp(text.text, "begin") == 0)
		msg->sync = TSP_SYNC_BEGIN;
	else if (strcmp(text.text, "end") == 0)
		msg->sync = TSP_SYNC_END;
	*why = "unknown sync mark";
	return msg->sync != TSP_SYNC_NONE ? TSP_STATUS_OK : TSP_STATUS_MALFORMED;
}

static enum tsp_status read_tunnel(const xmlNode *tunnel, struct tsp_msg *msg, const char **why)
{
	enum tsp_status status;

	*why = "root element is not tunnel";
	if (tunnel == NULL || !is_named(tunnel, "tunnel"))
		return TSP_STATUS_MALFORMED;
	status = read_attributes(tunnel, msg, why);
	for (const xmlNode *child = tunnel->children; child != NULL && status == TSP_STATUS_OK;
		child = child->next) {
		if (is_named(child, "client"))
			status = read_party(child, &msg->client, msg, why);
		else if (is_named(child, "server"))
			status = read_party(child, &msg->server, msg, why);
		else if (is_named(child, "broker"))
			status = read_brokers(child, msg, why);
		else if (is_named(child, "keepalive"))
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
	enum tsp_status status;
	xmlDoc *doc;
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
	doc = read_tree(body, len, why);
	if (doc == NULL)
		return TSP_STATUS_MALFORMED;
	status = read_tunnel(xmlDocGetRootElement(doc), msg, why);
	settle_status(msg);
	xmlFreeDoc(doc);
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
	xmlCleanupParser();
}
