/* Heapsort and then a bottom-up merge sort of `size` words: comparisons and moves of memory. */
#include "kernel.h"

static void sift_down(uint32_t *heap, size_t at, size_t size) {
  uint32_t value = heap[at];
  for (size_t child; (child = 2 * at + 1) < size; at = child) {
    if (child + 1 < size && heap[child] < heap[child + 1]) child++;
    if (heap[child] <= value) break;
    heap[at] = heap[child];
  }
  heap[at] = value;
}

static void heap_sort(uint32_t *words, size_t size) {
  for (size_t i = size / 2; i > 0; i--) sift_down(words, i - 1, size);
  for (size_t end = size; end > 1; end--) {
    uint32_t most = words[0];
    words[0] = words[end - 1];
    words[end - 1] = most;
    sift_down(words, 0, end - 1);
  }
}

static void merge(const uint32_t *from, uint32_t *to, size_t low, size_t middle, size_t high) {
  size_t left = low, right = middle;
  for (size_t i = low; i < high; i++) {
    bool take_left = left < middle && (right == high || from[left] <= from[right]);
    to[i] = take_left ? from[left++] : from[right++];
  }
}

/* Sorts `words`, which may end up in `spare`: returns where. */
static uint32_t *merge_sort(uint32_t *words, uint32_t *spare, size_t size) {
  for (size_t width = 1; width < size; width *= 2) {
    for (size_t low = 0; low < size; low += 2 * width) {
      size_t middle = low + width < size ? low + width : size;
      size_t high = low + 2 * width < size ? low + 2 * width : size;
      merge(words, spare, low, middle, high);
    }
    uint32_t *sorted = spare;
    spare = words;
    words = sorted;
  }
  return words;
}

int32_t kernel(uint32_t size, uint64_t *checksum) {
  uint64_t state = 2;
  uint32_t *first = vc_alloc_array(size, sizeof(uint32_t));
  uint32_t *second = vc_alloc_array(size, sizeof(uint32_t));
  uint32_t *spare = vc_alloc_array(size, sizeof(uint32_t));
  if (first == NULL || second == NULL || spare == NULL) return VC_GENERIC;
  for (size_t i = 0; i < size; i++) first[i] = second[i] = (uint32_t)(next_random(&state) >> 32);
  heap_sort(first, size);
  second = merge_sort(second, spare, size);
  for (size_t i = 0; i < size; i++) {
    if (first[i] != second[i]) return VC_INVARIANT_FAILED;
    *checksum = mixed(*checksum, first[i]);
  }
  return VC_SUCCESS;
}
