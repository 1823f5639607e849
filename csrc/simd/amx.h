/* A matrix unit: Intel's AMX, which multiplies tiles of bfloat16 numbers and sums in float32, sixteen times as many
 * products in the same time as AVX-512. float32 matrices go through it in slices.
 *
 * A bfloat16 number is the upper half of a float32 number and has 8 significant bits, so that a float32 number, which
 * has 24, is the sum of three of them, exactly: x rounded, what that leaves of it rounded, and the rest. Of the nine
 * products of the slices of two numbers the six largest are taken; the others together are about 2^-24 of x y at most,
 * what rounding it to float32 may take away. That holds for numbers below 2^64, whose slices and products are finite,
 * and above 2^-110: of smaller ones the unit takes the smallest slices for zero, as it does with all subnormal numbers.
 *
 * Source: Henry, Tang, Heinecke, "Leveraging the bfloat16 artificial intelligence datatype for higher-precision
 * computations", 2019. */

/* Sixteen numbers' slices, in the upper halves of 32 bits each. The lower halves are no part of them. */
typedef struct {
    __m512i of[SLICES];
} sixteen_slices;

INLINE __m512i round_to_slice(vec x)
{
    const __m512i half_up = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
    return _mm512_and_si512(half_up, _mm512_set1_epi32((int)0xffff0000));
}

INLINE sixteen_slices slices_of(vec x)
{
    sixteen_slices slices;
    UNROLL for (size_t s = 0; s + 1 < SLICES; s++) {
        slices.of[s] = round_to_slice(x);
        x = vec_sub(x, _mm512_castsi512_ps(slices.of[s]));
    }
    slices.of[SLICES - 1] = _mm512_castps_si512(x); /* has no bits left below */
    return slices;
}

/* 32 terms of row i of a left factor into its tiles. */
INLINE void slice_row(vec first, vec second, size_t i, slice_tile tiles[SLICES])
{
    const __m512i upper_halves = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33,
                                                  31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    const sixteen_slices a = slices_of(first), b = slices_of(second);
    UNROLL for (size_t s = 0; s < SLICES; s++) {
        _mm512_store_si512(tiles[s].numbers[i], _mm512_permutex2var_epi16(a.of[s], upper_halves, b.of[s]));
    }
}

/* Pair i of terms of a right factor, 16 columns of either, into its tiles, which are two apart. */
INLINE void slice_pair(vec first, vec second, size_t i, slice_tile tiles[2 * SLICES])
{
    const sixteen_slices a = slices_of(first), b = slices_of(second);
    UNROLL for (size_t s = 0; s < SLICES; s++) {
        const __m512i lower_halves = _mm512_srli_epi32(a.of[s], 16);
        _mm512_store_si512(tiles[2 * s].numbers[i], _mm512_mask_blend_epi16(0xaaaaaaaa, lower_halves, b.of[s]));
    }
}

/* The largest of absolute values, as twice the integers that their bits are: those of NaN are above all. */
typedef __m512i largest_bits;

INLINE largest_bits larger_bits(largest_bits largest, vec x)
{
    const __m512i bits = _mm512_castps_si512(x);
    return _mm512_max_epu32(largest, _mm512_add_epi32(bits, bits));
}

/* All of them were below 2^64. */
INLINE bool are_sliceable(largest_bits largest)
{
    const uint32_t exponent = 127 + 64;
    return _mm512_cmpge_epu32_mask(largest, _mm512_set1_epi32((int)(exponent << 24))) == 0;
}

/* Eight tiles of 16 rows of 64 bytes. */
static void matrix_unit_begin(void)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shapes = {.palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&shapes);
}

/* From here on the operating system has no tiles to save. */
static void matrix_unit_end(void)
{
    _tile_release();
}

/* Tiles 0 to 3 hold sums, two by two; 4 and 5 are of the left factor, 6 and 7 of the right one. How many there are
 * of both is what `rows` and `columns` say, one or two, constants wherever this is used. verb(sum, left, right, i,
 * j) */
#define EACH_SUM(verb)              \
    do {                            \
        verb(0, 4, 6, 0, 0);        \
        if (columns == 2) {         \
            verb(1, 4, 7, 0, 1);    \
        }                           \
        if (rows == 2) {            \
            verb(2, 5, 6, 1, 0);    \
            if (columns == 2) {     \
                verb(3, 5, 7, 1, 1); \
            }                       \
        }                           \
    } while (0)

#define SUM_OF_NOTHING(sum, left, right, i, j) _tile_zero(sum)
#define SUM_LOAD(sum, left, right, i, j) \
    _tile_loadd(sum, from + (i) * TILE_SIDE * from_row + (j) * TILE_SIDE, from_row * sizeof(real))
#define SUM_STORE(sum, left, right, i, j) \
    _tile_stored(sum, C + (i) * TILE_SIDE * C_row + (j) * TILE_SIDE, C_row * sizeof(real))
#define SUM_ADD_PRODUCT(sum, left, right, i, j) _tile_dpbf16ps(sum, left, right)

#define LOAD_LEFT(slice)                           \
    do {                                           \
        _tile_loadd(4, A + (slice), 64);           \
        if (rows == 2) {                           \
            _tile_loadd(5, A + A_row + (slice), 64); \
        }                                          \
    } while (0)

#define LOAD_RIGHT(slice)                            \
    do {                                             \
        _tile_loadd(6, B + 2 * (slice), 64);         \
        if (columns == 2) {                          \
            _tile_loadd(7, B + 2 * (slice) + 1, 64); \
        }                                            \
    } while (0)

/* C = from + A B, or A B, `rows` by `columns` tiles of C. A has SLICES tiles for each block of 32 terms, and A_row
 * tiles on the same for the next rows; B has 2 SLICES tiles for each block. */
INLINE void multiply_slices(const size_t rows, const size_t columns, size_t blocks, const slice_tile *A, size_t A_row,
                            const slice_tile *B, const real *from, size_t from_row, real *C, size_t C_row)
{
    __asm__ volatile("" ::: "memory"); /* gcc doesn't know that _tile_loadd reads memory: what is to be read is there now */
    if (from == NULL) {
        EACH_SUM(SUM_OF_NOTHING);
    } else {
        EACH_SUM(SUM_LOAD);
    }
    for (size_t block = 0; block < blocks; block++, A += SLICES, B += 2 * SLICES) {
        LOAD_LEFT(0);
        LOAD_RIGHT(2);
        EACH_SUM(SUM_ADD_PRODUCT);
        LOAD_RIGHT(1);
        EACH_SUM(SUM_ADD_PRODUCT);
        LOAD_LEFT(1);
        EACH_SUM(SUM_ADD_PRODUCT);
        LOAD_RIGHT(0);
        EACH_SUM(SUM_ADD_PRODUCT);
        LOAD_LEFT(2);
        EACH_SUM(SUM_ADD_PRODUCT);
        LOAD_LEFT(0);
        EACH_SUM(SUM_ADD_PRODUCT);
    }
    EACH_SUM(SUM_STORE);
}

#undef EACH_SUM
#undef SUM_OF_NOTHING
#undef SUM_LOAD
#undef SUM_STORE
#undef SUM_ADD_PRODUCT
#undef LOAD_LEFT
#undef LOAD_RIGHT
