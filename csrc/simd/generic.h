/* The verbs in the vector extensions of gcc and clang, 128 bits wide: any processor, nothing assumed. */
#include "lanes.h"

typedef real vec __attribute__((vector_size(VEC_BITS / 8)));
typedef real_bits vec_bits __attribute__((vector_size(VEC_BITS / 8)));

#include "inverse_root.h"

#define TILE_ROWS 4
#define TILE_VECS 2 /* 4 rows x 2 vectors of sums: 16 registers also hold the product before it is added */
#define PIECE_VECS 1 /* larger ones are 4 to 7 % slower where nothing waits for memory */

INLINE vec vec_set1(real x)
{
    return x - (vec){0}; /* a scalar operand is spread over the lanes; x - 0 is x, also for x = -0 */
}

INLINE vec vec_load(const real *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void vec_store(real *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

INLINE vec vec_load_head(const real *p, size_t n)
{
    vec v = vec_set1(0);
    for (size_t i = 0; i < n; i++) {
        v[VEC_LANES - n + i] = p[i];
    }
    return v;
}

INLINE vec vec_load_tail(const real *p, size_t n, real fill)
{
    vec v = vec_set1(fill);
    for (size_t i = 0; i < n; i++) {
        v[i] = p[i];
    }
    return v;
}

INLINE void vec_store_tail(real *p, size_t n, vec v)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = v[i];
    }
}

INLINE vec vec_add(vec a, vec b) { return a + b; }
INLINE vec vec_sub(vec a, vec b) { return a - b; }
INLINE vec vec_mul(vec a, vec b) { return a * b; }
INLINE vec vec_div(vec a, vec b) { return a / b; }
INLINE vec vec_quotient(vec a, vec b) { return a / b; }
INLINE vec vec_fma(vec a, vec b, vec c) { return a * b + c; } /* rounded twice: the baseline has no fused one */

INLINE vec vec_sqrt(vec a)
{
    for (int i = 0; i < VEC_LANES; i++) {
        a[i] = REAL_BITS == 64 ? (real)sqrt((double)a[i]) : (real)sqrtf((float)a[i]);
    }
    return a;
}

INLINE inverse_root vec_rsqrt(vec a) { return (inverse_root){1 / vec_sqrt(a), vec_set1(0)}; }

INLINE vec vec_blend(vec_bits mask, vec a, vec b)
{
    return (vec)((mask & (vec_bits)a) | (~mask & (vec_bits)b));
}

INLINE vec vec_select_less(vec a, vec b, vec then, vec otherwise) { return vec_blend(a < b, then, otherwise); }
INLINE vec vec_min(vec a, vec b) { return vec_blend(a < b, a, b); }
INLINE vec vec_max(vec a, vec b) { return vec_blend(a > b, a, b); }
INLINE vec vec_copysign(vec a, vec sign) { return vec_blend((vec_bits)vec_set1((real)-0.0), sign, a); }
INLINE vec vec_abs(vec a) { return vec_copysign(a, vec_set1(0)); }
INLINE vec vec_shift_to_exponent(vec a) { return (vec)((vec_bits)a << REAL_MANTISSA_BITS); }

INLINE real vec_reduce_add(vec a)
{
    real low = 0, high = 0;
    for (int i = 0; i < VEC_LANES / 2; i++) {
        low += a[i];
        high += a[i + VEC_LANES / 2];
    }
    return low + high;
}

INLINE real vec_reduce_max(vec a)
{
    real m = a[0];
    for (int i = 1; i < VEC_LANES; i++) {
        m = m > a[i] ? m : a[i];
    }
    return m;
}

INLINE vec vec_zip(vec a, vec b, int from)
{
    vec z = a; /* all of it is overwritten; some compilers do not see that */
    for (int i = 0; i < VEC_LANES / 2; i++) {
        z[2 * i] = a[from + i];
        z[2 * i + 1] = b[from + i];
    }
    return z;
}

INLINE vec vec_zip_low(vec a, vec b) { return vec_zip(a, b, 0); }
INLINE vec vec_zip_high(vec a, vec b) { return vec_zip(a, b, VEC_LANES / 2); }
