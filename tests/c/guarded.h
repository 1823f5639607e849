/* Memory with unreadable pages on both sides, so that a kernel that strays out of a buffer faults at once.
 *
 *     guard | slot 0 | guard | slot 1 | guard | ...        one buffer in each slot, flush against one of its ends
 *
 * FLUSH_END shows what is touched past the end of a buffer, FLUSH_START what is touched before its start. All buffers
 * are given back together. New memory is filled with 0xff, which is NaN as a number and -1 as a character: what was
 * never written does not go unnoticed when it is read. */
#ifndef GUARDED_H
#define GUARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS 96
#define SLOT_BYTES ((size_t)8 << 20)
#define GUARD_BYTES ((size_t)64 << 10) /* a multiple of every page size in use */

typedef enum { FLUSH_END, FLUSH_START } flush_side;

typedef struct {
    unsigned char *data;
    size_t bytes;
} guarded_buffer;

static struct {
    unsigned char *slots; /* slot i begins at slots + i * (SLOT_BYTES + GUARD_BYTES) */
    flush_side flush;
    guarded_buffer buffers[SLOTS];
    size_t in_use;
    unsigned char *remembered; /* the buffers in use, one after the other, as they once were */
} memory;

/* What the test program cannot go on without; never the library's fault. */
static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "test program: %s\n", what);
        exit(2);
    }
}

static unsigned char *slot_begin(size_t i)
{
    return memory.slots + i * (SLOT_BYTES + GUARD_BYTES);
}

static void map_memory(void)
{
    const size_t bytes = GUARD_BYTES + SLOTS * (SLOT_BYTES + GUARD_BYTES);
    unsigned char *begin = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    need(begin != MAP_FAILED, "no address space");
    memory.slots = begin + GUARD_BYTES;
    for (size_t i = 0; i < SLOTS; i++) {
        need(mprotect(slot_begin(i), SLOT_BYTES, PROT_READ | PROT_WRITE) == 0, "no memory");
    }
}

/* A new buffer of exactly so many bytes, filled with 0xff. */
static void *guarded(size_t bytes)
{
    need(memory.in_use < SLOTS && bytes <= SLOT_BYTES, "a test case asks for more memory than there are slots");
    unsigned char *slot = slot_begin(memory.in_use);
    unsigned char *data = memory.flush == FLUSH_START ? slot : slot + SLOT_BYTES - bytes;
    memset(data, 0xff, bytes);
    memory.buffers[memory.in_use++] = (guarded_buffer){data, bytes};
    return data;
}

static void *guarded_copy(const void *src, size_t bytes)
{
    return memcpy(guarded(bytes), src, bytes);
}

static double *zeros(size_t n)
{
    return memset(guarded(n * sizeof(double)), 0, n * sizeof(double));
}

/* Gives back the buffers that were taken since memory.in_use was `mark`. */
static void release_since(size_t mark)
{
    memory.in_use = mark;
}

/* Keeps a copy of every buffer in use, to see later whether a call wrote to any of them. */
static void remember_memory(void)
{
    size_t bytes = 1;
    for (size_t i = 0; i < memory.in_use; i++) {
        bytes += memory.buffers[i].bytes;
    }
    memory.remembered = realloc(memory.remembered, bytes);
    need(memory.remembered != NULL, "no memory");
    unsigned char *copy = memory.remembered;
    for (size_t i = 0; i < memory.in_use; i++) {
        memcpy(copy, memory.buffers[i].data, memory.buffers[i].bytes);
        copy += memory.buffers[i].bytes;
    }
}

static bool memory_is_as_remembered(void)
{
    const unsigned char *copy = memory.remembered;
    for (size_t i = 0; i < memory.in_use; i++) {
        if (memcmp(copy, memory.buffers[i].data, memory.buffers[i].bytes) != 0) {
            return false;
        }
        copy += memory.buffers[i].bytes;
    }
    return true;
}

/* Whether the bytes from begin up to end are all this one. */
static bool filled_with(unsigned char byte, const unsigned char *begin, const unsigned char *end)
{
    while (begin < end && *begin == byte) {
        begin++;
    }
    return begin == end;
}

/* Where a fault lies, in terms of the buffer it strayed out of. */
static void describe_address(const void *address, char *text, size_t size)
{
    const size_t step = SLOT_BYTES + GUARD_BYTES, guard_before = memory.flush == FLUSH_START ? GUARD_BYTES : 0;
    const uintptr_t distance = (uintptr_t)address - (uintptr_t)memory.slots + guard_before;
    if (distance / step < memory.in_use) {
        const guarded_buffer *buffer = &memory.buffers[distance / step];
        snprintf(text, size, "byte %td of buffer %zu, which has %zu bytes",
                 (const unsigned char *)address - buffer->data, (size_t)(distance / step), buffer->bytes);
    } else {
        snprintf(text, size, "address %p", address);
    }
}

#endif
