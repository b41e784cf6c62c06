/* string.h - for a compiler that brings the four functions but not their header */
#ifndef TS_STRING_H
#define TS_STRING_H

#include <stddef.h>

void *memcpy(void *restrict y, const void *restrict x, size_t bytes);
void *memmove(void *y, const void *x, size_t bytes);
void *memset(void *y, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

#endif
