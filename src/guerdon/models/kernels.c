/* What a Llama-like model does between its matrix products, on a CPU; compiled on first use (see kernels.py).
 *
 * Axes: N rows, T packed tokens, H hidden numbers, D of one head, L positions, I inner numbers of the MLP.
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

/* Gradients of rms_norm: dx [N, H], and of the weight, added to dweight [H] unless that is null. */
void NAME(rms_norm_backward)(const REAL *x, const REAL *weight, const REAL *grad, REAL *dx, float *dweight, int64_t N, int64_t H,
                             float epsilon) {
#pragma omp parallel
    {
        float *mine = aligned_alloc(64, (size_t)(H * 4 + 63) / 64 * 64);
        memset(mine, 0, (size_t)H * sizeof(float));
#pragma omp for schedule(static)
        for (int64_t row = 0; row < N; row++) {
            const REAL *from = x + row * H, *given = grad + row * H;
            vec squares = splat(0), along = splat(0);
            for (int64_t i = 0; i < H; i += WIDTH) {
                vec v = LOAD(from + i);
                squares += v * v;
                along += v * LOAD(given + i) * LOAD(weight + i);
            }
            float scale = 1.0f / sqrtf(sum(squares) / (float)H + epsilon);
            vec r = splat(scale), back = splat(sum(along) / (float)H * scale * scale * scale);
            for (int64_t i = 0; i < H; i += WIDTH) {
                vec v = LOAD(from + i), g = LOAD(given + i);
                STORE(dx + row * H + i, r * g * LOAD(weight + i) - back * v);
                store_float(mine + i, load_float(mine + i) + g * ROUND(v * r));
            }
        }
        if (dweight) {
#pragma omp critical
            for (int64_t i = 0; i < H; i++) dweight[i] += mine[i];
        }
        free(mine);
    }
}

/* 1 / (1 + exp(-x)) without overflow: from e = exp of minus |x|. */
#ifndef SIGMOID
#define SIGMOID
static inline vec sigmoid(vec x) {
    vec e = exponential(choose(x < splat(0), x, -x));
    return choose(x < splat(0), e, splat(1.0f)) / (splat(1.0f) + e);
}
#endif

/* out [N, I] = silu(gate) * up, for gate and up [N, I] whose rows are `stride` numbers apart. */
void NAME(silu_mul)(const REAL *gate, const REAL *up, REAL *out, int64_t N, int64_t I, int64_t stride) {
#pragma omp parallel for schedule(static) if (N * I > 8192)
    for (int64_t row = 0; row < N; row++)
        for (int64_t i = 0; i < I; i += WIDTH) {
            vec g = LOAD(gate + row * stride + i);
            STORE(out + row * I + i, ROUND(g * sigmoid(g)) * LOAD(up + row * stride + i));
        }
}

/* Gradients of silu_mul, all [N, I]. */
void NAME(silu_mul_backward)(const REAL *gate, const REAL *up, const REAL *grad, REAL *dgate, REAL *dup, int64_t N, int64_t I) {
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < N; row++)
        for (int64_t i = row * I; i < (row + 1) * I; i += WIDTH) {
            vec g = LOAD(gate + i), s = sigmoid(g), d = LOAD(grad + i);
            STORE(dup + i, d * ROUND(g * s));
            STORE(dgate + i, d * LOAD(up + i) * s * (splat(1.0f) + g * (splat(1.0f) - s)));
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

/* Attention over packed segments, forward and backward.
 *
 * Tokens lie one after the other; a segment sees the earlier tokens of itself and all of its prompt, which is a segment too.
 * segment [S, 4]: start, length, start and length of its prompt (0 for a prompt).
 * q [T, heads, D], k and v [T, shared, D], rotated; lse [T, heads]: log of the sum of exp of a query's scores.
 * Work is split by segment and key head. Eight query rows (of any head of the group) share every load of a key.
 */
#define ROWS 8

/* to [D, padded] = the segment's keys (or values) as columns: prompt, then itself; to_rows [L, D] the same as rows. */
static void NAME(gather)(const REAL *from, int64_t stride, const int64_t *segment, int64_t D, int64_t padded, float *to,
                         float *to_rows) {
    int64_t past = segment[3], total = past + segment[1];
    for (int64_t t = 0; t < total; t++) {
        const REAL *row = from + (t < past ? segment[2] + t : segment[0] + t - past) * stride;
        float *as_row = to_rows + t * D;
        for (int64_t i = 0; i < D; i += WIDTH) store_float(as_row + i, LOAD(row + i));
        for (int64_t i = 0; i < D; i++) to[i * padded + t] = as_row[i];
    }
    for (int64_t t = total; t < padded; t++)
        for (int64_t i = 0; i < D; i++) to[i * padded + t] = 0;
}

#ifndef TILES
#define TILES
/* out [ROWS, room] = rows [ROWS, D] times columns [D, padded], for the first `count` columns, rounded up to WIDTH. */
static void times_columns(const float *rows, const float *columns, int64_t padded, int64_t D, float *out, int64_t room, int64_t count) {
    for (int64_t t = 0; t < count; t += WIDTH) {
        vec found[ROWS];
        for (int r = 0; r < ROWS; r++) found[r] = splat(0);
        for (int64_t d = 0; d < D; d++) {
            vec c = load_float(columns + d * padded + t);
            for (int r = 0; r < ROWS; r++) found[r] += c * splat(rows[r * D + d]);
        }
        for (int r = 0; r < ROWS; r++) store_float(out + r * room + t, found[r]);
    }
}

/* out [ROWS, D] = weights [ROWS, room] times rows [count, D]. */
static void times_rows(const float *weights, int64_t room, const float *rows, int64_t count, float *out, int64_t D) {
    for (int64_t i = 0; i < D; i += WIDTH) {
        vec sums[ROWS];
        for (int r = 0; r < ROWS; r++) sums[r] = splat(0);
        for (int64_t t = 0; t < count; t++) {
            vec v = load_float(rows + t * D + i);
            for (int r = 0; r < ROWS; r++) sums[r] += v * splat(weights[r * room + t]);
        }
        for (int r = 0; r < ROWS; r++) store_float(out + r * D + i, sums[r]);
    }
}

/* to [count, D] += transposed weights [ROWS, room] times rows [ROWS, D]. */
static void add_outer(const float *weights, int64_t room, const float *rows, int64_t count, float *to, int64_t D) {
    for (int64_t i = 0; i < D; i += WIDTH) {
        vec row[ROWS];
        for (int r = 0; r < ROWS; r++) row[r] = load_float(rows + r * D + i);
        for (int64_t t = 0; t < count; t++) {
            vec v = load_float(to + t * D + i);
            for (int r = 0; r < ROWS; r++) v += row[r] * splat(weights[r * room + t]);
            store_float(to + t * D + i, v);
        }
    }
}
#endif

/* Rotary embedding of `heads` heads of each token; `back` turns the other way. */
void NAME(rotate_all)(const REAL *from, const REAL *cos, const REAL *sin, REAL *to, int64_t T, int64_t heads, int64_t D, int64_t back) {
    int64_t half = D / 2;
#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < T; t++)
        for (int64_t h = 0; h < heads; h++) {
            const REAL *x = from + (t * heads + h) * D, *c = cos + t * D, *s = sin + t * D;
            REAL *y = to + (t * heads + h) * D;
            for (int64_t i = 0; i < half; i += WIDTH) {
                vec a = LOAD(x + i), b = LOAD(x + half + i);
                vec c1 = LOAD(c + i), c2 = LOAD(c + half + i), s1 = LOAD(s + i), s2 = LOAD(s + half + i);
                vec first = back ? a * c1 + b * s2 : ROUND(a * c1) - ROUND(b * s1);
                vec second = back ? b * c2 - a * s1 : ROUND(b * c2) + ROUND(a * s2);
                STORE(y + i, first);
                STORE(y + half + i, second);
            }
        }
}

/* Rows of a tile: flat row f is query position f / group, head f % group. Copies them scaled; returns keys that the last sees. */
static inline int64_t NAME(tile)(const REAL *q, int64_t stride, const int64_t *segment, int64_t first, int64_t count, int64_t group,
                                 int64_t D, float scale, float *rows) {
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t i = 0; i < D; i += WIDTH) {
            const REAL *row = q + (segment[0] + (first + r) / group) * stride + (first + r) % group * D;
            store_float(rows + r * D + i, r < count ? LOAD(row + i) * splat(scale) : splat(0));
        }
    return segment[3] + (first + count - 1) / group + 1;
}

/* shape: S, heads, shared, D, longest segment with its prompt. out [T, heads, D]. */
void NAME(packed_attention)(const REAL *q, const REAL *k, const REAL *v, const int64_t *segment, REAL *out, float *lse,
                            const int64_t *shape, float scale) {
    int64_t S = shape[0], heads = shape[1], shared = shape[2], D = shape[3], room = (shape[4] + WIDTH - 1) / WIDTH * WIDTH;
    int64_t group = heads / shared;
#pragma omp parallel
    {
        size_t numbers = (size_t)(2 * room * D + room * D + ROWS * (2 * D + room));
        float *buffer = aligned_alloc(64, (numbers * 4 + 63) / 64 * 64);
        float *columns = buffer, *value_rows = columns + room * D, *unused = value_rows + room * D;
        float *rows = unused + room * D, *mixed = rows + ROWS * D, *weight = mixed + ROWS * D;
#pragma omp for schedule(dynamic, 1)
        for (int64_t task = 0; task < S * shared; task++) {
            const int64_t *mine = segment + task / shared * 4;
            int64_t s = task % shared, total = mine[1] * group, padded = (mine[1] + mine[3] + WIDTH - 1) / WIDTH * WIDTH;
            NAME(gather)(v + s * D, shared * D, mine, D, padded, columns, value_rows);
            NAME(gather)(k + s * D, shared * D, mine, D, padded, columns, unused);
            for (int64_t first = 0; first < total; first += ROWS) {
                int64_t count = total - first < ROWS ? total - first : ROWS;
                int64_t seen = NAME(tile)(q + s * group * D, heads * D, mine, first, count, group, D, scale, rows);
                times_columns(rows, columns, padded, D, weight, room, seen);
                for (int64_t r = 0; r < count; r++) {
                    float *row = weight + r * room;
                    int64_t own = mine[3] + (first + r) / group + 1, end = (seen + WIDTH - 1) / WIDTH * WIDTH;
                    for (int64_t t = own; t < end; t++) row[t] = -INFINITY;
                    vec top = splat(-INFINITY), all = splat(0);
                    for (int64_t t = 0; t < end; t += WIDTH) {
                        vec w = load_float(row + t);
                        top = choose(w > top, w, top);
                    }
                    float most = largest(top);
                    for (int64_t t = 0; t < end; t += WIDTH) {
                        vec w = load_float(row + t), e = exponential(w - splat(most));
                        e = choose(w > splat(-INFINITY), e, splat(0));
                        all += e;
                        store_float(row + t, e);
                    }
                    float whole = sum(all);
                    vec share = splat(1.0f / whole);
                    for (int64_t t = 0; t < end; t += WIDTH) store_float(row + t, load_float(row + t) * share);
                    lse[(mine[0] + (first + r) / group) * heads + s * group + (first + r) % group] = most + logf(whole);
                }
                times_rows(weight, room, value_rows, seen, mixed, D);
                for (int64_t r = 0; r < count; r++) {
                    REAL *to = out + (mine[0] + (first + r) / group) * heads * D + (s * group + (first + r) % group) * D;
                    for (int64_t i = 0; i < D; i += WIDTH) STORE(to + i, load_float(mixed + r * D + i));
                }
            }
        }
        free(buffer);
    }
}

/* dq [T, heads, D] in REAL; dk and dv as float: own [2, T, shared, D], of a segment's own tokens, and of its prompt's tokens
 * prompts [P, 2, shared, D], from row `place` of each segment on. */
void NAME(packed_attention_backward)(const REAL *q, const REAL *k, const REAL *v, const REAL *out, const REAL *grad, const float *lse,
                                     const int64_t *segment, const int64_t *place, REAL *dq, float *own, float *prompts,
                                     const int64_t *shape, float scale) {
    int64_t S = shape[0], heads = shape[1], shared = shape[2], D = shape[3], room = (shape[4] + WIDTH - 1) / WIDTH * WIDTH, T = shape[5];
    int64_t group = heads / shared;
#pragma omp parallel
    {
        size_t numbers = (size_t)(6 * room * D + ROWS * (3 * D + 2 * room));
        float *buffer = aligned_alloc(64, (numbers * 4 + 63) / 64 * 64);
        float *key_columns = buffer, *key_rows = key_columns + room * D, *value_columns = key_rows + room * D;
        float *value_rows = value_columns + room * D, *dk = value_rows + room * D, *dv = dk + room * D;
        float *rows = dv + room * D, *given = rows + ROWS * D, *mixed = given + ROWS * D;
        float *chance = mixed + ROWS * D, *slope = chance + ROWS * room;
#pragma omp for schedule(dynamic, 1)
        for (int64_t task = 0; task < S * shared; task++) {
            const int64_t *mine = segment + task / shared * 4;
            int64_t s = task % shared, total = mine[1] * group, length = mine[1] + mine[3];
            int64_t padded = (length + WIDTH - 1) / WIDTH * WIDTH;
            NAME(gather)(k + s * D, shared * D, mine, D, padded, key_columns, key_rows);
            NAME(gather)(v + s * D, shared * D, mine, D, padded, value_columns, value_rows);
            memset(dk, 0, (size_t)(length * D) * sizeof(float));
            memset(dv, 0, (size_t)(length * D) * sizeof(float));
            for (int64_t first = 0; first < total; first += ROWS) {
                int64_t count = total - first < ROWS ? total - first : ROWS;
                int64_t seen = NAME(tile)(q + s * group * D, heads * D, mine, first, count, group, D, scale, rows);
                NAME(tile)(grad + s * group * D, heads * D, mine, first, count, group, D, 1.0f, given);
                times_columns(rows, key_columns, padded, D, chance, room, seen);
                times_columns(given, value_columns, padded, D, slope, room, seen);
                int64_t end = (seen + WIDTH - 1) / WIDTH * WIDTH;
                for (int64_t r = 0; r < ROWS; r++) {
                    int64_t token = mine[0] + (first + r) / group, head = s * group + (first + r) % group;
                    int64_t visible = r < count ? mine[3] + (first + r) / group + 1 : 0;
                    vec along = splat(0);
                    if (r < count)
                        for (int64_t i = 0; i < D; i += WIDTH)
                            along += load_float(given + r * D + i) * LOAD(out + (token * heads + head) * D + i);
                    vec delta = splat(sum(along)), level = splat(r < count ? lse[token * heads + head] : 0);
                    for (int64_t t = 0; t < end; t += WIDTH) {
                        vec p = exponential(load_float(chance + r * room + t) - level);
                        store_float(chance + r * room + t, p);
                        store_float(slope + r * room + t, p * (load_float(slope + r * room + t) - delta));
                    }
                    for (int64_t t = visible; t < end; t++) chance[r * room + t] = slope[r * room + t] = 0;
                }
                times_rows(slope, room, key_rows, seen, mixed, D);
                for (int64_t r = 0; r < count; r++) {
                    REAL *to = dq + (mine[0] + (first + r) / group) * heads * D + (s * group + (first + r) % group) * D;
                    for (int64_t i = 0; i < D; i += WIDTH) STORE(to + i, load_float(mixed + r * D + i) * splat(scale));
                }
                add_outer(slope, room, rows, seen, dk, D); /* the scale is in the rows */
                add_outer(chance, room, given, seen, dv, D);
            }
            for (int64_t t = 0; t < length; t++) {
                const float *parts[2] = {dk + t * D, dv + t * D};
                for (int64_t which = 0; which < 2; which++) {
                    float *to = t < mine[3] ? prompts + (((place[task / shared] + t) * 2 + which) * shared + s) * D
                                            : own + ((which * T + mine[0] + t - mine[3]) * shared + s) * D;
                    memcpy(to, parts[which], (size_t)D * sizeof(float));
                }
            }
        }
        free(buffer);
    }
}

#endif
