/* What decoding does between its matrix products, on a CPU; compiled on first use (see __init__.py).
 *
 * Axes: N rows, H hidden numbers, D of one head, L positions, I inner numbers of the MLP.
 * Each kernel exists for float and for bfloat16 (as the upper half of a float); arithmetic is float32 in both.
 * Where transformers rounds to the model's format on the way, so do these, so that sampler and learner agree.
 */
#ifndef REAL /* first pass: what both formats share, then the file once for each */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 16
#define MOST_HEADS 16 /* query heads of one key head */
/* The call with G a constant for the usual numbers of heads. */
#define WITH_GROUP(group, call)                                                                                              \
    switch (group) {                                                                                                         \
    case 1: { enum { G = 1 }; call; break; }                                                                                 \
    case 2: { enum { G = 2 }; call; break; }                                                                                 \
    case 3: { enum { G = 3 }; call; break; }                                                                                 \
    case 4: { enum { G = 4 }; call; break; }                                                                                 \
    case 6: { enum { G = 6 }; call; break; }                                                                                 \
    case 7: { enum { G = 7 }; call; break; }                                                                                 \
    case 8: { enum { G = 8 }; call; break; }                                                                                 \
    default: { const int G = (int)(group); call; break; }                                                                    \
    }
typedef float vec __attribute__((vector_size(64)));
typedef int32_t ivec __attribute__((vector_size(64)));
typedef uint16_t hvec __attribute__((vector_size(32)));

static inline float sum(vec v) {
    float total = 0;
    for (int i = 0; i < WIDTH; i++) total += v[i];
    return total;
}

static inline float largest(vec v) {
    float found = v[0];
    for (int i = 1; i < WIDTH; i++) found = v[i] > found ? v[i] : found;
    return found;
}

static inline vec splat(float x) { return x - (vec){0}; }
static inline vec choose(ivec where, vec yes, vec no) { return (vec)((where & (ivec)yes) | (~where & (ivec)no)); }

/* exp(x) to 2 units in the last place for x <= 0: 2^k * p(r), |r| <= ln 2 / 2 (Cephes' polynomial). */
static inline vec exponential(vec x) {
    x = choose(x < splat(-87.0f), splat(-87.0f), x);
    vec scaled = x * splat(1.44269504f) - splat(0.5f); /* truncation rounds it to the nearest, x being negative */
    ivec k = __builtin_convertvector(scaled, ivec);
    vec whole = __builtin_convertvector(k, vec);
    vec r = x - whole * splat(0.693359375f) + whole * splat(2.12194440e-4f);
    vec p = splat(1.9875691500e-4f);
    p = p * r + splat(1.3981999507e-3f);
    p = p * r + splat(8.3334519073e-3f);
    p = p * r + splat(4.1665795894e-2f);
    p = p * r + splat(1.6666665459e-1f);
    p = p * r + splat(5.0000001201e-1f);
    p = p * r * r + r + splat(1.0f);
    ivec power = (k + 127) << 23;
    return p * (vec)power;
}

static inline vec load_float(const float *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void store_float(float *p, vec v) { memcpy(p, &v, sizeof v); }
static inline vec load_half(const uint16_t *p) {
    hvec v;
    memcpy(&v, p, sizeof v);
    return (vec)(__builtin_convertvector(v, ivec) << 16);
}
/* Round to nearest, ties to even; no NaN comes here that a finite model would make. */
static inline void store_half(uint16_t *p, vec v) {
    ivec bits = (ivec)v;
    bits += 0x7fff + ((bits >> 16) & 1);
    hvec out = __builtin_convertvector((bits >> 16) & 0xffff, hvec);
    memcpy(p, &out, sizeof out);
}
static inline vec rounded_float(vec v) { return v; }
static inline vec rounded_half(vec v) {
    ivec bits = (ivec)v;
    bits += 0x7fff + ((bits >> 16) & 1);
    return (vec)(bits & ~0xffff);
}

#define REAL float
#define NAME(x) x##_float
#define LOAD load_float
#define STORE store_float
#define ROUND rounded_float
#include "kernels.c"
#undef REAL
#undef NAME
#undef LOAD
#undef STORE
#undef ROUND
#define REAL uint16_t
#define NAME(x) x##_half
#define LOAD load_half
#define STORE store_half
#define ROUND rounded_half
#include "kernels.c"

#else

/* out = weight * round(x / rms(x)), for `outer` runs, `stride` numbers apart, of `inner` rows of H numbers. */
void NAME(rms_norm)(const REAL *x, const REAL *weight, REAL *out, int64_t outer, int64_t stride, int64_t inner,
                    int64_t H, float epsilon) {
#pragma omp parallel for schedule(static) if (outer * inner * H > 8192)
    for (int64_t row = 0; row < outer * inner; row++) {
        const REAL *from = x + row / inner * stride + row % inner * H;
        REAL *to = out + row / inner * stride + row % inner * H;
        vec squares = splat(0);
        for (int64_t i = 0; i < H; i += WIDTH) {
            vec v = LOAD(from + i);
            squares += v * v;
        }
        vec scale = splat(1.0f / sqrtf(sum(squares) / (float)H + epsilon));
        for (int64_t i = 0; i < H; i += WIDTH) STORE(to + i, LOAD(weight + i) * ROUND(LOAD(from + i) * scale));
    }
}

/* out [N, I] = silu(gate) * up, for gate_up [N, 2 I]. */
void NAME(silu_mul)(const REAL *gate_up, REAL *out, int64_t N, int64_t I) {
#pragma omp parallel for schedule(static) if (N * I > 8192)
    for (int64_t row = 0; row < N; row++) {
        const REAL *gate = gate_up + row * 2 * I, *up = gate + I;
        for (int64_t i = 0; i < I; i += WIDTH) {
            vec g = LOAD(gate + i), size = choose(g < splat(0), g, -g);
            vec e = exponential(size); /* sigmoid without overflow: e of minus |g| */
            vec sigmoid = choose(g < splat(0), e, splat(1.0f)) / (splat(1.0f) + e);
            STORE(out + row * I + i, ROUND(g * sigmoid) * LOAD(up + i));
        }
    }
}

/* Rotary embedding of one head in place: (a, b) -> (a cos - b sin, b cos + a sin) for the halves a and b. */
static inline void NAME(rotate)(REAL *head, const REAL *cos, const REAL *sin, int64_t D) {
    int64_t half = D / 2;
    for (int64_t i = 0; i < half; i += WIDTH) {
        vec a = LOAD(head + i), b = LOAD(head + half + i);
        vec first = ROUND(a * LOAD(cos + i)) - ROUND(b * LOAD(sin + i));
        vec second = ROUND(b * LOAD(cos + half + i)) + ROUND(a * LOAD(sin + half + i));
        STORE(head + i, first);
        STORE(head + half + i, second);
    }
}

/* Scores of `count` positions, rounded up to WIDTH, for `group` queries: [group][room].
 * keys [D, stride], so that positions lie side by side. With a constant group the sums stay in registers. */
static inline __attribute__((always_inline)) void NAME(scores)(const REAL *keys, int64_t stride, const float *query, int64_t D,
                                                               float *out, int64_t room, int64_t count, const int group) {
    for (int64_t t = 0; t < count; t += WIDTH) {
        vec found[MOST_HEADS];
        for (int h = 0; h < group; h++) found[h] = splat(0);
        for (int64_t d = 0; d < D; d++) {
            vec k = LOAD(keys + d * stride + t);
            for (int h = 0; h < group; h++) found[h] += k * splat(query[h * D + d]);
        }
        for (int h = 0; h < group; h++) store_float(out + h * room + t, found[h]);
    }
}

/* out [group, D] += weights [group][room] of `count` values [count, D]. */
static inline __attribute__((always_inline)) void NAME(mix)(const REAL *values, const float *weight, int64_t room, int64_t count,
                                                            float *out, int64_t D, const int group) {
    for (int64_t i = 0; i < D; i += WIDTH) {
        vec sums[MOST_HEADS];
        for (int h = 0; h < group; h++) sums[h] = load_float(out + h * D + i);
        for (int64_t t = 0; t < count; t++) {
            vec value = LOAD(values + t * D + i);
            for (int h = 0; h < group; h++) sums[h] += value * splat(weight[h * room + t]);
        }
        for (int h = 0; h < group; h++) store_float(out + h * D + i, sums[h]);
    }
}

/* Attention of one new token a row over its prompt and over its own earlier tokens, whose keys and values lie in blocks.
 *
 * qkv [N, (heads + 2 shared) D]: queries, keys, values; queries and keys are rotated here, keys and values kept.
 * prompt [N]: address of a row's prompt; of each layer keys [shared, D, padded], then values [shared, padded, D].
 * block [N, columns]: addresses of blocks of `size` positions, of the same form.
 * own [N]: positions already in the row's blocks. out [N, heads D].
 * shape: N, heads, shared, D, columns, size, most positions of a row, layer.
 */
void NAME(decode_attention)(REAL *qkv, const REAL *cos, const REAL *sin, const int64_t *prompt, const int64_t *prompt_length,
                            const int64_t *block, const int64_t *own, REAL *out, const int64_t *shape, float scale) {
    int64_t N = shape[0], heads = shape[1], shared = shape[2], D = shape[3], columns = shape[4], size = shape[5];
    int64_t group = heads / shared, width = (heads + 2 * shared) * D, longest = shape[6], layer = shape[7];
#pragma omp parallel
    {
        int64_t room = longest + 2 * WIDTH;
        float *buffer = aligned_alloc(64, (size_t)(group * (room + D) * 4 + 63) / 64 * 64);
        float *query = buffer, *weight = buffer + group * D;
#pragma omp for schedule(dynamic, 4)
        for (int64_t task = 0; task < N * shared; task++) {
            int64_t n = task / shared, s = task % shared, past = prompt_length[n], padded = (past + WIDTH - 1) / WIDTH * WIDTH;
            REAL *q = qkv + n * width + s * group * D, *k = qkv + n * width + (heads + s) * D, *v = k + shared * D;
            for (int64_t h = 0; h < group; h++) NAME(rotate)(q + h * D, cos + n * D, sin + n * D, D);
            NAME(rotate)(k, cos + n * D, sin + n * D, D);
            for (int64_t i = 0; i < group * D; i += WIDTH) store_float(query + i, LOAD(q + i) * splat(scale));
            const int64_t *mine = block + n * columns;
            int64_t below = layer * 2 * shared * size * D; /* numbers of the layers before this one */
            const REAL *held_prompt = (const REAL *)prompt[n] + layer * 2 * shared * padded * D;
            REAL *last = (REAL *)mine[own[n] / size] + below;
            REAL *last_key = last + s * D * size + own[n] % size, *last_value = last + (shared * size + s * size + own[n] % size) * D;
            for (int64_t d = 0; d < D; d++) last_key[d * size] = k[d];
            memcpy(last_value, v, (size_t)D * sizeof(REAL));

            /* scores: the prompt's positions, padded, then the row's own */
            WITH_GROUP(group, NAME(scores)(held_prompt + s * D * padded, padded, query, D, weight, room, padded, G))
            for (int64_t h = 0; h < group; h++)
                for (int64_t t = past; t < padded; t++) weight[h * room + t] = -INFINITY;
            int64_t count = own[n] + 1, end = padded + (count + WIDTH - 1) / WIDTH * WIDTH;
            for (int64_t t = 0; t < count; t += size) {
                const REAL *held = (const REAL *)mine[t / size] + below + s * D * size;
                int64_t here = count - t < size ? count - t : size;
                WITH_GROUP(group, NAME(scores)(held, size, query, D, weight + padded + t, room, here, G))
            }
            for (int64_t h = 0; h < group; h++)
                for (int64_t t = padded + count; t < end; t++) weight[h * room + t] = -INFINITY;

            for (int64_t h = 0; h < group; h++) { /* softmax */
                float *row = weight + h * room;
                vec top = splat(-INFINITY), total = splat(0);
                for (int64_t t = 0; t < end; t += WIDTH) {
                    vec w = load_float(row + t);
                    top = choose(w > top, w, top);
                }
                top = splat(largest(top));
                for (int64_t t = 0; t < end; t += WIDTH) {
                    vec w = load_float(row + t), e = exponential(w - top);
                    e = choose(w > splat(-INFINITY), e, splat(0));
                    total += e;
                    store_float(row + t, e);
                }
                vec share = splat(1.0f / sum(total));
                for (int64_t t = 0; t < end; t += WIDTH) store_float(row + t, load_float(row + t) * share);
            }

            float *mixed = query; /* no longer needed */
            memset(mixed, 0, (size_t)(group * D) * sizeof(float));
            WITH_GROUP(group, NAME(mix)(held_prompt + (shared + s) * padded * D, weight, room, past, mixed, D, G))
            for (int64_t t = 0; t < count; t += size) {
                const REAL *held = (const REAL *)mine[t / size] + below + (shared + s) * size * D;
                int64_t here = count - t < size ? count - t : size;
                WITH_GROUP(group, NAME(mix)(held, weight + padded + t, room, here, mixed, D, G))
            }
            REAL *to = out + n * heads * D + s * group * D;
            for (int64_t i = 0; i < group * D; i += WIDTH) STORE(to + i, load_float(mixed + i));
        }
        free(buffer);
    }
}

#endif
