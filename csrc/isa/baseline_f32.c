/* What every machine can run, float32. */
#include "target.h"
#define REAL_BITS 32
#define VEC_BITS 128
#define KERNELS fastrnn_kernels_baseline_f32
#include "../simd/generic.h"
#include "../kernels/all.h"
