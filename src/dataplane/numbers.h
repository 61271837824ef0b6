// SPDX-License-Identifier: BSD-3-Clause
/*
 * Numbers of places in an array that readers look into without a lock: given out, given back, and given out
 * again after a grace period. The writer's alone.
 */
#pragma once

#include <rte_rcu_qsbr.h>
#include <stdint.h>

struct dp_numbers;

/* 1 to max, and 0 for none. NULL + errno. */
struct dp_numbers *dp_numbers_create(uint32_t max, struct rte_rcu_qsbr *qsbr);
/* NULL is allowed. */
void dp_numbers_destroy(struct dp_numbers *numbers);

/* The number, or 0: all are in use, or may still be read. */
uint32_t dp_numbers_take(struct dp_numbers *numbers);
/* Readers that come from now on do not find it. */
void dp_numbers_give_back(struct dp_numbers *numbers, uint32_t number);

uint32_t dp_numbers_in_use(const struct dp_numbers *numbers);
