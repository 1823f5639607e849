/* Switches the processor's slow path for subnormal numbers off and on again. A gradient that fades over many steps is
 * full of them, and each costs a hundred times a normal number's operation, while what they add to a gradient is below
 * 1e-38. So a kernel that trains computes with them as zeros, and gives the thread back as it found it. */
#ifndef FASTRNN_SUBNORMALS_H
#define FASTRNN_SUBNORMALS_H

#include <stdint.h>

#include "cpu.h"

#if FASTRNN_X86
#include <xmmintrin.h>

static inline uint64_t subnormals_as_zero(void)
{
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* Intel SDM vol. 1, 10.2.3: flush-to-zero, denormals-are-zeros */
    return before;
}

static inline void subnormals_restore(uint64_t before)
{
    _mm_setcsr((unsigned)before);
}

#elif FASTRNN_ARM64

static inline void subnormals_restore(uint64_t before)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
}

static inline uint64_t subnormals_as_zero(void)
{
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    subnormals_restore(before | (uint64_t)1 << 24); /* Arm ARM, FPCR.FZ */
    return before;
}

#else

static inline uint64_t subnormals_as_zero(void)
{
    return 0;
}

static inline void subnormals_restore(uint64_t before)
{
    (void)before;
}

#endif

#endif
