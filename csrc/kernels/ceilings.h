/* What this machine can do at most with this instruction set and dtype, to hold the other kernels' times against. */

/* `rounds` times 16 independent multiply-adds on whole registers: returns how many numbers were multiplied and added. */
static size_t ceiling_fma(size_t rounds, real *result)
{
    enum { CHAINS = 16 };
    vec sums[CHAINS];
    UNROLL for (size_t c = 0; c < CHAINS; c++) {
        sums[c] = vec_set1((real)c);
    }
    const vec a = vec_set1((real)0.5), b = vec_set1((real)0.25);
    for (size_t i = 0; i < rounds; i++) {
        UNROLL for (size_t c = 0; c < CHAINS; c++) {
            sums[c] = vec_fma(sums[c], a, b);
        }
    }
    UNROLL for (size_t c = 1; c < CHAINS; c++) {
        sums[0] = vec_add(sums[0], sums[c]);
    }
    *result = vec_reduce_add(sums[0]); /* for the work not to be left out */
    return rounds * CHAINS * VEC_LANES;
}

/* Reads the n numbers of x `rounds` times, to and fro, in whole groups of 8 registers: returns how many were read. */
static size_t ceiling_load(size_t rounds, size_t n, const real *x, real *result)
{
    enum { CHAINS = 8 };
    vec sums[CHAINS];
    UNROLL for (size_t c = 0; c < CHAINS; c++) {
        sums[c] = vec_set1(0);
    }
    const size_t group = CHAINS * VEC_LANES, whole = n / group * group;
    for (size_t i = 0; i < rounds; i++) {
        for (size_t k = 0; k < whole; k += group) {
            const size_t j = i % 2 ? whole - group - k : k;
            UNROLL for (size_t c = 0; c < CHAINS; c++) {
                sums[c] = vec_add(sums[c], vec_load(x + j + c * VEC_LANES));
            }
        }
    }
    UNROLL for (size_t c = 1; c < CHAINS; c++) {
        sums[0] = vec_add(sums[0], sums[c]);
    }
    *result = vec_reduce_add(sums[0]);
    return rounds * whole;
}
