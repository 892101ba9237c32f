/* SPDX-License-Identifier: GPL-2.0-only */
/* Waking pollers. */
#ifndef _WEIR_POLLERS_H
#define _WEIR_POLLERS_H

#include <linux/poll.h>
#include <linux/wait.h>

/*
 * Wake all pollers, including exclusive ones (EPOLLEXCLUSIVE). The event may be for any of them,
 * and a poller that finds nothing would not wake the next one.
 */
static inline void weir_pollers_wake(wait_queue_head_t *pollers, __poll_t events)
{
	__wake_up(pollers, TASK_INTERRUPTIBLE, 0, poll_to_key(events));
}

#endif /* _WEIR_POLLERS_H */
