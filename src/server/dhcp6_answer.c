// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_answer.h"

#include "dhcp6/dhcp6_lease.h"
#include "server/dhcp6_clients.h"

#include <errno.h>
#include <string.h>

struct srv_dhcp6_grant srv_dhcp6_grant_refused(enum tsp_status status)
{
	struct srv_dhcp6_grant grant = {.status = DHCP6_STATUS_UNSPEC_FAIL};

	switch (status) {
	case TSP_STATUS_POOL_EXHAUSTED:
		grant.status = DHCP6_STATUS_NO_ADDRS_AVAIL;
		grant.text = "no IPv4 address is free";
		break;
	case TSP_STATUS_UNAVAILABLE:
	case TSP_STATUS_RENEWAL_REFUSED:
		grant.status = DHCP6_STATUS_NO_BINDING;
		grant.text = "no such lease";
		break;
	case TSP_STATUS_TEP_ERROR:
		grant.text = "the tunnel end point does not answer";
		break;
	case TSP_STATUS_BAD_V6:
		grant.text = "no lease for this IPv6 address";
		break;
	case TSP_STATUS_BUSY:
		grant.text = "too much is asked for at once";
		break;
	default:
		grant.text = "refused";
		break;
	}
	return grant;
}

/* --- what every answer has ----------------------------------------------------------------------- */

static bool is_preview(const struct srv_dhcp6_answerer *by, const struct srv_dhcp6_request *request)
{
	return request->type == DHCP6_SOLICIT &&
	       !(request->has_rapid_commit && by->config->rapid_commit);
}

static void begin(const struct srv_dhcp6_answerer *by, const struct srv_dhcp6_request *request,
	struct dhcp6_msg *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->type = is_preview(by, request) ? DHCP6_ADVERTISE : DHCP6_REPLY;
	answer->xid = request->xid;
	answer->client_id = request->client;
	answer->server_id = *by->duid;
}

void srv_dhcp6_answer_status(const struct srv_dhcp6_answerer *by,
	const struct srv_dhcp6_request *request, uint16_t status, const char *text,
	struct dhcp6_msg *answer)
{
	begin(by, request, answer);
	dhcp6_status_set(&answer->status, status, text);
}

static bool is_extending(const struct srv_dhcp6_request *request)
{
	return request->type == DHCP6_RENEW || request->type == DHCP6_REBIND;
}

/* --- IA_NA and IA_PD ----------------------------------------------------------------------------- */

/* An address of another prefix than today's ends at once (RFC 8415 section 18.3.4). */
static void end_others(struct dhcp6_ia *ia, const struct srv_dhcp6_na *na)
{
	for (uint32_t i = 0; i < na->n_addrs; i++) {
		if (!addr_v6_equal(&na->addrs[i], &ia->addrs[0].addr))
			ia->addrs[ia->n_addrs++].addr = na->addrs[i];
	}
}

static void give_address(const struct srv_dhcp6_answerer *by,
	const struct srv_dhcp6_request *request, const struct srv_dhcp6_na *na, struct dhcp6_ia *ia)
{
	const struct dhcp6_times times = dhcp6_times_of(by->lifetime_s);

	ia->iaid = na->iaid;
	ia->t1_s = times.t1_s;
	ia->t2_s = times.t2_s;
	ia->n_addrs = 1;
	ia->addrs[0].addr = srv_dhcp6_address_of(
		by->addresses, &by->config->addresses, &request->client, na->iaid);
	ia->addrs[0].preferred_s = times.preferred_s;
	ia->addrs[0].valid_s = times.valid_s;
	if (is_extending(request))
		end_others(ia, na);
}

/* What we do not give is another server's to extend: a Rebind goes to all of them. */
static void refuse_address(const struct srv_dhcp6_request *request, uint16_t none, const char *text,
	struct dhcp6_status *status)
{
	if (request->type == DHCP6_RENEW)
		dhcp6_status_set(status, DHCP6_STATUS_NO_BINDING, "no such binding");
	else
		dhcp6_status_set(status, none, text);
}

static void put_addresses(const struct srv_dhcp6_answerer *by,
	const struct srv_dhcp6_request *request, struct dhcp6_msg *answer)
{
	bool gives = by->gives_addresses;

	if (by->config->role != SRV_DHCP6_SERVER)
		return;
	for (uint32_t i = 0; gives && i < request->n_na; i++)
		give_address(by, request, &request->na[i], &answer->ia_na[answer->n_ia_na++]);
	if (request->type == DHCP6_REBIND)
		return;
	for (uint32_t i = 0; !gives && i < request->n_na; i++) {
		struct dhcp6_ia *ia = &answer->ia_na[answer->n_ia_na++];

		ia->iaid = request->na[i].iaid;
		refuse_address(
			request, DHCP6_STATUS_NO_ADDRS_AVAIL, "no addresses here", &ia->status);
	}
	for (uint32_t i = 0; i < request->n_pd; i++) {
		struct dhcp6_ia_pd *pd = &answer->ia_pd[answer->n_ia_pd++];

		pd->iaid = request->pd[i];
		refuse_address(
			request, DHCP6_STATUS_NO_PREFIX_AVAIL, "no prefixes here", &pd->status);
	}
}

/* --- the lease ----------------------------------------------------------------------------------- */

static void put_ia(const struct srv_dhcp6_grant *grant, uint32_t iaid, struct dhcp6_ia *ia)
{
	const struct dhcp6_times times = dhcp6_times_of(grant->valid_s);

	if (grant->is_given) {
		dhcp6_ia_from_lease(ia, iaid, &grant->lease, &times);
	} else {
		ia->iaid = iaid;
		dhcp6_status_set(&ia->status, grant->status, grant->text);
	}
}

static void put_ias(const struct srv_dhcp6_request *request, const struct srv_dhcp6_grant *grant,
	struct dhcp6_msg *answer)
{
	const struct srv_dhcp6_grant further = {
		.status = is_extending(request) ? DHCP6_STATUS_NO_BINDING
						: DHCP6_STATUS_NO_ADDRS_AVAIL,
		.text = "one lease is all that a client has",
	};

	for (uint32_t i = 0; i < request->n_ia; i++)
		put_ia(i == request->main ? grant : &further, request->ia[i],
			&answer->ia_dstm[answer->n_ia_dstm++]);
}

static void put_top_level(const struct srv_dhcp6_request *request,
	const struct srv_dhcp6_grant *grant, struct dhcp6_msg *answer)
{
	struct dhcp6_dstm *dstm = &answer->dstm;

	dhcp6_dstm_from_lease(dstm, &grant->lease);
	if (!request->wants_tep)
		dstm->n_teps = 0;
	if (!request->wants_address)
		dstm->has_v4 = false;
	if (!request->wants_address && !request->wants_ports)
		dstm->n_ranges = 0;
}

static void put_vendor(const struct srv_dhcp6_request *request, const struct srv_dhcp6_grant *grant,
	struct dhcp6_msg *answer)
{
	struct dhcp6_vendor *vendor = &answer->vendor;

	vendor->present = request->is_vendor_ia || grant->is_given;
	vendor->has_ia = request->is_vendor_ia;
	if (request->is_vendor_ia)
		put_ia(grant, request->vendor_iaid, &vendor->ia);
	else if (grant->is_given)
		dhcp6_dstm_from_lease(&vendor->dstm, &grant->lease);
}

static void put_lease(const struct srv_dhcp6_request *request, const struct srv_dhcp6_grant *grant,
	struct dhcp6_msg *answer)
{
	put_ias(request, grant, answer);
	if (request->forms & SRV_DHCP6_FORM_VENDOR)
		put_vendor(request, grant, answer);
	if (grant->is_given && request->forms & SRV_DHCP6_FORM_TOP_LEVEL)
		put_top_level(request, grant, answer);
	if (grant->is_given && request->forms & SRV_DHCP6_FORM_SOFTWIRE)
		dhcp6_s46_from_lease(&answer->s46, &grant->lease);
}

/* --- the whole ----------------------------------------------------------------------------------- */

static bool has_any_ia(const struct dhcp6_msg *answer)
{
	return answer->n_ia_na + answer->n_ia_pd + answer->n_ia_dstm > 0 || answer->vendor.has_ia;
}

/* A Release, or a Decline, which for a lease is the same: its range rests (RFC 8415 section 18.3.7). */
static void make_farewell(const struct srv_dhcp6_answerer *by,
	const struct srv_dhcp6_request *request, const struct srv_dhcp6_grant *grant,
	struct dhcp6_msg *answer)
{
	bool is_refused = grant != NULL && !grant->is_given;

	srv_dhcp6_answer_status(by, request, DHCP6_STATUS_SUCCESS, "", answer);
	for (uint32_t i = 0; i < request->n_ia; i++) {
		if (i == request->main && !is_refused)
			continue;
		struct dhcp6_ia *ia = &answer->ia_dstm[answer->n_ia_dstm++];

		ia->iaid = request->ia[i];
		if (i == request->main)
			dhcp6_status_set(&ia->status, grant->status, grant->text);
		else
			dhcp6_status_set(&ia->status, DHCP6_STATUS_NO_BINDING, "no such lease");
	}
	if (request->is_vendor_ia && is_refused)
		put_vendor(request, grant, answer);
}

static void put_extras(const struct srv_dhcp6_answerer *by, const struct srv_dhcp6_request *request,
	const struct srv_dhcp6_grant *grant, struct dhcp6_msg *answer)
{
	bool is_given = grant != NULL && grant->is_given;

	if (answer->type == DHCP6_ADVERTISE && by->config->preference > 0) {
		answer->has_preference = true;
		answer->preference = (uint8_t)by->config->preference;
	}
	answer->has_rapid_commit = request->type == DHCP6_SOLICIT && answer->type == DHCP6_REPLY;
	answer->has_unicast = by->has_unicast && request->type != DHCP6_INFORMATION_REQUEST;
	answer->unicast = by->unicast;
	/* Who has no lifetimes to go by comes again when half of the lease is over. */
	if (request->type == DHCP6_INFORMATION_REQUEST && is_given && request->wants_lease) {
		answer->has_info_refresh = true;
		answer->info_refresh_s = dhcp6_times_of(grant->valid_s).t1_s;
	}
}

bool srv_dhcp6_answer_make(const struct srv_dhcp6_answerer *by,
	const struct srv_dhcp6_request *request, const struct srv_dhcp6_grant *grant,
	struct dhcp6_msg *answer)
{
	if (request->type == DHCP6_RELEASE || request->type == DHCP6_DECLINE) {
		make_farewell(by, request, grant, answer);
		return true;
	}
	begin(by, request, answer);
	put_addresses(by, request, answer);
	if (grant != NULL)
		put_lease(request, grant, answer);
	put_extras(by, request, grant, answer);
	if (request->wants_lease && grant != NULL && !grant->is_given && !has_any_ia(answer))
		dhcp6_status_set(&answer->status, grant->status, grant->text);
	return request->type != DHCP6_REBIND || grant != NULL || has_any_ia(answer);
}

/* --- octets -------------------------------------------------------------------------------------- */

static void drop_texts(struct dhcp6_msg *answer)
{
	answer->status.text[0] = '\0';
	for (uint32_t i = 0; i < DHCP6_IAS_MAX; i++) {
		answer->ia_na[i].status.text[0] = '\0';
		answer->ia_pd[i].status.text[0] = '\0';
		answer->ia_dstm[i].status.text[0] = '\0';
	}
}

/* The IA with the lease comes to the front. */
static void drop_further_ias(struct dhcp6_msg *answer)
{
	for (uint32_t i = 0; i < answer->n_ia_dstm; i++) {
		if (answer->ia_dstm[i].n_addrs > 0)
			answer->ia_dstm[0] = answer->ia_dstm[i];
	}
	answer->n_ia_na = answer->n_ia_na > 0;
	answer->n_ia_pd = 0;
	answer->n_ia_dstm = answer->n_ia_dstm > 0;
}

int srv_dhcp6_answer_write(struct dhcp6_msg *answer, const struct dhcp6_codes *codes,
	const struct dhcp6_relay *relay, uint8_t *buf, size_t size)
{
	size_t overhead = dhcp6_relay_overhead(relay);
	uint8_t inner[DHCP6_SEND_MAX];
	int len;

	if (overhead >= sizeof(inner) || size < sizeof(inner))
		return -EMSGSIZE;
	len = dhcp6_msg_write(answer, codes, inner, sizeof(inner) - overhead);
	if (len < 0) {
		drop_texts(answer);
		len = dhcp6_msg_write(answer, codes, inner, sizeof(inner) - overhead);
	}
	if (len < 0) {
		drop_further_ias(answer);
		len = dhcp6_msg_write(answer, codes, inner, sizeof(inner) - overhead);
	}
	return len < 0 ? len : dhcp6_relay_close(relay, inner, (size_t)len, buf, size);
}
