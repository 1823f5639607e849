/* AVX-512 (F, DQ, BW, VL), float32, with AMX or without. */
#include "target.h"
#if FASTRNN_X86
#define REAL_BITS 32
#define VEC_BITS 512
#define KERNELS fastrnn_kernels_avx512_f32
#if FASTRNN_AMX
TARGET_BEGIN("amx-tile,amx-bf16,avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#define MATRIX_UNIT 1
#else
TARGET_BEGIN("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#endif
#include "../simd/x86.h"
#include "../kernels/all.h"
TARGET_END
#endif
