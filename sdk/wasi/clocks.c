/* Time that passes only where the program looks: results depend on nothing but the inputs.
 *
 * All clocks begin at a fixed instant. A look at one takes a microsecond, so that who waits in a loop
 * waits not for ever, and who sleeps wakes at once, when the clock says that it slept. */
#include "adapter.h"

enum { REALTIME, MONOTONIC, PROCESS, THREAD, CLOCKS };
enum { TAG_CLOCK, TAG_READ, TAG_WRITE };
enum { SUBSCRIPTION_BYTES = 48, EVENT_BYTES = 32, ABSOLUTE = 1, TICK = 1000 };

static u64 reading(u32 clock) { return own()->now + (clock == REALTIME ? link_clock_begin() : 0); }

WASI(clock_res_get)(u32 clock, u32 to) {
  if (clock >= CLOCKS) return INVAL;
  if (!inside(to, 8)) return FAULT;
  put64(to, TICK);
  return SUCCESS;
}

WASI(clock_time_get)(u32 clock, u64 precision, u32 to) {
  (void)precision;
  if (clock >= CLOCKS) return INVAL;
  if (!inside(to, 8)) return FAULT;
  put64(to, reading(clock));
  own()->now += TICK;
  return SUCCESS;
}

/* How long until a subscription to a clock is due; 0 if it is wrong, which is then told. */
static u64 wait_of(u32 subscription) {
  u32 clock = get32(subscription + 16);
  u64 timeout = get64(subscription + 24);
  if (clock >= CLOCKS) return 0;
  if (!(get16(subscription + 40) & ABSOLUTE)) return timeout;
  u64 now = reading(clock);
  return timeout > now ? timeout - now : 0;
}

static u64 left_of(file *it) {
  u64 size = size_of(it->node);
  return it->position < size ? size - it->position : 0;
}

/* Files are always ready. If nothing but clocks is waited for, the nearest is due at once. */
WASI(poll_oneoff)(u32 subscriptions, u32 events, u32 count, u32 count_to) {
  if (count == 0) return INVAL;
  if (!inside(subscriptions, (u64)SUBSCRIPTION_BYTES * count) ||
      !inside(events, (u64)EVENT_BYTES * count) || !inside(count_to, 4))
    return FAULT;
  u64 wait = UINT64_MAX;
  for (u32 each = 0; each < count; each++) {
    u32 at = subscriptions + SUBSCRIPTION_BYTES * each;
    u64 until = get8(at + 8) == TAG_CLOCK ? wait_of(at) : 0;
    if (until < wait) wait = until;
  }
  u32 given = 0;
  for (u32 each = 0; each < count; each++) {
    u32 at = subscriptions + SUBSCRIPTION_BYTES * each, to = events + EVENT_BYTES * given;
    u64 data = get64(at), left = 0;
    u8 tag = get8(at + 8);
    u32 error = INVAL;
    if (tag == TAG_CLOCK) {
      if (wait_of(at) > wait) continue;
      if (get32(at + 16) < CLOCKS) error = SUCCESS;
    } else if (tag <= TAG_WRITE) {
      file *it = open_file(get32(at + 16));
      bool can = it != NULL && (tag == TAG_READ ? it->reads : it->writes);
      error = can ? SUCCESS : BADF;
      if (can && tag == TAG_READ) left = left_of(it);
    }
    put64(to, data);
    put16(to + 8, (u16)error);
    put8(to + 10, tag);
    put64(to + 16, left);
    put64(to + 24, 0);
    given++;
  }
  own()->now += wait;
  put32(count_to, given);
  return SUCCESS;
}
