/* Standard input to standard output, in pieces. */
#include <stdio.h>

int main(void) {
  static unsigned char piece[65536];
  size_t size;
  while ((size = fread(piece, 1, sizeof piece, stdin)) > 0)
    if (fwrite(piece, 1, size, stdout) != size) return 1;
}
