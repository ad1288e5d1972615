/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Allocation that never fails: out of memory ends the process with a message (main restarts the role). */
#ifndef BELFRY_LIB_CORE_MEM_H
#define BELFRY_LIB_CORE_MEM_H

#include <stddef.h>

/* Zeroed memory of the given size; free with free(). */
void *mem_alloc(size_t size);
/* As calloc; an overflowing product is fatal. */
void *mem_alloc_array(size_t count, size_t size);
/* As realloc; new bytes are not zeroed. */
void *mem_realloc(void *old, size_t size);
/* Copies that the caller frees with free(). mem_strdup(NULL) is NULL. */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t length);
void *mem_dup(const void *bytes, size_t length);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* After a storm (thousands of requests at a time) much of the heap is free and still ours: gives it back to the system.
 * Does nothing while little is free; takes some milliseconds otherwise. */
void mem_give_back(void);
/* Overwrites a secret so that the compiler cannot leave it out. */
void mem_wipe(void *bytes, size_t length);

#endif
