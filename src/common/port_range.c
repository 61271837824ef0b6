// SPDX-License-Identifier: BSD-3-Clause
#include "common/port_range.h"

#include <errno.h>
#include <stdlib.h>

/* Reads decimal digits up to 65535; returns what follows them, or NULL. */
static const char *parse_port(const char *text, uint16_t *port)
{
	unsigned int value = 0;
	unsigned int digits = 0;

	for (; *text >= '0' && *text <= '9'; text++, digits++) {
		value = value * 10 + (*text - '0');
		if (value > UINT16_MAX || digits == 5)
			return NULL;
	}
	*port = value;
	return digits > 0 ? text : NULL;
}

int port_range_parse(const char *text, struct port_range *range)
{
	struct port_range out;

	text = parse_port(text, &out.first);
	if (text == NULL)
		return -EINVAL;
	out.last = out.first;
	if (*text == '-')
		text = parse_port(text + 1, &out.last);
	if (text == NULL || *text != '\0' || out.first > out.last)
		return -EINVAL;
	*range = out;
	return 0;
}

/* Writes the digits and returns where they end. */
static char *put_port(char *at, uint16_t port)
{
	uint32_t power = 1;

	while (port / power >= 10)
		power *= 10;
	for (; power > 0; power /= 10)
		*at++ = (char)('0' + port / power % 10);
	return at;
}

/* Without printf: it is written for each change of a lease. */
const char *port_range_format(struct port_range range, char buf[static PORT_RANGE_STRLEN])
{
	char *at = put_port(buf, range.first);

	*at++ = '-';
	*put_port(at, range.last) = '\0';
	return buf;
}
