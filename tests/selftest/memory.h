/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memory - memory that ends exactly where a test wants it to end
 *
 * A pane is some writable pages, and one page behind them that is not mapped or read-only. The edge
 * is between them. pane_before() returns an address with @bytes of writable memory before the edge,
 * so that a struct at that address reaches across it.
 */
#ifndef _WEIR_SELFTEST_MEMORY_H
#define _WEIR_SELFTEST_MEMORY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PANE_PAGES	64

struct pane {
	char *start;
	char *edge;		/* first byte of the page that is not writable */
	size_t page;
};

static inline struct pane pane_make(void)
{
	struct pane pane;

	pane.page = sysconf(_SC_PAGESIZE);
	pane.start = mmap(NULL, 2 * PANE_PAGES * pane.page,
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	if (pane.start == MAP_FAILED) {
		perror("# mmap");
		abort();
	}
	pane.edge = pane.start + PANE_PAGES * pane.page;
	return pane;
}

static inline void pane_free(struct pane *pane)
{
	munmap(pane->start, 2 * PANE_PAGES * pane->page);
}

/* Set the protection of the page behind the edge: PROT_NONE, PROT_READ or both. */
static inline void pane_protect(struct pane *pane, int prot)
{
	if (mprotect(pane->edge, PANE_PAGES * pane->page, prot)) {
		perror("# mprotect");
		abort();
	}
}

static inline void *pane_before(struct pane *pane, size_t bytes)
{
	return pane->edge - bytes;
}

/* Copy @size bytes of @data so that @bytes of them are before the edge. */
static inline void *pane_lay(struct pane *pane, const void *data, size_t size,
			     size_t bytes, int prot)
{
	void *place = pane_before(pane, bytes);

	pane_protect(pane, PROT_READ | PROT_WRITE);
	memcpy(place, data, size);
	pane_protect(pane, prot);
	return place;
}

#endif /* _WEIR_SELFTEST_MEMORY_H */
