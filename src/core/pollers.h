/* SPDX-License-Identifier: GPL-2.0-only */
/* Waking those who poll. */
#ifndef _WEIR_POLLERS_H
#define _WEIR_POLLERS_H

#include <linux/poll.h>
#include <linux/wait.h>

/*
 * All of them, also those who asked to be woken one at a time (EPOLLEXCLUSIVE): what has
 * come may be somebody else's, and who finds nothing wakes nobody in his stead.
 */
static inline void weir_pollers_wake(wait_queue_head_t *pollers, __poll_t events)
{
	__wake_up(pollers, TASK_INTERRUPTIBLE, 0, poll_to_key(events));
}

#endif /* _WEIR_POLLERS_H */
