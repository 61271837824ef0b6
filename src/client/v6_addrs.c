// SPDX-License-Identifier: BSD-3-Clause
#include "client/v6_addrs.h"

#include "common/addr.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOT_YET (IFA_F_TENTATIVE | IFA_F_DADFAILED)

/* What is done with each address. */
struct entry {
	const struct in6_addr *addr;
	unsigned int flags;
	unsigned int ifindex;
};

typedef void (*visit_fn)(const struct entry *entry, void *arg);

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
			visit(&(struct entry){.addr = nl_addr_get_binary_addr(local),
				      .flags = rtnl_addr_get_flags(entry),
				      .ifindex = (unsigned int)rtnl_addr_get_ifindex(entry)},
				arg);
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

static void search(const struct entry *entry, void *arg)
{
	struct search *search = arg;

	if (addr_v6_equal(entry->addr, search->addr) && (entry->flags & search->unwanted) == 0)
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

static bool may_be_chosen(const struct entry *entry)
{
	return (entry->flags & (NOT_YET | IFA_F_DEPRECATED)) == 0 && addr_v6_is_global(entry->addr);
}

struct list {
	struct in6_addr *addrs;
	uint32_t n, max;
};

static void add_to_list(const struct entry *entry, void *arg)
{
	struct list *list = arg;

	if (may_be_chosen(entry) && list->n < list->max)
		list->addrs[list->n++] = *entry->addr;
}

uint32_t cl_v6_list(struct in6_addr *addrs, uint32_t max)
{
	struct list list = {.addrs = addrs, .max = max};

	visit_all(add_to_list, &list);
	return list.n;
}

struct choice {
	unsigned int ifindex;
	int rank; /* of addr; 0: none so far */
	struct in6_addr addr;
};

static void choose(const struct entry *entry, void *arg)
{
	struct choice *best = arg;
	int rank = 1;

	if (!may_be_chosen(entry))
		return;
	if (entry->ifindex == best->ifindex)
		rank += 2;
	if ((entry->flags & IFA_F_TEMPORARY) == 0)
		rank += 1;
	if (rank <= best->rank)
		return;
	best->rank = rank;
	best->addr = *entry->addr;
}

int cl_v6_choose(unsigned int ifindex, struct in6_addr *addr)
{
	struct choice best = {.ifindex = ifindex};

	visit_all(choose, &best);
	if (best.rank == 0)
		return -ENOENT;
	*addr = best.addr;
	return 0;
}

int cl_v6_source_for(const struct in6_addr *to, struct in6_addr *addr)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = *to, .sin6_port = 1};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sa);
	int ret = 0;

	if (fd < 0)
		return -errno;
	/* Nothing is sent by this. */
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		ret = -errno;
	close(fd);
	if (ret == 0 && !addr_v6_is_global(&sa.sin6_addr))
		ret = -EADDRNOTAVAIL;
	if (ret == 0)
		*addr = sa.sin6_addr;
	return ret;
}

/* The order of the addresses does not matter: their hashes (FNV-1a) are added up. */
static void add_hash(const struct entry *entry, void *arg)
{
	uint64_t *sum = arg, hash = 0xcbf29ce484222325;

	if (!may_be_chosen(entry))
		return;
	for (size_t i = 0; i < sizeof(entry->addr->s6_addr); i++)
		hash = (hash ^ entry->addr->s6_addr[i]) * 0x100000001b3;
	*sum += hash;
}

uint64_t cl_v6_fingerprint(void)
{
	uint64_t sum = 0;

	visit_all(add_hash, &sum);
	return sum;
}
