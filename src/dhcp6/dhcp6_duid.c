// SPDX-License-Identifier: BSD-3-Clause
#include "dhcp6/dhcp6_duid.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define TYPE_LL           3
#define TYPE_UUID         4
#define HARDWARE_ETHERNET 1 /* of IANA's ARP register */

int dhcp6_duid_set(struct dhcp6_duid *duid, const uint8_t *octets, size_t len)
{
	if (len < DHCP6_DUID_MIN || len > DHCP6_DUID_MAX)
		return -EINVAL;
	memset(duid, 0, sizeof(*duid));
	duid->len = (uint8_t)len;
	memcpy(duid->octets, octets, len);
	return 0;
}

struct dhcp6_duid dhcp6_duid_from_uuid(const uint8_t uuid[static 16])
{
	struct dhcp6_duid duid = {.len = 2 + 16, .octets = {0, TYPE_UUID}};

	memcpy(duid.octets + 2, uuid, 16);
	return duid;
}

struct dhcp6_duid dhcp6_duid_from_mac(const uint8_t mac[static 6])
{
	struct dhcp6_duid duid = {.len = 4 + 6, .octets = {0, TYPE_LL, 0, HARDWARE_ETHERNET}};

	memcpy(duid.octets + 4, mac, 6);
	return duid;
}

bool dhcp6_duid_equal(const struct dhcp6_duid *a, const struct dhcp6_duid *b)
{
	return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}

static int hex_digit(char digit)
{
	if (!isxdigit((unsigned char)digit))
		return -1;
	return isdigit((unsigned char)digit) ? digit - '0' : tolower(digit) - 'a' + 10;
}

int dhcp6_duid_parse(const char *text, struct dhcp6_duid *duid)
{
	uint8_t octets[DHCP6_DUID_MAX];
	size_t len = 0;
	bool has_colons = text[0] != '\0' && text[1] != '\0' && text[2] == ':';

	while (*text != '\0') {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || len == sizeof(octets))
			return -EINVAL;
		octets[len++] = (uint8_t)(high << 4 | low);
		text += 2;
		if (has_colons && *text == ':' && text[1] != '\0')
			text++;
		else if (has_colons && *text != '\0')
			return -EINVAL;
	}
	return dhcp6_duid_set(duid, octets, len);
}

const char *dhcp6_duid_format(const struct dhcp6_duid *duid, char buf[static DHCP6_DUID_STRLEN])
{
	static const char digits[] = "0123456789abcdef";
	char *at = buf;

	for (uint32_t i = 0; i < duid->len; i++) {
		if (i > 0)
			*at++ = ':';
		*at++ = digits[duid->octets[i] >> 4];
		*at++ = digits[duid->octets[i] & 0xf];
	}
	*at = '\0';
	return buf;
}
