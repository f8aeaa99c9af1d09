/* What the program may read. The host gives each as a whole, so it is taken when it is first read. */
#include "adapter.h"

void sources_begin(void) {
  state *mine = own();
  host_input_count(&mine->inputs);
  host_stream_count(&mine->streams);
  host_has_previous_result(&mine->word);
  mine->has_previous = mine->word != 0;
  u64 count = (u64)mine->inputs + mine->streams + mine->has_previous;
  u64 end = sizeof(state) + count * sizeof(source);
  if (!arena_reaches(end)) __builtin_trap();
  for (u32 which = 0; which < count; which++) {
    if (which < mine->inputs) host_input_size(which, &mine->sources[which].size);
    else if (which < mine->inputs + mine->streams)
      host_stream_size(which - mine->inputs, &mine->sources[which].size);
    else host_previous_result_size(&mine->sources[which].size);
  }
  result_begin((u32)end);
}

u32 source_load(u32 which) {
  state *mine = own();
  source *it = &mine->sources[which];
  if (it->loaded) return SUCCESS;
  u32 at = mine->result_at, status;
  if (!result_move(it->size)) return NOMEM;
  u8 *to = arena(at);
  if (which < mine->inputs) status = host_read_input(which, to, it->size);
  else if (which < mine->inputs + mine->streams)
    status = host_read_stream(which - mine->inputs, to, it->size);
  else status = host_read_previous_result(to, it->size);
  if (status != 0) return IO;
  it->at = at;
  it->loaded = true;
  return SUCCESS;
}
