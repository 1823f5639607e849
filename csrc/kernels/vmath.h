/* exp, tanh and sigmoid on a register, within 4 ulp over the whole range.
 *
 * All three rest on one reduction, x = n ln 2 + r with n integral and |r| <= ln 2 / 2, and on the Taylor series of
 * e^r - 1, whose first neglected term is below half an ulp of r there:
 *     float64, through r^13 / 13!:  0.3466^13 / 14! = 1.2e-17 < 2^-54
 *     float32, through r^7 / 7!:    0.3466^7 / 8!   = 1.5e-8  < 2^-25
 * Nothing needs a fused multiply-add to be right, so the baseline passes the same bounds. */

#if REAL_BITS == 64
#define EXP_LARGEST 710.0   /* e^709.8 overflows; beyond that the result is infinity in any case */
#define EXP_SMALLEST -746.0 /* e^-745.14 is half the least subnormal number */
#define EXP_SMALLEST_NORMAL -708.0 /* e^-708.4 is the least normal number */
#define TANH_LARGEST 20.0   /* 1 - tanh(20) = 8.5e-18, less than half an ulp of 1 */
#define LN2_HIGH 0x1.62e42fefa38p-1   /* ln 2 cut to 42 bits, so that n * LN2_HIGH is exact for |n| < 2^11 */
#define LN2_LOW 0x1.ef35793c7673p-45  /* ln 2 - LN2_HIGH */
#else
#define EXP_LARGEST 89.0f
#define EXP_SMALLEST -105.0f
#define EXP_SMALLEST_NORMAL -87.0f
#define TANH_LARGEST 10.0f
#define LN2_HIGH 0x1.62ep-1f          /* ln 2 cut to 12 bits, exact for |n| < 2^12 */
#define LN2_LOW 0x1.0bfbe8p-15f
#endif
#define LOG2_E ((real)1.4426950408889634074)

/* A number that leaves no bit for a fraction when it is added. */
#define ROUNDING ((real)1.5 * (real)((int64_t)1 << REAL_MANTISSA_BITS))

/* x rounded to the nearest integer, for |x| < 2^(REAL_MANTISSA_BITS - 2). */
INLINE vec vec_round(vec x)
{
    vec magic = vec_set1(ROUNDING);
    return vec_sub(vec_add(x, magic), magic);
}

/* 2^n for integral n, -REAL_EXPONENT_BIAS < n <= REAL_EXPONENT_BIAS: after the addition the low bits of the number
 * are n + bias, and a shift moves them into the exponent's place. */
INLINE vec vec_power_of_2(vec n)
{
    vec magic = vec_set1(ROUNDING + REAL_EXPONENT_BIAS);
    return vec_shift_to_exponent(vec_add(n, magic));
}

/* x 2^n for integral n down to two times the least exponent, rounded once. Without an instruction for it, 2^n is applied
 * as two factors, because 2^n alone may be zero or infinite: the first product is normal, the second rounds. */
INLINE vec vec_scale(vec x, vec n)
{
#ifdef VEC_SCALE
    return VEC_SCALE(x, n);
#else
    vec half = vec_round(vec_mul(n, vec_set1((real)0.5)));
    return vec_mul(vec_mul(x, vec_power_of_2(half)), vec_power_of_2(vec_sub(n, half)));
#endif
}

typedef struct {
    vec n;        /* x = n ln 2 + r */
    vec expm1_r;  /* e^r - 1 */
} reduced_exp;

/* a + b x. From such pairs and the powers of x^2 a polynomial has fewer operations that wait for each other than from its
 * last coefficient on: one register of a small network is all that there is to do meanwhile. */
INLINE vec pair(real a, real b, vec x)
{
    return vec_fma(vec_set1(b), x, vec_set1(a));
}

INLINE reduced_exp reduce_exp(vec x)
{
    const vec magic = vec_set1(ROUNDING);
    const vec n = vec_sub(vec_fma(x, vec_set1(LOG2_E), magic), magic); /* as vec_round */
    const vec r = vec_fma(n, vec_set1(-LN2_LOW), vec_fma(n, vec_set1(-LN2_HIGH), x)), r2 = vec_mul(r, r);
    /* e^r - 1 = r + r^2 q(r),  q(r) = 1/2! + r/3! + r^2/4! + ... */
    const vec q01 = pair((real)0.5, (real)(1.0 / 6), r), q23 = pair((real)(1.0 / 24), (real)(1.0 / 120), r);
    vec q45 = pair((real)(1.0 / 720), (real)(1.0 / 5040), r);
#if REAL_BITS == 64
    const vec r4 = vec_mul(r2, r2);
    const vec q67 = pair(1.0 / 40320, 1.0 / 362880, r), q89 = pair(1.0 / 3628800, 1.0 / 39916800, r);
    const vec q1011 = pair(1.0 / 479001600, 1.0 / 6227020800, r);
    q45 = vec_fma(vec_fma(q1011, r2, q89), r4, vec_fma(q67, r2, q45));
    const vec q = vec_fma(q45, r4, vec_fma(q23, r2, q01));
#else
    const vec q = vec_fma(vec_fma(q45, r2, q23), r2, q01);
#endif
    return (reduced_exp){n, vec_fma(r2, q, r)};
}

INLINE vec vec_clamp(vec x, real low, real high)
{
    return vec_min(vec_set1(high), vec_max(vec_set1(low), x));
}

/* e^x = 2^n e^r for x from EXP_SMALLEST to EXP_LARGEST, where n reaches -1077 and 1024: the result may be subnormal or
 * infinite. */
INLINE vec vec_exp_within(vec x)
{
    reduced_exp e = reduce_exp(x);
    return vec_scale(vec_add(vec_set1(1), e.expm1_r), e.n);
}

INLINE vec vec_exp(vec x)
{
    return vec_exp_within(vec_clamp(x, EXP_SMALLEST, EXP_LARGEST));
}

/* tanh|x| = E / (E + 2) with E = e^{2|x|} - 1 = 2^n (e^r - 1) + (2^n - 1), which keeps every digit for small x. */
INLINE vec vec_tanh(vec x)
{
    vec magnitude = vec_min(vec_set1(TANH_LARGEST), vec_abs(x));
    reduced_exp e = reduce_exp(vec_add(magnitude, magnitude));
    vec scale = vec_power_of_2(e.n);
    vec E = vec_fma(scale, e.expm1_r, vec_sub(scale, vec_set1(1)));
    vec E_and_2 = vec_fma(scale, e.expm1_r, vec_add(scale, vec_set1(1)));
    return vec_copysign(vec_quotient(E, E_and_2), x);
}

/* sigmoid(x) = 1 / (1 + e^-x) = e^x / (1 + e^x), the one or the other so that e^-|x| never overflows and a very
 * negative x still gives its subnormal result. */
INLINE vec vec_sigmoid(vec x)
{
    vec e = vec_exp_within(vec_max(vec_set1(EXP_SMALLEST), vec_copysign(x, vec_set1(-1))));
    vec numerator = vec_select_less(x, vec_set1(0), e, vec_set1(1));
    return vec_quotient(numerator, vec_add(vec_set1(1), e));
}

/* ln(1 + x) for 0 <= x <= 1, = 2 artanh(s) with s = x / (2 + x) <= 1/3, = 2 s (1 + s^2/3 + s^4/5 + ...), which keeps
 * every digit of a small x. The first neglected term is below half an ulp:
 *     float64, through s^32 / 33:  9^-17 / 35 = 1.7e-18 < 2^-54
 *     float32, through s^14 / 15:  9^-8 / 17  = 1.4e-9  < 2^-25 */
INLINE vec vec_log1p(vec x)
{
    const vec s = vec_div(x, vec_add(vec_set1(2), x)), s2 = vec_mul(s, s);
    const int last = REAL_BITS == 64 ? 33 : 15;
    vec q = vec_set1((real)1 / (real)last);
    UNROLL for (int k = last - 2; k >= 1; k -= 2) {
        q = vec_fma(q, s2, vec_set1((real)1 / (real)k));
    }
    return vec_mul(vec_add(s, s), q);
}
