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

/* Rows of n numbers, `row` apart in x and in y and one after the other in factors: y = factor x, and 0 after each row. */
static void drop_out(size_t rows, size_t n, const real *factors, const real *x, size_t row, real *y)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < n; j++) {
            y[i * row + j] = factors[i * n + j] * x[i * row + j];
        }
        memset(y + i * row + n, 0, (row - n) * sizeof(real));
    }
}
