/* String edit distance: how alike two texts are, from 0 to 1, by Jaro and Winkler.
 *
 * Two inputs, each the bytes of a text in UTF-8 (not encoded); the result is one f64.
 * Time and memory are linear in the texts.
 */
#include <veracruz.h>

#define BOOST_ABOVE 0.7
#define BOOST_PER_CHAR 0.1
#define LONGEST_PREFIX 4

typedef struct text {
  uint32_t *chars;
  size_t length;
} text;

static int32_t read_text(uint32_t index, text *result) {
  vc_bytes input;
  int32_t code = vc_read_input(index, &input);
  if (code != VC_SUCCESS) return code;
  result->chars = vc_alloc_array(input.size, sizeof(uint32_t)); /* no char is under one byte */
  if (result->chars == NULL) return VC_GENERIC;
  const uint8_t *at = input.data;
  for (result->length = 0; at < input.data + input.size; result->length++) {
    uint32_t point = vc_next_char(&at, input.data + input.size);
    if (point == VC_NOT_A_CHAR) return VC_BAD_INPUT;
    result->chars[result->length] = point;
  }
  return VC_SUCCESS;
}

/* Where each character occurs in a text: chains of places in rising order, so that the first place
 * a search may still use is found at once. Places count from 1; 0 ends a chain. */
typedef struct places {
  uint32_t *first; /* by character */
  uint32_t *next;  /* by place */
  uint32_t limit;  /* no character of the text is this great */
} places;

static bool find_places(text in, places *result) {
  result->limit = 0;
  for (size_t i = 0; i < in.length; i++) {
    if (in.chars[i] >= result->limit) result->limit = in.chars[i] + 1;
  }
  result->first = vc_alloc_array(result->limit, sizeof(uint32_t));
  result->next = vc_alloc_array(in.length + 1, sizeof(uint32_t));
  if (result->first == NULL || result->next == NULL) return false;
  for (size_t i = in.length; i > 0; i--) {
    uint32_t *first = &result->first[in.chars[i - 1]];
    result->next[i] = *first;
    *first = (uint32_t)i;
  }
  return true;
}

/* The first unused place of `character` from `low` on, now used; 0 if there is none up to `high`.
 * `low` never falls from call to call, so places below it may be dropped for good. */
static uint32_t use_place(places *in, uint32_t character, size_t low, size_t high) {
  if (character >= in->limit) return 0;
  uint32_t *first = &in->first[character];
  while (*first != 0 && *first < low) *first = in->next[*first];
  uint32_t place = *first;
  if (place == 0 || place > high) return 0;
  *first = in->next[place];
  return place;
}

static bool jaro(text a, text b, double *similarity) {
  places in_b;
  uint32_t *from_a = vc_alloc_array(a.length, sizeof(uint32_t)); /* a's matched chars, in order */
  bool *matched = vc_alloc_array(b.length + 1, sizeof(bool));    /* by place in b */
  if (from_a == NULL || matched == NULL || !find_places(b, &in_b)) return false;

  size_t longer = a.length > b.length ? a.length : b.length;
  size_t range = longer / 2 > 0 ? longer / 2 - 1 : 0; /* how far apart equal chars may lie */
  size_t matches = 0;
  for (size_t i = 1; i <= a.length; i++) {
    size_t low = i > range ? i - range : 1;
    uint32_t place = use_place(&in_b, a.chars[i - 1], low, i + range);
    if (place == 0) continue;
    matched[place] = true;
    from_a[matches++] = a.chars[i - 1];
  }

  size_t out_of_order = 0;
  for (size_t i = 1, k = 0; i <= b.length; i++) {
    if (matched[i]) out_of_order += b.chars[i - 1] != from_a[k++];
  }

  double m = (double)matches;
  double t = (double)(out_of_order / 2); /* transpositions, whole ones */
  if (a.length == 0 && b.length == 0) {
    *similarity = 1;
  } else if (matches == 0) {
    *similarity = 0;
  } else {
    *similarity = (m / (double)a.length + m / (double)b.length + (m - t) / m) / 3;
  }
  return true;
}

/* Winkler's boost for texts that are alike and begin alike. */
static double boosted(double similarity, text a, text b) {
  if (similarity <= BOOST_ABOVE) return similarity;
  size_t prefix = 0;
  while (prefix < LONGEST_PREFIX && prefix < a.length && prefix < b.length &&
         a.chars[prefix] == b.chars[prefix]) {
    prefix++;
  }
  return similarity + BOOST_PER_CHAR * (double)prefix * (1 - similarity);
}

VC_ENTRY int32_t program(void) {
  if (vc_input_count() != 2) return VC_DATA_SOURCE_COUNT;
  text a, b;
  int32_t code = read_text(0, &a);
  if (code == VC_SUCCESS) code = read_text(1, &b);
  if (code != VC_SUCCESS) return code;

  double similarity;
  if (!jaro(a, b, &similarity)) return VC_GENERIC;
  vc_writer result = vc_writer_of(sizeof(double));
  vc_put_f64(&result, boosted(similarity, a, b));
  return vc_write_result(&result);
}
