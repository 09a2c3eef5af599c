/* What Python calls: the answers to rows that come as the entry of a Program returns them. parts.h, which is printed for
   each Program, has its numbers; model.c is its exported code, and first.c that of its first layer alone. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "model.h"
#include "parts.h"

/* Turn the logits of a row into its answer. */
static void answer(const float *z, double *out)
{
#ifdef REGRESSES
    for (int j = 0; j < N_ANSWERS; j++) {
        out[j] = center[j] + scale[j] * (double)z[j];
        if (out[j] < lower[j]) out[j] = lower[j];
        if (out[j] > upper[j]) out[j] = upper[j];
        out[j] = TRANSFORMED_BACK;
    }
#elif defined SIGMOID
    for (int j = 0; j < N_LOGITS; j++) out[j] = 1.0 / (1.0 + exp(-(double)z[j]));
#elif defined ONE_VS_REST
    double sum = 0.0;
    for (int j = 0; j < N_LOGITS; j++) sum += out[j] = 1.0 / (1.0 + exp(z[j] < -700.0f ? 700.0 : -(double)z[j]));
    for (int j = 0; j < N_LOGITS; j++) out[j] /= sum;
#elif N_LOGITS == 1
    /* the smaller probability is computed; the larger is one minus it */
    double small = exp(-fabs((double)z[0]));
    small /= 1.0 + small;
    out[0] = z[0] > 0.0f ? small : 1.0 - small;
    out[1] = z[0] > 0.0f ? 1.0 - small : small;
#else
    double sum = 0.0;
    float top = z[0];
    for (int j = 1; j < N_LOGITS; j++) top = z[j] > top ? z[j] : top;
    for (int j = 0; j < N_LOGITS; j++) sum += out[j] = exp((double)z[j] - (double)top);
    for (int j = 0; j < N_LOGITS; j++) out[j] /= sum;
#endif
}

static const model_row *row_at(const double *rows, int64_t i)
{
    return (const model_row *)(rows + i * WIDTH);
}

#ifdef LATER_LAYERS
#include "first.h"

/* Several rows go through a layer together, which then reads its weights once for all of them, and several vectors of
   outputs, which then read the inputs once: as many as the processor has registers for. The numbers of a row are padded
   to a multiple of LANES. */
typedef float wide __attribute__((vector_size(64)));
enum { LANES = 16 };
#ifdef __AVX512F__
enum { ROWS = 8, VECTORS = 2 };
#else
enum { ROWS = 4, VECTORS = 1 };
#endif

/* Compute `n` vectors of outputs from `first` on; n is a constant once this is inlined. */
static inline __attribute__((always_inline)) void vectors(int n, int first, const float *in, int n_in, int in_padded,
                                                          const float *weight, const float *bias, int out_padded,
                                                          float *out)
{
    wide sum[ROWS][VECTORS], w[VECTORS];
    for (int r = 0; r < ROWS; r++) memcpy(sum[r], bias + first, (size_t)n * sizeof *w);
    for (int i = 0; i < n_in; i++) {
        memcpy(w, weight + i * out_padded + first, (size_t)n * sizeof *w);
        for (int r = 0; r < ROWS; r++) for (int k = 0; k < n; k++) sum[r][k] += in[r * in_padded + i] * w[k];
    }
    for (int r = 0; r < ROWS; r++) memcpy(out + r * out_padded + first, sum[r], (size_t)n * sizeof *w);
}

static void dense(const float *in, int n_in, int in_padded, const float *weight, const float *bias, int out_padded,
                  float *out)
{
    int first = 0;
    for (; first + VECTORS * LANES <= out_padded; first += VECTORS * LANES)
        vectors(VECTORS, first, in, n_in, in_padded, weight, bias, out_padded, out);
    for (; first < out_padded; first += LANES)
        vectors(1, first, in, n_in, in_padded, weight, bias, out_padded, out);
}

/* The logits of ROWS rows. */
static void logits_of_rows(const double *rows, float z[ROWS][N_LOGITS])
{
    float a[ROWS * WIDEST] = {0}, b[ROWS * WIDEST];
    for (int r = 0; r < ROWS; r++) first_logits((const first_row *)(rows + r * WIDTH), a + r * FIRST_PADDED);
    LATER_LAYERS
}
#else
enum { ROWS = 1 };

static void logits_of_rows(const double *rows, float z[ROWS][N_LOGITS])
{
    model_logits(row_at(rows, 0), z[0]);
}
#endif

void skdistill_rows(const double *rows, int64_t n_rows, int logits, double *out);
void skdistill_rows(const double *rows, int64_t n_rows, int logits, double *out)
{
    float z[ROWS][N_LOGITS];
    for (int64_t i = 0; i < n_rows;) {
        int n = 1;
        if (n_rows - i < ROWS) {
            model_logits(row_at(rows, i), z[0]);
        } else {
            logits_of_rows(rows + i * WIDTH, z);
            n = ROWS;
        }
        for (int r = 0; r < n; r++, i++) {
            if (logits) for (int j = 0; j < N_LOGITS; j++) out[i * N_LOGITS + j] = z[r][j];
            else answer(z[r], out + i * N_ANSWERS);
        }
    }
}
