/* The C functions that the ops of a Program call; an exported file gets those that it needs, in this order. It defines
   the types `real`, which is float or double, and `position`, which is an unsigned integer, the position `end`, and
   PREFIX_CLONES, the processors that a function with the mark PREFIX_WIDE is compiled for. */

/* With GCC and glibc on x86-64, a function with this mark is also compiled for wider registers, and runs in the version
   that suits the processor. The results are the same to the last bit: no product and sum become one instruction. */
#if defined(__x86_64__) && defined(__GLIBC__) && __GNUC__ >= 6 && defined(__OPTIMIZE__) && !defined(__clang__) \
    && !defined(__AVX2__) && !defined(__SANITIZE_THREAD__)
#define PREFIX_WIDE __attribute__((target_clones(PREFIX_CLONES), optimize("fp-contract=off", "no-ipa-ra")))
#else
#define PREFIX_WIDE
#endif

/* Weights of wide layers: a vector of AVX-512 that lies on two cache lines takes twice as long. */
#if defined(__x86_64__) && defined(__GNUC__)
#define PREFIX_ALIGNED __attribute__((aligned(64)))
#else
#define PREFIX_ALIGNED
#endif

/* Compare two strings by their bytes. */
static int compare(const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return (int)(unsigned char)*a - (int)(unsigned char)*b;
}

/* A letter, in lower case if it is ASCII, or a digit; 0 for a byte that is neither and so parts words. */
static int in_word(int byte)
{
    if (byte >= 'A' && byte <= 'Z') return byte - 'A' + 'a';
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte >= 128 ? byte : 0;
}

/* Set for each of some words whether a text has it: 1 or 0. */
static void find_words(const char *text, const char *const *words, int n_words, double *found)
{
    const unsigned char *at = (const unsigned char *)text;
    for (int i = 0; i < n_words; i++) found[i] = 0.0;
    while (at != 0 && *at != 0) {
        int length = 0;
        while (in_word(at[length]) != 0) length++;
        for (int i = 0; i < n_words && length > 0; i++) {
            const unsigned char *const word = (const unsigned char *)words[i];
            int same = 0;
            while (same < length && word[same] != 0 && word[same] == in_word(at[same])) same++;
            if (same == length && word[same] == 0) found[i] = 1.0;
        }
        at += length > 0 ? length : 1;
    }
}

/* A valid level unchanged; any other value becomes "any other level". */
static int level(int value, int n_known)
{
    return value < 0 || value > n_known + 1 ? n_known : value;
}

/* A number clipped to a finite range; 0 if it is missing. */
static double bounded(double x)
{
    if (isnan(x)) return 0.0;
    return x > 1e30 ? 1e30 : x < -1e30 ? -1e30 : x;
}

/* A number clipped to a range; NAN if it is missing. */
static double clipped(double x, double lower, double upper)
{
    return x > upper ? upper : x < lower ? lower : x;
}

/* Seconds clipped to the years in which dates are exact. */
static double within(double seconds)
{
    return clipped(seconds, -1e13, 1e13);
}

/* The day of a date, counted from 1970. The quotient of whole seconds is never rounded up to the next day. */
static double day_number(double seconds)
{
    return floor(floor(within(seconds)) / 86400.0);
}

/* The day of a year that begins on the first of March, counted from 0; seconds are since 1970 and not missing.
   https://howardhinnant.github.io/date_algorithms.html */
static int32_t day_of_march_year(double seconds)
{
    const int32_t days = (int32_t)day_number(seconds) + 719468;
    const int32_t era = (days >= 0 ? days : days - 146096) / 146097;
    const int32_t day = days - era * 146097;
    const int32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    return day - (365 * year + year / 4 - year / 100);
}

/* The month of a date, 1 to 12. */
static double month(double seconds)
{
    int32_t from_march;
    if (isnan(seconds)) return seconds;
    from_march = (5 * day_of_march_year(seconds) + 2) / 153;
    return (double)(from_march < 10 ? from_march + 3 : from_march - 9);
}

/* The day of the month, 1 to 31. */
static double day(double seconds)
{
    int32_t day;
    if (isnan(seconds)) return seconds;
    day = day_of_march_year(seconds);
    return (double)(day - (153 * ((5 * day + 2) / 153) + 2) / 5 + 1);
}

/* The day of the week, 0 to 6, Monday first: 1970 began on a Thursday. */
static double weekday(double seconds)
{
    const double days = day_number(seconds) + 3.0;
    return days - 7.0 * floor(days / 7.0);
}

/* The hour of the day, 0 to 23. */
static double hour(double seconds)
{
    return floor((floor(within(seconds)) - day_number(seconds) * 86400.0) / 3600.0);
}

/* The time of day in hours. */
static double time_of_day(double seconds)
{
    return (within(seconds) - day_number(seconds) * 86400.0) / 3600.0;
}

/* The day of the year, 1 to 366, as in a leap year. */
static double day_of_year(double seconds)
{
    return isnan(seconds) ? seconds : (double)((day_of_march_year(seconds) + 60) % 366 + 1);
}

/* A number rounded to a millionth. */
static double rounded(double x)
{
    return rint(1e6 * x) / 1e6;
}

/* How far a date has come in a cycle of so many seconds, as an angle. */
static double angle(double seconds, double period)
{
    const double known = within(seconds);
    return (known - period * floor(known / period)) * (6.283185307179586 / period);
}

/* A standardised number that is missing, which is `filled`, or beyond a limit, which is squashed. */
static double squashed(double z, double filled, double limit)
{
    double beyond;
    if (isnan(z)) z = filled;
    z = z > 1e30 ? 1e30 : z < -1e30 ? -1e30 : z;
    beyond = fabs(z) - limit;
    return beyond > 0.0 ? copysign(limit + log1p(beyond), z) : z;
}

/* The score of a number, interpolated linearly between the knots' scores; the score of `fill` if it is missing. */
static double interpolated(double x, const double *knots, const double *scores, int n, double fill)
{
    int low = 0;
    if (isnan(x)) x = fill;
    if (x < knots[0]) return scores[0];
    if (x >= knots[n - 1]) return scores[n - 1];
    for (int left = n - 1; left > 1; left -= left / 2) low = knots[low + left / 2] <= x ? low + left / 2 : low;
    if (knots[low] == x) return scores[low];
    return scores[low] + (scores[low + 1] - scores[low]) / (knots[low + 1] - knots[low]) * (x - knots[low]);
}

/* How far a number reaches into a bin, 0 to 1. */
static double share(double x, double lower, double per_width)
{
    const double come = (x - lower) * per_width;
    return come < 0.0 ? 0.0 : come > 1.0 ? 1.0 : come;
}

/* The number with the given float16 bits; there is no branch, so that several can be decoded at once. */
static float half(uint16_t bits)
{
    union { uint32_t bits; float number; } found, extra;
    const int32_t digits = (bits & 0x7fff) << 13;
    /* subnormal numbers have no leading one: 2^-14 is added and subtracted again */
    const uint32_t is_small = (uint32_t)-(digits < 0x800000);
    found.bits = (uint32_t)digits + 0x38000000u + (is_small & 0x800000u);
    extra.bits = is_small & 0x38800000u;
    found.number -= extra.number;
    found.bits |= (uint32_t)(bits & 0x8000) << 16;
    return found.number;
}

/* A number as float, clipped to the range of float. */
static float single(double x)
{
    const double largest = 3.4028234663852886e38;
    return (float)(x > largest ? largest : x < -largest ? -largest : x);
}

/* Pad a list with zeros to a multiple of four, and end it with a sentinel. */
static void end_list(int found, real *v, position *at)
{
    for (int i = found; i < found + 4; i++) {
        v[i] = 0;
        at[i] = 0;
    }
    at[(found + 3) / 4 * 4] = end;
}
