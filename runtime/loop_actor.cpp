// The queue of an actor that lives inside a loop.
#include "runtime/loop_actor.hpp"

#include <cerrno>
#include <system_error>

#include <sys/eventfd.h>
#include <unistd.h>

#include <caf/detail/sync_request_bouncer.hpp>

namespace troupe::runtime {

loop_queue::loop_queue() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

loop_queue::~loop_queue() { ::close(fd_); }

bool loop_queue::push(caf::mailbox_element_ptr& message) {
  bool first;
  {
    std::lock_guard guard(mutex_);
    if (closed_) return false;
    first = waiting_.empty();
    waiting_.push_back(std::move(message));
  }
  if (first) wake();
  return true;
}

void loop_queue::wake() {
  std::uint64_t one = 1;
  while (::write(fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void loop_queue::take(std::vector<caf::mailbox_element_ptr>& into) {
  std::uint64_t count = 0;
  while (::read(fd_, &count, sizeof count) < 0 && errno == EINTR) {
  }
  std::lock_guard guard(mutex_);
  into.swap(waiting_);
}

std::vector<caf::mailbox_element_ptr> loop_queue::close() {
  std::vector<caf::mailbox_element_ptr> left;
  std::lock_guard guard(mutex_);
  closed_ = true;
  left.swap(waiting_);
  return left;
}

void bounce(std::vector<caf::mailbox_element_ptr>& messages) {
  caf::detail::sync_request_bouncer answer{caf::make_error(caf::sec::request_receiver_down)};
  for (auto& message : messages)
    if (message) answer(*message);
}

}  // namespace troupe::runtime
