/* What this machine can do at most with this instruction set and dtype, to hold the other kernels' times against. */

/* The sum of n registers, for the work that made them not to be left out. */
INLINE real sum_of(const size_t n, const vec *registers)
{
    vec sum = registers[0];
    UNROLL for (size_t c = 1; c < n; c++) {
        sum = vec_add(sum, registers[c]);
    }
    return vec_reduce_add(sum);
}

/* Sums that wait for none of each other: enough for two to begin in each cycle, and so few that they stay in registers,
 * 32 of which are there with tall tiles and 16 otherwise. */
#define CHAINS (TILE_ROWS >= 8 ? 16 : 12)

/* `rounds` times CHAINS multiply-adds on whole registers: returns how many numbers were multiplied and added. */
static size_t ceiling_fma(size_t rounds, real *result)
{
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
    *result = sum_of(CHAINS, sums);
    return rounds * CHAINS * VEC_LANES;
}

/* What is done to memory goes through it to and fro, a group of registers at a time: so where it exceeds a cache, what
 * was used last is still there. */
#define GROUP_VECS CHAINS
#define GROUP (GROUP_VECS * VEC_LANES)

/* Group i of n numbers in this round; the last group, if it is not whole, is left out. */
INLINE real *group_at(size_t round, size_t n, size_t i, real *x)
{
    const size_t groups = n / GROUP;
    return x + GROUP * (round % 2 ? groups - 1 - i : i);
}

/* `rounds` times x (n) is loaded. */
static real ceiling_load(size_t rounds, size_t n, real *x)
{
    vec sums[GROUP_VECS];
    UNROLL for (size_t c = 0; c < GROUP_VECS; c++) {
        sums[c] = vec_set1(0);
    }
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n / GROUP; i++) {
            const real *group = group_at(round, n, i, x);
            UNROLL for (size_t c = 0; c < GROUP_VECS; c++) {
                sums[c] = vec_add(sums[c], vec_load(group + c * VEC_LANES));
            }
        }
    }
    return sum_of(GROUP_VECS, sums);
}

/* ... and each number multiplied and added, as in the product of a matrix and one vector. */
static real ceiling_load_fma(size_t rounds, size_t n, real *x)
{
    vec sums[GROUP_VECS];
    UNROLL for (size_t c = 0; c < GROUP_VECS; c++) {
        sums[c] = vec_set1(0);
    }
    const vec a = vec_set1((real)0.5);
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n / GROUP; i++) {
            const real *group = group_at(round, n, i, x);
            UNROLL for (size_t c = 0; c < GROUP_VECS; c++) {
                sums[c] = vec_fma(vec_load(group + c * VEC_LANES), a, sums[c]);
            }
        }
    }
    return sum_of(GROUP_VECS, sums);
}

/* ... and each number changed and put back, as by an optimizer. */
static real ceiling_update(size_t rounds, size_t n, real *x)
{
    const vec a = vec_set1((real)0.5), b = vec_set1((real)0.25);
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n / GROUP; i++) {
            real *group = group_at(round, n, i, x);
            UNROLL for (size_t c = 0; c < GROUP_VECS; c++) {
                vec_store(group + c * VEC_LANES, vec_fma(vec_load(group + c * VEC_LANES), a, b));
            }
        }
    }
    return n > 0 ? x[0] : 0;
}

/* Returns how many numbers were gone through. */
static size_t ceiling_memory(fastrnn_ceiling ceiling, size_t rounds, size_t n, real *x, real *result)
{
    switch (ceiling) {
    case FASTRNN_CEILING_LOAD:
        *result = ceiling_load(rounds, n, x);
        break;
    case FASTRNN_CEILING_LOAD_FMA:
        *result = ceiling_load_fma(rounds, n, x);
        break;
    case FASTRNN_CEILING_UPDATE:
        *result = ceiling_update(rounds, n, x);
        break;
    }
    return rounds * (n / GROUP) * GROUP;
}

/* `rounds` steps of a network of one register of units, one after the other: there is nothing but what a step waits
 * for. A product takes the state before number by number, so this goes through memory; it is multiplied and added;
 * tanh makes the next state of it, or, backward, the gradient is multiplied by tanh'. */
static void ceiling_wait(bool backward, size_t rounds, real *result)
{
    const vec w = vec_set1((real)0.5), b = vec_set1((real)0.25);
    real state[VEC_LANES] = {0};
    for (size_t i = 0; i < rounds; i++) {
        const real last = *(volatile real *)&state[VEC_LANES - 1]; /* from memory, whatever the compiler knows */
        const vec a = vec_fma(vec_set1(last), w, b);
        vec_store(state, backward ? vec_mul(a, w) : vec_tanh(a));
    }
    *result = state[VEC_LANES - 1];
}
