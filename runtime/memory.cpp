// Two allocators: the binary's is mimalloc, that of test programs the C library's.
#include "runtime/memory.hpp"

#include <malloc.h>

// Of mimalloc; null in programs without it.
extern "C" __attribute__((weak)) void mi_collect(bool force);

namespace troupe::runtime {

void give_back_memory() {
  if (mi_collect)
    mi_collect(true);
  else
    ::malloc_trim(0);
}

}  // namespace troupe::runtime
