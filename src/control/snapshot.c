// SPDX-License-Identifier: BSD-3-Clause
#include "control/snapshot.h"

#include "common/addr.h"
#include "control/snapshot_slot.h"

#include <rte_hash_crc.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC       "DSTMSNAP"
#define VERSION     1
#define HEADER_SIZE 4096
#define NAME_LEN    64
#define BOOT_ID_LEN 40
#define PATH_LEN    4096

struct header {
	char magic[8];
	uint32_t version;
	uint32_t slot_size;
	uint32_t n_slots;
	uint32_t made_s; /* of the boot clock */
	char boot_id[BOOT_ID_LEN];
	char servers[TEP_SNAPSHOT_SERVERS_MAX][NAME_LEN]; /* those of owners 1.. */
	uint32_t check; /* of all above */
};
static_assert(sizeof(struct header) <= HEADER_SIZE);

/* A file in memory. */
struct mapped {
	void *memory; /* NULL: none */
	size_t size;
};

struct tep_snapshot {
	struct dp_bindings *table;
	int lock;
	struct mapped file;
	struct tep_snapshot_slot *slots;
};

static size_t file_size(uint32_t n_slots)
{
	return HEADER_SIZE + (size_t)n_slots * sizeof(struct tep_snapshot_slot);
}

static struct tep_snapshot_slot *slots_of(const struct mapped *file)
{
	return (struct tep_snapshot_slot *)((char *)file->memory + HEADER_SIZE);
}

static void unmap(struct mapped *file)
{
	if (file->memory != NULL)
		munmap(file->memory, file->size);
	file->memory = NULL;
}

static uint32_t header_check(const struct header *header)
{
	return rte_hash_crc(header, offsetof(struct header, check), VERSION);
}

static int read_boot_id(char boot_id[static BOOT_ID_LEN])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	int rc = -EIO;

	memset(boot_id, 0, BOOT_ID_LEN);
	if (file == NULL)
		return -errno;
	if (fgets(boot_id, BOOT_ID_LEN, file) != NULL)
		rc = 0;
	fclose(file);
	return rc;
}

/* --- the table's observer ------------------------------------------------------------------------- */

static void on_stands(void *arg, uint32_t number, const struct dp_binding *binding)
{
	const struct tep_snapshot *snapshot = arg;

	if (!binding->is_static && binding->owner != DP_OWNER_LEARNT)
		tep_snapshot_slot_put(&snapshot->slots[number], number, binding);
	else
		tep_snapshot_slot_clear(&snapshot->slots[number]);
}

static void on_gone(void *arg, uint32_t number)
{
	const struct tep_snapshot *snapshot = arg;

	tep_snapshot_slot_clear(&snapshot->slots[number]);
}

/* --- the old file --------------------------------------------------------------------------------- */

static const char *find_fault(
	const struct header *header, size_t size, const char *boot_id, uint32_t now_s)
{
	if (memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0)
		return "it is no snapshot";
	if (header->version != VERSION || header->slot_size != sizeof(struct tep_snapshot_slot))
		return "another version wrote it";
	if (header->check != header_check(header))
		return "its header is damaged";
	if (size != file_size(header->n_slots))
		return "it does not have the size that its header says";
	if (memcmp(header->boot_id, boot_id, BOOT_ID_LEN) != 0)
		return "it is from before the machine was started";
	if (header->made_s > now_s)
		return "it is of another clock";
	return NULL;
}

/* A file that others may write is not trusted. NULL, or why not. */
static const char *map_old(const char *path, struct mapped *old)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const char *fault = NULL;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? NULL : strerror(errno);
	if (fstat(fd, &st) != 0)
		fault = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		fault = "it is not a regular file";
	else if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		fault = "others may write or read it";
	else if (st.st_size < HEADER_SIZE)
		fault = "it is too short";
	if (fault == NULL) {
		old->size = (size_t)st.st_size;
		old->memory = mmap(NULL, old->size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
		if (old->memory == MAP_FAILED) {
			old->memory = NULL;
			fault = strerror(errno);
		}
	}
	close(fd);
	return fault;
}

/* The owner number now of the server that had this one then; 0: it is not configured. */
static uint16_t owner_now(
	const struct tep_snapshot_params *params, const struct header *header, uint16_t owner)
{
	if (owner == 0 || owner > TEP_SNAPSHOT_SERVERS_MAX)
		return 0;
	for (uint32_t i = 0; i < params->n_servers; i++) {
		if (strncmp(header->servers[owner - 1], params->servers[i], NAME_LEN) == 0)
			return (uint16_t)(i + 1);
	}
	return 0;
}

static bool is_ours(const struct tep_snapshot_params *params, const struct in6_addr *addr)
{
	for (uint32_t i = 0; i < params->n_tep_v6; i++) {
		if (addr_v6_equal(&params->tep_v6[i], addr))
			return true;
	}
	return false;
}

static void take_over_slot(const struct tep_snapshot_params *params, const struct header *header,
	const struct tep_snapshot_slot *slot, uint32_t number, struct tep_snapshot_taken *taken)
{
	struct dp_binding binding;
	enum tep_snapshot_found found = tep_snapshot_slot_get(slot, number, &binding);

	if (found == TEP_SNAPSHOT_EMPTY)
		return;
	if (found == TEP_SNAPSHOT_DAMAGED) {
		taken->damaged++;
		return;
	}
	binding.owner = owner_now(params, header, binding.owner);
	if (binding.owner == 0 || !is_ours(params, &binding.tep_v6))
		taken->foreign++;
	else if (binding.dormant_end_s <= params->now_s)
		taken->ended++;
	else if (dp_bindings_add(params->table, &binding) == 0)
		taken->taken++;
	else
		taken->refused++;
}

static void take_over(const struct tep_snapshot_params *params, const char *boot_id,
	struct tep_snapshot_taken *taken)
{
	const struct tep_snapshot_slot *slots;
	const struct header *header;
	struct mapped old = {};
	const char *fault = map_old(params->path, &old);

	if (fault == NULL && old.memory == NULL)
		return;
	if (fault == NULL)
		fault = find_fault(old.memory, old.size, boot_id, params->now_s);
	if (fault != NULL) {
		snprintf(taken->ignored, sizeof(taken->ignored), "%s", fault);
		unmap(&old);
		return;
	}
	header = old.memory;
	slots = slots_of(&old);
	for (uint32_t i = 0; i < header->n_slots; i++)
		take_over_slot(params, header, &slots[i], i, taken);
	unmap(&old);
}

/* --- the new file --------------------------------------------------------------------------------- */

static void write_header(
	const struct tep_snapshot_params *params, const char *boot_id, struct header *header)
{
	*header = (struct header){
		.magic = MAGIC,
		.version = VERSION,
		.slot_size = sizeof(struct tep_snapshot_slot),
		.n_slots = dp_bindings_numbers(params->table),
		.made_s = params->now_s,
	};
	memcpy(header->boot_id, boot_id, sizeof(header->boot_id));
	for (uint32_t i = 0; i < params->n_servers; i++)
		snprintf(header->servers[i], sizeof(header->servers[i]), "%s", params->servers[i]);
	header->check = header_check(header);
}

/* All its room is taken at once: a full disk is an error now, and no signal later. */
static int map_new(const char *path, uint32_t n_slots, struct mapped *file)
{
	int fd, rc;

	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	file->size = file_size(n_slots);
	rc = -posix_fallocate(fd, 0, (off_t)file->size);
	if (rc == 0) {
		file->memory = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (file->memory == MAP_FAILED) {
			file->memory = NULL;
			rc = -errno;
		}
	}
	close(fd);
	if (rc < 0)
		unlink(path);
	return rc;
}

static int take_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return -EBUSY;
}

static int begin(struct tep_snapshot *snapshot, const struct tep_snapshot_params *params,
	struct tep_snapshot_taken *taken)
{
	const struct dp_bindings_observer observer = {
		.stands = on_stands, .gone = on_gone, .arg = snapshot};
	char path[PATH_LEN], boot_id[BOOT_ID_LEN];
	int rc;

	if (snprintf(path, sizeof(path), "%s.lock", params->path) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	snapshot->lock = take_lock(path);
	if (snapshot->lock < 0)
		return snapshot->lock;
	rc = read_boot_id(boot_id);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "%s.new", params->path);
	rc = map_new(path, dp_bindings_numbers(params->table), &snapshot->file);
	if (rc < 0)
		return rc;
	snapshot->slots = slots_of(&snapshot->file);
	dp_bindings_observe(snapshot->table, &observer);
	take_over(params, boot_id, taken);
	write_header(params, boot_id, snapshot->file.memory);
	return rename(path, params->path) == 0 ? 0 : -errno;
}

struct tep_snapshot *tep_snapshot_open(const struct tep_snapshot_params *params,
	struct tep_snapshot_taken *taken, char error[static TEP_SNAPSHOT_ERROR_LEN])
{
	struct tep_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	int rc = -ENOMEM;

	*taken = (struct tep_snapshot_taken){};
	if (snapshot != NULL) {
		snapshot->table = params->table;
		snapshot->lock = -1;
		rc = begin(snapshot, params, taken);
	}
	if (rc == 0)
		return snapshot;
	if (rc == -EBUSY)
		snprintf(error, TEP_SNAPSHOT_ERROR_LEN, "another process uses it");
	else
		snprintf(error, TEP_SNAPSHOT_ERROR_LEN, "cannot be made: %s", strerror(-rc));
	tep_snapshot_close(snapshot);
	return NULL;
}

void tep_snapshot_close(struct tep_snapshot *snapshot)
{
	if (snapshot == NULL)
		return;
	dp_bindings_forget(snapshot->table, snapshot);
	unmap(&snapshot->file);
	if (snapshot->lock >= 0)
		close(snapshot->lock);
	free(snapshot);
}
