/* The element type of this translation unit, and what follows from it. Each of generic.h, x86.h and neon.h includes
 * this first and then defines the same verbs over `vec`, a register of VEC_LANES reals:
 *
 *     vec_set1 vec_load vec_store vec_load_head vec_load_tail vec_store_tail
 *     vec_add vec_sub vec_mul vec_div vec_quotient vec_fma vec_sqrt vec_rsqrt vec_min vec_max vec_abs vec_copysign
 *     vec_select_less vec_shift_to_exponent vec_reduce_add vec_reduce_max vec_zip_low vec_zip_high
 *
 * Loads and stores need no alignment. A tail is the first n lanes, 1 <= n < VEC_LANES: memory past them is neither
 * read nor written, and the lanes that are not loaded hold `fill`. A head is the last n lanes, from the n numbers at p:
 * memory before those is not read, and the other lanes hold 0. vec_min and vec_max return their second operand where
 * either is NaN, so that vec_min(limit, x) lets a NaN in x through. vec_rsqrt is 1 / sqrt(x) within 2 ulp for normal
 * x > 0, in two parts (inverse_root.h), vec_sqrt is sqrt(x) within 3 ulp for normal x >= 0, infinity and NaN,
 * vec_quotient is a / b within 2 ulp for 1 <= b < 2^64. vec_zip_low is a0 b0 a1 b1 ... of the lower halves of the
 * registers, vec_zip_high of the upper ones. Of 16 lanes there are also vec_join_low, the lower halves of two registers side
 * by side, and vec_join_high.
 *
 * What fits the registers is there too: TILE_ROWS and TILE_VECS (tile.h), PIECE_VECS (matvec.h). */
#ifndef FASTRNN_SIMD_LANES_H
#define FASTRNN_SIMD_LANES_H

#if REAL_BITS == 64
typedef double real;
typedef int64_t real_bits;
#define TYPED(name) name##_f64
#define REAL_MANTISSA_BITS 52
#define REAL_EXPONENT_BIAS 1023
#define REAL_LARGEST DBL_MAX
#define REAL_SMALLEST_NORMAL DBL_MIN
#else
typedef float real;
typedef int32_t real_bits;
#define TYPED(name) name##_f32
#define REAL_MANTISSA_BITS 23
#define REAL_EXPONENT_BIAS 127
#define REAL_LARGEST FLT_MAX
#define REAL_SMALLEST_NORMAL FLT_MIN
#endif

#define VEC_LANES (VEC_BITS / REAL_BITS)
#define UNROLL _Pragma("GCC unroll 16") /* before a loop of constant length; clang knows it too */
#define INLINE static inline __attribute__((always_inline))

#endif
