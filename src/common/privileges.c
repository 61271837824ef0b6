// SPDX-License-Identifier: BSD-3-Clause
#include "common/privileges.h"

#include "common/log.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int become(const char *user)
{
	const struct passwd *entry;
	int ret;

	errno = 0;
	/* cppcheck-suppress getpwnamCalled ; there are no threads yet */
	entry = getpwnam(user);
	if (entry == NULL) {
		log_err("user %s: %s", user, errno != 0 ? strerror(errno) : "there is none");
		return errno != 0 ? -errno : -ENOENT;
	}
	if (geteuid() == entry->pw_uid && getuid() == entry->pw_uid)
		return 0;
	if (geteuid() != 0) {
		log_err("user %s: only root can become another user", user);
		return -EPERM;
	}
	capng_clear(CAPNG_SELECT_ALL);
	errno = 0;
	ret = capng_change_id(entry->pw_uid, entry->pw_gid,
		CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT);
	if (ret < 0) {
		log_err("user %s: cannot become it (%d): %s", user, ret, strerror(errno));
		return errno != 0 ? -errno : -EPERM;
	}
	return 0;
}

/* The bounding set can be emptied only by who may: without, no_new_privs makes it idle. */
static int drop_capabilities(void)
{
	capng_select_t sets = CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT;

	if (capng_get_caps_process() == 0) {
		if (capng_have_permitted_capabilities() == CAPNG_NONE &&
			capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE)
			return 0; /* nor, perhaps, the right to ask */
		if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
			sets = CAPNG_SELECT_ALL;
	}
	capng_clear(CAPNG_SELECT_ALL);
	errno = 0;
	if (capng_apply(sets) < 0) {
		log_err("capabilities: cannot be dropped: %s", strerror(errno));
		return errno != 0 ? -errno : -EPERM;
	}
	return 0;
}

int privileges_drop(const char *user)
{
	int ret = user != NULL ? become(user) : 0;

	if (ret == 0)
		ret = drop_capabilities();
	if (ret == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		ret = -errno;
		log_err("no_new_privs: %s", strerror(-ret));
	}
	if (ret == 0 && geteuid() == 0)
		log_warn("running as root: \"user\" in the configuration names another user");
	return ret;
}

int privileges_keep_net_admin(void)
{
	capng_select_t sets = CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT;
	capng_type_t types = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE | CAPNG_AMBIENT |
			     CAPNG_BOUNDING_SET;

	if (capng_get_caps_process() < 0 ||
		!capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN)) {
		log_err("capabilities: CAP_NET_ADMIN is missing");
		return -EPERM;
	}
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		sets = CAPNG_SELECT_ALL;
	capng_clear(CAPNG_SELECT_ALL);
	errno = 0;
	if (capng_update(CAPNG_ADD, types, CAP_NET_ADMIN) < 0 || capng_apply(sets) < 0) {
		log_err("capabilities: cannot be dropped: %s", strerror(errno));
		return errno != 0 ? -errno : -EPERM;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		log_err("no_new_privs: %s", strerror(errno));
		return -errno;
	}
	return 0;
}
