// Threads of what may wait.
#pragma once

namespace troupe::runtime {

/// The calling thread gets a twelfth of what the kernel gives the process's other threads, when both want all: its nice
/// value, which on Linux is a thread's own, goes up by 11 and can not come down again without rights.
void yield_to_serving();

}  // namespace troupe::runtime
