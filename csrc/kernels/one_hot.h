/* 1-of-V inputs, never materialised: W x is a column of W, here a row of W^T to add, and the gradient with respect to W
 * is a row of d's added to the row of its character. */

/* Rows of a (N, row) become bias + the row of `table` that belongs to their character, `width` numbers of it; the rest
 * of the bias follows. */
static void one_hot_forward(size_t N, const int64_t *indices, const real *table, size_t table_row, size_t width,
                            const real *bias, size_t bias_width, real *a, size_t row)
{
    for (size_t n = 0; n < N; n++) {
        const real *column = table + (size_t)indices[n] * table_row;
        real *to = a + n * row;
        for (size_t j = 0; j < width; j += VEC_LANES) {
            vec_store(to + j, vec_add(vec_load(column + j), vec_load(bias + j)));
        }
        memcpy(to + width, bias + width, (bias_width - width) * sizeof(real));
    }
}

/* occurs (V): which of V characters are among the indices. */
static void find_occurring(size_t N, size_t V, const int64_t *indices, bool *occurs)
{
    memset(occurs, 0, V * sizeof(bool));
    for (size_t n = 0; n < N; n++) {
        occurs[indices[n]] = true;
    }
}

/* The sums of the rows of d (N, row) that belong to each of V characters, `width` numbers each, in `table`; occurs (V)
 * says which characters there are. The rows of the others are left as they are. */
static void one_hot_backward(size_t N, size_t V, const int64_t *indices, const real *d, size_t row, size_t width,
                             real *table, size_t table_row, bool *occurs)
{
    memset(occurs, 0, V * sizeof(bool));
    for (size_t n = 0; n < N; n++) {
        const real *from = d + n * row;
        real *to = table + (size_t)indices[n] * table_row;
        for (size_t j = 0; j < width; j += VEC_LANES) {
            vec before = occurs[indices[n]] ? vec_load(to + j) : vec_set1(0);
            vec_store(to + j, vec_add(before, vec_load(from + j)));
        }
        occurs[indices[n]] = true;
    }
}

/* With few rows and many characters it is less work to take single columns from W (G H, V) than to transpose W. */
static bool few_columns(size_t N, size_t V)
{
    return N < V / 16;
}
