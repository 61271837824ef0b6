// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_xml_tree.h"

#include "tsp/tsp_xml.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>

#include <ctype.h>
#include <stdbool.h>

/* What the hooks count; broken is a sentence once a limit was passed. */
struct limits {
	unsigned int depth;
	unsigned int elements;
	size_t text; /* octets of text, blanks aside, since the last tag */
	const char *broken;
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

xmlDoc *tsp_xml_tree_read(const char *xml, size_t len, const char **why)
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
