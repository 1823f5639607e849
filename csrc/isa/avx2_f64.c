/* AVX2 with FMA, float64. */
#include "target.h"
#if FASTRNN_X86
#define REAL_BITS 64
#define VEC_BITS 256
#define KERNELS fastrnn_kernels_avx2_f64
TARGET_BEGIN("avx2,fma")
#include "../simd/x86.h"
#include "../kernels/all.h"
TARGET_END
#endif
