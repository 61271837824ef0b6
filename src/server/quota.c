// SPDX-License-Identifier: BSD-3-Clause
#include "server/quota.h"

#include "server/limiter.h"
#include "server/tally.h"

#include <stdlib.h>

#define SOURCES_MAX 65536 /* of each kind, whose rate is remembered */

/* Of users, or of prefixes. */
struct kind {
	struct srv_quota_limit limit;
	struct srv_tally *held;
	struct srv_limiter *rate;
};

struct srv_quota {
	struct srv_quota_limits limits;
	struct kind user, client, prefix; /* a client's tally stays empty */
};

static bool create_kind(struct kind *kind)
{
	kind->held = srv_tally_create();
	kind->rate = srv_limiter_create(SOURCES_MAX);
	return kind->held != NULL && kind->rate != NULL;
}

static void destroy_kind(struct kind *kind)
{
	srv_tally_destroy(kind->held);
	srv_limiter_destroy(kind->rate);
}

static void assign(struct srv_quota *quota, const struct srv_quota_limits *limits)
{
	quota->limits = *limits;
	quota->user.limit = limits->user;
	quota->client.limit = limits->client;
	quota->prefix.limit = limits->prefix;
}

struct srv_quota *srv_quota_create(const struct srv_quota_limits *limits)
{
	struct srv_quota *quota = calloc(1, sizeof(*quota));

	if (quota == NULL)
		return NULL;
	assign(quota, limits);
	if (create_kind(&quota->user) && create_kind(&quota->client) && create_kind(&quota->prefix))
		return quota;
	srv_quota_destroy(quota);
	return NULL;
}

void srv_quota_destroy(struct srv_quota *quota)
{
	if (quota == NULL)
		return;
	destroy_kind(&quota->user);
	destroy_kind(&quota->client);
	destroy_kind(&quota->prefix);
	free(quota);
}

static bool counts(const struct srv_quota_limit *limit)
{
	return limit->leases > 0 || limit->ports > 0;
}

/* True when the tally no longer counts what it has to. */
static bool renew_tally(struct kind *kind, const struct srv_quota_limit *next, bool other_sources)
{
	struct srv_tally *empty;

	if (counts(&kind->limit) == counts(next) && !(other_sources && counts(next)))
		return false;
	empty = srv_tally_create();
	if (empty == NULL)
		return false;
	srv_tally_destroy(kind->held);
	kind->held = empty;
	return counts(next);
}

bool srv_quota_set_limits(struct srv_quota *quota, const struct srv_quota_limits *limits)
{
	bool other = limits->prefix_length != quota->limits.prefix_length;
	bool user = renew_tally(&quota->user, &limits->user, false);
	bool prefix = renew_tally(&quota->prefix, &limits->prefix, other);

	/* All leases will be told again: both begin at nothing. */
	if (user != prefix && (user || prefix)) {
		user = user || renew_tally(&quota->user, &limits->user, true);
		prefix = prefix || renew_tally(&quota->prefix, &limits->prefix, true);
	}
	assign(quota, limits);
	return user || prefix;
}

static struct srv_source prefix_of(const struct srv_quota *quota, const struct in6_addr *v6)
{
	return srv_source_of_prefix(v6, quota->limits.prefix_length);
}

bool srv_quota_request(
	struct srv_quota *quota, const char *user, const struct in6_addr *peer, int64_t now_ms)
{
	const struct config_list *exempt = quota->limits.exempt;
	struct srv_source source;

	if (user[0] != '\0') {
		source = srv_source_of_user(user);
		if (!srv_limiter_take(quota->user.rate, &source,
			    quota->user.limit.requests_per_minute, now_ms))
			return false;
	}
	if (exempt != NULL && addr_v6_prefixes_contain(exempt->items, exempt->n, peer))
		return true;
	source = srv_source_of_prefix(peer, 128);
	if (!srv_limiter_take(
		    quota->client.rate, &source, quota->client.limit.requests_per_minute, now_ms))
		return false;
	source = prefix_of(quota, peer);
	return srv_limiter_take(
		quota->prefix.rate, &source, quota->prefix.limit.requests_per_minute, now_ms);
}

void srv_quota_hold(struct srv_quota *quota, const char *user, const struct lease *lease)
{
	struct srv_source source;

	if (user[0] != '\0' && counts(&quota->user.limit)) {
		source = srv_source_of_user(user);
		srv_tally_add(quota->user.held, &source, lease_ports(lease));
	}
	if (counts(&quota->prefix.limit)) {
		source = prefix_of(quota, &lease->client_v6);
		srv_tally_add(quota->prefix.held, &source, lease_ports(lease));
	}
}

void srv_quota_free(struct srv_quota *quota, const char *user, const struct lease *lease)
{
	struct srv_source source;

	if (user[0] != '\0' && counts(&quota->user.limit)) {
		source = srv_source_of_user(user);
		srv_tally_take(quota->user.held, &source, lease_ports(lease));
	}
	if (counts(&quota->prefix.limit)) {
		source = prefix_of(quota, &lease->client_v6);
		srv_tally_take(quota->prefix.held, &source, lease_ports(lease));
	}
}

static bool fits(const struct srv_quota_limit *limit, const struct srv_holdings *has,
	const struct srv_holdings *more)
{
	return (limit->leases == 0 || has->leases + more->leases <= limit->leases) &&
	       (limit->ports == 0 || has->ports + more->ports <= limit->ports);
}

static bool kind_fits(
	const struct kind *kind, const struct srv_source *source, const struct srv_holdings *more)
{
	struct srv_count count = srv_tally_get(kind->held, source);

	return fits(&kind->limit, &(struct srv_holdings){count.n, count.weight}, more);
}

bool srv_quota_allows(const struct srv_quota *quota, const char *user,
	const struct in6_addr *client_v6, const struct srv_holdings *has,
	const struct srv_holdings *more)
{
	struct srv_source of_user = srv_source_of_user(user);
	struct srv_source of_prefix = prefix_of(quota, client_v6);

	return fits(&quota->client.limit, has, more) &&
	       (user[0] == '\0' || kind_fits(&quota->user, &of_user, more)) &&
	       kind_fits(&quota->prefix, &of_prefix, more);
}
