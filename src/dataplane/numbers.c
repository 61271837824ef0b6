// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/numbers.h"

#include <stdlib.h>

/* Given back, and not yet given out again; the oldest is tried first. */
struct retired {
	uint32_t number;
	uint64_t token; /* of the grace period that it waits for */
};

struct dp_numbers {
	struct rte_rcu_qsbr *qsbr;
	uint32_t max;
	uint32_t fresh; /* the lowest that was never given out */
	uint32_t first; /* of the ring ... */
	uint32_t n;
	struct retired ring[]; /* ... of max */
};

struct dp_numbers *dp_numbers_create(uint32_t max, struct rte_rcu_qsbr *qsbr)
{
	struct dp_numbers *numbers = calloc(1, sizeof(*numbers) + max * sizeof(*numbers->ring));

	if (numbers == NULL)
		return NULL;
	numbers->qsbr = qsbr;
	numbers->max = max;
	numbers->fresh = 1;
	return numbers;
}

void dp_numbers_destroy(struct dp_numbers *numbers)
{
	free(numbers);
}

uint32_t dp_numbers_take(struct dp_numbers *numbers)
{
	const struct retired *oldest = &numbers->ring[numbers->first];

	if (numbers->n > 0 && rte_rcu_qsbr_check(numbers->qsbr, oldest->token, false) == 1) {
		numbers->first = (numbers->first + 1) % numbers->max;
		numbers->n--;
		return oldest->number;
	}
	return numbers->fresh <= numbers->max ? numbers->fresh++ : 0;
}

void dp_numbers_give_back(struct dp_numbers *numbers, uint32_t number)
{
	numbers->ring[(numbers->first + numbers->n++) % numbers->max] = (struct retired){
		number, rte_rcu_qsbr_start(numbers->qsbr)};
}

uint32_t dp_numbers_in_use(const struct dp_numbers *numbers)
{
	return numbers->fresh - 1 - numbers->n;
}
