/* AVX-512 (F, DQ, BW, VL), float64. */
#include "target.h"
#if FASTRNN_X86
#define REAL_BITS 64
#define VEC_BITS 512
#define KERNELS fastrnn_kernels_avx512_f64
TARGET_BEGIN("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#include "../simd/x86.h"
#include "../kernels/all.h"
TARGET_END
#endif
