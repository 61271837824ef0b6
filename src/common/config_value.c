// SPDX-License-Identifier: BSD-3-Clause
#include "common/config_value.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *text;
	size_t size;
} types[] = {
	[CONFIG_BOOL] = {"true or false", sizeof(bool)},
	[CONFIG_U32] = {"a whole number", sizeof(uint32_t)},
	[CONFIG_STRING] = {"text", sizeof(char *)},
	[CONFIG_CHOICE] = {"one of its choices", sizeof(int)},
	[CONFIG_V4] = {"an IPv4 address", sizeof(uint32_t)},
	[CONFIG_V6] = {"an IPv6 address", sizeof(struct in6_addr)},
	[CONFIG_V4_PREFIX] = {"an IPv4 prefix without host bits", sizeof(struct addr_v4_prefix)},
	[CONFIG_V6_PREFIX] = {"an IPv6 prefix without host bits", sizeof(struct addr_v6_prefix)},
	[CONFIG_ENDPOINT] = {"\"[IPv6 address]:port\"", sizeof(struct addr_endpoint)},
	[CONFIG_MAC] = {"a MAC address", 6},
	[CONFIG_PORT_RANGE] = {"a port range (first-last)", sizeof(struct port_range)},
	[CONFIG_SECTION] = {"a mapping of keys", 0},
	[CONFIG_LIST] = {"a list", 0},
};

const char *config_type_text(enum config_type type)
{
	return types[type].text;
}

size_t config_scalar_size(enum config_type type)
{
	assert(types[type].size > 0);
	return types[type].size;
}

const char *config_quote(const char *text, char buf[static CONFIG_QUOTE_LEN])
{
	size_t i = 0, n = 0;

	buf[n++] = '"';
	for (; text[i] != '\0' && n < CONFIG_QUOTE_LEN - 5; i++)
		buf[n++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	snprintf(buf + n, CONFIG_QUOTE_LEN - n, "%s\"", text[i] != '\0' ? "..." : "");
	return buf;
}

static int parse_bool(const struct config_scalar *scalar, bool *value)
{
	bool is_true = strcmp(scalar->text, "true") == 0;

	if (!scalar->plain || (!is_true && strcmp(scalar->text, "false") != 0))
		return -EINVAL;
	*value = is_true;
	return 0;
}

/* Decimal, no sign, no leading zero (YAML 1.1 would read that as octal). */
static int parse_u32(const struct config_key *key, const struct config_scalar *scalar,
	uint32_t *value, char reason[static CONFIG_REASON_LEN])
{
	const char *text = scalar->text;
	unsigned long long number;
	char quoted[CONFIG_QUOTE_LEN];

	if (!scalar->plain || text[0] == '\0' || strspn(text, "0123456789") != scalar->len ||
		(text[0] == '0' && scalar->len > 1))
		return -EINVAL;
	number = strtoull(text, NULL, 10); /* saturates, and is then out of range */
	if (number < key->min || number > key->max) {
		config_quote(text, quoted);
		snprintf(reason, CONFIG_REASON_LEN, "%.*s is out of range %u..%u",
			(int)strlen(quoted) - 2, quoted + 1, key->min, key->max);
		return -EINVAL;
	}
	*value = (uint32_t)number;
	return 0;
}

static int parse_string(const struct config_key *key, const struct config_scalar *scalar,
	char **value, char reason[static CONFIG_REASON_LEN])
{
	if (key->type != CONFIG_LIST && scalar->len < key->min) {
		snprintf(reason, CONFIG_REASON_LEN, "%zu characters long, expected at least %u",
			scalar->len, key->min);
		return -EINVAL;
	}
	if (key->type != CONFIG_LIST && key->max > 0 && scalar->len > key->max) {
		snprintf(reason, CONFIG_REASON_LEN, "%zu characters long, expected at most %u",
			scalar->len, key->max);
		return -EINVAL;
	}
	*value = strdup(scalar->text);
	return *value != NULL ? 0 : -ENOMEM;
}

static int parse_choice(const struct config_key *key, const struct config_scalar *scalar,
	int *value, char reason[static CONFIG_REASON_LEN])
{
	char quoted[CONFIG_QUOTE_LEN];
	int n;

	for (int i = 0; key->choices[i] != NULL; i++) {
		if (strcmp(scalar->text, key->choices[i]) == 0) {
			*value = i;
			return 0;
		}
	}
	n = snprintf(
		reason, CONFIG_REASON_LEN, "%s is not one of ", config_quote(scalar->text, quoted));
	for (int i = 0; key->choices[i] != NULL && n < CONFIG_REASON_LEN; i++)
		n += snprintf(reason + n, CONFIG_REASON_LEN - n, "%s%s", i > 0 ? ", " : "",
			key->choices[i]);
	return -EINVAL;
}

static int parse_by_type(const struct config_key *key, enum config_type type,
	const struct config_scalar *scalar, void *field, char reason[static CONFIG_REASON_LEN])
{
	switch (type) {
	case CONFIG_BOOL:
		return parse_bool(scalar, field);
	case CONFIG_U32:
		return parse_u32(key, scalar, field, reason);
	case CONFIG_STRING:
		return parse_string(key, scalar, field, reason);
	case CONFIG_CHOICE:
		return parse_choice(key, scalar, field, reason);
	case CONFIG_V4:
		return addr_v4_parse(scalar->text, field);
	case CONFIG_V6:
		return addr_v6_parse(scalar->text, field);
	case CONFIG_V4_PREFIX:
		return addr_v4_prefix_parse(scalar->text, field);
	case CONFIG_V6_PREFIX:
		return addr_v6_prefix_parse(scalar->text, field);
	case CONFIG_ENDPOINT:
		return addr_endpoint_parse(scalar->text, field);
	case CONFIG_MAC:
		return addr_mac_parse(scalar->text, field);
	case CONFIG_PORT_RANGE:
		return port_range_parse(scalar->text, field);
	case CONFIG_SECTION:
	case CONFIG_LIST:
	case CONFIG_POS:
	case CONFIG_END:
		break;
	}
	return -EINVAL;
}

/* YAML's null: an empty value, "~" or "null" without quotes. */
static bool is_null(const struct config_scalar *scalar)
{
	return scalar->plain && (scalar->len == 0 || strcmp(scalar->text, "~") == 0 ||
					strcmp(scalar->text, "null") == 0);
}

int config_scalar_parse(const struct config_key *key, enum config_type type,
	const struct config_scalar *scalar, void *field, char reason[static CONFIG_REASON_LEN])
{
	char quoted[CONFIG_QUOTE_LEN];
	int rc;

	reason[0] = '\0';
	if (is_null(scalar)) {
		snprintf(reason, CONFIG_REASON_LEN, "has no value, expected %s", types[type].text);
		return -EINVAL;
	}
	if (strlen(scalar->text) != scalar->len) {
		snprintf(reason, CONFIG_REASON_LEN, "holds a NUL character");
		return -EINVAL;
	}
	rc = parse_by_type(key, type, scalar, field, reason);
	if (rc == -EINVAL && reason[0] == '\0')
		snprintf(reason, CONFIG_REASON_LEN, "expected %s, not %s", types[type].text,
			config_quote(scalar->text, quoted));
	return rc;
}
