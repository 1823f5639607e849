/* Random numbers that follow from a seed and a place, without a state: number i of a stream is a mixture of both, as
 * SplitMix64 makes them (Steele, Lea and Flood 2014). */
#ifndef FASTRNN_RANDOM_H
#define FASTRNN_RANDOM_H

#include <stdint.h>

static inline uint64_t mixed_bits(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* What the numbers of an iteration are for. */
typedef enum { RANDOM_DROPOUT = 1, RANDOM_CHUNKS, RANDOM_ORDER, RANDOM_ENCODER_DROPOUT } random_purpose;

/* The stream of an iteration. */
static inline uint64_t random_stream(uint64_t seed, uint64_t iteration, random_purpose purpose)
{
    return mixed_bits(mixed_bits(seed + (uint64_t)purpose) ^ iteration);
}

static inline uint64_t random_bits(uint64_t stream, uint64_t i)
{
    return mixed_bits(stream + (i + 1) * 0x9e3779b97f4a7c15u);
}

/* In [0, n), n < 2^53. */
static inline uint64_t random_below(uint64_t stream, uint64_t i, uint64_t n)
{
    return (uint64_t)((double)(random_bits(stream, i) >> 11) * 0x1p-53 * (double)n);
}

#endif
