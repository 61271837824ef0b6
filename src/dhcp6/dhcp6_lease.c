// SPDX-License-Identifier: BSD-3-Clause
#include "dhcp6/dhcp6_lease.h"

#include <errno.h>
#include <string.h>

struct dhcp6_times dhcp6_times_of(uint32_t valid_s)
{
	if (valid_s == UINT32_MAX)
		return (struct dhcp6_times){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
	return (struct dhcp6_times){
		.t1_s = valid_s / 2,
		.t2_s = (uint32_t)((uint64_t)valid_s * 8 / 10),
		.preferred_s = (uint32_t)((uint64_t)valid_s * 8 / 10),
		.valid_s = valid_s,
	};
}

static void put_ranges(struct port_range *ranges, uint32_t *n_ranges, const struct lease *lease)
{
	if (lease_is_exclusive(lease))
		return;
	*n_ranges = lease->n_ranges;
	memcpy(ranges, lease->ranges, lease->n_ranges * sizeof(ranges[0]));
}

static void put_tep(struct dhcp6_dstm *dstm, const struct lease *lease)
{
	dstm->n_teps = 1;
	dstm->teps[0] = lease->tep_v6;
}

void dhcp6_ia_from_lease(struct dhcp6_ia *ia, uint32_t iaid, const struct lease *lease,
	const struct dhcp6_times *times)
{
	struct dhcp6_addr *addr = &ia->addrs[0];

	memset(ia, 0, sizeof(*ia));
	ia->iaid = iaid;
	ia->t1_s = times->t1_s;
	ia->t2_s = times->t2_s;
	ia->n_addrs = 1;
	addr->addr = dhcp6_v6_of(lease->v4);
	addr->preferred_s = times->preferred_s;
	addr->valid_s = times->valid_s;
	put_tep(&ia->dstm, lease);
	if (lease->n_ranges > 1)
		put_ranges(addr->ranges, &addr->n_ranges, lease);
	else
		put_ranges(ia->dstm.ranges, &ia->dstm.n_ranges, lease);
}

void dhcp6_dstm_from_lease(struct dhcp6_dstm *dstm, const struct lease *lease)
{
	memset(dstm, 0, sizeof(*dstm));
	dstm->has_v4 = true;
	dstm->v4 = lease->v4;
	put_tep(dstm, lease);
	put_ranges(dstm->ranges, &dstm->n_ranges, lease);
}

/* No range: the whole address. */
static void take_ranges(struct lease *lease, const struct port_range *ranges, uint32_t n_ranges)
{
	lease->n_ranges = n_ranges > 0 ? n_ranges : 1;
	lease->ranges[0] = PORT_RANGE_EXCLUSIVE;
	memcpy(lease->ranges, ranges, n_ranges * sizeof(ranges[0]));
}

static void take_ends(struct lease *lease, const struct dhcp6_dstm *dstm)
{
	if (dstm->n_teps > 0)
		lease->tep_v6 = dstm->teps[0];
	if (dstm->has_client)
		lease->client_v6 = dstm->client;
}

static bool is_given(const struct dhcp6_addr *addr, uint32_t *v4)
{
	bool is_bad = addr->has_status && addr->status != DHCP6_STATUS_SUCCESS;

	return !is_bad && addr->valid_s > 0 && dhcp6_v4_of(&addr->addr, v4);
}

int dhcp6_ia_to_lease(const struct dhcp6_ia *ia, struct lease *lease, struct dhcp6_times *times)
{
	for (uint32_t i = 0; i < ia->n_addrs; i++) {
		const struct dhcp6_addr *addr = &ia->addrs[i];
		uint32_t v4;

		if (!is_given(addr, &v4))
			continue;
		lease->v4 = v4;
		if (addr->n_ranges > 0)
			take_ranges(lease, addr->ranges, addr->n_ranges);
		else
			take_ranges(lease, ia->dstm.ranges, ia->dstm.n_ranges);
		take_ends(lease, &ia->dstm);
		*times = (struct dhcp6_times){
			.t1_s = ia->t1_s,
			.t2_s = ia->t2_s,
			.preferred_s = addr->preferred_s,
			.valid_s = addr->valid_s,
		};
		return 0;
	}
	return -ENOENT;
}

int dhcp6_dstm_to_lease(const struct dhcp6_dstm *dstm, struct lease *lease)
{
	if (!dstm->has_v4)
		return -ENOENT;
	lease->v4 = dstm->v4;
	take_ranges(lease, dstm->ranges, dstm->n_ranges);
	take_ends(lease, dstm);
	return 0;
}
