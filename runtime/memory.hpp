// Memory that is not needed any more.
#pragma once

namespace troupe::runtime {

/// Gives what the calling thread has freed back to the kernel, by whichever allocator the program has. For after work
/// that took much for a moment; takes up to some milliseconds.
void give_back_memory();

}  // namespace troupe::runtime
