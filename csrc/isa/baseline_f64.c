/* What every machine can run, float64. */
#include "target.h"
#define REAL_BITS 64
#define VEC_BITS 128
#define KERNELS fastrnn_kernels_baseline_f64
#include "../simd/generic.h"
#include "../kernels/all.h"
