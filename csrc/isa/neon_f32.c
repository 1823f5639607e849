/* Advanced SIMD on 64-bit Arm, float32. */
#include "target.h"
#if FASTRNN_ARM64
#define REAL_BITS 32
#define VEC_BITS 128
#define KERNELS fastrnn_kernels_neon_f32
#include "../simd/neon.h"
#include "../kernels/all.h"
#endif
