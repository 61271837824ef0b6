// SPDX-License-Identifier: BSD-3-Clause
#include "client/dhcp6_grant.h"

#include "common/addr.h"
#include "dhcp6/dhcp6_lease.h"
#include "dhcp6/dhcp6_option.h"

#include <string.h>

#define REFRESH_DEFAULT_S 86400 /* IRT_DEFAULT */

static void write_ports(const struct lease *lease, struct dhcp6_dstm *dstm)
{
	if (lease_is_exclusive(lease))
		return;
	dstm->n_ranges = lease->n_ranges;
	memcpy(dstm->ranges, lease->ranges, sizeof(dstm->ranges));
}

/* Never a TEP (R42). */
static void write_ia(
	const struct cl_dhcp6_want *want, const struct lease *lease, struct dhcp6_ia *ia)
{
	*ia = (struct dhcp6_ia){.iaid = want->iaid};
	ia->dstm.has_client = true;
	ia->dstm.client = want->v6;
	if (lease == NULL)
		return;
	ia->n_addrs = 1;
	ia->addrs[0].addr = dhcp6_v6_of(lease->v4);
	ia->addrs[0].valid_s = ia->addrs[0].preferred_s = want->lifetime_s;
	write_ports(lease, &ia->dstm);
}

/* What an Information-request asks for. */
static void ask_without_ia(const struct cl_dhcp6_want *want, struct dhcp6_msg *msg)
{
	struct dhcp6_dstm *dstm = &msg->dstm;

	if (want->options == CL_DHCP6_VENDOR) {
		msg->vendor.present = true;
		dstm = &msg->vendor.dstm;
	} else if (want->options == CL_DHCP6_DSTM) {
		dhcp6_msg_ask(msg, want->codes.address);
		dhcp6_msg_ask(msg, want->codes.tep);
	}
	dstm->has_client = true;
	dstm->client = want->v6;
	dhcp6_msg_ask(msg, DHCP6_OPTION_INFO_REFRESH);
}

/*
 * A container has no lifetimes: they are those of the IA that comes with it. Our servers know IA_DSTM, others pass it
 * over and know IA_NA: one for the address that is ours already.
 */
static void ask_softwire(
	const struct cl_dhcp6_want *want, const struct lease *lease, struct dhcp6_msg *msg)
{
	struct dhcp6_ia *ia = &msg->ia_na[0];

	msg->n_ia_dstm = msg->n_ia_na = 1;
	write_ia(want, lease, &msg->ia_dstm[0]);
	*ia = (struct dhcp6_ia){.iaid = want->iaid, .n_addrs = 1};
	ia->addrs[0].addr = want->v6;
	dhcp6_msg_ask(msg, DHCP6_OPTION_INFO_REFRESH);
}

void cl_dhcp6_grant_ask(
	const struct cl_dhcp6_want *want, const struct lease *lease, struct dhcp6_msg *msg)
{
	if (want->takes_ports && want->options != CL_DHCP6_SOFTWIRE)
		dhcp6_msg_ask(msg, want->codes.ports);
	dhcp6_msg_ask(msg, want->is_stateless ? DHCP6_OPTION_INF_MAX_RT : DHCP6_OPTION_SOL_MAX_RT);
	if (want->options == CL_DHCP6_SOFTWIRE)
		dhcp6_msg_ask(msg, DHCP6_OPTION_S46_CONT_LW);
	if (want->options == CL_DHCP6_VENDOR)
		dhcp6_msg_ask(msg, DHCP6_OPTION_VENDOR);
	if (want->is_stateless) {
		ask_without_ia(want, msg);
	} else if (want->options == CL_DHCP6_SOFTWIRE) {
		ask_softwire(want, lease, msg);
	} else if (want->options == CL_DHCP6_VENDOR) {
		msg->vendor.present = msg->vendor.has_ia = true;
		write_ia(want, lease, &msg->vendor.ia);
	} else {
		msg->n_ia_dstm = 1;
		write_ia(want, lease, &msg->ia_dstm[0]);
	}
}

static enum cl_dhcp6_verdict check_ends(
	const struct cl_dhcp6_want *want, const struct lease *lease, const char **why)
{
	if (!addr_v6_equal(&lease->client_v6, &want->v6)) {
		*why = "its tunnel end is not this host's address";
		return CL_DHCP6_USELESS;
	}
	if (IN6_IS_ADDR_UNSPECIFIED(&lease->tep_v6)) {
		*why = "it names no TEP";
		return CL_DHCP6_USELESS;
	}
	return CL_DHCP6_GRANT;
}

/* What an answer need not say. */
static void begin_lease(
	const struct cl_dhcp6_want *want, const struct dhcp6_dstm *top, struct lease *lease)
{
	lease->client_v6 = want->v6;
	if (top->n_teps > 0)
		lease->tep_v6 = top->teps[0];
	else if (want->has_tep)
		lease->tep_v6 = want->tep;
}

/* A server beside another one answers who asks for one of our codes; that of the address would be a lease. */
void cl_dhcp6_grant_announce(const struct cl_dhcp6_want *want, struct dhcp6_msg *msg)
{
	dhcp6_msg_ask(msg, DHCP6_OPTION_INF_MAX_RT);
	dhcp6_msg_ask(msg, want->codes.tep);
	msg->dstm.has_client = true;
	msg->dstm.client = want->v6;
}

static bool has_ended(const struct dhcp6_ia *ia)
{
	for (uint32_t i = 0; i < ia->n_addrs; i++) {
		if (ia->addrs[i].valid_s == 0)
			return true;
	}
	return false;
}

/* The association of ours that was asked for: NULL: it is not there. */
static const struct dhcp6_ia *find_ia(const struct cl_dhcp6_want *want, const struct dhcp6_msg *msg)
{
	if (want->options == CL_DHCP6_VENDOR)
		return msg->vendor.has_ia && msg->vendor.ia.iaid == want->iaid ? &msg->vendor.ia
									       : NULL;
	for (uint32_t i = 0; i < msg->n_ia_dstm; i++) {
		if (msg->ia_dstm[i].iaid == want->iaid)
			return &msg->ia_dstm[i];
	}
	return NULL;
}

static bool is_refused(const struct dhcp6_ia *ia)
{
	return ia->status.present && ia->status.code != DHCP6_STATUS_SUCCESS;
}

/* RFC 8415 sections 21.4 and 21.6: what contradicts itself counts as not being there. */
static enum cl_dhcp6_verdict read_ia(const struct cl_dhcp6_want *want, const struct dhcp6_ia *ia,
	const struct dhcp6_dstm *top, struct cl_dhcp6_grant *grant, struct dhcp6_status *status,
	const char **why)
{
	struct dhcp6_times times;

	if (is_refused(ia)) {
		*status = ia->status;
		return CL_DHCP6_REFUSAL;
	}
	if (ia->t1_s > ia->t2_s && ia->t2_s > 0)
		return CL_DHCP6_NOTHING;
	begin_lease(want, top, &grant->lease);
	if (dhcp6_ia_to_lease(ia, &grant->lease, &times) < 0)
		return has_ended(ia) ? CL_DHCP6_ENDED : CL_DHCP6_NOTHING;
	if (times.preferred_s > times.valid_s)
		return CL_DHCP6_NOTHING;
	grant->valid_s = times.valid_s;
	grant->preferred_s = times.preferred_s;
	grant->t1_s = ia->t1_s;
	grant->t2_s = ia->t2_s;
	return check_ends(want, &grant->lease, why);
}

/* A lease without an IA lives for the information refresh time. */
static enum cl_dhcp6_verdict set_refresh(const struct dhcp6_msg *msg, struct cl_dhcp6_grant *grant)
{
	grant->valid_s = msg->has_info_refresh ? msg->info_refresh_s : REFRESH_DEFAULT_S;
	grant->preferred_s = grant->valid_s;
	return grant->valid_s > 0 ? CL_DHCP6_GRANT : CL_DHCP6_ENDED;
}

static enum cl_dhcp6_verdict read_flat(const struct cl_dhcp6_want *want,
	const struct dhcp6_msg *msg, const struct dhcp6_dstm *dstm, struct cl_dhcp6_grant *grant,
	const char **why)
{
	begin_lease(want, &msg->dstm, &grant->lease);
	if (dhcp6_dstm_to_lease(dstm, &grant->lease) < 0)
		return CL_DHCP6_NOTHING;
	if (set_refresh(msg, grant) != CL_DHCP6_GRANT)
		return CL_DHCP6_ENDED;
	return check_ends(want, &grant->lease, why);
}

/* The tunnel end that a container means: the one we told, if its prefix holds that, else any other. */
static bool choose_end(
	const struct cl_dhcp6_want *want, const struct dhcp6_s46 *s46, struct in6_addr *v6)
{
	const struct addr_v6_prefix prefix = {.addr = s46->client_v6, .len = s46->prefix_len};

	if (addr_v6_prefix_contains(&prefix, &want->v6)) {
		*v6 = want->v6;
		return true;
	}
	for (uint32_t i = 0; i < want->n_ours; i++) {
		if (addr_v6_prefix_contains(&prefix, &want->ours[i])) {
			*v6 = want->ours[i];
			return true;
		}
	}
	return false;
}

/* What contradicts itself counts as not being there, as ever. */
static bool take_lifetimes(
	const struct cl_dhcp6_want *want, const struct dhcp6_ia *ia, struct cl_dhcp6_grant *grant)
{
	const struct dhcp6_addr *addr = &ia->addrs[0];

	if (ia->iaid != want->iaid || ia->n_addrs == 0 || addr->valid_s == 0 ||
		addr->preferred_s > addr->valid_s || (ia->t1_s > ia->t2_s && ia->t2_s > 0))
		return false;
	grant->valid_s = addr->valid_s;
	grant->preferred_s = addr->preferred_s;
	grant->t1_s = ia->t1_s;
	grant->t2_s = ia->t2_s;
	return true;
}

static bool find_lifetimes(
	const struct cl_dhcp6_want *want, const struct dhcp6_msg *msg, struct cl_dhcp6_grant *grant)
{
	for (uint32_t i = 0; i < msg->n_ia_dstm; i++) {
		if (take_lifetimes(want, &msg->ia_dstm[i], grant))
			return true;
	}
	for (uint32_t i = 0; i < msg->n_ia_na; i++) {
		if (take_lifetimes(want, &msg->ia_na[i], grant))
			return true;
	}
	return false;
}

static enum cl_dhcp6_verdict read_softwire(const struct cl_dhcp6_want *want,
	const struct dhcp6_msg *msg, struct cl_dhcp6_grant *grant, struct dhcp6_status *status,
	const char **why)
{
	const struct dhcp6_ia *ia = find_ia(want, msg);

	if (ia != NULL && is_refused(ia)) {
		*status = ia->status;
		return CL_DHCP6_REFUSAL;
	}
	if (!msg->s46.present || !msg->s46.has_bind)
		return CL_DHCP6_NOTHING;
	if (dhcp6_s46_to_lease(&msg->s46, &grant->lease) < 0) {
		*why = "its softwire container names no TEP, or no ports that can be used";
		return CL_DHCP6_USELESS;
	}
	if (!choose_end(want, &msg->s46, &grant->lease.client_v6)) {
		*why = "no address of this host is in the prefix of its tunnel end";
		return CL_DHCP6_USELESS;
	}
	return find_lifetimes(want, msg, grant) ? CL_DHCP6_GRANT : set_refresh(msg, grant);
}

enum cl_dhcp6_verdict cl_dhcp6_grant_read(const struct cl_dhcp6_want *want,
	const struct dhcp6_msg *msg, struct cl_dhcp6_grant *grant, struct dhcp6_status *status,
	const char **why)
{
	bool is_vendor = want->options == CL_DHCP6_VENDOR;
	const struct dhcp6_dstm *flat = is_vendor ? &msg->vendor.dstm : &msg->dstm;
	const struct dhcp6_ia *ia;

	*grant = (struct cl_dhcp6_grant){0};
	if (msg->status.present && msg->status.code != DHCP6_STATUS_SUCCESS) {
		*status = msg->status;
		return CL_DHCP6_REFUSAL;
	}
	if (want->options == CL_DHCP6_SOFTWIRE)
		return read_softwire(want, msg, grant, status, why);
	if (want->is_stateless)
		return read_flat(want, msg, flat, grant, why);
	ia = find_ia(want, msg);
	return ia != NULL ? read_ia(want, ia, flat, grant, status, why) : CL_DHCP6_NOTHING;
}
