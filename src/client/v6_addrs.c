// SPDX-License-Identifier: BSD-3-Clause
#include "client/v6_addrs.h"

#include "common/addr.h"

#include <linux/if_addr.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>

#define NOT_YET (IFA_F_TENTATIVE | IFA_F_DADFAILED)

/* What is done with each address. */
typedef void (*visit_fn)(const struct in6_addr *addr, unsigned int flags, void *arg);

/* False when the kernel did not tell. */
static bool visit_all(visit_fn visit, void *arg)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct nl_cache *cache = NULL;

	if (sock == NULL || nl_connect(sock, NETLINK_ROUTE) < 0 ||
		rtnl_addr_alloc_cache(sock, &cache) < 0) {
		nl_socket_free(sock);
		return false;
	}
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_addr *entry = (struct rtnl_addr *)o;
		struct nl_addr *local = rtnl_addr_get_local(entry);

		if (rtnl_addr_get_family(entry) == AF_INET6 && local != NULL &&
			nl_addr_get_len(local) == sizeof(struct in6_addr))
			visit(nl_addr_get_binary_addr(local), rtnl_addr_get_flags(entry), arg);
	}
	nl_cache_free(cache);
	nl_socket_free(sock);
	return true;
}

struct search {
	const struct in6_addr *addr;
	unsigned int unwanted; /* flags */
	bool found;
};

static void search(const struct in6_addr *addr, unsigned int flags, void *arg)
{
	struct search *search = arg;

	if (addr_v6_equal(addr, search->addr) && (flags & search->unwanted) == 0)
		search->found = true;
}

/* What cannot be found out is not known to be gone. */
static bool find(const struct in6_addr *addr, unsigned int unwanted)
{
	struct search what = {.addr = addr, .unwanted = unwanted};

	return !visit_all(search, &what) || what.found;
}

bool cl_v6_is_here(const struct in6_addr *addr)
{
	return find(addr, IFA_F_DADFAILED);
}

bool cl_v6_is_preferred(const struct in6_addr *addr)
{
	return find(addr, NOT_YET | IFA_F_DEPRECATED);
}

/* The order of the addresses does not matter: their hashes (FNV-1a) are added up. */
static void add_hash(const struct in6_addr *addr, unsigned int flags, void *arg)
{
	uint64_t *sum = arg, hash = 0xcbf29ce484222325;

	if ((flags & (NOT_YET | IFA_F_DEPRECATED)) != 0 || !addr_v6_is_global(addr))
		return;
	for (size_t i = 0; i < sizeof(addr->s6_addr); i++)
		hash = (hash ^ addr->s6_addr[i]) * 0x100000001b3;
	*sum += hash;
}

uint64_t cl_v6_fingerprint(void)
{
	uint64_t sum = 0;

	visit_all(add_hash, &sum);
	return sum;
}
