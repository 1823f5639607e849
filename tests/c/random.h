/* SplitMix64: the same numbers on every machine. Source: Steele, Lea and Flood 2014. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "guarded.h"

#define GOLDEN_GAMMA UINT64_C(0x9e3779b97f4a7c15)

static uint64_t random_state;

static uint64_t mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t random_bits(void)
{
    return mixed(random_state += GOLDEN_GAMMA);
}

/* In [0, 1), as NumPy makes it. */
static double random_unit(void)
{
    return (double)(random_bits() >> 11) * 0x1p-53;
}

static double random_within(double limit)
{
    return limit * (2 * random_unit() - 1);
}

static size_t random_below(size_t n)
{
    return (size_t)(random_bits() % n);
}

/* n characters, the last and the first of the vocabulary among them if n allows. */
static int64_t *random_characters(size_t n, size_t V)
{
    int64_t *characters = guarded(n * sizeof *characters);
    for (size_t i = 0; i < n; i++) {
        characters[i] = (int64_t)(i == 0 ? V - 1 : i == 1 ? 0 : random_below(V));
    }
    return characters;
}

#endif
