/* A random forest or gradient-boosted trees, applied: the model stays its owner's, the rows theirs.
 *
 * Inputs: {base: f64, trees: Vec<Vec<Node>>} and Vec<Vec<f64>>, the rows, where Node is
 * {feature: u32, threshold: f64, left: u32, right: u32, value: f64}. A node whose left and right
 * are 0 is a leaf; otherwise a row goes left when its feature is below the threshold. The result is
 * Vec<f64>: for each row the base plus the leaves' values of all trees.
 */
#include <veracruz.h>

#define NODE_SIZE 28 /* encoded: three u32 and two f64 */
#define LEAST_TREE_SIZE 1
#define LEAST_ROW_SIZE 1

typedef struct node {
  double threshold, value;
  uint32_t feature, left, right;
} node;

typedef struct tree {
  node *nodes;
  size_t count;
} tree;

typedef struct forest {
  double base;
  tree *trees;
  size_t count;
} forest;

typedef struct row {
  const double *features;
  size_t count;
} row;

static node read_node(vc_reader *reader) {
  node at = {0};
  at.feature = vc_read_u32(reader);
  at.threshold = vc_read_f64(reader);
  at.left = vc_read_u32(reader);
  at.right = vc_read_u32(reader);
  at.value = vc_read_f64(reader);
  return at;
}

static int32_t read_tree(vc_reader *reader, tree *result) {
  result->count = vc_read_count(reader, NODE_SIZE);
  result->nodes = vc_alloc_array(result->count, sizeof(node));
  if (result->nodes == NULL) return VC_GENERIC;
  for (size_t i = 0; i < result->count; i++) result->nodes[i] = read_node(reader);
  return VC_SUCCESS;
}

static int32_t read_forest(forest *result) {
  vc_bytes input;
  int32_t code = vc_read_input(0, &input);
  if (code != VC_SUCCESS) return code;
  vc_reader reader = vc_reader_of(input);
  result->base = vc_read_f64(&reader);
  result->count = vc_read_count(&reader, LEAST_TREE_SIZE);
  result->trees = vc_alloc_array(result->count, sizeof(tree));
  if (result->trees == NULL) return VC_GENERIC;
  for (size_t i = 0; i < result->count && !reader.failed; i++) {
    code = read_tree(&reader, &result->trees[i]);
    if (code != VC_SUCCESS) return code;
  }
  return vc_reader_done(&reader) ? VC_SUCCESS : VC_BAD_INPUT;
}

/* The value of the leaf that a row comes to; false when the tree or the row is too short. Children
 * come after their parent, so every walk ends. */
static bool add_leaf(tree in, row of, double *score) {
  for (size_t at = 0; at < in.count;) {
    node here = in.nodes[at];
    if (here.left == 0 && here.right == 0) {
      *score += here.value;
      return true;
    }
    if (here.feature >= of.count) return false;
    size_t next = of.features[here.feature] < here.threshold ? here.left : here.right;
    if (next <= at) return false;
    at = next;
  }
  return false;
}

static int32_t put_score(const forest *model, row of, vc_writer *result) {
  double score = model->base;
  for (size_t i = 0; i < model->count; i++) {
    if (!add_leaf(model->trees[i], of, &score)) return VC_BAD_INPUT;
  }
  vc_put_f64(result, score);
  return VC_SUCCESS;
}

/* `features` has room for the longest row there can be. */
static row read_row(vc_reader *reader, double *features) {
  size_t count = vc_read_count(reader, sizeof(double));
  for (size_t i = 0; i < count; i++) features[i] = vc_read_f64(reader);
  return (row){features, count};
}

VC_ENTRY int32_t program(void) {
  if (vc_input_count() != 2) return VC_DATA_SOURCE_COUNT;
  forest model = {0};
  int32_t code = read_forest(&model);
  vc_bytes input;
  if (code == VC_SUCCESS) code = vc_read_input(1, &input);
  if (code != VC_SUCCESS) return code;

  vc_reader rows = vc_reader_of(input);
  size_t count = vc_read_count(&rows, LEAST_ROW_SIZE);
  double *features = vc_alloc(input.size);
  if (features == NULL) return VC_GENERIC;
  vc_writer result = vc_writer_of(4096);
  vc_put_varint(&result, count);
  for (size_t i = 0; i < count && !rows.failed && code == VC_SUCCESS; i++) {
    row next = read_row(&rows, features);
    if (!rows.failed) code = put_score(&model, next, &result);
  }
  if (code != VC_SUCCESS) return code;
  return vc_reader_done(&rows) ? vc_write_result(&result) : VC_BAD_INPUT;
}
