/* What Python calls: the answers to rows that come as the entry of a Program returns them. parts.h, printed for each
   Program, has its numbers; model.c is its exported code, and first.c that of its first layer or encoder alone. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "model.h"
#include "parts.h"

/* The rows whose logits become answers together. */
enum { BLOCK = N_LOGITS < 16 ? 64 : 8 };

#ifndef REGRESSES
/* Raise e to n powers, none of them positive, to 12 digits. Unlike the library's exp, this takes several at once. */
static void exponentials(double *x, int n)
{
    /* a sum with this number has no fraction, and its last bits are those of an integer */
    const double whole = 6755399441055744.0;
    /* in a loop of its own: gcc would part these constant results by branches, and then takes one number at a time */
    for (int i = 0; i < n; i++) x[i] = x[i] < -700.0 ? -700.0 : x[i];
    for (int i = 0; i < n; i++) {
        union { double number; uint64_t bits; } nearest, two;
        double r;
        nearest.number = x[i] * 1.4426950408889634 + whole;
        two.bits = (nearest.bits + 1023) << 52;
        r = x[i] - (nearest.number - whole) * 0.6931471805599453;
        x[i] = two.number * (1.0 + r * (1.0 + r * (1.0 / 2 + r * (1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120
             + r * (1.0 / 720 + r * (1.0 / 5040 + r * (1.0 / 40320 + r * (1.0 / 362880 + r * (1.0 / 3628800)))))))))));
    }
}
#endif

/* Turn the logits of n rows into their answers. */
static void answer(const float *z, int n, double *out)
{
#ifdef REGRESSES
    for (int i = 0; i < n; i++, z += N_LOGITS, out += N_LOGITS) for (int j = 0; j < N_LOGITS; j++) {
        out[j] = center[j] + scale[j] * (double)z[j];
        if (out[j] < lower[j]) out[j] = lower[j];
        if (out[j] > upper[j]) out[j] = upper[j];
        out[j] = TRANSFORMED_BACK;
    }
#elif N_LOGITS == 1 && !defined(SIGMOID)
    double power[BLOCK];
    for (int i = 0; i < n; i++) power[i] = -fabs((double)z[i]);
    exponentials(power, n);
    /* the smaller probability is computed; the larger is one minus it */
    for (int i = 0; i < n; i++) {
        const double small = power[i] / (1.0 + power[i]), large = 1.0 - small;
        out[2 * i] = z[i] > 0.0f ? small : large;
        out[2 * i + 1] = z[i] > 0.0f ? large : small;
    }
#else
#if defined(SIGMOID) || defined(ONE_VS_REST)
    for (int i = 0; i < n * N_LOGITS; i++) out[i] = -fabs((double)z[i]);
    exponentials(out, n * N_LOGITS);
    for (int i = 0; i < n * N_LOGITS; i++) out[i] = (z[i] > 0.0f ? 1.0 : out[i]) / (1.0 + out[i]);
#else
    for (int i = 0; i < n * N_LOGITS; i += N_LOGITS) {
        float top = z[i];
        for (int j = 1; j < N_LOGITS; j++) top = z[i + j] > top ? z[i + j] : top;
        for (int j = 0; j < N_LOGITS; j++) out[i + j] = (double)z[i + j] - (double)top;
    }
    exponentials(out, n * N_LOGITS);
#endif
#ifndef SIGMOID
    for (int i = 0; i < n * N_LOGITS; i += N_LOGITS) {
        double sum = 0.0;
        for (int j = 0; j < N_LOGITS; j++) sum += out[i + j];
        for (int j = 0; j < N_LOGITS; j++) out[i + j] /= sum;
    }
#endif
#endif
}

static const model_row *row_at(const double *rows, int i)
{
    return (const model_row *)(rows + i * WIDTH);
}

#ifdef LAYERS
#include "first.h"

/* Several rows go through a layer together, which then reads its weights once for all of them, and several vectors of
   outputs, which then read the inputs once: as many as the processor has registers for. Vectors are as wide as its
   registers, as gcc is slow with wider ones; the numbers of a row are padded to a multiple of 16. */
#if defined(__AVX512F__)
enum { LANES = 16, ROWS = 8, VECTORS = 2 };
#elif defined(__AVX__)
enum { LANES = 8, ROWS = 4, VECTORS = 2 };
#else
enum { LANES = 4, ROWS = 4, VECTORS = 2 };
#endif
typedef float wide __attribute__((vector_size(LANES * sizeof(float))));

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

/* Compute a few outputs, each by a sum of vectors of products; `weight` has a row for each output. */
static inline void narrow(const float *in, int in_padded, const float *weight, const float *bias, float *out)
{
    for (int r = 0; r < ROWS; r++) for (int j = 0; j < N_LOGITS; j++) {
        wide sum = {0}, v, w;
        for (int i = 0; i < in_padded; i += LANES) {
            memcpy(&v, in + r * in_padded + i, sizeof v);
            memcpy(&w, weight + j * in_padded + i, sizeof w);
            sum += v * w;
        }
        for (int half = LANES / 2; half > 0; half /= 2) for (int k = 0; k < half; k++) sum[k] += sum[half + k];
        out[r * N_LOGITS + j] = bias[j] + sum[0];
    }
}

/* The logits of ROWS rows. */
static void logits_of_rows(const double *rows, float *z)
{
    float a[ROWS * WIDEST] = {0}, b[ROWS * WIDEST];
    for (int r = 0; r < ROWS; r++) first_logits((const first_row *)(rows + r * WIDTH), a + r * FIRST_PADDED);
    LAYERS
}
#elif defined N_CODES
/* One layer and its encoder: loops are over rows, so that they become vectors of rows. All bins of a column are
   computed, which takes less time than to find the one that a number is in. Of fewer rows, gcc would unroll loops. */
enum { ROWS = 32 };

static void logits_of_rows(const double *rows, float *z)
{
    double sum[N_LOGITS][ROWS], x[ROWS], part[ROWS];
    for (int j = 0; j < N_LOGITS; j++) for (int r = 0; r < ROWS; r++) sum[j][r] = bias[j];
    for (int c = 0; c < N_CODES; c++) for (int r = 0; r < ROWS; r++) for (int j = 0; j < N_LOGITS; j++)
        sum[j][r] += tables[(offsets[c] + (int)rows[r * WIDTH + c]) * N_LOGITS + j];
    for (int c = 0; c < WIDTH - N_CODES; c++) {
        int any = 0;
        for (int r = 0; r < ROWS; r++) {
            x[r] = (rows[r * WIDTH + N_CODES + c] - mean[c]) * factor[c];
            any |= !(fabs(x[r]) <= LIMIT);
        }
        if (any) for (int r = 0; r < ROWS; r++) if (!(fabs(x[r]) <= LIMIT)) {
            if (isnan(x[r])) for (int j = 0; j < N_LOGITS; j++) sum[j][r] += if_missing[c * N_LOGITS + j];
            x[r] = squashed(x[r], filled[c], LIMIT);
        }
        for (int j = 0; j < N_LOGITS; j++) for (int r = 0; r < ROWS; r++) sum[j][r] += x[r] * slope[c * N_LOGITS + j];
        for (int b = first_bin[c]; b < first_bin[c + 1]; b++) {
            for (int r = 0; r < ROWS; r++) {
                part[r] = (x[r] - edge[b]) * per_width[b];
                part[r] = part[r] > 0.0 ? part[r] : 0.0;
                part[r] = part[r] < 1.0 ? part[r] : 1.0;
            }
            for (int j = 0; j < N_LOGITS; j++) for (int r = 0; r < ROWS; r++)
                sum[j][r] += part[r] * of_bin[b * N_LOGITS + j];
        }
    }
    for (int r = 0; r < ROWS; r++) for (int j = 0; j < N_LOGITS; j++) z[r * N_LOGITS + j] = (float)sum[j][r];
}
#else
enum { ROWS = 1 };

static void logits_of_rows(const double *rows, float *z)
{
    model_logits(row_at(rows, 0), z);
}
#endif

void skdistill_rows(const double *rows, int64_t n_rows, int logits, double *out);
void skdistill_rows(const double *rows, int64_t n_rows, int logits, double *out)
{
    float z[BLOCK * N_LOGITS];
    for (int64_t i = 0; i < n_rows; i += BLOCK, rows += BLOCK * WIDTH) {
        const int n = n_rows - i < BLOCK ? (int)(n_rows - i) : BLOCK;
        int r = 0;
        for (; r + ROWS <= n; r += ROWS) logits_of_rows(rows + r * WIDTH, z + r * N_LOGITS);
        for (; r < n; r++) model_logits(row_at(rows, r), z + r * N_LOGITS);
        if (logits) for (int j = 0; j < n * N_LOGITS; j++) out[i * N_LOGITS + j] = z[j];
        else answer(z, n, out + i * N_ANSWERS);
    }
}
