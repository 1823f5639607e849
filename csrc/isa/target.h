/* Switches the instruction set inside one translation unit, so that no file needs compiler flags of its own.
 *
 *     TARGET_BEGIN("avx2,fma")  ...kernels...  TARGET_END
 *
 * System headers come first: code between the two lines must be ours alone. */
#ifndef FASTRNN_TARGET_H
#define FASTRNN_TARGET_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../cpu.h"
#include "../kernels/kernels.h"
#include "../parameters.h"
#include "../random.h"
#include "../subnormals.h"

#if FASTRNN_X86
#include <immintrin.h>
#endif
#if FASTRNN_ARM64
#include <arm_neon.h>
#endif

#define TARGET_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define TARGET_BEGIN(features) \
    TARGET_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define TARGET_END TARGET_PRAGMA(clang attribute pop)
#else
#define TARGET_BEGIN(features) TARGET_PRAGMA(GCC push_options) TARGET_PRAGMA(GCC target(features))
#define TARGET_END TARGET_PRAGMA(GCC pop_options)
#endif

#endif
