/* The table of kernels that each translation unit of isa/ fills, and that dispatch.c chooses from. */
#ifndef FASTRNN_KERNELS_H
#define FASTRNN_KERNELS_H

#include <stdbool.h>

#include "../fastrnn.h"

#define FASTRNN_REAL float
#define FASTRNN_TYPED(name) name##_f32
#include "kernels_typed.h"
#undef FASTRNN_REAL
#undef FASTRNN_TYPED

#define FASTRNN_REAL double
#define FASTRNN_TYPED(name) name##_f64
#include "kernels_typed.h"
#undef FASTRNN_REAL
#undef FASTRNN_TYPED

typedef struct {
    const char *name;
    bool (*supported)(void);
    const fastrnn_kernel_table_f32 *f32;
    const fastrnn_kernel_table_f64 *f64;
    bool matrix_unit; /* the kernels are to use it */
} fastrnn_isa_kernels;

/* Of the chosen instruction set, once there is one. It changes no size of memory, and of results the rounding. */
bool fastrnn_matrix_unit_in_use(void);

extern const fastrnn_kernel_table_f32 fastrnn_kernels_baseline_f32, fastrnn_kernels_avx2_f32,
    fastrnn_kernels_avx512_f32, fastrnn_kernels_neon_f32;
extern const fastrnn_kernel_table_f64 fastrnn_kernels_baseline_f64, fastrnn_kernels_avx2_f64,
    fastrnn_kernels_avx512_f64, fastrnn_kernels_neon_f64;

#endif
