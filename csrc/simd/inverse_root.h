/* What vec_rsqrt returns: 1 / sqrt(x) = estimate (1 + error / 2). Who multiplies by it saves the operations that would put
 * it together. */
typedef struct {
    vec estimate, error;
} inverse_root;
