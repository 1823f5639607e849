/* Dropout: each number is left out with probability p, and divided by 1 - p otherwise (Srivastava et al. 2014), by random
 * numbers that do not depend on the instruction set. */

/* n factors, 0 or 1 / (1 - p), each from half of 64 bits of the stream. */
static void dropout_factors(size_t n, double p, uint64_t stream, real *factors)
{
    const uint32_t below = (uint32_t)(p * 0x1p32);
    const real kept = (real)(1 / (1 - p));
    for (size_t i = 0; i < n; i += 2) {
        const uint64_t bits = random_bits(stream, i / 2);
        factors[i] = (uint32_t)bits < below ? 0 : kept;
        if (i + 1 < n) {
            factors[i + 1] = (uint32_t)(bits >> 32) < below ? 0 : kept;
        }
    }
}
