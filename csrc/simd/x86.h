/* The verbs on AVX2 with FMA (VEC_BITS 256) and on AVX-512 (VEC_BITS 512). What the two spell alike is written once;
 * they part where AVX-512 has masks in registers of their own. */
#include "lanes.h"

#define MM_JOIN(prefix, operation, suffix) prefix##operation##suffix
#define MM_EXPAND(prefix, operation, suffix) MM_JOIN(prefix, operation, suffix)
#if VEC_BITS == 512
#define MM_PREFIX _mm512_
#else
#define MM_PREFIX _mm256_
#endif
#if REAL_BITS == 64
#define MM_SUFFIX _pd
#else
#define MM_SUFFIX _ps
#endif
#define MM(operation) MM_EXPAND(MM_PREFIX, operation, MM_SUFFIX) /* MM(add) is _mm256_add_pd and its like */

#if VEC_BITS == 512 && REAL_BITS == 64
typedef __m512d vec;
#elif VEC_BITS == 512
typedef __m512 vec;
#elif REAL_BITS == 64
typedef __m256d vec;
#else
typedef __m256 vec;
#endif

#include "inverse_root.h"

#if VEC_BITS == 512
#define TILE_ROWS 9
#define TILE_VECS 3 /* 9 rows x 3 vectors of sums, 3 of the matrix, 1 broadcast: 31 of 32 registers */
#define PIECE_VECS 16
#else
#define TILE_ROWS 4
#define TILE_VECS 3 /* 4 rows x 3 vectors of sums, 3 of the matrix, 1 broadcast: 16 of 16 registers */
#define PIECE_VECS 8
#endif

INLINE vec vec_set1(real x) { return MM(set1)(x); }
INLINE vec vec_load(const real *p) { return MM(loadu)(p); }
INLINE void vec_store(real *p, vec v) { MM(storeu)(p, v); }
INLINE vec vec_add(vec a, vec b) { return MM(add)(a, b); }
INLINE vec vec_sub(vec a, vec b) { return MM(sub)(a, b); }
INLINE vec vec_mul(vec a, vec b) { return MM(mul)(a, b); }
INLINE vec vec_div(vec a, vec b) { return MM(div)(a, b); }
INLINE vec vec_fma(vec a, vec b, vec c) { return MM(fmadd)(a, b, c); }
INLINE vec vec_min(vec a, vec b) { return MM(min)(a, b); }
INLINE vec vec_max(vec a, vec b) { return MM(max)(a, b); }
INLINE vec vec_abs(vec a) { return MM(andnot)(vec_set1((real)-0.0), a); }

INLINE vec vec_copysign(vec a, vec sign)
{
    return MM(or)(vec_abs(a), MM(and)(vec_set1((real)-0.0), sign));
}

/* Better y for y = 1 / sqrt(x), from the series of 1 / sqrt(1 - e), e = 1 - x y^2: with its first term, a Newton step,
 * y has twice the good bits, with two terms three times. */
INLINE vec vec_rsqrt_error(vec x, vec y)
{
    return MM(fnmadd)(MM(mul)(x, y), y, vec_set1(1));
}

INLINE vec vec_rsqrt_refine(vec x, vec y)
{
    return vec_fma(vec_mul(y, vec_set1((real)0.5)), vec_rsqrt_error(x, y), y);
}

INLINE vec vec_rsqrt_refine_more(vec x, vec y)
{
    vec e = vec_rsqrt_error(x, y);
    return vec_fma(vec_mul(y, e), vec_fma(e, vec_set1((real)0.375), vec_set1((real)0.5)), y);
}

/* Better y for y = 1 / x, from the series of 1 / (1 - e), e = 1 - x y: twice the good bits, or three times. */
INLINE vec vec_reciprocal_refine(vec x, vec y)
{
    return vec_fma(y, MM(fnmadd)(x, y, vec_set1(1)), y);
}

INLINE vec vec_reciprocal_refine_more(vec x, vec y)
{
    vec e = MM(fnmadd)(x, y, vec_set1(1));
    return vec_fma(y, vec_fma(e, e, e), y);
}

#if VEC_BITS == 512

#if REAL_BITS == 64
typedef __mmask8 vec_mask;
INLINE vec vec_shift_to_exponent(vec a) { return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(a), 52)); }
#else
typedef __mmask16 vec_mask;
INLINE vec vec_shift_to_exponent(vec a) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23)); }
#endif

#define VEC_SCALE(x, n) MM(scalef)(x, n) /* x 2^n, see kernels/vmath.h */

INLINE vec_mask vec_first(size_t n) { return (vec_mask)((1u << n) - 1); }
INLINE vec vec_load_head(const real *p, size_t n)
{
    return MM(maskz_loadu)((vec_mask)~vec_first(VEC_LANES - n), p + n - VEC_LANES);
}

INLINE vec vec_load_tail(const real *p, size_t n, real fill) { return MM(mask_loadu)(vec_set1(fill), vec_first(n), p); }
INLINE void vec_store_tail(real *p, size_t n, vec v) { MM(mask_storeu)(p, vec_first(n), v); }
INLINE real vec_reduce_add(vec a) { return MM(reduce_add)(a); }
INLINE real vec_reduce_max(vec a) { return MM(reduce_max)(a); }

#if REAL_BITS == 64
/* 14 bits, 28, 56. */
INLINE vec vec_quotient(vec a, vec b)
{
    return vec_mul(a, vec_reciprocal_refine(b, vec_reciprocal_refine(b, _mm512_rcp14_pd(b))));
}

/* 14 bits, 28, 56. The estimate of an infinite x is 0, and stays so where x times it is not NaN. */
INLINE inverse_root vec_rsqrt(vec x)
{
    const vec finite = vec_min(vec_set1(REAL_LARGEST), x), y = vec_rsqrt_refine(finite, _mm512_rsqrt14_pd(x));
    return (inverse_root){y, vec_rsqrt_error(finite, y)};
}

INLINE vec vec_zip_low(vec a, vec b)
{
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b);
}

INLINE vec vec_zip_high(vec a, vec b)
{
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b);
}

INLINE vec vec_select_less(vec a, vec b, vec then, vec otherwise)
{
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_LT_OQ), otherwise, then);
}
#else
/* 14 bits, 28: the second step is not needed. */
INLINE vec vec_quotient(vec a, vec b)
{
    return vec_mul(a, vec_reciprocal_refine(b, _mm512_rcp14_ps(b)));
}

INLINE inverse_root vec_rsqrt(vec x)
{
    const vec y = _mm512_rsqrt14_ps(x);
    return (inverse_root){y, vec_rsqrt_error(vec_min(vec_set1(REAL_LARGEST), x), y)};
}

INLINE vec vec_zip_low(vec a, vec b)
{
    const __m512i order = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return _mm512_permutex2var_ps(a, order, b);
}

INLINE vec vec_zip_high(vec a, vec b)
{
    const __m512i order = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return _mm512_permutex2var_ps(a, order, b);
}

INLINE vec vec_join_low(vec a, vec b) { return _mm512_shuffle_f32x4(a, b, 0x44); }
INLINE vec vec_join_high(vec a, vec b) { return _mm512_shuffle_f32x4(a, b, 0xee); }

INLINE vec vec_select_less(vec a, vec b, vec then, vec otherwise)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), otherwise, then);
}
#endif

#else /* VEC_BITS == 256 */

#if REAL_BITS == 64
INLINE vec vec_shift_to_exponent(vec a) { return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a), 52)); }

INLINE __m256i vec_first(size_t n)
{
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)n), _mm256_setr_epi64x(0, 1, 2, 3));
}

INLINE __m256i vec_last(size_t n)
{
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)n), _mm256_setr_epi64x(3, 2, 1, 0));
}

INLINE __m128d vec_halves(__m256d a, __m128d (*combine)(__m128d, __m128d))
{
    __m128d half = combine(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return combine(half, _mm_unpackhi_pd(half, half));
}

INLINE __m128d add_halves(__m128d a, __m128d b) { return _mm_add_pd(a, b); }
INLINE __m128d max_halves(__m128d a, __m128d b) { return _mm_max_pd(a, b); }
INLINE real vec_reduce_add(vec a) { return _mm_cvtsd_f64(vec_halves(a, add_halves)); }
INLINE real vec_reduce_max(vec a) { return _mm_cvtsd_f64(vec_halves(a, max_halves)); }
#else
INLINE vec vec_shift_to_exponent(vec a) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 23)); }

INLINE __m256i vec_first(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE __m256i vec_last(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}

INLINE __m128 vec_halves(__m256 a, __m128 (*combine)(__m128, __m128))
{
    __m128 half = combine(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    half = combine(half, _mm_movehl_ps(half, half));
    return combine(half, _mm_movehdup_ps(half));
}

INLINE __m128 add_halves(__m128 a, __m128 b) { return _mm_add_ps(a, b); }
INLINE __m128 max_halves(__m128 a, __m128 b) { return _mm_max_ps(a, b); }
INLINE real vec_reduce_add(vec a) { return _mm_cvtss_f32(vec_halves(a, add_halves)); }
INLINE real vec_reduce_max(vec a) { return _mm_cvtss_f32(vec_halves(a, max_halves)); }
#endif

INLINE vec vec_select_less(vec a, vec b, vec then, vec otherwise)
{
    return MM(blendv)(otherwise, then, MM(cmp)(a, b, _CMP_LT_OQ));
}

#if REAL_BITS == 64
INLINE vec vec_quotient(vec a, vec b) { return vec_div(a, b); } /* there is no estimate to begin with */

/* From the halved exponent, 1/sqrt(x) within 3.5 % (the constant makes that error least), 1e-4, 3e-12, and exact. Of an
 * infinite x the estimate is not 0, and of a negative one not NaN, unless it is made so. */
INLINE inverse_root vec_rsqrt(vec x)
{
    const __m256i magic = _mm256_set1_epi64x(0x5fe6eb50c7b537a9);
    vec y = _mm256_castsi256_pd(_mm256_sub_epi64(magic, _mm256_srli_epi64(_mm256_castpd_si256(x), 1)));
    y = vec_rsqrt_refine_more(x, vec_rsqrt_refine_more(x, y));
    y = _mm256_blendv_pd(y, vec_set1(0), _mm256_cmp_pd(x, vec_set1(INFINITY), _CMP_EQ_OQ));
    y = _mm256_blendv_pd(y, vec_set1(NAN), _mm256_cmp_pd(x, vec_set1(0), _CMP_LT_OQ));
    return (inverse_root){y, vec_rsqrt_error(vec_min(vec_set1(REAL_LARGEST), x), y)};
}
#else
/* 12 bits, 36. */
INLINE vec vec_quotient(vec a, vec b)
{
    return vec_mul(a, vec_reciprocal_refine_more(b, _mm256_rcp_ps(b)));
}

INLINE inverse_root vec_rsqrt(vec x)
{
    const vec y = _mm256_rsqrt_ps(x), e = vec_rsqrt_error(vec_min(vec_set1(REAL_LARGEST), x), y);
    return (inverse_root){y, vec_fma(vec_mul(e, vec_set1((real)0.75)), e, e)};
}
#endif

/* Within each half of 128 bits unpacklo and unpackhi do the zip; then the halves are put in order. */
#if REAL_BITS == 64
INLINE vec vec_zip_low(vec a, vec b)
{
    return _mm256_permute2f128_pd(MM(unpacklo)(a, b), MM(unpackhi)(a, b), 0x20);
}

INLINE vec vec_zip_high(vec a, vec b)
{
    return _mm256_permute2f128_pd(MM(unpacklo)(a, b), MM(unpackhi)(a, b), 0x31);
}
#else
INLINE vec vec_zip_low(vec a, vec b)
{
    return _mm256_permute2f128_ps(MM(unpacklo)(a, b), MM(unpackhi)(a, b), 0x20);
}

INLINE vec vec_zip_high(vec a, vec b)
{
    return _mm256_permute2f128_ps(MM(unpacklo)(a, b), MM(unpackhi)(a, b), 0x31);
}
#endif

INLINE vec vec_load_head(const real *p, size_t n) { return MM(maskload)(p + n - VEC_LANES, vec_last(n)); }

INLINE vec vec_load_tail(const real *p, size_t n, real fill)
{
    vec loaded = MM(maskload)(p, vec_first(n));
    return fill == 0 ? loaded : MM(blendv)(vec_set1(fill), loaded, (vec)vec_first(n));
}

INLINE void vec_store_tail(real *p, size_t n, vec v) { MM(maskstore)(p, vec_first(n), v); }

#endif

#if VEC_BITS == 512
/* x / sqrt(x): the instruction takes longer here, in float64 three times, and elsewhere it does not. Of 0 this is 0 times
 * a finite number; infinity and NaN are their own roots. */
INLINE vec vec_sqrt(vec x)
{
    const inverse_root r = vec_rsqrt(vec_max(vec_set1(REAL_SMALLEST_NORMAL), x));
    const vec y = vec_mul(x, r.estimate), root = vec_fma(vec_mul(y, vec_set1((real)0.5)), r.error, y);
    return vec_select_less(x, vec_set1(INFINITY), root, x);
}
#else
INLINE vec vec_sqrt(vec x) { return MM(sqrt)(x); }
#endif
