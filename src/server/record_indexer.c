// SPDX-License-Identifier: BSD-3-Clause
#include "server/record_indexer.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"
#include "server/record_follow.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define DAY_MS INT64_C(86400000)
#define NICEST 19

struct srv_indexer {
	struct srv_record_index index; /* the thread's while it runs */
	struct srv_record_follow follow;
	uint32_t keep_days;
	uint32_t prune_at; /* the address that was pruned last */
	bool failing;
	bool started;
	pthread_t thread;
	atomic_bool stop;
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

struct srv_indexer *srv_indexer_create(
	const char *index_path, const char *records_path, uint32_t keep_days)
{
	struct srv_indexer *indexer = calloc(1, sizeof(*indexer));

	if (indexer == NULL) {
		log_err("records: out of memory");
		return NULL;
	}
	indexer->keep_days = keep_days;
	indexer->follow = (struct srv_record_follow){
		.index = &indexer->index,
		.path = records_path,
		.stop = &indexer->stop,
	};
	pthread_mutex_init(&indexer->lock, NULL);
	pthread_cond_init(&indexer->wake, NULL);
	if (srv_record_index_open(&indexer->index, index_path, SRV_INDEX_WRITE) < 0 ||
		srv_record_follow(&indexer->follow) < 0) {
		log_err("index of records: %s", indexer->index.error);
		srv_indexer_destroy(indexer);
		return NULL;
	}
	if (indexer->follow.skipped > 0)
		log_warn("records %s: %llu lines are no records", records_path,
			(unsigned long long)indexer->follow.skipped);
	return indexer;
}

struct srv_record_index *srv_indexer_index(struct srv_indexer *indexer)
{
	return &indexer->index;
}

/* Says once that it began to fail, and once that it works again. */
static void report(struct srv_indexer *indexer, int ret)
{
	if (ret < 0 && !indexer->failing)
		log_err("index of records: not level: %s", indexer->index.error);
	else if (ret == 0 && indexer->failing)
		log_info("index of records: level again");
	indexer->failing = ret < 0;
}

/* One address a round, so that nobody waits long for the index. */
static int prune(struct srv_indexer *indexer)
{
	int64_t before_utc_ms = clock_utc_ms() - indexer->keep_days * DAY_MS;

	if (indexer->keep_days == 0)
		return 0;
	return srv_record_index_prune(&indexer->index, before_utc_ms, &indexer->prune_at);
}

static void *index_loop(void *arg)
{
	struct srv_indexer *indexer = arg;
	struct timespec until;

	setpriority(PRIO_PROCESS, 0, NICEST); /* of this thread alone */
	pthread_mutex_lock(&indexer->lock);
	while (!atomic_load(&indexer->stop)) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&indexer->wake, &indexer->lock, &until);
		if (atomic_load(&indexer->stop))
			break;
		pthread_mutex_unlock(&indexer->lock);
		int ret = srv_record_follow(&indexer->follow);

		if (ret == 0)
			ret = prune(indexer);
		report(indexer, ret);
		pthread_mutex_lock(&indexer->lock);
	}
	pthread_mutex_unlock(&indexer->lock);
	return NULL;
}

int srv_indexer_start(struct srv_indexer *indexer)
{
	int ret = thread_start(&indexer->thread, index_loop, indexer);

	indexer->started = ret == 0;
	return ret;
}

void srv_indexer_destroy(struct srv_indexer *indexer)
{
	if (indexer == NULL)
		return;
	atomic_store(&indexer->stop, true);
	pthread_mutex_lock(&indexer->lock);
	pthread_cond_signal(&indexer->wake);
	pthread_mutex_unlock(&indexer->lock);
	if (indexer->started)
		pthread_join(indexer->thread, NULL);
	srv_record_index_close(&indexer->index);
	pthread_mutex_destroy(&indexer->lock);
	pthread_cond_destroy(&indexer->wake);
	free(indexer);
}
