// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_xml_tree.h"

#include "tsp/tsp_xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define PROPERTIES_MAX (TSP_XML_ELEMENTS_MAX * TSP_XML_ATTRIBUTES_MAX)
#define NAMES_MAX      512 /* in a parser's dictionary before it is thrown away */

/* The tree under construction, and what the hooks count. */
static struct {
	struct tsp_xml_node nodes[TSP_XML_ELEMENTS_MAX];
	struct tsp_xml_property properties[PROPERTIES_MAX];
	/* Values and texts, in the order of the document: never longer than the message. */
	char values[TSP_MESSAGE_MAX];
	char texts[TSP_MESSAGE_MAX];
	size_t values_len;
	size_t texts_len;
	uint32_t n_nodes;
	uint32_t n_properties;

	struct tsp_xml_node *open[TSP_XML_DEPTH_MAX]; /* from the root down */
	struct tsp_xml_node *last[TSP_XML_DEPTH_MAX]; /* the last child so far of each */
	uint32_t depth;
	size_t text_run; /* octets of text, blanks aside, since the last tag */
	const char *broken; /* a sentence once a limit was passed */
} tree;

static xmlParserCtxt *parser;
static bool is_spoilt; /* the parser met a broken message: who knows what is left of that in it */

static void stop(const char *why)
{
	if (tree.broken == NULL)
		tree.broken = why;
	xmlStopParser(parser);
}

/* A piece of a buffer, or nothing and the end of all, which only a message that is too long can cause. */
static struct tsp_xml_text keep(char *buf, size_t *used, const char *text, size_t len)
{
	struct tsp_xml_text kept = {.begin = buf + *used};

	if (len > TSP_MESSAGE_MAX - *used) {
		stop("message too long");
		return kept;
	}
	memcpy(buf + *used, text, len);
	*used += len;
	kept.len = len;
	return kept;
}

/* --- hooks --------------------------------------------------------------------------------------- */

/* Five pointers an attribute: name, prefix, namespace, begin and end of its value. */
static void keep_properties(struct tsp_xml_node *node, const xmlChar **attributes, int n)
{
	node->properties = &tree.properties[tree.n_properties];
	for (int i = 0; i < n; i++) {
		const char **attribute = (const char **)&attributes[i * 5];
		struct tsp_xml_property *property = &tree.properties[tree.n_properties];
		size_t len = attribute[4] - attribute[3];

		if (len > TSP_XML_VALUE_MAX)
			return stop("attribute too long");
		if (attribute[1] != NULL)
			continue;
		property->name = attribute[0];
		property->value = keep(tree.values, &tree.values_len, attribute[3], len);
		tree.n_properties++;
		node->n_properties++;
	}
}

static void link_node(struct tsp_xml_node *node)
{
	if (tree.depth > 0) {
		uint32_t parent = tree.depth - 1;

		if (tree.last[parent] == NULL)
			tree.open[parent]->children = node;
		else
			tree.last[parent]->next = node;
		tree.last[parent] = node;
	}
	tree.last[tree.depth] = NULL;
	tree.open[tree.depth++] = node;
}

static void on_start_element(void *ctx, const xmlChar *name, const xmlChar *prefix,
	const xmlChar *uri, int n_namespaces, const xmlChar **namespaces, int n_attributes,
	int n_defaulted, const xmlChar **attributes)
{
	struct tsp_xml_node *node;

	tree.text_run = 0;
	if (tree.n_nodes == TSP_XML_ELEMENTS_MAX)
		return stop("too many elements");
	if (tree.depth == TSP_XML_DEPTH_MAX)
		return stop("elements nested too deep");
	if (n_attributes + n_namespaces > TSP_XML_ATTRIBUTES_MAX)
		return stop("too many attributes");
	node = &tree.nodes[tree.n_nodes++];
	*node = (struct tsp_xml_node){
		.name = prefix != NULL && uri == NULL ? "" : (const char *)name,
		.text = {.begin = tree.texts + tree.texts_len},
	};
	keep_properties(node, attributes, n_attributes);
	link_node(node);
}

static void on_end_element(
	void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct tsp_xml_node *node;

	if (tree.broken != NULL)
		return;
	node = tree.open[--tree.depth];
	tree.text_run = 0;
	node->text.len = tree.texts + tree.texts_len - node->text.begin;
}

static void on_text(void *ctx, const xmlChar *text, int len)
{
	if (tree.broken != NULL)
		return;
	for (int i = 0; i < len; i++)
		tree.text_run += !isspace(text[i]);
	if (tree.text_run > TSP_XML_VALUE_MAX)
		return stop("text too long");
	keep(tree.texts, &tree.texts_len, (const char *)text, len);
}

static void on_doctype(
	void *ctx, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
	stop("document type declaration");
}

static void on_entity(void *ctx, const xmlChar *name, int type, const xmlChar *public_id,
	const xmlChar *system_id, xmlChar *content)
{
	stop("entity declaration");
}

/* --- the parser ---------------------------------------------------------------------------------- */

static bool create_parser(void)
{
	parser = xmlNewParserCtxt();
	if (parser == NULL)
		return false;
	*parser->sax = (xmlSAXHandler){
		.initialized = XML_SAX2_MAGIC,
		.startElementNs = on_start_element,
		.endElementNs = on_end_element,
		.characters = on_text,
		.ignorableWhitespace = on_text,
		.cdataBlock = on_text,
		.internalSubset = on_doctype,
		.externalSubset = on_doctype,
		.entityDecl = on_entity,
	};
	return true;
}

void tsp_xml_tree_cleanup(void)
{
	xmlFreeParserCtxt(parser);
	parser = NULL;
}

static void begin_tree(void)
{
	tree.values_len = 0;
	tree.texts_len = 0;
	tree.n_nodes = 0;
	tree.n_properties = 0;
	tree.depth = 0;
	tree.text_run = 0;
	tree.broken = NULL;
}

/* UTF-8 whatever the message says of itself: nothing that begins so can be read as anything else. */
static bool begins_as_utf8(const char *xml, size_t len)
{
	return (len > 0 && xml[0] == '<') || (len > 3 && memcmp(xml, "\xef\xbb\xbf<", 4) == 0);
}

/* The whole message at once. Told that there is no more to come, the parser does not look for it at each word. */
static bool push_input(const char *xml, size_t len)
{
	xmlParserInputBuffer *buffer = xmlParserInputBufferCreateMem(
		xml, (int)len, XML_CHAR_ENCODING_NONE);
	xmlParserInput *input;

	if (buffer == NULL)
		return false;
	buffer->readcallback = NULL;
	input = xmlNewIOInputStream(parser, buffer, XML_CHAR_ENCODING_NONE);
	if (input == NULL) {
		xmlFreeParserInputBuffer(buffer);
		return false;
	}
	return inputPush(parser, input) >= 0;
}

/* For declarations it makes a document, whatever the hooks do; stopped in the middle of one, it forgets it. */
static void drop_document(void)
{
	xmlFreeDoc(parser->myDoc);
	parser->myDoc = NULL;
}

const struct tsp_xml_node *tsp_xml_tree_read(const char *xml, size_t len, const char **why)
{
	/* The entities that are replaced are XML's own five: others cannot be declared. */
	int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOENT |
		      XML_PARSE_IGNORE_ENC;

	/* Names in the tree are the parser's: the one that read the last tree may go only now. */
	if (parser != NULL && (is_spoilt || xmlDictSize(parser->dict) > NAMES_MAX))
		tsp_xml_tree_cleanup();
	*why = "not well-formed XML";
	if (!begins_as_utf8(xml, len))
		return NULL;
	*why = "out of memory";
	if (parser == NULL && !create_parser())
		return NULL;
	begin_tree();
	xmlCtxtReset(parser);
	xmlCtxtUseOptions(parser, options);
	if (!push_input(xml, len))
		return NULL;
	xmlParseDocument(parser);
	drop_document();
	is_spoilt = tree.broken != NULL || !parser->wellFormed || tree.n_nodes == 0;
	*why = tree.broken != NULL ? tree.broken : "not well-formed XML";
	return is_spoilt ? NULL : &tree.nodes[0];
}
