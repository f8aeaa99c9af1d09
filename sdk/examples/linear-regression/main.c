/* Linear regression: the line that fits a set of points best, by least squares.
 *
 * One input, Vec<(f64, f64)>; the result is {gradient: f64, intercept: f64}.
 */
#include <veracruz.h>

#define POINT_SIZE (2 * sizeof(double))

typedef struct point {
  double x, y;
} point;

static point read_point(vc_reader *reader) {
  double x = vc_read_f64(reader);
  double y = vc_read_f64(reader);
  return (point){x, y};
}

static point mean(vc_reader points, size_t count) {
  point sum = {0, 0};
  for (size_t i = 0; i < count; i++) {
    point at = read_point(&points);
    sum.x += at.x;
    sum.y += at.y;
  }
  return (point){sum.x / (double)count, sum.y / (double)count};
}

static double gradient_through(point centre, vc_reader points, size_t count) {
  double covariance = 0;
  double variance = 0;
  for (size_t i = 0; i < count; i++) {
    point at = read_point(&points);
    covariance += (at.x - centre.x) * (at.y - centre.y);
    variance += (at.x - centre.x) * (at.x - centre.x);
  }
  return covariance / variance;
}

VC_ENTRY int32_t program(void) {
  if (vc_input_count() != 1) return VC_INVARIANT_FAILED; /* the code this program always had */
  vc_bytes input;
  int32_t code = vc_read_input(0, &input);
  if (code != VC_SUCCESS) return code;

  vc_reader points = vc_reader_of(input);
  size_t count = vc_read_count(&points, POINT_SIZE);
  if (points.failed || vc_remaining(&points) != count * POINT_SIZE) return VC_BAD_INPUT;

  point centre = mean(points, count);
  double gradient = gradient_through(centre, points, count);
  vc_writer result = vc_writer_of(POINT_SIZE);
  vc_put_f64(&result, gradient);
  vc_put_f64(&result, centre.y - gradient * centre.x);
  return vc_write_result(&result);
}
