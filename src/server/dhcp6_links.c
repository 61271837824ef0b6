// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_links.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KERNEL_LIST   "/proc/net/if_inet6"
#define LIST_MAX      65536 /* octets: a thousand addresses */
#define PREFIXES_MAX  1024
#define PREFIX_MIN    48 /* a shorter one is no link's */
#define LINKS_AGE_MS  10000
#define LINKS_MISS_MS 1000 /* who is not found may have come with a new prefix */

struct link_prefix {
	uint32_t ifindex;
	struct addr_v6_prefix prefix;
};

struct srv_dhcp6_links {
	int fd;
	int64_t read_ms; /* 0: never */
	uint32_t n;
	struct link_prefix prefixes[PREFIXES_MAX];
};

struct srv_dhcp6_links *srv_dhcp6_links_open(const char *path)
{
	struct srv_dhcp6_links *links = calloc(1, sizeof(*links));

	if (links == NULL)
		return NULL;
	links->fd = open(path != NULL ? path : KERNEL_LIST, O_RDONLY | O_CLOEXEC);
	if (links->fd < 0) {
		free(links);
		return NULL;
	}
	return links;
}

void srv_dhcp6_links_close(struct srv_dhcp6_links *links)
{
	if (links == NULL)
		return;
	close(links->fd);
	free(links);
}

static bool parse_address(const char *hex, struct in6_addr *addr)
{
	for (size_t i = 0; i < sizeof(addr->s6_addr); i++) {
		unsigned int octet;

		if (sscanf(hex + 2 * i, "%2x", &octet) != 1)
			return false;
		addr->s6_addr[i] = (uint8_t)octet;
	}
	return true;
}

static void cut(struct addr_v6_prefix *prefix)
{
	uint8_t *octets = prefix->addr.s6_addr;

	for (uint32_t bit = prefix->len; bit < 128; bit++)
		octets[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

/* "20010db8...01 02 40 00 80 eth0": address, interface, prefix length, scope, flags, name. */
static void take_line(struct srv_dhcp6_links *links, const char *line)
{
	unsigned int ifindex, len;
	char hex[33];
	struct link_prefix *entry = &links->prefixes[links->n];

	if (links->n == PREFIXES_MAX || sscanf(line, "%32s %x %x", hex, &ifindex, &len) != 3)
		return;
	if (strlen(hex) != 32 || len < PREFIX_MIN || len > 128 ||
		!parse_address(hex, &entry->prefix.addr) || !addr_v6_is_global(&entry->prefix.addr))
		return;
	entry->ifindex = ifindex;
	entry->prefix.len = (uint8_t)len;
	cut(&entry->prefix);
	links->n++;
}

static ssize_t read_list(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while (len < size - 1 && (got = pread(fd, text + len, size - 1 - len, (off_t)len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	return (ssize_t)len;
}

/* What cannot be read leaves what was known. */
static void read_links(struct srv_dhcp6_links *links, int64_t now_ms)
{
	char *text = malloc(LIST_MAX);

	links->read_ms = now_ms > 0 ? now_ms : 1;
	if (text == NULL || read_list(links->fd, text, LIST_MAX) <= 0) {
		free(text);
		return;
	}
	links->n = 0;
	for (char *line = text; line != NULL && *line != '\0';) {
		char *end = strchr(line, '\n');

		take_line(links, line);
		line = end != NULL ? end + 1 : NULL;
	}
	free(text);
}

static bool holds(
	const struct srv_dhcp6_links *links, uint32_t ifindex, const struct in6_addr *addr)
{
	for (uint32_t i = 0; i < links->n; i++) {
		if (links->prefixes[i].ifindex == ifindex &&
			addr_v6_prefix_contains(&links->prefixes[i].prefix, addr))
			return true;
	}
	return false;
}

bool srv_dhcp6_links_hold(struct srv_dhcp6_links *links, uint32_t ifindex,
	const struct in6_addr *addr, int64_t now_ms)
{
	int64_t age_ms = now_ms - links->read_ms;

	if (links->read_ms == 0 || age_ms >= LINKS_AGE_MS ||
		(age_ms >= LINKS_MISS_MS && !holds(links, ifindex, addr)))
		read_links(links, now_ms);
	return holds(links, ifindex, addr);
}
