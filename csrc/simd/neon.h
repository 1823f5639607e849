/* The verbs on Advanced SIMD, 64-bit Arm. */
#include "lanes.h"

#define NEON_JOIN(operation, suffix) operation##suffix
#define NEON_EXPAND(operation, suffix) NEON_JOIN(operation, suffix)
#if REAL_BITS == 64
typedef float64x2_t vec;
typedef uint64x2_t vec_bits;
#define NEON(operation) NEON_EXPAND(operation, q_f64) /* NEON(vadd) is vaddq_f64 or vaddq_f32 */
#else
typedef float32x4_t vec;
typedef uint32x4_t vec_bits;
#define NEON(operation) NEON_EXPAND(operation, q_f32)
#endif

#include "inverse_root.h"

#define TILE_ROWS 8
#define TILE_VECS 3 /* 8 rows x 3 vectors of sums, 3 of the matrix, 1 broadcast: 28 of 32 registers */
#define PIECE_VECS 16

#if REAL_BITS == 64
INLINE vec vec_set1(real x) { return vdupq_n_f64(x); }
INLINE vec_bits vec_sign_bit(void) { return vdupq_n_u64(UINT64_C(1) << 63); }

INLINE vec vec_shift_to_exponent(vec a)
{
    return vreinterpretq_f64_u64(vshlq_n_u64(vreinterpretq_u64_f64(a), REAL_MANTISSA_BITS));
}
#else
INLINE vec vec_set1(real x) { return vdupq_n_f32(x); }
INLINE vec_bits vec_sign_bit(void) { return vdupq_n_u32(UINT32_C(1) << 31); }

INLINE vec vec_shift_to_exponent(vec a)
{
    return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(a), REAL_MANTISSA_BITS));
}
#endif

INLINE vec vec_load(const real *p) { return NEON(vld1)(p); }
INLINE void vec_store(real *p, vec v) { NEON(vst1)(p, v); }
INLINE vec vec_add(vec a, vec b) { return NEON(vadd)(a, b); }
INLINE vec vec_sub(vec a, vec b) { return NEON(vsub)(a, b); }
INLINE vec vec_mul(vec a, vec b) { return NEON(vmul)(a, b); }
INLINE vec vec_div(vec a, vec b) { return NEON(vdiv)(a, b); }
INLINE vec vec_quotient(vec a, vec b) { return vec_div(a, b); }
INLINE vec vec_fma(vec a, vec b, vec c) { return NEON(vfma)(c, a, b); }
INLINE vec vec_sqrt(vec a) { return NEON(vsqrt)(a); }
INLINE inverse_root vec_rsqrt(vec a) { return (inverse_root){NEON(vdiv)(vec_set1(1), vec_sqrt(a)), vec_set1(0)}; }
INLINE vec vec_abs(vec a) { return NEON(vabs)(a); }
INLINE vec vec_copysign(vec a, vec sign) { return NEON(vbsl)(vec_sign_bit(), sign, a); }
INLINE vec vec_select_less(vec a, vec b, vec then, vec otherwise) { return NEON(vbsl)(NEON(vclt)(a, b), then, otherwise); }
INLINE vec vec_min(vec a, vec b) { return NEON(vbsl)(NEON(vclt)(a, b), a, b); }
INLINE vec vec_max(vec a, vec b) { return NEON(vbsl)(NEON(vcgt)(a, b), a, b); }
INLINE vec vec_zip_low(vec a, vec b) { return NEON(vzip1)(a, b); }
INLINE vec vec_zip_high(vec a, vec b) { return NEON(vzip2)(a, b); }
INLINE real vec_reduce_add(vec a) { return NEON(vaddv)(a); }
INLINE real vec_reduce_max(vec a) { return NEON(vmaxv)(a); }

INLINE vec vec_load_head(const real *p, size_t n)
{
    real lanes[VEC_LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        lanes[VEC_LANES - n + i] = p[i];
    }
    return vec_load(lanes);
}

INLINE vec vec_load_tail(const real *p, size_t n, real fill)
{
    real lanes[VEC_LANES];
    for (size_t i = 0; i < VEC_LANES; i++) {
        lanes[i] = i < n ? p[i] : fill;
    }
    return vec_load(lanes);
}

INLINE void vec_store_tail(real *p, size_t n, vec v)
{
    real lanes[VEC_LANES];
    vec_store(lanes, v);
    for (size_t i = 0; i < n; i++) {
        p[i] = lanes[i];
    }
}
