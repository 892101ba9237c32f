/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the kernel's <linux/list.h> that the pure algorithms and their tests use.
 * Removing an entry that is in no list, or in an inconsistent one, aborts the program.
 */
#ifndef _WEIR_HOST_LINUX_LIST_H
#define _WEIR_HOST_LINUX_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

struct list_head {
	struct list_head *next, *prev;
};

#define container_of(ptr, type, member)	\
	((type *)((char *)(ptr) - offsetof(type, member)))

#define list_first_entry_or_null(head, type, member)	\
	(list_empty(head) ? NULL : container_of((head)->next, type, member))

#define list_for_each_entry(pos, head, member)				\
	for (pos = container_of((head)->next, typeof(*pos), member);	\
	     &pos->member != (head);					\
	     pos = container_of(pos->member.next, typeof(*pos), member))

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_add_tail(struct list_head *new, struct list_head *head)
{
	new->next = head;
	new->prev = head->prev;
	head->prev->next = new;
	head->prev = new;
}

static inline void list_del_init(struct list_head *entry)
{
	if (!entry->next || entry->next == entry || entry->next->prev != entry ||
	    entry->prev->next != entry)
		abort();
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
	INIT_LIST_HEAD(entry);
}

#endif /* _WEIR_HOST_LINUX_LIST_H */
