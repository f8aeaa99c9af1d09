/* Private set intersection: the people that every input lists.
 *
 * Each input is a HashSet<Person>; so is the result, in the order of the first input.
 * A person's encoding is unique, so two people are equal when their bytes are: nothing is copied,
 * the tables hold spans of the inputs.
 */
#include <veracruz.h>

#define LEAST_PERSON_SIZE 4 /* two empty strings and two numbers */

typedef struct entry {
  vc_bytes person;
  uint64_t hash;
  uint32_t seen_in; /* the inputs up to this one, from the first, list this person */
} entry;

/* The distinct people of the first input, found by open addressing. */
typedef struct table {
  entry *entries;
  uint32_t count;
  uint32_t *slots; /* 1 + index of an entry, 0 where free */
  size_t mask;
  vc_hash_key key;
} table;

static bool make_table(table *people, size_t capacity) {
  size_t slots = 8;
  while (slots / 2 < capacity) slots *= 2;
  people->entries = vc_alloc_array(capacity, sizeof(entry));
  people->slots = vc_alloc_array(slots, sizeof(uint32_t));
  people->mask = slots - 1;
  return people->entries != NULL && people->slots != NULL;
}

/* The slot that holds this person, or the free one where they belong. */
static uint32_t *find(const table *people, vc_bytes person, uint64_t hash) {
  for (size_t i = (size_t)hash & people->mask;; i = (i + 1) & people->mask) {
    uint32_t *slot = &people->slots[i];
    if (*slot == 0) return slot;
    const entry *held = &people->entries[*slot - 1];
    if (held->hash == hash && vc_equal(held->person, person)) return slot;
  }
}

static void add(table *people, vc_bytes person) {
  uint64_t hash = vc_hash(people->key, person);
  uint32_t *slot = find(people, person, hash);
  if (*slot != 0) return; /* listed twice */
  people->entries[people->count] = (entry){person, hash, 1};
  *slot = ++people->count;
}

static void mark(table *people, vc_bytes person, uint32_t input) {
  uint32_t *slot = find(people, person, vc_hash(people->key, person));
  if (*slot == 0) return;
  entry *held = &people->entries[*slot - 1];
  if (held->seen_in == input) held->seen_in = input + 1;
}

static vc_bytes read_person(vc_reader *reader) {
  const uint8_t *start = reader->at;
  vc_read_string(reader); /* name */
  vc_read_string(reader); /* employee_id */
  vc_read_u8(reader);     /* age */
  vc_read_u8(reader);     /* grade */
  return (vc_bytes){start, (size_t)(reader->at - start)};
}

static int32_t take_input(table *people, uint32_t index, vc_bytes input) {
  vc_reader reader = vc_reader_of(input);
  size_t count = vc_read_count(&reader, LEAST_PERSON_SIZE);
  if (index == 0 && !make_table(people, count)) return VC_GENERIC;
  for (size_t i = 0; i < count && !reader.failed; i++) {
    vc_bytes person = read_person(&reader);
    if (reader.failed) break;
    if (index == 0) {
      add(people, person);
    } else {
      mark(people, person, index);
    }
  }
  return vc_reader_done(&reader) ? VC_SUCCESS : VC_BAD_INPUT;
}

/* A key that nobody who does not know every input can predict, so that nobody can choose people
 * who collide; and the same in every run, so that equal inputs take equal time. */
static vc_hash_key key_of(const vc_bytes *inputs, uint32_t count) {
  vc_hash_key key = {{0, 0}};
  for (uint32_t i = 0; i < count; i++) {
    uint64_t word = vc_hash(key, inputs[i]);
    key = (vc_hash_key){{key.words[1] ^ word, word + i + 1}};
  }
  return key;
}

static int32_t write_common(const table *people, uint32_t inputs) {
  uint32_t common = 0;
  for (uint32_t i = 0; i < people->count; i++) common += people->entries[i].seen_in == inputs;
  vc_writer result = vc_writer_of(4096);
  vc_put_varint(&result, common);
  for (uint32_t i = 0; i < people->count; i++) {
    if (people->entries[i].seen_in == inputs) vc_put_bytes(&result, people->entries[i].person);
  }
  return vc_write_result(&result);
}

VC_ENTRY int32_t program(void) {
  uint32_t count = vc_input_count();
  vc_bytes *inputs = vc_alloc_array(count, sizeof(vc_bytes));
  if (inputs == NULL) return VC_GENERIC;
  int32_t code = VC_SUCCESS;
  for (uint32_t i = 0; i < count && code == VC_SUCCESS; i++) code = vc_read_input(i, &inputs[i]);
  table people = {0};
  people.key = key_of(inputs, code == VC_SUCCESS ? count : 0);
  for (uint32_t i = 0; i < count && code == VC_SUCCESS; i++) {
    code = take_input(&people, i, inputs[i]);
  }
  return code == VC_SUCCESS ? write_common(&people, count) : code;
}
